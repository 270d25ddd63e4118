"""How steady the shown ages are, beside the network's answers for single boxes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from benchmarks import clips
from benchmarks.bench import Bench
from benchmarks.table import Row
from livecam.ages import median_age
from livecam.crops import aligned_crops
from livecam.exit_codes import say
from livecam.pipeline import Models

LEAST_S = 3.0  # tracks that are seen for less say little
SETTLING_S = 1.0  # an age may move until then


@dataclass(slots=True)
class Shown:
    """The age and the bin of one track, frame by frame."""

    times_s: list[float] = field(default_factory=list)
    ages: list[float] = field(default_factory=list)
    bins: list[str] = field(default_factory=list)

    def add(self, time_s: float, age: float, age_bin: str) -> None:
        self.times_s.append(time_s)
        self.ages.append(age)
        self.bins.append(age_bin)

    @property
    def seconds(self) -> float:
        return self.times_s[-1] - self.times_s[0]

    @property
    def changes(self) -> int:
        """How often another bin is shown than in the frame before."""
        return sum(a != b for a, b in zip(self.bins, self.bins[1:], strict=False))

    @property
    def spread(self) -> float:
        """Standard deviation of the age after the first second, years."""
        begin_s = self.times_s[0] + SETTLING_S
        settled = [a for t, a in zip(self.times_s, self.ages, strict=True) if t >= begin_s]
        return float(np.std(settled)) if settled else 0.0


def flicker(bench: Bench) -> Iterator[Row]:
    """The clips as they are, not looped: a person who comes again would be a new track."""
    for path in bench.paths:
        smooth, raw = shown_and_raw(path, bench.models, bench.frames)
        ids = [i for i, shown in smooth.items() if shown.seconds >= LEAST_S]
        ours, other = [smooth[i] for i in ids], [raw[i] for i in ids]
        name = clips.name_of(path)
        twice = "– (who is lost and comes back later may be two)"
        yield Row(
            measure="tracks of people", clip=name, ours=len(smooth), unit="tracks", meaning=twice
        )
        if not ids:
            say(f"flicker: {name}: nobody is seen for {LEAST_S:g} s: no more rows")
            continue
        of_them = f"of the {len(ids)} seen for at least {LEAST_S:g} s"
        yield _row(
            "changes of the shown age bin", name, _rate(ours), _rate(other), "per s",
            f"{of_them}: how often another bin is shown, over how often it would be if each frame "
            "showed the network's answer for it alone",
        )  # fmt: skip
        yield _row(
            "spread of the shown age", name, _spread(ours), _spread(other), "years",
            f"{of_them}: how much a person's shown age varies (standard deviation, without the "
            f"first {SETTLING_S:g} s), over how much those answers do",
        )  # fmt: skip


def shown_and_raw(
    path: Path, models: Models, most: int
) -> tuple[dict[int, Shown], dict[int, Shown]]:
    """What is shown of each track, and what the network says to each of its measured boxes."""
    line, scheme = models.pipeline(), models.config.scheme
    smooth: dict[int, Shown] = {}
    raw: dict[int, Shown] = {}
    for frame in clips.frames(path, most):
        seen = [face for face in line(frame) if not face.coasting_s]
        if not seen:
            continue
        crops = aligned_crops(frame.bgr, np.stack([face.landmarks for face in seen]))
        probs = models.classifier(crops).age_probs
        best = scheme.bin_probs(probs).argmax(axis=1)
        for face, age, index in zip(seen, median_age(probs), best, strict=True):
            time_s, track_id = frame.time_s, face.track_id
            smooth.setdefault(track_id, Shown()).add(time_s, face.age, face.age_bin)
            raw.setdefault(track_id, Shown()).add(time_s, float(age), scheme.labels[index])
    return smooth, raw


def _rate(tracks: Sequence[Shown]) -> float:
    """Changes of all tracks over their seconds."""
    return sum(shown.changes for shown in tracks) / sum(shown.seconds for shown in tracks)


def _spread(tracks: Sequence[Shown]) -> float:
    """The mean over tracks."""
    return float(np.mean([shown.spread for shown in tracks]))


def _row(measure: str, clip: str, ours: float, other: float, unit: str, meaning: str) -> Row:
    ratio = ours / other if other else None
    return Row(
        measure=measure, clip=clip, ours=ours, other=other, unit=unit, ratio=ratio, meaning=meaning
    )
