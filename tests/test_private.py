"""What is promised of privacy: nothing is kept or sent that was not asked for."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import clips
import cv2
import numpy as np
import pytest


def start(home: Path, command: str) -> subprocess.CompletedProcess[str]:
    """In a shell, by a person who never started it before."""
    environment = {name: value for name, value in os.environ.items() if name != "CI"}
    environment |= {"HOME": str(home), "LIVECAM": clips.LIVECAM[0], "CODE": clips.LIVECAM[2]}
    for name in ("XDG_CACHE_HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "ORT_DISABLE_TELEMETRY"):
        environment.pop(name, None)
    livecam = f'"$LIVECAM" -c "$CODE" {command}'
    return subprocess.run(
        ["sh", "-c", livecam], cwd=home, env=environment, capture_output=True, text=True
    )


@pytest.fixture
def home(tmp_path: Path, astronaut: np.ndarray) -> Path:
    cv2.imwrite(str(tmp_path / "a.jpg"), astronaut)
    return tmp_path


def test_no_library_keeps_or_sends_anything(home: Path) -> None:
    """ONNX Runtime would: a device id, and what is to be reported, in the user's cache."""
    done = start(home, "predict a.jpg")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("a.jpg  face 1")
    assert clips.files_of(home) == ["a.jpg"]


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", ">&- 2>&- <&-"])
def test_closed_streams_cost_nothing(home: Path, closed: str) -> None:
    done = start(home, f"predict a.jpg --csv a.csv {closed}")
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    rows = (home / "a.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows] == ["file", "a.jpg"]
    if ">&-" not in closed.split():
        assert done.stdout.startswith("a.jpg  face 1")
