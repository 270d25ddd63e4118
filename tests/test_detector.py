from __future__ import annotations

import importlib.util
import inspect
import shutil
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import cv2
import joblib
import numpy as np
import pytest
from conftest import unavailable
from settings import SHIPPED

from livecam import detector, mtcnn_graphs
from livecam.crops import aligned_crops
from livecam.datatypes import Faces
from livecam.detector import MAX_PROPOSALS, Mtcnn, _cells, _Halves, _patches
from livecam.errors import LivecamError
from livecam.geometry import area, iou_matrix

# x, y and side of the heads in a crowd of 640 x 480
CROWD = [
    (10, 10, 120), (160, 30, 200), (400, 20, 80), (500, 10, 130), (20, 240, 220), (280, 260, 100),
    (420, 220, 180), (600, 200, 40),
]  # fmt: skip

Find = Callable[[np.ndarray], Faces]


def resized(bgr: np.ndarray, factor: float) -> np.ndarray:
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    return cv2.resize(bgr, None, fx=factor, fy=factor, interpolation=how)


def rolled(bgr: np.ndarray, turn: float) -> np.ndarray:
    matrix = cv2.getRotationMatrix2D((224, 140), turn, 1)
    return cv2.warpAffine(bgr, matrix, bgr.shape[1::-1], borderMode=cv2.BORDER_REFLECT)


