from __future__ import annotations

import dataclasses
import itertools
import threading

import numpy as np
import pytest
from people import OVERLAY, face

from livecam.datatypes import AGES, TrackedFace
from livecam.drawing import COLOURS, put_text, text_px
from livecam.geometry import iou_matrix
from livecam.overlay import BLUR_CELLS, SHOWN_COASTING_S, SURE_CONFIDENCE, Overlay

SIZES = [(320, 240), (640, 480), (1920, 1080), (3840, 2160)]  # width, height

sizes = pytest.mark.parametrize("size_wh", SIZES, ids=str)


def overlay(**changes: float) -> Overlay:
    return Overlay(dataclasses.replace(OVERLAY, **changes))


def picture(size_wh: tuple[int, int] = (640, 480)) -> np.ndarray:
    width, height = size_wh
    return np.random.default_rng(1).integers(90, 110, (height, width, 3), np.uint8)


def places_of(drawer: Overlay, bgr: np.ndarray, faces: list[TrackedFace]) -> np.ndarray:
    """(n, 4) where the labels go."""
    boxes = np.stack([one.xyxy for one in faces])
    _, places = drawer._place_labels(bgr, faces, boxes, text_px(bgr, drawer.config.scale))
    return np.stack(places)


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


def test_a_face_out_of_sight_fades_with_its_label_until_nothing_is_left() -> None:
    bgr = picture()
    (place,) = places_of(overlay(), bgr, [face()]).astype(int)
    for part in (np.s_[:], region(place)):
        weights = []
        for coasting_s in (0.01, 0.1, 0.2, 0.3, 0.38, SHOWN_COASTING_S, 0.45, 1.0):
            drawn = overlay()(bgr, [face(coasting_s=coasting_s)])
            weights.append(np.abs(drawn[part].astype(int) - bgr[part]).mean())
        *fading, at_end, later, much_later = weights
        assert fading == sorted(fading, reverse=True)
        assert fading[-1] < 0.1 * fading[0]
        assert at_end == later == much_later == 0


def test_a_fading_face_is_behind_those_that_are_seen() -> None:
    bgr = picture()
    seen, fading = face((100, 100, 300, 300)), face((105, 105, 305, 305), 2, coasting_s=0.1)
    drawn = overlay()(bgr, [fading, seen])
    alone = overlay()(bgr, [seen])
    line = np.s_[195:205, 99:102]  # of the one that is seen, half-way down
    assert np.array_equal(drawn[line], alone[line])
    assert is_changed(drawn, alone).any()


@pytest.mark.parametrize(
    ("confidence", "is_solid"), [(1.0, True), (SURE_CONFIDENCE, True), (0.94, False), (0.5, False)]
)
@pytest.mark.parametrize("size_wh", SIZES[1:], ids=str)
def test_the_lines_are_solid_only_where_the_detector_is_sure(
    size_wh: tuple[int, int], confidence: float, is_solid: bool
) -> None:
    bgr = picture(size_wh)
    side = size_wh[1] // 2
    drawn = is_changed(
        bgr, overlay()(bgr, [face((100, 100, 100 + side, 100 + side), confidence=confidence)])
    )
    middle = slice(100 + round(0.3 * side), 100 + round(0.7 * side))  # between the corners
    for line in (drawn[99:102, middle].any(axis=0), drawn[middle, 99:102].any(axis=1)):
        assert line.all() == is_solid
        breaks = np.count_nonzero(np.diff(line.astype(int)))
        assert breaks == 0 if is_solid else breaks > 4
    corner = slice(100 + round(0.1 * side), 100 + round(0.25 * side))
    assert drawn[99:102, corner].any(axis=0).all()  # which stay as they are


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
    assert overlay().text(face(**changes)) == label


@pytest.mark.parametrize(
    ("style", "changes", "label"),
    [
        ("full", {}, "25-34 (24–39)  ♀ 93%"),
        ("range", {}, "24–39  ♀ 93%"),
        ("bin", {}, "25-34  ♀ 93%"),
        ("exact", {}, "31  ♀ 93%"),
        ("exact", {"age": 31.51, "female_prob": 0.6}, "32"),
        ("curve", {"age": 0.2}, "0"),
        ("curve", {}, "31  ♀ 93%"),
        ("range", {"age_low": 0, "age_high": 100, "female_prob": 0.5}, "0–100"),
        ("bin", {"age_bin": "65+", "female_prob": 0.1}, "65+  ♂ 90%"),
    ],
)
def test_styles_of_age(style: str, changes: dict, label: str) -> None:
    assert overlay(age=style).text(face(**changes)) == label


