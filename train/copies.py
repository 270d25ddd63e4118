"""Copies and near-copies among pictures, so that no split separates them.

UTKFace holds some hundred byte-identical pictures under different ages, and as many re-encoded
or re-cropped ones. A small grey thumbnail of the *aligned* crop makes those look alike.
"""

from __future__ import annotations

import cv2
import numpy as np

from livecam.datatypes import Array, Image

THUMBNAIL_PX = 24
MIN_CORRELATION = 0.95
BLOCK = 4096


def thumbnail(crop: Image) -> Array:
    """(128, 128, 3) RGB -> (576,) float32 of mean 0 and length 1; a flat picture gives zeros."""
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)
    small = cv2.resize(grey, (THUMBNAIL_PX, THUMBNAIL_PX), interpolation=cv2.INTER_AREA)
    centred = small.astype(np.float32).reshape(-1) - small.mean()
    length = float(np.linalg.norm(centred))
    return (centred / length if length > 1e-3 else centred * 0).astype(np.float32)


def near_copies(thumbnails: Array, min_correlation: float = MIN_CORRELATION) -> np.ndarray:
    """Pairs (m, 2) of rows, first < second, whose thumbnails correlate more than that."""
    pairs = []
    for start in range(0, len(thumbnails), BLOCK):
        rows = thumbnails[start : start + BLOCK]
        for other in range(start, len(thumbnails), BLOCK):
            alike = rows @ thumbnails[other : other + BLOCK].T > min_correlation
            i, j = np.nonzero(alike)
            i, j = i + start, j + other
            pairs.append(np.stack([i, j], axis=1)[i < j])
    return np.concatenate(pairs) if pairs else np.zeros((0, 2), int)


def groups(n: int, pairs: np.ndarray) -> np.ndarray:
    """The group of each of `n` rows, as the number of its first row: connected pairs are one."""
    parent = list(range(n))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    for a, b in pairs:
        first, second = sorted((root(int(a)), root(int(b))))
        parent[second] = first
    return np.array([root(i) for i in range(n)], int)
