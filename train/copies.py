"""Copies and near-copies among pictures, so that no split separates them.

UTKFace holds some hundred byte-identical pictures under different ages, and as many re-encoded
or re-cropped ones. A small grey thumbnail of the *aligned* crop makes those look alike. It makes
people look alike too who were photographed in the same light, so a larger one has to agree.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import cv2
import numpy as np

from livecam.datatypes import Array, Image

THUMBNAIL_PX = 24
MIN_CORRELATION = 0.95
DETAIL_PX = 64
MIN_DETAIL = 0.76  # of real pairs, different people have up to 0.78, copies from 0.75
DETAIL_SIGMAS_PX = (0.5, 2.5)  # coarser is light and shape of a face, finer what JPEG makes of it
SHIFT_PX = 3  # by which the detector may place a copy elsewhere
ZOOMS = (1.0, 0.96, 1.04)
MARGIN_PX = 8  # of a larger thumbnail, beyond which crops of copies differ; holds the shift
MOST_DOUBTS = 100  # of a row: a thumbnail that is like so many others' says nothing any more
BLOCK = 4096
STRIP = 256  # rows of a block that are looked at together: if all are alike, a million pairs
FREQUENCIES = 6  # of each direction, for the first look at a pair
ROUNDING = 1e-5  # more than float32 loses in a product
MANY = 1 / 50  # from this share of a block's pairs on, all of them are compared at once


def thumbnails(crop: Image) -> tuple[Image, Image]:
    """(px, px, 3) RGB -> grey uint8 (576,), to compare with all, and (4096,), to look closely."""
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)
    small, large = (
        cv2.resize(grey, (px, px), interpolation=cv2.INTER_AREA).reshape(-1)
        for px in (THUMBNAIL_PX, DETAIL_PX)
    )
    return small, large


def centred(thumbnails: Image) -> Array:
    """(n, 576) uint8 -> float32 of mean 0 and length 1, whose products are correlations; a flat
    picture gives zeros."""
    values = thumbnails.astype(np.float64)
    values -= values.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(values, axis=1, keepdims=True)
    return (values / np.where(lengths > 1e-3, lengths, np.inf)).astype(np.float32)


class Thumbnails:
    """Both thumbnails of each crop on disk, 4.7 kB: a million would be 19 GB as numbers in memory.

    A context manager: the files in `folder` have no names and are gone afterwards.
    """

    def __init__(self, folder: Path) -> None:
        self._files = [tempfile.TemporaryFile(dir=folder) for _ in range(2)]  # noqa: SIM115, see `__exit__`

    def __enter__(self) -> Thumbnails:
        return self

    def __exit__(self, *exc: object) -> None:
        for file in self._files:
            with contextlib.suppress(OSError):  # of a full disk: nobody wants the rest
                file.close()

    def append(self, small: Image, large: Image) -> None:
        for file, thumbnail in zip(self._files, (small, large), strict=True):
            file.write(thumbnail.tobytes())

    def rows(self) -> tuple[Image, Image]:
        """All so far, (n, 576) and (n, 4096) uint8, read where they are used."""
        small, large = map(_mapped, self._files, (THUMBNAIL_PX**2, DETAIL_PX**2))
        return small, large


def _mapped(file: IO[bytes], size: int) -> Image:
    file.flush()
    if not file.tell():
        return np.zeros((0, size), np.uint8)
    return np.memmap(file, np.uint8, mode="r").reshape(-1, size)


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


def near_copies(thumbnails: Image, large: Image) -> tuple[np.ndarray, np.ndarray]:
    """Pairs (m, 2), first < second, of the first row and each other one of those groups that are
    connected by thumbnails (n, 576) that correlate by more than 0.95 and whose `large` ones
    (n, 4096) have the same detail; and pairs (k, 2) that have not, and may yet be copies.

    Exact, but for rows of many doubtful pairs, though most pairs are never compared in full: with
    P an orthogonal projection and r what it loses, x·y = Px·Py + r(x)·r(y), which is no more than
    Px·Py + |r(x)| |r(y)|, itself one product of short vectors. Only pairs for which that is high
    enough, and which are not connected already, are looked at: of a person's thousand frames all
    pairs are alike, and would not fit in memory.
    """
    short = _projected(thumbnails)  # (n, 36)
    rows, joined = np.arange(len(short)), Groups(len(short))
    doubtful, doubts = [np.zeros((0, 2), int)], np.zeros(len(short), int)
    for start in range(0, len(short), STRIP):
        for other in range(start, len(short), BLOCK):
            bound = short[start : start + STRIP] @ short[other : other + BLOCK].T
            i, j = np.divmod(np.flatnonzero(bound > MIN_CORRELATION - ROUNDING), bound.shape[1])
            i, j = i + start, j + other
            i, j = i[i < j], j[i < j]
            looked_at = joined.of(i) != joined.of(j)
            looked_at &= (doubts[i] < MOST_DOUBTS) & (doubts[j] < MOST_DOUBTS)
            i, j = i[looked_at], j[looked_at]
            if len(i):
                alike = _correlations(thumbnails, i, j, MANY * bound.size) > MIN_CORRELATION
                for pairs in _join_same(joined, large, i[alike], j[alike]):
                    doubtful.append(pairs)
                    np.add.at(doubts, pairs.ravel(), 1)
    first = joined.of(rows)
    return np.stack([first, rows], axis=1)[first < rows], np.concatenate(doubtful)


def _join_same(joined: Groups, large: Image, i: np.ndarray, j: np.ndarray) -> Iterator[np.ndarray]:
    """Join those of the pairs of rows `i` and `j` that show the same detail: one pair of each row
    in `j` at a time, as most of the others are connected then. Pairs (k, 2) that do not."""
    while len(i):
        _, at = np.unique(j, return_index=True)
        same = np.array(list(map(have_same_detail, large[i[at]], large[j[at]])), bool)
        joined.join(i[at][same], j[at][same])
        yield np.stack([i[at], j[at]], axis=1)[~same]
        i, j = np.delete(i, at), np.delete(j, at)
        apart = joined.of(i) != joined.of(j)
        i, j = i[apart], j[apart]


def have_same_detail(one: Image, other: Image) -> bool:
    """Whether two large thumbnails (4096,) agree in what is smaller than light and shape of a
    face, with the one a little shifted or zoomed."""
    sought = _detail(other)[MARGIN_PX:-MARGIN_PX, MARGIN_PX:-MARGIN_PX]
    edge = MARGIN_PX - SHIFT_PX
    for zoom in ZOOMS:
        seen = _detail(one, zoom)[edge:-edge, edge:-edge]
        if cv2.matchTemplate(seen, sought, cv2.TM_CCOEFF_NORMED).max() > MIN_DETAIL:
            return True
    return False


def _detail(large: Image, zoom: float = 1.0) -> Array:
    """(4096,) uint8 -> (64, 64) float32, enlarged around its middle."""
    picture: np.ndarray = large.reshape(DETAIL_PX, DETAIL_PX).astype(np.float32)
    if zoom != 1:
        aside = (1 - zoom) * (DETAIL_PX - 1) / 2
        enlarge = np.array([[zoom, 0, aside], [0, zoom, aside]])
        size_wh = (DETAIL_PX, DETAIL_PX)
        picture = cv2.warpAffine(picture, enlarge, size_wh, borderMode=cv2.BORDER_REPLICATE)
    fine, coarse = (cv2.GaussianBlur(picture, (0, 0), sigma) for sigma in DETAIL_SIGMAS_PX)
    return fine - coarse


def _projected(thumbnails: Image) -> Array:
    """(n, 576) uint8 -> (n, 36): its slowest waves, and the length of the rest.

    Faces are smooth, so the lowest frequencies of the cosine transform hold most of them.
    """
    waves = _slow_waves()  # (576, 35), orthonormal
    short = np.empty((len(thumbnails), waves.shape[1] + 1), np.float32)
    for start in range(0, len(thumbnails), BLOCK):
        rows = centred(thumbnails[start : start + BLOCK])
        part = rows @ waves
        short[start : start + BLOCK, :-1] = part
        short[start : start + BLOCK, -1] = np.linalg.norm(rows - part @ waves.T, axis=1)
    return short


def _slow_waves() -> Array:
    """(576, 35): all pairs of the lowest frequencies of both directions but the mean."""
    place = (np.arange(THUMBNAIL_PX) + 0.5) * np.pi / THUMBNAIL_PX
    waves = np.cos(place[:, None] * np.arange(FREQUENCIES))  # (24, 6)
    waves /= np.linalg.norm(waves, axis=0)
    return np.kron(waves, waves)[:, 1:].astype(np.float32)


def _correlations(thumbnails: Image, i: np.ndarray, j: np.ndarray, many: float) -> Array:
    """(m,) of the pairs of rows `i` and `j`."""
    if len(i) > many:
        first, second = int(i.min()), int(j.min())
        left = centred(thumbnails[first : int(i.max()) + 1])
        right = centred(thumbnails[second : int(j.max()) + 1])
        return (left @ right.T)[i - first, j - second]
    values = np.empty(len(i), np.float32)
    for start in range(0, len(i), BLOCK):
        part = slice(start, start + BLOCK)
        left, right = centred(thumbnails[i[part]]), centred(thumbnails[j[part]])
        values[part] = np.einsum("ij,ij->i", left, right)
    return values


def groups(n: int, pairs: np.ndarray) -> np.ndarray:
    """The group of each of `n` rows, as the number of its first row: connected pairs are one."""
    found = Groups(n)
    found.join(pairs[:, 0], pairs[:, 1])
    return found.of(np.arange(n))
