"""Scores as JSON and as tables of Markdown."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from livecam.wording import counted


def as_json(scores: Mapping[str, Any]) -> str:
    """Indented, with every list of numbers on one line."""
    text = json.dumps(scores, indent=2)
    numbers = r"\[\n([-+.,\deE\s]*)\]"  # a newline is never within a string
    return re.sub(numbers, lambda found: f"[{' '.join(found[1].split())}]", text)


def part(scores: Mapping[str, Any]) -> str:
    """Which faces were scored."""
    of_sets = f" of {', '.join(scores['datasets'])}" if scores["datasets"] else ""
    return f"the {scores['split']} part{of_sets}"


def _views(scores: Mapping[str, Any]) -> str:
    count = scores["views"]
    return f", each in {count} views" if count > 1 else ", each as one frame of a film shows it"


def table(scores: Mapping[str, Any]) -> Iterator[str]:
    """The scores as lines of Markdown, ready for a model card."""
    what = f"{scores['model']} on {counted(scores['faces'], 'face')} of {part(scores)}"
    yield what + _views(scores)
    if missing := scores.get("missing"):
        yield ""
        yield missing_note(missing)
    if scores["interval_labels"]:
        yield ""
        yield interval_note(scores)
    for header, rows in tables(scores):
        yield ""
        yield from markdown(header, rows)


def markdown(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """A table as lines of Markdown."""
    yield _line(header)
    yield "|---" * len(header) + "|"
    yield from map(_line, rows)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def choice_note(scores: Mapping[str, Any]) -> str:
    """What a run's model learnt, and that these scores flatter it."""
    target = scores["target"]
    learnt = f"the classes of {target}" if target in scores["schemes"] else target
    return (
        f"This model was trained for {learnt}. Its epoch was chosen by these faces: scores on "
        "others are worse."
    )


def missing_note(n: int) -> str:
    """That some of a part was not scored."""
    return (
        f"{counted(n, 'more picture')} of this part could not be read, or no face was found in "
        "it: what a model would answer there is not counted."
    )


def interval_note(scores: Mapping[str, Any]) -> str:
    """What labels that are intervals are counted in."""
    return (
        f"Labels that are intervals of years: {scores['interval_labels']}; in no one band of ages: "
        f"{scores['in_several_bands']}. The error of an interval is the way to it, and a range "
        "holds it where the two overlap. It counts in a band of ages, or a class of a scheme, only "
        "where all of it lies in there."
    )


Table = tuple[tuple[str, ...], list[tuple[str, ...]]]  # header, rows


def tables(scores: Mapping[str, Any]) -> Iterator[Table]:
    """The tables of `table` and of the report: measures, schemes, groups."""
    yield ("measure", "value", "95 % interval", "constant or majority"), list(_measures(scores))
    yield _scheme_table(scores["schemes"])
    for title, key in GROUPINGS:
        groups = {name: group for name, group in scores[key].items() if group["faces"]}
        if groups:
            yield group_table(title, groups)


GROUPINGS = (("age", "by_age"), ("gender", "by_gender"), ("ethnicity", "by_ethnicity"))


def _measures(scores: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    target = scores.get("target", "")  # of a run
    if target in scores["schemes"]:
        yield _target_row(target, scores["schemes"][target])
    constant = scores["constant"]
    own = ", the median of these faces" if constant.get("is_of_these_faces") else ""
    always = f"(always {constant['age']:g}{own})"
    yield _row("MAE, years", scores["mae"], f"{constant['mae']:.2f} {always}")
    yield _row("MAE of the expected instead of the median age", scores["expected_age_mae"])
    yield _row("MAE at 13-19", scores["mae_13_19"])
    yield _row("MAE at 40-69", scores["mae_40_69"])
    yield _row("CS@5", scores["cs5"], f"{percent(constant['cs5'])} {always}", is_share=True)
    yield _row("CS@5 of the expected age", scores["expected_age_cs5"], is_share=True)
    yield _row("gender", scores["gender"], percent(scores["majority_gender"]), is_share=True)
    yield "gender, aged 13 and over", percent(scores["gender_13_and_over"]), "", ""
    yield "gender, area under the ROC curve", number(scores["gender_auc"], ".3f"), "", ""
    yield "gender, calibration error", percent(scores["gender_calibration_error"]), "", ""
    yield "80 % range holds the label", percent(scores["range_holds"]), "", ""
    yield "80 % range, mean width", f"{number(scores['range_years'], '.1f')} years", "", ""
    for kind in ("age_and_gender", "ethnicity"):
        worst = scores["worst"][kind]
        if worst is not None:
            times = f"{worst['mae']:.2f} years, {number(worst['times_the_mean'], '.2f')} × the MAE"
            name = f"worst {kind.replace('_and_', ' and ')}: {worst['group']}"
            yield f"{name} ({worst['faces']} faces)", times, "", ""
    if "robustness" in scores:
        robustness = scores["robustness"]
        name = f"error of degraded pictures ({counted(robustness['faces'], 'face')})"
        times = number(robustness["mean_ratio"], ".2f")
        yield name, times if times == "-" else f"{times} × that of clean ones", "", ""


def _target_row(name: str, scheme: Mapping[str, Any]) -> tuple[str, ...]:
    score = None
    if scheme["faces"]:
        low, high = scheme["accuracy_interval"]
        score = {"value": scheme["accuracy"], "low": low, "high": high}
    baseline = percent(scheme["majority"])
    return _row(f"accuracy of {name}, the target", score, baseline, is_share=True)


def _row(
    name: str, score: Mapping[str, float] | None, baseline: str = "", is_share: bool = False
) -> tuple[str, ...]:
    if score is None:
        return name, "-", "", baseline
    value, low, high = (
        percent(score[key]) if is_share else f"{score[key]:.2f}" for key in ("value", "low", "high")
    )
    return name, value, f"{low} – {high}", baseline


def _scheme_table(schemes: Mapping[str, Mapping[str, Any]]) -> Table:
    shares = (
        "accuracy",
        "within_one_bin",
        "mean_recall",
        "majority",
        "mean_f1",
        "calibration_error",
    )
    rows = [
        (
            name,
            str(scheme["faces"]),
            *(percent(scheme[key]) for key in shares),
            number(scheme["mean_auc"], ".3f"),
        )
        for name, scheme in schemes.items()
    ]
    header = ("accuracy", "±1 bin", "mean recall", "majority", "mean F1", "calibration error")
    return ("scheme", "faces", *header, "mean AUC"), rows


def group_table(title: str, groups: Mapping[str, Mapping[str, Any]]) -> Table:
    header = (title, "faces", "MAE", "bias", "gender", "range holds", "its years")
    return header, [
        (
            name,
            str(group["faces"]),
            number(group["mae"], ".2f"),
            number(group["bias"], "+.1f"),
            percent(group["gender"]),
            percent(group["range_holds"]),
            number(group["range_years"], ".1f"),
        )
        for name, group in groups.items()
    ]


def percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f} %"


def number(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)
