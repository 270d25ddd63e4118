"""Files that are whole or not there: written beside their final names, which they take at the end.

What was there before stays until then, and a failure before the first row leaves nothing.
"""

from __future__ import annotations

import contextlib
import csv
import io
import os
import shutil
import stat
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Self

from livecam.errors import LivecamError, UsageError, reason
from livecam.interrupts import held

STEM_BYTES = 200  # of the name of a file, in that of the partial one


class PartialFile:
    """A file in the making: `path` while it is written, `final` after `keep`. Each process has a
    `path` of its own: of two with one `final`, the one that ends last has written it. Where `final`
    is a link to a file, that is replaced; who may read what was there, may read what comes. With
    `with` it is `path`, kept at the end or, after an error, discarded.

    Raises LivecamError where there can be no file of that name."""

    def __init__(self, final: Path) -> None:
        self.final = final
        _require_name(final)
        # a name has 255 bytes at most: that of the final file may leave no room for more
        stem = os.fsencode(final.stem)[:STEM_BYTES].decode(sys.getfilesystemencoding(), "ignore")
        name = f".{stem}.{os.getpid()}.partial{final.suffix}"
        # absolute: FFmpeg takes the 10: of 10:30.mp4 for a protocol
        self._place = _behind_links(final)
        self.path = self._place.with_name(name)

    def keep(self) -> None:
        """Raises LivecamError where that cannot be, as on Windows while another program has the
        final file open: what was written stays, and the error says where."""
        try:
            self.guard()
            self.path.replace(self._place)
        except OSError as error:
            raise LivecamError(
                f"{self.final}: cannot be replaced: {error.strerror}; what was written is in "
                f"{self.path}"
            ) from error

    def guard(self) -> None:
        """Give what is written so far the permissions of what is there, before others read it."""
        with contextlib.suppress(OSError):  # nothing is there; a file system without any
            if self._place.is_file():  # a device is for everybody
                there = self._place.stat()
                with contextlib.suppress(OSError, AttributeError):  # Windows has no groups
                    os.chown(self.path, -1, there.st_gid)
                is_of_group = self.path.stat().st_gid == there.st_gid
                self.path.chmod(stat.S_IMODE(there.st_mode) & (0o777 if is_of_group else 0o707))

    def discard(self) -> None:
        with contextlib.suppress(OSError):  # what was not made cannot be removed
            self.path.unlink()

    def __enter__(self) -> Path:
        return self.path

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        if kind is None:
            self.keep()
        else:
            self.discard()


def _behind_links(path: Path) -> Path:
    """Where a link leads, if there is a file or nothing: a device is nothing to be replaced."""
    try:
        target, place = real(path), path.absolute()
        leads_on = path.is_symlink() and not target.is_symlink()
        is_file = target.is_file() or not target.exists()
    except OSError as error:  # a folder that may not be entered, or is gone
        raise unwritable(path, error) from error
    return target if leads_on and is_file else place


def _require_name(path: Path) -> None:
    """Of a name that no file can have, the system would say so after the work."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        pass
    except OSError as error:
        raise unwritable(path, error) from error


def check_output(
    flag: str,
    path: Path,
    suffixes: Sequence[str],
    inputs: Iterable[Path],
    may_replace: bool,
    new_folder: Path | None = None,
) -> None:
    """Before the work, what would only fail after it. Raises UsageError, or LivecamError if there
    can be no such file, or the folder is not there or may not be written to. `new_folder` will be
    made."""
    if path.suffix.lower() not in suffixes:
        raise UsageError(f"{flag} {path}: expected a name that ends in {' or '.join(suffixes)}")
    if path in KnownFiles(inputs):
        raise UsageError(f"{flag} {path}: is an input; give it another name")
    if os.path.isdir(path):
        raise UsageError(f"{flag} {path}: is a folder; expected a file")
    if os.path.lexists(path) and not may_replace:
        raise UsageError(f"{path}: exists; give --overwrite to replace it, or another name")
    if new_folder is not None and real(new_folder) == real(path.parent):
        _require_name(path)
    else:
        require_place(path)


def require_place(path: Path) -> None:
    """Raises LivecamError if a file cannot be made there."""
    _require_name(path)
    if not os.path.isdir(path.parent):
        raise LivecamError(f"{path}: cannot be written: there is no folder {path.parent}")
    require_open_folder(path)


def require_open_folder(path: Path) -> None:
    """Raises LivecamError if there is a folder for this file, which may not be written to."""
    if os.path.isdir(path.parent) and not os.access(path.parent, os.W_OK):
        raise LivecamError(f"{path}: cannot be written: the folder may not be written to")


def check_folder(flag: str, folder: Path) -> None:
    """Before the work, what would only fail after it. Raises UsageError if there is a file in the
    place of the folder, or LivecamError if it may not be made or not be written to."""
    place = folder.absolute()
    nearest = next((path for path in (place, *place.parents) if path.exists()), None)
    if nearest is None:  # a drive of Windows
        raise LivecamError(f"{folder}: cannot be written: there is no {place.anchor}")
    if not nearest.is_dir():
        raise UsageError(f"{flag} {folder}: {nearest} is a file; expected the name of a folder")
    if not os.access(nearest, os.W_OK):
        raise LivecamError(f"{folder}: cannot be written: {nearest} may not be written to")


def real(path: Path) -> Path:
    """Absolute and without links. Path.resolve raises where links go round in a circle."""
    return Path(os.path.realpath(path))


class KnownFiles:
    """Of some paths: whether another leads to one of them. Where letters have no case, as on macOS
    and on most memory sticks, the name of a file may be spelt in two ways."""

    def __init__(self, paths: Iterable[Path]) -> None:
        self._alike: dict[str, set[Path]] = {}
        for path in paths:
            self._alike.setdefault(_without_case(path), set()).add(real(path))

    def __contains__(self, path: Path) -> bool:
        alike = self._alike.get(_without_case(path), ())
        return real(path) in alike or any(_is_same(path, other) for other in alike)


def _is_same(path: Path, other: Path) -> bool:
    try:
        return path.samefile(other)
    except OSError:  # one is not there
        return False


def _without_case(path: Path) -> str:
    return os.path.realpath(path).casefold()


def output_key(path: Path) -> Path:
    """The same for all spellings of an output that is not there yet."""
    return Path(_without_case(path)) if sys.platform == "darwin" else real(path)


def unwritable(path: Path, error: Exception) -> LivecamError:
    """The error for a file that could not be written, in the words of the system."""
    return LivecamError(f"{path}: cannot be written: {reason(error)}")


def make_folder(folder: Path) -> None:
    """And those that it is in. Raises LivecamError if it cannot be made."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LivecamError(f"{folder}: cannot make the folder: {error.strerror}") from error


