"""Score a model on a part of a file of faces, beside what a constant answer would score.

The faces were aligned by `train.prepare` with the code that runs in `livecam`, so these are the
scores of the tool itself. UTKFace's ages are apparent ages: people estimated them.

`--report` writes one HTML file with all tables and pictures, among them how the error grows on
degraded pictures, and the faces with the largest errors. It takes some minutes on two cores.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import sys
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from livecam import views
from livecam.ages import CENTRAL_RANGE, AgeScheme, median_age
from livecam.arguments import Parser
from livecam.classifier import SHIPPED, AgeGenderClassifier
from livecam.config import load_config
from livecam.datatypes import AgeGender, Image
from livecam.errors import LivecamError, UsageError
from livecam.exit_codes import exit_code
from livecam.extras import require
from livecam.files import check_output, write_text
from livecam.progress import Progress
from livecam.shipped import shipped_file
from train import faces, metrics
from train.degrade import DEGRADATIONS
from train.labels import Labels
from train.picture_statistics import picture_statistics
from train.recipe import YEARS_TARGET, Recipe
from train.run_folder import RunFolder
from train.score_tables import as_json, table
from train.scores import age_errors, score

BATCH = 256  # crops in memory at a time
SAMPLE = 400  # faces that are degraded in every way, unless told
RUN_SAMPLE = 100  # the same, in the report of a run
WORST = 24  # faces of the gallery


def main(argv: list[str] | None = None) -> int:
    return exit_code(_evaluate, _parser(), argv)


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="python -m train.evaluate",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("data", type=Path, help="HDF5 file from python -m train.prepare")
    parser.add_argument("--model", default="", help=".onnx or .keras file (the shipped .onnx)")
    parser.add_argument("--split", choices=tuple(faces.SPLITS), default="test", help="part (test)")
    parser.add_argument(
        "--dataset", action="append", default=[], metavar="NAME",
        help="only this data set's faces, e.g. utkface; may be repeated",
    )  # fmt: skip
    parser.add_argument(
        "--json", nargs="?", const="-", metavar="FILE", help="scores as JSON, on stdout or in FILE"
    )
    parser.add_argument("--report", type=Path, metavar="FILE.html", help="a page with all pictures")
    parser.add_argument(
        "--sample", type=int, default=SAMPLE, metavar="N",
        help=f"faces that a report degrades in every way ({SAMPLE}; 0: all)",
    )  # fmt: skip
    parser.add_argument(
        "--views", type=int, default=views.COUNT, metavar="N",
        help=f"views of each face, averaged ({views.COUNT}, as livecam does with "
        "pictures; 1: as it sees one frame of a video)",
    )  # fmt: skip
    parser.add_argument(
        "--no-gallery",
        action="store_true",
        help="no faces in the report: it can be shown to others",
    )
    return parser


def evaluate_run(data: Path, run: RunFolder) -> None:
    """A run's `scores.json` and `report.html`: what its model scores on the faces of the dev part
    by which its epoch was chosen."""
    recipe: Recipe = run.record()["recipe"]
    done = _of_run(run.model, data, recipe)
    scores = _with_report(done, run.report, RUN_SAMPLE, has_gallery=False)
    write_text(run.scores, as_json(scores) + "\n")


def _evaluate(args: argparse.Namespace) -> None:
    _check(args)
    learnt = _learnt(args.model)
    done = _evaluation(args.model, args.data, args.split, args.dataset, args.views, learnt)
    scores = done.scores
    _warn_of_learnt_faces(done.classifier.path, args.split, done.data)
    if args.report is not None:
        scores = _with_report(done, args.report, args.sample, has_gallery=not args.no_gallery)
    if args.json not in (None, "-"):
        write_text(Path(args.json), as_json(scores) + "\n")
    print(as_json(scores) if args.json == "-" else "\n".join(table(scores)))


def _warn_of_learnt_faces(model: Path, split: str, data: faces.FaceSet) -> None:
    """On stderr, where the model may have learnt faces that judge it."""
    run, known = RunFolder(model.parent), None
    learnt: tuple[str, ...] = ()
    with contextlib.suppress(LivecamError):  # a file beside the model that is not of `train.export`
        known = run.data_hash(model)
        recipe = run.record()["recipe"] if run.record_file.is_file() else Recipe()
        learnt = () if recipe.begin or recipe.teachers else recipe.datasets
    data_hash = data.data_hash
    if known not in (None, data_hash):
        own = "; it did not learn those of recipes/shipped-dev.txt" if _is_shipped(model) else ""
        print(
            f"{model.name} learnt from another file of faces (its hash is {known}, here it is "
            f"{data_hash}): where faces of that one are among these, its scores flatter{own}",
            file=sys.stderr,
        )
    elif (
        known is not None
        and split == "train"
        and not {*data.dataset}.isdisjoint(learnt or data.dataset)
    ):
        print(f"{model.name} learnt these faces: its scores on them flatter", file=sys.stderr)


def _is_shipped(model: Path) -> bool:
    return any(model == shipped_file(name) for name in SHIPPED.values())


def score_model(model: Path, data: Path, recipe: Recipe) -> dict[str, Any]:
    """All scores of a recipe's `.onnx` or `.keras` file on the faces by which it was chosen."""
    return _of_run(model, data, recipe).scores


