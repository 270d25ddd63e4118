"""`livecam annotate`: names, tables, videos, and how it ends."""

from __future__ import annotations

import http.server
import json
import os
import re
import signal
import socket
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import av
import clips
import cv2
import numpy as np
import pytest
import streams
from clips import FIELDS, table
from patience import ENDS

from livecam import annotate, progress
from livecam.errors import LivecamError
from livecam.pictures import WRITABLE_SUFFIXES
from livecam.wording import clock_time


@pytest.fixture(scope="session")
def talking_clip(tmp_path_factory: pytest.TempPathFactory, people: list[np.ndarray]) -> bytes:
    path = tmp_path_factory.mktemp("clips") / "a.mp4"
    sound = clips.Sound("aac", seconds=2.0, onset_s=1.0)
    return clips.write_clip(path, people, sound=sound, index_first=True).read_bytes()


@pytest.fixture
def clip(tmp_path: Path, talking_clip: bytes) -> Path:
    """`a.mp4` in the current folder: 20 frames in 2 s, one face, a tone from 1 s on."""
    path = tmp_path / "a.mp4"
    path.write_bytes(talking_clip)
    return path


@pytest.fixture
def picture(tmp_path: Path, portrait: np.ndarray) -> Path:
    """`p.png` in the current folder, with one face."""
    path = tmp_path / "p.png"
    cv2.imwrite(str(path), portrait)
    return path


def names(folder: Path | None = None) -> list[str]:
    return clips.files_of(folder or Path())


# What is written where


def test_a_clip_becomes_a_video_beside_it(livecam: clips.Command, clip: Path) -> None:
    before = clip.read_bytes()
    answer = livecam("annotate", "a.mp4")
    assert answer.code == 0
    assert answer.out == "a_livecam.mp4\n"
    assert "a.mp4: 20 frames labelled at" in answer.err
    assert names() == ["a.mp4", "a_livecam.mp4"]
    assert clip.read_bytes() == before
    played = clips.play(Path("a_livecam.mp4"))
    assert (played.codec, played.pix_fmt, played.size_wh) == ("h264", "yuv420p", (240, 180))
    assert played.times_s == pytest.approx([i / 10 for i in range(20)], abs=1e-3)
    source = clips.play(clip).pictures
    marked = [np.abs(a.astype(int) - b).max() for a, b in zip(source, played.pictures, strict=True)]
    assert min(marked[3:]) > 60, "a face that is not marked"
    assert clips.play(Path("a_livecam.mp4")).audio_codec == "aac"


@pytest.mark.parametrize("suffix", sorted(WRITABLE_SUFFIXES))
def test_a_picture_keeps_its_suffix(
    livecam: clips.Command, portrait: np.ndarray, suffix: str
) -> None:
    cv2.imwrite(f"a{suffix}", portrait)
    answer = livecam("annotate", f"a{suffix}")
    assert (answer.code, answer.out) == (0, f"a_livecam{suffix}\n")
    assert f"a{suffix}: 1 face" in answer.err
    written = cv2.imread(f"a_livecam{suffix}")
    assert written.shape == portrait.shape
    assert np.abs(written.astype(int) - portrait).max() > 60
    assert names() == [f"a{suffix}", f"a_livecam{suffix}"]


def test_heic_becomes_jpeg(livecam: clips.Command) -> None:
    Path("a.HEIC").write_bytes(clips.HEIC)
    answer = livecam("annotate", "a.HEIC")
    assert (answer.code, answer.out) == (0, "a_livecam.jpg\n")
    assert cv2.imread("a_livecam.jpg").shape == (64, 48, 3)
    answer = livecam("annotate", "a.HEIC", "--output", "b.heic")
    assert answer.code == 2
    assert "expected a name that ends in .avif, .bmp, " in answer.err


def test_a_picture_without_a_face_is_written_too(livecam: clips.Command) -> None:
    plain = clips.greys(1)[0]
    cv2.imwrite("a.png", plain)
    answer = livecam("annotate", "a.png")
    assert (answer.code, answer.out) == (0, "a_livecam.png\n")
    assert "a.png: no faces" in answer.err
    np.testing.assert_array_equal(cv2.imread("a_livecam.png"), plain)


def test_blur_hides_what_may_be_a_face_too(
    livecam: clips.Command, barely_a_face: np.ndarray
) -> None:
    cv2.imwrite("p.png", barely_a_face)
    assert livecam("annotate", "p.png", "--blur").code == 0
    written = cv2.imread("p_livecam.png")
    assert written is not None
    changed = (written != barely_a_face).any(axis=2)
    assert changed[60:200, 180:270].mean() > 0.9
    assert not changed[300:].any()
    assert livecam("annotate", "p.png", "--overwrite").code == 0
    np.testing.assert_array_equal(cv2.imread("p_livecam.png"), barely_a_face)


def test_a_face_that_the_border_cuts_is_labelled_and_blurred(
    livecam: clips.Command, cut_face: np.ndarray
) -> None:
    cv2.imwrite("p.png", cut_face)
    assert livecam("annotate", "p.png", "--blur", "--tracks", "t.csv").code == 0
    (row,) = table("t.csv")
    assert float(row["confidence"]) > 0.9
    assert (cv2.imread("p_livecam.png") != cut_face).any(axis=2).mean() > 0.9


def test_a_clip_without_a_face_is_written_too(livecam: clips.Command) -> None:
    clips.write_clip(Path("a.mp4"), clips.greys(8))
    answer = livecam("annotate", "a.mp4", "--tracks", "t.csv")
    assert (answer.code, answer.lines) == (0, ["a_livecam.mp4", "t.csv"])
    assert len(clips.play(Path("a_livecam.mp4")).pictures) == 8
    assert table("t.csv") == []


def test_an_upper_case_suffix(livecam: clips.Command, clip: Path, picture: Path) -> None:
    clip.rename("A.MP4")
    picture.rename("P.PNG")
    answer = livecam("annotate", "A.MP4", "P.PNG")
    assert answer.code == 0
    assert [line.lower() for line in answer.lines] == ["a_livecam.mp4", "p_livecam.png"]


def test_output_is_a_file_for_one_input(livecam: clips.Command, clip: Path, picture: Path) -> None:
    assert livecam("annotate", "a.mp4", "--output", "new/b.mp4").lines == ["new/b.mp4"]
    assert livecam("annotate", "a.mp4", "--output", "new/c.gif").lines == ["new/c.gif"]
    assert livecam("annotate", "p.png", "--output", "d.webp").lines == ["d.webp"]
    assert names() == ["a.mp4", "d.webp", "new/b.mp4", "new/c.gif", "p.png"]
    assert clips.play(Path("new/c.gif")).codec == "gif"
    assert cv2.imread("d.webp").shape == (256, 256, 3)


@pytest.mark.parametrize("output", ["out/", "out"])
def test_output_may_be_a_folder(livecam: clips.Command, clip: Path, output: str) -> None:
    if output == "out":
        Path("out").mkdir()
    assert livecam("annotate", "a.mp4", "--output", output).lines == ["out/a_livecam.mp4"]


def test_output_is_a_folder_for_several_inputs(
    livecam: clips.Command, clip: Path, picture: Path
) -> None:
    answer = livecam("annotate", "a.mp4", "p.png", "--output", "new/out", "--format", "gif")
    assert answer.code == 0
    assert answer.lines == ["new/out/a_livecam.gif", "new/out/p_livecam.png"]
    assert names() == ["a.mp4", "new/out/a_livecam.gif", "new/out/p_livecam.png", "p.png"]


def test_output_is_a_folder_for_a_folder_however_full(
    livecam: clips.Command, portrait: np.ndarray
) -> None:
    """What becomes of `--output out` must not depend on how many files an album holds."""
    Path("album").mkdir()
    for name in ("a.png", "b.png"):
        cv2.imwrite(f"album/{name}", portrait)
        answer = livecam("annotate", "album", "--output", "out", "--overwrite")
        assert answer.code == 0, answer.err
    assert names(Path("out")) == ["a_livecam.png", "b_livecam.png"]


