"""The visits of a run, counted while it goes on and kept in their file."""

from __future__ import annotations

import math
import time
from pathlib import Path

from livecam.audience import Audience
from livecam.classifier import age_prior
from livecam.config import Config
from livecam.live.labeller import Labels
from livecam.live.readers import LiveSource
from livecam.store import VisitStore

WATCHED_EVERY_S = 10.0  # the file is told so often that somebody looks


class VisitLog:
    """Callable: labels, in order. A context manager. Raises LivecamError.

    Visits are dated by this computer's clock. Those of a file (`is_file`) are dated as if it had
    begun to play at the first frame, or by when it was filmed: `began`, Unix time.
    """

    def __init__(self, path: Path, config: Config, is_file: bool, began: float | None) -> None:
        self.path, self._is_dated = path, is_file or began is not None
        prior = age_prior(config.classifier.model, config.classifier.runtime)
        self._store = VisitStore(path, prior, config.overlay.gender)
        self._audience = Audience(config.audience)
        self._epoch = began  # Unix time at 0 s of the frames' clock
        self._time_s = 0.0  # of the newest frame
        self._watched_s = -math.inf  # what the file was told last
        self._source: LiveSource | None = None

    @property
    def counted(self) -> int:
        return self._audience.counted

    def __enter__(self) -> VisitLog:
        self._store.__enter__()
        return self

    def __exit__(self, *exc: object) -> None:
        try:
            self._leave()
        finally:
            self._store.__exit__()

    def __call__(self, labels: Labels) -> None:
        if labels.shot.source != self._source:  # another camera
            self._leave()
            self._source = labels.shot.source
        self._time_s = labels.shot.frame.time_s
        if self._epoch is None or not self._is_dated:
            # each time: the frames' clock may stand still while a computer sleeps
            ago_s = time.monotonic() - labels.shot.taken_s
            self._epoch = time.time() - ago_s - self._time_s
        if not 0 <= self._time_s - self._watched_s < WATCHED_EVERY_S:
            self._watch()
        visits = self._audience(self._time_s, labels.faces)
        if visits:
            self._store.put(visits, self._epoch)

    def _watch(self) -> None:
        assert self._source is not None and self._epoch is not None
        self._store.watch(self._source.name, self._epoch + self._time_s)
        self._watched_s = self._time_s

    def _leave(self) -> None:
        """Whoever is seen leaves: no more is seen from there."""
        if self._source is not None and self._epoch is not None:
            self._watch()
            self._store.put(self._audience.leave(), self._epoch)
        self._watched_s = -math.inf
