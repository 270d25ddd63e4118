"""`livecam report`: the numbers add up, hours are local, outputs are careful."""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import datetime
import re
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from people import visit

from livecam import cli, report, report_page, store
from livecam.ages import SCHEMES
from livecam.report_page import page
from livecam.store import Visits, VisitStore, read

MARKETING = SCHEMES["marketing"]


@pytest.fixture(autouse=True)
def zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def at(text: str) -> float:
    return datetime.datetime.fromisoformat(text).timestamp()


def made(
    path: Path,
    *visits: tuple[str, float, int],
    hours: float = 2.0,
    gender: bool = True,
    camera: str = "camera 0",
) -> Path:
    """A file of visits (begin, seconds, age), all looked at from the first one on."""
    with (
        mock.patch.object(store, "GAP_S", np.inf),
        VisitStore(path, None, gender) as kept,
    ):
        begin = at(visits[0][0])
        kept.see(camera, begin, 0.0)
        for number, (when, dwell_s, age) in enumerate(visits, 1):
            begin_s = at(when) - begin
            female = 0.75 if number % 2 else 0.25
            seen = visit(number, begin_s, begin_s + dwell_s, age, female)
            kept.see(camera, begin, 3600 * hours, [seen])
        kept.save()
    return path


def test_where_midnight_comes_twice_a_day_begins_with_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "America/Havana")
    time.tzset()
    again = at("2014-11-02 00:30") + 3600  # the clock was set back to midnight at one
    made(tmp_path / "b.db", ("2014-10-31 12:00", 10, 30), hours=0.5)
    with VisitStore(tmp_path / "b.db", None, True) as kept:
        kept.see("camera 0", again, 0.0, [visit()])
        kept.save()
    visits = everything(tmp_path / "b.db")
    days = report.report(visits, MARKETING, "day").periods
    assert [each.begin for each in days] == [at("2014-10-31"), at("2014-11-02")]


@pytest.fixture
def day(tmp_path: Path) -> Path:
    return made(
        tmp_path / "day.db",
        ("2026-05-31 09:30", 10, 30), ("2026-05-31 09:40", 20, 31), ("2026-05-31 11:10", 60, 70),
    )  # fmt: skip


def everything(path: Path) -> Visits:
    return read(path, 0.0, float("inf"))


def test_a_row_for_each_hour_that_was_watched(day: Path) -> None:
    found = report.report(everything(day), MARKETING)
    assert found.by == "hour"
    assert [each.begin for each in found.periods] == [
        at(f"2026-05-31 {h}:00") for h in ("09", 10, 11)
    ]
    assert [each.visits for each in found.periods] == [2, 0, 1]
    assert [each.watched_s for each in found.periods] == [1800, 3600, 1800]
    assert [each.dwell_s for each in found.periods] == [15, pytest.approx(np.nan, nan_ok=True), 60]
    assert found.total.visits == 3
    assert found.total.dwell_s == 20
    np.testing.assert_allclose(found.total.by_age.sum(axis=1), [0, 0, 0, 2, 0, 0, 0, 1])
    np.testing.assert_allclose(found.total.by_age.sum(axis=0), [1.25, 1.75])
    np.testing.assert_allclose(sum(each.by_age for each in found.periods), found.total.by_age)


TABLE = """\
                  watched  visits  0-12  13-17  18-24  25-34  35-44  45-54  55-64  65+  female
2026-05-31 09:00   0:30 h       2     0      0      0    2.0      0      0      0    0    50 %
2026-05-31 10:00   1:00 h       0     0      0      0      0      0      0      0    0       -
2026-05-31 11:00   0:30 h       1     0      0      0      0      0      0      0  1.0    75 %
all                2:00 h       3     0      0      0    2.0      0      0      0  1.0    58 %
± of all                              0      0      0      0      0      0      0    0
"""


@pytest.mark.parametrize(
    ("visits", "said"),
    [(0, "0"), (0.04, "0"), (0.1, "0.1"), (9.94, "9.9"), (9.96, "10"), (12.6, "13")],
)
def test_few_visits_are_told_in_tenths(visits: float, said: str) -> None:
    assert report.number(visits) == said


def test_the_table_for_people(day: Path) -> None:
    assert report.as_text(report.report(everything(day), MARKETING)) == TABLE.splitlines()


@pytest.mark.parametrize(
    ("watched_s", "text"), [(59.4, "59 s"), (60, "0:01 h"), (3599, "1:00 h"), (90000, "25:00 h")]
)
def test_how_long_it_was_watched_in_words(day: Path, watched_s: float, text: str) -> None:
    period = report.report(everything(day), MARKETING).total
    assert report.watched(dataclasses.replace(period, watched_s=watched_s)) == text


