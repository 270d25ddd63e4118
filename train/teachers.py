"""What finished models say of the faces to train on, for another network to learn beside the labels
(Hinton et al. 2015, Distilling the knowledge in a neural network)."""

from __future__ import annotations

import numpy as np

from livecam.classifier import AgeGenderClassifier
from livecam.datatypes import AGES, AgeGender
from livecam.progress import Progress
from train.faces import Crops

BATCH = 64


def ask(models: tuple[str, ...], crops: Crops, rows: np.ndarray) -> AgeGender:
    """The mean answer of all models to the crops of these rows (n,) and to their mirror images.

    A model that has not learnt the gender says 0.5 of everybody and is not asked about it; where
    none has, `female_prob` is NaN. Raises LivecamError if a model is missing or damaged.
    """
    classifiers = [AgeGenderClassifier(model) for model in models]
    age_probs = np.zeros((len(rows), AGES), np.float32)
    female_prob = np.zeros((len(models), len(rows)), np.float32)
    with Progress("ask teachers", len(rows), "faces") as progress:
        for start in range(0, len(rows), BATCH):
            batch = crops[rows[start : start + BATCH]]
            part = slice(start, start + len(batch))
            for number, classify in enumerate(classifiers):
                answer = classify(batch, 2)  # mirrored too
                age_probs[part] += answer.age_probs / len(models)
                female_prob[number, part] = answer.female_prob
            progress.step(len(batch))
    knows = (female_prob != 0.5).any(axis=1)
    nobody = np.full(len(rows), np.nan, np.float32)
    return AgeGender(age_probs, female_prob[knows].mean(axis=0) if knows.any() else nobody)
