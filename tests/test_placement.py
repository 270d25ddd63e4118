"""Labels that stay where they are. Where they go in the first place is in test_overlay.py."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from livecam.placement import covered_share, covered_shares, label_places

SIZE_WH = (120, 20)  # of a label
GAP = 3
ABOVE, BELOW = 0, 2  # the options that begin at the left edge of the face
CANVAS = np.empty((480, 640, 3), np.uint8)


def places(
    *boxes: tuple[float, ...], before: tuple[int | None, ...] | None = None
) -> tuple[np.ndarray, list[int]]:
    found, chosen = label_places(
        np.array(boxes, np.float32).reshape(-1, 4),
        [SIZE_WH] * len(boxes),
        CANVAS,
        GAP,
        before or [None] * len(boxes),
    )
    return np.array(found).reshape(-1, 4), chosen


def near_the_top(y0: float) -> tuple[float, ...]:
    """Room for a label above from y0 = 20 on."""
    return (200, y0, 300, y0 + 120)


def test_no_labels() -> None:
    found, chosen = places()
    assert found.shape == (0, 4)
    assert chosen == []


def test_what_is_chosen_is_where_the_label_is() -> None:
    box = (200, 200, 300, 320)
    for before, xyxy in ((ABOVE, (200, 177, 320, 197)), (BELOW, (200, 323, 320, 343))):
        found, chosen = places(box, before=(before,))
        assert chosen == [before]
        assert found[0] == pytest.approx(xyxy)


def test_the_places_are_around_the_face_and_then_farther_above_and_below() -> None:
    """Each at an edge of the face, a gap away from it and from the place before."""
    beside = [(200, 177), (180, 177), (200, 323), (180, 323), (303, 200), (77, 200)]
    farther = [(x, y) for y in (154, 346, 131, 369, 108, 392) for x in (200, 180)]
    inside = len(beside)  # covers the face: it is not kept while there is another
    for number, corner in enumerate([*beside, None, *farther]):
        found, chosen = places((200, 200, 300, 320), before=(number,))
        assert chosen == [ABOVE if number == inside else number]
        if corner is not None:
            assert found[0] == pytest.approx((*corner, corner[0] + 120, corner[1] + 20))


def test_without_a_before_the_most_wanted_place_is_taken() -> None:
    box = (200, 200, 300, 320)
    assert places(box)[1] == places(box, before=(None,))[1] == [ABOVE]


def sides_over_time(tops: list[float], remembers: bool) -> list[int]:
    before: tuple[int | None, ...] = (None,)
    sides = []
    for y0 in tops:
        (side,) = places(near_the_top(y0), before=before)[1]
        sides.append(side)
        before = (side,) if remembers else (None,)
    return sides


def test_no_flapping_where_a_face_trembles_between_two_options() -> None:
    tops = [18.0, 20.5] * 20
    assert set(sides_over_time(tops, remembers=False)) == {ABOVE, BELOW}  # the border it is
    for first in (18.0, 20.5):
        assert len(set(sides_over_time([first, *tops], remembers=True))) == 1


def test_a_slow_crossing_of_the_border_changes_sides_once() -> None:
    tops = list(np.linspace(40, 5, 71) + np.tile([0.7, -0.7], 36)[:71])
    sides = sides_over_time(tops, remembers=True)
    assert sides[0] == ABOVE and sides[-1] == BELOW
    assert np.count_nonzero(np.diff(sides)) == 1


@pytest.mark.parametrize(
    "other",
    [(190, 170, 330, 200), (150, 100, 350, 190), (190, 300, 330, 400)],
    ids=["on the label", "over all of it", "below"],
)
def test_a_label_that_would_hide_a_face_leaves_its_place(other: tuple[float, ...]) -> None:
    """Also for a place that it would not have chosen first."""
    box = (200, 200, 300, 320)
    before = BELOW if other[1] == 300 else ABOVE
    alone = places(box, before=(before,))[1]
    found, chosen = places(box, other, before=(before, None))
    assert alone == [before]
    assert chosen[0] != before
    x0, y0, x1, y1 = found[0]
    assert x1 <= other[0] or x0 >= other[2] or y1 <= other[1] or y0 >= other[3]


def test_of_two_trembling_neighbours_a_label_gives_way_once() -> None:
    """One face below the other, with just about room for a label between them."""
    upper, lower = np.array([200.0, 50, 300, 150]), np.array([205.0, 173, 305, 273])
    changes = []
    for remembers in (True, False):
        random = np.random.default_rng(0)
        before: tuple[int | None, ...] = (None, None)
        seen = []
        for _ in range(100):
            boxes = [tuple(one + random.normal(0, 0.7, 4)) for one in (upper, lower)]
            seen.append(places(*boxes, before=before)[1])
            before = tuple(seen[-1]) if remembers else (None, None)
        changes.append(np.count_nonzero(np.diff(seen, axis=0)))
    assert changes[0] <= 1
    assert changes[1] > 10


boxes = st.lists(
    st.tuples(
        st.integers(-50, 640), st.integers(-50, 480), st.integers(1, 200), st.integers(1, 200)
    ).map(lambda xywh: (xywh[0], xywh[1], xywh[0] + xywh[2], xywh[1] + xywh[3])),
    min_size=1,
    max_size=6,
)


@settings(deadline=None)
@given(boxes)
def test_faces_that_stay_keep_their_labels(faces: list[tuple[float, ...]]) -> None:
    """Whatever the places: once chosen and remembered, they are chosen again, in the picture."""
    _, first = places(*faces)
    found, second = places(*faces, before=tuple(first))
    assert second == first
    assert np.all(found >= 0)
    assert np.all(found[:, 2] <= 640) and np.all(found[:, 3] <= 480)


@given(st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_what_covers_one_label_is_what_covers_it_among_all(n: int, seed: int) -> None:
    corners = np.random.default_rng(seed).uniform(0, 300, (3, n, 2))
    labels, others, boxes = np.concatenate([corners, corners + (90, 40)], axis=2, dtype=np.float32)
    for i in range(n):
        moved = labels.copy()
        moved[i] = others[i]
        among_all = covered_shares(list(moved), boxes)[i]
        assert covered_share(others[i], i, list(labels), boxes) == pytest.approx(among_all)
