"""Turn published data sets into one HDF5 file of aligned faces.

Faces are found and aligned by the code that runs in `livecam`. Copies and near-copies are found
across all the data; their labels are merged, and no group of them is on two sides of a split.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import h5py
import numpy as np

from livecam.crops import CANONICAL_PX, aligned_crops, assumed_landmarks
from livecam.datatypes import Image
from livecam.detector import Mtcnn
from livecam.errors import LivecamError, UsageError
from livecam.progress import Progress
from train import copies, datasets
from train.cli import run
from train.faces import DEV, LEFT_OUT, TEST, TRAIN

BATCH = 64
MIN_FACE_PX = 32


def main(argv: list[str] | None = None) -> int:
    return run(_prepare, _parser(), argv)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m train.prepare", description=__doc__)
    parser.add_argument("data", nargs="+", type=Path, help="a data set: its zip file or folder")
    parser.add_argument("-o", "--output", type=Path, required=True, help="the HDF5 file to write")
    parser.add_argument(
        "--test-list",
        type=Path,
        help="a text file of picture names, one a line: they become the test part, "
        "and their copies leave the training part",
    )
    parser.add_argument(
        "--dev-share", type=float, default=0.05, help="share of the rest held for choices (0.05)"
    )
    parser.add_argument("--seed", type=int, default=0, help="draws the dev part (0)")
    parser.add_argument("--limit", type=int, help="use only the first N pictures of each data set")
    parser.add_argument("--overwrite", action="store_true", help="replace an existing output")
    return parser


def _prepare(args: argparse.Namespace) -> None:
    if args.output.exists() and not args.overwrite:
        raise UsageError(f"{args.output}: exists; choose another name or give --overwrite")
    if not 0 < args.dev_share < 1:
        raise UsageError(f"--dev-share: expected a share between 0 and 1, got {args.dev_share}")
    test_names = _test_names(args.test_list)
    partial = args.output.with_name(args.output.name + ".partial")
    try:
        with h5py.File(partial, "w") as h5:
            rows = _write_crops(h5, args.data, args.limit)
            split = rows.split(test_names, args.dev_share, args.seed)
            rows.write(h5, split)
            print(rows.summary(split, test_names), file=sys.stderr)
        partial.replace(args.output)
    finally:
        partial.unlink(missing_ok=True)
    print(args.output)


def _test_names(path: Path | None) -> set[str]:
    if path is None:
        return set()
    try:
        names = {line.strip() for line in path.read_text(encoding="utf-8").splitlines()}
    except OSError as error:
        raise LivecamError(f"{path}: cannot read the test list: {error.strerror}") from error
    return names - {""}


@dataclass
class Rows:
    """What is known of each written crop, in their order, and what was left out before."""

    samples: list[tuple[str, str, datasets.Label]] = field(default_factory=list)
    digests: list[str] = field(default_factory=list)
    detected: list[bool] = field(default_factory=list)
    thumbnails: list[np.ndarray] = field(default_factory=list)
    dropped: Counter[str] = field(default_factory=Counter)
    unreadable: list[str] = field(default_factory=list)

    def split(self, test_names: set[str], dev_share: float, seed: int) -> Split:
        """Groups by copies; each group is wholly in the training, dev or test part."""
        group = copies.groups(len(self.samples), self._copies())
        ages = np.array([label.age for _, _, label in self.samples], np.float32)
        part = np.full(len(ages), TRAIN, np.int8)
        rng = np.random.default_rng(seed)
        firsts = np.unique(group)
        dev_groups = firsts[rng.random(len(firsts)) < dev_share]
        part[np.isin(group, dev_groups)] = DEV
        is_test = np.array([file in test_names for _, file, _ in self.samples], bool)
        part[np.isin(group, group[is_test])] = LEFT_OUT
        _, first_of_content = np.unique(self.digests, return_index=True)
        is_copy = np.ones(len(ages), bool)
        is_copy[first_of_content] = False
        part[is_copy] = LEFT_OUT
        part[is_test] = TEST
        merged = _median_by_group(ages, group)
        merged[is_test] = ages[is_test]  # the labels of a published test part stay as they are
        return Split(part, group, merged, is_copy)

    def _copies(self) -> np.ndarray:
        """Pairs of rows with the same content or the same look."""
        row_of: dict[str, int] = {}
        same = [(row_of.setdefault(digest, i), i) for i, digest in enumerate(self.digests)]
        pairs = np.array([pair for pair in same if pair[0] != pair[1]], int).reshape(-1, 2)
        return np.concatenate([pairs, copies.near_copies(np.array(self.thumbnails))])

    def write(self, h5: h5py.File, split: Split) -> None:
        text = h5py.string_dtype()
        labels = [label for _, _, label in self.samples]
        h5["dataset"] = np.array([dataset for dataset, _, _ in self.samples], dtype=text)
        h5["file"] = np.array([file for _, file, _ in self.samples], dtype=text)
        h5["label_age"] = np.array([label.age for label in labels], np.int16)
        h5["age"] = split.age
        h5["gender"] = np.array([label.gender for label in labels], np.int8)
        h5["ethnicity"] = np.array([label.ethnicity for label in labels], np.int8)
        h5["detected"] = np.array(self.detected, bool)
        h5["group"] = split.group
        h5["split"] = split.part
        h5.attrs["data_hash"] = self._data_hash(split)

    def _data_hash(self, split: Split) -> str:
        """Changes when a picture, a label or the split changes."""
        digest = hashlib.sha256()
        for content, age, part in zip(self.digests, split.age, split.part, strict=True):
            digest.update(f"{content} {age:.1f} {part}\n".encode())
        return digest.hexdigest()[:16]

    def summary(self, split: Split, test_names: set[str]) -> str:
        """The table that says what became of every picture."""
        lines = [f"{'pictures':34}{len(self.samples) + sum(self.dropped.values()):>8}"]
        left_out = split.part == LEFT_OUT
        reasons = Counter(self.dropped)
        reasons["exact copy of another picture"] = int((left_out & split.is_copy).sum())
        reasons["copy of a test picture"] = int((left_out & ~split.is_copy).sum())
        lines += [f"  left out: {why:22}{n:>8}" for why, n in sorted(reasons.items()) if n]
        for part, name in ((TRAIN, "train"), (DEV, "dev"), (TEST, "test")):
            ages = split.age[split.part == part]
            median = f"   median age {np.median(ages):.0f}" if len(ages) else ""
            lines.append(f"{name:34}{len(ages):>8}{median}")
        sizes = np.bincount(split.group)
        labels = np.array([label.age for _, _, label in self.samples])
        relabelled = int(((split.age != labels) & ~left_out).sum())
        lines.append(f"{'groups of copies':34}{int((sizes > 1).sum()):>8}   largest {sizes.max()}")
        lines.append(f"{'labels merged within groups':34}{relabelled:>8}")
        undetected = len(self.detected) - sum(self.detected)
        lines.append(f"{'no face found, place assumed':34}{undetected:>8}")
        missing = test_names - {file for _, file, _ in self.samples}
        if missing:
            lines.append(f"{'test list names not in the data':34}{len(missing):>8}")
        lines += [f"unreadable: {name}" for name in self.unreadable]
        return "\n".join(lines)


@dataclass(frozen=True)
class Split:
    """Per row: `part`, `group` of copies, merged `age`, and whether it repeats another's bytes."""

    part: np.ndarray
    group: np.ndarray
    age: np.ndarray
    is_copy: np.ndarray