def noise(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(7).integers(0, 256, (height, width, 3), np.uint8)


def crowd(bgr: np.ndarray, canvas: np.ndarray) -> np.ndarray:
    canvas = canvas.copy()
    for x, y, side in CROWD:
        head = cv2.resize(bgr[:300, 70:370], (side, side), interpolation=cv2.INTER_AREA)
        canvas[y : y + side, x : x + side] = head
    return canvas


def grey(height: int, width: int, level: int = 127) -> np.ndarray:
    return np.full((height, width, 3), level, np.uint8)


# The mtcnn package is the reference.


@pytest.fixture(scope="module")
def package() -> Find:
    """`mtcnn.MTCNN().detect_faces` as a function from BGR to Faces."""
    if importlib.util.find_spec("tensorflow") is None:
        unavailable("tensorflow")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TensorFlow's own
        from mtcnn import MTCNN

        mtcnn = MTCNN()

    def find(bgr: np.ndarray) -> Faces:
        rgb = np.ascontiguousarray(bgr[..., ::-1])
        # a row: picture, box, confidence, the five x, the five y
        rows = mtcnn.detect_faces(rgb, box_format="xyxy", output_type="numpy").astype(np.float32)
        if not len(rows):  # without landmarks where an earlier network found nothing
            return Faces.none()
        landmarks = np.stack([rows[:, 6:11], rows[:, 11:16]], axis=2)
        return Faces(rows[:, 1:5], rows[:, 5], landmarks)

    return find


@pytest.fixture(scope="module")
def small_faces_too() -> Mtcnn:
    """With the package's own smallest face."""
    return Mtcnn(min_face_px=20)


PICTURES: dict[str, Find] = {
    "a third": lambda bgr: resized(bgr, 0.33),
    "half": lambda bgr: resized(bgr, 0.5),
    "whole": lambda bgr: bgr,
    "enlarged": lambda bgr: resized(bgr, 1.5),
    "rolled left": lambda bgr: rolled(bgr, 20),
    "rolled right": lambda bgr: rolled(bgr, -20),
    "odd size": lambda bgr: bgr[:301, 60:397],
    "crowd on grey": lambda bgr: crowd(bgr, grey(480, 640)),
    "crowd on noise": lambda bgr: crowd(bgr, noise(480, 640)),
}


def test_it_searches_as_the_shipped_settings_say() -> None:
    """`train.prepare` and the library of others name no settings."""
    defaults = inspect.signature(Mtcnn).parameters
    for name in ("min_face_px", "thresholds", "pyramid_factor", "max_side_px"):
        assert defaults[name].default == getattr(SHIPPED.detector, name), name


@pytest.mark.parametrize("name", PICTURES)
def test_finds_what_the_package_finds(
    name: str, package: Find, small_faces_too: Mtcnn, astronaut: np.ndarray
) -> None:
    picture = PICTURES[name](astronaut)
    reference = sure(package(picture))
    found = sure(small_faces_too.find(picture))
    assert len(found) == len(reference) == (len(CROWD) if "crowd" in name else 1)
    assert_alike(found, reference)


@pytest.mark.parametrize("name", ["nothing", "noise"])
def test_finds_nothing_where_the_package_finds_nothing(
    name: str, package: Find, small_faces_too: Mtcnn
) -> None:
    picture = grey(200, 300) if name == "nothing" else noise(200, 300)
    assert len(package(picture)) == len(small_faces_too.find(picture)) == 0


def sure(faces: Faces) -> Faces:
    return faces[faces.confidence >= 0.9]


def assert_alike(found: Faces, reference: Faces) -> None:
    """The same faces, in whatever order."""
    overlap = iou_matrix(reference.xyxy, found.xyxy)
    partner = overlap.argmax(axis=1)
    assert sorted(partner) == list(range(len(found)))
    assert overlap.max(axis=1).min() >= 0.7
    off_px = np.linalg.norm(found.landmarks[partner] - reference.landmarks, axis=2).max(axis=1)
    # half a pixel, because the smaller copies of the picture are sampled otherwise
    assert np.all(off_px <= 0.5 + 0.05 * np.sqrt(area(reference.xyxy)))
    assert found.confidence[partner] == pytest.approx(reference.confidence, abs=0.05)


# What it promises by itself.


@pytest.mark.parametrize(
    "picture",
    [
        grey(1, 1), grey(5, 5), grey(11, 500), grey(400, 400, 0), grey(400, 400, 255),
        grey(30, 6000), grey(6000, 30), noise(480, 640), noise(20, 2000),
    ],
    ids=lambda picture: str(picture.shape[:2]),
)  # fmt: skip
def test_pictures_without_a_face_give_none(detector: Mtcnn, picture: np.ndarray) -> None:
    for faces in (detector.find(picture), *detector.find_in_pictures([picture])):
        assert len(faces) == 0
        assert faces.landmarks.shape == (0, 5, 2)
    assert len(detector.find_main([picture])[0]) == 0


def test_no_pictures_no_answers(detector: Mtcnn) -> None:
    assert detector.find_in_pictures([]) == []
    assert detector.find_main([]) == []


def test_the_face_and_its_five_points(detector: Mtcnn, astronaut: np.ndarray) -> None:
    faces = detector.find(astronaut)
    assert len(faces) == 1
    assert faces.confidence[0] > 0.99
    left_eye, right_eye, nose, mouth_left, mouth_right = faces.landmarks[0]
    assert left_eye[0] < nose[0] < right_eye[0]
    assert mouth_left[0] < nose[0] < mouth_right[0]
    assert max(left_eye[1], right_eye[1]) < nose[1] < min(mouth_left[1], mouth_right[1])
    x0, y0, x1, y1 = faces.xyxy[0]
    assert np.all((faces.landmarks[0] > (x0, y0)) & (faces.landmarks[0] < (x1, y1)))


def test_the_most_confident_come_first(detector: Mtcnn, astronaut: np.ndarray) -> None:
    confidence = detector.find(crowd(astronaut, grey(480, 640))).confidence
    assert len(confidence) >= 7
    assert np.all(np.diff(confidence) <= 0)


def test_the_picture_stays_as_it_is(detector: Mtcnn, astronaut: np.ndarray) -> None:
    before = astronaut.copy()
    faces = detector.find(astronaut)
    detector.refine(astronaut, faces.xyxy)
    assert np.array_equal(astronaut, before)


def test_the_smallest_face_looked_for(astronaut: np.ndarray) -> None:
    picture = crowd(astronaut, grey(480, 640))
    found = {px: longer_sides(Mtcnn(px).find(picture)) for px in (20, 50, 80)}
    assert len(found[20]) == len(CROWD)
    assert len(found[20]) > len(found[50]) > len(found[80]) > 0
    for min_face_px, sides in found.items():  # P-Net tells sizes only roughly
        assert sides.min() > 0.5 * min_face_px


def longer_sides(faces: Faces) -> np.ndarray:
    return (faces.xyxy[:, 2:] - faces.xyxy[:, :2]).max(axis=1)


def test_proposals_are_bounded_by_their_scores() -> None:
    logits = np.random.default_rng(0).uniform(0.5, 9, (100, 100)).astype(np.float32)
    cells = np.dstack([np.zeros((100, 100, 4), np.float32), logits])
    xyxy, scores = _cells(cells, 0.6)
    assert len(xyxy) == len(scores) == MAX_PROPOSALS
    last = np.sort(logits, axis=None)[-MAX_PROPOSALS]
    assert scores.min() == pytest.approx(1 / (1 + np.exp(-last)))
    assert len(_cells(cells, 1.0)[0]) == 0
    assert len(_cells(cells, 0.0)[0]) == MAX_PROPOSALS


def test_thresholds_let_less_pass(astronaut: np.ndarray) -> None:
    picture = crowd(astronaut, grey(480, 640))
    strict = Mtcnn(thresholds=(0.6, 0.7, 0.999)).find(picture)
    assert 0 < len(strict) < len(Mtcnn().find(picture))
    assert strict.confidence.min() > 0.999


def test_many_pictures_are_the_same_as_one_by_one(
    detector: Mtcnn, astronaut: np.ndarray, cut_face: np.ndarray
) -> None:
    pictures = [
        astronaut, grey(100, 150), resized(astronaut, 0.4), astronaut[:, ::-1].copy(), cut_face,
        crowd(astronaut, grey(480, 640)), grey(1, 1), rolled(astronaut, 15), cut_face[:, ::-1],
    ]  # fmt: skip
    together = detector.find_in_pictures(pictures)
    assert [i for i, faces in enumerate(together) if not len(faces)] == [1, 6]
    for picture, faces in zip(pictures, together, strict=True):
        (alone,) = detector.find_in_pictures([picture])
        assert faces.xyxy == pytest.approx(alone.xyxy, abs=0.1)
        assert faces.landmarks == pytest.approx(alone.landmarks, abs=0.1)
        assert faces.confidence == pytest.approx(alone.confidence, abs=1e-3)


@pytest.mark.parametrize("size", [0.3, 1, 6])
def test_a_face_that_the_border_of_a_picture_cuts(
    detector: Mtcnn, astronaut: np.ndarray, cut_face: np.ndarray, size: float
) -> None:
    picture = resized(cut_face, size)
    assert len(detector.find(picture, least=0.5)) == 0  # else this tests nothing
    (faces,) = detector.find_in_pictures([picture])
    assert len(faces) == 1
    assert faces.confidence[0] > 0.9
    whole = np.array([[0, 0, *picture.shape[1::-1]]], np.float32)
    assert iou_matrix(faces.xyxy, whole)[0, 0] > 0.9
    assert np.all((faces.xyxy >= 0) & (faces.xyxy <= whole[0, [2, 3, 2, 3]]))
    original = faces.landmarks / (3 * size) + [189, 72]
    assert original == pytest.approx(detector.find(astronaut).landmarks, abs=5)


def test_a_face_that_is_cut_may_be_too_small_or_too_unsure(cut_face: np.ndarray) -> None:
    assert len(Mtcnn(min_face_px=1000).find_in_pictures([cut_face])[0]) == 0
    strict = Mtcnn(thresholds=(0.65, 0.7, 0.99999))
    assert len(strict.find_in_pictures([cut_face])[0]) == 0
    assert len(strict.find_in_pictures([cut_face], least=0.5)[0]) == 1


def test_an_unsure_face_is_surer_beyond_the_border_and_still_one(
    detector: Mtcnn, astronaut: np.ndarray
) -> None:
    picture = resized(astronaut[61:148, 181:267], 1.5)  # the chin is missing
    unsure = detector.find(picture, least=0.5)
    assert len(unsure) == 1
    assert unsure.confidence[0] < 0.8
    for least in (None, 0.5):
        (faces,) = detector.find_in_pictures([picture], least)
        assert len(faces) == 1
        assert faces.confidence[0] > 0.9


def turned_back(points: np.ndarray, quarters: int, picture: np.ndarray) -> np.ndarray:
    """Points (…, 2) of a picture that `np.rot90` turned so often, in pixels of the picture."""
    height, width = picture.shape[:2]
    x, y = points[..., 0], points[..., 1]
    return {
        1: np.stack([width - 1 - y, x], axis=-1),
        2: np.stack([width - 1 - x, height - 1 - y], axis=-1),
        3: np.stack([y, height - 1 - x], axis=-1),
    }[quarters]


@pytest.mark.parametrize("quarters", [1, 2, 3])
@pytest.mark.parametrize("size", [0.5, 1, 3])
def test_a_picture_that_lies_on_its_side(
    detector: Mtcnn, astronaut: np.ndarray, quarters: int, size: float
) -> None:
    upright = resized(astronaut[:300, 70:310], size)
    lying = np.ascontiguousarray(np.rot90(upright, quarters))
    (expected,), (faces,) = detector.find_in_pictures([upright]), detector.find_in_pictures([lying])
    assert len(faces) == len(expected) == 1
    assert turned_back(faces.landmarks, quarters, upright) == pytest.approx(
        expected.landmarks, abs=2 * size
    )
    corners = turned_back(faces.xyxy.reshape(-1, 2, 2), quarters, upright)
    xyxy = np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)
    assert iou_matrix(xyxy, expected.xyxy)[0, 0] > 0.95
    # the network sees the same
    crops = [aligned_crops(bgr, f.landmarks) for bgr, f in ((upright, expected), (lying, faces))]
    assert np.abs(crops[0].astype(float) - crops[1]).mean() < 6


