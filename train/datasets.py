"""Published face data sets: their pictures and what their file names say.

A data set is a folder or a zip file. `read(path)` yields one `Sample` per picture and counts what
it had to leave out, so that nothing disappears silently.
"""

from __future__ import annotations

import functools
import re
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from livecam.errors import LivecamError

PICTURES = (".jpg", ".jpeg", ".png", ".bmp", ".webp")

MALE, FEMALE, UNKNOWN = 0, 1, -1
ETHNICITIES = ("White", "Black", "Asian", "Indian", "Others")  # UTKFace's, by its numbers


@dataclass(frozen=True, slots=True)
class Label:
    """`age` in years; `gender` and `ethnicity` as numbers, -1 where the data set has none."""

    age: int
    gender: int
    ethnicity: int = UNKNOWN


@dataclass(frozen=True, slots=True)
class Sample:
    """One labelled picture, still encoded. `file` is its name without folders."""

    dataset: str
    file: str
    label: Label
    encoded: bytes


def utkface_label(name: str) -> Label | None:
    """`AGE_GENDER_RACE_DATE….jpg` of UTKFace (Zhang et al. 2017); None if it is not one.

    Five names of the published set are malformed. Two lack a field, so that it cannot be told
    which; they are left out.
    """
    match = re.fullmatch(r"(\d{1,3})_([01])_([0-4])_\d{8,}\s*\.?jpg.*", name)
    if match is None or not 0 < int(match[1]) <= 116:
        return None
    return Label(int(match[1]), int(match[2]), int(match[3]))


def allagefaces_label(name: str) -> Label | None:
    """`SSSSSAaa.jpg` of All-Age-Faces (Cheng et al. 2019): serials up to 07380 are female."""
    match = re.fullmatch(r"(\d{5})A(\d{2})\.jpg", name)
    if match is None:
        return None
    return Label(int(match[2]), FEMALE if int(match[1]) <= 7380 else MALE)


READERS: dict[str, Callable[[str], Label | None]] = {
    "utkface": utkface_label,
    "allagefaces": allagefaces_label,
}


def read(path: Path, dropped: Counter[str]) -> Iterator[Sample]:
    """The labelled pictures of a zip file or folder, in order of name.

    Raises LivecamError if `path` is neither, or holds no picture with a known kind of name.
    """
    found = False
    for name, load in _pictures(path):
        dataset, label = _label(name)
        if label is None:
            dropped["name not understood"] += 1
            continue
        found = True
        yield Sample(dataset, name, label, load())
    if not found:
        raise LivecamError(
            f"{path}: no picture named as UTKFace (25_0_1_20170116….jpg) or All-Age-Faces "
            "(00001A02.jpg) names them; give the data set's folder or zip file"
        )


def count(path: Path) -> int:
    """How many pictures `read` will look at."""
    return sum(1 for _ in _pictures(path))


def _label(name: str) -> tuple[str, Label | None]:
    for dataset, reader in READERS.items():
        label = reader(name)
        if label is not None:
            return dataset, label
    return "", None


def _pictures(path: Path) -> Iterator[tuple[str, Callable[[], bytes]]]:
    if path.is_dir():
        for file in sorted(path.rglob("*")):
            if file.suffix.lower() in PICTURES:
                yield file.name, file.read_bytes
    elif zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            for member in sorted(archive.namelist()):
                if member.lower().endswith(PICTURES) and not member.startswith("__MACOSX"):
                    yield Path(member).name, functools.partial(archive.read, member)
    elif path.exists():
        raise LivecamError(f"{path}: neither a folder nor a zip file; give a data set as one")
    else:
        raise LivecamError(f"{path}: no such file or folder; give a data set's folder or zip file")
