"""Runs of train.fit side by side: what differs between their recipes, and what came of it.

The scores of a run (scores.json, as `train.evaluate --json` prints them) are shown too where there
are some. `-o` draws the curves.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from livecam.arguments import Parser
from livecam.document import table
from livecam.errors import LivecamError, UsageError
from livecam.exit_codes import exit_code
from livecam.extras import require
from livecam.files import PartialFile, check_output, write_text
from livecam.wording import clock_time, counted, utf8
from train.recipe import YEARS_TARGET, Recipe, as_record, idle
from train.run_folder import RunFolder, read_json
from train.score_tables import markdown, number, part, percent

PANELS = {
    "loss": "loss{of_target}, on changed pictures",
    "dev_mae": "MAE on the dev part, years",
    "dev_accuracy": "accuracy{of_target}, dev part",
    "dev_gender_accuracy": "gender accuracy, dev part",
}
OF_TARGET = ("loss", "dev_accuracy")  # on one axis only for runs of the same target
CLASSES_ALONE = "dev_accuracy"  # runs for years have no such column
COLUMNS = ("epoch", *PANELS, "seconds")


@dataclass(frozen=True)
class Run:
    """What a run's folder says: `log` is column -> (epochs,); `dev_faces`, data set -> faces by
    which the run was judged; `scores` may be empty."""

    name: str
    recipe: dict[str, Any]
    data_hash: str
    dev_faces: dict[str, int]
    log: dict[str, np.ndarray]
    scores: dict[str, Any]

    @property
    def target(self) -> str:
        return _shown(self.recipe.get("target", YEARS_TARGET))

    @property
    def seconds(self) -> float:
        """Of all starts: the log's clock goes on when a run is resumed."""
        return float(self.log["seconds"][-1])

    @property
    def best(self) -> int:
        """The row of the log whose weights were kept: by accuracy for classes, else by MAE."""
        of_classes = self.log.get(CLASSES_ALONE)
        score = self.log["dev_mae"] if of_classes is None else -of_classes
        best = np.nonzero(score == np.nanmin(score))[0] if np.isfinite(score).any() else [0]
        return int(best[-1])  # the last of equals, as in training


def main(argv: list[str] | None = None) -> int:
    parser = Parser(
        prog="python -m train.compare",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="a run's folder")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="curves: .html or .png")
    return exit_code(_compare, parser, argv)


def _compare(args: argparse.Namespace) -> None:
    if args.output is not None:
        require("matplotlib", "train")
        check_output("--output", args.output, [".html", ".png"], [], may_replace=True)
    runs = _ended(_found(args.runs))
    names = [entry.name for entry in runs]
    if len(set(names)) < len(names):
        raise UsageError(f"expected different runs, got {', '.join(names)}")
    for what, more in warnings(runs):
        print(f"warning: {what}{more}", file=sys.stderr)
    print("\n".join(markdown(*comparison(runs))))
    if args.output is not None:
        _draw(args.output, runs)
        print(f"written: {args.output}", file=sys.stderr)


def _scored(scores: Mapping[str, Any]) -> str:
    return f"{counted(scores['faces'], 'face')} of {part(scores)}" if scores else "-"


def _found(folders: Sequence[Path]) -> list[Run]:
    """The runs among what `runs/*` may name; the rest is said. Raises LivecamError if there is
    none, or nothing of a name."""
    runs, others = [], []
    for folder in folders:
        try:
            runs.append(read_run(folder))
        except LivecamError as error:
            if not folder.exists():
                raise
            others.append(str(error))
    if not runs:
        raise LivecamError("; ".join(others))
    for other in others:
        print(f"left out: {other}", file=sys.stderr)
    return runs


