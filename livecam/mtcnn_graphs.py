"""MTCNN's three networks as ONNX graphs, with the weights of the `mtcnn` package's files.

The package itself is not imported, because that would import TensorFlow. Each graph takes uint8 BGR
pictures (n, h, w, 3); the normalisation (x - 127.5) / 128 and the order of the channels are folded
into the first convolution's weights. The answer is one array (…, k + 1): k regressions, and the
logit of a face, because a softmax over two classes is the sigmoid of their difference.
"""

from __future__ import annotations

import importlib.util
import io
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from livecam.errors import LivecamError

# of channels, in which ONNX Runtime computes convolutions with AVX-512 (with AVX2 there are 8 in a
# block); only what fills its last block can be pooled there
BLOCK = 16


def weights_dir() -> Path:
    """The folder of the mtcnn package's weight files, found without importing the package."""
    spec = importlib.util.find_spec("mtcnn")
    if spec is None or not spec.submodule_search_locations:
        raise LivecamError("the package mtcnn is not installed; install it: pip install mtcnn")
    folder = Path(next(iter(spec.submodule_search_locations))) / "assets" / "weights"
    if not (folder / "pnet.lz4").is_file():
        raise LivecamError(
            f"{folder}: no pnet.lz4 in the installed mtcnn package; install version 1.0 of it"
        )
    return folder


def graphs() -> Iterator[bytes]:
    """P-Net, R-Net and O-Net as serialised ONNX models."""
    folder = weights_dir()
    for layers in (pnet, rnet, onet):
        graph = _Graph(_weights(folder / f"{layers.__name__}.lz4"))
        layers(graph)
        yield graph.model(layers.__name__)


def _weights(path: Path) -> list[np.ndarray]:
    try:
        import lz4.frame

        # by itself: what joblib opens for it complains on stderr with Python 3.13
        return joblib.load(io.BytesIO(lz4.frame.decompress(path.read_bytes())))
    except Exception as error:  # of a damaged file whatever its bytes lead to, or lz4 is missing
        what = " ".join([f"{type(error).__name__}:", *str(error).split()]).rstrip(":")
        raise LivecamError(
            f"{path}: damaged or unreadable ({what}); "
            "pip install --force-reinstall --no-deps mtcnn lz4"
        ) from error


def pnet(graph: _Graph) -> None:
    graph.first(pool_px=2)
    graph.conv()
    graph.conv()
    graph.heads("boxes", "face")


def rnet(graph: _Graph) -> None:
    graph.first(pool_px=3)
    graph.conv()
    graph.pool(3, padding="VALID")
    graph.conv()
    graph.dense()
    graph.heads("boxes", "face")


def onet(graph: _Graph) -> None:
    graph.first(pool_px=3)
    graph.conv()
    graph.pool(3, padding="VALID")
    graph.conv()
    graph.pool(2)
    graph.conv()
    graph.dense()
    graph.heads("boxes", "landmarks", "face")