def _median_by_group(ages: np.ndarray, group: np.ndarray) -> np.ndarray:
    merged = ages.copy()
    for first in np.nonzero(np.bincount(group) > 1)[0]:
        members = group == first
        merged[members] = np.median(ages[members])
    return merged


def _write_crops(h5: h5py.File, data: list[Path], limit: int | None) -> Rows:
    """Aligned crops of all pictures into `h5["crops"]`, in the order of the returned rows."""
    rows = Rows()
    shape = (CANONICAL_PX, CANONICAL_PX, 3)
    crops = h5.create_dataset(
        "crops", (0, *shape), np.uint8, maxshape=(None, *shape), chunks=(1, *shape)
    )
    detector = Mtcnn(min_face_px=MIN_FACE_PX)
    total = sum(min(datasets.count(path), limit or sys.maxsize) for path in data)
    with Progress("prepare", total, "pictures") as progress:
        for path in data:
            samples = itertools.islice(datasets.read(path, rows.dropped), limit)
            for batch in _batched(samples, BATCH):
                _write_batch(crops, rows, detector, batch)
                progress.step(len(batch))
    if not rows.samples:
        raise LivecamError("no readable picture in the data; nothing was written")
    return rows


def _write_batch(
    crops: h5py.Dataset, rows: Rows, detector: Mtcnn, batch: list[datasets.Sample]
) -> None:
    readable = []
    pictures: list[Image] = []
    for sample in batch:
        bgr = cv2.imdecode(np.frombuffer(sample.encoded, np.uint8), cv2.IMREAD_COLOR)
        if bgr is None:
            rows.dropped["unreadable"] += 1
            rows.unreadable.append(sample.file)
            continue
        readable.append(sample)
        pictures.append(bgr)
    start = len(rows.samples)
    crops.resize(start + len(readable), axis=0)
    for i, faces in enumerate(detector.find_main(pictures)):
        bgr, sample = pictures[i], readable[i]
        landmarks = faces.landmarks if len(faces) else assumed_landmarks(bgr.shape[1::-1])
        crop = aligned_crops(bgr, landmarks)[0]
        crops[start + i] = crop
        rows.samples.append((sample.dataset, sample.file, sample.label))
        rows.digests.append(hashlib.sha256(sample.encoded).hexdigest())
        rows.detected.append(len(faces) > 0)
        rows.thumbnails.append(copies.thumbnail(crop))


def _batched(samples: Iterable[datasets.Sample], n: int) -> Iterator[list[datasets.Sample]]:
    samples = iter(samples)
    while batch := list(itertools.islice(samples, n)):
        yield batch


if __name__ == "__main__":
    sys.exit(main())
