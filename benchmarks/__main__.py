"""livecam beside what it replaces, measured side by side in one run: a table of ratios.

Everything is measured with the shipped settings, on this machine, while nothing else should run.
The contenders of a row take turns; figures are medians of the rounds, and warm-up is not counted.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import agreement, clips, flicker, latency, memory, speed, starts
from benchmarks.bench import Bench, Measurement
from benchmarks.table import Row, as_dicts, markdown
from livecam.arguments import MOST, Parser, count_of, whole_number
from livecam.errors import LivecamError, UsageError
from livecam.exit_codes import exit_code, say
from livecam.files import check_output, write_text

MEASUREMENTS: dict[str, Measurement] = {
    "labelling": speed.labelling,
    "film": speed.film,
    "detection": speed.detection,
    "yunet": speed.yunet,
    "classification": speed.classification,
    "agreement": agreement.agreement,
    "between": agreement.between,
    "start": starts.start,
    "help": starts.help_,
    "latency": latency.latency,
    "memory": memory.peak,
    "growth": memory.growth,
    "predict": starts.predict,
    "prepare": starts.prepare,
    "flicker": flicker.flicker,
}


def main(argv: list[str] | None = None) -> int:
    return exit_code(_benchmarks, _parser(), argv)


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="python -m benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("clip", nargs="+", type=Path, help="a clip with faces")
    add("--only", metavar="ROW,…", help=f"some of the rows: {', '.join(MEASUREMENTS)}")
    add("--frames", type=_several, default=1000, metavar="N",
        help="clips are looped or cut to so many frames to measure rates (1000)")  # fmt: skip
    add("--rounds", type=count_of, default=3, metavar="N", help="how often each contender runs (3)")
    add("--naive-frames", type=count_of, default=20, metavar="N",
        help="frames of each clip for the naive loop (20)")  # fmt: skip
    add("--yunet", type=Path, metavar="FILE.onnx", help="YuNet, for the row beside it")
    add("--pictures", type=Path, metavar="FOLDER", help="photographs of groups, for agreement")
    add("--faces", type=Path, metavar="FOLDER",
        help="pictures for `predict`, in place of made ones of 200×200 pixels")  # fmt: skip
    add("--face-count", type=_several, default=3000, metavar="N",
        help="pictures for `predict`, at most (3000)")  # fmt: skip
    add("--prepare", type=Path, metavar="DATA", help="a data set for `train.prepare`")
    add("--prepare-limit", type=_several, default=2000, metavar="N",
        help="pictures of it that are prepared (2000)")  # fmt: skip
    add("--long", action="store_true", dest="is_long",
        help=f"growth of memory over {memory.LONG_FRAMES} frames too: minutes")  # fmt: skip
    add("--json", type=Path, metavar="FILE", help="write the figures as JSON too")
    return parser


def _several(text: str) -> int:
    """What a rate is measured on: it takes two."""
    return whole_number(text, 2, MOST)


def _benchmarks(args: argparse.Namespace) -> None:
    options = dict(vars(args))
    only, output, paths = options.pop("only"), options.pop("json"), options.pop("clip")
    names = _names(only)
    _require_files(args)
    for path in paths:
        clips.name_of(path)  # a clip that cannot be read ends this before anything is measured
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(paths=paths, folder=Path(folder), **options)
        for name in names:
            begin_s = time.monotonic()
            try:
                for row in MEASUREMENTS[name](bench):
                    rows.append(row)
                    say(f"{name}: {' | '.join(row.cells[:6])}")
            except starts.TooFewError as error:
                say(f"{name}: left out: {error}")
            say(f"{name}: {time.monotonic() - begin_s:.0f} s")
    if not rows:
        raise LivecamError("nothing was measured; what was left out, and why, is above")
    print(markdown(rows))
    if output is not None:
        figures = {"machine": _machine(), "rows": as_dicts(rows)}
        write_text(output, json.dumps(figures, indent=1, ensure_ascii=False) + "\n")


def _names(only: str | None) -> list[str]:
    if only is None:
        return list(MEASUREMENTS)
    names = [name.strip() for name in only.split(",")]
    for name in names:
        if name not in MEASUREMENTS:
            raise UsageError(
                f"--only: unknown row {name!r}; expected some of {', '.join(MEASUREMENTS)}"
            )
    return list(dict.fromkeys(names))


def _require_files(args: argparse.Namespace) -> None:
    """Everything that was named, before the first measurement."""
    for path in args.clip:
        if not path.is_file():
            raise LivecamError(f"{path}: no such clip")
    for flag, path in (("--yunet", args.yunet), ("--prepare", args.prepare)):
        if path is not None and not path.exists():
            raise LivecamError(f"{flag} {path}: no such file")
    for flag, path in (("--pictures", args.pictures), ("--faces", args.faces)):
        if path is not None and not path.is_dir():
            raise LivecamError(f"{flag} {path}: no such folder")
    if args.json is not None:
        check_output("--json", args.json, [".json"], args.clip, may_replace=True)


def _machine() -> dict[str, object]:
    return {
        "system": platform.platform(),
        "processor": platform.machine(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
    }


if __name__ == "__main__":
    sys.exit(main())
