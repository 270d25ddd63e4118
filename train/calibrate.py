"""Make the age range honest: it is meant to hold the ages of four in five people of every age.

A network that errs towards the middle has too many teenagers and too many of the old above or below
its ranges, however wide these are for all. So the range is made of the years that are plausible by
themselves: a year belongs to it unless its place in the distribution is where only a tenth of the
people of that age have theirs. This is conformal prediction, conditional on the label (Vovk 2012).
"""

from __future__ import annotations

import numpy as np

from livecam.ages import RANGE_SHARE
from livecam.datatypes import AGES

KNOTS = (0, 2, 4, 7, 10, 13, 16, 20, 25, 30, 36, 43, 51, 60, 70, 82, 100)  # ages
SPREAD = 1.0, 0.1  # of the faces that speak for an age: years, and years more for each year of age
MIN_FACES = 20  # that speak for an age
STEP = 1e-4  # of a bound


def range_bounds(age_probs: np.ndarray, ages: np.ndarray) -> dict[int, list[float]]:
    """Of distributions (n, 101) and exact ages (n,): for each age of KNOTS the `low` and `high` of
    `livecam.ages.AgeRange`."""
    labels = np.minimum(np.floor(ages), AGES - 1).astype(int)
    own = age_probs[np.arange(len(labels)), labels]
    up_to = np.cumsum(age_probs, axis=1)[np.arange(len(labels)), labels]
    tail = (1 - RANGE_SHARE) / 2
    bounds = {}
    for age in KNOTS:
        weights = _nearness(labels, age)
        low, high = (
            np.quantile(places, share, weights=weights, method="inverted_cdf")
            for places, share in ((up_to, tail), (up_to - own, 1 - tail))
        )
        # outwards: who lies on a bound is held, and nobody is too young for the age of 0
        outer = np.floor(low / STEP) * STEP, min((np.floor(high / STEP) + 1) * STEP, 1.0)
        bounds[age] = [round(float(bound), 4) for bound in outer]
    return bounds


def age_prior(age_probs: np.ndarray) -> list[float]:
    """How often the network answers each age on faces like those it learnt from: the mean of
    distributions (n, 101)."""
    return [round(float(share), 5) for share in age_probs.mean(axis=0)]


def _nearness(labels: np.ndarray, age: int) -> np.ndarray:
    """How much each face says of an age, 0 to 1: (n,). Widened until enough of them speak."""
    years, years_per_year = SPREAD
    spread = years + years_per_year * age
    while True:
        weights = np.exp(-np.square((labels - age) / spread) / 2)
        if weights.sum() >= min(MIN_FACES, len(labels) / 2):
            return weights
        spread *= 1.25
