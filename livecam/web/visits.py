"""Who came by as a page in a browser: the report, made anew each time that it is asked for."""

from __future__ import annotations

import datetime
import html
import math
import threading
import time
import urllib.parse
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from livecam import store
from livecam.ages import AgeScheme
from livecam.config import Config
from livecam.days import bounds, day_of
from livecam.errors import LivecamError, UsageError
from livecam.report import STEPS, Report, as_csv, report
from livecam.report_page import page
from livecam.web.server import Response

PERIODS = {  # days ago of the first and of the last
    "today": (0, 0),
    "yesterday": (1, 1),
    "7 days": (6, 0),
    "30 days": (29, 0),
    "everything": (None, None),
}
MOST_CAMERAS = 4  # that are told above the report; a recording counts as one
CHECK_SHARE = 0.01  # of the time, in which the whole file is read for damage
NO_PAGE = "no such page; / is the page, /visits.csv its rows"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is to be shown. `period`: one of PERIODS, or nothing where days are given."""

    period: str
    first: datetime.date | None
    last: datetime.date | None
    is_choosing: bool  # of more than the usual days
    camera: str | None  # None: all
    by: str | None
    scheme: AgeScheme

    def query(self, **changes: str) -> str:
        """That this is wanted, with some things changed, as the end of a URL."""
        days = {"from": self.first, "to": self.last} if not self.period else {}
        chosen = {"camera": self.camera, "by": self.by, "scheme": self.scheme.name}
        said = {"period": self.period, **days, **chosen}
        return "?" + urllib.parse.urlencode({k: v for k, v in {**said, **changes}.items() if v})


class VisitsPage:
    """What is answered to somebody who opens the page, or asks for its rows. The schemes of
    `config` may be chosen; its own is shown first."""

    def __init__(self, visits: Path, config: Config) -> None:
        self.visits, self.schemes, self.usual = visits, config.schemes, config.scheme
        self.gender = config.overlay.gender
        self._lock = threading.Lock()  # of the memory: a year's visits may take a gigabyte
        self._sound_until_s = -math.inf  # of a clock that is not set

    def get(self, target: str) -> Response:
        path, _, query = target.partition("?")
        if path not in ("/", "/visits.csv"):
            return Response.refusal(HTTPStatus.NOT_FOUND, NO_PAGE)
        try:
            self._require_sound()
            cameras = store.last_watched(self.visits, time.time())
            wanted = self._wanted(dict(urllib.parse.parse_qsl(query)), cameras)
            found = self._report(wanted)
        except LivecamError as error:  # another program may hold the file for a moment
            is_asked_wrongly = isinstance(error, UsageError)
            status = HTTPStatus.BAD_REQUEST if is_asked_wrongly else HTTPStatus.SERVICE_UNAVAILABLE
            return Response.refusal(status, f"{error}", may_change=not is_asked_wrongly)
        if path == "/visits.csv":
            return Response(HTTPStatus.OK, "text/csv", "".join(as_csv(found)))
        top = "\n".join(self._top(wanted, cameras))
        text = page(found, self.visits.name, wanted.camera, top)
        is_over = wanted.last is not None and wanted.last < datetime.date.today()
        # nothing is changed under somebody's hands
        return Response(HTTPStatus.OK, "text/html", text, not is_over and not wanted.is_choosing)

    def _require_sound(self) -> None:
        with self._lock:
            began_s = time.monotonic()
            if began_s >= self._sound_until_s:
                store.require_sound(self.visits)
                now_s = time.monotonic()
                self._sound_until_s = now_s + (now_s - began_s) / CHECK_SHARE

    def _report(self, wanted: Wanted) -> Report:
        with self._lock:
            kept = store.read(self.visits, *bounds(wanted.first, wanted.last), wanted.camera)
            return report(kept, wanted.scheme, wanted.by, self.gender)

    def _wanted(self, given: Mapping[str, str], cameras: Mapping[str, float]) -> Wanted:
        """Raises UsageError for what cannot be wanted."""
        camera = _one_of(given, "camera", cameras)
        by = _one_of(given, "by", STEPS)
        scheme = _one_of(given, "scheme", self.schemes)
        period = _one_of(given, "period", PERIODS) or "today"
        first, last = _day(given, "from"), _day(given, "to")
        if first is not None or last is not None:
            period = ""
        else:
            today = datetime.date.today()
            first, last = (
                None if ago is None else today - datetime.timedelta(days=ago)
                for ago in PERIODS[period]
            )
        is_choosing = not period or "choose" in given
        shown = self.schemes[scheme] if scheme else self.usual
        return Wanted(
            period=period, first=first, last=last, is_choosing=is_choosing,
            camera=camera, by=by, scheme=shown,
        )  # fmt: skip

    def _top(self, wanted: Wanted, cameras: Mapping[str, float]) -> Iterator[str]:
        yield "<nav>"
        for period in PERIODS:
            mark = ' aria-current="page"' if period == wanted.period else ""
            link = html.escape(wanted.query(period=period, **{"from": "", "to": ""}))
            yield f'<a href="{link}"{mark}>{period}</a>'
        for words, link in (
            ("choose …", wanted.query(choose="1")),
            ("CSV", f"visits.csv{wanted.query()}"),
        ):
            yield f'<a href="{html.escape(link)}">{words}</a>'
        yield "</nav>"
        if wanted.is_choosing:
            yield from self._form(wanted, cameras)
        lines = {
            source: f"<p>{html.escape(source)}: {_watched(moment)}</p>"
            for source, moment in cameras.items()
        }
        latest = sorted(cameras, key=cameras.__getitem__)[-MOST_CAMERAS:]
        others = [lines[source] for source in cameras if source not in latest]
        yield '<div class="now">'
        yield from (lines[source] for source in cameras if source in latest)
        if others:
            yield f"<details><summary>{len(others)} more</summary>{''.join(others)}</details>"
        yield "</div>"

    def _form(self, wanted: Wanted, cameras: Mapping[str, float]) -> Iterator[str]:
        yield '<form method="get">'
        yield f'<input type="hidden" name="period" value="{wanted.period}">'
        for name, day in (("from", wanted.first), ("to", wanted.last)):
            value = "" if wanted.period or day is None else f"{day}"
            yield f'<label>{name} <input type="date" name="{name}" value="{value}"></label>'
        if len(cameras) > 1:
            yield _choice("camera", cameras, wanted.camera, "all")
        yield _choice("by", STEPS, wanted.by, "hour or day")
        yield _choice("scheme", self.schemes, wanted.scheme.name)
        yield "<button>show</button></form>"


def _one_of(given: Mapping[str, str], name: str, known: Mapping[str, object]) -> str | None:
    value = given.get(name)
    if value and value not in known:
        raise UsageError(f"{name}: expected one of {', '.join(known)}, got {value!r}")
    return value or None


def _day(given: Mapping[str, str], name: str) -> datetime.date | None:
    value = given.get(name)
    if not value:
        return None
    day = day_of(value)
    if day is None:
        raise UsageError(f"{name}: expected a day like 2026-05-31, got {value!r}")
    return day


def _choice(name: str, values: Iterable[str], chosen: str | None, nothing: str = "") -> str:
    """`nothing`: the words of a first option, which chooses none."""
    options = {value: value for value in values}
    options = {"": nothing, **options} if nothing else options
    listed = "".join(
        f'<option value="{html.escape(value)}"{" selected" * (value == (chosen or ""))}>'
        f"{html.escape(words)}</option>"
        for value, words in options.items()
    )
    return f'<label>{name} <select name="{name}">{listed}</select></label>'


def _watched(moment: float) -> str:
    """Whether a camera looks now, or until when it did."""
    if store.is_watching(moment, time.time()):
        return "watching"
    return f"watched until {datetime.datetime.fromtimestamp(moment):%A, %d %B %Y, %H:%M}"
