from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from settings import SHIPPED

from livecam.ages import CENTRAL_RANGE, SCHEMES, YEARS, median_age, sharpened
from livecam.crops import TEMPLATE
from livecam.datatypes import AGES, AgeGender, Faces, TrackedFace
from livecam.tracker import Tracker

CONFIG = dataclasses.replace(
    SHIPPED.tracker,
    confirm_after=3,
    max_coast_s=1.0,
    time_constant_s=3.0,
    classify_per_s=4.0,
    max_narrowing=1.5,
    bin_margin=0.1,
    bin_hold_s=1.0,
)
HERE, THERE, FAR = (100, 100, 80), (400, 120, 60), (700, 400, 90)  # centre x, y and size


def tracker_with(**changes: float) -> Tracker:
    return Tracker(dataclasses.replace(CONFIG, **changes), SCHEMES["marketing"])


def faces(*places: tuple[float, float, float]) -> Faces:
    centre_x_y_size = np.array(places, np.float32).reshape(-1, 3)
    corner = centre_x_y_size[:, :2] - centre_x_y_size[:, 2:] / 2
    size = centre_x_y_size[:, 2:]
    return Faces(
        np.concatenate([corner, corner + size], axis=1),
        np.full(len(places), 0.99, np.float32),
        corner[:, None] + TEMPLATE * size[:, None],
    )


def bell(age: float, width: float = 8) -> np.ndarray:
    probs = np.exp(-(((YEARS - age) / width) ** 2) / 2)
    return (probs / probs.sum()).astype(np.float32)


def watch(
    tracker: Tracker,
    time_s: float,
    seen: Faces,
    age_probs: np.ndarray | None = None,
    female_prob: float = 0.5,
    quality: float = 1.0,
) -> list[TrackedFace]:
    """One frame; whoever is due is classified as said."""
    tracker.update(time_s, seen)
    n = len(tracker.choose_due(time_s))
    probs = np.tile(bell(30) if age_probs is None else age_probs, (n, 1)).reshape(n, AGES)
    answers = AgeGender(probs.astype(np.float32), np.full(n, female_prob, np.float32))
    tracker.learn(time_s, answers, np.full(n, quality, np.float32))
    return tracker.read_out(time_s)


def times(fps: float, seconds: float, start_s: float = 0) -> Iterator[float]:
    return (start_s + i / fps for i in range(round(fps * seconds)))


def ids(tracks: list[TrackedFace]) -> list[int]:
    return [face.track_id for face in tracks]


# Birth, life and death.


def test_nothing_to_track() -> None:
    tracker = tracker_with()
    assert watch(tracker, 0.0, Faces.none()) == []
    assert watch(tracker, 0.1, Faces.none()) == []
    assert tracker.predict(0.2).shape == (0, 4)
    assert len(tracker.missed(0.2, Faces.none())) == 0


def test_a_life_step_by_step() -> None:
    tracker = tracker_with()
    seen, unseen = faces(HERE), Faces.none()
    steps = [  # time, what is seen, ids shown, how long out of sight
        (0.0, seen, [], []),
        (0.1, seen, [], []),
        (0.2, seen, [1], [0]),
        (0.3, seen, [1], [0]),
        (0.4, unseen, [1], [0.1]),
        (0.9, unseen, [1], [0.6]),
        (1.0, seen, [1], [0]),
        (1.9, unseen, [1], [0.9]),
        (2.1, unseen, [], []),
        (2.2, seen, [], []),
        (2.3, seen, [], []),
        (2.4, seen, [2], [0]),
    ]
    for time_s, face, shown, coasting_s in steps:
        tracks = watch(tracker, time_s, face)
        assert ids(tracks) == shown, time_s
        assert [t.coasting_s for t in tracks] == pytest.approx(coasting_s), time_s


@pytest.mark.parametrize("confirm_after", [1, 2, 3])
def test_confirmed_after_so_many_measured_boxes(confirm_after: int) -> None:
    tracker = tracker_with(confirm_after=confirm_after)
    shown = [ids(watch(tracker, i / 10, faces(HERE))) for i in range(4)]
    assert shown == [[1] if i + 1 >= confirm_after else [] for i in range(4)]


def test_ghosts_get_no_id_and_use_none_up() -> None:
    tracker = tracker_with()
    places = np.random.default_rng(0).uniform(500, 5000, (20, 2))
    for i, (x, y) in enumerate(places):
        assert watch(tracker, i / 10, faces((x, y, 20))) == []
    for i in range(3):
        tracks = watch(tracker, 3 + i / 10, faces(HERE))
    assert ids(tracks) == [1]


def test_two_boxes_and_a_gap_do_not_confirm() -> None:
    tracker = tracker_with()
    for i in range(12):
        seen = Faces.none() if i % 3 == 2 else faces(HERE)
        assert watch(tracker, i / 10, seen) == []


