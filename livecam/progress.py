"""A line on stderr that says how far, how fast and how long still."""

from __future__ import annotations

import contextlib
import os
import sys
import time
import unicodedata
from collections.abc import Callable
from typing import TextIO

from livecam.wording import clock_time, shown

LOG_EVERY_S = 10.0  # a stream that is no terminal gets a line this often at first…
LOG_SHARE = 0.1  # …then whenever this share of the time so far has passed…
LOG_AT_LEAST_EVERY_S = 600.0  # …so that the log of a service does not grow without need
TERMINAL_EVERY_S = 0.1
COLUMNS = 80  # of a terminal that does not tell
LEAST_NAME = 9  # characters of a name that is shortened


class Progress:
    """Counts `done` of `total` steps (None: unknown) and shows rate and ETA.

    A context manager: leaving it ends the line. Shows nothing for work that ends at once, nor
    with `is_shown` off, which is for output that would be mixed with it on a terminal.
    """

    def __init__(
        self,
        what: str,
        total: int | None,
        unit: str,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.perf_counter,
        is_shown: bool = True,
    ) -> None:
        self.what, self.total, self.unit = shown(what), total, unit
        self.done = 0
        self._is_shown = is_shown
        self._stream = stream if stream is not None else sys.stderr
        self._clock = clock
        self._is_terminal = is_shown and self._stream.isatty()
        self._start_s = self._shown_s = clock()
        self._width = 0

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *exc: object) -> None:
        if self._width:
            self._show("\n" if self._is_terminal else "")

    def step(self, n: int = 1) -> None:
        self.done += n
        now_s = self._clock()
        if self._is_shown and now_s - self._shown_s >= self._wait_s(now_s):
            self._shown_s = now_s
            self._show("")

    def _wait_s(self, now_s: float) -> float:
        if self._is_terminal:
            return TERMINAL_EVERY_S
        share_s = LOG_SHARE * (now_s - self._start_s)
        return min(max(LOG_EVERY_S, share_s), LOG_AT_LEAST_EVERY_S)

    def note(self, text: str) -> None:
        """A line of its own that stays."""
        clear = "\r" + " " * self._width + "\r" if self._is_terminal and self._width else ""
        self._write(f"{clear}{shown(text)}\n")

    def line(self, columns: int | None = None) -> str:
        """`columns`: at most so long, with the middle of the name left out; one that goes on in the
        next row of a terminal cannot be rewritten."""
        elapsed_s = max(self._clock() - self._start_s, 1e-9)
        rate = self.done / elapsed_s
        parts = [f": {self.done}" + (f"/{self.total}" if self.total else "")]
        if self.total:
            parts.append(f"{100 * self.done / self.total:.0f} %")
        slow = rate < 1 / 2 and self.done
        parts.append(f"{1 / rate:.1f} s each" if slow else f"{rate:.1f} {self.unit}/s")
        if self.total and self.done:
            left_s = max(self.total - self.done, 0) / rate
            parts.append(f"{clock_time(left_s)} left" if left_s else clock_time(elapsed_s))
        if columns is None:
            return self.what + "  ".join(parts)
        name = _shortened(self.what, columns - len("  ".join(parts)))
        while len(parts) > 1 and width_of(name + "  ".join(parts)) > columns:
            parts.pop()
        return (name + "  ".join(parts))[:columns]

    def _show(self, end: str) -> None:
        if self._is_terminal:
            columns = _columns(self._stream) - 1  # a sign in the last one may begin the next row
            line = self.line(columns)
            before = " " * (min(self._width, columns) - width_of(line))
            self._write(f"\r{line}{before}{end}")
        else:
            line = self.line()
            self._write(line + "\n")
        self._width = width_of(line)

    def _write(self, text: str) -> None:
        with contextlib.suppress(OSError):  # work goes on where a terminal is closed
            self._stream.write(text)
            self._stream.flush()


def _columns(stream: TextIO) -> int:
    with contextlib.suppress(OSError, ValueError):  # what is no real terminal
        return os.get_terminal_size(stream.fileno()).columns or COLUMNS
    return COLUMNS


def width_of(text: str) -> int:
    """In columns of a terminal: a Chinese sign takes two, a combining one none."""
    return sum(
        0 if unicodedata.combining(sign) else 2 if unicodedata.east_asian_width(sign) in "WF" else 1
        for sign in text
    )


def _shortened(name: str, columns: int) -> str:
    """Its beginning and its end, with signs between them that every terminal takes."""
    columns = max(columns, LEAST_NAME)
    if width_of(name) <= columns:
        return name
    begin = end = ""
    for first, last in zip(name, reversed(name), strict=True):
        if width_of(f"{begin}{first}...{end}") > columns:
            break
        begin += first
        if width_of(f"{begin}...{last}{end}") > columns:
            break
        end = last + end
    return f"{begin}...{end}"
