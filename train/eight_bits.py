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

BEYOND = 115  # what a pixel outside of a picture counts as: the mean of the three colours' means


def in_eight_bits(model: Any) -> None:
    """Change a float ONNX model, in which each convolution takes what a ReLU6 gives, or pictures
    in whole numbers, in place."""
    graph = model.graph
    nodes = list(graph.node)
    del graph.node[:]
    constants = {tensor.name: tensor for tensor in graph.initializer}
    rounded: dict[str, str] = {}  # what a ReLU6 gives -> the same in 256 steps
    for node in _with_whole_pixels(graph, nodes, constants):
        if node.op_type == "Conv" and node.input[0] in rounded:
            _round_conv(graph, node, constants, STEP)
        for i, name in enumerate(node.input):
            node.input[i] = rounded.get(name, name)
        graph.node.append(node)
        if node.op_type == "Clip":
            rounded[node.output[0]] = _rounded(graph, node.output[0], STEP)
    _drop_unused(graph)


def _with_whole_pixels(graph: Any, nodes: list[Any], constants: dict[str, Any]) -> list[Any]:
    """The nodes to go on with, of which the first convolution takes pixels in eight bits, if
    nothing is done to these but that each colour loses its mean: that becomes a part of the bias.
    Means taken from floats, and floats turned about, are a quarter of ONNX Runtime's work."""
    chain = nodes[:4]
    if [node.op_type for node in chain] != ["Mul", "Add", "Transpose", "Conv"]:
        return nodes  # as where pictures are made grey first
    scale, offset = (_array(constants[node.input[1]]) for node in chain[:2])
    turn, conv = chain[2:]
    if np.any(scale != 1):
        return nodes
    kernel, bias = _weights(conv, constants)
    bias = bias + kernel.astype(np.float64).sum(axis=(2, 3)) @ (offset + BEYOND)
    name = f"{conv.output[0]}_whole"  # constants may be shared
    constants[name] = numpy_helper.from_array(bias.astype(np.float32))
    conv.input[2:] = [name]
    turn.input[0] = _rounded(graph, graph.input[0].name, 1.0, BEYOND)
    _round_conv(graph, conv, constants, 1.0)
    return nodes[2:]


def _rounded(graph: Any, name: str, step: float, zero: int = 0) -> str:
    """The name of the same in eight bits, dequantised; `zero` less than it was."""
    width = _constant(graph, f"{name}_step", np.float32(step))
    begins = _constant(graph, f"{name}_begins", np.uint8(0))
    ends = _constant(graph, f"{name}_zero", np.uint8(zero))
    _add(graph, "QuantizeLinear", [name, width, begins], f"{name}_q")
    _add(graph, "DequantizeLinear", [f"{name}_q", width, ends], f"{name}_dq")
    return f"{name}_dq"


def _round_conv(graph: Any, node: Any, constants: dict[str, Any], step_in: float) -> None:
    """Its kernel (out, in, rows, columns) in 8 bits, its bias (out,) in 32, both dequantised.
    `step_in`: of what it takes."""
    kernel, bias = _weights(node, constants)
    fits = np.abs(bias) / (step_in * 2**30)  # a channel of hardly any weight: its bias counts
    step = np.abs(kernel).max(axis=(1, 2, 3)) / LEVELS
    step = np.maximum(step, np.maximum(fits, 1e-12)).astype(np.float32)
    whole = np.round(kernel / step[:, None, None, None]).astype(np.int8)
    sums = step * np.float32(step_in)
    for i, values, steps in (
        (1, whole, step),
        (2, np.round(bias / sums).astype(np.int32), sums),
    ):
        name = f"{node.output[0]}_{('kernel', 'bias')[i - 1]}"
        source = _constant(graph, f"{name}_q", values)
        scale = _constant(graph, f"{name}_step", steps)
        zeros = _constant(graph, f"{name}_zero", np.zeros(len(steps), values.dtype))
        _add(graph, "DequantizeLinear", [source, scale, zeros], f"{name}_dq", axis=0)
        node.input[i:] = [f"{name}_dq", *node.input[i + 1 :]]


def _weights(conv: Any, constants: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    kernel = _array(constants[conv.input[1]])
    if len(conv.input) == 2:  # the conversion leaves out a bias of zeros
        return kernel, np.zeros(len(kernel), np.float32)
    return kernel, _array(constants[conv.input[2]])


def _array(tensor: Any) -> np.ndarray:
    values: np.ndarray = numpy_helper.to_array(tensor)
    return values


def _drop_unused(graph: Any) -> None:
    used = {name for node in graph.node for name in node.input}
    for tensor in [tensor for tensor in graph.initializer if tensor.name not in used]:
        graph.initializer.remove(tensor)


def _constant(graph: Any, name: str, values: np.ndarray | np.generic) -> str:
    graph.initializer.append(numpy_helper.from_array(np.asarray(values), name))
    return name


def _add(graph: Any, op_type: str, inputs: list[str], output: str, **attributes: Any) -> None:
    graph.node.append(helper.make_node(op_type, inputs, [output], **attributes))
