"""The visits of a run, counted while it goes on and kept in their file."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from pathlib import Path

from livecam.audience import MOST_BLIND_S, Audience
from livecam.classifier import age_prior
from livecam.config import Config
from livecam.datatypes import Visit
from livecam.live.capture import Shot
from livecam.live.labeller import Labels
from livecam.live.readers import LiveSource
from livecam.store import WAIT_S, BusyError, NotNowError, VisitStore

WATCHED_EVERY_S = 10.0  # the file is told so often that somebody looks
JUMP_S = 10.0  # of the computer's clock beside that of the frames, as after a sleep
SAVES_APART_S = 1.0  # at least: each costs several waits for the disk


class VisitLog:
    """Callable: labels, in order. A context manager. Raises LivecamError.

    While the disk is full and the like, visits wait in memory, and `problem` says why.

    Visits are dated by this computer's clock. Those of a clip that is labelled whole, as fast as it
    goes, are dated as if it had begun to play at the first frame; those of any clip by when it was
    filmed, if that is known: `began`, Unix time.
    """

    def __init__(
        self, path: Path, config: Config, is_whole_clip: bool, began: float | None
    ) -> None:
        self.path, self._is_dated = path, is_whole_clip or began is not None
        prior = age_prior(config.classifier.model, config.classifier.runtime)
        self._store = VisitStore(path, prior, config.overlay.gender)
        self._audience = Audience(config.audience)
        self._epoch = began  # Unix time at 0 s of the frames' clock
        self._time_s = 0.0  # of the newest frame
        self._told_s = -math.inf  # when the file was told last…
        self._tried_s = -math.inf  # …and when that was tried, at least
        self._has_left = True  # whoever was seen
        self._source: LiveSource | None = None
        self.problem: str | None = None

    @property
    def counted(self) -> int:
        return self._audience.counted

    def close(self) -> None:
        """At the end of the run."""
        try:
            self._leave()
            self._store.save(WAIT_S)
        finally:
            self._store.close()

    def __enter__(self) -> VisitLog:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __call__(self, labels: Labels) -> None:
        if labels.shot.source != self._source:  # another camera
            self._leave()
            self._source = labels.shot.source
        if self._epoch is None or not self._is_dated:
            self._set_clock(labels.shot)
        time_s, is_new = labels.shot.frame.time_s, not labels.shot.is_frozen
        if is_new:
            self._time_s, self._has_left = time_s, False
            self._see(self._audience(time_s, labels.faces))
        elif time_s - self._time_s > MOST_BLIND_S and not self._has_left:
            self._leave()  # one picture all the time shows nobody who is there now
        is_due = self._store.has_visits or (is_new and time_s - self._told_s >= WATCHED_EVERY_S)
        if is_due and time_s - self._tried_s >= SAVES_APART_S:
            self._tried_s = time_s
            self._save()

    def _save(self) -> None:
        try:
            self._store.save(0)  # somebody waits for the picture
            self._told_s, self.problem = self._time_s, None
        except BusyError:
            pass  # next time
        except NotNowError as error:
            self.problem = str(error)

    def _set_clock(self, shot: Shot) -> None:
        """For each frame: theirs may stand still while a computer sleeps, and whoever was seen
        before has left."""
        ago_s = time.perf_counter() - shot.taken_s
        epoch = time.time() - ago_s - shot.frame.time_s
        if self._epoch is not None and abs(epoch - self._epoch) > JUMP_S:
            self._leave()
        self._epoch = epoch

    def _see(self, visits: Iterable[Visit]) -> None:
        assert self._source is not None and self._epoch is not None
        self._store.see(self._source.name, self._epoch, self._time_s, visits)

    def _leave(self) -> None:
        """Whoever is seen leaves: no more is seen from there."""
        self._has_left = True
        if self._source is not None:
            self._see(self._audience.leave())
        self._told_s = self._tried_s = -math.inf  # what comes is told at once
