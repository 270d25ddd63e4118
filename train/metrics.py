"""Scores of age and gender predictions. Everything is a function of plain arrays."""

from __future__ import annotations

import numpy as np

from livecam.datatypes import AGES

BOOTSTRAP_ROUNDS = 2000
INTERVAL = 0.95  # of the bootstrap
CURVE_YEARS = 15
TENTHS = 10  # of the probabilities from 0 to 1


def mae(errors: np.ndarray) -> float:
    """Mean absolute error, years."""
    return float(np.abs(errors).mean())


def cs5(errors: np.ndarray) -> float:
    """Cumulative score: the share of errors of at most five years."""
    return float((np.abs(errors) <= 5).mean())


def signed_errors(answers: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """How far each answer lies from its label's interval, years: (n,) x 3 -> (n,).

    0 within the interval, negative below it; an exact label has `low` equal to `high`.
    """
    return np.maximum(answers - high, 0) - np.maximum(low - answers, 0)


def cs_curve(errors: np.ndarray) -> np.ndarray:
    """The share of errors of at most 0, 1, … 15 years: (n,) -> (16,)."""
    return (np.abs(errors)[None, :] <= np.arange(CURVE_YEARS + 1)[:, None]).mean(axis=1)


def bootstrap_interval(values: np.ndarray) -> tuple[float, float]:
    """The 95 % percentile bootstrap interval of a mean (Efron 1979): (n,) -> (low, high)."""
    rng = np.random.default_rng(0)
    n = len(values)
    rounds = [values[rng.integers(0, n, n)].mean() for _ in range(BOOTSTRAP_ROUNDS)]
    tail = (1 - INTERVAL) / 2
    low, high = np.quantile(rounds, [tail, 1 - tail])
    return float(low), float(high)


def range_meets(ranges: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Whether a range (n, 2) and the label's whole years low..high overlap: (n,) bool."""
    first, last = ranges.T
    return (first <= high) & (np.minimum(low, AGES - 1) <= last)


def majority_share(bins: np.ndarray) -> float:
    """The accuracy of always naming the most frequent bin."""
    return float(np.bincount(bins).max() / len(bins))


def cross_table(rows: np.ndarray, columns: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """How often each pair of numbers occurs: (n,), (n,) -> `shape`.

    Of true and answered classes it is the confusion, a row for each true class.
    """
    table = np.zeros(shape, int)
    np.add.at(table, (rows, columns), 1)
    return table


def class_scores(confusion: np.ndarray) -> dict[str, np.ndarray]:
    """`precision`, `recall` and `f1` (classes,) of a confusion; NaN where there is no face.

    A class that nothing was answered with has no precision; one that does not occur, no recall.
    """
    right, occurs, answered = np.diag(confusion), confusion.sum(axis=1), confusion.sum(axis=0)
    with np.errstate(invalid="ignore"):
        return {
            "precision": right / answered,
            "recall": right / occurs,
            "f1": 2 * right / (occurs + answered),
        }


def roc_auc(is_class: np.ndarray, scores: np.ndarray) -> float:
    """The chance that a face of the class scores above one that is not; a tie counts half.

    (n,) bool, (n,) -> area under the ROC curve (Mann and Whitney 1947); NaN with one class only.
    """
    others = np.sort(scores[~is_class])
    members = scores[is_class]
    if not len(members) or not len(others):
        return float("nan")
    below = np.searchsorted(others, members, side="left")
    not_above = np.searchsorted(others, members, side="right")
    return float((below + not_above).mean() / 2 / len(others))


def reliability(
    probs: np.ndarray, is_right: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean probability, accuracy and faces of each tenth of 0..1 that occurs: (n,) x 2 -> (b,) x 3.

    The points of a reliability diagram (Niculescu-Mizil and Caruana 2005).
    """
    place = np.minimum((probs * TENTHS).astype(int), TENTHS - 1)
    faces = np.bincount(place, minlength=TENTHS)
    occurs = faces > 0
    said = np.bincount(place, probs, TENTHS)[occurs] / faces[occurs]
    came = np.bincount(place, is_right, TENTHS)[occurs] / faces[occurs]
    return said, came, faces[occurs]


def calibration_error(probs: np.ndarray, is_right: np.ndarray) -> float:
    """Expected calibration error (Naeini et al. 2015): the mean gap of `reliability`, by faces."""
    said, came, faces = reliability(probs, is_right)
    return float(np.average(np.abs(said - came), weights=faces))
