"""Aligned face crops: the one place where a face becomes what the network sees.

Training stores what `aligned_crops` gives and changes it at random; scoring and run time shrink
it with `resized`. Both start from the same pixels, so that they cannot drift apart.
"""

from __future__ import annotations

import cv2
import numpy as np

from livecam.datatypes import Array, Image
from livecam.geometry import similarity_transforms

CANONICAL_PX = 128

# Where the five landmarks lie in a canonical crop, as shares of its side: the medians of MTCNN's
# landmarks on UTKFace, made symmetric. The eyes are 0.38 of the width apart at 0.31 of the height.
TEMPLATE = np.array(
    [[0.31, 0.31], [0.69, 0.31], [0.5, 0.5265], [0.332, 0.695], [0.668, 0.695]], np.float32
)


def aligned_crops(bgr: Image, landmarks: Array, size_px: int = CANONICAL_PX) -> Image:
    """Crops of faces: (H, W, 3) BGR, (n, 5, 2) px -> (n, size_px, size_px, 3) RGB.

    Pixels outside of the picture repeat its border. A face much larger than the crop is shrunk
    by area first, because a bilinear warp alone would skip pixels.
    """
    crops = np.empty((len(landmarks), size_px, size_px, 3), np.uint8)
    matrices = similarity_transforms(landmarks, TEMPLATE * size_px)
    for crop, matrix in zip(crops, matrices, strict=True):
        face, matrix = _shrunk_region(bgr, matrix, size_px)
        warped = cv2.warpAffine(
            face,
            matrix,
            (size_px, size_px),
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        cv2.cvtColor(warped, cv2.COLOR_BGR2RGB, dst=crop)
    return crops


def resized(crops: Image, size_px: int) -> Image:
    """Crops at the network's input size: (n, px, px, 3) -> (n, size_px, size_px, 3)."""
    side = crops.shape[1]
    if size_px == side:
        return crops
    how = cv2.INTER_AREA if size_px < side else cv2.INTER_LINEAR
    out = np.empty((len(crops), size_px, size_px, 3), np.uint8)
    for other, crop in zip(out, crops, strict=True):
        cv2.resize(crop, (size_px, size_px), dst=other, interpolation=how)
    return out


def assumed_landmarks(size_wh: tuple[int, int]) -> Array:
    """(1, 5, 2) landmarks for a picture that is a tight face crop in which none was found."""
    width, height = size_wh
    side = min(width, height)
    corner = np.array([(width - side) / 2, (height - side) / 2], np.float32)
    return (TEMPLATE * side + corner)[None].astype(np.float32)


def _shrunk_region(bgr: Image, matrix: Array, size_px: int) -> tuple[Image, Array]:
    """The part of the picture that a warp to `size_px` reads, shrunk by a whole factor, and the
    warp from it."""
    scale = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    factor = int(1 / scale) if scale > 0 else 1
    if factor < 2:
        return bgr, matrix
    inverse = cv2.invertAffineTransform(matrix)
    corners = np.array([[0, 0], [1, 0], [0, 1], [1, 1]], np.float32) * size_px
    reach = corners @ inverse[:, :2].T + inverse[:, 2]  # (4, 2) px of the picture
    height, width = bgr.shape[:2]
    x0, y0 = np.clip(np.floor(reach.min(axis=0)) - factor, 0, [width - 1, height - 1]).astype(int)
    x1, y1 = np.clip(np.ceil(reach.max(axis=0)) + factor, [x0 + 1, y0 + 1], [width, height]).astype(
        int
    )
    region = bgr[y0:y1, x0:x1]
    size = (max(1, region.shape[1] // factor), max(1, region.shape[0] // factor))
    small = cv2.resize(region, size, interpolation=cv2.INTER_AREA)
    ratio = np.array([region.shape[1] / size[0], region.shape[0] / size[1]])
    # a pixel's centre is at half a pixel: (x_small + 0.5) * ratio = x_region + 0.5
    to_region = np.array(
        [[ratio[0], 0, x0 + ratio[0] / 2 - 0.5], [0, ratio[1], y0 + ratio[1] / 2 - 0.5]]
    )
    both = matrix @ np.vstack([to_region, [0, 0, 1]])
    return small, both.astype(np.float32)