def test_a_crowd_on_its_side_is_found_whole(detector: Mtcnn, astronaut: np.ndarray) -> None:
    upright = crowd(astronaut, grey(480, 640))
    (expected,), (faces,) = (
        detector.find_in_pictures([upright]),
        detector.find_in_pictures([np.ascontiguousarray(np.rot90(upright))]),
    )
    assert len(faces) == len(expected)
    found = turned_back(faces.landmarks.mean(axis=1), 1, upright)
    wanted = expected.landmarks.mean(axis=1)
    nearest = np.linalg.norm(found[:, None] - wanted[None], axis=2).min(axis=0)
    assert nearest.max() < 4


@pytest.mark.parametrize("turn", [0, 30, -30])
def test_who_leans_lies_not(detector: Mtcnn, astronaut: np.ndarray, turn: float) -> None:
    picture = rolled(astronaut, turn)
    (faces,) = detector.find_in_pictures([picture])
    assert faces.landmarks.tolist() == detector.find(picture).landmarks.tolist()


def test_who_is_less_sure_and_stands_beside_one_who_lies_is_kept(
    detector: Mtcnn, astronaut: np.ndarray
) -> None:
    head = resized(astronaut[:300, 70:370], 0.6)
    dim = cv2.GaussianBlur(head, (0, 0), 4.5)
    picture = np.ascontiguousarray(np.hstack([dim, np.full_like(dim, 118), np.rot90(head)]))
    before = detector.find(picture)
    assert len(before) == 1
    assert before.confidence[0] < 0.99  # else the picture would not be turned
    (faces,) = detector.find_in_pictures([picture])
    assert len(faces) == 2
    assert before.xyxy[0].tolist() in faces.xyxy.tolist()


