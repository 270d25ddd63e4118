"""Where labels go: in the picture, off all faces and other labels while there is room."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from livecam.datatypes import Array, Image
from livecam.geometry import iou_matrix

FREE = 0.02  # a label stays where it is while it covers no more than this more than elsewhere


def label_places(
    boxes: Array,
    sizes_wh: Sequence[tuple[int, int]],
    canvas: Image,
    gap: int,
    before: Sequence[int | None],
) -> tuple[list[Array], list[int]]:
    """A box for every label, and which of the options it is.

    Tried in turn: above the face, below, beside, inside its upper edge, and farther above and
    below; of these the first that covers nothing, else the one that covers least. A label that
    was shown `before` (None: not) stays where it was as long as that is as good.
    """
    places: list[Array] = []
    chosen: list[int] = []
    for i, (box, size) in enumerate(zip(boxes, sizes_wh, strict=True)):
        options = options_around(box, size, canvas, gap)
        others = [*np.delete(boxes, i, axis=0), *places]
        cost = 0.1 * _covered(options, boxes[i : i + 1])  # its own face is the lesser evil
        if others:
            cost = cost + _covered(options, np.array(others, np.float32))
        best = int(np.argmin(cost.round(3)))
        last = before[i]
        if last is not None and cost[last] <= cost[best] + FREE:
            best = last
        places.append(options[best])
        chosen.append(best)
    return places, chosen


def options_around(box: Array, size_wh: tuple[int, int], canvas: Image, gap: int) -> Array:
    """Where a label of that size may be, in the order of `label_places`: (k, 4) px."""
    height, width = canvas.shape[:2]
    corners = np.array(_corners(box, *size_wh, gap=gap), np.float32)
    corners = np.clip(corners, 0, np.maximum(np.subtract((width, height), size_wh), 0))
    return np.concatenate([corners, corners + size_wh], axis=1).astype(np.float32)


def covered_shares(places: Sequence[Array], boxes: Array) -> Array:
    """Of each label or of what it lies on, whichever is smaller, the largest share that it has in
    common with another label or with the face of another: (n,)"""
    labels = np.array(places, np.float32).reshape(-1, 4)
    shares = [iou_matrix(labels, others, over="smaller") for others in (labels, boxes)]
    for share in shares:
        np.fill_diagonal(share, 0)  # its own
    return np.concatenate(shares, axis=1).max(axis=1, initial=0)


def covered_share(place: Array, i: int, places: Sequence[Array], boxes: Array) -> float:
    """The same of label i alone, if it were at that place."""
    label = np.asarray(place, np.float32).reshape(1, 4)
    others = np.concatenate([np.delete(np.array(each), i, axis=0) for each in (places, boxes)])
    return float(iou_matrix(label, others, over="smaller").max(initial=0))


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
