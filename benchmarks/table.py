"""One measured line each, and all of them as a table in GitHub-flavoured Markdown."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

HEAD = ("measure", "clip", "livecam", "other", "unit", "ratio", "rounds", "the ratio is")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """`ours` and `other` are in `unit`; `meaning` says what `ratio` is, and beside what.

    `rounds` are the ratios of the single rounds, where there were several.
    """

    measure: str
    clip: str
    ours: float | None
    other: float | None = None
    unit: str
    ratio: float | None = None
    meaning: str = "–"
    rounds: tuple[float, ...] = ()

    @property
    def cells(self) -> tuple[str, ...]:
        is_spread = len(self.rounds) > 1
        spread = f"{number(min(self.rounds))}–{number(max(self.rounds))}" if is_spread else "–"
        return (
            self.measure,
            self.clip,
            number(self.ours),
            number(self.other),
            self.unit,
            number(self.ratio),
            spread,
            self.meaning,
        )


def compared(
    measure: str,
    clip: str,
    pairs: Sequence[tuple[float, float]],
    unit: str,
    meaning: str,
    is_other_over_ours: bool = False,
) -> Row:
    """A row of (ours, other) of several rounds: medians, and the median of the rounds' ratios.

    The ratio is ours over other's, or the other way round.
    """
    ours, other = (statistics.median(side) for side in zip(*pairs, strict=True))
    ratios = tuple(b / a if is_other_over_ours else a / b for a, b in pairs)
    return Row(
        measure=measure,
        clip=clip,
        ours=ours,
        other=other,
        unit=unit,
        ratio=statistics.median(ratios),
        meaning=meaning,
        rounds=ratios,
    )


def number(value: float | None) -> str:
    """Three digits or so: 1234, 12.3, 1.23, 0.012; a count as it is; a dash for none."""
    if value is None:
        return "–"
    if isinstance(value, int):
        return str(value)
    size = abs(value)
    digits = 0 if size >= 100 else 1 if size >= 10 else 2 if size >= 1 else 3
    return f"{value:.{digits}f}"


def markdown(rows: Sequence[Row]) -> str:
    body = [HEAD, *(row.cells for row in rows)]
    widths = [max(len(cells[i]) for cells in body) for i in range(len(HEAD))]
    is_figure = [name in ("livecam", "other", "ratio", "rounds") for name in HEAD]

    def line(cells: Sequence[str]) -> str:
        padded = (
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(cells, widths, is_figure, strict=True)
        )
        return f"| {' | '.join(padded)} |"

    rule = [
        "-" * (width - 1) + (":" if right else "-")
        for width, right in zip(widths, is_figure, strict=True)
    ]
    return "\n".join([line(HEAD), line(rule), *(line(row.cells) for row in rows)])


def as_dicts(rows: Sequence[Row]) -> list[dict[str, object]]:
    return [dataclasses.asdict(row) for row in rows]
