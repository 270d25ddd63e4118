"""`livecam run --headless`: labels without a window, for tables and films."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import math
import time
from collections.abc import Generator, Iterable, Iterator, Sequence

from livecam.clip import Clip, looked_ahead, stopped
from livecam.config import Config
from livecam.datatypes import Frame
from livecam.errors import LivecamError
from livecam.live.capture import Capture, Shot, Teller
from livecam.live.labeller import Labels, Line
from livecam.live.options import RunOptions
from livecam.live.outputs import Outputs, Summary
from livecam.live.readers import open_clip
from livecam.motion import Motion
from livecam.pipeline import Models
from livecam.progress import Progress
from livecam.stopwatch import Stopwatch

WAIT_S = 0.1


def run_headless(
    options: RunOptions, config: Config, watch: Stopwatch, interrupts: Sequence[int] = ()
) -> Summary:
    """Label a source until it ends, for as long as was asked, or until there are `interrupts`. A
    camera or stream gives its newest picture each time; of a file every picture is labelled, as
    fast as it goes."""
    path = options.source.path
    clip = open_clip(options.source.name, path) if path is not None else None
    outputs = Outputs(options, config, is_whole_clip=clip is not None)
    summary = outputs.summary
    # of a file the labels are the same each time, however fast the computer
    within_s = config.camera.search_within_s if clip is None else None
    motion = Motion()
    try:
        with (
            clip or contextlib.nullcontext(),
            outputs,
            Progress(summary.name, _total(clip, options), "frames") as progress,
        ):
            models, few = Models(config), None
            with contextlib.ExitStack() as stack:  # ends before what the pictures are read from
                shots: Iterator[Shot]
                if clip is not None:
                    frames = stack.enter_context(clip.frames_ahead())
                    wanted = itertools.islice(_before(frames, options), options.max_frames)
                    few, every = looked_ahead(wanted, config.tracker.confirm_after + 1)
                    shots = (Shot(frame, time.perf_counter(), options.source) for frame in every)
                else:
                    newest = _newest_frames(outputs, watch, progress, interrupts)
                    shots = stack.enter_context(contextlib.closing(newest))
                line = Line(models, watch, within_s, few)
                for shot in shots:
                    labels = line(shot)
                    outputs.label(labels)
                    _film(outputs, motion, labels)
                    _note_size(line, summary, progress)
                    progress.step()
                    if _is_useless(outputs) or interrupts or summary.labelled == options.max_frames:
                        break
                    while summary.notices:
                        progress.note(summary.notices.popleft())
    except LivecamError as error:
        if not summary.labelled:
            raise
        summary.error = str(error)
    if clip is not None:
        summary.captured = summary.labelled
    summary.is_interrupted = bool(interrupts)
    if clip is not None and summary.is_interrupted and summary.error is None:
        summary.error = stopped(summary.name, summary.labelled, progress.total, "interrupted")
    return summary


def _total(clip: Clip | None, options: RunOptions) -> int | None:
    """How many frames will be labelled at most; None if nothing says so."""
    of_clip = clip.total if clip is not None else None
    of_time = None
    if clip is not None and options.duration_s is not None:
        of_time = math.ceil(options.duration_s * clip.rate)
    return min((n for n in (of_clip, of_time, options.max_frames) if n is not None), default=None)


def _note_size(line: Line, summary: Summary, progress: Progress) -> None:
    """Say it once that small faces are left out; the summary has from what size on at worst."""
    if line.searched_px <= line.min_face_px:
        return
    if summary.faces_from_px is None:
        progress.note(
            f"{summary.name}: a search for faces takes longer than camera.search_within_s; the "
            "smallest are left out"
        )
    summary.faces_from_px = max(summary.faces_from_px or 0.0, line.searched_px)


def _is_useless(outputs: Outputs) -> bool:
    """Nobody watches: what it was for is full or cannot be written. A clip can be labelled again,
    what a camera sees cannot: there the other outputs go on."""
    return outputs.is_over or (outputs.is_whole_clip and outputs.summary.error is not None)


def _film(outputs: Outputs, motion: Motion, labels: Labels) -> None:
    if outputs.recorder is None:
        return
    frame = labels.shot.frame
    motion.update(frame.time_s, labels.faces)
    outputs.film(frame, motion.advance(frame.time_s), labels.hidden, outputs.config.overlay)


def _before(frames: Iterable[Frame], options: RunOptions) -> Iterator[Frame]:
    """Those of the first `duration_s`, the last of them cut there."""
    end_s = math.inf if options.duration_s is None else options.duration_s
    for frame in frames:
        if frame.time_s >= end_s:
            return
        stands_s = min(frame.duration_s, end_s - frame.time_s)
        yield dataclasses.replace(frame, duration_s=stands_s)


def _newest_frames(
    outputs: Outputs, watch: Stopwatch, progress: Progress, interrupts: Sequence[int]
) -> Generator[Shot, None, None]:
    """Of a camera or stream, for `duration_s` from its first picture or until `interrupts`."""
    options = outputs.options
    end_s = math.inf
    with Capture(options.source, outputs.config.camera) as capture:
        tell = Teller(capture, progress.note)
        try:
            while time.perf_counter() < end_s and not capture.is_over and not interrupts:
                shot = capture.take_newest(WAIT_S)
                tell()
                if shot is None:
                    continue
                if options.duration_s is not None:
                    end_s = min(end_s, time.perf_counter() + options.duration_s)
                yield shot
        finally:
            outputs.count(capture, watch)
        if capture.state.phase == "failed":
            raise LivecamError(capture.state.why)
