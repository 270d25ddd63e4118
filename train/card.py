"""The model card that goes with an exported model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from train.recipe import Recipe, as_record, idle
from train.score_tables import markdown, table


def card(
    recipe: Recipe,
    epochs: int,
    run: Mapping[str, Any],
    calibration: Mapping[str, Any],
    scores: dict[str, Any],
) -> str:
    """Markdown: what it takes and gives, what it was trained on and how, for how many `epochs`, and
    what it scores."""
    return "\n".join(_lines(recipe, epochs, run, calibration, scores)) + "\n"


def _lines(
    recipe: Recipe,
    epochs: int,
    run: Mapping[str, Any],
    calibration: Mapping[str, Any],
    scores: dict[str, Any],
) -> Iterator[str]:
    px = recipe.input_px
    arithmetic = "with convolutions in eight bits" if recipe.eight_bits else "in float32"
    yield "# age_gender: what this model is"
    yield ""
    yield "Written by `python -m train.export`."
    yield ""
    yield f"**Input**: `crop`, RGB (n, {px}, {px}, 3), 0 to 255, aligned by `livecam.crops`."
    yield "**Outputs**: `age_probs` (n, 101), a distribution over the ages 0 to 100, and"
    yield f"`female_prob` (n,). The ONNX file computes {arithmetic}."
    if not run["knows_gender"]:
        yield "It has not learnt the gender: `female_prob` is 0.5 for everybody."
    yield ""
    yield f"Trained on {run['faces']} faces (hash of all pictures, ages and parts of the data, not"
    yield f"of genders: `{run['data_hash']}`) by the code of revision"
    yield f"`{run.get('revision') or 'unknown'}`. Its ages are what the data's labels call"
    yield "so: in most data sets how old people look to others. Do not decide anything about a"
    yield "single person by it."
    yield ""
    yield "## Recipe"
    yield ""
    yield "What differs from the defaults of `recipes/README.md`:"
    yield ""
    values, defaults = as_record(recipe), as_record(Recipe())
    shown = [key for key in values if values[key] != defaults[key] and key not in idle(values)]
    yield from markdown(("key", "value"), ((f"`{key}`", str(values[key])) for key in shown))
    yield ""
    if 0 < epochs < recipe.epochs:
        yield f"It ended after {epochs} of {recipe.epochs} epochs."
        yield ""
    yield "## Calibration and agreement"
    yield ""
    yield from _range(calibration["age_range"])
    yield ""
    years, points = calibration["onnx_mae_difference"], calibration["onnx_gender_difference"]
    yield f"The ONNX file and the Keras file differ by {years:+.3f} years of mean absolute error"
    yield f"and {points:+.2f} points of gender accuracy on the dev part."
    yield ""
    yield "## Scores on the dev part"
    yield ""
    chosen = "epoch was" if calibration["age_range"] is None else "epoch and the calibration were"
    yield f"The {chosen} chosen on these faces: scores on others are worse."
    yield ""
    yield from table(scores)


def _range(bounds: Mapping[int, Sequence[float]] | None) -> Iterator[str]:
    if bounds is None:
        yield "The range is not calibrated: the middle 80 % of the distribution is shown."
        return
    yield "A year belongs to the range of a face where the distribution has"
    yield ""
    named = enumerate(("P(age ≤ year) of at least", "P(age < year) below"))
    rows = ((name, *(f"{both[i]:.2f}" for both in bounds.values())) for i, name in named)
    yield from markdown(("year", *map(str, bounds)), rows)
    yield ""
    yield "The range is meant to hold the ages of four in five people of every age; what it holds"
    yield "of each band of ages is below."
