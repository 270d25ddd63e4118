"""`livecam run --headless`: tables, films, and how it ends. And that without --headless there has
to be a display. The window has tests of its own."""

from __future__ import annotations

import json
import math
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import clips
import cv2
import numpy as np
import pytest
import streams
from clips import table
from patience import ENDS, PATIENCE_S, until

from livecam import progress, store
from livecam.filming import film
from livecam.live import recorder
from livecam.live.saved_state import SavedState, state_file

N = 20  # frames of the clip
SUMMARY = re.compile(
    r"(\S+): (\d+) frames? in [\d.]+ s, (\d+) labelled \([\d.]+ fps\), (\d+) dropped, (\d+) tracks?"
)


@pytest.fixture(scope="session")
def moving(tmp_path_factory: pytest.TempPathFactory, people: list[np.ndarray]) -> bytes:
    path = tmp_path_factory.mktemp("clips") / "a.mp4"
    return clips.write_clip(path, people, index_first=True).read_bytes()


@pytest.fixture
def clip(tmp_path: Path, moving: bytes) -> Path:
    """`a.mp4` in the current folder: 20 frames in 2 s, one face."""
    path = tmp_path / "a.mp4"
    path.write_bytes(moving)
    return path


@pytest.fixture(autouse=True)
def greeted(own_settings_only: None) -> None:
    """This is not the first start."""
    SavedState(is_greeted=True).save(state_file())


def run(livecam: clips.Command, camera: str | Path, *arguments: object) -> clips.Answer:
    return livecam("run", "--headless", "--camera", camera, *arguments)


def names(folder: Path | None = None) -> list[str]:
    """The files there are, without what is remembered from start to start."""
    found = clips.files_of(folder or Path())
    return [name for name in found if name != "nobody/livecam/state.json"]


def summary(answer: clips.Answer) -> tuple[str, ...]:
    """Name, frames, labelled, dropped and tracks, of the line that says so."""
    (line,) = [line for line in answer.err.splitlines() if " labelled (" in line]
    found = SUMMARY.fullmatch(line)
    assert found, line
    return found.groups()


# Every frame of a file


def test_visits_are_counted_and_a_second_run_adds_to_them(
    livecam: clips.Command, clip: Path
) -> None:
    for number in (1, 2):
        answer = run(livecam, "a.mp4", "--visits", "v.db")
        assert (answer.code, answer.out) == (0, "v.db\n")
        assert ", 1 track, 1 visit\n" in answer.err
        answer = livecam("report", "v.db", "--by", "day")
        assert answer.code == 0
        head, *_, total, _errors = answer.out.splitlines()
        assert total.split()[0::3][:2] == ["all", str(number)]
        assert head.split()[-1] == "female"
    answer = run(livecam, "a.mp4", "--visits", "w.db", "--no-gender")
    assert "female" not in livecam("report", "w.db").out
    assert names() == ["a.mp4", "v.db", "w.db"]


@pytest.mark.parametrize(("ago_s", "is_told"), [(4, True), (60, False)])
def test_two_that_count_the_same_camera_are_told(
    livecam: clips.Command, ago_s: int, is_told: bool
) -> None:
    with store.VisitStore(Path("v.db"), None, gender=True) as kept:
        for name, moment in (("camera 7", time.time() - ago_s), ("camera 8", time.time())):
            kept.see(name, moment, 0.0)
        kept.save()
    answer = run(livecam, "7", "--visits", "v.db")
    assert answer.code == 1  # there is no such camera
    told = re.search(
        r"^camera 7 was watched until \d+ s ago: if another livecam is still counting it into "
        r"v\.db, everybody is counted twice$",
        answer.err,
        re.MULTILINE,
    )
    assert bool(told) == is_told
    assert "camera 8" not in answer.err


def test_a_film_that_is_counted_twice_is_told(livecam: clips.Command, clip: Path) -> None:
    told = (
        "a.mp4 is in v.db already, for the time at which it was filmed: everybody is counted twice"
    )
    for began, is_told in (("09:00", False), ("09:00", True), ("10:00", False)):
        filmed = ("--visits", "v.db", "--filmed", f"2026-05-31 {began}")
        answer = run(livecam, "a.mp4", *filmed)
        assert answer.code == 0
        assert (told in answer.err) == is_told


@pytest.mark.parametrize(
    ("name", "began", "is_told"),
    [
        ("./a.mp4", "09:00:00", True),
        ("a.mp4", "08:59:59", True),  # a window's first picture is not the first one
        ("a.mp4", "09:00:01", True),
        ("a.mp4", "09:00:30", False),
        ("b.mp4", "09:00:00", False),
    ],
)
def test_so_is_one_by_another_name_and_one_that_begins_a_little_later(
    livecam: clips.Command, clip: Path, name: str, began: str, is_told: bool
) -> None:
    Path("b.mp4").write_bytes(clip.read_bytes())
    for camera, time_of_day in (("a.mp4", "09:00:00"), (name, began)):
        answer = run(livecam, camera, "--visits", "v.db", "--filmed", f"2026-05-31 {time_of_day}")
        assert answer.code == 0
    assert (f"{name} is in v.db already" in answer.err) == is_told


