"""The thread that labels: it takes the newest frame offered whenever it is free."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from livecam.config import Config
from livecam.datatypes import Array, TrackedFace
from livecam.live.capture import Rate, Shot
from livecam.live.readers import LiveSource
from livecam.stopwatch import Stopwatch

if TYPE_CHECKING:
    from livecam.pipeline import Models, Pipeline

KEPT = 2  # results that nobody took: each holds its picture
SEARCH = "detect"  # the stopwatch's part
SLOWER, FASTER = 1.05, 1.5  # the smallest face changes only when it is off by more
STEP = 2.0  # …and by no more at once


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """What the line says about a shot: its confirmed tracks, and where any face may be.

    `is_searched`: all of the picture, not only where faces were before, and for all sizes wanted.
    """

    shot: Shot
    faces: list[TrackedFace]
    hidden: Array  # (n, 4) px
    is_searched: bool


class Line:
    """Callable: a shot -> its labels. Forgets whom it saw when another camera takes over.

    `min_face_px` is the smallest face that a person wants to be looked for. Where a search takes
    longer than `search_within_s`, the smallest ones are left out: labels that come a second late
    are about another picture. `searched_px` is what is looked for then. While `is_hiding`, every
    frame is searched, for small faces too: one that is not found is seen. `frames` is how many
    will come, where they are fewer than a track needs to be sure.
    """

    def __init__(
        self,
        models: Models,
        watch: Stopwatch,
        search_within_s: float | None = None,
        frames: int | None = None,
    ) -> None:
        self._models, self._watch = models, watch
        self._within_s = search_within_s
        self._pipeline: Pipeline = models.pipeline(frames, watch)
        self._source: LiveSource | None = None
        self._searches = 0
        self.min_face_px = self.searched_px = float(models.detector.min_face_px)
        self.is_hiding = models.config.overlay.blur

    def __call__(self, shot: Shot) -> Labels:
        time_s = shot.frame.time_s
        if shot.source != self._source:
            self._pipeline.forget()
        self._source = shot.source
        smallest_px = self.min_face_px
        if self.is_hiding:
            self.searched_px = smallest_px
        self._pipeline.searches_all = self.is_hiding
        self._pipeline.min_face_px = searched_px = self.searched_px
        faces = self._pipeline(shot.frame)
        is_searched = self._pipeline.is_searched and searched_px <= smallest_px
        self._adapt()
        return Labels(shot, faces, self._pipeline.boxes(time_s), is_searched)

    @property
    def provider(self) -> str:
        """What the networks run on."""
        return self._models.classifier.provider

    def look_for(self, px: float) -> None:
        """From the next frame on, faces of this size and larger."""
        self.min_face_px = self.searched_px = px

    def _adapt(self) -> None:
        """After a search, the smallest face for the next: its time goes with the number of
        pixels searched, and that with the inverse square of the size."""
        count, last_s = self._watch.last(SEARCH)
        if self._within_s is None or self.is_hiding or count == self._searches:
            return
        self._searches = count
        if count == 1:
            return  # the first one of a network takes longer
        step = math.sqrt(last_s / self._within_s)  # to the size that would take just as long
        if step > SLOWER or step < 1 / FASTER:
            step = min(max(step, 1 / STEP), STEP)
            self.searched_px = max(self.searched_px * step, self.min_face_px)


class Labeller:
    """Labels in a thread of its own, the loading of the networks included. A context manager.

    `line` is None until they are loaded. What goes wrong in the thread is raised by `take`.
    """

    def __init__(self, config: Config, watch: Stopwatch) -> None:
        self._config, self._watch = config, watch
        self.line: Line | None = None
        self.rate = Rate()
        self._offered: Shot | None = None
        self._done: deque[Labels] = deque(maxlen=KEPT)
        self._last_index = self._offered_index = -1
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
            self._offered, self._offered_index = shot, shot.frame.index
            self._news.notify_all()

    @property
    def is_busy(self) -> bool:
        """Whether a shot that was offered has no labels yet."""
        with self._news:
            return self._error is None and self._last_index < self._offered_index

    def wait(self, index: int, wait_s: float) -> None:
        """Until the frame of that index is labelled, but no longer than `wait_s`."""
        with self._news:
            self._news.wait_for(
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

            within_s = self._config.camera.search_within_s
            models = Models(self._config)
            self.line = Line(models, self._watch, within_s)
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
            self._news.notify_all()
        self.rate.count(time.perf_counter())