def _ended(runs: Sequence[Run]) -> list[Run]:
    """Those that have ended an epoch; the others are named. Raises LivecamError if none has."""
    waiting = [entry.name for entry in runs if not len(entry.log["epoch"])]
    if len(waiting) == len(runs):
        raise LivecamError(f"{', '.join(waiting)}: no epoch has ended")
    for name in waiting:
        print(f"left out: {name}: no epoch of it has ended", file=sys.stderr)
    return [entry for entry in runs if entry.name not in waiting]


def read_run(folder: Path) -> Run:
    """Raises LivecamError if the folder is not a run's; its log is empty before its first epoch."""
    if not folder.is_dir():
        what = "no folder" if folder.exists() else "no such folder"
        raise LivecamError(f"{folder}: {what}; give the --out of a python -m train.fit")
    files = RunFolder(folder)
    record = files.record_values()
    return Run(
        utf8(str(folder)),
        record["recipe"],
        record["data_hash"],
        record["dev_faces"],
        _columns(files),
        _scores(files.scores),
    )


def _scores(path: Path) -> dict[str, Any]:
    """Of the run; empty where it was not scored."""
    if not path.exists():
        return {}
    scores = read_json(path)
    for key in ("faces", "split", "datasets"):
        if key not in scores:
            raise LivecamError(f"{path}: not the scores of train.evaluate --json (no {key!r})")
    return scores


def _columns(files: RunFolder) -> dict[str, np.ndarray]:
    """Of the log."""
    rows = files.log()
    if not rows:
        return {column: np.zeros(0) for column in COLUMNS if column != CLASSES_ALONE}
    columns = [name for name in COLUMNS if name in rows[0] or name != CLASSES_ALONE]
    missing = [column for column in columns if column not in rows[0]]
    if missing:
        raise LivecamError(f"{files.log_file}: not a run's log: it lacks the column {missing[0]}")
    return {column: np.array([row[column] for row in rows]) for column in columns}


def warnings(runs: Sequence[Run]) -> Iterator[tuple[str, str]]:
    """What keeps these runs from being compared: the short of it, and how it goes on."""
    if len({entry.data_hash for entry in runs}) > 1:
        each = ", ".join(f"{entry.name} {entry.data_hash}" for entry in runs)
        more = f", whose dev parts differ unless they were made with the same --dev-list: {each}"
        yield "these runs learnt from different data", more
    judges = _judges(runs)
    if len(set(judges)) > 1:
        each = "; ".join(f"{entry.name} by {by}" for entry, by in zip(runs, judges, strict=True))
        yield (
            "these runs were judged by different faces",
            f", so their dev scores do not compare: {each}",
        )


def _judges(runs: Sequence[Run]) -> list[str]:
    """The dev faces of each run: how many of which data sets."""
    return [
        ", ".join(f"{n} of {name}" for name, n in sorted(entry.dev_faces.items())) for entry in runs
    ]


def comparison(runs: Sequence[Run]) -> tuple[list[str], list[list[str]]]:
    """Header and rows: a column a run, a row for each differing number of the recipes and each
    result."""
    rows = [["data hash", *(entry.data_hash for entry in runs)], ["dev faces", *_judges(runs)]]
    recipes = [_effective(entry.recipe) for entry in runs]
    rows += [
        [name, *(_shown(recipe.get(name)) for recipe in recipes)] for name in differing(recipes)
    ]
    for name, cells in _results(runs):
        rows.append([name, *cells])
    return ["", *(entry.name for entry in runs)], rows


def _effective(recipe: dict[str, Any]) -> dict[str, Any]:
    """With the values of keys which it does not name; without those that change nothing in it."""
    without = idle(recipe)
    values = {**as_record(Recipe()), **recipe}
    return {key: value for key, value in values.items() if key not in without}


def differing(recipes: Sequence[dict[str, Any]]) -> list[str]:
    """The keys that are not alike in all recipes that have them, or that some have with another
    value than the usual one, in the order in which they are met."""
    values: dict[str, list[Any]] = {}
    for recipe in recipes:
        for name, value in recipe.items():
            values.setdefault(name, []).append(value)
    usual = as_record(Recipe())
    return [
        name
        for name, each in values.items()
        if any(value != each[0] for value in each)
        or (len(each) < len(recipes) and each[0] != usual.get(name))
    ]