def test_visits_of_a_file_are_dated_by_when_it_was_filmed(
    livecam: clips.Command, clip: Path
) -> None:
    for began in ("2026-05-31 09:59:59", "2026-05-31T11:00"):
        assert run(livecam, "a.mp4", "--visits", "v.db", "--filmed", began).code == 0
    answer = livecam("report", "v.db", "--by", "hour")
    rows = [line.split()[:2] for line in answer.out.splitlines()[1:-2]]
    assert rows[0] == ["2026-05-31", "09:00"]
    assert rows[-1] == ["2026-05-31", "11:00"]
    assert (
        run(livecam, "a.mp4", "--filmed", "2026-05-31 09:00")
        .failure(2)
        .startswith("livecam: --filmed: says when a file was filmed")
    )
    camera = run(livecam, "0", "--visits", "v.db", "--filmed", "2026-05-31")
    assert camera.failure(2).startswith("livecam: --filmed: ")


@pytest.mark.parametrize(
    ("name", "code", "why"),
    [
        ("a.mp4", 2, "--visits a.mp4: is another file of this command"),
        ("./t.csv", 2, "--visits t.csv: is another file of this command"),
        ("sub/../t.csv", 2, "--visits sub/../t.csv: is another file of this command"),
        ("other.txt", 2, "other.txt: not a file of visits; give another name"),
        ("none/v.db", 1, "none/v.db: cannot be written: there is no folder none"),
    ],
)
def test_visits_cannot_go_anywhere(
    livecam: clips.Command, clip: Path, name: str, code: int, why: str
) -> None:
    Path("other.txt").write_text("mine")
    before = clip.read_bytes()
    answer = run(livecam, "a.mp4", "--tracks", "t.csv", "--visits", name)
    assert (answer.code, answer.err) == (code, f"livecam: {why}\n")
    assert clip.read_bytes() == before
    assert names() == ["a.mp4", "other.txt"]


def test_an_output_that_cannot_be_opened_leaves_nothing_of_the_others(
    livecam: clips.Command, clip: Path
) -> None:
    outputs = ["--tracks", "t.csv", "--visits", "v.db", "--record", "r.mp4"]
    answer = run(livecam, "a.mp4", *outputs, "--model", "none.onnx")
    assert answer.code == 1
    assert "none.onnx: no such model" in answer.err
    assert names() == ["a.mp4"]


def test_a_count_that_finds_no_room_leaves_nothing(livecam: clips.Command, clip: Path) -> None:
    with clips.small_disk(Path("disk"), 60) as disk:
        clips.fill(disk)
        answer = run(livecam, "a.mp4", "--visits", disk / "v.db")
        assert (answer.code, answer.out) == (1, "")
        assert [path.name for path in disk.iterdir()] == ["filling"]


def test_a_full_disk_ends_the_count_and_keeps_it(livecam: clips.Command, clip: Path) -> None:
    with clips.small_disk(Path("disk"), 60) as disk:
        assert run(livecam, "a.mp4", "--visits", disk / "v.db").code == 0
        clips.fill(disk)
        before = len(store.read(disk / "v.db", 0, math.inf))
        codes = [run(livecam, "a.mp4", "--visits", disk / "v.db").code for _ in range(2)]
        after = len(store.read(disk / "v.db", 0, math.inf))
        assert codes == [1, 1]
        assert after == before + codes.count(0)


def test_every_frame_is_labelled_as_annotate_does(livecam: clips.Command, clip: Path) -> None:
    answer = run(livecam, "a.mp4", "--tracks", "run.csv")
    assert (answer.code, answer.out) == (0, "run.csv\n")
    assert summary(answer) == ("a.mp4", "20", "20", "0", "1")
    assert answer.err.count("\n") == 1
    livecam("annotate", "a.mp4", "--no-video", "--tracks", "annotate.csv")
    rows = table("run.csv")
    assert rows == table("annotate.csv")
    assert len(rows) >= 17
    assert names() == ["a.mp4", "annotate.csv", "run.csv"]


def test_frames_that_are_far_apart_are_labelled_as_annotate_does(
    livecam: clips.Command, people: list[np.ndarray]
) -> None:
    """As in slide shows and time lapses."""
    clips.write_clip(Path("slow.mkv"), people[:6], times_s=[6.0 * i for i in range(6)])
    assert run(livecam, "slow.mkv", "--tracks", "live.csv").code == 0
    answer = livecam("annotate", "slow.mkv", "--no-video", "--tracks", "file.csv")
    assert answer.code == 0
    assert len(table("live.csv")) == 4
    assert table("live.csv") == table("file.csv")


