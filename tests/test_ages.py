from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from livecam.ages import (
    CENTRAL_RANGE,
    SCHEMES,
    YEARS,
    AgeRange,
    AgeScheme,
    at_least,
    expected_age,
    median_age,
    sharpened,
)
from livecam.datatypes import AGES
from livecam.errors import UsageError

NOTHING = np.zeros((0, AGES), np.float32)
ONE_HOTS = np.eye(AGES, dtype=np.float32)

schemes = pytest.mark.parametrize("scheme", SCHEMES.values(), ids=SCHEMES)


@st.composite
def distributions(draw, n: int = 3) -> np.ndarray:
    weights = hnp.arrays(np.float64, (n, AGES), elements=st.floats(0, 1))
    filled = draw(weights) + 1e-6
    return (filled / filled.sum(axis=1, keepdims=True)).astype(np.float32)


def years_of(label: str) -> list[int]:
    if label.endswith("+"):
        return list(range(int(label[:-1]), AGES))
    low, _, high = label.partition("-")
    return list(range(int(low), int(high or low) + 1))


@schemes
def test_labels_tile_0_to_100(scheme: AgeScheme) -> None:
    tiled = [year for label in scheme.labels for year in years_of(label)]
    assert tiled == list(range(AGES))
    assert all(label.isascii() for label in scheme.labels)


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        ("marketing", "0-12 13-17 18-24 25-34 35-44 45-54 55-64 65+"),
        ("decades", "0-9 10-19 20-29 30-39 40-49 50-59 60-69 70-79 80+"),
        ("life-stages", "0-2 3-7 8-12 13-19 20-36 37-65 66+"),
        ("megaage-7", "0-10 11-20 21-30 31-40 41-50 51-60 61+"),
        ("utk-12", "0-3 4-10 11-17 18-22 23-26 27-32 33-37 38-45 46-53 54-62 63-73 74+"),
        (
            "utk-14",
            "0-5 6-10 11-15 16-20 21-25 26-30 31-35 36-40 41-45 46-50 51-55 56-60 61-65 66+",
        ),
        ("utk-8", "0-5 6-18 19-25 26-35 36-45 46-50 51-65 66+"),
        ("actors-3", "0-30 31-50 51+"),
    ],
)
def test_labels_of_the_published_schemes(name: str, labels: str) -> None:
    assert SCHEMES[name].labels == tuple(labels.split())


def test_a_bin_of_one_year_and_a_scheme_of_one_bin() -> None:
    assert AgeScheme("one", (0,)).labels == ("0+",)
    assert AgeScheme("baby", (0, 1, 5)).labels == ("0", "1-4", "5+")


@pytest.mark.parametrize("starts", [(), (1, 5), (0, 5, 5), (0, 9, 5), (0, 101), (-1, 5)], ids=str)
def test_starts_that_are_no_scheme(starts: tuple[int, ...]) -> None:
    with pytest.raises(UsageError) as refused:
        AgeScheme("mine", starts)
    assert str(refused.value) == (
        "age scheme 'mine': expected rising first years that begin with 0 and stay below 101, "
        f"received {list(starts)}"
    )


@schemes
def test_bin_probs_of_nothing(scheme: AgeScheme) -> None:
    assert scheme.bin_probs(NOTHING).shape == (0, len(scheme.starts))


@given(distributions())
def test_bins_keep_the_mass(age_probs: np.ndarray) -> None:
    for scheme in SCHEMES.values():
        bins = scheme.bin_probs(age_probs)
        assert bins.shape == (len(age_probs), len(scheme.labels))
        assert bins.sum(axis=1) == pytest.approx(1, abs=1e-5)


@schemes
def test_the_bin_of_an_age_is_the_one_that_holds_its_mass(scheme: AgeScheme) -> None:
    assert np.array_equal(np.argmax(scheme.bin_probs(ONE_HOTS), axis=1), scheme.bins_of(YEARS))
    by_label = [i for i, label in enumerate(scheme.labels) for _ in years_of(label)]
    assert scheme.bins_of(YEARS).tolist() == by_label


