"""The loop that a person watches: the newest picture, its labels, the window, the keys."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Mapping, Sequence

from livecam.config import Config
from livecam.datatypes import Array, Image, TrackedFace
from livecam.display import Window
from livecam.errors import LivecamError, UsageError
from livecam.live import hud
from livecam.live.capture import Capture, Shot, Teller
from livecam.live.labeller import Labeller, Labels
from livecam.live.options import RunOptions
from livecam.live.outputs import LATENCY, Outputs, Summary
from livecam.live.readers import LiveSource
from livecam.live.status import Status
from livecam.live.view import Look, View
from livecam.live.window_size import SCREEN_WH, WindowSize
from livecam.motion import Motion
from livecam.overlay import NOBODY
from livecam.stopwatch import Stopwatch

TICK_S = 0.03  # keys are looked for at least this often…
REDRAW_S = 0.1  # …and the window is drawn at least this often
MESSAGE_S = 2.0
FIGURES_S = 0.5  # figures that change faster cannot be read
LABELS_LAST_S = 1.0  # labels are not drawn on pictures that are newer by more
HIDING_WAIT_S = 2.0  # where faces are hidden, no picture is shown without its own labels


class Viewer:
    """One run with a window. `run` returns when the window is closed or the source is over."""

    def __init__(
        self,
        options: RunOptions,
        config: Config,
        window: Window,
        watch: Stopwatch,
        say: Callable[[str], None],
        remembered_wh: tuple[int, int] | None = None,
    ) -> None:
        self.options, self.config, self.window, self.watch = options, config, window, watch
        self.say = say
        self.look = Look(config.overlay, is_mirrored=options.source.index is not None)
        self.capture = Capture(options.source, config.camera)
        self.labeller = Labeller(config, watch)
        self.outputs = Outputs(options, config, is_whole_clip=False)
        self.status = Status(self.capture, self.labeller, self.outputs, watch)
        self.shot: Shot | None = None  # the one in the window
        self.labels: Labels | None = None  # the newest
        self.shown = 0
        self._newest = -1  # index of the newest picture shown
        self.size = WindowSize(remembered_wh)
        self._view = View(config.overlay, config.scheme)
        self._motion = Motion()
        self._is_new = False  # the shot is not in the window yet
        self._drawn_s = self._message_s = self._figures_s = 0.0
        self._begin_s = math.inf  # when the first picture was there
        self._titled: LiveSource | None = None  # whose name and shape the window has

    def run(
        self, actions: Mapping[str, Callable[[Viewer], None]], interrupts: Sequence[int] = ()
    ) -> Summary:
        """`actions`: what each key does. Ends as soon as there are `interrupts`."""
        summary = self.outputs.summary
        tell = Teller(self.capture, self.say)
        try:
            with self.outputs:
                with self.capture, self.labeller:
                    while self.window.is_open and not self._is_done() and not interrupts:
                        tell()
                        self._answer(self._turn(), actions)
                self._finish()
                if self.capture.state.phase == "failed":
                    raise LivecamError(self.capture.state.why)
        except LivecamError as error:
            if not self.shown or isinstance(error, UsageError):
                raise
            summary.error = str(error)
        summary.is_interrupted = bool(interrupts)
        self.outputs.count(self.capture, self.watch)
        return summary

    def _finish(self) -> None:
        """What was being labelled at the end; of a film that is over it is shown and recorded."""
        if self.capture.is_over:
            self._collect()
        for labels in self.labeller.take():
            self.outputs.label(labels)

    def _answer(self, key: str, actions: Mapping[str, Callable[[Viewer], None]]) -> None:
        if key in actions:
            actions[key](self)
            self._drawn_s = 0.0
        size_wh = self.window.size_wh
        if size_wh and self._titled is not None and not self.window.is_full_screen:
            self.size.see(size_wh, time.perf_counter())

    def _is_done(self) -> bool:
        most, lasts_s = self.options.max_frames, self.options.duration_s
        return (
            (self.capture.is_over and not self.labeller.is_busy)
            or (most is not None and self.shown >= most)
            or (lasts_s is not None and time.perf_counter() - self._begin_s >= lasts_s)
        )

    def _turn(self) -> str:
        """The newest picture, its labels, the window; returns the key pressed."""
        shot = None if self.look.is_paused else self.capture.take_newest(TICK_S)
        if shot is not None:
            self._take(shot)
        self._collect()
        now_s = time.perf_counter()
        if self._is_new or now_s - self._drawn_s >= REDRAW_S:
            with self.watch("draw"):
                picture = self._picture(now_s)
            with self.watch("show"):
                self.window.show(picture)
                key = self.window.key()
            self._drawn_s = now_s
        else:
            key = self.window.key(TICK_S if self.look.is_paused else 0.001)
        if self._is_new and self.shot is not None:
            self._is_new = False
            self.watch.add(LATENCY, time.perf_counter() - self.shot.taken_s)
        return key

    def _take(self, shot: Shot) -> None:
        """Have a new picture labelled, and show it: with its own labels if they come in time, else
        with what those of the picture before predict."""
        self.watch.add("wait", time.perf_counter() - shot.taken_s)
        is_hiding = self.look.overlay.blur
        line = self.labeller.line
        if line is not None:
            line.is_hiding = is_hiding
        self.labeller.offer(shot)
        if line is not None:
            with self.watch("labels"):
                wait_s = HIDING_WAIT_S if is_hiding else self.config.camera.label_wait_s
                self.labeller.wait(shot.frame.index, wait_s)
        self._collect()
        if not is_hiding:
            self._put_up(shot)

    def _put_up(self, shot: Shot) -> None:
        """This is the picture in the window now."""
        if shot is self.shot:
            return
        self.shot, self._is_new = shot, True
        self.look.trouble = None  # a picture has come
        if shot.frame.index == self._newest:
            return  # shown again: hidden, its faces are looked for anew
        self._newest = shot.frame.index
        self.shown += 1
        self._begin_s = min(self._begin_s, time.perf_counter())
        self.outputs.film(shot.frame, self.faces(), self.hidden(), self.look.overlay)

    def _collect(self) -> None:
        """What was labelled since the last time."""
        for labels in self.labeller.take():
            self.labels = labels
            self._motion.update(labels.shot.frame.time_s, labels.faces)
            self.outputs.label(labels)
            is_awaited = self.look.overlay.blur or self.shot is None
            if is_awaited and labels.is_searched and labels.shot.frame.index >= self._newest:
                self._put_up(labels.shot)  # with these labels and no others
        while self.outputs.summary.notices:
            notice = self.outputs.summary.notices.popleft()
            self.message(notice)
            self.say(notice)

    def _is_labelled(self) -> bool:
        """Whether the newest labels say something about the picture in the window."""
        if self.shot is None or self.labels is None:
            return False
        lag_s = self.shot.frame.time_s - self.labels.shot.frame.time_s
        lasts_s = max(LABELS_LAST_S, 2 * self.config.camera.search_within_s)
        return lag_s < lasts_s and self.labels.shot.source == self.shot.source

    def faces(self) -> list[TrackedFace]:
        """Those in the window's picture."""
        if self.shot is None or not self._is_labelled() or self.look.trouble is not None:
            return []
        return self._motion.advance(self.shot.frame.time_s)

    def hidden(self) -> Array:
        """(n, 4) px of the window's picture where any face may be."""
        return self.labels.hidden if self.labels is not None and self._is_labelled() else NOBODY

    # What is in the window

    def message(self, text: str, square_px: float = 0.0) -> None:
        """Answer a key, for a moment."""
        self.look.message, self.look.square_px = text, square_px
        self._message_s = time.perf_counter()

    def hide_faces(self) -> None:
        """From now on only what is searched is shown: the picture in the window first."""
        if self.labeller.line is not None:
            self.labeller.line.is_hiding = True
        if self.shot is not None:
            self.labeller.offer(self.shot)
        self.shot = None

    def set_overlay(self, **changes: object) -> None:
        self.look.overlay = dataclasses.replace(self.look.overlay, **changes)  # type: ignore[arg-type]

    def _picture(self, now_s: float) -> Image:
        if self.shot is None:
            size_wh = self.window.size_wh or self.size.chosen_wh or SCREEN_WH
            return hud.screen(size_wh, *self.status.opening(), self.look.overlay.scale)
        bgr = self.shot.frame.bgr
        if self._titled != self.shot.source:
            self._titled = self.shot.source
            self.window.set_title(f"livecam: {self.shot.source.name}")
            self.window.resize(self.size.ask((bgr.shape[1], bgr.shape[0])))
        self._describe(now_s)
        return self._view.picture(bgr, self.faces(), self.hidden(), self.look, self.window.size_wh)

    def _describe(self, now_s: float) -> None:
        """What lies on the picture besides the faces."""
        look, capture = self.look, self.capture
        if now_s - self._figures_s >= FIGURES_S:
            self._figures_s, look.figures = now_s, self.status.figures(self.faces(), now_s)
        look.recording = self.status.recording()
        look.trouble = self.status.trouble(now_s)
        look.mouse = self.window.mouse
        while capture.notices:
            self.message(capture.notices.popleft())
        if now_s - self._message_s > MESSAGE_S:
            look.message, look.square_px = self.status.lasting(look.is_paused, now_s), 0.0
