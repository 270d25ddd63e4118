"""Faces over time: who is the same, what their age is over all views, who is classified when."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field

import numpy as np

from livecam.ages import (
    CENTRAL_RANGE,
    SAME_LIKENESS,
    AgeRange,
    AgeScheme,
    likeness,
    median_age,
    sharpened,
)
from livecam.cadence import Cadence
from livecam.config import TrackerConfig
from livecam.datatypes import AGES, AgeGender, Array, Faces, TrackedFace
from livecam.geometry import distance_matrix, iou_matrix

MOTION_S = 0.03  # in less time, most of a motion is noise, or of a burst that came late
STRAIGHT_S = 0.5  # whoever was in the last frame goes straight on for so long
FADING_S = 0.25  # time constant of the velocity of a face that is not seen
LATELY = 3  # frames
LONG_GAP_S = 5.0  # after a pause, a lost camera or a computer's sleep
WALKS_FACES_PER_S = 10.0  # 1.5 m/s, with faces 15 cm wide…
FARTHEST_WALK = 2.5  # …but so many faces at most
KNOWN_AFTER = 3  # answers, after which one that is less like them…
LEAST_LIKENESS = 0.25
RETURN_S = 0.4  # …or than SAME_LIKENESS, once the face was out of sight for so long…
STRANGERS_AFTER = 3  # …is held back, and so many in a row are about somebody else


class Tracker:
    """Holds the tracks. A frame is `update`, then `learn` for those that `choose_due` gives, then
    `read_out`.

    A track is born from a face of at least `birth_confidence` that matches none; it goes on with
    any that matches it. It is confirmed, and gets its id, after `confirm_after` measured boxes; it
    dies `max_coast_s` after its last one (not at its first miss, however slow the source), or at
    its first miss while unconfirmed.
    """

    def __init__(
        self,
        config: TrackerConfig,
        scheme: AgeScheme,
        birth_confidence: float = 0.0,
        age_range: AgeRange = CENTRAL_RANGE,
    ) -> None:
        self.config, self.scheme, self.age_range = config, scheme, age_range
        self.birth_confidence = birth_confidence
        self._tracks: list[_Track] = []
        self._due: list[_Track] = []  # what `choose_due` gave last, for `learn`
        self._ids = itertools.count(1)
        self.changed_s = math.inf  # when a face last came, or was not seen where one should be
        self._last_s = -math.inf  # of the last frame
        self._cadence = Cadence(unknown_s=math.inf)

    def predict(self, time_s: float) -> Array:
        """Where the tracks' faces should be now: (n, 4) px."""
        boxes = [track.predicted(time_s) for track in self._tracks]
        return np.stack(boxes) if boxes else np.zeros((0, 4), np.float32)

    def missed(self, time_s: float, faces: Faces) -> Array:
        """Where faces should be that are not among these: (n, 4) px. One that has been away for
        some frames is not looked for."""
        found = self._matches(time_s, faces)
        lately = [row for row, track in enumerate(self._tracks) if track.misses < LATELY]
        return self.predict(time_s)[[row for row in lately if row not in found]]

    def forget(self) -> None:
        """Let go of all tracks, at once; ids go on from where they are."""
        self._tracks = []
        self.changed_s = math.inf

    def update(self, time_s: float, faces: Faces) -> None:
        """Match the faces of one frame with the tracks; births and deaths. After a gap in time it
        knows nobody, unless frames are that far apart anyway."""
        gap_s = time_s - self._last_s
        if gap_s > max(self.config.max_coast_s, LONG_GAP_S, self._cadence.longest_s):
            self.forget()
        self._last_s = time_s
        if 0 < gap_s < math.inf:  # else the first, or the same picture is looked at again
            self._cadence.add(gap_s)
        self.changed_s = min(self.changed_s, time_s)  # a start
        face_of = self._matches(time_s, faces)
        for row, track in enumerate(self._tracks):
            if row in face_of:
                track.measure(time_s, faces, face_of[row])
            else:
                track.misses += 1
                self.changed_s = time_s
        for column in sorted(set(range(len(faces))).difference(face_of.values())):
            if faces.confidence[column] >= self.birth_confidence:
                self._tracks.append(_Track.born(time_s, faces, column))
                self.changed_s = time_s
        self._tracks = [track for track in self._tracks if self._lives(track, time_s)]
        for track in self._tracks:
            if track.track_id is None and track.hits >= self.config.confirm_after:
                track.track_id = next(self._ids)

    def _lives(self, track: _Track, time_s: float) -> bool:
        if track.track_id is None:
            return track.misses == 0
        may_miss = self.config.max_coast_s > 0 and track.misses == 1  # in a slow source too
        return may_miss or time_s - track.seen_s <= self.config.max_coast_s

    def _matches(self, time_s: float, faces: Faces) -> dict[int, int]:
        """Track -> face, each used once: by overlap, then by distance, best first; then whoever has
        moved on."""
        matches: dict[int, int] = {}
        if not self._tracks or not len(faces):
            return matches
        predicted = self.predict(time_s)
        _match(-iou_matrix(predicted, faces.xyxy), -self.config.min_iou, matches)
        if min(len(predicted), len(faces)) > len(matches):
            distance = distance_matrix(predicted, faces.xyxy)
            _match(distance, self.config.max_distance, matches)
            matches |= self._moved_on(time_s, faces, distance, matches)
        return matches

    def _moved_on(
        self, time_s: float, faces: Faces, distance: Array, matches: dict[int, int]
    ) -> dict[int, int]:
        """Whoever walks past a slow camera moves by more than a face between two frames: of what is
        left, a track seen a moment ago and a face in its reach, where either has no other. Its
        motion is known badly or not at all, so it may also be near where the track was."""
        seen = np.stack([track.xyxy for track in self._tracks])
        ago_s = np.array([time_s - track.seen_s for track in self._tracks])
        reach = np.minimum(WALKS_FACES_PER_S * ago_s, FARTHEST_WALK)
        is_reached = np.minimum(distance, distance_matrix(seen, faces.xyxy)) <= reach[:, None]
        lost = [row for row, track in enumerate(self._tracks) if track.misses >= LATELY]
        is_reached[[*lost, *matches]] = False
        is_reached[:, list(matches.values())] = False
        is_only = (is_reached.sum(axis=1) == 1)[:, None] & (is_reached.sum(axis=0) == 1)
        return {int(row): int(column) for row, column in np.argwhere(is_reached & is_only)}

    def choose_due(self, time_s: float) -> Faces:
        """The faces to be classified in this frame: confirmed, measured now, sure, new or stale.

        In the order that `learn` expects. At most `classify_per_s` a second for each track.
        """
        rows = self._due = [track for track in self._tracks if self._is_due(track, time_s)]
        if not rows:
            return Faces.none()
        return Faces(
            np.stack([track.xyxy for track in rows]),
            np.array([track.confidence for track in rows], np.float32),
            np.stack([track.landmarks for track in rows]),
        )

    @property
    def due_looks(self) -> Array:
        """(n,): how often each of those that `choose_due` gave has been classified before."""
        return np.array([track.looks for track in self._due], int)

    def _is_due(self, track: _Track, time_s: float) -> bool:
        if track.track_id is None or track.misses:
            return False
        if track.views.samples and track.confidence < self.birth_confidence:
            return False  # turned away or half hidden, it looks like another age
        waited_s = time_s - track.looked_s
        return waited_s >= 1 / self.config.classify_per_s - 1e-3

    def learn(self, time_s: float, answers: AgeGender, quality: Array) -> None:
        """Add the answers for the faces that `choose_due` gave, weighted by their quality (n,). A
        track of which they say something else altogether, again and again, gets a new id: somebody
        has stepped in front, or taken a place that was just left."""
        for i, track in enumerate(self._due):
            track.looks, track.looked_s = track.looks + 1, time_s
            view = _View(
                time_s, answers.age_probs[i], float(answers.female_prob[i]), float(quality[i])
            )
            believed = [view]
            if track.is_of_another(view):
                track.strange.append(view)
                if len(track.strange) < STRANGERS_AFTER:
                    continue
                track.track_id, track.views, track.bin = next(self._ids), _Views(), _StickyBin()
                track.first_s = track.strange[0].time_s
                believed = track.strange
            track.strange, track.is_back = [], False
            for each in believed:
                track.views.add(each, self.config.time_constant_s)

    def read_out(self, time_s: float) -> list[TrackedFace]:
        """Move the shown bins on to that time; the confirmed tracks, those out of sight included
        (`coasting_s` above 0), by id."""
        shown = [track for track in self._tracks if track.track_id is not None]
        if not shown:
            return []
        faces = []
        for track, pooled in zip(shown, self._pooled(shown), strict=True):
            track.bin.update(
                time_s, pooled.bin_probs, self.config.bin_margin, self.config.bin_hold_s
            )
            faces.append(
                TrackedFace(
                    track_id=track.track_id or 0,
                    xyxy=track.predicted(time_s) if track.misses else track.xyxy,
                    landmarks=track.landmarks,
                    confidence=track.confidence,
                    age_probs=pooled.age_probs,
                    age=pooled.age,
                    age_low=pooled.age_low,
                    age_high=pooled.age_high,
                    age_bin=self.scheme.labels[track.bin.shown],
                    female_prob=track.views.female_prob,
                    samples=track.views.samples,
                    coasting_s=time_s - track.seen_s if track.misses else 0.0,
                    known_s=time_s - track.first_s,
                )
            )
        return sorted(faces, key=lambda face: face.track_id)

    def _pooled(self, tracks: list[_Track]) -> list[_Pooled]:
        """What the views of each face say together; worked out where one was added."""
        views = [track.views for track in tracks]
        changed = [each for each in views if each.pooled is None]
        if changed:
            probs = np.stack([each.age_probs(self.config.max_narrowing) for each in changed])
            ranges, bins = self.age_range(probs).tolist(), self.scheme.bin_probs(probs)
            rows = zip(changed, probs, median_age(probs).tolist(), ranges, bins, strict=True)
            for each, p, age, (low, high), bin_p in rows:
                each.pooled = _Pooled(p, age, low, high, bin_p)
        return [each.pooled for each in views if each.pooled is not None]


