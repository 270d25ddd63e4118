"""Write what `livecam` runs, from a trained network: the master `.keras`, the `.onnx`, the `.yaml`.

The weights are rounded first, in both files alike, so that the ONNX file holds them in half
precision and still says what the master says. Arithmetic stays float32.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from livecam.ages import RANGE_SHARE, sharpened
from livecam.errors import LivecamError
from livecam.extras import import_keras, require
from train import faces, metrics
from train.cli import run
from train.run_folder import RunFolder

NAME = "age_gender"
SUFFIXES = ("keras", "onnx", "yaml")
OPSET = 17
MAX_DIFFERENCE = 1e-4  # in probabilities, between master and export
POWERS = np.arange(0.5, 3.01, 0.02)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m train.export", description=__doc__)
    parser.add_argument("run", type=Path, help="a run's folder, of python -m train.fit")
    parser.add_argument("--data", type=Path, required=True, help="the faces it was trained on: "
                        "their dev part calibrates the age range")  # fmt: skip
    parser.add_argument("--out", type=Path, default=Path("models"), help="folder (models)")
    return run(_export, parser, argv)


def _export(args: argparse.Namespace) -> None:
    for module in ("tensorflow", "tf2onnx"):
        require(module, "train")
    keras = import_keras()
    trained = RunFolder(args.run)
    source = trained.model
    if not source.is_file():
        raise LivecamError(f"{source}: no such model; python -m train.fit writes it at its end")
    dev = faces.load(args.data, "dev")
    trained.require_same_data(args.data, dev.data_hash)
    master = keras.models.load_model(source, compile=False)
    round_weights(master)
    args.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=args.out) as folder:
        _write_checked(master, dev, Path(folder))
        for suffix in SUFFIXES:  # all three are good: only now do they replace others
            (Path(folder) / f"{NAME}.{suffix}").replace(args.out / f"{NAME}.{suffix}")
    for suffix in SUFFIXES:
        print(args.out / f"{NAME}.{suffix}")


def _write_checked(master: Any, dev: faces.FaceSet, folder: Path) -> None:
    """The three files. Raises LivecamError if the ONNX file does not say what the master says."""
    master.save(folder / f"{NAME}.keras")
    write_onnx(master, folder / f"{NAME}.onnx")
    crops = dev.crops.resized(master.input.shape[1])
    answers = master.predict(crops, batch_size=64, verbose=0)
    difference = _difference(folder / f"{NAME}.onnx", crops[:256].astype(np.float32), answers)
    if difference > MAX_DIFFERENCE:
        raise LivecamError(f"{NAME}.onnx differs from the master by {difference:.1e}; not usable")
    power, held = calibrated_power(answers["age_probs"], dev.age)
    record = {
        "age_power": round(power, 3),
        "data_hash": dev.data_hash,
        "onnx_difference": float(f"{difference:.1e}"),
    }
    (folder / f"{NAME}.yaml").write_text(_HEADER + yaml.safe_dump(record, sort_keys=False))
    print(
        f"age_power {power:.2f}: the {RANGE_SHARE:.0%} range holds {held:.1%} of {len(dev)} dev "
        f"labels; ONNX differs from the master by {difference:.1e}",
        file=sys.stderr,
    )


_HEADER = """# Written by `python -m train.export`.
# age_power: exponent that calibrates the age distribution, chosen on the dev part so that the
#   central 80 % range holds 80 % of the labels
# data_hash: of the faces it was trained on; onnx_difference: to the master, in probabilities
"""


def round_weights(net: Any) -> None:
    """Change every kernel a little, so that half precision holds it exactly in the ONNX file.

    There a convolution has taken in a normalisation behind it, so what is rounded is the kernel
    times that normalisation's gain. A depthwise convolution must have none.
    """
    gains = {}
    for layer in net.layers:
        if type(layer).__name__ == "BatchNormalization":
            gamma, _, _, variance = layer.get_weights()
            before = layer.input._keras_history.operation
            gains[before.name] = gamma / np.sqrt(variance + layer.epsilon)
    for layer in net.layers:
        if type(layer).__name__ in ("Conv2D", "DepthwiseConv2D", "Dense"):
            kernel, *rest = layer.get_weights()
            gain = gains.get(layer.name, np.float32(1))
            gain = np.where(gain == 0, np.float32(1), gain)
            half = (kernel * gain).astype(np.float16).astype(np.float32)
            layer.set_weights([half / gain, *rest])


def write_onnx(net: Any, path: Path) -> None:
    """An ONNX file with input `crop` (n, px, px, 3), outputs `age_probs` and `female_prob`, and
    weights in half precision that are widened when it is loaded."""
    import keras
    import onnx

    if keras.backend.backend() != "tensorflow":
        raise LivecamError("the export needs Keras on TensorFlow: KERAS_BACKEND=tensorflow")
    import tensorflow as tf
    import tf2onnx

    crop = tf.TensorSpec((None, *net.input.shape[1:]), tf.float32, name="crop")
    function = tf.function(lambda crop: net(crop, training=False))
    model, _ = tf2onnx.convert.from_function(function, [crop], opset=OPSET)
    _name_outputs(model)
    _halve_weights(model)
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())


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
    """Store the kernels as float16 and cast them back; `round_weights` has made that lossless."""
    import onnx
    from onnx import numpy_helper

    casts = []
    for constant in model.graph.initializer:
        values = numpy_helper.to_array(constant)
        if values.size < 1024 or values.ndim < 2 or values.dtype != np.float32:
            continue
        half = values.astype(np.float16)
        name = constant.name
        constant.CopyFrom(numpy_helper.from_array(half, f"{name}_half"))
        casts.append(
            onnx.helper.make_node("Cast", [f"{name}_half"], [name], to=onnx.TensorProto.FLOAT)
        )
    for cast in reversed(casts):
        model.graph.node.insert(0, cast)


def _difference(path: Path, crops: np.ndarray, answers: dict[str, np.ndarray]) -> float:
    from livecam.inference import session

    names = ("age_probs", "female_prob")
    outputs = session(path).run(list(names), {"crop": crops})
    return max(
        float(np.abs(output - answers[name][: len(crops)]).max())
        for name, output in zip(names, outputs, strict=True)
    )


def calibrated_power(age_probs: np.ndarray, ages: np.ndarray) -> tuple[float, float]:
    """The exponent under which the central range holds its share of `ages` most nearly, and the
    share that it then holds."""
    best = (2.0, 1.0, 0.0)
    for power in POWERS:
        held = float(metrics.held(sharpened(age_probs, power), ages).mean())
        best = min(best, (abs(held - RANGE_SHARE), float(power), held))
    return best[1], best[2]


if __name__ == "__main__":
    sys.exit(main())
