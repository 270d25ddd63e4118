"""What all measurements share: the clips, how much is measured, and what is loaded once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from benchmarks import clips
from benchmarks.naive import NaiveLoop, Package
from benchmarks.table import Row
from livecam.config import Config, load_config
from livecam.pipeline import Models
from livecam.shipped import shipped_file


@dataclass
class Bench:
    """`folder` is a temporary one. `frames` is the length of a looped clip."""

    paths: list[Path]
    folder: Path
    frames: int
    rounds: int
    naive_frames: int
    yunet: Path | None
    pictures: Path | None
    faces: Path | None
    face_count: int
    prepare: Path | None
    prepare_limit: int
    is_long: bool
    _looped: dict[Path, Path] = field(default_factory=dict)

    @cached_property
    def config(self) -> Config:
        """The shipped settings, whatever a person's own are."""
        return config()

    @cached_property
    def models(self) -> Models:
        return Models(self.config)

    @cached_property
    def package(self) -> Package:
        return Package()

    @cached_property
    def naive(self) -> NaiveLoop:
        return NaiveLoop(self.package)

    def looped(self, path: Path) -> Path:
        """The clip as one of `frames` frames, made once."""
        if path not in self._looped:
            output = self.folder / f"{len(self._looped)}_{path.stem}.mp4"
            self._looped[path] = clips.looped(path, output, self.frames)
        return self._looped[path]


Measurement = Callable[[Bench], Iterator[Row]]


def config(**flags: object) -> Config:
    """The shipped settings; `detector__detect_every=1` changes one."""
    changed = {name.replace("__", "."): value for name, value in flags.items()}
    return load_config(shipped_file("config.yaml"), changed, environment={})
