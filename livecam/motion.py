"""Boxes that move as faces do: smooth between measurements, without lagging behind."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from livecam.datatypes import Array, TrackedFace

GLIDE_S = 0.1  # time constant in which a shown box goes to where it was measured
HASTE = 10.0  # it goes faster the farther it is off: by so much for one face size
MOTION_S = 0.03  # in less time, most of a motion is noise, or of a burst that came late
VELOCITY_S = 0.1  # time constant of the measured velocity
LOOK_AHEAD_S = 0.25  # a box is not moved on for longer than this
CONFIDENCE_S = 0.5  # time constant of the shown confidence: its line style must not flicker


class Motion:
    """`update` with what was measured, then `advance` to that time or a little later."""

    def __init__(self) -> None:
        self._faces: list[TrackedFace] = []
        self._time_s = 0.0  # of `_faces`
        self._glides: dict[int, _Glide] = {}

    def update(self, time_s: float, faces: Sequence[TrackedFace]) -> None:
        """Take the tracks of a frame; those that are not among them are gone."""
        known = self._glides
        self._faces, self._time_s = list(faces), time_s
        self._glides = {
            face.track_id: known.get(face.track_id) or _Glide(face.xyxy, time_s, face.confidence)
            for face in faces
        }
        for face in faces:
            self._glides[face.track_id].measure(time_s, face)

    def advance(self, time_s: float) -> list[TrackedFace]:
        """Move the shown boxes on to that time, not before the last update; the faces as they are
        to be drawn then."""
        waited_s = max(time_s - self._time_s, 0.0)
        shown = []
        for face in self._faces:
            glide = self._glides[face.track_id]
            shown.append(
                dataclasses.replace(
                    face,
                    xyxy=glide.advance(time_s),
                    confidence=glide.confidence,
                    coasting_s=face.coasting_s + waited_s if face.coasting_s else 0.0,
                )
            )
        return shown


@dataclass(eq=False)
class _Glide:
    """A box that was measured, its velocity, and the box that is shown in its place.

    The shown box moves on at the velocity, so that it does not lag, and goes exponentially to
    where the measured one is, so that it does not jump. As in the 1 Euro filter of Casiez et al.
    (2012), small jitter is damped more than large motion.
    """

    measured: Array
    measured_s: float
    confidence: float
    velocity: Array = field(default_factory=lambda: np.zeros(4, np.float32))  # px/s
    begin: Array | None = None  # where the velocity is measured from…
    begin_s: float = 0.0  # …and when it was there
    shown: Array | None = None
    shown_s: float = 0.0

    def measure(self, time_s: float, face: TrackedFace) -> None:
        elapsed_s = time_s - self.measured_s
        if elapsed_s > 0:
            if self.begin is None:
                self.begin, self.begin_s = self.measured, self.measured_s
            since_s = time_s - self.begin_s
            if since_s >= MOTION_S - 1e-3:
                moved = (face.xyxy - self.begin).reshape(2, 2).mean(axis=0)  # of the centre
                faster = np.tile(moved / since_s, 2).astype(np.float32) - self.velocity
                self.velocity = self.velocity + _share(since_s, VELOCITY_S) * faster
                self.begin, self.begin_s = face.xyxy, time_s
            surer = face.confidence - self.confidence
            self.confidence += _share(elapsed_s, CONFIDENCE_S) * surer
        self.measured, self.measured_s = face.xyxy, time_s

    def advance(self, time_s: float) -> Array:
        """Move the shown box on to that time: (4,) px."""
        target = self._target(time_s)
        if self.shown is not None:
            missing = self.shown - self._target(self.shown_s)
            size = max(float((self.measured[2:] - self.measured[:2]).mean()), 1.0)
            constant_s = GLIDE_S / (1 + HASTE * float(np.abs(missing).max()) / size)
            target = target + missing * (1 - _share(time_s - self.shown_s, constant_s))
        self.shown, self.shown_s = target, time_s
        return target

    def _target(self, time_s: float) -> Array:
        ahead_s = min(max(time_s - self.measured_s, -LOOK_AHEAD_S), LOOK_AHEAD_S)
        return (self.measured + self.velocity * ahead_s).astype(np.float32)


def _share(elapsed_s: float, constant_s: float) -> float:
    """Of the way that an exponential approach goes in that time."""
    return 1 - math.exp(-max(elapsed_s, 0.0) / constant_s)
