"""The losses against arithmetic by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from with_keras import keras_module

from livecam.ages import YEARS
from train.recipe import Recipe


@pytest.fixture(scope="module")
def losses() -> Any:
    return keras_module("losses")


def _years(losses: Any, target: list[float], logits: np.ndarray, **recipe: Any) -> float:
    loss = losses.age_loss(Recipe(**recipe))
    return float(np.asarray(loss(np.array([target], np.float32), logits[None]))[0])


def test_an_exact_age_wants_a_normal_distribution(losses: Any) -> None:
    logits = np.random.default_rng(0).normal(0, 1, 101).astype(np.float32)
    wanted = np.exp(-(((YEARS - 30) / 2) ** 2) / 2)
    wanted /= wanted.sum()
    by_hand = -(wanted * (logits - np.log(np.exp(logits).sum()))).sum()
    assert _years(losses, [30, 30, 1], logits, label_sigma=2.0) == pytest.approx(by_hand, rel=1e-4)
    doubled = _years(losses, [30, 30, 2], logits, label_sigma=2.0)
    assert doubled == pytest.approx(2 * by_hand, rel=1e-4)
    grown = _years(losses, [30, 30, 1], logits, label_sigma=0.5, label_sigma_growth=0.05)
    assert grown == pytest.approx(by_hand, rel=1e-4)
    at_its_middle = _years(losses, [20, 40, 1], logits, label_sigma=0.5, label_sigma_growth=0.05)
    assert at_its_middle == pytest.approx(_years(losses, [20, 40, 1], logits, label_sigma=2.0))


def test_the_error_of_the_expected_age_is_added(losses: Any) -> None:
    logits = np.where(YEARS == 40, 50.0, 0.0).astype(np.float32)
    without = _years(losses, [30, 30, 1], logits, label_sigma=2.0)
    with_error = _years(losses, [30, 30, 1], logits, label_sigma=2.0, age_l1=0.5)
    assert with_error - without == pytest.approx(0.5 * 10, abs=1e-3)


def test_an_interval_is_as_right_at_every_year_of_it(losses: Any) -> None:
    def at(year: int) -> float:
        logits = np.where(year == YEARS, 20.0, 0.0).astype(np.float32)
        return _years(losses, [20, 29, 1], logits, label_sigma=1.0, age_l1=0.1)

    assert at(20) == pytest.approx(at(25), rel=1e-3) == pytest.approx(at(29), rel=1e-3)
    assert at(25) < at(31) < at(40)


def test_what_teachers_say_takes_its_share_of_the_label(losses: Any) -> None:
    logits = np.random.default_rng(0).normal(0, 1, 101).astype(np.float32)
    log_probs = logits - np.log(np.exp(logits).sum())
    says = np.where((YEARS == 50) | (YEARS == 51), 0.5, 0).astype(np.float32)
    alone = _years(losses, [30, 30, 2], logits, label_sigma=2.0)
    taught = _years(
        losses, [30, 30, 2, *says], logits,
        label_sigma=2.0, teachers=("a.onnx",), teacher_weight=0.25,
    )  # fmt: skip
    by_hand = 0.75 * alone + 0.25 * 2 * -(says * log_probs).sum()
    assert taught == pytest.approx(by_hand, rel=1e-4)


def test_classes(losses: Any) -> None:
    loss = losses.age_loss(Recipe(target="actors-3"))
    logits = np.array([[1.0, 2.0, 3.0]], np.float32)
    by_hand = -(2 - np.log(np.exp([1, 2, 3]).sum()))
    assert float(np.asarray(loss(np.array([[1.0, 0.5]]), logits))[0]) == pytest.approx(by_hand / 2)


def test_two_faces_in_a_picture_count_by_their_shares(losses: Any) -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 1, 101).astype(np.float32)
    one, other = (
        [age, age, weight, *rng.dirichlet(np.ones(101))] for age, weight in ((9, 1), (70, 2))
    )
    recipe = {"label_sigma": 2.0, "age_l1": 0.1, "teachers": ("a.onnx",)}
    each = [_years(losses, of, logits, **recipe) for of in (one, other)]
    both = _years(losses, [*one, *other, 0.75], logits, mixup=1.0, **recipe)
    assert both == pytest.approx(0.75 * each[0] + 0.25 * each[1], rel=1e-5)
    classes = losses.age_loss(Recipe(target="actors-3", mixup=0.5))
    loss = classes(np.array([[0, 1, 2, 0.5, 0.6]], np.float32), np.array([[1.0, 2.0, 3.0]], "f4"))
    norm = np.log(np.exp([1, 2, 3]).sum())
    assert float(np.asarray(loss)[0]) == pytest.approx(0.6 * (norm - 1) + 0.4 * 0.5 * (norm - 3))


def test_unknown_genders_do_not_count(losses: Any) -> None:
    gender = np.array([[1.0], [-1.0], [0.0]], np.float32)
    logit = np.array([[2.0], [9.0], [2.0]], np.float32)
    by_hand = (np.log1p(np.exp(-2)) + np.log1p(np.exp(2))) / 2
    assert float(losses.gender_loss(gender, logit)) == pytest.approx(by_hand, rel=1e-4)
    assert float(losses.gender_loss(gender[1:2], logit[1:2])) == 0
