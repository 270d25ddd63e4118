"""`livecam predict`, and `livecam.predict` as a library: what scripts can rely on."""

from __future__ import annotations

import base64
import contextlib
import csv
import http.server
import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
import weakref
import zipfile
from collections.abc import Iterator
from pathlib import Path

import clips
import cv2
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from patience import ENDS, PATIENCE_S, until

import livecam as library
from livecam import LivecamError, UsageError, prediction
from livecam.ages import SCHEMES
from livecam.inputs import DOWNLOAD_TIMEOUT_S

KEYS = (
    "file", "face", "xyxy", "confidence", "age", "age_low", "age_high", "age_bin", "bins",
    "female_prob",
)  # fmt: skip
# The face in conftest's `portrait` as the detector has it
FACE_XYXY = (89, 30, 133, 86)


@pytest.fixture
def album(tmp_path: Path, portrait: np.ndarray) -> Path:
    """one.png, two.png (a face left and right), none.png."""
    folder = tmp_path / "album"
    folder.mkdir()
    cv2.imwrite(str(folder / "one.png"), portrait)
    cv2.imwrite(str(folder / "two.png"), np.hstack([portrait, portrait[:, ::-1]]))
    cv2.imwrite(str(folder / "none.png"), np.full((90, 120, 3), 128, np.uint8))
    return folder


def table_of(name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(Path(name).read_text().splitlines()))


def check_face(row: dict, size_wh: tuple[int, int], labels: tuple[str, ...]) -> None:
    """Types, bounds and sums of a row with a face."""
    assert tuple(row)[: len(KEYS)] == KEYS
    assert isinstance(row["file"], str)
    assert isinstance(row["face"], int)
    x_min, y_min, x_max, y_max = row["xyxy"]
    assert 0 <= x_min < x_max <= size_wh[0]
    assert 0 <= y_min < y_max <= size_wh[1]
    assert 0 <= row["confidence"] <= 1
    assert isinstance(row["age"], float)
    assert isinstance(row["age_low"], int)
    assert isinstance(row["age_high"], int)
    assert 0 <= row["age_low"] <= row["age_high"] <= 100
    assert 0 <= row["age"] <= 100
    assert tuple(row["bins"]) == labels
    assert all(0 <= p <= 1 for p in row["bins"].values())
    assert sum(row["bins"].values()) == pytest.approx(1, abs=1e-3)
    assert row["bins"][row["age_bin"]] == max(row["bins"].values())
    assert isinstance(row["female_prob"], float)
    assert 0 <= row["female_prob"] <= 1


MARKETING = ("0-12", "13-17", "18-24", "25-34", "35-44", "45-54", "55-64", "65+")


# Rows


def test_a_face_is_a_row(livecam: clips.Command, album: Path) -> None:
    answer = livecam("predict", "album/one.png", "--json")
    assert (answer.code, answer.err) == (0, "")
    (row,) = answer.rows
    check_face(row, (256, 256), MARKETING)
    assert (row["file"], row["face"]) == ("album/one.png", 1)
    assert row["xyxy"] == pytest.approx(FACE_XYXY, abs=6)
    assert set(row) == set(KEYS)


def test_a_sheet_is_not_replaced_by_an_empty_one(livecam: clips.Command, album: Path) -> None:
    Path("old.csv").write_text("old")
    for name in ("old.csv", "new.csv"):
        assert livecam("predict", "missing.png", "--csv", name, "--overwrite").code == 1
    assert Path("old.csv").read_text() == "old"
    assert not Path("new.csv").exists()
    assert livecam("predict", "missing.png", "album/none.png", "--csv", "new.csv").code == 1
    with Path("new.csv").open() as file:
        assert [row["file"] for row in csv.DictReader(file)] == ["album/none.png"]


@pytest.mark.skipif(sys.platform != "linux", reason="names there are text")
def test_a_name_that_is_no_text_is_as_it_is_for_another_program(album: Path) -> None:
    name = os.fsdecode(b"\xff\xfe.png")
    (album / name).write_bytes((album / "none.png").read_bytes())
    done = subprocess.run(
        [*clips.LIVECAM, "annotate", name], capture_output=True, cwd=album,
        env=os.environ | {"PYTHONIOENCODING": "utf-8"}, check=True,
    )  # fmt: skip
    assert done.stdout == b"\xff\xfe_livecam.png\n"
    assert (album / os.fsdecode(done.stdout.strip())).is_file()


def test_no_face_is_a_row_of_nulls(livecam: clips.Command, album: Path) -> None:
    answer = livecam("predict", "album/none.png", "--json")
    assert (answer.code, answer.err) == (0, "")
    assert answer.rows == [{"file": "album/none.png", **dict.fromkeys(KEYS[1:])}]
    assert tuple(answer.rows[0]) == KEYS


def test_faces_go_from_left_to_right(livecam: clips.Command, album: Path) -> None:
    answer = livecam("predict", "album/two.png", "--json")
    assert [row["face"] for row in answer.rows] == [1, 2]
    left, right = answer.rows
    assert left["xyxy"] == pytest.approx(FACE_XYXY, abs=6)
    x_min, y_min, x_max, y_max = FACE_XYXY
    assert right["xyxy"] == pytest.approx((512 - x_max, y_min, 512 - x_min, y_max), abs=6)


def test_inputs_stay_in_order_and_a_picture_may_come_twice(
    livecam: clips.Command, album: Path
) -> None:
    typed = ["album/two.png", "album/none.png", "album/one.png", "album/two.png"]
    answer = livecam("predict", *typed, "--json")
    assert [(row["file"], row["face"]) for row in answer.rows] == [
        ("album/two.png", 1), ("album/two.png", 2), ("album/none.png", None),
        ("album/one.png", 1), ("album/two.png", 1), ("album/two.png", 2),
    ]  # fmt: skip


def test_more_pictures_than_a_batch_stay_in_order(livecam: clips.Command, tmp_path: Path) -> None:
    names = [f"{i:03}.png" for i in range(150)]
    for name in names:
        cv2.imwrite(str(tmp_path / name), np.zeros((13, 13, 3), np.uint8))
    (tmp_path / "077.png").write_text("no picture")
    answer = livecam("predict", *names, "--json")
    assert answer.code == 1
    assert [row["file"] for row in answer.rows] == [n for n in names if n != "077.png"]
    assert "077.png" in answer.complaint()


def test_a_folder_names_its_pictures(livecam: clips.Command, album: Path) -> None:
    (album / "clip.mp4").write_bytes(b"x")
    (album / "one_livecam.png").write_bytes(b"x")
    for typed in ("album", "album/", str(album)):
        answer = livecam("predict", typed, "--json")
        assert answer.code == 0
        assert [row["file"] for row in answer.rows] == [
            "album/none.png", "album/one.png", "album/two.png", "album/two.png"
        ]  # fmt: skip


def test_a_glob_gives_its_matches(livecam: clips.Command, album: Path) -> None:
    answer = livecam("predict", "album/n*.png", "album/o*.png", "--json")
    assert [row["file"] for row in answer.rows] == ["album/none.png", "album/one.png"]


def test_the_readable_table(livecam: clips.Command, album: Path) -> None:
    answer = livecam("predict", "album/two.png", "album/none.png", "--over", "18")
    assert (answer.code, answer.err) == (0, "")
    first, second, third = answer.lines
    for i, line in enumerate((first, second)):
        assert line.startswith(f"album/two.png  face {i + 1}  ")
        assert re.search(r"  \d+ years \(\d+-\d+\)  ", line)
        assert sum(label in line for label in MARKETING) >= 3
        assert "female" in line or "male" in line
        assert "  18+ " in line
        assert line.isascii()
    assert third == "album/none.png  no face"


