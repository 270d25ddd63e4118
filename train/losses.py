"""What training minimises. Targets: `age` (n, 3) lowest and highest age and weight, with teachers
(n, 3 + 101) and what they say, or (n, 2) class and weight; with mixup that of both faces and the
share (n, 1) of the first. `gender` (n, 1): how likely female, -1 unknown."""

from __future__ import annotations

from collections.abc import Callable

import keras
from keras import ops

from livecam.datatypes import AGES
from train.recipe import YEARS_TARGET, Recipe

Loss = Callable[[keras.KerasTensor, keras.KerasTensor], keras.KerasTensor]


def age_loss(recipe: Recipe) -> Loss:
    loss = _years_loss(recipe) if recipe.target == YEARS_TARGET else class_loss
    return _of_both(loss) if recipe.mixup else loss


def _of_both(loss: Loss) -> Loss:
    """Of two faces in one picture, by the share that each has of it."""

    def mean(target: keras.KerasTensor, logits: keras.KerasTensor) -> keras.KerasTensor:
        n = target.shape[1] // 2
        one, other, share = target[:, :n], target[:, n:-1], target[:, -1]
        return share * loss(one, logits) + (1 - share) * loss(other, logits)

    return mean


def _years_loss(recipe: Recipe) -> Loss:
    """Cross-entropy to a normal distribution around the age (Gao et al. 2017), which is flat over
    the years that a label leaves open, and the error of the expected age."""

    def loss(target: keras.KerasTensor, logits: keras.KerasTensor) -> keras.KerasTensor:
        ages = ops.arange(AGES, dtype="float32")
        low, high, weight = target[:, :1], target[:, 1:2], target[:, 2]
        sigma = recipe.label_sigma + recipe.label_sigma_growth * (low + high) / 2
        wanted = ops.softmax(-ops.square(_outside(ages, low, high) / sigma) / 2)  # (n, 101)
        if recipe.teachers:
            share = recipe.teacher_weight
            wanted = (1 - share) * wanted + share * target[:, 3:]
        cross_entropy = -ops.sum(wanted * ops.log_softmax(logits), axis=-1)
        expected = ops.sum(ops.softmax(logits) * ages, axis=-1)
        error = _outside(expected, low[:, 0], high[:, 0])
        return weight * (cross_entropy + recipe.age_l1 * error)

    return loss


def _outside(
    age: keras.KerasTensor, low: keras.KerasTensor, high: keras.KerasTensor
) -> keras.KerasTensor:
    """How many years an age is from an interval."""
    return ops.maximum(ops.maximum(low - age, age - high), 0)


def class_loss(target: keras.KerasTensor, logits: keras.KerasTensor) -> keras.KerasTensor:
    classes = ops.cast(target[:, 0], "int32")
    error = ops.sparse_categorical_crossentropy(classes, logits, from_logits=True)
    return target[:, 1] * error


def gender_loss(gender: keras.KerasTensor, logit: keras.KerasTensor) -> keras.KerasTensor:
    """Binary cross-entropy over the faces whose gender is known."""
    known = ops.cast(gender >= 0, logit.dtype)
    loss = ops.binary_crossentropy(ops.maximum(gender, 0), logit, from_logits=True)
    return ops.sum(loss * known) / ops.maximum(ops.sum(known), 1)
