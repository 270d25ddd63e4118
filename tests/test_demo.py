"""`livecam demo`: two files whatever there is of a display, and a window where there is one."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import clips
import numpy as np
import pytest
from conftest import unavailable

from livecam import demo

FRAMES = demo.FPS * demo.SECONDS


@pytest.fixture(autouse=True)
def no_display(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two seconds of the clip: enough where its content does not matter."""
    monkeypatch.setattr(demo, "SECONDS", 2)


def test_without_a_display_it_writes_both_files(
    livecam: clips.Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = livecam("demo", "--output", "out")
    assert answer.code == 0
    assert answer.lines == ["out/livecam_demo.mp4", "out/livecam_demo.gif"]
    assert "no window" in answer.err
    assert clips.files_of(Path("out")) == ["livecam_demo.gif", "livecam_demo.mp4"]

    video = clips.play(Path("out/livecam_demo.mp4"))
    assert (video.codec, video.pix_fmt, video.size_wh) == ("h264", "yuv420p", demo.SIZE_WH)
    assert video.times_s == pytest.approx([i / demo.FPS for i in range(FRAMES)], abs=1e-3)
    marked = [
        np.abs(seen.astype(int) - frame.bgr).max() > 100
        for seen, frame in zip(video.pictures, demo.frames(), strict=True)
    ]
    assert sum(marked) > 0.9 * FRAMES
    assert all(marked[10:100]), "the first face is lost"

    gif = clips.play(Path("out/livecam_demo.gif"))
    assert gif.size_wh == (480, 300)
    assert 11 < gif.duration_s < 12.5
    assert len(gif.pictures) <= 12 * demo.SECONDS + 1


def test_the_clip_is_the_same_every_time() -> None:
    first, again = demo.frames(), demo.frames()
    for _ in range(30):
        a, b = next(first), next(again)
        assert (a.index, a.time_s) == (b.index, b.time_s)
        np.testing.assert_array_equal(a.bgr, b.bgr)
        assert a.bgr.shape == (demo.SIZE_WH[1], demo.SIZE_WH[0], 3)


def test_its_own_files_are_replaced(livecam: clips.Command, short: None) -> None:
    for name in demo.NAMES:
        Path(name).write_bytes(b"old")
    answer = livecam("demo")
    assert answer.code == 0
    assert answer.lines == list(demo.NAMES)
    assert len(clips.play(Path("livecam_demo.mp4")).pictures) == 2 * demo.FPS
    assert clips.play(Path("livecam_demo.gif")).codec == "gif"
    assert clips.files_of(Path()) == sorted(demo.NAMES)


def test_a_dead_display_does_not_end_it(tmp_path: Path) -> None:
    """OpenCV aborts the process on one."""
    done = run_demo(tmp_path, {"DISPLAY": ":987"})
    assert done.returncode == 0, done.stderr
    assert "no window: " in done.stderr
    assert ":987" in done.stderr
    assert clips.files_of(tmp_path) == sorted(demo.NAMES)


@pytest.mark.parametrize("place", ["file", "file/out", "ro/out"])
def test_a_place_that_cannot_be_a_folder(livecam: clips.Command, short: None, place: str) -> None:
    Path("file").touch()
    Path("ro").mkdir()
    with clips.read_only(Path("ro").resolve()):
        line = livecam("demo", "--output", place).failure(1)
    assert line.startswith(f"livecam: {place}: cannot make the folder: ")
    assert clips.files_of(Path()) == ["file"]


def test_a_folder_that_cannot_be_written(livecam: clips.Command, short: None) -> None:
    Path("ro").mkdir()
    with clips.read_only(Path("ro").resolve()):
        line = livecam("demo", "--output", "ro").failure(1)
    assert "ro/livecam_demo." in line
    assert "cannot be written" in line


def test_a_full_disk_is_one_line(livecam: clips.Command, short: None) -> None:
    with clips.small_disk(Path("disk").resolve(), 64):
        line = livecam("demo", "--output", "disk").failure(1)
    assert "No space left" in line


def test_without_scikit_image_it_says_how_to_get_it(
    livecam: clips.Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "skimage", None)
    line = livecam("demo").failure(1)
    assert "skimage is not installed" in line
    assert re.search(r'pip install ".*(\[demo\]|scikit-image>=).*"', line)
    assert clips.files_of(Path()) == []


# A real window on a virtual display


def run_demo(
    folder: Path, environment: dict[str, str], *also: str
) -> subprocess.CompletedProcess[str]:
    """Two seconds of the demo in a process of its own, which a window may end."""
    code = f"""
        import sys
        from livecam import cli, demo
        demo.SECONDS = 2
        {"; ".join(also)}
        sys.exit(cli.main(["demo"]))
    """
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], cwd=folder, capture_output=True, text=True,
        env={**os.environ, **environment}, timeout=120,
    )  # fmt: skip


# What a window has on it, looked up from beside the program under test
WATCH = (
    "import cv2",
    "seen = []",
    "show = cv2.imshow",
    "cv2.imshow = lambda title, bgr: (seen.append(title), show(title, bgr))",
    "import atexit",
    "atexit.register(lambda: print('shown', len(seen), set(seen), file=sys.stderr))",
)


def test_with_a_display_it_shows_the_clip_and_ends_by_itself(display: str, tmp_path: Path) -> None:
    done = run_demo(tmp_path, {"DISPLAY": display}, *WATCH)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == list(demo.NAMES)
    assert "no window" not in done.stderr
    assert done.stderr == "shown 50 {'livecam'}\n", "the window's library has its say"
    assert len(clips.play(tmp_path / "livecam_demo.mp4").pictures) == 50


def test_a_key_closes_the_window_and_the_files_are_finished(display: str, tmp_path: Path) -> None:
    if shutil.which("xdotool") is None:
        unavailable("xdotool")
    code = """
        import sys
        from livecam import cli, demo
        demo.SECONDS = 5
        sys.exit(cli.main(["demo"]))
    """
    child = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)], cwd=tmp_path, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "DISPLAY": display},
    )  # fmt: skip

    def on_display(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["timeout", "60", "xdotool", *words], env={**os.environ, "DISPLAY": display},
            capture_output=True, text=True,
        )  # fmt: skip

    visible = ["search", "--onlyvisible", "--name", "livecam demo"]
    on_display(*visible, "--sync")
    left = is_running = True
    for _ in range(20):  # the first key may come before the window listens
        on_display("mousemove", "100", "100", "key", "q")
        left = bool(on_display(*visible).stdout)
        is_running = child.poll() is None
        if not left or not is_running:
            break
    out, err = child.communicate(timeout=120)
    assert is_running and not left, "the key does not close the window"
    assert child.returncode == 0, err
    assert out.split() == list(demo.NAMES)
    assert len(clips.play(tmp_path / "livecam_demo.mp4").pictures) == 125
