"""The line of `livecam run`: whom it forgets, what it searches, and what it may leave out."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from settings import SHIPPED

from livecam.config import Config
from livecam.datatypes import Frame
from livecam.live.capture import Shot
from livecam.live.labeller import SEARCH, Labels, Line
from livecam.live.readers import LiveSource
from livecam.pipeline import Models
from livecam.stopwatch import Stopwatch

STEP_S = 0.04


def config(blur: bool = False) -> Config:
    return dataclasses.replace(SHIPPED, overlay=dataclasses.replace(SHIPPED.overlay, blur=blur))


@pytest.fixture(scope="module")
def people(people: list[np.ndarray]) -> list[np.ndarray]:
    return people[:12]


def see(
    line: Line, people: list[np.ndarray], begin_s: float = 0.0, source: str = "0", first: int = 0
) -> list[Labels]:
    return [
        line(Shot(Frame(first + i, begin_s + i * STEP_S, bgr), 0.0, LiveSource.parse(source)))
        for i, bgr in enumerate(people)
    ]


def ids(labels: Labels) -> list[int]:
    return [face.track_id for face in labels.faces]


def test_who_stays_keeps_the_number_and_who_comes_after_a_gap_gets_another(
    people: list[np.ndarray],
) -> None:
    line = Line(Models(config()), Stopwatch())
    assert ids(see(line, people)[-1]) == [1]
    assert ids(see(line, people, begin_s=1.0, first=12)[-1]) == [1]
    assert ids(see(line, people, begin_s=600.0, first=24)[-1]) == [2]


def test_of_a_file_frames_may_be_far_apart(people: list[np.ndarray]) -> None:
    line = Line(Models(config()), Stopwatch())
    seen = [see(line, [bgr], begin_s=6.0 * i, first=i)[0] for i, bgr in enumerate(people)]
    assert [ids(labels) for labels in seen] == [[], []] + 10 * [[1]]


def test_another_camera_shows_somebody_else(people: list[np.ndarray]) -> None:
    line = Line(Models(config()), Stopwatch())
    see(line, people)
    assert ids(see(line, people, begin_s=0.5, source="1", first=12)[-1]) == [2]


def test_every_picture_is_searched_while_faces_are_hidden(people: list[np.ndarray]) -> None:
    line = Line(Models(config()), Stopwatch())
    assert not all(labels.is_searched for labels in see(line, people))
    line.is_hiding = True
    hidden = see(line, people, begin_s=1.0, first=12)
    assert all(labels.is_searched for labels in hidden)
    assert all(len(labels.hidden) for labels in hidden)
    line.is_hiding = False
    assert not all(labels.is_searched for labels in see(line, people, begin_s=2.0, first=24))


def test_a_start_with_hidden_faces_can_be_left(people: list[np.ndarray]) -> None:
    line = Line(Models(config(blur=True)), Stopwatch())
    labels = see(line, people)
    assert all(one.is_searched for one in labels)
    assert len(labels[0].hidden), "a face is hidden before it is confirmed"
    assert not labels[0].faces
    line.is_hiding = False
    assert not all(one.is_searched for one in see(line, people, begin_s=1.0, first=12))


def test_what_was_searched_without_small_faces_does_not_count_as_searched(
    people: list[np.ndarray],
) -> None:
    line = Line(Models(config()), Stopwatch())
    line.searched_px = 2 * line.min_face_px
    assert not any(labels.is_searched for labels in see(line, people))
    line.is_hiding = True
    hidden = see(line, people, begin_s=1.0, first=12)
    assert all(labels.is_searched for labels in hidden)
    assert line.searched_px == line.min_face_px


def test_the_smallest_face_is_that_of_one_line_alone(people: list[np.ndarray]) -> None:
    models = Models(config())
    line = Line(models, Stopwatch())
    line.look_for(400.0)
    assert not any(len(labels.hidden) for labels in see(line, people))
    assert models.look(people[0])[0]
    line.look_for(32.0)
    assert ids(see(line, people, begin_s=1.0, first=12)[-1]) == [1]


def slowed(line: Line, watch: Stopwatch, people: list[np.ndarray], took_s: float) -> None:
    """The line after a search that took so long."""
    see(line, people)
    watch.add(SEARCH, took_s)
    line._adapt()


def test_small_faces_are_left_out_where_a_search_is_slow(people: list[np.ndarray]) -> None:
    watch = Stopwatch()
    line = Line(Models(config()), watch, search_within_s=0.25)
    slowed(line, watch, people, took_s=0.5)
    assert line.searched_px == pytest.approx(32 * 2**0.5)
    assert line.min_face_px == 32
    slowed(line, watch, people, took_s=60.0)
    assert line.searched_px <= 2 * 2 * 32
    for _ in range(8):
        slowed(line, watch, people, took_s=0.001)
    assert line.searched_px == 32


@pytest.mark.parametrize(
    ("took_s", "factor"), [(0.26, 1), (0.18, 1), (0.28, (0.28 / 0.25) ** 0.5), (0.1, 0.4**0.5)]
)
def test_what_hardly_differs_changes_no_size(
    people: list[np.ndarray], took_s: float, factor: float
) -> None:
    watch = Stopwatch()
    line = Line(Models(config()), watch, search_within_s=0.25)
    slowed(line, watch, people, took_s=1.0)
    before_px = line.searched_px
    watch.add(SEARCH, took_s)
    line._adapt()
    assert line.searched_px == pytest.approx(before_px * factor, rel=1e-3)


def test_but_not_while_faces_are_hidden(people: list[np.ndarray]) -> None:
    watch = Stopwatch()
    line = Line(Models(config()), watch, search_within_s=0.25)
    slowed(line, watch, people, took_s=1.0)
    assert line.searched_px > 32
    line.is_hiding = True
    slowed(line, watch, people, took_s=1.0)
    assert line.searched_px == 32


def test_and_not_without_a_limit(people: list[np.ndarray]) -> None:
    watch = Stopwatch()
    line = Line(Models(config()), watch)
    slowed(line, watch, people, took_s=9.0)
    assert line.searched_px == 32


def test_the_first_search_says_nothing_of_the_next() -> None:
    watch = Stopwatch()
    line = Line(Models(config()), watch, search_within_s=0.25)
    watch.add(SEARCH, 60.0)
    line._adapt()
    assert line.searched_px == 32
