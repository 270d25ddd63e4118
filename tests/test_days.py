"""Days and times as people type them."""

from __future__ import annotations

import datetime
import math

import pytest

from livecam.days import bounds, day_of, moment_of
from livecam.errors import UsageError


def test_days() -> None:
    today = datetime.date.today()
    assert day_of("2026-05-31") == datetime.date(2026, 5, 31)
    assert day_of("today") in (today, datetime.date.today())  # it may be midnight
    assert day_of("yesterday") == today - datetime.timedelta(days=1)


@pytest.mark.parametrize(
    "text", ["", "31.5.2026", "2026-02-30", "tomorrow", "0001-01-01", "9999-12-31"]
)
def test_what_is_no_day(text: str) -> None:
    assert day_of(text) is None
    assert moment_of(text) is None


@pytest.mark.parametrize("text", ["2026-05-31 09:30", "2026-05-31T09:30:00", "20260531T0930"])
def test_times(text: str) -> None:
    assert moment_of(text) == datetime.datetime(2026, 5, 31, 9, 30).timestamp()


def test_a_time_may_have_a_zone() -> None:
    assert moment_of("2026-05-31T09:30+00:00") == 1_780_219_800


def test_bounds() -> None:
    day = datetime.date(2026, 5, 31)
    begin, end = bounds(day, day)
    assert (begin, end) == (moment_of("2026-05-31"), moment_of("2026-06-01"))
    assert bounds(None, day) == (0.0, end)
    assert bounds(day, None) == (begin, math.inf)
    with pytest.raises(
        UsageError, match="2026-05-31 to 2026-05-30: expected the earlier day first"
    ):
        bounds(day, datetime.date(2026, 5, 30))
