"""Random changes to training crops, imitating webcams: pose, light, colour, blur, noise, JPEG,
hands.

Works on uint8 RGB crops with OpenCV, one picture at a time in a background thread; one thread
keeps up with training on a CPU.
"""

from __future__ import annotations

import cv2
import numpy as np

from livecam.crops import resized
from livecam.datatypes import Image
from train.degrade import compressed, small, with_noise


def augmented(crop: Image, size_px: int, rng: np.random.Generator, level: float = 1.0) -> Image:
    """(px, px, 3) -> (size_px, size_px, 3); the same `rng` state gives the same picture.

    `level` scales how often and how much is changed; at 0 pictures are only mirrored.
    """
    x = _moved(crop, size_px, rng, level)
    if rng.random() < 0.25 * level:
        x = small(x, max(8, x.shape[0] * rng.uniform(0.22, 0.7)))
    if rng.random() < 0.15 * level:
        x = cv2.GaussianBlur(x, (0, 0), size_px * rng.uniform(0.006, 0.025))
    if rng.random() < 0.3 * level:
        x = _grainy(x, rng)
    if rng.random() < 0.2 * level:
        x = compressed(x, int(rng.integers(25, 81)))
    if level:
        x = _relit(x, rng, level)
    if rng.random() < 0.35 * level:
        _erase(x, rng)
    return x


def _moved(crop: Image, size_px: int, rng: np.random.Generator, level: float) -> Image:
    """Turned, scaled and shifted as alignment errs (mostly little, up to 25° and 16 %), and
    mirrored half of the time. A much larger crop is shrunk by area first, as in `livecam.crops`."""
    factor = crop.shape[0] // size_px
    if factor > 1:
        crop = resized(crop[None], crop.shape[0] // factor)[0]
    side = crop.shape[0]
    angle = level * np.clip(rng.normal(0, 9), -25, 25)
    scale = np.exp(level * np.clip(rng.normal(0, 0.09), -0.25, 0.25)) * size_px / side
    centre = (side - 1) / 2
    matrix = cv2.getRotationMatrix2D((centre, centre), angle, scale)
    shift = level * np.clip(rng.normal(0, 0.05, 2), -0.16, 0.16)
    matrix[:, 2] += (size_px - 1) / 2 - centre + shift * size_px
    moved = cv2.warpAffine(
        crop, matrix, (size_px, size_px), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return cv2.flip(moved, 1) if rng.random() < 0.5 else moved


def _grainy(x: Image, rng: np.random.Generator) -> Image:
    """With noise as of a camera in a dark room: of a standard deviation of 2 to 20, mostly little,
    in grains of 1 to 3 pixels, as a small face is enlarged."""
    sigma, grain_px = np.exp(rng.uniform(np.log(2), np.log(20))), int(rng.integers(1, 4))
    return with_noise(x, sigma, grain_px, rng)


def _relit(x: Image, rng: np.random.Generator, level: float) -> Image:
    """Contrast 0.7 to 1.3, light 0.45 to 1.35, colour gains 0.88 to 1.12, grey in 15 %."""
    if rng.random() < 0.15 * level:
        x = cv2.cvtColor(cv2.cvtColor(x, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    contrast = 1 + level * rng.uniform(-0.3, 0.3)
    light = np.exp(level * rng.uniform(-0.8, 0.3)) if rng.random() < 0.5 else 1.0
    gain = light * contrast * (1 + level * rng.uniform(-0.12, 0.12, 3))
    offset = light * x.mean() * (1 - contrast) + level * rng.uniform(-20, 20)
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
