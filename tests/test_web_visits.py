"""The page of visits."""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import datetime
import html
import http.client
import re
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from patience import PATIENCE_S
from people import visit
from settings import SHIPPED

from livecam import store
from livecam.cli import main
from livecam.store import VisitStore
from livecam.web.visits import VisitsPage


def add(path: Path, days_ago: int, ages: list[int], source: str = "camera 0") -> None:
    """Visits at noon of a day, in a file that may be there already."""
    day = datetime.datetime.combine(datetime.date.today(), datetime.time(12))
    noon = (day - datetime.timedelta(days=days_ago)).timestamp()
    with VisitStore(path, None, gender=True) as kept:
        visits = (visit(i, 10.0 * i, 10.0 * i + 5, age) for i, age in enumerate(ages, 1))
        kept.see(source, noon, 0.0, visits)
        kept.save()


@pytest.fixture
def visits(tmp_path: Path) -> Path:
    path = tmp_path / "shop.db"
    for days_ago, ages in ((40, [70]), (3, [5, 30, 31]), (1, [30, 60]), (0, [20])):
        add(path, days_ago, ages)
    return path


@pytest.fixture
def page(visits: Path) -> VisitsPage:
    return VisitsPage(visits, SHIPPED)


def counted(text: str) -> int:
    """The visits that a page tells of."""
    found = re.search(r"<dt>visits</dt><dd>(\d+)</dd>", text)
    assert found
    return int(found[1])


@pytest.mark.parametrize(
    ("query", "number"),
    [
        ("", 1), ("?period=today", 1), ("?period=yesterday", 2), ("?period=7+days", 6),
        ("?period=30+days", 6), ("?period=everything", 7), ("?from=&to=&period=yesterday", 2),
    ],
)  # fmt: skip
def test_a_period_is_chosen(page: VisitsPage, query: str, number: int) -> None:
    response = page.get(f"/{query}")
    assert (response.status, response.kind) == (200, "text/html")
    assert counted(response.text) == number


@pytest.mark.parametrize(("first", "last", "number"), [(3, 1, 5), (3, 3, 3), (None, 3, 4)])
def test_days_are_chosen_instead(
    page: VisitsPage, first: int | None, last: int, number: int
) -> None:
    days = {
        name: "" if ago is None else f"{datetime.date.today() - datetime.timedelta(days=ago)}"
        for name, ago in (("from", first), ("to", last))
    }
    response = page.get(f"/?period=today&from={days['from']}&to={days['to']}")
    assert counted(response.text) == number
    assert not response.may_change
    assert f'name="to" value="{days["to"]}"' in response.text


def test_it_is_made_anew_while_more_may_come(visits: Path, page: VisitsPage) -> None:
    assert page.get("/").may_change
    assert page.get("/?period=everything").may_change
    assert not page.get("/?period=yesterday").may_change
    assert "<form" not in page.get("/").text  # what is typed would be gone
    assert "<form" in page.get("/?choose=1").text and not page.get("/?choose=1").may_change
    visits.rename(visits.with_suffix(".away"))
    assert page.get("/").may_change  # another program may have it for a moment


def test_links_keep_what_was_chosen(page: VisitsPage) -> None:
    text = page.get("/?period=7+days&by=hour&scheme=decades").text
    assert "20-29" in text
    links = re.findall(r'href="([^"]*)"', text)
    assert links
    assert links.pop(0) == "data:,"  # no icon
    for link in links:
        assert "by=hour" in link and "scheme=decades" in link
    (address,) = (link.replace("&amp;", "&") for link in links if link.startswith("visits.csv"))
    response = page.get(f"/{address}")
    head, *rows = response.text.splitlines()
    assert response.kind == "text/csv"
    assert ",20-29," in head
    assert [row.split(",")[3] for row in rows] == ["3", "2", "1"]


def test_a_camera_is_chosen_where_there_are_several(visits: Path, page: VisitsPage) -> None:
    assert '<select name="camera">' not in page.get("/?choose=1").text
    add(visits, 0, [40, 41, 42], source="back door & yard")
    everywhere = page.get("/?choose=1").text
    assert counted(everywhere) == 4
    assert '<option value="back door &amp; yard">back door &amp; yard</option>' in everywhere
    there = page.get("/?camera=back+door+%26+yard").text
    assert counted(there) == 3
    assert "<h1>Visits: shop.db, back door &amp; yard</h1>" in there
    assert "camera=back+door+%26+yard" in there
    wrong = html.unescape(page.get("/?camera=front").text)
    assert "<p>camera: expected one of back door & yard, camera 0, got 'front'</p>" in wrong


def test_it_says_whether_a_camera_looks(visits: Path, page: VisitsPage) -> None:
    assert "camera 0: watched until " in page.get("/").text
    with VisitStore(visits, None, gender=True) as kept:
        kept.see("door <1>", time.time(), 0.0)
        kept.save()
    assert "<p>door &lt;1&gt;: watching</p>" in page.get("/").text
    add(visits, -400, [30], source="door <1>")  # the clock was wrong for a while
    assert "<p>door &lt;1&gt;: watching</p>" in page.get("/").text


