"""How many of which class: better than counting the likeliest class, and honest about it."""

from __future__ import annotations

import hypothesis
import hypothesis.extra.numpy as arrays
import numpy as np
import pytest
from hypothesis import strategies as st

from livecam.prevalence import PRIOR_PEOPLE, PRIOR_SHARE, Z_80, counts

MEANS = np.array([0.0, 1.5, 3.0])  # of three classes that overlap


def answers(classes: np.ndarray, prior: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """What one who knows the classes' densities and this prior says of a measurement."""
    seen = MEANS[classes] + random.normal(0, 0.7, len(classes))
    likely = np.exp(-np.square((seen[:, None] - MEANS) / 0.7) / 2) * prior
    return likely / likely.sum(axis=1, keepdims=True)


def audience(share: list[float], n: int, random: np.random.Generator) -> tuple[np.ndarray, ...]:
    prior = np.array([0.2, 0.6, 0.2])
    classes = random.choice(3, n, p=share)
    found, errors = counts(answers(classes, prior, random), np.tile(prior, (n, 1)))
    return np.bincount(classes, minlength=3), found.sum(axis=0), errors


def test_it_beats_counting_the_likeliest_class_and_adding_up() -> None:
    random = np.random.default_rng(1)
    prior = np.array([0.2, 0.6, 0.2])
    off = {"counted": 0.0, "likeliest": 0.0, "added": 0.0}
    for _ in range(15):
        classes = random.choice(3, 200, p=random.dirichlet(np.ones(3)))
        probs = answers(classes, prior, random)
        true = np.bincount(classes, minlength=3)
        sums = {
            "counted": counts(probs, np.tile(prior, (200, 1)))[0].sum(axis=0),
            "likeliest": np.bincount(probs.argmax(axis=1), minlength=3),
            "added": probs.sum(axis=0),
        }
        for name, found in sums.items():
            off[name] += np.abs(true - found).sum()
    assert off["counted"] < 0.7 * min(off["likeliest"], off["added"])


def test_most_are_within_the_errors() -> None:
    random = np.random.default_rng(2)
    inside = []
    for _ in range(30):
        true, found, errors = audience(random.dirichlet(np.ones(3)).tolist(), 100, random)
        inside.append(np.abs(true - found) <= Z_80 * errors)
    assert 0.7 <= np.mean(inside) <= 0.97


def test_answers_without_a_prior_stay_as_they_are() -> None:
    probs = np.random.default_rng(3).dirichlet(np.ones(4), 20)
    found, _ = counts(probs, np.full((20, 4), np.nan))
    np.testing.assert_allclose(found, probs)


def test_sure_answers_are_believed() -> None:
    probs = np.eye(3)[[0, 0, 0, 2]]
    found, errors = counts(probs, np.tile([0.1, 0.8, 0.1], (4, 1)))
    np.testing.assert_allclose(found, probs, atol=1e-6)
    assert errors.shape == (3,)


def test_an_answer_that_says_nothing_is_what_is_common_here() -> None:
    prior = np.array([0.1, 0.8, 0.1])
    sure = np.eye(3)[[0, 0, 0, 0, 0, 0, 2, 2, 2]]
    found, _ = counts(np.concatenate([sure, prior[None]]), np.tile(prior, (10, 1)))
    wanted = sure.sum(axis=0) + (PRIOR_PEOPLE + PRIOR_SHARE * 10) * prior
    np.testing.assert_allclose(found[-1], wanted / wanted.sum(), atol=1e-6)


@pytest.mark.parametrize("n", [100, 8000])
def test_the_errors_of_sure_answers_are_those_of_chance(n: int) -> None:
    probs = np.eye(3)[[0, 2] * (n // 2)]
    _, errors = counts(probs, np.tile([0.1, 0.8, 0.1], (n, 1)))
    chance = np.sqrt(n / 4)
    np.testing.assert_allclose(errors, [chance, 0, chance], rtol=0.3, atol=1e-3)


def test_many_unsure_answers_may_all_err_in_one_direction() -> None:
    few, many = (counts(np.full((n, 2), 0.5), np.full((n, 2), np.nan))[1] for n in (10_000, 40_000))
    np.testing.assert_allclose(many / few, 4, rtol=0.01)  # by chance alone it would be 2


def test_nobody() -> None:
    found, errors = counts(np.zeros((0, 5)), np.zeros((0, 5)))
    assert found.shape == (0, 5)
    assert errors.tolist() == [0] * 5


@hypothesis.given(
    arrays.arrays(np.float64, st.tuples(st.integers(1, 12), st.just(4)), elements=st.floats(0, 1)),
    st.lists(st.floats(0, 1), min_size=4, max_size=4),
)
@hypothesis.settings(max_examples=20, deadline=None)
def test_shares_are_shares_whatever_is_answered(probs: np.ndarray, prior: list[float]) -> None:
    probs = (probs + 1e-6) / (probs + 1e-6).sum(axis=1, keepdims=True)
    found, errors = counts(probs, np.tile(prior, (len(probs), 1)))
    np.testing.assert_allclose(found.sum(axis=1), 1)
    assert found.min() >= 0
    assert np.isfinite(errors).all()
