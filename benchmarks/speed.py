"""How fast: labelling, labelled films, the search for faces, and their classification."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from benchmarks import clips
from benchmarks.bench import Bench
from benchmarks.commands import annotate_fps
from benchmarks.naive import LEAST_FACE_PX, shrunk
from benchmarks.rounds import in_turns, ms_each
from benchmarks.table import Row, compared
from livecam.classifier import AgeGenderClassifier
from livecam.clip import Clip
from livecam.config import VideoConfig
from livecam.crops import CANONICAL_PX
from livecam.datatypes import Image
from livecam.errors import LivecamError
from livecam.exit_codes import say
from livecam.sinks import VideoSink
from livecam.wording import counted

VGA_WH = (640, 480)
SEARCHES = 20  # frames of a clip on which detectors are timed
YUNET_THRESHOLD = 0.6
FACES, CALLS = (1, 4), 30  # of the classifier


def labelling(bench: Bench) -> Iterator[Row]:
    """`annotate --no-video --tracks`, with decoding and the table, beside the naive loop, whose
    frames are already decoded."""
    for path in bench.paths:
        clip, pictures = bench.looped(path), clips.spread(path, bench.naive_frames)
        tracks = bench.folder / "tracks.csv"
        bench.naive(pictures[0])  # what is slow only once
        pairs = in_turns(
            lambda: annotate_fps(clip, "--no-video", "--tracks", tracks, "--overwrite"),  # noqa: B023
            lambda: 1000 / ms_each(bench.naive, pictures),  # noqa: B023
            bench.rounds,
        )
        yield compared(
            "labelling alone", clips.name_of(path), pairs, "frames/s",
            "times as fast as the mtcnn package and Keras' `model.predict` on each face",
        )  # fmt: skip


def film(bench: Bench) -> Iterator[Row]:
    """`annotate` to H.264 beside decoding and encoding alone."""
    for path in bench.paths:
        clip, output = bench.looped(path), bench.folder / "film.mp4"
        pairs = in_turns(
            lambda: annotate_fps(clip, "--output", output, "--overwrite"),  # noqa: B023
            lambda: copying_fps(clip, output, bench.config.video),  # noqa: B023
            bench.rounds,
        )
        yield compared(
            "annotate to H.264", clips.name_of(path), pairs, "frames/s",
            "share of the rate of decoding and encoding alone, with the same encoder and settings",
        )  # fmt: skip


def copying_fps(path: Path, output: Path, config: VideoConfig) -> float:
    """Decode and encode, frame by frame with nothing drawn: from the first frame to the last."""
    with Clip(path.name, path) as clip, VideoSink(output, config, clip.rate) as sink:
        begin_s = end_s = 0.0
        n = 0
        for frame in clip:
            sink.write(frame, frame.bgr)
            end_s = time.monotonic()
            begin_s = begin_s or end_s
            n += 1
    return (n - 1) / (end_s - begin_s)


def detection(bench: Bench) -> Iterator[Row]:
    """A search of a whole picture beside the package's, for the same smallest face."""
    px = bench.config.detector.min_face_px
    for path in bench.paths:
        pictures = clips.resized(clips.spread(path, SEARCHES), VGA_WH)
        small = [shrunk(bgr, LEAST_FACE_PX / px) for bgr in pictures]
        pairs = in_turns(
            lambda: ms_each(bench.models.detector.find, pictures),  # noqa: B023
            lambda: ms_each(bench.package.detect, small),  # noqa: B023
            bench.rounds,
        )
        yield compared(
            f"full detection, faces from {px} px on", _at_vga(path), pairs,
            "ms", "times as fast as the mtcnn package, which gets the frames already shrunk so "
            f"that its {LEAST_FACE_PX} px are {px}", is_other_over_ours=True,
        )  # fmt: skip


def yunet(bench: Bench) -> Iterator[Row]:
    """A search of a whole picture beside OpenCV's own detector."""
    if bench.yunet is None:
        say("yunet: left out; --yunet FILE.onnx brings it")
        return
    try:
        other = cv2.FaceDetectorYN.create(str(bench.yunet), "", VGA_WH, YUNET_THRESHOLD)
    except cv2.error as error:
        raise LivecamError(f"{bench.yunet}: OpenCV cannot load it as YuNet: {error.err}") from error

    def find(bgr: Image) -> object:
        return other.detect(bgr)

    for path in bench.paths:
        pictures = clips.resized(clips.spread(path, SEARCHES), VGA_WH)
        pairs = in_turns(
            lambda: ms_each(bench.models.detector.find, pictures),  # noqa: B023
            lambda: ms_each(find, pictures),  # noqa: B023
            bench.rounds,
        )
        yield compared(
            "full detection beside YuNet", _at_vga(path), pairs, "ms",
            "livecam's time over that of OpenCV's `FaceDetectorYN`",
        )  # fmt: skip


def classification(bench: Bench) -> Iterator[Row]:
    """One view of aligned crops, whose enlargement counts, beside the same network in Keras."""
    master = AgeGenderClassifier(runtime="keras")
    rng = np.random.default_rng(0)
    for n in FACES:
        shape = (n, CANONICAL_PX, CANONICAL_PX, 3)
        calls = [rng.integers(0, 256, shape, np.uint8) for _ in range(CALLS)]
        pairs = in_turns(
            lambda: ms_each(bench.models.classifier, calls),  # noqa: B023
            lambda: ms_each(master, calls),  # noqa: B023
            bench.rounds,
        )
        yield compared(
            "classifying aligned faces", counted(n, "face"), pairs, "ms",
            "times as fast as the same network in Keras, in one batch", is_other_over_ours=True,
        )  # fmt: skip


def _at_vga(path: Path) -> str:
    return f"{path.stem} at {VGA_WH[0]}×{VGA_WH[1]}"