def test_the_curve_is_drawn_where_it_is_asked_for() -> None:
    """Over the years, from left to right, those of the range in the colour of the track."""
    bgr = picture()
    young, old = (np.eye(AGES, dtype=np.float32)[year] for year in (10, 90))
    colour_at = []
    for probs, low, high in ((young, 9, 11), (old, 89, 91)):
        one = face(age_probs=probs, age_low=low, age_high=high)
        (place,) = places_of(overlay(age="curve"), bgr, [one])
        assert place[3] - place[1] >= 2.5 * text_px(bgr)  # room for more than the text
        drawn = overlay(age="curve", ids=False)(bgr, [one])[region(place)]
        is_coloured = (np.abs(drawn.astype(int) - COLOURS[0]).max(axis=2) < 30).any(axis=0)
        colour_at.append(np.flatnonzero(is_coloured[10:]).mean() / len(is_coloured))
        full = overlay(age="full")
        assert np.array_equal(full(bgr, [one]), full(bgr, [face(age_low=low, age_high=high)]))
    assert colour_at[0] < 0.4 < 0.6 < colour_at[1]


def test_numbers_of_faces_are_shown_where_they_are_asked_for() -> None:
    """In a chip of the colour of the track, at the left end of the label."""
    bgr = picture()
    first, same_colour = face(), face(track_id=1 + len(COLOURS))
    drawn = {
        (shown, one.track_id): overlay(ids=shown)(bgr, [one])
        for shown in (True, False)
        for one in (first, same_colour)
    }
    assert np.array_equal(drawn[False, first.track_id], drawn[False, same_colour.track_id])
    assert not np.array_equal(drawn[True, first.track_id], drawn[True, same_colour.track_id])
    chip_px = []
    for shown, track_id in ((False, 1), (True, 1), (True, 8 + 7 * 13), (True, 8 + 7 * 142)):
        one = face(track_id=track_id)
        (place,) = places_of(overlay(ids=shown), bgr, [one])
        label = overlay(ids=shown)(bgr, [one])[region(place)]
        chip = np.all(label == COLOURS[0], axis=2).any(axis=0)
        chip_px.append(int(np.argmin(chip)))  # columns from the left on
        has_dark_text = (label[:, : chip_px[-1]].max(axis=2) < 60).any()
        assert has_dark_text == shown
    assert chip_px == sorted(set(chip_px))  # wider for longer numbers


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
        assert y1 - y0 == int(1.5 * text_px(bgr))
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


def test_a_label_does_not_flap_while_its_face_is_there() -> None:
    """The upper edge of the face trembles where the label just fits above it."""
    bgr, drawer = picture(), overlay()
    room = int(1.5 * text_px(bgr))
    tops = [room - 2, room + 1] * 5
    faces = [face((100, y0, 200, y0 + 120)) for y0 in tops]
    alone = [places_of(overlay(), bgr, [one])[0, 1] for one in faces]
    assert min(alone) < 100 < max(alone)  # it would go to and fro
    followed = [places_of(drawer, bgr, [one])[0, 1] for one in faces]
    assert min(followed) > 100
    drawer(bgr, [face(track_id=2)])  # the first one is gone, and its place forgotten
    assert places_of(drawer, bgr, [faces[1]])[0, 1] < 100


@pytest.mark.parametrize("width", [32, 48, 64, 96, 128, 180])
@pytest.mark.parametrize("age", ["full", "range", "bin", "exact", "curve"])
def test_a_label_is_whole_on_a_narrow_picture(width: int, age: str) -> None:
    bgr, drawer = picture((width, 120)), overlay(age=age)
    one = face((8, 30, 56, 90))
    (label,), (place,) = drawer._place_labels(bgr, [one], one.xyxy[None], text_px(bgr))
    x0, y0, x1, y1 = place
    assert 0 <= x0 < x1 <= width
    assert 0 <= y0 < y1 <= 120
    assert label.text in drawer.text(one)
    assert label.text or width < 64
    assert label.px >= 8


