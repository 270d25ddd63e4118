"""Quantisation-aware training (Jacob et al. 2018): arithmetic in eight bits is imitated, so that
the exported network may compute in it without surprises.

Activations lie between 0 and 6 (ReLU6) and take 256 values. A kernel takes 127 values in each of
its output channels: with seven bits the sums of pairs that older x86 processors form in 16 bits
cannot overflow. Gradients pass as if nothing were rounded.
"""

from __future__ import annotations

import keras
from keras import layers, ops

STEP = 6 / 255
LEVELS = 63  # of a kernel's values on either side of 0


def relu6(x: keras.KerasTensor) -> keras.KerasTensor:
    return layers.ReLU(6)(x)


def rounded_relu6(x: keras.KerasTensor) -> keras.KerasTensor:
    x = relu6(x)
    return x + ops.stop_gradient(ops.round(x / STEP) * STEP - x)


class RoundedConv2D(layers.Conv2D):
    """A convolution whose kernel is rounded, output channel by output channel."""

    kernel_axes = (0, 1, 2)  # of the kernel, those of one output channel

    def convolution_op(
        self, inputs: keras.KerasTensor, kernel: keras.KerasTensor
    ) -> keras.KerasTensor:
        return super().convolution_op(inputs, _rounded(kernel, self.kernel_axes))


class RoundedDepthwiseConv2D(layers.DepthwiseConv2D):
    """The same, for kernels (rows, columns, channels, 1)."""

    kernel_axes = (0, 1, 3)

    def call(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        kernel = _rounded(self.kernel, self.kernel_axes)
        x = ops.depthwise_conv(inputs, kernel, self.strides, self.padding)
        return x + self.bias


def _nearest(kernel: keras.KerasTensor, axes: tuple[int, ...]) -> keras.KerasTensor:
    exact = ops.cast(kernel, "float32")  # in float16 the step of a channel of zeros is 0
    step = ops.maximum(ops.max(ops.abs(exact), axis=axes, keepdims=True), 1e-9) / LEVELS
    return ops.cast(ops.round(exact / step) * step, kernel.dtype)


def _rounded(kernel: keras.KerasTensor, axes: tuple[int, ...]) -> keras.KerasTensor:
    return kernel + ops.stop_gradient(_nearest(kernel, axes) - kernel)


def round_kernels(net: keras.Model, rounded: keras.Model) -> None:
    """Round the kernels in `net` of all layers that are rounded ones in the network it is from."""
    for layer in rounded.layers:
        if isinstance(layer, RoundedConv2D | RoundedDepthwiseConv2D):
            kernel, bias = layer.get_weights()
            net.get_layer(layer.name).set_weights([_nearest(kernel, layer.kernel_axes), bias])