def test_one_who_lies_among_those_who_stand_turns_no_picture(
    detector: Mtcnn, astronaut: np.ndarray
) -> None:
    head = resized(astronaut[:300, 70:370], 0.6)
    lying = np.rot90(head)
    picture = np.ascontiguousarray(np.hstack([head, lying, head]))
    (faces,) = detector.find_in_pictures([picture])
    assert faces.landmarks.tolist() == detector.find(picture).landmarks.tolist()
    assert len(faces) >= 2


@pytest.mark.parametrize("max_side_px", [256, 700])
def test_a_large_picture_is_searched_small_and_answered_in_its_own_pixels(
    detector: Mtcnn, astronaut: np.ndarray, max_side_px: int
) -> None:
    large = resized(astronaut, 3)
    faces = Mtcnn(max_side_px=max_side_px).find(large)
    expected = detector.find(astronaut)
    assert len(faces) == 1
    assert iou_matrix(faces.xyxy, expected.xyxy * 3)[0, 0] > 0.85
    assert faces.landmarks == pytest.approx(expected.landmarks * 3, abs=15)


def test_what_is_too_small_in_the_shrunk_copy_is_not_seen(astronaut: np.ndarray) -> None:
    assert len(Mtcnn(max_side_px=100).find(astronaut)) == 1
    assert len(Mtcnn(max_side_px=50).find(astronaut)) == 0  # a face of 10 px