def crowd(columns: int, rows: int, size_wh: tuple[int, int] = (1280, 720)) -> list[TrackedFace]:
    """Faces in rows, half as far from each other as they are large."""
    step_x, step_y = size_wh[0] / columns, size_wh[1] / rows
    half = 0.22 * min(step_x, step_y)
    centres = [
        (step_x * (i + 0.5), step_y * (j + 0.5)) for j in range(rows) for i in range(columns)
    ]
    return [
        face((x - half, y - 1.2 * half, x + half, y + 1.2 * half), n)
        for n, (x, y) in enumerate(centres, 1)
    ]


@pytest.mark.parametrize(("columns", "rows"), [(5, 4), (7, 5), (8, 6)])
def test_in_a_crowd_labels_say_less_and_hide_neither_faces_nor_labels(
    columns: int, rows: int
) -> None:
    drawer, faces, bgr = overlay(), crowd(columns, rows), picture((1280, 720))
    boxes = np.stack([one.xyxy for one in faces])
    said = []
    for _ in range(12):
        labels, found = drawer._place_labels(bgr, faces, boxes, text_px(bgr))
        said.append([label.text for label in labels])
        places = np.stack(found)
        shares = iou_matrix(places, np.concatenate([places, boxes]), over="smaller")
        n = len(faces)
        shares[np.arange(n), np.arange(n)] = shares[np.arange(n), n + np.arange(n)] = 0
        assert shares.max() <= 0.1
    assert len({text for texts in said for text in texts}) > 1 or columns < 7
    assert sum(a != b for a, b in zip(said[-2], said[-1], strict=True)) <= 1, "they flap"


def test_who_has_room_again_gets_the_whole_label_again() -> None:
    drawer, bgr = overlay(), picture((1280, 720))
    drawer(bgr, crowd(8, 6))
    one = crowd(8, 6)[20]
    for _ in range(4):
        (label,), _ = drawer._place_labels(bgr, [one], one.xyxy[None], text_px(bgr))
    assert label.text == drawer.text(one)


def test_more_labels_than_room() -> None:
    bgr = picture((320, 240))
    faces = spread((320, 240), 8, 6, 0.25)
    places = places_of(overlay(), bgr, faces)
    assert np.all((places >= 0) & (places <= (320, 240, 320, 240)))
    assert overlay()(bgr, faces).shape == bgr.shape


# Faces that are hidden.

PORTRAIT = (150.0, 60.0, 290.0, 230.0)  # the face in the astronaut's picture


def beyond_cells(part: np.ndarray) -> float:
    """Grey levels (RMS) of a part that no picture of as many rows as there are cells has."""
    values = np.linalg.svd(part.mean(axis=2), compute_uv=False)
    return float(np.sqrt((values[BLUR_CELLS:] ** 2).sum() / part[..., 0].size))


def clipped(xyxy: tuple[float, ...], size: int = 512, more: float = 0.0) -> tuple[slice, slice]:
    """The part of a square picture in a box that is larger by that share, up to a pixel."""
    x0, y0, x1, y1 = xyxy
    dx, dy = more * (x1 - x0), more * (y1 - y0)
    sides = [(y0 - dy, y1 + dy), (x0 - dx, x1 + dx)]
    edge = 1 if more else 0
    rows, columns = (
        slice(max(int(low) - edge, 0), min(max(int(high) + 2 * edge, 0), size))
        for low, high in sides
    )
    return rows, columns


blurred = pytest.mark.parametrize(
    "xyxy",
    [PORTRAIT, (-60, 100, 100, 300), (430, 200, 600, 380), (200, -40, 330, 90),
     (100, 470, 240, 600), (-50, -50, 60, 60), (0, 0, 512, 512), (-900, -900, 1500, 1500),
     (200.4, 100.7, 232.1, 140.9)],
)  # fmt: skip


@blurred
def test_what_is_hidden_has_no_detail_and_all_else_is_as_it_was(
    astronaut: np.ndarray, xyxy: tuple[float, ...]
) -> None:
    before = astronaut.copy()
    drawn = overlay(blur=True)(astronaut, [], hidden=np.array([xyxy], np.float32))
    assert np.array_equal(astronaut, before)
    part = clipped(xyxy)
    assert beyond_cells(astronaut[part]) > 1
    assert beyond_cells(drawn[part]) < 0.6  # rounding
    outside = is_changed(astronaut, drawn)
    outside[clipped(xyxy, more=0.25)] = False
    assert not outside.any()


