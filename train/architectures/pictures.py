"""What is done to pictures before a network sees them, as fixed layers that travel with it."""

from __future__ import annotations

import keras
import numpy as np
from keras import layers

LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601


def recoloured(
    x: keras.KerasTensor, matrix: np.ndarray, offset: np.ndarray, name: str
) -> keras.KerasTensor:
    """Each pixel (3,) becomes `pixel @ matrix + offset`, for good: (3, 3), (3,)."""
    layer = layers.Conv2D(3, 1, trainable=False, dtype="float32", name=name)
    y = layer(x)
    layer.set_weights([np.reshape(matrix, (1, 1, 3, 3)), offset])
    return y


def grey(x: keras.KerasTensor) -> keras.KerasTensor:
    """Three channels, each the luma."""
    return recoloured(x, np.tile(np.reshape(LUMA, (3, 1)), (1, 3)), np.zeros(3), "grey")


def scaled(x: keras.KerasTensor) -> keras.KerasTensor:
    """0..255 -> -1..1."""
    return layers.Rescaling(1 / 127.5, offset=-1)(x)
