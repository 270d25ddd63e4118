"""Turn face data sets into one HDF5 file of aligned faces.

Faces are found and aligned by the code that runs in `livecam`. Copies and near-copies are found
across all the data; their labels are merged, and no group of them is on two sides of a split.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import dataclasses
import hashlib
import os
import sys
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePath

import h5py
import numpy as np

from livecam.arguments import Parser, count_of
from livecam.crops import CANONICAL_PX, aligned_crops, assumed_landmarks
from livecam.datatypes import Image
from livecam.detector import Mtcnn
from livecam.errors import LivecamError, UsageError
from livecam.exit_codes import exit_code, say
from livecam.extras import require
from livecam.files import PartialFile, check_output, require_room
from livecam.pictures import HEIF_SUFFIXES, decode_picture
from livecam.progress import Progress
from train import copies, datasets
from train.archive import Folder, Unreadable, ZipFile
from train.dropped import Dropped
from train.prepared_rows import Rows
from train.published_sets import Entry

BATCH = 64
BATCH_PIXELS = 32_000_000
CORES = os.cpu_count() or 1
FILE_BYTES = 1 << 20  # besides its rows, generously
COLUMNS_BYTES = 1024  # of a row, generously: names, labels
THUMBNAIL_BYTES = 5 * 1024  # itself, and the place of its crop, generously
MIN_FACE_PX = 32  # that the detector looks for
MIN_CROP_PX = 32  # of --crop-px
DEV_SHARE = 0.05


def main(argv: list[str] | None = None) -> int:
    return exit_code(_prepare, _parser(), argv)


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="python -m train.prepare", description=__doc__)
    parser.add_argument(
        "data",
        nargs="+",
        type=Path,
        help="a data set's zip file or folder, or your own CSV file (file, age or class, gender); "
        f"understood are: {datasets.UNDERSTOOD}",
    )
    parser.add_argument(
        "-o", "--output", type=Path, required=True, help="the HDF5 file to write: FILE.h5"
    )
    parser.add_argument(
        "--test-list",
        type=Path,
        help="a text file of picture names, one per line (`file`, or `dataset/file`): they become "
        "the test part, beside what data sets publish for tests and what is in folders or tables "
        "called test, and their copies leave the training part",
    )
    parser.add_argument(
        "--dev-list",
        type=Path,
        help="the same for the dev part, on which choices are made: to train further from a model, "
        "list faces that it was not trained on; without a list, the dev part is drawn",
    )
    parser.add_argument(
        "--dev-share", type=float, help=f"share of the rest to draw for it ({DEV_SHARE})"
    )
    parser.add_argument("--seed", type=int, help="seed for drawing the dev part (0)")
    parser.add_argument(
        "--classes",
        default="",
        metavar="NAME=AGES,…",
        help="the ages of named classes, such as young=13-30,middle=31-50,old=51+",
    )
    parser.add_argument(
        "--real-age",
        action="store_true",
        help="use the real ages of APPA-REAL in place of the apparent ones",
    )
    parser.add_argument(
        "--crop-px",
        type=count_of,
        default=CANONICAL_PX,
        metavar="PX",
        help=f"side of the crops ({CANONICAL_PX}, as livecam cuts them)",
    )
    parser.add_argument(
        "--limit",
        type=count_of,
        metavar="N",
        help="use only N pictures of each data set, drawn by their names",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace an existing output")
    return parser


def _prepare(args: argparse.Namespace) -> None:
    inputs = filter(None, (*args.data, args.test_list, args.dev_list))
    check_output("--output", args.output, [".h5", ".hdf5"], inputs, args.overwrite)
    dev_share = DEV_SHARE if args.dev_share is None else args.dev_share
    if not 0 < dev_share < 1:
        raise UsageError(f"--dev-share: expected a share between 0 and 1, got {dev_share}")
    if args.dev_list is not None and (args.dev_share, args.seed) != (None, None):
        raise UsageError("--dev-list: names the dev part; leave out --dev-share and --seed")
    if args.crop_px < MIN_CROP_PX:
        raise UsageError(f"--crop-px: expected at least {MIN_CROP_PX}, got {args.crop_px}")
    test_names, dev_names = _names(args.test_list, "test"), _names(args.dev_list, "dev")
    with PartialFile(args.output) as partial, contextlib.ExitStack() as stack:
        dropped, room = Dropped(), Room(args.output, args.crop_px)
        data = _listed(args, dropped, stack)
        room.require(sum(len(listed.entries) for listed in data))
        h5 = stack.enter_context(h5py.File(partial, "w"))
        rows = Rows(stack.enter_context(copies.Thumbnails(partial.parent)), dropped=dropped)
        _write_crops(h5, rows, data, room)
        split = rows.split(test_names, dev_names, dev_share, args.seed or 0)
        room.require(0, len(rows))
        rows.write(h5, split)
        say(rows.summary(split, test=test_names, dev=dev_names))
    print(args.output)


def _listed(
    args: argparse.Namespace, dropped: Dropped, stack: contextlib.ExitStack
) -> list[Listed]:
    """All data sets, before the first picture is looked at: what is wrong is said at once."""
    data = []
    classes = datasets.parsed_classes(args.classes)
    for path in args.data:
        archive = datasets.open_data(path)
        stack.callback(archive.close)
        own = Dropped()
        entries = datasets.entries(path, archive, own, classes, args.real_age)
        data.append(Listed(archive, _drawn(list(entries), args.limit)))
        if not data[-1].entries:
            why = [*(f"{reason}: {n}" for reason, n in own.items()), *own.lines()[:1]]
            raise LivecamError(
                f"{path}: no usable picture in it ({', '.join(why) or 'none is listed'})"
            )
        dropped.take(own)
    data = _told_apart(args.data, data)
    if args.real_age and not any(listed.entries[0].dataset == "appa_real" for listed in data):
        raise UsageError("--real-age: APPA-REAL alone has real ages, and it is not among the data")
    if classes and not classes.met:
        raise UsageError(
            f"--classes: no folder of a class and no row of a table in the data is called "
            f"{' or '.join(classes)}; give the names that they have, or leave it out"
        )
    return data


def _told_apart(paths: list[Path], data: list[Listed]) -> list[Listed]:
    """A person's own data are called after their file or folder: those that would be of one name,
    after the folders around them too, and by their suffixes if need be."""
    names = [listed.entries[0].dataset for listed in data]
    real = [path.resolve() for path in paths]
    named = []
    for name, path, listed in zip(names, real, data, strict=True):
        of_one_name = {other for other in real if other.stem == path.stem == name}
        if len(of_one_name) > 1 and name not in datasets.PUBLISHED:
            plain = path.with_suffix("")
            is_plain = [other.with_suffix("") for other in of_one_name].count(plain) == 1
            own = (plain if is_plain else path).as_posix()
            with contextlib.suppress(ValueError):  # on two drives of Windows
                around = os.path.commonpath([other.parent for other in of_one_name])
                own = (plain if is_plain else path).relative_to(around).as_posix()
            entries = [dataclasses.replace(entry, dataset=own) for entry in listed.entries]
            listed = dataclasses.replace(listed, entries=entries)
        named.append(listed)
    return named


def _drawn(entries: list[Entry], limit: int | None) -> list[Entry]:
    """So many by chance, always the same ones, in their order: the first ones may be of one age."""
    if limit is None:
        return entries
    numbers = [hashlib.sha256(os.fsencode(entry.file)).digest() for entry in entries]
    drawn = sorted(range(len(entries)), key=numbers.__getitem__)[:limit]
    return [entries[i] for i in sorted(drawn)]


def _names(path: Path | None, part: str) -> set[str]:
    if path is None:
        return set()
    try:
        names = {line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()}
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise LivecamError(f"{path}: cannot read the {part} list: {reason}") from error
    if names <= {""}:
        raise LivecamError(f"{path}: no name in the {part} list; expected one a line")
    return names - {""}


@dataclass(frozen=True, slots=True)
class Listed:
    """A data set that is open, and the pictures of it that are wanted."""

    archive: Folder | ZipFile
    entries: list[Entry]


@dataclass(frozen=True, slots=True)
class Room:
    """On the disk of `output`, for crops of `crop_px`."""

    output: Path
    crop_px: int

    def require(self, new: int, written: int = 0) -> None:
        """Raises LivecamError if `new` crops, and the columns of them and of those `written`, may
        not fit."""
        crops = new * (3 * self.crop_px**2 + THUMBNAIL_BYTES)
        needed = crops + (new + written) * COLUMNS_BYTES + FILE_BYTES
        require_room(self.output, needed, "make room, or write to another disk")


def _write_crops(h5: h5py.File, rows: Rows, data: list[Listed], room: Room) -> None:
    """Aligned crops of all pictures into `h5["crops"]`, in the order of `rows`."""
    shape = (room.crop_px, room.crop_px, 3)
    crops = h5.create_dataset(
        "crops", (0, *shape), np.uint8, maxshape=(None, *shape), chunks=(1, *shape)
    )
    h5.flush()  # here and later, so that nothing is left to write if the disk is full
    detector = Mtcnn(min_face_px=MIN_FACE_PX, threads=1)  # a batch for each core does more
    members = [entry.member for listed in data for entry in listed.entries]
    if any(PurePath(member).suffix.lower() in HEIF_SUFFIXES for member in members):
        require("pi_heif", "heic")  # else each would be unreadable
    pool, stop = ThreadPoolExecutor(CORES), threading.Event()
    with Progress("prepare", len(members), "pictures") as progress, contextlib.ExitStack() as stack:
        stack.callback(pool.shutdown, cancel_futures=True)  # interrupted, it does not work on
        stack.callback(stop.set)
        for batch in _in_order(pool, _batches(data), detector, room.crop_px, stop):
            room.require(len(batch), len(rows))
            _write_batch(crops, rows, batch)
            h5.flush()
            progress.step(len(batch))
    if not len(rows):
        why = ", ".join(f"{reason}: {n}" for reason, n in sorted(rows.dropped.items()))
        raise LivecamError(f"no usable picture in the data ({why})")


@dataclass(frozen=True, slots=True)
class Aligned:
    """What became of a picture: a crop, or the reason why there is none."""

    entry: Entry
    digest: bytes = b""
    is_detected: bool = False
    crop: Image | None = None
    thumbnail: Image | None = None
    why_not: str = ""


def _batches(data: list[Listed]) -> Iterator[tuple[Folder | ZipFile, list[Entry]]]:
    for listed in data:
        for start in range(0, len(listed.entries), BATCH):
            yield listed.archive, listed.entries[start : start + BATCH]


def _in_order(
    pool: ThreadPoolExecutor,
    batches: Iterable[tuple[Folder | ZipFile, list[Entry]]],
    detector: Mtcnn,
    crop_px: int,
    stop: threading.Event,
) -> Iterator[list[Aligned]]:
    """The finished batches, in order, while others are worked on."""
    ahead: collections.deque[Future[list[Aligned]]] = collections.deque()
    for archive, entries in batches:
        ahead.append(pool.submit(_finished, archive, entries, detector, crop_px, stop))
        if len(ahead) > 2 * CORES:
            yield ahead.popleft().result()
    while ahead:
        yield ahead.popleft().result()


def _finished(
    archive: Folder | ZipFile,
    entries: list[Entry],
    detector: Mtcnn,
    crop_px: int,
    stop: threading.Event,
) -> list[Aligned]:
    """Read, decoded, searched for faces and aligned; large pictures a few at a time. Not all of
    them after a `stop`."""
    done: list[Aligned] = []
    pictures: list[tuple[Entry, bytes, Image]] = []
    pixels = 0
    for entry in entries:
        if stop.is_set():
            break
        digest, bgr = _read(archive, entry)
        if bgr is None:
            done.append(Aligned(entry, why_not="unreadable"))
            continue
        pictures.append((entry, digest, bgr))
        pixels += bgr.size // 3
        if pixels >= BATCH_PIXELS:
            done += _aligned(detector, pictures, crop_px)
            pictures, pixels = [], 0
    return [*done, *_aligned(detector, pictures, crop_px)]


def _read(archive: Folder | ZipFile, entry: Entry) -> tuple[bytes, Image | None]:
    try:
        encoded = archive.read(entry.member)
    except Unreadable:
        return b"", None
    return hashlib.sha256(encoded).digest(), decode(encoded)


def _aligned(
    detector: Mtcnn, pictures: list[tuple[Entry, bytes, Image]], crop_px: int
) -> Iterator[Aligned]:
    found = detector.find_main([bgr for _, _, bgr in pictures])
    for (entry, digest, bgr), faces in zip(pictures, found, strict=True):
        landmarks = faces.landmarks
        if not len(faces) and entry.is_tight:
            landmarks = assumed_landmarks(bgr.shape[1::-1])
        if len(landmarks):
            crop = aligned_crops(bgr, landmarks, crop_px)[0]
            # Of crops of one size, so that the size of those in the file does not change a split.
            canonical = crop if crop_px == CANONICAL_PX else aligned_crops(bgr, landmarks)[0]
            yield Aligned(entry, digest, len(faces) > 0, crop, copies.thumbnail(canonical))
        else:
            yield Aligned(entry, why_not="no face found")


def decode(encoded: bytes) -> Image | None:
    """BGR, upright; None for what is no whole picture."""
    try:
        return decode_picture("", np.frombuffer(encoded, np.uint8))
    except LivecamError:
        return None


def _write_batch(crops: h5py.Dataset, rows: Rows, batch: list[Aligned]) -> None:
    written = []
    for picture in batch:
        if picture.crop is None or picture.thumbnail is None:
            rows.dropped.add(picture.why_not, picture.entry.file)
            rows.without.append(picture.entry)
        else:
            rows.append(picture.entry, picture.digest, picture.is_detected, picture.thumbnail)
            written.append(picture.crop)
    if written:
        crops.resize(len(rows), axis=0)
        crops[len(rows) - len(written) :] = np.stack(written)


if __name__ == "__main__":
    sys.exit(main())
