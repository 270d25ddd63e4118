"""Write what `livecam` takes, from a trained network: the master `.keras`, the `.onnx` that runs,
the `.yaml` that calibrates it, and the model card `.md`.

The weights are rounded first, in both files alike, so that the ONNX file holds them in half
precision and still says what the master says; arithmetic stays float32. A network that was trained
for it (`eight_bits` in its recipe) computes in eight bits in the ONNX file.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import logging
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import yaml
from onnx import numpy_helper

from livecam import views
from livecam.ages import median_age
from livecam.arguments import Parser
from livecam.classifier import AgeGenderClassifier
from livecam.config import load_config
from livecam.datatypes import AgeGender, Array
from livecam.errors import LivecamError, UsageError
from livecam.exit_codes import exit_code
from livecam.extras import load_keras, require
from livecam.files import check_folder
from livecam.wording import counted
from train import faces, metrics
from train.calibrate import MIN_FACES, age_prior, range_bounds
from train.card import card
from train.evaluate import answers, score_model
from train.labels import Labels
from train.recipe import Recipe
from train.run_folder import RunFolder
from train.scores import age_errors, gender_judged

NAME = "age_gender"
SUFFIXES = ("keras", "onnx", "yaml", "md")
OPSET = 17
MAX_DIFFERENCE = 1e-4  # in probabilities, between master and export
MAX_YEARS, MAX_POINTS = 0.03, 0.2  # of MAE and of gender accuracy, where it is in eight bits
MANY = 1516  # faces, as recipes/shipped-dev.txt has; of fewer, a few alone move a mean further
ANY_YEARS = 0.5  # however few they are


def main(argv: list[str] | None = None) -> int:
    parser = Parser(prog="python -m train.export", description=__doc__)
    parser.add_argument("run", type=Path, help="a run's folder, from python -m train.fit")
    parser.add_argument("--data", type=Path, required=True, help="the faces it was trained on: "
                        "their dev part calibrates the age range")  # fmt: skip
    parser.add_argument("--out", type=Path, help="folder to write to (`exported` in the run's)")
    parser.add_argument("--overwrite", action="store_true", help="replace an existing model")
    return exit_code(_export, parser, argv)


def _export(args: argparse.Namespace) -> None:
    out = args.out or args.run / "exported"
    is_taken = any((out / f"{NAME}.{suffix}").exists() for suffix in SUFFIXES)
    if out.resolve() == args.run.resolve():
        raise UsageError(f"{out}: is the run itself; choose another --out")
    if is_taken and not args.overwrite:
        raise UsageError(f"{out}: holds a model; choose another --out or give --overwrite")
    check_folder("--out", out)
    load_config()  # read again for the card, when it is late for mistakes
    for module in ("tensorflow", "tf2onnx"):
        require(module, "train")
    trained = RunFolder(args.run)
    source = trained.model
    if not source.is_file():
        raise LivecamError(f"{source}: no such model; python -m train.fit writes it after an epoch")
    record = trained.record()
    recipe = record["recipe"]
    dev = faces.load(args.data, "dev", recipe.datasets)
    trained.require_same_data(args.data, dev)
    epochs = len(trained.log())
    if 0 < epochs < recipe.epochs and not recipe.early_stopping:
        print(
            f"{args.run}: {epochs} of its {recipe.epochs} epochs are done: the best of these is "
            "exported; train.fit --resume goes on",
            file=sys.stderr,
        )
    master = load_keras(source)
    if not recipe.eight_bits:
        round_weights(master)
    with _folder(out), tempfile.TemporaryDirectory(dir=out) as folder:
        made = Path(folder)
        calibration = _write_checked(master, recipe, dev, made, trained.knows_gender())
        scores = score_model(made / f"{NAME}.onnx", args.data, recipe)
        (made / f"{NAME}.md").write_text(
            card(recipe, epochs, record, calibration, scores), encoding="utf-8"
        )
        for suffix in SUFFIXES:  # all are good: only now do they replace others
            (made / f"{NAME}.{suffix}").replace(out / f"{NAME}.{suffix}")
    for suffix in SUFFIXES:
        print(out / f"{NAME}.{suffix}")


@contextlib.contextmanager
def _folder(path: Path) -> Iterator[None]:
    """Made if there is none, and then not left behind empty."""
    was_there = path.exists()
    path.mkdir(parents=True, exist_ok=True)
    try:
        yield
    finally:
        if not was_there and not any(path.iterdir()):
            path.rmdir()


def _write_checked(
    master: Any, recipe: Recipe, dev: faces.FaceSet, folder: Path, knows_gender: bool
) -> dict[str, Any]:
    """The model in its two forms and its calibration, which is returned too.

    Raises LivecamError if the ONNX file does not say what the master says.
    """
    kept, runs = folder / f"{NAME}.keras", folder / f"{NAME}.onnx"
    master.save(kept)
    write_onnx(master, recipe, runs)
    classifier = AgeGenderClassifier(runs)
    differences = _require_alike(
        answers(AgeGenderClassifier(kept), dev.crops),
        answers(classifier, dev.crops),
        dev.labels,
        recipe.eight_bits,
    )
    answer = answers(functools.partial(classifier, count=views.COUNT), dev.crops)
    record = {
        "age_range": _bounds(answer.age_probs, dev),
        "age_prior": age_prior(answer.age_probs),
        "data_hash": dev.data_hash,
        "knows_gender": knows_gender,
        **differences,
    }
    written = yaml.safe_dump(record, sort_keys=False, default_flow_style=None)
    (folder / f"{NAME}.yaml").write_text(_HEADER + written, encoding="utf-8")
    said = ", ".join(f"{name} {value:g}" for name, value in differences.items())
    print(f"the ONNX file and the master: {said}", file=sys.stderr)
    return record


def _bounds(age_probs: Array, dev: faces.FaceSet) -> dict[int, list[float]] | None:
    """The calibration of the range, by the faces whose age is known to the year; None without."""
    exact = ~dev.labels.is_interval
    if exact.sum() < MIN_FACES:
        print(
            f"the age range is not calibrated: expected at least {MIN_FACES} faces of the dev part "
            f"with an exact age, got {exact.sum()}; the middle of the distribution is shown",
            file=sys.stderr,
        )
        return None
    return range_bounds(age_probs[exact], dev.labels.age[exact])


def _require_alike(
    master: AgeGender, export: AgeGender, labels: Labels, eight_bits: bool
) -> dict[str, float]:
    """How far the ONNX file is from the master: in probabilities and, as the dev part scores it,
    in years of mean absolute error and points of gender accuracy.

    Raises LivecamError if that is too far.
    """
    probs = max(
        float(np.abs(export.age_probs - master.age_probs).max()),
        float(np.abs(export.female_prob - master.female_prob).max()),
    )
    years = _mae(export, labels) - _mae(master, labels)
    points = 100 * (_gender(export, labels) - _gender(master, labels))
    if eight_bits:
        most_years = min(ANY_YEARS, MAX_YEARS * _by_chance(len(labels)))
        most_points = MAX_POINTS * _by_chance(int((labels.gender >= 0).sum()))
        is_far = not (abs(years) <= most_years and abs(points) <= most_points)
        expected = f"{most_years:.3f} years and {most_points:.2f} points"
        other = "train it for more epochs or with a lower learning_rate, or "
    else:
        is_far = not probs <= MAX_DIFFERENCE  # nor where it is no number
        expected, other = f"{MAX_DIFFERENCE:.0e} in probabilities", ""
    if is_far:
        raise LivecamError(
            f"{NAME}.onnx differs from the master by {probs:.1e} in probabilities, {years:+.3f} "
            f"years of error and {points:+.2f} points of gender on {counted(len(labels), 'face')}; "
            f"expected {expected} at most: {other}give livecam --model the run's {NAME}.keras"
        )
    return {
        "onnx_difference": float(f"{probs:.1e}"),
        "onnx_mae_difference": round(years, 4),
        "onnx_gender_difference": round(points, 3),
    }


def _by_chance(n: int) -> float:
    """How many times as far the mean over n faces may differ: by as many of them as of many."""
    return max(1.0, MANY / max(1, n))


def _mae(answer: AgeGender, labels: Labels) -> float:
    return metrics.mae(age_errors(median_age(answer.age_probs), labels))


def _gender(answer: AgeGender, labels: Labels) -> float:
    is_right, known = gender_judged(labels, answer)
    return float(is_right[known].mean()) if known.any() else 0.0


_HEADER = """# Written by `python -m train.export`.
# age_range: a year belongs to the range of a face where P(age <= it) and P(age < it) are at least
#   and below these, by the year; chosen on the dev part, and meant to hold the ages of four in five
#   people of every age; null: not calibrated
# age_prior: mean answer on the dev part, a probability for each year from 0; from it livecam report
#   takes how common an age was where the network learnt
# data_hash: of all pictures, ages and parts of the data that it was trained on, not of genders
# knows_gender: whether it has learnt that
# onnx_…difference: of the ONNX file to the master on the dev part: largest in probabilities, years
#   of mean absolute error, points of gender accuracy
"""


def round_weights(net: Any) -> None:
    """Change every kernel a little, so that half precision holds it exactly in the ONNX file.

    There a convolution, unless it is a depthwise one, has taken in a normalisation right behind it,
    so what is rounded is the kernel times that normalisation's gain.
    """
    from train.architectures import all_layers

    found = all_layers(net)
    gains = dict(_gains(found))
    for layer in found:
        weights = layer.get_weights()
        kernels = [i for i, weight in enumerate(weights) if weight.ndim > 1]
        for i in kernels:
            gain = gains.get(id(layer), np.float32(1)) if i == kernels[-1] else np.float32(1)
            weights[i] = (weights[i] * gain).astype(np.float16).astype(np.float32) / gain
        layer.set_weights(weights)


def _gains(found: list[Any]) -> Iterator[tuple[int, np.ndarray]]:
    """The `id` of each convolution that takes in a normalisation, and its gain (channels,)."""
    from keras import activations, layers

    for layer in found:
        if not isinstance(layer, layers.BatchNormalization):
            continue
        conv = layer.input._keras_history.operation
        is_full = isinstance(conv, layers.Conv2D | layers.SeparableConv2D)
        if not is_full or conv.activation is not activations.linear:
            continue
        gamma = layer.gamma.numpy() if layer.scale else np.float32(1)
        gain = gamma / np.sqrt(layer.moving_variance.numpy() + layer.epsilon)
        yield id(conv), np.where(gain == 0, np.float32(1), gain)


def write_onnx(master: Any, recipe: Recipe, path: Path) -> None:
    """An ONNX file with input `crop` (n, px, px, 3), outputs `age_probs` and `female_prob`, and
    weights in half precision that are widened when it is loaded; or in eight bits, pixels too."""
    import keras

    from train import architectures
    from train.eight_bits import in_eight_bits

    if keras.backend.backend() != "tensorflow":
        raise LivecamError("the export needs Keras on TensorFlow: KERAS_BACKEND=tensorflow")
    import tensorflow as tf
    import tf2onnx

    # an optimiser of its stumbles over numbers without a shape: it is left out, with a traceback
    logging.getLogger("tf2onnx.optimizer").setLevel(logging.ERROR)
    net = architectures.unrounded(master, recipe) if recipe.eight_bits else master
    crop = tf.TensorSpec((None, *net.input.shape[1:]), tf.float32, name="crop")
    function = tf.function(lambda crop: net(crop, training=False))
    model, _ = tf2onnx.convert.from_function(function, [crop], opset=OPSET)
    _keep_constants(model, function.get_concrete_function(crop))
    _name_outputs(model)
    if recipe.eight_bits:
        in_eight_bits(model)
    else:
        _halve_weights(model)
    try:
        onnx.checker.check_model(model)
    except onnx.checker.ValidationError as error:
        reason = str(error).partition("\n")[0]
        raise LivecamError(
            f"{recipe.architecture} has no ONNX form ({reason}); give livecam --model the run's "
            f"{NAME}.keras, or train another architecture"
        ) from error
    path.write_bytes(model.SerializeToString())


def _keep_constants(model: Any, function: Any) -> None:
    """Arrays in a network that are not weights, of which tf2onnx makes inputs behind the first,
    become constants. They are in the order in which the function has caught them."""
    import tensorflow as tf

    caught = [tensor for tensor in function.captured_inputs if tensor.dtype != tf.resource]
    for entry, tensor in zip(list(model.graph.input)[1:], caught, strict=True):
        model.graph.initializer.append(numpy_helper.from_array(tensor.numpy(), entry.name))
        model.graph.input.remove(entry)


def _name_outputs(model: Any) -> None:
    """tf2onnx names outputs by their order; they are told apart by their shape."""
    for output in model.graph.output:
        rank = len(output.type.tensor_type.shape.dim)
        wanted = "age_probs" if rank == 2 else "female_prob"
        for node in model.graph.node:
            for i, name in enumerate(node.output):
                if name == output.name:
                    node.output[i] = wanted
            for i, name in enumerate(node.input):
                if name == output.name:
                    node.input[i] = wanted
        output.name = wanted


def _halve_weights(model: Any) -> None:
    """Store as float16, and cast back, what that does not change: the kernels, as `round_weights`
    has left them, unless the conversion has made something else of one."""
    casts = []
    for constant in model.graph.initializer:
        values = numpy_helper.to_array(constant)
        if values.size < 1024 or values.ndim < 2 or values.dtype != np.float32:
            continue
        half = values.astype(np.float16)
        if not np.allclose(half.astype(np.float32), values, rtol=1e-6, atol=0):
            continue
        name = constant.name
        constant.CopyFrom(numpy_helper.from_array(half, f"{name}_half"))
        casts.append(
            onnx.helper.make_node("Cast", [f"{name}_half"], [name], to=onnx.TensorProto.FLOAT)
        )
    for cast in reversed(casts):
        model.graph.node.insert(0, cast)


if __name__ == "__main__":
    sys.exit(main())
