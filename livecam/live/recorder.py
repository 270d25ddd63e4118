"""The thread that draws on pictures and writes them as video, off the way to the window."""

from __future__ import annotations

import dataclasses
import queue
import threading
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

from livecam.config import Config, OverlayConfig
from livecam.datatypes import Array, Frame, TrackedFace
from livecam.errors import LivecamError
from livecam.filming import film, film_sink
from livecam.overlay import Overlay

WAITING = 8  # pictures that may wait for the encoder
RATE = Fraction(30)  # a hint for the encoder; every picture has its own time

Job = tuple[Frame, Sequence[TrackedFace], Array, OverlayConfig]


class Recorder:
    """Writes labelled pictures at the times at which they were taken. A context manager.

    `put` takes a picture. Where the encoder cannot follow, that of a clip that is labelled whole
    waits; else some are left out (`missed`), and the film still runs at its true speed. `error` is
    why it ended before its time.
    """

    def __init__(self, path: Path, config: Config, is_whole_clip: bool = False) -> None:
        self.path, self.is_whole_clip = path, is_whole_clip
        self.missed = 0
        self.error: LivecamError | None = None
        self.begin_s: float | None = None  # of the first picture
        self.last_s = 0.0
        self._sink = film_sink(path, config.video, RATE)
        self._overlay = Overlay(config.overlay)
        self._jobs: queue.Queue[Job | None] = queue.Queue(WAITING)
        self._thread = threading.Thread(target=self._run, name="livecam recorder")
        self._thread.start()

    def close(self) -> None:
        """Once all is written that was put."""
        self._jobs.put(None)
        self._thread.join()

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    @property
    def is_kept(self) -> bool:
        """Whether there is a file, once it is closed."""
        return self._sink.is_kept

    @property
    def is_full(self) -> bool:
        """A GIF that holds all it may."""
        return self._sink.is_full

    def put(
        self, frame: Frame, faces: Sequence[TrackedFace], hidden: Array, overlay: OverlayConfig
    ) -> None:
        """Write this picture with what is drawn on it."""
        if self.begin_s is None:
            self.begin_s = frame.time_s
        self.last_s = frame.time_s
        try:
            self._jobs.put((frame, faces, hidden, overlay), block=self.is_whole_clip)
        except queue.Full:
            self.missed += 1

    def _run(self) -> None:
        try:
            with self._sink:
                while (job := self._jobs.get()) is not None:
                    self._write(*job)
        except LivecamError as error:
            self.error = error
        except Exception as error:  # whoever waits for the film must hear of it
            self.error = LivecamError(f"{self.path}: cannot be written: {error!r}")
        finally:
            while job is not None:  # nobody may wait for room for ever, whatever it was
                job = self._jobs.get()

    def _write(
        self, frame: Frame, faces: Sequence[TrackedFace], hidden: Array, overlay: OverlayConfig
    ) -> None:
        assert self.begin_s is not None
        self._overlay.config = overlay
        frame = dataclasses.replace(frame, time_s=frame.time_s - self.begin_s)
        film(self._sink, self._overlay, frame, faces, hidden)
