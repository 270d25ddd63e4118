"""The calibration that `train.export` writes, and what `livecam` reads of it."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from faces_data import bells, face_set
from with_keras import deprecated_in_numpy, require_module

from livecam.ages import AgeRange
from livecam.classifier import AgeGenderClassifier
from livecam.datatypes import AgeGender
from livecam.errors import LivecamError
from train import export
from train.card import card
from train.recipe import Recipe
from train.score_tables import table


@pytest.mark.parametrize(
    ("target", "shown"), [("years", {"age_l1", "epochs"}), ("actors-3", {"target", "epochs"})]
)
def test_the_card_names_no_key_without_an_effect(
    monkeypatch: pytest.MonkeyPatch, target: str, shown: set[str]
) -> None:
    monkeypatch.setattr(f"{card.__module__}.{table.__name__}", lambda _: [])
    calibration = {"age_range": None, "onnx_mae_difference": 0, "onnx_gender_difference": 0}
    recipe = Recipe(target=target, age_l1=0.1, epochs=3)  # of an older version, which took both
    run = {"faces": 9, "data_hash": "0", "knows_gender": target == "years"}
    text = card(recipe, 3, run, calibration, {})
    assert "It ended after" not in text
    assert "It ended after 2 of 3 epochs." in card(recipe, 2, run, calibration, {})
    assert ("It has not learnt the gender" in text) == (target != "years")
    assert {line.split("`")[1] for line in text.splitlines() if line.startswith("| `")} == shown


def test_the_range_is_calibrated_by_exact_ages_alone() -> None:
    rng = np.random.default_rng(0)
    low = rng.integers(10, 80, 200)
    high = low + np.where(np.arange(200) % 2, 0, 30)
    centre = low + rng.normal(0, 6, 200)
    with_intervals = export._bounds(bells(centre, 6), face_set(low, high))
    exact = face_set(low[1::2], high[1::2])
    assert with_intervals == export._bounds(bells(centre[1::2], 6), exact)
    assert with_intervals == yaml.safe_load(yaml.safe_dump(with_intervals))
    AgeRange.by_age(with_intervals)


def test_without_exact_ages_it_is_not_calibrated(capsys: pytest.CaptureFixture[str]) -> None:
    low = np.full(100, 20)
    high = np.where(np.arange(100) < 19, 20, 29)
    assert export._bounds(bells(low, 6), face_set(low, high)) is None
    assert (
        "not calibrated: expected at least 20 faces of the dev part with an exact age, got 19"
        in (capsys.readouterr().err)
    )


@pytest.mark.parametrize(
    ("n", "moved", "is_far"),
    [
        (19, 1, False),  # one median by one year
        (19, 9, False),
        (19, 10, True),
        (200, 44, False),
        (200, 46, True),
        (1600, 40, False),
        (1600, 60, True),
        (6000, 240, True),
    ],
)
def test_an_export_in_eight_bits_may_differ_by_what_chance_does(
    n: int, moved: int, is_far: bool
) -> None:
    """The fewer the faces, the more."""
    ages = np.full(n, 40)
    nobody = np.full(n, 0.5, np.float32)
    master = AgeGender(bells(ages, 3), nobody)
    answer = AgeGender(bells(ages + (np.arange(n) < moved), 3), nobody)
    labels = face_set(ages).labels
    said = (
        rf"\{moved / n:+.3f} years of error .* on {n} faces; expected .* at most: train it for .*"
    )
    refusal = pytest.raises(LivecamError, match=said)
    with refusal if is_far else contextlib.nullcontext():
        export._require_alike(master, answer, labels, eight_bits=True)
    with pytest.raises(LivecamError, match=r"at most: give livecam --model the run's age_gender"):
        export._require_alike(master, answer, labels, eight_bits=False)


@pytest.mark.parametrize(
    ("n", "known", "wrong", "is_far"),
    [
        (19, 19, 3, False),
        (19, 19, 4, True),
        (1600, 1600, 3, False),
        (1600, 1600, 4, True),
        (1600, 19, 3, False),
        (1600, 19, 4, True),
    ],
)
def test_the_gender_of_three_faces_says_nothing(
    n: int, known: int, wrong: int, is_far: bool
) -> None:
    ages, gender = bells(np.full(n, 40), 3), np.where(np.arange(n) < known, 1, -1)
    labels = dataclasses.replace(face_set(np.full(n, 40)).labels, gender=gender)
    master = AgeGender(ages, np.full(n, 0.6, np.float32))
    answer = AgeGender(ages, np.where(np.arange(n) < wrong, 0.4, 0.6).astype(np.float32))
    refusal = pytest.raises(LivecamError, match=f"{-100 * wrong / known:.2f} points of gender")
    with refusal if is_far else contextlib.nullcontext():
        export._require_alike(master, answer, labels, eight_bits=True)


def _shorten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks that take long to convert have no more layers than one of each kind asks for."""
    import keras
    from keras import layers
    from keras.src.applications import efficientnet

    def resnet(include_top: bool, weights: None, input_shape: Any, name: str) -> Any:
        x = picture = keras.Input(input_shape)
        for width in (16, 32, 64, 64, 64):  # to one place for 32 px, as ResNet50V2
            x = layers.Conv2D(width, 3, 2, "same", use_bias=False)(x)
            x = layers.ReLU()(layers.BatchNormalization()(x))
        return keras.Model(picture, x, name=name)

    mobilenet = keras.applications.MobileNet

    @functools.wraps(mobilenet)
    def half_a_mobilenet(**options: Any) -> Any:
        net = mobilenet(**options)
        return keras.Model(net.input, net.get_layer("conv_pw_6_relu").output, name=net.name)

    monkeypatch.setattr(keras.applications, "ResNet50V2", resnet)
    monkeypatch.setattr(keras.applications, "MobileNet", half_a_mobilenet)
    two_blocks = efficientnet.DEFAULT_BLOCKS_ARGS[:2]
    monkeypatch.setattr(efficientnet, "DEFAULT_BLOCKS_ARGS", two_blocks)


