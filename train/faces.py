"""The file of aligned faces that `train.prepare` writes: its columns, and reading them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from livecam.datatypes import Image
from livecam.errors import LivecamError

TRAIN, DEV, TEST, LEFT_OUT = range(4)
SPLITS = {"train": TRAIN, "dev": DEV, "test": TEST}


@dataclass(frozen=True)
class FaceSet:
    """Labelled crops: `crops` (n, 128, 128, 3) RGB, `age` (n,) years, `gender` and `ethnicity`
    (n,) numbers of the data set, -1 unknown; `dataset` and `file` (n,) say where each is from."""

    crops: Image
    age: np.ndarray
    gender: np.ndarray
    ethnicity: np.ndarray
    dataset: np.ndarray
    file: np.ndarray
    data_hash: str

    def __len__(self) -> int:
        return len(self.age)


def load(path: Path, split: str, dataset: str | None = None) -> FaceSet:
    """One part of the file, of all data sets or one of them, in memory (49 KB a face).

    Raises LivecamError if the file is none of `train.prepare`, or the part is empty.
    """
    with opened(path) as h5:
        where = _rows(h5, split, dataset)
        if not len(where):
            part = f"{split} part" + (f" of {dataset}" if dataset is not None else "")
            raise LivecamError(f"{path}: no face in its {part}; see python -m train.prepare -h")
        return FaceSet(
            crops=h5["crops"][where],
            age=h5["age"][where].astype(np.float32),
            gender=h5["gender"][where],
            ethnicity=h5["ethnicity"][where],
            dataset=h5["dataset"].asstr()[where],
            file=h5["file"].asstr()[where],
            data_hash=str(h5.attrs["data_hash"]),
        )


def ages(path: Path, split: str, dataset: str | None = None) -> np.ndarray:
    """The ages (n,) of one part, which may be empty, without reading a picture."""
    with opened(path) as h5:
        return h5["age"][_rows(h5, split, dataset)].astype(np.float32)


def _rows(h5: h5py.File, split: str, dataset: str | None) -> np.ndarray:
    wanted = h5["split"][()] == SPLITS[split]
    if dataset is not None:
        wanted &= h5["dataset"].asstr()[()] == dataset
    return np.nonzero(wanted)[0]


@contextlib.contextmanager
def opened(path: Path) -> Iterator[h5py.File]:
    """The file, for reading. Raises LivecamError if it is none of `train.prepare`."""
    try:
        with h5py.File(path) as h5:
            yield h5
    except FileNotFoundError as error:
        raise LivecamError(f"{path}: no such file; make it with python -m train.prepare") from error
    except (OSError, KeyError) as error:
        what = str(error).partition("\n")[0]  # HDF5 tells of a folder in two lines
        raise LivecamError(
            f"{path}: not a file of python -m train.prepare, or a damaged one ({what})"
        ) from error
