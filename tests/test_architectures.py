"""The networks: what goes in, what comes out, and what is deployed of them."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from with_keras import deprecated_in_numpy, keras_module

from livecam.errors import LivecamError, UsageError
from train.recipe import NETWORKS, Recipe

PX = 32


@pytest.fixture(scope="module")
def architectures() -> Any:
    return keras_module("architectures")


def _pictures(n: int = 2, px: int = PX) -> np.ndarray:
    return np.random.default_rng(0).uniform(0, 255, (n, px, px, 3)).astype(np.float32)


def _probs(logits: np.ndarray) -> np.ndarray:
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True)


def test_a_gender_that_is_not_learnt_is_said_to_be_unknown(architectures: Any) -> None:
    recipe = Recipe(architecture="lenet", input_px=PX)
    net = architectures.deployed(architectures.build(recipe), recipe, knows_gender=False)
    assert net.predict_on_batch(_pictures())["female_prob"].tolist() == [0.5] * len(_pictures())


SOME = ["resnet", "mobilenet", "base-cnn", "lenet", "alexnet", "4c2f", "dense", "keras:MobileNet"]


@deprecated_in_numpy
@pytest.mark.parametrize(
    ("name", "head_units"),
    [*((name, 8) for name in SOME), ("lenet", 0), ("keras:MobileNet", 0)],
)
def test_what_is_deployed_answers_as_what_was_trained(
    architectures: Any, name: str, tmp_path: Path, head_units: int
) -> None:
    import keras

    recipe = Recipe(architecture=name, input_px=PX, width=4, head_units=head_units)
    architectures.check(recipe)
    net = architectures.build(recipe)
    answer = net.predict_on_batch(_pictures())
    assert answer["age"].shape == (2, 101)
    assert answer["gender"].shape == (2, 1)
    architectures.deployed(net, recipe).save(tmp_path / "a.keras")
    saved = keras.models.load_model(tmp_path / "a.keras", compile=False)
    assert saved.input.shape == (None, PX, PX, 3)
    deployed = saved.predict_on_batch(_pictures())
    np.testing.assert_allclose(deployed["age_probs"], _probs(answer["age"]), atol=1e-5)
    female = 1 / (1 + np.exp(-answer["gender"][:, 0]))
    np.testing.assert_allclose(deployed["female_prob"], female, atol=1e-5)


def test_classes_spread_over_their_years(architectures: Any) -> None:
    recipe = Recipe(architecture="lenet", input_px=PX)
    net = architectures.build(recipe, classes=2)
    years = np.zeros((2, 101), np.float32)
    years[0, 10], years[1, 50:52] = 1, 0.5
    answer = net.predict_on_batch(_pictures())
    deployed = architectures.deployed(net, recipe, years).predict_on_batch(_pictures())
    probs = _probs(answer["age"])
    np.testing.assert_allclose(deployed["age_probs"][:, 10], probs[:, 0], atol=1e-5)
    np.testing.assert_allclose(deployed["age_probs"][:, 51], probs[:, 1] / 2, atol=1e-5)


def test_grey_networks_do_not_see_colour(architectures: Any) -> None:
    net = architectures.build(Recipe(architecture="lenet", input_px=PX, gray=True))
    coloured = _pictures()
    luma = coloured @ np.array([0.299, 0.587, 0.114], np.float32)
    grey = np.repeat(luma[..., None], 3, axis=-1)
    wanted = net.predict_on_batch(coloured)["age"]
    np.testing.assert_allclose(net.predict_on_batch(grey)["age"], wanted, atol=1e-3)
    shuffled = coloured[..., [1, 2, 0]]
    assert np.abs(net.predict_on_batch(shuffled)["age"] - wanted).max() > 1e-2


@pytest.mark.parametrize("name", ["VGG16", "ResNet50V2", "DenseNet121", "EfficientNetB0"])
def test_each_network_has_the_preprocessing_of_its_makers(architectures: Any, name: str) -> None:
    """One of each kind: BGR means, -1..1, ImageNet's means and deviations, none."""
    from train.architectures import applications

    preprocess = applications._preprocessing(applications.find(name))
    matrix, offset = applications.affine(preprocess)
    pixels = _pictures()
    np.testing.assert_allclose(pixels @ matrix + offset, preprocess(pixels.copy()), atol=1e-3)


