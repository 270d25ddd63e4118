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


def _scores(thumbnails: np.ndarray) -> np.ndarray:
    """(n, n): how sure it is that two are of one picture, 0 where their waves differ."""
    seen = copies.waves(thumbnails).astype(np.float64)
    scores = np.zeros((len(seen), len(seen)))
    for is_mirrored in (False, True):
        correlation = (seen * copies._mirror() if is_mirrored else seen) @ seen.T
        for a, b in np.argwhere(np.triu(correlation > copies.MIN_WAVES, 1)):
            agreement = copies._agreement(thumbnails[a], thumbnails[b], is_mirrored)
            scores[a, b] = max(scores[a, b], agreement + correlation[a, b] / 2)
    return scores


def _brute_force(scores: np.ndarray) -> list[int]:
    """The first row of the group of each."""
    group = list(range(len(scores)))
    for a, b in np.argwhere(scores > copies.MIN_SAME):
        joined = group[a], group[b]
        group = [min(joined) if number in joined else number for number in group]
    return group


def _noisy(patterns: np.ndarray, noise: float, rng: np.random.Generator) -> np.ndarray:
    values = patterns + rng.normal(0, noise, patterns.shape)
    return np.clip(values, 0, 255).astype(np.uint8)


def _smooth(n: int, rng: np.random.Generator) -> np.ndarray:
    """(n, 4096): pictures of a few large patches, and some that are mirrored."""
    coarse = rng.uniform(0, 255, (n, 12, 12)).astype(np.float32)
    pictures = np.stack([cv2.resize(each, (64, 64)) for each in coarse])
    return np.concatenate([pictures, pictures[: n // 2, :, ::-1]]).reshape(-1, 4096)


def _grid(*waves: tuple[int, int, float]) -> np.ndarray:
    """(128, 128, 3) of waves: how many halves down and across, and how strong."""
    place = (np.arange(128) + 0.5) * np.pi / 128
    grey = sum(size * np.outer(np.cos(down * place), np.cos(x * place)) for down, x, size in waves)
    return np.clip(128 + np.asarray(grey), 0, 255).astype(np.uint8)[..., None].repeat(3, axis=2)


def test_no_thumbnails_no_pairs(tmp_path: Path) -> None:
    with copies.Thumbnails(tmp_path) as thumbnails:
        assert thumbnails.rows().shape == (0, 4096)
        for pairs in copies.near_copies(thumbnails.rows()):
            assert pairs.shape == (0, 2)


@pytest.mark.parametrize("grey", [0, 90, 255])
def test_a_picture_that_shows_hardly_anything_is_a_copy_of_nothing(
    grey: int, astronaut: np.ndarray
) -> None:
    flat = np.full((128, 128, 3), grey, np.uint8)
    speck = flat.copy()
    speck[60:62, 60:62] ^= 3
    dark, bright = (np.clip(_crop(astronaut, 4) + shift, 0, 255) for shift in (-240.0, 200.0))
    assert dark.max() > 0 and bright.min() < 255
    crops = [flat, flat, speck, speck, dark.astype(np.uint8), _crop(astronaut, 6)]
    assert _pairs(*crops) == ([], [])


def test_a_dim_copy_is_one(astronaut: np.ndarray) -> None:
    crop = _crop(astronaut, 4)
    assert _pairs(crop, (crop * 0.1).astype(np.uint8)) == ([[0, 1]], [])


def test_waves_are_those_between_light_and_grain() -> None:
    medium, light, grain = (5, 5, 60.0), (1, 1, 40.0), (12, 12, 20.0)
    pictures = _grid(medium), _grid(medium, light), _grid(medium, grain), _grid((5, 6, 60.0))
    waves = copies.waves(np.stack([copies.thumbnail(each) for each in pictures]))
    assert waves.shape == (4, 97)
    assert np.linalg.norm(waves, axis=1) == pytest.approx(1)
    assert waves @ waves[0] == pytest.approx([1, 1, 1, 0], abs=0.01)


def test_waves_of_a_mirrored_picture(astronaut: np.ndarray) -> None:
    crop = _crop(astronaut, 0)
    one, mirrored = (copies.waves(copies.thumbnail(each)[None]) for each in (crop, crop[:, ::-1]))
    np.testing.assert_allclose(one * copies._mirror(), mirrored, atol=1e-4)


def test_re_encoded_dimmed_coloured_and_mirrored_copies_are_found_and_others_are_not(
    astronaut: np.ndarray, tmp_path: Path
) -> None:
    crop = _crop(astronaut, 0)
    encoded = cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, 20])[1]
    coarse = cv2.imdecode(encoded, cv2.IMREAD_COLOR)
    dim = (crop * 0.6).astype(np.uint8)
    red = np.clip(crop * [1.3, 0.8, 0.7], 0, 255).astype(np.uint8)
    other = _crop(astronaut, 1)
    with copies.Thumbnails(tmp_path) as thumbnails:
        for picture in (crop, other, coarse, dim, red, dim[:, ::-1], coarse[:, ::-1]):
            thumbnails.append(copies.thumbnail(picture))
        found, doubtful = copies.near_copies(thumbnails.rows())
        assert found.tolist() == [[0, 2], [0, 3], [0, 4], [0, 5], [0, 6]]
        assert not len(doubtful)
    assert not list(tmp_path.iterdir())


def test_a_copy_in_another_light_is_found() -> None:
    """The light of a whole picture is the most of it on a small thumbnail."""
    crop = _with_detail(0)
    lit = np.clip(crop + np.linspace(-60, 60, 128)[None, :, None], 0, 255).astype(np.uint8)
    whole = np.corrcoef(crop[::4, ::4].reshape(-1), lit[::4, ::4].reshape(-1))[0, 1]
    assert whole < 0.95
    assert _pairs(crop, lit) == ([[0, 1]], [])
    assert _pairs(crop, lit[:, ::-1]) == ([[0, 1]], [])


def _pairs(*crops: np.ndarray) -> tuple[list[list[int]], list[list[int]]]:
    found, doubtful = copies.near_copies(np.stack([copies.thumbnail(crop) for crop in crops]))
    return found.tolist(), doubtful.tolist()


def _with_detail(seed: int) -> np.ndarray:
    """(128, 128, 3): one light and shape, and what is small differs as in two people's faces."""
    y, x = np.mgrid[:128, :128]
    shape = 200 * np.exp(-(((x - 64) / 50) ** 2) - ((y - 64) / 60) ** 2)
    detail = cv2.resize(np.random.default_rng(seed).normal(0, 18, (40, 40)), (128, 128))
    return np.clip(shape + detail + 20, 0, 255).astype(np.uint8)[..., None].repeat(3, axis=2)


def test_people_in_the_same_light_are_no_copies() -> None:
    one, another = _with_detail(0), _with_detail(1)
    assert np.corrcoef(one.reshape(-1), another.reshape(-1))[0, 1] > 0.9
    assert _pairs(one, another) == ([], [])
    assert _pairs(one, another, one) == ([[0, 2]], [])


def test_who_is_rather_alike_is_doubtful() -> None:
    one, another = (_with_detail(seed).astype(float) for seed in (0, 1))
    scores = []
    for share in np.arange(0, 1, 0.05):
        between = ((1 - share) * one + share * another).astype(np.uint8)
        thumbnails = np.stack([copies.thumbnail(each) for each in (one.astype(np.uint8), between)])
        scores.append(_scores(thumbnails)[0, 1])
        found, doubtful = copies.near_copies(thumbnails)
        assert len(found) == (scores[-1] > copies.MIN_SAME)
        assert len(doubtful) == (copies.MIN_DOUBT < scores[-1] <= copies.MIN_SAME)
    assert np.diff(scores).max() < 0.01
    assert min(scores) < copies.MIN_DOUBT and max(scores) > copies.MIN_SAME
    assert ((np.array(scores) > copies.MIN_DOUBT) & (np.array(scores) <= copies.MIN_SAME)).any()


def test_waves_that_all_share_are_soon_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copies, "STRIP", 4)
    monkeypatch.setattr(copies, "MOST_LOOKS", 8)
    monkeypatch.setattr(copies, "SURE_WAVES", 2)
    looks = []
    agreement = copies._agreement
    monkeypatch.setattr(
        copies, "_agreement", lambda *of: (looks.append(1), min(agreement(*of), 0.75))[1]
    )
    thumbnails = np.tile(_smooth(1, np.random.default_rng(0))[:1], (80, 1)).astype(np.uint8)
    found, doubtful = copies.near_copies(thumbnails)
    assert not len(found)
    assert 80 < len(looks) < 80 * 12  # of 3,160 pairs
    assert len(doubtful) == len(looks)


