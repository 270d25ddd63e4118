"""The file of visits: SQLite, added to by every run, read by `livecam report`.

Table `watched`, a row for each stretch of time that a source was looked at without a gap: `id`,
`source`, `begin`, `end`, `age_prior` (101 little-endian float32, or NULL: what the model answers on
average). Table `visits`: `run` (the id of the first stretch of its source in that run of the
program, which names the source), `number` (from 1), `begin`, `end`,
`age`, `age_low`, `age_high`, `female_prob` (NULL without gender), `samples`, `age_probs` (as
`age_prior`). Times are Unix seconds.
"""

from __future__ import annotations

import array
import contextlib
import os.path
import sqlite3
import urllib.parse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from livecam.datatypes import AGES, Array, Visit
from livecam.errors import LivecamError, UsageError
from livecam.files import require_place

APPLICATION = 0x6C766361  # in the file's header, so that it is not taken for another program's
VERSION = 1
GAP_S = 60.0  # after which a source is no longer taken to have been watched meanwhile
WAIT_S = 10.0  # for another program that writes
UNKNOWN = np.full(AGES, np.nan, "<f4").tobytes()  # a distribution
NOT_OURS = "not a file of visits"
SCHEMA = f"""
CREATE TABLE watched (
    id INTEGER PRIMARY KEY, source TEXT NOT NULL, begin REAL NOT NULL, end REAL NOT NULL,
    age_prior BLOB
);
CREATE TABLE visits (
    run INTEGER NOT NULL REFERENCES watched (id), number INTEGER NOT NULL,
    begin REAL NOT NULL, end REAL NOT NULL, age REAL NOT NULL, age_low INTEGER NOT NULL,
    age_high INTEGER NOT NULL, female_prob REAL, samples INTEGER NOT NULL, age_probs BLOB NOT NULL,
    PRIMARY KEY (run, number)
) WITHOUT ROWID;
CREATE INDEX visits_begin ON visits (begin);
PRAGMA application_id = {APPLICATION};
PRAGMA user_version = {VERSION};
"""
# a visit keeps its beginning, and is as long as the frames' clock says: the computer's may have
# been set since
PUT = """
INSERT INTO visits VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (run, number) DO UPDATE SET
    end = begin + excluded.end - excluded.begin, age = excluded.age, age_low = excluded.age_low,
    age_high = excluded.age_high, female_prob = excluded.female_prob,
    samples = excluded.samples, age_probs = excluded.age_probs
"""


_Foreign = Callable[[Path, str], LivecamError]  # a path, what is wrong -> the error to raise


class BusyError(LivecamError):
    """Another program holds the file; later it can be written."""