@pytest.mark.parametrize(("away_s", "track_id"), [(0.2, 1), (0.95, 1), (1.1, 2)])
def test_who_returns_in_time_keeps_the_id(away_s: float, track_id: int) -> None:
    tracker = tracker_with()
    for time_s in (0.0, 0.1, 0.2):
        watch(tracker, time_s, faces(HERE))
    for time_s in np.arange(0.3, 0.2 + away_s, 0.1):
        watch(tracker, float(time_s), Faces.none())
    for i in range(3):
        tracks = watch(tracker, 0.2 + away_s + i / 10, faces(HERE))
    assert ids(tracks) == [track_id]


def test_two_trackers_do_not_share_ids() -> None:
    one, other = tracker_with(), tracker_with()
    for i in range(3):
        shown = watch(one, i / 10, faces(HERE, THERE)), watch(other, i / 10, faces(FAR))
    assert [ids(tracks) for tracks in shown] == [[1, 2], [1]]


def test_what_is_missed_is_where_it_should_be_for_the_first_frames() -> None:
    tracker = tracker_with()
    missed = []
    for i in range(8):
        now = faces(HERE, THERE) if i < 3 else faces(HERE)
        missed.append(tracker.missed(i / 10, now))
        watch(tracker, i / 10, now)
    assert [len(boxes) for boxes in missed] == [0, 0, 0, 1, 1, 1, 0, 0]
    assert missed[3][0] == pytest.approx(faces(THERE).xyxy[0])


def test_a_face_too_unsure_to_be_new_is_still_followed() -> None:
    tracker = Tracker(CONFIG, SCHEMES["marketing"], birth_confidence=0.8)
    for i in range(6):
        seen = faces(HERE, THERE)
        first_sure = i < 3
        unsure = np.array([0.9 if first_sure else 0.6, 0.6], np.float32)
        tracks = watch(tracker, i / 10, dataclasses.replace(seen, confidence=unsure))
    assert ids(tracks) == [1]
    assert not tracks[0].coasting_s
    assert tracks[0].xyxy == pytest.approx(faces(HERE).xyxy[0])


# Who is who.


def test_faces_that_jump_about_their_place_keep_their_ids() -> None:
    tracker = tracker_with()
    rng = np.random.default_rng(3)
    for time_s in times(30, 3):
        jumped = [tuple(np.array(place) + rng.normal(0, 6, 3)) for place in (HERE, THERE, FAR)]
        tracks = watch(tracker, time_s, faces(*jumped))
        assert len(tracks) in (0, 3)
    assert ids(tracks) == [1, 2, 3]
    centres = [(face.xyxy[:2] + face.xyxy[2:]) / 2 for face in tracks]
    assert np.allclose(centres, [place[:2] for place in (HERE, THERE, FAR)], atol=30)


def test_of_two_faces_at_a_track_the_better_one_is_its() -> None:
    tracker = tracker_with(confirm_after=1)
    watch(tracker, 0.0, faces(HERE))
    near, nearest = (115, 105, 80), (102, 100, 80)
    for order in ((near, nearest), (nearest, near)):
        first, other = watch(tracker, 0.1, faces(*order))
        assert first.xyxy == pytest.approx(faces(nearest).xyxy[0])
        assert other.xyxy == pytest.approx(faces(near).xyxy[0])
        tracker.forget()
        watch(tracker, 0.0, faces(HERE))


def test_one_face_at_two_tracks_is_that_of_the_nearer_one() -> None:
    tracker = tracker_with(confirm_after=1)
    watch(tracker, 0.0, faces((100, 100, 80), (130, 100, 80)))
    for time_s, place, seen in ((0.1, (128, 100, 80), 2), (0.2, (103, 100, 80), 1)):
        shown = watch(tracker, time_s, faces(place))
        assert [face.track_id for face in shown if not face.coasting_s] == [seen]
        assert len(shown) == 2


@pytest.mark.parametrize("fps", [10, 30])
def test_faces_that_cross_keep_their_ids(fps: int) -> None:
    """They pass at the same height, at 300 px/s; only their motion tells who is who."""
    tracker = tracker_with()
    middle_s = 1 + 0.5 / fps  # between two frames, where each stands as the other stood
    for time_s in times(fps, 2):
        way_px = 300 * (time_s - middle_s)
        tracks = watch(tracker, time_s, faces((500 + way_px, 200, 90), (500 - way_px, 200, 90)))
    assert ids(tracks) == [1, 2]
    assert tracks[0].xyxy[0] > 600
    assert tracks[1].xyxy[0] < 300