def test_a_folder_is_all_its_files_but_our_own(
    livecam: clips.Command, clip: Path, picture: Path
) -> None:
    album = Path("album")
    album.mkdir()
    clip.rename(album / "a.mp4")
    picture.rename(album / "p.png")
    (album / "notes.txt").write_text("x")
    (album / "old_livecam.mp4").write_bytes(b"x")
    answer = livecam("annotate", "album", "--tracks", "t.csv")
    assert answer.code == 0
    assert answer.lines == ["album/a_livecam.mp4", "album/p_livecam.png", "t.csv"]
    assert list(dict.fromkeys(row["file"] for row in table("t.csv"))) == [
        "album/a.mp4", "album/p.png"
    ]  # fmt: skip
    again = livecam("annotate", "album", "--overwrite")
    assert again.lines == ["album/a_livecam.mp4", "album/p_livecam.png"]


def test_a_table_may_be_in_the_folder_that_is_made(livecam: clips.Command, picture: Path) -> None:
    answer = livecam("annotate", "p.png", "-o", "new/er/", "--tracks", "new/er/t.csv")
    assert answer.lines == ["new/er/p_livecam.png", "new/er/t.csv"]
    assert len(table("new/er/t.csv")) == 1


@pytest.mark.parametrize("letter", ["x", "\u65e5"])
def test_the_longest_names(livecam: clips.Command, clip: Path, picture: Path, letter: str) -> None:
    """While a file is written its name is longer, which few systems would take."""
    stem = letter * ((255 - len("_livecam.mp4")) // len(letter.encode()))
    clip.rename(f"{stem}.mp4")
    picture.rename(f"{stem}.png")
    answer = livecam("annotate", f"{stem}.mp4", f"{stem}.png", "--tracks", f"{stem}.csv")
    assert answer.code == 0
    assert answer.lines == [f"{stem}_livecam.mp4", f"{stem}_livecam.png", f"{stem}.csv"]


def test_no_video_writes_the_table_alone(livecam: clips.Command, clip: Path) -> None:
    answer = livecam("annotate", "a.mp4", "--no-video", "--tracks", "t.csv")
    assert (answer.code, answer.out) == (0, "t.csv\n")
    assert names() == ["a.mp4", "t.csv"]
    assert table("t.csv")


# What is refused before anything is written


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["a.mp4", "--format", "gif", "--output", "b.mp4"], "contradicts --format gif"),
        (["a.mp4", "--format", "mp4", "--output", "b.gif"], "contradicts --format mp4"),
        (["a.mp4", "--output", "b.jpg"], "expected a name that ends in .mp4 or .gif"),
        (["a.mp4", "--output", "b.avi"], "expected a name that ends in .mp4 or .gif"),
        (["a.mp4", "--output", "out"], "ends in .mp4 or .gif, or a folder: out/"),
        (["p.png", "--output", "new/out"], ".webp, or a folder: new/out/"),
        (["a.mp4", "--no-video", "-o", "b.mp4"], "--output b.mp4: nothing goes there with --no-v"),
        (
            ["p.png", "--output", "b.mp4"],
            "p.png is a picture; expected a name that ends in .avif, .bmp",
        ),
        (["a.mp4", "p.png", "--output", "b.mp4"], "one file for 2 inputs; expected a folder"),
        (["a.mp4", "p.png", "--output", "p.png"], "one file for 2 inputs; expected a folder"),
        (["a.mp4", "--tracks", "t.txt"], "expected a name that ends in .csv or .jsonl"),
        (["a.mp4", "--tracks", "t"], "expected a name that ends in .csv or .jsonl"),
        (["a.mp4", "--tracks", "f.csv"], "f.csv: is a folder; expected a file"),
        (["a.mp4", "--start", "5", "--end", "5"], "expected a time after --start 5 s"),
        (["a.mp4", "--start", "1:00", "--end", "5"], "expected a time after --start 60 s"),
        (["a.mp4", "--scheme", "decade"], "unknown scheme 'decade'; did you mean 'decades'"),
        (["a.mp4", "--detect-every", "0"], "detector.detect_every: expected 1 to 10000"),
        (["a.mp4", "--min-face-px", "2"], "detector.min_face_px: expected 12 to 10000"),
    ],
)
@pytest.mark.parametrize("overwrite", [[], ["--overwrite"]])
def test_what_cannot_be_meant_is_one_line(
    livecam: clips.Command, clip: Path, picture: Path, arguments: list[str], said: str,
    overwrite: list[str],
) -> None:  # fmt: skip
    Path("f.csv").mkdir()
    answer = livecam("annotate", *arguments, *overwrite)
    assert said in answer.failure(2)
    assert answer.err.count("\n") == 1
    assert names() == ["a.mp4", "p.png"]


@pytest.mark.parametrize(
    "arguments",
    [
        [], ["a.mp4", "--format", "avi"], ["a.mp4", "--start", "soon"], ["a.mp4", "--start", "-1"],
        ["a.mp4", "--end", "1:2:3:4"], ["a.mp4", "--start", "nan"], ["a.mp4", "--end", "inf"],
        ["a.mp4", "--start", "1e308"], ["a.mp4", "--end", "1e308:0:0"],
        ["a.mp4", "--detect-every", "x"], ["a.mp4", "--speed", "2"],
        ["a.mp4", "--over", "18"],  # of predict; not short for --overwrite
        ["a.mp4", "--over"],
    ],
)  # fmt: skip
def test_arguments_that_do_not_exist(
    livecam: clips.Command, clip: Path, arguments: list[str]
) -> None:
    Path("a_livecam.mp4").write_bytes(b"old")
    answer = livecam("annotate", *arguments)
    assert (answer.code, answer.out) == (2, "")
    assert re.search(r"livecam annotate: .* \(see livecam annotate --help\)\n", answer.err)
    assert Path("a_livecam.mp4").read_bytes() == b"old"


def clash(kind: str, portrait: np.ndarray) -> list[str]:
    """Arguments of two inputs that would become one output."""
    for folder in ("one/x", "two/x"):
        Path(folder).mkdir(parents=True)
        cv2.imwrite(f"{folder}/p.png", portrait)
    return {
        "two folders' files": ["one/x/p.png", "two/x/p.png", "--output", "out"],
        "two folders": ["one/x", "two/x", "--output", "out"],
        "one file twice": ["one/x/p.png", "one/x/p.png"],
        "one file, two spellings": ["one/x/p.png", "one/../one/x/p.png"],
        "a folder and its file": ["one/x", "one/x/p.png"],
    }[kind]


def test_a_link_to_another_picture_of_the_folder_is_one_too(
    livecam: clips.Command, picture: Path
) -> None:
    Path("two").mkdir()
    picture.rename("two/p.png")
    Path("two/q.png").symlink_to("p.png")
    answer = livecam("annotate", "two/", "-o", "new/")
    assert answer.lines == ["new/p_livecam.png", "new/q_livecam.png"]


@pytest.mark.parametrize(
    "kind",
    ["two folders' files", "two folders", "one file twice",
     "one file, two spellings", "a folder and its file"],
)  # fmt: skip
@pytest.mark.parametrize("overwrite", [[], ["--overwrite"]])
def test_two_inputs_never_share_an_output(
    livecam: clips.Command, portrait: np.ndarray, kind: str, overwrite: list[str]
) -> None:
    arguments = clash(kind, portrait)
    before = names()
    answer = livecam("annotate", *arguments, *overwrite)
    is_one = kind.startswith("one file") or kind == "a folder and its file"
    said = "p.png: given twice; leave one of them out" if is_one else "would be written twice"
    assert said in answer.failure(2)
    assert names() == before


def test_inputs_of_one_name_keep_their_suffixes(livecam: clips.Command, clip: Path) -> None:
    """As IMG_1.HEIC and IMG_1.JPG, which lie side by side on telephones."""
    Path("two").mkdir()
    for name in ("a.mp4", "a.mkv", "b.mkv"):
        clips.write_clip(Path("two", name), clips.greys(3))
    Path("two/c.MKV").write_bytes(Path("two/b.mkv").read_bytes())
    Path("two/c.mkv").write_bytes(Path("two/b.mkv").read_bytes())
    answer = livecam("annotate", "two/", "-o", "new/")
    names = ["a.mkv", "a.mp4", "b", "c.MKV", "c.mkv"]
    assert answer.lines == [f"new/{name}_livecam.mp4" for name in names]
    answer = livecam("annotate", "two/a.mp4", "-o", "new/")
    assert answer.lines == ["new/a_livecam.mp4"]