def test_no_gender(livecam: clips.Command, album: Path) -> None:
    answer = livecam("predict", "album/one.png", "--json", "--no-gender", "--csv", "a.csv")
    assert answer.rows[0]["female_prob"] is None
    assert table_of("a.csv")[0]["female_prob"] == ""
    table = livecam("predict", "album/one.png", "--no-gender").out
    assert "male" not in table


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_scheme_has_its_labels(livecam: clips.Command, album: Path, scheme: str) -> None:
    answer = livecam("predict", "album/one.png", "--json", "--scheme", scheme)
    check_face(answer.rows[0], (256, 256), SCHEMES[scheme].labels)
    published = {
        "marketing": "0-12 13-17 18-24 25-34 35-44 45-54 55-64 65+",
        "decades": "0-9 10-19 20-29 30-39 40-49 50-59 60-69 70-79 80+",
        "life-stages": "0-2 3-7 8-12 13-19 20-36 37-65 66+",
    }
    if scheme in published:
        assert " ".join(answer.rows[0]["bins"]) == published[scheme]


def test_own_edges(livecam: clips.Command, album: Path) -> None:
    Path("livecam.yaml").write_text("ages:\n  scheme: school\n  schemes: {school: [0, 6, 7, 16]}\n")
    (row,) = livecam("predict", "album/one.png", "--json").rows
    assert tuple(row["bins"]) == ("0-5", "6", "7-15", "16+")


def test_over_gives_the_probability_of_being_that_old(livecam: clips.Command, album: Path) -> None:
    asked = [argument for age in (0, 18, 65, 100) for argument in ("--over", age)]
    answer = livecam("predict", "album", "--json", *asked)
    for row in answer.rows:
        assert tuple(row) == (*KEYS, "over")
        if row["face"] is None:
            assert row["over"] is None
            continue
        assert list(row["over"]) == ["0", "18", "65", "100"]
        chances = list(row["over"].values())
        assert chances[0] == pytest.approx(1, abs=1e-3)
        assert chances == sorted(chances, reverse=True)
        elders = sum(p for label, p in row["bins"].items() if label not in MARKETING[:2])
        assert row["over"]["18"] == pytest.approx(elders, abs=1e-3)
        assert row["over"]["65"] == pytest.approx(row["bins"]["65+"], abs=1e-3)


@pytest.mark.parametrize("age", ["abc", "-1", "18.5", "101", ""])
def test_over_takes_an_age(livecam: clips.Command, age: str) -> None:
    answer = livecam("predict", "a.png", f"--over={age}")
    assert (answer.code, answer.out) == (2, "")
    assert "expected an age from 0 to 100" in answer.err


def test_the_smallest_face_looked_for(livecam: clips.Command, album: Path) -> None:
    answer = livecam("predict", "album/one.png", "--json", "--min-face-px", "200")
    assert answer.rows[0]["face"] is None


def test_a_face_that_the_border_cuts(
    livecam: clips.Command, album: Path, cut_face: np.ndarray
) -> None:
    cv2.imwrite("album/cut.png", cut_face)
    cv2.imwrite("album/cut too.png", cut_face[:, ::-1])
    together = livecam("predict", "album", "--json").rows
    assert [row["face"] for row in together] == [1, 1, None, 1, 1, 2]  # cut too, cut, none, …
    for row in together[:2]:
        check_face(row, (207, 264), MARKETING)
        alone = livecam("predict", row["file"], "--json").rows[0]
        assert alone["xyxy"] == pytest.approx(row["xyxy"], abs=0.1)
        assert alone["age"] == pytest.approx(row["age"], abs=0.1)


def test_threads_do_not_change_the_answer(livecam: clips.Command, album: Path) -> None:
    one = livecam("predict", "album", "--json", "--threads", "1").rows
    two = livecam("predict", "album", "--json", "--threads", "2").rows
    assert [row["xyxy"] for row in one] == [row["xyxy"] for row in two]


# --assume-face


def test_assume_face_finds_the_one_face_of_a_crop(
    livecam: clips.Command, portrait: np.ndarray, tmp_path: Path
) -> None:
    cv2.imwrite(str(tmp_path / "tight.png"), portrait[34:84, 86:136])
    answer = livecam("predict", "tight.png", "--json", "--assume-face")
    assert answer.code == 0
    (row,) = answer.rows
    check_face(row, (50, 50), MARKETING)


def test_assume_face_answers_where_no_face_is_found(livecam: clips.Command, tmp_path: Path) -> None:
    for name, shape in (
        ("grey.png", (90, 60, 3)),
        ("dot.png", (1, 1, 3)),
        ("line.png", (1, 50, 3)),
    ):
        cv2.imwrite(str(tmp_path / name), np.full(shape, 128, np.uint8))
    answer = livecam("predict", "grey.png", "dot.png", "line.png", "--json", "--assume-face")
    assert answer.code == 0
    assert [row["face"] for row in answer.rows] == [1, 1, 1]
    check_face(answer.rows[0], (60, 90), MARKETING)
    assert answer.rows[0]["xyxy"] == [0, 0, 60, 90]
    assert answer.rows[0]["confidence"] == 0


def test_assume_face_says_that_no_face_was_found(livecam: clips.Command, album: Path) -> None:
    cv2.imwrite("grey.png", np.full((90, 60, 3), 128, np.uint8))
    grey, one = livecam("predict", "grey.png", "album/one.png", "--assume-face").lines
    assert grey.startswith("grey.png  face 1 (assumed: none was found)  ")
    assert "assumed" not in one


def test_assume_face_gives_one_face_of_several(livecam: clips.Command, album: Path) -> None:
    answer = livecam("predict", "album", "--json", "--assume-face")
    assert [row["face"] for row in answer.rows] == [1, 1, 1]


# Pictures that must work

MUST_WORK = ["1x1", "1x200", "2000x1", "grey", "rgba", "16 bit", "16 bit rgba", "exif"]


def unusual(kind: str, portrait: np.ndarray) -> tuple[str, bytes]:
    """(file name, bytes) of a picture of that kind."""
    alpha = np.full(portrait.shape[:2], 200, np.uint8)
    rgba = np.dstack([portrait, alpha])
    pictures = {
        "1x1": np.zeros((1, 1, 3), np.uint8),
        "1x200": np.zeros((200, 1, 3), np.uint8),
        "2000x1": np.zeros((1, 2000, 3), np.uint8),
        "grey": cv2.cvtColor(portrait, cv2.COLOR_BGR2GRAY),
        "rgba": rgba,
        "16 bit": portrait.astype(np.uint16) * 257,
        "16 bit rgba": rgba.astype(np.uint16) * 257,
    }
    if kind == "exif":
        return "a.jpg", clips.turned_jpeg(np.ascontiguousarray(np.rot90(portrait)), 6)
    return "a.png", clips.png(pictures[kind])


