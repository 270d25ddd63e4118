"""The command `livecam` in a process of its own, with the shipped settings."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import livecam as package
from livecam.errors import LivecamError
from livecam.shipped import shipped_file

ROOT = Path(package.__file__).resolve().parent.parent
RATE = re.compile(r"(\d+) frames labelled at ([\d.]+) fps")


@dataclass(frozen=True, slots=True)
class Ended:
    """What a process said on stderr, and how long it took from start to end."""

    err: str
    seconds: float


def python(*arguments: object, display: str | None = None) -> Ended:
    """`python …`, from this checkout. Raises LivecamError with its last line if it fails."""
    command = [sys.executable, *map(str, arguments)]
    with environment(display) as variables:
        begin_s = time.perf_counter()
        done = subprocess.run(
            command, env=variables, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        seconds = time.perf_counter() - begin_s
    require_success(command, done.returncode, done.stderr)
    return Ended(done.stderr, seconds)


def require_success(command: list[str], code: int, err: str) -> None:
    if code:
        words = " ".join(command[1:4])
        last = (err.strip().splitlines() or ["it said nothing"])[-1]
        raise LivecamError(f"python {words} … ended with exit code {code}: {last}")


@contextlib.contextmanager
def environment(display: str | None = None) -> Iterator[dict[str, str]]:
    """Of a process that finds this checkout, and no settings nor memories of a person."""
    with tempfile.TemporaryDirectory() as nobody:
        kept = {k: v for k, v in os.environ.items() if not k.startswith("LIVECAM_")}
        kept |= {"PYTHONPATH": str(ROOT), "XDG_STATE_HOME": nobody, "TF_CPP_MIN_LOG_LEVEL": "3"}
        if display is not None:
            kept["DISPLAY"] = display
        yield kept


def livecam(command: str, *arguments: object, display: str | None = None) -> Ended:
    """`livecam COMMAND …` with the shipped settings."""
    return python(*livecam_words(command, *arguments), display=display)


def livecam_words(command: str, *arguments: object) -> list[str]:
    settings = str(shipped_file("config.yaml"))
    return ["-m", "livecam", command, "--config", settings, *map(str, arguments)]


def annotate_fps(clip: Path, *arguments: object) -> float:
    """The figure that `annotate` gives itself: first labelled frame to last, without start-up."""
    err = livecam("annotate", clip, *arguments).err
    said = RATE.search(err)
    if said is None:
        raise LivecamError(f"{clip.name}: annotate did not say its rate, but: {err.strip()[-200:]}")
    return float(said[2])