def _match(cost: Array, most: float, matches: dict[int, int]) -> None:
    """Add to `matches` the pairs (row, column) that cost less than `most`, the cheapest first; each
    row and column is used once."""
    taken = set(matches.values())
    cheapest_first = np.argsort(cost, axis=None, kind="stable")
    for row, column in zip(*np.unravel_index(cheapest_first, cost.shape), strict=True):
        if cost[row, column] >= most:
            return
        if row not in matches and column not in taken:
            matches[int(row)] = int(column)
            taken.add(column)


@dataclass(frozen=True, slots=True, eq=False)
class _Pooled:
    """What all views of a face say together: `age_probs` (101,) and `bin_probs` (bins,)."""

    age_probs: Array
    age: float
    age_low: int
    age_high: int
    bin_probs: Array


@dataclass(frozen=True, slots=True, eq=False)
class _View:
    """What was said of a face once."""

    time_s: float
    age_probs: Array
    female_prob: float
    quality: float


@dataclass(eq=False)
class _Views:
    """The views of one face, pooled: a mean of log-probabilities (a logarithmic opinion pool),
    weighted by quality and by recency, so that the frame rate does not matter."""

    last_s: float = -np.inf
    samples: int = 0
    weight: float = 0.0
    weight2: float = 0.0  # for the effective number of samples of Kish, weight² / weight2
    log_probs: Array = field(default_factory=lambda: np.zeros(AGES, np.float32))
    female_logit: float = 0.0
    pooled: _Pooled | None = None  # worked out once after each view

    def add(self, view: _View, constant_s: float) -> None:
        keep = float(np.exp(-(view.time_s - self.last_s) / constant_s)) if self.samples else 0.0
        female = min(max(view.female_prob, 1e-4), 1 - 1e-4)
        total = self.weight * keep + view.quality
        share = view.quality / total
        self.log_probs += share * (np.log(np.maximum(view.age_probs, 1e-9)) - self.log_probs)
        self.female_logit += share * (np.log(female / (1 - female)) - self.female_logit)
        self.weight, self.weight2 = total, self.weight2 * keep**2 + view.quality**2
        self.last_s = view.time_s
        self.samples += 1
        self.pooled = None

    def age_probs(self, max_narrowing: float) -> Array:
        """(101,), sharper the more views agree; by no more than `max_narrowing`, because the
        frames of one face share most of their error."""
        effective = self.weight**2 / self.weight2 if self.weight2 else 1.0
        power = 1 + (max_narrowing - 1) * (1 - 1 / max(effective, 1.0))
        return sharpened(np.exp(self.log_probs - self.log_probs.max())[None], power)[0]

    @property
    def female_prob(self) -> float:
        return float(1 / (1 + np.exp(-self.female_logit)))


