"""Kernels in few steps for a network that was not trained with them, as the mean of several is.

Each weight rounded by itself, the sums of such a network err by so much that it is another one.
Here what the rounding of a weight does to the sums that some pictures make is taken back by the
weights that are rounded after it (Frantar et al. 2023, GPTQ), and biases keep the mean of every
channel (Nagel et al. 2019).
"""

from __future__ import annotations

import keras
import numpy as np
from keras import ops

from livecam.progress import Progress
from train.architectures.rounding import LEVELS, RoundedConv2D, RoundedDepthwiseConv2D

BATCH = 32  # pictures in memory with all that is made of them
PLACES = 48  # in a picture, on average, whose sums count
DAMPING = 0.01  # of the mean of the squares: as much again, for what these pictures do not show


def fit_rounding(net: keras.Model, exact: keras.Model, pictures: np.ndarray) -> None:
    """Round the kernels of `net`. `exact` is the same network with the same weights, whose kernels
    are not rounded; `pictures` are (n, px, px, 3) RGB."""
    rng = np.random.default_rng(0)
    rounded = [
        layer for layer in net.layers if isinstance(layer, RoundedConv2D | RoundedDepthwiseConv2D)
    ]
    begin, exact_begin = net.input, exact.input
    seen = wanted = pictures.astype(np.float32)
    with Progress("round", len(rounded), "layers") as progress:
        for layer in rounded:
            own = exact.get_layer(layer.name)
            seen = _run(begin, layer.input, seen)
            wanted = _run(exact_begin, own.output, wanted)
            kernel, bias = layer.get_weights()
            if isinstance(layer, RoundedConv2D):
                kernel = rounded_kernel(kernel, _products(layer, seen, rng))
                layer.set_weights([kernel, bias])
            seen = _run(layer.input, layer.output, seen)
            shift = (wanted - seen).mean(axis=(0, 1, 2))
            layer.set_weights([kernel, bias + shift])
            seen += shift
            begin, exact_begin = layer.output, own.output
            progress.step()


def rounded_kernel(kernel: np.ndarray, products: np.ndarray) -> np.ndarray:
    """(rows, columns, in, out), in as many steps for each output channel as before. `products`
    (k, k) are those of any two of the k = rows * columns * in numbers of a sum, added up over many
    sums, on any scale."""
    weights = kernel.reshape(-1, kernel.shape[-1]).astype(np.float64)
    step = np.maximum(np.abs(weights).max(axis=0), 1e-9) / LEVELS
    largest = np.abs(weights).argmax(axis=0)  # it says how wide a step is, so it stays
    order = np.argsort(-products.diagonal(), kind="stable")  # what counts most has most behind it
    damped = products + np.eye(len(products)) * (DAMPING * products.diagonal().mean() + 1e-12)
    factor = np.linalg.cholesky(np.linalg.inv(damped[np.ix_(order, order)])).T
    left, found = weights[order], np.empty_like(weights)
    for i, row in enumerate(order):
        levels = np.clip(np.round(left[i] / step), -LEVELS, LEVELS)
        levels = np.where(largest == row, np.sign(weights[row]) * LEVELS, levels)
        found[row] = levels * step
        left[i:] -= np.outer(factor[i, i:], (left[i] - found[row]) / factor[i, i])
    return found.reshape(kernel.shape).astype(np.float32)


def _products(layer: RoundedConv2D, x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(k, k) of what its sums are made of, at places drawn from pictures (n, h, w, in)."""
    size = layer.kernel.shape[0] * layer.kernel.shape[1] * layer.kernel.shape[2]
    total = np.zeros((size, size))
    for start in range(0, len(x), BATCH):
        patches = ops.image.extract_patches(
            x[start : start + BATCH], layer.kernel_size, layer.strides[0], padding=layer.padding
        )
        sums = ops.convert_to_numpy(patches).reshape(-1, size)
        drawn = rng.choice(len(sums), min(len(sums), BATCH * PLACES), replace=False)
        total += sums[drawn].T.astype(np.float64) @ sums[drawn]
    return total / len(x)


def _run(begin: keras.KerasTensor, end: keras.KerasTensor, x: np.ndarray) -> np.ndarray:
    """What the layers between make of `x`."""
    if begin is end:
        return x
    part = keras.Model(begin, end)
    return np.concatenate([
        ops.convert_to_numpy(part(x[start : start + BATCH], training=False))
        for start in range(0, len(x), BATCH)
    ])  # fmt: skip
