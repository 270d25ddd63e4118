"""What the command line takes. Imports little, so that `livecam --help` answers at once.

A flag whose name in the result has a dot, as `detector.min_face_px`, changes that setting.
"""

from __future__ import annotations

import argparse
import datetime
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NoReturn

from livecam import __version__
from livecam.days import day_of, moment_of
from livecam.urls import without_secrets
from livecam.wording import suggestion

SCHEMES_HELP = (  # without the import that lists them
    "age scheme: marketing, decades, life-stages, megaage-7, utk-12, utk-14, utk-8, actors-3, "
    "or one of your settings"
)
LABELS_FACES = {  # flags of what is labelled, and the settings that they change
    "--min-face-px": "detector.min_face_px",
    "--model": "classifier.model",
    "--runtime": "classifier.runtime",
    "--threads": "runtime.threads",
}
CHANGES = {  # every flag that changes a setting
    **LABELS_FACES,
    "--scheme": "ages.scheme",
    "--no-gender": "overlay.gender",
    "--age": "overlay.age",
    "--blur": "overlay.blur",
    "--detect-every": "detector.detect_every",
}
PORT = 8350  # of the pages of `serve`
MOST = 2**31 - 1  # of what is counted
MOST_DIGITS = 20  # Python refuses to read a number of thousands
MOST_S = 10**9  # 30 years


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, and what may have been meant.

    `file_flag`: of a command without inputs, what a file is given with.
    """

    file_flag: str | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"allow_abbrev": False, **kwargs})
        self.given: set[str] = set()  # options, in what is being parsed
        self.register("action", None, _Once)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """None is left for the parser above, which does not know the flags of this command."""
        self.given.clear()
        found, left = super().parse_known_args(args, namespace)
        if unknown := [argument for argument in left if argument != "--"]:
            self.error(self._unknown(unknown[0]))
        return found, []

    def _unknown(self, argument: str) -> str:
        if argument.startswith("-"):
            name = argument.partition("=")[0]
            known = [option[2:] for option in self._option_string_actions if option[:2] == "--"]
            return f"unknown option {name}{suggestion(name.lstrip('-'), known, '--')}"
        shown = without_secrets(argument) if "://" in argument else argument
        if self.file_flag:
            return f"{shown}: give it as {self.file_flag} {shown}"
        return f"unexpected argument {shown!r}"

    def _get_values(self, action: argparse.Action, arg_strings: list[str]) -> Any:
        """Of `--end=--`, argparse drops the value in some versions of Python."""
        if action.option_strings and "--" in arg_strings:
            raise argparse.ArgumentError(action, "expected a value, got '--'")
        return super()._get_values(action, arg_strings)

    def _check_value(self, action: argparse.Action, value: object) -> None:
        choices: Iterable[Any] | None = action.choices
        if choices is not None and value not in (names := list(map(str, choices))):
            close = suggestion(str(value), names)
            raise argparse.ArgumentError(
                action, f"unknown {value!r}{close}; known: {', '.join(names)}"
            )

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


class _Once(argparse._StoreAction):
    """One value: of an option that is given twice, argparse would drop the first."""

    def __call__(
        self, parser: Any, namespace: Any, values: Any, option_string: str | None = None
    ) -> None:
        if option_string is not None:
            if self.dest in parser.given:
                raise argparse.ArgumentError(self, "given twice; it takes one value")
            parser.given.add(self.dest)
        super().__call__(parser, namespace, values, option_string)


def parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="livecam",
        description="Age ranges and gender of the people in pictures and clips, on this machine.",
        epilog="`livecam COMMAND --help` says more about a command.",
    )
    parser.add_argument("--version", action="version", version=f"livecam {__version__}")
    commands = parser.add_subparsers(
        title="commands", dest="command", metavar="COMMAND", required=True
    )
    common, wording, labelling, drawing = _common(), _wording(), _labelling(), _drawing()
    _add_demo(commands, common, wording, labelling, drawing)
    _add_run(commands, common, wording, labelling, drawing)
    _add_annotate(commands, common, wording, labelling, drawing)
    _add_predict(commands, common, wording, labelling)
    _add_report(commands, common, wording)
    _add_serve(commands, common, wording, labelling)
    _add_config(commands, common)
    _add_doctor(commands, common)
    return parser


def _common() -> argparse.ArgumentParser:
    common = Parser(add_help=False)
    common.add_argument("--config", metavar="FILE", help="a YAML file with your settings")
    return common


def _wording() -> argparse.ArgumentParser:
    """Flags of every command that tells ages. A flag's dest is the setting it changes."""
    flags = Parser(add_help=False)
    group = flags.add_argument_group("wording")
    group.add_argument("--scheme", dest=CHANGES["--scheme"], metavar="NAME", help=SCHEMES_HELP)
    group.add_argument(
        "--no-gender", dest=CHANGES["--no-gender"], action="store_const", const=False,
        help="leave gender out",
    )  # fmt: skip
    return flags


