"""A run's folder: its recipe, its log, its checkpoints, and what it was trained on."""

from __future__ import annotations

import contextlib
import csv
import json
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from livecam.ages import AgeScheme
from livecam.errors import LivecamError, UsageError
from livecam.files import make_folder, write_text
from livecam.strict_yaml import parsed
from train.faces import FaceSet
from train.lock import locked
from train.recipe import YEARS_TARGET, Recipe, as_record, from_record, scheme_of

MODEL = "age_gender.keras"
RECORD = {  # what it must have
    "recipe": dict,
    "data_hash": str,
    "crop_px": int,
    "dev_faces": dict,
    "knows_gender": bool,
}


@dataclass(frozen=True)
class RunFolder:
    """`recipe.json` (recipe, hash and crops of the data, revision of the code), `log.csv` (a row an
    epoch), `last.weights.h5` and `taught.npz` (what the teachers say; to resume from),
    `age_gender.keras` (the best epoch's averaged weights), `scores.json` and `report.html` (on the
    dev part); `.lock`, of the process that is at work in it."""

    path: Path

    @property
    def record_file(self) -> Path:
        return self.path / "recipe.json"

    @property
    def log_file(self) -> Path:
        return self.path / "log.csv"

    @property
    def last(self) -> Path:
        return self.path / "last.weights.h5"

    @property
    def taught(self) -> Path:
        return self.path / "taught.npz"

    @property
    def model(self) -> Path:
        return self.path / MODEL

    @property
    def scores(self) -> Path:
        return self.path / "scores.json"

    @property
    def report(self) -> Path:
        return self.path / "report.html"

    @contextlib.contextmanager
    def in_use(self) -> Iterator[None]:
        """By one process at a time; raises LivecamError where it is another. Without a run in it at
        the end, it is not left behind."""
        make_folder(self.path)
        lock = self.path / ".lock"
        problem = (
            f"{self.path}: in use by another python -m train.fit; wait for its end, or give "
            "another --out"
        )
        with locked(lock, problem):
            try:
                yield
            finally:
                if not self.record_file.exists():
                    with contextlib.suppress(OSError):  # something else is in it
                        lock.unlink()
                        self.path.rmdir()

    def record(self) -> dict[str, Any]:
        """What `begin` wrote. Raises LivecamError if the folder is no run."""
        record = self.record_values()
        return {**record, "recipe": from_record(record["recipe"], str(self.record_file))}

    def record_values(self) -> dict[str, Any]:
        """The same, with the recipe as plain values, which may be those of another version."""
        record = read_json(self.record_file)
        for key, kind in RECORD.items():
            if not isinstance(record.get(key), kind):
                raise LivecamError(f"{self.record_file}: not the record of a run (no {key!r})")
        return record

    def scheme(self) -> AgeScheme | None:
        """Whose classes the model was trained on; None for years, and where nothing says so."""
        if not self.record_file.is_file():
            return None
        return scheme_of(self.record_values()["recipe"].get("target", YEARS_TARGET))

    def data_hash(self, model: Path | None = None) -> str | None:
        """Of the faces that the model has learnt from; None where nothing says so. The folder may
        be one of `train.export` too, and the `model` another file in it."""
        known = self._known(model).get("data_hash")
        return None if known is None else str(known)

    def knows_gender(self, model: Path | None = None) -> bool:
        """Whether its model has learnt it, or the one that it began with; true where nothing says
        so. The folder may be one of `train.export` too, and the `model` another file in it."""
        return bool(self._known(model).get("knows_gender", True))

    def _known(self, model: Path | None) -> dict[str, Any]:
        """Of its model, by the record of the run or what `train.export` wrote beside it; empty
        where there is neither."""
        if self.record_file.is_file():
            return self.record_values()
        exported = (model or self.model).with_suffix(".yaml")
        if not exported.is_file():
            return {}
        try:
            values: dict[str, Any] = parsed(exported.read_text(encoding="utf-8"), exported.name)
            values["data_hash"]  # of each export
        except (OSError, ValueError, KeyError, TypeError, UsageError) as error:
            raise LivecamError(f"{exported}: expected a data_hash ({error!r})") from error
        return values

    def begin(self, recipe: Recipe, **provenance: object) -> None:
        self.path.mkdir(parents=True, exist_ok=True)
        record = {"recipe": as_record(recipe), **provenance, "revision": revision()}
        write_text(self.record_file, json.dumps(record, indent=2) + "\n")

    def require_same_data(self, data: Path, faces: FaceSet) -> None:
        """Raises LivecamError if `faces`, of `data`, are not what the run was trained on: its dev
        part may then hold faces that the run has learnt."""
        record = self.record()
        known = record["data_hash"]
        if known != faces.data_hash:
            raise LivecamError(
                f"{data}: not the faces of this run: their hash is {faces.data_hash}, expected "
                f"{known}"
            )
        # the hash is of the pictures that crops are made of, not of the crops
        if record["crop_px"] != faces.crop_px:
            raise LivecamError(
                f"{data}: the faces of this run in crops of another size, {faces.crop_px} px; "
                f"expected a file made with --crop-px {record['crop_px']}"
            )

    def log(self) -> list[dict[str, float]]:
        """The rows so far. Raises LivecamError if they are no numbers."""
        if not self.log_file.exists():
            return []
        try:
            with self.log_file.open(newline="", encoding="utf-8") as file:
                return [{key: float(v) for key, v in row.items()} for row in csv.DictReader(file)]
        except (TypeError, ValueError, csv.Error) as error:
            raise LivecamError(f"{self.log_file}: not a run's log: {error}") from error

    def append(self, row: Mapping[str, object]) -> None:
        with self.log_file.open("a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, row.keys())
            if not file.tell():  # new, or a full disk kept it empty
                writer.writeheader()
            writer.writerow(row)

    def keep(self, epochs: int) -> None:
        """Cut the log after so many epochs: a killed run may have written a row too many."""
        if self.log_file.exists():
            lines = self.log_file.read_text(encoding="utf-8").splitlines(keepends=True)
            write_text(self.log_file, "".join(lines[: 1 + epochs]))


def read_json(path: Path) -> dict[str, Any]:
    """An object with keys, of a run. Raises LivecamError if there is none in the file."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        what = "no such file" if isinstance(error, FileNotFoundError) else f"unreadable ({error})"
        raise LivecamError(
            f"{path}: {what}; expected a folder that python -m train.fit wrote"
        ) from error
    if not isinstance(values, dict):
        raise LivecamError(f"{path}: expected an object with keys, got {type(values).__name__}")
    return values


def revision() -> str:
    """Of the code, with a + where files differ from it; empty outside of a git checkout."""
    command = ["git", "describe", "--always", "--dirty=+", "--exclude=*"]
    try:
        done = subprocess.run(
            command, cwd=Path(__file__).parent, capture_output=True, text=True, timeout=10
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
