"""The file of visits: SQLite, added to by every run, read by `livecam report`.

Table `watched`, a row for each stretch of time that a source was looked at without a gap: `id`,
`source`, `begin`, `end`, `age_prior` (101 little-endian float32, or NULL: what the model answers on
average). Table `visits`: `run` (the id of a stretch of its source in that run of the program, the
first one as long as nobody deletes it), `number` (from 1), `begin`, `end`,
`age`, `age_low`, `age_high`, `female_prob` (NULL without gender), `samples`, `age_probs` (as
`age_prior`). Times are Unix seconds.
"""

from __future__ import annotations

import array
import contextlib
import itertools
import os.path
import sqlite3
import urllib.parse
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from livecam.cadence import Cadence
from livecam.datatypes import AGES, Array, Visit
from livecam.errors import LivecamError, UsageError
from livecam.files import real, require_place

APPLICATION = 0x6C766361  # in the file's header, so that it is not taken for another program's
VERSION = 1
GAP_S = 10.0  # after which a source is no longer taken to have been watched meanwhile
BACK_S = 1.0  # by which a clock may be put right without a new stretch
WAIT_S = 10.0  # for another program that writes
WATCHING_S = 30.0  # a run tells the file three times as often that it looks
LATEST = 32_503_680_000.0  # the beginning of the year 3000: no clock of a computer is so late
LONGEST_S = 20 * 366 * 86400.0  # for which a source may be looked at without a gap
MOST_ROWS = 1e15  # a number that is no row's
ROUNDING = 0.01  # of probabilities
NUMBER = (float, int)
DISTRIBUTION = f"{AGES} float32 whose sum is 1"
UNKNOWN = np.full(AGES, np.nan, "<f4").tobytes()  # a distribution
NO_DISTRIBUTION = bytes(len(UNKNOWN))
NOT_OURS = "not a file of visits"
DAMAGED = (
    "it is damaged; move it away to begin a new one (.dump or .recover of the command sqlite3 may "
    "save what it holds)"
)
WHY = {  # where SQLite says no more than that it is a "readonly database"
    sqlite3.SQLITE_READONLY_DBMOVED: "it was moved or deleted meanwhile",
    sqlite3.SQLITE_READONLY_ROLLBACK: "a run was stopped in the middle of a change; somebody who "
    "may write to the file has to read it first, as with livecam report",
    sqlite3.SQLITE_CORRUPT: DAMAGED,
}
LATER = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)
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
# not an id that visits refer to whose row somebody has deleted
ADD = """
INSERT INTO watched VALUES (
    1 + (SELECT max(ifnull((SELECT max(id) FROM watched), 0),
                    ifnull((SELECT max(run) FROM visits), 0))), ?, ?, ?, ?)
"""
EXTEND = "UPDATE watched SET end = ? WHERE id = ? AND source = ? AND begin = ?"
# a visit keeps its beginning, and is as long as the frames' clock says: the computer's may have
# been set since
PUT = """
INSERT INTO visits VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (run, number) DO UPDATE SET
    end = begin + excluded.end - excluded.begin, age = excluded.age, age_low = excluded.age_low,
    age_high = excluded.age_high, female_prob = excluded.female_prob,
    samples = excluded.samples, age_probs = excluded.age_probs
"""

VISITS = "SELECT run, number, begin, end, female_prob, age_probs FROM visits"
KEYS = {"visits": ("run", "number"), "watched": ("id",)}

_Foreign = Callable[[Path, str], LivecamError]  # a path, what is wrong -> the error to raise


class NotNowError(LivecamError):
    """The disk is full, or something else that may be over later: then it can be written."""


class BusyError(NotNowError):
    """Another program holds the file."""


