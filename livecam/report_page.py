"""The report as one self-contained HTML page: figures, two charts drawn in SVG, the table."""

from __future__ import annotations

import datetime
import html
import itertools
import math
from collections.abc import Iterator, Sequence

from livecam.document import document, table, wide
from livecam.prevalence import Z_80
from livecam.report import STEPS, Report, as_rows, female_share, number, watched
from livecam.wording import clock_time

PX_W = 860  # of a chart
LEGEND_COLUMNS = 8
MOST_COLUMNS = 800
MOST_EMPTY = {"hour": 1, "day": 31}  # columns of a time in which no camera looked
LABEL_PX = 62  # of a name below a column
LEAST_EDGED_PX = 4.0
RAMP = (  # viridis, from the youngest: its lightness falls, so that all eyes tell the ages apart
    0xFDE725, 0xBDDF26, 0x7AD151, 0x44BF70, 0x22A884, 0x21918C, 0x2A788E, 0x355F8D, 0x414487,
    0x482475,
)  # fmt: skip
ALL_TOGETHER = (
    "Ages are estimated from all visits of the report together. So the same day may have other "
    "numbers of each age in a report of other days, and always the same number of visits."
)


def page(found: Report, name: str, camera: str | None, top: str = "") -> str:
    """`name`: of the file of visits, of one `camera` or of all. `top`: more HTML above it."""
    total = found.total
    figures = {"visits": f"{total.visits}", "watched": watched(total)}
    if total.visits:
        figures["median stay"] = clock_time(total.dwell_s)
        if found.has_gender:
            figures["female"] = female_share(total)
    tiles = "".join(
        f"<div><dt>{what}</dt><dd>{value}</dd></div>" for what, value in figures.items()
    )
    title = f"Visits: {f'{name}, {camera}' if camera else name}"
    parts = [f"<p>{_days(found)}</p>", f"<dl>{tiles}</dl>"]
    if total.visits:
        parts += [
            "<h2>Ages</h2>", wide(_ages(found), "chart of ages"),
            "<p>The number beside a bar is how many, and how far that may be off in four cases "
            "of five, because ages are estimated. "
            "They are how old people look.</p>",
            f"<h2>Visits by {found.by}</h2>", wide(_hours(found), f"chart of {found.by}s"),
            f"<p>The line below a bar is the part of the {found.by} in which a camera looked; in a "
            "gap none did. Whoever comes back later counts again.</p>",
        ]  # fmt: skip
    head, *rows, sums, errors = as_rows(found)
    parts += ["<h2>Table</h2>", table(head, rows, (sums, errors))]
    if total.visits and len(found.periods) > 1:
        parts.append(f"<p>{ALL_TOGETHER}</p>")
    return document(title, parts, top)


def _days(found: Report) -> str:
    if not found.periods:
        return "No camera was watching in this period."
    first, last = (
        datetime.datetime.fromtimestamp(moment)
        for moment in (found.periods[0].begin, found.periods[-1].end - 1)
    )
    days = f"{first:%A, %d %B %Y}"
    return days if first.date() == last.date() else f"{days} to {last:%A, %d %B %Y}"


def _svg(height: float, drawn: str, label: str) -> str:
    return (
        f'<svg viewBox="0 0 {PX_W} {height:.0f}" role="img" aria-label="{html.escape(label)}">'
        f"{drawn}</svg>"
    )


def _text(x: float, y: float, text: str, anchor: str = "start", kind: str = "") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" class="{kind}">'
        f"{html.escape(text)}</text>"
    )


def _bar(x: float, y: float, width: float, height: float, fill: str, title: str = "") -> str:
    told = f"<title>{html.escape(title)}</title>" if title else ""
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 0):.1f}" height="{max(height, 0):.1f}" '
        f'fill="{fill}">{told}</rect>'
    )


def _edge(x: float, y: float, width: float, height: float) -> str:
    """Around what may be as dark as the page is to some."""
    if width < LEAST_EDGED_PX:
        return ""
    size = f'width="{width:.1f}" height="{height:.1f}"'
    return f'<rect x="{x:.1f}" y="{y:.1f}" {size} fill="none" class="edge"/>'


def _ages(found: Report) -> Iterator[str]:
    """A bar for each bin, men and women in their colours, with its error."""
    step, left, right = 34, 70, 120
    by_age = found.total.by_age
    sums = by_age.sum(axis=1)
    scale = (PX_W - left - right) / max((sums + Z_80 * found.errors).max(), 1.0)
    genders = (("male", "var(--first)"), ("female", "var(--second)"))
    drawn, top = [], 0.0
    if found.has_gender:
        for i, (gender, colour) in enumerate(genders):
            drawn += [_bar(left + 90 * i, 4, 14, 14, colour), _text(left + 20 + 90 * i, 16, gender)]
        top = 30.0
    for i, label in enumerate(found.labels):
        y, x = top + i * step, float(left)
        drawn.append(_text(left - 10, y + 18, label, "end"))
        for share, (gender, colour) in zip(by_age[i], genders, strict=True):
            what = (
                f"{label}, {gender}: {share:.1f}" if found.has_gender else f"{label}: {share:.1f}"
            )
            drawn.append(_bar(x, y, share * scale, 24, colour, what))
            x += share * scale
        error = Z_80 * found.errors[i]
        low, high = left + max(sums[i] - error, 0) * scale, left + (sums[i] + error) * scale
        drawn.append(
            f'<path d="M{low:.1f} {y + 12}H{high:.1f}M{low:.1f} {y + 7}v10M{high:.1f} {y + 7}v10" '
            'class="ink" fill="none"/>'
        )
        drawn.append(_text(high + 10, y + 17, f"{number(sums[i])} ± {number(error)}"))
    yield _svg(top + step * len(found.labels), "".join(drawn), "visits by age")


