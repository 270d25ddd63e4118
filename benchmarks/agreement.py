"""Whether the same faces are found: as the package finds, and as a search of every frame does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np

from benchmarks import clips
from benchmarks.bench import Bench, config
from benchmarks.table import Row
from livecam.datatypes import Array, Image
from livecam.errors import LivecamError
from livecam.exit_codes import say
from livecam.geometry import iou_matrix
from livecam.pictures import PICTURE_SUFFIXES
from livecam.pipeline import Models
from livecam.wording import counted

SAME_FACE_IOU = 0.7  # of a face that both find
FOLLOWED_IOU = 0.5  # of a face that is not missed between two searches
SAMPLE = 40  # frames of each clip
OVERLAP = "overlap (IoU: common over joint area, 1 is the same box)"


def agreement(bench: Bench) -> Iterator[Row]:
    """The package's faces that livecam finds too, on pictures and on frames of the clips."""
    if bench.pictures is None:
        say("agreement on pictures: left out; --pictures FOLDER brings it")
    else:
        pictures = list(_pictures(bench.pictures))
        yield _agreement(bench, counted(len(pictures), "picture"), pictures)
    for path in bench.paths:
        pictures = clips.spread(path, SAMPLE)
        yield _agreement(
            bench, f"{clips.name_of(path)}, {counted(len(pictures), 'frame')}", pictures
        )


def _pictures(folder: Path) -> Iterator[Image]:
    files = sorted(f for f in folder.iterdir() if f.suffix.lower() in PICTURE_SUFFIXES)
    if not files:
        raise LivecamError(f"{folder}: no picture in it; expected a folder of photographs")
    for file in files:
        bgr = cv2.imread(str(file))
        if bgr is None:
            raise LivecamError(f"{file}: not a readable picture")
        yield bgr


def _agreement(bench: Bench, name: str, pictures: Sequence[Image]) -> Row:
    """R-Net's and O-Net's thresholds are the same in both; the package's P-Net lets more pass."""
    detector = bench.models.detector
    ious = np.concatenate(
        [
            partner_ious(bench.package.boxes(bgr, detector.min_face_px), detector.find(bgr).xyxy)
            for bgr in pictures
        ]
    )
    also = int((ious >= SAME_FACE_IOU).sum())
    return Row(
        measure="faces found",
        clip=name,
        ours=also,
        other=len(ious),
        unit="faces",
        ratio=also / len(ious) if len(ious) else None,
        meaning="share of the mtcnn package's faces that livecam finds too, with an "
        f"{OVERLAP} of at least {SAME_FACE_IOU}",
    )


def between(bench: Bench) -> Iterator[Row]:
    """The boxes between full detections beside those of a full detection of every frame."""
    every = Models(config(detector__detect_every=1))
    step = bench.config.detector.detect_every
    for path in bench.paths:
        usual = measured_boxes(path, bench.models, bench.frames)
        wanted = measured_boxes(path, every, bench.frames)
        ious = np.concatenate([partner_ious(w, u) for w, u in zip(wanted, usual, strict=True)])
        followed = ious[ious >= FOLLOWED_IOU]
        name, missed, n = clips.name_of(path), len(ious) - len(followed), len(ious)
        searched = f"a search of every frame, where livecam searches one in {step} at most"
        yield Row(
            measure="boxes between searches",
            clip=name,
            ours=len(followed),
            other=n,
            unit="boxes",
            ratio=float(followed.mean()) if len(followed) else None,
            meaning=f"mean {OVERLAP} with the boxes of {searched}",
        )
        yield Row(
            measure="faces missed between searches",
            clip=name,
            ours=missed,
            other=n,
            unit="boxes",
            ratio=missed / n if n else None,
            meaning="share of the faces of that search for which livecam has no box with an "
            f"overlap of at least {FOLLOWED_IOU}",
        )


def measured_boxes(path: Path, models: Models, most: int) -> list[Array]:
    """(n, 4) px for each frame: the confirmed tracks whose box was measured in it."""
    line = models.pipeline()
    boxes = []
    for frame in clips.frames(path, most):
        seen = [face.xyxy for face in line(frame) if not face.coasting_s]
        boxes.append(np.array(seen, np.float32).reshape(-1, 4))
    return boxes


def partner_ious(wanted: Array, found: Array) -> Array:
    """The IoU of each wanted box with its partner in `found`, 0 for one without: (n, 4), (m, 4) ->
    (n,). Pairs are formed best first, and no box is in two of them."""
    ious = np.zeros(len(wanted), np.float32)
    if not len(wanted) or not len(found):
        return ious
    overlap = iou_matrix(wanted.astype(np.float32), found.astype(np.float32))
    for _ in range(min(overlap.shape)):
        row, column = np.unravel_index(np.argmax(overlap), overlap.shape)
        ious[row] = max(overlap[row, column], 0.0)
        overlap[row], overlap[:, column] = -1.0, -1.0
    return ious