def require_room(path: Path, needed: int, advice: str) -> None:
    """Raises LivecamError if so many bytes may not fit there: HDF5 ends the process on a full
    disk."""
    free = shutil.disk_usage(path.absolute().parent).free
    if free < needed:
        said = f"{needed / 2**20:,.1f} MB are needed, {free / 2**20:,.1f} MB free"
        raise LivecamError(f"{path}: the disk is full: {said}; {advice}")


@held()
def write_text(path: Path, text: str) -> None:
    """A text file, whole or not at all. Raises LivecamError if it cannot be written."""
    try:
        with PartialFile(path) as partial:
            partial.write_text(text, encoding="utf-8", errors="backslashreplace", newline="")
    except OSError as error:
        raise unwritable(path, error) from error


class RowFile:
    """A text file that only ever holds whole rows, whatever stops it. A context manager.

    The header is written at once, so that a place that cannot be written is known; without
    `append` after that there is no file. Raises LivecamError.
    """

    def __init__(self, path: Path, header: str) -> None:
        self._partial = PartialFile(path)
        self._whole = 0  # bytes that are whole rows
        self.is_written = False
        try:
            self._file = self._partial.path.open("wb", buffering=0)
        except OSError as error:
            raise unwritable(path, error) from error
        try:
            self._partial.guard()
            self._put(header)
        except BaseException:
            self.close()
            raise

    @held()
    def close(self) -> None:
        """Keep what was asked for; without that, nothing."""
        try:
            self._file.close()
            if self.is_written:
                self._partial.keep()
            else:
                self._partial.discard()
        except OSError as problem:
            self._partial.discard()
            raise unwritable(self._partial.final, problem) from problem

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def append(self, rows: str) -> None:
        """Write rows at once, or none of them."""
        self._put(rows)
        self.is_written = True

    @property
    def size(self) -> int:
        """In bytes, of whole rows."""
        return self._whole

    def go_back(self, size: int, is_written: bool) -> None:
        """To how it was before what was appended last."""
        self._whole, self.is_written = size, is_written
        self._truncate()

    @contextlib.contextmanager
    def undone_on_error(self) -> Iterator[None]:
        """What is appended in this is left out if something in it fails."""
        size, was_written = self.size, self.is_written
        try:
            yield
        except BaseException:
            self.go_back(size, was_written)
            raise

    def _put(self, text: str) -> None:
        data = memoryview(text.encode(errors="backslashreplace"))
        try:
            while data:
                data = data[self._file.write(data) :]
            self._whole = self._file.tell()
        except OSError as error:
            self._truncate()
            raise unwritable(self._partial.final, error) from error

    def _truncate(self) -> None:
        self._file.seek(self._whole)
        self._file.truncate()


def csv_line(values: Iterable[object]) -> str:
    """One CSV row; None is an empty field."""
    line = io.StringIO()
    # "\r\n": csv quotes a sign at which a line may end only if its own lines end in it
    csv.writer(line, lineterminator="\r\n").writerow("" if v is None else v for v in values)
    return line.getvalue().removesuffix("\r\n") + "\n"
