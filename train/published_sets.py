"""Published data sets that come with lists of labels: what the lists say of which picture.

Each function gets the archive and the names of the lists in it, yields the pictures of their rows,
and counts in `dropped` the rows that it leaves out, by reason.
"""

from __future__ import annotations

import csv
import datetime
import functools
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from livecam.datatypes import AGES
from livecam.errors import LivecamError
from livecam.extras import require
from train import labels
from train.archive import Folder, ZipFile, is_picture, text
from train.dropped import Dropped
from train.faces import DEV, TEST, TRAIN
from train.labels import ETHNICITIES, FEMALE, GENDER_WORDS, MALE, UNKNOWN, Label

PARTS = {"train": TRAIN, "valid": DEV, "val": TEST, "test": TEST}  # FairFace's test is unpublished
MIN_FACE_SCORE = 1.0  # of IMDB-WIKI's detector, as usual for this set
MATLAB_DAYS = 366  # its day 1 is 1 January of the year 0, Python's that of the year 1

# FairFace's words to UTKFace's five; East and Southeast Asian are one there
FAIRFACE_RACES = {
    "White": "White",
    "Black": "Black",
    "East Asian": "Asian",
    "Southeast Asian": "Asian",
    "Indian": "Indian",
    "Middle Eastern": "Others",
    "Latino_Hispanic": "Others",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One labelled picture: `member` is its name in the archive, `file` its name in the result:
    without folders where it is unique, within the data set where it repeats. `part` is that of
    the data set's own lists; `person` is told apart where they tell who it is. Where `is_tight`,
    what fills the picture is a face, found or not."""

    dataset: str
    file: str
    member: str
    label: Label
    part: int = TRAIN
    person: str = ""
    is_tight: bool = False


class Places:
    """Where the pictures are that lists name: beside the list, or elsewhere in the archive at the
    end of a longer path. What is nowhere is counted. `folders` are those of all lists: what lies in
    one belongs to its own list, or to one farther in."""

    def __init__(self, archive: Folder | ZipFile, folders: Iterable[str], dropped: Dropped) -> None:
        self.archive, self.dropped = archive, dropped
        self.folders = sorted(folders, key=len, reverse=True)
        self._by_end: dict[int, dict[str, list[str]]] = {}

    def entry(
        self,
        dataset: str,
        folder: str,
        file: str,
        label: Label,
        part: int = TRAIN,
        person: str = "",
        common: int = 0,
    ) -> Iterator[Entry]:
        """One entry, or none if there is no such picture. `folder` is the list's own; `common` says
        how many folders all of its paths begin with, which need not be there: a person's own list
        may have been written elsewhere."""
        file = cleaned(file)
        member = f"{folder}/{file}" if folder else file
        if not self.archive.has(member):
            member = self._elsewhere(folder, file, common) or member
        if self.archive.has(member):
            yield Entry(dataset, file, member, label, part, person)
        else:
            self.dropped.add("picture missing", f"{self.archive.path}: {member}")

    def _elsewhere(self, folder: str, file: str, common: int) -> str | None:
        """The first picture whose path ends in this one; else one that has as much of it as can be,
        in a folder around the list."""
        parts = file.split("/")
        around = folder.split("/") if folder else []
        bases = ["/".join(around[:n]) for n in range(len(around), -1, -1)]
        names = [*self._ending(parts)]
        for start in range(1, min(common, len(parts) - 2) + 1):
            ends = "/".join(parts[start:])
            names += [
                name for base in bases if self.archive.has(name := f"{base}/{ends}".lstrip("/"))
            ]
        return next((name for name in names if self._belongs(name, folder)), None)

    def _ending(self, parts: list[str]) -> list[str]:
        """Pictures whose paths end in these parts; a name alone is one without folders."""
        if len(parts) == 1:
            return [name for name in parts if self.archive.has(name)]
        if len(parts) not in self._by_end:
            ends = self._by_end[len(parts)] = {}
            for name in filter(is_picture, self.archive.names):
                ends.setdefault("/".join(name.split("/")[-len(parts) :]), []).append(name)
        return self._by_end[len(parts)].get("/".join(parts), [])

    def _belongs(self, name: str, folder: str) -> bool:
        """Whether no other list is nearer to the picture."""
        around = (each for each in self.folders if not each or name.startswith(f"{each}/"))
        nearest = next(around, "")
        return not nearest or folder == nearest or folder.startswith(f"{nearest}/")


def cleaned(file: str) -> str:
    """The path of a picture, as an archive has it."""
    return file.strip().replace("\\", "/").removeprefix("./")


def parent(name: str) -> str:
    """`a/b/list.csv` -> `a/b`; nothing for a name without folders."""
    return name.rpartition("/")[0]


def megaage(archive: Folder | ZipFile, lists: list[str], dropped: Dropped) -> Iterator[Entry]:
    """MegaAge and MegaAge-Asian (Zhang et al. 2017): `list/train_name.txt` and
    `list/train_age.txt` line by line, pictures in `train/`; `test` alike."""
    places = Places(archive, {parent(parent(name)) for name in lists}, dropped)
    for list_name in lists:
        own = f"{archive.path.resolve().name}/{list_name}".lower()
        dataset = "megaage_asian" if "asian" in own else "megaage"
        names = text(archive, list_name).split()
        ages = text(archive, list_name.replace("_name.txt", "_age.txt")).split()
        if len(names) != len(ages):
            raise LivecamError(
                f"{archive.path}: {list_name} has {len(names)} names and its list of ages "
                f"{len(ages)}; expected as many"
            )
        root = parent(parent(list_name))
        part = list_name.rpartition("/")[2].removesuffix("_name.txt")
        for name, age in zip(names, ages, strict=True):
            if (label := labels.of_text(age)) is None:
                dropped.add("age not understood", f"{list_name}: {name}: {age!r}")
            else:
                file = f"{part}/{name}"
                yield from places.entry(dataset, root, file, label, PARTS[part])


def imdb_wiki(archive: Folder | ZipFile, lists: list[str], dropped: Dropped) -> Iterator[Entry]:
    """IMDB-WIKI (Rothe et al. 2015): `imdb.mat`, `wiki.mat`. A photo is taken to be of 1 July.

    Rows are left out in which its detector found no face, a doubtful one or a second one, and
    whose dates cannot be: nothing else says that the labelled person is the one in the picture.
    """
    places = Places(archive, map(parent, lists), dropped)
    for list_name in lists:
        dataset = list_name.rpartition("/")[2].removesuffix(".mat")
        columns = _mat_columns(archive, list_name, dataset)
        for born, taken, path, gender, score, second, name in zip(*columns, strict=True):
            age = _age_on_1_july(born, taken)
            if not np.isfinite(score):
                dropped["no face in its list"] += 1
            elif score < MIN_FACE_SCORE:
                dropped[f"face score below {MIN_FACE_SCORE:g}"] += 1
            elif not np.isnan(second):
                dropped["a second face"] += 1
            elif age is None:
                dropped["impossible age"] += 1
            else:
                sex = {0.0: FEMALE, 1.0: MALE}.get(float(gender), UNKNOWN)
                person = f"imdb_wiki {_cell(name)}" if _cell(name) else ""  # many are in both
                label, folder = labels.exact(age, sex), parent(list_name)
                yield from places.entry(dataset, folder, _cell(path), label, person=person)


def _mat_columns(archive: Folder | ZipFile, name: str, variable: str) -> list[np.ndarray]:
    require("scipy", "train")
    from scipy.io import loadmat

    fields = (
        "dob", "photo_taken", "full_path", "gender", "face_score", "second_face_score", "name",
    )  # fmt: skip
    try:
        table: Any = loadmat(io.BytesIO(archive.read(name)))[variable][0, 0]
        columns = [np.ravel(table[field]) for field in fields]
    except Exception as error:  # loadmat raises whatever a damaged file makes it stumble over
        raise LivecamError(
            f"{archive.path}: {name}: expected a MATLAB struct {variable!r} with the fields "
            f"{', '.join(fields)} ({error})"
        ) from error
    if len({len(column) for column in columns}) != 1:
        raise LivecamError(f"{archive.path}: {name}: its fields are of different lengths")
    return columns


def _cell(value: Any) -> str:
    """The text of a cell of MATLAB; nothing for an empty one."""
    return str(np.ravel(value)[0]) if np.size(value) else ""


def _age_on_1_july(matlab_day: float, year: float) -> int | None:
    """Whole years from a birth to 1 July of `year`; None if nobody is of that age."""
    if not (np.isfinite(matlab_day) and np.isfinite(year)):
        return None
    day = int(matlab_day) - MATLAB_DAYS
    if not 1 <= day <= datetime.date.max.toordinal():
        return None
    born = datetime.date.fromordinal(day)
    age = int(year) - born.year - ((born.month, born.day) > (7, 1))
    return age if 0 <= age < AGES else None


def appa_real(
    archive: Folder | ZipFile,
    lists: list[str],
    dropped: Dropped,
    real_age: bool = False,
) -> Iterator[Entry]:
    """APPA-REAL (Agustsson et al. 2017): `gt_avg_train.csv`, `_valid`, `_test`; pictures in
    `train/` and so on. Of a photo and the crop of its face, `…_face.jpg`, only the crop is used.
    """
    column = "real_age" if real_age else "apparent_age_avg"
    places = Places(archive, map(parent, lists), Dropped())
    for list_name in lists:
        part = list_name.rpartition("gt_avg_")[2].removesuffix(".csv")
        for row in rows(archive, list_name, ("file_name", column)):
            label = labels.of_text(row[column])
            if label is None:
                dropped.add(
                    "age not understood", f"{list_name}: {row['file_name']}: {row[column]!r}"
                )
                continue
            file, folder = f"{part}/{row['file_name']}", parent(list_name)
            entry = functools.partial(places.entry, "appa_real", folder, part=PARTS[part])
            found = list(entry(f"{file}_face.jpg", label)) or list(entry(file, label))
            if not found:
                dropped.add("picture missing", f"{archive.path}: {file}")
            yield from found


def fairface(archive: Folder | ZipFile, lists: list[str], dropped: Dropped) -> Iterator[Entry]:
    """FairFace (Kärkkäinen and Joo 2021): `fairface_label_train.csv`, `_val`. Ages are groups;
    Middle Eastern and Latino_Hispanic become Others."""
    places = Places(archive, map(parent, lists), dropped)
    for list_name in lists:
        part = PARTS[list_name.rpartition("_")[2].removesuffix(".csv")]
        for row in rows(archive, list_name, ("file", "age", "gender", "race")):
            gender = GENDER_WORDS.get(row["gender"].lower(), UNKNOWN)
            race = FAIRFACE_RACES.get(row["race"])
            ethnicity = ETHNICITIES.index(race) if race else UNKNOWN
            label = labels.of_text(row["age"], gender, ethnicity)
            if label is None:
                dropped.add("age not understood", f"{list_name}: {row['file']}: {row['age']!r}")
            else:
                yield from places.entry("fairface", parent(list_name), row["file"], label, part)


def adience(archive: Folder | ZipFile, lists: list[str], dropped: Dropped) -> Iterator[Entry]:
    """Adience (Eidinger et al. 2014): `fold_0_data.txt` to 4, pictures in `aligned/` or, with
    other names, in `faces/`; the aligned one where there are both."""
    places = Places(archive, map(parent, lists), Dropped())
    columns = ("user_id", "original_image", "face_id", "age", "gender")
    for list_name in lists:
        for row in rows(archive, list_name, columns, delimiter="\t"):
            gender = GENDER_WORDS.get(row["gender"].lower(), UNKNOWN)
            label = labels.of_text(row["age"], gender)
            if label is None:
                if row["age"] in ("", "None"):
                    dropped["without an age"] += 1
                else:
                    dropped.add("age not understood", f"{list_name}: {row['age']!r}")
                continue
            end = f"{row['face_id']}.{row['original_image']}"
            aligned = f"aligned/{row['user_id']}/landmark_aligned_face.{end}"
            upright = f"faces/{row['user_id']}/coarse_tilt_aligned_face.{end}"
            person = f"adience {row['user_id']}"
            entry = functools.partial(places.entry, "adience", parent(list_name), person=person)
            found = list(entry(aligned, label)) or list(entry(upright, label))
            if not found:
                dropped.add("picture missing", f"{archive.path}: {aligned}")
            yield from found


def header(archive: Folder | ZipFile, name: str, delimiter: str = ",") -> list[str]:
    """The names of a table's columns, in small letters."""
    first = io.StringIO(text(archive, name), newline=None).readline()  # lines end as they like to
    try:
        fields = next(csv.reader([first], delimiter=delimiter), [])
    except csv.Error as error:
        raise LivecamError(f"{archive.path}: {name}: cannot be read: {error}") from error
    return [field.strip().lower() for field in fields]


def rows(
    archive: Folder | ZipFile, name: str, columns: tuple[str, ...], delimiter: str = ","
) -> Iterator[dict[str, str]]:
    """The rows of a table with a header, stripped. Raises LivecamError without the columns."""
    found = header(archive, name, delimiter)
    missing = [column for column in columns if column not in found]
    if missing:
        raise LivecamError(
            f"{archive.path}: {name}: expected the columns {', '.join(columns)}"
            f"{' between tabs' if delimiter != ',' else ' between commas'}; "
            f"there is no {' and no '.join(missing)} in {', '.join(found) or 'an empty file'}"
        )
    twice = [column for column in columns if found.count(column) > 1]
    if twice:
        raise LivecamError(
            f"{archive.path}: {name}: has the column {twice[0]} {found.count(twice[0])} times; "
            "rename those that are not meant"
        )
    lines = io.StringIO(text(archive, name), newline=None)
    table = csv.DictReader(lines, found, restval="", delimiter=delimiter)
    try:
        next(table)
        for row in table:
            yield {column: (row[column] or "").strip() for column in columns}
    except csv.Error as error:
        raise LivecamError(f"{archive.path}: {name}, line {table.line_num}: {error}") from error