def _hours(found: Report) -> Iterator[str]:
    """A column for each hour or day, the ages in it stacked, the youngest below."""
    places = _places(found)
    count = places[-1] + 1
    if count > MOST_COLUMNS:
        yield f"<p>{count} {found.by}s are too many to draw; choose fewer.</p>"
        return
    height = 220.0
    highest = _nice(max(period.visits for period in found.periods))
    left = 16.0 + 8 * len(f"{highest:.0f}")
    legend = 10.0 + 22 * math.ceil(len(found.labels) / LEGEND_COLUMNS)
    width = (PX_W - left) / count
    bottom = legend + height
    drawn = []
    for i, label in enumerate(found.labels):
        line, column = divmod(i, LEGEND_COLUMNS)
        x, y = left + column * (PX_W - left) / LEGEND_COLUMNS, 4.0 + 22 * line
        drawn += [_bar(x, y, 14, 14, _colour(i, found)), _edge(x, y, 14, 14)]
        drawn.append(_text(x + 20, y + 12, label))
    for part in (0.0, 0.5, 1.0):
        y = bottom - part * height
        drawn.append(f'<path d="M{left} {y:.1f}H{PX_W}" class="line"/>')
        drawn.append(_text(left - 8, y + 4, f"{part * highest:.0f}", "end", "soft"))
    last = PX_W - LABEL_PX / 2  # the middle of a name that ends where the chart does
    middles = [min(left + (place + 0.5) * width, last) for place in places]
    names = dict(_names(found, middles))
    for i, period in enumerate(found.periods):
        x, y = left + (places[i] + 0.1) * width, bottom
        for b, share in enumerate(period.by_age.sum(axis=1)):
            tall = share * height / highest
            y -= tall
            drawn.append(
                _bar(x, y, 0.8 * width, tall, _colour(b, found), f"{found.labels[b]}: {share:.1f}")
            )
        drawn.append(_edge(x, y, 0.8 * width, bottom - y))
        part = min(period.watched_s / (period.end - period.begin), 1.0)
        drawn.append(_bar(x, bottom + 4, 0.8 * width * part, 4, "var(--soft)"))
        if i in names:
            drawn.append(_text(middles[i], bottom + 26, names[i], "middle"))
    yield _svg(bottom + 34, "".join(drawn), f"visits by {found.by}")


def _places(found: Report) -> list[int]:
    """The column of each period. Days in which no camera looked have one too, up to a month; of
    hours without, between two days, there is one for all."""
    places = [0]
    for before, after in itertools.pairwise(found.periods):
        empty = round((after.begin - before.end) / STEPS[found.by])
        places.append(places[-1] + 1 + min(empty, MOST_EMPTY[found.by]))
    return places


def _names(found: Report, middles: Sequence[float]) -> Iterator[tuple[int, str]]:
    """What stands below which column, so far apart that they do not overlap: of hours of several
    days, only the days."""
    moments = [datetime.datetime.fromtimestamp(period.begin) for period in found.periods]
    by_hour = found.by == "hour" and moments[0].date() == moments[-1].date()
    free_from = 0.0
    for i, moment in enumerate(moments):
        is_new = by_hour or i == 0 or moment.date() != moments[i - 1].date()
        if is_new and middles[i] >= free_from:
            yield i, f"{moment:%H:%M}" if by_hour else f"{moment:%d %b}"
            free_from = middles[i] + LABEL_PX


def _nice(number: float) -> float:
    """The next round number whose half is round too."""
    digit = 10 ** int(math.log10(max(number, 1)))
    ends = [digit * step / 10 for step in (10, 12, 16, 20, 24, 30, 40, 60, 80, 100)]
    return next(end for end in ends if end >= number and not end % 2)


def _colour(i: int, found: Report) -> str:
    """From yellow for the youngest over green to violet for the oldest."""
    at = i / max(len(found.labels) - 1, 1) * (len(RAMP) - 1)
    before, after = RAMP[int(at)], RAMP[math.ceil(at)]
    mixed = [
        round((before >> bits & 255) * (1 - at % 1) + (after >> bits & 255) * (at % 1))
        for bits in (16, 8, 0)
    ]
    return f"rgb({' '.join(map(str, mixed))})"