def _labelling() -> argparse.ArgumentParser:
    """Flags of every command that labels faces."""
    flags = Parser(add_help=False)
    group = flags.add_argument_group("labelling")
    group.add_argument(
        "--min-face-px", dest=CHANGES["--min-face-px"], type=int, metavar="PX",
        help="side of the smallest window searched, in pixels of the source; the box of a face is "
        "about 0.6 as high",
    )  # fmt: skip
    group.add_argument(
        "--model", dest=CHANGES["--model"], metavar="FILE",
        help="use another .onnx or .keras model",
    )  # fmt: skip
    group.add_argument(
        "--runtime", dest=CHANGES["--runtime"], metavar="NAME",
        help="of the shipped model: onnx, or keras",
    )  # fmt: skip
    group.add_argument(
        "--threads", dest=CHANGES["--threads"], type=int, metavar="N",
        help="threads for inference; 0 = one per core",
    )  # fmt: skip
    return flags


def _drawing() -> argparse.ArgumentParser:
    """Flags of every command that draws on pictures."""
    flags = Parser(add_help=False)
    group = flags.add_argument_group("drawing")
    group.add_argument(
        "--age", dest=CHANGES["--age"], metavar="STYLE",
        help="how ages are shown: full (bin and range), range, bin, exact (years), or curve (the "
        "distribution over the years)",
    )  # fmt: skip
    group.add_argument(
        "--blur", dest=CHANGES["--blur"], action="store_const", const=True,
        help="make faces unrecognisable; every frame is searched for them",
    )  # fmt: skip
    return flags


def _add_demo(commands: Any, *parents: argparse.ArgumentParser) -> None:
    demo = commands.add_parser(
        "demo", parents=parents,
        help="label a built-in clip, without a camera",
        description="Make a short moving clip from a public-domain portrait, label it, show it "
        "if there is a display, and write livecam_demo.mp4 and livecam_demo.gif.",
    )  # fmt: skip
    demo.add_argument(
        "--output", type=Path, default=Path(), metavar="DIR", help="folder for the files (here)"
    )


def _add_run(commands: Any, *parents: argparse.ArgumentParser) -> None:
    run = commands.add_parser(
        "run", parents=parents,
        help="label a camera, a stream or a file while you watch",
        description="Show a camera with ages and genders drawn on; h in the window lists its keys. "
        "Nothing is stored except what you name or save with a key.",
    )  # fmt: skip
    run.file_flag = "--camera"
    run.add_argument(
        "--camera", default="0", metavar="SOURCE",
        help="a camera's number (0), an rtsp:// or http:// URL, or a file",
    )  # fmt: skip
    run.add_argument(
        "--record", type=Path, metavar="FILE", help="write a labelled video, .mp4 or .gif"
    )
    run.add_argument(
        "--tracks", type=Path, metavar="FILE", help="write a table of faces, .csv or .jsonl"
    )
    run.add_argument(
        "--visits", type=Path, metavar="FILE",
        help="add the visits to a file for livecam report; nothing in it is replaced",
    )  # fmt: skip
    run.add_argument(
        "--filmed", type=_moment, metavar="TIME",
        help="when the file was filmed, to date its --visits: '2026-05-31 09:00' (now)",
    )  # fmt: skip
    run.add_argument("--overwrite", action="store_true", help="replace existing outputs")
    run.add_argument(
        "--headless", action="store_true", help="no window; label every frame of a file"
    )
    run.add_argument("--max-frames", type=count_of, metavar="N", help="stop after this many frames")
    run.add_argument(
        "--duration",
        type=_seconds,
        metavar="TIME",
        help="stop this long after the first frame: 75, 1:15 or 0:01:15",
    )
    run.add_argument(
        "--profile", action="store_true", help="say at the end how long each part took"
    )


def _add_annotate(commands: Any, *parents: argparse.ArgumentParser) -> None:
    annotate = commands.add_parser(
        "annotate", parents=parents,
        help="label pictures and clips",
        description="Label every frame of clips and pictures, into NAME_livecam.mp4, .gif, .jpg … "
        "beside each input.",
    )  # fmt: skip
    annotate.add_argument(
        "input",
        nargs="+",
        help="picture, clip, folder, glob, http(s) URL, or - for a picture on stdin",
    )
    annotate.add_argument(
        "-o", "--output", metavar="PATH",
        help="a file for one input, else a folder; with a / at its end always a folder",
    )  # fmt: skip
    annotate.add_argument(
        "--format", choices=("mp4", "gif"), help="what clips become (mp4, or --output's suffix)"
    )
    annotate.add_argument(
        "--tracks", type=Path, metavar="FILE", help="write a table of faces, .csv or .jsonl"
    )
    annotate.add_argument(
        "--no-video", action="store_true", help="write no labelled pictures or clips"
    )
    annotate.add_argument("--overwrite", action="store_true", help="replace existing outputs")
    annotate.add_argument(
        "--start",
        type=_seconds,
        default=0.0,
        metavar="TIME",
        help="begin at 75, 1:15 or 0:01:15, counted from the first frame",
    )
    annotate.add_argument("--end", type=_seconds, metavar="TIME", help="end before this time")
    annotate.add_argument(
        "--detect-every", dest=CHANGES["--detect-every"], type=int, metavar="N",
        help="frames from one full detection to the next, more in a calm scene; 1 = every frame",
    )  # fmt: skip


