"""A residual network that looks twice: at the whole face, and at where an LSTM tells it to.

After Zhang et al. 2019 (Fine-Grained Age Estimation in the Wild with Attention LSTM Networks):
the features of the whole picture, read place by place, give one attended place; the same kind of
network looks at a crop around it; both are fused. The crop is cut by interpolation, so that the
place is learnt from the error alone.
"""

from __future__ import annotations

import keras
from keras import layers, ops

from train.architectures.pictures import scaled

CROP_SHARE = 0.5  # side of the attended crop over that of the picture
PLACE_PX = 32  # between two places that ResNet50V2 has features of


def al_resnet(x: keras.KerasTensor, units: int) -> keras.KerasTensor:
    """Pictures (n, px, px, 3) in 0..255 -> (n, m): ResNet50V2's features of the whole, then of the
    attended crop. `units` is the width of the LSTM. Raises ValueError of pictures that leave one
    place at most."""
    x = scaled(x)
    px = x.shape[1]
    if px <= PLACE_PX:
        raise ValueError(f"expected pictures of more than {PLACE_PX} px, got {px}")
    shape = (px, px, 3)
    whole = keras.applications.ResNet50V2(
        include_top=False, weights=None, input_shape=shape, name="whole"
    )(x)
    centre = _attended(whole, units)
    crop = layers.Reshape(shape)(_cut(x, centre))
    local = keras.applications.ResNet50V2(
        include_top=False, weights=None, input_shape=shape, name="local"
    )(crop)
    pool = layers.GlobalAveragePooling2D
    return layers.Concatenate()([pool()(whole), pool()(local)])


def _attended(features: keras.KerasTensor, units: int) -> keras.KerasTensor:
    """(n, rows, columns, m) -> (n, 2): the place that an LSTM finds important, as y and x in
    0..1: the mean of all places, weighted by a softmax over what it says of each."""
    _, rows, columns, width = features.shape
    places = layers.Reshape((rows * columns, width))(features)
    seen = layers.LSTM(units, return_sequences=True, unroll=True, name="attention")(places)
    weight = layers.Softmax(axis=1)(layers.Dense(1, name="importance")(seen))  # (n, places, 1)
    y = (ops.repeat(ops.arange(rows, dtype="float32"), columns) + 0.5) / rows
    x = (ops.tile(ops.arange(columns, dtype="float32"), rows) + 0.5) / columns
    return ops.sum(weight * ops.stack([y, x], axis=1)[None], axis=1)


def _cut(x: keras.KerasTensor, centre: keras.KerasTensor) -> keras.KerasTensor:
    """Pictures (n, px, px, 3) and centres (n, 2) in 0..1 -> crops of half the side, enlarged to
    (n, px, px, 3) by linear interpolation."""
    px = x.shape[1]
    half = CROP_SHARE / 2
    centre = ops.clip(centre, half, 1 - half)
    steps = (ops.arange(px, dtype="float32") + 0.5) / px * CROP_SHARE - half  # (px,)
    at = (centre[:, :, None] + steps[None, None]) * px - 0.5  # (n, 2, px) in pixels
    at = ops.clip(at, 0, px - 1)  # beyond the border it goes on
    pixels = ops.arange(px, dtype="float32")
    weights = ops.relu(1 - ops.abs(at[..., None] - pixels))  # (n, 2, px out, px in)
    rows = ops.einsum("noi,nijc->nojc", weights[:, 0], x)
    return ops.einsum("noj,nijc->nioc", weights[:, 1], rows)
