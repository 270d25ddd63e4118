"""The calibration of the age range, on people whose guesses are too sure, not sure enough, or lean
to the middle."""

from __future__ import annotations

import numpy as np
import pytest
from faces_data import bells

from livecam.ages import CENTRAL_RANGE, YEARS, AgeRange
from train import metrics
from train.calibrate import KNOTS, range_bounds


def _guesses(said: float, true: float, lean: float = 0, seed: int = 0, n: int = 3000) -> tuple:
    """Bells of width `said` around guesses that are off by `true` years and `lean` of the way
    towards 40, and the labels."""
    rng = np.random.default_rng(seed)
    ages = rng.integers(5, 90, n)
    centre = ages + lean * (40 - ages) + rng.normal(0, true, n)
    return bells(centre, said), ages


def _held(age_range: AgeRange, probs: np.ndarray, ages: np.ndarray) -> np.ndarray:
    return metrics.range_meets(age_range(probs), ages, ages)


@pytest.mark.parametrize("said", [3.0, 6.0, 10.0])
def test_the_range_holds_its_share_of_others_whatever_the_network_says(said: float) -> None:
    calibrated = AgeRange.by_age(range_bounds(*_guesses(said, 6.0)))
    others = _guesses(said, 6.0, seed=1)
    assert _held(calibrated, *others).mean() == pytest.approx(0.8, abs=0.03)
    first, last = calibrated(others[0]).T
    assert (last - first).mean() == pytest.approx(2 * 1.28 * 6, rel=0.1)


def test_it_does_so_at_every_age_where_the_network_leans_to_the_middle() -> None:
    learnt, (probs, ages) = _guesses(6.0, 6.0, lean=0.25), _guesses(6.0, 6.0, 0.25, seed=1)
    calibrated = AgeRange.by_age(range_bounds(*learnt))
    for low, high in ((5, 12), (13, 19), (20, 39), (40, 69), (70, 89)):
        rows = (ages >= low) & (ages <= high)
        assert _held(calibrated, probs[rows], ages[rows]).mean() == pytest.approx(0.8, abs=0.08)
    old = ages >= 75  # whom no middle range holds
    assert _held(CENTRAL_RANGE, probs[old], ages[old]).mean() < 0.5


def test_ages_that_are_far_from_all_others_speak_for_themselves() -> None:
    """Newborns beside adults: nobody below them may make their range too old."""
    rng = np.random.default_rng(0)
    ages = np.where(np.arange(2000) < 400, 0, rng.integers(20, 60, 2000))
    guesses = np.where(ages == 0, rng.choice([0, 1, 2], 2000, p=[0.3, 0.4, 0.3]), ages)
    probs = np.exp(-np.abs(YEARS - guesses[:, None]) / 0.7).astype(np.float32)
    probs /= probs.sum(axis=1, keepdims=True)
    held = _held(AgeRange.by_age(range_bounds(probs, ages)), probs, ages)
    assert held[ages == 0].mean() >= 0.8


def test_neighbouring_ages_speak_too_but_not_far_ones() -> None:
    """Of each age there are six faces; guesses of 30-49 are far worse than others."""
    rng = np.random.default_rng(0)
    ages = np.repeat(np.arange(5, 90), 6)
    off = np.where((ages >= 30) & (ages < 50), 12, 3)

    def guesses() -> np.ndarray:
        return bells(ages + rng.normal(0, off), 5)

    held = [
        _held(AgeRange.by_age(range_bounds(guesses(), ages)), guesses(), ages) for _ in range(20)
    ]
    for rows in (ages < 25, (ages >= 33) & (ages < 47), (ages >= 60) & (ages < 80)):
        assert np.mean([each[rows] for each in held]) == pytest.approx(0.8, abs=0.06)


def test_few_faces_are_enough_to_answer() -> None:
    probs, ages = _guesses(6.0, 6.0, n=1)
    bounds = range_bounds(probs, ages)
    assert list(bounds) == list(KNOTS)
    assert _held(AgeRange.by_age(bounds), probs, ages).all()


def test_whoever_is_over_100_counts_as_100() -> None:
    probs, ages = _guesses(6.0, 6.0)
    assert range_bounds(probs, np.where(ages > 80, 116, ages))[100] == pytest.approx(
        range_bounds(probs, np.where(ages > 80, 100, ages))[100]
    )
