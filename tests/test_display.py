"""The window where OpenCV's is another than on Linux. On Linux a real one is tried:
`test_window.py`."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import cv2
import numpy as np
import pytest
from conftest import x_server

from livecam.display import Window, problem


@pytest.fixture
def window(monkeypatch: pytest.MonkeyPatch) -> Window:
    """As OpenCV's on macOS: its size is that of the picture, and in the Dock it is not visible."""
    shown = [(0, 0)]

    def show(name: str, bgr: np.ndarray) -> None:
        shown[0] = (bgr.shape[1], bgr.shape[0])

    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(cv2, "imshow", show)
    monkeypatch.setattr(cv2, "getWindowImageRect", lambda name: (0, 0, *shown[0]))
    monkeypatch.setattr(cv2, "getWindowProperty", lambda name, what: 0.0)
    for name in ("resizeWindow", "destroyWindow"):
        monkeypatch.setattr(cv2, name, lambda *arguments: None)
    return Window("livecam", (960, 540))


def test_pictures_on_macos_have_the_size_that_was_asked_for(window: Window) -> None:
    window.show(np.zeros((540, 960, 3), np.uint8))
    window.resize((640, 480))
    assert window.size_wh == (640, 480)


def test_a_window_in_the_dock_is_open(window: Window, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = [-1, ord("f"), ord("q")]
    monkeypatch.setattr(cv2, "waitKeyEx", lambda wait_ms: keys.pop(0))
    window.show(np.zeros((540, 960, 3), np.uint8))
    assert (window.key(), window.is_open) == ("", True)
    assert (window.key(), window.is_open) == ("f", True)
    assert (window.key(), window.is_open) == ("", False)


def test_an_opencv_without_windows_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cv2, "currentUIFramework", lambda: "")
    assert "pip uninstall opencv-python-headless" in str(problem())


@pytest.fixture
def lone_display() -> Iterator[str]:
    """A server that starts anew when its last client leaves, as those of xvfb-run do."""
    yield from x_server()


def test_a_display_without_other_programs_answers_again_and_again(lone_display: str) -> None:
    code = "from livecam.display import problem; print({problem() for _ in range(50)})"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60,
        env={**os.environ, "DISPLAY": lone_display},
    )  # fmt: skip
    assert done.stdout == "{None}\n", done.stderr