def test_a_preprocessing_of_another_form_is_refused(architectures: Any) -> None:
    from train.architectures import applications

    with pytest.raises(ValueError, match="not affine"):
        applications.affine(np.sqrt)


def test_frozen_layers_do_not_learn(architectures: Any) -> None:
    net = architectures.build(Recipe(architecture="mobilenet", frozen="conv_pw_12", input_px=PX))
    learning = {weight.path.split("/")[0] for weight in net.trainable_weights}
    assert learning == {"conv_pw_12", "conv_dw_13", "conv_pw_13", "feats", "age", "gender"}
    net = architectures.build(Recipe(architecture="keras:MobileNet", frozen="all", input_px=PX))
    assert {weight.path.split("/")[0] for weight in net.trainable_weights} == {"age", "gender"}
    net = architectures.build(Recipe(architecture="lenet", gender_weight=0.0, input_px=PX))
    assert not net.get_layer("gender").trainable  # decay would empty what it may have known
    with pytest.raises(UsageError, match="frozen: no layer 'conv_pw_14'; near are conv_pw_4"):
        architectures.build(Recipe(architecture="mobilenet", frozen="conv_pw_14", input_px=PX))
    with pytest.raises(UsageError, match=r"frozen: no layer 'xyz'; there are crop.*, age, gender"):
        architectures.build(Recipe(architecture="lenet", frozen="xyz", input_px=PX))


def test_penalties_are_on_the_kernels(architectures: Any) -> None:
    net = architectures.build(Recipe(architecture="lenet", input_px=PX, l1=0.5))
    kernels = [weight for weight in net.trainable_weights if weight.name == "kernel"]
    wanted = 0.5 * sum(float(np.abs(kernel.numpy()).sum()) for kernel in kernels)
    assert float(sum(net.losses)) == pytest.approx(wanted, rel=1e-4)


def test_penalties_are_on_every_kind_of_kernel(architectures: Any) -> None:
    import keras

    crop = keras.Input((PX, PX, 3))
    x = keras.layers.SeparableConv2D(4, 3)(crop)
    x = keras.layers.LSTM(2, unroll=True)(keras.layers.Reshape((5, -1))(x[:, :10, :10]))
    net = keras.Model(crop, keras.layers.Dense(1)(x))
    architectures._regularise(net, Recipe(l2=0.5))
    kernels = [weight for weight in net.trainable_weights if "bias" not in weight.name]
    assert len(kernels) == 5
    wanted = 0.5 * sum(float(np.square(kernel.numpy()).sum()) for kernel in kernels)
    assert float(sum(net.losses)) == pytest.approx(wanted, rel=1e-4)


def test_of_a_known_network_only_what_is_behind_it_has_a_penalty(architectures: Any) -> None:
    recipe = Recipe(architecture="keras:MobileNet", input_px=PX, head_units=8, l1=0.5)
    net = architectures.build(recipe, classes=3)
    punished = {w.path: w.shape for w in net.trainable_weights if w.regularizer is not None}
    assert punished == {
        "head/kernel": (1024, 8),
        "age/kernel": (8, 3),
        "gender/kernel": (8, 1),
    }


def test_a_dense_head_is_no_part_of_what_is_frozen(architectures: Any) -> None:
    recipe = Recipe(architecture="lenet", input_px=PX, head_units=8, frozen="all")
    learning = {
        weight.path.split("/")[0] for weight in architectures.build(recipe).trainable_weights
    }
    assert learning == {"head", "age", "gender"}


def test_keras_must_have_a_network_of_that_name(architectures: Any) -> None:
    with pytest.raises(UsageError, match=r"no 'VGG166'; did you mean 'keras:VGG16'\?"):
        architectures.check(Recipe(architecture="keras:VGG166"))


def test_a_recipe_may_name_every_published_network(architectures: Any) -> None:
    assert set(NETWORKS) == {"resnet", "mobilenet", "al-resnet", *architectures.published.NETWORKS}


def test_pictures_that_are_too_small_are_said(architectures: Any) -> None:
    with pytest.raises(UsageError, match="keras:InceptionV3: Input size must be at least 75x75"):
        architectures.build(Recipe(architecture="keras:InceptionV3", input_px=PX))
    for px in (16, 24, 32):  # of 32, one place alone is left for its attention
        with pytest.raises(UsageError, match=f"input_px: {px} is too small for al-resnet; give"):
            architectures.build(Recipe(architecture="al-resnet", input_px=px))