def test_min_face_px_counts_in_pixels_of_the_picture_also_when_it_is_shrunk(
    astronaut: np.ndarray,
) -> None:
    large = resized(astronaut, 3)  # a face of 300 px
    assert len(Mtcnn(min_face_px=150, max_side_px=512).find(large)) == 1
    assert len(Mtcnn(min_face_px=900, max_side_px=512).find(large)) == 0


@pytest.mark.parametrize("cut", [np.s_[80:, :], np.s_[:, 195:], np.s_[:140, :], np.s_[:, :260]])
def test_boxes_of_cut_faces_end_at_the_border(
    detector: Mtcnn, astronaut: np.ndarray, cut: tuple[slice, slice]
) -> None:
    picture = np.ascontiguousarray(astronaut[cut])
    height, width = picture.shape[:2]
    boxes = np.concatenate([detector.find(picture).xyxy, detector.find_main([picture])[0].xyxy])
    assert len(boxes) >= 1
    assert np.all((boxes >= 0) & (boxes <= (width, height, width, height)))
    at_border = (boxes == 0) | (boxes == (width, height, width, height))
    assert at_border.any(axis=1).all()
    assert area(boxes).min() > 1000


# Refining known boxes.


def test_refining_no_boxes(detector: Mtcnn, astronaut: np.ndarray) -> None:
    assert len(detector.refine(astronaut, np.zeros((0, 4), np.float32))) == 0


@pytest.mark.parametrize(
    ("shift", "scale"),
    [((0, 0), 1), ((0.15, 0), 1), ((-0.15, 0.1), 1), ((0, -0.15), 1), ((0.05, 0.05), 1.25),
     ((-0.05, 0.05), 0.85), ((0.1, -0.1), 1.1)],
)  # fmt: skip
def test_refine_finds_the_face_again_from_a_box_nearby(
    detector: Mtcnn, astronaut: np.ndarray, shift: tuple[float, float], scale: float
) -> None:
    face = detector.find(astronaut)
    again = detector.refine(astronaut, jittered(face.xyxy, shift, scale))
    assert len(again) == 1
    assert iou_matrix(again.xyxy, face.xyxy)[0, 0] >= 0.8
    assert again.landmarks == pytest.approx(face.landmarks, abs=8)


def jittered(xyxy: np.ndarray, shift: tuple[float, float], scale: float) -> np.ndarray:
    """Boxes moved by shares of their size, then scaled about their centres."""
    size = xyxy[:, 2:] - xyxy[:, :2]
    centre = (xyxy[:, :2] + xyxy[:, 2:]) / 2 + size * shift
    half = size * scale / 2
    return np.concatenate([centre - half, centre + half], axis=1).astype(np.float32)


def test_refine_drops_what_is_no_face_and_what_is_the_same_face(
    detector: Mtcnn, astronaut: np.ndarray
) -> None:
    face = detector.find(astronaut)
    elsewhere = np.array([[350, 350, 450, 450], [-500, -500, -400, -400]], np.float32)
    twice = jittered(face.xyxy, (0.05, 0), 1)
    again = detector.refine(astronaut, np.concatenate([elsewhere, face.xyxy, twice]))
    assert len(again) == 1
    assert iou_matrix(again.xyxy, face.xyxy)[0, 0] >= 0.8


@pytest.mark.parametrize(
    ("shift", "scale"), [((0, 0), 1), ((0.7, 0), 1), ((-0.5, 0.6), 1.3), ((0.3, -0.7), 0.7)]
)
def test_search_near_finds_a_face_that_has_moved(
    detector: Mtcnn, astronaut: np.ndarray, shift: tuple[float, float], scale: float
) -> None:
    face = detector.find(astronaut)
    found = detector.search_near(astronaut, jittered(face.xyxy, shift, scale), Faces.none())
    assert len(found) == 1
    assert iou_matrix(found.xyxy, face.xyxy)[0, 0] >= 0.8
    assert found.landmarks == pytest.approx(face.landmarks, abs=8)


