"""The report of `train.evaluate`: its sections, in the order in which they are read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from livecam.ages import RANGE_SHARE, AgeScheme, median_age
from livecam.classifier import AgeGenderClassifier
from livecam.datatypes import AGES, AgeGender
from livecam.document import table
from livecam.progress import Progress
from livecam.wording import counted
from train import faces, metrics, plots, report
from train.labels import GENDERS, Labels
from train.report import Section
from train.saliency import occlusion_map
from train.score_tables import (
    GROUPINGS,
    choice_note,
    group_table,
    interval_note,
    missing_note,
    number,
    part,
    percent,
    tables,
)
from train.scores import age_bands, age_errors, bins_of, gender_confidence, gender_judged

PRIVATE = (
    "These are pictures of people, who did not agree to be shown here. Keep this file to yourself; "
    "--no-gallery makes one without faces."
)


def page(
    scores: dict[str, Any],
    labels: Labels,
    answer: AgeGender,
    schemes: Mapping[str, AgeScheme],
    gallery: Section | None,
) -> str:
    """The whole file. `scores` are those of these labels and answers in `schemes`, with
    `robustness`."""
    title = f"{scores['model']}: {counted(scores['faces'], 'face')} of {part(scores)}"
    intro = [
        report.text(
            f"Data hash {scores['data_hash']}; views of each face: {scores['views']}. Labels are "
            "guesses or records of the data sets; an error is the answered minus the labelled age. "
            "Intervals are 95 % bootstrap intervals."
        )
    ]
    if scores["target"] is not None:
        intro.append(report.note(choice_note(scores)))
    if scores["interval_labels"]:
        intro.append(report.note(interval_note(scores)))
    if scores.get("missing"):
        intro.append(report.note(missing_note(scores["missing"])))
    sections = [
        _summary(scores),
        _calibration(scores, labels, answer, schemes),
        _schemes(scores),
        _ages(scores, labels, answer),
        _groups(scores),
        _robustness(scores["robustness"]),
    ]
    if gallery is not None:
        intro.append(report.note(PRIVATE))
        sections.append(gallery)
    return report.page(title, intro, sections)


def _summary(scores: dict[str, Any]) -> Section:
    measures, schemes, *_ = tables(scores)
    return Section("Measures and baselines", [table(*measures), table(*schemes)])


def _calibration(
    scores: dict[str, Any], labels: Labels, answer: AgeGender, schemes: Mapping[str, AgeScheme]
) -> Section:
    central = scores["central_ranges"]
    figure = plots.range_calibration(
        [row["share"] for row in central],
        [row["holds"] for row in central],
        (RANGE_SHARE, scores["range_holds"]) if scores["range_is_calibrated"] else None,
    )
    drawings = [report.drawing(figure, "Age ranges: how many labels they hold.")]
    for name, scheme in schemes.items():
        truth, rows = bins_of(labels.low, labels.high, scheme)
        if rows.any():
            probs = scheme.bin_probs(answer.age_probs[rows])
            points = metrics.reliability(probs.max(axis=1), probs.argmax(axis=1) == truth[rows])
            figure = plots.reliability(*points, "probability of the likeliest")
            drawings.append(report.drawing(figure, f"Likeliest class of {name}."))
    is_right, known = gender_judged(labels, answer)
    if known.any():
        points = metrics.reliability(gender_confidence(answer)[known], is_right[known])
        figure = plots.reliability(*points, "probability of the answered gender", least=0.5)
        drawings.append(report.drawing(figure, "Gender."))
    return Section(
        "Calibration",
        [
            report.text("A point on the dashed line means what it says; its area is its faces."),
            report.row(*drawings),
            *_ranges(scores),
        ],
    )


def _ranges(scores: dict[str, Any]) -> Iterator[str]:
    """What middle ranges hold, and the one that is shown."""
    rows = [
        (f"middle {100 * row['share']:.0f} %", percent(row["holds"]), f"{row['years']:.1f}")
        for row in scores["central_ranges"]
    ]
    if scores["range_is_calibrated"]:
        shown = percent(scores["range_holds"]), number(scores["range_years"], ".1f")
        rows.append((f"{100 * RANGE_SHARE:.0f} %, as shown", *shown))
        kind = "The range that is shown holds the years that are plausible by themselves."
    else:
        kind = f"This model is not calibrated: the middle {100 * RANGE_SHARE:.0f} % is shown."
    yield report.text(
        "A middle range leaves out as much of the distribution on either side. " + kind
    )
    yield table(("range", "holds the label", "mean width, years"), rows)


def _schemes(scores: dict[str, Any]) -> Section:
    header = ("class", "faces", "precision", "recall", "F1", "ROC-AUC")
    parts = [report.text("A row is a labelled class, its cells say what was answered.")]
    for name, scheme in scores["schemes"].items():
        if not scheme["faces"]:
            parts.append(report.text(f"{name}: no label lies in one of its classes."))
            continue
        rows = [
            (
                c["label"],
                str(c["faces"]),
                *(percent(c[key]) for key in ("precision", "recall", "f1")),
                number(c["auc"], ".3f"),
            )
            for c in scheme["classes"]
        ]
        means = (
            *(percent(scheme[f"mean_{key}"]) for key in ("precision", "recall", "f1")),
            number(scheme["mean_auc"], ".3f"),
        )
        rows.append(("mean of the classes", str(scheme["faces"]), *means))
        labels = [c["label"] for c in scheme["classes"]]
        figure = plots.confusion(np.array(scheme["confusion"]), labels)
        summary = f"{name}: {percent(scheme['accuracy'])} right, {len(labels)} classes"
        both = report.row(report.drawing(figure), table(header, rows))
        parts.append(report.foldable(summary, both))
    return Section("Age schemes", parts)


def _ages(scores: dict[str, Any], labels: Labels, answer: AgeGender) -> Section:
    ages = median_age(answer.age_probs)
    errors = age_errors(ages, labels)
    constant = age_errors(np.full(len(labels), scores["constant"]["age"]), labels)
    middle = ", that of an interval at its middle" if scores["interval_labels"] else ""
    drawings = [report.drawing(plots.age_scatter(labels.age, ages), f"A point is a face{middle}.")]
    bands = [(name, rows) for name, rows in age_bands(labels.low, labels.high) if rows.any()]
    if bands:
        figure = plots.errors_by_band(errors, bands)
        boxes = "Boxes hold the middle half of the faces, whiskers the middle 90 %."
        drawings.append(report.drawing(figure, boxes))
    curve = plots.cs_curve(*map(metrics.cs_curve, (errors, constant)))
    drawings.append(report.drawing(curve))
    return Section("Error by age", [report.row(*drawings)])


def _groups(scores: dict[str, Any]) -> Section:
    mean = scores["mae"]["value"]
    keys = (*GROUPINGS, ("age and gender", "by_age_and_gender"), ("picture", "by_picture"))
    parts = [
        report.text(
            "Groups are those of the data sets' labels and coarse; small ones say little. The "
            f"genders are {' and '.join(GENDERS)}, as annotated. Sharpness, light and contrast are "
            "of the aligned crop, in quarters of these faces."
        )
    ]
    for title, key in keys:
        groups = {name: group for name, group in scores[key].items() if group["faces"]}
        if groups:
            figure = report.drawing(plots.group_bars(groups, mean))
            parts.append(report.row(figure, table(*group_table(title, groups))))
    return Section("Error by group and picture", parts)


def _robustness(robustness: dict[str, Any]) -> Section:
    rows = [
        (
            f"{name}, {curve['unit']}",
            f"{curve['usual']:g}",
            f"{curve['maes'][curve['levels'].index(curve['usual'])]:.2f}",
            number(curve["usual_ratio"], ".2f"),
        )
        for name, curve in robustness["curves"].items()
    ]
    rows.append(("mean", "", "", number(robustness["mean_ratio"], ".2f")))
    return Section(
        "Degraded pictures",
        [
            report.text(
                f"The same {counted(robustness['faces'], 'face')}, made worse; clean, their MAE is "
                f"{robustness['clean_mae']:.2f} years. Orange points are the levels of the table."
            ),
            report.drawing(plots.robustness(robustness["curves"])),
            table(("change", "level", "MAE, years", "× the clean error"), rows),
        ],
    )


def gallery(
    data: faces.FaceSet,
    answer: AgeGender,
    classify: AgeGenderClassifier,
    count: int,
) -> Section:
    """The faces with the largest errors, and where on them the answer hangs."""
    labels, ages = data.labels, median_age(answer.age_probs)
    errors = age_errors(ages, labels)
    ranges = classify.age_range(answer.age_probs)
    rows = np.argsort(-np.abs(errors), kind="stable")[:count]
    cards = []
    with Progress("explain", len(rows), "faces") as progress:
        for row in rows:
            crop = data.crops[row : row + 1][0]
            years = occlusion_map(classify, crop)
            low, high = ranges[row]
            marks = (
                (min(labels.low[row], AGES - 1), min(labels.high[row], AGES - 1), plots.GREEN),
                (ages[row], ages[row], plots.ORANGE),
            )
            said = f"{ages[row]:.0f} ({low}-{high}), {_gender(answer.female_prob[row])}"
            cards.append(
                report.card(
                    report.picture(crop, f"face labelled {_label(labels, row)}"),
                    report.picture(plots.heat(crop, years), "map by occlusion"),
                    report.sparkline(answer.age_probs[row].tolist(), marks),
                    report.text(f"labelled {_label(labels, row)}; answered {said}"),
                    report.text(f"map: up to {np.abs(years).max():.1f} years"),
                    f'<div class="name">{report.escape(f"{data.dataset[row]} {data.file[row]}")}'
                    "</div>",
                )
            )
            progress.step()
    return Section(
        f"The {counted(len(cards), 'largest error')}",
        [
            report.note(PRIVATE),
            report.text(
                "Below each face: the age distribution, the label in green, the answer in orange, "
                f"and in brackets the {100 * RANGE_SHARE:.0f} % range. The map says what changes "
                "when a place is covered (Zeiler and Fergus 2014): red places make the face look "
                "older, blue ones younger."
            ),
            report.row(*cards),
        ],
    )


def _label(labels: Labels, row: int) -> str:
    age = (
        f"{labels.low[row]}-{labels.high[row]}"
        if labels.is_interval[row]
        else f"{labels.low[row]}"  # completed years
    )
    gender = labels.gender[row]
    return f"{age}, {GENDERS[gender] if gender >= 0 else 'gender unknown'}"


def _gender(female_prob: float) -> str:
    return f"{GENDERS[int(female_prob >= 0.5)]} {100 * max(female_prob, 1 - female_prob):.0f} %"
