"""A small data set made of one public-domain portrait, under the names of published ones."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

HEAD = slice(30, 230), slice(120, 320)  # of the 512 px portrait


def head(portrait: np.ndarray, seed: int) -> np.ndarray:
    """(200, 200, 3) BGR: the same face under another light, mirror, turn and noise: no copies."""
    rng = np.random.default_rng(seed)
    crop = portrait[HEAD].astype(np.float32)
    if seed % 2:
        crop = crop[:, ::-1]
    shade = np.linspace(rng.uniform(0.3, 1.4), rng.uniform(0.3, 1.4), 200)[None, :, None]
    slope = np.linspace(rng.uniform(0.3, 1.4), rng.uniform(0.3, 1.4), 200)[:, None, None]
    noise = cv2.resize(rng.normal(0, 25, (12, 12, 3)).astype(np.float32), (200, 200))
    return np.clip(crop * shade * slope + noise, 0, 255).astype(np.uint8)


def utk_name(age: int, gender: int, serial: int, ethnicity: int = 0) -> str:
    return f"{age}_{gender}_{ethnicity}_20170116{serial:09d}.jpg.chip.jpg"


def jpeg(bgr: np.ndarray, quality: int = 90) -> bytes:
    return cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def write_utkface(folder: Path, portrait: np.ndarray, n: int) -> list[str]:
    """`n` pictures of ages 20, 23, 26 …, alternating genders; returns their names."""
    folder.mkdir(parents=True, exist_ok=True)
    names = [utk_name(20 + 3 * i, i % 2, i) for i in range(n)]
    for i, name in enumerate(names):
        (folder / name).write_bytes(jpeg(head(portrait, i)))
    return names