def test_of_many_films_the_latest_are_told_first(visits: Path, page: VisitsPage) -> None:
    for days_ago in range(12, 0, -1):
        add(visits, days_ago, [30], source=f"{days_ago} days.mp4")
    shown, hidden = page.get("/").text.partition("</header>")[0].split("<summary>9 more</summary>")
    assert re.findall(r"<p>(.*?): watched until", shown) == [
        "1 days.mp4", "2 days.mp4", "3 days.mp4", "camera 0",
    ]  # fmt: skip
    assert hidden.count("watched until") == 9


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("period=never", "period: expected one of today, "),
        ("by=week", "by: expected one of hour, day, got 'week'"),
        ("scheme=x", "scheme: expected one of marketing, "),
        ("from=31.5.2026", "from: expected a day like 2026-05-31, got '31.5.2026'"),
        ("to=0001-01-01", "to: expected a day like "),
        (
            "from=2026-05-31&to=2026-05-30",
            "2026-05-31 to 2026-05-30: expected the earlier day first",
        ),
    ],
)
def test_what_cannot_be_shown_is_said(page: VisitsPage, query: str, said: str) -> None:
    response = page.get(f"/?{query}")
    assert (response.status, response.may_change) == (400, False)
    assert f"<p>{said}" in html.unescape(response.text)
    assert '<a href="/">back</a>' in response.text


@pytest.mark.parametrize("path", ["/favicon.ico", "/../etc/passwd", "/shop.db", "//", "*", ""])
def test_there_is_nothing_else(page: VisitsPage, path: str) -> None:
    assert page.get(path).status == 404


def test_a_file_that_is_gone_is_said(visits: Path, page: VisitsPage) -> None:
    visits.unlink()
    response = page.get("/")
    assert response.status == 503
    assert "no such file" in response.text


def test_a_damaged_file_is_said_on_the_page(visits: Path, page: VisitsPage) -> None:
    assert page.get("/?period=everything").status == 200
    whole = visits.read_bytes()
    visits.write_bytes(whole[:-4096] + bytes(4096))
    page = VisitsPage(visits, SHIPPED)
    for address in ("/", "/visits.csv"):
        response = page.get(address)
        assert (response.status, response.may_change) == (503, True)
        assert "shop.db: cannot be read: it is damaged; move it away" in response.text
    visits.write_bytes(whole)
    assert page.get("/?period=everything").status == 200
    with contextlib.closing(sqlite3.connect(visits)) as db, db:
        db.execute("UPDATE watched SET end = 1e12")
    response = page.get("/")
    assert response.status == 503
    assert "shop.db: a row was changed: watched where id = 1: end: expected" in response.text


def test_the_whole_file_is_read_for_damage_in_little_of_the_time(
    visits: Path, page: VisitsPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s, checks = 1000.0, 0

    def check(path: Path) -> None:
        nonlocal now_s, checks
        now_s, checks = now_s + 0.5, checks + 1

    monkeypatch.setattr(time, "monotonic", lambda: now_s)
    monkeypatch.setattr(store, "require_sound", check)
    for _ in range(200):
        assert page.get("/").status == 200
        now_s += 1
    assert 3 <= checks <= 5


# The command


def test_it_serves_until_it_is_interrupted(visits: Path) -> None:
    command = [sys.executable, "-m", "livecam", "serve", visits, "--port", "0"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        url = child.stdout.readline()
        host = url.strip().removeprefix("http://").rstrip("/")
        connection = http.client.HTTPConnection(host, timeout=PATIENCE_S)
        connection.request("GET", "/?period=everything&scheme=utk-8")
        assert counted(connection.getresponse().read().decode()) == 7
        connection.close()
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=PATIENCE_S)
    assert child.returncode == 130
    assert out == ""
    assert "Traceback" not in err and "GET" not in err


def test_gender_is_left_out_if_that_is_asked_for(visits: Path) -> None:
    overlay = dataclasses.replace(SHIPPED.overlay, gender=False)
    page = VisitsPage(visits, dataclasses.replace(SHIPPED, overlay=overlay))
    assert "male" not in page.get("/?period=everything").text.partition("\n")[2]
    rows = list(csv.DictReader(page.get("/visits.csv?period=everything").text.splitlines()))
    assert rows
    assert {row["male"] + row["female"] for row in rows} == {""}


@pytest.mark.parametrize(
    ("flag", "value"),
    [("--model", "a.onnx"), ("--runtime", "keras"), ("--threads", "2"), ("--min-face-px", "40")],
)
def test_flags_of_what_is_labelled_already_are_refused(
    visits: Path, capsys: pytest.CaptureFixture[str], flag: str, value: str
) -> None:
    assert main(["serve", str(visits), flag, value]) == 2
    out, err = capsys.readouterr()
    assert out == "" and f"{flag}: {visits} has visits that are labelled already" in err


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [("none.db", 1, "no such file"), ("other.db", 1, "not a file of visits")],
)
def test_what_is_wrong_with_the_file_is_said_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, code: int, said: str
) -> None:
    (tmp_path / "other.db").write_text("words")
    assert main(["serve", str(tmp_path / name)]) == code
    out, err = capsys.readouterr()
    assert out == "" and said in err and err.count("\n") == 1
