"""`keras:NAME`: the networks of keras.applications, each with the preprocessing it was made for."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterable
from typing import Any

import keras
import numpy as np
from keras import layers

from livecam.errors import LivecamError, UsageError
from livecam.wording import suggestion
from train.architectures.pictures import recoloured


def names() -> list[str]:
    """All networks of keras.applications that can be built without their classes."""
    return [
        name
        for name, build in vars(keras.applications).items()
        if inspect.isfunction(build) and "include_top" in inspect.signature(build).parameters
    ]


def find(name: str) -> Callable[..., keras.Model]:
    """Raises UsageError if keras.applications has no such network."""
    if name not in names():
        hint = suggestion(name, names(), "keras:") or f"; it has {', '.join(names())}"
        raise UsageError(f"architecture: keras.applications has no {name!r}{hint}")
    return vars(keras.applications)[name]


def features(x: keras.KerasTensor, name: str, pretrained: bool, freezes: bool) -> keras.KerasTensor:
    """Pictures (n, px, px, 3) in 0..255 -> (n, m), averaged over the picture. `freezes` says
    whether the recipe keeps weights, which it cannot without ImageNet's.

    Raises LivecamError if ImageNet's weights are wanted and cannot be had, UsageError if the
    network needs larger pictures.
    """
    build = find(name)
    matrix, offset = affine(_preprocessing(build))
    is_plain = np.array_equal(matrix, np.eye(3)) and not offset.any()
    x = x if is_plain else recoloured(x, matrix, offset, "preprocess")
    try:
        backbone = build(include_top=False, weights=None, input_shape=x.shape[1:])
    except ValueError as error:
        raise UsageError(f"keras:{name}: {' '.join(str(error).split())}") from error
    if pretrained:
        _load_imagenet(backbone, build, name, freezes)
    return layers.GlobalAveragePooling2D()(backbone(x))


def _load_imagenet(
    backbone: keras.Model, build: Callable[..., keras.Model], name: str, freezes: bool
) -> None:
    try:
        known = build(include_top=False, weights="imagenet", input_shape=backbone.input_shape[1:])
    except Exception as error:  # Keras raises whatever its download raises
        reason = " ".join(str(error).split())
        also = " --set frozen=" if freezes else ""
        raise LivecamError(
            f"keras:{name}: ImageNet's weights cannot be had ({reason}); connect to the internet "
            f"once, put the file into ~/.keras/models, or give --set pretrained=false{also}"
        ) from error
    backbone.set_weights(known.get_weights())
    for norm, layer, behind in zip(backbone.layers, known.layers, known.layers[1:], strict=False):
        if isinstance(layer, layers.Normalization) and isinstance(behind, layers.Rescaling):
            # EfficientNet has this factor with ImageNet's weights alone. Here it goes into the
            # normalisation, so that the network is the same one with any weights.
            norm.adapt_variance.assign(norm.adapt_variance / np.square(behind.scale))
    settle(backbone.layers)


def settle(of: Iterable[keras.Layer]) -> None:
    """Normalisations of pictures take the weights that were set; Keras sees to it only where it
    loads a file."""
    for layer in of:
        if isinstance(layer, layers.Normalization):
            layer.finalize_state()


def _preprocessing(build: Callable[..., keras.Model]) -> Callable[[Any], Any]:
    return sys.modules[build.__module__].preprocess_input


def affine(preprocess: Callable[[Any], Any]) -> tuple[np.ndarray, np.ndarray]:
    """What a `preprocess_input` does to a pixel, as `pixel @ matrix + offset`: all of Keras'
    are of that form, and this raises ValueError if one is not."""
    probes = np.concatenate([np.zeros((1, 3)), 255 * np.eye(3), [[10.0, 200.0, 90.0]]])
    answers = np.asarray(preprocess(probes.astype(np.float32)[:, None, None].copy()))[:, 0, 0]
    offset = answers[0]
    matrix = (answers[1:4] - offset) / 255
    if not np.allclose(probes[4] @ matrix + offset, answers[4], atol=1e-3):
        raise ValueError(f"{preprocess.__module__}: preprocess_input is not affine")
    return matrix, offset