def _add_predict(commands: Any, *parents: argparse.ArgumentParser) -> None:
    predict = commands.add_parser(
        "predict", parents=parents,
        help="print the ages in pictures",
        description="Print the faces in pictures, from left to right, with their ages.",
    )  # fmt: skip
    predict.add_argument(
        "input", nargs="+", help="picture, folder, glob, http(s) URL, or - for a picture on stdin"
    )
    predict.add_argument("--json", action="store_true", help="JSON lines on stdout, one per face")
    predict.add_argument(
        "--csv", type=Path, metavar="FILE", help="also write the rows to a .csv file"
    )
    predict.add_argument("--overwrite", action="store_true", help="replace an existing CSV file")
    predict.add_argument(
        "--over", type=_age, action="append", default=[], metavar="AGE",
        help="also give the probability of being this age or older; may be repeated",
    )  # fmt: skip
    predict.add_argument(
        "--assume-face", action="store_true", help="every picture is one cropped face already"
    )


def _add_report(commands: Any, *parents: argparse.ArgumentParser) -> None:
    report = commands.add_parser(
        "report", parents=parents,
        help="count how many people of which age came by",
        description="Count the visits that `livecam run --visits FILE` has kept: a table by hour, "
        "or by day if there are several days.",
    )  # fmt: skip
    report.add_argument("visits", type=Path, metavar="FILE", help="the file of visits")
    report.add_argument(
        "--day", type=_day, metavar="DAY", help="only this day: 2026-05-31, today or yesterday"
    )
    report.add_argument("--from", dest="first", type=_day, metavar="DAY", help="from this day on")
    report.add_argument("--to", dest="last", type=_day, metavar="DAY", help="up to this day")
    report.add_argument("--by", choices=("hour", "day"), help="what each row covers")
    report.add_argument("--camera", metavar="NAME", help="only visits seen by this one: 'camera 0'")
    report.add_argument("--csv", type=Path, metavar="FILE", help="also write the rows as .csv")
    report.add_argument("--html", type=Path, metavar="FILE", help="also write a page with charts")
    report.add_argument("--overwrite", action="store_true", help="replace existing outputs")


def _add_serve(commands: Any, *parents: argparse.ArgumentParser) -> None:
    serve = commands.add_parser(
        "serve", parents=parents,
        help="a page in the browser: who came by, or the ages in pictures",
        description="Serve a page to browsers on this computer; nobody else can open it. With a "
        "file of visits it is the page of `livecam report`, always up to date. Without one, "
        "pictures can be chosen on it, and it shows their faces with ages; none is stored.",
    )  # fmt: skip
    serve.add_argument("visits", type=Path, metavar="FILE", nargs="?", help="the file of visits")
    serve.add_argument(
        "--port", type=_port, default=PORT, metavar="N",
        help=f"the port of the page ({PORT}); 0: any free one",
    )  # fmt: skip


def _add_config(commands: Any, common: argparse.ArgumentParser) -> None:
    commands.add_parser(
        "config",
        parents=[common],
        help="print the settings in force and where each comes from",
        description="Print every setting, its value and where that comes from; then the files that "
        "are looked for.",
    )


def _add_doctor(commands: Any, common: argparse.ArgumentParser) -> None:
    commands.add_parser(
        "doctor",
        parents=[common],
        help="check the installation, and say what is missing",
        description="Check the packages, the model, the display and the cameras, and say what to "
        "do about what is missing.",
    )


def _seconds(text: str) -> float:
    """`75`, `1:15` or `0:01:15`."""
    parts = text.split(":")
    try:
        values = [float(part) for part in parts]
    except ValueError:
        values = []
    seconds = 0.0
    for value in values:
        seconds = seconds * 60 + value
    is_time = 1 <= len(values) <= 3 and all(value >= 0 for value in values)
    if not is_time or seconds > MOST_S:
        raise argparse.ArgumentTypeError(
            f"expected seconds or [hours:]minutes:seconds, {MOST_S:,} s at most, got {text!r}"
        )
    return seconds


def _day(text: str) -> datetime.date:
    day = day_of(text)
    if day is None:
        raise argparse.ArgumentTypeError(
            f"expected a day like 2026-05-31, today or yesterday, got {text!r}"
        )
    return day


def _moment(text: str) -> float:
    moment = moment_of(text)
    if moment is None:
        raise argparse.ArgumentTypeError(f"expected a time like 2026-05-31 09:00, got {text!r}")
    return moment


def count_of(text: str) -> int:
    return whole_number(text, 1, MOST)


def _port(text: str) -> int:
    return whole_number(text, 0, 65535)


def _age(text: str) -> int:
    return whole_number(text, 0, 100, "an age")


def whole_number(text: str, least: int, most: int, what: str = "a whole number") -> int:
    if text.isdecimal() and len(text) <= MOST_DIGITS and least <= int(text) <= most:
        return int(text)
    raise argparse.ArgumentTypeError(f"expected {what} from {least} to {most}, got {text!r}")
