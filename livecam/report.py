"""Who came by, hour by hour or day by day, counted from a file of visits."""

from __future__ import annotations

import collections
import datetime
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from livecam.ages import AgeScheme
from livecam.files import csv_line
from livecam.prevalence import Z_80, counts
from livecam.store import Visits

HOUR_S, DAY_S = 3600.0, 86400.0
STEPS = {"hour": HOUR_S, "day": DAY_S}
FEW = 9.95


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Period:
    """An hour, a day, or all of them; Unix seconds. `by_age` (bins, 2): expected visits, male and
    female, or all of them in the first column where no gender is kept."""

    begin: float
    end: float
    watched_s: float
    visits: int
    by_age: np.ndarray
    dwell_s: float  # median; NaN without a visit


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Report:
    """`total` over all `periods`, which are those in which a camera looked or somebody came.
    `errors` (bins,): standard errors of the total's ages. `by`: hour or day."""

    labels: tuple[str, ...]
    by: str
    has_gender: bool
    periods: list[Period]
    total: Period
    errors: np.ndarray


def report(visits: Visits, scheme: AgeScheme, by: str | None = None, gender: bool = True) -> Report:
    """`by`: hour, day, or None for what fits. Hours and days are those of this computer's clock.
    Without `gender` none is told, whether it was kept or not."""
    begins, ends = _busy(visits)
    begin, end = (begins[0], ends[-1]) if len(begins) else (0.0, 0.0)
    if by is None:
        # where nothing is, no day is asked for: Windows does not know when that of 1970 began
        days = {_start(moment, "day") for moment in (begin, max(begin, end - 1e-3)) if len(begins)}
        by = "hour" if len(days) <= 1 else "day"
    prior = scheme.bin_probs(visits.age_prior)[visits.prior_of]
    shares, errors = counts(scheme.bin_probs(visits.age_probs), prior)
    female = visits.female_prob
    has_gender = gender and bool(np.isfinite(female).any())
    known = np.zeros(len(female))
    if has_gender:
        known = np.where(np.isfinite(female), female, np.nanmean(female))
    of_both = np.stack([1 - known, known], axis=1)
    by_age = shares[:, :, None] * of_both[:, None, :]
    moments, seconds = _watched_until(visits.watched)

    def period(begin: float, end: float) -> Period:
        inside = slice(*np.searchsorted(visits.begin, (begin, end)))
        dwell_s = visits.end[inside] - visits.begin[inside]
        before_s, until_s = np.interp((begin, end), moments, seconds)
        return Period(
            begin=begin,
            end=end,
            watched_s=until_s - before_s,
            visits=len(dwell_s),
            by_age=by_age[inside].sum(axis=0),
            dwell_s=float(np.median(dwell_s)) if len(dwell_s) else np.nan,
        )

    periods = [period(a, b) for a, b in _stretches(begins, ends, by)]
    periods = [each for each in periods if each.watched_s or each.visits]
    if periods:
        begin, end = periods[0].begin, periods[-1].end
    return Report(
        labels=scheme.labels,
        by=by,
        has_gender=has_gender,
        periods=periods,
        total=period(begin, end),
        errors=errors,
    )


def _start(moment: float, by: str) -> float:
    """When the hour or the day began that this Unix time is in."""
    local = datetime.datetime.fromtimestamp(moment).replace(minute=0, second=0, microsecond=0)
    # where midnight comes twice, a day begins with the first
    return (local.replace(hour=0, fold=0) if by == "day" else local).timestamp()


def _busy(visits: Visits) -> tuple[np.ndarray, np.ndarray]:
    """Of all times in which a camera looked or somebody came: their beginnings in order, and until
    when those up to each of them last."""
    begins = np.append(visits.watched[:, 0], visits.begin)
    ends = np.append(visits.watched[:, 1], visits.begin)
    order = np.argsort(begins, kind="stable")
    return begins[order], np.maximum.accumulate(ends[order])


