"""Make the age range honest: it shall hold the label as often as it says, at every age.

The distribution is raised to an exponent (temperature scaling, Guo et al. 2017), and the exponent
depends on the answered age: a network is surer of children than their labels allow, and less sure
of people in their fifties.
"""

from __future__ import annotations

import numpy as np

from livecam.ages import RANGE_SHARE, median_age, sharpened
from train import metrics
from train.scores import age_bands

KNOTS = (0, 6, 14, 24, 34, 44, 54, 66)  # ages; between them the exponent is interpolated
POWERS = np.geomspace(0.25, 4, 33)
ROUNDS = 3
MIN_FACES = 15  # of a band, for its share to count
ALL = 100  # weight of the share over all faces: at 10 it comes out 2 points too high
SMOOTHNESS = 0.003  # weight of the differences between exponents


def age_powers(age_probs: np.ndarray, ages: np.ndarray) -> dict[int, float]:
    """(n, 101), (n,) -> the exponent at each of KNOTS under which the central range holds its
    share of the labels as nearly as it can be, in each age band and in all."""
    answered = median_age(age_probs)
    bands = [rows for _, rows in age_bands(ages) if rows.sum() >= MIN_FACES]

    def cost(powers: np.ndarray) -> float:
        held = metrics.held(sharpened(age_probs, np.interp(answered, KNOTS, powers)), ages)
        shares = np.array([held[rows].mean() for rows in bands])
        rough = np.square(np.diff(np.log(powers))).sum()
        return float(
            np.square(shares - RANGE_SHARE).sum()
            + ALL * np.square(held.mean() - RANGE_SHARE)
            + SMOOTHNESS * rough
        )

    powers = min((np.full(len(KNOTS), power) for power in POWERS), key=cost)
    for _ in range(ROUNDS):
        for knot in range(len(KNOTS)):
            tried = np.tile(powers, (len(POWERS), 1))
            tried[:, knot] = POWERS
            powers = min(tried, key=cost)
    return {age: round(float(power), 3) for age, power in zip(KNOTS, powers, strict=True)}
