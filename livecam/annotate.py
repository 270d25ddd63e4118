"""One input to its labelled picture, video or GIF, and to rows of the tracks table."""

from __future__ import annotations

import contextlib
import os.path
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from livecam.clip import Clip, looked_ahead
from livecam.config import Config
from livecam.datatypes import Array, Frame, TrackedFace
from livecam.errors import LivecamError, StoppedError, UsageError
from livecam.files import check_output, real
from livecam.filming import film, film_sink
from livecam.inputs import CLIP_SUFFIXES, OWN_SUFFIX, Input, Kind, Opened
from livecam.motion import Motion
from livecam.overlay import Overlay
from livecam.pictures import PICTURE_SUFFIXES, read_picture, write_picture
from livecam.pipeline import Models
from livecam.progress import Progress
from livecam.sinks import VIDEOS, GifSink, VideoSink
from livecam.sound import AudioSource
from livecam.threads import Behind
from livecam.track_table import TABLES, TrackTable

ClipFormat = Literal["mp4", "gif"]


@dataclass(frozen=True, slots=True)
class Request:
    """What a person asked `annotate` for, apart from the configuration."""

    output: str | None = None  # with its last slash, which says that it is a folder
    format: ClipFormat | None = None
    write_video: bool = True
    tracks: Path | None = None
    overwrite: bool = False
    start_s: float = 0.0
    end_s: float | None = None


@dataclass(slots=True)
class TrackSummary:
    """One person in a clip: when seen, and the last word on age and gender."""

    first_s: float
    last: TrackedFace
    last_s: float


@dataclass(slots=True)
class Done:
    """What became of one input. `error` is why it ended before its time, if it did."""

    name: str
    outputs: list[Path] = field(default_factory=list)
    frames: int = 0
    error: str | None = None
    is_interrupted: bool = False
    tracks: dict[int, TrackSummary] = field(default_factory=dict)
    is_cut_short: bool = False  # a GIF holds only the beginning of a long clip
    _begin_s: float = 0.0
    _end_s: float = 0.0

    def see(self, frame: Frame, faces: Sequence[TrackedFace]) -> None:
        """Count one labelled frame; remember who was in it."""
        self.frames += 1
        self._end_s = time.perf_counter()
        if self.frames == 1:
            self._begin_s = self._end_s
        for face in faces:
            if face.coasting_s:
                continue
            known = self.tracks.setdefault(
                face.track_id, TrackSummary(frame.time_s, face, frame.time_s)
            )
            known.last, known.last_s = face, frame.time_s

    @property
    def rate(self) -> float | None:
        """Frames a second from the first labelled frame to the last: start-up is not in it."""
        elapsed_s = self._end_s - self._begin_s
        return (self.frames - 1) / elapsed_s if elapsed_s > 0 else None


class Outputs:
    """Decides the name of every output, and refuses clashes before anything is written."""

    def __init__(self, inputs: Sequence[Input], request: Request) -> None:
        self.request = request
        self.output = None if request.output is None else Path(request.output)
        self.is_folder = _is_folder(inputs, request)
        self._sources = {real(source.path) for source in inputs if source.path is not None}
        self._taken: dict[Path, str] = {}
        if request.tracks is not None:
            check_output(
                "--tracks", request.tracks, TABLES, self._sources, request.overwrite, self.folder
            )
            self._taken[real(request.tracks)] = "--tracks"
        for source in inputs if request.write_video else ():
            for path in {self.of(source, kind) for kind in self._kinds(source)}:
                self._claim(path, source.name)

    @property
    def folder(self) -> Path | None:
        """Of `--output`: it need not be there yet."""
        return self.output if self.output is None or self.is_folder else self.output.parent

    def of(self, source: Input, kind: Kind) -> Path:
        """Where this input's labelled picture or clip goes."""
        if self.output is None:
            folder = source.path.parent if source.path is not None else Path()
            return folder / self._name(source, kind)
        if self.is_folder:
            return self.output / self._name(source, kind)
        self._check_suffix(self.output, source, kind)
        return self.output

    def _kinds(self, source: Input) -> Sequence[Kind]:
        """What an input may be: its name says so, or the output's, or only its content will."""
        if source.problem is not None:
            return ()
        named = _kind_by_suffix(source.suffix)
        if named is None and self.output is not None and not self.is_folder:
            named = _kind_by_suffix(self.output.suffix.lower())
        return (named,) if named else ("picture", "clip")

    def prepare(self) -> None:
        """Make the output folder, once everything is checked."""
        if self.folder is None:
            return
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LivecamError(
                f"{self.folder}: cannot make the folder: {error.strerror}"
            ) from error

    def _name(self, source: Input, kind: Kind) -> str:
        if kind == "clip":
            return f"{source.stem}{OWN_SUFFIX}.{self.request.format or 'mp4'}"
        suffix = source.suffix if source.suffix in PICTURE_SUFFIXES else ".jpg"
        return f"{source.stem}{OWN_SUFFIX}{suffix}"

    def _check_suffix(self, path: Path, source: Input, kind: Kind) -> None:
        suffix = path.suffix.lower()
        if kind == "picture":
            if suffix not in PICTURE_SUFFIXES:
                raise UsageError(
                    f"--output {path}: {source.name} is a picture; expected a name that ends in "
                    f"{', '.join(sorted(PICTURE_SUFFIXES))}"
                )
        elif suffix not in VIDEOS:
            raise UsageError(f"--output {path}: expected a name that ends in .mp4 or .gif")
        elif self.request.format and suffix != f".{self.request.format}":
            raise UsageError(
                f"--output {path}: its suffix contradicts --format {self.request.format}"
            )

    def _claim(self, path: Path, owner: str) -> None:
        key = real(path)
        if key in self._sources:
            raise UsageError(f"{path}: is an input; give --output another name")
        if key in self._taken:
            raise UsageError(
                f"{path}: would be written twice, for {self._taken[key]} and for {owner}; "
                "label one of them by itself, with another --output"
            )
        self._taken[key] = owner
        if os.path.isdir(path):
            raise UsageError(f"{path}: is a folder; expected a file")
        if os.path.exists(path) and not self.request.overwrite:
            raise UsageError(f"{path}: exists; give --overwrite to replace it, or --output")


