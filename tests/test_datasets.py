"""What file names of published data sets say, and how they are read."""

from __future__ import annotations

import zipfile
from collections import Counter
from pathlib import Path

import pytest

from livecam.errors import LivecamError
from train import datasets
from train.datasets import FEMALE, MALE, Label

UTKFACE = [
    ("25_0_1_20170116174525125.jpg.chip.jpg", Label(25, MALE, 1)),
    ("116_1_4_20170116174525125.jpg.chip.jpg", Label(116, FEMALE, 4)),
    ("24_0_1_20170116220224657 .jpg.chip.jpg", Label(24, MALE, 1)),  # a space, as published
    ("55_0_0_20170116232725357jpg.chip.jpg", Label(55, MALE, 0)),  # a missing dot, as published
    ("39_1_20170116174525125.jpg.chip.jpg", None),  # a missing field, as published
    ("0_1_0_20170116174525125.jpg.chip.jpg", None),
    ("200_1_0_20170116174525125.jpg.chip.jpg", None),
    ("25_2_1_20170116174525125.jpg.chip.jpg", None),
    ("25_1_7_20170116174525125.jpg.chip.jpg", None),
    ("holiday.jpg", None),
]

ALL_AGE_FACES = [
    ("00001A02.jpg", Label(2, FEMALE)),
    ("07380A80.jpg", Label(80, FEMALE)),
    ("07381A45.jpg", Label(45, MALE)),
    ("7381A45.jpg", None),
    ("07381A.jpg", None),
]


@pytest.mark.parametrize(("name", "label"), UTKFACE)
def test_utkface_names(name: str, label: Label | None) -> None:
    assert datasets.utkface_label(name) == label


@pytest.mark.parametrize(("name", "label"), ALL_AGE_FACES)
def test_all_age_faces_names(name: str, label: Label | None) -> None:
    assert datasets.allagefaces_label(name) == label


def test_folder_and_zip_give_the_same_and_count_what_they_leave_out(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "deep"
    folder.mkdir(parents=True)
    files = {
        "00001A02.jpg": b"a",
        UTKFACE[0][0]: b"b",
        "39_1_2017.jpg.chip.jpg": b"c",
        "x.txt": b"",
    }
    for name, content in files.items():
        (folder / name).write_bytes(content)
    archive = tmp_path / "data.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        for name, content in files.items():
            packed.writestr(f"deep/{name}", content)
    for path in (tmp_path / "data", archive):
        dropped: Counter[str] = Counter()
        samples = list(datasets.read(path, dropped))
        assert {(s.dataset, s.file, s.encoded) for s in samples} == {
            ("allagefaces", "00001A02.jpg", b"a"),
            ("utkface", UTKFACE[0][0], b"b"),
        }
        assert dropped == {"name not understood": 1}
        assert datasets.count(path) == 3


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, "no such file or folder"),
        (lambda path: path.write_text("text"), "neither a folder nor a zip file"),
        (lambda path: path.mkdir(), "no picture named as UTKFace"),
    ],
)
def test_data_that_is_none(tmp_path: Path, make, message: str) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "data"
    make(path)
    with pytest.raises(LivecamError, match=message):
        list(datasets.read(path, Counter()))