@pytest.mark.parametrize(("larger", "found"), [(2.5, 1), (6.0, 0)])
def test_search_near_finds_faces_of_half_the_size(
    detector: Mtcnn, astronaut: np.ndarray, larger: float, found: int
) -> None:
    face = detector.find(astronaut)[:1]
    place = jittered(face.xyxy, (0, 0), larger)
    assert len(detector.search_near(astronaut, place, Faces.none())) == found


def test_a_box_beside_the_picture_holds_no_face(detector: Mtcnn, astronaut: np.ndarray) -> None:
    beside = np.array([[700, 100, 800, 200], [100, -190, 200, -90]], np.float32)
    assert len(detector.refine(astronaut, beside, least=-1.0)) == 0


@pytest.mark.parametrize("axis", [0, 1])
def test_search_near_looks_at_no_face_far_away(
    detector: Mtcnn, astronaut: np.ndarray, axis: int
) -> None:
    two = np.concatenate([astronaut, astronaut], axis=axis)
    face = detector.find(astronaut)
    for beyond_px in (0, 512):
        box = face.xyxy.copy()
        box[:, [1 - axis, 3 - axis]] += beyond_px
        found = detector.search_near(two, box, Faces.none())
        assert len(found) == 1
        assert iou_matrix(found.xyxy, box)[0, 0] >= 0.8


def test_search_near_keeps_the_known_and_adds_no_second_of_them(
    detector: Mtcnn, astronaut: np.ndarray
) -> None:
    face = detector.find(astronaut)
    beyond = np.array([[350, 350, 450, 450], [-500, -500, -400, -400], [9e4, 9e4, 9e4, 9e4]])
    places = np.concatenate([beyond, jittered(face.xyxy, (0.3, 0), 1)]).astype(np.float32)
    found = detector.search_near(astronaut, places, face)
    assert len(found) == 1
    assert iou_matrix(found.xyxy, face.xyxy)[0, 0] >= 0.8
    assert len(detector.search_near(astronaut, places[:0], Faces.none())) == 0


def test_search_near_does_not_replace_a_known_face_by_a_part_of_it(
    detector: Mtcnn, astronaut: np.ndarray
) -> None:
    face = detector.find(astronaut)
    unsure = Faces(face.xyxy, np.full(1, 0.6, np.float32), face.landmarks)
    for turn in np.linspace(0, 2 * np.pi, 24, endpoint=False):
        place = jittered(face.xyxy, (1.4 * np.cos(turn), 1.4 * np.sin(turn)), 0.8)
        found = detector.search_near(astronaut, place, unsure)
        assert found.xyxy.tolist() == face.xyxy.tolist()


def test_more_boxes_than_opencv_samples_at_once(astronaut: np.ndarray) -> None:
    boxes = np.random.default_rng(0).uniform(0, 512, (1500, 4)).astype(np.float32)
    halves = [_patches(astronaut, boxes[:750], 24), _patches(astronaut, boxes[750:], 24)]
    assert np.array_equal(_patches(astronaut, boxes, 24), np.concatenate(halves))


# The networks.


def test_the_networks_say_what_those_of_the_package_say(detector: Mtcnn, package: Find) -> None:
    """The same numbers for any picture, though they are computed in another order."""
    from mtcnn.stages import StageONet, StagePNet, StageRNet

    rng = np.random.default_rng(0)
    nets = [(detector._pnet, StagePNet, (61, 90)), (detector._rnet, StageRNet, (24, 24)),
            (detector._onet, StageONet, (48, 48))]  # fmt: skip
    for ours, stage, size in nets:
        bgr = rng.integers(0, 256, (5, *size, 3), np.uint8)
        rgb = (bgr[..., ::-1].astype(np.float32) - 127.5) / 128
        heads = [np.asarray(head) for head in stage()._model(rgb)]  # the last one: no face, face
        regression, face = np.concatenate(heads[:-1], axis=-1), heads[-1][..., 1]
        answer = ours(bgr)
        assert answer[..., :-1] == pytest.approx(regression, abs=1e-4)
        assert 1 / (1 + np.exp(-answer[..., -1])) == pytest.approx(face, abs=1e-4)


