"""What a training run is made of, and the small files that a run's folder keeps."""

from __future__ import annotations

import csv
import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from livecam.errors import LivecamError


@dataclass(frozen=True)
class Recipe:
    """Everything that decides what a run learns; saved with the run."""

    architecture: str = "resnet"
    epochs: int = 24
    batch: int = 128
    seed: int = 0
    input_px: int = 96
    early_px: int = 80  # smaller pictures at first: nearly the same result in less time
    early_share: float = 0.6
    width: int = 32  # of a resnet
    depths: tuple[int, ...] = (2, 2, 2, 2)  # of a resnet
    dropout: float = 0.3
    label_sigma: float = 2.5  # years, of a newborn's label; labels are guesses of people
    label_sigma_growth: float = 0.0  # years more for every year of age
    rarity_power: float = 0.0  # a face's weight is its age's frequency to minus this
    age_l1: float = 0.05
    gender_weight: float = 0.5
    learning_rate: float = 2e-3
    weight_decay: float = 0.05
    gradient_norm: float = 5.0
    ema: float = 0.998
    precision: str = "mixed_bfloat16"


RECIPES = {
    "resnet": Recipe(),  # of the shipped model
    "efficientnet_lite0": Recipe(  # begins with ImageNet's weights; see docs/experiments.md
        architecture="efficientnet_lite0",
        epochs=8,
        batch=64,
        label_sigma=1.0,
        label_sigma_growth=0.04,
        rarity_power=0.3,
        age_l1=0.1,
        learning_rate=1e-3,
        precision="float32",  # depthwise convolutions are slow in bfloat16
    ),
}


def read_recipe(path: Path) -> Recipe:
    try:
        values: dict[str, Any] = json.loads(path.read_text())["recipe"]
        return Recipe(**{**values, "depths": tuple(values["depths"])})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise LivecamError(f"{path}: not a run's recipe ({error})") from error


def write_recipe(recipe: Recipe, path: Path, **provenance: object) -> None:
    record = {"recipe": dataclasses.asdict(recipe), **provenance}
    path.write_text(json.dumps(record, indent=2) + "\n")


def append_log(path: Path, row: Mapping[str, object]) -> None:
    is_new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, row.keys())
        if is_new:
            writer.writeheader()
        writer.writerow(row)


def keep_log(path: Path, epochs: int) -> None:
    """Cut the log after so many epochs: a killed run may have written a row too many."""
    if not path.exists():
        return
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[: 1 + epochs]))


def require_same_data(recipe: Path, data: Path, data_hash: str) -> None:
    """Raises LivecamError if `data` is not what the run of this recipe was trained on: its dev
    part may then hold faces that the run has learnt."""
    try:
        known = json.loads(recipe.read_text())["data_hash"]
    except (OSError, ValueError, KeyError) as error:
        raise LivecamError(f"{recipe}: not a run's recipe ({error})") from error
    if known != data_hash:
        raise LivecamError(
            f"{data}: not the faces of this run: their hash is {data_hash}, expected {known}"
        )
