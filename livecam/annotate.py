"""One input to its labelled picture, video or GIF, and to rows of the tracks table."""

from __future__ import annotations

import contextlib
import time
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from livecam.clip import Clip, looked_ahead, stopped
from livecam.datatypes import Array, Frame, TrackedFace
from livecam.errors import LivecamError, StoppedError
from livecam.filming import film, film_sink
from livecam.inputs import Input, Opened
from livecam.motion import Motion
from livecam.output_paths import AnnotateOptions, OutputPaths
from livecam.overlay import Overlay
from livecam.pictures import read_picture, write_picture
from livecam.pipeline import Models
from livecam.progress import Progress
from livecam.sinks import GifSink, VideoSink
from livecam.sound import AudioSource
from livecam.threads import Behind
from livecam.track_table import TrackTable


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
    _times_s: array[float] = field(default_factory=lambda: array("d"))  # of the frames

    def see(self, frame: Frame, faces: Sequence[TrackedFace]) -> None:
        """Count one labelled frame; remember who was in it."""
        self.frames += 1
        self._times_s.append(frame.time_s)
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

    def leave_out(self, frames: int) -> None:
        """All but so many were in vain."""
        if frames < self.frames:
            self.frames, last_s = frames, self._times_s[frames - 1] if frames else -1.0
            self.tracks = {n: seen for n, seen in self.tracks.items() if seen.first_s <= last_s}
            for seen in self.tracks.values():
                seen.last_s = min(seen.last_s, last_s)

    @property
    def rate(self) -> float | None:
        """Frames a second from the first labelled frame to the last: start-up is not in it."""
        elapsed_s = self._end_s - self._begin_s
        return (self.frames - 1) / elapsed_s if elapsed_s > 0 else None


def annotate(source: Input, paths: OutputPaths, models: Models, table: TrackTable | None) -> Done:
    """Label one input. Raises LivecamError; what was written until then is whole."""
    with Opened(source, is_shown=True) as opened:
        path = paths.of(source, opened.kind) if paths.options.write_video else None
        if opened.kind == "picture":
            return _annotate_picture(opened, path, models, table)
        return _annotate_clip(opened, path, paths.options, models, table)


def _annotate_picture(
    opened: Opened,
    path: Path | None,
    models: Models,
    table: TrackTable | None,
) -> Done:
    done = Done(opened.input.name)
    frame = Frame(0, 0.0, read_picture(done.name, opened.path))
    faces, hidden = models.look(frame.bgr)
    done.see(frame, faces)
    with contextlib.ExitStack() as stack:
        if table is not None:
            stack.enter_context(table.undone_on_error())
            table.write(done.name, frame, faces)
        if path is not None:
            write_picture(path, Overlay(models.config.overlay)(frame.bgr, faces, hidden=hidden))
            done.outputs.append(path)
    return done


def _annotate_clip(
    opened: Opened,
    path: Path | None,
    options: AnnotateOptions,
    models: Models,
    table: TrackTable | None,
) -> Done:
    """Every frame of a clip, while the next are decoded and those before drawn and encoded. A
    failure after the first frame is `error` of what is returned."""
    done, config = Done(opened.input.name), models.config
    sink: VideoSink | GifSink | None = None
    behind = Behind()
    total = None
    sizes = array("q")  # of the table before each frame
    was_written = table is not None and table.is_written
    try:
        with contextlib.ExitStack() as stack:
            clip = stack.enter_context(Clip(done.name, opened.path, options.start_s, options.end_s))
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
                    sizes.append(table.size)
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
            # what is labelled and not filmed is of no use
            done.leave_out(behind.done - sink.lost if sink.is_kept else 0)
            if table is not None and done.frames < len(sizes):
                table.go_back(sizes[done.frames], was_written or done.frames > 0)
        done.is_interrupted = isinstance(error, KeyboardInterrupt)
        if not done.frames and not done.is_interrupted:
            raise
        is_told = isinstance(error, StoppedError)
        why = "interrupted" if done.is_interrupted else str(error)
        done.error = str(error) if is_told else stopped(done.name, done.frames, total, why)
    if not done.frames and not done.is_interrupted:
        raise LivecamError(f"{done.name}: no frame in it {_stretch(options)}")
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
    film(sink, overlay, frame, motion.advance(frame.time_s), hidden, sound)


def _stretch(options: AnnotateOptions) -> str:
    end = "on" if options.end_s is None else f"to {options.end_s:g} s"
    return f"from {options.start_s:g} s {end}; give --start and --end times within the clip"


def _sound(sink: VideoSink | GifSink, clip: Clip, frame: Frame) -> AudioSource | None:
    """The clip's, which the first frame brings into a video."""
    if frame.index or isinstance(sink, GifSink):
        return None
    return AudioSource.of(clip.path, clip.first_s or 0.0, clip.until_s)
