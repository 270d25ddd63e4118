"""The thread that labels: it takes the newest frame offered whenever it is free."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from livecam.config import Config
from livecam.datatypes import Array, TrackedFace
from livecam.live.capture import Rate, Shot
from livecam.stopwatch import Stopwatch

if TYPE_CHECKING:
    from livecam.pipeline import Models, Pipeline

KEPT = 64  # results that nobody took


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """What the line says about a shot: its confirmed tracks, and where any face may be."""

    shot: Shot
    faces: list[TrackedFace]
    hidden: Array  # (n, 4) px


class Line:
    """Callable: a shot -> its labels. Forgets whom it saw when another camera takes over."""

    def __init__(self, models: Models, watch: Stopwatch) -> None:
        self._models = models
        self._line: Pipeline = models.pipeline(watch=watch)
        self._detect_every = self._line.detect_every
        self._source = 0

    def __call__(self, shot: Shot) -> Labels:
        if shot.source != self._source:
            self._line.tracker.forget()
            self._source = shot.source
        faces = self._line(shot.frame)
        return Labels(shot, faces, self._line.boxes(shot.frame.time_s))

    @property
    def provider(self) -> str:
        """What the networks run on."""
        return self._models.classifier.provider

    @property
    def min_face_px(self) -> int:
        return round(self._models.detector.min_face_px)

    @min_face_px.setter
    def min_face_px(self, px: int) -> None:
        self._models.detector.min_face_px = px

    def search_every_frame(self, is_wanted: bool) -> None:
        """Needed where faces are hidden: one that is not found is seen."""
        self._line.detect_every = 1 if is_wanted else self._detect_every


class Labeller:
    """Labels in a thread of its own, the loading of the networks included. A context manager.

    `line` is None until they are loaded. What goes wrong in the thread is raised by `take`.
    """

    def __init__(self, config: Config, watch: Stopwatch) -> None:
        self._config, self._watch = config, watch
        self.line: Line | None = None
        self.rate = Rate()
        self.labelled = 0
        self._offered: Shot | None = None
        self._done: deque[Labels] = deque(maxlen=KEPT)
        self._last_index = -1
        self._error: BaseException | None = None
        self._news = threading.Condition()
        self._is_stopped = False
        self._thread = threading.Thread(target=self._run, name="livecam labels", daemon=True)

    def __enter__(self) -> Labeller:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        with self._news:
            self._is_stopped = True
            self._news.notify_all()
        self._thread.join()

    def offer(self, shot: Shot) -> None:
        """Label this shot next, instead of one that was offered before and not begun."""
        with self._news:
            self._offered = shot
            self._news.notify_all()

    def wait(self, index: int, wait_s: float) -> bool:
        """Whether the frame of that index is labelled, at the latest after `wait_s`."""
        with self._news:
            return self._news.wait_for(
                lambda: self._last_index >= index or self._error is not None, wait_s
            )

    def take(self) -> list[Labels]:
        """What was labelled since the last call, oldest first."""
        with self._news:
            if self._error is not None:
                raise self._error
            done = list(self._done)
            self._done.clear()
            return done

    def _run(self) -> None:
        try:
            from livecam.pipeline import Models  # after the window is there: ONNX Runtime is slow

            self.line = Line(Models(self._config), self._watch)
            while True:
                with self._news:
                    self._news.wait_for(lambda: self._offered is not None or self._is_stopped)
                    shot, self._offered = self._offered, None
                    if self._is_stopped or shot is None:
                        return
                self._put(self.line(shot))
        except BaseException as error:
            with self._news:
                self._error = error
                self._news.notify_all()

    def _put(self, labels: Labels) -> None:
        with self._news:
            self._done.append(labels)
            self._last_index = labels.shot.frame.index
            self.labelled += 1
            self._news.notify_all()
        self.rate.count(labels.shot.taken_s)
