"""Train the age and gender network on a file of `train.prepare`.

A run is a folder: `recipe.json`, `log.csv` (one row an epoch), `last.weights.h5` (to resume from)
and, at the end, `age_gender.keras`: float32, averaged weights, no optimiser state.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from livecam.config import load_config
from livecam.errors import LivecamError, UsageError
from train.cli import run

HOW_TO_PREPARE = """no data given, and the configuration has no train.data.
Make a file of faces, then train on it:
  python -m train.prepare UTKFace.zip -o faces.h5
  python -m train.fit faces.h5"""


@dataclass(frozen=True)
class Recipe:
    """Everything that decides what a run learns; saved with the run."""

    epochs: int = 24
    batch: int = 128
    seed: int = 0
    input_px: int = 96
    early_px: int = 80  # smaller pictures at first: nearly the same result in less time
    early_share: float = 0.6
    width: int = 32
    depths: tuple[int, ...] = (2, 2, 2, 2)
    dropout: float = 0.3
    label_sigma: float = 2.5  # years; labels are guesses of people
    age_l1: float = 0.05
    gender_weight: float = 0.5
    learning_rate: float = 2e-3
    weight_decay: float = 0.05
    gradient_norm: float = 5.0
    ema: float = 0.998
    precision: str = "mixed_bfloat16"


def main(argv: list[str] | None = None) -> int:
    return run(_fit, _parser(), argv)


def _parser() -> argparse.ArgumentParser:
    defaults = Recipe()
    parser = argparse.ArgumentParser(prog="python -m train.fit", description=__doc__)
    parser.add_argument("data", nargs="?", type=Path, help="HDF5 file of python -m train.prepare")
    parser.add_argument(
        "--out", type=Path, default=Path("runs/age_gender"), help="the run's folder"
    )
    parser.add_argument("--resume", action="store_true", help="go on where the run stopped")
    for name, what in (
        ("epochs", "passes over the data"),
        ("batch", "pictures a step"),
        ("seed", "of weights and augmentation"),
    ):
        default = getattr(defaults, name)
        parser.add_argument(f"--{name}", type=int, default=default, help=f"{what} ({default})")
    parser.add_argument(
        "--precision",
        choices=("float32", "mixed_bfloat16"),
        default=defaults.precision,
        help=f"of the arithmetic while training ({defaults.precision})",
    )
    return parser


def _fit(args: argparse.Namespace) -> None:
    data = args.data
    if data is None:
        configured = load_config().train.data
        if not configured:
            raise UsageError(HOW_TO_PREPARE)
        data = Path(configured)
    recipe = _recipe(args)
    _require_training()
    from train.loop import fit  # Keras and its backend are imported here

    fit(recipe, data, args.out, resume=args.resume)
    print(args.out / "age_gender.keras")


def _recipe(args: argparse.Namespace) -> Recipe:
    """The recipe of the arguments; of the interrupted run when it is resumed."""
    if args.epochs < 1 or args.batch < 1:
        raise UsageError("--epochs and --batch: expected at least 1")
    saved = args.out / "recipe.json"
    if args.resume:
        if not (args.out / "last.weights.h5").is_file():
            raise LivecamError(f"{args.out}: no run to resume; start one without --resume")
        return read_recipe(saved)
    if saved.exists():
        raise UsageError(f"{args.out}: holds a run; give --resume to go on, or another --out")
    fields = {name: getattr(args, name) for name in ("epochs", "batch", "seed", "precision")}
    return Recipe(**fields)


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


def _require_training() -> None:
    from livecam.extras import require

    require("keras", "train")


if __name__ == "__main__":
    sys.exit(main())
