"""The files of a data set, in a folder or in a zip file alike."""

from __future__ import annotations

import functools
import lzma
import os
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import NoReturn

from livecam.errors import LivecamError
from livecam.pictures import PICTURE_SUFFIXES

DAMAGED = (zipfile.BadZipFile, zlib.error, lzma.LZMAError)
OTHER_NAMES = ("readme", "license", "licence", "copying", "changelog", "makefile")
OTHER_SUFFIXES = (
    ".txt .md .rst .log .pdf .doc .docx .htm .html .url .lnk .csv .tsv .xls .xlsx .ods .json "
    ".xml .yaml .yml .toml .ini .cfg .db .sqlite .mat .npy .npz .pkl .h5 .hdf5 .parquet .pts .pt "
    ".pth .onnx .keras .py .ipynb .m .sh .bat .zip .tar .gz .7z .rar .md5 .sha256 .mp4 .avi .mov"
)


class Unreadable(Exception):
    """One file of an archive cannot be read; its text says why."""


class Folder:
    """A folder; names are relative to it, with `/`. Hidden files and folders are no part of it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @functools.cached_property
    def names(self) -> list[str]:
        """All files, in the order of their folders' and their own names; a link to a folder, which
        is not followed, is one too. Raises LivecamError if a folder cannot be read."""
        found = []
        for folder, folders, files in os.walk(self.path, onerror=_unlisted):
            folders[:] = [name for name in folders if not _is_hidden(name)]
            files += [name for name in folders if Path(folder, name).is_symlink()]
            inside = Path(folder).relative_to(self.path).as_posix()
            found += [file if inside == "." else f"{inside}/{file}" for file in files]
        return _in_order(found)

    def has(self, name: str) -> bool:
        return os.path.isfile(self.path / name)  # of a name that is too long too

    def read(self, name: str) -> bytes:
        try:
            return (self.path / name).read_bytes()
        except OSError as error:
            raise Unreadable(error.strerror) from error

    def close(self) -> None:
        """A folder holds nothing open."""


class ZipFile:
    """A zip file, open until `close`. Its files may be read from several threads.

    Raises LivecamError if it is none, or damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._zip = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, NotImplementedError) as error:
            raise LivecamError(
                f"{path}: neither a folder nor a whole zip file ({error}); give a data set as one, "
                "or a CSV file"
            ) from error
        self._members = {_member_name(member): member for member in self._zip.infolist()}

    @functools.cached_property
    def names(self) -> list[str]:
        """All files, in the order that they would have in a folder."""
        return _in_order(name for name in self._members if not name.endswith("/"))

    def has(self, name: str) -> bool:
        return name in self._members

    def read(self, name: str) -> bytes:
        try:
            return self._zip.read(self._members[name])
        except KeyError as error:
            raise Unreadable("no such file in it") from error
        # RuntimeError: a password is needed, or the compression is not known
        except (*DAMAGED, OSError, EOFError, RuntimeError) as error:
            raise Unreadable(str(error)) from error

    def close(self) -> None:
        self._zip.close()


def _is_hidden(name: str) -> bool:
    """Of a file or folder: what programs keep beside others' files, such as older versions."""
    return (name.startswith(".") and name not in (".", "..")) or name == "__MACOSX"


def _in_order(names: Iterable[str]) -> list[str]:
    """Of folders' and files' own names, without hidden ones."""
    parts = sorted(name.split("/") for name in names)
    return ["/".join(each) for each in parts if not any(map(_is_hidden, each))]


def _unlisted(error: OSError) -> NoReturn:
    raise LivecamError(f"{error.filename}: cannot read the folder: {error.strerror}") from error


def _member_name(member: zipfile.ZipInfo) -> str:
    """Linux' `zip` writes names in UTF-8 without saying so; they were read as of the old DOS."""
    if member.flag_bits & 0x800:
        return member.filename
    try:
        return member.filename.encode("cp437").decode("utf-8")
    except UnicodeError:
        return member.filename


def opened(path: Path) -> Folder | ZipFile:
    """The folder or zip file at `path`; the caller closes it."""
    if path.is_dir():
        return Folder(path)
    if not path.exists():
        raise LivecamError(
            f"{path}: no such file or folder; give a data set's folder, zip or CSV file"
        )
    return ZipFile(path)


def text(archive: Folder | ZipFile, name: str) -> str:
    """A list of labels. Raises LivecamError if it cannot be read as UTF-8."""
    try:
        return archive.read(name).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise LivecamError(
            f"{archive.path}: {name}: cannot be read: it is not UTF-8 (byte {error.start}); "
            "save it as `CSV UTF-8`, with commas"
        ) from error
    except Unreadable as error:
        raise LivecamError(f"{archive.path}: {name}: cannot be read: {error}") from error


def is_picture(name: str) -> bool:
    return name.lower().endswith(tuple(PICTURE_SUFFIXES))


def is_plainly_other(name: str) -> bool:
    """Whether a file beside pictures is not meant as one: a text, a table, a program …"""
    base = name.lower().rpartition("/")[2]
    return base in OTHER_NAMES or base.endswith(tuple(OTHER_SUFFIXES.split()))