def _stretches(begins: np.ndarray, ends: np.ndarray, by: str) -> Iterator[tuple[float, float]]:
    """The hours or days in which something is, of `_busy`."""
    here = _start(begins[0], by) if len(begins) else np.inf
    while here < np.inf:
        # a day may have 23 or 25 hours
        after = _start(here + 1.5 * STEPS[by], by)
        yield here, after
        known = int(np.searchsorted(begins, after))
        if ends[known - 1] >= after:
            here = after
        else:
            here = _start(begins[known], by) if known < len(begins) else np.inf


def _watched_until(spans: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For how many seconds at least one source was looked at until each of some moments; straight
    between these. `spans` (m, 2), in order of their beginning, may overlap."""
    ends = np.maximum.accumulate(spans[:, 1])
    begins = np.maximum(spans[:, 0], np.append(-np.inf, ends)[:-1])  # not what others cover
    seconds = np.cumsum(np.maximum(ends - begins, 0))
    edges = np.stack([np.minimum(begins, ends), ends], axis=1).ravel()
    seen = np.stack([np.append(0, seconds)[:-1], seconds], axis=1).ravel()
    return np.append(0, edges), np.append(0, seen)


def as_rows(found: Report) -> list[list[str]]:
    """Cells for people: the header, a row for each period, then the total, and how
    far its ages may be off in four cases of five."""
    head = ["", "watched", "visits", *found.labels, *(["female"] if found.has_gender else [])]
    periods = zip(_names(found), found.periods, strict=True)
    errors = [number(Z_80 * error) for error in found.errors]
    return [
        head,
        *([name, *_cells(found, each)] for name, each in periods),
        ["all", *_cells(found, found.total)],
        ["± of all", "", "", *errors, *([""] if found.has_gender else [])],
    ]


def number(visits: float) -> str:
    """Whole visits; of few, tenths too."""
    return f"{visits:.1f}" if 0.05 <= visits < FEW else f"{visits:.0f}"


def as_text(found: Report) -> list[str]:
    """The lines of a table for people."""
    lines = as_rows(found)
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return [
        "  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]).rstrip()
        for line in lines
    ]


def _cells(found: Report, period: Period) -> list[str]:
    ages = [number(visits) for visits in period.by_age.sum(axis=1)]
    gender = [female_share(period)] if found.has_gender else []
    return [watched(period), str(period.visits), *ages, *gender]


def watched(period: Period) -> str:
    """Hours and minutes; less than a minute in seconds."""
    if period.watched_s < 60:
        return f"{period.watched_s:.0f} s"
    hours, minutes = divmod(round(period.watched_s / 60), 60)
    return f"{hours}:{minutes:02} h"


def female_share(period: Period) -> str:
    return f"{100 * period.by_age[:, 1].sum() / period.visits:.0f} %" if period.visits else "-"


def _names(found: Report) -> list[str]:
    """Of the periods; with the time zone where clocks went back and there are two of one."""
    pattern = "%Y-%m-%d %H:%M" if found.by == "hour" else "%Y-%m-%d %a"
    moments = [datetime.datetime.fromtimestamp(each.begin).astimezone() for each in found.periods]
    names = [moment.strftime(pattern) for moment in moments]
    times = collections.Counter(names)
    return [
        f"{name} {moment:%Z}" if times[name] > 1 else name
        for name, moment in zip(names, moments, strict=True)
    ]


def as_csv(found: Report) -> Iterator[str]:
    """The periods as they are, without the total. Times are local, with their distance from UTC."""
    fields = ["begin", "end", "watched_s", "visits", *found.labels, "male", "female", "dwell_s"]
    yield csv_line(fields)
    for period in found.periods:
        values: Sequence[object] = [
            *(_iso(moment) for moment in (period.begin, period.end)), round(period.watched_s),
            period.visits,
            *period.by_age.sum(axis=1).round(2).tolist(),
            *(period.by_age.sum(axis=0).round(2).tolist() if found.has_gender else (None, None)),
            None if np.isnan(period.dwell_s) else round(period.dwell_s, 1),
        ]  # fmt: skip
        yield csv_line(values)


def _iso(moment: float) -> str:
    return datetime.datetime.fromtimestamp(moment).astimezone().isoformat(timespec="seconds")
