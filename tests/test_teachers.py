"""Teachers: their mean answer to a face and its mirror image, and what a batch asks for then."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from faces_data import write_h5
from with_keras import keras_module

from livecam.classifier import AgeGenderClassifier
from livecam.datatypes import AgeGender
from livecam.errors import LivecamError
from livecam.shipped import shipped_file
from train import faces

MODEL = str(shipped_file("models/age_gender.onnx"))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> faces.FaceSet:
    return faces.load(write_h5(tmp_path_factory.mktemp("faces") / "faces.h5", 90), "test")


def test_a_teacher_answers_for_a_face_and_its_mirror_image(data: faces.FaceSet) -> None:
    from train import teachers

    rows = np.arange(80)[::-1]
    taught = teachers.ask((MODEL,), data.crops, rows)
    crops = data.crops[rows]
    answer = AgeGenderClassifier(MODEL)(crops, 2)
    np.testing.assert_allclose(taught.age_probs, answer.age_probs, atol=1e-4)
    np.testing.assert_allclose(taught.female_prob, answer.female_prob, atol=1e-4)
    np.testing.assert_allclose(taught.age_probs.sum(axis=1), 1, atol=1e-4)
    twice = teachers.ask((MODEL, MODEL), data.crops, rows[:10])
    np.testing.assert_allclose(twice.age_probs, taught.age_probs[:10], atol=1e-5)


def test_a_teacher_that_is_not_there_is_named(data: faces.FaceSet) -> None:
    from train import teachers

    with pytest.raises(LivecamError, match=r"nobody\.onnx: no such model"):
        teachers.ask(("nobody.onnx",), data.crops, np.arange(2))


@pytest.fixture(scope="module")
def batches() -> Any:
    return keras_module("batches")


def test_a_batch_asks_for_what_the_teachers_say_too(batches: Any, data: faces.FaceSet) -> None:
    from train.recipe import Recipe
    from train.selection import select

    recipe = Recipe(batch=8, input_px=32, teachers=(MODEL,), teacher_weight=0.25)
    selection = select(data, recipe, print)
    n = len(selection.rows)
    rng = np.random.default_rng(0)
    taught = AgeGender(rng.dirichlet(np.ones(101), n).astype(np.float32), np.full(n, 0.5, "f4"))
    given = batches.Batches(data, selection, recipe, 32, taught=taught)
    crops, target = given[0]
    assert crops.shape == (8, 32, 32, 3)
    assert target["age"].shape == (8, 3 + 101)
    place = [int(np.abs(taught.age_probs - row[3:]).sum(axis=1).argmin()) for row in target["age"]]
    ages = np.minimum(data.labels.age[selection.rows[place]], 100)
    np.testing.assert_array_equal(target["age"][:, 0], ages)  # the face that they speak of
    gender = data.labels.gender[selection.rows[place]]
    np.testing.assert_allclose(target["gender"][:, 0], 0.75 * gender + 0.25 * 0.5)


def test_teachers_alone_say_a_gender_that_no_label_says(batches: Any) -> None:
    mixed = batches._mixed(np.float32([-1, 0, 1]), np.float32([0.9, 0.9, 0.9]), 0.5)
    np.testing.assert_allclose(mixed, [0.9, 0.45, 0.95])
    nothing = batches._mixed(np.float32([-1, 0, 1]), np.full(3, np.nan, np.float32), 0.5)
    np.testing.assert_array_equal(nothing, [-1, 0, 1])


def test_who_has_not_learnt_the_gender_is_not_asked_about_it(
    data: faces.FaceSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    from train import teachers

    def unsure(crops: np.ndarray, count: int) -> AgeGender:
        even = np.full((len(crops), 101), 1 / 101, np.float32)
        return AgeGender(even, np.full(len(crops), 0.5, np.float32))

    known = AgeGenderClassifier(MODEL)
    monkeypatch.setattr(
        teachers, "AgeGenderClassifier", lambda model: unsure if model == "unsure" else known
    )
    rows = np.arange(5)
    alone = teachers.ask((MODEL,), data.crops, rows)
    both = teachers.ask((MODEL, "unsure"), data.crops, rows)
    np.testing.assert_array_equal(both.female_prob, alone.female_prob)
    np.testing.assert_allclose(both.age_probs, (alone.age_probs + 1 / 101) / 2, atol=1e-6)
    assert np.isnan(teachers.ask(("unsure",), data.crops, rows).female_prob).all()
