"""What everything that is drawn shares: colours, text, lines, dark chips behind text."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import cache, lru_cache

import cv2
import numpy as np

from livecam.datatypes import Image
from livecam.wording import utf8

Colour = tuple[int, int, int]

# BGR, after the colour-blind safe palette of Okabe and Ito (2008)
COLOURS: tuple[Colour, ...] = (
    (0, 159, 230), (233, 180, 86), (115, 158, 0), (66, 228, 240),
    (178, 114, 0), (0, 94, 213), (167, 121, 204),
)  # fmt: skip
DARK = (28, 24, 20)
LIGHT = (255, 255, 255)
GREY = (190, 185, 180)
RED = (60, 60, 235)
CHIP_OPACITY = 0.78
MIN_TEXT_PX, MAX_TEXT_PX = 12, 64
WEIGHT = 500  # of the font: between regular and bold
SUPERSAMPLE = 4  # bits of sub-pixel position in OpenCV's drawing: 1/16 px

_of_thread = threading.local()


def colour_of(track_id: int) -> Colour:
    """A track's own colour, the same on its box, its label and its panel."""
    return COLOURS[(track_id - 1) % len(COLOURS)]


def text_px(canvas: Image, scale: float = 1.0) -> int:
    """Legible on a 320 px picture and not lost on a 4K one."""
    height, width = canvas.shape[:2]
    return round(min(max(0.011 * (height + width) * scale, MIN_TEXT_PX), MAX_TEXT_PX))


def _font() -> cv2.FontFace:
    """One for each thread: OpenCV keeps its size, and in another thread takes it for that there."""
    if not hasattr(_of_thread, "font"):
        _of_thread.font = cv2.FontFace("sans")
    font: cv2.FontFace = _of_thread.font
    return font


@lru_cache(maxsize=1024)
def text_width(text: str, px: int) -> int:
    # OpenCV crashes on what is no text
    _, _, width, _ = cv2.getTextSize((0, 0), utf8(text), (0, 0), _font(), px, WEIGHT)
    return int(width)


def put_text(
    canvas: Image, text: str, x: float, baseline: float, px: int, colour: Colour = LIGHT
) -> None:
    cv2.putText(canvas, utf8(text), (round(x), round(baseline)), colour, _font(), px, WEIGHT)


def part(canvas: Image, xyxy: Sequence[float] | np.ndarray) -> Image:
    """The part of the picture in a box, as a view; empty where they do not meet."""
    height, width = canvas.shape[:2]
    x0, y0, x1, y1 = (int(v) for v in xyxy)
    return canvas[max(y0, 0) : max(min(y1, height), 0), max(x0, 0) : max(min(x1, width), 0)]


def shade(canvas: Image, xyxy: Sequence[float] | np.ndarray, opacity: float = CHIP_OPACITY) -> None:
    """Darken a box, so that text on it is legible over anything."""
    chip = part(canvas, xyxy)
    if chip.size:
        chip[:] = cv2.LUT(chip, _darker(opacity))


@cache
def _darker(opacity: float) -> Image:
    """What each level of each channel becomes under DARK: (1, 256, 3)."""
    levels = np.arange(256)[None, :, None] * (1 - opacity) + np.array(DARK) * opacity
    return levels.round().astype(np.uint8)


def _fixed(points: np.ndarray) -> np.ndarray:
    """Pixels as OpenCV takes them, in whole parts."""
    return np.round(points * (1 << SUPERSAMPLE)).astype(np.int32)


def draw_lines(canvas: Image, points: np.ndarray, colour: Colour, weight: int) -> None:
    """Open lines through points, in one call: (lines, points, 2) px."""
    cv2.polylines(canvas, list(_fixed(points)), False, colour, weight, cv2.LINE_AA, SUPERSAMPLE)


def draw_dots(canvas: Image, points: np.ndarray, colour: Colour, diameter: int) -> None:
    """Lines of no length, whose ends are round: (dots, 2) px."""
    draw_lines(canvas, np.stack([points, points], axis=1), colour, diameter)


def draw_curve(
    canvas: Image,
    xyxy: Sequence[float],
    probs: np.ndarray,
    low: int,
    high: int,
    colour: Colour,
) -> None:
    """A distribution over the years as a filled curve, the years low..high in full colour."""
    x0, y0, x1, y1 = xyxy
    xs = np.linspace(x0, x1, len(probs))
    ys = y1 - (y1 - y0) * probs / max(float(probs.max()), 1e-9)
    dim = tuple(round(0.45 * c + 0.55 * d) for c, d in zip(colour, DARK, strict=True))
    for first, last, shown in ((0, len(probs) - 1, dim), (low, high, colour)):
        years = slice(first, last + 1)
        line_xy = np.stack([xs[years], ys[years]], axis=1)
        corners = np.array([[xs[last], y1], [xs[first], y1]])
        outline = _fixed(np.concatenate([line_xy, corners]))
        cv2.fillPoly(canvas, [outline], shown, cv2.LINE_AA, SUPERSAMPLE)
    tick = max(2.0, 0.12 * (y1 - y0))
    draw_lines(canvas, np.array([[(x, y1), (x, y1 + tick)] for x in xs[::20]]), GREY, 1)


def resized_into(bgr: Image, size_wh: tuple[int, int]) -> tuple[Image, float]:
    """The picture as large as it can be in that size, and its size over what it was."""
    height, width = bgr.shape[:2]
    factor = size_wh[0] / width
    if round(height * factor) > size_wh[1]:  # rounded first: half a row costs no column
        factor = size_wh[1] / height
    wanted = max(1, round(width * factor)), max(1, round(height * factor))
    if wanted == (width, height):
        return bgr, 1.0
    # averaging costs time, and pays where many pixels become one
    method = cv2.INTER_AREA if factor < 0.6 else cv2.INTER_LINEAR
    return cv2.resize(bgr, wanted, interpolation=method), factor


def centred(bgr: Image, size_wh: tuple[int, int], colour: Colour) -> tuple[Image, tuple[int, int]]:
    """The picture in the middle of a larger one of that size and colour, and where in that its
    upper left corner is."""
    height, width = bgr.shape[:2]
    left, top = (size_wh[0] - width) // 2, (size_wh[1] - height) // 2
    if (width, height) == size_wh:
        return bgr, (left, top)
    right, below = size_wh[0] - width - left, size_wh[1] - height - top
    padded = cv2.copyMakeBorder(bgr, top, below, left, right, cv2.BORDER_CONSTANT, value=colour)
    return padded, (left, top)
