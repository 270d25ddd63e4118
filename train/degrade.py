"""Face crops made worse on purpose, to see how much a model's error grows. Crop in, crop out.

The same crop, level and row give the same picture; where a change has a direction, the rows take
turns, so that both sides of a face and of a turn are met.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from livecam.datatypes import Image

DIRECTIONS = ((1, 0), (-1, 0), (0, 1), (0, -1))


@dataclass(frozen=True)
class Degradation:
    """`change(crop, level, row)` gives a crop of the same shape; `levels` get worse, in `unit`.

    `usual` is the level that stands for it in one figure.
    """

    name: str
    unit: str
    levels: tuple[float, ...]
    usual: float
    change: Callable[[Image, float, int], Image]

    def __call__(self, crops: Image, level: float) -> Image:
        """(n, px, px, 3) uint8 -> the same shape."""
        changed = [self.change(crop, level, row) for row, crop in enumerate(crops)]
        return np.stack(changed) if changed else crops.copy()


def small(crop: Image, face_px: float, row: int = 0) -> Image:
    """As if the face had been `face_px` wide in its picture."""
    side = crop.shape[0]
    size = (round(face_px), round(face_px))
    shrunk = cv2.resize(crop, size, interpolation=cv2.INTER_AREA)
    return cv2.resize(shrunk, (side, side), interpolation=cv2.INTER_LINEAR)


def blurred(crop: Image, sigma_px: float, row: int) -> Image:
    """Out of focus: a Gaussian of `sigma_px` of a crop of 128 px, as much of a larger one."""
    sigma = sigma_px * crop.shape[0] / 128
    return cv2.GaussianBlur(crop, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)


def compressed(crop: Image, quality: float, row: int = 0) -> Image:
    """Through a JPEG of that quality, 1..100."""
    bgr = np.ascontiguousarray(crop[..., ::-1])  # it keeps less of blue than of red
    encoded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, round(quality)])[1]
    decoded = cv2.imdecode(encoded, cv2.IMREAD_COLOR)
    assert decoded is not None  # it was encoded a line above
    return np.ascontiguousarray(decoded[..., ::-1])


def darkened(crop: Image, light: float, row: int) -> Image:
    """Every value times `light`, 0..1."""
    return np.rint(crop * np.float32(light)).astype(np.uint8)


def noisy(crop: Image, sigma: float, row: int) -> Image:
    """As of a camera in a dark room: noise in grains of two pixels of a crop of 128 px."""
    grain_px = max(1, round(2 * crop.shape[0] / 128))
    return with_noise(crop, sigma, grain_px, np.random.default_rng(row))


def with_noise(crop: Image, sigma: float, grain_px: int, rng: np.random.Generator) -> Image:
    """Each colour of each grain is changed by a draw from a normal distribution; what lies between
    the middles of grains is interpolated, so that pixels differ by a seventh less."""
    side = crop.shape[0]
    grains = -(-side // grain_px)
    noise: Image = rng.normal(0, sigma, (grains, grains, 3)).astype(np.float32)
    if grain_px > 1:
        noise = cv2.resize(noise, (side, side), interpolation=cv2.INTER_CUBIC)
    return np.rint(np.clip(crop + noise, 0, 255)).astype(np.uint8)


def turned(crop: Image, degrees: float, row: int) -> Image:
    """Turned in its plane, even rows one way and odd rows the other."""
    centre = (crop.shape[0] - 1) / 2
    angle = degrees if row % 2 == 0 else -degrees
    return _warped(crop, cv2.getRotationMatrix2D((centre, centre), angle, 1))


def shifted(crop: Image, percent: float, row: int) -> Image:
    """Moved by `percent` of its side: right, left, down, up in turn of the rows."""
    step = crop.shape[0] * percent / 100
    x, y = DIRECTIONS[row % len(DIRECTIONS)]
    return _warped(crop, np.array([[1, 0, x * step], [0, 1, y * step]], np.float32))


def _warped(crop: Image, matrix: np.ndarray) -> Image:
    side = crop.shape[0]
    return cv2.warpAffine(
        crop, matrix, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )


DEGRADATIONS = (
    Degradation("small face", "width in px", (64, 48, 32, 24, 16), 32, small),
    Degradation("blur", "σ in px", (1, 2, 3, 4, 6), 2, blurred),
    Degradation("JPEG", "quality", (75, 50, 25, 15, 8), 25, compressed),
    Degradation("noise", "σ", (4, 8, 12, 16, 24), 8, noisy),
    Degradation("less light", "share of the light", (0.75, 0.5, 0.35, 0.25, 0.15), 0.5, darkened),
    Degradation("roll", "± degrees", (5, 10, 20, 30, 45), 20, turned),
    Degradation("shift", "± % of the side", (5, 10, 15, 20, 30), 15, shifted),
)
