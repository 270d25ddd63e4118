"""Network architectures, written against Keras 3 alone."""

from __future__ import annotations

import keras
import numpy as np
from keras import layers

from livecam.datatypes import AGES
from train.recipe import Recipe


def resnet(
    input_px: int | None = 96,
    width: int = 32,
    depths: tuple[int, ...] = (2, 2, 2, 2),
    dropout: float = 0.3,
) -> keras.Model:
    """A small residual network: RGB crops (n, px, px, 3) in 0..255 -> logits.

    Outputs `age` (n, 101) and `gender` (n, 1), positive for female. Basic blocks (He et al. 2015)
    of width, 2·width, 4·width …; where a stage halves the picture, its shortcut averages.
    """
    crop = keras.Input((input_px, input_px, 3), name="crop", dtype="float32")
    x = layers.Rescaling(1 / 127.5, offset=-1)(crop)
    x = _conv_norm(x, width, 3, strides=2)
    x = layers.ReLU()(x)
    for stage, depth in enumerate(depths):
        for block in range(depth):
            x = _basic_block(x, width * 2**stage, strides=2 if block == 0 and stage > 0 else 1)
    return _with_heads(crop, x, dropout)


def _basic_block(x: keras.KerasTensor, width: int, strides: int) -> keras.KerasTensor:
    shortcut = x
    if strides > 1:
        shortcut = layers.AveragePooling2D(strides, padding="same")(shortcut)
    if shortcut.shape[-1] != width:
        shortcut = _conv_norm(shortcut, width, 1)
    x = layers.ReLU()(_conv_norm(x, width, 3, strides))
    x = _conv_norm(x, width, 3)
    return layers.ReLU()(layers.Add()([x, shortcut]))


def _conv_norm(
    x: keras.KerasTensor, width: int, kernel: int, strides: int = 1
) -> keras.KerasTensor:
    x = layers.Conv2D(width, kernel, strides, "same", use_bias=False)(x)
    return layers.BatchNormalization(momentum=0.9)(x)


# (repeats, kernel, strides, expansion, width) of each stage (Tan and Le 2019; Lite: Liu 2020)
LITE0_STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)


def efficientnet_lite0(
    input_px: int | None = 96, dropout: float = 0.3, folded: bool = False
) -> keras.Model:
    """EfficientNet-Lite0: RGB crops (n, px, px, 3) in 0..255 -> logits, as `resnet` answers.

    No squeeze-and-excitation, ReLU6 throughout. Layers are named as in the PyTorch file that
    `pretrained` reads. Its normalisations never learn; the convolutions before them have biases
    that do. On a CPU that makes a step faster by half. `folded` has no normalisations at all.
    """
    crop = keras.Input((input_px, input_px, 3), name="crop", dtype="float32")
    x = layers.Rescaling(1 / 128, offset=-127 / 128)(crop)
    x = layers.Conv2D(32, 3, 2, "same", name="conv_stem")(x)
    x = layers.ReLU(6)(x if folded else _fixed_norm(x, "bn0"))
    block = 0
    for repeats, kernel, strides, expansion, width in LITE0_STAGES:
        for repeat in range(repeats):
            name = f"blocks_{block}"
            x = _mbconv(x, kernel, strides if repeat == 0 else 1, expansion, width, name, folded)
            block += 1
    x = layers.Conv2D(1280, 1, name="conv_head")(x)
    x = layers.ReLU(6)(x if folded else _fixed_norm(x, "bn1"))
    return _with_heads(crop, x, dropout)


def _mbconv(
    x: keras.KerasTensor,
    kernel: int,
    strides: int,
    expansion: int,
    width: int,
    name: str,
    folded: bool,
) -> keras.KerasTensor:
    """An inverted residual block (Sandler et al. 2018): widen, depthwise, narrow."""
    shortcut = x
    if expansion > 1:
        x = layers.Conv2D(x.shape[-1] * expansion, 1, name=f"{name}_expand_conv")(x)
        x = layers.ReLU(6)(x if folded else _fixed_norm(x, f"{name}_bn0"))
    x = layers.DepthwiseConv2D(kernel, strides, "same", name=f"{name}_depthwise_conv")(x)
    x = layers.ReLU(6)(x if folded else _fixed_norm(x, f"{name}_bn1"))
    x = layers.Conv2D(width, 1, name=f"{name}_project_conv")(x)
    x = x if folded else _fixed_norm(x, f"{name}_bn2")
    if strides == 1 and shortcut.shape[-1] == width:
        x = layers.Add()([x, shortcut])
    return x


def _fixed_norm(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    return layers.BatchNormalization(epsilon=1e-3, trainable=False, name=name)(x)


def fold_norms(net: keras.Model, folded: keras.Model) -> None:
    """Give a `folded` network the weights with which it answers as `net` does."""
    norms = {
        layer.input._keras_history.operation.name: layer
        for layer in net.layers
        if isinstance(layer, layers.BatchNormalization)
    }
    for layer in folded.layers:
        weights = net.get_layer(layer.name).get_weights() if layer.get_weights() else []
        if layer.name in norms:
            gamma, beta, mean, variance = norms[layer.name].get_weights()
            gain = gamma / np.sqrt(variance + norms[layer.name].epsilon)
            kernel, bias = weights
            is_depthwise = isinstance(layer, layers.DepthwiseConv2D)
            kernel = kernel * (gain[:, None] if is_depthwise else gain)
            weights = [kernel, beta + gain * (bias - mean)]
        layer.set_weights(weights)


def _with_heads(crop: keras.KerasTensor, x: keras.KerasTensor, dropout: float) -> keras.Model:
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dropout(dropout, seed=0)(x)
    age = layers.Dense(AGES, dtype="float32", name="age")(x)
    gender = layers.Dense(1, dtype="float32", name="gender")(x)
    return keras.Model(crop, {"age": age, "gender": gender}, name="age_gender")


def build(recipe: Recipe, input_px: int | None = None) -> keras.Model:
    """The network that a recipe trains, with random weights."""
    if recipe.architecture == "resnet":
        return resnet(input_px, recipe.width, recipe.depths, recipe.dropout)
    return efficientnet_lite0(input_px, recipe.dropout)


def deployed(net: keras.Model, recipe: Recipe) -> keras.Model:
    """A network of the same answers and of fixed size, without what only training needs."""
    if recipe.architecture == "resnet":
        master = build(recipe, recipe.input_px)
        master.set_weights([weight.numpy() for weight in net.weights])
        return with_probabilities(master)
    master = efficientnet_lite0(recipe.input_px, recipe.dropout, folded=True)
    fold_norms(net, master)
    return with_probabilities(master)


def with_probabilities(net: keras.Model) -> keras.Model:
    """The same network, with probabilities as outputs: `age_probs` (n, 101), `female_prob` (n,)."""
    age_probs = layers.Softmax(dtype="float32", name="age_probs")(net.output["age"])
    female_prob = layers.Activation("sigmoid", dtype="float32")(net.output["gender"])
    female_prob = layers.Reshape((), dtype="float32", name="female_prob")(female_prob)
    return keras.Model(
        net.input, {"age_probs": age_probs, "female_prob": female_prob}, name=net.name
    )