class VisitStore:
    """Adds the visits of one run to a file. A context manager.

    Where there is none, it is made when something was watched: a run without a picture leaves
    nothing. Everything is in the file as soon as it was put, whatever stops the program then.
    Raises LivecamError if the file cannot be written, BusyError if another program holds it for
    longer than `wait` says, UsageError if it is another program's.
    """

    def __init__(self, path: Path, age_prior: Array | None, gender: bool) -> None:
        self.path, self.age_prior, self.gender = path, age_prior, gender
        self._source = ""  # what is looked at
        self._run: int | None = None  # id of the first stretch of that source…
        self._watched: int | None = None  # …and of that which goes on
        self._seen = 0.0  # Unix time up to which that is so
        self._db: sqlite3.Connection | None = None
        self._wait_s = WAIT_S
        if os.path.exists(path):  # what is wrong with it is said at once
            with self._errors():
                self._opened()

    def close(self) -> None:
        if self._db is not None:
            with self._errors():
                self._db.close()

    def __enter__(self) -> VisitStore:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def wait(self, seconds: float) -> None:
        """For so long from now on, where another program holds the file."""
        self._wait_s = seconds
        if self._db is not None:
            self._db.execute(f"PRAGMA busy_timeout = {round(1000 * seconds)}")

    def watch(self, source: str, now: float) -> None:
        """The source of this name was looked at, at this Unix time."""
        source = source.encode(errors="backslashreplace").decode()  # a file's may be no text
        is_same = source == self._source and self._run is not None
        is_on = is_same and 0 <= now - self._seen <= GAP_S
        with self._errors(), self._opened() as db:
            if is_on:
                db.execute("UPDATE watched SET end = ? WHERE id = ?", (now, self._watched))
            else:
                row = db.execute(
                    "INSERT INTO watched (source, begin, end, age_prior) VALUES (?, ?, ?, ?)",
                    (source, now, now, _blob(self.age_prior)),
                )
                self._watched = row.lastrowid
                self._run = self._run if is_same else self._watched
        self._source, self._seen = source, now

    def put(self, visits: Sequence[Visit], epoch: float) -> None:
        """Add these, or what is new of them. `epoch`: Unix time at 0 s of the frames' clock."""
        assert self._run is not None, "nothing was watched"
        rows = [
            (
                self._run, visit.number, epoch + visit.begin_s, epoch + visit.end_s,
                visit.age, visit.age_low, visit.age_high,
                visit.female_prob if self.gender else None, visit.samples, _blob(visit.age_probs),
            )
            for visit in visits
        ]  # fmt: skip
        with self._errors(), self._opened() as db:
            db.executemany(PUT, rows)

    def _opened(self) -> sqlite3.Connection:
        if self._db is None:
            self._db = _connect(self.path, self._wait_s)
        return self._db

    def _errors(self) -> contextlib.AbstractContextManager[None]:
        return _told(self.path, "cannot be written", _not_to_write)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Visits:
    """Of a stretch of time, in order of `begin` (n,): Unix times, `age_probs` (n, 101),
    `female_prob` (n,); of `age_prior` (r, 101) the rows `prior_of` (n,); NaN where a prior or a
    gender is not known. `watched` (m, 2): from when to when there was a camera that looked."""

    begin: np.ndarray
    end: np.ndarray
    age_probs: np.ndarray
    age_prior: np.ndarray
    prior_of: np.ndarray
    female_prob: np.ndarray
    watched: np.ndarray

    def __len__(self) -> int:
        return len(self.begin)


def read(path: Path, begin: float, end: float, source: str | None = None) -> Visits:
    """The visits that began between two Unix times, of all sources or of one. Raises
    LivecamError."""
    with _to_read(path) as db:
        watched = db.execute(
            "SELECT max(begin, ?), min(end, ?) FROM watched WHERE end > ? AND begin < ? "
            "AND ifnull(?, source) = source ORDER BY begin",
            (begin, end, begin, end, source),
        ).fetchall()
        rows = db.execute(
            "SELECT run, visits.begin, visits.end, female_prob, age_probs FROM visits "
            "JOIN watched ON watched.id = visits.run "
            "WHERE visits.begin >= ? AND visits.begin < ? AND ifnull(?, source) = source "
            "ORDER BY visits.begin",
            (begin, end, source),
        )
        # one by one into plain memory: there may be a million
        numbers, probs = array.array("d"), bytearray()
        for *four, blob in rows:
            numbers.extend(np.nan if number is None else number for number in four)
            probs += _distribution(path, blob)
        # behind the visits: a run that begins meanwhile may have some of them
        runs = db.execute("SELECT id, age_prior FROM watched ORDER BY id").fetchall()
    run, begins, ends, female = np.frombuffer(numbers).reshape(-1, 4).T
    priors = b"".join(_distribution(path, blob) for _, blob in runs)
    return Visits(
        begin=begins,
        end=ends,
        age_probs=np.frombuffer(probs, "<f4").reshape(-1, AGES),
        age_prior=np.frombuffer(priors, "<f4").reshape(-1, AGES),
        prior_of=np.searchsorted([number for number, _ in runs], run),
        female_prob=female,
        watched=np.array(watched, float).reshape(-1, 2),
    )


