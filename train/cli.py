"""What every `python -m train.…` command does with its arguments and its errors."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Callable
from pathlib import Path

from livecam.errors import LivecamError, UsageError


def check_folder(flag: str, folder: Path) -> None:
    """Before the work, what would only fail after it. Raises UsageError if there is a file in the
    place of the folder, or LivecamError if it may not be made or not be written to."""
    place = folder.absolute()
    nearest = next(path for path in (place, *place.parents) if path.exists())
    if not nearest.is_dir():
        raise UsageError(f"{flag} {folder}: {nearest} is a file; expected the name of a folder")
    if not os.access(nearest, os.W_OK):
        raise LivecamError(f"{folder}: cannot be written: {nearest} may not be written to")


def run(
    command: Callable[[argparse.Namespace], None],
    parser: argparse.ArgumentParser,
    argv: list[str] | None,
) -> int:
    """The exit code: 0 done, 1 failed, 2 usage, 130 interrupted. An error is one line on stderr."""
    args = parser.parse_args(argv)
    try:
        command(args)
        sys.stdout.flush()
    except LivecamError as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 2 if isinstance(error, UsageError) else 1
    except BrokenPipeError:  # the reader of stdout has enough
        with contextlib.suppress(OSError, ValueError):  # and Python must not fail at it again
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        what = error.strerror or error
        print(f"{parser.prog}: {error.filename or 'output'}: {what}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"\n{parser.prog}: interrupted", file=sys.stderr)
        return 130
    return 0
