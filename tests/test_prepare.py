"""Published pictures to one file of aligned faces: splits, copies, counts, errors."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import clips
import cv2
import h5py
import layouts
import numpy as np
import pytest
from faces_data import head, jpeg, utk_name, write_utkface
from patience import ENDS, until

from livecam.crops import resized
from livecam.detector import Mtcnn
from livecam.pictures import PICTURE_SUFFIXES, WRITABLE_SUFFIXES
from train import copies, prepare
from train.archive import Folder, is_picture
from train.faces import DEV, LEFT_OUT, TEST, TRAIN, load
from train.labels import between, exact
from train.prepared_rows import Ages, Rows, merged_genders
from train.published_sets import Entry


@pytest.fixture(scope="module")
def prepared(tmp_path_factory, astronaut):  # type: ignore[no-untyped-def]
    """(h5 file, names) of 24 pictures, three kinds of copies and one unreadable picture."""
    folder = tmp_path_factory.mktemp("data")
    names = write_utkface(folder, astronaut, 24)
    (folder / utk_name(60, 0, 100)).write_bytes((folder / names[0]).read_bytes())  # of a test one
    (folder / utk_name(70, 0, 101)).write_bytes(jpeg(head(astronaut, 1), 60))  # re-encoded test
    (folder / utk_name(40, 0, 102)).write_bytes((folder / names[5]).read_bytes())  # of another
    (folder / utk_name(50, 0, 103)).write_bytes(b"no picture")
    test_list = folder / "test.txt"
    test_list.write_text("\n".join([*names[:2], "1_0_0_20170101000000000.jpg.chip.jpg", ""]))
    output = folder / "faces.h5"
    argv = [str(folder), "-o", str(output), "--test-list", str(test_list), "--dev-share", "0.2"]
    assert prepare.main(argv) == 0
    return output, names


def _column(path: Path, name: str) -> np.ndarray:
    with h5py.File(path) as h5:
        return h5[name].asstr()[()] if h5[name].dtype == object else h5[name][()]


def test_every_readable_picture_has_a_row(prepared) -> None:  # type: ignore[no-untyped-def]
    path, _ = prepared
    assert len(_column(path, "file")) == 27
    assert _column(path, "crops").shape == (27, 128, 128, 3)
    assert (_column(path, "dataset") == "utkface").all()


def test_the_test_list_is_the_test_part_with_its_own_labels(prepared) -> None:  # type: ignore[no-untyped-def]
    path, names = prepared
    test = load(path, "test")
    assert sorted(test.file) == sorted(names[:2])
    assert sorted(test.labels.age) == [20, 23]


def test_copies_of_test_pictures_leave_the_training_part(prepared) -> None:  # type: ignore[no-untyped-def]
    path, _ = prepared
    part = dict(zip(_column(path, "file"), _column(path, "split"), strict=True))
    assert part[utk_name(60, 0, 100)] == LEFT_OUT
    assert part[utk_name(70, 0, 101)] == LEFT_OUT


def test_an_exact_copy_is_kept_once_under_the_merged_label(prepared) -> None:  # type: ignore[no-untyped-def]
    path, names = prepared
    rows = {name: i for i, name in enumerate(_column(path, "file"))}
    pair = [rows[names[5]], rows[utk_name(40, 0, 102)]]
    parts = _column(path, "split")[pair]
    assert sorted(parts == LEFT_OUT) == [False, True]
    assert _column(path, "age")[pair].tolist() == [37.5, 37.5]  # the median of 35 and 40
    assert sorted(_column(path, "label_age")[pair]) == [35, 40]


def test_no_group_is_on_two_sides(prepared) -> None:  # type: ignore[no-untyped-def]
    path, _ = prepared
    group, part = _column(path, "group"), _column(path, "split")
    for number in set(group):
        assert len(set(part[group == number]) - {LEFT_OUT}) <= 1
    assert {TRAIN, DEV, TEST} <= set(part)


def test_the_summary_says_what_was_left_out(tmp_path, astronaut, capsys) -> None:  # type: ignore[no-untyped-def]
    names = write_utkface(tmp_path, astronaut, 4)
    (tmp_path / "39_1_20170116174525125.jpg.chip.jpg").write_bytes(b"")
    (tmp_path / utk_name(50, 0, 103)).write_bytes(b"no picture")
    (tmp_path / utk_name(60, 0, 100)).write_bytes((tmp_path / names[0]).read_bytes())
    output = tmp_path / "faces.h5"
    assert prepare.main([str(tmp_path), "-o", str(output)]) == 0
    out, err = capsys.readouterr()
    assert out == f"{output}\n"
    for line in ("exact copy of another picture", "name not understood", "unreadable"):
        assert line in err
    assert f"unreadable: {utk_name(50, 0, 103)}" in err


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["nowhere", "-o", "out.h5"], 1, "nowhere: no such file or folder"),
        ([".", "-o", "out.h5"], 1, "no data set that is understood; that would be UTKFace"),
        (["there.h5", "-o", "out.h5"], 1, "neither a folder nor a whole zip file"),
        ([".", "-o", "out.h5", "--classes", "old"], 2, "--classes: expected each name once"),
        ([".", "-o", "there.h5"], 2, "there.h5: exists"),
        ([".", "-o", "folder.h5", "--overwrite"], 2, "folder.h5: is a folder; expected a file"),
        (["there.h5", "-o", "there.h5", "--overwrite"], 2, "--output there.h5: is an input"),
        ([".", "-o", "faces.zip"], 2, "expected a name that ends in .h5 or .hdf5"),
        ([".", "-o", "out.h5", "--dev-share", "1"], 2, "expected a share between 0 and 1"),
        ([".", "-o", "out.h5", "--test-list", "none.txt"], 1, "cannot read the test list"),
        ([".", "-o", "out.h5", "--dev-list", "none.txt"], 1, "cannot read the dev list"),
        (
            [".", "-o", "out.h5", "--dev-list", "x", "--seed", "0"],
            2,
            "--dev-list: names the dev part",
        ),
        (
            [".", "-o", "out.h5", "--dev-list", "x", "--dev-share", "0.1"],
            2,
            "leave out --dev-share",
        ),
        ([".", "-o", "no/folder/out.h5"], 1, "no/folder"),
    ],
)
def test_errors_are_one_line_and_leave_nothing(  # type: ignore[no-untyped-def]
    tmp_path, monkeypatch, capsys, arguments, code, message
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("there.h5").write_text("mine")
    Path("folder.h5").mkdir()
    assert prepare.main(arguments) == code
    err = capsys.readouterr().err
    assert message in err
    assert len(err.splitlines()) == 1
    assert {file.name for file in Path().iterdir()} == {"there.h5", "folder.h5"}
    assert Path("there.h5").read_text() == "mine"


@pytest.mark.parametrize("number", ["0", "9" * 200])
@pytest.mark.parametrize("option", ["--limit", "--crop-px"])
def test_what_is_no_count(option: str, number: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        prepare.main([".", "-o", "out.h5", option, number])
    assert f"{option}: expected a whole number from 1 to 2147483647" in capsys.readouterr().err


def test_real_ages_are_refused_where_there_are_none(tmp_path, astronaut, capsys) -> None:  # type: ignore[no-untyped-def]
    write_utkface(tmp_path / "utk", astronaut, 1)
    output = tmp_path / "faces.h5"
    assert prepare.main([str(tmp_path / "utk"), "-o", str(output), "--real-age"]) == 2
    assert "--real-age: APPA-REAL alone has real ages" in capsys.readouterr().err
    assert not output.exists()


def test_classes_that_are_not_met_are_refused(tmp_path, astronaut, capsys) -> None:  # type: ignore[no-untyped-def]
    picture = jpeg(head(astronaut, 2))
    write_utkface(tmp_path / "utk", astronaut, 1)
    layouts.write(tmp_path / "ages", {"25/a.jpg": picture})
    layouts.write(tmp_path / "mine", {"a.jpg": picture, "b.csv": b"file,age\na.jpg,old\na.jpg,9\n"})
    output = tmp_path / "faces.h5"
    argv = ["-o", str(output), "--classes", "young=13-30,old=51+"]
    utk, ages, mine = (str(tmp_path / name) for name in ("utk", "ages", "mine"))
    for data in ([utk], [utk, ages]):
        assert prepare.main([*data, *argv]) == 2
        assert "--classes: no folder of a class and no row of" in capsys.readouterr().err
        assert not output.exists()
    assert prepare.main([utk, ages, mine, *argv]) == 0


def test_data_sets_are_mixed_with_intervals_and_provenance(  # type: ignore[no-untyped-def]
    tmp_path, astronaut, capsys
) -> None:
    write_utkface(tmp_path / "utk", astronaut, 3)
    classes = {f"young/{i}.jpg": jpeg(head(astronaut, 13 + i)) for i in range(2)}
    layouts.write(tmp_path / "mine", classes)
    table = {"a.jpg": jpeg(head(astronaut, 20)), "b.jpg": jpeg(head(astronaut, 21))}
    table["list.csv"] = b"file,age,gender\na.jpg,40.25,f\nb.jpg,65+,m\nnone.jpg,3,\n"
    packed = layouts.pack(tmp_path / "own.zip", table)
    output = tmp_path / "faces.h5"
    paths = [str(tmp_path / "utk"), str(tmp_path / "mine"), str(packed)]
    assert prepare.main([*paths, "-o", str(output), "--classes", "young=13-30"]) == 0
    columns = ("dataset", "file", "age", "label_age", "age_low", "age_high", "gender")
    rows = list(zip(*(_column(output, name).tolist() for name in columns), strict=True))
    assert rows == [
        ("utkface", utk_name(20, 0, 0), 20, 20, 20, 20, 0),
        ("utkface", utk_name(23, 1, 1), 23, 23, 23, 23, 1),
        ("utkface", utk_name(26, 0, 2), 26, 26, 26, 26, 0),
        ("mine", "young/0.jpg", 21.5, 21.5, 13, 30, -1),
        ("mine", "young/1.jpg", 21.5, 21.5, 13, 30, -1),
        ("own", "a.jpg", 40.25, 40.25, 40, 40, 1),
        ("own", "b.jpg", 82.5, 82.5, 65, 100, 0),
    ]
    err = capsys.readouterr().err
    assert "left out: picture missing" in err
    assert "readable, of mine" in err


def test_the_hash_of_exact_ages_is_the_one_of_the_first_version(tmp_path, astronaut) -> None:  # type: ignore[no-untyped-def]
    write_utkface(tmp_path / "utk", astronaut, 6)
    output = tmp_path / "faces.h5"
    assert prepare.main([str(tmp_path / "utk"), "-o", str(output), "--dev-share", "0.3"]) == 0
    digest = hashlib.sha256()
    files, parts = _column(output, "file"), _column(output, "split")
    for name, age, part in zip(files, _column(output, "age"), parts, strict=True):
        content = hashlib.sha256((tmp_path / "utk" / name).read_bytes()).hexdigest()
        digest.update(f"{content} {age:.1f} {part}\n".encode())
    with h5py.File(output) as h5:
        assert h5.attrs["data_hash"] == digest.hexdigest()[:16]


def test_the_hash_changes_with_an_interval(tmp_path, astronaut) -> None:  # type: ignore[no-untyped-def]
    hashes = set()
    for ages in ("20-30", "19-31", "25"):
        files = {f"{ages}/a.jpg": jpeg(head(astronaut, 2))}
        folder = layouts.write(tmp_path / ages, files)
        output = tmp_path / f"{ages}.h5"
        assert prepare.main([str(folder), "-o", str(output)]) == 0
        with h5py.File(output) as h5:
            hashes.add(h5.attrs["data_hash"])
    assert len(hashes) == 3


def test_damaged_pictures_are_counted_and_some_are_named(tmp_path, astronaut, capsys) -> None:  # type: ignore[no-untyped-def]
    whole = jpeg(head(astronaut, 2))
    png = cv2.imencode(".png", head(astronaut, 1))[1].tobytes()
    files = {"25/a.jpg": whole, "25/b.png": png}
    files |= {f"25/cut{i:02}.jpg": whole[: 500 + 300 * i] for i in range(20)}
    files |= {"25/cut.png": png[:-500], "25/empty.jpg": b"", "25/text.jpg": b"no picture"}
    files |= {"25/tiny.jpg": jpeg(np.zeros((1, 1, 3), np.uint8))}
    for path in (
        layouts.write(tmp_path / "d", files),
        layouts.pack(tmp_path / "d.zip", files),
    ):
        assert prepare.main([str(path), "-o", str(tmp_path / "out.h5"), "--overwrite"]) == 0
        err = capsys.readouterr().err
        assert f"{'  left out: unreadable':42}{23:>8}" in err
        assert f"{'  left out: no face found':42}{1:>8}" in err
        assert sum(line.startswith("unreadable: ") for line in err.splitlines()) == 21
        assert "unreadable: … and 3 more" in err
        assert _column(tmp_path / "out.h5", "file").tolist() == ["25/a.jpg", "25/b.png"]


def test_in_a_folder_of_ones_own_called_like_a_set_not_every_picture_is_a_face(  # type: ignore[no-untyped-def]
    tmp_path, astronaut
) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (200, 200, 3), np.uint8)
    files = {"20/a.jpg": jpeg(astronaut), "20/b.jpg": jpeg(noise)}
    layouts.write(tmp_path / "utkface", files)
    assert prepare.main([str(tmp_path / "utkface"), "-o", str(tmp_path / "out.h5")]) == 0
    assert _column(tmp_path / "out.h5", "file").tolist() == ["20/a.jpg"]


def test_a_whole_picture_of_utkface_without_a_face_is_none(  # type: ignore[no-untyped-def]
    tmp_path, astronaut, capsys
) -> None:
    """Its crops have `.chip` in their names: there is a face in these, found or not."""
    noise = jpeg(np.random.default_rng(0).integers(0, 256, (200, 200, 3), np.uint8))
    chip, whole = (f"5_1_0_2017011018372639{i}.jpg" for i in range(2))
    files = {"20_1_0_20170110183726392.jpg": jpeg(astronaut), f"{chip}.chip.jpg": noise}
    layouts.write(tmp_path / "utk", files | {whole: noise + b"\0"})
    assert prepare.main([str(tmp_path / "utk"), "-o", str(tmp_path / "out.h5")]) == 0
    assert sorted(_column(tmp_path / "out.h5", "file")) == sorted(files)
    assert f"no face found: {whole}" in capsys.readouterr().err


def test_what_a_test_part_lacks_is_told_where_it_is_scored(tmp_path, astronaut, capsys) -> None:  # type: ignore[no-untyped-def]
    noise = [jpeg(np.random.default_rng(i).integers(0, 256, (90, 90, 3))) for i in range(4)]
    train = {f"train/{20 + i}/a.jpg": jpeg(head(astronaut, i)) for i in range(3)}
    test = {f"test/{20 + i}/b.jpg": jpeg(head(astronaut, 9 + i)) for i in range(2)}
    lost = {f"test/25/{i}.jpg": noise[i] for i in range(2)}
    lost |= {"train/25/named.jpg": noise[2], "train/25/other.jpg": noise[3]}
    layouts.write(tmp_path / "mine", train | test | lost)
    (tmp_path / "list.txt").write_text("train/25/named.jpg\n")
    output = tmp_path / "out.h5"
    arguments = [str(tmp_path / "mine"), "-o", str(output), "--dev-share", "0.9"]
    assert prepare.main([*arguments, "--test-list", str(tmp_path / "list.txt")]) == 0
    assert "   3 more have no crop" in capsys.readouterr().err
    assert (load(output, "test").missing, len(load(output, "test"))) == (3, 2)
    assert load(output, "test", ["mine"]).missing == 3
    assert load(output, "dev").missing == 0


def test_tables_of_one_name_are_told_apart_by_their_folders(tmp_path, astronaut) -> None:  # type: ignore[no-untyped-def]
    for i, folder in enumerate(("anna", "bert")):
        files = {f"{j}.jpg": jpeg(head(astronaut, 10 * i + j)) for j in range(2)}
        files["labels.csv"] = b"file,age\n0.jpg,20\n1.jpg,30\n"
        layouts.write(tmp_path / folder, files)
    tables = [str(tmp_path / folder / "labels.csv") for folder in ("anna", "bert")]
    (tmp_path / "list.txt").write_text("bert/labels/1.jpg\n")
    arguments = ["-o", str(tmp_path / "out.h5"), "--test-list", str(tmp_path / "list.txt")]
    assert prepare.main([*tables, *arguments]) == 0
    assert set(_column(tmp_path / "out.h5", "dataset")) == {"anna/labels", "bert/labels"}
    test = load(tmp_path / "out.h5", "test")
    assert [*test.dataset, *test.file] == ["bert/labels", "1.jpg"]
    assert prepare.main([tables[0], "-o", str(tmp_path / "one.h5")]) == 0
    assert set(_column(tmp_path / "one.h5", "dataset")) == {"labels"}


def test_parts_of_a_published_set_are_one_whatever_their_files_are_called(  # type: ignore[no-untyped-def]
    tmp_path, astronaut
) -> None:
    names = write_utkface(tmp_path / "a" / "utkface", astronaut, 2)
    (tmp_path / "b" / "utkface").mkdir(parents=True)
    (tmp_path / "a" / "utkface" / names[1]).rename(tmp_path / "b" / "utkface" / names[1])
    parts = [str(tmp_path / folder / "utkface") for folder in ("a", "b")]
    assert prepare.main([*parts, "-o", str(tmp_path / "out.h5")]) == 0
    assert set(_column(tmp_path / "out.h5", "dataset")) == {"utkface"}


def test_tables_of_one_name_on_two_drives_keep_all_of_their_names(  # type: ignore[no-untyped-def]
    tmp_path, astronaut, monkeypatch
) -> None:
    def commonpath(paths: list[Path]) -> str:
        raise ValueError("Paths don't have the same drive")

    tables = []
    for folder in ("anna", "bert"):
        files = {"0.jpg": jpeg(astronaut), "labels.csv": b"file,age\n0.jpg,20\n"}
        layouts.write(tmp_path / folder, files)
        tables.append(tmp_path / folder / "labels.csv")
    monkeypatch.setattr(os.path, "commonpath", commonpath)
    assert prepare.main([*map(str, tables), "-o", str(tmp_path / "out.h5")]) == 0
    wanted = {table.resolve().with_suffix("").as_posix() for table in tables}
    assert set(_column(tmp_path / "out.h5", "dataset")) <= wanted


def test_data_without_a_usable_picture_is_an_error_that_counts(  # type: ignore[no-untyped-def]
    tmp_path, capsys
) -> None:
    layouts.write(tmp_path / "d", {"25/a.jpg": b"no", "25/b.jpg": b""})
    assert prepare.main([str(tmp_path / "d"), "-o", str(tmp_path / "out.h5")]) == 1
    assert "no usable picture in the data (unreadable: 2)" in capsys.readouterr().err
    assert not list(tmp_path.glob("out*"))


def test_a_table_says_which_of_its_rows_are_of_no_use(tmp_path, astronaut, capsys) -> None:  # type: ignore[no-untyped-def]
    name = "a.jpg"
    layouts.write(tmp_path / "d", {name: jpeg(astronaut)})
    table = tmp_path / "d" / "mine.csv"
    table.write_text(f"file,age\n{name},20\nb.jpg,30\n{name},abc\n")
    assert prepare.main([str(table), "-o", str(tmp_path / "out.h5")]) == 0
    err = capsys.readouterr().err
    assert f"picture missing: {tmp_path / 'd'}: b.jpg" in err
    assert "age not understood: mine.csv: row 3: age 'abc'" in err
    table.write_text("file,age\n")
    assert prepare.main([str(table), "-o", str(tmp_path / "none.h5")]) == 1
    assert "mine.csv: no usable picture in it (none is listed)" in capsys.readouterr().err


def test_a_list_tells_data_sets_apart(tmp_path, astronaut, capsys) -> None:  # type: ignore[no-untyped-def]
    for seed, name in enumerate(("one", "two")):
        pictures = {f"25/{i}.jpg": jpeg(astronaut, 90 - 10 * seed - i) for i in range(3)}
        layouts.write(tmp_path / name, pictures)
    (tmp_path / "test.txt").write_text("one/25/0.jpg\n25/1.jpg\nno.jpg\n")
    arguments = [str(tmp_path / "one"), str(tmp_path / "two"), "-o", str(tmp_path / "out.h5")]
    assert prepare.main([*arguments, "--test-list", str(tmp_path / "test.txt")]) == 0
    err = capsys.readouterr().err
    assert re.search(r"test list names not in the data +1   such as no.jpg; in the data are", err)
    assert re.search(r"test list names in several data sets +1\n", err)
    with h5py.File(tmp_path / "out.h5") as h5:
        tested = h5["split"][()] == TEST
        assert h5["dataset"].asstr()[()][tested].tolist() == ["one", "one", "two"]


def test_a_picture_given_twice_is_tested_once(tmp_path, astronaut) -> None:  # type: ignore[no-untyped-def]
    """Copies of other names stay: a published list may have both."""
    one = {f"test/25/{i}.jpg": jpeg(head(astronaut, 12 + i)) for i in range(3)}
    one |= {"test/25/twin.jpg": one["test/25/0.jpg"], "val/25/0.jpg": jpeg(head(astronaut, 16))}
    one |= {f"25/{i}.jpg": jpeg(head(astronaut, 17 + i)) for i in range(3)}
    layouts.write(tmp_path / "one", one)
    layouts.pack(tmp_path / "two.zip", {f"two/{name}": content for name, content in one.items()})
    output = tmp_path / "faces.h5"
    data = [str(tmp_path / "one"), str(tmp_path / "two.zip")]
    assert prepare.main([*data, "-o", str(output), "--dev-share", "0.01"]) == 0
    with h5py.File(output) as h5:
        part, files = h5["split"][()], h5["file"].asstr()[()]
    assert sorted(files[part == TEST]) == sorted(name for name in one if name.startswith("test/"))
    assert files[part == DEV].tolist() == ["val/25/0.jpg"]


def test_data_sets_keep_their_own_test_and_validation_parts(tmp_path, astronaut, capsys) -> None:  # type: ignore[no-untyped-def]
    names = {"train": range(1, 4), "valid": range(4, 6), "test": range(6, 8)}
    files = {}
    for part, seeds in names.items():
        rows = "".join(f"{i}.jpg,9,{20 + i}.5,1,{20 + i}\n" for i in seeds)
        header = "file_name,num_ratings,apparent_age_avg,apparent_age_std,real_age\n"
        files[f"gt_avg_{part}.csv"] = (header + rows).encode()
        files |= {f"{part}/{i}.jpg_face.jpg": jpeg(head(astronaut, 12 + i)) for i in seeds}
    folder = layouts.write(tmp_path / "appa", files)
    output = tmp_path / "faces.h5"
    assert prepare.main([str(folder), "-o", str(output), "--dev-share", "0.01"]) == 0
    parts = {name: part for name, part in _parts(output).items() if part in (DEV, TEST)}
    assert parts == {f"valid/{i}.jpg_face.jpg": DEV for i in (4, 5)} | {
        f"test/{i}.jpg_face.jpg": TEST for i in (6, 7)
    }
    assert re.search(r"test +2 .* 2 of them by the data set's own split\n", capsys.readouterr().err)


def test_no_person_is_on_two_sides(tmp_path, astronaut, capsys) -> None:  # type: ignore[no-untyped-def]
    header = "user_id\toriginal_image\tface_id\tage\tgender\n"
    files, rows = {}, []
    for i in range(16):
        user, image = f"{i // 4}@N01", f"{i}_o.jpg"
        name = f"aligned/{user}/landmark_aligned_face.1.{image}"
        files[name] = jpeg(head(astronaut, 27 + i))
        rows.append(f"{user}\t{image}\t1\t({20 + i}, {25 + i})\tm\n")
    files["fold_0_data.txt"] = (header + "".join(rows)).encode()
    folder = layouts.write(tmp_path / "adience", files)
    output = tmp_path / "faces.h5"
    (tmp_path / "test.txt").write_text("landmark_aligned_face.1.15_o.jpg\n")  # as users write it
    argv = [str(folder), "-o", str(output), "--test-list", str(tmp_path / "test.txt")]
    assert prepare.main([*argv, "--dev-share", "0.3"]) == 0
    part = np.array(list(_parts(output).values())).reshape(4, 4)  # in the order of the rows
    assert all(len(set(parts)) == 1 for parts in part[:3].tolist())
    assert {DEV, TRAIN} == set(part[:3].ravel())
    assert sorted(part[3]) == [TEST, LEFT_OUT, LEFT_OUT, LEFT_OUT]
    assert len(set(_column(output, "group"))) == 16  # their labels stay their own
    err = capsys.readouterr().err
    assert f"{'  left out: person of a listed picture':42}{3:>8}\n" in err
    assert f"{'people of several pictures':42}{4:>8}   most 4\n" in err


def test_a_name_without_its_folder_has_to_be_of_one_picture(tmp_path, astronaut, capsys) -> None:  # type: ignore[no-untyped-def]
    places = ("train/1.jpg", "train/2.jpg", "test/1.jpg", "test/3.jpg")
    files = {place: jpeg(head(astronaut, i)) for i, place in enumerate(places, 1)}
    for part, numbers in (("train", (1, 2)), ("test", (1, 3))):
        files[f"list/{part}_name.txt"] = "\n".join(f"{i}.jpg" for i in numbers).encode()
        files[f"list/{part}_age.txt"] = b"20\n30"
    folder = layouts.write(tmp_path / "megaage", files)
    (tmp_path / "dev.txt").write_text("1.jpg\n2.jpg\n")
    output = tmp_path / "faces.h5"
    argv = [str(folder), "-o", str(output), "--dev-list", str(tmp_path / "dev.txt")]
    assert prepare.main(argv) == 0
    assert _parts(output) == dict(zip(places, (TRAIN, DEV, TEST, TEST), strict=True))
    assert re.search(
        r"dev list names not in the data +1   such as 1.jpg; "
        r"in the data are names such as test/1.jpg",
        capsys.readouterr().err,
    )


def test_a_limit_draws_from_all_names(tmp_path, astronaut) -> None:  # type: ignore[no-untyped-def]
    names = sorted(write_utkface(tmp_path / "utk", astronaut, 24))
    argv = [str(tmp_path / "utk"), "--limit", "8", "-o"]
    assert prepare.main([*argv, str(tmp_path / "a.h5")]) == 0
    drawn = _column(tmp_path / "a.h5", "file").tolist()
    assert len(drawn) == 8
    assert drawn == [name for name in names if name in drawn]  # in their order
    assert drawn != names[:8]
    (tmp_path / "utk" / names[-1]).unlink()
    assert prepare.main([*argv, str(tmp_path / "b.h5")]) == 0
    assert len(set(drawn) & set(_column(tmp_path / "b.h5", "file"))) >= 7


def test_large_pictures_are_searched_a_few_at_a_time(tmp_path, astronaut, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    write_utkface(tmp_path / "utk", astronaut, 5)
    outputs = [tmp_path / "a.h5", tmp_path / "b.h5"]
    assert prepare.main([str(tmp_path / "utk"), "-o", str(outputs[0])]) == 0
    monkeypatch.setattr(prepare, "BATCH_PIXELS", 80_000)
    assert prepare.main([str(tmp_path / "utk"), "-o", str(outputs[1])]) == 0
    np.testing.assert_array_equal(_column(outputs[0], "crops"), _column(outputs[1], "crops"))


def test_the_size_of_the_crops_changes_neither_copies_nor_split(  # type: ignore[no-untyped-def]
    prepared, tmp_path, capsys
) -> None:
    path, _ = prepared
    finer = tmp_path / "finer.h5"
    argv = [str(path.parent), "--test-list", str(path.parent / "test.txt"), "--dev-share", "0.2"]
    assert prepare.main([*argv, "-o", str(finer), "--crop-px", "160"]) == 0
    assert _column(finer, "crops").shape == (27, 160, 160, 3)
    for column in ("file", "split", "group", "age"):
        assert np.array_equal(_column(finer, column), _column(path, column))
    assert load(finer, "test").data_hash == load(path, "test").data_hash
    smaller = resized(_column(finer, "crops"), 128)
    assert np.abs(smaller.astype(int) - _column(path, "crops")).mean() < 2
    assert prepare.main([*argv, "-o", str(tmp_path / "no.h5"), "--crop-px", "8"]) == 2
    assert "--crop-px: expected at least 32, got 8" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ([exact(20), exact(25)], (22.5, 22, 22)),
        ([exact(20), exact(25), exact(60)], (25, 25, 25)),
        ([between(10, 20), between(15, 30)], (17.5, 15, 20)),
        ([between(10, 20), between(20, 30)], (20, 20, 20)),
        ([between(0, 2), between(4, 6)], (3, 2, 4)),
        ([between(10, 20), exact(25), exact(30.4)], (27.7, 27, 27)),
    ],
    ids=str,
)
def test_labels_of_copies_become_one(labels, expected) -> None:  # type: ignore[no-untyped-def]
    ages = Ages.of([*labels, between(1, 9)])
    merged = ages.merged(np.array([0] * len(labels) + [len(labels)]))
    for age, low, high in zip(merged.age[:-1], merged.low[:-1], merged.high[:-1], strict=True):
        assert (age, low, high) == pytest.approx(expected)
    assert (merged.age[-1], merged.low[-1], merged.high[-1]) == (5, 1, 9)


@pytest.mark.parametrize(
    ("genders", "expected"),
    [
        ([-1, 1], 1),
        ([0, 1], -1),
        ([1, 0, 1], 1),
        ([0, 0, -1, 1], 0),
        ([1, -1, -1, -1], 1),
        ([-1, -1], -1),
    ],
    ids=str,
)
def test_genders_of_copies_become_one(genders, expected) -> None:  # type: ignore[no-untyped-def]
    gender = np.array([0, *genders, 1], np.int8)
    group = np.array([0, *[1] * len(genders), len(genders) + 1])
    assert merged_genders(gender, group).tolist() == [0, *[expected] * len(genders), 1]


def test_what_stays_of_copies_has_their_gender_unless_it_is_tested(  # type: ignore[no-untyped-def]
    tmp_path, astronaut, capsys
) -> None:
    pictures = {name: jpeg(head(astronaut, seed)) for seed, name in enumerate("acegi", 1)}
    copied = {copy: pictures[name] for copy, name in zip("bdfhj", "acegi", strict=True)}
    files = {f"{name}.jpg": content for name, content in (pictures | copied).items()}
    genders = {"b": "f", "c": "m", "d": "f", "e": "f", "h": "m", "i": "m", "j": "f"}
    rows = [f"{name},30,{genders.get(name[0], '')}\n" for name in sorted(files)]
    files["mine.csv"] = ("file,age,gender\n" + "".join(rows)).encode()
    layouts.write(tmp_path / "d", files)
    (tmp_path / "test.txt").write_text("g.jpg\ni.jpg\n")
    argv = [str(tmp_path / "d"), "-o", str(tmp_path / "out.h5"), "--dev-share", "1e-6"]
    assert prepare.main([*argv, "--test-list", str(tmp_path / "test.txt")]) == 0
    gender, part = _column(tmp_path / "out.h5", "gender"), _column(tmp_path / "out.h5", "split")
    assert part.tolist() == [TRAIN, LEFT_OUT] * 3 + [TEST, LEFT_OUT] * 2
    assert gender[::2].tolist() == [1, -1, 1, -1, 0]
    assert gender[1::2].tolist() == [1, 1, -1, 0, 1]  # their own
    assert f"{'labels merged within groups':42}{2:>8}" in capsys.readouterr().err


def test_every_kind_of_picture_can_be_read(astronaut) -> None:  # type: ignore[no-untyped-def]
    for suffix in PICTURE_SUFFIXES:
        assert is_picture(f"25/a{suffix}")
        assert is_picture(f"25/A{suffix.upper()}")
    for suffix in sorted(WRITABLE_SUFFIXES):
        encoded = cv2.imencode(suffix, astronaut)[1].tobytes()
        decoded = prepare.decode(encoded)
        assert decoded is not None
        assert decoded.shape == astronaut.shape
        trailing = prepare.decode(encoded + b"\0" * 400)
        assert trailing is not None


def test_heic_without_its_library_is_said_at_once(tmp_path, capsys, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "25").mkdir()
    (tmp_path / "25" / "a.HEIC").write_bytes(clips.HEIC)
    argv = [str(tmp_path), "-o", str(tmp_path / "faces.h5")]
    assert prepare.main(argv) == 1
    assert "no usable picture in the data (no face found: 1)" in capsys.readouterr().err
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "pi_heif" else found(name)
    )
    assert prepare.main(argv) == 1
    assert "pi_heif is not installed" in capsys.readouterr().err
    assert not (tmp_path / "faces.h5").exists()


def test_a_film_behind_a_photo_is_no_matter_and_a_thumbnail_no_end(astronaut) -> None:  # type: ignore[no-untyped-def]
    whole = jpeg(astronaut)
    film = b"\xff\xd9 ftyp \xff\xda moov"  # what ends and begins a scan, by chance
    assert prepare.decode(whole + film) is not None
    small = jpeg(astronaut[:64, :64])
    exif = b"\xff\xe1" + (len(small) + 8).to_bytes(2) + b"Exif\0\0" + small
    assert prepare.decode(whole[:2] + exif + whole[2:]) is not None
    for end in (len(whole) // 2, len(whole) - 2, 30):
        assert prepare.decode(whole[:2] + exif + whole[2:end]) is None


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="a system without named pipes")
@pytest.mark.parametrize("number", ENDS)
def test_killed_it_leaves_nothing(tmp_path, astronaut, number) -> None:  # type: ignore[no-untyped-def]
    write_utkface(tmp_path / "utk", astronaut, 2)
    picture = tmp_path / "utk" / utk_name(30, 0, 100)
    os.mkfifo(picture)
    child = subprocess.Popen(
        [sys.executable, "-m", "train.prepare", tmp_path / "utk", "-o", tmp_path / "faces.h5"],
        cwd=Path(__file__).parent.parent, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    until((tmp_path / f".faces.{child.pid}.partial.h5").exists, "it has begun")
    with picture.open("wb"):  # it reads the pictures, and waits for this one
        child.send_signal(number)
    assert child.communicate(timeout=60) == ("", "python -m train.prepare: interrupted\n")
    assert child.returncode == 130
    assert [path.name for path in tmp_path.iterdir()] == ["utk"]


def test_what_does_not_fit_on_the_disk_is_said_before_the_work(  # type: ignore[no-untyped-def]
    tmp_path, astronaut, capsys
) -> None:
    write_utkface(tmp_path / "utk", astronaut, 4)
    with clips.small_disk(tmp_path / "disk", 1200) as disk:
        argv = [str(tmp_path / "utk"), "-o", str(disk / "faces.h5")]
        assert prepare.main(argv) == 1
        err = capsys.readouterr().err
        assert "faces.h5: the disk is full: 1.2 MB are needed, 1.2 MB free; make room" in err
        assert len(err.splitlines()) == 1
        assert not clips.files_of(disk)
        assert prepare.main([*argv, "--limit", "3"]) == 0


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="a system without named pipes")
def test_a_disk_that_others_fill_ends_it_with_an_error(tmp_path, astronaut) -> None:  # type: ignore[no-untyped-def]
    last = tmp_path / "utk" / max(write_utkface(tmp_path / "utk", astronaut, 5))
    last.unlink()
    os.mkfifo(last)
    program = "import sys; from train import prepare; prepare.BATCH = 2; sys.exit(prepare.main())"
    with clips.small_disk(tmp_path / "disk", 16_000) as disk:
        child = subprocess.Popen(
            [sys.executable, "-c", program, tmp_path / "utk", "-o", disk / "faces.h5"],
            cwd=Path(__file__).parent.parent,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        partial = disk / f".faces.{child.pid}.partial.h5"
        until(
            lambda: partial.exists() and partial.stat().st_size > 4 * 128 * 128 * 3, "two batches"
        )
        clips.fill(disk)
        with last.open("wb"):  # it waits for this one
            pass
        out, err = child.communicate(timeout=60)
        assert (child.returncode, out) == (1, ""), err
        assert err.splitlines()[-1].startswith(f"python -m train.prepare: {disk / 'faces.h5'}: the")
        assert "0.0 MB free" in err
        assert clips.files_of(disk) == ["filling"]


def test_what_is_interrupted_does_not_read_on(tmp_path, astronaut) -> None:  # type: ignore[no-untyped-def]
    """A batch of photographs would take a minute."""
    names = write_utkface(tmp_path, astronaut, 3)
    stop = threading.Event()

    class Interrupted(Folder):
        def read(self, name: str) -> bytes:
            stop.set()
            return super().read(name)

    entries = [Entry("utkface", name, name, exact(30)) for name in names]
    done = prepare._finished(Interrupted(tmp_path), entries, Mtcnn(), 128, stop)
    assert [picture.entry.file for picture in done] == names[:1]


def _parts(path: Path) -> dict[str, int]:
    return dict(zip(_column(path, "file"), _column(path, "split"), strict=True))


def test_one_picture_more_moves_no_other_to_another_part(tmp_path, astronaut) -> None:  # type: ignore[no-untyped-def]
    folder = tmp_path / "utk"
    names = write_utkface(folder, astronaut, 24)
    argv = [str(folder), "--dev-share", "0.3", "-o"]
    assert prepare.main([*argv, str(tmp_path / "all.h5")]) == 0
    parts = _parts(tmp_path / "all.h5")
    assert set(parts.values()) == {TRAIN, DEV}
    (folder / names[0]).unlink()
    (folder / utk_name(1, 0, 200)).write_bytes((folder / names[1]).read_bytes())  # a copy, first
    assert prepare.main([*argv, str(tmp_path / "other.h5")]) == 0
    others = _parts(tmp_path / "other.h5")
    assert all(others[name] == parts[name] for name in names[2:])
    assert prepare.main([*argv, str(tmp_path / "seed.h5"), "--seed", "1"]) == 0
    assert any(part != others[name] for name, part in _parts(tmp_path / "seed.h5").items())


def test_near_copies_of_a_face_that_is_drawn_are_drawn_with_it(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    with copies.Thumbnails(tmp_path) as thumbnails:
        rows = Rows(thumbnails)
        for i in range(20):
            pattern = rng.integers(20, 236, 4096)
            for name in (f"{i}.jpg", f"{i} again.jpg"):
                alike = (pattern + rng.integers(-9, 10, 4096)).astype(np.uint8)
                digest = hashlib.sha256(name.encode()).digest()
                rows.append(Entry("d", name, name, exact(20)), digest, True, alike)
        part = rows.split(set(), set(), 0.5, 0).part.reshape(-1, 2)
    assert part[:, 0].tolist() == part[:, 1].tolist()
    assert set(part[:, 0]) == {TRAIN, DEV}


def test_a_copy_of_a_published_dev_picture_is_left_out_and_not_that_one(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    with copies.Thumbnails(tmp_path) as thumbnails:
        rows = Rows(thumbnails)
        for name, part, content in (
            ("train/1", TRAIN, "a"), ("valid/1", DEV, "a"), ("train/2", TRAIN, "b"),
        ):  # fmt: skip
            thumbnail = rng.integers(0, 256, 4096).astype(np.uint8)
            digest = hashlib.sha256(content.encode()).digest()
            rows.append(Entry("d", name, name, exact(20), part), digest, True, thumbnail)
        split = rows.split(set(), set(), 0.0, 0)
    assert split.part.tolist() == [LEFT_OUT, DEV, TRAIN]
    assert "copy of a listed picture" in rows.summary(split)


def test_who_may_be_a_held_face_is_not_trained_on(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    with copies.Thumbnails(tmp_path) as thumbnails:
        rows, faces = Rows(thumbnails), rng.integers(60, 196, (3, 4096))
        for name, face, age in (
            ("test", 0, 30), ("alike", 0, 50), ("dev", 1, 30), ("its like", 1, 60), ("else", 2, 20),
        ):  # fmt: skip
            thumbnail = np.clip(faces[face] + rng.normal(0, 17, 4096), 0, 255).astype(np.uint8)
            digest = hashlib.sha256(name.encode()).digest()
            rows.append(Entry("d", name, name, exact(age)), digest, True, thumbnail)
        split = rows.split({"test"}, {"dev"}, 0.5, 0)
    assert split.part.tolist() == [TEST, LEFT_OUT, DEV, LEFT_OUT, TRAIN]
    assert split.ages.age.tolist() == [30, 50, 30, 60, 20]  # two people, each of an age


def test_a_dev_list_is_the_dev_part_and_its_copies_are_left_out(  # type: ignore[no-untyped-def]
    tmp_path, astronaut, capsys
) -> None:
    folder = tmp_path / "utk"
    names = write_utkface(folder, astronaut, 8)
    (folder / utk_name(60, 0, 100)).write_bytes(jpeg(head(astronaut, 2), 60))  # re-encoded
    copy = utk_name(90, 0, 101)  # a second name of the same bytes, and the one that is listed
    (folder / copy).write_bytes((folder / names[4]).read_bytes())
    listed = f"{names[2]}\n{names[5]}\n{copy}\nnobody.jpg\n"
    (tmp_path / "dev.txt").write_text(listed, encoding="utf-8-sig")  # as Windows' editor does
    (tmp_path / "test.txt").write_text(f"{names[5]}\n")
    lists = ["--dev-list", str(tmp_path / "dev.txt"), "--test-list", str(tmp_path / "test.txt")]
    assert prepare.main([str(folder), *lists, "-o", str(tmp_path / "faces.h5")]) == 0
    parts = _parts(tmp_path / "faces.h5")
    assert [name for name, part in parts.items() if part == DEV] == [names[2], copy]
    assert parts[utk_name(60, 0, 100)] == LEFT_OUT
    assert parts[names[4]] == LEFT_OUT
    assert parts[names[5]] == TEST
    assert f"{'dev list names not in the data':42}{1:>8}" in capsys.readouterr().err


@pytest.mark.skipif(os.name != "posix", reason="names of any bytes are of Unix alone")
def test_a_name_that_is_not_utf_8_is_kept_as_text(tmp_path, astronaut) -> None:  # type: ignore[no-untyped-def]
    folder = tmp_path / "data" / "25"
    folder.mkdir(parents=True)
    for number, name in enumerate((b"caf\xe9.jpg", "caf\xe9.jpg".encode())):
        path = Path(os.fsdecode(os.fsencode(folder) + b"/" + name))
        path.write_bytes(jpeg(astronaut, 90 - number))
    output = tmp_path / "faces.h5"
    assert prepare.main([str(folder.parent), "-o", str(output)]) == 0
    assert sorted(_parts(output)) == ["25/caf\\xe9.jpg", "25/caf\xe9.jpg"]


@pytest.mark.parametrize("names", [("faces.2019", "faces.2020"), ("faces", "faces.csv")])
def test_data_whose_names_differ_after_a_point_alone_are_told_apart(  # type: ignore[no-untyped-def]
    tmp_path, astronaut, names
) -> None:
    layouts.write(tmp_path / "faces.2019", {"25/a.jpg": jpeg(head(astronaut, 13))})
    layouts.write(tmp_path / "faces.2020", {"25/a.jpg": jpeg(head(astronaut, 20))})
    layouts.write(tmp_path / "faces", {"25/a.jpg": jpeg(head(astronaut, 13))})
    layouts.write(tmp_path, {"c.jpg": jpeg(head(astronaut, 20)), "faces.csv": b"file,age\nc.jpg,9"})
    data = [str(tmp_path / name) for name in names]
    assert prepare.main([*data, "-o", str(tmp_path / "out.h5")]) == 0
    assert set(_column(tmp_path / "out.h5", "dataset")) == set(names)


def test_a_name_sends_no_signs_to_the_terminal(  # type: ignore[no-untyped-def]
    tmp_path, astronaut, capsys
) -> None:
    bad = "26_0_0_20170116000000002.jpg\x1b[31m.chip.jpg"
    good = {"25_0_0_20170116000000001.jpg.chip.jpg": jpeg(head(astronaut, 0))}
    layouts.write(tmp_path / "d", {**good, bad: b"no"})
    assert prepare.main([str(tmp_path / "d"), "-o", str(tmp_path / "out.h5")]) == 0
    err = capsys.readouterr().err
    assert "unreadable" in err
    assert "\x1b[31m" not in err