def test_what_exists_is_kept_unless_told(livecam: clips.Command, clip: Path, picture: Path) -> None:
    Path("p_livecam.png").write_bytes(b"old")
    answer = livecam("annotate", "a.mp4", "p.png")
    assert answer.failure(2).startswith("livecam: p_livecam.png: exists; give --overwrite")
    assert names() == ["a.mp4", "p.png", "p_livecam.png"]  # not even the first was begun
    assert Path("p_livecam.png").read_bytes() == b"old"
    assert livecam("annotate", "a.mp4", "p.png", "--overwrite").code == 0
    assert cv2.imread("p_livecam.png").shape == (256, 256, 3)
    assert livecam("annotate", "a.mp4", "--output", "a_livecam.mp4").code == 2


def test_an_existing_table_is_kept_unless_told(livecam: clips.Command, clip: Path) -> None:
    Path("t.csv").write_text("old")
    answer = livecam("annotate", "a.mp4", "--tracks", "t.csv")
    assert answer.failure(2).startswith("livecam: t.csv: exists; give --overwrite")
    assert names() == ["a.mp4", "t.csv"]
    assert Path("t.csv").read_text() == "old"
    assert livecam("annotate", "a.mp4", "--tracks", "t.csv", "--overwrite").code == 0
    assert len(table("t.csv")) >= 10


@pytest.mark.parametrize(
    "arguments",
    [["p.png", "--output", "p.png"], ["a.mp4", "--output", "./a.mp4"],
     ["p.png", "p_livecam.png"]],
)  # fmt: skip
def test_an_output_never_replaces_an_input(
    livecam: clips.Command, clip: Path, picture: Path, arguments: list[str]
) -> None:
    """--overwrite is for what livecam wrote, not for the only copy of a film."""
    Path("p_livecam.png").write_bytes(picture.read_bytes())
    before = {name: Path(name).read_bytes() for name in names()}
    answer = livecam("annotate", *arguments, "--overwrite")
    answer.failure(2)
    assert {name: Path(name).read_bytes() for name in names()} == before


# Tables


def test_a_table_has_a_row_for_each_measured_face(
    livecam: clips.Command, clip: Path, people: list[np.ndarray]
) -> None:
    answer = livecam("annotate", "a.mp4", "--tracks", "t.csv")
    assert (answer.code, answer.lines) == (0, ["a_livecam.mp4", "t.csv"])
    rows = table("t.csv")
    frames = [int(row["frame"]) for row in rows]
    assert frames == list(range(frames[0], 20))
    assert frames[0] <= 2  # confirmed by its third frame
    for row in rows:
        assert row["file"] == "a.mp4"
        assert row["track_id"] == "1"
        assert float(row["time_s"]) == pytest.approx(int(row["frame"]) / 10, abs=1e-3)
        assert 0 <= float(row["x_min"]) < float(row["x_max"]) <= 240
        assert 0 <= float(row["y_min"]) < float(row["y_max"]) <= 180
        assert 0.5 < float(row["confidence"]) <= 1
        assert 0 <= int(row["age_low"]) <= int(row["age_high"]) <= 100
        assert 0 <= float(row["age"]) <= 100
        assert row["age_bin"] in "0-12 13-17 18-24 25-34 35-44 45-54 55-64 65+".split()
        assert 0 <= float(row["female_prob"]) <= 1
    assert float(rows[-1]["x_min"]) - float(rows[0]["x_min"]) > 5, "the face moves to the right"


def test_json_lines_say_the_same(livecam: clips.Command, clip: Path) -> None:
    livecam("annotate", "a.mp4", "--tracks", "t.csv", "--no-video")
    livecam("annotate", "a.mp4", "--tracks", "t.jsonl", "--no-video")
    lines = [json.loads(line) for line in Path("t.jsonl").read_text().splitlines()]
    assert all(tuple(line) == FIELDS for line in lines)
    assert [{k: str(v) for k, v in line.items()} for line in lines] == table("t.csv")


def test_a_picture_is_frame_0(livecam: clips.Command, portrait: np.ndarray) -> None:
    cv2.imwrite("two.png", np.hstack([portrait, portrait[:, ::-1]]))
    cv2.imwrite("none.png", clips.greys(1)[0])
    livecam("annotate", "two.png", "none.png", "--tracks", "t.csv")
    rows = table("t.csv")
    assert [(row["file"], row["frame"], row["time_s"]) for row in rows] == [
        ("two.png", "0", "0.0"), ("two.png", "0", "0.0")
    ]  # fmt: skip
    assert sorted(row["track_id"] for row in rows) == ["1", "2"]


def test_every_file_counts_for_itself(livecam: clips.Command, clip: Path, picture: Path) -> None:
    Path("b.mp4").write_bytes(clip.read_bytes())
    livecam("annotate", "a.mp4", "p.png", "b.mp4", "--tracks", "t.csv", "--no-video")
    rows = table("t.csv")
    first = [row for row in rows if row["file"] == "a.mp4"]
    last = [row for row in rows if row["file"] == "b.mp4"]
    assert {row["track_id"] for row in rows} == {"1"}
    assert [{**row, "file": ""} for row in first] == [{**row, "file": ""} for row in last]
    files = list(dict.fromkeys(row["file"] for row in rows))
    assert files == ["a.mp4", "p.png", "b.mp4"]


def test_faces_out_of_sight_have_no_rows(livecam: clips.Command, people: list[np.ndarray]) -> None:
    """Seen for a second, gone for half a second, back at the same place as the same person."""
    gone = [np.full_like(people[0], 60)] * 5
    still = [people[0]] * 10
    clips.write_clip(Path("a.mp4"), [*still, *gone, *still])
    answer = livecam("annotate", "a.mp4", "--tracks", "t.csv", "--detect-every", "1")
    frames = [int(row["frame"]) for row in table("t.csv")]
    assert not set(frames) & set(range(10, 15))
    assert set(range(2, 10)) <= set(frames)
    assert set(range(15, 25)) <= set(frames)
    assert {row["track_id"] for row in table("t.csv")} == {"1"}
    assert answer.code == 0


def test_no_gender_is_an_empty_field(livecam: clips.Command, clip: Path) -> None:
    answer = livecam("annotate", "a.mp4", "--tracks", "t.csv", "--no-video", "--no-gender")
    assert {row["female_prob"] for row in table("t.csv")} == {""}
    assert "\N{FEMALE SIGN}" not in answer.err
    assert "\N{MALE SIGN}" not in answer.err
    livecam("annotate", "a.mp4", "--tracks", "t.jsonl", "--no-video", "--no-gender")
    assert json.loads(Path("t.jsonl").read_text().splitlines()[0])["female_prob"] is None


def test_a_scheme_names_the_bins(livecam: clips.Command, clip: Path) -> None:
    livecam("annotate", "a.mp4", "--tracks", "t.csv", "--no-video", "--scheme", "actors-3")
    assert {row["age_bin"] for row in table("t.csv")} <= {"0-30", "31-50", "51+"}


def test_it_ends_with_a_table_of_tracks(livecam: clips.Command, clip: Path) -> None:
    answer = livecam("annotate", "a.mp4", "--no-video", "--tracks", "t.csv")
    assert answer.code == 0
    lines = answer.err.splitlines()
    at = next(i for i, line in enumerate(lines) if line.split()[:1] == ["track"])
    assert lines[at].split() == ["track", "first", "last", "age", "range", "bin", "gender"]
    track_id, first, last, age, years, age_bin, *gender = lines[at + 1].split()
    assert (track_id, first, last) == ("1", "0:00", "0:02")
    final = table("t.csv")[-1]
    assert int(age) == float(final["age"])
    assert years == f"{final['age_low']}-{final['age_high']}"
    assert age_bin == final["age_bin"]
    assert gender


def test_each_table_follows_the_name_of_its_file(
    livecam: clips.Command, clip: Path, portrait: np.ndarray
) -> None:
    cv2.imwrite("b.png", portrait)
    lines = livecam(
        "annotate", "b.png", "a.mp4", "--no-video", "--tracks", "t.csv"
    ).err.splitlines()
    assert lines[0] == "b.png: 1 face"
    assert lines[1].split() == ["face", "age", "range", "bin", "gender"]
    assert lines[2].split()[0] == "1"
    assert lines[3].startswith("a.mp4: 20 frames labelled at")
    assert lines[4].split()[:3] == ["track", "first", "last"]
    assert lines[5].split()[:3] == ["1", "0:00", "0:02"]
    assert len(lines) == 6


# Time


