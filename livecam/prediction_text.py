"""Rows of `livecam predict` as text: JSON lines, a readable table, CSV."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from livecam.ages import AgeScheme
from livecam.config import OverlayConfig
from livecam.files import RowFile, csv_line
from livecam.prediction import PredictOptions, Row
from livecam.wording import shown

TOP_BINS = 3


def as_json(rows: Sequence[Row]) -> Iterator[str]:
    for row in rows:
        yield json.dumps(row)  # in ASCII, which every stdout takes


def as_lines(rows: Sequence[Row], overlay: OverlayConfig) -> Iterator[str]:
    """`group.jpg  face 1  31 years (24-39)  25-34 62%, 35-44 25%, 18-24 8%  female 97%`

    The gender stands only where the overlay would show it.
    """
    for row in rows:
        name = shown(row["file"])
        if row["face"] is None:
            yield f"{name}  no face"
            continue
        best = sorted(row["bins"].items(), key=lambda item: -item[1])[:TOP_BINS]
        found = "" if row["confidence"] else " (assumed: none was found)"
        parts = [
            name,
            f"face {row['face']}{found}",
            f"{row['age']:.0f} years ({row['age_low']}-{row['age_high']})",
            ", ".join(f"{label} {_percent(p)}" for label, p in best),
        ]
        female = row["female_prob"]
        if female is not None and overlay.shows_gender(row["age"], female):
            likelier = min(max(female, 1 - female), 0.99)  # certainty is not to be had
            parts.append(f"{'female' if female >= 0.5 else 'male'} {_percent(likelier)}")
        parts += [f"{age}+ {_percent(p)}" for age, p in row.get("over", {}).items()]
        yield "  ".join(parts)


def _percent(share: float) -> str:
    return f"{100 * share:.0f}%"


class CsvRows(RowFile):
    """The rows in a CSV file, with a column for each bin."""

    def __init__(self, path: Path, scheme: AgeScheme, options: PredictOptions) -> None:
        self._bins = scheme.labels
        self._over = [str(age) for age in options.over]
        super().__init__(path, csv_line(self._columns()))

    def write(self, rows: Sequence[Row]) -> None:
        self.append("".join(csv_line(self._values(row)) for row in rows))

    def _columns(self) -> list[str]:
        over = [f"over_{age}" for age in self._over]
        return [
            "file", "face", "x_min", "y_min", "x_max", "y_max", "confidence", "age", "age_low",
            "age_high", "age_bin", *self._bins, "female_prob", *over,
        ]  # fmt: skip

    def _values(self, row: Row) -> list[Any]:
        box = row["xyxy"] or [None] * 4
        bins: dict[str, Any] = row["bins"] or {}
        over: dict[str, Any] = row.get("over") or {}
        plain = (row[key] for key in ("confidence", "age", "age_low", "age_high", "age_bin"))
        return [
            row["file"], row["face"], *box, *plain, *map(bins.get, self._bins),
            row["female_prob"], *map(over.get, self._over),
        ]  # fmt: skip
