"""Visits: one for each person, however often the tracker loses them for a moment."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from people import face
from settings import SHIPPED

from livecam.audience import SAVED_EVERY_S, Audience
from livecam.config import AudienceConfig
from livecam.datatypes import AGES, TrackedFace, Visit

CONFIG = AudienceConfig(min_dwell_s=1.0, rejoin_s=3.0)


def aged(age: int) -> np.ndarray:
    probs = np.exp(-np.square((np.arange(AGES) - age) / 5) / 2).astype(np.float32)
    return probs / probs.sum()


def person(track_id: int, left: float = 100, age: int = 30, **changes: object) -> TrackedFace:
    return face((left, 100, left + 60, 180), track_id, age_probs=aged(age), age=age, **changes)


def visits(*seen: tuple[float, float, TrackedFace], until_s: float = 10.0) -> dict[int, Visit]:
    """Of people each in the picture from one second to another, at 10 frames a second."""
    audience = Audience(CONFIG)
    found: dict[int, Visit] = {}
    for i in range(round(10 * until_s)):
        time_s = i / 10
        faces = [face for begin_s, end_s, face in seen if begin_s <= time_s < end_s]
        found |= {visit.number: visit for visit in audience(time_s, faces)}
    found |= {visit.number: visit for visit in audience.leave()}
    assert audience.counted == len(found)
    return found


def test_a_visit_goes_from_entry_to_exit() -> None:
    (visit,) = visits((1, 4, person(1))).values()
    assert (visit.number, visit.begin_s, visit.end_s) == (1, 1.0, pytest.approx(3.9))
    assert (visit.age, visit.samples) == (30, 5)
    assert np.array_equal(visit.age_probs, aged(30))


def test_a_visit_begins_before_its_track_is_confirmed() -> None:
    audience = Audience(CONFIG)
    for time_s, known_s in ((0.5, 0.4), (1.2, 1.1)):
        found = audience(time_s, [person(1, known_s=known_s)])
    assert [(visit.begin_s, visit.end_s) for visit in found] == [(pytest.approx(0.1), 1.2)]


def test_a_visit_does_not_begin_before_the_one_of_its_track_that_has_ended() -> None:
    audience = Audience(CONFIG)
    audience(2.0, [person(1, known_s=0.4)])
    assert [visit.begin_s for visit in (*audience(4.0, [person(1, known_s=2.4)]),)] == [1.6]
    audience.leave()
    audience(5.0, [person(1, known_s=3.4)])
    assert [visit.begin_s for visit in audience(7.0, [person(1, known_s=5.4)])] == [5.0]


def test_who_is_seen_for_a_moment_does_not_count() -> None:
    assert visits((1, 1.9, person(1))) == {}


def test_two_at_once_are_two() -> None:
    assert len(visits((0, 5, person(1)), (0, 5, person(2, left=180)))) == 2


def test_who_is_out_of_sight_for_a_moment_is_the_same_visitor() -> None:
    (visit,) = visits((0, 3, person(1)), (5, 8, person(2, left=160))).values()
    assert (visit.begin_s, visit.end_s) == (0, pytest.approx(7.9))


@pytest.mark.parametrize(("away_s", "visitors"), [(2.8, 1), (3.3, 2)])
def test_who_is_back_in_time_may_be_confirmed_later(away_s: float, visitors: int) -> None:
    """As before a slow camera, where that takes a second."""
    audience = Audience(CONFIG)
    for i in range(20):
        audience(i / 10, [person(1)])
    for i in range(20, round(19 + 10 * (away_s + 0.8))):
        audience(i / 10, [])
    for i in range(20):
        known_s = 0.8 + i / 10
        audience(1.9 + away_s + known_s, [person(2, known_s=known_s)])
    assert audience.counted == visitors


def test_a_track_is_one_visitor_however_short_the_time_out_of_sight() -> None:
    """Hidden for a moment, its face is still there, predicted."""
    audience, seen = Audience(AudienceConfig(min_dwell_s=0.2, rejoin_s=0.0)), person(1)
    found: dict[int, Visit] = {}
    for i in range(60):
        is_hidden = i % 20 in (8, 9, 10)
        faces = [dataclasses.replace(seen, coasting_s=0.1)] if is_hidden else [seen]
        found |= {visit.number: visit for visit in audience(i / 10, faces)}
    found |= {visit.number: visit for visit in audience.leave()}
    assert [(visit.begin_s, visit.end_s) for visit in found.values()] == [(0.0, 5.9)]


@pytest.mark.parametrize(
    ("second", "begin_s"),
    [
        (person(2), 6.5),  # later
        (person(2, left=500), 5),  # somewhere else
        (person(2, age=60), 5),  # older
        (person(2, age=39), 5),  # a little older
        (person(2, female_prob=0.02), 5),  # of another gender
        (face((0, 0, 400, 400), 2, age_probs=aged(30)), 5),  # much nearer
    ],
)
def test_somebody_else_is_another_visitor(second: TrackedFace, begin_s: float) -> None:
    assert len(visits((0, 3, person(1)), (begin_s, 9, second))) == 2


@pytest.mark.parametrize(
    ("before", "after", "visitors"),
    [(0.5, 0.5, 1), (0.03, 0.03, 1), (0.8, 0.2, 1), (0.1, 0.9, 2), (0.97, 0.03, 2)],
)
def test_an_unclear_gender_is_no_reason_to_count_twice(
    before: float, after: float, visitors: int
) -> None:
    seen = (0, 3, person(1, female_prob=before)), (4, 8, person(2, female_prob=after))
    assert len(visits(*seen)) == visitors


def test_who_is_still_seen_does_not_become_somebody_else() -> None:
    found = visits((0, 9, person(1)), (4, 9, person(2, left=150)))
    assert [visit.begin_s for visit in found.values()] == [0, 4]


@pytest.mark.parametrize(("gap_s", "visitors"), [(7.0, 1), (25.0, 1), (40.0, 2), (7200.0, 2)])
@pytest.mark.parametrize("track_id", [1, 2])
def test_a_camera_that_was_lost_for_a_moment_does_not_count_twice(
    gap_s: float, visitors: int, track_id: int
) -> None:
    audience = Audience(CONFIG)
    found: dict[int, Visit] = {}
    for i in range(60):
        time_s = i / 10 + (gap_s if i >= 30 else 0)
        faces = [person(1 if i < 30 else track_id)]
        found |= {visit.number: visit for visit in audience(time_s, faces)}
    found |= {visit.number: visit for visit in audience.leave()}
    last_s = pytest.approx(5.9 + gap_s)
    spans = [(visit.begin_s, visit.end_s) for visit in found.values()]
    assert spans == ([(0, last_s)] if visitors == 1 else [(0, 2.9), (3 + gap_s, last_s)])


@pytest.mark.parametrize(
    ("step_s", "gap_s", "visitors"), [(0.1, 3.3, 2), (1.0, 4.0, 1), (1.0, 5.0, 2)]
)
def test_between_seldom_frames_somebody_may_be_away_for_a_step_more(
    step_s: float, gap_s: float, visitors: int
) -> None:
    """Whoever is not seen for four seconds, once a second, may have been away for two or three."""
    audience = Audience(CONFIG)
    for i in range(round((20 + gap_s) / step_s)):
        time_s = i * step_s
        seen = [person(1)] if time_s <= 10 else [person(2)] if time_s > 9.95 + gap_s else []
        audience(time_s, seen)
    audience.leave()
    assert audience.counted == visitors


@pytest.mark.parametrize("step_s", [0.5, 5.0, 15.0, 60.0])
def test_where_frames_are_rare_a_visitor_stays_one(step_s: float) -> None:
    audience = Audience(CONFIG)
    found: dict[int, Visit] = {}
    for i in range(12):
        found |= {
            visit.number: visit for visit in audience(i * step_s, [person(1)] if i > 1 else [])
        }
    found |= {visit.number: visit for visit in audience.leave()}
    (visit,) = found.values()
    assert visit.end_s - visit.begin_s == pytest.approx(9 * step_s)


def test_without_rejoining_whoever_came_before_the_other_had_gone_is_another() -> None:
    audience = Audience(AudienceConfig(min_dwell_s=0.2, rejoin_s=0.0))
    for i in range(40):
        # the second was found with the last picture of the first, and confirmed later
        faces = [person(1)] if i < 20 else [person(2, known_s=(i - 19) / 10)] if i > 21 else []
        audience(i / 10, faces)
    audience.leave()
    assert audience.counted == 2


def test_two_outages_in_a_row_are_no_seldom_frames() -> None:
    audience = Audience(CONFIG)
    found: dict[int, Visit] = {}
    times_s = [*np.arange(50) / 10, 24.9, *(44.9 + np.arange(50) / 10)]
    for i, time_s in enumerate(times_s):
        faces = [person(1 if i < 50 else 2 if i == 50 else 3)]
        found |= {visit.number: visit for visit in audience(float(time_s), faces)}
    found |= {visit.number: visit for visit in audience.leave()}
    assert len(found) == 1


def test_of_two_who_come_only_one_is_who_left() -> None:
    found = visits((0, 3, person(1)), (4, 8, person(2)), (4, 8, person(3, left=170)))
    assert [(visit.begin_s, visit.end_s) for visit in found.values()] == [
        (0, pytest.approx(7.9)),
        (4, pytest.approx(7.9)),
    ]


def test_of_two_who_left_the_one_who_looks_alike_is_back() -> None:
    found = visits(
        (0, 3, person(1, age=20)), (0, 3, person(2, age=60, left=170)), (4, 8, person(3, age=60))
    )
    ends = {visit.age: visit.end_s for visit in found.values()}
    assert len(found) == 2
    assert ends == {20: pytest.approx(2.9), 60: pytest.approx(7.9)}


def test_a_box_that_is_only_predicted_is_not_seen() -> None:
    (visit,) = visits((0, 3, person(1)), (3, 4, person(1, coasting_s=0.5))).values()
    assert visit.end_s == pytest.approx(2.9)


def test_the_answer_is_that_of_the_most_views() -> None:
    (visit,) = visits(
        (0, 3, person(1, age=30, samples=12)), (4, 6, person(2, age=34, samples=1))
    ).values()
    assert visit.age == 30
    (visit,) = visits(
        (0, 3, person(1, age=30, samples=2)), (4, 6, person(2, age=34, samples=9))
    ).values()
    assert visit.age == 34


def test_a_long_visit_is_saved_while_it_goes_on() -> None:
    audience = Audience(CONFIG)
    saved = [(i, visit) for i in range(60) for visit in audience(float(i), [person(1)])]
    assert saved[0][0] == 1  # as soon as it counts
    steps = np.diff([i for i, _ in saved])
    assert set(steps) == {SAVED_EVERY_S}
    assert {visit.number for _, visit in saved} == {1}


def test_nobody_is_an_audience_of_nobody() -> None:
    audience = Audience(CONFIG)
    assert audience(0.0, []) == audience.leave() == []


def test_a_face_that_comes_back_in_the_demo_is_one_visitor() -> None:
    pytest.importorskip("skimage")
    from livecam import demo
    from livecam.pipeline import Models

    line, audience = Models(SHIPPED).pipeline(), Audience(SHIPPED.audience)
    tracks, numbers = set(), set()
    for frame in demo.frames():
        if frame.index % 2:  # half of its frames will do
            continue
        faces = line(frame)
        tracks |= {face.track_id for face in faces}
        numbers |= {visit.number for visit in audience(frame.time_s, faces)}
    numbers |= {visit.number for visit in audience.leave()}
    assert (len(tracks), len(numbers)) == (3, 2)
