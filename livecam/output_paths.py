"""What `annotate` was asked for, and where it goes: the name of every output, and what clashes."""

from __future__ import annotations

import contextlib
import os.path
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from livecam.errors import UsageError
from livecam.files import (
    KnownFiles,
    check_output,
    make_folder,
    output_key,
    require_open_folder,
)
from livecam.inputs import CLIP_SUFFIXES, OWN_SUFFIX, Input, Kind
from livecam.pictures import PICTURE_SUFFIXES, WRITABLE_SUFFIXES
from livecam.sinks import VIDEOS
from livecam.track_table import TABLES

ClipFormat = Literal["mp4", "gif"]


@dataclass(frozen=True, slots=True)
class AnnotateOptions:
    """What a person asked `annotate` for, apart from the configuration."""

    output: str | None = None  # with its last slash, which says that it is a folder
    format: ClipFormat | None = None
    write_video: bool = True
    tracks: Path | None = None
    overwrite: bool = False
    start_s: float = 0.0
    end_s: float | None = None


class OutputPaths:
    """Decides the name of every output, and refuses clashes before anything is written."""

    def __init__(self, inputs: Sequence[Input], options: AnnotateOptions) -> None:
        self.options = options
        self.output = None if options.output is None else Path(options.output)
        self.is_folder = _is_folder(inputs, options)
        sources = [source.path for source in inputs if source.path is not None]
        self._inputs = KnownFiles(sources)
        self._taken: dict[Path, str] = {}
        self._shared: set[Path] = set()
        if options.tracks is not None:
            check_output(
                "--tracks", options.tracks, TABLES, sources, options.overwrite, self.folder
            )
            self._taken[output_key(options.tracks)] = "--tracks"
        if options.write_video:
            _require_once(inputs)
            paths = Counter(
                output_key(path) for source in inputs for path in self._possible(source)
            )
            self._shared = {path for path, n in paths.items() if n > 1}
        for source in inputs if options.write_video else ():
            for path in self._possible(source):
                self._claim(path, source.name)

    @property
    def folder(self) -> Path | None:
        """Of `--output`: it need not be there yet."""
        return self.output if self.output is None or self.is_folder else self.output.parent

    def of(self, source: Input, kind: Kind) -> Path:
        """Where this input's labelled picture or clip goes."""
        if self.output is not None and not self.is_folder:
            self._check_suffix(self.output, source, kind)
            return self.output
        folder = self.output or (source.path.parent if source.path is not None else Path())
        path = folder / self._name(source.stem, source, kind)
        if output_key(path) in self._shared:  # as that of IMG_1.HEIC and of IMG_1.JPG
            own = source.suffix if source.path is None else source.path.suffix
            path = folder / self._name(f"{source.stem}{own}", source, kind)
        return path

    def _possible(self, source: Input) -> set[Path]:
        return {self.of(source, kind) for kind in self._kinds(source)}

    def _kinds(self, source: Input) -> Sequence[Kind]:
        """What an input may be: its name says so, or the output's, or only its content will."""
        if source.problem is not None:
            return ()
        named = _kind_by_suffix(source.suffix)
        if named is None and self.output is not None and not self.is_folder:
            named = _kind_by_suffix(self.output.suffix.lower())
        return (named,) if named else ("picture", "clip")

    @contextlib.contextmanager
    def prepared(self) -> Iterator[None]:
        """Make the output folder, once everything is checked; it goes again if it stays empty."""
        folder, made = self.folder, []
        if folder is not None:
            made = [each for each in (folder, *folder.parents) if not os.path.exists(each)]
            make_folder(folder)
        try:
            yield
        finally:
            with contextlib.suppress(OSError):  # there is something in it
                for each in made:
                    each.rmdir()

    def _name(self, stem: str, source: Input, kind: Kind) -> str:
        if kind == "clip":
            return f"{stem}{OWN_SUFFIX}.{self.options.format or 'mp4'}"
        suffix = source.suffix if source.suffix in WRITABLE_SUFFIXES else ".jpg"
        return f"{stem}{OWN_SUFFIX}{suffix}"

    def _check_suffix(self, path: Path, source: Input, kind: Kind) -> None:
        suffix = path.suffix.lower()
        or_folder = "" if suffix else f", or a folder: {path}/"
        if kind == "picture":
            if suffix not in WRITABLE_SUFFIXES:
                raise UsageError(
                    f"--output {path}: {source.name} is a picture; expected a name that ends in "
                    f"{', '.join(sorted(WRITABLE_SUFFIXES))}{or_folder}"
                )
        elif suffix not in VIDEOS:
            raise UsageError(
                f"--output {path}: expected a name that ends in .mp4 or .gif{or_folder}"
            )
        elif self.options.format and suffix != f".{self.options.format}":
            raise UsageError(
                f"--output {path}: its suffix contradicts --format {self.options.format}"
            )

    def _claim(self, path: Path, owner: str) -> None:
        key = output_key(path)
        if path in self._inputs:
            raise UsageError(f"{path}: is an input; give --output another name")
        if key in self._taken:
            raise UsageError(
                f"{path}: would be written twice, for {self._taken[key]} and for {owner}; "
                "label one of them by itself, with another --output"
            )
        self._taken[key] = owner
        if os.path.isdir(path):
            raise UsageError(f"{path}: is a folder; expected a file")
        if os.path.lexists(path) and not self.options.overwrite:
            raise UsageError(f"{path}: exists; give --overwrite to replace it, or --output")
        require_open_folder(path)


def _require_once(inputs: Sequence[Input]) -> None:
    """The same file may be spelt in two ways; a link to it has an output of its own."""
    seen: set[str] = set()
    for source in inputs:
        key = source.name if source.path is None else os.path.normpath(source.path.absolute())
        if key in seen and source.problem is None:
            raise UsageError(f"{source.name}: given twice; leave one of them out")
        seen.add(key)


def _is_folder(inputs: Sequence[Input], options: AnnotateOptions) -> bool:
    """`--output` is a file for one input; for more, or for a folder's, it is a folder."""
    if options.output is None:
        return False
    if not options.output:
        raise UsageError("--output '': no name; expected a file or a folder")
    output = Path(options.output)
    if os.path.isdir(output) or options.output.endswith(("/", "\\")):
        return True
    is_one = len(inputs) == 1 and not inputs[0].is_member
    is_file = os.path.exists(output) or output.suffix.lower() in PICTURE_SUFFIXES | CLIP_SUFFIXES
    if len(inputs) > 1 and is_file:
        raise UsageError(f"--output {output}: one file for {len(inputs)} inputs; expected a folder")
    return not is_one and not is_file


def _kind_by_suffix(suffix: str) -> Kind | None:
    if suffix in PICTURE_SUFFIXES:
        return "picture"
    return "clip" if suffix in CLIP_SUFFIXES else None