@pytest.mark.parametrize("kind", MUST_WORK)
@pytest.mark.parametrize("command", ["predict", "annotate"])
def test_unusual_pictures_work(
    livecam: clips.Command, tmp_path: Path, portrait: np.ndarray, kind: str, command: str
) -> None:
    name, data = unusual(kind, portrait)
    (tmp_path / name).write_bytes(data)
    if command == "annotate":
        answer = livecam("annotate", name, "--tracks", "t.jsonl")
        assert answer.code == 0, answer.err
        written = cv2.imread(answer.lines[0])
        expected = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        assert written.shape == expected.shape
        rows = [json.loads(line) for line in Path("t.jsonl").read_text().splitlines()]
        assert [row["frame"] for row in rows] == ([] if "x" in kind and kind != "exif" else [0])
        return
    answer = livecam("predict", name, "--json")
    assert (answer.code, answer.err) == (0, "")
    (row,) = answer.rows
    if "x" in kind and kind != "exif":
        assert row["face"] is None
    else:  # in pixels of the upright picture
        assert row["xyxy"] == pytest.approx(FACE_XYXY, abs=6)


def test_a_huge_picture_is_searched_and_its_coordinates_are_its_own(
    livecam: clips.Command, tmp_path: Path, astronaut: np.ndarray
) -> None:
    huge = np.full((9_000, 12_000), 90, np.uint8)
    grey = cv2.cvtColor(astronaut, cv2.COLOR_BGR2GRAY)
    huge[5000 : 5000 + 2048, 8000 : 8000 + 2048] = cv2.resize(grey, None, fx=4, fy=4)
    cv2.imwrite(str(tmp_path / "huge.jpg"), huge)
    del huge
    answer = livecam("predict", "huge.jpg", "--json")
    assert (answer.code, answer.err) == (0, "")
    (row,) = answer.rows
    small = np.array([181, 60, 267, 172])  # the face in the portrait
    assert row["xyxy"] == pytest.approx(4 * small + [8000, 5000, 8000, 5000], abs=60)


def test_a_very_long_panorama(
    livecam: clips.Command, tmp_path: Path, astronaut: np.ndarray
) -> None:
    """Longer than the 2^15 pixels that OpenCV's remap and warps take."""
    wide = np.full((310, 33_500), 90, np.uint8)
    grey = cv2.cvtColor(astronaut, cv2.COLOR_BGR2GRAY)
    wide[5:305, 33_000:33_300] = cv2.resize(grey, (300, 300), interpolation=cv2.INTER_AREA)
    cv2.imwrite(str(tmp_path / "wide.png"), wide)
    answer = livecam("predict", "wide.png", "--json")
    assert (answer.code, answer.err) == (0, "")
    Path("livecam.yaml").write_text("detector: {max_side_px: 32000}\n")
    answer = livecam("predict", "wide.png", "--json")
    assert (answer.code, answer.err) == (0, "")
    assert answer.rows[0]["xyxy"][0] == pytest.approx(33_106, abs=20)


@pytest.mark.parametrize("command", ["predict", "annotate"])
def test_more_than_200_megapixels_are_refused_undecoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """A header alone: to say anything but that it is too large, it would have to be decoded."""
    monkeypatch.delenv("OPENCV_IO_MAX_IMAGE_PIXELS", raising=False)
    (tmp_path / "a.png").write_bytes(clips.png_that_claims(20_000, 10_001))
    done = subprocess.run(
        [*clips.LIVECAM, command, "a.png"], cwd=tmp_path, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == ("livecam: a.png: larger than 200 megapixels; make it smaller first\n")
    assert clips.files_of(tmp_path) == ["a.png"]


# Failures


def unreadable(kind: str, tmp_path: Path, portrait: np.ndarray) -> str:
    """The name of an input that is no picture."""
    jpeg = cv2.imencode(".jpg", portrait)[1].tobytes()
    contents = {
        "empty": b"", "text": b"only words\n", "cut at once": jpeg[:200], "zeros": bytes(500),
        "html": b"<!doctype html><title>no</title>", "2 bytes": jpeg[:2],
    }  # fmt: skip
    if kind == "missing":
        return "none.jpg"
    if kind == "clip":
        clips.write_clip(tmp_path / "a.mp4", clips.greys(2))
        return "a.mp4"
    if kind == "clip in disguise":
        clips.write_clip(tmp_path / "a.mp4", clips.greys(2)).rename(tmp_path / "a.jpg")
        return "a.jpg"
    if kind == "long name":
        return "n" * 300 + ".jpg"
    if kind == "long folder":
        return "n" * 300 + "/a.jpg"
    if kind == "below a file":
        (tmp_path / "file").touch()
        return "file/a.jpg"
    if kind == "unnamed":
        return ""
    (tmp_path / "a.jpg").write_bytes(contents[kind])
    return "a.jpg"


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("missing", "no such file"),
        ("empty", "empty; expected a picture"),
        ("text", "not a readable picture; expected JPEG, PNG"),
        ("cut at once", "not a readable picture"),
        ("2 bytes", "not a readable picture"),
        ("zeros", "not a readable picture"),
        ("html", "not a readable picture"),
        ("clip", "not a picture; label clips with: livecam annotate a.mp4"),
        ("clip in disguise", "not a readable picture"),
        ("long name", ""),
        ("long folder", ""),
        ("below a file", ""),
    ],
)
def test_what_is_no_picture_is_one_line(
    livecam: clips.Command, tmp_path: Path, portrait: np.ndarray, kind: str, said: str
) -> None:
    name = unreadable(kind, tmp_path, portrait)
    answer = livecam("predict", name, "--json")
    line = answer.failure(1)
    assert line.startswith(f"livecam: {name}: ")
    assert said in line
    assert answer.err == line + "\n"


@pytest.mark.parametrize("typed", [["empty"], ["*.webp"], ["empty/*"]])
def test_nothing_usable(livecam: clips.Command, tmp_path: Path, typed: list[str]) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "notes.txt").write_text("x")
    answer = livecam("predict", *typed)
    assert answer.failure(1).startswith(f"livecam: {typed[0]}: ")
    assert answer.err.count("\n") == 1


def test_one_bad_picture_does_not_stop_the_others(
    livecam: clips.Command, album: Path, tmp_path: Path
) -> None:
    (album / "bad.jpg").write_text("words")
    long = "x" * 300 + ".jpg"
    Path("circle").symlink_to("circle")
    typed = ["none.jpg", "album/one.png", long, "circle/a.jpg", "album/bad.jpg", "album/none.png"]
    answer = livecam("predict", *typed, "--json", "--csv", "a.csv")
    assert answer.code == 1
    assert [row["file"] for row in answer.rows] == ["album/one.png", "album/none.png"]
    said = answer.err.splitlines()
    assert len(said) == 4
    assert said[0].startswith("livecam: none.jpg: no such file")
    assert said[1].startswith(f"livecam: {long}: cannot be read")
    assert said[2].startswith("livecam: circle/a.jpg: cannot be read")
    assert said[3].startswith("livecam: album/bad.jpg: not a readable picture")
    rows = table_of("a.csv")
    assert [row["file"] for row in rows] == ["album/one.png", "album/none.png"]


@pytest.mark.parametrize("bad", ["empty", "*.webp"])
def test_an_empty_folder_does_not_stop_the_others(
    livecam: clips.Command, album: Path, tmp_path: Path, bad: str
) -> None:
    (tmp_path / "empty").mkdir()
    answer = livecam("predict", "album/one.png", bad, "album/none.png", "--json")
    assert answer.code == 1
    assert [row["file"] for row in answer.rows] == ["album/one.png", "album/none.png"]
    assert answer.complaint().startswith(f"livecam: {bad}: ")


