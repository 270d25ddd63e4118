"""Time-stamp unwrapping: those of pictures or of sound, as one rising time."""

from __future__ import annotations

import math

CLOCK_SET_BACK_S = 0.5  # a fall of time stamps by more begins them anew


class TimestampUnwrapper:
    """Callable: a time stamp and the step behind it, to a time that goes on where recordings
    were joined and the stamps begin anew."""

    def __init__(self) -> None:
        self._last_s = -math.inf
        self._ahead_s = 0.0

    def __call__(self, stamp_s: float, step_s: float) -> float:
        if stamp_s < self._last_s - CLOCK_SET_BACK_S:
            self._ahead_s += self._last_s + step_s - stamp_s
        self._last_s = stamp_s
        return stamp_s + self._ahead_s
