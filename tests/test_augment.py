"""The changes of a training picture: what decides them, and what they start from."""

from __future__ import annotations

import numpy as np
import pytest

from livecam.crops import resized
from train.augment import _moved, augmented


@pytest.fixture(scope="module")
def crop(astronaut: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(astronaut[30:286, 100:356])


def test_the_same_numbers_give_the_same_picture(crop: np.ndarray) -> None:
    first, again, other = (augmented(crop, 96, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert first.shape == (96, 96, 3)
    assert first.dtype == np.uint8
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("size_px", [64, 96, 160, 256])
def test_without_changes_it_is_the_picture_that_is_scored_or_its_mirror_image(
    crop: np.ndarray, size_px: int
) -> None:
    plain = resized(crop[None], size_px)[0].astype(int)
    seen = set()
    for seed in range(8):
        changed = augmented(crop, size_px, np.random.default_rng(seed), level=0.0)
        apart = [np.abs(changed - view).mean() for view in (plain, plain[:, ::-1])]
        seen.add(int(np.argmin(apart)))
        assert min(apart) < 3
    assert seen == {0, 1}


def test_detail_too_fine_for_the_network_averages_out(crop: np.ndarray) -> None:
    checks = np.indices(crop.shape[:2]).sum(axis=0)[..., None] % 2 * 2 - 1
    shaken = np.repeat((128 + 60 * checks).astype(np.uint8), 3, axis=2)
    for seed in range(4):
        changed = augmented(shaken, 64, np.random.default_rng(seed), level=0.0)
        assert np.abs(changed.astype(int) - 128).max() <= 2


# What the docstrings say of the changes, in many draws of one picture.


def draws(picture: np.ndarray, n: int = 400, level: float = 1.0) -> np.ndarray:
    return np.stack([augmented(picture, 48, np.random.default_rng(i), level) for i in range(n)])


def flat(level: int) -> np.ndarray:
    return np.full((48, 48, 3), level, np.uint8)


def test_a_third_of_the_pictures_lose_a_rectangle_of_2_to_15_percent() -> None:
    seen = draws(flat(128))
    usual = np.median(seen, axis=(1, 2), keepdims=True)
    is_far = (np.abs(seen - usual) > 80).any(axis=3)  # farther than noise of a camera goes
    share = is_far.mean(axis=(1, 2)) / 0.75  # of draws from all grey levels
    is_hidden = share > 0.01
    assert is_hidden.mean() == pytest.approx(0.35, abs=0.07)
    assert 0.01 < share[is_hidden].min() < 0.035
    assert 0.13 < share[is_hidden].max() < 0.17
    rows, columns = np.nonzero(is_far.any(axis=0))
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (0, 47, 0, 47)  # anywhere


def test_some_pictures_have_noise_in_finer_or_coarser_grains() -> None:
    deviation, alike = [], []
    for picture in draws(flat(128)).astype(float):
        rest = picture - np.median(picture, axis=(0, 1))
        rest = rest[(np.abs(rest) < 80).all(axis=2).all(axis=1)]  # rows without a hidden place
        deviation.append(rest.std())
        if rest.std() > 1:
            alike.append((rest[:, 1:] * rest[:, :-1]).mean() / rest.var())
    assert np.mean(np.array(deviation) > 1) == pytest.approx(0.3, abs=0.07)
    assert 12 < max(deviation) < 25
    assert min(alike) < 0.1 < 0.7 < max(alike)


@pytest.mark.parametrize("level", [0.5, 1.0])
def test_the_light_is_often_less_and_seldom_more(level: float) -> None:
    light = np.median(draws(flat(100), level=level), axis=(1, 2)).mean(axis=1) / 100
    least, most = np.exp(-0.8 * level), np.exp(0.3 * level)
    more = 0.3 * level  # an offset of 20 grey levels, and gains of the colours
    assert least - more < light.min() < least + more
    assert most - more < light.max() < most + more
    assert (light < 0.75).mean() > 2 * (light > 1.25).mean()


def test_some_pictures_are_grey_and_the_others_keep_their_colours() -> None:
    red_and_blue = np.zeros((48, 48, 3), np.uint8)
    red_and_blue[:, :24, 0] = red_and_blue[:, 24:, 2] = 180
    apart = []
    for picture in draws(red_and_blue):
        red, _, blue = np.moveaxis(picture.reshape(-1, 3).astype(float), -1, 0)
        apart.append(np.corrcoef(red, blue)[0, 1] < 0)
    assert np.mean(apart) == pytest.approx(0.85, abs=0.06)


@pytest.mark.parametrize(("level", "most_px"), [(1.0, 48 * 0.16), (0.5, 48 * 0.08)])
def test_a_face_moves_to_all_sides_and_grows_and_shrinks_but_not_far(
    level: float, most_px: float
) -> None:
    spot = flat(0)
    spot[22:26, 22:26] = 200  # in the middle
    centre = np.array([23.5, 23.5])
    moved, grown = [], []
    for seed in range(400):
        bright = _moved(spot, 48, np.random.default_rng(seed), level)[..., 0].astype(float)
        places = np.indices(bright.shape).reshape(2, -1)
        moved.append((places * bright.ravel()).sum(axis=1) / bright.sum() - centre)
        grown.append(np.log(bright.sum() / spot[..., 0].sum(dtype=float)) / 2)
    assert np.abs(moved).max() == pytest.approx(most_px, abs=1)
    assert np.mean(moved, axis=0) == pytest.approx([0, 0], abs=0.5)
    assert np.std(moved, axis=0) == pytest.approx([48 * 0.05 * level] * 2, rel=0.15)
    assert np.abs(grown).max() == pytest.approx(0.25 * level, rel=0.15)
    assert np.mean(grown) == pytest.approx(0, abs=0.02)
    assert np.std(grown) == pytest.approx(0.09 * level, rel=0.15)