def _of_run(model: Path, data: Path, recipe: Recipe) -> Evaluation:
    learnt = recipe.scheme
    target = learnt.name if learnt else YEARS_TARGET
    return _evaluation(model, data, "dev", recipe.datasets, views.COUNT, learnt, target)


def _learnt(model: str) -> AgeScheme | None:
    """The classes that a model was trained on, if it is in the folder of a run or, exported, in one
    of that folder's."""
    folder = Path(model).absolute().parent
    runs = [RunFolder(each) for each in (folder, folder.parent)] if model else []
    return next((run.scheme() for run in runs if run.record_file.is_file()), None)


@dataclass(frozen=True)
class Evaluation:
    """A model's answers on one part of the data, and their scores; `classify` asks it about so
    many views of a face."""

    data: faces.FaceSet
    classifier: AgeGenderClassifier
    classify: Callable[[Image], AgeGender]
    answer: AgeGender
    schemes: dict[str, AgeScheme]
    scores: dict[str, Any]


def _evaluation(
    model: Path | str,
    path: Path,
    split: str,
    datasets: Sequence[str],
    count: int,
    learnt: AgeScheme | None,
    target: str | None = None,
) -> Evaluation:
    """Scored in what was `learnt`, if it is a scheme, and then in all schemes of the configuration,
    one's own too. `target` is that of the run whose model these faces have chosen."""
    first = {learnt.name: learnt} if learnt else {}
    schemes = first | load_config().schemes | first  # whoever has another of its name sees this one
    # first: Keras takes seconds to start. A run's faces have been spoken of already
    data = faces.load(path, split, datasets, each=target is None)
    train_ages = faces.ages(path, "train", datasets)
    if not len(train_ages):  # of a data set for tests alone
        train_ages = faces.ages(path, "train")
    classifier = AgeGenderClassifier(model)
    classify = functools.partial(classifier, count=count)
    answer = answers(classify, data.crops)
    pictures = picture_statistics(data.crops)
    scores = {
        "model": classifier.path.name,
        "split": split,
        "datasets": list(datasets),
        "views": count,
        "missing": data.missing,
        "range_is_calibrated": classifier.age_range is not CENTRAL_RANGE,
        "data_hash": data.data_hash,
        "target": target,
        **score(data.labels, answer, classifier.age_range, train_ages, pictures, schemes),
    }
    return Evaluation(data, classifier, classify, answer, schemes, scores)