def test_hours_in_which_nobody_looked_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    for hour in ("09", "15"):
        made(path, (f"2026-05-31 {hour}:00", 10, 30), hours=0.5)
    periods = report.report(everything(path), MARKETING).periods
    assert [each.begin for each in periods] == [at("2026-05-31 09:00"), at("2026-05-31 15:00")]


def test_a_clock_that_was_not_set_once_costs_no_time(tmp_path: Path) -> None:
    path = made(tmp_path / "a.db", ("1970-01-01 01:00", 10, 30), hours=2.5)
    made(path, ("2026-05-31 09:10", 10, 30), hours=1.5)
    with mock.patch.object(report, "_start", wraps=report._start) as start:
        periods = report.report(everything(path), MARKETING, "hour").periods
    assert start.call_count < 20
    assert [each.begin for each in periods] == [
        *(3600 * i for i in range(3)), at("2026-05-31 09:00"), at("2026-05-31 10:00"),
    ]  # fmt: skip


@given(
    st.lists(st.tuples(st.integers(0, 300), st.integers(0, 30)), max_size=5),
    st.lists(st.integers(0, 300), max_size=5),
)
def test_every_hour_in_which_something_is_has_a_row(
    spans: list[tuple[int, int]], visits: list[int]
) -> None:
    begin = at("2026-10-24 00:00")  # clocks are put back in the night after
    watched = np.array(sorted((a, a + n) for a, n in spans), float).reshape(-1, 2)
    begins = begin + 600 * np.array(sorted(visits), float)
    one = np.full((len(begins), 101), 1 / 101, np.float32)
    kept = Visits(
        begin=begins, end=begins + 5, age_probs=one, age_prior=one, prior_of=np.arange(len(one)),
        female_prob=np.full(len(one), 0.5), watched=begin + 600 * watched,
    )  # fmt: skip
    busy = {t // 6 for a, n in spans for t in range(a, a + n)} | {t // 6 for t in visits}
    periods = report.report(kept, MARKETING, "hour").periods
    assert [(each.begin - begin) // 3600 for each in periods] == sorted(busy)
    assert sum(each.visits for each in periods) == len(visits)


def test_two_cameras_at_once_watch_no_longer_than_one(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    made(path, ("2026-05-31 09:00", 10, 30), hours=1)
    made(path, ("2026-05-31 09:30", 10, 30), hours=1)
    assert report.report(everything(path), MARKETING).total.watched_s == 5400


@given(
    st.lists(st.tuples(st.integers(0, 50), st.integers(0, 20)), max_size=8),
    st.integers(0, 60), st.integers(0, 60),
)  # fmt: skip
def test_what_was_watched_by_several_counts_once(
    spans: list[tuple[int, int]], begin: int, end: int
) -> None:
    watched = np.array(sorted((a, a + length) for a, length in spans), float).reshape(-1, 2)
    moments, seconds = report._watched_until(watched)
    before_s, until_s = np.interp((begin, end), moments, seconds)
    looked = [any(a <= t < a + n for a, n in spans) for t in range(begin, end)]
    assert until_s - before_s == pytest.approx(sum(looked)) or end < begin


def test_several_days_are_rows_of_days(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    for number in (29, 30, 31):
        made(path, (f"2026-05-{number} 09:00", 10, 30))
    found = report.report(everything(path), MARKETING)
    assert found.by == "day"
    assert [each.visits for each in found.periods] == [1, 1, 1]
    assert len(report.report(everything(path), MARKETING, "hour").periods) == 6


@pytest.mark.parametrize(("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25)])
def test_days_on_which_clocks_change(tmp_path: Path, day: str, hours: int) -> None:
    path = made(tmp_path / "a.db", (f"{day} 00:00", 10, 30), hours=hours - 0.1)
    found = report.report(everything(path), MARKETING)
    assert found.by == "hour"
    assert len(found.periods) == hours
    names = [cells[0] for cells in report.as_rows(found)[1:-2]]
    assert len(set(names)) == hours
    assert (f"{day} 02:00 CET" in names) == (hours == 25)
    (whole,) = report.report(everything(path), MARKETING, "day").periods
    assert whole.end - whole.begin == 3600 * hours


def test_a_day_up_to_midnight_is_one_of_hours(tmp_path: Path) -> None:
    path = made(tmp_path / "a.db", ("2026-05-30 22:00", 10, 30), hours=4)
    found = report.report(read(path, at("2026-05-30 00:00"), at("2026-05-31 00:00")), MARKETING)
    assert found.by == "hour"
    assert [each.watched_s for each in found.periods] == [3600, 3600]


@pytest.mark.parametrize("days", [31, 92, 300, 365])
def test_large_numbers_and_many_days_stay_in_the_chart(days: int) -> None:
    first = report.Period(
        begin=at("2026-05-01"),
        end=at("2026-05-02"),
        watched_s=9.0,
        visits=23_000,
        by_age=np.full((8, 2), 1437.5),
        dwell_s=5.0,
    )
    found = report.Report(
        labels=MARKETING.labels,
        by="day",
        has_gender=True,
        periods=[
            dataclasses.replace(first, begin=first.begin + 86400 * i, end=first.end + 86400 * i)
            for i in range(days)
        ],
        total=first,
        errors=np.zeros(8),
    )
    shown = page(found, "a.db", None)
    assert ">24000<" in shown
    places = [
        (float(x), text) for x, text in re.findall(r'<text x="([\d.]+)"[^>]*>([^<]*)<', shown)
    ]
    middles = sorted(x for x, text in places if re.fullmatch(r"\d\d [A-Z][a-z]{2}", text))
    assert middles[-1] <= 860 - 25
    assert min(np.diff(middles)) > 60
    assert min(x for x, text in places if text == "24000") >= 40


def test_time_that_nobody_watched_is_a_gap_in_the_chart(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    for begin in ("2026-05-01 09:00", "2026-05-02 23:00", "2026-05-05 09:00"):
        made(path, (begin, 10, 30), hours=2)
    assert report_page._places(report.report(everything(path), MARKETING, "day")) == [0, 1, 2, 4]
    made(path, ("2029-05-05 09:00", 10, 30), hours=2)  # by a wrong clock
    assert report_page._places(report.report(everything(path), MARKETING, "day"))[-1] == 36
    by_hour = report.report(read(path, 0, at("2029-01-01 00:00")), MARKETING, "hour")
    assert report_page._places(by_hour) == [0, 1, 3, 4, 6, 7]  # one for each night


def test_ages_are_told_apart_by_lightness_alone(day: Path) -> None:
    for scheme in SCHEMES.values():
        found = report.report(everything(day), scheme)
        colours = [report_page._colour(i, found) for i in range(len(scheme.labels))]
        lights = [
            np.dot([0.2126, 0.7152, 0.0722], list(map(int, re.findall(r"\d+", colour))))
            for colour in colours
        ]
        assert (np.diff(lights) < -5).all()


def test_the_numbers_of_every_scheme_add_up(day: Path) -> None:
    for scheme in SCHEMES.values():
        found = report.report(everything(day), scheme)
        assert found.total.by_age.sum() == pytest.approx(3)
        assert len(found.errors) == len(scheme.labels)


def test_without_gender_none_is_told(tmp_path: Path) -> None:
    path = made(tmp_path / "a.db", ("2026-05-31 09:00", 10, 30), gender=False)
    found = report.report(everything(path), MARKETING)
    assert not found.has_gender
    assert found.total.by_age.sum() == 1
    assert "female" not in "".join(report.as_text(found)) + page(found, "a", None)
    assert "male" not in page(found, "a", None)
    _, row, *_ = report.as_csv(found)
    assert row.endswith(",,,10.0\n")  # the columns are those of every other file


def test_the_page_stands_alone_and_names_what_it_is_given(day: Path) -> None:
    shown = page(report.report(everything(day), MARKETING), "<b>&.db", None)
    assert "<title>Visits: &lt;b&gt;&amp;.db</title>" in shown
    assert set(re.findall(r'(?:src|href)="([^"]*)"', shown)) == {"data:,"}  # no icon
    assert not re.search(r"https?://", shown)
    assert shown.count("<svg") == 2
    assert "Sunday, 31 May 2026" in shown


# The command


def run(*arguments: object) -> int:
    return cli.main(["report", *map(str, arguments)])


def test_the_command_prints_a_table(day: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(day) == 0
    head, *rows, total, _ = capsys.readouterr().out.splitlines()
    assert head.split() == ["watched", "visits", *MARKETING.labels, "female"]
    assert rows[0].split()[:5] == ["2026-05-31", "09:00", "0:30", "h", "2"]
    assert total.split()[:4] == ["all", "2:00", "h", "3"]


def test_the_page_is_written_though_the_reader_of_the_table_has_enough(day: Path) -> None:
    html = day.parent / "a.html"
    command = [sys.executable, "-u", "-m", "livecam", "report", day, "--html", html]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.close()
    assert html.read_text().endswith("</html>\n")


def test_gender_is_left_out_if_that_is_asked_for(
    day: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(day, "--no-gender") == 0
    answer = capsys.readouterr().out
    assert answer and "female" not in answer
    monkeypatch.setenv("LIVECAM_OVERLAY__GENDER", "false")
    assert run(day) == 0
    assert capsys.readouterr().out == answer


def test_a_camera_is_chosen(day: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made(day, ("2026-05-31 09:10", 10, 30), hours=5.0, camera="door")
    totals = []
    for arguments in ((), ("--camera", "camera 0"), ("--camera", "door")):
        assert run(day, *arguments) == 0
        totals.append(capsys.readouterr().out.splitlines()[-2].split()[1:4])
    assert totals == [["5:00", "h", "4"], ["2:00", "h", "3"], ["5:00", "h", "1"]]
    assert run(day, "--camera", "x") == 2
    assert "it has 'camera 0', 'door'" in capsys.readouterr().err


def test_days_are_chosen(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.db"
    today = datetime.date.today()
    for number in range(4):
        made(path, (f"{today - datetime.timedelta(number)} 09:00", 10, 30), hours=0.1)

    def rows(*arguments: object) -> int:
        assert run(path, "--by", "day", *arguments) == 0
        return len(capsys.readouterr().out.splitlines()) - 3

    assert rows() == 4
    assert rows("--day", "today") == rows("--day", "yesterday") == rows("--day", today) == 1
    assert rows("--from", today - datetime.timedelta(2)) == 3
    assert rows("--to", "yesterday") == 3
    assert rows("--from", today - datetime.timedelta(2), "--to", "yesterday") == 2


def test_files_are_written_and_not_replaced_unasked(
    day: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = ["--csv", tmp_path / "a.csv", "--html", tmp_path / "a.html"]
    assert run(day, *files) == 0
    said = capsys.readouterr().err.splitlines()
    assert said == [f"{tmp_path / 'a.csv'}: written", f"{tmp_path / 'a.html'}: written"]
    with (tmp_path / "a.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert rows[0]["begin"] == "2026-05-31T09:00:00+02:00"
    assert [row["visits"] for row in rows] == ["2", "0", "1"]
    assert (rows[0]["25-34"], rows[1]["dwell_s"]) == ("2.0", "")
    assert "<html" in (tmp_path / "a.html").read_text()
    capsys.readouterr()
    assert run(day, *files) == 2
    assert "a.csv: exists; give --overwrite" in capsys.readouterr().err
    assert run(day, *files, "--overwrite") == 0


def test_nothing_watched_is_an_empty_table(day: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(day, "--day", "2020-01-01", "--html", day.with_suffix(".html")) == 0
    told = capsys.readouterr()
    assert told.out.splitlines()[-2].split()[:4] == ["all", "0", "s", "0"]
    assert "day.db: no camera was watching in this period" in told.err
    assert "No camera was watching in this period" in day.with_suffix(".html").read_text()


def test_nothing_watched_needs_no_day_of_1970(
    day: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Windows knows no local time for when it began."""
    start = report._start

    def of_windows(moment: float, by: str) -> float:
        if moment < report.DAY_S:
            raise OSError(22, "Invalid argument")
        return start(moment, by)

    monkeypatch.setattr(report, "_start", of_windows)
    assert run(day, "--to", "2020-01-01", "--html", day.with_suffix(".html")) == 0
    assert "no camera was watching in this period" in capsys.readouterr().err
    assert run(day) == 0


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE visits SET begin = 'x' WHERE number = 2",
        "UPDATE visits SET age_probs = zeroblob(404)",
        "UPDATE visits SET female_prob = 5",
        "UPDATE visits SET run = 99",
        "DELETE FROM watched",
        "UPDATE watched SET end = 2e11",
    ],
)
def test_a_row_that_was_changed_ends_with_one_line(
    day: Path, change: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with contextlib.closing(sqlite3.connect(day)) as db, db:
        db.execute(change)
    assert run(day) == 1
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1
    assert "day.db: a row was changed: " in err


def test_a_damaged_file_ends_with_one_line(day: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = day.read_bytes()  # at its end is the index, by which visits are found
    day.write_bytes(whole[:-512] + bytes(512))
    assert run(day) == 1
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1
    assert "day.db: cannot be read: it is damaged; move it away to begin a new one" in err


@pytest.mark.parametrize(
    ("arguments", "code", "why"),
    [
        (["none.db"], 1, "none.db: no such file; livecam run --visits none.db makes it"),
        (["setup.cfg"], 1, "setup.cfg: not a file of visits; expected a file made by livecam run"),
        (["a.db", "--day", "today", "--to", "today"], 2, "--day: is one day"),
        (
            ["a.db", "--from", "2026-05-02", "--to", "2026-05-01"],
            2,
            "expected the earlier day first",
        ),
        (["a.db", "--html", "a.txt"], 2, "--html a.txt: expected a name that ends in .html"),
        (["a.db", "--scheme", "decade"], 2, "did you mean 'decades'?"),
    ],
)
def test_what_is_wrong_is_said(
    arguments: list[str], code: int, why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*arguments) == code
    assert why in capsys.readouterr().err


@pytest.mark.parametrize("day", ["tomorow", "9999-12-31", "0001-01-01", "2026-13-01"])
def test_a_day_that_is_none(day: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        run("a.db", "--day", day)
    assert stop.value.code == 2
    assert "expected a day like" in capsys.readouterr().err
