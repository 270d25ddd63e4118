"""Small data sets, most of one public-domain portrait under the names of published ones, and what
a network might answer to such faces."""

from __future__ import annotations

from pathlib import Path

import cv2
import h5py
import numpy as np

from livecam.ages import YEARS
from train.faces import FaceSet
from train.labels import Labels

PROVENANCE = {  # of a run
    "data_hash": "0" * 16,
    "crop_px": 128,
    "dev_faces": {"utkface": 9},
    "knows_gender": True,
}
HEAD = slice(30, 230), slice(120, 320)  # of the 512 px portrait


def head(portrait: np.ndarray, seed: int) -> np.ndarray:
    """(200, 200, 3) BGR: the same face, bent, under another light, mirror and noise: no copies."""
    rng = np.random.default_rng(seed)
    crop = portrait[HEAD].astype(np.float32)
    if seed % 2:
        crop = crop[:, ::-1]
    shade = np.linspace(rng.uniform(0.3, 1.4), rng.uniform(0.3, 1.4), 200)[None, :, None]
    slope = np.linspace(rng.uniform(0.3, 1.4), rng.uniform(0.3, 1.4), 200)[:, None, None]
    noise = cv2.resize(rng.normal(0, 35, (12, 12, 3)).astype(np.float32), (200, 200))
    bent_px = rng.normal(0, 3, (5, 5, 2)).astype(np.float32)
    y, x = np.indices((200, 200), np.float32)
    dx, dy = cv2.split(cv2.resize(bent_px, (200, 200), interpolation=cv2.INTER_CUBIC))
    crop = cv2.remap(crop, x + dx, y + dy, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
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


def write_split(path: Path) -> Path:
    """30 faces of 1 to 80 years: 24 to learn, 6 to judge."""
    write_h5(path)
    with h5py.File(path, "a") as h5:
        h5["split"][:] = [0, 0, 0, 0, 1] * 6
    return path


def write_h5(path: Path, n: int = 30, gender: int | None = None) -> Path:
    """A file as `train.prepare` writes it, of `n` patterns instead of faces, all of the test part
    but the last two (training, left out); the second is a copy of the first."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (n, 8, 8, 3), np.uint8)
    label_age = np.linspace(1, 80, n).astype(np.int16)
    age = label_age.astype(np.float32)
    age[1:2] = age[:1]
    split = np.full(n, 2, np.int8)
    split[-2:] = 0, 3
    text = h5py.string_dtype()
    with h5py.File(path, "w") as h5:
        crops = coarse.repeat(16, axis=1).repeat(16, axis=2)
        h5.create_dataset("crops", data=crops, chunks=(1, *crops.shape[1:]))
        h5["dataset"] = np.array(["utkface"] * n, dtype=text)
        h5["file"] = np.array([f"<b>{i}</b>.jpg" for i in range(n)], dtype=text)
        h5["label_age"], h5["age"], h5["split"] = label_age, age, split
        h5["age_low"] = h5["age_high"] = np.floor(age).astype(np.int16)
        h5["gender"] = np.arange(n, dtype=np.int8) % 2 if gender is None else np.int8([gender] * n)
        h5["ethnicity"] = np.arange(n, dtype=np.int8) % 5
        h5["detected"] = np.ones(n, bool)
        h5["group"] = np.r_[0, 0, 2:n]
        h5.attrs["data_hash"] = "0" * 16
    return path


def face_set(low: list[int] | np.ndarray, high: list[int] | np.ndarray | None = None) -> FaceSet:
    """Black faces whose ages lie in `low` to `high`, by turns of the sets utkface and other."""
    lows, highs = np.array(low), np.array(low if high is None else high)
    n = len(lows)
    return FaceSet(
        crops=np.zeros((n, 2, 2, 3), np.uint8),
        labels=Labels(
            (lows + highs).astype(np.float32) / 2, lows, highs, np.full(n, -1), np.full(n, -1)
        ),
        dataset=np.array(["utkface" if i % 2 == 0 else "other" for i in range(n)]),
        file=np.array([str(i) for i in range(n)]),
        data_hash="0",
    )


def bells(centres: np.ndarray, width: float) -> np.ndarray:
    """Normal distributions over the ages, `width` their standard deviation: (n,) -> (n, 101)."""
    probs = np.exp(-(((YEARS - centres[:, None]) / width) ** 2) / 2).astype(np.float32)
    return probs / probs.sum(axis=1, keepdims=True)
