"""Draws faces and their labels onto a copy of the picture."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, lru_cache

import cv2
import numpy as np

from livecam.config import OverlayConfig
from livecam.datatypes import Array, Image, TrackedFace
from livecam.geometry import iou_matrix

# BGR, after the colour-blind safe palette of Okabe and Ito (2008)
COLOURS = (
    (0, 159, 230), (233, 180, 86), (115, 158, 0), (66, 228, 240),
    (178, 114, 0), (0, 94, 213), (167, 121, 204),
)  # fmt: skip
DARK = (28, 24, 20)
LIGHT = (255, 255, 255)
CHIP_OPACITY = 0.78
SHOWN_COASTING_S = 0.4  # a face out of sight for longer keeps its id, but no box
MIN_TEXT_PX, MAX_TEXT_PX = 12, 64
SUPERSAMPLE = 4  # bits of sub-pixel position in OpenCV's drawing: 1/16 px


class Overlay:
    """Callable: (bgr, faces, factor) -> a new picture with the faces drawn; the input stays.

    `factor` is the size of the picture over that in which the faces were measured.
    """

    def __init__(self, config: OverlayConfig) -> None:
        self.config = config

    def __call__(self, bgr: Image, faces: Sequence[TrackedFace], factor: float = 1.0) -> Image:
        canvas = bgr.copy()
        faces = [face for face in faces if face.coasting_s <= SHOWN_COASTING_S]
        if not faces:
            return canvas
        boxes = np.stack([face.xyxy for face in faces]) * factor
        texts = [self.label(face) for face in faces]
        text_px = self._text_px(canvas)
        places = _label_places(boxes, [_text_size(t, text_px) for t in texts], canvas, text_px)
        for face, box in zip(faces, boxes, strict=True):
            _draw_box(canvas, box, _colour(face), text_px, dashed=face.coasting_s > 0)
        for face, text, place in zip(faces, texts, places, strict=True):
            _draw_label(canvas, text, place, _colour(face), text_px)
        return canvas

    def label(self, face: TrackedFace) -> str:
        """`25-34 (24–39)  ♀ 93%`: bin, range of years, and the gender if it may be shown."""
        parts = [f"{face.age_bin} ({face.age_low}\N{EN DASH}{face.age_high})"]
        gender = self.gender(face)
        if gender:
            parts.append(gender)
        return "  ".join(parts)

    def gender(self, face: TrackedFace) -> str:
        """`♀ 93%`, or nothing where it is not to be shown."""
        if not self.config.shows_gender(face.age, face.female_prob):
            return ""
        prob = max(face.female_prob, 1 - face.female_prob)
        sign = "\N{FEMALE SIGN}" if face.female_prob >= 0.5 else "\N{MALE SIGN}"
        return f"{sign} {min(round(100 * prob), 99)}%"

    def _text_px(self, canvas: Image) -> int:
        """Legible on a 320 px picture and not lost on a 4K one."""
        height, width = canvas.shape[:2]
        wanted = 0.011 * (height + width) * self.config.scale
        return round(min(max(wanted, MIN_TEXT_PX), MAX_TEXT_PX))


def _colour(face: TrackedFace) -> tuple[int, int, int]:
    return COLOURS[(face.track_id - 1) % len(COLOURS)]


@cache
def _font() -> cv2.FontFace:
    return cv2.FontFace("sans")


@lru_cache(maxsize=1024)
def _text_size(text: str, text_px: int) -> tuple[int, int]:
    """Width and height of the label that holds the text, with its margins."""
    _, _, width, _ = cv2.getTextSize((0, 0), text, (0, 0), _font(), text_px, 500)
    return int(width + text_px), int(text_px * 1.5)


def _label_places(
    boxes: Array, sizes: Sequence[tuple[int, int]], canvas: Image, text_px: int
) -> list[Array]:
    """A box for every label: in the picture, off all faces and other labels while there is room.

    Tried in turn: above the face, below, beside, inside its upper edge, and farther above and
    below; of these the first that covers nothing, else the one that covers least.
    """
    height, width = canvas.shape[:2]
    places: list[Array] = []
    for i, (box, size) in enumerate(zip(boxes, sizes, strict=True)):
        corners = np.array(_corners(box, *size, gap=max(2, text_px // 6)), np.float32)
        corners = np.clip(corners, 0, np.maximum(np.subtract((width, height), size), 0))
        options = np.concatenate([corners, corners + size], axis=1).astype(np.float32)
        others = [*np.delete(boxes, i, axis=0), *places]
        cost = 0.1 * _covered(options, boxes[i : i + 1])  # its own face is the lesser evil
        if others:
            cost = cost + _covered(options, np.array(others, np.float32))
        places.append(options[int(np.argmin(cost.round(3)))])
    return places


def _corners(box: Array, w: int, h: int, gap: int) -> list[tuple[float, float]]:
    """Upper left corners of a label of that size around a face, the most wanted first."""
    x0, y0, x1, y1 = (float(v) for v in box)
    near = [
        (x0, y0 - h - gap), (x1 - w, y0 - h - gap), (x0, y1 + gap), (x1 - w, y1 + gap),
        (x1 + gap, y0), (x0 - w - gap, y0), (x0 + gap, y0 + gap),
    ]  # fmt: skip
    far = [
        (x, y)
        for step in (1, 2, 3)
        for y in (y0 - (h + gap) * (step + 1), y1 + gap + (h + gap) * step)
        for x in (x0, x1 - w)
    ]
    return near + far


def _covered(options: Array, boxes: Array) -> Array:
    """How much of each option lies on boxes, and how much of them it hides: (n,)"""
    shares = iou_matrix(options, boxes, over="smaller")
    return shares.sum(axis=1)


def _fixed(value: float) -> int:
    return round(value * (1 << SUPERSAMPLE))


def _draw_box(
    canvas: Image, box: Array, colour: tuple[int, int, int], text_px: int, dashed: bool
) -> None:
    """Four rounded corners joined by a thin line; a face that is only predicted has the corners
    alone."""
    x0, y0, x1, y1 = (float(v) for v in box)
    thin = max(1, round(text_px / 14))
    thick = max(2, round(text_px / 6))
    radius = min((x1 - x0), (y1 - y0)) * 0.12
    arm = min((x1 - x0), (y1 - y0)) * 0.26
    for centre_x, centre_y, start, dx, dy in (
        (x0 + radius, y0 + radius, 180, 1, 1),
        (x1 - radius, y0 + radius, 270, -1, 1),
        (x1 - radius, y1 - radius, 0, -1, -1),
        (x0 + radius, y1 - radius, 90, 1, -1),
    ):
        for line_colour, weight in ((DARK, thick + 2), (colour, thick)):
            centre = (_fixed(centre_x), _fixed(centre_y))
            axes = (_fixed(radius), _fixed(radius))
            cv2.ellipse(
                canvas, centre, axes, 0, start, start + 90, line_colour, weight, cv2.LINE_AA,
                SUPERSAMPLE,
            )  # fmt: skip
            edge_x, edge_y = centre_x - dx * radius, centre_y - dy * radius
            _line(canvas, (centre_x, edge_y), (edge_x + dx * arm, edge_y), line_colour, weight)
            _line(canvas, (edge_x, centre_y), (edge_x, edge_y + dy * arm), line_colour, weight)
    if dashed:
        return
    for a, b in (
        ((x0 + arm, y0), (x1 - arm, y0)), ((x0 + arm, y1), (x1 - arm, y1)),
        ((x0, y0 + arm), (x0, y1 - arm)), ((x1, y0 + arm), (x1, y1 - arm)),
    ):  # fmt: skip
        _line(canvas, a, b, colour, thin)


def _line(
    canvas: Image,
    a: tuple[float, float],
    b: tuple[float, float],
    colour: tuple[int, int, int],
    weight: int,
) -> None:
    ends = ((_fixed(a[0]), _fixed(a[1])), (_fixed(b[0]), _fixed(b[1])))
    cv2.line(canvas, *ends, colour, weight, cv2.LINE_AA, SUPERSAMPLE)


def _draw_label(
    canvas: Image, text: str, place: Array, colour: tuple[int, int, int], text_px: int
) -> None:
    x0, y0, x1, y1 = (int(v) for v in place)
    height, width = canvas.shape[:2]
    chip = canvas[max(y0, 0) : min(y1, height), max(x0, 0) : min(x1, width)]
    if not chip.size:
        return
    cv2.addWeighted(chip, 1 - CHIP_OPACITY, np.full_like(chip, DARK), CHIP_OPACITY, 0, dst=chip)
    stripe = max(2, text_px // 5)
    chip[:, :stripe] = colour
    baseline = (x0 + text_px // 2 + stripe // 2, round(y0 + text_px * 1.12))
    cv2.putText(canvas, text, baseline, LIGHT, _font(), text_px, 500)
