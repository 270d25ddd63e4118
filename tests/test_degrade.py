"""Pictures made worse, and maps by covering."""

from __future__ import annotations

import numpy as np
import pytest

from livecam.datatypes import AgeGender
from train.degrade import (
    DEGRADATIONS,
    Degradation,
    compressed,
    darkened,
    shifted,
    turned,
    with_noise,
)
from train.saliency import occlusion_map


@pytest.fixture(scope="module")
def crops() -> np.ndarray:
    coarse = np.random.default_rng(0).integers(0, 256, (4, 16, 16, 3), np.uint8)
    return coarse.repeat(8, axis=1).repeat(8, axis=2)


@pytest.mark.parametrize("degradation", DEGRADATIONS, ids=lambda d: d.name)
def test_a_degradation_keeps_shape_repeats_itself_and_grows(
    degradation: Degradation, crops: np.ndarray
) -> None:
    before = crops.copy()
    changes = []
    for level in degradation.levels:
        worse = degradation(crops, level)
        assert worse.shape == crops.shape
        assert worse.dtype == np.uint8
        assert np.array_equal(worse, degradation(crops, level))
        changes.append(np.abs(worse.astype(int) - crops).mean())
    assert changes[0] > 0
    assert changes[-1] > changes[0]
    assert np.array_equal(crops, before)
    assert degradation.usual in degradation.levels
    assert degradation(crops[:0], degradation.usual).shape == (0, 128, 128, 3)


def test_rows_take_turns_in_their_direction(crops: np.ndarray) -> None:
    dot = np.zeros((128, 128, 3), np.uint8)
    dot[60:68, 60:68] = 255
    places = []
    for row in range(4):
        y, x = np.nonzero(shifted(dot, 25, row)[..., 0] > 128)
        places.append((round(float(x.mean())), round(float(y.mean()))))
    assert places == [(96, 64), (32, 64), (64, 96), (64, 32)]
    assert not np.array_equal(turned(crops[0], 20, 0), turned(crops[0], 20, 1))
    assert darkened(dot, 0.5, 0).max() == 128


def test_a_jpeg_is_one_of_a_picture_in_rgb() -> None:
    """Which keeps more of red than of blue."""
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    red, green, blue = np.square(compressed(noise, 25).astype(float) - noise).mean(axis=(0, 1))
    assert green < red < blue


def test_noise_leaves_the_mean_where_it_was() -> None:
    grey = np.full((128, 128, 3), 128, np.uint8)
    worse = with_noise(grey, 4, 1, np.random.default_rng(0))
    assert worse.mean() == pytest.approx(128, abs=0.1)


def test_the_map_is_high_where_the_age_hangs() -> None:
    def classify(pictures: np.ndarray) -> AgeGender:
        """Old if the left upper quarter is light."""
        light = pictures[:, :64, :64].mean(axis=(1, 2, 3)) / 255
        probs = np.zeros((len(pictures), 101), np.float32)
        probs[:, 100], probs[:, 0] = light, 1 - light
        return AgeGender(probs, np.zeros(len(pictures), np.float32))

    crop = np.zeros((128, 128, 3), np.uint8)
    crop[:64, :64] = 255
    years = occlusion_map(classify, crop)
    assert years.shape == (128, 128)
    assert years[32, 32] > 5
    assert years[100, 100] == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize("side", [48, 100, 200])
def test_the_map_reaches_to_the_border(side: int) -> None:
    def classify(pictures: np.ndarray) -> AgeGender:
        light = pictures.mean(axis=(1, 2, 3)) / 255
        probs = np.zeros((len(pictures), 101), np.float32)
        probs[:, 100], probs[:, 0] = light, 1 - light
        return AgeGender(probs, np.zeros(len(pictures), np.float32))

    rng = np.random.default_rng(0)
    years = occlusion_map(classify, rng.integers(0, 256, (side, side, 3), np.uint8))
    assert (years != 0).all()
