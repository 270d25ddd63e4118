"""Boxes between measurements. `video` measures at one rate and looks at another, as a window."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from people import face

from livecam.datatypes import TrackedFace
from livecam.motion import LOOK_AHEAD_S, Motion

SIDE = 80.0
RATES = [5, 10, 15, 30]  # labels a second
SCREEN_FPS = 60

rates = pytest.mark.parametrize("fps", RATES)


def box(x: float, y: float = 100.0) -> np.ndarray:
    return np.array([x, y, x + SIDE, y + SIDE], np.float32)


def left(faces: list[TrackedFace]) -> float:
    (one,) = faces
    return float(one.xyxy[0])


def video(
    where: Callable[[float], float], fps: float, seconds: float, screen_fps: float = SCREEN_FPS
) -> tuple[np.ndarray, np.ndarray]:
    """Times at which the screen is drawn, and the left edge of the box that is shown then.

    It moves down as it moves to the right.
    """
    motion, measured = Motion(), 0
    times_s = np.arange(round(seconds * screen_fps)) / screen_fps
    shown = []
    for time_s in times_s:
        while measured / fps <= time_s + 1e-9:
            motion.update(measured / fps, [face(box(*2 * [where(measured / fps)]))])
            measured += 1
        (one,) = motion.advance(time_s)
        x0, y0, x1, y1 = one.xyxy
        assert (x0, x1) == (y0, y1)
        shown.append(x0)
    return times_s, np.array(shown)


# Who is there


def test_nobody_before_and_after_an_update_without_faces() -> None:
    motion = Motion()
    assert motion.advance(0.0) == []
    motion.update(0.0, [])
    assert motion.advance(1.0) == []


def test_a_new_track_appears_exactly_where_it_was_measured() -> None:
    motion = Motion()
    motion.update(0.0, [face(box(0))])
    motion.advance(0.0)
    motion.update(0.1, [face(box(3)), face(box(500), 2)])
    assert np.array_equal(motion.advance(0.1)[1].xyxy, box(500))


def test_what_is_gone_is_forgotten() -> None:
    """Its place and its velocity: one that comes back under the same number is a new one."""
    motion = Motion()
    for i in range(10):
        motion.update(i / 10, [face(box(20 * i)), face(box(500), 2)])
        motion.advance(i / 10)
    motion.update(1.0, [face(box(500), 2)])
    assert [shown.track_id for shown in motion.advance(1.05)] == [2]
    motion.update(1.1, [face(box(900, 300)), face(box(500), 2)])
    assert np.array_equal(motion.advance(1.1)[0].xyxy, box(900, 300))
    assert np.array_equal(motion.advance(1.3)[0].xyxy, box(900, 300))


def test_memory_is_of_those_who_are_there() -> None:
    motion = Motion()
    for i in range(200):
        motion.update(i / 10, [face(box(0), i), face(box(200), i + 1)])
        motion.advance(i / 10)
    assert sorted(motion._glides) == [199, 200]


def test_all_but_the_box_and_the_confidence_stays_as_the_tracker_says() -> None:
    motion = Motion()
    given_face = face(box(10), 7, age=44.0, age_bin="35-44", samples=9)
    motion.update(0.0, [given_face])
    (shown,) = motion.advance(0.1)
    assert (shown.track_id, shown.age, shown.age_bin, shown.samples) == (7, 44.0, "35-44", 9)
    assert shown.age_probs is given_face.age_probs
    assert shown.xyxy.shape == (4,) and shown.xyxy.dtype == np.float32


def test_what_was_measured_is_not_changed() -> None:
    motion = Motion()
    first, second = face(box(10)), face(box(40))
    for time_s, one in ((0.0, first), (0.1, second)):
        motion.update(time_s, [one])
        motion.advance(time_s + 0.05)
    assert np.array_equal(first.xyxy, box(10))
    assert np.array_equal(second.xyxy, box(40))


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 500), st.integers(-40, 40)), min_size=2), st.randoms())
def test_the_order_of_faces_does_not_matter(people: list, random) -> None:  # type: ignore[no-untyped-def]
    sorted_, shuffled = Motion(), Motion()
    for i in range(4):
        faces = [face(box(x + i * dx), n) for n, (x, dx) in enumerate(people)]
        sorted_.update(i / 10, faces)
        random.shuffle(faces)
        shuffled.update(i / 10, faces)
        expected = {one.track_id: one for one in sorted_.advance(i / 10 + 0.03)}
        shown = shuffled.advance(i / 10 + 0.03)
        assert [one.track_id for one in shown] == [one.track_id for one in faces]
        for one in shown:
            assert np.array_equal(one.xyxy, expected[one.track_id].xyxy)


# Where they are


@rates
def test_a_box_that_stays_stays(fps: int) -> None:
    _, shown = video(lambda _: 100.0, fps, 1.0)
    assert np.all(shown == 100)


@rates
@pytest.mark.parametrize("speed", [-400, -30, 30, 200, 400])
def test_a_moving_box_is_followed_without_lag_also_between_updates(fps: int, speed: int) -> None:
    times_s, shown = video(lambda time_s: 1000 + speed * time_s, fps, 3.0)
    late = times_s > 1
    assert np.abs(shown - 1000 - speed * times_s)[late].max() < 1


def test_5_and_30_fps_show_alike() -> None:
    """Walking to and fro: never farther apart than a quarter of a face."""

    def to_and_fro(time_s: float) -> float:
        return 300 + 60 * float(np.sin(2 * time_s))

    times_s, slow = video(to_and_fro, 5, 6.0)
    _, fast = video(to_and_fro, 30, 6.0)
    truth = np.array([to_and_fro(time_s) for time_s in times_s])
    late = times_s > 1
    assert np.abs(fast - truth)[late].max() < 0.05 * SIDE
    assert np.abs(slow - truth)[late].max() < 0.25 * SIDE
    assert np.abs(slow - truth)[late].mean() < 0.1 * SIDE


def test_how_often_the_screen_is_drawn_does_not_matter() -> None:
    """A change of pace is shown alike on a screen of 15 pictures a second, at the same times."""

    def start(time_s: float) -> float:
        return 100 + 150 * max(time_s - 0.5, 0)

    seldom_s, seldom = video(start, 15, 2.0, screen_fps=15)
    often_s, often = video(start, 15, 2.0, screen_fps=60)
    assert np.allclose(seldom_s, often_s[::4])
    assert np.abs(seldom - often[::4]).max() < 0.06 * SIDE


# labels a second; by how much of the way a jump is overshot at most, until the next label tells a
# jump from a motion
@pytest.mark.parametrize(("fps", "more"), [(30, 0.2), (15, 0.35), (10, 0.55), (5, 0.85)])
@pytest.mark.parametrize("way", [-40, 4, 20, 40])
def test_a_jump_is_approached_and_reached(fps: int, more: float, way: int) -> None:
    times_s, shown = video(lambda time_s: 100 + way * (time_s >= 0.5), fps, 2.0)
    share = (shown - 100) / way  # 0 before, 1 once it is reached
    assert np.all(share[times_s < 0.5 - 1e-9] == 0)
    reached = int(np.argmax(share >= 1))
    assert reached, "never reached"
    assert np.all(np.diff(share[: reached + 1]) >= 0)  # nothing moves back on the way
    assert share.max() <= 1 + more
    assert share.min() >= 0
    assert np.abs(share - 1)[times_s > 1.5].max() < 0.01


@rates
def test_drawn_with_its_own_label_a_jump_is_hardly_overshot(fps: int) -> None:
    _, shown = video(lambda time_s: 100 + 40 * (time_s >= 0.5), fps, 2.0, screen_fps=fps)
    assert shown.max() <= 100 + 1.12 * 40


@pytest.mark.parametrize(("way", "least", "most"), [(8, 0.2, 0.7), (80, 0.8, 1.0)])
def test_small_steps_glide_and_large_ones_hurry(way: int, least: float, most: float) -> None:
    """A sixtieth of a second after it is measured, without what is predicted."""
    motion = Motion()
    for time_s in (0.0, 0.1):
        motion.update(time_s, [face(box(100))])
        motion.advance(time_s)
    motion.update(0.1, [face(box(100 + way))])  # no time for a velocity
    assert least < (left(motion.advance(0.1 + 1 / 60)) - 100) / way < most


def test_size_glides_as_place_does() -> None:
    motion = Motion()
    motion.update(0.0, [face((100, 100, 180, 180))])
    motion.advance(0.0)
    motion.update(0.1, [face((90, 90, 190, 190))])  # nearer, at the same place
    widths = []
    for time_s in (0.1, 0.13, 0.16, 0.2, 0.5):
        x0, y0, x1, y1 = motion.advance(time_s)[0].xyxy
        assert (x0 + x1) / 2 == pytest.approx((y0 + y1) / 2) == pytest.approx(140)
        widths.append(x1 - x0)
    assert widths == sorted(widths)
    assert 80 < widths[0] < 100
    assert widths[-1] == pytest.approx(100, abs=0.3)


@pytest.mark.parametrize(("px", "least"), [(0.5, 2.2), (1, 2.0), (2, 1.7)])
def test_jitter_is_damped_the_more_the_smaller_it_is(px: float, least: float) -> None:
    """Steps from frame to frame of a face that sits still, measured over shown."""
    motion, noise = Motion(), np.random.default_rng(0).normal(0, px, (300, 4))
    shown = []
    for i, off in enumerate(noise):
        motion.update(i / 30, [face(box(100) + off)])
        shown.append(motion.advance(i / 30)[0].xyxy)
    steps = np.abs(np.diff(noise, axis=0)).mean() / np.abs(np.diff(shown, axis=0)).mean()
    assert steps > least
    assert np.mean(shown, axis=0) == pytest.approx(box(100), abs=0.3)


# Time


def test_look_ahead_is_bounded() -> None:
    """A box whose labels do not come does not sail out of the picture."""
    motion, speed = Motion(), 200
    for i in range(60):
        motion.update(i / 30, [face(box(speed * i / 30))])
        motion.advance(i / 30)
    last_s = 59 / 30
    at_bound = left(motion.advance(last_s + LOOK_AHEAD_S))
    assert at_bound == pytest.approx(speed * (last_s + LOOK_AHEAD_S), abs=1)
    for later_s in (0.5, 1, 60, 1e6):
        assert left(motion.advance(last_s + later_s)) == pytest.approx(at_bound, abs=0.5)


@pytest.mark.parametrize("step_s", [0.0, -0.1, -1e6, 1e-9])
def test_time_that_does_not_advance(step_s: float) -> None:
    """As after a change of cameras: the last measurement holds, and nothing becomes infinite."""
    motion = Motion()
    motion.update(5.0, [face(box(100))])
    motion.advance(5.0)
    motion.update(5.0 + step_s, [face(box(140))])
    assert 100 <= left(motion.advance(5.0 + step_s)) <= 150
    for later_s in np.arange(1, 60) / 30:
        motion.update(5.0 + step_s + later_s, [face(box(140))])
        motion.advance(5.0 + step_s + later_s)
    assert left(motion.advance(7.0 + step_s)) == pytest.approx(140, abs=0.5)


def test_asking_for_a_time_before_the_last_label_gives_the_past() -> None:
    """Labels may be newer than the picture in the window."""
    motion = Motion()
    for i in range(60):
        motion.update(i / 30, [face(box(10 * i))])
    assert left(motion.advance(58 / 30)) == pytest.approx(580, abs=1)


moments = st.lists(
    st.tuples(st.integers(0, 2000), st.integers(-500, 500), st.integers(0, 1000)), min_size=1
)


@settings(deadline=None)
@given(moments)
def test_whatever_is_measured_boxes_stay_near_it(moments: list) -> None:
    """Times in ms, also backward: a box is finite, and not farther off than faces ever moved."""
    motion = Motion()
    places = [place for _, place, _ in moments]
    reach = 1 + 4 * (max(places) - min(places))
    for time_ms, place, wait_ms in moments:
        motion.update(time_ms / 1000, [face(box(place))])
        shown = left(motion.advance((time_ms + wait_ms) / 1000))
        assert min(places) - reach <= shown <= max(places) + reach


# Confidence, and out of sight


@pytest.mark.parametrize("fps", [5, 30])
def test_confidence_flickers_less_and_still_follows(fps: int) -> None:
    motion, shown = Motion(), []
    flicker = [0.90, 0.99]
    for i in range(6 * fps):
        measured = flicker[i % 2] if i < 4 * fps else 0.7
        motion.update(i / fps, [face(box(0), confidence=measured)])
        shown.append(motion.advance(i / fps)[0].confidence)
    assert shown[0] == pytest.approx(0.90)
    steady = np.array(shown[2 * fps : 4 * fps])
    assert np.ptp(steady) < 0.4 * 0.09
    assert steady.mean() == pytest.approx(0.945, abs=0.01)
    assert shown[-1] == pytest.approx(0.7, abs=0.02)


def test_time_out_of_sight_goes_on_between_updates() -> None:
    motion = Motion()
    motion.update(2.0, [face(box(0)), face(box(200), 2, coasting_s=0.1)])
    for time_s, seen, unseen in ((1.9, 0, 0.1), (2.0, 0, 0.1), (2.2, 0, 0.3), (3.0, 0, 1.1)):
        shown = [one.coasting_s for one in motion.advance(time_s)]
        assert shown == pytest.approx([seen, unseen]), time_s
    motion.update(2.3, [face(box(0), coasting_s=0.3), face(box(200), 2)])
    assert [one.coasting_s for one in motion.advance(2.4)] == pytest.approx([0.4, 0])