def last_watched(path: Path) -> dict[str, float]:
    """Unix time up to which each source was looked at. Raises LivecamError."""
    with _to_read(path) as db:
        return dict(
            db.execute(
                "SELECT source, max(end) FROM watched GROUP BY source ORDER BY source"
            ).fetchall()
        )


@contextlib.contextmanager
def _to_read(path: Path) -> Iterator[sqlite3.Connection]:
    """A file of visits, to read in it. Raises LivecamError."""
    if path.is_dir():
        raise _not_to_read(path, "is a folder")
    if not path.is_file():
        raise LivecamError(f"{path}: no such file; livecam run --visits {path} makes it")
    if not path.stat().st_size:
        raise LivecamError(f"{path}: empty: nothing was recorded")
    with _told(path, "cannot be read", _not_to_read):
        # not read-only: what a power cut left half written is taken back first
        db = sqlite3.connect(
            f"file:{urllib.parse.quote(os.fsencode(path))}?mode=rw", WAIT_S, uri=True
        )
        with contextlib.closing(db):
            _require_ours(db, path, _not_to_read)
            yield db


def check(path: Path) -> None:
    """Raises UsageError or LivecamError unless visits can be added to this file."""
    if os.path.isdir(path):
        raise UsageError(f"{path}: is a folder; expected a file")
    require_place(path)
    VisitStore(path, None, gender=False).close()


def _connect(path: Path, wait_s: float) -> sqlite3.Connection:
    is_new = not os.path.exists(path)
    db = sqlite3.connect(path, wait_s, isolation_level="IMMEDIATE")
    try:
        db.execute("BEGIN IMMEDIATE")  # of two that make the file, one waits
        if not db.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
            for statement in SCHEMA.split(";"):
                db.execute(statement)
        _require_ours(db, path, _not_to_write)
        db.commit()
    except BaseException as error:
        db.close()
        if is_new and isinstance(error, sqlite3.Error) and not _is_busy(error):
            _remove_empty(path)
        raise
    return db


def _remove_empty(path: Path) -> None:
    """What a full disk has left; not what another program has made meanwhile."""
    with contextlib.suppress(OSError):
        if not path.stat().st_size:
            path.unlink()


def _is_busy(error: sqlite3.Error) -> bool:
    """Another program holds the file. What Python finds wrong in one has no code."""
    code = getattr(error, "sqlite_errorcode", None)
    return code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def _not_to_write(path: Path, why: str) -> LivecamError:
    return UsageError(f"{path}: {why}; give another name")


def _not_to_read(path: Path, why: str) -> LivecamError:
    return LivecamError(f"{path}: {why}; expected a file made by livecam run --visits")


def _require_ours(db: sqlite3.Connection, path: Path, foreign: _Foreign) -> None:
    (application,) = db.execute("PRAGMA application_id").fetchone()
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if application != APPLICATION:
        raise foreign(path, NOT_OURS)
    if version != VERSION:
        raise foreign(path, f"has format {version}, this livecam reads {VERSION}")


@contextlib.contextmanager
def _told(path: Path, what: str, foreign: _Foreign) -> Iterator[None]:
    """SQLite's errors as those of a file; `foreign` makes that of one that holds no visits."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        if "not a database" in str(error):
            raise foreign(path, NOT_OURS) from error
        if _is_busy(error):
            raise BusyError(f"{path}: {what}: another program holds it") from error
        raise LivecamError(f"{path}: {what}: {error}") from error


def _blob(probs: Array | None) -> bytes | None:
    return None if probs is None else probs.astype("<f4").tobytes()


def _distribution(path: Path, blob: bytes | None) -> bytes:
    if blob is None:
        return UNKNOWN
    if len(blob) != len(UNKNOWN):
        raise LivecamError(
            f"{path}: a row was changed: expected {AGES} float32 of ages, got {len(blob)} bytes"
        )
    return blob
