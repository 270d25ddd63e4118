"""Waiting for what other threads do, on a machine that may be busy."""

from __future__ import annotations

import time
from collections.abc import Callable

PATIENCE_S = 30.0


def until(is_so: Callable[[], object], what: str, within_s: float = PATIENCE_S) -> None:
    end_s = time.monotonic() + within_s
    while not is_so():
        assert time.monotonic() < end_s, f"not within {within_s:g} s: {what}"
        time.sleep(0.002)