@pytest.mark.parametrize(
    ("bounds", "frames"),
    [
        (["--start", "0.5"], range(5, 20)), (["--end", "0:01"], range(10)),
        (["--start", "0:00.5", "--end", "0:0:1.2"], range(5, 12)),
    ],
)  # fmt: skip
def test_start_and_end(
    livecam: clips.Command, clip: Path, bounds: list[str], frames: range
) -> None:
    answer = livecam("annotate", "a.mp4", "--tracks", "t.csv", *bounds)
    assert answer.code == 0
    assert f"{len(frames)} frames labelled" in answer.err
    played = clips.play(Path("a_livecam.mp4"))
    assert played.times_s == pytest.approx([i / 10 for i in range(len(frames))], abs=1e-3)
    rows = table("t.csv")
    assert int(rows[0]["frame"]) <= 2  # frames and times count from the first one labelled
    assert int(rows[-1]["frame"]) == len(frames) - 1
    assert float(rows[-1]["time_s"]) == pytest.approx((len(frames) - 1) / 10, abs=1e-3)
    onset_s, end_s = clips.hear(Path("a_livecam.mp4"))
    if frames.stop == 20:
        assert onset_s == pytest.approx(1.0 - frames.start / 10, abs=0.03)
    assert end_s == pytest.approx(len(frames) / 10, abs=0.15)


def test_a_start_after_the_end_of_the_clip(livecam: clips.Command, clip: Path) -> None:
    answer = livecam("annotate", "a.mp4", "--start", "1:00", "--tracks", "t.csv")
    assert answer.failure(1).startswith("livecam: a.mp4: no frame in it from 60 s on; ")
    assert names() == ["a.mp4"]


def test_a_variable_rate_keeps_its_times(livecam: clips.Command, people: list[np.ndarray]) -> None:
    times_s = [0.0, 0.04, 0.05, 0.3, 0.333, 0.7, 1.4, 1.433]
    clips.write_clip(Path("a.mp4"), people[:8], times_s=times_s)
    livecam("annotate", "a.mp4", "--tracks", "t.csv")
    assert clips.play(Path("a_livecam.mp4")).times_s == pytest.approx(times_s, abs=1e-3)
    for row in table("t.csv"):
        assert float(row["time_s"]) == pytest.approx(times_s[int(row["frame"])], abs=1e-3)


@pytest.mark.parametrize(
    ("bounds", "seconds"),
    [([], 6.9), (["--end", 3], 3.0), (["--end", 1], 1.0), (["--start", 1, "--end", 2.5], 1.5)],
)
def test_sound_and_the_last_frame_end_when_they_should(
    livecam: clips.Command, bounds: list[object], seconds: float
) -> None:
    clips.write_clip(Path("slides.mkv"), clips.greys(20), last_stands_s=5.0)
    clips.write_clip(Path("song.mkv"), clips.greys(20), sound=clips.Sound(seconds=6.9))
    assert livecam("annotate", "slides.mkv", "song.mkv", *bounds).code == 0
    assert clips.play(Path("slides_livecam.mp4")).duration_s == pytest.approx(seconds, abs=0.01)
    assert clips.hear(Path("song_livecam.mp4"))[1] == pytest.approx(seconds, abs=0.15)


def test_a_gif_that_cuts_says_so_and_the_table_goes_on(
    livecam: clips.Command, people: list[np.ndarray]
) -> None:
    clips.write_clip(Path("a.mp4"), people * 2, rate=2)  # 20 s
    answer = livecam("annotate", "a.mp4", "--format", "gif")
    assert answer.lines == ["a_livecam.gif"]
    assert "a.mp4: the GIF holds the first 15 s" in answer.err
    assert "a.mp4: 31 frames labelled" in answer.err
    played = clips.play(Path("a_livecam.gif"))
    assert played.times_s == pytest.approx([i / 2 for i in range(30)], abs=0.02)
    answer = livecam("annotate", "a.mp4", "--format", "gif", "--overwrite", "--tracks", "t.csv")
    assert "a.mp4: 40 frames labelled" in answer.err
    assert table("t.csv")[-1]["frame"] == "39"


def test_a_short_gif_is_not_announced(livecam: clips.Command, clip: Path) -> None:
    answer = livecam("annotate", "a.mp4", "--format", "gif")
    assert "the GIF holds" not in answer.err
    assert len(clips.play(Path("a_livecam.gif")).pictures) == 20


# Kinds of clips


def test_a_rotated_clip_is_labelled_upright(
    livecam: clips.Command, people: list[np.ndarray]
) -> None:
    lying = [np.rot90(picture) for picture in people]
    clips.rotate(clips.write_clip(Path("a.mp4"), lying), 1)
    answer = livecam("annotate", "a.mp4", "--tracks", "t.csv")
    assert answer.code == 0
    assert clips.play(Path("a_livecam.mp4")).size_wh == (240, 180)
    upright = table("t.csv")
    assert len(upright) >= 15
    assert all(float(row["x_max"]) <= 240 and float(row["y_max"]) <= 180 for row in upright)


@pytest.mark.parametrize(
    ("name", "codec", "pix_fmt"),
    [("a.avi", "mjpeg", "yuvj420p"), ("a.mkv", "ffv1", "bgr0"), ("a.gif", "gif", "rgb8"),
     ("a.mpg", "mpeg2video", "yuv420p"), ("a.webm", "libvpx", "yuv420p")],
)  # fmt: skip
def test_other_kinds_and_odd_sizes(
    livecam: clips.Command, astronaut: np.ndarray, name: str, codec: str, pix_fmt: str
) -> None:
    pictures = clips.faces(astronaut, 8, (221, 161))
    clips.write_clip(Path(name), pictures, codec=codec, pix_fmt=pix_fmt, rate=25)
    answer = livecam("annotate", name)
    assert (answer.code, answer.lines) == (0, ["a_livecam.mp4"])
    played = clips.play(Path("a_livecam.mp4"))
    assert played.size_wh == (222, 162)
    assert len(played.pictures) == 8


@pytest.mark.parametrize("suffix", ["avi", "mkv", "mov"])
def test_the_sound_of_a_camera_is_encoded_again(
    livecam: clips.Command, people: list[np.ndarray], suffix: str
) -> None:
    sound = clips.Sound("pcm_s16le", seconds=2.0, onset_s=1.0, format="s16")
    clips.write_clip(Path(f"a.{suffix}"), people, codec="mjpeg", pix_fmt="yuvj420p", sound=sound)
    answer = livecam("annotate", f"a.{suffix}")
    assert (answer.code, answer.lines) == (0, ["a_livecam.mp4"])
    assert clips.play(Path("a_livecam.mp4")).audio_codec == "aac"
    onset_s, end_s = clips.hear(Path("a_livecam.mp4"))
    assert onset_s == pytest.approx(1.0, abs=0.05)
    assert end_s == pytest.approx(2.0, abs=0.15)


def test_two_recordings_in_one_file(livecam: clips.Command, people: list[np.ndarray]) -> None:
    """Transport streams are joined by appending them: the time stamps begin anew in the middle."""
    part = clips.write_clip(Path("part.ts"), people, sound=clips.Sound("aac", rate=48_000))
    Path("a.ts").write_bytes(2 * part.read_bytes())
    answer = livecam("annotate", "a.ts", "--tracks", "t.csv")
    assert (answer.code, answer.lines) == (0, ["a_livecam.mp4", "t.csv"])
    times_s = clips.play(Path("a_livecam.mp4")).times_s
    assert len(times_s) == 40
    assert times_s == sorted(set(times_s))
    assert int(table("t.csv")[-1]["frame"]) == 39


@pytest.mark.parametrize("format", ["mp4", "gif"])
def test_a_clip_whose_pictures_change_their_shape(livecam: clips.Command, format: str) -> None:
    """They are fitted into the size of the first one, with bars."""
    parts = [(160, 120), (320, 120), (60, 120)]
    for i, size_wh in enumerate(parts):
        part = clips.write_clip(Path(f"{i}.ts"), 10 * clips.greys(3 + i, size_wh)[2 + i :])
        with Path("a.ts").open("ab") as joined:
            joined.write(part.read_bytes())
    answer = livecam("annotate", "a.ts", "--format", format)
    assert (answer.code, answer.lines) == (0, [f"a_livecam.{format}"])
    played = clips.play(Path(f"a_livecam.{format}"))
    assert played.size_wh == (160, 120)
    for i, inner in enumerate([np.s_[:, :], np.s_[30:90], np.s_[:, 50:110]]):
        wanted = np.zeros((120, 160, 3), int)
        wanted[inner] = clips.grey_of(2 + i)
        last = played.pictures[np.searchsorted(played.times_s, i + 0.95) - 1]
        assert np.percentile(np.abs(last - wanted), 90) < 12  # not at the edges


