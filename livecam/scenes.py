"""Scene cuts: where a film goes on with another picture."""

from __future__ import annotations

import cv2
import numpy as np

from livecam.datatypes import Image

CUT_DIFFERENCE = 40.0  # mean change of grey levels that only a scene cut makes
SAME_CORRELATION = 0.8  # …unless it is the same picture, darker or brighter
CUT_SAMPLES = 32  # compared on this many pixels across and down


class Scenes:
    """Callable: BGR frames in order -> whether the scene is cut at this one, and whether the cut
    goes back to where the last one came from, as after a flash or a moment of black."""

    def __init__(self) -> None:
        self._before: np.ndarray | None = None  # of the frame before
        self._left: np.ndarray | None = None  # of the last frame before the last cut

    def __call__(self, bgr: Image) -> tuple[bool, bool]:
        rows, columns = (max(1, side // CUT_SAMPLES) for side in bgr.shape[:2])
        glance = bgr[::rows, ::columns].copy()
        before, self._before = self._before, glance
        if before is None or not _differ(before, glance):
            return before is None, False
        is_back = self._left is not None and not _differ(self._left, glance)
        self._left = before
        return True, is_back

    def stay(self) -> None:
        """Who was seen before the last cut is forgotten: no cut goes back there."""
        self._left = None


def _differ(glance: np.ndarray, other: np.ndarray) -> bool:
    if glance.shape != other.shape:
        return True
    if cv2.norm(glance, other, cv2.NORM_L1) <= CUT_DIFFERENCE * glance.size:
        return False
    a, b = (each.ravel() - each.mean() for each in (glance, other))
    spread = float(np.linalg.norm(a) * np.linalg.norm(b))  # 0 where one is of a single colour
    return spread == 0 or float(a @ b) < SAME_CORRELATION * spread
