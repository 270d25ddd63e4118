"""Scores on plain arrays."""

from __future__ import annotations

import numpy as np
import pytest

from livecam.ages import SCHEMES
from train import metrics


def _one_hot(*years: int) -> np.ndarray:
    return np.eye(101, dtype=np.float32)[list(years)]


def test_mae_and_cs5() -> None:
    errors = np.array([-6.0, 5.0, 0.0, 1.0])
    assert metrics.mae(errors) == 3.0
    assert metrics.cs5(errors) == 0.75


def test_the_bootstrap_interval_holds_the_value_and_narrows_with_more_data() -> None:
    rng = np.random.default_rng(1)
    widths = []
    for n in (50, 5000):
        values = rng.normal(3, 1, n)
        low, high = metrics.bootstrap_interval(values, lambda v: float(v.mean()))
        assert low < values.mean() < high
        widths.append(high - low)
    assert widths[1] < widths[0] / 5
    assert widths[1] == pytest.approx(2 * 1.96 / np.sqrt(5000), rel=0.1)


def test_bins_are_counted_from_the_label() -> None:
    ages = np.array([12.0, 13.0, 66.0, 110.0])
    errors = metrics.bin_errors(_one_hot(12, 12, 30, 100), ages, SCHEMES["marketing"])
    assert errors.tolist() == [0, -1, -4, 0]


def test_mean_recall_counts_every_bin_the_same() -> None:
    ages = np.array([5.0] * 9 + [70.0])
    assert metrics.mean_recall(_one_hot(*[5] * 10), ages, SCHEMES["marketing"]) == 0.5


def test_held_goes_by_whole_years_and_caps_at_100() -> None:
    held = metrics.held(_one_hot(30, 30, 100), np.array([30.9, 31.0, 116.0]))
    assert held.tolist() == [True, False, True]


def test_majority_share() -> None:
    assert metrics.majority_share(np.array([2, 2, 0, 2])) == 0.75
