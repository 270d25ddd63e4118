"""Scene cuts: where a film goes on with another picture."""

from __future__ import annotations

import cv2
import numpy as np

from livecam.datatypes import Array, Image

PARTS = 8  # across and down, whose means are compared: what moves a little hardly changes them
SAMPLES = 64  # pixels across and down, of which these are taken
LEAST_DIFFERENCE = 6.0  # grey levels, by which a part changes that is another
SAME_CORRELATION = 0.65  # …of one scene, where things move or light changes


class Scenes:
    """Callable: BGR frames in order -> whether the scene is cut at this one, and whether the cut
    goes back to where the last one came from, as after a flash or a moment of black."""

    def __init__(self) -> None:
        self._shape: tuple[int, ...] = ()  # of the frame before
        self._before: Array | None = None  # what is compared of it
        self._left: Array | None = None  # of the last frame before the last cut

    def __call__(self, bgr: Image) -> tuple[bool, bool]:
        rows, columns = (max(1, side // SAMPLES) for side in bgr.shape[:2])
        samples = np.ascontiguousarray(bgr[::rows, ::columns])
        means = cv2.resize(samples, (PARTS, PARTS), interpolation=cv2.INTER_AREA)
        glance = means.astype(np.float32)
        before, self._before = self._before, glance
        if bgr.shape != self._shape:
            self._shape, self._left = bgr.shape, None
            return True, False
        if before is None or not _differ(before, glance):
            return False, False
        is_back = self._left is not None and not _differ(self._left, glance)
        self._left = before
        return True, is_back

    def stay(self) -> None:
        """Who was seen before the last cut is forgotten: no cut goes back there."""
        self._left = None


def _differ(glance: Array, other: Array) -> bool:
    changes = np.abs(glance - other).mean(axis=2)
    if np.median(changes) <= LEAST_DIFFERENCE:  # half of it is as it was: a screen in it flickers
        return False
    # colour by colour, each by its own strength: light of another colour is no other scene
    a, b = (each - each.mean(axis=(0, 1)) for each in (glance, other))
    spread = float((np.linalg.norm(a, axis=(0, 1)) * np.linalg.norm(b, axis=(0, 1))).sum())
    return spread == 0 or float((a * b).sum()) < SAME_CORRELATION * spread  # 0: one plain colour
