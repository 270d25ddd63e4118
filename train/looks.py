"""Simple measures of pictures of faces: how sharp, how light, how rich in contrast."""

from __future__ import annotations

import cv2
import numpy as np

from livecam.datatypes import Image
from livecam.quality import sharpness

LOOKS = ("sharpness", "light", "contrast")


def looks(crops: Image) -> np.ndarray:
    """(n, px, px, 3) RGB -> (n, 3), in the order of `LOOKS`.

    Sharpness is the mean of the absolute Laplacian over the contrast, light the mean grey value
    and contrast its standard deviation, both in 0..255.
    """
    return np.array([_looks(crop) for crop in crops], np.float32).reshape(-1, len(LOOKS))


def _looks(crop: Image) -> tuple[float, float, float]:
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)
    return sharpness(grey), float(grey.mean()), float(grey.std())