def test_json_lines(livecam: clips.Command, clip: Path) -> None:
    assert run(livecam, "a.mp4", "--tracks", "t.jsonl", "--no-gender").out == "t.jsonl\n"
    rows = [json.loads(line) for line in Path("t.jsonl").read_text().splitlines()]
    assert len(rows) >= 17
    assert {row["female_prob"] for row in rows} == {None}
    assert {row["file"] for row in rows} == {"a.mp4"}


def test_no_gender_is_an_empty_field(livecam: clips.Command, clip: Path) -> None:
    run(livecam, "a.mp4", "--tracks", "with.csv")
    run(livecam, "a.mp4", "--tracks", "without.csv", "--no-gender")
    rows = table("with.csv")
    assert all(0 <= float(row["female_prob"]) <= 1 for row in rows)
    assert [{**row, "female_prob": ""} for row in rows] == table("without.csv")


def test_nobody_leaves_a_table_without_rows(livecam: clips.Command) -> None:
    clips.write_clip(Path("a.mp4"), clips.greys(8))
    answer = run(livecam, "a.mp4", "--tracks", "t.csv", "--record", "f.mp4")
    assert (answer.code, answer.lines) == (0, ["f.mp4", "t.csv"])
    assert summary(answer) == ("a.mp4", "8", "8", "0", "0")
    assert table("t.csv") == []
    assert Path("t.csv").read_text().startswith("file,frame,time_s,")
    assert len(clips.play(Path("f.mp4")).pictures) == 8


def test_nothing_may_be_wanted(livecam: clips.Command, clip: Path) -> None:
    answer = run(livecam, "a.mp4")
    assert (answer.code, answer.out) == (0, "")
    assert summary(answer)[2] == "20"
    assert names() == ["a.mp4"]


@pytest.mark.parametrize(
    ("limit", "frames"),
    [
        (["--max-frames", 7], 7), (["--max-frames", 1], 1), (["--max-frames", 21], 20),
        (["--duration", "0.55"], 6), (["--duration", "0:01"], 10), (["--duration", "1:00"], 20),
        (["--duration", 10**9, "--max-frames", 2**31 - 1], 20),
        (["--duration", "1", "--max-frames", 4], 4),
        (["--duration", "0.5", "--max-frames", 12], 5),
    ],
)  # fmt: skip
def test_an_end(
    livecam: clips.Command, clip: Path, monkeypatch: pytest.MonkeyPatch,
    limit: list[object], frames: int,
) -> None:  # fmt: skip
    monkeypatch.setattr(progress, "LOG_EVERY_S", 0.0)
    answer = run(livecam, "a.mp4", "--record", "f.mp4", "--tracks", "t.csv", *limit)
    assert (answer.code, answer.lines) == (0, ["f.mp4", "t.csv"])
    assert summary(answer)[1:3] == (str(frames), str(frames))
    assert f"a.mp4: {frames}/{frames}  100 %" in answer.err
    played = clips.play(Path("f.mp4"))
    assert played.times_s == pytest.approx([i / 10 for i in range(frames)], abs=1e-3)
    assert all(int(row["frame"]) < frames for row in table("t.csv"))


# Films


@pytest.mark.parametrize(("limit", "seconds"), [([], 6.9), (["--duration", 3], 3.0)])
def test_the_last_frame_of_a_file_stands_as_long_in_its_film(
    livecam: clips.Command, limit: list[object], seconds: float
) -> None:
    clips.write_clip(Path("slides.mkv"), clips.greys(20), last_stands_s=5.0)
    assert run(livecam, "slides.mkv", "--record", "f.mp4", *limit).code == 0
    assert clips.play(Path("f.mp4")).duration_s == pytest.approx(seconds, abs=0.01)


def test_a_film_holds_every_frame_with_its_labels(
    livecam: clips.Command, people: list[np.ndarray]
) -> None:
    """At its own time."""
    times_s = [i / 50 + (i > 9) * 0.7 for i in range(N)]
    clips.write_clip(Path("a.mp4"), people, times_s=times_s)
    answer = run(livecam, "a.mp4", "--record", "f.mp4")
    assert (answer.code, answer.out) == (0, "f.mp4\n")
    played = clips.play(Path("f.mp4"))
    assert (played.codec, played.pix_fmt, played.size_wh) == ("h264", "yuv420p", (240, 180))
    assert played.times_s == pytest.approx(times_s, abs=1e-3)
    source = clips.play(Path("a.mp4")).pictures
    marked = [np.abs(a.astype(int) - b).max() for a, b in zip(source, played.pictures, strict=True)]
    assert min(marked[3:]) > 60, "a face that is not marked"


