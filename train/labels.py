"""What data sets say about faces: an age or an interval of ages, gender, ethnicity."""

from __future__ import annotations

import functools
import math
import re
from dataclasses import dataclass

import numpy as np

from livecam.datatypes import AGES

MALE, FEMALE, UNKNOWN = 0, 1, -1
ETHNICITIES = ("White", "Black", "Asian", "Indian", "Others")  # UTKFace's, by its numbers
GENDERS = ("male", "female")  # by their numbers
GENDER_WORDS = {"m": MALE, "male": MALE, "f": FEMALE, "female": FEMALE, "u": UNKNOWN, "": UNKNOWN}

OLDEST = 116  # no label is believed above
OPEN_END = AGES - 1  # `65+` ends here

Interval = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Label:
    """`age` in years, within the whole years `age_low` to `age_high`, both inclusive: one year
    for an exact age, whose fraction `age` keeps; otherwise `age` is the middle of the interval.
    `gender` and `ethnicity` as numbers, -1 where the data set has none."""

    age: float
    age_low: int
    age_high: int
    gender: int = UNKNOWN
    ethnicity: int = UNKNOWN


@functools.cache  # a million rows share some thousand labels
def exact(age: float, gender: int = UNKNOWN, ethnicity: int = UNKNOWN) -> Label:
    """The label of a known age, which may have a fraction."""
    return Label(age, math.floor(age), math.floor(age), gender, ethnicity)


@functools.cache
def between(low: int, high: int, gender: int = UNKNOWN, ethnicity: int = UNKNOWN) -> Label:
    """The label of an age from `low` to `high` whole years, both inclusive."""
    return Label((low + high) / 2, low, high, gender, ethnicity)


def of_text(text: str, gender: int = UNKNOWN, ethnicity: int = UNKNOWN) -> Label | None:
    """`25`, `25.4`, `18-24`, `(25, 32)`, `65+` or `more than 70`; None for anything else, and for
    ages that nobody reaches."""
    text = text.strip().lower()
    if re.fullmatch(r"\d{1,3}(\.\d+)?", text):
        age = float(text)
        return exact(age, gender, ethnicity) if age <= OLDEST else None
    interval = interval_of(text)
    return between(*interval, gender, ethnicity) if interval else None


def interval_of(text: str) -> Interval | None:
    """Whole years, both inclusive: `18-24`, `(25, 32)`, `65+`, `more than 70`, and `25` alone."""
    text = text.strip().lower()
    if match := re.fullmatch(r"(\d{1,3})\+|more than (\d{1,3})", text):
        low, high = int(match[1] or match[2]), OPEN_END
    elif match := re.fullmatch(r"(\d{1,3})\s*[-–]\s*(\d{1,3})|\((\d+), *(\d+)\)", text):
        low, high = int(match[1] or match[3]), int(match[2] or match[4])
    elif re.fullmatch(r"\d{1,3}", text):
        low = high = int(text)
    else:
        return None
    return (low, high) if low <= high <= OLDEST else None


@dataclass(frozen=True)
class Labels:
    """What is known of n faces, (n,) each. An `age` in years is known to lie in the whole years
    `low`..`high`, both inclusive, which are equal for an exact one; `gender` and `ethnicity` are
    numbers, -1 unknown."""

    age: np.ndarray
    low: np.ndarray
    high: np.ndarray
    gender: np.ndarray
    ethnicity: np.ndarray

    def __len__(self) -> int:
        return len(self.age)

    def __getitem__(self, rows: np.ndarray) -> Labels:
        """Rows by boolean mask or integer array."""
        return Labels(
            self.age[rows],
            self.low[rows],
            self.high[rows],
            self.gender[rows],
            self.ethnicity[rows],
        )

    @property
    def is_interval(self) -> np.ndarray:
        return self.high > self.low

    @property
    def ends(self) -> tuple[np.ndarray, np.ndarray]:
        """Between which years (n,), (n,) the ages lie: an exact one is both, with its fraction."""
        return (
            np.where(self.is_interval, self.low, self.age),
            np.where(self.is_interval, self.high, self.age),
        )
