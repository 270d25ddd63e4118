"""Face data sets: which one a folder, zip file or table is, and which picture has which label.

What a path holds is told from its layout. Nothing is left out silently: every row or picture that
cannot be used is counted by reason, and without a list, so is every file that may be a picture.
"""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from livecam.errors import LivecamError, UsageError
from train import labels, published_sets
from train.archive import Folder, ZipFile, is_picture, is_plainly_other, opened
from train.dropped import Dropped
from train.faces import DEV, TEST, TRAIN
from train.labels import FEMALE, GENDER_WORDS, MALE, Interval, Label
from train.published_sets import Entry, Places

UNDERSTOOD = (
    "UTKFace (25_0_1_20170116….jpg) and All-Age-Faces (00001A02.jpg) by their names; "
    "MegaAge (list/train_name.txt, list/train_age.txt), IMDB-WIKI (imdb.mat, wiki.mat), "
    "APPA-REAL (gt_avg_train.csv), FairFace (fairface_label_train.csv), Adience "
    "(fold_0_data.txt); a .csv file with the columns file and age or class; a folder for each age "
    "or class (25, 18-24, 65+, or names with --classes)"
)

MOST_NUMBERED = 12  # classes, that may have numbers in place of names
PARTS = {
    "train": TRAIN, "training": TRAIN, "val": DEV, "valid": DEV, "validation": DEV,
    "test": TEST, "testing": TEST,
}  # fmt: skip

_Lister = Callable[[Folder | ZipFile, list[str], Dropped], Iterator[Entry]]
LISTS: dict[str, _Lister] = {
    r"(.*/)?list/(train|test)_name\.txt": published_sets.megaage,
    r"(.*/)?(imdb|wiki)\.mat": published_sets.imdb_wiki,
    r"(.*/)?gt_avg_(train|valid|test)\.csv": published_sets.appa_real,
    r"(.*/)?fairface_label_(train|val)\.csv": published_sets.fairface,
    r"(.*/)?fold_\d_data\.txt": published_sets.adience,
}


def utkface_label(name: str) -> Label | None:
    """`AGE_GENDER_RACE_DATE….jpg` of UTKFace (Zhang et al. 2017); None if it is not one.

    Five names of the published set are malformed. Two lack a field, so that it cannot be told
    which; they are left out.
    """
    match = re.fullmatch(r"(\d{1,3})_([01])_([0-4])_\d{8,}\s*\.?jpg.*", name)
    if match is None or not 0 < int(match[1]) <= labels.OLDEST:
        return None
    return labels.exact(int(match[1]), int(match[2]), int(match[3]))


def allagefaces_label(name: str) -> Label | None:
    """`SSSSSAaa.jpg` of All-Age-Faces (Cheng et al. 2019): serials up to 07380 are female."""
    match = re.fullmatch(r"(\d{5})A(\d{2})\.jpg", name)
    if match is None:
        return None
    return labels.exact(int(match[2]), FEMALE if int(match[1]) <= 7380 else MALE)


class Classes(dict[str, Interval]):
    """The ages of classes that have names, by name; and which of the names were met in the data."""

    def __init__(self, ages: Mapping[str, Interval]) -> None:
        super().__init__(ages)
        self.met: set[str] = set()


BY_NAME: dict[str, Callable[[str], Label | None]] = {
    "utkface": utkface_label,
    "allagefaces": allagefaces_label,
}

PUBLISHED = frozenset(
    {*BY_NAME, "megaage", "megaage_asian", "imdb", "wiki", "appa_real", "fairface", "adience"}
)


def open_data(path: Path) -> Folder | ZipFile:
    """The folder or zip file, or the folder around a `.csv` file; the caller closes it.

    Raises LivecamError if there is none.
    """
    return Folder(path.parent) if _is_table(path) else opened(path)