def _check(args: argparse.Namespace) -> None:
    """Before the work, what would only fail after it."""
    if args.model and not args.model.endswith((".onnx", ".keras")):
        raise UsageError(
            f"--model {args.model}: expected a .onnx or .keras file, such as "
            "the age_gender.keras of a run"
        )
    if not 1 <= args.views <= views.MOST:
        raise UsageError(f"--views: expected 1 to {views.MOST}, got {args.views}")
    if args.sample < 0:
        raise UsageError(f"--sample: expected a number of faces or 0 for all, got {args.sample}")
    if args.report is not None:
        require("matplotlib", "train")
        check_output("--report", args.report, [".html", ".htm"], [args.data], may_replace=True)
    if args.json not in (None, "-"):
        check_output("--json", Path(args.json), [".json"], [args.data], may_replace=True)


def answers(classify: Callable[[Image], AgeGender], crops: faces.Crops | Image) -> AgeGender:
    """What the model says of all crops (n, px, px, 3), batch by batch."""
    parts = []
    with Progress("classify", len(crops), "faces") as progress:
        for start in range(0, len(crops), BATCH):
            parts.append(classify(crops[start : start + BATCH]))
            progress.step(len(parts[-1].age_probs))
    return AgeGender(
        np.concatenate([part.age_probs for part in parts]),
        np.concatenate([part.female_prob for part in parts]),
    )


def sample(n: int, wanted: int) -> np.ndarray:
    """Rows in their order: `wanted` of `n` by chance, always the same ones; 0 takes all."""
    if not wanted or wanted >= n:
        return np.arange(n)
    return np.sort(np.random.default_rng(0).choice(n, wanted, replace=False))


def robustness(
    classify: Callable[[Image], AgeGender],
    crops: faces.Crops | Image,
    rows: np.ndarray,
    labels: Labels,
    answer: AgeGender,
) -> dict[str, Any]:
    """The MAE on these rows' crops made worse, and its ratio to that of `answer`, at every level.

    `mean_ratio` is over the usual level of each degradation.
    """
    ages: dict[tuple[str, float], list[np.ndarray]] = defaultdict(list)
    total = len(rows) * sum(len(degradation.levels) for degradation in DEGRADATIONS)
    with Progress("degrade", total, "faces") as progress:
        for start in range(0, len(rows), BATCH):
            batch = crops[rows[start : start + BATCH]]
            for degradation in DEGRADATIONS:
                for level in degradation.levels:
                    probs = classify(degradation(batch, level)).age_probs
                    ages[degradation.name, level].append(median_age(probs))
                    progress.step(len(batch))
    labels = labels[rows]
    clean = metrics.mae(age_errors(median_age(answer.age_probs[rows]), labels))
    curves: dict[str, dict[str, Any]] = {}
    for degradation in DEGRADATIONS:
        answered = [np.concatenate(ages[degradation.name, level]) for level in degradation.levels]
        maes = [metrics.mae(age_errors(each, labels)) for each in answered]
        ratios = [mae / clean if clean else None for mae in maes]
        curves[degradation.name] = {
            "unit": degradation.unit,
            "usual": degradation.usual,
            "levels": list(degradation.levels),
            "maes": maes,
            "ratios": ratios,
            "usual_ratio": ratios[degradation.levels.index(degradation.usual)],
        }
    usual = [curve["usual_ratio"] for curve in curves.values()]
    return {
        "faces": len(rows),
        "clean_mae": clean,
        "mean_ratio": float(np.mean(usual)) if clean else None,
        "curves": curves,
    }


def _with_report(done: Evaluation, path: Path, wanted: int, *, has_gallery: bool) -> dict[str, Any]:
    """Writes the page. The scores, with the robustness of so many faces."""
    from train import score_page  # Matplotlib is imported here

    data, answer = done.data, done.answer
    rows = sample(len(data), wanted)
    curves = robustness(done.classify, data.crops, rows, data.labels, answer)
    scores = done.scores | {"robustness": curves}
    gallery = None
    if has_gallery:
        gallery = score_page.gallery(data, answer, done.classifier, WORST)
    write_text(path, score_page.page(scores, data.labels, answer, done.schemes, gallery))
    print(f"written: {path}", file=sys.stderr)
    return scores


if __name__ == "__main__":
    sys.exit(main())
