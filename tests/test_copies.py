"""Copies are found by their look, and connected pairs are one group."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from faces_data import head
from hypothesis import given
from hypothesis import strategies as st

from train import copies


def _crop(portrait: np.ndarray, seed: int) -> np.ndarray:
    return cv2.cvtColor(cv2.resize(head(portrait, seed), (128, 128)), cv2.COLOR_BGR2RGB)


def _brute_force(thumbnails: np.ndarray, large: np.ndarray) -> list[int]:
    """The first row of the group of each."""
    values = copies.centred(thumbnails).astype(np.float64)
    group = list(range(len(values)))
    for a, b in np.argwhere(np.triu(values @ values.T > copies.MIN_CORRELATION, 1)):
        if group[a] == group[b] or not copies.have_same_detail(large[a], large[b]):
            continue
        joined = group[a], group[b]
        group = [min(joined) if number in joined else number for number in group]
    return group


def _noisy(patterns: np.ndarray, noise: float, rng: np.random.Generator) -> np.ndarray:
    values = patterns + rng.normal(0, noise, patterns.shape)
    return np.clip(values, 0, 255).astype(np.uint8)


def _smooth(n: int, rng: np.random.Generator, px: int = 24) -> np.ndarray:
    """(n, px²): pictures of a few large patches, which correlate as faces do."""
    coarse = rng.uniform(0, 255, (n, px // 6, px // 6)).astype(np.float32)
    return np.stack([cv2.resize(c, (px, px)).reshape(-1) for c in coarse])


def test_no_thumbnails_no_pairs(tmp_path: Path) -> None:
    with copies.Thumbnails(tmp_path) as thumbnails:
        assert [rows.shape for rows in thumbnails.rows()] == [(0, 576), (0, 4096)]
        for pairs in copies.near_copies(*thumbnails.rows()):
            assert pairs.shape == (0, 2)


def test_a_flat_picture_is_a_copy_of_nothing() -> None:
    small, large = copies.thumbnails(np.full((128, 128, 3), 90, np.uint8))
    assert not copies.centred(small[None]).any()
    found, doubtful = copies.near_copies(np.stack([small, small]), np.stack([large, large]))
    assert not len(found) and not len(doubtful)


def test_re_encoded_and_dimmed_copies_are_found_and_others_are_not(
    astronaut: np.ndarray, tmp_path: Path
) -> None:
    crop = _crop(astronaut, 0)
    encoded = cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, 20])[1]
    coarse = cv2.imdecode(encoded, cv2.IMREAD_COLOR)
    dim = (crop * 0.6).astype(np.uint8)
    other = _crop(astronaut, 1)
    with copies.Thumbnails(tmp_path) as thumbnails:
        for picture in (crop, other, coarse, dim):
            thumbnails.append(*copies.thumbnails(picture))
        found, doubtful = copies.near_copies(*thumbnails.rows())
        assert found.tolist() == [[0, 2], [0, 3]]
        assert not len(doubtful)
    assert not list(tmp_path.iterdir())


def _pairs(*crops: np.ndarray) -> tuple[list[list[int]], list[list[int]]]:
    small, large = zip(*map(copies.thumbnails, crops), strict=True)
    assert (np.corrcoef(np.float64(small))[0] > copies.MIN_CORRELATION).all()
    found, doubtful = copies.near_copies(np.stack(small), np.stack(large))
    return found.tolist(), doubtful.tolist()


def _with_detail(seed: int) -> np.ndarray:
    """(128, 128, 3): one light and shape, and what is small differs as in two people's faces."""
    y, x = np.mgrid[:128, :128]
    shape = 200 * np.exp(-(((x - 64) / 50) ** 2) - ((y - 64) / 60) ** 2)
    detail = cv2.resize(np.random.default_rng(seed).normal(0, 18, (40, 40)), (128, 128))
    return np.clip(shape + detail + 20, 0, 255).astype(np.uint8)[..., None].repeat(3, axis=2)


