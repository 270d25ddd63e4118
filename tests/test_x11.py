"""Qt is told again that its window is on the screen: on a busy machine it may not have heard it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from livecam.x11 import tell_mapped

OPENED = """
import time
import numpy as np
from livecam.display import Window
from livecam.x11 import AFTER_S

with Window("t", (200, 100)) as window:
    end_s = time.monotonic() + sum(AFTER_S) + 1
    while time.monotonic() < end_s:
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


@pytest.mark.parametrize("name", [None, ":99.nobody"])
def test_without_a_server_nobody_is_told(monkeypatch: pytest.MonkeyPatch, name: str | None) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    if name is not None:
        monkeypatch.setenv("DISPLAY", name)
    tell_mapped()
