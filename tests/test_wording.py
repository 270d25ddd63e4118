from __future__ import annotations

import pytest

from livecam.wording import clock_time, counted, suggestion, utf8


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0:00"), (0.4, "0:00"), (59.6, "1:00"), (75, "1:15"), (3599, "59:59"),
        (3599.6, "1:00:00"), (3700, "1:01:40"), (360_000, "100:00:00"),
    ],
)  # fmt: skip
def test_clock_time(seconds: float, text: str) -> None:
    assert clock_time(seconds) == text


def test_counted() -> None:
    assert [counted(n, "face") for n in (0, 1, 2)] == ["0 faces", "1 face", "2 faces"]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Decades", "; did you mean 'decades'?"),
        ("UTK-12", "; did you mean 'Utk-12'?"),
        ("utk12", "; did you mean 'Utk-12'?"),
        ("zzz", ""),
    ],
)
def test_what_may_have_been_meant(name: str, said: str) -> None:
    assert suggestion(name, ["decades", "Utk-12"]) == said


@pytest.mark.parametrize(
    ("name", "said"), [("é", "é"), ("a\udce9", "a\\xe9"), ("a\ud800", "a\\ud800")]
)
def test_a_name_that_is_no_text_can_be_shown(name: str, said: str) -> None:
    assert utf8(name) == said
