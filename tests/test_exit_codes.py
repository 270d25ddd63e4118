"""How commands end; that the real ones end so is in the tests of each."""

from __future__ import annotations

import importlib
import os
import signal
import subprocess
import sys
import textwrap
import time
from argparse import ArgumentParser, Namespace
from pathlib import Path

import pytest
from patience import ENDS, PATIENCE_S

from livecam.errors import LivecamError, UsageError
from livecam.exit_codes import exit_code


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (LivecamError("a.jpg: no such file"), 1, "p: a.jpg: no such file\n"),
        (UsageError("--over: is too old"), 2, "p: --over: is too old\n"),
        (OSError(28, "No space left on device", "a.csv"), 1, "p: a.csv: No space left on device\n"),
        (OSError("it is broken"), 1, "p: output: it is broken\n"),
        (BrokenPipeError(32, "Broken pipe"), 1, ""),  # the reader of stdout has enough
        (KeyboardInterrupt(), 130, "p: interrupted\n"),
        (ImportError("No module named 'av'"), 1, "p: a package is missing or broken (No module "
         "named 'av'); install livecam again\n"),
        (MemoryError(), 1, "p: there is not enough memory (MemoryError); end other programs, or "
         "give smaller pictures\n"),
        (RuntimeError("Failed to allocate memory for requested buffer\nat a place"), 1, "p: there "
         "is not enough memory (Failed to allocate memory for requested buffer); end other "
         "programs, or give smaller pictures\n"),
    ],
)  # fmt: skip
def test_what_went_wrong_is_one_line(
    error: BaseException, code: int, said: str, capfd: pytest.CaptureFixture[str]
) -> None:
    def command(args: Namespace) -> None:
        raise error

    assert exit_code(command, ArgumentParser(prog="p"), []) == code
    assert capfd.readouterr() == ("", said)


def test_a_mistake_of_livecams_own_is_not_hidden() -> None:
    def command(args: Namespace) -> None:
        raise AttributeError("no such thing")

    with pytest.raises(AttributeError):
        exit_code(command, ArgumentParser(prog="p"), [])


@pytest.mark.parametrize("command", ["predict", "annotate", "doctor"])
def test_an_opencv_without_files_is_told_in_a_line(tmp_path: Path, command: str) -> None:
    """As after another build of it was uninstalled; Python imports the empty folder."""
    code = """
        import sys, types
        sys.modules["cv2"] = types.ModuleType("cv2")
        sys.modules["cv2"].__file__ = None
        from livecam.cli import main
        sys.exit(main())
    """
    inputs = [] if command == "doctor" else ["a.jpg"]
    child = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), command, *inputs],
        capture_output=True, text=True, cwd=tmp_path, timeout=PATIENCE_S,
    )  # fmt: skip
    assert child.returncode == 1
    assert "pip install --force-reinstall opencv-python" in child.stdout + child.stderr
    assert "Traceback" not in child.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="signals of its own")
@pytest.mark.parametrize("number", ENDS)
@pytest.mark.parametrize("is_last", [True, False])
def test_another_signal_while_python_ends_does_not_change_how(
    number: signal.Signals, is_last: bool
) -> None:
    """Nor does it wait for what waits at the end, as for a camera that hangs."""
    again = f"""
        import atexit, signal, time
        atexit.register(time.sleep, 0 if {is_last} else {PATIENCE_S})
        atexit.register(signal.raise_signal, {int(number)})
    """
    code = f"""
        import signal, sys
        from argparse import ArgumentParser
        from livecam.exit_codes import exit_code

        def command(args):
            print("a row")
            if not {is_last}:
                exec({textwrap.dedent(again)!r})
            signal.raise_signal({int(number)})

        sys.argv = ["p"]
        if {is_last}:
            exec({textwrap.dedent(again)!r})
        sys.exit(exit_code(command, ArgumentParser("p"), None))
    """
    begin_s = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "a row\n", "p: interrupted\n")
    assert time.perf_counter() - begin_s < PATIENCE_S


def test_what_was_answered_before_an_error_is_kept() -> None:
    code = """
        import sys
        from argparse import ArgumentParser
        from livecam.exit_codes import exit_code

        def command(args):
            print("a row")
            open("missing")

        sys.exit(exit_code(command, ArgumentParser(prog="p"), []))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True,
        env={name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"},
    )  # fmt: skip
    said = "p: missing: No such file or directory\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, "a row\n", said)


@pytest.mark.parametrize(
    "command",
    [
        "fit", "prepare x -o y.h5", "evaluate x", "explore x -o y", "compare x",
        "export x --data y", "audiences x",
    ],
)  # fmt: skip
def test_a_mistyped_option_of_a_training_command_is_one_line(
    command: str, capfd: pytest.CaptureFixture[str]
) -> None:
    name, *given = command.split()
    with pytest.raises(SystemExit) as ended:
        importlib.import_module(f"train.{name}").main([*given, "--hlep"])
    assert ended.value.code == 2
    asks = f"python -m train.{name}"
    said = f"{asks}: unknown option --hlep; did you mean '--help'? (see {asks} --help)\n"
    assert capfd.readouterr() == ("", said)


@pytest.mark.parametrize("code", [0, 1, 130])
def test_the_code_is_that_of_the_command(code: int) -> None:
    assert exit_code(lambda args: code, ArgumentParser(), []) == code


def test_a_command_that_returns_nothing_is_done() -> None:
    assert exit_code(lambda args: None, ArgumentParser(), []) == 0


@pytest.mark.parametrize("number", ENDS)
def test_a_command_that_is_killed_ends_its_files(number: signal.Signals) -> None:
    ended = []

    def command(args: Namespace) -> None:
        try:
            signal.raise_signal(number)
        finally:
            ended.append(number)

    before = signal.getsignal(number)
    assert exit_code(command, ArgumentParser(), []) == 130
    assert ended == [number]
    assert signal.getsignal(number) is before


@pytest.mark.parametrize("number", ENDS)
def test_what_is_being_imported_is_whole_before_a_command_ends(
    number: signal.Signals, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Libraries say what they like when they are interrupted then, and some crash."""
    (tmp_path / "half.py").write_text(
        f"import signal, sys\nsignal.raise_signal({int(number)})\nsys.whole = True\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "whole", False, raising=False)
    monkeypatch.delitem(sys.modules, "half", raising=False)

    def command(args: Namespace) -> None:
        importlib.import_module("half")
        time.sleep(PATIENCE_S)  # a wait for something else

    begin_s = time.perf_counter()
    assert exit_code(command, ArgumentParser(), []) == 130
    assert time.perf_counter() - begin_s < PATIENCE_S
    assert vars(sys)["whole"]


def test_a_command_that_is_started_by_an_import_is_interrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "starter.py").write_text(
        "import argparse, signal, sys, time\n"
        "from livecam.exit_codes import exit_code\n"
        "def command(args):\n"
        "    signal.raise_signal(signal.SIGINT)\n"
        f"    time.sleep({PATIENCE_S})\n"
        "begin_s = time.perf_counter()\n"
        "code = exit_code(command, argparse.ArgumentParser(), [])\n"
        "took_s = time.perf_counter() - begin_s\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "starter", raising=False)
    starter = importlib.import_module("starter")
    assert starter.code == 130
    assert starter.took_s < PATIENCE_S
