"""What a run learns from, and the faces that judge it: chosen and checked without Keras, which
takes seconds to start."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from livecam.errors import LivecamError
from livecam.wording import counted
from train import faces
from train.faces import FaceSet
from train.labels import Labels
from train.recipe import Recipe
from train.run_folder import RunFolder
from train.scores import bins_of
from train.selection import Selection, select


@dataclass(frozen=True)
class Material:
    """`selection` says which faces of `train` are learnt, and as what; `dev` says which epoch is
    the best. `learns_gender`: something tells it; `knows_gender`: whether the model will."""

    train: FaceSet
    dev: FaceSet
    selection: Selection
    learns_gender: bool
    knows_gender: bool

    @property
    def provenance(self) -> dict[str, Any]:
        """What the run's folder keeps of it."""
        return {
            "data_hash": self.train.data_hash,
            "crop_px": self.train.crop_px,
            "faces": len(self.selection.rows),
            "dev_faces": dict(Counter(self.dev.dataset.tolist())),
            "knows_gender": self.knows_gender,
        }


def gathered(recipe: Recipe, data: Path, run: RunFolder, *, resume: bool) -> Material:
    """Raises LivecamError if the data, or a model that the recipe names, will not do for it."""
    train = faces.load(data, "train")
    if resume:
        run.require_same_data(data, train)
    else:
        _warn_of_other_faces(recipe, train.data_hash)
    if not (resume and run.last.is_file()):
        _require_models(recipe)
    if recipe.input_px > train.crop_px:
        print(
            f"input_px: {recipe.input_px}: the crops are of {train.crop_px} px and are enlarged; "
            f"prepare with --crop-px {recipe.input_px} for more detail",
            file=sys.stderr,
        )
    selection = select(train, recipe, lambda text: print(text, file=sys.stderr))
    dev = faces.load(data, "dev", recipe.datasets)
    _require_judges(dev, recipe)
    if absent := sorted({*recipe.datasets} - {*dev.dataset}):
        print(
            f"{data}: no face of {' and '.join(absent)} in its dev part: the best epoch is chosen "
            "without",
            file=sys.stderr,
        )
    if len(selection.rows) < recipe.batch:
        raise LivecamError(
            f"{data}: {counted(len(selection.rows), 'face')} to train on; expected a batch of "
            f"{recipe.batch} at least; give more data, or --set batch=…"
        )
    if resume:  # its recipe has a weight only if it learns it
        learns_gender, knows_gender = recipe.gender_weight > 0, run.knows_gender()
    else:
        learns_gender = recipe.gender_weight > 0 and _tells_gender(
            recipe, train.labels[selection.rows]
        )
        knows_gender = learns_gender or _keeps_gender(recipe)
    if recipe.gender_weight and not learns_gender:
        print(
            f"{data}: no face to train on has a gender: it is not learnt, as with gender_weight 0; "
            "teachers can tell it",
            file=sys.stderr,
        )
    return Material(train, dev, selection, learns_gender, knows_gender)


def _tells_gender(recipe: Recipe, labels: Labels) -> bool:
    """Whether a face to train on does, or a teacher."""
    teachers = map(Path, recipe.teachers)
    is_taught = any(RunFolder(model.parent).knows_gender(model) for model in teachers)
    return is_taught or bool((labels.gender >= 0).any())


def _keeps_gender(recipe: Recipe) -> bool:
    """Whether all that it rests on stays as it begins, and knew it."""
    if recipe.frozen != "all" or recipe.head_units:
        return False
    if recipe.begin:
        return all(RunFolder(Path(run)).knows_gender() for run in recipe.begin)
    return recipe.pretrained and recipe.architecture == "mobilenet"


def _require_models(recipe: Recipe) -> None:
    """Those to begin with and to learn from."""
    for run in recipe.begin:
        begin = RunFolder(Path(run)).model
        if not begin.is_file():
            raise LivecamError(
                f"begin: {begin}: no such model; finish that run first, or name another"
            )
    for teacher in recipe.teachers:
        if not Path(teacher).is_file():
            raise LivecamError(
                f"teachers: {teacher}: no such model; expected the age_gender.keras of a finished "
                "run, or a .onnx file"
            )


def _require_judges(dev: FaceSet, recipe: Recipe) -> None:
    """Raises LivecamError if no face of the dev part can say which epoch is best."""
    scheme = recipe.scheme
    if scheme is None:
        return
    _, has_one = bins_of(dev.labels.low, dev.labels.high, scheme)
    if not has_one.any():
        raise LivecamError(
            f"target: {scheme.name}: no face of the dev part has an age that lies in one class"
        )


def _warn_of_other_faces(recipe: Recipe, data_hash: str) -> None:
    """Where a model to begin with, or a teacher, had another split, it may have learnt faces that
    now judge the run."""
    models = [("teachers", Path(model)) for model in recipe.teachers]
    models += [("begin", RunFolder(Path(run)).model) for run in recipe.begin]
    for key, model in models:
        known = RunFolder(model.parent).data_hash(model)
        if known not in (None, data_hash):
            print(
                f"{key}: {model.parent} learnt from other faces (their hash is {known}, here it is "
                f"{data_hash}): unless both dev parts are of the same --dev-list, it may have "
                "learnt faces of this one, whose scores then flatter",
                file=sys.stderr,
            )