def test_hair_ears_and_chin_are_hidden_too(astronaut: np.ndarray) -> None:
    """A box ends within the face: a fifth more on every side has no detail either."""
    drawn = overlay(blur=True)(astronaut, [], hidden=np.array([PORTRAIT], np.float32))
    around = clipped(PORTRAIT, more=0.2)
    assert beyond_cells(astronaut[around]) > 1
    assert beyond_cells(drawn[around]) < 0.6


@blurred
def test_faces_are_hidden_below_their_labels(
    astronaut: np.ndarray, xyxy: tuple[float, ...]
) -> None:
    """In all else the picture is that of the same faces without blur."""
    faces = [face(xyxy)]
    box = np.array([xyxy], np.float32)
    hidden_first = overlay(blur=False)(overlay(blur=True)(astronaut, [], hidden=box), faces)
    assert np.array_equal(overlay(blur=True)(astronaut, faces), hidden_first)


@pytest.mark.parametrize("coasting_s", [0.0, 0.2, SHOWN_COASTING_S, 1.0])
def test_a_face_that_is_not_shown_any_more_is_hidden_all_the_same(
    astronaut: np.ndarray, coasting_s: float
) -> None:
    drawn = overlay(blur=True)(astronaut, [face(PORTRAIT, coasting_s=coasting_s)])
    inner = np.s_[90:200, 180:260]  # within the lines
    assert beyond_cells(drawn[inner]) < 0.6


def test_without_blur_nothing_is_hidden(astronaut: np.ndarray) -> None:
    box = np.array([PORTRAIT], np.float32)
    assert np.array_equal(overlay(blur=False)(astronaut, [], hidden=box), astronaut)


def test_a_hidden_face_is_not_found_by_the_detector(  # type: ignore[no-untyped-def]
    astronaut: np.ndarray, detector
) -> None:
    found = detector.find(astronaut)
    assert len(found) == 1
    assert len(detector.find(overlay(blur=True)(astronaut, [], hidden=found.xyxy))) == 0


def test_hidden_boxes_follow_the_factor(astronaut: np.ndarray) -> None:
    box = np.array([PORTRAIT], np.float32)
    one = face(PORTRAIT)
    large = overlay(blur=True)(astronaut, [one], hidden=box)
    small = overlay(blur=True)(astronaut, [face(box[0] / 4)], factor=4, hidden=box / 4)
    assert np.array_equal(large, small)


@pytest.mark.parametrize("size_wh", [(1, 1), (1, 300), (300, 1), (5, 4), (64, 48)], ids=str)
@pytest.mark.parametrize(
    "xyxy",
    [(0, 0, 1, 1), (5, 5, 5, 5), (-300, -300, -200, -200), (900, 900, 999, 999),
     (-50, -50, 700, 500), (0, 10, 1, 200)],
)  # fmt: skip
def test_any_box_can_be_hidden_in_any_picture(size_wh: tuple[int, int], xyxy: tuple) -> None:
    bgr = picture(size_wh)
    drawn = overlay(blur=True)(bgr, [], hidden=np.array([xyxy, xyxy], np.float32))
    assert (drawn.shape, drawn.dtype) == (bgr.shape, bgr.dtype)
    if min(xyxy) < -100 or max(xyxy) > 800:  # outside
        assert np.array_equal(drawn, bgr)


def test_a_text_has_its_size_while_another_thread_draws() -> None:
    """The recorder draws beside the window, at other sizes."""

    def drawn(text: str, px: int) -> np.ndarray:
        canvas = np.zeros((80, 600, 3), np.uint8)
        put_text(canvas, text, 5, 50, px)
        return canvas

    wanted = drawn("25-34", 31)
    right: list[bool] = []
    for _ in range(20):
        recorder = threading.Thread(
            target=lambda: right.append(np.array_equal(drawn("25-34", 31), wanted))
        )
        recorder.start()
        number = 0
        while recorder.is_alive():
            drawn(f"{number} ms", 12 + number % 3)
            number += 1
    assert all(right)