def test_a_film_of_a_file_is_complete_however_slow_its_encoder_is(
    livecam: clips.Command, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slowly(*what: Any) -> None:
        time.sleep(0.05)
        film(*what)

    monkeypatch.setattr(recorder, "film", slowly)
    answer = run(livecam, "a.mp4", "--record", "f.mp4")
    assert (answer.code, answer.out) == (0, "f.mp4\n")
    assert answer.err.count("\n") == 1
    assert len(clips.play(Path("f.mp4")).pictures) == N


def test_a_gif(livecam: clips.Command, clip: Path) -> None:
    answer = run(livecam, "a.mp4", "--record", "F.GIF", "--tracks", "t.csv")
    assert (answer.code, answer.lines) == (0, ["F.GIF", "t.csv"])
    played = clips.play(Path("F.GIF"))
    assert played.codec == "gif"
    assert played.times_s == pytest.approx([i / 10 for i in range(N)], abs=0.02)
    assert names() == ["F.GIF", "a.mp4", "t.csv"]


def test_a_full_gif_is_said_and_the_table_goes_on(
    livecam: clips.Command, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIVECAM_VIDEO__GIF_MAX_S", "0.5")
    answer = run(livecam, "a.mp4", "--record", "f.gif", "--tracks", "t.csv")
    assert (answer.code, answer.lines) == (0, ["f.gif", "t.csv"])
    assert "f.gif: holds the first 0.5 s; video.gif_max_s sets how much\n" in answer.err
    assert len(clips.play(Path("f.gif")).pictures) == 5
    assert table("t.csv")[-1]["frame"] == "19"


@pytest.mark.parametrize("name", ["f.mp4", "f.gif"])
def test_blur_hides_the_face_in_every_frame(livecam: clips.Command, clip: Path, name: str) -> None:
    """From the first one on, before the face has been seen often enough to be counted."""
    answer = run(livecam, "a.mp4", "--tracks", "t.csv")
    assert answer.code == 0
    known = table("t.csv")[0]
    box = [float(known[side]) for side in ("x_min", "y_min", "x_max", "y_max")]
    inner = [0.2, 0.2, -0.2, -0.2] * np.tile([box[2] - box[0], box[3] - box[1]], 2) + box
    details = {}
    for blur in ([], ["--blur"]):
        assert run(livecam, "a.mp4", "--record", name, "--overwrite", *blur).code == 0
        pictures = clips.play(Path(name)).pictures
        assert len(pictures) == N
        details[bool(blur)] = [
            detail(picture, inner + np.array([1, 0, 1, 0]) * (i - int(known["frame"])))
            for i, picture in enumerate(pictures)
        ]
    assert max(details[True]) < 0.35 * min(details[False]), details


def detail(picture: np.ndarray, box: np.ndarray) -> float:
    """How much of it is finer than what distinguishes light from dark."""
    x0, y0, x1, y1 = (round(v) for v in box)
    face = cv2.cvtColor(picture[y0:y1, x0:x1], cv2.COLOR_BGR2GRAY).astype(np.float32)
    return float(np.abs(face - cv2.GaussianBlur(face, (0, 0), 3)).mean())


# What exists, and what cannot be meant


@pytest.mark.parametrize(("flag", "name"), [("--tracks", "t.csv"), ("--record", "f.mp4")])
def test_what_exists_is_kept_unless_told(
    livecam: clips.Command, clip: Path, flag: str, name: str
) -> None:
    Path(name).write_bytes(b"old")
    answer = run(livecam, "a.mp4", flag, name)
    said = f"livecam: {name}: exists; give --overwrite to replace it, or another name"
    assert answer.failure(2) == said
    assert Path(name).read_bytes() == b"old"
    assert run(livecam, "a.mp4", flag, name, "--overwrite").out == f"{name}\n"
    assert len(Path(name).read_bytes()) > 500
    assert names() == ["a.mp4", name]


def test_what_exists_is_kept_if_there_is_nothing_to_replace_it(livecam: clips.Command) -> None:
    for name in ("t.csv", "f.mp4"):
        Path(name).write_bytes(b"old")
    answer = run(livecam, "none.mp4", "--tracks", "t.csv", "--record", "f.mp4", "--overwrite")
    answer.failure(1)
    assert names() == ["f.mp4", "t.csv"]
    assert Path("t.csv").read_bytes() == Path("f.mp4").read_bytes() == b"old"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--record", "f.avi"], "--record f.avi: expected a name that ends in .mp4 or .gif"),
        (["--record", "f"], "--record f: expected a name that ends in .mp4 or .gif"),
        (["--record", "t.csv"], "--record t.csv: expected a name that ends in .mp4 or .gif"),
        (["--tracks", "t.txt"], "--tracks t.txt: expected a name that ends in .csv or .jsonl"),
        (["--tracks", "f.mp4"], "--tracks f.mp4: expected a name that ends in .csv or .jsonl"),
        (["--record", "d.mp4"], "--record d.mp4: is a folder; expected a file"),
        (["--tracks", "d.csv"], "--tracks d.csv: is a folder; expected a file"),
        (["--record", "a.mp4"], "--record a.mp4: is an input; give it another name"),
        (["--record", "./d.mp4/../a.mp4"], "is an input; give it another name"),
        (["--record", "link.mp4"], "is an input; give it another name"),
        (["--scheme", "decade"], "unknown scheme 'decade'; did you mean 'decades'"),
        (["--min-face-px", "2"], "detector.min_face_px: expected 12 to 10000"),
        (["--duration", "0:00"], "--duration 0: is over at once; expected more"),
    ],
)
@pytest.mark.parametrize("overwrite", [[], ["--overwrite"]])
def test_what_cannot_be_meant_is_one_line(
    livecam: clips.Command, clip: Path, arguments: list[str], said: str, overwrite: list[str]
) -> None:
    Path("link.mp4").symlink_to("a.mp4")
    for name in ("d.mp4", "d.csv"):
        Path(name).mkdir()
    before = clip.read_bytes()
    answer = run(livecam, "a.mp4", *arguments, *overwrite)
    assert said in answer.failure(2)
    assert answer.err.count("\n") == 1
    assert names() == ["a.mp4", "link.mp4"]
    assert clip.read_bytes() == before


