"""What is in the window: the frame in the window's size, and all that lies on it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from people import OVERLAY, face

from livecam.ages import SCHEMES
from livecam.datatypes import AGES, TrackedFace
from livecam.drawing import COLOURS, resized_into, text_px, text_width
from livecam.live import hud
from livecam.live.keys import KEYS
from livecam.live.view import Look, View
from livecam.live.window_size import (
    LEAST_WIDTH_PX,
    MOST_HEIGHT_PX,
    MOST_WIDTH_PX,
    TALLER,
    WindowSize,
    window_size,
)
from livecam.overlay import NOBODY, SHOWN_COASTING_S

SCHEME = SCHEMES["marketing"]
HELP = [(key.shown, key.what) for key in KEYS]
FIGURES = ["30 fps", "labels 12", "45 ms", "dropped 1234", "3 faces", "CUDAExecutionProvider"]
TROUBLE = ("camera 0 is lost", ["it sends nothing", "for 0:12; trying again in 3 s", "q: quit"])
WINDOWS = [(64, 48), (320, 240), (640, 480), (720, 1280), (1920, 1080), (3840, 2160)]

windows = pytest.mark.parametrize("size_wh", WINDOWS, ids=str)


def picture(size_wh: tuple[int, int] = (640, 480), level: int | None = None) -> np.ndarray:
    width, height = size_wh
    if level is not None:
        return np.full((height, width, 3), level, np.uint8)
    return np.random.default_rng(1).integers(90, 110, (height, width, 3), np.uint8)


def view(**changes: object) -> Callable[..., np.ndarray]:
    """(bgr, faces, hidden, size_wh) -> the picture with that look."""
    look = Look(**{"overlay": OVERLAY, **changes})  # type: ignore[arg-type]

    def draw(
        bgr: np.ndarray,
        faces: list[TrackedFace] | None = None,
        hidden: np.ndarray = NOBODY,
        size_wh: tuple[int, int] | None = None,
    ) -> np.ndarray:
        return View(OVERLAY, SCHEME).picture(bgr, faces or [], hidden, look, size_wh)

    return draw


def is_changed(before: np.ndarray, after: np.ndarray | tuple[int, ...]) -> np.ndarray:
    """(H, W), where any colour is: much faster than `any` along so short an axis."""
    blue, green, red = np.moveaxis(before != after, 2, 0)
    return blue | green | red


def extent(changed: np.ndarray) -> tuple[int, int, int, int]:
    """The box around what is true; nothing is an error."""
    ys, xs = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
    return int(xs[0]), int(ys[0]), int(xs[-1]) + 1, int(ys[-1]) + 1


def contrast(part: np.ndarray) -> float:
    """Of the text over what is around it: WCAG 2.1 asks for 4.5 : 1."""
    linear = (part / 255.0) ** 2.2 @ (0.0722, 0.7152, 0.2126)
    return float((np.percentile(linear, 99.5) + 0.05) / (np.median(linear) + 0.05))


def extent_slices(changed: np.ndarray) -> tuple[slice, slice]:
    left, top, right, bottom = extent(changed)
    return np.s_[top:bottom, left:right]


# The frame in the window


@pytest.mark.parametrize("frame_wh", [(1, 1), (1, 50), (640, 480), (1279, 721), (90, 160)], ids=str)
@windows
def test_the_picture_is_as_large_as_it_can_be_in_the_window(
    frame_wh: tuple[int, int], size_wh: tuple[int, int]
) -> None:
    drawn = view()(picture(frame_wh), size_wh=size_wh)
    assert drawn.shape == (size_wh[1], size_wh[0], 3)
    left, top, right, bottom = extent(is_changed(drawn, hud.BACKGROUND))
    width, height = right - left, bottom - top
    assert width == size_wh[0] or height == size_wh[1]
    factor = min(size_wh[0] / frame_wh[0], size_wh[1] / frame_wh[1])
    assert (width, height) == pytest.approx([max(1, side * factor) for side in frame_wh], abs=0.51)
    assert abs(left - (size_wh[0] - right)) <= 1 and abs(top - (size_wh[1] - bottom)) <= 1


@pytest.mark.parametrize("frame_wh", [(1920, 1082), (1280, 721), (853, 480), (481, 2159)], ids=str)
def test_half_a_row_costs_no_column(frame_wh: tuple[int, int]) -> None:
    """A picture shrunk to a width fills it, though its height was rounded."""
    width, height = frame_wh
    size_wh = (480, round(480 / width * height))
    shrunk, factor = resized_into(picture(frame_wh), size_wh)
    assert (shrunk.shape[1], shrunk.shape[0]) == size_wh
    assert factor == 480 / width


@pytest.mark.parametrize("level", [0, 255])
def test_with_nothing_on_it_the_picture_is_the_frame(level: int) -> None:
    bgr = picture(level=level)
    drawn = view()(bgr)
    assert np.array_equal(drawn, bgr)
    assert not np.shares_memory(drawn, bgr)
    assert np.array_equal(view()(bgr, size_wh=(320, 240)), picture((320, 240), level))


@pytest.mark.parametrize("is_mirrored", [False, True])
@pytest.mark.parametrize("frame_wh", [(1, 1), (640, 480)], ids=str)
@pytest.mark.parametrize("size_wh", [None, *WINDOWS], ids=str)
def test_everything_at_once_at_any_size_leaves_the_frame_as_it_is(
    frame_wh: tuple[int, int], size_wh: tuple[int, int] | None, is_mirrored: bool
) -> None:
    bgr = picture(frame_wh)
    before = bgr.copy()
    bgr.flags.writeable = False
    width, height = frame_wh
    one = face((0.3 * width, 0.2 * height, 0.6 * width, 0.8 * height))
    given_box, hidden = one.xyxy.copy(), np.array([[0, 0, 9, 9]], np.float32)
    blur = dataclasses.replace(OVERLAY, blur=True)
    draw = view(
        overlay=blur, is_mirrored=is_mirrored, help=HELP, figures=FIGURES, recording="1:02:03",
        trouble=TROUBLE, message="saved here", square_px=32, mouse=(width // 2, height // 2),
    )  # fmt: skip
    drawn = draw(bgr, [one, face((-5, -5, 9, 9), 2)], hidden, size_wh)
    assert drawn.dtype == np.uint8
    assert np.array_equal(bgr, before)
    assert np.array_equal(one.xyxy, given_box) and np.array_equal(hidden, [[0, 0, 9, 9]])


@pytest.mark.parametrize("size_wh", [None, (320, 240), (1280, 960)], ids=str)
@pytest.mark.parametrize("is_mirrored", [False, True])
def test_boxes_are_where_the_faces_are(is_mirrored: bool, size_wh: tuple[int, int] | None) -> None:
    bgr = picture()
    left, right = (640 - 300, 640 - 100) if is_mirrored else (100, 300)
    drawn = view(is_mirrored=is_mirrored)(bgr, [face((100, 200, 300, 400))], size_wh=size_wh)
    plain = view(is_mirrored=is_mirrored)(bgr, size_wh=size_wh)
    factor = drawn.shape[1] / 640
    row = is_changed(plain, drawn)[round(300 * factor)]  # half-way down: the sides alone
    columns = np.flatnonzero(row) / factor
    assert np.all((np.abs(columns - left) < 4) | (np.abs(columns - right) < 4))
    assert columns[0] == pytest.approx(left, abs=4)
    assert columns[-1] == pytest.approx(right, abs=4)


@pytest.mark.parametrize("size_wh", [None, (320, 240), (1280, 960)], ids=str)
@pytest.mark.parametrize("is_mirrored", [False, True])
def test_what_is_hidden_is_hidden_in_a_mirror_too(
    is_mirrored: bool, size_wh: tuple[int, int] | None
) -> None:
    bgr = picture(level=128)
    detail = np.s_[150:250, 60:160]
    bgr[detail] = np.random.default_rng(0).integers(0, 256, (100, 100, 3))
    box = np.array([[60, 150, 160, 250]], np.float32)
    for blur, most in ((True, 12), (False, 256)):
        draw = view(overlay=dataclasses.replace(OVERLAY, blur=blur), is_mirrored=is_mirrored)
        drawn = draw(bgr, hidden=box, size_wh=size_wh).astype(int)
        steps = np.abs(np.diff(drawn, axis=1)).max()
        assert (steps < most) if blur else (steps > 40)


def test_a_mirror_turns_the_picture_and_not_its_text() -> None:
    bgr = picture(level=100)
    bgr[:200, :320] //= 2
    plain = view(message="saved")(bgr)
    mirrored = view(message="saved", is_mirrored=True)(bgr)
    assert np.array_equal(mirrored[:200], plain[:200, ::-1])
    words = np.all(plain > 200, axis=2)
    assert words.any() and not np.array_equal(words, words[:, ::-1])
    assert np.array_equal(np.all(mirrored > 200, axis=2), words)


def test_a_change_of_look_holds_from_the_next_picture_on() -> None:
    drawer, bgr, one = View(OVERLAY, SCHEME), picture(), face()
    drawn = [
        drawer.picture(bgr, [one], NOBODY, Look(dataclasses.replace(OVERLAY, age=age)), None)
        for age in ("full", "exact")
    ]
    for age, seen in zip(("full", "exact"), drawn, strict=True):
        draw = view(overlay=dataclasses.replace(OVERLAY, age=age))
        assert np.array_equal(seen, draw(bgr, [one]))


# The mouse

LARGE, SMALL = face((100, 100, 300, 300)), face((200, 200, 260, 260), 2)


@pytest.mark.parametrize(
    ("mouse", "pointed_at"),
    [
        (None, None),
        ((50, 50), None),
        ((99, 150), None),
        ((150, 301), None),
        ((-1, -1), None),
        ((9999, 9999), None),
        ((100, 100), LARGE),
        ((150, 150), LARGE),
        ((300, 300), LARGE),
        ((200, 200), SMALL),
        ((230, 230), SMALL),
        ((261, 261), LARGE),
    ],
)
@pytest.mark.parametrize("faces", [[LARGE, SMALL], [SMALL, LARGE]], ids=["large first", "last"])
def test_the_panel_is_of_the_smallest_face_under_the_mouse(
    faces: list[TrackedFace], mouse: tuple[int, int] | None, pointed_at: TrackedFace | None
) -> None:
    bgr = picture()
    wanted = view()(bgr, faces)
    if pointed_at is not None:
        hud.draw_face_panel(wanted, pointed_at, pointed_at.xyxy, SCHEME, "♀ 93%", 1.0)
    assert np.array_equal(view(mouse=mouse)(bgr, faces), wanted)


@pytest.mark.parametrize(
    ("is_mirrored", "size_wh", "mouse", "has_panel"),
    [
        (False, (1280, 960), (400, 400), True),
        (False, (1280, 960), (150, 150), False),
        (False, (320, 240), (100, 100), True),
        (True, None, (640 - 200, 200), True),
        (True, None, (200, 200), False),
        (True, (1280, 960), (1280 - 400, 400), True),
        (False, (840, 480), (100 + 90, 110), False),  # 100 px are on either side
        (False, (840, 480), (100 + 110, 110), True),
        (False, (640, 680), (110, 100 + 90), False),
        (False, (640, 680), (110, 100 + 110), True),
    ],
)
def test_the_mouse_is_in_the_picture_of_the_window(
    is_mirrored: bool, size_wh: tuple[int, int] | None, mouse: tuple[int, int], has_panel: bool
) -> None:
    bgr = picture()
    there = view(is_mirrored=is_mirrored, mouse=mouse)(bgr, [LARGE], size_wh=size_wh)
    away = view(is_mirrored=is_mirrored)(bgr, [LARGE], size_wh=size_wh)
    assert is_changed(there, away).any() == has_panel


def test_a_face_that_is_not_shown_has_no_panel() -> None:
    bgr = picture()
    for coasting_s, has_panel in ((0.1, True), (SHOWN_COASTING_S, False), (1.0, False)):
        faces = [dataclasses.replace(LARGE, coasting_s=coasting_s)]
        there, away = view(mouse=(150, 150))(bgr, faces), view()(bgr, faces)
        assert is_changed(there, away).any() == has_panel


@pytest.mark.parametrize("name", ["marketing", "utk-14", "actors-3"])
@pytest.mark.parametrize("scale", [1.0, 8.0])
@pytest.mark.parametrize("size_wh", [(320, 240), (320, 1000), (1280, 720)], ids=str)
def test_a_panel_is_in_the_picture_whatever_the_face(
    name: str, scale: float, size_wh: tuple[int, int]
) -> None:
    """All of it: it is as large as where there is room, and so is one with a bar of 100 %."""
    width, height = size_wh
    sizes = set()
    for x0, y0 in ((0.4, 0.4), (-0.1, 0), (0.9, 0.9)):
        box = np.array([x0, y0, x0 + 0.15, y0 + 0.2]) * (width, height, width, height)
        for probs in (np.full(AGES, 1 / AGES, np.float32), np.eye(AGES, dtype=np.float32)[100]):
            one = face(box, age_probs=probs, age=99.0, age_low=100, age_high=100, samples=12345)
            canvas = picture(size_wh, 200)
            hud.draw_face_panel(canvas, one, one.xyxy, SCHEMES[name], "♀ 99%", scale)
            left, top, right, bottom = extent(is_changed(picture(size_wh, 200), canvas))
            sizes.add((right - left, bottom - top))
    widths, heights = zip(*sizes, strict=True)
    assert max(widths) - min(widths) <= 1 and max(heights) - min(heights) <= 1  # rounding
    assert max(widths) < width and max(heights) < height


def test_a_panel_is_beside_its_face_where_there_is_room() -> None:
    for x0 in (40, 1000):
        one = face((x0, 200, x0 + 160, 400))
        canvas = picture((1280, 720), 200)
        hud.draw_face_panel(canvas, one, one.xyxy, SCHEME, "", 1.0)
        assert not is_changed(canvas, picture((1280, 720), 200))[200:400, x0 : x0 + 160].any()


def test_a_panel_says_what_is_known() -> None:
    """A bar for each bin, as long as it is likely; other faces have other panels."""
    probs = np.zeros(AGES, np.float32)
    probs[[20, 30]] = 0.25, 0.75  # of 18-24 and 25-34
    canvas = picture((1280, 720), 200)
    one = face((100, 100, 200, 200), age_probs=probs)
    hud.draw_face_panel(canvas, one, one.xyxy, SCHEME, "", 1.0)
    coloured = np.all(canvas == COLOURS[0], axis=2)
    px = text_px(canvas)
    baselines = [round(100 + hud.LINE * px * (i + 5.4)) for i in range(len(SCHEME.labels))]
    bars = [int(coloured[y - px // 2 : y].sum(axis=1).max()) for y in baselines]
    shares = np.array(bars) / bars[3]
    assert shares == pytest.approx([0, 0, 1 / 3, 1, 0, 0, 0, 0], abs=0.05)
    base = canvas
    for change in (
        {"age": 32.0},
        {"samples": 1},
        {"age_high": 40},
        {"track_id": 2},
        {"age_probs": probs[::-1]},
    ):
        other = picture((1280, 720), 200)
        hud.draw_face_panel(other, dataclasses.replace(one, **change), one.xyxy, SCHEME, "", 1.0)
        assert is_changed(other, base).any(), change
    other = picture((1280, 720), 200)
    hud.draw_face_panel(other, one, one.xyxy, SCHEME, "♂ 75%", 1.0)
    assert is_changed(other, base).any()


# Help, messages, figures


@settings(deadline=None, max_examples=40)  # it draws large pictures
@given(st.integers(320, 2000), st.integers(240, 1200), st.sampled_from([0.25, 1.0, 1.5, 8.0]))
def test_help_on_the_keys_fits(width: int, height: int, scale: float) -> None:
    before = np.full((height, width, 3), 200, np.uint8)
    canvas = before.copy()
    hud.draw_table(canvas, HELP, scale)
    left, top, right, bottom = extent(is_changed(before, canvas))
    assert abs((left + right) - width) <= 2 and abs((top + bottom) - height) <= 2
    # nothing is cut: the chip is as high and wide as the text in it needs
    px = round((bottom - top) / (len(HELP) + 1) / hud.LINE)
    assert 8 <= px <= text_px(canvas, scale)
    assert hud._table_width(HELP, px) == pytest.approx(right - left, abs=2)


def words_of(canvas: np.ndarray) -> Iterator[tuple[int, int]]:
    """First and last row of every line of light text."""
    rows = np.flatnonzero(np.diff(np.pad((canvas.min(axis=2) > 120).any(axis=1), 1).astype(int)))
    yield from zip(rows[::2], rows[1::2], strict=True)


@pytest.mark.parametrize("size_wh", [(320, 240), (640, 480), (1920, 1080)], ids=str)
def test_every_line_of_the_help_can_be_seen(size_wh: tuple[int, int]) -> None:
    canvas = picture(size_wh, 0)
    hud.draw_table(canvas, [("x", "Hh"), ("y", "Hh"), *[("z", "Hh")] * 13], 1.0)
    assert len(list(words_of(canvas))) == 15


words = st.text(st.sampled_from("abcdefgh Wi.,:/-_éß♀–漢"), min_size=1, max_size=60)


@settings(deadline=None)
@given(words, st.integers(12, 64), st.integers(2, 60))
def test_wrapped_lines_fit_and_keep_the_words(text: str, px: int, ems: int) -> None:
    width = px * ems
    lines = hud.wrap(text, px, width)
    assert all(text_width(row, px) <= width for row in lines)
    given_words = text.split()
    if all(text_width(word, px) <= width for word in given_words):
        assert " ".join(lines).split() == given_words
    else:
        assert any("…" in row for row in lines)


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", []),
        (" ", []),
        ("one", ["one"]),
        ("one two", ["one two"]),
        ("one two three four five", ["one two three", "four five"]),
    ],
)
def test_wrap(text: str, lines: list[str]) -> None:
    assert hud.wrap(text, 20, text_width("one two three ", 20)) == lines


@pytest.mark.parametrize("cut", ["/a/very/lo…", "/a/very/lon…"])
def test_a_word_that_does_not_fit_is_cut_as_late_as_can_be(cut: str) -> None:
    lines = hud.wrap("saved /a/very/long/path/to/a/picture.jpg", 20, text_width(cut, 20))
    assert lines == ["saved", cut]


@pytest.mark.parametrize("recording", ["", "0:07", "1:02:03"])
@pytest.mark.parametrize("width", [160, 320, 640, 1920])
@pytest.mark.parametrize("scale", [0.5, 1.0])
def test_figures_are_never_wider_than_the_picture(width: int, recording: str, scale: float) -> None:
    """What does not fit is left out from the end, whole."""
    before = picture((width, width // 2), 200)
    drawn = []
    for n in range(len(FIGURES) + 1):
        canvas = before.copy()
        hud.draw_figures(canvas, FIGURES[:n], recording, scale)
        drawn.append(canvas)
    shown = next(n for n, canvas in enumerate(drawn) if np.array_equal(canvas, drawn[-1]))
    assert shown > 0
    for canvas in drawn[1:]:
        left, top, right, _ = extent(is_changed(before, canvas))
        assert (left, top) == (0, 0)
        assert right < width
    if width >= 1920 or (width == 640 and scale < 1):
        assert shown == len(FIGURES)


def test_a_figure_that_does_not_fit_ends_the_strip() -> None:
    canvas, wanted = picture((320, 240)), picture((320, 240))
    hud.draw_figures(canvas, ["30 fps", "many words " * 9, "3 faces"], "", 1.0)
    hud.draw_figures(wanted, ["30 fps"], "", 1.0)
    assert np.array_equal(canvas, wanted)


def test_no_figures_are_nothing_and_a_recording_has_a_red_dot() -> None:
    before, canvas = picture(level=200), picture(level=200)
    hud.draw_figures(canvas, [], "", 1.0)
    assert np.array_equal(canvas, before)
    hud.draw_figures(canvas, [], "0:07", 1.0)
    is_red = (canvas[..., 2] > 200) & (canvas[..., 1] < 100)
    assert 30 < is_red.sum() < 200
    without = picture(level=200)
    hud.draw_figures(without, ["0:07"], "", 1.0)
    assert not ((without[..., 2] > 200) & (without[..., 1] < 100)).any()


@windows
@pytest.mark.parametrize("text", ["blur on", "saved " + "/a/long/folder" * 20, "many words " * 12])
def test_a_message_is_near_the_lower_edge_and_in_the_picture(
    size_wh: tuple[int, int], text: str
) -> None:
    width, height = size_wh
    before, canvas = picture(size_wh, 200), picture(size_wh, 200)
    hud.draw_message(canvas, text, 1.0)
    left, top, right, bottom = extent(is_changed(before, canvas))
    assert abs((left + right) - width) <= 2
    assert height - 2 * text_px(canvas) <= bottom < height
    if height >= 240:
        assert top > 0


@pytest.mark.parametrize("side", [16, 100, 400])
def test_the_square_is_of_the_smallest_face_in_the_window(side: int) -> None:
    """In the pixels of the frame, in the middle, and empty."""
    bgr = picture(level=128)
    changed = is_changed(picture((1280, 960), 128), view(square_px=side)(bgr, size_wh=(1280, 960)))
    left, top, right, bottom = extent(changed)
    assert (left + right, top + bottom) == pytest.approx((1280, 960), abs=3)
    assert (right - left, bottom - top) == pytest.approx((2 * side, 2 * side), abs=8)
    assert not changed[top + 8 : bottom - 8, left + 8 : right - 8].any()


@windows
def test_what_is_wrong_is_said_over_the_darkened_picture(size_wh: tuple[int, int]) -> None:
    drawn = view(trouble=TROUBLE)(picture(size_wh, 255))
    assert drawn.shape == picture(size_wh).shape
    assert np.median(drawn) < 100
    if size_wh[0] >= 320:
        lines = list(words_of(drawn))
        assert len(lines) == 4
        assert sum(lines[0] + lines[-1]) / 2 == pytest.approx(size_wh[1], abs=0.1 * size_wh[1])


def test_what_is_wrong_is_wrapped() -> None:
    drawn = view(trouble=("title", ["many words " * 12, "q: quit"]))(picture((320, 240), 0))
    lines = list(words_of(drawn))
    assert len(lines) > 4
    assert not (drawn[:, [*range(6), *range(314, 320)]].max() > 120)  # nothing at the edges


@windows
def test_there_is_a_screen_before_there_is_a_picture(size_wh: tuple[int, int]) -> None:
    shown = hud.screen(size_wh, "opening camera 0", ["", "q quits"], 1.0)
    assert shown.shape == (size_wh[1], size_wh[0], 3)
    if size_wh[0] >= 320:
        assert len(list(words_of(shown))) == 2
        assert (
            contrast(shown[extent_slices(is_changed(shown, picture(size_wh, 0) + shown[0, 0]))])
            > 4.5
        )


@pytest.mark.parametrize(
    "look",
    [
        {"message": "going on with it"},
        {"figures": FIGURES},
        {"recording": "0:12"},
        {"help": HELP},
        {"trouble": ("camera 0 is lost", [])},
        {"trouble": ("", ["it sends nothing, and that has been so for a while now"])},
    ],
    ids=str,
)
@pytest.mark.parametrize("level", [0, 128, 255])
def test_text_is_legible_on_dark_and_on_bright_pictures(look: dict, level: int) -> None:
    bgr = picture((1280, 720), level)
    drawn = view(**look)(bgr)
    if "trouble" in look:  # the rows with the text
        (first, last), *_ = words_of(drawn)
        lit = (drawn[first:last].min(axis=2) > 120).any(axis=0)
        columns = np.flatnonzero(lit)
        part = drawn[first:last, columns[0] : columns[-1]]
    else:
        part = drawn[extent_slices(is_changed(bgr, drawn))]
    assert contrast(part) >= 4.5


@pytest.mark.parametrize("level", [0, 128, 255])
@pytest.mark.parametrize("age", ["full", "curve"])
def test_labels_and_panels_are_legible_on_dark_and_on_bright_pictures(level: int, age: str) -> None:
    bgr, one = picture((1280, 720), level), face((300, 300, 500, 500))
    drawn = view(overlay=dataclasses.replace(OVERLAY, age=age))(bgr, [one])
    label = is_changed(bgr, drawn)
    label[296:] = False  # the box
    assert contrast(drawn[extent_slices(label)]) >= 4.5
    panel = drawn.copy()
    hud.draw_face_panel(panel, one, one.xyxy, SCHEME, "♀ 93%", 1.0)
    assert contrast(panel[extent_slices(is_changed(drawn, panel))]) >= 4.5


# The window

sides = st.integers(1, 8000)
window_sides = st.integers(100, 4000)


@given(sides, sides, st.none() | st.tuples(window_sides, window_sides))
def test_a_window_has_the_shape_of_the_frame(
    width: int, height: int, remembered_wh: tuple[int, int] | None
) -> None:
    w, h = window_size((width, height), remembered_wh)
    assert w >= 1 and h >= 1
    if min(w, h) > 1:
        assert abs(w * height - h * width) <= 0.5 * (width + height) + 1e-6  # whole pixels
    if remembered_wh is None:
        assert w <= MOST_WIDTH_PX and h <= MOST_HEIGHT_PX
        assert w >= LEAST_WIDTH_PX or h >= MOST_HEIGHT_PX - 1 or w == width
    elif min(w, h) > 20:
        area = remembered_wh[0] * remembered_wh[1]
        is_bounded = h == pytest.approx(TALLER * remembered_wh[1], abs=1)
        assert is_bounded or w * h == pytest.approx(area, rel=0.06)
        assert h <= TALLER * remembered_wh[1] + 1


@pytest.mark.parametrize(
    ("frame_wh", "remembered_wh", "wanted"),
    [
        ((640, 480), None, (640, 480)),
        ((1280, 720), None, (1280, 720)),
        ((1920, 1080), None, (1280, 720)),
        ((720, 1280), None, (450, 800)),
        ((160, 120), None, (640, 480)),
        ((1, 1), None, (640, 640)),
        ((1, 8000), None, (1, 800)),
        ((640, 480), (960, 720), (960, 720)),
        ((1280, 720), (1280, 720), (1280, 720)),
        ((480, 640), (640, 480), (468, 624)),
        ((100, 100), (400, 100), (130, 130)),
    ],
)
def test_window_sizes(
    frame_wh: tuple[int, int], remembered_wh: tuple[int, int] | None, wanted: tuple[int, int]
) -> None:
    assert window_size(frame_wh, remembered_wh) == wanted


def test_the_frame_is_sharp_in_a_window_of_its_size_and_smooth_in_others() -> None:
    bgr = np.random.default_rng(0).integers(0, 256, (480, 640, 3), np.uint8)
    assert np.array_equal(view()(bgr, size_wh=(640, 480)), bgr)
    small = view()(bgr, size_wh=(160, 120))
    mean = cv2.resize(bgr, (160, 120), interpolation=cv2.INTER_AREA)
    assert np.abs(small.astype(int) - mean).max() <= 1


def test_a_size_is_a_persons_if_it_is_not_what_was_asked_for_and_stands() -> None:
    size = WindowSize()
    asked = size.ask((640, 360))
    for time_s in (0.0, 1.0):
        size.see(asked, time_s)
    assert size.chosen_wh is None
    size.see((800, 450), 2.0)
    assert size.chosen_wh is None, "it has just changed"
    size.see((800, 450), 2.6)
    assert size.chosen_wh == (800, 450)
