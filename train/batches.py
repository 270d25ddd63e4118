"""Augmented batches of faces, in an order that the seed decides."""

from __future__ import annotations

import keras
import numpy as np

from livecam.datatypes import AGES, AgeGender
from train.augment import augmented
from train.faces import FaceSet
from train.recipe import YEARS_TARGET, Recipe
from train.selection import Selection

MIXUP_BETA = 0.4  # of both shapes: 16 % of the other crop in the mean, half of them less than 11 %


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
        batch = np.stack(crops), self._target[chosen], self._gender[chosen, None]
        if recipe.mixup:
            batch = _mixup(*batch, recipe.mixup, rng)
        pictures, age, gender = batch
        return pictures, {"age": age, "gender": gender}


def steps(selection: Selection, recipe: Recipe) -> int:
    """Whole batches in an epoch; `material` sees to it that there is one."""
    return len(selection.rows) // recipe.batch


def _mixup(
    crops: np.ndarray, age: np.ndarray, gender: np.ndarray, often: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The share `often` of the crops (n, px, px, 3) with less of another one laid over them (Zhang
    et al. 2018); targets of both and the share of the first, as `losses` takes them."""
    n = len(crops)
    share = rng.beta(MIXUP_BETA, MIXUP_BETA, n).astype(np.float32)
    share = np.maximum(share, 1 - share)
    share[rng.random(n) < 1 - often] = 1
    other = rng.permutation(n)
    of_crop = share[:, None, None, None]
    crops = np.rint(of_crop * crops + (1 - of_crop) * crops[other]).astype(crops.dtype)
    share = share[:, None]
    others = np.where(gender[other] < 0, gender, gender[other])  # at most half: the first's will do
    gender = np.where(gender < 0, -1, share * gender + (1 - share) * others)
    return crops, np.concatenate([age, age[other], share], axis=1), gender


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
