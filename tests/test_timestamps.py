"""Time that goes on where recordings were joined."""

from __future__ import annotations

import pytest

from livecam.timestamps import TimestampUnwrapper


@pytest.mark.parametrize(
    ("stamps", "times"),
    [
        ([], []),
        ([0.0, 0.1, 0.2], [0.0, 0.1, 0.2]),
        ([0.0, 1.0, 0.9, 2.0], [0.0, 1.0, 0.9, 2.0]),  # a little disorder is left to others
        ([0.0, 1.0, 2.0, 0.0, 1.0], [0.0, 1.0, 2.0, 2.1, 3.1]),
        ([5.0, 6.0, 1.0, 2.0, 0.0], [5.0, 6.0, 6.1, 7.1, 7.2]),
    ],
)
def test_stamps_that_begin_anew_go_on(stamps: list[float], times: list[float]) -> None:
    unwrap = TimestampUnwrapper()
    assert [unwrap(stamp, 0.1) for stamp in stamps] == pytest.approx(times)
