"""How much one view of a face is worth to the smoothed age of its track."""

from __future__ import annotations

import cv2
import numpy as np

from livecam.datatypes import Array, Faces, Image

FULL_SIZE_PX = 96  # a larger face shows the network nothing more
FULL_SHARPNESS = 0.06  # mean gradient over mean contrast of a sharp crop
LEAST = 0.05  # even a bad view counts a little


def quality(faces: Faces, crops: Image) -> Array:
    """(n,) in 0.05..1: the product of size, sharpness, frontalness and detector confidence."""
    if not len(faces):
        return np.zeros(0, np.float32)
    side = (faces.xyxy[:, 2:] - faces.xyxy[:, :2]).mean(axis=1)
    size = np.clip(side / FULL_SIZE_PX, 0, 1)
    edges = np.array([sharpness(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)) for crop in crops])
    sharp = np.minimum(edges / FULL_SHARPNESS, 1)
    value = size * sharp * _frontalness(faces.landmarks) * faces.confidence
    return np.clip(value, LEAST, 1).astype(np.float32)


def _frontalness(landmarks: Array) -> Array:
    """1 for a nose midway between the eyes, falling as it moves to one of them."""
    between = landmarks[:, 1] - landmarks[:, 0]  # (n, 2), eye to eye
    length2 = np.maximum((between**2).sum(axis=1), 1e-6)
    along = ((landmarks[:, 2] - landmarks[:, 0]) * between).sum(axis=1) / length2
    return np.exp(-(((along - 0.5) / 0.35) ** 2))


def sharpness(grey: Image) -> float:
    """Mean absolute Laplacian of a picture (H, W) over its contrast."""
    gradient = float(np.abs(cv2.Laplacian(grey, cv2.CV_16S)).mean())
    return gradient / (float(grey.std()) + 1)
