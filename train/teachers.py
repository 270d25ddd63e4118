"""What finished models say of the faces to train on, for another network to learn beside the labels
(Hinton et al. 2015, Distilling the knowledge in a neural network)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from livecam.classifier import AgeGenderClassifier
from livecam.datatypes import AGES, AgeGender
from livecam.progress import Progress
from train.faces import Crops

BATCH = 64


def ask(models: tuple[str, ...], crops: Crops, rows: np.ndarray) -> AgeGender:
    """The mean answer of all models to the crops of these rows (n,) and to their mirror images.

    Raises LivecamError if a model is missing or damaged.
    """
    classifiers = [_classifier(Path(model)) for model in models]
    age_probs = np.zeros((len(rows), AGES), np.float32)
    female_prob = np.zeros(len(rows), np.float32)
    with Progress("ask teachers", len(rows), "faces") as progress:
        for start in range(0, len(rows), BATCH):
            batch = crops[rows[start : start + BATCH]]
            part = slice(start, start + len(batch))
            for classify in classifiers:
                answer = classify(batch, 2)  # mirrored too
                age_probs[part] += answer.age_probs
                female_prob[part] += answer.female_prob
            progress.step(len(batch))
    n = np.float32(len(classifiers))
    return AgeGender(age_probs / n, female_prob / n)


def _classifier(model: Path) -> AgeGenderClassifier:
    return AgeGenderClassifier(model, "onnx" if model.suffix == ".onnx" else "keras")
