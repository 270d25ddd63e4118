"""A frame with its labels into a video or a GIF: the one place that draws for files."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import cv2

from livecam.config import VideoConfig
from livecam.datatypes import Array, Frame, TrackedFace
from livecam.overlay import Overlay
from livecam.sinks import GifSink, VideoSink
from livecam.sound import AudioSource


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
    """A GIF takes some of the frames; they are shrunk before they are drawn on, so that text
    stays legible."""
    if not sink.wants(frame):
        return
    bgr, factor = frame.bgr, sink.factor(frame.bgr)
    if factor < 1:
        height, width = (max(1, round(side * factor)) for side in bgr.shape[:2])
        bgr = cv2.resize(bgr, (width, height), interpolation=cv2.INTER_AREA)
    sink.write(frame, overlay(bgr, faces, factor, hidden), sound)
