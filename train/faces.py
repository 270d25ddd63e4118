"""The file of aligned faces that `train.prepare` writes: its columns, and reading them."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from livecam.datatypes import Image
from livecam.errors import LivecamError
from livecam.wording import suggestion
from train.labels import Labels

TRAIN, DEV, TEST, LEFT_OUT = range(4)
SPLITS = {"train": TRAIN, "dev": DEV, "test": TEST}


class Crops:
    """Crops (n, px, px, 3) RGB uint8 that stay in their file; an index or slice copies some.

    `crops[7]` is one crop; a slice, an array of numbers (in any order, repeats allowed) or of
    booleans gives (m, px, px, 3). The file holds each crop uncompressed in one piece, so a crop
    is read from the mapped file in microseconds, by any thread.
    """

    def __init__(self, path: Path, starts: np.ndarray, shape: tuple[int, ...]) -> None:
        self._bytes = np.asarray(np.memmap(path, np.uint8, mode="r"))
        self._size = int(np.prod(shape))
        self._starts = starts  # (n,) where each crop begins in the file
        self.shape = (len(starts), *shape)

    def __len__(self) -> int:
        return len(self._starts)

    def __getitem__(self, rows: int | np.integer | slice | list[int] | np.ndarray) -> Image:
        starts = self._starts[rows]
        if np.ndim(starts) == 0:
            return self._crop(int(starts))
        out = np.empty((len(starts), *self.shape[1:]), np.uint8)
        for crop, start in zip(out, starts, strict=True):
            crop[...] = self._crop(int(start))
        return out

    def _crop(self, start: int) -> Image:
        return self._bytes[start : start + self._size].reshape(self.shape[1:]).copy()


@dataclass(frozen=True)
class FaceSet:
    """Labelled crops: `crops` (n, px, px, 3) RGB and their `labels`; `dataset` and `file` (n,) say
    where each is from. `missing` pictures of the part have no crop, as no face was found."""

    crops: Crops
    labels: Labels
    dataset: np.ndarray
    file: np.ndarray
    data_hash: str
    missing: int = 0

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def crop_px(self) -> int:
        """Side of the crops."""
        return self.crops.shape[1]


def load(path: Path, split: str, datasets: Collection[str] = (), *, each: bool = False) -> FaceSet:
    """One part of the file, of all data sets or some of them; the crops stay in the file.

    Raises LivecamError if the file is none of `train.prepare`, the part is empty, or a data set is
    in no part or, with `each`, not in this one.
    """
    with opened(path) as h5:
        where = _rows(h5, split, datasets)
        names = h5["dataset"].asstr()[()]
        known = np.unique(names[_rows(h5, split, ())])
        if not (len(where) and set(datasets) <= set(known if each else names)):
            datasets = [name for name in datasets if name not in known]
            of_sets = f" of {', '.join(datasets)}" if datasets else ""
            of_sets += next((suggestion(name, known) for name in datasets), "")
            others = f"; those in it are of {', '.join(known)}" if len(known) else ""
            raise LivecamError(
                f"{path}: no face in its {split} part{of_sets}{others}; parts are made by "
                "python -m train.prepare, with --test-list, --dev-list or --dev-share"
            )
        labels = Labels(
            h5["age"][()].astype(np.float32),
            h5["age_low"][()],
            h5["age_high"][()],
            h5["gender"][()],
            h5["ethnicity"][()],
        )
        return FaceSet(
            crops=_crops(path, h5["crops"], where),
            labels=labels[where],
            dataset=h5["dataset"].asstr()[()][where],
            file=h5["file"].asstr()[()][where],
            data_hash=str(h5.attrs["data_hash"]),
            missing=_missing(h5, split, datasets),
        )


def _missing(h5: h5py.File, split: str, datasets: Collection[str]) -> int:
    by_dataset = json.loads(h5.attrs.get("missing", "{}")).get(split, {})
    return sum(n for name, n in by_dataset.items() if name in (datasets or by_dataset))


def ages(path: Path, split: str, datasets: Collection[str] = ()) -> np.ndarray:
    """The ages (n,) of one part, which may be empty, without reading a picture."""
    with opened(path) as h5:
        return h5["age"][()][_rows(h5, split, datasets)].astype(np.float32)


def _crops(path: Path, dataset: h5py.Dataset, where: np.ndarray) -> Crops:
    shape = dataset.shape[1:]
    is_other = dataset.dtype != np.uint8 or dataset.chunks != (1, *shape)
    if is_other or dataset.id.get_create_plist().get_nfilters():
        raise LivecamError(
            f"{path}: its crops were packed anew by another program; expected bytes, each crop "
            "uncompressed in a piece of its own; make the file with python -m train.prepare"
        )
    starts = np.full(len(dataset), -1, np.int64)

    def note(chunk: h5py.h5d.StoreInfo) -> None:
        starts[chunk.chunk_offset[0]] = chunk.byte_offset

    dataset.id.chunk_iter(note)
    if (starts[where] < 0).any():
        raise LivecamError(f"{path}: crops are missing; make it again with python -m train.prepare")
    return Crops(path, starts[where], shape)


def _rows(h5: h5py.File, split: str, datasets: Collection[str]) -> np.ndarray:
    wanted = h5["split"][()] == SPLITS[split]
    if datasets:
        wanted &= np.isin(h5["dataset"].asstr()[()], list(datasets))
    return np.nonzero(wanted)[0]


@contextlib.contextmanager
def opened(path: Path) -> Iterator[h5py.File]:
    """The file, for reading. Raises LivecamError if it is none of `train.prepare`."""
    try:
        with h5py.File(path) as h5:
            yield h5
    except FileNotFoundError as error:
        raise LivecamError(f"{path}: no such file; make it with python -m train.prepare") from error
    except IsADirectoryError as error:
        raise LivecamError(
            f"{path}: is a folder; expected a file of python -m train.prepare"
        ) from error
    except (OSError, KeyError) as error:
        what = str(error).partition("\n")[0]  # HDF5 tells of a folder in two lines
        raise LivecamError(
            f"{path}: not a file of python -m train.prepare, or a damaged one ({what})"
        ) from error
