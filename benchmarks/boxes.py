"""Which boxes of two sets are the same faces."""

from __future__ import annotations

import numpy as np

from livecam.datatypes import Array
from livecam.geometry import iou_matrix


def partner_ious(wanted: Array, found: Array) -> Array:
    """The IoU of each wanted box with its partner in `found`, 0 for one without: (n, 4), (m, 4) ->
    (n,). Pairs are formed best first, and no box is in two of them."""
    ious = np.zeros(len(wanted), np.float32)
    if not len(wanted) or not len(found):
        return ious
    overlap = iou_matrix(wanted.astype(np.float32), found.astype(np.float32))
    for _ in range(min(overlap.shape)):
        row, column = np.unravel_index(np.argmax(overlap), overlap.shape)
        ious[row] = max(overlap[row, column], 0.0)
        overlap[row], overlap[:, column] = -1.0, -1.0
    return ious
