"""The calibration of the age range, on people whose guesses are too sure or not sure enough."""

from __future__ import annotations

import numpy as np
import pytest

from livecam.ages import YEARS, median_age, sharpened
from train import metrics
from train.calibrate import KNOTS, age_powers


def _guesses(said: float, true: float, low: int, high: int, n: int = 500) -> tuple:
    """Bells of width `said` around guesses that are off by `true` years, and the labels."""
    rng = np.random.default_rng(0)
    ages = rng.integers(low, high, n)
    centre = ages + rng.normal(0, true, n)
    probs = np.exp(-(((YEARS - centre[:, None]) / said) ** 2) / 2)
    return (probs / probs.sum(axis=1, keepdims=True)).astype(np.float32), ages.astype(float)


@pytest.mark.parametrize("said", [3.0, 6.0, 10.0])
def test_the_range_holds_its_share_whatever_the_network_says(said: float) -> None:
    probs, ages = _guesses(said, 6.0, 15, 80)
    powers = age_powers(probs, ages)
    calibrated = sharpened(probs, np.interp(median_age(probs), KNOTS, list(powers.values())))
    assert metrics.held(calibrated, ages).mean() == pytest.approx(0.8, abs=0.04)
    assert powers[34] == pytest.approx((said / 6) ** 2, rel=0.35)


def test_each_age_has_its_own_exponent() -> None:
    young, young_ages = _guesses(6.0, 3.0, 10, 30)
    old, old_ages = _guesses(6.0, 12.0, 55, 80)
    powers = age_powers(np.concatenate([young, old]), np.concatenate([young_ages, old_ages]))
    assert powers[14] > 1.5 > 0.8 > powers[66]


def test_few_faces_are_enough_to_answer() -> None:
    probs, ages = _guesses(6.0, 6.0, 20, 40, n=3)
    assert list(age_powers(probs, ages)) == list(KNOTS)