def _shown(value: object) -> str:
    return "-" if value is None else json.dumps(value, ensure_ascii=False).strip('"')


def _results(runs: Sequence[Run]) -> Iterator[tuple[str, list[str]]]:
    logs = [entry.log for entry in runs]
    best = [entry.best for entry in runs]
    planned = [entry.recipe.get("epochs", "?") for entry in runs]
    yield (
        "epochs done",
        [f"{log['epoch'][-1]:.0f} of {of}" for log, of in zip(logs, planned, strict=True)],
    )
    yield "kept epoch", [f"{log['epoch'][i]:.0f}" for log, i in zip(logs, best, strict=True)]
    yield "its dev MAE", [_years(log["dev_mae"][i]) for log, i in zip(logs, best, strict=True)]
    if any(CLASSES_ALONE in log for log in logs):
        yield (
            "its dev accuracy of the classes",
            [
                f"{percent(float(entry.log[CLASSES_ALONE][i]))} ({entry.target})"
                if CLASSES_ALONE in entry.log
                else "-"
                for entry, i in zip(runs, best, strict=True)
            ],
        )
    yield "last dev MAE", [_years(log["dev_mae"][-1]) for log in logs]
    genders = [float(log["dev_gender_accuracy"][-1]) for log in logs]
    yield "last dev gender", ["-" if np.isnan(share) else percent(share) for share in genders]
    yield "time", [clock_time(entry.seconds) for entry in runs]
    if any(entry.scores for entry in runs):
        yield "scored", [_scored(entry.scores) for entry in runs]
        yield "its MAE", [number(_value(entry.scores, "mae"), ".2f") for entry in runs]
        yield "its CS@5", [percent(_value(entry.scores, "cs5")) for entry in runs]
        yield "its gender", [percent(_value(entry.scores, "gender")) for entry in runs]


def _years(mae: float) -> str:
    return "-" if np.isnan(mae) else f"{mae:.3f}"


def _value(scores: dict[str, Any], key: str) -> float | None:
    measured = scores.get(key)
    return float(measured["value"]) if isinstance(measured, dict) else None


def _own(column: str, target: str) -> str:
    """The column under a name that only runs of this target share, where they must."""
    return f"{target} {column}" if column in OF_TARGET else column


def _panels(runs: Sequence[Run]) -> dict[str, str]:
    """Column -> title, of what there is to draw."""
    panels = {}
    for column, title in PANELS.items():
        for entry in runs:
            if np.isfinite(entry.log.get(column, np.nan)).any():
                of_target = "" if entry.target == YEARS_TARGET else f" of {entry.target}"
                panels[_own(column, entry.target)] = title.format(of_target=of_target)
    return panels


def _draw(output: Path, runs: Sequence[Run]) -> None:
    from train import plots, report  # Matplotlib is imported here

    logs = {
        entry.name: {_own(column, entry.target): values for column, values in entry.log.items()}
        for entry in runs
    }
    panels = _panels(runs)
    if not panels:
        raise LivecamError(f"{output}: nothing to draw: the logs hold no finite number")
    figure = plots.curves(logs, panels, "epoch")
    if output.suffix.lower() == ".png":
        said = [f"{what.capitalize()}." for what, _ in warnings(runs)]
        if said:
            figure.suptitle("\n".join(said), color=plots.RED)
        with PartialFile(output) as partial:
            figure.savefig(partial)
        return
    parts = [report.note(f"{what}{more}") for what, more in warnings(runs)]
    sections = [
        report.Section("Recipes and results", [table(*comparison(runs))]),
        report.Section("Curves", [report.drawing(figure)]),
    ]
    write_text(output, report.page("Runs side by side", parts, sections))


if __name__ == "__main__":
    sys.exit(main())