def test_stdin_is_no_camera(livecam: clips.Command) -> None:
    line = run(livecam, "-").failure(2)
    assert line.startswith("livecam: --camera -: is not read from stdin; expected a number, ")


@pytest.mark.parametrize("camera", ["100", "-1", "/dev/video100"])
def test_a_camera_that_no_computer_has(livecam: clips.Command, camera: str) -> None:
    line = run(livecam, camera).failure(2)
    assert line == f"livecam: --camera {camera}: expected a number from 0 to 99"


def test_a_table_of_that_name_is_what_is_to_be_labelled(livecam: clips.Command, clip: Path) -> None:
    """A clip keeps its content, whatever it is called."""
    clip.rename("a.csv")
    answer = run(livecam, "a.csv", "--tracks", "a.csv", "--overwrite")
    assert "is an input" in answer.failure(2)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--max-frames", "0"], ["--max-frames", "-3"], ["--max-frames", "1.5"],
        ["--max-frames", "x"], ["--max-frames"], ["--max-frames", "9" * 20],
        ["--duration", "soon"], ["--duration", "-1"], ["--duration", "1e308"],
        ["--duration", "nan"], ["--duration", "inf"], ["--duration", "1:2:3:4"], ["--duration"],
        ["--camera"], ["--speed", "2"], ["a.mp4"], ["--over"], ["--head"],
    ],
)  # fmt: skip
def test_arguments_that_do_not_exist(
    livecam: clips.Command, clip: Path, arguments: list[str]
) -> None:
    answer = livecam("run", "--headless", "--tracks", "t.csv", *arguments)
    assert (answer.code, answer.out) == (2, "")
    assert re.search(r"livecam run: .* \(see livecam run --help\)\n", answer.err)
    assert names() == ["a.mp4"]


# What does not open


@pytest.mark.parametrize(
    ("camera", "why"),
    [
        ("none.mp4", "no such file"),
        ("none/a.mp4", "no such file"),
        ("album", "a folder; livecam annotate labels what is in a folder"),
        ("p.png", "a picture; livecam annotate labels pictures"),
        ("text.mp4", "not a readable clip (Invalid data found when processing input)"),
        ("empty.mp4", "empty; expected a picture or a clip"),
    ],
)
@pytest.mark.parametrize("overwrite", [[], ["--overwrite"]])
def test_what_is_no_clip_is_one_line_and_leaves_nothing(
    livecam: clips.Command, camera: str, why: str, overwrite: list[str]
) -> None:
    Path("album").mkdir()
    cv2.imwrite("p.png", clips.greys(1)[0])
    Path("text.mp4").write_text("only words\n" * 50)
    Path("empty.mp4").touch()
    answer = run(livecam, camera, "--tracks", "t.csv", "--record", "f.mp4", *overwrite)
    assert answer.failure(1) == f"livecam: {camera}: {why}"
    assert answer.err.count("\n") == 1
    assert names() == ["empty.mp4", "p.png", "text.mp4"]


def test_a_camera_that_is_not_there(livecam: clips.Command) -> None:
    answer = run(livecam, "3", "--tracks", "t.csv", "--record", "f.mp4")
    assert answer.failure(1).startswith("livecam: camera 3: no camera is connected")
    assert answer.err.count("\n") == 1
    assert names() == []


