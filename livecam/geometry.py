"""Boxes (xyxy, px) and the similarity transform of five landmarks."""

from __future__ import annotations

from typing import Literal

import numpy as np

from livecam.datatypes import Array

BLOCK = 64  # rows of a comparison at a time
MAX_SIZE_RATIO = 1.8  # a face does not come nearer or go away by more while nobody looks


def area(xyxy: Array) -> Array:
    """(n, 4) -> (n,), px²; a box turned inside out has no area."""
    size = np.maximum(xyxy[:, 2:] - xyxy[:, :2], 0)
    return size[:, 0] * size[:, 1]


def iou_matrix(a: Array, b: Array, over: Literal["union", "smaller"] = "union") -> Array:
    """Overlap of every box of `a` with every box of `b`: (n, 4), (m, 4) -> (n, m) in [0, 1].

    `over="smaller"` divides by the smaller of the two boxes, so that a box inside another
    one counts as the same.
    """
    top_left = np.maximum(a[:, None, :2], b[None, :, :2])  # (n, m, 2)
    bottom_right = np.minimum(a[:, None, 2:], b[None, :, 2:])  # (n, m, 2)
    size = np.maximum(bottom_right - top_left, 0)
    shared = size[..., 0] * size[..., 1]
    area_a, area_b = area(a)[:, None], area(b)[None, :]
    whole = area_a + area_b - shared if over == "union" else np.minimum(area_a, area_b)
    return np.divide(shared, whole, out=np.zeros_like(shared), where=whole > 0)


def distance_matrix(a: Array, b: Array) -> Array:
    """Distances of centres over mean sizes: (n, 4), (m, 4) -> (n, m); infinite where one box is
    more than MAX_SIZE_RATIO times as large as the other."""
    size_a = (a[:, 2:] - a[:, :2]).mean(axis=1)[:, None]
    size_b = (b[:, 2:] - b[:, :2]).mean(axis=1)[None, :]
    between = (a[:, None, :2] + a[:, None, 2:] - b[None, :, :2] - b[None, :, 2:]) / 2
    distance = np.linalg.norm(between, axis=2) / np.maximum((size_a + size_b) / 2, 1e-6)
    ratio = np.maximum(size_a, size_b) / np.maximum(np.minimum(size_a, size_b), 1e-6)
    return np.where(ratio <= MAX_SIZE_RATIO, distance, np.inf)


def nms(
    xyxy: Array,
    scores: Array,
    max_iou: float,
    over: Literal["union", "smaller"] = "union",
) -> np.ndarray:
    """Indices of the boxes that no better box overlaps by more than `max_iou`, best first.

    A box that a better one suppresses still suppresses worse ones, as in the mtcnn package: boxes
    are compared in blocks that fit into a processor's cache, and never one by one.
    """
    order = np.argsort(-scores, kind="stable")
    n = len(order)
    if n < 2:
        return order
    x0, y0, x1, y1 = np.ascontiguousarray(xyxy[order].T)
    size = area(xyxy)[order]
    suppressed = np.zeros(n, bool)
    for i in range(0, n, BLOCK):
        rows, columns = slice(i, i + BLOCK), slice(i, n)  # a box with itself and worse ones
        shared = np.minimum(x1[rows, None], x1[columns])
        shared -= np.maximum(x0[rows, None], x0[columns])
        height = np.minimum(y1[rows, None], y1[columns])
        height -= np.maximum(y0[rows, None], y0[columns])
        np.maximum(shared, 0, out=shared)
        shared *= np.maximum(height, 0, out=height)
        if over == "union":
            whole = size[rows, None] + size[columns]
            whole -= shared
        else:
            whole = np.minimum(size[rows, None], size[columns])
        whole *= max_iou
        suppressed[columns] |= np.triu(shared > whole, k=1).any(axis=0)
    return order[~suppressed]


def clip(xyxy: Array, size_wh: tuple[int, int]) -> Array:
    """Boxes inside a picture of `size_wh` px."""
    limit = np.array([*size_wh, *size_wh], np.float32)
    return np.clip(xyxy, 0, limit)


def square(xyxy: Array) -> Array:
    """Boxes of the same centre, as wide and high as their longer side."""
    centre = (xyxy[:, :2] + xyxy[:, 2:]) / 2
    half = (xyxy[:, 2:] - xyxy[:, :2]).max(axis=1, keepdims=True, initial=0) / 2
    return np.concatenate([centre - half, centre + half], axis=1)


def similarity_transforms(source: Array, target: Array) -> Array:
    """Rotation, one scale and shift that bring each point set nearest to `target`.

    (n, k, 2), (k, 2) -> (n, 2, 3) matrices for `cv2.warpAffine`. Least squares in closed form
    (Umeyama 1991, in two dimensions, without reflection).
    """
    source = source.astype(np.float64)
    source_mean = source.mean(axis=1)  # (n, 2)
    target_mean = target.mean(axis=0)  # (2,)
    a = source - source_mean[:, None]  # (n, k, 2)
    b = (target - target_mean)[None]  # (1, k, 2)
    spread = np.maximum((a**2).sum(axis=(1, 2)), 1e-9)
    cos = (a * b).sum(axis=(1, 2)) / spread  # scale · cos(angle)
    sin = (a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]).sum(axis=1) / spread
    turn = np.stack([np.stack([cos, -sin], -1), np.stack([sin, cos], -1)], axis=1)  # (n, 2, 2)
    shift = target_mean - np.einsum("nij,nj->ni", turn, source_mean)
    return np.concatenate([turn, shift[..., None]], axis=2).astype(np.float32)
