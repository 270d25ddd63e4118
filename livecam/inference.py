"""ONNX Runtime sessions, the same for the detector and the classifier."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime

from livecam.datatypes import Array, Image
from livecam.errors import LivecamError, UsageError

# older wheels for Windows tell the system what they do, which may report it to Microsoft
onnxruntime.disable_telemetry_events()

ALONE_PX = 20_000  # of all pictures of a call

# Best first. Azure's provider is left out: it would send pictures to a server. So is CoreML's,
# which is in all wheels for macOS: it does not take layers of 8 bits, and is slow where pictures
# change their size.
PREFERRED = (
    "CUDAExecutionProvider",
    "ROCMExecutionProvider",
    "DmlExecutionProvider",
    "OpenVINOExecutionProvider",
    "CPUExecutionProvider",
)


def session(
    model: bytes | Path, threads: int, providers: Sequence[str]
) -> onnxruntime.InferenceSession:
    """A session for a serialised model or a file of one.

    `threads` 0 means one for each core. `providers` are tried in order; none means the first
    usable of PREFERRED. Raises UsageError for a provider that is not installed, LivecamError for
    a file that is no model.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4  # what goes wrong is raised, not printed
    options.enable_mem_pattern = False  # it keeps memory for every size of picture there was
    # idle threads of one net must not spin on the cores that the next net needs
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    source = model if isinstance(model, bytes) else str(model)
    usable = usable_providers(providers)
    try:
        return onnxruntime.InferenceSession(source, options, providers=usable)
    except Exception as error:  # onnxruntime has no public base class for what it raises
        what = str(error).split("\n")[0]
        name = "the network" if isinstance(model, bytes) else model
        raise LivecamError(f"{name}: ONNX Runtime cannot load it: {what}") from error


def usable_providers(requested: Sequence[str], where: str = "runtime.providers") -> list[str]:
    """The execution providers to use, best first; the CPU is always the last resort. `where`: what
    an error begins with."""
    available = onnxruntime.get_available_providers()
    for name in requested:
        if name not in available:
            raise UsageError(
                f"{where}: {name!r} is not in this ONNX Runtime; it has {', '.join(available)}"
            )
    chosen = list(requested) or [name for name in PREFERRED if name in available][:1]
    return list(dict.fromkeys([*chosen, "CPUExecutionProvider"]))


class SmallNet:
    """Callable: pictures (n, h, w, 3) -> the network's one answer (n, …).

    For a network so small that threads wait for each other longer than they compute: one thread
    takes what has fewer than ALONE_PX pixels.
    """

    def __init__(self, model: bytes, threads: int, providers: Sequence[str]) -> None:
        self._alone, self._shared = (session(model, n, providers) for n in (1, threads))
        self._input = self._alone.get_inputs()[0].name

    def __call__(self, pictures: Image) -> Array:
        net = self._alone if pictures.size < 3 * ALONE_PX else self._shared
        (answer,) = net.run(None, {self._input: pictures})
        return answer

    def release(self, side_px: int) -> None:
        """Give the system back what is kept for other pictures as large as the largest: it takes
        another picture, of the smallest size."""
        if self._shared.get_providers()[0] != "CPUExecutionProvider":
            return
        options = onnxruntime.RunOptions()
        options.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
        smallest = np.zeros((1, side_px, side_px, 3), np.uint8)
        for net in (self._alone, self._shared):
            net.run(None, {self._input: smallest}, options)
