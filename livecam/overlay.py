"""Draws faces and their labels onto a copy of the picture, and hides faces where asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from livecam.config import OverlayConfig
from livecam.datatypes import Array, Image, TrackedFace
from livecam.drawing import (
    DARK,
    colour_of,
    draw_curve,
    draw_dots,
    draw_lines,
    part,
    put_text,
    shade,
    text_px,
    text_width,
)
from livecam.placement import FREE, covered_share, covered_shares, label_places, options_around

SHOWN_COASTING_S = 0.4  # a face out of sight fades within this time; its id lives on for longer
SURE_CONFIDENCE = 0.95  # of the detector; below it the lines of a box are dotted
BLUR_MORE = 0.25  # of a face's size, hidden on every side of it too
BLUR_CELLS = 6  # what is left of a hidden face, across and down

RADIUS, ARM = 0.12, 0.26  # of a corner, in sizes of the box

CROWDED = 0.1  # share of a label that may be on others, or on others' faces
LEAST_SAID = 3  # steps down from all that a label can say, to its number alone
LEAST_TEXT_PX = 8  # of a label on a picture too narrow for it

NOBODY = np.zeros((0, 4), np.float32)


class _Label(NamedTuple):
    face: TrackedFace
    text: str
    px: int  # height of the text


class Overlay:
    """Callable: (bgr, faces, factor, hidden) -> a new picture with the faces drawn; the input
    stays.

    `factor` is the size of the picture over that in which the faces were measured. With
    `overlay.blur` these faces, and what is in the boxes `hidden` (n, 4), cannot be recognised.
    Labels stay on the side of the face on which they were in the picture before, while there is
    room.
    """

    def __init__(self, config: OverlayConfig) -> None:
        self.config = config
        self._sides: dict[int, int] = {}  # track_id: where its label was…
        self._less: dict[int, int] = {}  # …and how much less it said

    def __call__(
        self,
        bgr: Image,
        faces: Sequence[TrackedFace],
        factor: float = 1.0,
        hidden: Array = NOBODY,
    ) -> Image:
        canvas = bgr.copy()
        if self.config.blur:
            boxes = np.concatenate([hidden, *(face.xyxy[None] for face in faces)])
            _blur(canvas, (boxes * factor).astype(np.float32))
        faces = [face for face in faces if face.coasting_s < SHOWN_COASTING_S]
        if not faces:
            return canvas
        px = text_px(canvas, self.config.scale)
        boxes = np.stack([face.xyxy for face in faces]) * factor
        drawn = list(zip(*self._place_labels(canvas, faces, boxes, px), boxes, strict=True))
        seen = [each for each in drawn if not each[0].face.coasting_s]
        for label, place, box in drawn:
            if label.face.coasting_s:
                self._draw_fading(canvas, label, box, place, px)
        for label, _, box in seen:
            _draw_box(canvas, box, label.face, px)
        for label, place, _ in seen:
            self._draw_label(canvas, label, place)
        return canvas

    def text(self, face: TrackedFace) -> str:
        """`25-34 (24–39)  ♀ 93%`: the age as `overlay.age` wants it, and the gender if it may be
        shown."""
        return "  ".join(filter(None, (self._age(face), self.gender(face))))

    def _age(self, face: TrackedFace) -> str:
        years = f"{face.age_low}\N{EN DASH}{face.age_high}"
        return {
            "full": f"{face.age_bin} ({years})",
            "range": years,
            "bin": face.age_bin,
            "exact": f"{face.age:.0f}",
            "curve": f"{face.age:.0f}",
        }[self.config.age]

    def gender(self, face: TrackedFace) -> str:
        """`♀ 93%`, or nothing where it is not to be shown."""
        if not self.config.shows_gender(face.age, face.female_prob):
            return ""
        prob = max(face.female_prob, 1 - face.female_prob)
        sign = "\N{FEMALE SIGN}" if face.female_prob >= 0.5 else "\N{MALE SIGN}"
        return f"{sign} {min(round(100 * prob), 99)}%"

    def _place_labels(
        self, canvas: Image, faces: Sequence[TrackedFace], boxes: Array, px: int
    ) -> tuple[list[_Label], list[Array]]:
        """The labels of faces, and where they go. Those that would be on each other say less."""
        gap, width = max(2, px // 6), canvas.shape[1]
        ids = [face.track_id for face in faces]
        before = [self._sides.get(track_id) for track_id in ids]
        less = np.array([self._less.get(track_id, 0) for track_id in ids])
        while True:
            labels = [self._fitted(face, px, width, n) for face, n in zip(faces, less, strict=True)]
            sizes = [self._size_wh(label) for label in labels]
            places, sides = label_places(boxes, sizes, canvas, gap, before)
            is_crowded = (covered_shares(places, boxes) > CROWDED) & (less < LEAST_SAID)
            if not is_crowded.any():
                break
            less += is_crowded
        self._sides = dict(zip(ids, sides, strict=True))
        self._less = dict(zip(ids, less.tolist(), strict=True))
        for i in np.flatnonzero(less).tolist():
            longer = self._size_wh(self._fitted(faces[i], px, width, less[i] - 1))
            place = options_around(boxes[i], longer, canvas, gap)[sides[i]]
            if covered_share(place, i, places, boxes) <= FREE:
                self._less[ids[i]] -= 1  # in the next picture; one, that may be in another's way
                break
        return labels, places

    def _fitted(self, face: TrackedFace, px: int, width: int, less: int) -> _Label:
        """What fits a picture of that width: smaller text, then less of it, at last none. `less`
        of it from the beginning, 0 to LEAST_SAID."""
        age = self._age(face)
        for text in (self.text(face), age, min(age, face.age_bin, key=len), "")[less:]:
            for smaller in range(px, min(px, LEAST_TEXT_PX) - 1, -1):
                label = _Label(face, text, smaller)
                if self._size_wh(label)[0] <= width:
                    return label
        return label

    def _size_wh(self, label: _Label) -> tuple[int, int]:
        """With its margins, in px."""
        px = label.px
        width = self._stripe(label) + text_width(label.text, px) + px
        if self.config.age == "curve" and label.text:
            return max(width, 8 * px), 4 * px
        return width, int(px * 1.5)

    def _stripe(self, label: _Label) -> int:
        """Width of the coloured end of a label, which holds the id if that is to be shown."""
        if not self.config.ids:
            return max(2, label.px // 5)
        return text_width(str(label.face.track_id), label.px) + round(0.7 * label.px)

    def _draw_label(self, canvas: Image, label: _Label, place: Array) -> None:
        face, text, px = label
        x0, y0, x1, _ = place
        colour = colour_of(face.track_id)
        shade(canvas, place)
        stripe = self._stripe(label)
        part(canvas, (x0, y0, min(x0 + stripe, x1), place[3]))[:] = colour
        baseline = y0 + px * 1.12
        if self.config.ids:
            put_text(canvas, str(face.track_id), x0 + 0.35 * px, baseline, px, DARK)
        put_text(canvas, text, x0 + stripe + px // 2, baseline, px)
        if self.config.age == "curve" and text:
            box = (x0 + stripe + 0.5 * px, y0 + 1.5 * px, x1 - 0.5 * px, y0 + 3.6 * px)
            draw_curve(canvas, box, face.age_probs, face.age_low, face.age_high, colour)

    def _draw_fading(self, canvas: Image, label: _Label, box: Array, place: Array, px: int) -> None:
        """A face out of sight: its corners alone, weaker with every frame."""
        both = np.concatenate([np.minimum(box, place)[:2] - px, np.maximum(box, place)[2:] + px])
        below = part(canvas, both)
        if not below.size:
            return
        before = below.copy()
        _draw_box(canvas, box, label.face, px)
        self._draw_label(canvas, label, place)
        opacity = 1 - label.face.coasting_s / SHOWN_COASTING_S
        cv2.addWeighted(before, 1 - opacity, below, opacity, 0, dst=below)


def _corner() -> np.ndarray:
    """A corner from the end of one arm around to the end of the other, in sizes of the box from
    where it would be if it were sharp: (points, 2)."""
    turn = np.linspace(0, np.pi / 2, 7)
    arc = RADIUS * np.stack([1 - np.sin(turn), 1 - np.cos(turn)], axis=1)
    return np.concatenate([[[ARM, 0]], arc, [[0, ARM]]])


_CORNER = _corner()
_INWARD = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]])


def _draw_box(canvas: Image, box: Array, face: TrackedFace, px: int) -> None:
    """Four rounded corners, joined by a thin line; by dots where the detector is less sure; by
    nothing where the face was not seen."""
    x0, y0, x1, y1 = box.tolist()
    colour = colour_of(face.track_id)
    thick = max(2, round(px / 6))
    size = min(x1 - x0, y1 - y0)
    at = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]])
    corners = at[:, None] + size * _INWARD[:, None] * _CORNER  # (4, points, 2)
    draw_lines(canvas, corners, DARK, thick + 2)
    draw_lines(canvas, corners, colour, thick)
    if face.coasting_s:
        return
    arm = size * ARM
    sides = np.array([
        [[x0 + arm, y0], [x1 - arm, y0]], [[x0 + arm, y1], [x1 - arm, y1]],
        [[x0, y0 + arm], [x0, y1 - arm]], [[x1, y0 + arm], [x1, y1 - arm]],
    ])  # fmt: skip
    if face.confidence >= SURE_CONFIDENCE:
        draw_lines(canvas, sides, colour, max(1, round(px / 14)))
        return
    for a, b in sides:
        steps = max(2, round(float(np.abs(b - a).sum()) / (0.5 * px)))
        draw_dots(canvas, np.linspace(a, b, steps + 1)[1:-1], colour, max(2, round(px / 8)))


def _blur(canvas: Image, boxes: Array) -> None:
    """Leave of what is in the boxes (n, 4) px only a few patches of its mean colour."""
    for box in boxes:
        more = BLUR_MORE * (box[2:] - box[:2])
        face = part(canvas, np.concatenate([box[:2] - more, box[2:] + more + 1]))
        if face.size:
            few = cv2.resize(face, (BLUR_CELLS, BLUR_CELLS), interpolation=cv2.INTER_AREA)
            size_wh = (face.shape[1], face.shape[0])
            face[:] = cv2.resize(few, size_wh, interpolation=cv2.INTER_LINEAR)