def test_ages_between_years_and_above_100() -> None:
    scheme = SCHEMES["decades"]
    assert scheme.bins_of(np.zeros(0, np.float32)).tolist() == []
    assert scheme.bins_of(np.array([9.99, 10.0, 100, 101, 116], np.float32)).tolist() == [
        0, 1, 8, 8, 8,
    ]  # fmt: skip


def test_the_expectation_of_a_one_hot_is_itself() -> None:
    assert expected_age(NOTHING).shape == (0,)
    assert np.array_equal(expected_age(ONE_HOTS), YEARS)


def test_the_median_is_the_year_in_the_middle() -> None:
    assert median_age(NOTHING).shape == (0,)
    assert np.array_equal(median_age(ONE_HOTS), YEARS)
    probs = np.zeros((1, 101), np.float32)
    probs[0, [20, 30, 90]] = 0.3, 0.3, 0.4
    assert median_age(probs).tolist() == [30]


@given(distributions())
def test_no_whole_year_is_nearer_than_the_median_and_the_range_holds_it(
    age_probs: np.ndarray,
) -> None:
    distance = np.abs(YEARS[:, None] - YEARS) @ age_probs.T.astype(float)  # (101, n)
    median = median_age(age_probs)
    nearest = distance.min(axis=0)
    assert np.all(distance[median.astype(int), np.arange(len(median))] <= nearest + 1e-3)
    low, high = CENTRAL_RANGE(age_probs).T
    assert np.all((low <= median) & (median <= high))


@given(distributions())
def test_the_expectation_is_an_age(age_probs: np.ndarray) -> None:
    assert np.all((expected_age(age_probs) >= 0) & (expected_age(age_probs) <= 100.001))


def test_the_range_of_a_one_hot_is_its_year() -> None:
    assert CENTRAL_RANGE(NOTHING).shape == (0, 2)
    for share in (0.1, 0.5, 0.8, 0.99):
        assert np.array_equal(AgeRange.central(share)(ONE_HOTS), np.stack([YEARS, YEARS], axis=1))


def test_the_range_of_a_flat_distribution() -> None:
    flat = np.full((1, AGES), 1 / AGES, np.float32)
    assert AgeRange.central(0.8)(flat).tolist() == [[10, 90]]


@given(distributions(), st.floats(0.05, 0.95))
def test_the_range_holds_at_least_its_share(age_probs: np.ndarray, share: float) -> None:
    for probs, (low, high) in zip(age_probs, AgeRange.central(share)(age_probs), strict=True):
        assert 0 <= low <= high <= 100
        assert probs[low : high + 1].sum() >= share - 1e-4
        # and both tails are as small as they should be
        assert max(probs[:low].sum(), probs[high + 1 :].sum()) <= (1 - share) / 2 + 1e-4


def test_a_range_by_year_takes_in_what_is_plausible_by_itself() -> None:
    """P(age <= 15) is a tenth: enough for 15 where teenagers need less than others."""
    probs = np.zeros((1, AGES), np.float32)
    probs[0, [15, 25, 35, 45]] = 0.1, 0.4, 0.4, 0.1
    assert AgeRange(0.2, 0.8)(probs).tolist() == [[25, 35]]
    assert AgeRange(np.where(YEARS < 20, 0.05, 0.2), 0.8)(probs).tolist() == [[15, 35]]
    assert AgeRange(0.2, np.where(YEARS > 40, 0.95, 0.8))(probs).tolist() == [[25, 45]]


def test_bounds_by_age_go_straight_from_one_age_to_the_next() -> None:
    age_range = AgeRange.by_age({20: [0.1, 0.8], 40: [0.2, 0.9], 0: [0.3, 0.4]})
    at = [0, 10, 20, 30, 40, 100]
    assert np.asarray(age_range.low)[at] == pytest.approx([0.3, 0.2, 0.1, 0.15, 0.2, 0.2])
    assert np.asarray(age_range.high)[at] == pytest.approx([0.4, 0.6, 0.8, 0.85, 0.9, 0.9])