@deprecated_in_numpy
@pytest.mark.parametrize(
    "name", ["resnet", "4c2f", "keras:MobileNet", "al-resnet", "keras:EfficientNetB0"]
)
def test_kernels_in_half_precision_say_what_the_master_says(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Normalisations right behind a convolution, behind its activation, and in a nested network;
    arrays that are no weights."""
    require_module("tf2onnx")
    import keras
    import onnx

    from train import architectures

    _shorten(monkeypatch)
    px = 80
    recipe = Recipe(architecture=name, input_px=px, width=8)
    keras.utils.set_random_seed(1)
    net = architectures.build(recipe)
    rng = np.random.default_rng(0)
    for layer in architectures.all_layers(net):
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.moving_variance.assign(rng.uniform(0.3, 3, layer.moving_variance.shape))
    net.get_layer("age").kernel.assign(net.get_layer("age").kernel * 30)  # as sure as trained ones
    master = architectures.deployed(net, recipe)
    before = [weight.numpy() for weight in master.weights]
    export.round_weights(master)
    for weight, old in zip(master.weights, before, strict=True):
        np.testing.assert_allclose(weight.numpy(), old, rtol=2**-10, atol=1e-6)
    path = tmp_path / "a.onnx"
    export.write_onnx(master, recipe, path)
    kernels = [x for x in onnx.load(path).graph.initializer if len(x.dims) > 1]
    halves = [x for x in kernels if x.data_type == onnx.TensorProto.FLOAT16]
    large = [x for x in kernels if np.prod(x.dims) >= 1024 and np.prod(x.dims) > max(x.dims)]
    assert {x.name for x in large} <= {x.name for x in halves}  # all but rows of gains
    crops = np.kron(rng.integers(0, 256, (8, 8, 8, 3)), np.ones((1, 10, 10, 1))).astype(np.uint8)
    wanted = master.predict_on_batch(crops.astype(np.float32))
    answer = AgeGenderClassifier(path)(crops)
    np.testing.assert_allclose(answer.age_probs, wanted["age_probs"], atol=2e-5)


@deprecated_in_numpy
def test_a_network_without_an_onnx_form_is_named(tmp_path: Path) -> None:
    require_module("tf2onnx")
    import keras

    crop = keras.Input((8, 8, 3))
    ages = keras.layers.Dense(101)(keras.layers.Flatten()(keras.activations.gelu(crop)))
    recipe = Recipe(architecture="keras:ConvNeXtTiny")
    with pytest.raises(LivecamError, match=r"ConvNeXtTiny has no ONNX form \(.*; give livecam"):
        export.write_onnx(keras.Model(crop, ages), recipe, tmp_path / "a.onnx")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("was_there", [False, True])
def test_a_refused_export_leaves_no_folder_behind(was_there: bool, tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "exported"
    if was_there:
        folder.mkdir(parents=True)
    with pytest.raises(LivecamError), export._folder(folder):
        assert folder.is_dir()
        raise LivecamError("differs from the master")
    assert folder.exists() == was_there
    with export._folder(folder):
        (folder / "age_gender.onnx").touch()
    assert (folder / "age_gender.onnx").is_file()
