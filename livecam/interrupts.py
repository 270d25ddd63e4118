"""Ctrl-C, kill and the end of a terminal: what is being written is finished first.

Windows leaves no time for that where its console is closed.
"""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from types import FrameType

HANG_UP = getattr(signal, "SIGHUP", None)  # Windows has none…
BREAK = getattr(signal, "SIGBREAK", None)  # …and alone has Ctrl-Break
IMPORTS = "<frozen importlib._bootstrap>"  # where Python says that its own import is written
AGAIN_S = 0.05  # after which it is seen again whether an import is over
TEMPORARY: set[str] = set()  # folders, which a second signal removes as well
SIGNALS = tuple(filter(None, (signal.SIGINT, signal.SIGTERM, HANG_UP, BREAK)))


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """kill finalises files as Ctrl-C does; a second one does not hurt what the first closes."""
    is_over = threading.Event()
    around = _imports(sys._getframe())  # whoever starts a command may do so while it is imported

    def again(number: int) -> None:
        if is_over.is_set():
            return
        if sys.platform == "win32":
            signal.raise_signal(number)
        else:  # the main thread may sleep, and only what comes to itself wakes it
            signal.pthread_kill(threading.main_thread().ident or 0, number)

    def interrupt(number: int, frame: FrameType | None) -> None:
        if _imports(frame) > around:
            # a library that is interrupted now may fail in any way, or crash
            later = threading.Timer(AGAIN_S, again, [number])
            later.daemon = True
            later.start()
            return
        for each in before:
            signal.signal(each, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = {number: signal.getsignal(number) for number in SIGNALS}
    if HANG_UP and before[HANG_UP] is signal.SIG_IGN:
        del before[HANG_UP]  # with nohup it goes on
    for number in before:
        signal.signal(number, interrupt)
    try:
        yield
    finally:
        is_over.set()
        for number, handler in before.items():
            signal.signal(number, handler)


def _imports(frame: FrameType | None) -> int:
    """How many calls of Python's import are under way."""
    count = 0
    while frame is not None:
        count += frame.f_code.co_filename == IMPORTS
        frame = frame.f_back
    return count


@contextlib.contextmanager
def noted() -> Iterator[list[int]]:
    """Interrupts as a list that grows, for a loop that shares locks with threads: an exception in
    the middle of a lock's code would leave the lock broken, and the threads waiting for ever."""
    seen: list[int] = []
    before = {number: signal.getsignal(number) for number in SIGNALS}
    before = {number: was for number, was in before.items() if was not in (signal.SIG_IGN, None)}
    for number in before:
        signal.signal(number, lambda number, frame: seen.append(number))
    try:
        yield seen
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def held() -> Iterator[Sequence[int]]:
    """Interrupts wait until the end, for the closing of a file; those that wait are given."""
    if threading.current_thread() is not threading.main_thread():  # it is not interrupted
        yield ()
        return
    seen: list[int] = []
    try:
        with noted() as seen:
            yield seen
    finally:
        if seen:
            signal.raise_signal(seen[0])