def _is_folder(inputs: Sequence[Input], request: Request) -> bool:
    """`--output` is a file for one input; for more, or for a folder's, it is a folder."""
    if request.output is None:
        return False
    output = Path(request.output)
    if os.path.isdir(output) or request.output.endswith(("/", "\\")):
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


def annotate(
    source: Input,
    outputs: Outputs,
    models: Models,
    config: Config,
    table: TrackTable | None,
) -> Done:
    """Label one input. Raises LivecamError; what was written until then is whole."""
    with Opened(source) as opened:
        path = outputs.of(source, opened.kind) if outputs.request.write_video else None
        if opened.kind == "picture":
            return _annotate_picture(opened, path, models, config, table)
        return _annotate_clip(opened, path, outputs.request, models, config, table)


def _annotate_picture(
    opened: Opened,
    path: Path | None,
    models: Models,
    config: Config,
    table: TrackTable | None,
) -> Done:
    done = Done(opened.input.name)
    frame = Frame(0, 0.0, read_picture(done.name, opened.path))
    faces = models.look(frame.bgr)  # all of them: the first view confirms
    done.see(frame, faces)
    if table is not None:
        table.write(done.name, frame, faces)
    if path is not None:
        write_picture(path, Overlay(config.overlay)(frame.bgr, faces))
        done.outputs.append(path)
    return done


def _annotate_clip(
    opened: Opened,
    path: Path | None,
    request: Request,
    models: Models,
    config: Config,
    table: TrackTable | None,
) -> Done:
    """Every frame of a clip, while the next are decoded and those before drawn and encoded. A
    failure after the first frame is `error` of what is returned."""
    done = Done(opened.input.name)
    sink: VideoSink | GifSink | None = None
    behind = Behind()
    total = None
    try:
        with contextlib.ExitStack() as stack:
            clip = stack.enter_context(Clip(done.name, opened.path, request.start_s, request.end_s))
            total = clip.total
            overlay, motion = Overlay(config.overlay), Motion()
            if path is not None:
                sink = film_sink(path, config.video, clip.rate)
                stack.enter_context(sink)
            progress = stack.enter_context(Progress(done.name, total, "frames"))
            stack.enter_context(behind)
            frames = stack.enter_context(clip.frames_ahead())
            few, every = looked_ahead(frames, config.tracker.confirm_after + 1)
            line = models.pipeline(few)
            for frame in every:
                faces = line(frame)
                if table is not None:
                    table.write(done.name, frame, faces)
                if sink is not None:
                    hidden, sound = line.boxes(frame.time_s), _sound(sink, clip, frame)
                    behind.put(_film, sink, overlay, motion, frame, faces, hidden, sound)
                done.see(frame, faces)
                progress.step()
                if sink is not None and frame.time_s >= sink.end_s and table is None:
                    break
    except (LivecamError, KeyboardInterrupt) as error:
        if sink is not None:
            done.frames = behind.done  # what is labelled and not filmed is of no use
        done.is_interrupted = isinstance(error, KeyboardInterrupt)
        if not done.frames and not done.is_interrupted:
            raise
        is_told = isinstance(error, StoppedError)
        why = "interrupted" if done.is_interrupted else str(error)
        done.error = str(error) if is_told else _stopped(done, total, why)
    if not done.frames and not done.is_interrupted:
        raise LivecamError(f"{done.name}: no frame in it {_stretch(request)}")
    if path is not None and sink is not None and sink.is_kept:
        done.outputs.append(path)
        done.is_cut_short = sink.is_full
    return done


def _film(
    sink: VideoSink | GifSink,
    overlay: Overlay,
    motion: Motion,
    frame: Frame,
    faces: Sequence[TrackedFace],
    hidden: Array,
    sound: AudioSource | None,
) -> None:
    motion.update(frame.time_s, faces)
    film(sink, overlay, frame, motion.at(frame.time_s), hidden, sound)


def _stretch(request: Request) -> str:
    end = "on" if request.end_s is None else f"to {request.end_s:g} s"
    return f"from {request.start_s:g} s {end}; give --start and --end times within the clip"


def _stopped(done: Done, total: int | None, why: str) -> str:
    of = f" of {total}" if total else ""
    return f"{done.name}: stopped at frame {done.frames}{of}: {why}"


def _sound(sink: VideoSink | GifSink, clip: Clip, frame: Frame) -> AudioSource | None:
    """The clip's, which the first frame brings into a video."""
    if frame.index or isinstance(sink, GifSink):
        return None
    return AudioSource.of(clip.path, clip.first_s or 0.0, clip.until_s)
