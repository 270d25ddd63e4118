"""Resident memory of `annotate --no-video`, as the system counts it."""

from __future__ import annotations

import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks import clips
from benchmarks.bench import Bench
from benchmarks.commands import environment, livecam_words, require_success
from benchmarks.table import Row
from livecam.exit_codes import say

EVERY_S = 0.05
NEAR = 5  # measurements around a moment, whose median counts
LONG_FRAMES = 20_000
PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Course:
    """Resident megabytes of a process, at even distances of time, and the most it ever had."""

    rss_mb: list[float]
    peak_mb: float

    def at(self, share: float) -> float:
        """Around a moment, 0 the start and 1 the end."""
        middle = round(share * (len(self.rss_mb) - 1))
        begin = max(0, min(middle - NEAR // 2, len(self.rss_mb) - NEAR))
        return statistics.median(self.rss_mb[begin : begin + NEAR])


def peak(bench: Bench) -> Iterator[Row]:
    if not _is_measurable():
        return
    for path in bench.paths:
        course = watched(bench.looped(path))
        yield Row(
            measure="peak memory of `annotate --no-video`",
            clip=clips.name_of(path),
            ours=course.peak_mb,
            unit="MB",
        )


def growth(bench: Bench) -> Iterator[Row]:
    if not bench.is_long:
        say(f"growth over {LONG_FRAMES} frames: left out; --long brings it")
        return
    if not _is_measurable():
        return
    for path in bench.paths:
        clip = clips.looped(path, bench.folder / "long.mp4", LONG_FRAMES)
        course = watched(clip)
        early, late = course.at(0.1), course.at(1.0)
        yield Row(
            measure=f"memory over {LONG_FRAMES} frames",
            clip=clips.name_of(path),
            ours=late,
            other=early,
            unit="MB",
            ratio=late / early,
            meaning="at the end over that at a tenth of the time",
        )


def _is_measurable() -> bool:
    if (PROC / "self" / "status").is_file():
        return True
    say("memory: left out; this system has no /proc to read it from")
    return False


def watched(clip: Path) -> Course:
    """The course of labelling a clip without writing one."""
    command = [sys.executable, *livecam_words("annotate", clip, "--no-video")]
    with environment() as variables, tempfile.TemporaryFile("w+") as err:
        child = subprocess.Popen(command, env=variables, stdout=subprocess.DEVNULL, stderr=err)
        try:
            course = _course(child)
        finally:
            child.kill()
            child.wait()
        err.seek(0)
        require_success(command, child.returncode, err.read())
    return course


def _course(child: subprocess.Popen[bytes]) -> Course:
    """Until it ends. What `resource` says of a child includes what it was forked from."""
    rss_mb, peak_mb = [], 0.0
    status = PROC / str(child.pid) / "status"
    while child.poll() is None:
        said = dict(re.findall(r"^(VmRSS|VmHWM):\s+(\d+) kB", status.read_text(), re.MULTILINE))
        if "VmRSS" in said:
            rss_mb.append(int(said["VmRSS"]) / 1024)
            peak_mb = max(peak_mb, int(said["VmHWM"]) / 1024)
        time.sleep(EVERY_S)
    return Course(rss_mb, peak_mb)
