"""Score a model on a part of a file of faces, beside what a constant answer would score.

The faces were aligned by `train.prepare` with the code that runs in `livecam`, so these are the
scores of the tool itself. UTKFace's ages are apparent ages: people estimated them.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from livecam.ages import SCHEMES, expected_age
from livecam.classifier import AgeGenderClassifier
from livecam.datatypes import AgeGender
from train import faces, metrics
from train.cli import run
from train.labels import ETHNICITIES

AT_ONCE = 4096
AGE_BANDS = ((0, 2), (3, 12), (13, 19), (20, 29), (30, 39), (40, 49), (50, 59), (60, 69), (70, 116))


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m train.evaluate", description=__doc__)
    parser.add_argument("data", type=Path, help="HDF5 file of python -m train.prepare")
    parser.add_argument("--model", default="", help=".onnx or .keras file (the shipped .onnx)")
    parser.add_argument("--split", choices=tuple(faces.SPLITS), default="test", help="part (test)")
    parser.add_argument("--dataset", help="only this data set's faces, e.g. utkface")
    parser.add_argument("--json", action="store_true", help="the scores as JSON on stdout")
    return run(_evaluate, parser, argv)


def _evaluate(args: argparse.Namespace) -> None:
    runtime = "keras" if args.model.endswith(".keras") else "onnx"
    classifier = AgeGenderClassifier(args.model, runtime)
    data = faces.load(args.data, args.split, args.dataset)
    train_ages = faces.ages(args.data, "train", args.dataset)
    scores = {
        "model": classifier.path.name,
        "split": args.split,
        "data_hash": data.data_hash,
        **score(data, answers(classifier, data.crops), train_ages),
    }
    print(json.dumps(scores, indent=2) if args.json else "\n".join(table(scores)))


def answers(classifier: AgeGenderClassifier, crops: faces.Crops) -> AgeGender:
    """What the model says of all crops, some thousand of them in memory at a time."""
    parts = [classifier(crops[i : i + AT_ONCE]) for i in range(0, len(crops), AT_ONCE)]
    return AgeGender(
        np.concatenate([part.age_probs for part in parts]),
        np.concatenate([part.female_prob for part in parts]),
    )


def score(data: faces.FaceSet, answer: AgeGender, train_ages: np.ndarray) -> dict[str, Any]:
    """All measures of one part, as numbers; shares are from 0 to 1, ages in years."""
    errors = expected_age(answer.age_probs) - data.age
    known = data.gender >= 0
    is_right = (answer.female_prob >= 0.5) == (data.gender == 1)
    held = metrics.held(answer.age_probs, data.age)
    constant = float(np.median(train_ages if len(train_ages) else data.age))
    return {
        "faces": len(data),
        "mae": _measured(errors, metrics.mae),
        "cs5": _measured(errors, metrics.cs5),
        "gender": _measured(is_right[known].astype(float), lambda right: float(right.mean())),
        "gender_13_and_over": _mean(is_right[known & (data.age >= 13)]),
        "range_holds": _mean(held),
        "constant": {"age": constant, "mae": metrics.mae(constant - data.age)},
        "majority_gender": metrics.majority_share(data.gender[known]) if known.any() else None,
        "schemes": {name: _scheme(data, answer, name) for name in SCHEMES},
        "by_age": {
            name: _group(errors, is_right, held, known, rows) for name, rows in _bands(data.age)
        },
        "by_gender": {
            name: _group(errors, is_right, held, known, data.gender == number)
            for number, name in enumerate(("male", "female"))
        },
        "by_ethnicity": {
            name: _group(errors, is_right, held, known, data.ethnicity == number)
            for number, name in enumerate(ETHNICITIES)
        },
    }


def _measured(values: np.ndarray, statistic: metrics.Statistic) -> dict[str, float] | None:
    if not len(values):
        return None
    low, high = metrics.bootstrap_interval(values, statistic)
    return {"value": statistic(values), "low": low, "high": high}


def _mean(values: np.ndarray) -> float | None:
    return float(values.mean()) if len(values) else None


def _scheme(data: faces.FaceSet, answer: AgeGender, name: str) -> dict[str, float]:
    scheme = SCHEMES[name]
    off = metrics.bin_errors(answer.age_probs, data.age, scheme)
    return {
        "accuracy": float((off == 0).mean()),
        "within_one_bin": float((np.abs(off) <= 1).mean()),
        "mean_recall": metrics.mean_recall(answer.age_probs, data.age, scheme),
        "majority": metrics.majority_share(scheme.bins_of(data.age)),
    }


def _bands(ages: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    for low, high in AGE_BANDS:
        yield f"{low}-{high}", (np.floor(ages) >= low) & (np.floor(ages) <= high)


def _group(
    errors: np.ndarray,
    is_right: np.ndarray,
    held: np.ndarray,
    known: np.ndarray,
    rows: np.ndarray,
) -> dict[str, float | int | None]:
    return {
        "faces": int(rows.sum()),
        "mae": metrics.mae(errors[rows]) if rows.any() else None,
        "bias": _mean(errors[rows]),
        "gender": _mean(is_right[rows & known]),
        "range_holds": _mean(held[rows]),
    }


def table(scores: dict[str, Any]) -> Iterator[str]:
    """The scores as lines of Markdown, ready for a model card."""
    yield f"{scores['model']} on {scores['faces']} faces of the {scores['split']} part"
    yield ""
    yield "| measure | value | 95 % interval | constant or majority |"
    yield "|---|---|---|---|"
    constant = scores["constant"]
    yield _row("MAE, years", scores["mae"], f"{constant['mae']:.2f} (always {constant['age']:.0f})")
    yield _row("CS@5", scores["cs5"], "", is_share=True)
    yield _row("gender", scores["gender"], _percent(scores["majority_gender"]), is_share=True)
    yield f"| gender, aged 13 and over | {_percent(scores['gender_13_and_over'])} | | |"
    yield f"| 80 % range holds the label | {_percent(scores['range_holds'])} | | |"
    yield ""
    yield "| scheme | accuracy | ±1 bin | mean recall | majority |"
    yield "|---|---|---|---|---|"
    for name, scheme in scores["schemes"].items():
        yield f"| {name} | {' | '.join(map(_percent, scheme.values()))} |"
    for title, key in (("age", "by_age"), ("gender", "by_gender"), ("ethnicity", "by_ethnicity")):
        yield ""
        yield f"| {title} | faces | MAE | bias | gender | range holds |"
        yield "|---|---|---|---|---|---|"
        for name, group in scores[key].items():
            if not group["faces"]:
                continue
            yield (
                f"| {name} | {group['faces']} | {group['mae']:.2f} | {group['bias']:+.1f} "
                f"| {_percent(group['gender'])} | {_percent(group['range_holds'])} |"
            )


def _row(name: str, score: dict[str, float] | None, baseline: str, is_share: bool = False) -> str:
    if score is None:
        return f"| {name} | - | | {baseline} |"
    value, low, high = (
        _percent(score[key]) if is_share else f"{score[key]:.2f}"
        for key in ("value", "low", "high")
    )
    return f"| {name} | {value} | {low} – {high} | {baseline} |"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f} %"


if __name__ == "__main__":
    sys.exit(main())