class _Graph:
    """Turns a flat list of Keras weights, in layer order, into an ONNX model."""

    def __init__(self, weights: list[np.ndarray]) -> None:
        self.weights = iter(weights)
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.x = "bgr"
        self.gain = np.ones(1)  # what the channels of `x` are still to be multiplied by
        self.is_flat = False

    def model(self, name: str) -> bytes:
        """All that was added, serialised."""
        picture = helper.make_tensor_value_info("bgr", TensorProto.UINT8, ["n", "h", "w", 3])
        answer = helper.make_tensor_value_info(self.x, TensorProto.FLOAT, None)
        graph = helper.make_graph(self.nodes, name, [picture], [answer], self.constants)
        opset = [helper.make_opsetid("", 17)]
        model = helper.make_model(graph, opset_imports=opset, ir_version=8)
        return model.SerializeToString()

    def conv(self) -> None:
        kernel, bias = next(self.weights).transpose(3, 2, 0, 1), next(self.weights)
        kernel = kernel * self.gain[:, None, None]
        self._add("Conv", self.x, self._constant(kernel), self._constant(bias))
        self._prelu(next(self.weights).reshape(-1))

    def dense(self) -> None:
        """Behind convolutions. Pictures are flattened as they lie, by channel, row and column; the
        package's kernel is for columns, rows and channels."""
        kernel, bias = next(self.weights), next(self.weights)
        channels = len(self.gain)
        side = math.isqrt(len(kernel) // channels)
        kernel = kernel.reshape(side, side, channels, -1) * self.gain[:, None]
        self._add("Flatten", self.x)
        self.is_flat = True
        self._gemm(kernel.transpose(2, 1, 0, 3).reshape(-1, len(bias)), bias)
        self._flat_prelu(next(self.weights).reshape(-1))

    def first(self, pool_px: int) -> None:
        """A convolution of raw pixels, a PReLU and a pool, which comes before the PReLU: there is
        a quarter to activate then. Where a slope is 0 or more, PReLU rises, so that the largest
        number stays the largest; where it is less, PReLU is max(x, slope * x), and the pool takes
        the largest of both."""
        self._add("Cast", "bgr", to=TensorProto.FLOAT)
        self._add("Transpose", self.x, perm=[0, 3, 1, 2])
        kernel, bias, slope = (next(self.weights) for _ in range(3))
        slope = slope.reshape(-1)
        bias = bias - kernel.sum(axis=(0, 1, 2)) * (127.5 / 128)
        kernel = kernel[:, :, ::-1].transpose(3, 2, 0, 1) / 128
        falls = slope < 0
        scaled = slope[falls, None, None, None] * kernel[falls]
        empty = np.zeros((-(len(kernel) + len(scaled)) % BLOCK, *kernel.shape[1:]))
        biases = np.concatenate([bias, slope[falls] * bias[falls], np.zeros(len(empty))])
        kernels = np.concatenate([kernel, scaled, empty])
        self._add("Conv", self.x, self._constant(kernels), self._constant(biases))
        self.pool(pool_px)
        self._pooled_prelu(slope, len(kernels))

    def _pooled_prelu(self, slope: np.ndarray, channels: int) -> None:
        """Of x, whose channels are followed by slope * x of those where the slope is below 0: as
        _prelu, or as x + max(slope * x - x, 0). Both are sums of a convolution and of what is
        positive of another."""
        self._require(not (slope == 1).any())
        falls = slope < 0
        self.gain = np.where(falls, 1, 1 - slope)
        same = np.eye(len(slope), channels)
        other = same * np.where(falls, -1, 1)[:, None]
        other[np.flatnonzero(falls), len(slope) + np.arange(falls.sum())] = 1
        same *= np.where(falls, 1, slope / self.gain)[:, None]
        x = self.x
        self._add("Conv", x, self._constant(other[:, :, None, None]))
        positive = self._add("Relu", self.x)
        linear = self._add("Conv", x, self._constant(same[:, :, None, None]))
        self._add("Add", linear, positive)

    def _prelu(self, slope: np.ndarray) -> None:
        """As (1 - slope) * (max(x, 0) + slope / (1 - slope) * x), whose first factor the next layer
        takes: for all else pictures stay in the blocks of channels in which ONNX Runtime computes
        convolutions."""
        self._require(slope.max() < 1)
        self.gain = 1 - slope
        x, factor = self.x, self._constant((slope / self.gain)[:, None, None])
        positive = self._add("Relu", x)
        scaled = self._add("Mul", x, factor)
        self._add("Add", scaled, positive)

    def _flat_prelu(self, slope: np.ndarray) -> None:
        """As max(x, slope * x), which ONNX Runtime computes faster."""
        self._require(slope.max() <= 1)
        self.gain = np.ones(1)
        x = self.x
        scaled = self._add("Mul", x, self._constant(slope))
        self._add("Max", x, scaled)

    def _require(self, is_known: bool) -> None:
        if not is_known:
            raise LivecamError("the mtcnn package has other weights; install version 1.0 of it")

    def pool(self, side: int, padding: str = "SAME_UPPER") -> None:
        self._add("MaxPool", self.x, kernel_shape=[side, side], strides=[2, 2], auto_pad=padding)

    def heads(self, *names: str) -> None:
        """The last layers, as one; of two classes the difference of their logits."""
        heads = []
        for name in names:
            kernel, bias = next(self.weights), next(self.weights)
            if name == "face":
                kernel, bias = kernel[..., 1:] - kernel[..., :1], bias[1:] - bias[:1]
            heads.append((kernel * self.gain[:, None], bias))
        kernels, biases = zip(*heads, strict=True)
        kernel, bias = np.concatenate(kernels, axis=-1), np.concatenate(biases)
        if self.is_flat:
            self._gemm(kernel, bias)
            return
        kernel = kernel.transpose(3, 2, 0, 1)
        self._add("Conv", self.x, self._constant(kernel), self._constant(bias))
        self._add("Transpose", self.x, perm=[0, 2, 3, 1])

    def _gemm(self, kernel: np.ndarray, bias: np.ndarray) -> None:
        self._add("Gemm", self.x, self._constant(kernel), self._constant(bias))

    def _constant(self, value: np.ndarray) -> str:
        if value.dtype.kind == "f":
            value = value.astype(np.float32)
        name = f"w{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.array(value, order="C"), name))
        return name

    def _add(self, op: str, *inputs: str, **attributes: Any) -> str:
        """A node; its output is what the next one takes, as `x`."""
        self.x = f"{op}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, inputs, [self.x], **attributes))
        return self.x
