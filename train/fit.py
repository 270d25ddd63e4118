"""Train the age and gender network on a file of `train.prepare`.

A run is a folder: `recipe.json`, `log.csv` (one row an epoch), `last.weights.h5` (to resume from)
and, at the end, `age_gender.keras`: float32, averaged weights, no optimiser state.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from pathlib import Path

from livecam.config import load_config
from livecam.errors import LivecamError, UsageError
from livecam.extras import import_keras
from train.cli import run
from train.recipe import RECIPES, Recipe, read_recipe

HOW_TO_PREPARE = """no data given, and the configuration has no train.data.
Make a file of faces, then train on it:
  python -m train.prepare UTKFace.zip -o faces.h5
  python -m train.fit faces.h5"""


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
    parser.add_argument(
        "--architecture",
        choices=tuple(RECIPES),
        help=f"network, and the recipe that was made for it ({defaults.architecture})",
    )
    parser.add_argument("--epochs", type=int, help=f"passes over the data ({defaults.epochs})")
    parser.add_argument("--batch", type=int, help=f"pictures a step ({defaults.batch})")
    parser.add_argument("--seed", type=int, help=f"of weights and changes ({defaults.seed})")
    parser.add_argument(
        "--precision",
        choices=("float32", "mixed_bfloat16"),
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
    import_keras()
    from train.loop import fit  # Keras and its backend are imported here

    fit(recipe, data, args.out, resume=args.resume)
    print(args.out / "age_gender.keras")


def _recipe(args: argparse.Namespace) -> Recipe:
    """The recipe of the arguments; of the interrupted run when it is resumed."""
    names = ("architecture", "epochs", "batch", "seed", "precision")
    given = {name: getattr(args, name) for name in names if getattr(args, name) is not None}
    if any(given.get(name, 1) < 1 for name in ("epochs", "batch")):
        raise UsageError("--epochs and --batch: expected at least 1")
    saved = args.out / "recipe.json"
    if args.resume:
        if given:
            raise UsageError(f"--resume: the run has its recipe; leave out --{', --'.join(given)}")
        if not saved.is_file():
            raise LivecamError(f"{args.out}: no run to resume; start one without --resume")
        return read_recipe(saved)
    if saved.exists():
        raise UsageError(f"{args.out}: holds a run; give --resume to go on, or another --out")
    return dataclasses.replace(RECIPES[given.get("architecture", "resnet")], **given)


if __name__ == "__main__":
    sys.exit(main())