@pytest.mark.parametrize("fps", [2, 3, 4, 5, 8])
def test_people_who_cross_before_a_slow_camera_keep_their_ids(fps: int) -> None:
    """At four faces a second, each moves farther between two frames than the other is away."""
    tracker = tracker_with()
    for time_s in times(fps, 4):
        way_px = 4 * 60 * (time_s - 1.9)
        tracks = watch(tracker, time_s, faces((700 + way_px, 300, 60), (700 - way_px, 305, 55)))
    assert [face.xyxy[0] > 700 for face in tracks if not face.coasting_s] == [True, False]
    assert ids(tracks) == [1, 2]


@pytest.mark.parametrize("fps", [25, 10, 7, 5, 4])
def test_whoever_walks_past_has_one_id_at_every_frame_rate(fps: int) -> None:
    """1.4 m/s are nine faces a second; first seen in the picture, and alone within reach."""
    tracker = tracker_with()
    for time_s in times(fps, 3):
        tracks = watch(tracker, time_s, faces((60 + 9 * 50 * time_s, 200, 50), (300, 600, 50)))
    assert ids(tracks) == [1, 2]
    assert not any(face.coasting_s for face in tracks)


def test_to_and_fro_is_one_face() -> None:
    tracker = tracker_with()
    for time_s in times(5, 8):
        way_px = 60 * np.sin(2 * np.pi * time_s)
        tracks = watch(tracker, time_s, faces((500 + way_px, 200, 50)))
    assert ids(tracks) == [1]


@pytest.mark.parametrize(
    "after", [faces((600, 200, 80), (600, 300, 80)), faces((340, 200, 80)), faces((600, 200, 300))]
)
def test_who_might_have_moved_on_and_who_cannot_have(after: Faces) -> None:
    """Two faces in reach, one in the reach of two, one of another size."""
    tracker = tracker_with(max_coast_s=0.1)
    for time_s in times(5, 1):
        watch(tracker, time_s, faces((500, 200, 80), (180, 200, 80)))
    tracker.update(1.0, after)
    assert tracker.read_out(1.0) == [] or all(face.coasting_s for face in tracker.read_out(1.0))


@pytest.mark.parametrize(("faces_away", "track_ids"), [(2.4, {1}), (3.0, set())])
def test_nobody_walks_farther_than_a_few_faces(faces_away: float, track_ids: set[int]) -> None:
    tracker = tracker_with()
    for time_s in times(2, 2):
        watch(tracker, time_s, faces((500, 200, 80)))
    shown = watch(tracker, 2.0, faces((500 + 80 * faces_away, 200, 80)))
    assert {face.track_id for face in shown if not face.coasting_s} == track_ids


def test_whoever_has_been_away_for_some_frames_has_not_just_moved_on() -> None:
    tracker = tracker_with()
    for time_s in times(10, 1):
        watch(tracker, time_s, faces((500, 200, 80)))
    for time_s in times(10, 0.3, start_s=1):
        watch(tracker, time_s, Faces.none())
    (face,) = watch(tracker, 1.3, faces((500 + 80 * 2, 200, 80)))
    assert face.coasting_s


def test_who_turns_back_is_looked_for_where_they_were_too() -> None:
    tracker = tracker_with()
    for time_s in times(5, 1):
        watch(tracker, time_s, faces((200 + 9 * 80 * time_s, 200, 80)))
    before_px = 200 + 9 * 80 * 0.8
    (face,) = watch(tracker, 1.0, faces((before_px - 1.5 * 80, 200, 80)))
    assert (face.track_id, face.coasting_s) == (1, 0)


def test_after_a_gap_nobody_is_known() -> None:
    """The frames of a recording that skips times in which nothing moved."""
    tracker = tracker_with()
    for time_s in (*times(25, 1), *times(25, 1, start_s=60)):
        tracks = watch(tracker, time_s, faces(HERE))
    assert ids(tracks) == [2]


@pytest.mark.parametrize("step_s", [2.0, 6.0, 600.0])
def test_frames_that_are_far_apart_anyway_are_no_gap(step_s: float) -> None:
    tracker = tracker_with()
    for i in range(12):
        late_s = 0.43 * step_s * (i % 2)  # each second step is 2.5 times as long
        tracks = watch(tracker, i * step_s + late_s, faces(HERE))
    assert ids(tracks) == [1]


