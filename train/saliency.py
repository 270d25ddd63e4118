"""Which parts of a face an age hangs on: parts are covered one by one, and the age is asked again.

Zeiler and Fergus 2014, Visualizing and Understanding Convolutional Networks.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np

from livecam.ages import expected_age
from livecam.datatypes import AgeGender, Array, Image

PATCH_PX = 32
STRIDE_PX = 16


def occlusion_map(classify: Callable[[Image], AgeGender], crop: Image) -> Array:
    """Years by which the answer falls when a place is covered: (px, px, 3) -> (px, px).

    Positive where the place makes the face look older. A patch is of the crop's mean colour; a
    place takes the mean over the patches that cover it. One call of `classify` for all patches.
    """
    side = crop.shape[0]
    starts = [*range(0, side - PATCH_PX, STRIDE_PX), side - PATCH_PX]  # up to the border
    corners = list(itertools.product(starts, starts))
    pictures = np.repeat(crop[None], len(corners) + 1, axis=0)  # the last stays whole
    for picture, (top, left) in zip(pictures, corners, strict=False):
        picture[top : top + PATCH_PX, left : left + PATCH_PX] = crop.mean(axis=(0, 1))
    *covered, whole = expected_age(classify(pictures).age_probs)
    fall = np.zeros((side, side), np.float32)
    patches = np.zeros((side, side), np.float32)
    for age, (top, left) in zip(covered, corners, strict=True):
        fall[top : top + PATCH_PX, left : left + PATCH_PX] += whole - age
        patches[top : top + PATCH_PX, left : left + PATCH_PX] += 1
    return (fall / np.maximum(patches, 1)).astype(np.float32)
