"""What `livecam run` was asked for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from livecam.errors import UsageError
from livecam.files import check_output, real
from livecam.live.readers import LiveSource
from livecam.sinks import VIDEOS
from livecam.store import check
from livecam.track_table import TABLES


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What a person asked `run` for, apart from the configuration."""

    source: LiveSource
    record: Path | None = None
    tracks: Path | None = None
    visits: Path | None = None
    began: float | None = None  # Unix time at which a file was filmed
    overwrite: bool = False
    max_frames: int | None = None
    duration_s: float | None = None

    def check(self) -> None:
        """Refuse clashes before anything is opened. Raises UsageError or LivecamError."""
        source = [] if self.source.path is None else [self.source.path]
        wanted = (("--record", self.record, VIDEOS), ("--tracks", self.tracks, TABLES))
        for flag, path, suffixes in wanted:
            if path is not None:
                check_output(flag, path, suffixes, source, self.overwrite)
        if self.duration_s == 0:
            raise UsageError("--duration 0: is over at once; expected more")
        if self.began is not None and (self.source.path is None or self.visits is None):
            raise UsageError("--filmed: says when a file was filmed, for --visits; give both")
        if self.visits is not None:
            others = [self.source.path, self.record, self.tracks]
            if real(self.visits) in [real(path) for path in others if path is not None]:
                raise UsageError(f"--visits {self.visits}: is another file of this command")
            check(self.visits)
