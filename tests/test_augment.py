"""The changes of a training picture: what decides them, and what they start from."""

from __future__ import annotations

import numpy as np
import pytest

from livecam.crops import resized
from train.augment import augmented


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
