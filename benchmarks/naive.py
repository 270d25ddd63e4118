"""What livecam is measured beside: the mtcnn package as it comes, and Keras called face by face.

`python -m benchmarks.naive CLIP` labels the first frame in this way and ends: its start-up.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks import clips
from livecam.datatypes import Array, Image
from livecam.extras import import_keras, require
from livecam.shipped import shipped_file

LEAST_FACE_PX = 20  # the package's default; from about 24 on it finds nothing at all


class Package:
    """The `mtcnn` package with its defaults, among them the thresholds 0.6, 0.7 and 0.8."""

    def __init__(self) -> None:
        require("mtcnn", "train")
        require("tensorflow", "train")
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        from mtcnn import MTCNN

        self._mtcnn = MTCNN()

    def detect(self, bgr: Image) -> list[dict[str, Any]]:
        """Its own answer: `box` as x, y, width and height, `keypoints`, `confidence`."""
        return self._mtcnn.detect_faces(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB))

    def boxes(self, bgr: Image, min_face_px: float = LEAST_FACE_PX) -> Array:
        """(n, 4) xyxy px of the picture, which is shrunk so that the package's smallest face is
        `min_face_px` of it."""
        shrink = LEAST_FACE_PX / min_face_px
        found = self._mtcnn.detect_faces(
            cv2.cvtColor(shrunk(bgr, shrink), cv2.COLOR_BGR2RGB),
            box_format="xyxy", output_type="numpy",
        )  # fmt: skip
        return np.asarray(found, np.float32).reshape(-1, 16)[:, 1:5] / shrink


def shrunk(bgr: Image, factor: float) -> Image:
    """The picture at `factor` times its size."""
    if factor == 1:
        return bgr
    height, width = (max(1, round(side * factor)) for side in bgr.shape[:2])
    return cv2.resize(bgr, (width, height), interpolation=cv2.INTER_AREA)


class NaiveLoop:
    """Callable: a BGR picture -> the number of its faces, each labelled by `model.predict`."""

    def __init__(self, package: Package) -> None:
        self._package = package
        keras = import_keras()
        self._model = keras.models.load_model(shipped_file("models/age_gender.keras"))
        self._side_px = self._model.inputs[0].shape[1]

    def __call__(self, bgr: Image) -> int:
        faces = 0
        for found in self._package.detect(bgr):
            x, y, width, height = (round(float(v)) for v in found["box"])
            crop = bgr[max(y, 0) : y + height, max(x, 0) : x + width]
            if crop.size:
                small = cv2.resize(crop, (self._side_px, self._side_px))
                rgb = cv2.cvtColor(small, cv2.COLOR_BGR2RGB)
                self._model.predict(rgb[None].astype(np.float32), verbose=0)
                faces += 1
        return faces


if __name__ == "__main__":
    NaiveLoop(Package())(next(clips.frames(Path(sys.argv[1]))).bgr)
