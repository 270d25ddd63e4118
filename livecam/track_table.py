"""The table of tracks, CSV or JSON lines."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from livecam.datatypes import Frame, TrackedFace
from livecam.files import RowFile, csv_line

TABLES = (".csv", ".jsonl")  # what names end in
TRACK_FIELDS = (
    "file", "frame", "time_s", "track_id", "x_min", "y_min", "x_max", "y_max", "confidence",
    "age", "age_low", "age_high", "age_bin", "female_prob",
)  # fmt: skip


class TrackTable(RowFile):
    """A row for each confirmed face measured in a frame."""

    def __init__(self, path: Path, show_gender: bool = True) -> None:
        self.is_csv, self.show_gender = path.suffix.lower() == ".csv", show_gender
        super().__init__(path, csv_line(TRACK_FIELDS) if self.is_csv else "")

    def write(self, name: str, frame: Frame, faces: Sequence[TrackedFace]) -> None:
        """The rows of one frame, which may be none."""
        rows = [self._row(name, frame, face) for face in faces if not face.coasting_s]
        self.append("".join(rows))

    def _row(self, name: str, frame: Frame, face: TrackedFace) -> str:
        box = [round(float(v), 1) for v in face.xyxy]
        female = round(face.female_prob, 4) if self.show_gender else None
        values = (
            name, frame.index, round(frame.time_s, 4), face.track_id, *box,
            round(face.confidence, 4), round(face.age, 2), face.age_low, face.age_high,
            face.age_bin, female,
        )  # fmt: skip
        if self.is_csv:
            return csv_line(values)
        return json.dumps(dict(zip(TRACK_FIELDS, values, strict=True))) + "\n"
