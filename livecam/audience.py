"""Visits: confirmed tracks from entry to exit, those of one person joined where that is likely."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from livecam.ages import SAME_LIKENESS, likeness
from livecam.cadence import Cadence
from livecam.config import AudienceConfig
from livecam.datatypes import TrackedFace, Visit
from livecam.geometry import distance_matrix

SAVED_EVERY_S = 10.0  # what a crash may cost of a visit that goes on
REACH = 3.0  # face sizes that somebody may have moved while out of sight
BLIND_S = 1.0  # between two frames; what is more says nothing of who was there…
SURE_S = 1.0  # in which a face that was just found is confirmed
MOST_BLIND_S = 30.0  # …up to which somebody may have stayed


class Audience:
    """Callable: the tracks of a frame -> the visits to be saved, those known before again under
    their numbers. Frames come in order of time.

    A track that is new goes on with the visit of somebody who went out of sight up to `rejoin_s`
    ago, was near, and looked as old. Whoever comes back later is another visit. Going and coming
    may each have been at any time between two frames, so the mean of that, one step, is left to
    them. Where no frame comes for a while, as from a camera that is lost or paused, that time does
    not count.
    """

    def __init__(self, config: AudienceConfig) -> None:
        self.config = config
        self.counted = 0
        self._going_on: list[_GoingOn] = []
        self._newest_id = 0  # of the tracks so far: ids are given in order
        self._last_s: float | None = None  # of the last frame
        self._cadence = Cadence()
        self._numbers = itertools.count(1)

    def __call__(self, time_s: float, faces: Sequence[TrackedFace]) -> list[Visit]:
        gone = self._pass_time(time_s)
        seen = [face for face in faces if not face.coasting_s and face.samples]
        by_track = {each.face.track_id: each for each in self._going_on}
        ids = {face.track_id for face in seen}
        out_of_sight = [each for each in self._going_on if each.face.track_id not in ids]
        for face in seen:
            visit = by_track.get(face.track_id) or self._rejoin(face, out_of_sight)
            if visit is None:
                is_new = face.track_id > self._newest_id  # it was there before it was confirmed
                begin_s = time_s - face.known_s if is_new else time_s
                visit = _GoingOn(begin_s, time_s, face, face)
                self._going_on.append(visit)
            visit.see(time_s, face)
        self._newest_id = max((self._newest_id, *ids))
        tracked = {face.track_id for face in faces}  # hidden for a moment, or not: still there
        # somebody back in time may not be confirmed yet
        most_s = self._rejoin_s + max(SURE_S, self._cadence.longest_s)
        over = [
            each
            for each in self._going_on
            if each.face.track_id not in tracked and each.away_s > most_s
        ]
        self._going_on = [each for each in self._going_on if each not in over]
        return gone + self._count([each for each in self._going_on if each.is_due(time_s)] + over)

    def leave(self) -> list[Visit]:
        """All visits end: the camera is another, or there are no more frames."""
        over, self._going_on = self._going_on, []
        return self._count(over)

    def _pass_time(self, time_s: float) -> list[Visit]:
        """Up to a new frame; the visits of whoever nobody can know about any more."""
        passed_s = 0.0 if self._last_s is None else time_s - self._last_s
        usual_s = self._cadence.longest_s
        self._last_s = time_s
        self._cadence.add(passed_s)
        if passed_s > max(MOST_BLIND_S, usual_s):
            return self.leave()
        for each in self._going_on:
            each.away_s += min(passed_s, max(BLIND_S, usual_s))
        return []

    @property
    def _rejoin_s(self) -> float:
        """`rejoin_s` between two frames that show somebody; 0 is never."""
        return self.config.rejoin_s and self.config.rejoin_s + self._cadence.usual_s

    def _rejoin(self, face: TrackedFace, out_of_sight: list[_GoingOn]) -> _GoingOn | None:
        """Whose visit this new track goes on with, if anybody's."""
        if not self._rejoin_s:
            return None
        back_s = face.known_s if face.track_id > self._newest_id else 0.0  # before it was confirmed
        likely = [
            (each.likeness(face), each)
            for each in out_of_sight
            if each.away_s - back_s <= self._rejoin_s and each.is_near(face)
        ]
        likeness, visit = max(likely, key=lambda pair: pair[0], default=(0.0, None))
        if visit is None or likeness < SAME_LIKENESS:
            return None
        out_of_sight.remove(visit)
        return visit

    def _count(self, visits: list[_GoingOn]) -> list[Visit]:
        """Those that count and have news to be saved. One gets its number when it first does."""
        counting = [each for each in visits if each.dwell_s >= self.config.min_dwell_s]
        for each in counting:
            if not each.number:
                each.number = next(self._numbers)
                self.counted += 1
        return [each.mark_saved() for each in counting if each.saved_s < each.end_s]


@dataclass(eq=False, slots=True)
class _GoingOn:
    """A visit that may not be over. `face` is how it was seen last, `best` the answer that the
    most views are behind."""

    begin_s: float
    end_s: float
    face: TrackedFace
    best: TrackedFace
    away_s: float = 0.0  # out of sight while frames came
    number: int = 0  # none yet
    saved_s: float = -np.inf  # up to when

    @property
    def dwell_s(self) -> float:
        return self.end_s - self.begin_s

    def see(self, time_s: float, face: TrackedFace) -> None:
        self.end_s, self.face, self.away_s = time_s, face, 0.0
        if face.samples >= self.best.samples:
            self.best = face

    def is_due(self, time_s: float) -> bool:
        return time_s - max(self.saved_s, self.begin_s) >= SAVED_EVERY_S or not self.number

    def mark_saved(self) -> Visit:
        """As it is now: the caller saves it."""
        self.saved_s, face = self.end_s, self.best
        return Visit(
            number=self.number,
            begin_s=self.begin_s,
            end_s=self.end_s,
            age_probs=face.age_probs,
            age=face.age,
            age_low=face.age_low,
            age_high=face.age_high,
            female_prob=face.female_prob,
            samples=face.samples,
        )

    def is_near(self, face: TrackedFace) -> bool:
        return bool(distance_matrix(self.face.xyxy[None], face.xyxy[None])[0, 0] <= REACH)

    def likeness(self, face: TrackedFace) -> float:
        return likeness(
            (self.best.age_probs, self.best.female_prob), (face.age_probs, face.female_prob)
        )
