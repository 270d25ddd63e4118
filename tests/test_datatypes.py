from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from livecam.datatypes import AGES, AgeGender, Faces, Frame


def faces_of(n: int) -> Faces:
    return Faces(
        np.arange(n * 4, dtype=np.float32).reshape(n, 4),
        np.linspace(0.9, 1.0, n, dtype=np.float32),
        np.arange(n * 10, dtype=np.float32).reshape(n, 5, 2),
    )


def test_none_is_empty_and_of_the_right_shapes() -> None:
    faces, answer = Faces.none(), AgeGender.none()
    assert (len(faces), len(answer)) == (0, 0)
    assert faces.xyxy.shape == (0, 4)
    assert faces.landmarks.shape == (0, 5, 2)
    assert answer.age_probs.shape == (0, AGES)
    assert {a.dtype for a in (faces.xyxy, faces.confidence, faces.landmarks)} == {np.dtype("f4")}


@pytest.mark.parametrize(
    ("rows", "kept"),
    [
        ([], []),
        (np.zeros(3, bool), []),
        (np.array([True, False, True]), [0, 2]),
        (np.array([2, 0]), [2, 0]),
        ([1], [1]),
        (slice(None), [0, 1, 2]),
        (slice(1, 2), [1]),
        (slice(5, 9), []),
    ],
    ids=str,
)
def test_rows_by_mask_numbers_or_slice_are_faces_again(rows, kept) -> None:
    if isinstance(rows, list) and not rows:
        rows = np.array(rows, int)
    faces = faces_of(3)
    picked = faces[rows]
    assert isinstance(picked, Faces)
    assert len(picked) == len(kept)
    for name in ("xyxy", "confidence", "landmarks"):
        assert np.array_equal(getattr(picked, name), getattr(faces, name)[np.array(kept, int)])


def test_no_faces_can_be_indexed_too() -> None:
    assert len(Faces.none()[np.zeros(0, bool)]) == 0
    assert len(Faces.none()[:1]) == 0


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        (((3,), (1,), (1, 5, 2)), "Faces.xyxy: expected shape (1, 4), received (3,)"),
        (((2, 4), (1,), (1, 5, 2)), "Faces.xyxy: expected shape (1, 4), received (2, 4)"),
        (((1, 5), (1,), (1, 5, 2)), "Faces.xyxy: expected shape (1, 4), received (1, 5)"),
        (((1, 4), (1, 1), (1, 5, 2)), "Faces.confidence: expected shape (1), received (1, 1)"),
        (((1, 4), (1,), (1, 10)), "Faces.landmarks: expected shape (1, 5, 2), received (1, 10)"),
        (
            ((1, 4), (1,), (1, 2, 5)),
            "Faces.landmarks: expected shape (1, 5, 2), received (1, 2, 5)",
        ),
    ],
    ids=str,
)
def test_faces_of_unlike_shapes_are_refused(shapes, message: str) -> None:
    with pytest.raises(ValueError) as refused:
        Faces(*(np.zeros(shape, np.float32) for shape in shapes))
    assert str(refused.value) == message


@pytest.mark.parametrize(
    ("age_probs", "female_prob", "message"),
    [
        ((2, 101), (1,), "AgeGender.age_probs: expected shape (1, 101), received (2, 101)"),
        ((1, 100), (1,), "AgeGender.age_probs: expected shape (1, 101), received (1, 100)"),
        ((1, 101), (1, 1), "AgeGender.female_prob: expected shape (1), received (1, 1)"),
    ],
)
def test_answers_of_unlike_shapes_are_refused(age_probs, female_prob, message) -> None:
    with pytest.raises(ValueError) as refused:
        AgeGender(np.zeros(age_probs, np.float32), np.zeros(female_prob, np.float32))
    assert str(refused.value) == message


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (Faces.none(), "xyxy"),
        (AgeGender.none(), "female_prob"),
        (Frame(0, 0.0, np.zeros((1, 1, 3), np.uint8)), "time_s"),
    ],
)
def test_values_are_frozen(value: object, name: str) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError, match=name):
        setattr(value, name, getattr(value, name))