@pytest.mark.parametrize("is_mirrored", [False, True])
@pytest.mark.parametrize("zoom", [0.96, 1, 1.04])
@pytest.mark.parametrize("shift", [(0, 0), (3, -3)])
def test_a_copy_may_lie_a_little_elsewhere(
    shift: tuple[int, int], zoom: float, is_mirrored: bool, astronaut: np.ndarray
) -> None:
    crop, aside = _crop(astronaut, 0), (1 - zoom) * 63.5
    moved = np.array([[zoom, 0, aside + shift[0]], [0, zoom, aside + shift[1]]])
    copy = cv2.warpAffine(crop, moved, (128, 128), borderMode=cv2.BORDER_REPLICATE)
    blurred = (cv2.GaussianBlur(copy, (0, 0), 1.0) * 0.7).astype(np.uint8)
    assert _pairs(crop, blurred[:, ::-1] if is_mirrored else blurred) == ([[0, 1]], [])


@pytest.mark.parametrize(("block", "strip"), [(50, 20), (20, 50), (4096, 256)])
@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("kind", ["random", "smooth", "clusters", "all alike", "edge"])
def test_the_groups_are_those_of_comparing_all(
    monkeypatch: pytest.MonkeyPatch, kind: str, seed: int, block: int, strip: int
) -> None:
    rng = np.random.default_rng(seed)
    made = {
        "random": lambda: rng.integers(0, 256, (80, 4096)).astype(np.uint8),
        "smooth": lambda: _noisy(_smooth(60, rng)[:80], 3, rng),
        "clusters": lambda: _noisy(_smooth(20, rng)[rng.integers(0, 30, 80)], 8, rng),
        "all alike": lambda: _noisy(_smooth(1, rng)[np.zeros(80, int)], 5, rng),
        "edge": lambda: _noisy(_smooth(8, rng)[rng.integers(0, 12, 80)], 19, rng),
    }
    thumbnails = made[kind]()
    scores = _scores(thumbnails)
    monkeypatch.setattr(copies, "BLOCK", block)
    monkeypatch.setattr(copies, "STRIP", strip)
    pairs, doubtful = copies.near_copies(thumbnails)
    assert copies.groups(80, pairs).tolist() == _brute_force(scores)
    assert (scores[tuple(doubtful.T)] > copies.MIN_DOUBT).all()
    apart = np.not_equal.outer(*2 * [copies.groups(80, pairs)])
    assert {*map(tuple, np.argwhere(apart & (scores > copies.MIN_DOUBT)))} <= {
        *map(tuple, doubtful)
    }
    assert len(pairs) < 80  # though nearly all of them may be alike
    assert len(pairs) == 79 or kind != "all alike"
    if kind in ("clusters", "edge"):
        assert len(pairs)
    if kind == "edge":
        assert len(doubtful)


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
