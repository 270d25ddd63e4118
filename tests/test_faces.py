"""The prepared file: its crops stay on disk and are indexed like an array."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from livecam.errors import LivecamError
from train import faces

N = 40


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As `train.prepare` writes it: crops grow by and by, other columns come after."""
    rng = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("faces") / "faces.h5"
    shape = (128, 128, 3)
    with h5py.File(path, "w") as h5:
        crops = h5.create_dataset(
            "crops", (0, *shape), np.uint8, maxshape=(None, *shape), chunks=(1, *shape)
        )
        for end in (7, N):
            start = len(crops)
            crops.resize(end, axis=0)
            crops[start:] = rng.integers(0, 256, (end - start, *shape))
        text = h5py.string_dtype()
        h5["split"] = np.arange(N, dtype=np.int8) % 2  # train, dev, train …
        h5["age"] = np.arange(N, dtype=np.float32) + 0.5
        h5["age_low"] = np.arange(N, dtype=np.int16)
        h5["age_high"] = np.arange(N, dtype=np.int16) + 1
        for name in ("gender", "ethnicity"):
            h5[name] = np.zeros(N, np.int8)
        for name in ("dataset", "file"):
            h5[name] = np.array([f"{name}{i % 4}" for i in range(N)], dtype=text)
        h5.attrs["data_hash"] = "0123456789abcdef"
    return path


@pytest.fixture(scope="module")
def expected(file: Path) -> np.ndarray:
    with h5py.File(file) as h5:
        return h5["crops"][1::2]


@pytest.mark.parametrize(
    "rows",
    [
        0, -1, np.int64(7), slice(None), slice(3, 9, 2), slice(None, None, -1), slice(5, 5),
        [4, 1, 4], np.array([9, 0, 9, -1]), np.arange(20) % 3 == 0, np.zeros(0, int),
    ],
    ids=str,
)  # fmt: skip
def test_crops_are_indexed_like_an_array(file: Path, expected: np.ndarray, rows) -> None:  # type: ignore[no-untyped-def]
    crops = faces.load(file, "dev").crops
    assert (len(crops), crops.shape) == (20, (20, 128, 128, 3))
    got = crops[rows]
    assert got.dtype == np.uint8
    np.testing.assert_array_equal(got, expected[rows])
    got[...] = 0  # a copy
    np.testing.assert_array_equal(crops[rows], expected[rows])


def test_crops_end(file: Path, expected: np.ndarray) -> None:
    crops = faces.load(file, "dev").crops
    with pytest.raises(IndexError):
        crops[20]
    assert len(list(crops)) == 20  # type: ignore[call-overload]


def test_crops_are_read_by_several_threads(file: Path, expected: np.ndarray) -> None:
    crops = faces.load(file, "dev").crops
    wrong = []

    def read(seed: int) -> None:
        for row in np.random.default_rng(seed).integers(0, 20, 300):
            if not np.array_equal(crops[row], expected[row]):
                wrong.append(row)

    threads = [threading.Thread(target=read, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_labels_may_be_intervals(file: Path) -> None:
    dev = faces.load(file, "dev")
    assert dev.labels.low.tolist() == list(range(1, N, 2))
    assert dev.labels.high.tolist() == list(range(2, N + 1, 2))


def test_each_data_set_has_to_be_in_the_part_where_that_is_asked(file: Path) -> None:
    assert len(faces.load(file, "dev", ["dataset0", "dataset1"])) > 0  # all of dataset1
    with pytest.raises(LivecamError, match="no face in its dev part of dataset0; "):
        faces.load(file, "dev", ["dataset0", "dataset1"], each=True)


def test_one_data_set_of_a_part(file: Path) -> None:
    dev = faces.load(file, "dev", ["dataset1"])
    assert set(dev.dataset) == {"dataset1"}
    assert len(dev.crops) == len(dev) == 10
    every = faces.load(file, "dev")
    names = sorted(set(every.dataset))
    assert len(faces.load(file, "dev", names[:2])) == np.isin(every.dataset, names[:2]).sum()
    assert np.array_equal(faces.load(file, "dev", names).file, every.file)
    with pytest.raises(LivecamError, match="no face in its dev part of dataset0"):
        faces.load(file, "dev", ["dataset0"])
    with pytest.raises(LivecamError, match=r"of Dataset1; did you mean 'dataset1'\?; those in it"):
        faces.load(file, "dev", ["Dataset1"])
    with pytest.raises(LivecamError, match=r"of Dataset3; did you mean 'dataset3'\?; those in it"):
        faces.load(file, "dev", ["dataset1", "Dataset3"])
    assert set(faces.load(file, "dev", ["dataset0", "dataset1"]).dataset) == {"dataset1"}


@pytest.mark.parametrize("how", [{"compression": "gzip"}, {"chunks": True, "dtype": np.float32}])
def test_crops_packed_by_another_program_are_refused(
    file: Path, tmp_path: Path, how: dict[str, Any]
) -> None:
    packed = tmp_path / "packed.h5"
    with h5py.File(file) as source, h5py.File(packed, "w") as h5:
        for name in source:
            if name != "crops":
                source.copy(name, h5)
        crops = source["crops"][()]
        if "chunks" in how:
            how = {**how, "chunks": (1, *crops.shape[1:])}
        h5.create_dataset("crops", data=crops, **how)
        h5.attrs["data_hash"] = "0"
    with pytest.raises(LivecamError, match="crops were packed anew by another program"):
        faces.load(packed, "dev")


def test_a_file_that_was_cut_off_is_damaged(file: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.h5"
    cut.write_bytes(file.read_bytes()[:-100_000])
    with pytest.raises(LivecamError, match="or a damaged one"):
        faces.load(cut, "dev")
