"""Scores on plain arrays."""

from __future__ import annotations

import numpy as np
import pytest

from train import metrics


def test_mae_and_cs5() -> None:
    errors = np.array([-6.0, 5.0, 0.0, 1.0])
    assert metrics.mae(errors) == 3.0
    assert metrics.cs5(errors) == 0.75


def test_the_bootstrap_interval_holds_the_value_and_narrows_with_more_data() -> None:
    rng = np.random.default_rng(1)
    widths = []
    for n in (50, 5000):
        values = rng.normal(3, 1, n)
        low, high = metrics.bootstrap_interval(values)
        assert low < values.mean() < high
        widths.append(high - low)
    assert widths[1] < widths[0] / 5
    assert widths[1] == pytest.approx(2 * 1.96 / np.sqrt(5000), rel=0.1)


def test_a_range_meets_whole_years_and_those_above_100_count_as_100() -> None:
    ranges = np.array([[20, 30], [20, 30], [20, 30], [90, 100]])
    low, high = np.array([31, 30, 10, 116]), np.array([40, 40, 20, 116])
    assert metrics.range_meets(ranges, low, high).tolist() == [False, True, True, True]


def test_majority_share() -> None:
    assert metrics.majority_share(np.array([2, 2, 0, 2])) == 0.75


def test_the_error_of_an_interval_is_the_way_to_it() -> None:
    low, high = np.array([20.0, 20, 20, 30]), np.array([29.0, 29, 29, 30])
    errors = metrics.signed_errors(np.array([17.0, 25, 31, 28]), low, high)
    assert errors.tolist() == [-3, 0, 2, -2]


def test_the_cs_curve_begins_with_hits_and_rises() -> None:
    curve = metrics.cs_curve(np.array([0.0, -1, 2, 9]))
    assert curve.tolist() == [0.25, 0.5] + 7 * [0.75] + 7 * [1]


def test_a_row_of_the_confusion_is_the_true_class() -> None:
    confusion = metrics.cross_table(np.array([0, 0, 1]), np.array([2, 2, 1]), (3, 3))
    assert confusion.tolist() == [[0, 0, 2], [0, 1, 0], [0, 0, 0]]


def test_class_scores_on_a_known_confusion() -> None:
    scores = metrics.class_scores(np.array([[3, 1, 0], [2, 4, 0], [0, 0, 0]]))
    np.testing.assert_allclose(scores["precision"], [3 / 5, 4 / 5, np.nan])
    np.testing.assert_allclose(scores["recall"], [3 / 4, 4 / 6, np.nan])
    np.testing.assert_allclose(scores["f1"], [2 * 3 / 9, 2 * 4 / 11, np.nan])


@pytest.mark.parametrize(
    ("is_class", "scores", "expected"),
    [
        ([], [], np.nan),
        ([1, 1], [0.2, 0.9], np.nan),  # one class only
        ([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8], 0.75),
        ([0, 1], [0.5, 0.5], 0.5),
        ([0, 1, 1], [0.9, 0.1, 0.2], 0.0),
    ],
)
def test_the_area_under_the_roc_curve(
    is_class: list[int], scores: list[float], expected: float
) -> None:
    area = metrics.roc_auc(np.array(is_class, bool), np.array(scores))
    np.testing.assert_allclose(area, expected)


def test_reliability_and_its_error() -> None:
    probs = np.array([0.95, 0.95, 0.55, 1.0])
    is_right = np.array([True, False, True, True])
    said, came, faces = metrics.reliability(probs, is_right)
    np.testing.assert_allclose(said, [0.55, 2.9 / 3])
    np.testing.assert_allclose(came, [1, 2 / 3])
    assert faces.tolist() == [1, 3]
    expected = (0.45 + 3 * (2.9 / 3 - 2 / 3)) / 4
    assert metrics.calibration_error(probs, is_right) == pytest.approx(expected)
