"""What is a cut, and what only moves."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from livecam.scenes import Scenes


def scene(seed: int, size_wh: tuple[int, int] = (640, 480)) -> np.ndarray:
    """A picture of large and small things."""
    rng = np.random.default_rng(seed)
    coarse = cv2.resize(rng.uniform(0, 100, (5, 5, 3)).astype(np.float32), size_wh)
    fine = cv2.resize(rng.uniform(0, 155, (120, 120, 3)), size_wh, interpolation=cv2.INTER_NEAREST)
    return (coarse + fine).astype(np.uint8)


def cuts(*pictures: np.ndarray) -> list[bool]:
    seen = Scenes()
    return [seen(picture)[0] for picture in pictures]


@pytest.mark.parametrize("step_px", [1, 8, 32])
def test_a_camera_that_is_turned_makes_no_cut(step_px: int) -> None:
    wide = scene(0, (1200, 480))
    views = [wide[:, x : x + 640] for x in range(0, 500, step_px)]
    assert cuts(*views) == [True] + [False] * (len(views) - 1)


@pytest.mark.parametrize(("light", "haze"), [(1.0, 0), (0.5, 0), (0.35, 0), (0.5, 100)])
def test_a_cut_of_a_dark_or_hazy_film_is_one(light: float, haze: float) -> None:
    pictures = [(light * scene(seed) + haze).astype(np.uint8) for seed in (1, 1, 2, 2, 3)]
    assert cuts(*pictures) == [True, False, True, False, True]


def test_a_lamp_that_is_switched_makes_no_cut() -> None:
    picture = scene(4)
    assert cuts(picture, picture // 2, picture) == [True, False, False]


@pytest.mark.parametrize("light", [(1.4, 1.0, 0.7), (0.3, 0.3, 1.0), (0.3, 0.0, 0.0)])
def test_light_of_another_colour_makes_no_cut(light: tuple[float, float, float]) -> None:
    """The camera's white balance, or a screen that lights a dark room."""
    picture = scene(4)
    coloured = (picture * np.array(light)).clip(0, 255).astype(np.uint8)
    assert cuts(picture, coloured, picture) == [True, False, False]


@pytest.mark.parametrize("factor", [0.5, 2, 1.5])
def test_a_picture_of_another_size_is_a_cut(factor: float) -> None:
    """Boxes are in pixels."""
    picture = scene(5)
    other = cv2.resize(picture, None, fx=factor, fy=factor)
    assert cuts(picture, other, other, picture) == [True, True, False, True]


def test_a_screen_that_flickers_in_the_dark_makes_no_cut() -> None:
    rng = np.random.default_rng(0)
    pictures = [scene(6) // 5 for _ in range(9)]
    for picture in pictures:
        picture[100:300, 200:500] = rng.integers(0, 256, 3, np.uint8)
    assert cuts(*pictures) == [True] + [False] * 8


def test_noise_in_the_dark_makes_no_cut() -> None:
    rng = np.random.default_rng(0)
    assert cuts(*rng.integers(0, 12, (9, 480, 640, 3), np.uint8)) == [True] + [False] * 8
