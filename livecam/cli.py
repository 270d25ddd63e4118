"""The command line: arguments in, lines out. The only place of livecam that prints.

stdout carries data alone; everything else, and what went wrong, goes to stderr.
Every command imports what it needs when it runs, so that `livecam --help` answers at once.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import os
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from livecam.arguments import CHANGES, LABELS_FACES, parser
from livecam.errors import LivecamError, UsageError
from livecam.exit_codes import exit_code, say
from livecam.interrupts import noted
from livecam.wording import shown

if TYPE_CHECKING:
    from livecam.annotate import Done
    from livecam.config import Config
    from livecam.live.options import RunOptions
    from livecam.live.outputs import Summary
    from livecam.live.saved_state import SavedState
    from livecam.stopwatch import Stopwatch
    from livecam.web.server import Get, Post

GREETING = (  # once
    "livecam estimates ages and genders of the faces that it sees, on this computer alone; "
    "no picture is stored or sent unless you record it; h in the window lists the keys"
)
SAME_FILM_S = 10.0  # two countings of one film may begin with different frames


def main(argv: Sequence[str] | None = None) -> int:
    return exit_code(lambda args: COMMANDS[args.command](args), parser(), argv)


def _settings(args: argparse.Namespace) -> Config:
    from livecam.config import load_config

    flags = {name: value for name, value in vars(args).items() if "." in name}
    config = load_config(args.config, flags, origins={CHANGES[flag]: flag for flag in CHANGES})
    if flags.get(CHANGES["--runtime"]) is not None:
        _check_runtime(config)
    return config


def _check_runtime(config: Config) -> None:
    """Of a flag: the name of a model says what runs it, and a runtime in the settings is that of
    the shipped one."""
    from livecam.config import CHOICES

    model, runtime = config.classifier.model, config.classifier.runtime
    needed = Path(model).suffix.removeprefix(".")
    if needed in CHOICES["classifier.runtime"] and needed != runtime:
        raise UsageError(
            f"--runtime {runtime}: {model} runs with {needed}; leave --runtime out, or give a "
            f".{runtime} model"
        )


def _say_uncalibrated(config: Config) -> None:
    """Of a model that is there, and is loaded or about to be."""
    from livecam.classifier import uncalibrated

    notice = uncalibrated(config.classifier.model)
    if notice is not None:
        say(notice)


def _demo(args: argparse.Namespace) -> int:
    config = _settings(args)
    from livecam import demo
    from livecam.display import Window, problem
    from livecam.files import make_folder

    make_folder(args.output)
    _say_uncalibrated(config)
    with contextlib.ExitStack() as stack:
        reason = problem()
        window = None if reason else stack.enter_context(Window("livecam demo"))
        paths = demo.run(config, args.output, window)
    if reason:
        say(f"no window: {reason}; the files hold the same")
    for path in paths:
        print(path)
    return 0


def _run(args: argparse.Namespace) -> int:
    config = _settings(args)
    from livecam.live.options import RunOptions
    from livecam.live.readers import LiveSource
    from livecam.live.saved_state import SavedState, state_file
    from livecam.stopwatch import Stopwatch

    source = LiveSource.parse(args.camera)
    options = RunOptions(
        source,
        record=args.record,
        tracks=args.tracks,
        visits=args.visits,
        began=args.filmed,
        overwrite=args.overwrite,
        max_frames=args.max_frames,
        duration_s=args.duration,
    )
    options.check()
    _say_if_counted(options)
    state = SavedState.load(state_file())
    if not state.is_greeted:
        say(GREETING)
        state.is_greeted = True
        state.save(state_file())
    _say_uncalibrated(config)
    watch = Stopwatch()
    with noted() as interrupts:
        if args.headless:
            from livecam.live.headless import run_headless

            summary = run_headless(options, config, watch, interrupts)
        else:
            summary = _run_in_window(options, config, watch, state, interrupts)
    say(shown(summary.line()))
    for notice in summary.notices:
        if notice != summary.error:
            say(shown(notice))
    if args.profile:
        say(watch.table())
    for path in summary.outputs:
        print(path)
    if summary.error is not None:
        say(f"livecam: {shown(summary.error)}")
    if summary.is_interrupted:
        return 130
    return int(summary.error is not None)


def _say_if_counted(options: RunOptions) -> None:
    """Whether another run may be counting the same camera into the same file, or has counted the
    same film."""
    visits, name, now = options.visits, options.source.name, time.time()
    if visits is None or not visits.exists():
        return
    from livecam import store

    if options.source.path is not None:
        began = now if options.began is None else options.began
        counted = store.watched_between(visits, began, began + SAME_FILM_S)
        if os.path.realpath(options.source.path) in map(os.path.realpath, counted):
            when = "now" if options.began is None else "the time at which it was filmed"
            say(f"{name} is in {visits} already, for {when}: everybody is counted twice")
        return
    moment = store.last_watched(visits, now).get(name)
    if moment is not None and store.is_watching(moment, now):
        ago_s = max(now - moment, 0)
        say(
            f"{name} was watched until {ago_s:.0f} s ago: if another livecam is still counting it "
            f"into {visits}, everybody is counted twice"
        )


def _run_in_window(
    options: RunOptions,
    config: Config,
    watch: Stopwatch,
    state: SavedState,
    interrupts: Sequence[int],
) -> Summary:
    from livecam.display import Window
    from livecam.live.keys import ACTIONS
    from livecam.live.saved_state import state_file
    from livecam.live.viewer import Viewer
    from livecam.live.window_size import SCREEN_WH

    size_wh = state.window_wh or SCREEN_WH
    with Window(f"livecam: {options.source.name}", size_wh) as window:
        viewer = Viewer(options, config, window, watch, say, state.window_wh)
        summary = viewer.run(ACTIONS, interrupts)
        state.window_wh = viewer.size.chosen_wh
    state.save(state_file())
    return summary


def _annotate(args: argparse.Namespace) -> int:
    config = _settings(args)
    if args.end is not None and args.end <= args.start:
        raise UsageError(f"--end {args.end:g} s: expected a time after --start {args.start:g} s")
    if args.no_video and args.output is not None:
        raise UsageError(
            f"--output {args.output}: nothing goes there with --no-video; leave one out"
        )
    import cv2

    from livecam.annotate import Done, annotate
    from livecam.inputs import CLIP_SUFFIXES, expand
    from livecam.output_paths import AnnotateOptions, OutputPaths
    from livecam.pictures import PICTURE_SUFFIXES
    from livecam.pipeline import Models
    from livecam.track_table import TrackTable

    inputs = expand(args.input, PICTURE_SUFFIXES | CLIP_SUFFIXES)
    options = AnnotateOptions(
        output=args.output,
        format=args.format,
        write_video=not args.no_video,
        tracks=args.tracks,
        overwrite=args.overwrite,
        start_s=args.start,
        end_s=args.end,
    )
    paths = OutputPaths(inputs, options)
    models = Models(config)
    _say_uncalibrated(config)
    cv2.setNumThreads(1)  # frames are read, labelled and encoded side by side already
    has_failed = False
    with contextlib.ExitStack() as stack:
        stack.enter_context(paths.prepared())
        table = None
        if args.tracks is not None:
            table = stack.enter_context(TrackTable(args.tracks, config.overlay.gender))
        for source in inputs:
            try:
                done = annotate(source, paths, models, table)
            except UsageError:
                raise
            except (LivecamError, OSError) as error:
                done = Done(source.name, error=str(error))
            except KeyboardInterrupt:
                done = Done(source.name, error="interrupted", is_interrupted=True)
            _say_done(done, config)
            has_failed |= done.error is not None
            if done.is_interrupted:
                break
    if table is not None and table.is_written:
        print(args.tracks)
    return 130 if done.is_interrupted else int(has_failed)


def _say_done(done: Done, config: Config) -> None:
    """What became of one input: outputs on stdout, the rest on stderr."""
    name = shown(done.name)
    if done.frames > 1 and done.rate:
        say(f"{name}: {done.frames} frames labelled at {done.rate:.1f} fps")
    elif done.frames == 1:
        from livecam.wording import counted

        found = counted(len(done.tracks), "face") if done.tracks else "no faces"
        say(f"{name}: {found}")
    if done.is_cut_short:
        limit_s = config.video.gif_max_s
        say(f"{name}: the GIF holds the first {limit_s:g} s; video.gif_max_s sets how much")
    if done.tracks:
        say(_track_table(done, config))
    if done.error is not None:
        say(f"livecam: {shown(done.error)}")
    for path in done.outputs:
        print(path, flush=True)


def _track_table(done: Done, config: Config) -> str:
    from livecam.overlay import Overlay
    from livecam.wording import clock_time

    overlay = Overlay(config.overlay)
    is_clip = done.frames > 1  # a picture has no times
    times = f"{'first':>7}  {'last':>7}  " if is_clip else ""
    what = "track" if is_clip else "face"
    lines = [f"{what:>5}  {times}{'age':>5}  {'range':>7}  {'bin':>6}  gender"]
    for track_id, seen in sorted(done.tracks.items()):
        face = seen.last
        if is_clip:
            times = f"{clock_time(seen.first_s):>7}  {clock_time(seen.last_s):>7}  "
        lines.append(
            f"{track_id:>5}  {times}{face.age:>5.0f}  {f'{face.age_low}-{face.age_high}':>7}  "
            f"{face.age_bin:>6}  {overlay.gender(face) or '-'}"
        )
    return "\n".join(lines)


def _predict(args: argparse.Namespace) -> int:
    config = _settings(args)
    from livecam.files import check_output
    from livecam.inputs import expand
    from livecam.pictures import PICTURE_SUFFIXES
    from livecam.pipeline import Models
    from livecam.prediction import PredictOptions, answers
    from livecam.prediction_text import CsvRows, as_json, as_lines
    from livecam.progress import Progress

    inputs = expand(args.input, PICTURE_SUFFIXES)
    if args.csv is not None:
        paths = [source.path for source in inputs if source.path is not None]
        check_output("--csv", args.csv, [".csv"], paths, args.overwrite)
    options = PredictOptions(
        args.assume_face, config.overlay.gender, tuple(dict.fromkeys(args.over))
    )
    models = Models(config)
    _say_uncalibrated(config)
    write = as_json if args.json else functools.partial(as_lines, overlay=config.overlay)
    has_failed = False
    with contextlib.ExitStack() as stack:
        is_shown = not sys.stdout.isatty()
        progress = stack.enter_context(
            Progress("predict", len(inputs), "pictures", is_shown=is_shown)
        )
        sheet = None
        if args.csv is not None:
            sheet = stack.enter_context(CsvRows(args.csv, config.scheme, options))
        for answer in answers(inputs, models, options):
            if answer.error is not None:
                has_failed = True
                progress.note(f"livecam: {answer.error}")
            for line in write(answer.rows):
                print(line)
            if sheet is not None and answer.error is None:
                sheet.write(answer.rows)
            progress.step()
    return int(has_failed)


def _report(args: argparse.Namespace) -> int:
    config = _settings(args)
    from livecam import report, store
    from livecam.days import bounds
    from livecam.files import check_output, write_text
    from livecam.report_page import page

    if args.day is not None and (args.first is not None or args.last is not None):
        raise UsageError("--day: is one day; give it alone, or --from and --to")
    begin, end = bounds(args.day or args.first, args.day or args.last)
    wanted = {"--csv": (args.csv, ".csv"), "--html": (args.html, ".html")}
    for flag, (path, suffix) in wanted.items():
        if path is not None:
            check_output(flag, path, [suffix], [args.visits], args.overwrite)
    store.require_sound(args.visits)
    cameras = store.last_watched(args.visits, time.time())
    if args.camera is not None and args.camera not in cameras:
        raise UsageError(f"--camera {args.camera}: not in {args.visits}; it has {_list(cameras)}")
    visits = store.read(args.visits, begin, end, args.camera)
    found = report.report(visits, config.scheme, args.by, config.overlay.gender)
    if args.csv is not None:
        write_text(args.csv, "".join(report.as_csv(found)))
    if args.html is not None:
        write_text(args.html, page(found, args.visits.name, args.camera))
    for line in report.as_text(found):
        print(line)
    for path in (args.csv, args.html):
        if path is not None:
            say(f"{path}: written")
    if not found.periods:
        say(f"{args.visits}: no camera was watching in this period")
    return 0


def _list(names: Iterable[str]) -> str:
    return ", ".join(map(repr, names)) or "none"


def _serve(args: argparse.Namespace) -> int:
    config = _settings(args)
    from livecam.web.server import Server

    for flag, setting in LABELS_FACES.items():
        if args.visits is not None and vars(args)[setting] is not None:
            raise UsageError(f"{flag}: {args.visits} has visits that are labelled already")
    get, post, finish = _pages(args.visits, config)
    with contextlib.ExitStack() as stack:
        stack.callback(finish)
        server = stack.enter_context(Server(args.port, get, post))
        print(server.url, flush=True)
        say("open it in a browser on this computer; Ctrl-C ends it")
        server.serve_forever()
    return 0


def _pages(visits: Path | None, config: Config) -> tuple[Get, Post | None, Callable[[], None]]:
    """What answers, and what ends it. What is wrong with the file, or with the model, is said
    before anything is served."""
    if visits is not None:
        from livecam import store
        from livecam.web.visits import VisitsPage

        store.require_sound(visits)
        store.last_watched(visits, time.time())
        return VisitsPage(visits, config).get, None, lambda: None
    from livecam.pipeline import Models
    from livecam.web.pictures import PicturesPage

    page = PicturesPage(Models(config))
    _say_uncalibrated(config)
    return page.get, page.post, page.finish


def _config(args: argparse.Namespace) -> int:
    import json

    config = _settings(args)
    from livecam.config import own_places
    from livecam.shipped import shipped_file

    say(f"config.yaml: {shipped_file('config.yaml')}")
    if args.config is None:
        say("yours: " + ", or else ".join(map(str, own_places(os.environ))))
    rows = [
        (key, json.dumps(value, ensure_ascii=False), origin)
        for key, value, origin in config.items()
    ]
    widths = [max(len(row[i]) for row in rows) for i in (0, 1)]
    for key, value, origin in rows:
        print(f"{key:{widths[0]}}  {value:{widths[1]}}  {origin}")
    return 0


def _doctor(args: argparse.Namespace) -> int:
    from livecam.doctor import examine

    is_fit = True
    for finding in examine(_settings(args)):
        mark = "ok" if finding.is_ok else ("MISSING" if finding.is_needed else "-")
        print(f"{mark:8}{finding.what:15} {finding.found}")
        is_fit &= finding.is_ok or not finding.is_needed
    return 0 if is_fit else 1


COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "demo": _demo,
    "run": _run,
    "annotate": _annotate,
    "predict": _predict,
    "report": _report,
    "serve": _serve,
    "config": _config,
    "doctor": _doctor,
}
