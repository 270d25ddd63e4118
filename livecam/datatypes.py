"""The values that flow down the line from source to sinks. Imports numpy only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

AGES = 101  # single years 0..100; older people count as 100

Array = NDArray[np.float32]
Image = NDArray[Any]  # uint8; OpenCV's own annotations do not say so


def _expect_shape(what: str, array: np.ndarray, *shape: int) -> None:
    if array.shape != shape:
        expected = ", ".join(map(str, shape))
        raise ValueError(f"{what}: expected shape ({expected}), received {array.shape}")


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture of a source. `bgr`: uint8 (H, W, 3), upright.

    `time_s` is the media time of a file and the time since the start for a camera. `duration_s`:
    how long it stands; 0 where its source does not say.
    """

    index: int
    time_s: float
    bgr: Image
    duration_s: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Faces:
    """Faces of one picture: `xyxy` (n, 4) px, `confidence` (n,), `landmarks` (n, 5, 2) px.

    The landmarks are image-left eye, image-right eye, nose, mouth left, mouth right, of the face
    as it stands upright.
    """

    xyxy: Array
    confidence: Array
    landmarks: Array

    def __post_init__(self) -> None:
        n = len(self.confidence)
        _expect_shape("Faces.xyxy", self.xyxy, n, 4)
        _expect_shape("Faces.confidence", self.confidence, n)
        _expect_shape("Faces.landmarks", self.landmarks, n, 5, 2)

    @classmethod
    def none(cls) -> Faces:
        return cls(
            np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros((0, 5, 2), np.float32)
        )

    @classmethod
    def joined(cls, parts: Sequence[Faces]) -> Faces:
        """All rows of one or more."""
        return cls(
            np.concatenate([part.xyxy for part in parts]),
            np.concatenate([part.confidence for part in parts]),
            np.concatenate([part.landmarks for part in parts]),
        )

    def __len__(self) -> int:
        return len(self.confidence)

    def __getitem__(self, rows: np.ndarray | slice | list[int]) -> Faces:
        """Rows by boolean mask, integer array or slice; always `Faces` again."""
        return Faces(self.xyxy[rows], self.confidence[rows], self.landmarks[rows])


@dataclass(frozen=True, slots=True, eq=False)
class AgeGender:
    """What the classifier says: `age_probs` (n, 101), rows sum to 1; `female_prob` (n,)."""

    age_probs: Array
    female_prob: Array

    def __post_init__(self) -> None:
        n = len(self.female_prob)
        _expect_shape("AgeGender.age_probs", self.age_probs, n, AGES)
        _expect_shape("AgeGender.female_prob", self.female_prob, n)

    @classmethod
    def none(cls) -> AgeGender:
        return cls(np.zeros((0, AGES), np.float32), np.zeros(0, np.float32))

    def __len__(self) -> int:
        return len(self.female_prob)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class TrackedFace:
    """A confirmed track as one frame shows it; the age fields are smoothed over the track.

    `age` is the median of `age_probs`, `age_low`..`age_high` its 80 % range: whole years, both
    inclusive.
    `coasting_s` is 0 when the box was measured in this frame, else how long it is predicted;
    `landmarks` stay where they were measured last.
    `samples` counts the classifications behind the age fields. `known_s` is the time since its
    first box, when it was not confirmed yet.
    """

    track_id: int
    xyxy: Array
    landmarks: Array
    confidence: float
    age_probs: Array
    age: float
    age_low: int
    age_high: int
    age_bin: str
    female_prob: float
    samples: int
    coasting_s: float = 0.0
    known_s: float = 0.0


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Visit:
    """One person from entry to exit, as far as the camera can tell: no picture, no features of the
    face.

    `number` from 1 in each run. `begin_s` and `end_s` are on the clock of the frames; the rest is
    as in `TrackedFace`, from the track of theirs with the most views.
    """

    number: int
    begin_s: float
    end_s: float
    age_probs: Array
    age: float
    age_low: int
    age_high: int
    female_prob: float
    samples: int
