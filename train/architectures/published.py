"""Classic networks that the published age classifiers were built on, at any input size.

Each takes pictures (n, px, px, 3) in 0..255 and gives features (n, m). Where the original's last
pooling would leave nothing of a small picture, it pools to what is left.
"""

from __future__ import annotations

from collections.abc import Callable

import keras
from keras import layers

from train.architectures.pictures import scaled


def base_cnn(x: keras.KerasTensor) -> keras.KerasTensor:
    """Three convolutions with pooling and one dense layer: what beginners' tutorials build."""
    x = scaled(x)
    for width in (32, 64, 128):
        x = layers.Conv2D(width, 3, padding="same", activation="relu")(x)
        x = layers.MaxPooling2D()(x)
    return _dense(layers.Flatten()(x), 128)


def lenet(x: keras.KerasTensor) -> keras.KerasTensor:
    """LeNet (LeCun et al. 1998) in the form in use today: ReLU, maximum pooling."""
    x = scaled(x)
    for width in (20, 50):
        x = layers.Conv2D(width, 5, padding="same", activation="relu")(x)
        x = layers.MaxPooling2D()(x)
    return _dense(layers.Flatten()(x), 500)


def alexnet(x: keras.KerasTensor) -> keras.KerasTensor:
    """AlexNet (Krizhevsky et al. 2012) on one device, normalised by batch as is usual today."""
    x = scaled(x)
    for width, kernel, strides, pools in (
        (96, 11, 4, True),
        (256, 5, 1, True),
        (384, 3, 1, False),
        (384, 3, 1, False),
        (256, 3, 1, True),
    ):
        x = layers.Conv2D(width, kernel, strides, "same", activation="relu")(x)
        x = layers.BatchNormalization()(x)
        x = layers.MaxPooling2D(3, 2, "same")(x) if pools else x
    x = layers.Dropout(0.5, seed=2)(_dense(layers.Flatten()(x), 4096))
    return _dense(x, 4096)


def levi_hassner(x: keras.KerasTensor) -> keras.KerasTensor:
    """The four layers of convolution and fully connected ones (4c2f) that follow Levi and Hassner
    (2015): three convolutions of theirs and a fourth, then two dense layers of 512."""
    x = scaled(x)
    for width, kernel, strides in ((96, 7, 4), (256, 5, 1), (384, 3, 1), (256, 3, 1)):
        x = layers.Conv2D(width, kernel, strides, "same", activation="relu")(x)
        x = layers.BatchNormalization()(x)
        x = layers.MaxPooling2D(3, 2, "same")(x)
    x = layers.Dropout(0.5, seed=2)(_dense(layers.Flatten()(x), 512))
    return _dense(x, 512)


def dense(x: keras.KerasTensor) -> keras.KerasTensor:
    """No convolution at all: two dense layers on the pixels."""
    return _dense(_dense(layers.Flatten()(scaled(x)), 512), 256)


def _dense(x: keras.KerasTensor, width: int) -> keras.KerasTensor:
    return layers.Dense(width, activation="relu")(x)


NETWORKS: dict[str, Callable[[keras.KerasTensor], keras.KerasTensor]] = {
    "base-cnn": base_cnn,
    "lenet": lenet,
    "alexnet": alexnet,
    "4c2f": levi_hassner,
    "dense": dense,
}
