"""Days and times as people type them, and the stretches of time between days."""

from __future__ import annotations

import datetime
import math

from livecam.errors import UsageError


def day_of(text: str) -> datetime.date | None:
    """`2026-05-31`, `today` or `yesterday`; None for what is no day."""
    if text in ("today", "yesterday"):
        return datetime.date.today() - datetime.timedelta(days=text == "yesterday")
    try:
        day = datetime.date.fromisoformat(text)
    except ValueError:
        return None
    return day if _is_known(day) else None


def moment_of(text: str) -> float | None:
    """Unix time of `2026-05-31 09:00`, by this computer's clock; None for what is no time."""
    try:
        moment = datetime.datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment.timestamp() if _is_known(moment) else None


def bounds(first: datetime.date | None, last: datetime.date | None) -> tuple[float, float]:
    """Unix times from the beginning of the first day to the end of the last; None: no bound.
    Raises UsageError if the last day is before the first."""
    if first is not None and last is not None and last < first:
        raise UsageError(f"{first} to {last}: expected the earlier day first")
    midnight = datetime.time()
    begin, end = 0.0, math.inf
    if first is not None:
        begin = datetime.datetime.combine(first, midnight).timestamp()
    if last is not None:
        after = last + datetime.timedelta(days=1)
        end = datetime.datetime.combine(after, midnight).timestamp()
    return begin, end


def _is_known(day: datetime.date) -> bool:
    """Whether clocks of computers know it everywhere."""
    return 1970 < day.year < 3000
