"""The file of visits: what is put is kept, and no other file is touched."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import clips
import numpy as np
import pytest
from people import visit

from livecam import store
from livecam.datatypes import AGES, Visit
from livecam.errors import LivecamError, UsageError
from livecam.store import GAP_S, BusyError, NotNowError, Visits, VisitStore

NOW = 1_795_000_000.0
PRIOR = np.full(AGES, 1 / AGES, np.float32)


def added(
    path: Path, *visits: Visit, prior: np.ndarray | None = PRIOR, gender: bool = True
) -> None:
    with VisitStore(path, prior, gender) as kept:
        kept.see("camera 0", NOW, 0.0, visits)
        kept.save()


def everything(path: Path) -> Visits:
    return store.read(path, 0.0, float("inf"))


def test_what_is_put_is_read(tmp_path: Path) -> None:
    added(tmp_path / "a.db", visit(1, 5, 9), visit(2, 1, 4, age=60))
    found = everything(tmp_path / "a.db")
    assert found.begin.tolist() == [NOW + 1, NOW + 5]  # in order of time
    assert found.end.tolist() == [NOW + 4, NOW + 9]
    assert found.age_probs.argmax(axis=1).tolist() == [60, 30]
    assert found.female_prob.tolist() == [0.25, 0.25]
    np.testing.assert_allclose(found.age_prior[found.prior_of], np.tile(PRIOR, (2, 1)))


def test_a_visit_put_again_is_the_same_one(tmp_path: Path) -> None:
    added(tmp_path / "a.db", visit(end_s=4), visit(end_s=8))
    assert everything(tmp_path / "a.db").end.tolist() == [NOW + 8]


def test_a_second_run_adds_to_the_first(tmp_path: Path) -> None:
    for _ in range(2):
        added(tmp_path / "a.db", visit(1))
    assert len(everything(tmp_path / "a.db")) == 2


def test_what_is_not_known_is_not_made_up(tmp_path: Path) -> None:
    added(tmp_path / "a.db", visit(), prior=None, gender=False)
    found = everything(tmp_path / "a.db")
    assert np.isnan(found.female_prob).all()
    assert np.isnan(found.age_prior[found.prior_of]).all()


def test_every_visit_has_the_prior_of_its_run(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    priors = [PRIOR, None, np.eye(AGES, dtype=np.float32)[7]]
    for i, prior in enumerate(priors):
        added(path, visit(1, 9 - i, 20), visit(2, 5 - i, 20), prior=prior)
    found = everything(path)
    assert found.begin.tolist() == [NOW + at for at in (3, 4, 5, 7, 8, 9)]
    known = found.age_prior[found.prior_of]
    assert np.isnan(known[[1, 4]]).all()
    np.testing.assert_array_equal(known[[2, 5]], [PRIOR] * 2)
    np.testing.assert_array_equal(known[[0, 3]], [priors[2]] * 2)


def test_many_visits_are_read_in_little_memory(tmp_path: Path) -> None:
    n = 5000
    added(tmp_path / "a.db", *(visit(i, i, i + 5) for i in range(n)))
    tracemalloc.start()
    try:
        assert len(everything(tmp_path / "a.db")) == n
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak / n < 2.5 * 4 * AGES  # the distribution itself takes four bytes for each age


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("begin = 'x'", "begin: expected a Unix time before the year 3000"),
        ("begin = 1e12", "begin: expected a Unix time before the year 3000"),
        ("begin = -1", "begin: expected a Unix time before the year 3000"),
        ("end = 'x'", "end: expected a Unix time before the year 3000"),
        ("end = 1e12", "end: expected a Unix time before the year 3000"),
        ("female_prob = 'x'", "female_prob: expected 0 to 1, or NULL"),
        ("female_prob = 5", "female_prob: expected 0 to 1, or NULL"),
        ("age_probs = 5", "age_probs: expected 101 float32 whose sum is 1"),
        ("age_probs = 'x'", "age_probs: expected 101 float32 whose sum is 1"),
        ("age_probs = x'0000'", "age_probs: expected 101 float32 whose sum is 1"),
        ("age_probs = zeroblob(404)", "age_probs: expected 101 float32 whose sum is 1"),
        ("age_probs = $nan", "age_probs: expected 101 float32 whose sum is 1"),
        ("age_probs = $infinite", "age_probs: expected 101 float32 whose sum is 1"),
        ("age_probs = $negative", "age_probs: expected 101 float32 whose sum is 1"),
        ("run = 99", "run: expected the id of a row of watched"),
    ],
)
def test_a_visit_that_was_changed_by_hand_is_told(tmp_path: Path, change: str, said: str) -> None:
    path = tmp_path / "a.db"
    added(path, *(visit(i + 1) for i in range(30)))
    with changed(path) as db:
        db.execute(f"UPDATE visits SET {change} WHERE number = 5", odd_blobs())
    run = 99 if change == "run = 99" else 1
    with pytest.raises(
        LivecamError,
        match=rf"a\.db: a row was changed: visits where run = {run} and number = 5: {said}; "
        "put it right or delete the row$",
    ):
        everything(path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("begin = 'x'", "begin: expected a Unix time before the year 3000"),
        ("end = 'x'", "end: expected a Unix time before the year 3000"),
        ("end = 1e18", "end: expected a Unix time before the year 3000"),
        ("end = begin - 1", "end: expected a time after begin, by 20 years at most"),
        ("end = 3e10", "end: expected a time after begin, by 20 years at most"),
        ("source = x'00'", "source: expected text"),
        ("age_prior = 5", "age_prior: expected 101 float32 whose sum is 1, or NULL"),
        ("age_prior = $negative", "age_prior: expected 101 float32 whose sum is 1, or NULL"),
    ],
)
def test_a_stretch_that_was_changed_by_hand_is_told(tmp_path: Path, change: str, said: str) -> None:
    path = tmp_path / "a.db"
    added(path, visit())
    with changed(path) as db:
        db.execute(f"UPDATE watched SET {change}", odd_blobs())
    expected = rf"a\.db: a row was changed: watched where id = 1: {said}; put it right or delete"
    for read in (everything, lambda path: store.last_watched(path, NOW)):
        with pytest.raises(LivecamError, match=expected):
            read(path)


def odd_blobs() -> dict[str, bytes]:
    """By the name of what is in them."""
    values = {"nan": [np.nan], "infinite": [np.inf, -np.inf], "negative": [-0.5, 1.5]}
    return {
        name: np.append(some, np.zeros(AGES - len(some))).astype("<f4").tobytes()
        for name, some in values.items()
    }


@pytest.mark.parametrize("damage", [bytes(512), b"\xff" * 30, b"\x01"])
def test_of_a_damaged_file_all_visits_are_read_or_none(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "a.db"
    added(path, *(visit(i + 1) for i in range(30)))
    whole, known = path.read_bytes(), everything(path).begin
    refused = 0
    for at in range(100, len(whole) - len(damage), 499):
        path.write_bytes(whole[:at] + damage + whole[at + len(damage) :])
        try:
            store.require_sound(path)
            np.testing.assert_array_equal(everything(path).begin, known)
        except LivecamError as error:
            assert str(error).startswith(f"{path}: ") and "\n" not in str(error)
            refused += 1
    assert refused


def test_a_damaged_schema_is_told_by_whoever_writes_too(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    added(path, visit())
    text = path.read_bytes()
    path.write_bytes(text.replace(b"visits_begin ON visits", b"visits_begin \xff\xfe visits"))
    for use, what in ((everything, "read"), (added, "written")):
        with pytest.raises(LivecamError, match=rf"a\.db: cannot be {what}: it is damaged; move"):
            use(path)


@pytest.mark.parametrize("mode", ["DELETE", "WAL"])
def test_a_file_that_is_being_written_is_sound(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "a.db"
    added(path, visit())
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute(f"PRAGMA journal_mode = {mode}")
    is_over = threading.Event()

    def write() -> None:
        with VisitStore(path, PRIOR, True) as kept:
            for i in range(1, 10_000):
                kept.see("camera 0", NOW, i, [visit(i)])
                kept.save()
                if is_over.wait(0.001):
                    return

    thread = threading.Thread(target=write)
    thread.start()
    try:
        for _ in range(30):
            store.require_sound(path)
            assert len(everything(path)) >= 1
    finally:
        is_over.set()
        thread.join()
    assert len(everything(path)) > 2


@pytest.mark.skipif(shutil.which("sqlite3") is None, reason="needs the command sqlite3")
def test_the_documented_way_to_save_what_is_left(tmp_path: Path) -> None:
    path = tmp_path / "shop.db"
    added(path, *(visit(i + 1) for i in range(300)))
    with changed(path) as db:
        (page,) = db.execute(
            "SELECT rootpage FROM sqlite_schema WHERE name = 'visits_begin'"
        ).fetchone()
        (size,) = db.execute("PRAGMA page_size").fetchone()
    whole = path.read_bytes()
    path.write_bytes(whole[: (page - 1) * size] + bytes(size) + whole[page * size :])
    with pytest.raises(LivecamError, match="it is damaged"):
        everything(path)
    text = (Path(__file__).parent.parent / "docs" / "audience.md").read_text()
    command = text.split("## When the file is damaged")[1].split("```")[1].removeprefix("sh")
    subprocess.run(command, shell=True, cwd=tmp_path, check=True, stderr=subprocess.DEVNULL)
    store.require_sound(tmp_path / "saved.db")
    assert len(everything(tmp_path / "saved.db")) == 300


@pytest.mark.parametrize("lacks", [1, 384, 4095])
def test_a_file_that_was_cut_short_is_told(tmp_path: Path, lacks: int) -> None:
    path = tmp_path / "a.db"
    added(path, visit())
    path.write_bytes(path.read_bytes()[:-lacks])
    with pytest.raises(LivecamError, match=r"a\.db: cut short, \d+ of \d+ bytes: copy it again"):
        everything(path)
    with pytest.raises(LivecamError, match=r"a\.db: cut short"):
        added(path, visit())


def test_of_a_damaged_file_it_is_said_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    added(path, *(visit(i + 1) for i in range(40)))
    whole = path.read_bytes()
    path.write_bytes(whole[:4096] + bytes(len(whole) - 4096))
    with pytest.raises(LivecamError, match=r"a\.db: cannot be read: it is damaged; move it away"):
        everything(path)


def test_everything_is_in_the_file_at_once(tmp_path: Path) -> None:
    with VisitStore(tmp_path / "a.db", PRIOR, True) as kept:
        kept.see("camera 0", NOW, 0.0, [visit()])
        kept.save()
        assert len(everything(tmp_path / "a.db")) == 1  # as after a kill


def test_a_run_without_a_picture_leaves_nothing(tmp_path: Path) -> None:
    with VisitStore(tmp_path / "a.db", PRIOR, True):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_run_without_a_picture_leaves_what_another_has_added(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with VisitStore(path, PRIOR, True):
        added(path, visit())
        assert len(everything(path)) == 1
        with VisitStore(path, PRIOR, True):
            pass
    assert len(everything(path)) == 1


def test_a_file_is_made_when_there_is_something_to_put_in_it(tmp_path: Path) -> None:
    with VisitStore(tmp_path / "a.db", PRIOR, True) as kept:
        kept.see("camera 0", NOW, 0.0)
        assert list(tmp_path.iterdir()) == []
        kept.save()
        assert len(store.last_watched(tmp_path / "a.db", NOW)) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="names are text")
def test_names_that_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"caf\xe9.db")
    with VisitStore(path, PRIOR, True) as kept:
        kept.see(os.fsdecode(b"caf\xe9.mp4"), NOW, 0.0, [visit()])
        kept.save()
    assert len(everything(path)) == 1
    assert list(store.last_watched(path, NOW)) == ["caf\\udce9.mp4"]


@pytest.mark.parametrize("is_saved_often", [True, False])
def test_watching_with_a_gap_is_two_stretches(tmp_path: Path, is_saved_often: bool) -> None:
    with VisitStore(tmp_path / "a.db", PRIOR, True) as kept:
        for moment in (0, 1, 2, 13, 14, 90, 40):  # the last: the clock was set back
            kept.see("camera 0", NOW, moment)
            if is_saved_often:
                kept.save()
        kept.save()
    spans = everything(tmp_path / "a.db").watched - NOW
    assert spans.tolist() == [[0, 2], [13, 14], [40, 40], [90, 90]]


def test_where_frames_are_rare_it_is_watched_all_the_same(tmp_path: Path) -> None:
    with VisitStore(tmp_path / "a.db", PRIOR, True) as kept:
        for moment in range(0, 300, 15):
            kept.see("camera 0", NOW, moment)
        kept.save()
    spans = everything(tmp_path / "a.db").watched - NOW
    assert spans.tolist() == [[0, 0], [15, 15], [30, 285]]


def test_outages_in_a_row_are_not_watched(tmp_path: Path) -> None:
    with VisitStore(tmp_path / "a.db", PRIOR, True) as kept:
        for moment in (0, 0.5, 1, 3600, 10_800, 40_000):
            kept.see("camera 0", NOW, moment)
        kept.save()
    spans = everything(tmp_path / "a.db").watched - NOW
    assert spans.tolist() == [[0, 1], [3600, 3600], [10_800, 10_800], [40_000, 40_000]]


def test_a_file_that_keeps_its_end_in_another_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    added(path, visit())
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA journal_mode = WAL")
    with VisitStore(path, PRIOR, True) as kept:
        kept.see("camera 0", NOW, 0.0, [visit(i + 1) for i in range(200)])
        kept.save()
        assert len(everything(path)) == 201
        added(path, visit())


def test_a_clock_that_is_put_right_a_little_begins_no_stretch(tmp_path: Path) -> None:
    with VisitStore(tmp_path / "a.db", PRIOR, True) as kept:
        for moment in (0, 10, 9.5, 9.6, 20):
            kept.see("camera 0", NOW, moment)
            kept.save()
    assert (everything(tmp_path / "a.db").watched - NOW).tolist() == [[0, 20]]


def test_a_visit_across_a_gap_is_one(tmp_path: Path) -> None:
    with VisitStore(tmp_path / "a.db", PRIOR, True) as kept:
        for moment in (0, 2 * GAP_S):
            kept.see("camera 0", NOW, moment, [visit(end_s=moment + 5)])
            kept.save()
    assert everything(tmp_path / "a.db").end.tolist() == [NOW + 2 * GAP_S + 5]


@pytest.mark.parametrize("set_by_s", [3600, -8])
def test_a_visit_keeps_its_beginning_and_its_length_though_the_clock_is_set(
    tmp_path: Path, set_by_s: float
) -> None:
    with VisitStore(tmp_path / "a.db", PRIOR, True) as kept:
        for epoch, end_s in (
            (NOW, 4),
            (NOW + set_by_s, 6),
        ):  # Unix time at 0 s of the frames' clock
            kept.see("camera 0", epoch, end_s, [visit(end_s=end_s)])
            kept.save()
    assert everything(tmp_path / "a.db").begin.tolist() == [NOW + 1]
    assert everything(tmp_path / "a.db").end.tolist() == [NOW + 6]


def cut_off(path: Path) -> None:
    """Leave a file of visits half written."""
    added(path, visit())
    code = (
        "import os, sqlite3, sys; db = sqlite3.connect(sys.argv[1], isolation_level=None); "
        "db.execute('PRAGMA cache_size = 1'); db.execute('BEGIN'); "
        "db.execute('CREATE TABLE big (a)'); "
        "[db.execute('INSERT INTO big VALUES (zeroblob(5000))') for _ in range(50)]; os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(path)]).returncode == 9
    assert path.with_name("a.db-journal").exists()


def test_what_a_power_cut_left_half_written_is_taken_back(tmp_path: Path) -> None:
    cut_off(tmp_path / "a.db")
    assert len(everything(tmp_path / "a.db")) == 1


def test_who_may_not_take_it_back_is_told_what_to_do(tmp_path: Path) -> None:
    cut_off(tmp_path / "a.db")
    with (
        clips.read_only(tmp_path) as folder,
        pytest.raises(LivecamError, match=r"a run was stopped in the middle .* livecam report$"),
    ):
        everything(folder / "a.db")
    assert len(everything(tmp_path / "a.db")) == 1


def test_the_link_to_a_file_that_is_to_come_stays(tmp_path: Path) -> None:
    (tmp_path / "link.db").symlink_to(tmp_path / "target.db")
    store.check(tmp_path / "link.db")
    assert (tmp_path / "link.db").is_symlink()
    added(tmp_path / "link.db", visit())
    assert len(everything(tmp_path / "target.db")) == 1


def test_links_that_lead_nowhere_are_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "a.db").symlink_to(tmp_path / "none" / "target.db")
    with pytest.raises(LivecamError, match=r"target\.db: cannot be written: there is no folder"):
        store.check(tmp_path / "a.db")
    (tmp_path / "b.db").symlink_to(tmp_path / "c.db")
    (tmp_path / "c.db").symlink_to(tmp_path / "b.db")
    with pytest.raises(LivecamError, match=r"b\.db: cannot be written: links that go round in a"):
        store.check(tmp_path / "b.db")


@pytest.mark.skipif(sys.platform == "win32", reason="an open file stays where it is")
@pytest.mark.parametrize("is_moved", [False, True])
def test_a_file_that_was_taken_away_under_a_run_is_told(tmp_path: Path, is_moved: bool) -> None:
    path = tmp_path / "a.db"
    with VisitStore(path, PRIOR, True) as kept:
        kept.see("camera 0", NOW, 0.0)
        kept.save()
        if is_moved:
            path.rename(tmp_path / "b.db")
        else:
            path.unlink()
        kept.see("camera 0", NOW, 10.0, [visit()])
        with pytest.raises(
            LivecamError, match=r"a\.db: cannot be written: it was moved or deleted meanwhile$"
        ):
            kept.save()


def test_the_documented_way_to_forget(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    added(path, visit())  # long ago, or to come: by the clock of whoever tests
    text = (Path(__file__).parent.parent / "docs" / "audience.md").read_text()
    statements = text.split('sqlite3 shop.db "')[1].split('"')[0]
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("UPDATE visits SET begin = 100, end = 200")
        db.execute("UPDATE watched SET begin = 100, end = 200")
        db.execute(
            "INSERT INTO visits SELECT run, 2, 9e9, 9e9, age, age_low, age_high, female_prob, "
            "samples, age_probs FROM visits"
        )
        db.commit()
        db.executescript(statements)
    assert everything(path).begin.tolist() == [9e9]
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("UPDATE visits SET begin = 100, end = 200")
        db.commit()
        db.executescript(statements)
    assert len(everything(path)) == len(everything(path).watched) == 0


@contextlib.contextmanager
def changed(path: Path) -> Iterator[sqlite3.Connection]:
    """By somebody, under a run."""
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        yield db


@pytest.mark.parametrize("tables", [("visits", "watched"), ("watched",), ("visits",)])
@pytest.mark.parametrize("is_id_taken", [False, True])
def test_what_is_put_after_rows_were_deleted_under_a_run_is_read(
    tmp_path: Path, tables: tuple[str, ...], is_id_taken: bool
) -> None:
    path = tmp_path / "a.db"
    with VisitStore(path, PRIOR, True) as kept:
        kept.see("camera 0", NOW, 0.0)
        kept.see("camera 0", NOW, 2 * GAP_S, [visit(1), visit(2, 2 * GAP_S, 2 * GAP_S + 3)])
        kept.save()
        with changed(path) as db:
            for table in tables:
                db.execute(f"DELETE FROM {table}")
        if is_id_taken:
            for i in range(2):
                with VisitStore(path, None, True) as other:
                    other.see(f"camera {i}", NOW, 1000.0, [visit(1, 1000, 1003)])
                    other.save()
        with changed(path) as db:
            (before,) = db.execute(
                "SELECT count(*) FROM visits JOIN watched ON id = run"
            ).fetchone()
        kept.see("camera 0", NOW, 2 * GAP_S + 10, [visit(2, 2 * GAP_S, 2 * GAP_S + 9)])
        kept.see("camera 0", NOW, 2 * GAP_S + 12, [visit(3, 2 * GAP_S + 11, 2 * GAP_S + 12)])
        kept.save()
    if tables == ("watched",):
        with pytest.raises(LivecamError, match="run: expected the id of a row of watched"):
            everything(path)
        with changed(path) as db:
            db.execute("DELETE FROM visits WHERE run NOT IN (SELECT id FROM watched)")
    found = store.read(path, 0.0, NOW + 900)
    assert (found.begin - NOW).tolist() == [2 * GAP_S, 2 * GAP_S + 11]
    assert (found.end - NOW).tolist() == [2 * GAP_S + 9, 2 * GAP_S + 12]
    assert np.isfinite(found.age_prior[found.prior_of]).all()  # its own, not the others'
    expected = [[2 * GAP_S, 2 * GAP_S + 12]]
    if tables == ("visits",):
        expected.insert(0, [0, 0])
    else:
        expected[0][0] = 2 * GAP_S  # what was deleted stays so
    assert (found.watched - NOW).tolist() == expected
    assert len(everything(path)) == before + 2


def test_a_stretch_that_was_deleted_begins_anew(tmp_path: Path) -> None:
    with VisitStore(tmp_path / "a.db", PRIOR, True) as kept:
        for moment in range(0, 100, 10):
            kept.see("camera 0", NOW, moment)
            kept.save()
            if moment == 50:
                with changed(tmp_path / "a.db") as db:
                    db.execute("DELETE FROM watched")
    assert (everything(tmp_path / "a.db").watched - NOW).tolist() == [[50, 90]]


def test_the_first_stretch_of_a_run_may_be_deleted_as_too_old(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with VisitStore(path, PRIOR, True) as kept:
        for moment in (0.0, 2 * GAP_S):
            kept.see("camera 0", NOW, moment)
            kept.save()
        with changed(path) as db:
            db.execute("DELETE FROM watched WHERE id = 1")
        kept.see("camera 0", NOW, 3 * GAP_S, [visit()])
        kept.save()
    assert len(everything(path)) == 1
    assert (everything(path).watched - NOW).tolist() == [[2 * GAP_S, 3 * GAP_S]]


def test_what_could_not_be_saved_is_saved_later(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with VisitStore(path, PRIOR, True) as kept:
        kept.see("camera 0", NOW, 0.0, [visit(1)])
        kept.save()
        kept.see("camera 0", NOW, 10.0, [visit(2)])
        kept.see("door", NOW, 12.0, [visit(3)])
        with changed(path) as db:
            db.execute("BEGIN IMMEDIATE")
            with pytest.raises(BusyError, match=r"a\.db: cannot be written: another program"):
                kept.save(0)
        with changed(path) as db:
            db.execute("BEGIN")
            db.execute("SELECT * FROM watched").fetchall()  # it is the commit that fails
            with pytest.raises(BusyError):
                kept.save(0)
        assert kept.has_visits
        kept.save()
        assert not kept.has_visits
    assert len(everything(path)) == 3
    assert (everything(path).watched - NOW).tolist() == [[0, 10], [12, 12]]
    assert len(store.read(path, 0.0, float("inf"), "door")) == 1


def test_a_save_is_one_transaction(tmp_path: Path) -> None:
    with VisitStore(tmp_path / "a.db", PRIOR, True) as kept:
        kept.see("camera 0", NOW, 0.0)
        kept.save()
        assert kept._db is not None
        statements: list[str] = []
        kept._db.set_trace_callback(statements.append)
        kept.see("camera 0", NOW, 5.0, [visit(1), visit(2)])
        kept.save()
        assert statements.count("COMMIT") == 1


def test_only_what_began_in_the_time_is_read(tmp_path: Path) -> None:
    added(tmp_path / "a.db", visit(1, 0), visit(2, 5), visit(3, 10))
    found = store.read(tmp_path / "a.db", NOW + 5, NOW + 10)
    assert found.begin.tolist() == [NOW + 5]
    assert store.read(tmp_path / "a.db", NOW + 50, NOW + 60).watched.shape == (0, 2)


def test_two_cameras_write_into_one_file(tmp_path: Path) -> None:
    def write() -> None:
        with VisitStore(tmp_path / "a.db", PRIOR, True) as kept:
            for i in range(20):
                kept.see("camera 0", NOW, i, [visit(i + 1)])
                kept.save()

    threads = [threading.Thread(target=write) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(everything(tmp_path / "a.db")) == 60


def _foreign(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE mine (a)")


def _newer(path: Path) -> None:
    added(path)
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 2")


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda path: path.write_bytes(b"not a database, but long enough" * 9), "not a file of"),
        (_foreign, "not a file of visits"),
        (_newer, "has format 2, this livecam reads 1"),
        (lambda path: path.mkdir(), "is a folder"),
    ],
)
def test_another_programs_file_is_left_alone(tmp_path: Path, make, why: str) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "a.db"
    make(path)
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(UsageError, match=rf"a\.db: {why}"):
        store.check(path)
    with pytest.raises(
        LivecamError, match=f"{why}.*; expected a file made by livecam run --visits"
    ):
        everything(path)
    if before is not None:
        assert path.read_bytes() == before


def test_a_damaged_name_is_told_as_a_damaged_file(tmp_path: Path) -> None:
    added(tmp_path / "a.db", visit())
    with contextlib.closing(sqlite3.connect(tmp_path / "a.db")) as db, db:
        db.execute("UPDATE watched SET source = CAST(X'FF' AS TEXT)")
    with pytest.raises(LivecamError, match=r"a\.db: cannot be read: it is damaged; move it away"):
        store.last_watched(tmp_path / "a.db", NOW)


def test_of_when_a_clock_was_in_the_future_nothing_is_said_now(tmp_path: Path) -> None:
    with VisitStore(tmp_path / "a.db", PRIOR, True) as kept:
        for moment in (0.0, 1e7, 100.0):
            kept.see("camera 0", NOW, moment)
        kept.see("door", NOW, 1e7)
        kept.see("yard", NOW, 115.0)  # another computer's, a little fast
        kept.save()
    found = store.last_watched(tmp_path / "a.db", NOW + 110)
    assert found == {"camera 0": NOW + 100, "door": NOW + 1e7, "yard": NOW + 115}
    assert store.is_watching(found["camera 0"], NOW + 110)
    assert store.is_watching(found["yard"], NOW + 110)
    assert not store.is_watching(found["door"], NOW + 110)


def test_a_check_leaves_nothing_behind(tmp_path: Path) -> None:
    store.check(tmp_path / "a.db")
    assert list(tmp_path.iterdir()) == []
    added(tmp_path / "a.db", visit())
    store.check(tmp_path / "a.db")
    assert len(everything(tmp_path / "a.db")) == 1


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(LivecamError, match="no such file; livecam run --visits"):
        everything(tmp_path / "a.db")
    with pytest.raises(LivecamError, match="there is no folder"):
        store.check(tmp_path / "none" / "a.db")


def test_an_empty_file_has_no_visits(tmp_path: Path) -> None:
    (tmp_path / "a.db").touch()
    with pytest.raises(LivecamError, match=r"a\.db: empty: nothing was recorded"):
        everything(tmp_path / "a.db")
    added(tmp_path / "a.db", visit())
    assert len(everything(tmp_path / "a.db")) == 1


def test_a_full_disk_leaves_no_empty_file(tmp_path: Path) -> None:
    with clips.small_disk(tmp_path / "disk", 100) as disk:
        clips.fill(disk)
        with pytest.raises(LivecamError, match=r"a\.db: cannot be written: "):
            added(disk / "a.db", visit())
        assert [path.name for path in disk.iterdir()] == ["filling"]


def test_a_full_disk_costs_nothing_that_is_there(tmp_path: Path) -> None:
    with clips.small_disk(tmp_path / "disk", 100) as disk:
        added(disk / "a.db", visit())
        clips.fill(disk)
        with (
            pytest.raises(
                LivecamError, match=r"a\.db: cannot be written: database or disk is full"
            ),
            VisitStore(disk / "a.db", PRIOR, True) as kept,
        ):
            for i in range(200):
                kept.see("camera 0", NOW, 0.0, [visit(i + 1)])
                kept.save()
        assert len(everything(disk / "a.db")) >= 1


def test_a_disk_that_takes_no_more_files_is_waited_for(tmp_path: Path) -> None:
    with clips.small_disk(tmp_path / "disk", 1024, files=2) as disk:
        with VisitStore(disk / "a.db", PRIOR, True) as kept:
            kept.see("camera 0", NOW, 0.0, [visit(1)])
            kept.save()
            (disk / "another").touch()
            kept.see("camera 0", NOW, 5.0, [visit(2)])
            with pytest.raises(NotNowError, match=r"a\.db: cannot be written: "):
                kept.save()
            (disk / "another").unlink()
            kept.save()
        assert len(everything(disk / "a.db")) == 2


def test_a_folder_that_may_not_be_written(tmp_path: Path) -> None:
    with (
        clips.read_only(tmp_path) as folder,
        pytest.raises(LivecamError, match=r"cannot be written: the folder may not be written to"),
    ):
        store.check(folder / "a.db")


@pytest.mark.parametrize("name", ["a b?c#d%20é.db", ":memory:", "file:a.db"])
def test_odd_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    added(Path(name), visit())
    assert len(everything(Path(name))) == 1
    assert [path.name for path in tmp_path.iterdir()] == [name]
