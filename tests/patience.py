"""Waiting for what other threads do, on a machine that may be busy."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable

PATIENCE_S = 30.0
ENDS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


def until(
    is_so: Callable[[], object], what: str, within_s: float = PATIENCE_S, every_s: float = 0.002
) -> None:
    end_s = time.perf_counter() + within_s
    while not is_so():
        assert time.perf_counter() < end_s, f"not within {within_s:g} s: {what}"
        time.sleep(every_s)


def interrupt_soon(after_s: float) -> threading.Timer:
    """Ctrl-C, as the main thread gets it."""
    main = threading.main_thread().ident
    timer = threading.Timer(after_s, signal.pthread_kill, [main, signal.SIGINT])
    timer.start()
    return timer