def test_halves_skip_no_pixel() -> None:
    for width in (640, 641, 853):
        stripes = np.zeros((480, width, 3), np.uint8)
        stripes[:, ::2] = 255
        levels = _Halves(stripes).shrunk(0.25)
        assert np.ptp(levels) <= 4, width


# The one face that a picture is a crop of.


def test_the_main_face_is_the_largest(detector: Mtcnn, astronaut: np.ndarray) -> None:
    pictures = [crowd(astronaut, grey(480, 640)), grey(200, 200), astronaut]
    several, none, one = detector.find_main(pictures)
    assert (len(several), len(none), len(one)) == (1, 0, 1)
    assert area(several.xyxy)[0] == area(detector.find(pictures[0]).xyxy).max()


def test_the_main_face_of_a_crop_that_cuts_it(detector: Mtcnn, cut_face: np.ndarray) -> None:
    (main,), (found,) = detector.find_main([cut_face]), detector.find_in_pictures([cut_face])
    assert len(main) == 1
    assert main.landmarks.tolist() == found.landmarks.tolist()


def test_a_missing_mtcnn_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch, pytest.raises(LivecamError) as failed:
        patch.setattr(importlib.util, "find_spec", lambda name: None)
        Mtcnn()
    assert str(failed.value) == (
        "the package mtcnn is not installed; install it: pip install mtcnn"
    )


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the mtcnn package's weights, which is used instead."""
    copy = shutil.copytree(mtcnn_graphs.weights_dir(), tmp_path / "weights")
    monkeypatch.setattr(mtcnn_graphs, "weights_dir", lambda: copy)
    return copy


@pytest.mark.parametrize("size", [0, 3, 100, 10_000, None], ids=str)
def test_damaged_weights_are_named(weights: Path, size: int | None) -> None:
    path = weights / "onet.lz4"
    path.write_bytes(b"words" if size is None else path.read_bytes()[:size])
    with pytest.raises(LivecamError) as failed:
        Mtcnn()
    said = str(failed.value)
    assert said.startswith(f"{path}: damaged or unreadable (")
    assert said.endswith("); pip install --force-reinstall --no-deps mtcnn lz4")
    assert "\n" not in said


def test_weights_without_lz4(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lz4.frame", None)
    with pytest.raises(LivecamError, match=r"ModuleNotFoundError: .*lz4.* mtcnn lz4$"):
        Mtcnn()


def test_weights_that_the_graphs_cannot_compute_with(weights: Path) -> None:
    path = weights / "pnet.lz4"
    arrays = joblib.load(path)
    slopes = [i for i, array in enumerate(arrays) if array.ndim == 3]
    for layer, slope in ((slopes[0], 1.0), (slopes[1], 1.5)):  # before a pool and behind it
        changed = [np.full_like(a, slope) if i == layer else a for i, a in enumerate(arrays)]
        joblib.dump(changed, path)
        with pytest.raises(LivecamError, match="mtcnn package has other weights; install version"):
            Mtcnn()
    joblib.dump(arrays, path)
    Mtcnn()


def test_crowds_are_looked_at_in_parts_with_the_same_result(
    astronaut: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = crowd(astronaut, grey(480, 640))
    calls: list[int] = []
    whole, parts = (Mtcnn().find(picture), Mtcnn())
    monkeypatch.setattr(detector, "PATCHES_PX", 4 * 48**2)
    for name in ("_rnet", "_onet"):
        net = getattr(parts, name)
        monkeypatch.setattr(parts, name, lambda x, net=net: calls.append(x[..., 0].size) or net(x))
    found = parts.find(picture)
    assert len(calls) > 2
    assert max(calls) <= 4 * 48**2
    np.testing.assert_allclose(found.xyxy, whole.xyxy, atol=0.01)
    np.testing.assert_allclose(found.landmarks, whole.landmarks, atol=0.01)


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="tells memory on Linux alone")
def test_the_memory_of_a_large_picture_is_given_back() -> None:
    def resident_mb() -> float:
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6

    net = Mtcnn()
    net.find(grey(3000, 4000))
    before_mb = resident_mb()
    net.release()
    assert before_mb - resident_mb() > 100
    assert len(net.find(grey(30, 40))) == 0  # it works on
