"""Network architectures, written against Keras 3 alone."""

from __future__ import annotations

import keras
from keras import layers

from livecam.datatypes import AGES


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
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dropout(dropout, seed=0)(x)
    age = layers.Dense(AGES, dtype="float32", name="age")(x)
    gender = layers.Dense(1, dtype="float32", name="gender")(x)
    return keras.Model(crop, {"age": age, "gender": gender}, name="age_gender")


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


def with_probabilities(net: keras.Model) -> keras.Model:
    """The same network, with probabilities as outputs: `age_probs` (n, 101), `female_prob` (n,)."""
    age_probs = layers.Softmax(dtype="float32", name="age_probs")(net.output["age"])
    female_prob = layers.Activation("sigmoid", dtype="float32")(net.output["gender"])
    female_prob = layers.Reshape((), dtype="float32", name="female_prob")(female_prob)
    return keras.Model(
        net.input, {"age_probs": age_probs, "female_prob": female_prob}, name=net.name
    )