def test_unreachable_weights_are_said(architectures: Any, monkeypatch: Any) -> None:
    def offline(*_: object, **__: object) -> None:
        raise Exception("URL fetch failure: offline")

    monkeypatch.setattr("keras.src.applications.mobilenet.file_utils.get_file", offline)
    recipe = Recipe(architecture="keras:MobileNet", pretrained=True, input_px=128)
    said = r"ImageNet's weights cannot be had .*offline.* --set pretrained=false"
    with pytest.raises(LivecamError, match=said + "$"):
        architectures.build(recipe)
    with pytest.raises(LivecamError, match=said + " --set frozen=$"):
        architectures.build(dataclasses.replace(recipe, frozen="all"))


@deprecated_in_numpy
def test_pictures_are_normalised_as_imagenet_s_network_does_it(
    architectures: Any, monkeypatch: Any, tmp_path: Path
) -> None:
    """EfficientNet has its normalisation among its weights, and a factor behind it with ImageNet's
    weights alone."""
    import keras
    from keras.src.applications import efficientnet

    def load(net: keras.Model, path: object) -> None:  # in place of a download
        norm = next(x for x in net.layers if isinstance(x, keras.layers.Normalization))
        norm.adapt_mean.assign([0.485, 0.456, 0.406])
        norm.adapt_variance.assign([0.229, 0.224, 0.225])
        norm.finalize_state()

    def seen(net: keras.Model) -> np.ndarray:
        """What the first convolution sees."""
        backbone = next((x for x in net.layers if isinstance(x, keras.Model)), net)
        conv = backbone.get_layer("stem_conv")
        return keras.Model(backbone.input, conv.input).predict_on_batch(_pictures())

    first_block = efficientnet.DEFAULT_BLOCKS_ARGS[:1]  # what is behind does not matter
    monkeypatch.setattr(efficientnet, "DEFAULT_BLOCKS_ARGS", first_block)
    with monkeypatch.context() as patched:
        patched.setattr(efficientnet.file_utils, "get_file", lambda *args, **options: "")
        patched.setattr(keras.Model, "load_weights", load)
        net = architectures.build(
            Recipe(architecture="keras:EfficientNetB0", pretrained=True, input_px=PX)
        )
        wanted = seen(keras.applications.EfficientNetB0(include_top=False, input_shape=(PX, PX, 3)))
    recipe = Recipe(architecture="keras:EfficientNetB0", input_px=PX)
    deployed = architectures.deployed(net, recipe)
    deployed.save(tmp_path / "a.keras")
    saved = keras.models.load_model(tmp_path / "a.keras", compile=False)
    begun = architectures.build(recipe)
    architectures.copy_weights(saved, begun)
    for other in (net, deployed, saved, begun):
        np.testing.assert_allclose(seen(other), wanted, atol=1e-4)


def test_the_attended_crop_is_where_it_is_told(architectures: Any) -> None:
    """Crops of half the side around a place, enlarged: their middle is that place."""
    from train.architectures import attention

    px = 16
    ramp = np.mgrid[:px, :px].astype(np.float32).transpose(1, 2, 0)  # a pixel holds its y and x
    x = np.concatenate([ramp, np.zeros((px, px, 1), np.float32)], axis=-1)[None]
    crop = np.asarray(attention._cut(x, np.array([[0.5, 0.375]], np.float32)))
    assert crop.shape == x.shape
    middle = crop[0, px // 2 - 1 : px // 2 + 1, px // 2 - 1 : px // 2 + 1, :2].mean(axis=(0, 1))
    np.testing.assert_allclose(middle, [7.5, 5.5], atol=1e-3)
    assert crop[0, -1, 0, 0] - crop[0, 0, 0, 0] == pytest.approx((px - 1) / 2, abs=1e-3)
    corner = np.asarray(attention._cut(x, np.array([[0.0, 1.0]], np.float32)))
    np.testing.assert_allclose(corner[0, px // 2 - 1, px // 2, :2], [3.25, 11.75], atol=1e-3)
    plain = np.asarray(attention._cut(np.ones_like(x), np.array([[0.0, 1.0]], np.float32)))
    np.testing.assert_allclose(plain, 1, atol=1e-5)  # no darker at the border