def test_a_name_that_is_no_text(livecam: clips.Command, portrait: np.ndarray) -> None:
    """File names are bytes; old discs have Latin-1 ones."""
    name = os.fsdecode(b"gr\xfcn.png")
    Path(name).write_bytes(clips.png(portrait))
    done = subprocess.run(
        [*clips.LIVECAM, "predict", name, "--json", "--csv", "a.csv"], capture_output=True
    )
    assert b"Traceback" not in done.stderr
    assert done.returncode == 0
    assert len(json.loads(done.stdout.decode(errors="surrogateescape"))["bins"]) == 8


@pytest.mark.skipif(sys.platform != "linux", reason="names there are text")
def test_a_name_that_is_no_text_and_says_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, portrait: np.ndarray
) -> None:
    """Without a suffix its beginning says what it is; OpenCV crashes on such a name."""
    monkeypatch.chdir(tmp_path)
    name = os.fsdecode(b"gr\xfcn")
    Path(name).write_bytes(clips.png(portrait))
    done = subprocess.run([*clips.LIVECAM, "predict", name, "--json"], capture_output=True)
    assert done.returncode == 0
    assert len(json.loads(done.stdout.decode(errors="surrogateescape"))["bins"]) == 8


def test_a_picture_on_stdin_that_comes_slowly_to_a_reader_that_does_not_wait(
    portrait: np.ndarray,
) -> None:
    """As asyncio hands it over: what is not there yet is not the end."""
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    child = subprocess.Popen(
        [*clips.LIVECAM, "predict", "-", "--json"], stdin=theirs, stdout=subprocess.PIPE
    )
    theirs.close()
    time.sleep(1.5)  # it is waiting
    with ours:
        ours.sendall(clips.png(portrait))
    out, _ = child.communicate(timeout=60)
    assert child.returncode == 0
    assert len(json.loads(out)["bins"]) == 8


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_json_is_json_in_every_encoding(
    livecam: clips.Command, portrait: np.ndarray, encoding: str
) -> None:
    name = "grün 😀.png"
    Path(name).write_bytes(clips.png(portrait))
    done = subprocess.run(
        [*clips.LIVECAM, "predict", name, "--json"],
        env={**os.environ, "PYTHONIOENCODING": encoding}, capture_output=True, check=True,
    )  # fmt: skip
    assert json.loads(done.stdout.decode(encoding))["file"] == name


# --csv


def test_csv_has_the_fields_of_the_json_with_bins_as_columns(
    livecam: clips.Command, album: Path
) -> None:
    answer = livecam("predict", "album", "--json", "--csv", "a.csv", *["--over", "18"] * 2)
    text = Path("a.csv").read_text()
    assert text.splitlines()[0].split(",") == [
        "file", "face", "x_min", "y_min", "x_max", "y_max", "confidence", "age", "age_low",
        "age_high", "age_bin", *MARKETING, "female_prob", "over_18",
    ]  # fmt: skip
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == len(answer.rows)
    for row, given in zip(rows, answer.rows, strict=True):
        assert row["file"] == given["file"]
        if given["face"] is None:
            assert set(row.values()) == {given["file"], ""}
            continue
        assert [float(row[key]) for key in ("x_min", "y_min", "x_max", "y_max")] == given["xyxy"]
        for key in ("face", "confidence", "age", "age_low", "age_high", "female_prob"):
            assert float(row[key]) == given[key]
        assert row["age_bin"] == given["age_bin"]
        assert {label: float(row[label]) for label in MARKETING} == given["bins"]
        assert float(row["over_18"]) == given["over"]["18"]
    assert clips.files_of(Path()) == ["a.csv", "album/none.png", "album/one.png", "album/two.png"]


@pytest.mark.parametrize("sign", ["\r", "\n", "\r\n", ",", '"'])
def test_a_row_is_one_whatever_the_name_of_its_file(
    livecam: clips.Command, portrait: np.ndarray, sign: str
) -> None:
    name = f"a{sign}b.png"
    Path(name).write_bytes(clips.png(portrait))
    assert livecam("predict", name, "--csv", "a.csv").code == 0
    with Path("a.csv").open(newline="") as file:
        header, row = csv.reader(file)
    assert (row[0], len(row)) == (name, len(header))
    assert Path("a.csv").read_bytes().count(b"\r") == sign.count("\r")


def test_an_existing_csv_is_kept_unless_told(livecam: clips.Command, album: Path) -> None:
    Path("a.csv").write_text("old")
    answer = livecam("predict", "album/one.png", "--csv", "a.csv")
    assert answer.failure(2).startswith("livecam: a.csv: exists; give --overwrite")
    assert Path("a.csv").read_text() == "old"
    assert livecam("predict", "album/one.png", "--csv", "a.csv", "--overwrite").code == 0
    assert Path("a.csv").read_text().count("\n") == 2


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("album/one.png", "--csv album/one.png: expected a name that ends in .csv"),
        ("a.txt", "--csv a.txt: expected a name that ends in .csv"),
        ("photo.csv", "--csv photo.csv: is an input; give it another name"),
        ("album/../photo.CSV", "--csv album/../photo.CSV: is an input; give it another name"),
    ],
)
def test_a_picture_is_no_csv(livecam: clips.Command, album: Path, name: str, said: str) -> None:
    """`--csv one.png two.png`, where the name of the table was forgotten."""
    for photo in ("photo.csv", "photo.CSV"):
        Path(photo).write_bytes((album / "one.png").read_bytes())
    before = {file: Path(file).read_bytes() for file in clips.files_of(Path())}
    answer = livecam(
        "predict", "album/two.png", "photo.csv", "photo.CSV", "--csv", name, "--overwrite"
    )
    assert answer.failure(2) == f"livecam: {said}"
    assert {file: Path(file).read_bytes() for file in clips.files_of(Path())} == before


@pytest.mark.parametrize("overwrite", [[], ["--overwrite"]])
def test_a_folder_is_no_csv(livecam: clips.Command, album: Path, overwrite: list[str]) -> None:
    Path("a.csv").mkdir()
    answer = livecam("predict", "album/one.png", "--csv", "a.csv", *overwrite)
    assert answer.code in (1, 2)
    assert answer.complaint().startswith("livecam: --csv a.csv: is a folder")
    assert sorted(path.name for path in Path().iterdir()) == ["a.csv", "album"]


@pytest.mark.parametrize("place", ["none/a.csv", "album/one.png/a.csv", "ro/a.csv"])
def test_a_csv_that_cannot_be_written(livecam: clips.Command, album: Path, place: str) -> None:
    Path("ro").mkdir()
    with clips.read_only(Path("ro").resolve()):
        answer = livecam("predict", "album/one.png", "--json", "--csv", place)
    assert answer.code == 1
    assert answer.complaint().startswith(f"livecam: {place}: cannot be written: ")
    assert answer.err.count("\n") == 1


def test_a_full_disk_leaves_whole_rows(livecam: clips.Command, album: Path) -> None:
    """A table that is full in the middle of a run."""
    with clips.small_disk(Path("disk").resolve(), 8):
        answer = livecam("predict", *["album/two.png"] * 40, "--json", "--csv", "disk/a.csv")
        assert answer.code == 1
        assert "No space left" in answer.complaint()
        text = Path("disk/a.csv").read_text()
        assert clips.files_of(Path("disk")) == ["a.csv"]
    assert text.endswith("\n")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) > 4
    assert all(None not in row.values() and None not in row for row in rows)


# URLs and stdin