@pytest.mark.parametrize("scheme", ["http", "rtsp"])
def test_nobody_answers(livecam: clips.Command, scheme: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    url = f"{scheme}://user:secret@127.0.0.1:{port}/cam?token=abc"
    answer = run(livecam, url, "--tracks", "t.csv", "--record", "f.gif")
    line = answer.failure(1)
    assert line == f"livecam: {scheme}://127.0.0.1:{port}/cam: cannot be opened: Connection refused"
    assert answer.err == line + "\n"
    assert names() == []


def test_a_model_that_is_missing_leaves_nothing(livecam: clips.Command, clip: Path) -> None:
    answer = run(livecam, "a.mp4", "--model", "none.onnx", "--tracks", "t.csv")
    assert "none.onnx: no such model" in answer.failure(1)
    assert names() == ["a.mp4"]


# Places that cannot be written, and disks that are full


@pytest.mark.parametrize("name", ["t.csv", "f.mp4", "f.gif"])
@pytest.mark.parametrize(
    ("folder", "why"),
    [("none", "there is no folder none"), ("ro", "the folder may not be written to"),
     ("a.mp4", "there is no folder a.mp4")],
)  # fmt: skip
def test_a_place_that_cannot_be_written(
    livecam: clips.Command, clip: Path, name: str, folder: str, why: str
) -> None:
    flag = "--tracks" if name == "t.csv" else "--record"
    Path("ro").mkdir()
    with clips.read_only(Path("ro").resolve()):
        answer = run(livecam, "a.mp4", flag, f"{folder}/{name}")
        assert answer.failure(1) == f"livecam: {folder}/{name}: cannot be written: {why}"
        assert answer.err.count("\n") == 1
    assert names() == ["a.mp4"]


def test_a_full_disk_leaves_a_film_that_plays_and_whole_rows(
    livecam: clips.Command, monkeypatch: pytest.MonkeyPatch, people: list[np.ndarray]
) -> None:
    noise = clips.noise(120, (240, 180))
    noisy = [np.vstack([people[i % N], noise[i]]) for i in range(120)]
    clips.write_clip(Path("a.mkv"), noisy, codec="mjpeg", pix_fmt="yuvj420p")
    monkeypatch.setenv("LIVECAM_VIDEO__CRF", "10")
    with clips.small_disk(Path("disk").resolve(), 1024) as disk:
        answer = run(livecam, "a.mkv", "--record", "disk/f.mp4", "--tracks", "disk/t.csv")
        assert answer.code == 1
        assert sorted(answer.lines) == ["disk/f.mp4", "disk/t.csv"]  # whichever ends first
        first = answer.complaint().removeprefix("livecam: ").partition(": ")
        assert first[0] in answer.lines
        assert first[2] == "cannot be written: No space left on device"
        labelled = int(summary(answer)[2])
        assert 5 <= labelled < 120
        assert names(disk) == ["f.mp4", "t.csv"]
        assert 5 <= len(clips.play_what_there_is(disk / "f.mp4")) <= labelled
        rows = table(disk / "t.csv")
    assert rows
    assert int(rows[-1]["frame"]) < labelled


def test_a_full_disk_for_the_table_alone(livecam: clips.Command, astronaut: np.ndarray) -> None:
    crowd = np.tile(cv2.resize(astronaut, (128, 128), interpolation=cv2.INTER_AREA), (2, 4, 1))
    clips.write_clip(Path("a.mp4"), [crowd] * 30)
    with clips.small_disk(Path("disk").resolve(), 12) as disk:
        answer = run(livecam, "a.mp4", "--tracks", "disk/t.csv", "--record", "f.mp4")
        assert (answer.code, answer.lines) == (1, ["disk/t.csv", "f.mp4"])
        said = "livecam: disk/t.csv: cannot be written: No space left on device"
        assert answer.complaint() == said
        assert names(disk) == ["t.csv"]
        rows = table(disk / "t.csv")
    assert len(rows) > 20
    labelled = int(summary(answer)[2])
    assert int(rows[-1]["frame"]) < labelled < 30
    assert len(clips.play(Path("f.mp4")).pictures) == labelled


# What breaks off


@pytest.mark.parametrize("film", ["f.mp4", "f.gif"])
def test_a_damaged_end_is_said_and_the_rest_is_kept(
    livecam: clips.Command, clip: Path, film: str
) -> None:
    damaged = clips.cut(clip, 0.6)
    answer = run(livecam, damaged.name, "--tracks", "t.csv", "--record", film)
    assert (answer.code, answer.lines) == (1, [film, "t.csv"])
    stop = re.fullmatch(
        r"livecam: a_cut\.mp4: stopped at frame (\d+) of 20: .+", answer.complaint()
    )
    assert stop
    frames = int(stop[1])
    assert 5 < frames < 20
    assert summary(answer)[2] == str(frames)
    assert len(clips.play(Path(film)).pictures) == frames
    assert int(table("t.csv")[-1]["frame"]) == frames - 1
    assert names() == ["a.mp4", "a_cut.mp4", film, "t.csv"]


def test_damaged_from_the_first_frame_on_leaves_nothing(livecam: clips.Command, clip: Path) -> None:
    data = clip.read_bytes()
    at = data.index(b"mdat") + 4
    Path("b.mp4").write_bytes(data[:at])
    answer = run(livecam, "b.mp4", "--tracks", "t.csv", "--record", "f.mp4")
    assert answer.failure(1).startswith("livecam: b.mp4: ")
    assert answer.err.count("\n") == 1
    assert names() == ["a.mp4", "b.mp4"]


@pytest.mark.parametrize("number", ENDS, ids=lambda n: n.name)
@pytest.mark.parametrize("film", ["f.mp4", "f.gif"])
def test_interrupted_it_leaves_a_film_that_plays_and_whole_rows(
    tmp_path: Path, people: list[np.ndarray], number: signal.Signals, film: str
) -> None:
    there_and_back = people + people[::-1]
    with streams.MjpegServer(lambda i: there_and_back[i % (2 * N)], fps=15) as camera:
        arguments = ["--camera", camera.url, "--record", film, "--tracks", "t.csv"]
        with subprocess.Popen(
            [*clips.LIVECAM, "run", "--headless", *arguments],
            cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        ) as child:  # fmt: skip
            partial = tmp_path / f".t.{child.pid}.partial.csv"
            try:
                until(lambda: partial.exists() and partial.read_text().count("\n") > 8, "rows")
                assert child.poll() is None
                child.send_signal(number)
                out, err = child.communicate(timeout=PATIENCE_S)
            finally:
                child.kill()
    assert (child.returncode, out) == (130, f"{film}\nt.csv\n")
    assert "Traceback" not in err
    opened, end, *notices = err.splitlines()
    assert all("left out: the encoder could not keep up" in notice for notice in notices)
    assert opened == f"{camera.url}: 240x180 (mjpeg)"
    found = SUMMARY.fullmatch(end)
    assert found, end
    played = clips.play(tmp_path / film)
    assert 5 <= len(played.pictures) <= int(found[3])
    assert played.times_s[-1] > 0.3
    assert len(table(tmp_path / "t.csv")) >= 8
    assert names(tmp_path) == [film, "t.csv"]


def test_of_a_file_it_is_said_at_which_frame_it_was_interrupted(
    tmp_path: Path, people: list[np.ndarray]
) -> None:
    clips.write_clip(tmp_path / "a.mp4", [people[i % N] for i in range(2000)])
    with subprocess.Popen(
        [*clips.LIVECAM, "run", "--headless", "--camera", "a.mp4", "--tracks", "t.csv"],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as child:  # fmt: skip
        partial = tmp_path / f".t.{child.pid}.partial.csv"
        try:
            until(lambda: partial.exists() and partial.read_text().count("\n") > 8, "rows")
            child.send_signal(signal.SIGINT)
            out, err = child.communicate(timeout=PATIENCE_S)
        finally:
            child.kill()
    assert (child.returncode, out) == (130, "t.csv\n")
    *_, end, told = err.splitlines()
    found = SUMMARY.fullmatch(end)
    assert found, end
    assert told == f"livecam: a.mp4: stopped at frame {found[2]} of 2000: interrupted"
    assert int(table(tmp_path / "t.csv")[-1]["frame"]) < int(found[2]) < 2000


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda n: n.name)
def test_interrupted_before_the_first_picture_it_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    monkeypatch.setenv("LIVECAM_CAMERA__STALL_AFTER_S", "2")
    with streams.MjpegServer(lambda i: clips.greys(1)[0], fps=15) as camera:
        camera.stall()
        arguments = ["--camera", camera.url, "--record", "f.mp4", "--tracks", "t.csv"]
        with subprocess.Popen(
            [*clips.LIVECAM, "run", "--headless", *arguments],
            cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        ) as child:  # fmt: skip
            partial = tmp_path / f".t.{child.pid}.partial.csv"
            try:
                until(partial.exists, "a table")
                child.send_signal(number)
                out, err = child.communicate(timeout=PATIENCE_S)
            finally:
                child.kill()
    assert (child.returncode, out) == (130, "")
    assert "Traceback" not in err
    assert names(tmp_path) == []


@pytest.mark.parametrize("most", [4, 5, 6])
def test_a_large_clip_may_be_left_while_it_is_decoded(tmp_path: Path, most: int) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (1440, 2560, 3), np.uint8)
    clips.write_clip(tmp_path / "large.mp4", [np.roll(noise, 9 * i, axis=1) for i in range(12)])
    quick = {"LIVECAM_DETECTOR__DETECT_EVERY": "1000", "LIVECAM_DETECTOR__MIN_FACE_PX": "900"}
    done = subprocess.run(
        [*clips.LIVECAM, "run", "--headless", "--camera", "large.mp4", "--max-frames", str(most)],
        cwd=tmp_path, env={**os.environ, **quick}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[-1].startswith(f"large.mp4: {most} ")


# What is said


def test_the_first_start_says_what_is_stored(livecam: clips.Command, clip: Path) -> None:
    state_file().unlink()
    arguments = ["a.mp4", "--max-frames", 1, "--tracks", "t.csv", "--overwrite"]
    first, second = (run(livecam, *arguments) for _ in range(2))
    assert first.out == second.out == "t.csv\n"
    assert first.err.splitlines()[0].startswith("livecam estimates ages and genders of the faces")
    assert "no picture is stored or sent unless you record it" in first.err.splitlines()[0]
    assert len(first.err.splitlines()) == 2
    assert len(second.err.splitlines()) == 1
    assert SavedState.load(state_file()) == SavedState(None, True)


def test_what_was_refused_is_no_first_start(livecam: clips.Command, clip: Path) -> None:
    state_file().unlink()
    run(livecam, "a.mp4", "--tracks", "t.txt").failure(2)
    assert not state_file().exists()


def test_a_profile_says_how_long_each_part_took(livecam: clips.Command, clip: Path) -> None:
    answer = run(livecam, "a.mp4", "--profile", "--record", "f.mp4")
    assert (answer.code, answer.out) == (0, "f.mp4\n")
    assert summary(answer)[2] == "20"
    lines = [line.split() for line in answer.err.splitlines()]
    at = lines.index(["part", "times", "p50", "ms", "p95", "ms"])
    times = {}
    for *words, count, p50, p95 in lines[at + 1 :]:
        times[" ".join(words)] = int(count)
        assert 0 <= float(p50) <= float(p95)
    assert times["detect"] + times["refine"] == times["track"] == times["read out"] == 20
    assert times["detect"] >= 4
    assert 1 <= times["classify"] < 20


def test_without_it_there_is_no_profile(livecam: clips.Command, clip: Path) -> None:
    assert "p50" not in run(livecam, "a.mp4", "--max-frames", 2).err


def test_numbers_of_one_are_singular(livecam: clips.Command, clip: Path) -> None:
    assert ", 1 track\n" in run(livecam, "a.mp4").err
    clips.write_clip(Path("nobody.mp4"), clips.greys(2))
    assert ", 0 tracks\n" in run(livecam, "nobody.mp4").err


# Without a window


@pytest.mark.parametrize(
    ("display", "why"),
    [
        (None, "DISPLAY is not set"), ("", "DISPLAY is not set"),
        (":9797", "the display :9797 does not answer"),
        ("nonsense", "the display nonsense does not answer"),
    ],
)  # fmt: skip
@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="has no DISPLAY")
def test_without_a_display_headless_is_advised(
    clip: Path, tmp_path: Path, display: str | None, why: str
) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "DISPLAY"}
    if display is not None:
        environment["DISPLAY"] = display
    done = subprocess.run(
        [*clips.LIVECAM, "run", "--camera", "a.mp4", "--tracks", "t.csv", "--record", "f.mp4"],
        cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"livecam: no window: {why}; livecam run --headless and annotate need none\n"
    )
    assert names(tmp_path) == ["a.mp4"]


