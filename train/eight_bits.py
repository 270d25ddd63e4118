"""QDQ quantisation: an ONNX network whose convolutions compute in eight bits, after
quantisation-aware training (`architectures.rounding`), so that nothing is left to calibrate.

QDQ is ONNX's form: a pair of QuantizeLinear and DequantizeLinear wherever a number is stored in
eight bits; ONNX Runtime turns the operations between pairs into integer ones.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import helper, numpy_helper

from train.architectures.rounding import LEVELS, STEP


def in_eight_bits(model: Any) -> None:
    """Change a float ONNX model, in which each convolution but the first takes what a ReLU6 gives,
    in place."""
    graph = model.graph
    nodes = list(graph.node)
    del graph.node[:]
    kernels = {tensor.name: tensor for tensor in graph.initializer}
    rounded: dict[str, str] = {}  # what a ReLU6 gives -> the same in 256 steps
    for node in nodes:
        if node.op_type == "Conv" and node.input[0] in rounded:
            _round_conv(graph, node, kernels)
        for i, name in enumerate(node.input):
            node.input[i] = rounded.get(name, name)
        graph.node.append(node)
        if node.op_type == "Clip":
            rounded[node.output[0]] = _round_activation(graph, node.output[0])
    _drop_unused(graph)


def _round_activation(graph: Any, name: str) -> str:
    step = _constant(graph, f"{name}_step", np.float32(STEP))
    zero = _constant(graph, f"{name}_zero", np.uint8(0))
    _add(graph, "QuantizeLinear", [name, step, zero], f"{name}_q")
    _add(graph, "DequantizeLinear", [f"{name}_q", step, zero], f"{name}_dq")
    return f"{name}_dq"


def _round_conv(graph: Any, node: Any, kernels: dict[str, Any]) -> None:
    """Its kernel (out, in, rows, columns) in 8 bits, its bias (out,) in 32, both dequantised."""
    kernel = numpy_helper.to_array(kernels[node.input[1]])
    if len(node.input) == 2:  # the conversion leaves out a bias of zeros
        node.input.append(_constant(graph, f"{node.output[0]}_zeros", np.zeros(len(kernel), "f")))
        bias = np.zeros(len(kernel), np.float32)
    else:
        bias = numpy_helper.to_array(kernels[node.input[2]])
    fits = np.abs(bias) / (STEP * 2**30)  # a channel of hardly any weight: its bias is what counts
    step = np.abs(kernel).max(axis=(1, 2, 3)) / LEVELS
    step = np.maximum(step, np.maximum(fits, 1e-12)).astype(np.float32)
    whole = np.round(kernel / step[:, None, None, None]).astype(np.int8)
    sums = step * np.float32(STEP)
    for i, values, steps in (
        (1, whole, step),
        (2, np.round(bias / sums).astype(np.int32), sums),
    ):
        name = f"{node.output[0]}_{('kernel', 'bias')[i - 1]}"  # constants may be shared
        source = _constant(graph, f"{name}_q", values)
        scale = _constant(graph, f"{name}_step", steps)
        zeros = _constant(graph, f"{name}_zero", np.zeros(len(steps), values.dtype))
        _add(graph, "DequantizeLinear", [source, scale, zeros], f"{name}_dq", axis=0)
        node.input[i] = f"{name}_dq"


def _drop_unused(graph: Any) -> None:
    used = {name for node in graph.node for name in node.input}
    for tensor in [tensor for tensor in graph.initializer if tensor.name not in used]:
        graph.initializer.remove(tensor)


def _constant(graph: Any, name: str, values: np.ndarray | np.generic) -> str:
    graph.initializer.append(numpy_helper.from_array(np.asarray(values), name))
    return name


def _add(graph: Any, op_type: str, inputs: list[str], output: str, **attributes: Any) -> None:
    graph.node.append(helper.make_node(op_type, inputs, [output], **attributes))
