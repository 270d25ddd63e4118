"""Age and gender of aligned face crops: one batched call of the shipped or a given model.

A model is a `.onnx` or `.keras` file with one input, RGB crops (n, px, px, 3) in 0..255, and two
outputs, `age_probs` (n, 101) and `female_prob` (n,). A `.yaml` file of the same name may lie beside
it; its `age_range`, {age: [low, high], …} or nothing, calibrates the range, see `ages.AgeRange`,
and its `age_prior`, 101 probabilities, says what the model answers on average where it learnt.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from livecam.ages import CENTRAL_RANGE, AgeRange
from livecam.crops import resized
from livecam.datatypes import AGES, AgeGender, Array, Image
from livecam.errors import LivecamError, UsageError
from livecam.extras import load_keras
from livecam.inference import session
from livecam.shipped import shipped_file
from livecam.strict_yaml import parsed
from livecam.views import views

SHIPPED = {"onnx": "models/age_gender.onnx", "keras": "models/age_gender.keras"}
ONNX, KERAS = ".onnx", ".keras"  # what names of models end in
FLOAT32 = "tensor(float)"  # as ONNX Runtime calls it
BATCH = 64  # views of faces, which bounds the memory of one call

_Net = Callable[[Array], tuple[Array, Array]]


class AgeGenderClassifier:
    """Callable: crops (n, px, px, 3) RGB uint8 -> AgeGender of n rows, the mean answer to so many
    views of each. Without a `model` it is the shipped one, as that `runtime` takes it.

    `provider` is what computes: an execution provider of ONNX Runtime, or Keras. `age_range` is the
    range that goes with the model's distributions.
    Raises LivecamError if the model is missing, damaged or of another shape.
    """

    def __init__(
        self,
        model: str | Path = "",
        runtime: str = "onnx",
        threads: int = 0,
        providers: Sequence[str] = (),
    ) -> None:
        self.path = _model_path(model, runtime)
        if self.path.suffix == KERAS:
            self._net, self.input_px = _keras_net(self.path)
            self.provider = "Keras"
        else:
            self._net, self.input_px, self.provider = _onnx_net(self.path, threads, providers)
        self.age_range, _ = _calibration(self.path)

    def __call__(self, crops: Image, count: int = 1) -> AgeGender:
        if not len(crops):
            return AgeGender.none()
        at_once = max(1, BATCH // count)
        starts = range(0, len(crops), at_once)
        parts = [self._answers(crops[start : start + at_once], count) for start in starts]
        return AgeGender(*(np.concatenate(part) for part in zip(*parts, strict=True)))

    def _answers(self, crops: Image, count: int) -> tuple[Array, Array]:
        """(n, 101), (n,): the means of those to the views."""
        seen = np.stack([*views(resized(crops, self.input_px), count)])
        age_probs, female_prob = self._net(seen.reshape(-1, *seen.shape[2:]).astype(np.float32))
        if not (np.isfinite(age_probs).all() and np.isfinite(female_prob).all()):
            raise LivecamError(f"{self.path}: its answers are no numbers; give another model")
        by_view = len(seen), len(crops)
        return (
            age_probs.reshape(*by_view, -1).mean(axis=0),
            female_prob.reshape(by_view).mean(axis=0),
        )


def age_prior(model: str | Path, runtime: str = "onnx") -> Array | None:
    """(101,): how often the model answers each age on faces like those it learnt from; None if
    nothing beside it says so."""
    return _calibration(_model_path(model, runtime))[1]


def uncalibrated(model: str | Path) -> str | None:
    """What to tell the person who gives a model without a calibration; None for all others."""
    path = Path(model)
    if not path.is_file():  # the shipped one, or none
        return None
    beside = path.with_suffix(".yaml")
    if not beside.is_file():
        return f"{path}: no {beside.name} beside it: ranges are not calibrated"
    if _calibration(path)[0] is CENTRAL_RANGE:
        return f"{path}: {beside.name} has no age_range: ranges are not calibrated"
    return None


def _model_path(model: str | Path, runtime: str) -> Path:
    if not model:
        return shipped_file(SHIPPED[runtime])
    path = Path(model)
    if not path.is_file():
        raise LivecamError(f"{path}: no such model; give a .onnx or .keras file")
    if path.suffix not in (ONNX, KERAS):
        raise UsageError(f"{path}: expected a model that ends in {ONNX} or {KERAS}")
    return path


def _onnx_net(path: Path, threads: int, providers: Sequence[str]) -> tuple[_Net, int, str]:
    net = session(path, threads, providers)
    shapes = {output.name: output.shape for output in net.get_outputs()}
    inputs = net.get_inputs()
    if any(given.type != FLOAT32 for given in inputs):
        received = ", ".join(given.type for given in inputs)
        raise LivecamError(f"{path}: expected an input of {FLOAT32}, received {received}")
    input_px = _checked(path, [i.shape for i in inputs], shapes)

    def call(crops: Array) -> tuple[Array, Array]:
        age_probs, female_prob = net.run(["age_probs", "female_prob"], {inputs[0].name: crops})
        return age_probs, female_prob

    return call, input_px, net.get_providers()[0].removesuffix("ExecutionProvider")


def _keras_net(path: Path) -> tuple[_Net, int]:
    model = load_keras(path)
    outputs = model.output if isinstance(model.output, dict) else {}
    shapes = {name: list(output.shape) for name, output in outputs.items()}
    input_px = _checked(path, [list(i.shape) for i in model.inputs], shapes)

    def call(crops: Array) -> tuple[Array, Array]:
        answer = model.predict_on_batch(crops)
        return np.asarray(answer["age_probs"]), np.asarray(answer["female_prob"])

    return call, input_px


def _checked(path: Path, inputs: list[list], outputs: dict[str, list]) -> int:
    """The side of the input, if the model is of the shape that this module takes."""
    has_input = len(inputs) == 1 and len(inputs[0]) == 4 and inputs[0][3] == 3
    side = inputs[0][1] if has_input else None
    fits = (
        has_input
        and isinstance(side, int)
        and side == inputs[0][2]
        and {name: list(shape[1:]) for name, shape in outputs.items()}
        == {"age_probs": [AGES], "female_prob": []}
    )
    if not fits or not isinstance(side, int):
        raise LivecamError(
            f"{path}: not an age and gender model: expected one input (n, px, px, 3) and outputs "
            f"age_probs (n, {AGES}) and female_prob (n,), received {inputs} and {outputs}"
        )
    return side


def _calibration(model: Path) -> tuple[AgeRange, Array | None]:
    """What the file beside a model says; the central range and no prior where there is none."""
    path = model.with_suffix(".yaml")
    if not path.is_file():
        return CENTRAL_RANGE, None
    try:
        said = parsed(path.read_text(encoding="utf-8"), path.name) or {}
        bounds = said["age_range"]
        age_range = CENTRAL_RANGE if bounds is None else AgeRange.by_age(bounds)
    except (OSError, ValueError, KeyError, TypeError, UsageError) as error:
        what = "no age_range" if isinstance(error, KeyError) else " ".join(str(error).split())
        raise LivecamError(
            f"{path}: expected age_range: {{age: [low, high], …}} ({what}); export the model "
            "again, or remove the file: the middle 80 % of its distributions is shown then"
        ) from error
    try:
        return age_range, _prior(said.get("age_prior"))
    except (ValueError, TypeError) as error:
        raise LivecamError(
            f"{path}: age_prior: expected {AGES} probabilities; export the model again"
        ) from error


def _prior(given: object) -> Array | None:
    if given is None:
        return None
    prior = np.array(given, np.float32)
    if prior.shape != (AGES,) or not np.all(prior >= 0) or not prior.sum() > 0:
        raise ValueError(given)
    return prior / prior.sum()