def test_high_definition_colours_survive(livecam: clips.Command) -> None:
    colours = [(0, 0, 255), (0, 255, 0), (255, 0, 0), (0, 255, 255), (60, 120, 200)]
    picture = np.repeat(np.array(colours, np.uint8), 256, axis=0)[None].repeat(720, axis=0)
    clips.write_clip(Path("a.mkv"), [picture] * 3, codec="ffv1", pix_fmt="bgr0")
    assert livecam("annotate", "a.mkv").code == 0
    assert livecam("annotate", "a_livecam.mp4", "--output", "b.mp4").code == 0
    for name in ("a_livecam.mp4", "b.mp4"):  # once, and twice
        seen = clips.play(Path(name)).pictures[-1]
        for i, colour in enumerate(colours):
            assert np.abs(seen[360, 256 * i + 128].astype(int) - colour).max() <= 10


# Failures


def broken(kind: str, tmp_path: Path, talking: bytes) -> str:
    """The name of an input that cannot be labelled."""
    contents = {
        "empty.mp4": b"", "text.mp4": b"only words\n" * 50, "text.jpg": b"only words\n",
        "head.mp4": talking[:400], "zeros.mkv": bytes(5000), "index.mp4": talking[:1500],
        "head.jpg": b"\xff\xd8\xff\xe0\0\x10JFIF", "text": b"only words\n", "html.gif": b"<html>",
    }  # fmt: skip
    if kind in contents:
        (tmp_path / kind).write_bytes(contents[kind])
    return kind


@pytest.mark.parametrize(
    "kind",
    ["none.mp4", "none.jpg", "empty.mp4", "text.mp4", "text.jpg", "text", "head.mp4", "zeros.mkv",
     "index.mp4", "head.jpg", "html.gif", "folder/none.mp4"],
)  # fmt: skip
@pytest.mark.parametrize("form", ["mp4", "gif"])
def test_what_cannot_be_labelled_is_one_line_and_leaves_nothing(
    livecam: clips.Command, tmp_path: Path, talking_clip: bytes, kind: str, form: str
) -> None:
    name = broken(kind, tmp_path, talking_clip)
    before = names()
    answer = livecam("annotate", name, "--tracks", "t.csv", "--format", form)
    line = answer.failure(1)
    assert line.startswith(f"livecam: {name}: ")
    assert answer.err == line + "\n"
    assert names() == before


def test_one_bad_input_does_not_stop_the_others(
    livecam: clips.Command, clip: Path, picture: Path, talking_clip: bytes, tmp_path: Path
) -> None:
    for kind in ("text.mp4", "text.jpg"):
        broken(kind, tmp_path, talking_clip)
    Path("circle").symlink_to("circle")
    full = "x" * 251 + ".mp4"  # there is no room for _livecam
    Path(full).write_bytes(talking_clip)
    typed = ["none.mp4", "text.mp4", full, "circle/a.mp4", "a.mp4", "text.jpg", "p.png"]
    answer = livecam("annotate", *typed, "--tracks", "t.csv")
    assert answer.code == 1
    assert answer.lines == ["a_livecam.mp4", "p_livecam.png", "t.csv"]
    said = [line for line in answer.err.splitlines() if line.startswith("livecam: ")]
    assert [line.split(": ")[1].replace("_livecam", "") for line in said] == [
        "none.mp4", "text.mp4", full, "circle/a.mp4", "text.jpg"
    ]  # fmt: skip
    assert {row["file"] for row in table("t.csv")} == {"a.mp4", "p.png"}
    assert len(clips.play(Path("a_livecam.mp4")).pictures) == 20


@pytest.mark.parametrize("form", ["mp4", "gif"])
def test_a_damaged_end_is_said_and_the_rest_is_kept(
    livecam: clips.Command, clip: Path, form: str
) -> None:
    damaged = clips.cut(clip, 0.7)
    answer = livecam("annotate", damaged.name, "--tracks", "t.csv", "--format", form)
    assert answer.code == 1
    assert answer.lines == [f"a_cut_livecam.{form}", "t.csv"]
    stop = re.fullmatch(
        r"livecam: a_cut\.mp4: stopped at frame (\d+) of 20: .+", answer.complaint()
    )
    assert stop
    frames = int(stop[1])
    assert 5 < frames < 20
    assert len(clips.play(Path(f"a_cut_livecam.{form}")).pictures) == frames
    assert int(table("t.csv")[-1]["frame"]) < frames
    assert names() == ["a.mp4", "a_cut.mp4", f"a_cut_livecam.{form}", "t.csv"]


def test_behind_a_damaged_stretch_it_goes_on(livecam: clips.Command, clip: Path) -> None:
    with av.open(str(clip)) as container:
        packets = [bytes(packet) for packet in container.demux(video=0) if packet.size]
    clip.write_bytes(clip.read_bytes().replace(packets[5], bytes(len(packets[5]))))
    answer = livecam("annotate", clip.name, "--tracks", "t.csv")
    assert (answer.code, answer.lines) == (1, ["a_livecam.mp4", "t.csv"])
    told = "livecam: a.mp4: stopped at frame 19 of 20: 1 damaged packet left out"
    assert answer.complaint() == told
    assert len(clips.play(Path("a_livecam.mp4")).pictures) == 19
    assert int(table("t.csv")[-1]["frame"]) == 18


@pytest.mark.parametrize("name", ["a.mp4", "p.png"])
def test_inputs_on_a_read_only_disc(
    livecam: clips.Command, clip: Path, picture: Path, name: str
) -> None:
    """A card or a CD: the default output cannot be written; another folder can."""
    disc = Path("disc")
    disc.mkdir()
    Path(name).rename(disc / name)
    Path(disc / "text.mp4").write_text("words")
    with clips.read_only(disc.resolve()):
        answer = livecam("annotate", f"disc/{name}")
        assert answer.failure(1).endswith("cannot be written: the folder may not be written to")
        assert answer.err.count("\n") == 1, "before the work"
        answer = livecam("annotate", "disc/text.mp4", "--output", "out/")
        assert answer.failure(1).startswith("livecam: disc/text.mp4: not a readable clip")
        assert livecam("annotate", f"disc/{name}", "--output", "out/").code == 0
    assert len(names(Path("out"))) == 1


@pytest.mark.parametrize("name", ["a.mp4", "p.png"])
@pytest.mark.parametrize("place", ["none/t.csv", "p.png/t.csv", "ro/t.csv"])
def test_a_table_that_cannot_be_written_leaves_nothing(
    livecam: clips.Command, clip: Path, picture: Path, name: str, place: str
) -> None:
    Path("ro").mkdir()
    with clips.read_only(Path("ro").resolve()):
        answer = livecam("annotate", name, "--tracks", place)
    assert answer.code == 1
    assert answer.complaint().startswith(f"livecam: {place}: cannot be written: ") or (
        answer.complaint().startswith(f"livecam: {name}: ")
        and f"{place}: cannot be written: " in answer.complaint()
    )
    assert answer.out == ""
    assert names() == ["a.mp4", "p.png"]


@pytest.mark.parametrize("place", ["p.png/out/", "ro/out/"])
def test_an_output_folder_that_cannot_be_made(
    livecam: clips.Command, clip: Path, picture: Path, place: str
) -> None:
    Path("ro").mkdir()
    with clips.read_only(Path("ro").resolve()):
        answer = livecam("annotate", "a.mp4", "--output", place)
    assert "cannot make the folder" in answer.failure(1)
    assert names() == ["a.mp4", "p.png"]


def test_a_full_disk_leaves_what_fits(
    livecam: clips.Command, monkeypatch: pytest.MonkeyPatch, people: list[np.ndarray]
) -> None:
    noisy = [np.vstack([face, noise]) for face, noise in zip(
        clips_of(people, 60), clips.noise(60, (240, 180)), strict=True)]  # fmt: skip
    clips.write_clip(Path("a.mkv"), noisy, codec="mjpeg", pix_fmt="yuvj420p")
    monkeypatch.setenv("LIVECAM_VIDEO__CRF", "10")
    with clips.small_disk(Path("disk").resolve(), 1024) as disk:
        answer = livecam("annotate", "a.mkv", "--output", "disk/a.mp4", "--tracks", "disk/t.csv")
        assert answer.code == 1
        assert answer.lines == ["disk/a.mp4", "disk/t.csv"]
        stop = re.search(r"a\.mkv: stopped at frame (\d+) of 60: ", answer.complaint())
        assert stop
        assert "No space left" in answer.complaint()
        assert names(disk) == ["a.mp4", "t.csv"]
        assert 5 <= len(clips.play_what_there_is(disk / "a.mp4")) == int(stop[1])
        # what is labelled and not in the film is in no table either
        last = int(stop[1]) - 1
        assert last - 3 <= max(int(row["frame"]) for row in table(disk / "t.csv")) <= last
        for row in table(disk / "t.csv"):
            seen = re.search(rf"^ *{row['track_id']} +\S+ +(\S+) ", answer.err, re.MULTILINE)
            assert seen
            assert clock_time(float(row["time_s"])) <= seen[1] <= clock_time(int(stop[1]) / 10)


