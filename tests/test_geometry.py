from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from livecam.crops import TEMPLATE
from livecam.geometry import (
    MAX_SIZE_RATIO,
    area,
    clip,
    distance_matrix,
    iou_matrix,
    nms,
    similarity_transforms,
    square,
)

NO_BOXES = np.zeros((0, 4), np.float32)

px = st.floats(-2000, 4000, width=32)
side_px = st.floats(0, 2000, width=32)


@st.composite
def boxes(draw, max_n: int = 12) -> np.ndarray:
    rows = draw(st.lists(st.tuples(px, px, side_px, side_px), max_size=max_n))
    xywh = np.array(rows, np.float32).reshape(-1, 4)
    return np.concatenate([xywh[:, :2], xywh[:, :2] + xywh[:, 2:]], axis=1)


@st.composite
def scored_boxes(draw) -> tuple[np.ndarray, np.ndarray]:
    """Boxes that overlap often, no two with the same score."""
    small = st.integers(0, 20)
    rows = draw(st.lists(st.tuples(small, small, st.integers(1, 20), st.integers(1, 20))))
    xywh = np.array(rows, np.float32).reshape(-1, 4)
    scores = np.array(draw(st.permutations(range(len(rows)))), np.float32)
    return np.concatenate([xywh[:, :2], xywh[:, :2] + xywh[:, 2:]], axis=1), scores


def box(*xyxy: float) -> np.ndarray:
    return np.array([xyxy], np.float32)


def test_area_of_no_box_a_box_and_one_inside_out() -> None:
    assert area(NO_BOXES).shape == (0,)
    assert area(box(1, 2, 4, 8)) == [18]
    assert area(box(4, 2, 1, 8)) == [0]


@pytest.mark.parametrize(
    ("a", "b", "union", "smaller"),
    [
        (box(0, 0, 4, 4), box(0, 0, 4, 4), 1, 1),
        (box(0, 0, 4, 4), box(4, 0, 8, 4), 0, 0),  # touching
        (box(0, 0, 4, 4), box(9, 9, 12, 12), 0, 0),
        (box(0, 0, 4, 4), box(2, 0, 6, 4), 1 / 3, 1 / 2),
        (box(0, 0, 4, 4), box(1, 1, 3, 3), 1 / 4, 1),  # contained
        (box(0, 0, 4, 4), box(2, 2, 2, 2), 0, 0),  # without area
        (box(2, 2, 2, 2), box(2, 2, 2, 2), 0, 0),
    ],
)
def test_overlap(a: np.ndarray, b: np.ndarray, union: float, smaller: float) -> None:
    assert iou_matrix(a, b)[0, 0] == pytest.approx(union)
    assert iou_matrix(a, b, over="smaller")[0, 0] == pytest.approx(smaller)


@pytest.mark.parametrize(("n", "m"), [(0, 0), (0, 3), (3, 0), (2, 3)])
def test_overlap_is_a_matrix_also_of_nothing(n: int, m: int) -> None:
    assert iou_matrix(np.zeros((n, 4), np.float32), np.zeros((m, 4), np.float32)).shape == (n, m)


@given(boxes(), boxes())
def test_overlap_is_symmetric_and_between_0_and_1(a: np.ndarray, b: np.ndarray) -> None:
    for over in ("union", "smaller"):
        there, back = iou_matrix(a, b, over), iou_matrix(b, a, over)
        assert np.array_equal(there, back.T)
        assert np.all((there >= 0) & (there <= 1))
    assert np.all(iou_matrix(a, b, "union") <= iou_matrix(a, b, "smaller"))


@given(boxes())
def test_a_box_is_itself(a: np.ndarray) -> None:
    assert np.array_equal(np.diagonal(iou_matrix(a, a)), (area(a) > 0).astype(np.float32))


def test_distances_are_of_centres_in_mean_sizes() -> None:
    a = np.array([[0, 0, 30, 50], [100, 100, 140, 140]], np.float32)  # of mean size 40
    b = np.array([[10, 10, 70, 70], [110, 70, 150, 110], [0, 0, 30, 50]], np.float32)
    apart = np.hypot(np.array([[25, 115, 0], [80, 10, 105]]), np.array([[15, 65, 0], [80, 30, 95]]))
    assert distance_matrix(a, b) == pytest.approx(apart / [50, 40, 40])
    assert distance_matrix(a, np.zeros((0, 4), np.float32)).shape == (2, 0)


@pytest.mark.parametrize("grown", [1 / MAX_SIZE_RATIO, MAX_SIZE_RATIO])
def test_a_box_of_another_size_is_far_from_everywhere(grown: float) -> None:
    box = np.array([[-20, -20, 20, 20]], np.float32)
    assert distance_matrix(box, box * grown**0.99) == 0
    assert distance_matrix(box, box * grown**1.01) == np.inf


def test_nms_of_nothing_one_and_three() -> None:
    assert nms(NO_BOXES, np.zeros(0, np.float32), 0.5).tolist() == []
    assert nms(box(0, 0, 4, 4), np.ones(1, np.float32), 0.5).tolist() == [0]
    three = np.concatenate([box(0, 0, 10, 10), box(50, 50, 60, 60), box(1, 0, 11, 10)])
    assert nms(three, np.array([0.7, 0.8, 0.9], np.float32), 0.5).tolist() == [2, 1]


