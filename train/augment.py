"""Random changes to training crops, imitating webcams: pose, light, colour, blur, JPEG, hands.

Works on uint8 RGB crops with OpenCV, one picture at a time in a background thread; one thread
keeps up with training on a CPU.
"""

from __future__ import annotations

import cv2
import numpy as np

from livecam.datatypes import Image


def augmented(crop: Image, size_px: int, rng: np.random.Generator) -> Image:
    """(128, 128, 3) -> (size_px, size_px, 3); the same `rng` state gives the same picture."""
    x = _moved(crop, size_px, rng)
    if rng.random() < 0.25:
        x = _coarser(x, rng)
    if rng.random() < 0.2:
        x = _jpeg(x, rng)
    x = _relit(x, rng)
    if rng.random() < 0.35:
        _erase(x, rng)
    return x


def _moved(crop: Image, size_px: int, rng: np.random.Generator) -> Image:
    """Turned ±12°, scaled by e^±0.13, shifted ±6 %, and mirrored half of the time."""
    side = crop.shape[0]
    angle = rng.uniform(-12, 12)
    scale = np.exp(rng.uniform(-0.13, 0.13)) * size_px / side
    centre = (side - 1) / 2
    matrix = cv2.getRotationMatrix2D((centre, centre), angle, scale)
    matrix[:, 2] += (size_px - 1) / 2 - centre + rng.uniform(-0.06, 0.06, 2) * size_px
    moved = cv2.warpAffine(
        crop, matrix, (size_px, size_px), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return cv2.flip(moved, 1) if rng.random() < 0.5 else moved


def _coarser(x: Image, rng: np.random.Generator) -> Image:
    """As if the face had been 0.3 to 0.7 of its size."""
    side = x.shape[0]
    small = max(8, round(side * rng.uniform(0.3, 0.7)))
    x = cv2.resize(x, (small, small), interpolation=cv2.INTER_AREA)
    return cv2.resize(x, (side, side), interpolation=cv2.INTER_LINEAR)


def _jpeg(x: Image, rng: np.random.Generator) -> Image:
    quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(25, 81))]
    decoded = cv2.imdecode(cv2.imencode(".jpg", x, quality)[1], cv2.IMREAD_COLOR)
    assert decoded is not None  # it was encoded a line above
    return decoded


def _relit(x: Image, rng: np.random.Generator) -> Image:
    """Contrast 0.7 to 1.3, brightness ±30, colour gains 0.88 to 1.12, grey in 15 %."""
    if rng.random() < 0.15:
        x = cv2.cvtColor(cv2.cvtColor(x, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    contrast = rng.uniform(0.7, 1.3)
    gain = contrast * rng.uniform(0.88, 1.12, 3)
    offset = x.mean() * (1 - contrast) + rng.uniform(-30, 30)
    table = np.clip(np.arange(256)[:, None] * gain + offset, 0, 255).astype(np.uint8)  # (256, 3)
    return cv2.LUT(x, table[None])


def _erase(x: Image, rng: np.random.Generator) -> None:
    """A rectangle of 2 to 15 % of the picture becomes noise (Zhong et al. 2017)."""
    side = x.shape[0]
    share, aspect = rng.uniform(0.02, 0.15), np.exp(rng.uniform(-1, 1))
    height = min(side, max(1, round(side * np.sqrt(share * aspect))))
    width = min(side, max(1, round(side * np.sqrt(share / aspect))))
    top, left = rng.integers(0, side - height + 1), rng.integers(0, side - width + 1)
    x[top : top + height, left : left + width] = rng.integers(0, 256, (height, width, 3), np.uint8)