@dataclass(eq=False)
class _StickyBin:
    """The displayed bin: changes only to one that is clearly likelier, and not too often. The
    first one, of a single view, may be corrected at once."""

    shown: int = -1
    changed_s: float = -np.inf

    def update(self, time_s: float, probs: Array, margin: float, hold_s: float) -> None:
        best = int(np.argmax(probs))
        if self.shown < 0:
            self.shown = best
        elif probs[best] > probs[self.shown] + margin and time_s - self.changed_s >= hold_s:
            self.shown, self.changed_s = best, time_s


@dataclass(eq=False)
class _Track:
    """One face over time, with a constant-velocity motion of its centre."""

    xyxy: Array
    landmarks: Array
    confidence: float
    first_s: float
    seen_s: float
    from_xyxy: Array  # where its motion is measured from…
    from_s: float  # …and when it was there
    velocity: Array = field(default_factory=lambda: np.zeros(2, np.float32))  # px/s
    hits: int = 1
    misses: int = 0  # in a row
    track_id: int | None = None
    looks: int = 0  # answers, those that were held back too…
    looked_s: float = -np.inf  # …and when the last one was asked for
    views: _Views = field(default_factory=_Views)
    is_back: bool = False  # it was out of sight, and no answer has said yet that it is the same
    strange: list[_View] = field(default_factory=list)  # the last ones, held back
    bin: _StickyBin = field(default_factory=_StickyBin)

    @classmethod
    def born(cls, time_s: float, faces: Faces, row: int) -> _Track:
        xyxy, confidence = faces.xyxy[row], float(faces.confidence[row])
        return cls(xyxy, faces.landmarks[row], confidence, time_s, time_s, xyxy, time_s)

    def predicted(self, time_s: float) -> Array:
        """The box moved on at its velocity. That of a face out of sight fades, and it goes no
        farther than its own size: whoever is hidden for a second has not gone straight on all the
        while. Of two who cross before a slow camera each goes on where it was going."""
        waited_s = time_s - self.seen_s
        straight_s = 0.0 if self.misses else min(waited_s, STRAIGHT_S)
        moving_s = straight_s + FADING_S * (1 - math.exp(-(waited_s - straight_s) / FADING_S))
        most = (self.xyxy[2:] - self.xyxy[:2]) * (1.0 if self.misses else FARTHEST_WALK)
        shift = np.clip(self.velocity * moving_s, -most, most)
        return (self.xyxy + np.concatenate([shift, shift])).astype(np.float32)

    def is_of_another(self, view: _View) -> bool:
        """Whether it is hardly what was said of this face before."""
        known, said = self.views, (view.age_probs, view.female_prob)
        if known.samples < KNOWN_AFTER:
            return False
        least = SAME_LIKENESS if self.is_back else LEAST_LIKENESS
        return likeness((known.age_probs(1.0), known.female_prob), said) < least

    def _see_motion(self, time_s: float, xyxy: Array) -> None:
        elapsed_s = time_s - self.from_s
        if elapsed_s >= MOTION_S - 1e-3:
            begin = self.from_xyxy
            moved = (xyxy[:2] + xyxy[2:] - begin[:2] - begin[2:]) / 2
            self.velocity = ((self.velocity + moved / elapsed_s) / 2).astype(np.float32)
            self.from_xyxy, self.from_s = xyxy, time_s

    def measure(self, time_s: float, faces: Faces, row: int) -> None:
        xyxy = faces.xyxy[row]
        elapsed_s = time_s - self.seen_s
        if elapsed_s > 0:
            self._see_motion(time_s, xyxy)
        self.xyxy, self.landmarks = xyxy, faces.landmarks[row]
        self.is_back = self.is_back or (self.misses > 0 and elapsed_s > RETURN_S)
        self.confidence, self.seen_s = float(faces.confidence[row]), time_s
        self.hits += elapsed_s > 0
        self.misses = 0