def test_nms_drops_a_contained_box_only_over_the_smaller() -> None:
    two = np.concatenate([box(0, 0, 10, 10), box(2, 2, 6, 6)])
    scores = np.array([0.9, 0.8], np.float32)
    assert nms(two, scores, 0.5).tolist() == [0, 1]
    assert nms(two, scores, 0.5, over="smaller").tolist() == [0]


@given(scored_boxes(), st.sampled_from([0.0, 0.3, 0.5, 0.7]), st.data())
def test_nms_does_not_depend_on_the_order(boxes_scores, max_iou, data) -> None:
    xyxy, scores = boxes_scores
    order = np.array(data.draw(st.permutations(range(len(scores)))), int)
    kept = nms(xyxy, scores, max_iou)
    assert order[nms(xyxy[order], scores[order], max_iou)].tolist() == kept.tolist()


@given(scored_boxes(), st.sampled_from([0.0, 0.3, 0.5, 0.7]), st.sampled_from(["union", "smaller"]))
def test_nms_keeps_the_best_and_nothing_that_overlaps_it(boxes_scores, max_iou, over) -> None:
    xyxy, scores = boxes_scores
    kept = nms(xyxy, scores, max_iou, over)
    among = iou_matrix(xyxy[kept], xyxy[kept], over)
    assert np.all(among[~np.eye(len(kept), dtype=bool)] <= max_iou)
    assert np.all(np.diff(scores[kept]) < 0)
    assert kept[:1].tolist() == ([int(np.argmax(scores))] if len(scores) else [])
    dropped = np.setdiff1d(np.arange(len(scores)), kept)
    better = scores[None] > scores[dropped][:, None]
    covered = (iou_matrix(xyxy[dropped], xyxy, over) > max_iou) & better
    assert covered.any(axis=1).all()


@pytest.mark.parametrize("over", ["union", "smaller"])
def test_nms_of_many_boxes_compares_each_with_each(over) -> None:
    rng = np.random.default_rng(3)
    corner = rng.uniform(0, 60, (500, 2))
    xyxy = np.concatenate([corner, corner + rng.uniform(5, 20, (500, 2))], axis=1)
    xyxy, scores = xyxy.astype(np.float32), rng.permutation(500).astype(np.float32)
    covers = (iou_matrix(xyxy, xyxy, over) > 0.5) & (scores[None] > scores[:, None])
    alone = np.flatnonzero(~covers.any(axis=1))
    assert 20 < len(alone) < 480
    assert sorted(nms(xyxy, scores, 0.5, over)) == alone.tolist()


def test_clip_moves_only_what_is_outside() -> None:
    assert clip(NO_BOXES, (640, 480)).shape == (0, 4)
    assert clip(box(-3, -1, 700, 500), (640, 480)).tolist() == [[0, 0, 640, 480]]
    assert clip(box(650, 10, 700, 20), (640, 480)).tolist() == [[640, 10, 640, 20]]
    assert clip(box(1.5, 2, 3, 4), (640, 480)).tolist() == [[1.5, 2, 3, 4]]


@given(boxes())
def test_square_keeps_centre_and_longer_side(a: np.ndarray) -> None:
    b = square(a)
    assert b.shape == a.shape
    size = b[:, 2:] - b[:, :2]
    assert np.allclose(b[:, :2] + b[:, 2:], a[:, :2] + a[:, 2:], atol=0.01)
    assert np.allclose(size, (a[:, 2:] - a[:, :2]).max(axis=1, keepdims=True, initial=0), atol=0.01)


def test_transforms_of_nothing() -> None:
    assert similarity_transforms(np.zeros((0, 5, 2), np.float32), TEMPLATE).shape == (0, 2, 3)


def test_the_transform_of_the_target_is_the_identity() -> None:
    matrix = similarity_transforms(TEMPLATE[None] * 128, TEMPLATE * 128)[0]
    assert matrix == pytest.approx(np.eye(2, 3), abs=1e-4)


@given(st.floats(-np.pi, np.pi), st.floats(0.05, 20), st.floats(-500, 500), st.floats(-500, 500))
def test_transforms_recover_rotation_scale_and_shift(
    turn: float, scale: float, x: float, y: float
) -> None:
    cos, sin = scale * np.cos(turn), scale * np.sin(turn)
    expected = np.array([[cos, -sin, x], [sin, cos, y]])
    source = TEMPLATE.astype(np.float64) * 128
    target = source @ expected[:, :2].T + expected[:, 2]
    found = similarity_transforms(source[None], target)[0]
    assert found == pytest.approx(expected, rel=1e-5, abs=1e-3)


def test_a_mirrored_face_is_not_reflected() -> None:
    mirrored = TEMPLATE[None] * [-1, 1]
    turn = similarity_transforms(mirrored, TEMPLATE)[0, :, :2]
    assert np.linalg.det(turn) >= 0


def test_points_that_coincide_give_finite_numbers() -> None:
    assert np.isfinite(similarity_transforms(np.full((1, 5, 2), 7, np.float32), TEMPLATE)).all()