@pytest.fixture
def website(album: Path) -> Iterator[str]:
    (album / "page.html").write_text("<!doctype html><title>no picture</title>")
    (album / "page.jpg").write_text("<!doctype html><title>no picture</title>")
    clips.write_clip(album / "clip.mp4", clips.greys(3))
    with clips.served(clips.files_in(album)) as address:
        yield address


@pytest.mark.parametrize(
    "path", ["one.png", "one.png?size=large&x=.gif", "%6fne.png", "one.png?name=bü ro"]
)
def test_a_url_is_a_picture(livecam: clips.Command, website: str, path: str) -> None:
    answer = livecam("predict", f"{website}/{path}", "--json")
    assert (answer.code, answer.err) == (0, "")
    (row,) = answer.rows
    assert row["file"] == f"{website}/{path}"
    assert row["xyxy"] == pytest.approx(FACE_XYXY, abs=6)


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("gone.png", "the server answers 404"),
        ("page.html", "a web page; expected a picture"),
        ("page.jpg", "a web page; expected a picture"),
        ("clip.mp4", "not a picture; label clips with: livecam annotate"),
    ],
)
def test_a_url_that_is_no_picture(
    livecam: clips.Command, website: str, path: str, said: str
) -> None:
    answer = livecam("predict", f"{website}/{path}", f"{website}/one.png", "--json")
    assert answer.code == 1
    assert answer.complaint().startswith(f"livecam: {website}/{path}: ")
    assert said in answer.complaint()
    assert answer.err.count("\n") == 1
    assert [row["face"] for row in answer.rows] == [1]


def test_a_url_may_have_a_user_and_a_password_which_are_not_shown(
    livecam: clips.Command, album: Path
) -> None:
    files = clips.files_in(album)
    right = base64.b64encode(b"me:p@ss").decode()

    def answer(request: http.server.BaseHTTPRequestHandler) -> None:
        if request.headers["Authorization"] == f"Basic {right}":
            files(request)
        else:
            request.send_error(401)

    with clips.served(answer) as address:
        host = address.removeprefix("http://")
        known = livecam("predict", f"http://me:p%40ss@{host}/one.png", "--json")
        stranger = livecam("predict", f"http://me:secret@{host}/one.png")
    assert [row["file"] for row in known.rows] == [f"{address}/one.png"]
    assert stranger.failure(1).startswith(f"livecam: {address}/one.png: the server answers 401")
    for secret in ("sec/ret", "/ret", "12/ret", "#ret", "?ret", "1?ret", "12#ret"):
        odd = livecam("predict", f"http://me:{secret}@{host}/one.png").failure(1)
        assert "%2F" in odd and "ret" not in odd, secret
    assert "%2F" not in livecam("predict", "http://u:p@127.0.0.1:99999/a.png").failure(1)


def test_a_password_goes_on_within_its_server_and_to_no_other(
    livecam: clips.Command, album: Path
) -> None:
    seen = []
    files = clips.files_in(album)

    def last(request: http.server.BaseHTTPRequestHandler) -> None:
        seen.append(request.headers["Authorization"])
        files(request)

    with clips.served(last) as elsewhere:

        def first(request: http.server.BaseHTTPRequestHandler) -> None:
            if request.path == "/one.png":
                last(request)
                return
            request.send_response(302)
            there = elsewhere if request.path == "/elsewhere" else ""
            request.send_header("Location", f"{there}/one.png")
            request.end_headers()

        with clips.served(first) as address:
            url = address.replace("http://", "http://me@")
            for path in ("here", "elsewhere"):
                assert livecam("predict", f"{url}/{path}", "--json").code == 0
    assert seen == [f"Basic {base64.b64encode(b'me:').decode()}", None]


def test_nobody_answers(livecam: clips.Command) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    url = f"http://127.0.0.1:{port}/a.png"
    line = livecam("predict", url).failure(1)
    assert line.startswith(f"livecam: {url}: cannot be fetched: ")
    assert "refused" in line


@pytest.mark.parametrize(
    "url",
    [
        "http://", "http://[::1", "http://[bad]/a.png", "http://127.0.0.1:1/a b.png",
        "http://127.0.0.1:x/a.png", "http://127.0.0.1:1/%00.png", "http://127.0.0.1:99999/a.png",
        "https://127.0.0.1:1/a.png", "http://127.0.0.1:1/\u00fc.png",
        "http://no-such-host.invalid/a.png", "HTTP://127.0.0.1:1/a.png",
    ],
)  # fmt: skip
@pytest.mark.parametrize("command", ["predict", "annotate"])
def test_a_url_that_leads_nowhere(livecam: clips.Command, url: str, command: str) -> None:
    answer = livecam(command, url)
    assert answer.failure(1).startswith(f"livecam: {url}: ")
    assert clips.files_of(Path()) == []


