"""Arithmetic in eight bits: what is trained, what is deployed and what ONNX Runtime computes."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from with_keras import keras_module

from livecam.classifier import AgeGenderClassifier
from train.recipe import Recipe

RECIPE = Recipe(architecture="mobilenet", eight_bits=True, input_px=64)
GREY = dataclasses.replace(RECIPE, gray=True)


@pytest.fixture(scope="module")
def trained() -> Any:
    return _trained(RECIPE)


def _trained(recipe: Recipe) -> Any:
    """A network whose activations are neither all 0 nor all 6, with one channel that is dead."""
    architectures = keras_module("architectures")
    net = architectures.build(recipe)
    rng = np.random.default_rng(0)
    for layer in net.layers:
        if layer.name.startswith("conv"):
            kernel, bias = layer.get_weights()
            fan_in = 9 if "_dw_" in layer.name else np.prod(kernel.shape[:3])
            scale = np.sqrt(2 / fan_in) / (60 if layer.name == "conv1" else 1)
            kernel = rng.normal(0, scale, kernel.shape)
            if layer.name == "conv_pw_3":
                kernel[..., 7], bias[7] = 0, 2.0
            layer.set_weights([kernel, bias + 0.05])
    return net


def _pictures() -> np.ndarray:
    rng = np.random.default_rng(1)
    return np.kron(rng.uniform(0, 255, (8, 8, 8, 3)), np.ones((1, 8, 8, 1))).astype(np.float32)


@pytest.mark.parametrize("kind", ["float32", "float16", "bfloat16"])
def test_a_channel_of_zeros_stays_one_in_any_precision(kind: str) -> None:
    ops = keras_module("architectures").rounding.ops
    rounded = keras_module("architectures").rounding._nearest(
        ops.convert_to_tensor([[[[0.0, 1.0], [0.0, 0.3]]]], dtype=kind), (0, 1, 2)
    )
    want = [[0, 1], [0, 19 / 63]]
    np.testing.assert_allclose(ops.cast(rounded, "float32")[0, 0], want, rtol=4e-3)


def test_kernels_and_activations_have_few_values(trained: Any) -> None:
    import keras

    from train import architectures

    master = architectures.deployed(trained, RECIPE)
    kernel, _ = master.get_layer("conv_pw_5").get_weights()
    assert max(len(np.unique(channel)) for channel in kernel[0, 0].T) <= 127
    kernel, _ = master.get_layer("conv_dw_5").get_weights()
    assert np.abs(kernel[..., 0] / np.abs(kernel[..., 0]).max(axis=(0, 1)) * 63 % 1).min() < 1e-4
    pooled = next(layer for layer in master.layers if "pooling" in layer.name)
    values = keras.Model(master.input, pooled.input)(_pictures()).numpy()
    assert values.min() >= 0 and values.max() <= 6
    np.testing.assert_allclose(values * 255 / 6, np.round(values * 255 / 6), atol=1e-3)
    assert len(np.unique(values)) > 20


@pytest.mark.parametrize(("recipe", "floats"), [(RECIPE, 0), (GREY, 2)])
def test_onnx_runtime_computes_in_integers_and_says_the_same(
    recipe: Recipe, floats: int, tmp_path: Path, capfd: Any
) -> None:
    import onnx
    import onnxruntime

    from train import architectures, export

    master = architectures.deployed(_trained(recipe), recipe)
    path = tmp_path / "a.onnx"
    export.write_onnx(master, recipe, path)
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimised.onnx")
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    operations = [node.op_type for node in onnx.load(tmp_path / "optimised.onnx").graph.node]
    # pictures are made grey by one of two that are not in integers
    assert (operations.count("QLinearConv"), operations.count("Conv")) == (27 - floats // 2, floats)
    # the last picture, and what is made grey: integers are multiplied as they lie
    assert operations.count("Transpose") <= 1 + floats
    age, female = session.run(["age_probs", "female_prob"], {"crop": _pictures()})
    known = master.predict_on_batch(_pictures())
    assert np.ptp(known["female_prob"]) > 1e-3
    np.testing.assert_allclose(female, known["female_prob"], atol=0.01)
    np.testing.assert_allclose(age, known["age_probs"], atol=0.01)


def test_kernels_of_a_mean_are_rounded_to_what_pictures_make_of_them() -> None:
    import keras

    from train import architectures
    from train.architectures.fitted_rounding import fit_rounding

    net = _trained(RECIPE)
    for layer in net.layers:
        if "conv_pw" in layer.name:
            kernel, bias = layer.get_weights()
            kernel[0, 0, 0] *= 20  # so that steps are wide
            layer.set_weights([kernel, bias])
    exact = architectures.build(RECIPE, rounds_kernels=False)
    exact.set_weights(net.get_weights())
    pictures = _pictures()

    def features(of: Any) -> np.ndarray:
        return keras.Model(of.input, of.get_layer("feats").output)(pictures).numpy()

    wanted, one_by_one = features(exact), features(net)
    fit_rounding(net, exact, pictures)
    fitted = features(net)
    assert np.abs(fitted - wanted).mean() < 0.6 * np.abs(one_by_one - wanted).mean()
    np.testing.assert_allclose(features(architectures.deployed(net, RECIPE)), fitted, atol=1e-4)


def test_what_a_rounded_weight_does_to_sums_is_taken_back_by_others() -> None:
    from train.architectures.fitted_rounding import rounded_kernel

    rng = np.random.default_rng(0)
    x = rng.normal(size=(1000, 20)) @ rng.normal(size=(20, 60))  # 60 numbers that go together
    kernel = rng.normal(size=(1, 1, 60, 10)).astype(np.float32)
    kernel[0, 0, 0] *= 9  # so that steps are wide
    kernel[..., 3] = 0
    steps = np.maximum(np.abs(kernel).max(axis=(0, 1, 2)), 1e-9) / 63
    nearest = np.round(kernel / steps) * steps
    found = rounded_kernel(kernel, x.T @ x / len(x))
    np.testing.assert_allclose(found / steps, np.round(found / steps), atol=1e-3)
    assert np.array_equal(np.abs(found).max(axis=(0, 1, 2)), np.abs(kernel).max(axis=(0, 1, 2)))
    errors = [np.abs(x @ (each - kernel)[0, 0]).mean() for each in (found, nearest)]
    assert errors[0] < 0.4 * errors[1]


def test_gradients_pass_the_rounding(trained: Any) -> None:
    import keras

    from train import architectures

    net = architectures.build(RECIPE)
    net.set_weights(trained.get_weights())
    loss = {"age": keras.losses.MeanSquaredError(), "gender": keras.losses.MeanSquaredError()}
    net.compile(optimizer=keras.optimizers.SGD(0.1), loss=loss, jit_compile=False)
    before = net.get_layer("conv_dw_2").get_weights()[0].copy()
    target = {"age": np.ones((8, 101), np.float32), "gender": np.ones((8, 1), np.float32)}
    net.train_on_batch(_pictures(), target)
    changed = net.get_layer("conv_dw_2").get_weights()[0] != before
    assert changed.mean() > 0.5


def test_a_network_that_has_not_learnt_has_no_biases_in_its_file(tmp_path: Path) -> None:
    architectures = keras_module("architectures")
    from train import export

    master = architectures.deployed(architectures.build(RECIPE), RECIPE)
    export.write_onnx(master, RECIPE, tmp_path / "a.onnx")
    answer = AgeGenderClassifier(tmp_path / "a.onnx")(_pictures().astype(np.uint8))
    known = master.predict_on_batch(_pictures())
    np.testing.assert_allclose(answer.age_probs, known["age_probs"], atol=0.01)
