"""Weights of others: fetched from a real server on loopback, read, and put into the network."""

from __future__ import annotations

import hashlib
import http.server
import io
import json
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from with_keras import keras_module

from livecam.errors import LivecamError


@pytest.fixture(scope="module")
def pretrained() -> Any:
    return keras_module("pretrained")


def _tgz(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, data in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("npm")
    good = _tgz({"p/a.json": b"{}", "p/a.bin": b"1234", "p/later": bytes(100)})
    (folder / "good.tgz").write_bytes(good)
    (folder / "cut.tgz").write_bytes(good[: len(good) // 2])
    (folder / "page.tgz").write_text("<html>")

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args, directory=str(folder))

        def do_GET(self) -> None:
            if not self.path.endswith("pieces.tgz"):
                return super().do_GET()
            self.protocol_version = "HTTP/1.1"
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"64\r\n" + good[:20])  # 100 bytes are announced
            self.close_connection = True

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as httpd:
        threading.Thread(target=httpd.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{httpd.server_address[1]}"
        httpd.shutdown()


MEMBERS = {
    "p/a.json": hashlib.sha256(b"{}").hexdigest(),
    "p/a.bin": hashlib.sha256(b"1234").hexdigest(),
}


def test_the_files_are_fetched_and_checked(pretrained: Any, server: str, tmp_path: Path) -> None:
    pretrained.fetch(f"{server}/good.tgz", MEMBERS, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.bin", "a.json"]
    assert (tmp_path / "a.bin").read_bytes() == b"1234"


@pytest.mark.parametrize(
    ("name", "members", "message"),
    [
        ("none.tgz", MEMBERS, r"cannot be fetched \(HTTP Error 404.*recipes/resnet.yaml"),
        ("cut.tgz", MEMBERS, "cannot be fetched"),
        ("page.tgz", MEMBERS, "cannot be fetched"),
        ("pieces.tgz", MEMBERS, r"cannot be fetched \(IncompleteRead"),
        ("good.tgz", {**MEMBERS, "p/b": "0"}, "no p/b in it"),
        ("good.tgz", {"p/a.bin": "0" * 64}, "a.bin: expected the SHA-256 0000.*not used"),
    ],
)
def test_what_is_not_them_is_refused(
    pretrained: Any, server: str, tmp_path: Path, name: str, members: dict, message: str
) -> None:
    with pytest.raises(LivecamError, match=message):
        pretrained.fetch(f"{server}/{name}", members, tmp_path)
    assert not (tmp_path / "a.bin").exists() or (members is not None and "p/b" in members)


def test_no_network_is_said(pretrained: Any, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(pretrained, "URL", "http://127.0.0.1:9/none.tgz")
    with pytest.raises(LivecamError, match=r"pretrained weights cannot be fetched .*refused"):
        pretrained.weights_folder()


def test_arrays_are_read_by_name_and_shape(pretrained: Any, tmp_path: Path) -> None:
    first, second = np.arange(6, dtype="<f4").reshape(2, 3), np.array([7, 8], "<i4")
    entries = [
        {"name": "a", "shape": [2, 3], "dtype": "float32"},
        {"name": "b", "shape": [2], "dtype": "int32"},
    ]
    (tmp_path / "m.json").write_text(json.dumps({"weightsManifest": [{"weights": entries}]}))
    (tmp_path / "m.bin").write_bytes(first.tobytes() + second.tobytes())
    state = pretrained.read_tfjs(tmp_path / "m.json", tmp_path / "m.bin")
    np.testing.assert_array_equal(state["a"], first)
    np.testing.assert_array_equal(state["b"], second)
    (tmp_path / "m.bin").write_bytes(b"12")
    with pytest.raises(LivecamError, match=r"m.json: not a model of TensorFlow.js"):
        pretrained.read_tfjs(tmp_path / "m.json", tmp_path / "m.bin")


def _state(net: Any) -> dict[str, np.ndarray]:
    """Random weights under the names of the published file, for every layer of the network."""
    rng = np.random.default_rng(0)
    state = {}
    for layer in net.layers:
        name, shapes = layer.name, [weight.shape for weight in layer.weights]
        if not shapes:
            continue
        kernel, bias = rng.normal(size=shapes[0]), rng.normal(size=shapes[1])
        if name.startswith("conv"):
            kind = "depthwise_kernel" if "_dw_" in name else "convolution/merged_input"
            state[f"{name}/{kind}"] = kernel
            state[f"{name}_bn/batchnorm_1/sub"] = bias[None]
            state[f"{name}_bn/batchnorm_1/mul"] = rng.normal(size=bias.shape)
        elif name == "age":
            state["age_pred/kernel"] = rng.normal(size=(shapes[0][0], 100))
            state["age_pred/bias"] = rng.normal(size=100)
        else:
            title = "gender_pred" if name == "gender" else name
            state[f"{title}/kernel"], state[f"{title}/bias"] = kernel, bias
    return state


def test_every_layer_takes_its_weights(pretrained: Any, tmp_path: Path, monkeypatch: Any) -> None:
    from train import architectures
    from train.recipe import Recipe

    net = architectures.build(Recipe(architecture="mobilenet", input_px=32))
    state = _state(net)
    monkeypatch.setattr(pretrained, "weights_folder", lambda: tmp_path)
    monkeypatch.setattr(pretrained, "read_tfjs", lambda *_: state)
    pretrained.load_face_weights(net)
    kernel, bias = net.get_layer("conv1").get_weights()
    np.testing.assert_allclose(kernel[:, :, 0], state["conv1/convolution/merged_input"][:, :, 2])
    np.testing.assert_allclose(bias, state["conv1_bn/batchnorm_1/sub"][0], rtol=1e-6)
    kernel, _ = net.get_layer("conv_dw_3").get_weights()
    gain = state["conv_dw_3_bn/batchnorm_1/mul"]
    wanted = state["conv_dw_3/depthwise_kernel"][:, :, 5] * gain[5]
    np.testing.assert_allclose(kernel[:, :, 5], wanted, rtol=1e-5)
    kernel, bias = net.get_layer("age").get_weights()
    np.testing.assert_allclose(kernel[:, 30], state["age_pred/kernel"][:, 29], rtol=1e-6)
    np.testing.assert_allclose(kernel[:, 0], kernel[:, 1])
    assert bias[100] == pytest.approx(state["age_pred/bias"][99])
    np.testing.assert_allclose(
        net.get_layer("gender").get_weights()[0], -state["gender_pred/kernel"], rtol=1e-6
    )


def test_heads_of_classes_stay_as_they_are(
    pretrained: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    from train import architectures
    from train.recipe import Recipe

    net = architectures.build(Recipe(architecture="mobilenet", input_px=32), classes=7)
    before = net.get_layer("age").get_weights()[0].copy()
    state = _state(net)
    monkeypatch.setattr(pretrained, "weights_folder", lambda: tmp_path)
    monkeypatch.setattr(pretrained, "read_tfjs", lambda *_: state)
    pretrained.load_face_weights(net)
    np.testing.assert_array_equal(net.get_layer("age").get_weights()[0], before)