@pytest.mark.parametrize("name", ["a.mp4", "p.png"])
def test_what_finds_no_room_is_in_no_table(
    livecam: clips.Command, clip: Path, picture: Path, name: str
) -> None:
    Path("old.csv").write_text("old")
    with clips.small_disk(Path("disk").resolve(), 8) as disk:
        clips.fill(disk)
        for table_name in ("old.csv", "new.csv"):
            to = ("--output", "disk/", "--tracks", table_name, "--overwrite")
            assert livecam("annotate", name, *to).code == 1
    assert Path("old.csv").read_text() == "old"
    assert not Path("new.csv").exists()


def test_a_private_table_stays_private_and_a_link_a_link(
    livecam: clips.Command, clip: Path
) -> None:
    Path("t.csv").write_text("old")
    Path("t.csv").chmod(0o600)
    Path("link.csv").symlink_to("t.csv")
    command = ("annotate", "a.mp4", "--no-video", "--tracks", "link.csv")
    assert livecam(*command).failure(2).startswith("livecam: link.csv: exists")
    assert livecam(*command, "--overwrite").code == 0
    assert Path("link.csv").is_symlink()
    assert len(table("t.csv")) > 5
    assert Path("t.csv").stat().st_mode & 0o777 == 0o600


def test_a_link_to_a_disk_that_is_away_is_not_replaced_unasked(
    livecam: clips.Command, clip: Path
) -> None:
    for name in ("t.csv", "a_livecam.mp4"):
        Path(name).symlink_to("/away/file")
    for options in (("--no-video", "--tracks", "t.csv"), ()):
        assert ": exists; give --overwrite" in livecam("annotate", "a.mp4", *options).failure(2)
    answer = livecam("annotate", "a.mp4", "--no-video", "--tracks", "t.csv", "--overwrite")
    assert answer.failure(1).startswith("livecam: t.csv: cannot be written: ")
    assert Path("t.csv").is_symlink()


def test_a_picture_that_is_in_no_table_is_not_there(livecam: clips.Command, picture: Path) -> None:
    for i in range(30):
        Path(f"{'p' * 150}{i:02}.png").write_bytes(picture.read_bytes())
    with clips.small_disk(Path("disk").resolve(), 4) as disk:
        answer = livecam("annotate", *sorted(Path().glob("pp*.png")), "--tracks", disk / "t.csv")
    assert answer.code == 1
    assert len(list(Path().glob("*_livecam.png"))) == sum("_livecam" in x for x in answer.lines)


@pytest.mark.skipif(os.name == "nt", reason="no such devices")
def test_a_link_to_a_device_does_not_cost_the_device(
    livecam: clips.Command, clip: Path, tmp_path: Path
) -> None:
    Path("t.csv").symlink_to("/dev/null")
    assert livecam("annotate", "a.mp4", "--no-video", "--tracks", "t.csv", "--overwrite").code == 0
    assert not Path("/dev/null").is_file()
    assert len(table("t.csv")) > 5
    Path("plain").touch()
    assert Path("t.csv").stat().st_mode == Path("plain").stat().st_mode


@pytest.mark.parametrize("arguments", [("",), ("a.mp4", ""), ("a.mp4", "--output", "")])
def test_no_name_is_no_folder(
    livecam: clips.Command, clip: Path, arguments: tuple[str, ...]
) -> None:
    answer = livecam("annotate", *arguments)
    assert answer.code == (2 if "--output" in arguments else 1)
    assert "'': no name; expected a file" in answer.complaint()
    assert len(names()) == (2 if arguments == ("a.mp4", "") else 1)


def test_an_output_folder_that_stays_empty_goes_again(livecam: clips.Command, clip: Path) -> None:
    Path("b.txt").write_text("no clip")
    Path("there").mkdir()
    for folder in ("new/one/", "there/"):
        assert livecam("annotate", "b.txt", "--output", folder).code == 1
    assert not Path("new").exists()
    assert Path("there").exists()
    assert livecam("annotate", "b.txt", "a.mp4", "--output", "new/one/").code == 1
    assert names(Path("new/one")) == ["a_livecam.mp4"]


def test_of_a_gif_on_a_full_disk_nothing_is_said_to_be_there(
    livecam: clips.Command, clip: Path
) -> None:
    with clips.small_disk(Path("disk").resolve(), 12) as disk:
        answer = livecam("annotate", "a.mp4", "--output", "disk/a.gif")
        assert names(disk) == []
    assert answer.failure(1) == "livecam: disk/a.gif: cannot be written: No space left on device"
    assert "labelled" not in answer.err


def test_a_film_that_fails_at_once_is_one_line(
    livecam: clips.Command, monkeypatch: pytest.MonkeyPatch, clip: Path
) -> None:
    def fail(*arguments: object) -> None:
        raise LivecamError("a_livecam.mp4: cannot be written: No space left on device")

    monkeypatch.setattr(annotate, "film", fail)
    answer = livecam("annotate", "a.mp4")
    assert answer.failure(1) == (
        "livecam: a_livecam.mp4: cannot be written: No space left on device"
    )
    assert names() == ["a.mp4"]


def clips_of(pictures: list[np.ndarray], n: int) -> list[np.ndarray]:
    return [pictures[i % len(pictures)] for i in range(n)]


def test_a_full_disk_for_the_table_alone(livecam: clips.Command, portrait: np.ndarray) -> None:
    crowd = np.tile(cv2.resize(portrait, (128, 128), interpolation=cv2.INTER_AREA), (2, 4, 1))
    clips.write_clip(Path("a.mp4"), [crowd] * 30)
    with clips.small_disk(Path("disk").resolve(), 12) as disk:
        answer = livecam("annotate", "a.mp4", "--tracks", "disk/t.csv")
        assert answer.code == 1
        stop = re.search(r"a\.mp4: stopped at frame (\d+) of 30: ", answer.complaint())
        assert stop
        assert "t.csv: cannot be written: No space left" in answer.complaint()
        rows = table(disk / "t.csv")
    assert len(rows) > 20
    assert "a_livecam.mp4" in answer.lines
    # the frame that had no row may be in the video
    assert len(clips.play(Path("a_livecam.mp4")).pictures) - int(stop[1]) in (0, 1)


def test_a_model_that_is_missing_leaves_nothing(livecam: clips.Command, clip: Path) -> None:
    answer = livecam(
        "annotate", "a.mp4", "--model", "none.onnx", "--tracks", "t.csv", "--output", "out/"
    )
    assert "none.onnx: no such model" in answer.failure(1)
    assert not Path("out").exists()
    assert names() == ["a.mp4"]


@pytest.mark.parametrize("form", ["mp4", "gif"])
def test_a_name_with_a_colon(livecam: clips.Command, clip: Path, form: str) -> None:
    """FFmpeg would take what is before it for a protocol."""
    clip.rename("10:30.mp4")
    answer = livecam("annotate", "10:30.mp4", "--format", form)
    assert (answer.code, answer.lines) == (0, [f"10:30_livecam.{form}"])
    played = clips.play(Path(f"10:30_livecam.{form}").absolute())
    assert len(played.pictures) == 20
    assert played.audio_codec == ("aac" if form == "mp4" else None)
    answer = livecam("run", "--headless", "--camera", "10:30.mp4", "--record", f"a:b.{form}")
    assert (answer.code, answer.lines) == (0, [f"a:b.{form}"])


# URLs and stdin


@pytest.fixture
def website(tmp_path: Path, talking_clip: bytes, portrait: np.ndarray) -> Iterator[str]:
    folder = tmp_path / "www"
    folder.mkdir()
    (folder / "c.mp4").write_bytes(talking_clip)
    (folder / "watch").write_bytes(talking_clip)
    (folder / "photo").write_bytes(clips.png(portrait))
    (folder / "q.png").write_bytes(clips.png(portrait))
    for name in ("page", "page.mp4", "page.html"):
        (folder / name).write_text("<!doctype html><title>nothing here</title>" * 30)
    with clips.served(clips.files_in(folder)) as address:
        yield address


