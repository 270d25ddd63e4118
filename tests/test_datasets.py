"""Which data set a path is, and which label each of its pictures gets."""

from __future__ import annotations

import contextlib
import os
import time
import zipfile
from collections.abc import Mapping
from pathlib import Path

import layouts
import pytest

from livecam.errors import LivecamError, UsageError
from train import datasets
from train.archive import Unreadable, ZipFile
from train.dropped import Dropped
from train.faces import DEV, TEST, TRAIN
from train.labels import FEMALE, MALE, Interval, Label, between, exact, interval_of, of_text
from train.published_sets import Entry

UTKFACE = [
    ("25_0_1_20170116174525125.jpg.chip.jpg", exact(25, MALE, 1)),
    ("116_1_4_20170116174525125.jpg.chip.jpg", exact(116, FEMALE, 4)),
    ("24_0_1_20170116220224657 .jpg.chip.jpg", exact(24, MALE, 1)),  # a space, as published
    ("55_0_0_20170116232725357jpg.chip.jpg", exact(55, MALE, 0)),  # a missing dot, as published
    ("39_1_20170116174525125.jpg.chip.jpg", None),  # a missing field, as published
    ("0_1_0_20170116174525125.jpg.chip.jpg", None),
    ("200_1_0_20170116174525125.jpg.chip.jpg", None),
    ("25_2_1_20170116174525125.jpg.chip.jpg", None),
    ("25_1_7_20170116174525125.jpg.chip.jpg", None),
    ("holiday.jpg", None),
]

ALL_AGE_FACES = [
    ("00001A02.jpg", exact(2, FEMALE)),
    ("07380A80.jpg", exact(80, FEMALE)),
    ("07381A45.jpg", exact(45, MALE)),
    ("7381A45.jpg", None),
    ("07381A.jpg", None),
]

AGES = [
    ("25", exact(25)),
    (" 0 ", exact(0)),
    ("25.4", Label(25.4, 25, 25)),
    ("18-24", Label(21, 18, 24)),
    ("18–24", Label(21, 18, 24)),
    ("(25, 32)", Label(28.5, 25, 32)),
    ("(8, 23)", Label(15.5, 8, 23)),
    ("65+", Label(82.5, 65, 100)),
    ("more than 70", Label(85, 70, 100)),
    ("24-18", None),
    ("130", None),
    ("120+", None),
    ("-3", None),
    ("", None),
    ("None", None),
    ("nan", None),
    ("young", None),
]


@pytest.mark.parametrize(("name", "label"), UTKFACE)
def test_utkface_names(name: str, label: Label | None) -> None:
    assert datasets.utkface_label(name) == label


@pytest.mark.parametrize(("name", "label"), ALL_AGE_FACES)
def test_all_age_faces_names(name: str, label: Label | None) -> None:
    assert datasets.allagefaces_label(name) == label


@pytest.mark.parametrize(("text", "label"), AGES)
def test_ages_as_people_write_them(text: str, label: Label | None) -> None:
    assert of_text(text) == label


def _read(
    path: Path, classes: Mapping[str, Interval] = {}, real_age: bool = False
) -> tuple[list[tuple[str, str, Label]], dict[str, int]]:
    """(data set, file, label) of each, sorted; every picture of which was read; and what was not
    used."""
    dropped = Dropped()
    archive = datasets.open_data(path)
    try:
        known = datasets.Classes(classes)
        entries = list(datasets.entries(path, archive, dropped, known, real_age))
        for entry in entries:
            assert archive.read(entry.member)
    finally:
        archive.close()
    return sorted((e.dataset, e.file, e.label) for e in entries), dict(dropped)


def _entries(path: Path, dropped: Dropped | None = None) -> list[Entry]:
    with contextlib.closing(datasets.open_data(path)) as archive:
        return list(
            datasets.entries(
                path, archive, Dropped() if dropped is None else dropped, datasets.Classes({})
            )
        )


def _both(tmp_path: Path, files: layouts.Files) -> tuple[Path, Path]:
    packed = layouts.pack(tmp_path / "data.zip", files)
    return layouts.write(tmp_path / "data", files), packed