def test_headless_needs_no_display(
    livecam: clips.Command, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for display in (None, ":9797"):
        monkeypatch.delenv("DISPLAY", raising=False)
        if display is not None:
            monkeypatch.setenv("DISPLAY", display)
        assert run(livecam, "a.mp4", "--max-frames", 1).code == 0


def test_a_gif_that_is_full_ends_a_run_that_only_makes_it(
    livecam: clips.Command, clip: Path
) -> None:
    Path("livecam.yaml").write_text("video: {gif_max_s: 0.3}\n")
    alone = run(livecam, "a.mp4", "--record", "f.gif")
    assert alone.code == 0
    assert "holds the first 0.3 s" in alone.err
    assert int(summary(alone)[2]) < N
    both = run(livecam, "a.mp4", "--record", "g.gif", "--tracks", "t.csv")
    assert int(summary(both)[2]) == N
    assert both.err.count("holds the first 0.3 s") == 1


@pytest.mark.parametrize("frames", [1, 2])
def test_a_clip_of_a_frame_or_two_has_rows_as_annotate_gives_them(
    livecam: clips.Command, people: list[np.ndarray], frames: int
) -> None:
    clips.write_clip(Path("short.mp4"), people[:frames])
    assert run(livecam, "short.mp4", "--tracks", "t.csv").code == 0
    assert len(table(Path("t.csv"))) == 1


@pytest.mark.parametrize("limit", [["--max-frames", 2], ["--duration", 0.15]])
def test_so_has_a_run_of_a_frame_or_two(
    livecam: clips.Command, clip: Path, limit: list[object]
) -> None:
    assert run(livecam, clip, "--tracks", "t.csv", *limit).code == 0
    assert [row["frame"] for row in table("t.csv")] == ["1"]