def test_pictures_that_come_in_pairs_are_no_gap() -> None:
    tracker = tracker_with()
    for i in range(12):
        tracks = watch(tracker, 6.5 * (i // 2) + 0.5 * (i % 2), faces(HERE))
    assert ids(tracks) == [1]


def test_a_gap_soon_after_the_start_is_one() -> None:
    tracker = tracker_with(confirm_after=1)
    for time_s in (0.0, 0.04, 10.0):
        watch(tracker, time_s, faces(HERE))
    assert ids(watch(tracker, 30.0, faces(HERE))) == [3]


def test_the_same_picture_looked_at_again_is_no_step() -> None:
    tracker = tracker_with()
    for time_s in (0, 60, 120, 120, 180, 240):
        tracks = watch(tracker, time_s, faces(HERE))
        assert ids(tracks) == [1] * (time_s >= 180 or len(tracks)), time_s
    assert ids(tracks) == [1]
    tracker = tracker_with()
    for time_s in (0.0, 0.1, 0.1, 0.1):
        assert watch(tracker, time_s, faces(HERE)) == []  # not yet seen three times


@pytest.mark.parametrize("apart_s", [1e-4, 0.002, 0.01])
def test_a_face_that_stands_is_expected_there_however_close_frames_come(apart_s: float) -> None:
    """As from a network camera whose pictures come in bursts; the detector errs by some pixels."""
    tracker = tracker_with()
    shakes = np.random.default_rng(0).normal(0, 1.5, (40, 2))
    for i, (x, y) in enumerate(shakes):
        time_s = 0.08 * (i // 2) + apart_s * (i % 2)
        watch(tracker, time_s, faces((100 + x, 100 + y, 80)))
        expected = tracker.predict(0.08 * (i // 2 + 1))[0]
        assert expected == pytest.approx(faces(HERE).xyxy[0], abs=12)


def test_people_who_walk_keep_their_ids_where_pictures_come_in_bursts() -> None:
    """The second picture of a pair was taken half a second after the first, and comes with it."""
    tracker = tracker_with()
    found = set()
    for i in range(40):
        for taken_s, time_s in ((0.5 * i, 0.5 * i), (0.5 * i + 0.46, 0.5 * i + 0.02)):
            x = [400 + 200 * abs((taken_s + 0.7 * row) / 4 % 2 - 1) for row in range(3)]
            seen = faces(*((x[row], 150 + 160 * row, 100) for row in range(3)))
            found |= set(ids(watch(tracker, time_s, seen)))
    assert found == {1, 2, 3}


def test_a_slow_source_may_miss_a_face_once() -> None:
    tracker = tracker_with()
    for i in range(20):
        tracks = watch(tracker, 1.2 * i, Faces.none() if i % 5 == 4 else faces(HERE))
    assert ids(tracks) == [1]


def test_a_face_in_motion_is_expected_further_on() -> None:
    tracker = tracker_with()
    for time_s in times(10, 1):
        watch(tracker, time_s, faces((100 + 200 * time_s, 200, 90)))
    last_s = 0.9
    for ahead_s, moved_px in ((0.04, 8), (0.1, 20), (0.2, 40), (0.5, 100)):
        expected = faces((100 + 200 * last_s + moved_px, 200, 90)).xyxy[0]
        assert tracker.predict(last_s + ahead_s)[0] == pytest.approx(expected, abs=1)


def test_a_face_out_of_sight_is_expected_to_slow_down() -> None:
    tracker = tracker_with()
    for time_s in times(10, 1):
        watch(tracker, time_s, faces((100 + 200 * time_s, 200, 90)))
    last_s = 0.9
    tracker.update(last_s + 0.04, Faces.none())
    for ahead_s, moved_px, within_px in ((0.1, 20, 4), (0.2, 40, 13), (0.9, 50, 2)):
        expected = faces((100 + 200 * last_s + moved_px, 200, 90)).xyxy[0]
        assert tracker.predict(last_s + ahead_s)[0] == pytest.approx(expected, abs=within_px)


def test_a_fast_face_out_of_sight_is_expected_no_farther_on_than_its_size() -> None:
    tracker = tracker_with()
    for time_s in times(25, 1):
        tracks = watch(tracker, time_s, faces((100 + 1000 * time_s, 200, 90)))
    tracker.update(1.0, Faces.none())
    far_px = tracker.predict(60.0)[0] - tracks[0].xyxy
    assert far_px == pytest.approx([90, 0, 90, 0], abs=0.1)


def test_a_face_far_away_or_of_another_size_is_another_face() -> None:
    for other in (FAR, (HERE[0], HERE[1], 4 * HERE[2])):
        tracker = tracker_with()
        for i in range(6):
            tracks = watch(tracker, i / 10, faces(HERE if i < 3 else other))
        assert ids(tracks) == [1, 2]
        assert [face.coasting_s > 0 for face in tracks] == [True, False]


@st.composite
def shuffles(draw) -> list[list[int]]:
    return [draw(st.permutations(range(4))) for _ in range(12)]


@given(st.integers(0, 2**32 - 1), shuffles())
def test_the_order_of_detections_does_not_matter(seed: int, orders: list[list[int]]) -> None:
    """The same boxes belong together, whatever the numbers of their tracks."""
    rng = np.random.default_rng(seed)
    places = np.concatenate([rng.uniform(0, 600, (4, 2)), rng.uniform(40, 120, (4, 1))], axis=1)
    walks = places + rng.normal(0, 8, (12, 4, 3)).cumsum(axis=0)
    walks[..., 2] = np.abs(walks[..., 2]) + 20
    in_order, shuffled = tracker_with(), tracker_with()
    partners: dict[int, int] = {}
    for i, (walk, order) in enumerate(zip(walks, orders, strict=True)):
        seen = faces(*walk)
        a = boxes_by_id(watch(in_order, i / 10, seen))
        b = boxes_by_id(watch(shuffled, i / 10, seen[np.array(order)]))
        assert sorted(a.values()) == sorted(b.values())
        id_of = {box: track_id for track_id, box in b.items()}
        for track_id, box in a.items():
            assert partners.setdefault(track_id, id_of[box]) == id_of[box]


def boxes_by_id(tracks: list[TrackedFace]) -> dict[int, tuple[float, ...]]:
    return {face.track_id: tuple(face.xyxy.tolist()) for face in tracks}


# Who is classified when.


def test_an_unsure_view_is_not_classified_but_for_want_of_a_better() -> None:
    tracker = Tracker(CONFIG, SCHEMES["marketing"], birth_confidence=0.8)
    due = []
    for i, confidence in enumerate([0.9, 0.9, 0.6, 0.6, 0.6, 0.9]):
        seen = dataclasses.replace(faces(HERE), confidence=np.array([confidence], np.float32))
        tracker.update(i, seen)
        due.append(len(tracker.choose_due(i)))
        probs = np.tile(bell(30), (due[-1], 1))
        answers = AgeGender(probs, np.full(due[-1], 0.5, np.float32))
        tracker.learn(i, answers, np.ones(due[-1], np.float32))
    assert due == [0, 0, 1, 0, 0, 1]


def test_only_confirmed_and_measured_faces_are_classified() -> None:
    tracker = tracker_with()
    due = []
    for i in range(8):
        tracker.update(i / 2, faces(HERE) if i not in (4, 5) else Faces.none())
        due.append(len(tracker.choose_due(i / 2)))
    assert due == [0, 0, 1, 1, 0, 0, 1, 1]


@pytest.mark.parametrize("fps", [2, 5, 30, 240])
def test_classifications_of_a_face_in_a_second_are_bounded(fps: int) -> None:
    tracker = tracker_with(classify_per_s=4)
    stamps: list[float] = []
    for time_s in times(fps, 10):
        tracker.update(time_s, faces(HERE, THERE))
        n = len(tracker.choose_due(time_s))
        assert n in (0, 2)
        stamps += [time_s] * (n > 0)
        tracker.learn(time_s, AgeGender(np.tile(bell(30), (n, 1)), np.ones(n, "f4")), np.ones(n))
        assert len(tracker.choose_due(time_s)) == 0  # once is enough
    assert np.all(np.diff(stamps) >= 0.249)
    assert len(stamps) >= min(fps, 2) * 9
    assert [face.samples for face in tracker.read_out(10)] == [len(stamps)] * 2


def test_answers_go_to_the_faces_that_were_due() -> None:
    tracker = tracker_with(confirm_after=1)
    tracker.update(0.0, faces(HERE, THERE))
    due = tracker.choose_due(0.0)
    old = due.xyxy[:, 0] > 200  # there sits the old man
    answers = AgeGender(
        np.stack([bell(70 if is_old else 20) for is_old in old]),
        np.where(old, 0.1, 0.9).astype(np.float32),
    )
    tracker.learn(0.0, answers, np.ones(2, np.float32))
    for face in tracker.read_out(0.0):
        is_there = face.xyxy[0] > 200
        assert face.age == pytest.approx(70 if is_there else 20, abs=0.5)
        assert face.female_prob == pytest.approx(0.1 if is_there else 0.9, abs=1e-4)


def test_before_the_first_answer_everything_is_possible() -> None:
    tracker = tracker_with(confirm_after=1)
    tracker.update(0.0, faces(HERE))
    (face,) = tracker.read_out(0.0)
    assert face.samples == 0
    assert face.age_probs == pytest.approx(1 / AGES)
    assert (face.age_low, face.age_high, face.female_prob) == (10, 90, 0.5)


# Smoothing.


def shown_faces(fps: float, *phases: np.ndarray) -> list[tuple[float, TrackedFace]]:
    """(time, face) of every frame, with 10 s of each distribution and first women, then men."""
    tracker = tracker_with(confirm_after=1)
    shown = []
    for phase, probs in enumerate(phases):
        for time_s in times(fps, 10, start_s=10 * phase):
            (face,) = watch(tracker, time_s, faces(HERE), probs, 0.1 if phase else 0.9)
            shown.append((time_s, face))
    return shown


def test_the_first_view_is_shown_as_it_is() -> None:
    tracker = tracker_with(confirm_after=1)
    (face,) = watch(tracker, 0.0, faces(HERE), bell(30), female_prob=0.8)
    assert face.age_probs == pytest.approx(bell(30), abs=1e-5)
    assert face.age == pytest.approx(30, abs=0.1)
    assert [[face.age_low, face.age_high]] == CENTRAL_RANGE(bell(30)[None]).tolist()
    assert (face.age_bin, face.samples) == ("25-34", 1)
    assert face.female_prob == pytest.approx(0.8, abs=1e-4)


def test_who_takes_the_place_of_another_gets_a_new_id_and_another_age() -> None:
    """Someone of 12 steps in front of someone of 73, whose own bin would never change."""
    tracker, shown = tracker_with(bin_margin=1.0), []
    for time_s in times(25, 6):
        man, girl = (bell(73), 0.1), (bell(12), 0.9)
        shown.append(watch(tracker, time_s, faces(HERE), *(man if time_s < 3 else girl))[:1])
    (before,), (after,) = shown[74], shown[-1]
    assert (before.track_id, before.age_bin) == (1, "65+")
    assert (after.track_id, after.age_bin) == (2, "0-12")
    wrong = [faces for faces in shown[75:] if faces[0].track_id == 1]
    assert 12 < len(wrong) <= 25  # three answers, at four a second
    assert before.known_s == pytest.approx(74 / 25)  # since its first box, not its confirmation
    assert after.known_s == pytest.approx(149 / 25 - 3, abs=0.25)  # since the first strange answer
    assert {face.age_bin for (face,) in wrong} == {"65+"}
    assert after.age == pytest.approx(12, abs=0.1)


@pytest.mark.parametrize(
    ("fps", "away_s", "age", "ids"),
    [
        (10, 0.6, 42, {1, 2}),  # the next one in a queue
        (10, 0.6, 32, {1}),  # the same, from another side
        (10, 0.2, 42, {1}),  # hidden for a moment
        (10, 0.0, 42, {1}),
        (2, 0.0, 42, {1}),  # a slow camera
    ],
)
def test_who_comes_into_sight_in_the_place_of_another_must_look_like_them(
    fps: float, away_s: float, age: float, ids: set[int]
) -> None:
    tracker, seen = tracker_with(confirm_after=1), set()
    for time_s in times(fps, 8):
        is_away = 4 <= time_s < 4 + away_s - 1e-6
        probs = bell(30 if time_s < 4 else age, 5)
        shown = watch(tracker, time_s, faces(*(() if is_away else (HERE,))), probs)
        seen |= {face.track_id for face in shown}
    assert seen == ids


def test_looks_are_counted_also_where_an_answer_is_held_back() -> None:
    """So that a face is mirrored every second time."""
    tracker = tracker_with(confirm_after=1, classify_per_s=25)
    looks: list[int] = []
    for i in range(12):
        tracker.update(i / 25, faces(HERE))
        due = len(tracker.choose_due(i / 25))
        looks += tracker.due_looks.tolist()
        probs = bell(80, 4) if i in (5, 6, 8) else bell(30, 4)
        answers = AgeGender(np.tile(probs, (due, 1)), np.full(due, 0.5, np.float32))
        tracker.learn(i / 25, answers, np.ones(due, np.float32))
    assert looks == list(range(12))


def test_views_that_are_left_out_do_not_keep_the_others_fresh() -> None:
    shown = []
    for is_asked in (True, False):
        tracker = tracker_with(confirm_after=1, classify_per_s=1, max_coast_s=3)
        for time_s in range(8):
            is_strange = time_s in (3, 4)
            here = faces(HERE) if is_asked or not is_strange else faces()
            probs = bell(80, 4) if is_strange else bell(30 if time_s < 3 else 36, 8)
            watched = watch(tracker, float(time_s), here, probs)
        shown.append(watched[0].age_probs)
    assert shown[0] == pytest.approx(shown[1], abs=1e-6)


def test_a_strange_view_or_two_are_left_out() -> None:
    tracker = tracker_with(confirm_after=1, classify_per_s=10)
    for i in range(40):
        is_strange = i % 5 in (3, 4)
        probs = bell(80, 4) if is_strange else bell(30, 4)
        (face,) = watch(tracker, i / 10, faces(HERE), probs)
    assert (face.track_id, face.samples) == (1, 24)
    assert face.age == pytest.approx(30, abs=0.1)


def test_a_wrong_first_view_makes_nobody_else() -> None:
    tracker = tracker_with(confirm_after=1, classify_per_s=10)
    for i in range(6):
        (face,) = watch(tracker, i / 10, faces(HERE), bell(30 if i else 70, 10))
    assert (face.track_id, face.samples) == (1, 6)


@pytest.mark.parametrize("fps", [5, 10, 30])
def test_every_frame_rate_smooths_alike(fps: int) -> None:
    """A change of what is seen has come half-way after time_constant_s * ln 2."""
    shown = shown_faces(fps, bell(25, 12), bell(55, 12))
    half_way_s = CONFIG.time_constant_s * np.log(2)
    older_s = next(time_s for time_s, face in shown if face.age > 40) - 10
    male_s = next(time_s for time_s, face in shown if face.female_prob < 0.5) - 10
    assert older_s == pytest.approx(half_way_s, abs=0.4)
    assert male_s == pytest.approx(half_way_s, abs=0.4)
    calm = [face for time_s, face in shown if 9 < time_s < 10]
    # and the range is as narrow with few frames as with many
    assert {(face.age_low, face.age_high) for face in calm} == {(13, 38)}


def test_old_views_are_forgotten() -> None:
    ages = [face.age for _, face in shown_faces(30, bell(25, 12), bell(55, 12))]
    assert ages[299] == pytest.approx(25, abs=0.1)
    assert ages[-1] == pytest.approx(55, abs=2)
    assert np.all(np.diff(ages[300:]) >= -0.01)


@pytest.mark.parametrize(("young_quality", "old_quality"), [(1, 0.1), (0.1, 1), (0.5, 0.05)])
def test_better_views_weigh_more(young_quality: float, old_quality: float) -> None:
    tracker = tracker_with(confirm_after=1, time_constant_s=1000)
    for i in range(10):
        watch(tracker, i / 2, faces(HERE), bell(30, 14), 0.9, young_quality)
        watch(tracker, i / 2 + 0.25, faces(HERE), bell(60, 14), 0.1, old_quality)
    (face,) = tracker.read_out(5.0)
    assert face.age == pytest.approx(30 + 30 * old_quality / (young_quality + old_quality), abs=1)
    assert (face.female_prob > 0.5) == (young_quality > old_quality)


@pytest.mark.parametrize("female_prob", [0.0, 1.0])
def test_a_gender_said_with_certainty_stays_finite(female_prob: float) -> None:
    tracker = tracker_with(confirm_after=1)
    one_hot = np.eye(AGES, dtype=np.float32)[0]
    for i in range(20):
        (face,) = watch(tracker, i / 2, faces(HERE), one_hot, female_prob)
    assert face.female_prob == pytest.approx(female_prob, abs=1e-3)
    assert (face.age_low, face.age_high) == (0, 0)
    for i in range(20, 60):  # and can change
        (face,) = watch(tracker, i / 2, faces(HERE), one_hot[::-1], 1 - female_prob)
    assert face.female_prob == pytest.approx(1 - female_prob, abs=1e-2)
    assert (face.age_low, face.age_high) == (100, 100)


def test_the_range_narrows_with_agreeing_views_but_not_without_end() -> None:
    tracker = tracker_with(confirm_after=1, max_narrowing=1.5)
    widths = []
    for i in range(400):
        (face,) = watch(tracker, i / 4, faces(HERE), bell(40, width=12))
        widths.append(face.age_high - face.age_low)
    assert np.all(np.diff(widths) <= 0)
    ((first_low, first_high), (least_low, least_high)) = CENTRAL_RANGE(
        np.stack([bell(40, 12), sharpened(bell(40, 12)[None], 1.5)[0]])
    )
    assert widths[0] == first_high - first_low
    assert least_high - least_low <= widths[-1] < widths[0]


@pytest.mark.parametrize("qualities", [[1], [1, 1, 1, 1], [1, 0.01, 0.01, 0.01], [0.2, 1, 0.5]])
@pytest.mark.parametrize("constant_s", [0.5, 3.0, 1e6])
def test_the_range_narrows_by_what_the_views_are_worth(
    qualities: list[float], constant_s: float
) -> None:
    """By Kish's effective number of views, of which older ones weigh less."""
    tracker = tracker_with(confirm_after=1, max_narrowing=1.5, time_constant_s=constant_s)
    for i, quality in enumerate(qualities):
        (face,) = watch(tracker, i / 4, faces(HERE), bell(40, 12), quality=quality)
    age_s = np.arange(len(qualities))[::-1] / 4
    weights = np.array(qualities) * np.exp(-age_s / constant_s)
    effective = weights.sum() ** 2 / (weights**2).sum()
    wanted = sharpened(bell(40, 12)[None], 1 + 0.5 * (1 - 1 / effective))[0]
    assert face.age_probs == pytest.approx(wanted, abs=1e-5)


def test_without_narrowing_the_range_stays() -> None:
    tracker = tracker_with(confirm_after=1, max_narrowing=1)
    for i in range(50):
        (face,) = watch(tracker, i / 4, faces(HERE), bell(40, width=12))
        assert [[face.age_low, face.age_high]] == CENTRAL_RANGE(bell(40, 12)[None]).tolist()


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(3, 30), st.floats(0.05, 1)), min_size=1))
def test_what_is_shown_is_always_a_distribution(views: list[tuple[float, float, float]]) -> None:
    tracker = tracker_with(confirm_after=1)
    for i, (age, width, quality) in enumerate(views):
        (face,) = watch(tracker, i / 4, faces(HERE), bell(age, width), quality=quality)
        assert face.age_probs.sum() == pytest.approx(1, abs=1e-4)
        assert face.age == pytest.approx(float(median_age(face.age_probs[None])[0]), abs=1e-3)
        assert 0 <= face.age_low <= face.age_high <= 100
        assert face.age_bin in SCHEMES["marketing"].labels


# The displayed bin.


def changes_of_bin(tracker: Tracker, *views: np.ndarray) -> list[float]:
    """When another bin was shown, in 20 s at 30 fps of views that take turns."""
    changed_s, before, n = [], "", 0
    for time_s in times(30, 20):
        tracker.update(time_s, faces(HERE))
        due = len(tracker.choose_due(time_s))
        answers = AgeGender(np.tile(views[n % len(views)], (due, 1)), np.ones(due, np.float32))
        tracker.learn(time_s, answers, np.ones(due, np.float32))
        n += due
        (face,) = tracker.read_out(time_s)
        if face.age_bin != before:
            changed_s.append(time_s)
        before = face.age_bin
    return changed_s


def test_views_on_both_sides_of_an_edge_do_not_make_the_bin_flap() -> None:
    assert len(changes_of_bin(tracker_with(confirm_after=1), bell(33.5, 4), bell(35.5, 4))) == 1


def test_without_memory_the_bin_changes_once_a_second_at_most() -> None:
    tracker = tracker_with(confirm_after=1, time_constant_s=0.01, bin_hold_s=1)
    changed_s = changes_of_bin(tracker, bell(29, 6), bell(38, 6), bell(47, 6))
    shown_s, corrected_s, *_ = changed_s  # the first bin is of one view
    assert corrected_s - shown_s < 0.5
    assert len(changed_s) > 5  # else this tests nothing
    assert np.diff(changed_s[1:]).min() >= 1 - 1e-6


def test_a_bin_that_is_hardly_likelier_is_not_shown() -> None:
    views = bell(34.3, 10), bell(34.7, 10)  # the likelier bin is another one each time
    few = tracker_with(confirm_after=1, time_constant_s=0.01, bin_hold_s=0)
    many = tracker_with(confirm_after=1, time_constant_s=0.01, bin_hold_s=0, bin_margin=0)
    assert len(changes_of_bin(few, *views)) == 1
    assert len(changes_of_bin(many, *views)) > 50


def test_the_first_bin_of_a_scheme_is_kept_like_any_other() -> None:
    views = bell(12.4, 2), bell(12.6, 2)  # children or teenagers
    few = tracker_with(confirm_after=1, time_constant_s=0.01, bin_hold_s=0)
    assert changes_of_bin(few, *views) == [0.0]


def test_a_bin_that_is_clearly_likelier_is_shown_in_the_end() -> None:
    bins = [face.age_bin for _, face in shown_faces(30, bell(30), bell(50))]
    assert bins[299] == "25-34"
    assert bins[-1] == "45-54"


# A long run.


def numbers_held(thing: object) -> int:
    if isinstance(thing, np.ndarray):
        return thing.size
    if isinstance(thing, (list, tuple, set)):
        return 1 + sum(map(numbers_held, thing))
    if isinstance(thing, dict):
        return 1 + sum(map(numbers_held, thing.values()))
    return 1 + sum(map(numbers_held, getattr(thing, "__dict__", {}).values()))


def test_nothing_grows_over_4000_updates() -> None:
    tracker = tracker_with()
    rng = np.random.default_rng(0)
    held = []
    for i in range(4000):
        ghost = (*rng.uniform(1000, 9000, 2), 20)  # born and gone
        visitor = (300 + i // 50 % 20 * 300, 900, 50)  # another one every 50 updates
        watch(tracker, i / 30, faces(HERE, ghost, visitor))
        if i % 100 == 40:
            held.append(numbers_held(tracker))
    assert max(held[20:]) <= max(held[:20])
    assert watch(tracker, 1000.0, Faces.none()) == []
    assert numbers_held(tracker) <= numbers_held(tracker_with())
