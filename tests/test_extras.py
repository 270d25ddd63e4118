"""Keras, where it is there: what it says as it starts, and what is no model of it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from with_keras import require_module

from livecam.errors import LivecamError
from livecam.extras import load_keras

STARTS = """
import sys
from livecam.extras import import_keras
try:
    import_keras()
except BaseException as error:
    print(repr(error), file=sys.stderr)
print("later", file=sys.stderr)
"""


def said(keras: str | None, folder: Path, level: str | None = None) -> str:
    """On stderr, where a module `keras` is imported that is written like this, or the real one."""
    environment = {key: text for key, text in os.environ.items() if key != "TF_CPP_MIN_LOG_LEVEL"}
    if level:
        environment["TF_CPP_MIN_LOG_LEVEL"] = level
    if keras is not None:
        (folder / "keras.py").write_text(f"import os, signal\n{keras}")
        environment["PYTHONPATH"] = f"{folder}{os.pathsep}{environment.get('PYTHONPATH', '')}"
    command = [sys.executable, "-c", STARTS]
    return subprocess.run(command, env=environment, stderr=subprocess.PIPE, text=True).stderr


def test_tensorflow_says_nothing_as_it_starts(tmp_path: Path) -> None:
    require_module("tensorflow")
    assert said(None, tmp_path) == "later\n"


NOISE = "os.write(2, b'noise\\n')\n"


@pytest.mark.parametrize(
    ("ends", "told"),
    [
        ("", ""),
        ("raise ValueError(5)", "ValueError(5)\n"),
        ("os.kill(os.getpid(), signal.SIGINT)", "KeyboardInterrupt()\n"),
    ],
)
def test_what_ends_the_start_is_told(tmp_path: Path, ends: str, told: str) -> None:
    assert said(NOISE + ends, tmp_path) == f"{told}later\n"


def test_a_start_with_a_closed_stderr(tmp_path: Path) -> None:
    (tmp_path / "keras.py").write_text("import os\nos.write(1, b'noise\\n')\n")
    code = "import os; os.close(2); from livecam.extras import import_keras; import_keras()"
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{Path.cwd()}"}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True)
    assert (done.returncode, done.stdout) == (0, "noise\n")


def test_whoever_asks_for_it_hears_all(tmp_path: Path) -> None:
    assert said(NOISE, tmp_path, "0") == "noise\nlater\n"


def test_what_is_no_zip_is_no_model(tmp_path: Path) -> None:
    path = tmp_path / "m.keras"
    path.write_text("a text")
    with pytest.raises(LivecamError, match=r"m.keras: damaged, or not a .keras file$"):
        load_keras(path)
