"""Qt is told again that its window is on the screen: on a busy machine it may not have heard it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from livecam.x11 import tell_mapped, tell_mapped_soon

OPENED = """
import time
import numpy as np
from livecam.display import Window
from livecam.x11 import AFTER_S

with Window("t", (200, 100)) as window:
    end_s = time.perf_counter() + sum(AFTER_S) + 1
    while time.perf_counter() < end_s:
        window.show(np.full((100, 200, 3), 99, np.uint8))
        window.key(0.05)
"""
HEARD = "XCB_MAP_NOTIFY"


def test_a_window_hears_again_that_it_is_on_the_screen(display: str, tmp_path: Path) -> None:
    environment = {**os.environ, "DISPLAY": display, "QT_LOGGING_RULES": "qt.qpa.events=true"}
    done = subprocess.run(
        [sys.executable, "-c", OPENED], env=environment, stderr=subprocess.PIPE, text=True
    )
    assert done.returncode == 0, done.stderr
    assert 2 <= done.stderr.count(HEARD) <= 4  # once from the server, three times from livecam


@pytest.mark.parametrize(("name", "told"), [(":7", [":7", ":7"]), (None, [])])
def test_only_a_server_is_asked(
    monkeypatch: pytest.MonkeyPatch, name: str | None, told: list[str]
) -> None:
    asked: list[str] = []
    monkeypatch.setattr("livecam.x11.tell_mapped", asked.append)
    monkeypatch.setattr("livecam.x11.AFTER_S", (0.0, 0.0))
    monkeypatch.delenv("DISPLAY", raising=False)
    if name:
        monkeypatch.setenv("DISPLAY", name)
    tell_mapped_soon()
    for thread in threading.enumerate():
        if thread.name == "livecam window":
            thread.join()
    assert asked == told


def test_a_server_that_does_not_answer_is_left_alone() -> None:
    tell_mapped(":99.nobody")
