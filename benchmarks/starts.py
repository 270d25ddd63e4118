"""Commands as a person starts them: the wall time of whole processes."""

from __future__ import annotations

import itertools
import shutil
import statistics
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np

from benchmarks import clips
from benchmarks.bench import Bench
from benchmarks.commands import livecam, python
from benchmarks.rounds import in_turns, ms_each
from benchmarks.table import Row, compared
from livecam.datatypes import Image
from livecam.demo import portrait
from livecam.errors import LivecamError
from livecam.exit_codes import say
from livecam.pictures import PICTURE_SUFFIXES
from livecam.wording import counted

SIDE_PX = 200  # of the made pictures
FACE_XY = (224.0, 122.0)  # the middle of the portrait's face, px
LEAST_WORK = 0.1  # beside what a start takes
STARTS = 5  # measurements of what takes less than a second


def start(bench: Bench) -> Iterator[Row]:
    """From the start of the process to its end after the first labelled frame. A face gets its
    label once it is confirmed, in the third frame or so."""
    n = bench.config.tracker.confirm_after
    for path in bench.paths:
        pairs = in_turns(
            lambda: livecam("run", "--camera", path, "--headless", "--max-frames", n).seconds,  # noqa: B023
            lambda: python("-m", "benchmarks.naive", path).seconds,  # noqa: B023
            bench.rounds,
        )
        yield compared(
            "start to the first label", clips.name_of(path), pairs, "s",
            "times as soon as the mtcnn package and Keras", is_other_over_ours=True,
        )  # fmt: skip


def help_(bench: Bench) -> Iterator[Row]:
    """Beside a Python that does nothing."""
    pairs = in_turns(
        lambda: python("-m", "livecam", "--help").seconds,
        lambda: python("-c", "pass").seconds,
        STARTS,
    )
    yield compared(
        "`livecam --help`", "–", pairs, "s", "its time over that of a Python that does nothing"
    )


def predict(bench: Bench) -> Iterator[Row]:
    """Pictures of one face each, a process for all of them, beside the naive way."""
    if bench.faces is None:
        name = f"{counted(bench.face_count, 'made picture')} of {SIDE_PX}×{SIDE_PX}"
        pictures = made_faces(bench.face_count)
        files = [_written(bench.folder / "faces", i, bgr) for i, bgr in enumerate(pictures)]
    else:
        files = list(_copied(bench.faces, bench.folder / "faces", bench.face_count))
        name = f"{counted(len(files), 'picture')} of {bench.faces.name}"
    if len(files) < 2:
        raise LivecamError(f"{name}: expected at least two, to measure a rate")
    one = bench.folder / "one"
    one.mkdir()
    shutil.copy(files[0], one)
    readable = (bgr for file in files if (bgr := cv2.imread(str(file))) is not None)
    few = list(itertools.islice(readable, bench.naive_frames))
    if not few:
        raise LivecamError(f"{name}: OpenCV reads none of them; expected pictures of faces")
    bench.naive(few[0])
    pairs = in_turns(
        lambda: _rate(lambda folder: livecam("predict", "--json", folder).seconds,
                      one, bench.folder / "faces", len(files)),
        lambda: 1000 / ms_each(bench.naive, few),
        bench.rounds,
    )  # fmt: skip
    yield compared(
        "`predict`, start-up excluded", name, pairs, "pictures/s",
        "times as fast as the mtcnn package and Keras' `model.predict`",
    )  # fmt: skip


class TooFewError(LivecamError):
    """Nothing can be measured on so little."""


def _rate(seconds: Callable[[Path], float], one: Path, many: Path, n: int) -> float:
    """Pictures a second of the `n` in a folder, without what a process for one of them takes."""
    alone_s = seconds(one)
    return _more_a_second(n, alone_s, seconds(many))


def _more_a_second(n: int, one_s: float, all_s: float) -> float:
    """Of n pictures, all but the one that takes `one_s`. Raises TooFewError where their time is
    lost in that of the start."""
    if all_s < (1 + LEAST_WORK) * one_s:
        raise TooFewError(
            f"{counted(n, 'picture')} took {all_s:.1f} s, one took {one_s:.1f} s: too few to "
            "measure a rate; give more"
        )
    return (n - 1) / (all_s - one_s)


def made_faces(n: int) -> Iterator[Image]:
    """(200, 200, 3) BGR: the face of scikit-image's portrait, shifted, scaled, turned and lit at
    random."""
    bgr = portrait()
    random = np.random.default_rng(0)
    for _ in range(n):
        zoom = SIDE_PX / random.uniform(150, 200)
        matrix = cv2.getRotationMatrix2D(FACE_XY, random.uniform(-10, 10), zoom)
        shift = SIDE_PX / 2 - np.array(FACE_XY) + random.uniform(-8, 8, 2)  # px
        matrix = np.column_stack([matrix[:, :2], matrix[:, 2] + shift])
        face = cv2.warpAffine(bgr, matrix, (SIDE_PX, SIDE_PX))
        yield cv2.convertScaleAbs(face, alpha=random.uniform(0.7, 1.2))


def _written(folder: Path, index: int, bgr: Image) -> Path:
    folder.mkdir(exist_ok=True)
    file = folder / f"{index:05}.jpg"
    file.write_bytes(cv2.imencode(".jpg", bgr)[1].tobytes())
    return file


def _copied(source: Path, folder: Path, most: int) -> Iterator[Path]:
    """The first pictures of a folder, in one of their own."""
    files = sorted(f for f in source.iterdir() if f.suffix.lower() in PICTURE_SUFFIXES)
    if not files:
        raise LivecamError(f"{source}: no picture in it; expected a folder of faces")
    folder.mkdir()
    for file in files[:most]:
        yield Path(shutil.copy(file, folder))


def _prepared(file: Path) -> int:
    import h5py

    with h5py.File(file) as h5:
        return len(h5["age"])


def prepare(bench: Bench) -> Iterator[Row]:
    """`train.prepare` on the first pictures of a data set, without what one picture takes."""
    if bench.prepare is None:
        say("prepare: left out; --prepare DATA brings it")
        return
    data, output, n = bench.prepare, bench.folder / "prepared.h5", bench.prepare_limit

    def seconds(limit: int) -> float:
        return python("-m", "train.prepare", data, "--limit", limit, "-o", output,
                      "--overwrite").seconds  # fmt: skip

    one_s = [seconds(1) for _ in range(bench.rounds)]
    all_s = [seconds(n) for _ in range(bench.rounds)]
    n = _prepared(output)  # there may be fewer
    if n < 2:
        raise LivecamError(
            f"{data}: {counted(n, 'face')}; expected a data set with more, to measure a rate"
        )
    rates = [_more_a_second(n, one, some) for one, some in zip(one_s, all_s, strict=True)]
    name = f"{counted(n, 'picture')} of {data.name}"
    yield Row(
        measure="`train.prepare`, start-up excluded",
        clip=name,
        ours=statistics.median(rates),
        unit="pictures/s",
    )
