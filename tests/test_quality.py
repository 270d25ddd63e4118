from __future__ import annotations

import itertools

import cv2
import numpy as np
import pytest

from livecam.crops import CANONICAL_PX, TEMPLATE, aligned_crops
from livecam.datatypes import Faces
from livecam.detector import Mtcnn
from livecam.quality import LEAST, quality


@pytest.fixture(scope="module")
def crop(astronaut: np.ndarray, detector: Mtcnn) -> np.ndarray:
    """(1, 128, 128, 3) RGB: a real face."""
    return aligned_crops(astronaut, detector.find(astronaut).landmarks)[:1]


def face(side_px: float = 120, nose: float = 0.5, confidence: float = 1.0) -> Faces:
    """A face with its nose at that share of the way from eye to eye."""
    landmarks = TEMPLATE * side_px
    landmarks[2, 0] = (0.31 + 0.38 * nose) * side_px
    return Faces(
        np.array([[0, 0, side_px, side_px]], np.float32),
        np.array([confidence], np.float32),
        landmarks[None].astype(np.float32),
    )


def test_no_faces_no_qualities() -> None:
    none = np.zeros((0, CANONICAL_PX, CANONICAL_PX, 3), np.uint8)
    assert quality(Faces.none(), none).shape == (0,)


def test_a_good_view_is_worth_nearly_all(crop: np.ndarray) -> None:
    assert quality(face(), crop)[0] > 0.8


def test_a_row_for_each_face(crop: np.ndarray) -> None:
    good, small = face(), face(side_px=30)
    both = Faces(
        np.concatenate([good.xyxy, small.xyxy]),
        np.concatenate([good.confidence, small.confidence]),
        np.concatenate([good.landmarks, small.landmarks]),
    )
    alone = [quality(one, crop)[0] for one in (good, small)]
    assert quality(both, np.concatenate([crop, crop])).tolist() == alone


def test_more_blur_is_worth_less(crop: np.ndarray) -> None:
    blurred = [crop] + [cv2.GaussianBlur(crop[0], (0, 0), sigma)[None] for sigma in (2, 4, 8)]
    worth = [float(quality(face(), view)[0]) for view in blurred]
    assert worth == sorted(worth, reverse=True)
    assert worth[0] > 1.5 * worth[1] > 1.5 * worth[2]


@pytest.mark.parametrize(
    "views",
    [
        [face(side_px=96), face(side_px=60), face(side_px=30)],
        [face(nose=0.5), face(nose=0.25), face(nose=0.0), face(nose=-0.2)],
        [face(nose=0.5), face(nose=0.75), face(nose=1.0)],
        [face(confidence=1.0), face(confidence=0.9), face(confidence=0.8)],
    ],
    ids=["size", "turned one way", "turned the other way", "confidence"],
)
def test_worse_views_are_worth_less(crop: np.ndarray, views: list[Faces]) -> None:
    worth = [float(quality(view, crop)[0]) for view in views]
    assert all(better > worse for better, worse in itertools.pairwise(worth))


def test_both_profiles_are_worth_the_same(crop: np.ndarray) -> None:
    assert quality(face(nose=0.2), crop) == pytest.approx(quality(face(nose=0.8), crop))


def test_a_face_larger_than_the_network_sees_gains_nothing(crop: np.ndarray) -> None:
    assert quality(face(side_px=1000), crop) == pytest.approx(quality(face(side_px=100), crop))


@pytest.mark.parametrize("grey", [0, 127, 255])
@pytest.mark.parametrize("view", [face(side_px=0.001), face(nose=9), face(confidence=0)])
def test_even_a_hopeless_view_counts_a_little(grey: int, view: Faces) -> None:
    flat = np.full((1, CANONICAL_PX, CANONICAL_PX, 3), grey, np.uint8)
    assert quality(view, flat).tolist() == [np.float32(LEAST)]


def test_a_face_counts_by_its_own_size_wherever_it_is(crop: np.ndarray) -> None:
    small = face(side_px=48)
    moved = Faces(small.xyxy + 500, small.confidence, small.landmarks + 500)
    assert quality(moved, crop) == pytest.approx(quality(small, crop), rel=1e-4)
    assert quality(small, crop) == pytest.approx(quality(face(side_px=96), crop) / 2)


def test_noise_is_worth_no_more_than_1() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (1, CANONICAL_PX, CANONICAL_PX, 3), np.uint8)
    assert quality(face(side_px=4000), noise).tolist() == [1]
