"""Views of a face that is seen once, and the one answer to all of them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

import livecam
from livecam import classifier
from livecam.classifier import AgeGenderClassifier
from livecam.config import BOUNDS, load_config
from livecam.crops import aligned_crops, assumed_landmarks, resized
from livecam.datatypes import Frame
from livecam.pipeline import Models
from livecam.views import COUNT, MOST, WIDER, in_turn, views

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def crops(astronaut: np.ndarray) -> np.ndarray:
    """Two different crops: a face, and its lower half."""
    landmarks = assumed_landmarks((200, 200))
    face = astronaut[30:230, 120:320]
    return np.concatenate([aligned_crops(face, landmarks), aligned_crops(face[60:], landmarks)])


@pytest.mark.parametrize("count", range(1, MOST + 1))
def test_views_are_as_many_as_asked_for_and_of_one_shape(crops: np.ndarray, count: int) -> None:
    before = crops.copy()
    made = list(views(crops, count))
    assert [view.shape for view in made] == [crops.shape] * count
    assert made[0] is crops
    np.testing.assert_array_equal(crops, before)
    assert len({view.tobytes() for view in made}) == count


def test_no_face_has_no_view_that_fails() -> None:
    nobody = np.zeros((0, 16, 16, 3), np.uint8)
    assert [view.shape for view in views(nobody, MOST)] == [nobody.shape] * MOST


def test_every_other_view_is_the_mirror_image_of_the_one_before(crops: np.ndarray) -> None:
    made = list(views(crops, MOST))
    for view, mirrored in zip(made[::2], made[1::2], strict=True):
        np.testing.assert_array_equal(mirrored, view[:, :, ::-1])


def test_in_turn_each_face_is_mirrored_every_second_time(crops: np.ndarray) -> None:
    before = crops.copy()
    seen = [in_turn(crops, np.array([first, second])) for first, second in [(0, 0), (1, 4), (2, 3)]]
    np.testing.assert_array_equal(crops, before)
    np.testing.assert_array_equal(seen[0], crops)
    np.testing.assert_array_equal(seen[1], [crops[0, :, ::-1], crops[1]])
    np.testing.assert_array_equal(seen[2], [crops[0], crops[1, :, ::-1]])


def test_a_wider_view_shows_the_face_smaller_around_the_same_middle() -> None:
    crop = np.zeros((1, 101, 101, 3), np.uint8)
    cv2.rectangle(crop[0], (25, 25), (75, 75), (255, 255, 255), cv2.FILLED)
    wider = list(views(crop, 3))[2][0, :, :, 0] > 127
    rows, columns = (np.flatnonzero(wider.any(axis=axis)) for axis in (1, 0))
    for inside in (rows, columns):
        assert (inside[0] + inside[-1]) / 2 == 50
        assert len(inside) == pytest.approx(51 * WIDER, abs=1)


def test_an_answer_is_the_mean_of_those_to_the_views(crops: np.ndarray) -> None:
    classify = AgeGenderClassifier()
    pixels = resized(crops, classify.input_px)
    apart = [classify(view) for view in views(pixels, MOST)]
    whole = classify(crops, MOST)
    np.testing.assert_allclose(whole.age_probs, np.mean([a.age_probs for a in apart], 0), atol=1e-4)
    np.testing.assert_allclose(
        whole.female_prob, np.mean([a.female_prob for a in apart], 0), atol=1e-4
    )
    assert np.abs(whole.age_probs - apart[0].age_probs).max() > 0.001


def test_many_crops_are_classified_a_few_at_a_time(
    crops: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    classify = AgeGenderClassifier()
    whole = classify(np.concatenate([crops] * 3), 2)
    calls: list[int] = []
    net = classify._net
    monkeypatch.setattr(classifier, "BATCH", 4)
    monkeypatch.setattr(classify, "_net", lambda x: calls.append(len(x)) or net(x))
    parts = classify(np.concatenate([crops] * 3), 2)
    assert calls == [4, 4, 4]  # two crops in two views each
    np.testing.assert_allclose(parts.age_probs, whole.age_probs, atol=1e-4)
    np.testing.assert_allclose(parts.female_prob, whole.female_prob, atol=1e-4)


def test_two_views_answer_alike_to_a_face_and_to_its_mirror_image(crops: np.ndarray) -> None:
    classify = AgeGenderClassifier()
    mirrored = np.ascontiguousarray(crops[:, :, ::-1])
    np.testing.assert_allclose(
        classify(crops, 2).age_probs, classify(mirrored, 2).age_probs, atol=1e-4
    )


def test_a_picture_is_seen_in_several_views_and_a_frame_in_one(astronaut: np.ndarray) -> None:
    once, often = (
        Models(load_config(flags={"classifier.views": count}, environment={}))
        for count in (1, MOST)
    )
    ((plain,), _), ((averaged,), _) = once.look(astronaut), often.look(astronaut)
    assert np.abs(plain.age_probs - averaged.age_probs).max() > 0.002
    for models in (once, often):
        line = models.pipeline()
        for i in range(3):
            shown = line(Frame(i, i / 25, astronaut))
        np.testing.assert_allclose(shown[0].age_probs, plain.age_probs, atol=1e-5)


def test_what_is_said_of_somebody_who_sits_still_is_between_both_views(
    astronaut: np.ndarray,
) -> None:
    flags = {
        "tracker.max_narrowing": 1.0,
        "tracker.time_constant_s": 60.0,
        "detector.detect_every": 1,
    }
    models = Models(load_config(flags=flags, environment={}))
    line = models.pipeline()
    shown = [line(Frame(i, i / 25, astronaut)) for i in range(24)][-1][0]
    assert shown.samples == 4
    twice = np.repeat(aligned_crops(astronaut, shown.landmarks[None]), 2, axis=0)
    plain, mirrored = models.classifier(in_turn(twice, np.arange(2))).age_probs
    pooled = np.sqrt(plain * mirrored)
    np.testing.assert_allclose(shown.age_probs, pooled / pooled.sum(), atol=0.0005)
    assert np.abs(plain - mirrored).max() > 0.002


def test_predict_and_annotate_say_the_same_of_a_picture(astronaut: np.ndarray) -> None:
    (row,) = livecam.predict(astronaut[:, :, ::-1])
    (face,), _ = Models(load_config(environment={})).look(astronaut)
    assert (row["age"], row["age_low"], row["age_high"]) == (face.age, face.age_low, face.age_high)
    assert row["female_prob"] == pytest.approx(face.female_prob, abs=1e-3)


def test_scores_are_of_as_many_views_as_livecam_takes() -> None:
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    assert config["classifier"]["views"] == COUNT
    assert BOUNDS["classifier.views"] == (1, MOST)
