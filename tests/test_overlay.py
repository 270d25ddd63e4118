from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest

from livecam.config import load_config
from livecam.crops import TEMPLATE
from livecam.datatypes import AGES, TrackedFace
from livecam.drawing import COLOURS, text_px
from livecam.geometry import iou_matrix
from livecam.overlay import Overlay
from livecam.shipped import shipped_file

CONFIG = dataclasses.replace(
    load_config(shipped_file("config.yaml"), environment={}).overlay,
    age="full",
    ids=True,
    blur=False,
    gender=True,
    gender_min_age=8,
    gender_min_prob=0.7,
    scale=1.0,
)
SIZES = [(320, 240), (640, 480), (1920, 1080), (3840, 2160)]  # width, height

sizes = pytest.mark.parametrize("size_wh", SIZES, ids=str)


def face(
    xyxy: tuple[float, float, float, float] = (100, 100, 160, 180),
    track_id: int = 1,
    **changes: float,
) -> TrackedFace:
    box = np.array(xyxy, np.float32)
    usual = TrackedFace(
        track_id=track_id,
        xyxy=box,
        landmarks=box[:2] + TEMPLATE * (box[2:] - box[:2]),
        confidence=0.99,
        age_probs=np.full(AGES, 1 / AGES, np.float32),
        age=31.0,
        age_low=24,
        age_high=39,
        age_bin="25-34",
        female_prob=0.93,
        samples=5,
    )
    return dataclasses.replace(usual, **changes)


def overlay(**changes: float) -> Overlay:
    return Overlay(dataclasses.replace(CONFIG, **changes))


def picture(size_wh: tuple[int, int] = (640, 480)) -> np.ndarray:
    width, height = size_wh
    return np.random.default_rng(1).integers(90, 110, (height, width, 3), np.uint8)


def places_of(drawer: Overlay, bgr: np.ndarray, faces: list[TrackedFace]) -> np.ndarray:
    """(n, 4) where the labels go."""
    boxes = np.stack([one.xyxy for one in faces])
    return np.stack(drawer._places(bgr, faces, boxes, text_px(bgr, drawer.config.scale)))


