from __future__ import annotations

import io
import itertools

import pytest

from livecam.progress import LOG_EVERY_S, Progress, width_of


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.mark.parametrize("stream", [io.StringIO(), Terminal()], ids=["file", "terminal"])
def test_work_that_ends_at_once_shows_nothing(clock: Clock, stream: io.StringIO) -> None:
    with Progress("label", 3, "frames", stream, clock) as progress:
        progress.step(3)
    assert stream.getvalue() == ""


@pytest.mark.parametrize(
    ("total", "done", "elapsed_s", "line"),
    [
        (None, 0, 4, "label: 0  0.0 frames/s"),
        (None, 30, 4, "label: 30  7.5 frames/s"),
        (0, 0, 4, "label: 0  0.0 frames/s"),
        (100, 0, 4, "label: 0/100  0 %  0.0 frames/s"),
        (100, 25, 10, "label: 25/100  25 %  2.5 frames/s  0:30 left"),
        (100, 4, 10, "label: 4/100  4 %  2.5 s each  4:00 left"),
        (100, 100, 75, "label: 100/100  100 %  1.3 frames/s  1:15"),
        (100, 120, 60, "label: 120/100  120 %  2.0 frames/s  1:00"),  # the total was a guess
    ],
)
def test_line(clock: Clock, total: int | None, done: int, elapsed_s: float, line: str) -> None:
    progress = Progress("label", total, "frames", io.StringIO(), clock)
    progress.step(done)
    clock.now_s += elapsed_s
    assert progress.line() == line


def test_a_file_gets_whole_lines_now_and_then_and_a_last_one(clock: Clock) -> None:
    stream = io.StringIO()
    with Progress("label", 100, "frames", stream, clock) as progress:
        for _ in range(100):
            clock.now_s += LOG_EVERY_S / 40
            progress.step()
    assert stream.getvalue().splitlines() == [
        "label: 40/100  40 %  4.0 frames/s  0:15 left",
        "label: 80/100  80 %  4.0 frames/s  0:05 left",
        "label: 100/100  100 %  4.0 frames/s  0:25",
    ]
    assert "\r" not in stream.getvalue()


def test_the_log_of_a_day_is_short(clock: Clock) -> None:
    stream = io.StringIO()
    said_s = []
    with Progress("camera 0", None, "frames", stream, clock) as progress:
        for second in range(24 * 3600):
            clock.now_s += 1
            before = stream.tell()
            progress.step(25)
            if stream.tell() > before:
                said_s.append(second + 1)
    assert said_s[:10] == [10 * i for i in range(1, 11)]
    assert max(later - now for now, later in itertools.pairwise(said_s)) == 600
    assert len(said_s) < 200


def test_a_terminal_gets_one_line_that_is_rewritten_and_ended(clock: Clock) -> None:
    stream = Terminal()
    with Progress("label", 4, "frames", stream, clock) as progress:
        for _ in range(4):
            clock.now_s += 1
            progress.step()
    written = stream.getvalue()
    assert written.count("\n") == 1
    assert written.endswith("\n")
    shown = written.rstrip("\n").split("\r")[1:]
    assert shown[0] == "label: 1/4  25 %  1.0 frames/s  0:03 left"
    assert shown[-1].rstrip() == "label: 4/4  100 %  1.0 frames/s  0:04"
    # a shorter line covers the longer one before it
    assert all(len(b) >= len(a.rstrip()) for a, b in itertools.pairwise(shown))


@pytest.mark.parametrize(
    ("name", "columns", "line"),
    [
        ("a.mp4", 80, "a.mp4: 1/4  25 %  1.0 frames/s  0:03 left"),
        ("holiday on the island.mp4", 60,
         "holiday on ...island.mp4: 1/4  25 %  1.0 frames/s  0:03 left"),
        ("holiday on the island.mp4", 50, "holida...d.mp4: 1/4  25 %  1.0 frames/s  0:03 left"),
        ("holiday on the island.mp4", 20, "hol...mp4: 1/4  25 %"),
        ("holiday on the island.mp4", 18, "hol...mp4: 1/4"),
        ("\u5bb6\u65cf\u306e\u4f11\u65e5.mp4", 50,
         "\u5bb6\u65cf\u306e\u4f11\u65e5.mp4: 1/4  25 %  1.0 frames/s  0:03 left"),
        ("\u5bb6\u65cf\u306e\u4f11\u65e5.mp4", 20, "\u5bb6\u65cf...p4: 1/4  25 %"),
    ],
)  # fmt: skip
def test_a_line_fits_into_the_terminal(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, name: str, columns: int, line: str
) -> None:
    monkeypatch.setattr("livecam.progress._columns", lambda stream: columns + 1)
    stream = Terminal()
    progress = Progress(name, 4, "frames", stream, clock)
    clock.now_s += 1
    progress.step()
    assert stream.getvalue() == f"\r{line}"
    assert width_of(line) <= columns


def test_steps_in_quick_succession_are_not_all_shown(clock: Clock) -> None:
    stream = Terminal()
    progress = Progress("label", None, "frames", stream, clock)
    for _ in range(1000):
        clock.now_s += 0.001
        progress.step()
    assert 8 <= stream.getvalue().count("\r") <= 10


def test_a_note_stays_on_a_line_of_its_own(clock: Clock) -> None:
    stream = Terminal()
    progress = Progress("label", 4, "frames", stream, clock)
    clock.now_s += 1
    progress.step()
    line = progress.line()
    progress.note("a.jpg: no such file")
    assert stream.getvalue() == f"\r{line}\r{' ' * len(line)}\ra.jpg: no such file\n"


def test_a_note_in_a_file_is_a_plain_line(clock: Clock) -> None:
    stream = io.StringIO()
    Progress("label", 4, "frames", stream, clock).note("a.jpg: no such file")
    assert stream.getvalue() == "a.jpg: no such file\n"


def test_what_is_not_shown_needs_no_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a program without a console, where there is no stderr."""
    monkeypatch.setattr("sys.stderr", None)
    with Progress("download", None, "MB", is_shown=False) as progress:
        progress.step()
