"""How pictures of faces are: how sharp, how light, how rich in contrast."""

from __future__ import annotations

import cv2
import numpy as np

from livecam.datatypes import Image
from livecam.quality import sharpness
from train.faces import Crops

STATISTICS = ("sharpness", "light", "contrast")


def picture_statistics(crops: Crops | Image) -> dict[str, np.ndarray]:
    """(n, px, px, 3) RGB -> (n,) for each of `STATISTICS`; the crops are read one by one.

    Sharpness is the mean of the absolute Laplacian over the contrast, light the mean grey value
    and contrast its standard deviation, both in 0..255.
    """
    rows = [_statistics(crops[i]) for i in range(len(crops))]
    columns = np.array(rows, np.float32).reshape(-1, len(STATISTICS)).T
    return dict(zip(STATISTICS, columns, strict=True))


def _statistics(crop: Image) -> tuple[float, float, float]:
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)
    return sharpness(grey), float(grey.mean()), float(grey.std())
