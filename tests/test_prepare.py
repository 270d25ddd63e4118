"""Published pictures to one file of aligned faces: splits, copies, counts, errors."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
from faces_data import head, jpeg, utk_name, write_utkface

from train import prepare
from train.faces import DEV, LEFT_OUT, TEST, TRAIN, load


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
    assert sorted(test.age) == [20, 23]


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
        ([".", "-o", "out.h5"], 1, "no picture named as UTKFace"),
        ([".", "-o", "there.h5"], 2, "there.h5: exists"),
        ([".", "-o", "out.h5", "--dev-share", "1"], 2, "expected a share between 0 and 1"),
        ([".", "-o", "out.h5", "--test-list", "none.txt"], 1, "cannot read the test list"),
        ([".", "-o", "no/folder/out.h5"], 1, "no/folder"),
    ],
)
def test_errors_are_one_line_and_leave_nothing(  # type: ignore[no-untyped-def]
    tmp_path, monkeypatch, capsys, arguments, code, message
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("there.h5").write_text("mine")
    assert prepare.main(arguments) == code
    err = capsys.readouterr().err
    assert message in err
    assert len(err.splitlines()) == 1
    assert {file.name for file in Path().iterdir()} == {"there.h5"}
    assert Path("there.h5").read_text() == "mine"
