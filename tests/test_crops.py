from __future__ import annotations

import importlib.util
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from conftest import unavailable
from settings import SHIPPED

from livecam.ages import CENTRAL_RANGE
from livecam.crops import CANONICAL_PX, TEMPLATE, aligned_crops, assumed_landmarks, resized
from livecam.datatypes import AGES, AgeGender
from livecam.detector import Mtcnn
from livecam.pictures import read_picture
from livecam.prediction import PredictOptions, faces_of

CROP = (CANONICAL_PX, CANONICAL_PX, 3)


@pytest.fixture(scope="module")
def landmarks(astronaut: np.ndarray, detector: Mtcnn) -> np.ndarray:
    """(1, 5, 2) px of the astronaut's face."""
    return detector.find(astronaut).landmarks[:1]


@pytest.fixture(scope="module")
def crop(astronaut: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    return aligned_crops(astronaut, landmarks)[0]


def apart(a: np.ndarray, b: np.ndarray) -> float:
    """Mean difference of grey levels."""
    return float(np.abs(a.astype(int) - b.astype(int)).mean())


def moved(bgr: np.ndarray, landmarks: np.ndarray, matrix: np.ndarray) -> tuple:
    """A picture under an affine map, and its landmarks."""
    height, width = bgr.shape[:2]
    picture = cv2.warpAffine(bgr, matrix, (2 * width, 2 * height), flags=cv2.INTER_CUBIC)
    return picture, (landmarks @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32)


def enlarged(bgr: np.ndarray, landmarks: np.ndarray, factor: int) -> tuple:
    big = cv2.resize(bgr, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
    return big, (landmarks + 0.5) * factor - 0.5


def test_no_landmarks_no_crops(astronaut: np.ndarray) -> None:
    none = aligned_crops(astronaut, np.zeros((0, 5, 2), np.float32))
    assert none.shape == (0, *CROP)
    assert none.dtype == np.uint8
    assert resized(none, 96).shape == (0, 96, 96, 3)


def test_the_template_is_symmetric_about_the_middle() -> None:
    mirrored = TEMPLATE[[1, 0, 2, 4, 3]] * [-1, 1] + [1, 0]
    assert mirrored == pytest.approx(TEMPLATE, abs=1e-6)


def test_a_face_on_the_template_is_not_moved(crop: np.ndarray) -> None:
    again = aligned_crops(np.ascontiguousarray(crop[..., ::-1]), TEMPLATE[None] * CANONICAL_PX)[0]
    assert np.abs(again.astype(int) - crop).max() <= 2


def test_landmarks_end_on_the_template(astronaut: np.ndarray, landmarks: np.ndarray) -> None:
    """Dots painted where the eyes are come out where the template has them."""
    dots = np.zeros_like(astronaut)
    left, right = landmarks[0, :2].round().astype(int).tolist()
    cv2.circle(dots, left, 3, (255, 0, 0), -1)  # blue
    cv2.circle(dots, right, 3, (0, 0, 255), -1)  # red
    out = aligned_crops(dots, landmarks)[0]
    for channel, point in ((2, TEMPLATE[0]), (0, TEMPLATE[1])):
        y, x = np.argwhere(out[..., channel] > 100).mean(axis=0)
        assert (x, y) == pytest.approx(point * CANONICAL_PX, abs=5)


def test_crops_are_rgb(landmarks: np.ndarray) -> None:
    orange = np.full((512, 512, 3), (0, 128, 255), np.uint8)
    assert np.all(aligned_crops(orange, landmarks)[0] == (255, 128, 0))


@pytest.mark.parametrize("turn", [-40, 20, 90, 180])
@pytest.mark.parametrize("scale", [0.8, 1.5])
def test_roll_size_and_place_do_not_matter(
    astronaut: np.ndarray, landmarks: np.ndarray, crop: np.ndarray, turn: float, scale: float
) -> None:
    matrix = cv2.getRotationMatrix2D(landmarks[0, 2].tolist(), turn, scale)
    matrix[:, 2] += (310, 250)
    again = aligned_crops(*moved(astronaut, landmarks, matrix))[0]
    assert apart(again, crop) < 3


@pytest.mark.parametrize("factor", [2, 4, 7])
@pytest.mark.parametrize("size_px", [96, CANONICAL_PX, 192])
def test_a_larger_picture_gives_the_same_crop(
    astronaut: np.ndarray, landmarks: np.ndarray, factor: int, size_px: int
) -> None:
    crop = aligned_crops(astronaut, landmarks, size_px)[0]
    again = aligned_crops(*enlarged(astronaut, landmarks, factor), size_px)[0]
    assert apart(again, crop) < 3


def test_a_big_face_does_not_alias(
    astronaut: np.ndarray, landmarks: np.ndarray, crop: np.ndarray
) -> None:
    """Detail finer than a pixel of the crop averages out instead of becoming a pattern."""
    big, points = enlarged(astronaut, landmarks, 4)
    checks = np.indices(big.shape[:2]).sum(axis=0)[..., None] % 2 * 2 - 1
    shaken = (big.astype(int) // 2 + 64 + 60 * checks).astype(np.uint8)
    calm = (big // 2 + 64).astype(np.uint8)
    assert apart(shaken, calm) > 55
    assert apart(aligned_crops(shaken, points), aligned_crops(calm, points)) < 4


@pytest.mark.parametrize("axis", [0, 1])
def test_a_big_face_is_seen_to_the_last_row_and_column(axis: int) -> None:
    """What is shrunk is a part of the picture: it must not end before the crop does."""
    slope = np.indices((1400, 1400))[axis] * (255 / 1399)
    picture = np.repeat(np.round(slope).astype(np.uint8)[..., None], 3, axis=2)
    points = TEMPLATE[None] * 1024 + (150, 200)  # 8 px of the picture for each of the crop
    (crop,) = aligned_crops(picture, points.astype(np.float32), 128)
    pixels = (np.arange(128) + 0.5) * 8 - 0.5 + (200, 150)[axis]
    seen = crop[..., 0].astype(float).mean(axis=1 - axis)
    assert seen == pytest.approx(pixels * (255 / 1399), abs=1.5)


def test_many_faces_at_once_are_the_same_as_one_by_one(
    astronaut: np.ndarray, landmarks: np.ndarray
) -> None:
    three = np.concatenate([landmarks, landmarks + 40, landmarks * 0.5])
    one_by_one = [aligned_crops(astronaut, three[i : i + 1])[0] for i in range(3)]
    assert np.array_equal(aligned_crops(astronaut, three), np.stack(one_by_one))


def test_a_face_at_the_border_repeats_the_border(
    astronaut: np.ndarray, landmarks: np.ndarray, crop: np.ndarray
) -> None:
    """Cut through the middle of the face, only the half that is left is as it was."""
    nose_x = int(landmarks[0, 2, 0])
    left_half = np.ascontiguousarray(astronaut[:, :nose_x])
    half = aligned_crops(left_half, landmarks)[0]
    middle = CANONICAL_PX // 2
    assert apart(half[:, : middle - 12], crop[:, : middle - 12]) < 3
    assert apart(half[40:90, -1], half[40:90, -12]) < apart(crop[40:90, -1], crop[40:90, -12])
    assert half[:, -1].any(axis=1).all()  # no black


@pytest.mark.parametrize(
    "points",
    [TEMPLATE * 128 - 900, TEMPLATE * 128 + 900, TEMPLATE * 9000, TEMPLATE * 0 + 5, TEMPLATE * 1],
    ids=["before", "beyond", "larger than the picture", "one point", "one pixel"],
)
@pytest.mark.parametrize("size_wh", [(200, 200), (1, 1), (3, 400)])
def test_landmarks_in_odd_places_still_give_a_crop(points: np.ndarray, size_wh: tuple) -> None:
    grey = np.full((size_wh[1], size_wh[0], 3), 77, np.uint8)
    assert np.all(aligned_crops(grey, points[None].astype(np.float32)) == 77)


def test_what_is_shrunk_is_averaged() -> None:
    fine = np.zeros((1, 96, 96, 3), np.uint8)
    fine[:, ::3, ::3] = 255  # one pixel of nine
    assert resized(fine, 32).ravel() == pytest.approx(255 / 9, abs=1)


@pytest.mark.parametrize("size_px", [64, 96, 128, 160])
def test_resized(crop: np.ndarray, size_px: int) -> None:
    two = resized(np.stack([crop, crop[:, ::-1]]), size_px)
    assert two.shape == (2, size_px, size_px, 3)
    assert apart(two[0], two[1][:, ::-1]) < 1
    back = cv2.resize(two[0], CROP[:2], interpolation=cv2.INTER_CUBIC)
    assert apart(back, crop) < 4


@pytest.mark.parametrize("size_wh", [(1, 1), (200, 200), (300, 200), (90, 400)])
def test_assumed_landmarks_lie_in_the_middle_of_the_picture(size_wh: tuple[int, int]) -> None:
    points = assumed_landmarks(size_wh)
    assert points.shape == (1, 5, 2)
    assert points.dtype == np.float32
    assert np.all((points > 0) & (points < size_wh))
    assert points[0, :2].mean(axis=0)[0] == pytest.approx(size_wh[0] / 2)


def test_a_crop_of_a_crop_is_the_crop(crop: np.ndarray) -> None:
    bgr = np.ascontiguousarray(crop[..., ::-1])
    assert apart(aligned_crops(bgr, assumed_landmarks(CROP[:2]))[0], crop) < 1


@pytest.fixture
def heads(astronaut: np.ndarray, tmp_path: Path) -> Path:
    """A folder of tight face pictures named as UTKFace's; in the last there is no face."""
    folder = tmp_path / "utkface"
    folder.mkdir()
    for i, (x, y, side) in enumerate(
        [(150, 40, 150), (140, 20, 190), (120, 10, 230), (0, 400, 90)]
    ):
        head = cv2.resize(astronaut[y : y + side, x : x + side], (200 - 10 * i, 200 - 10 * i))
        assert cv2.imwrite(str(folder / f"4{i}_1_0_2017011617340{i}636.jpg.chip.jpg"), head)
    return folder


def crops_of_training(folder: Path, output: Path) -> tuple[np.ndarray, list[str], list[bool]]:
    if importlib.util.find_spec("h5py") is None:
        unavailable("h5py")
    import h5py

    from train import prepare

    assert prepare.main([str(folder), "--output", str(output)]) == 0
    with h5py.File(output) as h5:
        return h5["crops"][()], list(h5["file"].asstr()[()]), h5["detected"][()].tolist()


def crops_of_run_time(files: list[Path], detector: Mtcnn) -> np.ndarray:
    """What `livecam predict --assume-face` gives its classifier."""
    seen: list[np.ndarray] = []

    def classify(crops: np.ndarray) -> AgeGender:
        seen.append(crops)
        flat = np.full((len(crops), AGES), 1 / AGES, np.float32)
        return AgeGender(flat, np.full(len(crops), 0.5, np.float32))

    models = SimpleNamespace(
        detector=detector,
        classify_once=classify,
        classifier=SimpleNamespace(age_range=CENTRAL_RANGE),
        config=SHIPPED,
    )
    faces_of(
        [read_picture(file.name, file) for file in files], models, PredictOptions(assume_face=True)
    )
    return np.concatenate(seen)


def test_the_crops_of_training_and_run_time_are_equal(
    heads: Path, tmp_path: Path, detector: Mtcnn
) -> None:
    trained, names, detected = crops_of_training(heads, tmp_path / "faces.h5")
    assert detected == [True, True, True, False]
    run = crops_of_run_time([heads / name for name in names], detector)
    assert run.shape == (4, *CROP)
    assert np.array_equal(trained, run)