def test_people_in_the_same_light_are_no_copies() -> None:
    one, another = _with_detail(0), _with_detail(1)
    assert _pairs(one, another) == ([], [[0, 1]])
    found, doubtful = _pairs(one, another, one)
    assert found == [[0, 2]]
    assert [0, 1] in doubtful


def test_a_light_that_all_share_is_soon_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copies, "STRIP", 4)
    monkeypatch.setattr(copies, "MOST_DOUBTS", 8)
    small = np.tile(_smooth(1, np.random.default_rng(0)), (80, 1))
    large = np.random.default_rng(1).integers(0, 256, (80, 4096)).astype(np.uint8)
    found, doubtful = copies.near_copies(small, large)
    assert not len(found)
    assert 80 < len(doubtful) < 80 * 12  # of 3,160 pairs


@pytest.mark.parametrize("zoom", [0.96, 1, 1.04])
@pytest.mark.parametrize("shift", [(0, 0), (4, -4)])
def test_a_copy_may_lie_a_little_elsewhere(zoom: float, shift: tuple[int, int]) -> None:
    crop, aside = _with_detail(0), (1 - zoom) * 63.5
    moved = np.array([[zoom, 0, aside + shift[0]], [0, zoom, aside + shift[1]]])
    copy = cv2.warpAffine(crop, moved, (128, 128), borderMode=cv2.BORDER_REPLICATE)
    blurred = cv2.GaussianBlur(copy, (0, 0), 1.0)
    assert _pairs(crop, (blurred * 0.7).astype(np.uint8)) == ([[0, 1]], [])


@pytest.mark.parametrize(("block", "strip"), [(50, 20), (20, 50), (4096, 256)])
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", ["random", "smooth", "clusters", "all alike", "edge"])
def test_the_groups_are_those_of_comparing_all(  # type: ignore[no-untyped-def]
    monkeypatch, kind: str, seed: int, block: int, strip: int
) -> None:
    rng = np.random.default_rng(seed)
    made = {
        "random": lambda: rng.integers(0, 256, (120, 576)).astype(np.uint8),
        "smooth": lambda: _noisy(_smooth(120, rng), 3, rng),
        "clusters": lambda: _noisy(_smooth(30, rng)[rng.integers(0, 30, 120)], 8, rng),
        "all alike": lambda: _noisy(_smooth(1, rng)[np.zeros(120, int)], 5, rng),
        "edge": lambda: _noisy(_smooth(10, rng)[rng.integers(0, 10, 120)], 17, rng),
    }
    thumbnails = made[kind]()
    monkeypatch.setattr(copies, "BLOCK", block)
    monkeypatch.setattr(copies, "STRIP", strip)
    large = _noisy(_smooth(6, rng, 64)[rng.integers(0, 6, 120)], 3, rng)  # some agree in detail
    if kind == "all alike":
        large[:] = large[0]
    pairs, doubtful = copies.near_copies(thumbnails, large)
    alike = np.corrcoef(thumbnails.astype(float)) > copies.MIN_CORRELATION
    assert alike[tuple(doubtful.T)].all()
    apart = np.not_equal.outer(*2 * [copies.groups(120, pairs)])
    assert {*map(tuple, np.argwhere(np.triu(alike & apart)))} <= {*map(tuple, doubtful)}
    assert copies.groups(120, pairs).tolist() == _brute_force(thumbnails, large)
    assert len(pairs) < 120  # though nearly all of them may be alike
    assert len(pairs) == 119 or kind != "all alike"
    if kind == "clusters":
        assert len(pairs)


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


def test_a_long_chain_is_a_group_too() -> None:
    rows = np.arange(20_000)
    for order in (rows, rows[::-1], np.random.default_rng(0).permutation(rows)):
        chain = np.stack([order[:-1], order[1:]], axis=1)
        assert not copies.groups(len(rows), chain).any()