@pytest.mark.parametrize("layout", layouts.LAYOUTS, ids=lambda layout: layout.__name__)
def test_published_layouts_as_folder_and_as_zip(tmp_path: Path, layout) -> None:  # type: ignore[no-untyped-def]
    files, expected, dropped = layout()
    for path in _both(tmp_path, files):
        assert _read(path) == (expected, dropped)


@pytest.mark.parametrize(
    "layout", [layouts.megaage, layouts.wiki, layouts.appa_real, layouts.fairface, layouts.adience]
)
def test_a_folder_around_changes_nothing(tmp_path: Path, layout) -> None:  # type: ignore[no-untyped-def]
    files, expected, dropped = layout()
    path = layouts.pack(tmp_path / "x.zip", files, top="release/deep/")
    assert _read(path) == (expected, dropped)


def test_pictures_beside_their_lists_folder_are_found(tmp_path: Path) -> None:
    files, expected, dropped = layouts.fairface()
    moved = {
        (f"fairface-img-margin025-trainval/{name}" if name.endswith(".jpg") else name): content
        for name, content in files.items()
    }
    assert _read(layouts.write(tmp_path / "d", moved)) == (expected, dropped)


def test_names_and_what_they_leave_out(tmp_path: Path) -> None:
    files = layouts.pictures(
        "deep/00001A02.jpg", f"deep/{UTKFACE[0][0]}", "deep/39_1_2017.jpg.chip.jpg",
        "__MACOSX/._x.jpg", "deep/x.txt",
    )  # fmt: skip
    expected = [("allagefaces", "00001A02.jpg", exact(2, FEMALE))]
    expected += [("utkface", UTKFACE[0][0], exact(25, MALE, 1))]
    for path in _both(tmp_path, files):
        assert _read(path) == (expected, {"name not understood": 1})


def test_megaage_asian_is_told_from_megaage_by_its_name(tmp_path: Path) -> None:
    files, expected, _ = layouts.megaage()
    found, _ = _read(layouts.pack(tmp_path / "a.zip", files, top="megaage_asian/"))
    assert found == [("megaage_asian", *rest) for _, *rest in expected]


def test_the_folder_around_is_not_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files, expected, _ = layouts.megaage()
    of_asians = layouts.write(tmp_path / "asian_studies" / "MegaAge", files)
    assert _read(of_asians)[0] == expected
    monkeypatch.chdir(layouts.write(tmp_path / "megaage_asian", files))
    assert _read(Path())[0] == [("megaage_asian", *rest) for _, *rest in expected]