def is_changed(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    return (before != after).any(axis=2)


# The picture.


def test_without_faces_the_picture_is_an_equal_copy() -> None:
    bgr = picture()
    drawn = overlay()(bgr, [])
    assert np.array_equal(drawn, bgr)
    assert not np.shares_memory(drawn, bgr)


def test_the_frame_stays_as_it_is() -> None:
    bgr = picture()
    before = bgr.copy()
    drawn = overlay()(bgr, [face(), face((300, 50, 420, 200), 2)])
    assert np.array_equal(bgr, before)
    assert drawn.shape == bgr.shape
    assert is_changed(bgr, drawn).any()


def test_a_frame_that_cannot_be_written_is_no_obstacle() -> None:
    bgr = picture()
    bgr.flags.writeable = False
    assert is_changed(bgr, overlay()(bgr, [face()])).any()


@sizes
def test_only_the_box_and_the_label_are_drawn(size_wh: tuple[int, int]) -> None:
    """Also the text stays within its label."""
    bgr = picture(size_wh)
    width, height = size_wh
    one = face((0.4 * width, 0.4 * height, 0.6 * width, 0.7 * height))
    drawn = is_changed(bgr, overlay()(bgr, [one]))
    (place,) = places_of(overlay(), bgr, [one]).astype(int)
    edge = max(4, height // 80)
    label, box = region(place), region(one.xyxy, edge)
    assert drawn[label].all()
    assert drawn[box].any()
    assert not drawn[region(one.xyxy, -3 * edge)].any()  # the face is free
    drawn[label] = drawn[box] = False
    assert not drawn.any()


def region(xyxy: np.ndarray, more: int = 0) -> tuple[slice, slice]:
    x0, y0, x1, y1 = xyxy.astype(int)
    return np.s_[y0 - more : y1 + more, x0 - more : x1 + more]


def test_a_box_has_the_colour_of_its_track() -> None:
    bgr = picture()
    for track_id, colour in [(1, COLOURS[0]), (2, COLOURS[1]), (len(COLOURS) + 1, COLOURS[0])]:
        drawn = overlay()(bgr, [face((100, 100, 300, 300), track_id)])
        near_corner = drawn[99:102, 140]
        assert np.abs(near_corner.astype(int) - colour).max(axis=1).min() < 40


def test_the_factor_moves_boxes_to_a_larger_picture() -> None:
    bgr = picture((1280, 960))
    small, large = face((100, 100, 160, 180)), face((200, 200, 320, 360))
    assert np.array_equal(overlay()(bgr, [small], factor=2), overlay()(bgr, [large]))


def test_a_face_out_of_sight_has_its_corners_alone() -> None:
    bgr = picture()
    seen = is_changed(bgr, overlay()(bgr, [face((100, 100, 300, 300))]))
    unseen = is_changed(bgr, overlay()(bgr, [face((100, 100, 300, 300), coasting_s=0.2)]))
    assert seen[270, 98:103].any() and unseen[270, 98:103].any()  # near a corner
    assert seen[200, 98:103].any() and not unseen[200, 98:103].any()  # half-way down
    assert seen[98:103, 200].any() and not unseen[98:103, 200].any()


def test_scale_makes_text_larger() -> None:
    widths = []
    for scale in (0.5, 1, 1.5):
        ((x0, _, x1, _),) = places_of(overlay(scale=scale), picture((1920, 1080)), [face()])
        widths.append(x1 - x0)
    assert widths == sorted(set(widths))


@pytest.mark.parametrize(
    ("size_wh", "wanted"),
    [((1, 1), 12), ((320, 240), 12), ((1920, 1080), 33), ((3840, 2160), 64), ((9000, 4000), 64)],
)
def test_text_is_legible_on_a_small_picture_and_bounded_on_a_large_one(
    size_wh: tuple[int, int], wanted: int
) -> None:
    assert text_px(np.empty((size_wh[1], size_wh[0], 3), np.uint8)) == wanted


@pytest.mark.parametrize(
    "xyxy",
    [(0, 0, 1, 1), (5, 5, 5, 5), (-300, -300, -200, -200), (900, 900, 999, 999),
     (-50, -50, 700, 500), (30, 20, 32, 470)],
)  # fmt: skip
@pytest.mark.parametrize("size_wh", [(1, 1), (2, 300), (64, 48), (640, 480)], ids=str)
def test_any_box_on_any_picture(size_wh: tuple[int, int], xyxy: tuple) -> None:
    bgr = picture(size_wh)
    drawn = overlay()(bgr, [face(xyxy), face(xyxy, 2, coasting_s=0.5)])
    assert drawn.shape == bgr.shape
    assert drawn.dtype == np.uint8


# The words.


@pytest.mark.parametrize(
    ("changes", "label"),
    [
        ({}, "25-34 (24–39)  ♀ 93%"),
        ({"female_prob": 0.07}, "25-34 (24–39)  ♂ 93%"),
        ({"female_prob": 1.0}, "25-34 (24–39)  ♀ 99%"),  # nothing is sure
        ({"female_prob": 0.0}, "25-34 (24–39)  ♂ 99%"),
        ({"female_prob": 0.6}, "25-34 (24–39)"),
        ({"age_bin": "65+", "age": 80, "age_low": 66, "age_high": 100}, "65+ (66–100)  ♀ 93%"),
        ({"age_bin": "0-12", "age": 2, "age_low": 0, "age_high": 5}, "0-12 (0–5)"),
    ],
)
def test_labels(changes: dict, label: str) -> None:
    assert overlay().label(face(**changes)) == label


@pytest.mark.parametrize(
    ("config", "changes", "is_shown"),
    [
        ({"gender": False}, {"female_prob": 1.0}, False),
        ({}, {"female_prob": 0.69}, False),
        ({}, {"female_prob": 0.71}, True),
        ({}, {"female_prob": 0.31}, False),
        ({}, {"female_prob": 0.29}, True),
        ({"gender_min_prob": 0.95}, {}, False),
        ({"gender_min_prob": 0.5}, {"female_prob": 0.5}, True),
        ({}, {"age": 7.9}, False),
        ({}, {"age": 8.0}, True),
        ({"gender_min_age": 0}, {"age": 0.5}, True),
        ({"gender_min_age": 101}, {"age": 100.0}, False),
    ],
)
def test_gender_is_shown_only_where_it_may_be(config: dict, changes: dict, is_shown: bool) -> None:
    assert bool(overlay(**config).gender(face(**changes))) == is_shown


# The places of labels.


def spread(size_wh: tuple[int, int], columns: int, rows: int, share: float) -> list[TrackedFace]:
    """A grid of faces, each as high as that share of the picture."""
    width, height = size_wh
    side = share * height
    xs = np.linspace(0, width - side, columns)
    ys = np.linspace(0, height - side, rows)
    corners = itertools.product(xs, ys)
    return [face((x, y, x + side, y + side), i + 1) for i, (x, y) in enumerate(corners)]


@sizes
@pytest.mark.parametrize("share", [0.05, 0.2, 0.5])
def test_labels_of_faces_at_borders_and_corners_are_in_the_picture(
    size_wh: tuple[int, int], share: float
) -> None:
    bgr = picture(size_wh)
    for one in spread(size_wh, 3, 3, share):
        ((x0, y0, x1, y1),) = places_of(overlay(), bgr, [one])
        assert (x1 - x0, y1 - y0) == pytest.approx(overlay()._label_size(one, text_px(bgr)))
        assert 0 <= x0 < x1 <= size_wh[0]
        assert 0 <= y0 < y1 <= size_wh[1]


@sizes
def test_a_label_is_off_its_own_face_where_there_is_room(size_wh: tuple[int, int]) -> None:
    bgr = picture(size_wh)
    for one in spread(size_wh, 3, 3, 0.3):
        place = places_of(overlay(), bgr, [one])
        assert iou_matrix(place, one.xyxy[None]).max() == 0


@sizes
@pytest.mark.parametrize(
    ("columns", "rows", "share"), [(1, 3, 0.2), (2, 2, 0.3), (2, 3, 0.15), (1, 2, 0.4)]
)
def test_labels_hide_no_face_and_no_label_while_there_is_room(
    size_wh: tuple[int, int], columns: int, rows: int, share: float
) -> None:
    faces = spread(size_wh, columns, rows, share)
    places = places_of(overlay(), picture(size_wh), faces)
    boxes = np.stack([one.xyxy for one in faces])
    assert iou_matrix(places, boxes).max() == 0
    assert iou_matrix(places, places)[~np.eye(len(faces), dtype=bool)].max() == 0


def test_a_label_gives_way_to_a_face_above() -> None:
    below, above = face((300, 200, 380, 300)), face((300, 90, 380, 190), 2)
    alone = places_of(overlay(), picture(), [below])
    both = places_of(overlay(), picture(), [below, above])
    assert alone[0, 3] <= 200  # above its face
    assert both[0, 1] >= 300  # below its face
    assert iou_matrix(both, np.stack([below.xyxy, above.xyxy])).max() == 0


def test_more_labels_than_room() -> None:
    bgr = picture((320, 240))
    faces = spread((320, 240), 8, 6, 0.25)
    places = places_of(overlay(), bgr, faces)
    assert np.all((places >= 0) & (places <= (320, 240, 320, 240)))
    assert overlay()(bgr, faces).shape == bgr.shape
