"""Test-time augmentation: a face that is seen once, as it is and mirrored, and both a little wider;
one that is seen again and again, mirrored every second time.

What a network answers moves by some years when a face is mirrored or cut a little differently; the
mean over views moves less. The frames of somebody who sits still are hardly different views.
"""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np

from livecam.datatypes import Array, Image

COUNT = 2  # of the shipped settings; what scores are of
MOST = 4
WIDER = 0.92  # the size of the face in the wider views


def views(crops: Image, count: int) -> Iterator[Image]:
    """(n, px, px, 3) -> the first `count` of four times the same shape. Pixels outside of a crop
    repeat its border, as in training."""
    yield crops
    if count > 1:
        yield _mirrored(crops)
    if count > 2:
        wider = _wider(crops)
        yield wider
        if count > 3:
            yield _mirrored(wider)


def in_turn(crops: Image, looks: Array) -> Image:
    """(n, px, px, 3) -> the same shape: mirrored, whoever was looked at an odd number of times
    before, `looks` (n,)."""
    is_odd = looks % 2 == 1
    return np.where(is_odd[:, None, None, None], _mirrored(crops), crops)


def _mirrored(crops: Image) -> Image:
    return np.ascontiguousarray(crops[:, :, ::-1])


def _wider(crops: Image) -> Image:
    side = crops.shape[1]
    centre = (side - 1) / 2
    matrix = cv2.getRotationMatrix2D((centre, centre), 0, WIDER)
    out = np.empty_like(crops)
    for crop, other in zip(crops, out, strict=True):
        cv2.warpAffine(
            crop, matrix, (side, side), dst=other,
            flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE,
        )  # fmt: skip
    return out