@pytest.mark.parametrize(
    ("path", "written"),
    [("c.mp4", "c_livecam.mp4"), ("c.mp4?t=1", "c_livecam.mp4"), ("watch?v=3", "watch_livecam.mp4"),
     ("q.png", "q_livecam.png"), ("photo", "photo_livecam.jpg")],
)  # fmt: skip
def test_urls_are_written_in_the_current_folder(
    livecam: clips.Command, website: str, path: str, written: str
) -> None:
    answer = livecam("annotate", f"{website}/{path}", "--tracks", "t.jsonl")
    assert (answer.code, answer.lines) == (0, [written, "t.jsonl"])
    assert [name for name in names() if not name.startswith("www/")] == sorted([written, "t.jsonl"])
    row = json.loads(Path("t.jsonl").read_text().splitlines()[0])
    assert row["file"] == f"{website}/{path}"


@pytest.mark.parametrize("path", ["gone.mp4", "page", "page.mp4", "page.html"])
def test_urls_that_lead_to_nothing(livecam: clips.Command, website: str, path: str) -> None:
    answer = livecam("annotate", f"{website}/{path}", "--tracks", "t.csv")
    line = answer.failure(1)
    start = f"livecam: {website}/{path}: "
    assert line.startswith(start)
    reason = line.removeprefix(start)  # a port may have a 404 in it too
    assert ("404" in reason) == (path == "gone.mp4")
    assert answer.err == line + "\n"
    assert all(name.startswith("www/") for name in names())


def test_a_clip_that_does_not_come_to_its_end_is_not_labelled(
    livecam: clips.Command, tmp_path: Path, talking_clip: bytes
) -> None:
    """Of kinds that can be read up to anywhere, nothing in the file would say so."""
    source = tmp_path / "a.mp4"
    source.write_bytes(talking_clip)
    with av.open(str(source)) as clip, av.open(str(tmp_path / "a.ts"), "w") as stream:
        video = stream.add_stream_from_template(clip.streams.video[0])
        for packet in clip.demux(clip.streams.video[0]):
            if packet.dts is not None:
                packet.stream = video
                stream.mux(packet)
    whole = (tmp_path / "a.ts").read_bytes()

    def answer(request: http.server.BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Length", str(len(whole)))
        request.end_headers()
        request.wfile.write(whole[: len(whole) // 2])

    with clips.served(answer) as address:
        line = livecam("annotate", f"{address}/a.ts").failure(1)
    end = f"the connection ended after {len(whole) // 2} of {len(whole)} bytes"
    assert line == f"livecam: {address}/a.ts: cannot be fetched: {end}"
    assert not Path("a_livecam.mp4").exists()


def test_a_camera_is_not_fetched_for_ever(livecam: clips.Command, people: list[np.ndarray]) -> None:
    with streams.MjpegServer(lambda time_s: people[0], 10) as camera:
        for command in ("annotate", "predict"):
            line = livecam(command, camera.url).failure(1)
            assert line.endswith(
                "a camera; expected a picture or a clip; livecam run --camera plays it"
            )


def test_a_long_download_shows_how_far_it_is(
    livecam: clips.Command, talking_clip: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "LOG_EVERY_S", 0.0)
    data = talking_clip + b"\0\0\0\x08free" + bytes(5_500_000)

    def answer(request: http.server.BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Length", str(len(data)))
        request.end_headers()
        request.wfile.write(data)

    with clips.served(answer) as website:
        url = f"{website}/a.mp4"
        assert livecam("annotate", url).code == 0
        told = livecam("annotate", url, "--overwrite").err
    assert re.search(rf"{url}: [1-4]/5  [2-8]0 %  [\d.]+ MB/s  \d:\d\d left\n", told)


def test_nobody_answers(livecam: clips.Command, picture: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    answer = livecam("annotate", f"http://127.0.0.1:{port}/a.mp4", "p.png")
    assert answer.code == 1
    assert answer.lines == ["p_livecam.png"]
    assert "refused" in answer.complaint()


@pytest.mark.parametrize("path", ["photo", "watch"])
def test_a_url_whose_output_exists_is_refused_before_anything_is_written(
    livecam: clips.Command, website: str, picture: Path, path: str
) -> None:
    """Its kind shows only after the download: what it might become must be free."""
    for suffix in ("jpg", "mp4"):
        Path(f"{path}_livecam.{suffix}").write_bytes(b"old")
    before = names()
    answer = livecam("annotate", "p.png", f"{website}/{path}")
    assert "exists; give --overwrite" in answer.failure(2)
    assert names() == before


def test_two_urls_never_share_an_output(
    livecam: clips.Command, website: str, picture: Path
) -> None:
    before = names()
    answer = livecam("annotate", "p.png", f"{website}/watch?v=1", f"{website}/watch?v=2")
    assert "would be written twice" in answer.failure(2)
    assert names() == before


def test_stdin_is_a_picture(livecam: clips.Command, portrait: np.ndarray) -> None:
    png = clips.png(portrait)
    answer = livecam("annotate", "-", "--tracks", "t.jsonl", stdin=png)
    assert (answer.code, answer.lines) == (0, ["stdin_livecam.jpg", "t.jsonl"])
    assert json.loads(Path("t.jsonl").read_text())["file"] == "-"
    assert livecam("annotate", "-", "--output", "x.png", stdin=png).lines == ["x.png"]
    assert cv2.imread("x.png").shape == (256, 256, 3)
    answer = livecam("annotate", "-", "--output", "y.png", stdin=b"")
    assert answer.failure(1).startswith("livecam: -: empty")


@pytest.mark.parametrize("existing", ["stdin_livecam.jpg", "stdin_livecam.mp4"])
def test_stdin_replaces_neither_picture_nor_clip(
    livecam: clips.Command, clip: Path, existing: str
) -> None:
    Path(existing).write_bytes(b"old")
    before = names()
    answer = livecam("annotate", "-", stdin=clip.read_bytes())
    assert answer.failure(2).startswith(f"livecam: {existing}: exists; give --overwrite")
    assert (names(), Path(existing).read_bytes()) == (before, b"old")
    answer = livecam("annotate", "-", "--overwrite", stdin=clip.read_bytes())
    assert (answer.code, answer.lines) == (0, ["stdin_livecam.mp4"])


# Interruptions: real processes, real signals

SLOW = """
    import sys, time
    from livecam import pipeline
    from livecam.cli import main

    label = pipeline.Pipeline.__call__

    def slowly(line, frame):
        if frame.index >= 8:
            print("frame", frame.index, flush=True)
            time.sleep(0.1)
        return label(line, frame)

    pipeline.Pipeline.__call__ = slowly
    sys.exit(main())
"""


@pytest.mark.parametrize("number", ENDS)
@pytest.mark.parametrize("form", ["mp4", "gif"])
def test_interrupted_it_leaves_a_playable_video_and_whole_rows(
    clip: Path, picture: Path, tmp_path: Path, number: signal.Signals, form: str
) -> None:
    (tmp_path / "p_livecam.png").write_bytes(b"old")
    child = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(SLOW), "annotate", "a.mp4", "p.png", "--overwrite",
         "--tracks", "t.csv", "--format", form],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert child.stdout is not None
    while child.stdout.readline() != "frame 10\n":
        assert child.poll() is None
    child.send_signal(number)
    out, err = child.communicate(timeout=60)
    assert child.returncode == 130
    assert "Traceback" not in err
    stop = re.search(
        r"^livecam: a\.mp4: stopped at frame (\d+) of 20: interrupted$", err, re.MULTILINE
    )
    assert stop, err
    frames = int(stop[1])
    assert 10 <= frames < 20
    assert out.splitlines()[-2:] == [f"a_livecam.{form}", "t.csv"]
    assert (tmp_path / "p_livecam.png").read_bytes() == b"old"  # the next was not begun
    played = clips.play(tmp_path / f"a_livecam.{form}")
    assert len(played.pictures) == frames
    rows = table(tmp_path / "t.csv")
    assert int(rows[-1]["frame"]) in (frames - 1, frames)
    assert clips.files_of(tmp_path) == [
        "a.mp4",
        f"a_livecam.{form}",
        "p.png",
        "p_livecam.png",
        "t.csv",
    ]


def test_two_at_once_with_one_output(clip: Path, tmp_path: Path) -> None:
    """Both are written to their end, each into a file of its own."""
    code = SLOW.replace("time.sleep(0.1)", "frame.index == 8 and sys.stdin.readline()")
    first, second = (
        subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(code), "annotate", "a.mp4", "--tracks", tracks],
            cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True,
        )
        for tracks in ("1.csv", "2.csv")
    )  # fmt: skip
    for child in (first, second):
        assert child.stdout is not None
        assert child.stdout.readline() == "frame 8\n"
    _, err = first.communicate("\n", timeout=60)
    assert first.returncode == 0, err
    _, err = second.communicate("\n", timeout=60)
    assert second.returncode == 0, err
    assert len(clips.play(tmp_path / "a_livecam.mp4").pictures) == 20
    assert clips.files_of(tmp_path) == ["1.csv", "2.csv", "a.mp4", "a_livecam.mp4"]


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="a system without hang-ups")
@pytest.mark.parametrize("is_ignored", [False, True])
def test_a_terminal_that_is_closed(clip: Path, tmp_path: Path, is_ignored: bool) -> None:
    """It ends the work as Ctrl-C does, unless nohup says that it goes on."""
    master, terminal = os.openpty()
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN if is_ignored else signal.SIG_DFL)
    child = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(SLOW), "annotate", "a.mp4", "--tracks", "t.csv"],
        cwd=tmp_path, stdin=terminal, stdout=subprocess.PIPE, stderr=terminal, text=True,
    )  # fmt: skip
    signal.signal(signal.SIGHUP, before)
    os.close(terminal)
    assert child.stdout is not None
    while child.stdout.readline() != "frame 10\n":
        assert child.poll() is None
    os.close(master)
    child.send_signal(signal.SIGHUP)
    out, _ = child.communicate(timeout=60)
    assert child.returncode == (0 if is_ignored else 130)
    assert out.splitlines()[-2:] == ["a_livecam.mp4", "t.csv"]
    frames = len(clips.play(tmp_path / "a_livecam.mp4").pictures)
    assert frames == 20 if is_ignored else 10 <= frames < 20
    assert table(tmp_path / "t.csv")
    assert clips.files_of(tmp_path) == ["a.mp4", "a_livecam.mp4", "t.csv"]


