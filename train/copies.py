"""Copies among pictures, so that no split separates them.

UTKFace holds some hundred byte-identical pictures under different ages, and more that were
re-encoded, coloured, cut anew or mirrored. Grey thumbnails of the *aligned* crops make those look
alike: first in waves of medium length, which is quick and leaves few pairs, then in their details.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from livecam.datatypes import Array, Image
from livecam.progress import Progress

THUMBNAIL_PX = 64
FEWEST_HALVES, MOST_HALVES = 3, 11  # of waves in a picture: fewer are its light
EVENNESS = 1.5  # power of their number by which they count more: in faces they are weaker
FAINT = 3e4  # length of all waves of a picture that shows hardly anything; faces have 2e5 and more
MIN_WAVES = 0.8  # what the waves of two pictures have to correlate by, to be looked at closely
SURE_WAVES = 0.85  # strangers' seldom do
# The score: how far the details correlate, plus half of how far the waves do. Of a hundred pairs
# above MIN_SAME that were new to the two data sets, all but three were of one picture when looked
# at; from there to MIN_DOUBT, every second and then none.
MIN_SAME, MIN_DOUBT = 1.27, 1.20
MIN_CONTRAST = 0.5  # grey levels of the details: what has less looks like anything
DETAIL_SIGMAS_PX = (0.5, 2.5)  # coarser is light and shape of a face, finer what JPEG makes of it
SHIFT_PX = 3  # by which the detector may place a copy elsewhere
ZOOMS = (1.0, 0.96, 1.04)
MARGIN_PX = 8  # of a thumbnail, beyond which crops of copies differ; holds the shift
MOST_LOOKS = 100  # at a row without success: what is like so many others says little
BLOCK = 4096
STRIP = 256  # rows of a block that are looked at together: if all are alike, a million pairs


def thumbnail(crop: Image) -> Image:
    """(px, px, 3) RGB -> grey uint8 (4096,)."""
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)
    size_wh = (THUMBNAIL_PX, THUMBNAIL_PX)
    return cv2.resize(grey, size_wh, interpolation=cv2.INTER_AREA).reshape(-1)


class Thumbnails:
    """The thumbnail of each crop on disk, 4.1 kB: a million would be 16 GB as numbers in memory.

    A context manager: the file in `folder` has no name and is gone afterwards.
    """

    def __init__(self, folder: Path) -> None:
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115, see `__exit__`

    def __enter__(self) -> Thumbnails:
        return self

    def __exit__(self, *exc: object) -> None:
        with contextlib.suppress(OSError):  # of a full disk: nobody wants the rest
            self._file.close()

    def append(self, thumbnail: Image) -> None:
        self._file.write(thumbnail.tobytes())

    def rows(self) -> Image:
        """All so far, (n, 4096) uint8, read where they are used."""
        self._file.flush()
        if not self._file.tell():
            return np.zeros((0, THUMBNAIL_PX**2), np.uint8)
        return np.memmap(self._file, np.uint8, mode="r").reshape(-1, THUMBNAIL_PX**2)


class Groups:
    """Groups of `n` rows, at first each by itself; a group has the number of its first row."""

    def __init__(self, n: int) -> None:
        self._above = np.arange(n)  # a row of the same group, the first's own at last

    def of(self, rows: np.ndarray) -> np.ndarray:
        """The groups of `rows`."""
        found, above = rows, self._above[rows]
        while not np.array_equal(above, top := self._above[above]):
            self._above[found] = top  # half the way next time
            found, above = top, self._above[top]
        self._above[rows] = above
        return above

    def join(self, some: np.ndarray, others: np.ndarray) -> None:
        """Make one group of those of each row in `some` and the one at its place in `others`."""
        while len(some):
            some, others = self.of(some), self.of(others)
            apart = some != others
            some, others = some[apart], others[apart]
            # of several lower groups the last counts; the others are still apart the next time
            self._above[np.maximum(some, others)] = np.minimum(some, others)


def near_copies(thumbnails: Image) -> tuple[np.ndarray, np.ndarray]:
    """Pairs (m, 2), first < second, of the first row and each other one of those groups that are
    connected by thumbnails (n, 4096) of one picture, mirrored or not; and pairs (k, 2) that may be
    of one.

    Only pairs that are not connected already are looked at closely: of a person's thousand frames
    all pairs are alike, and would not fit in memory. Of what is rather like a hundred others, not
    all pairs are.
    """
    rows, joined = np.arange(len(thumbnails)), Groups(len(thumbnails))
    doubtful, looks = [np.zeros((0, 2), int)], np.zeros(len(thumbnails), int)
    for pairs, correlation, is_mirrored in _alike(waves(thumbnails)):
        while len(pairs):
            groups = joined.of(pairs.reshape(-1)).reshape(-1, 2)
            worth = (looks[pairs] < MOST_LOOKS).all(axis=1) | (correlation > SURE_WAVES)
            worth &= groups[:, 0] != groups[:, 1]
            pairs, correlation = pairs[worth], correlation[worth]
            # of each second row one pair, as most of its others are connected then
            _, at = np.unique(pairs[:, 1], return_index=True)
            agree = [_agreement(thumbnails[i], thumbnails[j], is_mirrored) for i, j in pairs[at]]
            score = np.array(agree, np.float32) + correlation[at] / 2
            is_same = score > MIN_SAME
            joined.join(*pairs[at][is_same].T)
            doubtful.append(pairs[at][~is_same & (score > MIN_DOUBT)])
            np.add.at(looks, pairs[at][~is_same].reshape(-1), 1)
            pairs, correlation = np.delete(pairs, at, axis=0), np.delete(correlation, at)
    first = joined.of(rows)
    return np.stack([first, rows], axis=1)[first < rows], np.concatenate(doubtful)


def _alike(seen: Array) -> Iterator[tuple[np.ndarray, np.ndarray, bool]]:
    """Pairs (m, 2), first < second, of waves (n, 97) that correlate, how much (m,), and whether
    with one of them mirrored; some at a time."""
    n, starts = len(seen), range(0, len(seen), STRIP)
    # from both ends in turn: any two strips meet about as many others, so the rate is steady
    turns = [start for both in zip(starts, reversed(starts), strict=True) for start in both]
    with Progress("find copies", n, "faces") as progress:
        for start in turns[: len(starts)]:
            strip = seen[start : start + STRIP]
            for other in range(start, n, BLOCK):
                block = seen[other : other + BLOCK].T
                for is_mirrored in (False, True):
                    correlation = (strip * _mirror() if is_mirrored else strip) @ block
                    # several times as fast as `nonzero` of both dimensions
                    at = np.flatnonzero(correlation > MIN_WAVES)
                    i, j = np.divmod(at, correlation.shape[1])
                    is_first = i + start < j + other
                    i, j = i[is_first], j[is_first]
                    yield np.stack([i + start, j + other], axis=1), correlation[i, j], is_mirrored
            progress.step(len(strip))


def waves(thumbnails: Image) -> Array:
    """(n, 4096) uint8 -> (n, 97) float32 of length 1, whose products are correlations of waves;
    shorter where a picture shows hardly anything."""
    place = (np.arange(THUMBNAIL_PX) + 0.5) * np.pi / THUMBNAIL_PX
    across = np.cos(place[:, None] * np.arange(MOST_HALVES + 1)).astype(np.float32)  # (64, 12)
    down, right = _numbers()
    weight = np.hypot(down, right) ** EVENNESS
    seen = np.empty((len(thumbnails), len(down)), np.float32)
    for start in range(0, len(thumbnails), BLOCK):
        pictures = thumbnails[start : start + BLOCK].reshape(-1, THUMBNAIL_PX, THUMBNAIL_PX)
        both = across.T @ (pictures.astype(np.float32) @ across)  # (n, 12, 12)
        values = both[:, down, right] * weight
        lengths = np.linalg.norm(values, axis=1, keepdims=True)
        seen[start : start + BLOCK] = values / np.maximum(lengths, FAINT)
    return seen


def _numbers() -> tuple[np.ndarray, np.ndarray]:
    """How many halves of each wave are in a picture, from top to bottom and across: (97,) each."""
    down, right = np.indices((MOST_HALVES + 1, MOST_HALVES + 1)).reshape(2, -1)
    number = np.hypot(down, right)
    is_seen = (number >= FEWEST_HALVES) & (number <= MOST_HALVES)
    return down[is_seen], right[is_seen]


def _mirror() -> Array:
    """(97,): what the waves of a mirrored picture are those of the picture times."""
    return np.where(_numbers()[1] % 2, -1, 1).astype(np.float32)


def _agreement(one: Image, other: Image, is_mirrored: bool) -> float:
    """How far two thumbnails (4096,) correlate in what is smaller than light and shape of a face,
    with the one a little shifted or zoomed (the other instead gives almost the same)."""
    one, other = (rows.reshape(THUMBNAIL_PX, THUMBNAIL_PX) for rows in (one, other))
    if is_mirrored:
        other = other[:, ::-1]
    sought = _detail(other)[MARGIN_PX:-MARGIN_PX, MARGIN_PX:-MARGIN_PX]
    if sought.std() < MIN_CONTRAST:
        return 0.0
    edge = MARGIN_PX - SHIFT_PX
    seen = (_detail(one, zoom)[edge:-edge, edge:-edge] for zoom in ZOOMS)
    return max(cv2.matchTemplate(each, sought, cv2.TM_CCOEFF_NORMED).max() for each in seen)


def _detail(thumbnail: Image, zoom: float = 1.0) -> Array:
    """(64, 64) uint8 -> float32, enlarged around its middle."""
    picture: np.ndarray = thumbnail.astype(np.float32)
    if zoom != 1:
        aside = (1 - zoom) * (THUMBNAIL_PX - 1) / 2
        enlarge = np.array([[zoom, 0, aside], [0, zoom, aside]])
        picture = cv2.warpAffine(
            picture, enlarge, picture.shape[::-1], borderMode=cv2.BORDER_REPLICATE
        )
    fine, coarse = (cv2.GaussianBlur(picture, (0, 0), sigma) for sigma in DETAIL_SIGMAS_PX)
    return fine - coarse


def groups(n: int, pairs: np.ndarray) -> np.ndarray:
    """The group of each of `n` rows, as the number of its first row: connected pairs are one."""
    found = Groups(n)
    found.join(pairs[:, 0], pairs[:, 1])
    return found.of(np.arange(n))
