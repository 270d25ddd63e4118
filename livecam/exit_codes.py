"""How every command ends: 0 done, 1 failed, 2 usage or configuration, 130 interrupted.

What went wrong is one line on stderr, which begins with the name of the command.
"""

from __future__ import annotations

import atexit
import codecs
import contextlib
import io
import os
import shutil
import signal
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import TextIO

from livecam.errors import LivecamError, UsageError
from livecam.interrupts import SIGNALS, TEMPORARY, interruptible
from livecam.wording import shown

INTERRUPTED = 130
AS_IS = "livecam.as-is"
HOLLOW = "OpenCV has lost its files, as when another build of it is uninstalled"
REINSTALL = "pip install --force-reinstall opencv-python"
# as ONNX Runtime and OpenCV say it
NO_MEMORY = ("bad_alloc", "Failed to allocate memory", "Insufficient memory")
SYSTEM_PACKAGES = "libgl1 libglib2.0-0 libsm6 libxext6"


def exit_code(
    command: Callable[[Namespace], int | None], parser: ArgumentParser, argv: Sequence[str] | None
) -> int:
    """Of a command that returns one, or None where all is done. argparse exits by itself.

    Without `argv` the command is all that this process does: once it is interrupted, another signal
    ends it at once, in the same way.
    """
    if argv is not None:
        return _run(command, parser, argv)
    atexit.register(_ignore_if_interrupted)  # the first: it is called last
    code = _run(command, parser, argv)
    if code == INTERRUPTED:
        for number in SIGNALS:
            signal.signal(number, _end)
    return code


def _end(number: int, frame: FrameType | None) -> None:
    """What waits at the end of Python, as for a camera that hangs, is left behind."""
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
    for folder in tuple(TEMPORARY):
        shutil.rmtree(folder, ignore_errors=True)
    os._exit(INTERRUPTED)


def _ignore_if_interrupted() -> None:
    """From here on Python would take each signal as if nobody had asked for it."""
    for number in SIGNALS:
        if signal.getsignal(number) is _end:
            signal.signal(number, signal.SIG_IGN)


def _run(
    command: Callable[[Namespace], int | None], parser: ArgumentParser, argv: Sequence[str] | None
) -> int:
    _open_streams()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # a file's name may be no text, and not every code page has each sign of help; another
            # program is given the name as it is
            is_data = stream is sys.stdout and not stream.isatty()
            as_is = is_data and stream.encoding.lower().replace("-", "") == "utf8"
            stream.reconfigure(errors=AS_IS if as_is else "backslashreplace")
    args = parser.parse_args(argv)
    with interruptible():
        try:
            code = command(args)
            sys.stdout.flush()
            return code or 0
        except LivecamError as error:
            say(f"{parser.prog}: {shown(str(error))}")
            return 2 if isinstance(error, UsageError) else 1
        except BrokenPipeError:  # the reader of stdout has enough
            _leave(sys.stdout)
            return 1
        except KeyboardInterrupt:
            say(f"{parser.prog}: interrupted")
            return INTERRUPTED
        except OSError as error:
            say(f"{parser.prog}: {error.filename or 'output'}: {error.strerror or error}")
            with contextlib.suppress(OSError):  # what was answered until then
                sys.stdout.flush()
            _leave(sys.stdout)
            return 1
        except Exception as error:
            why = _of_the_machine(error)
            if why is None:
                raise
            say(f"{parser.prog}: {why}")
            return 1


def _of_the_machine(error: Exception) -> str | None:
    """What is wrong with where livecam runs; None if that is not it."""
    if isinstance(error, ImportError):
        missing = f"a package is missing or broken ({error}); install livecam again"
        return system_advice(error) or missing
    if isinstance(error, AttributeError) and is_hollow("cv2"):
        return f"{HOLLOW} ({error}); {REINSTALL}"
    if isinstance(error, MemoryError) or any(sign in str(error) for sign in NO_MEMORY):
        what = str(error).split("\n")[0] or type(error).__name__
        return f"there is not enough memory ({what}); end other programs, or give smaller pictures"
    return None


def is_hollow(module: str) -> bool:
    """Of a package whose files are gone Python imports the empty folder."""
    return getattr(sys.modules.get(module, sys), "__file__", "") is None


def _as_is(error: UnicodeError) -> tuple[str | bytes, int]:
    """The bytes of a name that is no text; what is no name's is written as Python writes it."""
    try:
        return codecs.lookup_error("surrogateescape")(error)
    except UnicodeError:
        return codecs.lookup_error("backslashreplace")(error)


codecs.register_error(AS_IS, _as_is)


def say(text: str) -> None:
    """On stderr, with no signs for the terminal in it but the ends of lines."""
    try:
        print("\n".join(map(shown, text.split("\n"))), file=sys.stderr, flush=True)
    except OSError:  # the terminal is closed
        _leave(sys.stderr)


def _open_streams() -> None:
    """Where the shell closed one (`2>&-`), what is written to it goes nowhere, and never into a
    file that would get its number."""
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(number)
    sys.stdout = sys.stdout or Path(os.devnull).open("w")  # noqa: SIM115
    sys.stderr = sys.stderr or Path(os.devnull).open("w")  # noqa: SIM115


def _leave(stream: TextIO) -> None:
    """Python writes what is left to a stream when it ends, and must not fail at it again."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def system_advice(error: Exception) -> str | None:
    """None unless a package cannot be imported for want of something that pip does not install."""
    if "libGL" in str(error) or "libgthread" in str(error) or "libglib" in str(error):
        return (
            f"OpenCV cannot load a system library ({error}); on Debian or Ubuntu: "
            f"apt-get install {SYSTEM_PACKAGES}"
        )
    if "DLL load failed" in str(error):
        return (
            f"a part of Windows is missing ({error}); install the latest Microsoft Visual C++ "
            "Redistributable, and on an N edition of Windows the Media Feature Pack"
        )
    return None