@pytest.mark.parametrize(
    "bounds",
    [{}, [1], 3, "words", {20: 0.1}, {20: [0.1]}, {20: [0.1, np.nan]}, {20: [-1, 1]},
     {20: [0.1, 1.1]}, {"a": [0.1, 0.9]}, {20: [0.1, 0.5, 0.9]}, {101: [0.1, 0.9]},
     {-1: [0.1, 0.9]}, {np.nan: [0.1, 0.9]}, {20: ["a", "b"]}, {20: [0.1, 0.9], 30: [0.1]}],
)  # fmt: skip
def test_bounds_by_age_that_are_none(bounds: object) -> None:
    with pytest.raises((ValueError, TypeError)):
        AgeRange.by_age(bounds)


@given(distributions(), hnp.arrays(np.float32, (2, AGES), elements=st.floats(0, 1, width=32)))
def test_any_bounds_give_a_range_around_the_median(
    age_probs: np.ndarray, bounds: np.ndarray
) -> None:
    first, last = AgeRange(*bounds)(age_probs).T
    median = median_age(age_probs)
    assert np.all((first >= 0) & (first <= median) & (median <= last) & (last < AGES))


@given(distributions(), st.floats(0.05, 0.95), st.floats(0.05, 0.95))
def test_a_larger_share_never_narrows_the_range(age_probs: np.ndarray, a: float, b: float) -> None:
    inner, outer = (AgeRange.central(share)(age_probs) for share in sorted((a, b)))
    assert np.all(outer[:, 0] <= inner[:, 0])
    assert np.all(outer[:, 1] >= inner[:, 1])


def test_sharpening_nothing() -> None:
    assert sharpened(NOTHING, 1.5).shape == (0, AGES)


@given(distributions())
def test_power_1_changes_nothing(age_probs: np.ndarray) -> None:
    assert sharpened(age_probs, 1.0) == pytest.approx(age_probs, abs=1e-6)


@given(distributions(), st.floats(0.3, 3))
def test_sharpening_keeps_order_and_mass(age_probs: np.ndarray, power: float) -> None:
    sharp = sharpened(age_probs, power)
    assert sharp.sum(axis=1) == pytest.approx(1, abs=1e-5)
    for before, after in zip(age_probs, sharp, strict=True):
        assert np.all(np.diff(after[np.argsort(before)]) >= -1e-6)


@given(distributions(), st.floats(1.01, 3))
def test_above_1_is_narrower_and_below_1_wider(age_probs: np.ndarray, power: float) -> None:
    def most(probs: np.ndarray) -> np.ndarray:
        return probs.max(axis=1)

    assert np.all(most(sharpened(age_probs, power)) >= most(age_probs) - 1e-6)
    assert np.all(most(sharpened(age_probs, 1 / power)) <= most(age_probs) + 1e-6)


def test_a_power_for_each_row() -> None:
    bell = np.exp(-(((YEARS - 40) / 10) ** 2) / 2)
    two = np.stack([bell, bell]) / bell.sum()
    one, other = sharpened(two, np.array([1, 4], np.float32))
    assert one == pytest.approx(two[0], abs=1e-6)
    low, high = CENTRAL_RANGE(np.stack([one, other])).T
    assert (high - low).tolist() == [26, 12]


@pytest.mark.parametrize(("age", "prob"), [(-3, 1), (0, 1), (18, 0.5), (19, 0), (101, 0), (200, 0)])
def test_at_least(age: int, prob: float) -> None:
    assert at_least(NOTHING, age).shape == (0,)
    assert at_least((ONE_HOTS[[3]] + ONE_HOTS[[18]]) / 2, age) == pytest.approx(prob)
