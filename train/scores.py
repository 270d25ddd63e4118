"""All measures of a model on a part of the data, as plain numbers.

Everything is a function of labels and answers: no picture, no file, no model.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from livecam.ages import SCHEMES, AgeRange, AgeScheme, expected_age, median_age
from livecam.datatypes import AgeGender
from train import metrics
from train.labels import ETHNICITIES, GENDERS, Labels

AGE_BANDS = ((0, 2), (3, 12), (13, 19), (20, 29), (30, 39), (40, 49), (50, 59), (60, 69), (70, 116))
RANGE_SHARES = (0.5, 0.6, 0.7, 0.8, 0.9)
NOT_KNOWN = "not known"  # a group
MIN_GROUP = 20  # fewer faces say too little to be called the worst


@dataclass(frozen=True)
class Judged:
    """Per face (n,): `errors` in years, `is_right` of the gender where that is `known`; of the 80 %
    range `held`, whether it holds the label, and its `width` in years."""

    errors: np.ndarray
    is_right: np.ndarray
    known: np.ndarray
    held: np.ndarray
    width: np.ndarray


def age_errors(answers: np.ndarray, labels: Labels) -> np.ndarray:
    """Years from an exact label, or to the nearest end of an interval; negative: too young."""
    return metrics.signed_errors(answers, *labels.ends)


def gender_judged(labels: Labels, answer: AgeGender) -> tuple[np.ndarray, np.ndarray]:
    """Whether the gender is right, and whether that can be said: (n,) bool each."""
    is_right = (answer.female_prob >= 0.5) == (labels.gender == 1)
    return is_right, (labels.gender >= 0) & (answer.female_prob != 0.5).any()  # else not learnt


def judged(labels: Labels, answer: AgeGender, age_range: AgeRange) -> Judged:
    """What the median ages, the genders and the ranges of n answers are worth."""
    ranges = age_range(answer.age_probs)
    return Judged(
        age_errors(median_age(answer.age_probs), labels),
        *gender_judged(labels, answer),
        metrics.range_meets(ranges, labels.low, labels.high),
        ranges[:, 1] - ranges[:, 0] + 1,
    )


def score(
    labels: Labels,
    answer: AgeGender,
    age_range: AgeRange,
    train_ages: np.ndarray,
    pictures: Mapping[str, np.ndarray] | None = None,
    schemes: Mapping[str, AgeScheme] = SCHEMES,
) -> dict[str, Any]:
    """All measures of one part; shares are from 0 to 1, ages in years, None where none is known.

    `train_ages` give the constant answer, or the judged ages if there are none; `pictures` are
    their statistics (n,) by name, `schemes` those in whose bins answers are counted.
    """
    judgement = judged(labels, answer, age_range)
    errors, is_right, known = judgement.errors, judgement.is_right, judgement.known
    expected_errors = age_errors(expected_age(answer.age_probs), labels)
    constant = float(np.median(train_ages if len(train_ages) else labels.age))
    is_of_these = not len(train_ages)
    constant_errors = age_errors(np.full(len(labels), constant), labels)
    groups = _groups(labels, judgement, pictures or {})
    return {
        "faces": len(labels),
        "interval_labels": int(labels.is_interval.sum()),
        "in_several_bands": int((~_in_a_band(labels)).sum()),
        "mae": _measured(np.abs(errors)),
        "expected_age_mae": _measured(np.abs(expected_errors)),
        "mae_13_19": _measured(np.abs(errors[within(labels.low, labels.high, 13, 19)])),
        "mae_40_69": _measured(np.abs(errors[within(labels.low, labels.high, 40, 69)])),
        "cs5": _measured(np.abs(errors) <= 5),
        "expected_age_cs5": _measured(np.abs(expected_errors) <= 5),
        "cs_curve": _numbers(metrics.cs_curve(errors)),
        "gender": _measured(is_right[known]),
        "gender_13_and_over": _mean(is_right[known & (labels.low >= 13)]),
        "gender_auc": _number(
            metrics.roc_auc(labels.gender[known] == 1, answer.female_prob[known])
        ),
        "gender_calibration_error": _gender_calibration_error(answer, is_right, known),
        "range_holds": _mean(judgement.held),
        "range_years": _mean(judgement.width),
        "central_ranges": central_ranges(labels, answer),
        "constant": {
            "age": constant,
            "is_of_these_faces": is_of_these,
            "mae": metrics.mae(constant_errors),
            "cs5": metrics.cs5(constant_errors),
        },
        "majority_gender": metrics.majority_share(labels.gender[known]) if known.any() else None,
        "worst": {
            "age_and_gender": _worst(groups["by_age_and_gender"]),
            "ethnicity": _worst(groups["by_ethnicity"]),
        },
        "schemes": {name: scheme_scores(labels, answer, schemes[name]) for name in schemes},
        **groups,
    }


def _groups(
    labels: Labels, judgement: Judged, pictures: Mapping[str, np.ndarray]
) -> dict[str, dict[str, Any]]:
    """The scores of every group of faces, by what they are grouped by."""

    def each(rows: Iterable[tuple[str, np.ndarray]]) -> dict[str, Any]:
        return {name: _group(labels, judgement, where) for name, where in rows}

    genders = [(name, labels.gender == number) for number, name in enumerate(GENDERS)]
    ethnicities = [(name, labels.ethnicity == number) for number, name in enumerate(ETHNICITIES)]
    return {
        "by_age": each(age_bands(labels.low, labels.high)),
        "by_gender": each([*genders, (NOT_KNOWN, labels.gender < 0)]),
        "by_ethnicity": each([*ethnicities, (NOT_KNOWN, labels.ethnicity < 0)]),
        "by_age_and_gender": each(
            (f"{band} {gender}", of_age & of_gender)
            for band, of_age in age_bands(labels.low, labels.high)
            for gender, of_gender in genders
        ),
        "by_picture": each(
            (f"{name} {quarter}", where)
            for name, values in pictures.items()
            for quarter, where in quarters(values)
        ),
    }


def _in_a_band(labels: Labels) -> np.ndarray:
    return np.any([rows for _, rows in age_bands(labels.low, labels.high)], axis=0)


def _gender_calibration_error(
    answer: AgeGender, is_right: np.ndarray, known: np.ndarray
) -> float | None:
    if not known.any():
        return None
    return metrics.calibration_error(gender_confidence(answer)[known], is_right[known])


def gender_confidence(answer: AgeGender) -> np.ndarray:
    """The probability of the gender that is answered: (n,) in 0.5..1."""
    return np.maximum(answer.female_prob, 1 - answer.female_prob)


def central_ranges(labels: Labels, answer: AgeGender) -> list[dict[str, float]]:
    """What share of the labels the central ranges of several shares hold, and their width."""
    rows = []
    for share in RANGE_SHARES:
        ranges = AgeRange.central(share)(answer.age_probs)
        met = metrics.range_meets(ranges, labels.low, labels.high)
        years = float((ranges[:, 1] - ranges[:, 0] + 1).mean())
        rows.append({"share": share, "holds": float(met.mean()), "years": years})
    return rows


def bins_of(low: np.ndarray, high: np.ndarray, scheme: AgeScheme) -> tuple[np.ndarray, np.ndarray]:
    """The bin of each label, of ages from `low` to `high` (n,), and whether it lies in that one
    alone (n,): an age that may be in two classes has none."""
    bins = scheme.bins_of(low)
    return bins, bins == scheme.bins_of(high)


def scheme_scores(labels: Labels, answer: AgeGender, scheme: AgeScheme) -> dict[str, Any]:
    """The scheme as a classifier, on the faces whose label lies in one of its bins.

    `confusion`: a row is the label's bin, a column the likeliest one, in the order of `classes`.
    """
    truth, rows = bins_of(labels.low, labels.high, scheme)
    truth = truth[rows]
    probs = scheme.bin_probs(answer.age_probs[rows])
    guess = probs.argmax(axis=1)
    classes = len(scheme.labels)
    accuracy = _measured(truth == guess)
    confusion = metrics.cross_table(truth, guess, (classes, classes))
    by_class = metrics.class_scores(confusion)
    aucs = np.array([metrics.roc_auc(truth == i, probs[:, i]) for i in range(classes)])
    occurs = confusion.sum(axis=1) > 0
    return {
        "faces": int(rows.sum()),
        "accuracy": accuracy and accuracy["value"],
        "accuracy_interval": accuracy and [accuracy["low"], accuracy["high"]],
        "within_one_bin": _mean(np.abs(truth - guess) <= 1),
        "mean_recall": _mean(by_class["recall"][occurs]),
        "mean_precision": _mean(np.nan_to_num(by_class["precision"][occurs])),
        "mean_f1": _mean(by_class["f1"][occurs]),
        "mean_auc": _mean(aucs[np.isfinite(aucs)]),
        "calibration_error": (
            metrics.calibration_error(probs.max(axis=1), truth == guess) if len(truth) else None
        ),
        "majority": metrics.majority_share(truth) if len(truth) else None,
        "classes": [
            {
                "label": label,
                "faces": int(confusion[i].sum()),
                **{name: _number(values[i]) for name, values in by_class.items()},
                "auc": _number(aucs[i]),
            }
            for i, label in enumerate(scheme.labels)
        ],
        "confusion": confusion.tolist(),
    }


def within(low: np.ndarray, high: np.ndarray, first: int, last: int) -> np.ndarray:
    """Which labels, of ages from `low` to `high` (n,), lie in the years `first` to `last` with all
    of their interval: (n,) bool."""
    return (low >= first) & (high <= last)


def age_bands(low: np.ndarray, high: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """(name, rows (n,) bool) of each band: the labels that lie `within` it. One that may be in two
    bands is in none, as with the bins of a scheme."""
    for first, last in AGE_BANDS:
        yield f"{first}-{last}", within(low, high, first, last)


def quarters(values: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """(name, rows (n,) bool) of the quarters of a measure, lowest first."""
    place = np.searchsorted(np.quantile(values, (0.25, 0.5, 0.75)), values, side="left")
    for number, name in enumerate(("lowest quarter", "second", "third", "highest quarter")):
        yield name, place == number


def _group(labels: Labels, judgement: Judged, rows: np.ndarray) -> dict[str, float | int | None]:
    errors = judgement.errors[rows]
    return {
        "faces": int(rows.sum()),
        "mae": metrics.mae(errors) if len(errors) else None,
        "bias": _mean(errors),
        "gender": _mean(judgement.is_right[rows & judgement.known]),
        "range_holds": _mean(judgement.held[rows]),
        "range_years": _mean(judgement.width[rows]),
    }


def _worst(groups: Mapping[str, Mapping[str, Any]]) -> dict[str, Any] | None:
    """The group of enough faces with the largest error, and how many times the mean's it is: that
    of all faces whose group is known."""
    known = {name: group for name, group in groups.items() if group["faces"] and name != NOT_KNOWN}
    large = {name: group for name, group in known.items() if group["faces"] >= MIN_GROUP}
    if len(large) < 2:
        return None  # there is none to be worse than
    name = max(large, key=lambda name: large[name]["mae"])
    mae = large[name]["mae"]
    faces, maes = ([group[key] for group in known.values()] for key in ("faces", "mae"))
    mean = float(np.average(maes, weights=faces))
    return {
        "group": name,
        "faces": large[name]["faces"],
        "mae": mae,
        "times_the_mean": mae / mean if mean else None,
    }


def _measured(values: np.ndarray) -> dict[str, float] | None:
    """Their mean, with its interval."""
    if not len(values):
        return None
    low, high = metrics.bootstrap_interval(values)
    return {"value": float(values.mean()), "low": low, "high": high}


def _mean(values: np.ndarray) -> float | None:
    return float(values.mean()) if len(values) else None


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _numbers(values: np.ndarray) -> list[float]:
    return [round(float(value), 4) for value in values]
