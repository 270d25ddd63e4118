"""A frame with its labels into a video or a GIF: the one place that draws for files."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

from livecam.config import VideoConfig
from livecam.datatypes import Array, Frame, TrackedFace
from livecam.drawing import centred, resized_into
from livecam.overlay import Overlay
from livecam.sinks import GifSink, VideoSink
from livecam.sound import AudioSource

BARS = (0, 0, 0)  # beside a picture of another shape than the film


def film_sink(path: Path, config: VideoConfig, rate: Fraction) -> VideoSink | GifSink:
    """By the name: .gif, or H.264 in .mp4."""
    if path.suffix.lower() == ".gif":
        return GifSink(path, config)
    return VideoSink(path, config, rate)


def film(
    sink: VideoSink | GifSink,
    overlay: Overlay,
    frame: Frame,
    faces: Sequence[TrackedFace],
    hidden: Array,
    sound: AudioSource | None = None,
) -> None:
    """A GIF takes some of the frames. One of another size than the film is fitted into it before
    it is drawn on, so that text stays legible."""
    if not sink.offer(frame):
        return
    size_wh = sink.fix_size_wh(frame.bgr)
    bgr, factor = resized_into(frame.bgr, size_wh)
    labelled, _ = centred(overlay(bgr, faces, factor, hidden), size_wh, BARS)
    sink.write(frame, labelled, sound)
