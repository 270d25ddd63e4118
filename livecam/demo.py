"""A short clip made of one public-domain portrait, labelled: livecam without a camera.

The portrait is scikit-image's `astronaut` (Eileen Collins, NASA, public domain).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from livecam.config import Config
from livecam.datatypes import Frame, Image
from livecam.display import Window
from livecam.extras import require
from livecam.filming import film
from livecam.motion import Motion
from livecam.overlay import Overlay
from livecam.pipeline import Models
from livecam.progress import Progress
from livecam.sinks import GifSink, VideoSink

SIZE_WH = (640, 400)
FPS = 25
SECONDS = 12
NAMES = ("livecam_demo.mp4", "livecam_demo.gif")


def run(config: Config, folder: Path, window: Window | None) -> list[Path]:
    """Label the clip into `folder`, show it in `window` at its own speed; returns the files.

    Files of the same names are replaced: they are this command's own.
    """
    line = Models(config).pipeline()
    overlay, small_overlay, motion = Overlay(config.overlay), Overlay(config.overlay), Motion()
    paths = [folder / name for name in NAMES]
    with (
        VideoSink(paths[0], config.video, Fraction(FPS)) as video,
        GifSink(paths[1], config.video) as gif,
        Progress("demo", FPS * SECONDS, "frames") as progress,
    ):
        begin_s = time.perf_counter()
        for frame in frames():
            motion.update(frame.time_s, line(frame))
            shown, hidden = motion.advance(frame.time_s), line.boxes(frame.time_s)
            labelled = overlay(frame.bgr, shown, hidden=hidden)
            video.write(frame, labelled)
            film(gif, small_overlay, frame, shown, hidden)
            if window is not None:
                ahead_s = frame.time_s - (time.perf_counter() - begin_s)
                window.show(labelled)
                window.key(ahead_s)
            progress.step()
    return paths


def frames() -> Iterator[Frame]:
    """The moving clip, the same every time."""
    bgr = portrait()
    for index in range(FPS * SECONDS):
        time_s = index / FPS
        yield Frame(index, time_s, _scene(bgr, time_s))


def portrait() -> Image:
    """(512, 512, 3) BGR. Raises LivecamError without scikit-image."""
    require("skimage", "demo")
    from skimage import data

    return cv2.cvtColor(data.astronaut(), cv2.COLOR_RGB2BGR)


def _scene(portrait: Image, time_s: float) -> Image:
    """A pan and zoom over the portrait; from 4 s a second, mirrored one comes in from the right,
    leaves at 8 s, and is back at 9 s."""
    width, height = SIZE_WH
    canvas = np.empty((height, width, 3), np.uint8)
    rows = np.linspace(70, 40, height, dtype=np.float32)[:, None, None]
    canvas[:] = (rows * np.array([1.0, 0.9, 0.8], np.float32)).astype(np.uint8)
    zoom = 0.85 + 0.15 * np.sin(2 * np.pi * time_s / 6)
    sway = 30 * np.sin(2 * np.pi * time_s / 5)
    _paste(canvas, portrait, zoom, left=width * 0.02 + sway)
    _paste(canvas, portrait[:, ::-1], 0.78, left=width * _second_left(time_s))
    return canvas


def _second_left(time_s: float) -> float:
    """Left edge of the second portrait, as a share of the width; 1 is out of the picture."""
    times = (0.0, 4.0, 5.5, 7.0, 8.0, 9.0, 10.0)
    lefts = (1.0, 1.0, 0.48, 0.48, 1.0, 1.0, 0.50)
    return float(np.interp(time_s, times, lefts))


def _paste(canvas: Image, portrait: Image, zoom: float, left: float) -> None:
    """The head and shoulders of the portrait, at the bottom of the canvas."""
    height, width = canvas.shape[:2]
    bust = portrait[:, 100:420]
    matrix = np.array([[zoom, 0, left], [0, zoom, height - zoom * bust.shape[0] * 0.8]])
    cv2.warpAffine(
        np.ascontiguousarray(bust), matrix, (width, height), dst=canvas,
        flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_TRANSPARENT,
    )  # fmt: skip
