"""Which of the faces a recipe trains on, as which class, and how much each counts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from livecam.ages import YEARS, AgeScheme
from livecam.datatypes import AGES
from livecam.errors import LivecamError
from livecam.wording import counted, suggestion
from train.faces import FaceSet
from train.labels import Labels
from train.recipe import Recipe
from train.scores import bins_of

# The ages that a published scheme covered (inclusive); faces outside are left out of its training.
PUBLISHED_AGES = {
    "megaage-7": (0, 70),
    "utk-12": (1, 120),
    "utk-14": (1, 116),
    "utk-8": (1, 116),
    "actors-3": (13, 120),
}
MAX_RARITY_WEIGHT = 3.0  # of a year, before the mean is 1 again; classes are few, and have none


@dataclass(frozen=True)
class Selection:
    """`rows` (n,) of a FaceSet, their `classes` (n,) and `weights` (n,), 1 in the mean; `years`
    (classes, 101): how a class spreads over the years, None if the classes are the years."""

    rows: np.ndarray
    classes: np.ndarray
    weights: np.ndarray
    years: np.ndarray | None

    @property
    def n_classes(self) -> int:
        return AGES if self.years is None else len(self.years)


def select(data: FaceSet, recipe: Recipe, note: Callable[[str], None]) -> Selection:
    """Raises LivecamError if a data set or a class has no face. Says what is left out."""
    rows = _of_datasets(data, recipe.datasets)
    scheme = recipe.scheme
    rows, classes = _classified(data, rows, scheme, note)
    are_years = scheme is None
    n = AGES if scheme is None else len(scheme.starts)
    if scheme is not None:
        _require_all(classes, scheme)
    kept = _capped(classes // 10 if are_years else classes, recipe)
    rows, classes = rows[kept], classes[kept]
    weights = rarity_weights(classes, n, recipe.rarity_power, are_years)
    years = None if scheme is None else _years(data.labels[rows], scheme)
    return Selection(rows, classes, weights, years)


def _of_datasets(data: FaceSet, names: tuple[str, ...]) -> np.ndarray:
    known = sorted(set(data.dataset))
    for name in names:
        if name not in known:
            hint = suggestion(name, known)
            raise LivecamError(
                f"datasets: no faces of {name!r}{hint}; the file has {', '.join(known)}"
            )
    return np.nonzero(np.isin(data.dataset, names or known))[0]


def _classified(
    data: FaceSet, rows: np.ndarray, scheme: AgeScheme | None, note: Callable[[str], None]
) -> tuple[np.ndarray, np.ndarray]:
    """Rows with a class, and their classes. An interval that lies in two classes has none."""
    labels = data.labels[rows]
    if scheme is None:
        return rows, np.minimum(labels.age, AGES - 1).astype(int)
    low, high = PUBLISHED_AGES.get(scheme.name, (0, 120))
    is_open = labels.high == AGES - 1  # such as 61+, which a scheme's last class holds
    up_to = np.where(is_open, labels.low, labels.high)
    inside = (labels.low >= low) & (up_to <= high)
    if not inside.all():
        outside = counted((~inside).sum(), "face")
        note(f"left out: {outside} outside of {scheme.name}'s ages, {low} to {high}")
    rows, labels = rows[inside], labels[inside]
    classes, has_one = bins_of(labels.low, labels.high, scheme)
    if not has_one.all():
        note(f"left out: {counted((~has_one).sum(), 'face')} whose age may be in two classes")
    return rows[has_one], classes[has_one]


def _require_all(classes: np.ndarray, scheme: AgeScheme) -> None:
    empty = [label for i, label in enumerate(scheme.labels) if not (classes == i).any()]
    if empty:
        raise LivecamError(
            f"target: {scheme.name}: no face to train on in {', '.join(empty)}; give data that "
            "covers the scheme, or another target"
        )


def _capped(classes: np.ndarray, recipe: Recipe) -> np.ndarray:
    """At most `class_cap` of each class, drawn by the seed; all if it is 0. In the given order."""
    if not recipe.class_cap:
        return np.arange(len(classes))
    order = np.random.default_rng(recipe.seed).permutation(len(classes))
    kept = [order[classes[order] == c][: recipe.class_cap] for c in np.unique(classes)]
    return np.sort(np.concatenate(kept))


def rarity_weights(classes: np.ndarray, n: int, power: float, are_years: bool) -> np.ndarray:
    """(m,) -> (m,): more for faces of rare classes; 1 in the mean.

    The frequency of a year is taken over some years around it.
    """
    counts = np.bincount(classes, minlength=n).astype(float)
    if are_years:
        years = np.arange(n)
        near = np.exp(-(((years[:, None] - years) / 3) ** 2) / 2)  # (n, n)
        counts = near @ counts / near.sum(axis=1)
    weights = counts[classes] ** -power
    weights /= weights.mean()
    if are_years:
        weights = np.minimum(weights, MAX_RARITY_WEIGHT)
    return (weights / weights.mean()).astype(np.float32)


def _years(labels: Labels, scheme: AgeScheme) -> np.ndarray:
    """(classes, 101): how the faces of each class spread over its years, each at least once; that
    of an interval evenly over its own."""
    low, high = (np.minimum(end, AGES - 1) for end in (labels.low, labels.high))
    steps = np.zeros(AGES + 1)
    np.add.at(steps, low, 1 / (high - low + 1))
    np.add.at(steps, high + 1, -1 / (high - low + 1))
    counts = np.cumsum(steps)[:AGES] + 1.0
    bins = scheme.bins_of(YEARS)
    spread = np.where(bins == np.arange(len(scheme.starts))[:, None], counts, 0)
    return (spread / spread.sum(axis=1, keepdims=True)).astype(np.float32)