class VisitStore:
    """Adds the visits of one run to a file. A context manager.

    What is seen is in the file as soon as it was saved, whatever stops the program then. Where
    there is no file, it is made when something was seen: a run without a picture leaves nothing.
    Raises LivecamError if the file cannot be written, NotNowError if that may change: nothing is
    lost, and can be saved later; UsageError if it is another program's.
    """

    def __init__(self, path: Path, age_prior: Array | None, gender: bool) -> None:
        self.path, self.age_prior, self.gender = path, age_prior, gender
        self._stays: list[_Stay] = []  # the last one goes on, those before it are not saved yet
        self._db: sqlite3.Connection | None = None
        if os.path.exists(path):  # what is wrong with it is said at once
            with self._errors():
                self._db = _connect(path, WAIT_S)

    def close(self) -> None:
        if self._db is not None:
            with self._errors():
                self._db.close()

    def __enter__(self) -> VisitStore:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    @property
    def has_visits(self) -> bool:
        """To be saved."""
        return any(stay.visits for stay in self._stays)

    def see(self, source: str, epoch: float, time_s: float, visits: Iterable[Visit] = ()) -> None:
        """The source of this name was looked at, at `time_s` of the frames' clock, whose 0 s is the
        Unix time `epoch`. These visits are new, or went on."""
        source = source.encode(errors="backslashreplace").decode()  # a file's may be no text
        now = epoch + time_s
        if not self._stays or self._stays[-1].source != source:
            self._stays.append(_Stay(source, _Stretch(now)))
        stay = self._stays[-1]
        passed_s = now - stay.stretches[-1].end
        if -BACK_S <= passed_s <= max(GAP_S, stay.cadence.longest_s):
            stay.stretches[-1].end = max(now, stay.stretches[-1].end)
        else:
            stay.stretches.append(_Stretch(now))
        stay.cadence.add(passed_s)
        for visit in visits:
            stay.visits[visit.number] = (
                visit.number, epoch + visit.begin_s, epoch + visit.end_s,
                visit.age, visit.age_low, visit.age_high,
                visit.female_prob if self.gender else None, visit.samples, _blob(visit.age_probs),
            )  # fmt: skip

    def save(self, wait_s: float = WAIT_S) -> None:
        """`wait_s`: for another program that holds the file."""
        if not self._stays:
            return
        with self._errors():
            if self._db is None:
                self._db = _connect(self.path, wait_s)
            self._db.execute(f"PRAGMA busy_timeout = {round(1000 * wait_s)}")
            with self._db as db:  # one transaction: each costs several waits for the disk
                for stay in self._stays:
                    stay.put(db, _blob(self.age_prior))
        self._stays = self._stays[-1:]
        self._stays[0].mark_saved()

    def _errors(self) -> contextlib.AbstractContextManager[None]:
        return _told(self.path, "cannot be written", _not_to_write)


class _Stretch:
    """Of time in which a source was looked at without a gap; Unix times. `id`: in the file."""

    def __init__(self, now: float) -> None:
        self.begin = self.end = self.saved = now
        self.id = 0  # none yet


class _Stay:
    """At one source, until another is looked at. What is not in the file yet: `stretches`, of which
    the last one goes on, and `visits` by number. `run`: the stretch that visits refer to."""

    def __init__(self, source: str, first: _Stretch) -> None:
        self.source, self.run, self.stretches = source, first, [first]
        self.cadence = Cadence()
        self.visits: dict[int, tuple[object, ...]] = {}

    def put(self, db: sqlite3.Connection, age_prior: bytes | None) -> None:
        """Somebody may have deleted any row meanwhile, and others may have got its id."""
        for stretch in self.stretches:
            if not self._extend(db, stretch):
                stretch.begin = stretch.saved  # what was before stays deleted
                row = (self.source, stretch.begin, stretch.end, age_prior)
                stretch.id = db.execute(ADD, row).lastrowid or 0
        if not self._extend(db, self.run):
            self.run = self.stretches[-1]
        db.executemany(PUT, ((self.run.id, *visit) for visit in self.visits.values()))

    def _extend(self, db: sqlite3.Connection, stretch: _Stretch) -> bool:
        """Whether its row is there."""
        row = (stretch.end, stretch.id, self.source, stretch.begin)
        return bool(db.execute(EXTEND, row).rowcount)

    def mark_saved(self) -> None:
        self.visits.clear()
        self.stretches = self.stretches[-1:]
        self.stretches[0].saved = self.stretches[0].end


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
        db.execute("BEGIN")  # all as of one moment: runs add to it, and somebody may delete
        sources, looked = _watched(db, path)
        visits = _visits(db, path, begin, end, source)
    visits.require(np.isin(visits.id, looked.id), "run", "the id of a row of watched")
    is_of_it = np.array([source in (None, each) for each in sources], bool)
    is_wanted = is_of_it & (looked.end > begin) & (looked.begin < end)
    watched = np.stack([looked.begin, looked.end], axis=1)[is_wanted].clip(begin, end)
    return Visits(
        begin=visits.begin,
        end=visits.end,
        age_probs=visits.probs,
        age_prior=looked.probs,
        prior_of=np.searchsorted(looked.id, visits.id),
        female_prob=visits.female_prob,
        watched=watched[np.argsort(watched[:, 0], kind="stable")],
    )


