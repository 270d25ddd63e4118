"""Augmented batches of faces, in an order that the seed decides."""

from __future__ import annotations

import keras
import numpy as np

from livecam.datatypes import AGES, AgeGender
from train.augment import augmented
from train.faces import FaceSet
from train.recipe import YEARS_TARGET, Recipe
from train.selection import Selection


class Batches(keras.utils.PyDataset):
    """Every picture's changes depend on seed, epoch and place alone, so that a resumed run sees
    what an uninterrupted one would have seen."""

    def __init__(
        self,
        data: FaceSet,
        selection: Selection,
        recipe: Recipe,
        size_px: int,
        first_epoch: int = 0,
        taught: AgeGender | None = None,
    ) -> None:
        super().__init__()
        self.data, self.selection = data, selection
        self.recipe, self.size_px = recipe, size_px
        self._target = _targets(data, selection, recipe)
        self._gender = data.labels.gender[selection.rows].astype(np.float32)
        if taught is not None:
            self._target = np.concatenate([self._target, taught.age_probs], axis=1)
            self._gender = _mixed(self._gender, taught.female_prob, recipe.teacher_weight)
        self.epoch = first_epoch
        self._shuffle()

    def __len__(self) -> int:
        return steps(self.selection, self.recipe)

    def on_epoch_end(self) -> None:
        self.epoch += 1
        self._shuffle()

    def _shuffle(self) -> None:
        rng = np.random.default_rng((self.recipe.seed, self.epoch))
        n = len(self.selection.rows)
        if self.recipe.rarity_by == "sampling":
            chance = self.selection.weights.astype(float)
            self._order = rng.choice(n, n, p=chance / chance.sum())
        else:
            self._order = rng.permutation(n)

    def __getitem__(self, index: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        recipe = self.recipe
        chosen = self._order[index * recipe.batch : (index + 1) * recipe.batch]
        rng = np.random.default_rng((recipe.seed, self.epoch, index))
        rows = self.selection.rows[chosen]
        crops = [
            augmented(self.data.crops[row], self.size_px, rng, recipe.augmentation) for row in rows
        ]
        return np.stack(crops), {
            "age": self._target[chosen],
            "gender": self._gender[chosen, None],
        }


def steps(selection: Selection, recipe: Recipe) -> int:
    """Whole batches in an epoch; `material` sees to it that there is one."""
    return len(selection.rows) // recipe.batch


def _mixed(gender: np.ndarray, female_prob: np.ndarray, share: float) -> np.ndarray:
    """Labels (n,) and what teachers say (NaN: nothing); either alone where the other is missing."""
    mixed = np.where(gender < 0, female_prob, (1 - share) * gender + share * female_prob)
    return np.where(np.isnan(female_prob), gender, mixed)


def _targets(data: FaceSet, selection: Selection, recipe: Recipe) -> np.ndarray:
    """As `losses` takes them, without teachers: (n, 3) or (n, 2)."""
    weights = selection.weights
    if recipe.rarity_by == "sampling":
        weights = np.ones_like(weights)
    if recipe.target != YEARS_TARGET:
        return np.stack([selection.classes, weights], axis=1).astype(np.float32)
    rows = selection.rows
    ages = np.minimum(np.stack(data.labels[rows].ends, axis=1), AGES - 1)
    return np.concatenate([ages, weights[:, None]], axis=1).astype(np.float32)
