"""The visits of a run on their way into the file, also while another program holds it."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import clips
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
from livecam.live.visits import SAVES_APART_S, VisitLog
from livecam.overlay import NOBODY

BEGAN = 1_780_000_000.0
CAMERA = LiveSource.camera(0)


@pytest.fixture
def log(tmp_path: Path) -> Iterator[VisitLog]:
    with VisitLog(tmp_path / "v.db", SHIPPED, is_whole_clip=True, began=BEGAN) as log:
        yield log


def see(
    log: VisitLog,
    *times_s: float,
    track: int = 1,
    source: LiveSource = CAMERA,
    is_frozen: bool = False,
) -> None:
    bgr = np.zeros((120, 160, 3), np.uint8)
    for time_s in times_s:
        frame = Frame(round(30 * time_s), time_s, bgr)
        shot = Shot(frame, time.perf_counter(), source, is_frozen)
        seen = [face((10, 10, 60, 70), track)] if track else []
        log(Labels(shot, seen, NOBODY, is_searched=True))


def kept(log: VisitLog) -> list[tuple[float, float]]:
    """When each visit began and ended, in s after BEGAN."""
    found = store.read(log.path, 0.0, float("inf"))
    return [(a - BEGAN, b - BEGAN) for a, b in zip(found.begin, found.end, strict=True)]


class Clock:
    """Of the computer, in place of `time`."""

    def __init__(self) -> None:
        self.unix_s = BEGAN

    def time(self) -> float:
        return self.unix_s

    def perf_counter(self) -> float:
        return time.perf_counter()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(visits, "time", clock)
    return clock


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


def test_who_repeats_one_picture_shows_no_visitor_and_does_not_watch(log: VisitLog) -> None:
    see(log, 0.0, 1.0, 2.0)
    see(log, *range(3, 60), is_frozen=True)
    assert kept(log) == [(0.0, 2.0)]  # a power cut costs nothing of it
    assert store.last_watched(log.path, BEGAN + 100)["camera 0"] - BEGAN <= 2
    see(log, 60.0, 62.0)
    assert kept(log) == [(0.0, 2.0), (60.0, 62.0)]
    watched = store.read(log.path, 0.0, float("inf")).watched - BEGAN
    assert watched.tolist() == [[0, 2], [60, 62]]


def test_what_a_full_disk_does_not_take_is_written_later(tmp_path: Path) -> None:
    problems = []
    with clips.small_disk(tmp_path / "disk", 100) as disk:
        clips.fill(disk)
        with VisitLog(disk / "v.db", SHIPPED, is_whole_clip=True, began=BEGAN) as log:
            for time_s in (0.0, 2.0, 4.0, 6.0, 8.0, 10.0):
                if time_s == 6:
                    (disk / "filling").unlink()
                see(log, time_s)
                problems.append(log.problem)
        assert kept(log) == [(0.0, 10.0)]
        watched = store.read(log.path, 0.0, float("inf")).watched - BEGAN
        assert watched.tolist() == [[0, 10]]
    assert all("cannot be written" in str(problem) for problem in problems[:3])
    assert problems[3:] == [None, None, None]


def test_the_file_is_told_now_and_then_that_somebody_looks(log: VisitLog) -> None:
    told_s = []
    for second in range(35):
        see(log, float(second), track=0)
        told_s.append(store.last_watched(log.path, BEGAN + 100)["camera 0"] - BEGAN)
    assert sorted(set(told_s)) == [0, 10, 20, 30]


def test_visits_of_a_camera_are_dated_by_the_clock_also_after_a_sleep(
    tmp_path: Path, clock: Clock
) -> None:
    with VisitLog(tmp_path / "v.db", SHIPPED, is_whole_clip=False, began=None) as log:
        for time_s in (100.0, 101.5):  # of a clock that begins anywhere, and stands still…
            clock.unix_s = BEGAN + time_s - 100
            see(log, time_s)
        for time_s in (106.0, 107.5):  # …while the computer sleeps
            clock.unix_s = BEGAN + 3600 + time_s - 100
            see(log, time_s, track=2)
    first, second = np.array(kept(log))
    assert first == pytest.approx([0, 1.5], abs=0.5)
    assert second == pytest.approx([3606, 3607.5], abs=0.5)


def test_who_is_seen_as_a_computer_falls_asleep_has_left_when_it_wakes(
    tmp_path: Path, clock: Clock
) -> None:
    with VisitLog(tmp_path / "v.db", SHIPPED, is_whole_clip=False, began=None) as log:
        for i in range(100):
            clock.unix_s = BEGAN + 0.1 * i + (3600 if i >= 50 else 0)
            see(log, 0.1 * i, track=1 if not 50 <= i < 60 else 0)
    first, second = np.array(kept(log))
    assert first == pytest.approx([0, 4.9], abs=0.5)
    assert second == pytest.approx([3606, 3609.9], abs=0.5)


def test_a_clock_that_is_set_back_a_little_does_not_shorten_a_visit(
    tmp_path: Path, clock: Clock
) -> None:
    with VisitLog(tmp_path / "v.db", SHIPPED, is_whole_clip=False, began=None) as log:
        for i in range(40):
            clock.unix_s = BEGAN + 0.1 * i - (8 if i >= 25 else 0)
            see(log, 0.1 * i)
    (visit,) = np.array(kept(log))
    assert visit == pytest.approx([0, 3.9], abs=0.5)


def test_a_picture_that_was_labelled_late_is_dated_by_when_it_was_taken(
    tmp_path: Path, clock: Clock
) -> None:
    with VisitLog(tmp_path / "v.db", SHIPPED, is_whole_clip=False, began=None) as log:
        for time_s in (0.0, 2.0):
            frame = Frame(0, time_s, np.zeros((120, 160, 3), np.uint8))
            shot = Shot(frame, time.perf_counter() - 30, CAMERA)
            clock.unix_s = BEGAN + 30 + time_s
            log(Labels(shot, [face((10, 10, 60, 70), 1)], NOBODY, is_searched=True))
    assert np.array(kept(log)) == pytest.approx(np.array([[0, 2]]), abs=0.5)


def test_a_clip_labelled_as_fast_as_it_goes_is_dated_as_if_it_played(
    tmp_path: Path, clock: Clock
) -> None:
    with VisitLog(tmp_path / "v.db", SHIPPED, is_whole_clip=True, began=None) as log:
        see(log, 0.0, 1.5)  # all in a moment
        see(log, 600.0, 602.0, track=2)
    assert np.array(kept(log)) == pytest.approx(np.array([[0, 1.5], [600, 602]]), abs=0.5)


def test_what_another_program_holds_is_written_later_and_nobody_waits(log: VisitLog) -> None:
    see(log, 0.0)
    with held(log.path):
        begin_s = time.perf_counter()
        see(log, 0.5, 1.0, 1.5, 2.0, 3.5, track=1)
        see(log, 5.0, 6.0, 7.0, 8.0, 20.0, track=0)  # the first one has left
        see(log, 21.0, 22.5, track=2)
        assert time.perf_counter() - begin_s < store.WAIT_S
        assert log.counted == 2
    see(log, 22.5 + SAVES_APART_S, track=2)
    assert [begin_s for begin_s, _ in kept(log)] == [0.0, 21.0]


def test_at_the_end_it_is_waited_for_but_not_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(visits, "WAIT_S", 0.2)
    log = VisitLog(tmp_path / "v.db", SHIPPED, is_whole_clip=True, began=BEGAN)
    see(log, 0.0, 1.5)
    with held(log.path), pytest.raises(LivecamError, match="another program holds it"):
        log.close()
    assert len(kept(log)) == 1


def test_another_camera_while_the_file_is_held_costs_nothing(log: VisitLog) -> None:
    other = LiveSource.camera(2)
    see(log, 0.0)
    with held(log.path):
        see(log, 2.0, 4.0)
        see(log, 5.0, 7.0, track=2, source=other)
        see(log, 8.0, 8.5, track=0)  # and back
    see(log, 8.5 + SAVES_APART_S, track=0)
    assert kept(log) == [(0.0, 4.0), (5.0, 7.0)]
    found = store.read(log.path, 0.0, float("inf"), "camera 2")
    assert (found.begin - BEGAN).tolist() == [5.0]
    assert (found.watched - BEGAN).tolist() == [[5.0, 7.0]]


def test_a_clock_that_is_set_while_the_file_is_held_costs_nothing(
    tmp_path: Path, clock: Clock
) -> None:
    with VisitLog(tmp_path / "v.db", SHIPPED, is_whole_clip=False, began=None) as log:
        see(log, 0.0)
        with held(log.path):
            for time_s, set_by_s in ((2.0, 0), (4.0, 0), (5.0, 3600), (7.0, 3600)):
                clock.unix_s = BEGAN + time_s + set_by_s
                see(log, time_s)
        assert log.counted == 2
    assert np.array(kept(log)) == pytest.approx(np.array([[0, 4], [3605, 3607]]), abs=0.5)
    watched = store.read(log.path, 0.0, float("inf")).watched - BEGAN
    assert watched == pytest.approx(np.array([[0, 4], [3605, 3607]]), abs=0.5)


def test_the_time_in_which_the_file_was_held_was_watched_too(log: VisitLog) -> None:
    see(log, 0.0)
    with held(log.path):
        see(log, *range(1, 200), track=0)
    see(log, 200.0, track=0)
    assert (store.read(log.path, 0.0, float("inf")).watched - BEGAN).tolist() == [[0, 200]]


def test_the_file_is_written_once_a_second_at_most(
    log: VisitLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    saves = []
    monkeypatch.setattr(log._store, "save", lambda wait_s: saves.append(wait_s))
    for i in range(100):
        see(log, i / 10, track=i // 20 + 1)
    assert 5 <= len(saves) <= 10
