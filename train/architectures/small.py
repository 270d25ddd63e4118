"""The networks that livecam is made with."""

from __future__ import annotations

from collections.abc import Callable

import keras
from keras import layers

from train.architectures.pictures import scaled
from train.architectures.rounding import RoundedConv2D, RoundedDepthwiseConv2D

Activation = Callable[[keras.KerasTensor], keras.KerasTensor]


def resnet(x: keras.KerasTensor, width: int, depths: tuple[int, ...]) -> keras.KerasTensor:
    """A small residual network. Basic blocks (He et al. 2015) of width, 2·width, 4·width …; where
    a stage halves the picture, its shortcut averages."""
    x = layers.ReLU()(_conv_norm(scaled(x), width, 3, strides=2))
    for stage, depth in enumerate(depths):
        for block in range(depth):
            x = _basic_block(x, width * 2**stage, strides=2 if block == 0 and stage > 0 else 1)
    return layers.GlobalAveragePooling2D()(x)


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


# (width, strides) of the depthwise separable convolutions of MobileNet (Howard et al. 2017)
MOBILENET_BLOCKS = (
    (64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5,
    (1024, 2), (1024, 1),
)  # fmt: skip
RGB_MEANS = (123.68, 116.779, 103.939)  # that the weights of `pretrained` were trained with


def mobilenet(
    x: keras.KerasTensor, dropout: float, activation: Activation, rounds_kernels: bool
) -> keras.KerasTensor:
    """MobileNet (v1), and one dense layer.

    Without normalisations: those of the weights that `pretrained` loads are part of their
    convolutions. Layers are named as in the file it reads. The heads are never rounded: they are
    a thousandth of the work.
    """
    depthwise = RoundedDepthwiseConv2D if rounds_kernels else layers.DepthwiseConv2D
    full = RoundedConv2D if rounds_kernels else layers.Conv2D
    x = layers.Rescaling(1.0, offset=[-mean for mean in RGB_MEANS])(x)
    x = activation(full(32, 3, 2, "same", name="conv1")(x))
    for block, (width, strides) in enumerate(MOBILENET_BLOCKS, 1):
        x = activation(depthwise(3, strides, "same", name=f"conv_dw_{block}")(x))
        x = activation(full(width, 1, name=f"conv_pw_{block}")(x))
    x = layers.Dropout(dropout, seed=0)(layers.GlobalAveragePooling2D()(x))
    return layers.Dense(256, activation="relu", name="feats")(x)
