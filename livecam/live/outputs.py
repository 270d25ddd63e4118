"""What `livecam run` writes, and what it says at its end."""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from livecam.config import Config, OverlayConfig
from livecam.datatypes import Array, Frame, TrackedFace
from livecam.errors import LivecamError
from livecam.live.capture import Capture
from livecam.live.labeller import Labels
from livecam.live.options import RunOptions
from livecam.live.recorder import Recorder
from livecam.stopwatch import Stopwatch
from livecam.track_table import TrackTable
from livecam.wording import counted

if TYPE_CHECKING:
    from livecam.live.visits import VisitLog

LATENCY = "to screen"  # the stopwatch's part from the camera to the screen


@dataclass(slots=True)
class Summary:
    """How it went. `error`: why it ended, or lost an output, before its time."""

    name: str
    seconds: float = 0.0
    captured: int = 0
    dropped: int = 0
    labelled: int = 0
    label_rate: float = 0.0  # a second, from the first labelled picture to the last
    tracks: int = 0
    visits: int | None = None  # None: not asked for
    faces_from_px: float | None = None  # None: all sizes that were asked for were looked for
    outputs: list[Path] = field(default_factory=list)
    notices: deque[str] = field(default_factory=deque)  # what a person should know, until told
    latency_ms: tuple[float, float] | None = None  # median, 95th percentile
    error: str | None = None
    is_interrupted: bool = False

    def line(self) -> str:
        words = [
            f"{counted(self.captured, 'frame')} in {self.seconds:.1f} s",
            f"{self.labelled} labelled ({self.label_rate:.1f} fps)",
            f"{self.dropped} dropped",
            counted(self.tracks, "track"),
        ]
        if self.visits is not None:
            words.append(counted(self.visits, "visit"))
        if self.faces_from_px is not None:
            words.append(f"faces from {self.faces_from_px:.0f} px")
        if self.latency_ms is not None:
            p50, p95 = self.latency_ms
            words.append(f"camera to screen {p50:.0f} ms (95 % within {p95:.0f} ms)")
        return f"{self.name}: {', '.join(words)}"