def entries(
    path: Path,
    archive: Folder | ZipFile,
    dropped: Dropped,
    classes: Classes,
    real_age: bool = False,
) -> Iterator[Entry]:
    """The labelled pictures of `open_data(path)`: in order of name, or of the rows of its lists.

    `real_age` takes APPA-REAL's real ages in place of the apparent ones. Raises LivecamError if the
    layout is none that is understood.
    """
    if _is_table(path):
        return _table(path.stem, archive, path.name, [path.name], dropped, classes)
    lists = _published_lists(archive)
    if len(lists) > 1:
        found = " and ".join(names[0] for names in lists.values())
        raise LivecamError(f"{path}: has lists of two data sets, {found}; give each by itself")
    for lister, names in lists.items():
        if lister is published_sets.appa_real and real_age:
            lister = functools.partial(published_sets.appa_real, real_age=True)
        return lister(archive, names, dropped)
    pictures = [name for name in archive.names if is_picture(name)]
    has_names = any(_named(name) for name in pictures)
    has_folders = any("/" in name for name in pictures)
    tables = _tables(archive, has_names or has_folders)
    if has_names and tables:
        raise LivecamError(
            f"{path}: labels in the pictures' names, and in {tables[0]} too; give that table by "
            "itself, or move it to another place"
        )
    if has_names:
        _require_no_classes(path, pictures, classes)
        _count_others(archive, dropped)
        return _by_name(path, pictures, dropped)
    if tables:
        own = path.resolve().stem  # of `.` too
        parts = (_table(own, archive, name, tables, dropped, classes) for name in tables)
        return (entry for part in parts for entry in part)
    if has_folders:
        _count_others(archive, dropped)
        return _by_folder(path, pictures, dropped, classes)
    raise LivecamError(f"{path}: no data set that is understood; that would be {UNDERSTOOD}")


def _count_others(archive: Folder | ZipFile, dropped: Dropped) -> None:
    """Count files that might be pictures, of a kind that is not read or without a suffix."""
    for name in archive.names:
        if not is_picture(name) and not is_plainly_other(name):
            dropped.add("not a picture's name", name)


def _require_no_classes(path: Path, pictures: list[str], classes: Classes) -> None:
    """Raises LivecamError if pictures whose names have labels, or others beside them, have labels
    by their folders too."""
    folders = {_folder_of(name) for name in pictures if "/" in name}
    if ages := sorted(name for name in folders if _class_label(name, classes) is not None):
        named = next(name for name in pictures if _named(name))
        raise LivecamError(
            f"{path}: labels in the pictures' names, as in {named}, and in those of folders, as "
            f"in {ages[0]!r}, too; rename the pictures or the folders, whichever are not meant"
        )


def _tables(archive: Folder | ZipFile, has_others: bool) -> list[str]:
    """The tables of files and ages or classes; where nothing else has labels (`has_others`), any
    table, for its error."""
    tables = [name for name in archive.names if name.lower().endswith(".csv")]
    listing = [name for name in tables if _lists_ages(archive, name, has_others)]
    return listing or ([] if has_others else tables)


def _lists_ages(archive: Folder | ZipFile, name: str, has_others: bool) -> bool:
    try:
        header = published_sets.header(archive, name)
    except LivecamError:
        if has_others:  # a table of something else, which need not be readable
            return False
        raise
    return "file" in header and not {"age", "class"}.isdisjoint(header)


def _is_table(path: Path) -> bool:
    return path.suffix.lower() == ".csv" and path.is_file()


def _published_lists(archive: Folder | ZipFile) -> dict[_Lister, list[str]]:
    found: dict[_Lister, list[str]] = {}
    for name in archive.names:
        for pattern, lister in LISTS.items():
            if re.fullmatch(pattern, name):
                found.setdefault(lister, []).append(name)
    return found


def _named(name: str) -> tuple[str, str, Label] | None:
    """Data set, name without folders and label of a picture that is named as a set names them."""
    base = name.rpartition("/")[2]
    for dataset, reader in BY_NAME.items():
        if (label := reader(base)) is not None:
            return dataset, base, label
    return None


def _by_name(path: Path, pictures: list[str], dropped: Dropped) -> Iterator[Entry]:
    """Of those of one name and part the first: what is downloaded may hold each person as a picture
    and as a crop of it, or all of them twice."""
    met: set[tuple[str, int]] = set()
    for member in pictures:
        if (known := _named(member)) is None:
            dropped.add("name not understood", member)
            continue
        dataset, file, label = known
        part = _own_part([path.resolve().stem, *member.split("/")[:-1]])
        if (file, part) in met:
            dropped["another picture of that name"] += 1
        else:
            met.add((file, part))
            # UTKFace publishes crops, which have `.chip` in their names, and whole pictures
            is_tight = dataset != "utkface" or ".chip" in file
            yield Entry(dataset, file, member, label, part, is_tight=is_tight)


def _own_part(words: list[str]) -> int:
    """That of a person's own pictures, by the last folder, or word, that says one."""
    said = [PARTS[word] for word in map(str.lower, words) if word in PARTS]
    return said[-1] if said else TRAIN


def _folders_of_all(files: Iterable[str]) -> list[str]:
    """That all paths begin with."""
    folders = {tuple(published_sets.cleaned(file).split("/")[:-1]) for file in files}
    ends = zip(min(folders, default=()), max(folders, default=()), strict=False)
    return [one for one, _ in itertools.takewhile(lambda both: both[0] == both[1], ends)]