def last_watched(path: Path, now: float) -> dict[str, float]:
    """Unix time up to which each source was looked at. Where a clock was in the future for a while,
    that does not count, unless there is nothing else. Raises LivecamError."""
    with _to_read(path) as db:
        sources, looked = _watched(db, path)
    ends: dict[str, list[float]] = {}
    for source, end in zip(sources, looked.end.tolist(), strict=True):
        ends.setdefault(source, []).append(end)
    return {
        source: max(
            (end for end in ends[source] if end < now + WATCHING_S), default=min(ends[source])
        )
        for source in sorted(ends)
    }


def watched_between(path: Path, begin: float, end: float) -> set[str]:
    """The sources that were looked at between two Unix times. Raises LivecamError."""
    with _to_read(path) as db:
        sources, looked = _watched(db, path)
    is_wanted = (looked.begin < end) & (begin < looked.end)
    return set(itertools.compress(sources, is_wanted))


def require_sound(path: Path) -> None:
    """Reads the whole file: a part of it does not tell that rows are missing. Raises
    LivecamError."""
    with _to_read(path) as db:
        if db.execute("PRAGMA integrity_check(1)").fetchone() != ("ok",):
            raise LivecamError(f"{path}: cannot be read: {DAMAGED}")


class _Rows:
    """Of one table, in order: numbers (n,) and distributions (n, 101); NaN: NULL. Raises
    LivecamError for a row that no run of the program writes."""

    def __init__(self, path: Path, table: str, rows: Iterable[Sequence[object]]) -> None:
        self._path, self._table = path, table
        # one by one into plain memory: there may be a million
        numbers, probs = array.array("d"), bytearray()
        for *five, blob in rows:
            numbers.extend([x if isinstance(x, NUMBER) else _number(x) for x in five])
            probs += _distribution(blob)
        columns = np.frombuffer(numbers).reshape(-1, 5).T
        self.id, self.number, self.begin, self.end, self.female_prob = columns
        self.probs = np.frombuffer(probs, "<f4").reshape(-1, AGES)
        for column, times in (("begin", self.begin), ("end", self.end)):
            is_right = (times >= 0) & (times < LATEST)
            self.require(is_right, column, "a Unix time before the year 3000")
        is_right = ~(np.abs(self.female_prob - 0.5) > 0.5 + ROUNDING)
        self.require(is_right, "female_prob", "0 to 1, or NULL")

    def are_distributions(self) -> np.ndarray:
        with np.errstate(invalid="ignore", over="ignore"):
            sums, least = self.probs.sum(axis=1), self.probs.min(axis=1)
            return (least >= -ROUNDING) & (np.abs(sums - 1) <= ROUNDING)

    def require(self, is_right: np.ndarray, column: str, expected: str) -> None:
        if is_right.all():
            return
        first = is_right.argmin()
        key = zip(KEYS[self._table], (self.id[first], self.number[first]), strict=False)
        known = [f"{name} = {value:.0f}" for name, value in key if abs(value) < MOST_ROWS]
        where = f" where {' and '.join(known)}" if known else ""
        raise LivecamError(
            f"{self._path}: a row was changed: {self._table}{where}: {column}: expected "
            f"{expected}; put it right or delete the row"
        )


def _visits(
    db: sqlite3.Connection, path: Path, begin: float, end: float, source: str | None
) -> _Rows:
    """In order of `begin`; `id` is that of the stretch."""
    # first what is in no stretch of time
    odd = db.execute(f"{VISITS} WHERE begin < 0 OR begin >= ? LIMIT 1", (LATEST,))
    wanted = db.execute(
        f"{VISITS} WHERE begin >= ? AND begin < ? "
        "AND run NOT IN (SELECT id FROM watched WHERE source != ?) ORDER BY begin",
        (begin, end, source),
    )
    rows = _Rows(path, "visits", itertools.chain(odd, wanted))
    rows.require(rows.are_distributions(), "age_probs", DISTRIBUTION)
    return rows