class Outputs:
    """The table, the visits and the film of a run. A context manager. Of a clip that is labelled
    whole (`is_whole_clip`), none leaves a frame out.

    A failure of one is not the end of a run that somebody watches: the summary has it among its
    notices and as its error, and the output is closed with what it holds.
    """

    def __init__(self, options: RunOptions, config: Config, is_whole_clip: bool) -> None:
        self.options, self.config, self.is_whole_clip = options, config, is_whole_clip
        self.summary = Summary(options.source.name)
        self.recorder: Recorder | None = None
        self._table: TrackTable | None = None
        self._visits: VisitLog | None = None
        self._begin_s = self._first_s = 0.0
        self._last_index = -1
        self._failures: list[str] = []
        self._problem: str | None = None  # of the visits, as it was told

    def __enter__(self) -> Outputs:
        try:
            self._open()
        except BaseException:
            self._close()  # of those that are open, nothing is left
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        self._close()

    def _open(self) -> None:
        if self.options.tracks is not None:
            self._table = TrackTable(self.options.tracks, self.config.overlay.gender)
        if self.options.visits is not None:
            from livecam.live.visits import VisitLog  # with the model's file: nobody else waits

            self._visits = VisitLog(
                self.options.visits, self.config, self.is_whole_clip, self.options.began
            )
            self.summary.visits = 0
        if self.options.record is not None:
            self.start_recording(self.options.record)
        self._begin_s = time.perf_counter()

    def _close(self) -> None:
        self.summary.seconds = time.perf_counter() - self._begin_s
        self.stop_recording()
        self._close_table()
        self._close_visits()

    def start_recording(self, path: Path) -> None:
        self.recorder = Recorder(path, self.config, self.is_whole_clip)

    def stop_recording(self) -> Recorder | None:
        """The closed recorder, if there was one."""
        recorder, self.recorder = self.recorder, None
        if recorder is None:
            return None
        recorder.close()
        if recorder.is_kept:
            self.summary.outputs.append(recorder.path)
        if recorder.is_full:
            longest_s = self.config.video.gif_max_s
            self.summary.notices.append(
                f"{recorder.path}: holds the first {longest_s:g} s; video.gif_max_s sets how much"
            )
        if recorder.missed:
            self.summary.notices.append(
                f"{recorder.path}: {counted(recorder.missed, 'frame')} left out: the encoder could "
                "not keep up"
            )
        if recorder.error is not None:
            self.fail(str(recorder.error))
        return recorder

    def _close_table(self) -> None:
        table, self._table = self._table, None
        if table is None:
            return
        with self._told():
            table.close()
            assert self.options.tracks is not None
            if table.is_written:  # a run without a face leaves a table, one without a picture none
                self.summary.outputs.append(self.options.tracks)

    def _close_visits(self) -> None:
        log, self._visits = self._visits, None
        if log is None:
            return
        with self._told():
            log.close()
        self.summary.visits = log.counted
        if self.summary.labelled and log.path.exists():  # on a full disk it was not made
            self.summary.outputs.append(log.path)

    @contextlib.contextmanager
    def _told(self, close: Callable[[], None] = lambda: None) -> Iterator[None]:
        """What fails in this is told and closed, and the run goes on."""
        try:
            yield
        except LivecamError as error:
            self.fail(str(error))
            close()

    def fail(self, why: str) -> None:
        """Tell it once; the run goes on, and does not end well."""
        if why not in self._failures:
            self._failures.append(why)
            self.summary.notices.append(why)
        self.summary.error = self.summary.error or why

    @property
    def is_over(self) -> bool:
        """What was to be written, if anything was, is all closed."""
        wanted = (self.options.record, self.options.tracks, self.options.visits)
        left = (self.recorder, self._table, self._visits)
        return any(one is not None for one in wanted) and all(one is None for one in left)

    @property
    def problem(self) -> str:
        """Why visits are not saved; empty while they are, and where nobody wants them."""
        if self.options.visits is None:
            return ""
        if self._visits is None:
            return f"{self.options.visits}: visits are no longer counted"
        return self._visits.problem or ""

    def label(self, labels: Labels) -> None:
        """Count one labelled frame, and write its rows."""
        if labels.shot.frame.index <= self._last_index:
            return  # a second look at the same picture
        self._last_index = labels.shot.frame.index
        self._count_frame()
        numbers = (face.track_id for face in labels.faces)  # ids are given in order
        self.summary.tracks = max(self.summary.tracks, *numbers, 0)
        if self._table is not None:
            with self._told(self._close_table):
                self._table.write(labels.shot.source.name, labels.shot.frame, labels.faces)
        if self._visits is not None:
            with self._told(self._close_visits):
                self._visits(labels)
                self.summary.visits = self._visits.counted
                self._tell(self._visits)

    def _tell(self, log: VisitLog) -> None:
        if log.problem != self._problem:
            after = "tried again until it works" if log.problem else "written again"
            self.summary.notices.append(f"{log.problem or log.path}: {after}")
            self._problem = log.problem

    def _count_frame(self) -> None:
        now_s = time.perf_counter()
        self.summary.labelled += 1
        if self.summary.labelled == 1:
            self._first_s = now_s
        elif now_s > self._first_s:
            self.summary.label_rate = (self.summary.labelled - 1) / (now_s - self._first_s)

    def film(
        self, frame: Frame, faces: list[TrackedFace], hidden: Array, overlay: OverlayConfig
    ) -> None:
        """Record one picture, if a recording is on."""
        if self.recorder is None:
            return
        if self.recorder.error is not None or self.recorder.is_full:
            self.stop_recording()
            return
        self.recorder.put(frame, faces, hidden, overlay)

    def count(self, capture: Capture, watch: Stopwatch) -> None:
        """What the summary says of the way of the frames."""
        self.summary.captured, self.summary.dropped = capture.captured, capture.dropped
        p50, p95 = (watch.percentile_s(LATENCY, percent) for percent in (50, 95))
        if p50 is not None and p95 is not None:
            self.summary.latency_ms = (1000 * p50, 1000 * p95)
