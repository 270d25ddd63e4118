"""`livecam run` in a real window on a virtual display: real keys, a real mouse, what is to be
seen. The camera is a stand-in for OpenCV's capture, in a process of its own."""

from __future__ import annotations

import contextlib
import functools
import os
import re
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import clips
import cv2
import numpy as np
import patience
import pytest
from desk import PATIENCE_S, Program

from livecam.drawing import COLOURS

until = functools.partial(patience.until, within_s=PATIENCE_S, every_s=0.05)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    here = tmp_path / "here"
    here.mkdir()
    return here


@contextlib.contextmanager
def started(display: str, folder: Path, *arguments: object) -> Iterator[Program]:
    """livecam in a window that shows a labelled face."""
    with Program(display, folder, "run", *arguments) as program:
        program.wait_for("at 30 fps (FAKE)")
        program.point_at(5, 5)  # keys go to the window under the mouse
        until(lambda: has_label(program.look()), "a label in the window")
        yield program


def of_label(picture: np.ndarray) -> np.ndarray:
    """(H, W) where something is in the colour of a track."""
    near = [cv2.inRange(picture, np.subtract(colour, 11), np.add(colour, 11)) for colour in COLOURS]
    return np.any(near, axis=0)


def has_label(picture: np.ndarray) -> bool:
    return int(of_label(picture).sum()) > 100


def difference(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a.astype(int) - b.astype(int)).mean())


def is_dark(picture: np.ndarray) -> bool:
    return float(picture.mean()) < 60


def test_every_key_answers(display: str, folder: Path) -> None:
    with started(display, folder) as program:
        assert program.title == "livecam: camera 0"
        for key, answer in [
            ("a", "age: range"), ("a", "age: bin"), ("a", "age: years"), ("a", "age: distribution"),
            ("a", "age: bin and range"), ("g", "gender off"), ("g", "gender on"),
            ("i", "numbers off"), ("i", "numbers on"), ("m", "mirror off"), ("m", "mirror on"),
            ("plus", "smallest face 40 px"), ("equal", "smallest face 50 px"),
            ("minus", "smallest face 40 px"), ("minus", "smallest face 32 px"),
            ("b", "blur on"), ("b", "blur off"), ("f", "full screen on"), ("f", "full screen off"),
            ("p", "paused"), ("p", "resumed"), ("space", "paused"), ("space", "resumed"),
        ]:  # fmt: skip
            program.press(key, answer)
        program.press("q")
        assert program.finish() == 0
        assert "Traceback" not in program.err
        assert program.out == []
        assert clips.files_of(folder) == [
            "dev/video0", "dev/video1", "dev/video2", "stderr.txt", "stdout.txt"
        ]  # fmt: skip


