"""All measures of a part, on toy answers whose scores are known."""

from __future__ import annotations

import json

import numpy as np
import pytest
from faces_data import face_set

from livecam.ages import CENTRAL_RANGE, SCHEMES, AgeRange
from livecam.datatypes import AgeGender
from train.labels import Labels
from train.score_tables import as_json, table
from train.scores import quarters, scheme_scores, score


def _labels(low: list[int], high: list[int] | None = None, gender: int = 1) -> Labels:
    n = len(low)
    ends = np.array(high or low)
    age = (np.array(low) + ends) / 2
    return Labels(age, np.array(low), ends, np.full(n, gender), np.arange(n) % 5)


def _sure(*years: int, female_prob: float = 0.9) -> AgeGender:
    probs = np.eye(101, dtype=np.float32)[list(years)]
    return AgeGender(probs, np.full(len(years), female_prob, np.float32))


def _score(labels: Labels, answer: AgeGender, train_ages: tuple[float, ...] = (30,)) -> dict:
    return {
        "model": "m",
        "split": "test",
        "datasets": [],
        "views": 1,
        **score(labels, answer, CENTRAL_RANGE, np.array(train_ages, float)),
    }


def test_right_answers_score_full() -> None:
    years = [1, 15, 25, 45, 65, 100]
    scores = _score(_labels(years), _sure(*years))
    assert scores["mae"] == {"value": 0, "low": 0, "high": 0}
    assert scores["cs5"]["value"] == scores["expected_age_cs5"]["value"] == 1
    assert scores["gender"]["value"] == 1
    assert all(scheme["accuracy"] == 1 for scheme in scores["schemes"].values())
    assert all(scheme["mean_f1"] == 1 for scheme in scores["schemes"].values())
    assert [row["holds"] for row in scores["central_ranges"]] == [1] * 5
    assert scores["range_years"] == 1


def test_the_median_and_the_expected_age_have_their_own_errors() -> None:
    probs = np.zeros((1, 101), np.float32)
    probs[0, [25, 26]] = 0.6, 0.4  # 25.4 years
    scores = _score(_labels([20]), AgeGender(probs, np.array([0.9], np.float32)))
    assert scores["mae"]["value"] == 5
    assert scores["cs5"]["value"] == 1
    assert scores["expected_age_mae"]["value"] == pytest.approx(5.4)
    assert scores["expected_age_cs5"]["value"] == 0


def test_the_range_that_is_shown_is_judged() -> None:
    """Of flat distributions: a label of 12 is held where younger years need less to belong."""
    probs = np.full((2, 101), 1 / 101, np.float32)
    labels, answer = _labels([12, 60]), AgeGender(probs, np.array([0.9, 0.9], np.float32))
    narrow = score(labels, answer, AgeRange(0.2, 0.8), np.array([30.0]))
    assert (narrow["range_holds"], narrow["range_years"]) == (0.5, 61)
    assert narrow["by_age"]["3-12"]["range_holds"] == 0
    young_too = np.where(np.arange(101) < 20, 0.05, 0.2)
    wide = score(labels, answer, AgeRange(young_too, 0.8), np.array([30.0]))
    assert (wide["range_holds"], wide["range_years"]) == (1, 76)
    assert wide["central_ranges"] == narrow["central_ranges"]


def test_ages_have_their_own_errors() -> None:
    scores = _score(_labels([13, 19, 20, 40, 69, 70]), _sure(14, 22, 90, 45, 62, 0))
    assert scores["mae_13_19"]["value"] == 2
    assert scores["mae_40_69"]["value"] == 6


def test_the_worst_group_is_large_enough_and_named() -> None:
    years = [25] * 20 + [35] * 20 + [80]
    answers = [25] * 20 + [38] * 20 + [20]
    worst = _score(_labels(years), _sure(*answers))["worst"]["age_and_gender"]
    assert (worst["group"], worst["faces"], worst["mae"]) == ("30-39 female", 20, 3)
    assert worst["times_the_mean"] == pytest.approx(3 / (120 / 41))


def test_of_whom_the_group_is_not_known_is_no_part_of_the_mean() -> None:
    labels = _labels([25] * 60)
    labels.ethnicity[:] = [0] * 20 + [1] * 20 + [-1] * 20
    scores = _score(labels, _sure(*[26] * 20, *[28] * 20, *[45] * 20))
    worst = scores["worst"]["ethnicity"]
    assert (worst["group"], worst["mae"], worst["times_the_mean"]) == ("Black", 3, 3 / 2)
    assert scores["by_ethnicity"]["not known"]["mae"] == 20


def test_a_constant_answer_that_the_judged_faces_gave_is_told() -> None:
    labels, answer = _labels([20, 30, 70]), _sure(20, 30, 70)
    assert "(always 40)" in "\n".join(table(_score(labels, answer, (40,))))
    of_these = "\n".join(table(_score(labels, answer, ())))
    assert "(always 30, the median of these faces)" in of_these


@pytest.mark.parametrize(
    ("answered", "within_one_bin", "precision"),
    [([20, 60, 40, 40], 3 / 4, 1 / 2), ([20, 40, 40, 40], 1, 4 / 9)],  # then never 51+
)
def test_the_scores_of_a_scheme_by_hand(
    answered: list[int], within_one_bin: float, precision: float
) -> None:
    found = scheme_scores(_labels([20, 20, 40, 60]), _sure(*answered), SCHEMES["actors-3"])
    assert (found["accuracy"], found["majority"]) == (1 / 2, 1 / 2)
    assert found["within_one_bin"] == within_one_bin
    assert found["mean_precision"] == pytest.approx(precision)
    assert found["mean_recall"] == pytest.approx(1 / 2)