def _watched(db: sqlite3.Connection, path: Path) -> tuple[list[str], _Rows]:
    """The sources of all stretches, and the rest of them, in order of `id`."""
    found = db.execute(
        "SELECT source, id, NULL, begin, end, NULL, age_prior FROM watched ORDER BY id"
    ).fetchall()
    sources = [row[0] for row in found]
    rows = _Rows(path, "watched", (row[1:] for row in found))
    is_text = np.array([isinstance(source, str) for source in sources], bool)
    rows.require(is_text, "source", "text")
    length_s = rows.end - rows.begin
    is_right = (length_s >= 0) & (length_s < LONGEST_S)
    rows.require(is_right, "end", "a time after begin, by 20 years at most")
    is_unknown = np.isnan(rows.probs).all(axis=1)
    rows.require(rows.are_distributions() | is_unknown, "age_prior", f"{DISTRIBUTION}, or NULL")
    return sources, rows


def _number(value: object) -> float:
    """Of what is no number; infinite if it is not NULL either."""
    return np.nan if value is None else np.inf


def _distribution(blob: object) -> bytes:
    if blob is None:
        return UNKNOWN
    return blob if isinstance(blob, bytes) and len(blob) == len(UNKNOWN) else NO_DISTRIBUTION


def is_watching(moment: float, now: float) -> bool:
    """Whether a source is being looked at that was until this moment."""
    return abs(now - moment) < WATCHING_S


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
        address = urllib.parse.quote(os.fsencode(path.absolute()))
        db = sqlite3.connect(f"file:{address}?mode=rw", timeout=WAIT_S, uri=True)
        with contextlib.closing(db):
            _require_ours(db, path, _not_to_read)
            db.execute("BEGIN")  # while others may not write
            db.execute("SELECT count(*) FROM sqlite_schema").fetchone()
            _require_whole(db, path)
            db.execute("COMMIT")
            yield db


def check(path: Path) -> None:
    """Raises UsageError or LivecamError unless visits can be added to this file."""
    if os.path.isdir(path):
        raise UsageError(f"{path}: is a folder; expected a file")
    require_place(path)
    if path.is_symlink():
        target = real(path)
        if target.is_symlink():
            raise LivecamError(f"{path}: cannot be written: links that go round in a circle")
        require_place(target)
    VisitStore(path, None, gender=False).close()


def _connect(path: Path, wait_s: float) -> sqlite3.Connection:
    is_new = not os.path.exists(path)
    # absolute: SQLite takes :memory: for no file
    db = sqlite3.connect(path.absolute(), timeout=wait_s, isolation_level="IMMEDIATE")
    try:
        db.execute("BEGIN IMMEDIATE")  # of two that make the file, one waits
        if not db.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
            for statement in SCHEMA.split(";"):
                db.execute(statement)
        else:
            _require_whole(db, path)
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


def _is_busy(error: Exception) -> bool:
    """Another program holds the file."""
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


def _require_whole(db: sqlite3.Connection, path: Path) -> None:
    """SQLite reads what is missing at a file's end as empty. Raises LivecamError."""
    if db.execute("PRAGMA journal_mode").fetchone() == ("wal",):  # the end may be in another file
        return
    (pages,), (page_bytes,) = (db.execute(f"PRAGMA page_{x}").fetchone() for x in ("count", "size"))
    whole, there = pages * page_bytes, path.stat().st_size
    if there < whole:
        raise LivecamError(f"{path}: cut short, {there} of {whole} bytes: copy it again")


@contextlib.contextmanager
def _told(path: Path, what: str, foreign: _Foreign) -> Iterator[None]:
    """SQLite's errors as those of a file; `foreign` makes that of one that holds no visits."""
    try:
        yield
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        if "not a database" in str(error):
            raise foreign(path, NOT_OURS) from error
        if _is_busy(error):
            raise BusyError(f"{path}: {what}: another program holds it") from error
        # what Python itself finds wrong, as text that is none, has no code
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT)
        kind = code & 0xFF  # without what is only said of some
        others = f"its tables are not those that livecam makes ({error})"
        why = WHY.get(code) or WHY.get(kind) or (others if kind == sqlite3.SQLITE_ERROR else error)
        # without room for its journal it cannot be opened, nor where its folder is gone
        may_change = kind in LATER or (kind == sqlite3.SQLITE_CANTOPEN and os.path.exists(path))
        raise (NotNowError if may_change else LivecamError)(f"{path}: {what}: {why}") from error


def _blob(probs: Array | None) -> bytes | None:
    return None if probs is None else probs.astype("<f4").tobytes()