def test_help_lies_on_the_picture_until_it_is_asked_again(display: str, folder: Path) -> None:
    with started(display, folder) as program:
        program.press("p", "paused")
        until(lambda: "space resumes" in program.err, "the lasting message")
        before = program.look()
        height, width = before.shape[:2]
        middle = np.s_[height // 4 : -height // 4, width // 3 : -width // 3]
        assert not is_dark(before[middle])
        program.press("h")
        until(lambda: is_dark(program.look()[middle]), "help")
        program.press("h")
        until(lambda: not is_dark(program.look()[middle]), "no help")


def test_a_paused_picture_stands_still(display: str, folder: Path) -> None:
    with started(display, folder) as program:
        program.press("space", "space resumes")
        time.sleep(0.3)
        still = program.look()
        time.sleep(0.5)
        assert difference(still, program.look()) < 0.2
        program.press("space", "resumed")
        until(lambda: difference(still, program.look()) > 1, "a moving picture")


def test_blur_hides_the_face(display: str, folder: Path) -> None:
    with started(display, folder) as program:
        until(lambda: program.place[2:] == (640, 360), "the frame's own size")
        until(lambda: edges(program.look()) > 17, "a sharp face")
        program.press("b", "blur on")
        until(lambda: edges(program.look()) < 15, "a blurred face")


def edges(picture: np.ndarray) -> float:
    """How much detail there is in the middle, where the face is."""
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    height, width = grey.shape
    middle = grey[height // 5 : -height // 5, width // 3 : -width // 3]
    return float(np.abs(cv2.Laplacian(middle, cv2.CV_32F)).mean())


def test_the_mouse_on_a_face_shows_what_is_known_of_it(display: str, folder: Path) -> None:
    with started(display, folder, "--scheme", "actors-3") as program:
        height = program.place[3]
        program.point_at(5, height - 5)
        program.press("p", "space resumes")
        rows, columns = np.nonzero(of_label(program.look()))
        middle = (int(columns.min() + columns.max()) // 2, int(rows.min() + rows.max()) // 2)

        def looks() -> tuple[np.ndarray, np.ndarray]:
            """Away from the face, and on it; a busy window takes its time to see the mouse."""
            seen = []
            for place in ((5, height - 5), middle):
                program.point_at(*place)
                time.sleep(0.3)
                seen.append(program.look())
            return seen[0], seen[1]

        until(lambda: difference(*looks()) > 3, "the panel of a face")
        without, _ = looks()
        program.point_at(5, height - 5)
        until(lambda: difference(without, program.look()) < 1, "no panel")


def test_a_picture_and_a_film_are_saved_by_keys(display: str, folder: Path) -> None:
    with started(display, folder) as program:
        program.press("s", "saved")
        program.press("r", "recording")
        time.sleep(2.0)
        program.press("r", "livecam_")
        program.press("q")
        assert program.finish() == 0
        picture, film = (folder / name for name in sorted(program.out))
        if picture.suffix == ".mp4":
            picture, film = film, picture
        saved = cv2.imread(str(picture))
        assert saved.shape == (360, 640, 3)
        assert has_label(saved)
        played = clips.play(film)
        assert played.size_wh == (640, 360)
        assert played.times_s[0] == 0
        assert 1.5 < played.times_s[-1] < 30
        assert max(np.diff(played.times_s)) < 1.0


def test_the_next_camera_is_the_next_that_opens(display: str, folder: Path) -> None:
    with started(display, folder, "--visits", "v.db") as program:
        until(lambda: visits(folder / "v.db"), "a visit")
        program.press("c", "camera 2")
        program.wait_for("camera 2: camera 2, 640x360")
        until(lambda: program.title.endswith("camera 2"), "the title of camera 2")
        until(lambda: not has_label(program.look()), "nobody in camera 2")
        program.press("c", "camera 0: camera 0, 640x360")
        until(lambda: has_label(program.look()), "a face in camera 0")
        program.press("q")
        assert program.finish() == 0
    with contextlib.closing(sqlite3.connect(folder / "v.db")) as db:
        watched = [source for (source,) in db.execute("SELECT source FROM watched")]
    assert watched == ["camera 0", "camera 2", "camera 0"]
    assert set(visits(folder / "v.db")) == {"camera 0"}


def visits(path: Path) -> list[str]:
    """Where each was seen."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        rows = db.execute("SELECT source FROM visits JOIN watched ON watched.id = visits.run")
        return [source for (source,) in rows]


def test_a_camera_that_is_lost_is_said_and_comes_back(display: str, folder: Path) -> None:
    with started(display, folder) as program:
        (folder / "unplugged").touch()
        at = program.wait_for("camera 0: lost: it gives no pictures any more")
        program.wait_for("window: camera 0 is lost", at)
        until(lambda: is_dark(program.look()), "a darkened picture")
        (folder / "unplugged").unlink()
        program.wait_for("camera 0: camera 0, 640x360", at)
        until(lambda: has_label(program.look()), "a label again")
        program.press("q")
        assert program.finish() == 0


def test_a_frozen_camera_is_opened_again_once(display: str, folder: Path) -> None:
    settings = folder / "livecam.yaml"
    settings.write_text("camera: {frozen_after_s: 1.0}\n")
    with started(display, folder) as program:
        (folder / "frozen").touch()
        at = program.wait_for("lost: it repeats the same picture")
        at = program.wait_for("at 30 fps (FAKE)", at)
        at = program.wait_for("the same picture for 0:03", at)
        assert program.err.count("lost:") == 1
        (folder / "frozen").unlink()
        program.press("a", "age: range")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda n: n.name)
def test_an_interrupted_film_plays(display: str, folder: Path, number: signal.Signals) -> None:
    with started(display, folder, "--record", "film.mp4", "--tracks", "rows.csv") as program:
        time.sleep(1.0)
        assert program.interrupt(number) == 130
        assert program.out == ["film.mp4", "rows.csv"]
        played = clips.play(folder / "film.mp4")
        assert played.times_s[-1] >= 1.0
        rows = (folder / "rows.csv").read_text()
        assert rows.endswith("\n")
        assert rows.splitlines()[1].startswith("camera 0,")
        assert "Traceback" not in program.err


def test_the_button_of_the_window_quits(display: str, folder: Path) -> None:
    with started(display, folder) as program:
        program.close_window()
        assert program.finish() == 0
        assert "camera 0: " in program.err
        assert "Traceback" not in program.err


def test_escape_quits_and_the_size_is_remembered(display: str, folder: Path) -> None:
    with started(display, folder) as program:
        program.resize(480, 270)
        until(lambda: program.place[2:] == (480, 270), "the new size")
        time.sleep(1.5)  # a size that stands is meant
        program.press("Escape")
        assert program.finish() == 0
    with started(display, folder) as program:
        until(lambda: program.place[2:] == (480, 270), "the size of the last time")
        assert "no picture is stored" not in program.err  # said at the first start alone


def test_the_first_start_says_what_is_stored(display: str, folder: Path) -> None:
    with Program(display, folder, "run", "--max-frames", 1) as program:
        assert program.finish() == 0
        assert program.err.splitlines()[0].startswith("livecam estimates ages and genders")
        assert "no picture is stored or sent" in program.err.splitlines()[0]


def test_a_run_ends_after_its_time(display: str, folder: Path) -> None:
    with Program(display, folder, "run", "--duration", 2, "--profile") as program:
        assert program.finish() == 0
        assert "camera to screen" in program.err
        for part in ("wait", "draw", "show", "to screen", "detect"):
            assert f"\n{part} " in program.err


def test_a_small_window_and_a_small_text(display: str, folder: Path) -> None:
    with started(display, folder) as program:
        program.resize(160, 90)
        program.press("h")
        time.sleep(0.3)
        program.resize(1000, 700)
        program.press("h")
        until(lambda: has_label(program.look()), "a label in the large window")
        program.press("q")
        assert program.finish() == 0


def test_the_command_itself_opens_a_window(display: str, folder: Path) -> None:
    """Not by way of a stand-in for the camera, which loads OpenCV before all else."""
    clips.write_clip(folder / "a.mp4", clips.greys(20))
    done = subprocess.run(
        [*clips.LIVECAM, "run", "--camera", "a.mp4", "--max-frames", "10"],
        cwd=folder, env={**os.environ, "DISPLAY": display}, capture_output=True, text=True,
        timeout=PATIENCE_S,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_a_film_that_ends_before_the_networks_are_there_is_labelled(
    display: str, folder: Path
) -> None:
    clips.write_clip(folder / "a.mp4", clips.greys(2), rate=30)
    done = subprocess.run(
        [*clips.LIVECAM, "run", "--camera", "a.mp4", "--record", "f.mp4", "--tracks", "t.csv"],
        cwd=folder, env={**os.environ, "DISPLAY": display}, capture_output=True, text=True,
        timeout=PATIENCE_S,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "f.mp4\nt.csv\n"), done.stderr
    assert clips.play(folder / "f.mp4").pictures


def test_opencv_is_loaded_before_pyav_wherever_that_is_needed() -> None:
    modules = (Path(clips.__file__).parent.parent / "livecam").rglob("*.py")
    loads = re.compile(r"^\s*(import av|from av)\b", re.MULTILINE)
    assert [path.name for path in modules if loads.search(path.read_text())] == ["pyav.py"]
