"""Train an age and gender network as a recipe says, on a file of `train.prepare`.

A run is a folder: the recipe, a log with a row for each epoch, weights to resume from, and
`age_gender.keras`, the averaged weights of the epoch that was best on the dev part, with what they
score there (`scores.json`, `report.html`).
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
from pathlib import Path
from typing import NoReturn

from livecam.arguments import Parser, count_of
from livecam.config import load_config
from livecam.errors import LivecamError, UsageError
from livecam.exit_codes import exit_code
from livecam.extras import import_keras, require
from livecam.files import check_folder
from train import recipe as recipes
from train.evaluate import evaluate_run
from train.material import gathered
from train.recipe import Recipe, read_recipe
from train.run_folder import RunFolder

HOW_TO_PREPARE = (
    "no --data given, and the configuration has no train.data; make a file of faces with: "
    "python -m train.prepare UTKFace.zip -o faces.h5, then: python -m train.fit --data faces.h5"
)


def main(argv: list[str] | None = None) -> int:
    return exit_code(_fit, _parser(), argv)


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="python -m train.fit", description=__doc__)
    parser.add_argument(
        "recipe", nargs="?", type=Path, help="a YAML file, see recipes/ (recipes/shipped.yaml)"
    )
    parser.add_argument("--data", type=Path, help="HDF5 file from python -m train.prepare")
    parser.add_argument(
        "--out", type=Path, help="the run's folder (runs/ plus the name of the recipe)"
    )
    parser.add_argument("--resume", action="store_true", help="continue where the run stopped")
    parser.add_argument(
        "--set",
        nargs="+",
        action="extend",
        default=[],
        metavar="KEY=VALUE",
        help="change keys of the recipe; may be repeated",
    )
    parser.add_argument("--no-report", action="store_true", help="no scores.json, no report.html")
    parser.add_argument(
        "--epochs", type=count_of, help="passes over the data, instead of the recipe's"
    )
    parser.add_argument(
        "--seed", type=int, help="seed of weights and changes, instead of the recipe's"
    )
    return parser


def _fit(args: argparse.Namespace) -> None:
    data, configured = args.data, load_config().train.data  # the report reads it again
    if data is None:
        if not configured:
            raise UsageError(HOW_TO_PREPARE)
        data = Path(configured)
    _find_recipe(args)
    source = args.recipe or recipes.SHIPPED
    folder = RunFolder(args.out or Path("runs") / source.stem)
    recipe = _recipe(args, source, folder)
    require("keras", "train")
    if not args.no_report:
        require("matplotlib", "train")
    material = gathered(recipe, data, folder, resume=args.resume)
    if not material.learns_gender:
        recipe = dataclasses.replace(recipe, gender_weight=0.0)
    with folder.in_use():
        if not args.resume:
            _require_free(folder)  # still
        import_keras()
        from train.loop import fit  # Keras and its backend are imported here

        fit(recipe, material, folder, resume=args.resume)
        if not args.no_report:
            evaluate_run(data, folder)
    print(folder.model)


def _find_recipe(args: argparse.Namespace) -> None:
    """A recipe that is named behind --set was read as one more setting."""
    unset = [setting for setting in args.set if "=" not in setting]
    if args.recipe is None and len(unset) == 1 < len(args.set) and unset[0]:
        args.recipe = Path(unset[0])
        args.set.remove(unset[0])


def _recipe(args: argparse.Namespace, source: Path, folder: RunFolder) -> Recipe:
    """The recipe of the arguments; of the interrupted run when it is resumed."""
    given = {
        key: getattr(args, key) for key in ("epochs", "seed") if getattr(args, key) is not None
    }
    if args.resume:
        if args.recipe or args.set or given:
            raise UsageError("--resume: the run has its recipe; give --data, --out and no other")
        if not folder.record_file.is_file():
            raise LivecamError(f"{folder.path}: no run to resume; start one without --resume")
        recipe: Recipe = folder.record()["recipe"]
        return recipe
    check_folder("--out", folder.path)
    _require_free(folder)
    return read_recipe(source, args.set, given)


def _require_free(folder: RunFolder) -> None:
    """Raises UsageError if a run, or a model, is in it."""
    if folder.record_file.exists():
        raise UsageError(
            f"{folder.path}: holds a run; give --resume to go on as it was set, or "
            "another --out; or delete it"
        )
    for model in (folder.model, folder.model.with_suffix(".onnx")):
        if model.exists():
            raise UsageError(f"{folder.path}: holds a model, {model.name}; give another --out")


def _leave(code: int) -> NoReturn:
    """At once: a thread of TensorFlow that still makes batches would abort Python as it ends, or
    keep it from ending."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    _leave(main())