@pytest.mark.parametrize("form", ["mp4", "gif"])
def test_interrupted_while_a_film_is_closed_it_is_whole(
    clip: Path, picture: Path, tmp_path: Path, form: str
) -> None:
    code = """
        import sys
        from livecam import files
        from livecam.cli import main

        keep = files.PartialFile.keep

        def slowly(file):
            print("closing", flush=True)
            sys.stdin.readline()
            keep(file)

        files.PartialFile.keep = slowly
        sys.exit(main())
    """
    child = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), "annotate", "a.mp4", "p.png", "--tracks",
         "t.csv", "--format", form],
        cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    assert child.stdout is not None
    assert child.stdout.readline() == "closing\n"
    child.send_signal(signal.SIGINT)
    out, err = child.communicate("\n" * 9, timeout=60)
    assert (child.returncode, out) == (130, f"a_livecam.{form}\nclosing\nt.csv\n")
    assert "livecam: a.mp4: stopped at frame 20 of 20: interrupted\n" in err
    assert len(clips.play(tmp_path / f"a_livecam.{form}").pictures) == 20
    assert clips.files_of(tmp_path) == sorted(["a.mp4", f"a_livecam.{form}", "p.png", "t.csv"])


def test_interrupted_before_the_first_frame_it_leaves_nothing(clip: Path, tmp_path: Path) -> None:
    code = """
        import sys, time
        from livecam import pipeline
        from livecam.cli import main

        def forever(line, frame):
            print("began", flush=True)
            time.sleep(60)

        pipeline.Pipeline.__call__ = forever
        sys.exit(main())
    """
    child = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), "annotate", "a.mp4", "--tracks", "t.csv"],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert child.stdout is not None
    assert child.stdout.readline() == "began\n"
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=60)
    assert (child.returncode, out) == (130, "")
    assert "Traceback" not in err
    assert err.count("\n") == 1
    assert clips.files_of(tmp_path) == ["a.mp4"]


def test_annotate_is_quiet_on_stdout_and_plain_on_stderr(clip: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [*clips.LIVECAM, "annotate", "a.mp4"], cwd=tmp_path, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (0, "a_livecam.mp4\n")
    assert "\r" not in done.stderr
    assert "\x1b" not in done.stderr
    assert len(done.stderr.splitlines()) == 3  # two of the table of tracks, one of speed


def test_a_still_gif_is_labelled(livecam: clips.Command, astronaut: np.ndarray) -> None:
    """A clip of one frame: there is no second one to wait for."""
    clips.write_gif(Path("still.gif"), [cv2.resize(astronaut, (256, 256))])
    answer = livecam("annotate", "still.gif", "--tracks", "t.csv", "--format", "gif")
    assert answer.code == 0
    assert [row["track_id"] for row in table("t.csv")] == ["1"]


@pytest.mark.parametrize("name", ["still.gif", "one.mjpeg", "two.ts", "slides.mkv"])
def test_faces_of_few_frames_are_shown_whatever_the_file_says_of_their_number(
    livecam: clips.Command, astronaut: np.ndarray, name: str
) -> None:
    picture = cv2.resize(astronaut, (256, 256))
    if name == "still.gif":  # without a delay, as most are
        gif = clips.write_gif(Path(name), [picture]).read_bytes()
        at = gif.index(b"\x21\xf9\x04")
        Path(name).write_bytes(gif[:at] + gif[at + 8 :])
    elif name == "one.mjpeg":
        clips.write_clip(Path(name), [picture], codec="mjpeg", pix_fmt="yuvj420p")
    elif name == "two.ts":
        clips.write_clip(Path(name), [picture, picture])
    else:
        clips.write_clip(Path(name), 20 * [picture], last_stands_s=5.0)
    bounds = ["--start", 1.75, "--end", 6] if name == "slides.mkv" else []
    answer = livecam("annotate", name, "--tracks", "t.csv", *bounds)
    assert answer.code == 0
    assert {row["track_id"] for row in table("t.csv")} == {"1"}


@pytest.mark.parametrize(("output", "code"), [("o.jpg", 0), ("o.mp4", 1)])
def test_an_input_without_a_suffix_takes_its_kind_from_the_output(
    livecam: clips.Command, picture: Path, output: str, code: int
) -> None:
    Path("photo").write_bytes(picture.read_bytes())
    answer = livecam("annotate", "photo", "--output", output)
    assert answer.code in (code, 2)
    assert Path(output).exists() == (code == 0)


@pytest.mark.parametrize("name", ["ünï.png", "ünï.mp4"])
def test_a_name_that_does_not_fit_the_locale_is_one_all_the_same(
    clip: Path, picture: Path, tmp_path: Path, name: str
) -> None:
    (clip if name.endswith("mp4") else picture).rename(tmp_path / name)
    locale = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    done = subprocess.run(
        [*clips.LIVECAM, "annotate", name, "--tracks", "tä.csv"],
        cwd=tmp_path, env={**os.environ, **locale}, capture_output=True, text=True,
    )  # fmt: skip
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr
    assert {name.replace(".", "_livecam."), "tä.csv"} < set(clips.files_of(tmp_path))


def test_signs_for_the_terminal_in_a_name_do_not_reach_it(
    livecam: clips.Command, clip: Path, picture: Path
) -> None:
    Path("a.mp4").rename("a\x1b[31m\nb.mp4")
    Path("p.png").rename("p\x1b[31m\nb.png")
    answer = livecam("annotate", "a\x1b[31m\nb.mp4", "p\x1b[31m\nb.png", "n\x1b\nb.png")
    assert "\x1b" not in answer.err
    assert r"a\x1b[31m\nb.mp4: 20 frames labelled" in answer.err
    assert r"p\x1b[31m\nb.png: 1 face" in answer.err
    assert answer.complaint() == r"livecam: n\x1b\nb.png: no such file"
    assert answer.out == "a\x1b[31m\nb_livecam.mp4\np\x1b[31m\nb_livecam.png\n"
    (line,) = livecam("predict", "p\x1b[31m\nb.png").lines
    assert line.startswith(r"p\x1b[31m\nb.png  face 1  ")
    (row,) = livecam("predict", "--json", "p\x1b[31m\nb.png").rows
    assert row["file"] == "p\x1b[31m\nb.png"
