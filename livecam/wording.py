"""Numbers and times as people read them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

SHOWN = 60  # characters of a value that is refused
CONTROLS = {n: repr(chr(n))[1:-1] for n in (*range(32), *range(127, 160))}


def shown(text: str) -> str:
    """One line for a terminal: a name may have line breaks, and signs that change colours."""
    return text.translate(CONTROLS)


def utf8(name: str) -> str:
    """Of a file, whose name may be of any bytes: those that are no text become `\\xe9`, and on
    Windows `\\ud800`."""
    try:
        return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:
        return name.encode("utf-8", "backslashreplace").decode("utf-8")


def short(value: object) -> str:
    """As much of it as fits into a message: it may be the whole of a file that is no settings."""
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


def suggestion(name: str, known: Iterable[str], mark: str = "") -> str:
    """What may have been meant, to go on with after the problem; nothing if no name is close,
    in whichever case. `mark`: what stands before all names, and makes none alike."""
    names = {one.lower(): one for one in known}
    close = difflib.get_close_matches(name.lower(), names, n=1)
    return f"; did you mean {mark + names[close[0]]!r}?" if close else ""


def counted(n: int, thing: str) -> str:
    """`1 face`, `3 faces`."""
    return f"{n} {thing}{'' if n == 1 else 's'}"


def clock_time(seconds: float) -> str:
    """75 -> '1:15', 3700 -> '1:01:40'."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