@pytest.mark.parametrize("fault", ["no http", "cut chunks", "cut short", "circle", "silence"])
def test_a_broken_server_is_one_line(
    livecam: clips.Command, portrait: np.ndarray, fault: str
) -> None:
    whole = cv2.imencode(".jpg", portrait)[1].tobytes()  # half of it would be shown as a picture

    def answer(request: http.server.BaseHTTPRequestHandler) -> None:
        if fault == "no http":
            request.wfile.write(b"SSH-2.0-OpenSSH_9.2\r\n")
        elif fault == "cut chunks":
            request.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            request.wfile.write(b"%x\r\n" % len(whole) + whole[: len(whole) // 2])
        elif fault == "cut short":
            request.send_response(200)
            request.send_header("Content-Length", str(len(whole)))
            request.end_headers()
            request.wfile.write(whole[: len(whole) // 2])
        elif fault == "circle":
            request.send_response(302)
            request.send_header("Location", request.path)
            request.end_headers()

    with clips.served(answer) as address:
        answered = livecam("predict", f"{address}/a.jpg", "--json")
    assert answered.failure(1).startswith(f"livecam: {address}/a.jpg: ")
    assert answered.err.count("\n") == 1


def test_stdin_is_one_picture(livecam: clips.Command, portrait: np.ndarray) -> None:
    answer = livecam("predict", "-", "--json", stdin=clips.png(portrait))
    assert (answer.code, answer.err) == (0, "")
    (row,) = answer.rows
    assert row["file"] == "-"
    assert row["xyxy"] == pytest.approx(FACE_XYXY, abs=6)


@pytest.mark.parametrize("data", [b"", b"only words"])
def test_stdin_that_is_no_picture(livecam: clips.Command, data: bytes) -> None:
    assert livecam("predict", "-", stdin=data).failure(1).startswith("livecam: -: ")


def test_stdin_of_a_real_pipe(portrait: np.ndarray, tmp_path: Path) -> None:
    done = subprocess.run(
        [*clips.LIVECAM, "predict", "-", "--json"], input=clips.png(portrait),
        capture_output=True, cwd=tmp_path,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b"")
    assert json.loads(done.stdout)["file"] == "-"


def test_a_closed_stdin_is_one_line(tmp_path: Path) -> None:
    command = " ".join(["exec", f"'{sys.executable}'", "-c", f"'{clips.LIVECAM[2]}'"])
    done = subprocess.run(
        ["sh", "-c", f"{command} predict - <&-"], capture_output=True, text=True, cwd=tmp_path
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("livecam: -: ")
    assert done.stderr.count("\n") == 1


def test_a_pipe_by_its_name_works_or_is_one_line(portrait: np.ndarray, tmp_path: Path) -> None:
    """What `<(command)` of a shell is."""
    read, write = os.pipe()
    child = subprocess.Popen(
        [*clips.LIVECAM, "predict", f"/dev/fd/{read}", "--json"], cwd=tmp_path, pass_fds=[read],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    os.close(read)
    with contextlib.suppress(BrokenPipeError), os.fdopen(write, "wb") as pipe:
        pipe.write(clips.png(portrait))
    out, err = child.communicate(timeout=60)
    if child.returncode == 0:
        assert json.loads(out)["face"] == 1
    else:
        assert (child.returncode, out) == (1, "")
        assert err.startswith(f"livecam: /dev/fd/{read}: ")


# Models and runtimes


def model_of(outputs: dict[str, int | None], path: Path) -> Path:
    """A model that answers zeros: output name -> width, None for one number a face."""
    nodes = [helper.make_node("Shape", ["x"], ["faces"], start=0, end=1)]
    infos, constants = [], []
    for name, width in outputs.items():
        rest = [] if width is None else [width]
        constants.append(helper.make_tensor(f"{name}_rest", TensorProto.INT64, [len(rest)], rest))
        nodes.append(helper.make_node("Concat", ["faces", f"{name}_rest"], [f"{name}_n"], axis=0))
        nodes.append(helper.make_node("ConstantOfShape", [f"{name}_n"], [name]))
        infos.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", *rest]))
    picture = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 64, 64, 3])
    graph = helper.make_graph(nodes, "g", [picture], infos, constants)
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), path)
    return path


def test_a_missing_model(livecam: clips.Command, album: Path) -> None:
    line = livecam("predict", "album/one.png", "--model", "none.onnx").failure(1)
    assert line.startswith("livecam: none.onnx: no such model; give a .onnx or .keras file")


@pytest.mark.parametrize("damage", ["empty", "text", "cut", "zeros"])
def test_a_damaged_model(livecam: clips.Command, album: Path, damage: str) -> None:
    good = model_of({"age_probs": 101, "female_prob": None}, Path("good.onnx")).read_bytes()
    data = {"empty": b"", "text": b"words\n", "cut": good[: len(good) // 2], "zeros": bytes(400)}
    Path("m.onnx").write_bytes(data[damage])
    answer = livecam("predict", "album/one.png", "--model", "m.onnx")
    assert answer.failure(1).startswith("livecam: m.onnx: ")
    assert answer.err.count("\n") == 1


@pytest.mark.parametrize(
    "outputs", [{"age_probs": 100, "female_prob": None}, {"age_probs": 101}, {"y": 3}]
)
def test_a_model_of_another_shape(
    livecam: clips.Command, album: Path, outputs: dict[str, int | None]
) -> None:
    model_of(outputs, Path("m.onnx"))
    line = livecam("predict", "album/one.png", "--model", "m.onnx").failure(1)
    assert line.startswith("livecam: m.onnx: not an age and gender model: expected one input")


@contextlib.contextmanager
def in_force(settings: str) -> Iterator[None]:
    """For the library, which reads them once."""
    Path("livecam.yaml").write_text(settings)
    prediction._models.cache_clear()
    try:
        yield
    finally:
        prediction._models.cache_clear()


def test_the_library_shows_what_the_settings_say(
    album: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with in_force("overlay: {gender: false}\n"):
        (face,) = library.predict(str(album / "one.png"))
    assert face["female_prob"] is None


def test_the_networks_are_loaded_once_whatever_the_schemes(album: Path) -> None:
    schemes = [None, "marketing", "decades"]
    found = [library.predict(album / "one.png", scheme=scheme)[0] for scheme in schemes]
    assert found[0] == found[1] != found[2]
    models = [prediction._models(scheme) for scheme in schemes]
    assert len({id(each.detector) for each in models}) == 1
    assert len({id(each.classifier) for each in models}) == 1


def test_a_scheme_that_is_given_is_that_of_the_settings_no_more(
    album: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with in_force("ages: {scheme: marketting}\n"):
        (face,) = library.predict(album / "one.png", scheme="decades")
        assert face["age_bin"] in SCHEMES["decades"].labels
        with pytest.raises(UsageError, match="marketting"):
            library.predict(album / "one.png")


def test_a_model_whose_answers_are_no_numbers(livecam: clips.Command, album: Path) -> None:
    model_of({"age_probs": 101, "female_prob": None}, Path("m.onnx"))
    model = onnx.load("m.onnx")
    nothing = helper.make_tensor("value", TensorProto.FLOAT, [1], [np.nan])
    for node in model.graph.node:
        if node.op_type == "ConstantOfShape":
            node.attribute.append(helper.make_attribute("value", nothing))
    onnx.save(model, "m.onnx")
    answer = livecam("predict", "album/one.png", "--json", "--model", "m.onnx")
    said = "livecam: m.onnx: its answers are no numbers; give another model"
    assert (answer.code, answer.out, answer.complaint()) == (1, "", said)


def test_a_model_of_other_numbers(livecam: clips.Command, album: Path) -> None:
    model_of({"age_probs": 101, "female_prob": None}, Path("m.onnx"))
    model = onnx.load("m.onnx")
    model.graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.FLOAT16
    onnx.save(model, "m.onnx")
    line = livecam("predict", "album/one.png", "--model", "m.onnx").failure(1)
    assert line.startswith("livecam: m.onnx: ")


def test_a_damaged_calibration(livecam: clips.Command, album: Path) -> None:
    model_of({"age_probs": 101, "female_prob": None}, Path("m.onnx"))
    for text in (
        "age_range: [1]", "age_power: 1", "{", "words", "age_range: much",
        "age_range: " + 3000 * "[", "age_range: {}\nage_range: {}",
    ):  # fmt: skip
        Path("m.yaml").write_text(text)
        line = livecam("predict", "album/one.png", "--model", "m.onnx").failure(1)
        assert line.startswith("livecam: m.yaml: expected age_range: {age: [low, high], …}")
    for prior in ("[0.5, 0.5]", "much", str([0] * 101), str([-1] + [1] * 100)):
        Path("m.yaml").write_text(f"age_range: null\nage_prior: {prior}")
        line = livecam("predict", "album/one.png", "--model", "m.onnx").failure(1)
        assert line.startswith("livecam: m.yaml: age_prior: expected 101 probabilities")


def test_a_model_without_its_calibration_is_told(livecam: clips.Command, album: Path) -> None:
    model_of({"age_probs": 101, "female_prob": None}, Path("m.onnx"))
    notice = "m.onnx: no m.yaml beside it: ranges are not calibrated\n"
    command = ("predict", "album/one.png", "--model", "m.onnx")
    answer = livecam(*command)
    assert (answer.code, answer.err) == (0, notice)
    Path("m.yaml").write_text("age_range:\n")
    assert livecam(*command).err == "m.onnx: m.yaml has no age_range: ranges are not calibrated\n"
    Path("m.yaml").write_text("age_range: {0: [0.1, 0.9], 100: [0.1, 0.9]}\n")
    assert livecam(*command).err == ""


def test_the_shipped_model_is_missing(
    livecam: clips.Command, album: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from livecam import shipped

    (tmp_path / "config.yaml").write_bytes(shipped.shipped_file("config.yaml").read_bytes())
    monkeypatch.setattr(shipped, "PLACES", (tmp_path,))
    line = livecam("predict", "album/one.png").failure(1)
    assert "models/age_gender.onnx: not found at" in line
    assert "install livecam again" in line


@pytest.mark.parametrize(
    ("flag", "value", "said"),
    [("--model", "m.tflite", "m.tflite: expected a model that ends in .onnx or .keras"),
     ("--runtime", "tflite", "classifier.runtime: unknown value 'tflite'")],
)  # fmt: skip
def test_what_is_no_model(
    livecam: clips.Command, album: Path, flag: str, value: str, said: str
) -> None:
    Path("m.tflite").write_bytes(b"x")
    assert said in livecam("predict", "album/one.png", flag, value).failure(2)


def test_the_name_of_a_model_says_what_runs_it(
    livecam: clips.Command, album: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the configuration says of the shipped one."""
    zipfile.ZipFile("m.keras", "w").close()
    monkeypatch.setitem(sys.modules, "keras", None)
    assert "pip install" in livecam("predict", "album/one.png", "--model", "m.keras").failure(1)
    model_of({"age_probs": 101, "female_prob": None}, Path("m.onnx"))
    flags = ("--model", "m.onnx")
    assert livecam("predict", "album/one.png", *flags, "--runtime", "onnx").code == 0
    monkeypatch.setenv("LIVECAM_CLASSIFIER__RUNTIME", "keras")
    assert livecam("predict", "album/one.png", *flags).code == 0


@pytest.mark.parametrize(("model", "runtime"), [("m.onnx", "keras"), ("m.keras", "onnx")])
def test_a_runtime_that_is_not_the_models(
    livecam: clips.Command, album: Path, model: str, runtime: str
) -> None:
    needed = model.removeprefix("m.")
    said = (
        f"livecam: --runtime {runtime}: {model} runs with {needed}; leave --runtime out, or give "
        f"a .{runtime} model"
    )
    flags = ("--runtime", runtime)
    assert livecam("predict", "album/one.png", "--model", model, *flags).failure(2) == said
    Path("livecam.yaml").write_text(f"classifier: {{model: {model}}}")
    assert livecam("predict", "album/one.png", *flags).failure(2) == said


def test_keras_that_is_not_installed(
    livecam: clips.Command, album: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "keras", None)
    line = livecam("predict", "album/one.png", "--runtime", "keras").failure(1)
    assert re.search(r'pip install ".*(\[train\]|tensorflow>=).*"$', line)


def test_keras_without_tensorflow(album: Path) -> None:
    code = f"import sys; sys.modules['tensorflow'] = None; {clips.LIVECAM[2]}"
    done = subprocess.run(
        [sys.executable, "-c", code, "predict", "one.png", "--runtime", "keras"],
        cwd=album, capture_output=True, text=True,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (1, "")
    assert "Traceback" not in done.stderr
    assert re.search(r'pip install ".*(\[train\]|tensorflow>=).*"', done.stderr)


# Streams


@pytest.mark.parametrize("rows", [1, 100])  # what waits in the buffer, and more than it holds
def test_the_reader_of_stdout_may_leave(album: Path, rows: int) -> None:
    child = subprocess.Popen(
        [*clips.LIVECAM, "predict", *["one.png"] * rows, "--json"], cwd=album,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert child.stdout is not None and child.stderr is not None
    child.stdout.close()
    err = child.stderr.read()
    child.stderr.close()
    assert child.wait() == 1
    assert err == b""


@pytest.mark.parametrize("rows", [1, 100])
def test_stdout_on_a_full_disk_is_one_line(album: Path, rows: int) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full on this system")
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [*clips.LIVECAM, "predict", *["one.png"] * rows, "--json"], cwd=album, stdout=full,
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.startswith("livecam: ")
    assert "No space left" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("number", ENDS)
def test_an_interrupted_predict_closes_its_table(
    album: Path, tmp_path: Path, number: signal.Signals
) -> None:
    """The second batch waits for a server that does not answer."""
    png = (album / "one.png").read_bytes()
    asked, release = threading.Event(), threading.Event()

    def answer(request: http.server.BaseHTTPRequestHandler) -> None:
        if "slow" in request.path:
            asked.set()
            release.wait(20)
        request.send_response(200)
        request.send_header("Content-Length", str(len(png)))
        request.end_headers()
        request.wfile.write(png)

    with clips.served(answer) as address:
        child = subprocess.Popen(
            [*clips.LIVECAM, "predict", *["album/one.png"] * 64, f"{address}/slow.png", "--json",
             "--csv", "a.csv"],
            cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert asked.wait(60)
        partial = tmp_path / f".a.{child.pid}.partial.csv"
        until_s = time.perf_counter() + 15
        while partial.read_text().count("\n") < 65 and time.perf_counter() < until_s:
            time.sleep(0.05)
        child.send_signal(number)
        release.set()
        out, err = child.communicate(timeout=60)
    assert child.returncode == 130
    assert err == "livecam: interrupted\n"
    assert all(json.loads(line)["face"] == 1 for line in out.splitlines())
    assert len((tmp_path / "a.csv").read_text().splitlines()) == 65
    assert clips.files_of(tmp_path) == [
        "a.csv", "album/none.png", "album/one.png", "album/two.png"
    ]  # fmt: skip


def endless(request: http.server.BaseHTTPRequestHandler) -> None:
    """Bytes for ever, of /slow one at a time."""
    request.send_response(200)
    request.end_headers()
    is_slow = request.path == "/slow"
    while True:
        request.wfile.write(bytes(1 if is_slow else 10_000))
        time.sleep(0.2 if is_slow else 0.001)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("source", ["/video", "/slow", "-"])
def test_a_stream_without_an_end_can_be_interrupted(
    tmp_path: Path, number: signal.Signals, source: str
) -> None:
    with clips.served(endless) as address:
        inputs = ["-"] if source == "-" else [f"{address}{source}"] * 6
        child = subprocess.Popen(
            [*clips.LIVECAM, "predict", *inputs], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, cwd=tmp_path, env={**os.environ, "TMPDIR": str(tmp_path)},
            text=True,
        )  # fmt: skip
        try:
            reading = min(len(inputs), 4)
            until(lambda: len(list(tmp_path.glob("livecam-*/*"))) == reading, "all downloads")
            child.send_signal(number)
            child.wait(PATIENCE_S)  # stdin is still open
            out, err = child.communicate()
        finally:
            child.kill()
    assert (child.returncode, out, err) == (130, "", "livecam: interrupted\n")
    assert not list(tmp_path.glob("livecam-*"))


def test_a_second_interrupt_does_not_wait_for_a_server_that_says_nothing(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(PATIENCE_S)
        child = subprocess.Popen(
            [*clips.LIVECAM, "predict", f"http://127.0.0.1:{server.getsockname()[1]}/a.jpg"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path,
            env={**os.environ, "TMPDIR": str(tmp_path)}, text=True,
        )  # fmt: skip
        try:
            with server.accept()[0]:
                begin_s = time.perf_counter()
                child.send_signal(signal.SIGINT)
                assert child.stderr is not None
                assert child.stderr.readline() == "livecam: interrupted\n"
                while child.poll() is None and time.perf_counter() - begin_s < PATIENCE_S:
                    child.send_signal(signal.SIGINT)
                    time.sleep(0.2)
                took_s = time.perf_counter() - begin_s
        finally:
            child.kill()
            child.communicate()
    assert child.returncode == 130
    assert took_s < DOWNLOAD_TIMEOUT_S / 2
    assert not list(tmp_path.glob("livecam-*"))


def test_a_stream_without_an_end_is_no_picture(
    livecam: clips.Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(prediction, "FETCHED_BYTES", 1_000_000)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with clips.served(endless) as address:
        answer = livecam("predict", f"{address}/video")
        said = f"{address}/video: more than 1 MB; expected a picture"
        assert answer.failure(1) == f"livecam: {said}"
        with pytest.raises(LivecamError, match=said):
            library.predict(f"{address}/video")
    assert not list(tmp_path.glob("livecam-*"))


def test_predict_imports_no_tensorflow(album: Path) -> None:
    code = """
        import sys
        from livecam.cli import main
        assert main(["predict", "one.png", "two.png", "--json"]) == 0
        heavy = {"tensorflow", "keras", "skimage", "mtcnn", "matplotlib"} & set(sys.modules)
        assert not heavy, heavy
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], cwd=album, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")


# The library


def test_a_path_an_array_and_a_url_give_the_same(
    album: Path, website: str, portrait: np.ndarray
) -> None:
    rgb = portrait[..., ::-1]
    (row,) = library.predict(album / "one.png")
    assert tuple(row) == KEYS[1:]
    check_face({"file": "", **row}, (256, 256), MARKETING)
    assert library.predict(str(album / "one.png")) == [row]
    assert library.predict(f"{website}/one.png") == [row]
    assert library.predict(np.ascontiguousarray(rgb)) == [row]
    assert library.predict(rgb) == [row]  # a view
    assert library.predict(np.asfortranarray(rgb)) == [row]


def test_arrays_of_every_kind(portrait: np.ndarray) -> None:
    rgb = np.ascontiguousarray(portrait[..., ::-1])
    (row,) = library.predict(rgb)
    for dtype in (np.float32, np.float64):
        assert library.predict((rgb / 255).astype(dtype)) == [row]
    assert library.predict(np.dstack([rgb, np.full(rgb.shape[:2], 9, np.uint8)])) == [row]
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    (plain,) = library.predict(grey)
    assert plain["xyxy"] == pytest.approx(FACE_XYXY, abs=6)
    assert library.predict(grey[..., None]) == [plain]
    assert library.predict(grey / 255) == [plain]
    assert library.predict(np.zeros((1, 1), np.uint8)) == []


def test_an_array_stays_as_it_is(portrait: np.ndarray) -> None:
    rgb = np.ascontiguousarray(portrait[..., ::-1])
    before = rgb.copy()
    library.predict(rgb)
    library.predict(rgb, assume_face=True)
    np.testing.assert_array_equal(rgb, before)


def test_lists_give_lists(album: Path, portrait: np.ndarray) -> None:
    rgb = portrait[..., ::-1]
    one, two = library.predict(album / "one.png"), library.predict(album / "two.png")
    assert len(two) == 2
    assert library.predict([]) == []
    assert library.predict([album / "two.png", rgb, str(album / "none.png")]) == [two, one, []]
    assert library.predict((rgb, rgb)) == [one, one]
    assert len(library.predict([np.zeros((20, 20), np.uint8)] * 70)) == 70


def test_the_pictures_of_an_iterator_are_not_all_kept(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(prediction, "BATCH", 2)
    given: list[weakref.ref[np.ndarray]] = []

    def pictures() -> Iterator[np.ndarray]:
        for _ in range(9):
            picture = np.zeros((40, 40, 3), np.uint8)
            given.append(weakref.ref(picture))
            yield picture
            del picture
            assert sum(each() is not None for each in given) <= 2

    assert library.predict(pictures()) == [[]] * 9
    with pytest.raises(TypeError, match="expected a path, a URL, an array or a list of these"):
        library.predict(iter([np.zeros((9, 9), np.uint8), 5]))


def test_options_of_the_library(portrait: np.ndarray) -> None:
    rgb = portrait[..., ::-1]
    (row,) = library.predict(rgb, over=[18, 65], scheme="decades")
    assert list(row["over"]) == ["18", "65"]
    assert library.predict(rgb, over=18)[0]["over"] == {"18": row["over"]["18"]}
    assert tuple(row["bins"]) == SCHEMES["decades"].labels
    assert len(library.predict(np.zeros((60, 60, 3), np.uint8), assume_face=True)) == 1
    with pytest.raises(UsageError, match="unknown scheme 'decade'; did you mean 'decades'"):
        library.predict(rgb, scheme="decade")


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (
            np.zeros(5, np.uint8),
            r"expected shape \(H, W, 3\) RGB or \(H, W\) grey, received \(5,\)",
        ),
        (np.zeros((4, 4, 2), np.uint8), r"received \(4, 4, 2\)"),
        (np.zeros((2, 4, 4, 3), np.uint8), r"received \(2, 4, 4, 3\)"),
        (np.zeros((0, 4, 3), np.uint8), r"received \(0, 4, 3\)"),
        (np.zeros((4, 4, 3), np.int64), "expected uint8 or float, received int64"),
        (np.zeros((4, 4), bool), "received bool"),
        (np.full((4, 4, 3), 200.0), "expected floats from 0 to 1, or uint8 from 0 to 255"),
        (np.full((4, 4, 3), -0.5), "expected floats from 0 to 1"),
        (np.full((4, 4, 3), np.nan), "expected floats from 0 to 1"),
    ],
)
def test_arrays_that_are_no_pictures(array: np.ndarray, said: str) -> None:
    with pytest.raises(LivecamError, match=said):
        library.predict(array)


@pytest.mark.parametrize("source", [None, b"\xff\xd8", 3, [None], [[np.zeros((9, 9), np.uint8)]]])
def test_what_is_no_source_is_no_name_of_a_file(source) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(TypeError, match="expected a path, a URL, an array or a list of these, rec"):
        library.predict(source)


@pytest.mark.parametrize("source", [b"x", bytearray(b"x"), memoryview(b"x")])
def test_bytes_are_called_what_they_are(source) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(TypeError, match=f"received {type(source).__name__}$"):
        library.predict(source)


def test_whatever_gives_sources_is_a_list_of_them(album: Path) -> None:
    class Named:
        def __fspath__(self) -> str:
            return str(album / "one.png")

    one = library.predict(Named())
    assert len(one) == 1
    assert library.predict(each for each in [Named()]) == [one]
    assert library.predict({album / "one.png"}) == [one]  # type: ignore[call-overload]


def test_ages_are_whole_and_asked_about_before_the_work(tmp_path: Path) -> None:
    missing = tmp_path / "missing.png"
    with pytest.raises(TypeError, match="float"):
        library.predict(missing, over=[17.5])  # type: ignore[list-item]
    with pytest.raises(TypeError, match="str"):
        library.predict(missing, over="18")  # type: ignore[arg-type]
    for age in (-3, 101, 200):
        with pytest.raises(UsageError) as refused:
            library.predict(missing, over=[18, age])
        assert str(refused.value) == f"over: expected an age from 0 to 100, received {age}"


@pytest.mark.parametrize("kind", ["missing", "empty", "text", "clip", "below a file"])
def test_the_library_raises(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, portrait: np.ndarray, kind: str
) -> None:
    monkeypatch.chdir(tmp_path)
    name = unreadable(kind, tmp_path, portrait)
    with pytest.raises(LivecamError, match=name):
        library.predict(name)
    with pytest.raises(LivecamError, match=name):
        library.predict([np.zeros((9, 9), np.uint8), Path(name)])


def test_the_library_raises_for_urls(website: str) -> None:
    with pytest.raises(LivecamError, match="404"):
        library.predict(f"{website}/gone.png")
