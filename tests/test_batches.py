"""What a network is given: pictures and what is asked for them belong together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from faces_data import write_split
from with_keras import keras_module

from train import faces
from train.recipe import Recipe
from train.selection import select


@pytest.fixture(scope="module")
def batches() -> Any:
    return keras_module("batches")


@pytest.fixture
def data(tmp_path: Path) -> faces.FaceSet:
    return faces.load(write_split(tmp_path / "faces.h5"), "train")


def _of(batches: Any, data: faces.FaceSet, **recipe: Any) -> Any:
    made = Recipe(batch=24, input_px=32, augmentation=0.0, **recipe)
    return batches.Batches(data, select(data, made, print), made, 32)


def test_mixup_lays_as_much_of_a_face_over_another_as_it_says(
    batches: Any, data: faces.FaceSet
) -> None:
    plain, asked = _of(batches, data)[0]
    mixed, asked_both = _of(batches, data, mixup=1.0)[0]
    age, gender = asked["age"], asked["gender"]
    np.testing.assert_array_equal(asked_both["age"][:, :3], age)
    assert sorted(asked_both["age"][:, 3:6].tolist()) == sorted(age.tolist())  # each is given once
    assert mixed.dtype == plain.dtype == np.uint8
    for i, share in enumerate(asked_both["age"][:, 6]):
        assert 0.5 <= share <= 1
        others = np.flatnonzero((age == asked_both["age"][i, 3:6]).all(axis=1))  # of that age
        made = share * plain[i] + (1 - share) * plain[others].astype(float)
        j = others[np.abs(made - mixed[i]).max(axis=(1, 2, 3)) < 0.51]
        assert len(j)
        wanted = share * gender[i] + (1 - share) * gender[j]
        assert np.isclose(asked_both["gender"][i], wanted).any()


def test_mixup_leaves_the_other_pictures_alone(batches: Any, data: faces.FaceSet) -> None:
    plain, _ = _of(batches, data)[0]
    mixed, asked = _of(batches, data, mixup=0.3)[0]
    is_alone = asked["age"][:, 6] == 1
    assert 8 <= is_alone.sum() <= 23
    np.testing.assert_array_equal(mixed[is_alone], plain[is_alone])
    again, _ = _of(batches, data, mixup=0.3)[0]
    np.testing.assert_array_equal(again, mixed)


def test_a_gender_stays_known_under_a_face_whose_gender_is_not(batches: Any) -> None:
    crops = np.zeros((64, 2, 2, 3), np.uint8)
    age, gender = np.zeros((64, 3), np.float32), np.float32([[-1], [1]] * 32)
    _, _, mixed = batches._mixup(crops, age, gender, 0.5, np.random.default_rng(0))
    np.testing.assert_array_equal(mixed, gender)
