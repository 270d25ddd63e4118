"""Copies are found by their look, and connected pairs are one group."""

from __future__ import annotations

import cv2
import numpy as np
from faces_data import head
from hypothesis import given
from hypothesis import strategies as st

from train import copies


def _crop(portrait: np.ndarray, seed: int) -> np.ndarray:
    return cv2.cvtColor(cv2.resize(head(portrait, seed), (128, 128)), cv2.COLOR_BGR2RGB)


def test_no_thumbnails_no_pairs() -> None:
    assert copies.near_copies(np.zeros((0, copies.THUMBNAIL_PX**2), np.float32)).shape == (0, 2)


def test_a_flat_picture_is_a_copy_of_nothing() -> None:
    flat = copies.thumbnail(np.full((128, 128, 3), 90, np.uint8))
    assert not flat.any()
    assert not len(copies.near_copies(np.stack([flat, flat])))


def test_re_encoded_and_dimmed_copies_are_found_and_others_are_not(astronaut: np.ndarray) -> None:
    crop = _crop(astronaut, 0)
    encoded = cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, 20])[1]
    coarse = cv2.imdecode(encoded, cv2.IMREAD_COLOR)
    dim = (crop * 0.6).astype(np.uint8)
    other = _crop(astronaut, 1)
    thumbnails = np.stack([copies.thumbnail(c) for c in (crop, other, coarse, dim)])
    assert copies.near_copies(thumbnails).tolist() == [[0, 2], [0, 3], [2, 3]]


def test_pairs_across_blocks(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    thumbnails = np.eye(7, 49, dtype=np.float32)
    thumbnails[6] = thumbnails[1]
    expected = copies.near_copies(thumbnails).tolist()
    monkeypatch.setattr(copies, "BLOCK", 2)
    assert expected == copies.near_copies(thumbnails).tolist() == [[1, 6]]


@given(st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11)), max_size=20))
def test_groups_are_the_connected_parts(pairs: list[tuple[int, int]]) -> None:
    group = copies.groups(12, np.array(pairs, int).reshape(-1, 2))
    for a, b in pairs:
        assert group[a] == group[b]
    for number in set(group):
        members = np.nonzero(group == number)[0]
        assert number == members[0]
        reached = {int(members[0])}
        for _ in range(12):
            reached |= {j for a, b in pairs for i, j in ((a, b), (b, a)) if i in reached}
        assert reached == set(members.tolist())
