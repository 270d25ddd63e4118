"""Which faces count, as what, and how much."""

from __future__ import annotations

import numpy as np
import pytest
from faces_data import face_set

from livecam.ages import SCHEMES
from livecam.errors import LivecamError
from train.recipe import Recipe
from train.selection import rarity_weights, select


def test_years_are_their_own_classes() -> None:
    chosen = select(face_set([0, 25, 110]), Recipe(), print)
    assert chosen.classes.tolist() == [0, 25, 100]
    assert chosen.n_classes == 101
    assert chosen.weights.tolist() == [1, 1, 1]


def test_a_scheme_leaves_out_what_it_did_not_cover_and_says_so() -> None:
    notes: list[str] = []
    data = face_set([5, 20, 40, 60], [5, 20, 40, 60])
    chosen = select(data, Recipe(target="actors-3"), notes.append)
    assert chosen.rows.tolist() == [1, 2, 3]
    assert chosen.classes.tolist() == [0, 1, 2]
    assert notes == ["left out: 1 face outside of actors-3's ages, 13 to 120"]


def test_own_classes_are_told_by_their_first_years() -> None:
    chosen = select(face_set([5, 6, 12, 90]), Recipe(target=(0, 6, 16)), print)
    assert chosen.classes.tolist() == [0, 1, 1, 2]
    assert chosen.n_classes == 3
    with pytest.raises(LivecamError, match=r"target: \[0, 6, 16\]: no face to train on in 6-15"):
        select(face_set([5, 90]), Recipe(target=(0, 6, 16)), print)


def test_an_interval_over_two_classes_has_none() -> None:
    notes: list[str] = []
    data = face_set([20, 25, 45, 60], [29, 40, 50, 70])
    chosen = select(data, Recipe(target="actors-3"), notes.append)
    assert chosen.rows.tolist() == [0, 2, 3]
    assert notes == ["left out: 1 face whose age may be in two classes"]


def test_an_open_interval_is_of_the_last_class_though_that_ends_somewhere() -> None:
    """MegaAge's classes go to 70: a label of 61+ is one of them, one of 71+ or 65-80 is not."""
    low, high = (
        [5, 15, 25, 35, 45, 55, 61, 71, 65, 70, 71],
        [5, 15, 25, 35, 45, 55, 100, 100, 80, 70, 71],
    )
    chosen = select(face_set(low, high), Recipe(target="megaage-7"), lambda text: None)
    assert chosen.rows.tolist() == [0, 1, 2, 3, 4, 5, 6, 9]
    assert chosen.classes.tolist() == [0, 1, 2, 3, 4, 5, 6, 6]


def test_an_empty_class_is_named() -> None:
    with pytest.raises(LivecamError, match="actors-3: no face to train on in 31-50; give data"):
        select(face_set([20, 60]), Recipe(target="actors-3"), print)


def test_data_sets_are_chosen_by_name() -> None:
    data = face_set([20, 30, 40])
    assert select(data, Recipe(datasets=("other",)), print).rows.tolist() == [1]
    with pytest.raises(LivecamError, match="no faces of 'none'; the file has other, utkface"):
        select(data, Recipe(datasets=("none",)), print)
    with pytest.raises(LivecamError, match=r"of 'utkfase'; did you mean 'utkface'\?; the file has"):
        select(data, Recipe(datasets=("utkfase",)), print)


def test_a_cap_keeps_that_many_of_a_class_and_all_of_a_rare_one() -> None:
    data = face_set([20] * 50 + [40] * 3 + [60] * 20)
    chosen = select(data, Recipe(target="actors-3", class_cap=10), print)
    assert np.bincount(chosen.classes).tolist() == [10, 3, 10]
    again = select(data, Recipe(target="actors-3", class_cap=10), print)
    other = select(data, Recipe(target="actors-3", class_cap=10, seed=1), print)
    assert chosen.rows.tolist() == again.rows.tolist() != other.rows.tolist()


def test_full_power_balances_classes() -> None:
    classes = np.array([0] * 90 + [1] * 10)
    weights = rarity_weights(classes, 2, 1.0, are_years=False)
    assert weights[:90].sum() == pytest.approx(weights[90:].sum(), rel=1e-5)
    assert weights.mean() == pytest.approx(1)
    assert (rarity_weights(classes, 2, 0.0, are_years=False) == 1).all()


def test_a_rare_year_counts_more_but_not_without_bound() -> None:
    classes = np.array([30] * 1000 + [90])
    weights = rarity_weights(classes, 101, 1.0, are_years=True)
    assert weights[-1] > weights[0]
    assert weights.max() / weights.min() < 10
    assert weights.mean() == pytest.approx(1, rel=1e-5)


def test_a_class_spreads_over_its_own_years_as_its_faces_do() -> None:
    data = face_set([20] * 8 + [30] * 4 + [40, 60])
    years = select(data, Recipe(target="actors-3"), print).years
    assert years is not None
    assert years.sum(axis=1) == pytest.approx(1)
    bins = SCHEMES["actors-3"].bins_of(np.arange(101))
    assert ((years > 0) == (bins == np.arange(3)[:, None])).all()
    assert years[0, 20] > years[0, 30] > years[0, 25] > 0


def test_the_cap_of_years_is_of_ten_of_them() -> None:
    chosen = select(face_set([21] * 20 + [25] * 20 + [40] * 5), Recipe(class_cap=10), print)
    assert [(chosen.classes // 10 == decade).sum() for decade in (2, 4)] == [10, 5]


def test_a_class_of_intervals_spreads_over_their_years_evenly() -> None:
    """Not over the middle of each: nothing says that those of `13-30` are 21."""
    data = face_set([13] * 50 + [31] * 10 + [60], [30] * 50 + [50] * 10 + [60])
    years = select(data, Recipe(target="actors-3"), print).years
    assert years is not None
    for each, low, high in ((years[0], 13, 30), (years[1], 31, 50)):
        assert each[low : high + 1] == pytest.approx(each[low])
        assert each[low] * (high - low + 1) > 0.6
    assert years[2].argmax() == 60
