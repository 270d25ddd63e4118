"""Scores of age and gender predictions. Everything is a function of plain arrays."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from livecam.ages import AgeScheme, central_range

BOOTSTRAP_ROUNDS = 2000
Statistic = Callable[[np.ndarray], float]


def mae(errors: np.ndarray) -> float:
    """Mean absolute error, years."""
    return float(np.abs(errors).mean())


def cs5(errors: np.ndarray) -> float:
    """Cumulative score: the share of errors of at most five years."""
    return float((np.abs(errors) <= 5).mean())


def bootstrap_interval(
    values: np.ndarray, statistic: Statistic, share: float = 0.95, seed: int = 0
) -> tuple[float, float]:
    """The percentile bootstrap interval of a statistic (Efron 1979): (n,) -> (low, high)."""
    rng = np.random.default_rng(seed)
    n = len(values)
    rounds = [statistic(values[rng.integers(0, n, n)]) for _ in range(BOOTSTRAP_ROUNDS)]
    tail = (1 - share) / 2
    low, high = np.quantile(rounds, [tail, 1 - tail])
    return float(low), float(high)


def bin_errors(age_probs: np.ndarray, ages: np.ndarray, scheme: AgeScheme) -> np.ndarray:
    """How many bins the likeliest bin is from the label's: (n, 101), (n,) -> (n,) int."""
    return np.argmax(scheme.bin_probs(age_probs), axis=1) - scheme.bins_of(ages)


def mean_recall(age_probs: np.ndarray, ages: np.ndarray, scheme: AgeScheme) -> float:
    """Accuracy averaged over the bins that occur, so that each counts the same."""
    right = bin_errors(age_probs, ages, scheme) == 0
    bins = scheme.bins_of(ages)
    return float(np.mean([right[bins == b].mean() for b in np.unique(bins)]))


def held(age_probs: np.ndarray, ages: np.ndarray) -> np.ndarray:
    """Whether the 80 % range holds the label, by whole years: (n,) bool."""
    low, high = central_range(age_probs).T
    whole = np.minimum(np.floor(ages), age_probs.shape[1] - 1)
    return (low <= whole) & (whole <= high)


def majority_share(bins: np.ndarray) -> float:
    """The accuracy of always naming the most frequent bin."""
    return float(np.bincount(bins).max() / len(bins))
