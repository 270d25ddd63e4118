"""The calibration that `train.export` writes, and what `livecam` reads of it."""

from __future__ import annotations

import numpy as np
import pytest
import yaml

from livecam.ages import YEARS, AgeRange
from livecam.datatypes import AgeGender
from train import export
from train.faces import FaceSet


def _dev(low: np.ndarray, high: np.ndarray) -> FaceSet:
    n = len(low)
    none, names = np.full(n, -1), np.array([""] * n)
    crops = np.zeros((n, 4, 4, 3), np.uint8)
    crops[:, 0, 0, 0] = np.arange(n)  # by which a classifier tells them apart
    age = ((low + high) / 2).astype(np.float32)
    return FaceSet(crops, age, low, high, none, none, names, names, "")


def _classifier(centre: np.ndarray) -> object:
    probs = np.exp(-(((YEARS - centre[:, None]) / 6) ** 2) / 2).astype(np.float32)
    probs /= probs.sum(axis=1, keepdims=True)

    def classify(crops: np.ndarray, count: int = 1) -> AgeGender:
        rows = crops[:, 0, 0, 0]
        return AgeGender(probs[rows], np.full(len(rows), 0.5, np.float32))

    return classify


def test_the_range_is_calibrated_by_exact_ages_alone() -> None:
    rng = np.random.default_rng(0)
    low = rng.integers(10, 80, 200)
    high = low + np.where(np.arange(200) % 2, 0, 30)
    centre = low + rng.normal(0, 6, 200)
    with_intervals = export._bounds(_classifier(centre), _dev(low, high))
    exact = _dev(low[1::2], high[1::2])
    assert with_intervals == export._bounds(_classifier(centre[1::2]), exact)
    assert with_intervals == yaml.safe_load(yaml.safe_dump(with_intervals))
    AgeRange.by_age(with_intervals)


def test_without_exact_ages_it_is_not_calibrated(capsys: pytest.CaptureFixture[str]) -> None:
    low = np.full(100, 20)
    high = np.where(np.arange(100) < 19, 20, 29)
    assert export._bounds(_classifier(low + 0.0), _dev(low, high)) is None
    assert (
        "not calibrated: 20 faces of the dev part with an exact age are needed, there are 19"
        in (capsys.readouterr().err)
    )
