"""Age schemes, and what a distribution over the years 0..100 says in each.

One distribution serves every scheme: a bin's probability is the sum over its years, so changing
the scheme needs no retraining.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from livecam.datatypes import AGES, Array
from livecam.errors import UsageError

YEARS = np.arange(AGES, dtype=np.float32)
RANGE_SHARE = 0.8  # what the range from age_low to age_high is meant to hold


@dataclass(frozen=True, slots=True)
class AgeScheme:
    """Named, ordered bins that tile 0..100 without a gap.

    `starts` are the first years of the bins; the first is 0. A bin ends where the next starts.
    """

    name: str
    starts: tuple[int, ...]

    def __post_init__(self) -> None:
        rising = all(a < b for a, b in pairwise(self.starts))
        if not self.starts or self.starts[0] != 0 or not rising or self.starts[-1] >= AGES:
            raise UsageError(
                f"age scheme {self.name!r}: expected rising first years that begin with 0 and stay "
                f"below {AGES}, received {list(self.starts)}"
            )

    @property
    def labels(self) -> tuple[str, ...]:
        """Inclusive and in ASCII: `0-12`, `25-34`, `65+`; a bin of one year is `0`."""
        closed = [str(a) if a == b - 1 else f"{a}-{b - 1}" for a, b in pairwise(self.starts)]
        return (*closed, f"{self.starts[-1]}+")

    def bin_probs(self, age_probs: Array) -> Array:
        """(n, 101) -> (n, bins); rows keep their sum."""
        return np.add.reduceat(age_probs, self.starts, axis=1).astype(np.float32)

    def bins_of(self, ages: Array) -> np.ndarray:
        """The index of each age's bin; ages above 100 count as 100."""
        return np.searchsorted(self.starts, np.floor(ages), side="right") - 1


# The outer bins of the published schemes are extended so that all tile 0..100.
SCHEMES = {
    scheme.name: scheme
    for scheme in (
        AgeScheme("marketing", (0, 13, 18, 25, 35, 45, 55, 65)),
        AgeScheme("decades", (0, 10, 20, 30, 40, 50, 60, 70, 80)),
        AgeScheme("life-stages", (0, 3, 8, 13, 20, 37, 66)),
        AgeScheme("megaage-7", (0, 11, 21, 31, 41, 51, 61)),
        AgeScheme("utk-12", (0, 4, 11, 18, 23, 27, 33, 38, 46, 54, 63, 74)),
        AgeScheme("utk-14", (0, 6, 11, 16, 21, 26, 31, 36, 41, 46, 51, 56, 61, 66)),
        AgeScheme("utk-8", (0, 6, 19, 26, 36, 46, 51, 66)),
        AgeScheme("actors-3", (0, 31, 51)),
    )
}


def expected_age(age_probs: Array) -> Array:
    """Expected age of Rothe et al., DEX. (n, 101) -> (n,), years."""
    return (age_probs @ YEARS).astype(np.float32)


def median_age(age_probs: Array) -> Array:
    """The year in the middle of each distribution: (n, 101) -> (n,), whole years.

    Labels are completed years, and no other answer has a smaller mean absolute error under the
    distribution.
    """
    middle = (np.cumsum(age_probs, axis=1) < 0.5 - 1e-6).sum(axis=1)
    return np.minimum(middle, AGES - 1).astype(np.float32)


# of two answers about one person who was out of sight in between, at least: a man in front of a
# webcam reaches it nearly always, two people in a street seldom
SAME_LIKENESS = 0.75


def likeness(one: tuple[Array, float], other: tuple[Array, float]) -> float:
    """Of two answers: ages (101,), and how likely female. Bhattacharyya's coefficient, 0 to 1."""
    (p, p_female), (q, q_female) = one, other
    genders = math.sqrt(p_female * q_female) + math.sqrt((1 - p_female) * (1 - q_female))
    return float(np.sqrt(p * q).sum()) * genders


@dataclass(frozen=True, slots=True, eq=False)
class AgeRange:
    """Callable: distributions (n, 101) -> the first and last years of their ranges (n, 2) int.

    A year belongs to a range where P(age <= it) is at least `low` and P(age < it) less than
    `high`: one number, or one for each year (101,), as `train.calibrate` finds them. The range
    goes from the first such year to the last, and never leaves out the median.
    """

    low: Array | float
    high: Array | float

    @classmethod
    def central(cls, share: float = RANGE_SHARE) -> AgeRange:
        """The years between which the middle `share` of each distribution lies."""
        return cls((1 - share) / 2, (1 + share) / 2)

    @classmethod
    def by_age(cls, bounds: Mapping[float, Sequence[float]]) -> AgeRange:
        """Of `{age: (low, high), …}`, between the ages that are given.

        Raises ValueError or TypeError unless there is one age, and all are numbers, ages from 0
        to 100 and bounds from 0 to 1.
        """
        if not isinstance(bounds, Mapping):
            raise TypeError(f"expected ages and their bounds, got {bounds!r}")
        ages, both = np.array(sorted(bounds), float), np.array([bounds[k] for k in sorted(bounds)])
        if not len(ages) or not np.all((ages >= 0) & (ages < AGES)):
            raise ValueError(f"expected ages from 0 to {AGES - 1}, got {list(bounds)}")
        if both.shape != (len(ages), 2) or not np.all((both >= 0) & (both <= 1)):
            raise ValueError(f"expected two bounds from 0 to 1 for each age, got {dict(bounds)}")
        low, high = (np.interp(YEARS, ages, bound) for bound in both.T)
        return cls(low, high)

    def __call__(self, age_probs: Array) -> np.ndarray:
        up_to = np.cumsum(age_probs, axis=1)
        below = np.zeros_like(up_to)
        below[:, 1:] = up_to[:, :-1]
        belongs = (up_to >= self.low - 1e-6) & (below < self.high - 1e-6)
        rows = np.arange(len(belongs))
        belongs[rows, median_age(age_probs).astype(int)] = True
        first, last = belongs.argmax(axis=1), belongs[:, ::-1].argmax(axis=1)
        return np.stack([first, AGES - 1 - last], axis=1)


CENTRAL_RANGE = AgeRange.central()


def sharpened(age_probs: Array, power: Array | float) -> Array:
    """Each distribution raised to `power` and normalised: above 1 narrower, below 1 wider."""
    logs = np.log(np.maximum(age_probs, 1e-9)) * np.reshape(power, (-1, 1))
    probs = np.exp(logs - logs.max(axis=1, keepdims=True, initial=-np.inf))
    return (probs / probs.sum(axis=1, keepdims=True)).astype(np.float32)


def at_least(age_probs: Array, age: int) -> Array:
    """P(age >= `age`): (n, 101) -> (n,)."""
    return age_probs[:, max(age, 0) :].sum(axis=1)