def test_an_interval_counts_in_a_scheme_only_within_one_bin() -> None:
    labels = _labels([20, 30, 50], [29, 39, 50])
    decades = scheme_scores(labels, _sure(22, 41, 50), SCHEMES["decades"])
    assert decades["faces"] == 3
    marketing = scheme_scores(labels, _sure(22, 41, 50), SCHEMES["marketing"])
    assert marketing["faces"] == 1
    scores = _score(labels, _sure(22, 41, 50))
    assert scores["interval_labels"] == 2
    assert scores["mae"]["value"] == pytest.approx(2 / 3)
    text = "\n".join(table(scores))
    assert "Labels that are intervals of years: 2;" in text
    assert "| decades | 3 |" in text
    assert "| marketing | 1 |" in text


def test_an_interval_counts_in_a_band_of_ages_only_within_it() -> None:
    """Its middle may lie in a band that the face is not of."""
    labels = _labels([0, 10, 13, 40, 15], [30, 19, 19, 49, 15])
    scores = _score(labels, _sure(60, 60, 20, 52, 18))
    assert {name: band["faces"] for name, band in scores["by_age"].items() if band["faces"]} == {
        "13-19": 2,
        "40-49": 1,
    }
    assert scores["by_age"]["13-19"]["mae"] == scores["mae_13_19"]["value"] == 2
    assert scores["by_age_and_gender"]["40-49 female"]["faces"] == 1
    assert scores["in_several_bands"] == 2
    assert "in no one band of ages: 2." in "\n".join(table(scores))
    wrong = AgeGender(_sure(60, 60, 20, 52, 18).age_probs, np.float32([0.1, 0.1, 0.9, 0.9, 0.9]))
    assert _score(labels, wrong)["gender_13_and_over"] == 1


def test_the_confusion_follows_a_permutation_of_the_classes() -> None:
    """Every class is answered as the next one: the counts lie right of the diagonal."""
    scheme = SCHEMES["decades"]
    n = len(scheme.labels)
    truth, guess = list(scheme.starts), [*scheme.starts[1:], 0]
    scored = scheme_scores(_labels(truth), _sure(*guess), scheme)
    assert scored["confusion"] == np.roll(np.eye(n, dtype=int), 1, axis=1).tolist()
    assert [row["label"] for row in scored["classes"]] == list(scheme.labels)
    assert scored["accuracy"] == scored["mean_f1"] == 0


def test_the_rows_of_the_classes_are_those_of_the_labels() -> None:
    scored = scheme_scores(_labels([5, 5, 70]), _sure(5, 70, 70), SCHEMES["actors-3"])
    young, middle, old = scored["classes"]
    assert (young["label"], young["precision"], young["recall"]) == ("0-30", 1, 0.5)
    assert (middle["label"], middle["precision"], middle["recall"]) == ("31-50", None, None)
    assert (old["label"], old["precision"], old["recall"]) == ("51+", 0.5, 1)


def test_no_known_gender_and_one_class_only_give_dashes_not_errors() -> None:
    scores = _score(_labels([25, 26], gender=-1), _sure(25, 25))
    assert scores["gender"] is None
    assert scores["majority_gender"] is None
    assert scores["schemes"]["actors-3"]["mean_auc"] is None
    text = "\n".join(table(scores))
    assert "| gender | - |  | - |" in text
    assert "nan" not in text
    json.loads(as_json(scores), parse_constant=pytest.fail)  # JSON has no NaN


def test_json_keeps_a_list_of_numbers_on_one_line() -> None:
    text = as_json({"confusion": [[1, 2], [3, 4]], "name": "a [b,  c] d"})
    assert "[1, 2]" in text
    assert json.loads(text) == {"confusion": [[1, 2], [3, 4]], "name": "a [b,  c] d"}


def test_quarters_hold_each_face_once() -> None:
    masks = [rows for _, rows in quarters(np.arange(10.0))]
    assert np.sum(masks, axis=0).tolist() == [1] * 10
    assert masks[0][0]
    assert masks[3][9]


def test_a_quarter_is_a_quarter() -> None:
    numbers = [rows.nonzero()[0].tolist() for _, rows in quarters(np.arange(8.0))]
    assert numbers == [[0, 1], [2, 3], [4, 5], [6, 7]]


def test_the_gender_of_children_counts_apart() -> None:
    answer = AgeGender(_sure(12, 13, 40, 12).age_probs, np.array([0.1, 0.9, 0.2, 0.1], np.float32))
    scores = _score(_labels([12, 13, 40, 12]), answer)  # all female
    assert scores["gender"]["value"] == 0.25
    assert scores["gender_13_and_over"] == 0.5


def test_central_ranges_have_the_width_of_what_they_hold() -> None:
    flat = AgeGender(np.full((2, 101), 1 / 101, np.float32), np.array([0.9, 0.9], np.float32))
    rows = {row["share"]: row for row in _score(_labels([50, 8]), flat)["central_ranges"]}
    assert rows[0.5]["years"] == pytest.approx(51, abs=1)
    assert rows[0.9]["years"] == pytest.approx(91, abs=1)
    assert (rows[0.5]["holds"], rows[0.9]["holds"]) == (0.5, 1)


def test_labels_are_those_of_the_set() -> None:
    labels = face_set([30, 3], [30, 5]).labels
    assert labels.low.tolist() == [30, 3]
    assert labels.high.tolist() == [30, 5]
    assert labels.is_interval.tolist() == [False, True]


def test_a_gender_that_was_not_learnt_has_no_score() -> None:
    scores = _score(_labels([20, 30]), _sure(20, 30, female_prob=0.5))
    assert scores["gender"] is scores["gender_13_and_over"] is None
    assert scores["by_age"]["20-29"]["gender"] is None
    assert "| gender | - |" in "\n".join(table(scores))