def _table(
    dataset: str,
    archive: Folder | ZipFile,
    name: str,
    tables: list[str],
    dropped: Dropped,
    classes: Classes,
) -> Iterator[Entry]:
    """A person's own list, one of several: `file` and `age` or `class`, and `gender` if they like.
    Its name may begin or end with that of a part, as `faces-test.csv` does, or a folder may have
    it."""
    header = published_sets.header(archive, name)
    column = next((column for column in ("age", "class") if column in header), "age or class")
    has_gender = ("gender",) if "gender" in header else ()
    table = functools.partial(published_sets.rows, archive, name, ("file", column, *has_gender))
    words = {row[column] for row in table()}
    classes.met |= words & classes.keys()
    if column == "class":
        _require_known(archive.path / name, words, classes)
    folder, said = published_sets.parent(name), re.split(r"[\W_]", Path(name).stem)
    around = [*folder.split("/"), said[0], said[-1]]
    common = _folders_of_all(row["file"] for row in table())
    known = len(common) if re.match(r"/|\w:", "/".join([*common, ""])) else 0  # of a computer
    places = Places(archive, map(published_sets.parent, tables), dropped)
    for number, row in enumerate(table(), 1):
        word = row.get("gender", "").lower()
        if word not in GENDER_WORDS:
            raise LivecamError(
                f"{archive.path}: {name}, row {number}: gender {word!r}; "
                "expected female, male, f, m or nothing"
            )
        label = _class_label(row[column], classes, GENDER_WORDS[word])
        if label is None:
            dropped.add("age not understood", f"{name}: row {number}: {column} {row[column]!r}")
        else:
            inside = published_sets.cleaned(row["file"]).split("/")[known:-1]
            part = _own_part([*around, *inside])
            yield from places.entry(dataset, folder, row["file"], label, part, common=len(common))


def _by_folder(
    path: Path, pictures: list[str], dropped: Dropped, classes: Classes
) -> Iterator[Entry]:
    """Pictures whose folder is named after their age or class; one around it may name a part."""
    inside = [name for name in pictures if "/" in name]
    if len(inside) < len(pictures):
        dropped["in no folder of a class"] += len(pictures) - len(inside)
    folders = {_folder_of(name) for name in inside}
    classes.met |= folders & classes.keys()
    _require_known(path, folders, classes)
    for member in inside:
        if (label := _class_label(_folder_of(member), classes)) is not None:
            part = _own_part([path.resolve().stem, *member.split("/")[:-2]])
            yield Entry(path.resolve().stem, member, member, label, part)


def _folder_of(name: str) -> str:
    return name.split("/")[-2]


def _class_label(text: str, classes: Classes, gender: int = labels.UNKNOWN) -> Label | None:
    if text in classes:
        return labels.between(*classes[text], gender)
    return labels.of_text(text, gender)


def _require_known(path: Path, found: set[str], classes: Classes) -> None:
    unknown = sorted(name for name in found if _class_label(name, classes) is None)
    if unknown:
        shown = ", ".join(map(repr, unknown[:20])) + (" and more" if len(unknown) > 20 else "")
        example = ",".join(f"{name}=FROM-TO" for name in unknown[:3])
        raise UsageError(
            f"{path}: the ages of these classes are not known: {shown}; give all of them, as in "
            f"--classes {example} (names such as 25, 18-24 and 65+ need none)"
        )
    numbers = {int(name) for name in found if name.isdecimal()}
    is_counted = any(numbers == set(range(i, i + len(found))) for i in (0, 1))
    if is_counted and 1 < len(found) <= MOST_NUMBERED and not found <= classes.keys():
        raise UsageError(
            f"{path}: its classes are called {min(numbers)} to {max(numbers)}: are these years, or "
            "numbers of classes? give the ages of all, as in --classes 0=0-12,1=13-30 or, for "
            "years, 0=0,1=1"
        )


def parsed_classes(text: str) -> Classes:
    """`young=13-30,old=51+` -> intervals by name. Raises UsageError if it is not like that."""
    found: dict[str, Interval] = {}
    for part in filter(None, text.split(",")):
        name, _, ages = part.partition("=")
        interval = labels.interval_of(ages)
        if not name.strip() or interval is None or name.strip() in found:
            raise UsageError(
                f"--classes: expected each name once with its ages, as in "
                f"young=13-30,middle=31-50,old=51+, got {part!r}"
            )
        found[name.strip()] = interval
    return Classes(found)
