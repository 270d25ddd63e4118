"""The visits of a run on their way into the file, also while another program holds it."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from people import face
from settings import SHIPPED

from livecam import store
from livecam.datatypes import Frame
from livecam.errors import LivecamError
from livecam.live import visits
from livecam.live.capture import Shot
from livecam.live.labeller import Labels
from livecam.live.readers import LiveSource
from livecam.live.visits import AGAIN_S, VisitLog
from livecam.overlay import NOBODY

BEGAN = 1_780_000_000.0
CAMERA = LiveSource.camera(0)


@pytest.fixture
def log(tmp_path: Path) -> Iterator[VisitLog]:
    with VisitLog(tmp_path / "v.db", SHIPPED, is_whole_clip=True, began=BEGAN) as log:
        yield log


def see(log: VisitLog, *times_s: float, track: int = 1, source: LiveSource = CAMERA) -> None:
    bgr = np.zeros((120, 160, 3), np.uint8)
    for time_s in times_s:
        shot = Shot(Frame(round(30 * time_s), time_s, bgr), time.perf_counter(), source)
        seen = [face((10, 10, 60, 70), track)] if track else []
        log(Labels(shot, seen, NOBODY, is_searched=True))


def kept(log: VisitLog) -> list[tuple[float, float]]:
    """When each visit began and ended, in s of the clip."""
    found = store.read(log.path, 0.0, float("inf"))
    return [(a - BEGAN, b - BEGAN) for a, b in zip(found.begin, found.end, strict=True)]


@contextlib.contextmanager
def held(path: Path) -> Iterator[None]:
    """By another program."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("BEGIN EXCLUSIVE")
        yield
        db.execute("ROLLBACK")


def test_a_visit_is_in_the_file_while_it_goes_on(log: VisitLog) -> None:
    see(log, 0.0, 0.5, 1.0, 1.5)
    ((begin_s, end_s),) = kept(log)
    assert begin_s == 0.0 and 1.0 <= end_s <= 1.5


def test_what_another_program_holds_is_written_later_and_nobody_waits(log: VisitLog) -> None:
    see(log, 0.0)
    with held(log.path):
        begin_s = time.perf_counter()
        see(log, 0.5, 1.0, 1.5, 2.0, 3.5, track=1)
        see(log, 20.0, track=0)  # the first one has left
        see(log, 21.0, 22.5, track=2)
        assert time.perf_counter() - begin_s < store.WAIT_S
        assert log.counted == 2
    see(log, 22.5 + AGAIN_S, track=2)
    assert [begin_s for begin_s, _ in kept(log)] == [0.0, 21.0]


def test_at_the_end_it_is_waited_for_but_not_for_ever(
    log: VisitLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(visits, "WAIT_S", 0.2)
    see(log, 0.0, 1.5)
    other = LiveSource.camera(2)
    with held(log.path), pytest.raises(LivecamError, match="another program holds it"):
        see(log, 2.0, source=other)
    see(log, 2.5, source=other)
    assert len(kept(log)) == 1
    assert list(store.last_watched(log.path)) == ["camera 0", "camera 2"]
