"""Faces as the tracker gives them, and visits, for the tests of what comes after."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from settings import SHIPPED

from livecam.crops import TEMPLATE
from livecam.datatypes import AGES, TrackedFace, Visit

OVERLAY = dataclasses.replace(
    SHIPPED.overlay,
    age="full",
    ids=True,
    blur=False,
    gender=True,
    gender_min_age=8,
    gender_min_prob=0.7,
    scale=1.0,
)


def face(
    xyxy: tuple[float, ...] | np.ndarray = (100, 100, 160, 180), track_id: int = 1, **changes: Any
) -> TrackedFace:
    box = np.array(xyxy, np.float32)
    usual = TrackedFace(
        track_id=track_id,
        xyxy=box,
        landmarks=box[:2] + TEMPLATE * (box[2:] - box[:2]),
        confidence=0.99,
        age_probs=np.full(AGES, 1 / AGES, np.float32),
        age=31.0,
        age_low=24,
        age_high=39,
        age_bin="25-34",
        female_prob=0.93,
        samples=5,
    )
    return dataclasses.replace(usual, **changes)


def visit(
    number: int = 1, begin_s: float = 1.0, end_s: float = 4.0, age: int = 30, female: float = 0.25
) -> Visit:
    return Visit(
        number=number,
        begin_s=begin_s,
        end_s=end_s,
        age_probs=np.eye(AGES, dtype=np.float32)[age],
        age=float(age),
        age_low=age - 3,
        age_high=age + 3,
        female_prob=female,
        samples=7,
    )