@pytest.mark.parametrize(
    ("layout", "expected"),
    [
        (layouts.megaage, {"test/1.jpg": (TEST, ""), "train/1.jpg": (TRAIN, "")}),
        (layouts.appa_real, {"valid/004113.jpg": (DEV, "")}),
        (layouts.fairface, {"train/1.jpg": (TRAIN, ""), "val/1.jpg": (TEST, "")}),
        (layouts.wiki, {"01/a_1980.jpg": (TRAIN, "imdb_wiki 01/a_1980.jpg")}),
        (
            layouts.adience,
            {"aligned/30@N03/landmark_aligned_face.4.d_o.jpg": (TRAIN, "adience 30@N03")},
        ),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_the_lists_tell_parts_and_people(tmp_path: Path, layout, expected) -> None:  # type: ignore[no-untyped-def]
    path = layouts.write(tmp_path, layout()[0])
    archive = datasets.open_data(path)
    entries = datasets.entries(path, archive, Dropped(), datasets.Classes({}))
    found = {entry.file: (entry.part, entry.person) for entry in entries}
    assert found | expected == found


def test_real_ages_of_appa_real(tmp_path: Path) -> None:
    files, _, _ = layouts.appa_real()
    found, _ = _read(layouts.write(tmp_path / "d", files), real_age=True)
    assert [label for _, _, label in found] == [exact(4), exact(39)]


def test_a_table_by_itself_with_pictures_anywhere(tmp_path: Path) -> None:
    files, expected, dropped = layouts.table()
    folder = layouts.write(tmp_path / "data", files)
    found = _read(folder / "mine.csv")
    assert found == ([("mine", *rest) for _, *rest in expected], dropped)
    far = tmp_path / "far.csv"
    far.write_text(f"file,class\n{folder / 'a.jpg'},65+\n")
    assert _read(far) == ([("far", (folder / "a.jpg").as_posix(), between(65, 100))], {})


CLASSES = {"young": (13, 30), "old": (51, 100)}


def test_classes_with_names(tmp_path: Path) -> None:
    files = layouts.pictures("train/young/a.jpg", "train/old/b.jpg", "25/c.jpg")
    found, _ = _read(layouts.write(tmp_path / "d", files), classes=CLASSES)
    assert [label for _, _, label in found] == [exact(25), between(51, 100), between(13, 30)]
    table = layouts.pictures("a.jpg", "b.jpg")
    table["list.csv"] = b"file,class\na.jpg,young\nb.jpg,18-24\n"
    found, _ = _read(layouts.write(tmp_path / "t", table), classes=CLASSES)
    assert [label for _, _, label in found] == [between(13, 30), between(18, 24)]


@pytest.mark.parametrize("numbers", [range(2), range(8), range(1, 5)])
def test_numbers_of_classes_are_not_taken_for_years(tmp_path: Path, numbers: range) -> None:
    table = "file,class\n" + "".join(f"{i}.jpg,{i}\n" for i in numbers)
    own = {**layouts.pictures(*(f"{i}.jpg" for i in numbers)), "a.csv": table.encode()}
    for i, files in enumerate((layouts.pictures(*(f"{n}/a.jpg" for n in numbers)), own)):
        folder = layouts.write(tmp_path / str(i), files)
        some = {str(numbers[0]): (0, 12)}
        for known in ({}, some):
            with pytest.raises(UsageError, match="are these years, or numbers of classes"):
                _read(folder, classes=known)
        ages = {str(n): (10 * n, 10 * n + 9) for n in numbers}
        found, dropped = _read(folder, classes=ages)
        assert [(label.age_low, label.age_high) for *_, label in found] == list(ages.values())
        assert not dropped


def test_folders_of_every_year_are_years(tmp_path: Path) -> None:
    found, _ = _read(
        layouts.write(tmp_path / "d", layouts.pictures(*(f"{n}/a.jpg" for n in range(30))))
    )
    assert sorted(label.age for *_, label in found) == list(range(30))


@pytest.mark.parametrize(
    "files",
    [
        layouts.pictures("young/a.jpg", "middle/b.jpg", "old/c.jpg"),
        layouts.pictures("a.jpg")
        | {"list.csv": b"file,class\na.jpg,young\na.jpg,middle\na.jpg,old\n"},
    ],
    ids=["folders", "table"],
)
def test_names_without_ages_are_listed_with_the_option_to_give(tmp_path: Path, files) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(UsageError) as error:
        _read(layouts.write(tmp_path / "d", files), classes={"old": (51, 100)})
    assert "not known: 'middle', 'young'; give" in str(error.value)
    assert "--classes middle=FROM-TO,young=FROM-TO" in str(error.value)


def test_a_table_of_something_else_beside_the_folders_of_classes_is_no_list(tmp_path: Path) -> None:
    files, expected, dropped = layouts.folders()
    files["notes.csv"] = b"day,weather\n"
    files["old.csv"] = "Straße,file\n".encode("latin-1")
    assert _read(layouts.write(tmp_path / "data", files)) == (expected, dropped)


def test_a_table_beside_pictures_whose_names_have_labels_is_a_question(tmp_path: Path) -> None:
    files = layouts.pictures("25_0_1_20170116000000000.jpg")
    files["notes.csv"] = b"file,weather\n"
    _read(layouts.write(tmp_path / "one", files))
    files["mine.csv"] = b"file,age\n25_0_1_20170116000000000.jpg,40\n"
    folder = layouts.write(tmp_path / "two", files)
    with pytest.raises(
        LivecamError, match=r"names, and in mine\.csv too; give that table by itself"
    ):
        _read(folder)
    found, _ = _read(folder / "mine.csv")
    assert [label for _, _, label in found] == [exact(40)]


NAMED = "25_0_1_20170116000000000.jpg"


@pytest.mark.parametrize(
    ("names", "classes", "folder"),
    [
        ([f"young/{NAMED}", "old/a.jpg"], CLASSES, "old"),
        ([f"x/18-24/{NAMED}", "x/65+/a.jpg"], {}, "18-24"),
        ([NAMED, "young/a.jpg"], CLASSES, "young"),
        (["65+/00001A02.jpg"], {}, "65+"),
    ],
)
def test_folders_of_classes_and_names_with_labels_are_a_question(
    tmp_path: Path, names: list[str], classes: dict[str, Interval], folder: str
) -> None:
    for path in _both(tmp_path, layouts.pictures(*names)):
        with pytest.raises(LivecamError, match="labels in the pictures' names, as in ") as error:
            _read(path, classes)
        assert f"as in {folder!r}, too; rename the pictures or the folders" in str(error.value)


def test_other_folders_of_pictures_whose_names_have_labels_are_no_question(tmp_path: Path) -> None:
    folders = ("UTKFace", "part1", "crop_part1", "original images", "young")
    names = [f"{25 + i}{NAMED[2:]}" for i in range(5)]
    paths = [f"{folder}/{name}" for folder, name in zip(folders, names, strict=True)]
    found, dropped = _read(layouts.write(tmp_path / "d", layouts.pictures(*paths)))
    assert sorted(found) == [
        ("utkface", name, exact(25 + i, MALE, 1)) for i, name in enumerate(names)
    ]
    assert not dropped


def test_of_pictures_of_one_name_the_first_is_used(tmp_path: Path) -> None:
    """All-Age-Faces has each person twice, UTKFace as some offer it each file four times."""
    names = (
        "aglined faces/00001A02.jpg",
        "original images/00001A02.jpg",
        f"a/{NAMED}",
        f"b/{NAMED}",
    )
    found, dropped = _read(layouts.write(tmp_path / "d", layouts.pictures(*names)))
    assert [file for _, file, _ in found] == ["00001A02.jpg", NAMED]
    assert dropped == {"another picture of that name": 2}


@pytest.mark.parametrize(
    ("names", "parts"),
    [
        (["train/25/a.jpg", "val/25/b.jpg", "Test/25/c.jpg"], [TRAIN, DEV, TEST]),
        (["test/val/25/a.jpg", "25/a.jpg", "latest/25/a.jpg"], [DEV, TRAIN, TRAIN]),
        ([f"train/{NAMED}", f"test/{NAMED}"], [TRAIN, TEST]),
        ([f"train/{NAMED}", f"test/6{NAMED[1:]}"], [TRAIN, TEST]),
    ],
)  # fmt: skip
def test_folders_of_a_part_say_it(tmp_path: Path, names: list[str], parts: list[int]) -> None:
    folder = layouts.write(tmp_path / "d", layouts.pictures(*names))
    found = _entries(folder)
    assert {entry.member: entry.part for entry in found} == dict(zip(names, parts, strict=True))


@pytest.mark.parametrize(
    ("given", "part"),
    [("test", TEST), ("val", DEV), ("train", TRAIN), ("dev", TRAIN), ("d", TRAIN)],
)
def test_the_name_of_what_is_given_may_be_that_of_a_part(
    tmp_path: Path, given: str, part: int
) -> None:
    for files in (layouts.pictures("25/a.jpg"), layouts.pictures(NAMED)):
        folder = layouts.write(tmp_path / f"{len(str(files))}" / given, files)
        packed = layouts.pack(tmp_path / f"{len(str(files))}" / f"{given}.zip", files)
        for path in (folder, packed):
            assert [entry.part for entry in _entries(path)] == [part]


@pytest.mark.parametrize(
    ("table", "row", "picture", "part"),
    [
        ("test/labels.csv", "1.jpg", "test/1.jpg", TEST),
        ("labels.csv", "val/1.jpg", "val/1.jpg", DEV),
        ("test_labels.csv", "a/1.jpg", "a/1.jpg", TEST),
        ("labels.csv", "/home/test/a/1.jpg", "a/1.jpg", TRAIN),
    ],
)
def test_folders_of_tables_and_of_their_rows_say_a_part(
    tmp_path: Path, table: str, row: str, picture: str, part: int
) -> None:
    files = {**layouts.pictures(picture), table: f"file,age\n{row},30\n".encode()}
    for path in _both(tmp_path, files):
        assert [(entry.member, entry.part) for entry in _entries(path)] == [(picture, part)]


def test_tables_of_a_part_say_it(tmp_path: Path) -> None:
    """By the end of their names; a person called test may keep pictures at home."""
    files = layouts.pictures("1.jpg", "2.jpg", "3.jpg", "4.jpg")
    stems = ("train", "faces_test", "mine-val", "contest")
    for i, stem in enumerate(stems, 1):
        files[f"{stem}.csv"] = f"file,age\n{i}.jpg,{i}\n".encode()
    folder = layouts.write(tmp_path / "test" / "d", files)
    found = _entries(folder)
    assert {entry.file: entry.part for entry in found} == {
        "1.jpg": TRAIN, "2.jpg": TEST, "3.jpg": DEV, "4.jpg": TRAIN
    }  # fmt: skip
    alone = folder / "faces_test.csv"
    (entry,) = _entries(alone)
    assert entry.part == TEST


@pytest.mark.parametrize(
    ("listed", "there", "found"),
    [
        ("2019/01/1.jpg", "2020/01/1.jpg", None),
        ("/home/me/2019/01/1.jpg", "2020/01/1.jpg", None),
        ("01/1.jpg", "2020/01/1.jpg", "2020/01/1.jpg"),
        ("/home/me/2020/01/1.jpg", "2020/01/1.jpg", "2020/01/1.jpg"),
        (r"C:\faces\01\1.jpg", "01/1.jpg", "01/1.jpg"),
        ("data/01/1.jpg", "01/1.jpg", "01/1.jpg"),
        ("02/1.jpg", "01/1.jpg", None),
        ("/home/me/more/01/1.jpg", "01/1.jpg|more/01/1.jpg", "more/01/1.jpg"),
        ("2019/01/1.jpg", "2018/01/1.jpg|2019/01/1.jpg", "2019/01/1.jpg"),
    ],
)
def test_a_listed_picture_elsewhere_is_that_one(
    tmp_path: Path, listed: str, there: str, found: str | None
) -> None:
    """As far as both paths go: one that is missing is not another of its name."""
    pictures = layouts.pictures(*there.split("|"))
    files = {**pictures, "mine.csv": f"file,age\n{listed},10\n".encode()}
    for path in _both(tmp_path, files):
        dropped = Dropped()
        entries = _entries(path, dropped)
        assert [entry.member for entry in entries] == ([found] if found else [])
        assert dropped == ({} if found else {"picture missing": 1})


@pytest.mark.parametrize(
    ("table", "row", "picture"),
    [
        ("faces/labels/train.csv", "/home/me/proj/images/1.jpg", "faces/images/1.jpg"),
        ("faces/labels/train.csv", "data/images/1.jpg", "faces/images/1.jpg"),
        ("extra/val.csv", "images/1.jpg", "images/1.jpg"),
        ("2018/m.csv", "2019/01/1.jpg", "2019/01/1.jpg"),
    ],
)
def test_a_list_in_a_folder_names_pictures_around_it(
    tmp_path: Path, table: str, row: str, picture: str
) -> None:
    files = {**layouts.pictures(picture, "0.jpg"), table: f"file,age\n{row},10\n".encode()}
    files["main.csv"] = b"file,age\n0.jpg,10\n"
    for path in _both(tmp_path, files):
        assert {entry.member for entry in _entries(path)} == {picture, "0.jpg"}


def test_many_folders_of_the_same_names_take_no_longer(tmp_path: Path) -> None:
    names = [f"clip{i:03}/frames/{n}.jpg" for i in range(300) for n in range(10)]
    rows = "".join(f"/home/me/{name},{i % 90}\n" for i, name in enumerate(names))
    files = {**dict.fromkeys(names, b""), "mine.csv": f"file,age\n{rows}".encode()}
    packed = layouts.pack(tmp_path / "d.zip", files)
    begin_s = time.monotonic()
    assert [entry.member for entry in _entries(packed)] == names
    assert time.monotonic() - begin_s < 2  # 0.1 s; comparing each with each, 20


def test_what_one_list_lacks_is_not_taken_from_another(tmp_path: Path) -> None:
    files: layouts.Files = {}
    for folder, ages in (("megaage", "60\n61\n"), ("megaage_asian", "20\n21\n")):
        files[f"{folder}/list/train_name.txt"] = b"1.jpg\n2.jpg\n"
        files[f"{folder}/list/train_age.txt"] = ages.encode()
    files |= layouts.pictures("megaage/train/1.jpg", "megaage_asian/train/1.jpg")
    files |= layouts.pictures("megaage_asian/train/2.jpg")
    found, dropped = _read(layouts.write(tmp_path / "d", files))
    assert [(dataset, label.age) for dataset, _, label in found] == [
        ("megaage", 60), ("megaage_asian", 20), ("megaage_asian", 21)
    ]  # fmt: skip
    assert dropped == {"picture missing": 1}


NO_PICTURES_NAMES = ("b.jxl", "c.GIF", "d.ppm", "e.jp2", "f", "g.jpg.part", "txt")
PLAINLY_OTHER = (
    ".DS_Store", "._a.jpg", "Thumbs.db", "desktop.ini", "notes.TXT", "README", "README.md", "x.csv",
    "x.mat", "x.json", "x.py",
)  # fmt: skip


@pytest.mark.parametrize("picture", ["25/a.jpg", f"UTKFace/{NAMED}"])
def test_files_that_may_be_pictures_are_counted(tmp_path: Path, picture: str) -> None:
    folder = picture.partition("/")[0]
    others = (f"{folder}/{name}" for name in PLAINLY_OTHER)
    names = [f"{folder}/{name}" for name in NO_PICTURES_NAMES]
    files = layouts.pictures(picture, *others, *names, ".git/objects/ab")
    for path in _both(tmp_path, files):
        found, dropped = _read(path)
        assert len(found) == 1
        assert dropped == {"not a picture's name": len(names)}


def test_files_beside_those_of_a_list_are_not_counted(tmp_path: Path) -> None:
    for layout in (layouts.fairface, layouts.table):
        files, expected, dropped = layout()
        files |= layouts.pictures("train/b.jfif", "c")
        assert _read(layouts.write(tmp_path / layout.__name__ / "data", files)) == (
            expected,
            dropped,
        )


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_of_a_table_end_as_they_like_to(tmp_path: Path, end: str) -> None:
    table = end.join(["file,age", "a.jpg,25", "b.jpg,30", ""])
    files = layouts.pictures("a.jpg", "b.jpg") | {"x.csv": table.encode()}
    found, _ = _read(layouts.write(tmp_path / "data", files))
    assert [label for _, _, label in found] == [exact(25), exact(30)]


def test_the_option_of_the_classes() -> None:
    parsed = datasets.parsed_classes("young=13-30, middle=31-50,old=51+")
    assert parsed == {"young": (13, 30), "middle": (31, 50), "old": (51, 100)}
    assert datasets.parsed_classes("") == {}
    assert interval_of("7") == (7, 7)
    for wrong in ("young", "=1-2", "young=", "young=30-13", "a=1-2,a=3-4"):
        with pytest.raises(UsageError, match=r"--classes: expected .* as in young=13-30"):
            datasets.parsed_classes(wrong)


BAD = [
    ({}, "no data set that is understood; that would be UTKFace"),
    (layouts.pictures("a.jpg"), "no data set that is understood"),
    ({"a.jpg": b"", "x.csv": b"name,age\na.jpg,3\n"}, "there is no file in name, age"),
    ({"a.jpg": b"", "x.csv": b"file,years\na.jpg,3\n"}, "there is no age or class in file, years"),
    ({"a.jpg": b"", "x.csv": b""}, "in an empty file"),
    ({"a.jpg": b"", "x.csv": b"file,age,age\na.jpg,3,4\n"}, "x.csv: has the column age 2 times"),
    ({"a.jpg": b"", "x.csv": b"\xff\xfe\x00"}, "x.csv: cannot be read"),
    ({"a.jpg": b"", "x.csv": b"file,age,gender\na.jpg,3,1\n"}, "x.csv, row 1: gender '1';"),
    ({"wiki.mat": b"no"}, r"wiki.mat: expected a MATLAB struct 'wiki' with the fields dob"),
    ({"wiki.mat": layouts.mat("imdb", [(1, 1, "a", 1, 1, 1)])}, "expected a MATLAB struct 'wiki'"),
    ({"gt_avg_train.csv": b"a,b\n"}, "there is no file_name and no apparent_age_avg in a, b"),
    ({"list/train_name.txt": b"a b", "list/train_age.txt": b"1"}, "has 2 names and its list of ag"),
    ({"list/train_name.txt": b"a b"}, "list/train_age.txt: cannot be read"),
    ({"wiki.mat": b"", "fold_0_data.txt": b""}, "lists of two data sets"),
]  # fmt: skip


@pytest.mark.parametrize(("files", "message"), BAD, ids=range(len(BAD)))
def test_layouts_that_are_none(tmp_path: Path, files: layouts.Files, message: str) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    paths = [layouts.write(folder, files)] + ([layouts.pack(tmp_path / "d.zip", files)])
    for path in paths:
        with pytest.raises(LivecamError, match=message):
            _read(path)


def test_a_link_to_a_folder_of_a_class_is_counted(tmp_path: Path) -> None:
    folder = layouts.write(tmp_path / "d", layouts.pictures("25/a.jpg"))
    layouts.write(tmp_path / "other", layouts.pictures("b.jpg"))
    (folder / "30").symlink_to(tmp_path / "other", target_is_directory=True)
    found, dropped = _read(folder)
    assert [file for _, file, _ in found] == ["25/a.jpg"]
    assert dropped == {"not a picture's name": 1}


def test_a_folder_that_cannot_be_read_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = layouts.write(tmp_path / "d", layouts.pictures("25/a.jpg", "30/b.jpg"))
    scan = os.scandir

    def scandir(path: str) -> object:
        if Path(path).name == "30":
            raise PermissionError(13, "Permission denied", path)
        return scan(path)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(LivecamError, match="30: cannot read the folder: Permission denied"):
        _read(folder)


def test_paths_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(LivecamError, match="no such file or folder"):
        _read(tmp_path / "nothing")
    text = tmp_path / "text.zip"
    text.write_text("text")
    with pytest.raises(LivecamError, match="neither a folder nor a whole zip file"):
        _read(text)
    cut = layouts.pack(tmp_path / "cut.zip", layouts.pictures(*(f"25/{i}.jpg" for i in range(9))))
    cut.write_bytes(cut.read_bytes()[:-40])
    with pytest.raises(LivecamError, match="neither a folder nor a whole zip file"):
        _read(cut)


def test_without_scipy_the_install_command_is_the_answer(tmp_path: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    files, _, _ = layouts.wiki()
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(LivecamError, match=r"scipy is not installed; install it: pip install"):
        _read(layouts.write(tmp_path / "d", files))


def test_a_damaged_or_locked_member_is_unreadable_alone(tmp_path: Path) -> None:
    path = layouts.pack(tmp_path / "d.zip", layouts.pictures("25/a.jpg", "25/b.jpg"))
    content = bytearray(path.read_bytes())
    content[content.index(layouts.BYTES)] ^= 1  # its checksum no longer fits
    path.write_bytes(content)
    archive = ZipFile(path)
    with pytest.raises(Unreadable, match="Bad CRC-32"):
        archive.read("25/a.jpg")
    assert archive.read("25/b.jpg") == layouts.BYTES
    archive.close()
    with zipfile.ZipFile(path) as packed:
        start = packed.getinfo("25/b.jpg").header_offset
    content[start + 6] |= 1  # it wants a password
    place = content.rindex(b"PK\x01\x02")
    content[place + 8] |= 1
    path.write_bytes(content)
    archive = ZipFile(path)
    with pytest.raises(Unreadable, match="encrypted"):
        archive.read("25/b.jpg")
    archive.close()


def test_a_zip_file_of_linux_names_its_files_in_utf_8_without_saying_so(tmp_path: Path) -> None:
    path = tmp_path / "d.zip"
    with zipfile.ZipFile(path, "w") as packed:
        for name in ("25/ä.jpg", "25/b.jpg"):
            packed.writestr(name, name)
    data = bytearray(path.read_bytes())
    for header, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):  # take the flag away
        place = data.find(header)
        while place >= 0:
            data[place + at + 1] &= ~8
            place = data.find(header, place + 1)
    path.write_bytes(data)
    archive = datasets.open_data(path)
    assert archive.names == ["25/b.jpg", "25/ä.jpg"]
    assert archive.has("25/ä.jpg")
    assert archive.read("25/ä.jpg").decode() == "25/ä.jpg"
    archive.close()


def test_what_is_hidden_is_no_data(tmp_path: Path) -> None:
    """What Jupyter, a file manager and a Mac leave beside others' files."""
    files = layouts.pictures("a.jpg", ".Trash-1000/files/30/b.jpg") | {
        "labels.csv": b"file,age\na.jpg,30\n",
        ".ipynb_checkpoints/labels-checkpoint.csv": b"file,age\na.jpg,50\n",
        "._labels.csv": b"\0\x05\x16\x07\xff",
        "__MACOSX/._a.jpg": b"\0",
    }
    for path in _both(tmp_path, files):
        found, dropped = _read(path)
        assert [(file, label) for _, file, label in found] == [("a.jpg", exact(30))]
        assert not dropped


@pytest.mark.parametrize("folder", [".pics/", ""])
def test_a_picture_that_a_table_names_may_be_hidden(tmp_path: Path, folder: str) -> None:
    name = f"{folder}.a.jpg"
    files = layouts.pictures(name) | {"faces.csv": f"file,age\n{name},30\n".encode()}
    for path in _both(tmp_path, files):
        found, dropped = _read(path)
        assert [(file, label) for _, file, label in found] == [(name, exact(30))]
        assert not dropped


def test_names_in_a_zip_may_begin_with_the_folder_that_they_are_in(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "data.zip", "w") as archive:
        for name in ("./30/a.jpg", "./.hidden/31/b.jpg"):
            archive.writestr(name, b"picture")
    found, _ = _read(tmp_path / "data.zip")
    assert [label for *_, label in found] == [exact(30)]


def test_a_folder_and_its_zip_have_one_order(tmp_path: Path) -> None:
    files = layouts.pictures("18/a.jpg", "18-24/a.jpg", "18.5/a.jpg", "b/c.jpg", "b c.jpg")
    folder, packed = (datasets.open_data(path) for path in _both(tmp_path, files))
    assert folder.names == packed.names
    packed.close()


def test_a_damaged_member_of_any_compression_is_unreadable_alone(tmp_path: Path) -> None:
    path = tmp_path / "data.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("a.jpg", bytes(range(256)) * 40)
    data = bytearray(path.read_bytes())
    data[60:90] = bytes(30)
    path.write_bytes(data)
    packed = ZipFile(path)
    with pytest.raises(Unreadable):
        packed.read("a.jpg")
    packed.close()


def test_a_name_that_is_too_long_is_a_missing_picture(tmp_path: Path) -> None:
    table = f"file,age\na.jpg,30\n{'x' * 300}.jpg,20\n"
    files = layouts.pictures("a.jpg") | {"labels.csv": table.encode()}
    found, dropped = _read(layouts.write(tmp_path / "data", files))
    assert (len(found), dropped) == (1, {"picture missing": 1})


def test_a_table_of_something_else_need_not_be_readable(tmp_path: Path) -> None:
    files = layouts.pictures("25/a.jpg") | {"e.csv": b"x" * 200_000}
    found, _ = _read(layouts.write(tmp_path / "data", files))
    assert len(found) == 1
