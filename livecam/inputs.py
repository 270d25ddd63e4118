"""What a command's inputs expand to, and their bytes: files, folders, globs, URLs, stdin."""

from __future__ import annotations

import base64
import collections
import contextlib
import glob
import http.client
import io
import math
import os.path
import re
import sys
import tempfile
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import cv2

from livecam.errors import LivecamError
from livecam.interrupts import TEMPORARY
from livecam.pictures import PICTURE_SUFFIXES, is_heif
from livecam.progress import Progress
from livecam.urls import (
    has_split_login,
    in_ascii,
    is_url,
    origin,
    without_login,
    without_secrets,
)
from livecam.wording import utf8

CLIP_SUFFIXES = frozenset(
    [".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts"]
    + [".wmv", ".flv", ".3gp", ".ogv", ".mjpeg", ".gif"]
)
OWN_SUFFIX = "_livecam"  # of what livecam wrote itself
DOWNLOAD_TIMEOUT_S = 20.0
AUTHORIZATION = "Authorization"
MB = 1_000_000
CHUNK_BYTES = 1 << 14  # of a download, between two looks at whether it is still wanted

PICTURES_BEGIN = (b"\xff\xd8\xff", b"\x89PNG\r\n", b"BM", b"II*\0", b"MM\0*")

Kind = Literal["picture", "clip"]


@dataclass(frozen=True, slots=True)
class Input:
    """One thing to label: `name` as the user knows it; `path` where its bytes are, None for a URL
    and for stdin. `is_member`: one of a folder's or a glob's. `problem`: why there is nothing.
    `login`: the `user:password` of a URL, which its name does not show."""

    name: str
    path: Path | None
    is_member: bool = False
    problem: str | None = None
    login: str = ""

    @classmethod
    def typed(cls, text: str) -> Input:
        """A file, a URL, or `-`."""
        if text == "-":
            return cls(text, None)
        if not text:  # a variable of the shell that is not set; Path("") is the current folder
            return cls(text, None, problem="'': no name; expected a file, a folder or a URL")
        if "\0" in text:
            return cls(text, None, problem=f"{text}: no file can have this name")
        if not is_url(text):
            is_other = "://" in text and not os.path.exists(text)
            return cls(text, Path(text)) if not is_other else _other_url(without_secrets(text))
        if has_split_login(text):
            name = without_secrets(text)
            problem = (
                f"{name}: an @ behind the host; write / ? and # of a password as %2F, %3F and %23, "
                "and @ of a path as %40"
            )
            return cls(name, None, problem=problem)
        name, login = without_login(text)
        return cls(name, None, login=login)

    @property
    def is_stream(self) -> bool:
        """stdin, or a named pipe: there is nothing to read until somebody writes it."""
        return self.name == "-" or (self.path is not None and _is_pipe(self.path))

    @property
    def stem(self) -> str:
        """What its outputs are named after."""
        if self.name == "-":
            return "stdin"
        if is_url(self.name):
            letters = urllib.parse.unquote(_url_path(self.name)).replace("\\", "/")
            if sys.platform == "win32":
                letters = re.sub('[<>:"|?*]', "_", letters)  # it has no files with these in a name
            return Path("".join(filter(str.isprintable, letters))).stem or "url"
        return Path(self.name).stem

    @property
    def suffix(self) -> str:
        name = _url_path(self.name) if is_url(self.name) else self.name
        return Path(name).suffix.lower()


def _other_url(name: str) -> Input:
    problem = (
        f"{name}: expected a file, or an address that begins with http:// or https://; "
        f"watch cameras and streams with: livecam run --camera {name}"
    )
    return Input(name, None, problem=problem)


def _url_path(url: str) -> str:
    try:
        return urllib.parse.urlsplit(url).path
    except ValueError:  # no such URL can be; fetching it will say so
        return ""


def expand(arguments: Sequence[str], suffixes: frozenset[str]) -> list[Input]:
    """Files, folders, globs, URLs and `-` as inputs, in order.

    A folder gives its files with one of `suffixes`, sorted by name, not those in folders below
    nor what livecam wrote. A folder or glob that gives nothing is an input with a `problem`, so
    that it fails as a missing file does: by itself, when its turn comes.
    """
    inputs: list[Input] = []
    folders = collections.Counter(_last_name(text) for text in arguments if os.path.isdir(text))
    for argument in arguments:
        source = Input.typed(argument)
        if source.path is None:
            inputs.append(source)
        elif os.path.isdir(source.path):
            name = _last_name(argument)
            # rows of two folders of one name are told apart by where these are
            inputs += _folder(argument, suffixes, name if folders[name] == 1 else argument)
        elif not os.path.exists(source.path) and glob.has_magic(argument):
            inputs += _matches(argument, suffixes)
        else:
            inputs.append(source)
    return inputs


def _last_name(folder: str) -> str:
    name = Path(folder).name
    return Path(folder).resolve().name if name in ("", "..") else name


def _folder(argument: str, suffixes: frozenset[str], name: str) -> list[Input]:
    """The usable files of a folder, as `name/file`."""
    try:
        files = sorted(file for file in Path(argument).iterdir() if _usable(file, suffixes))
    except OSError as error:
        problem = f"{argument}: cannot read the folder: {error.strerror}"
        return [Input(argument, None, True, problem)]
    if not files:
        problem = (
            f"{argument}: nothing usable in this folder; expected files that end in "
            f"{', '.join(sorted(suffixes))}"
        )
        return [Input(argument, None, True, problem)]
    return [Input(f"{name.rstrip('/')}/{file.name}", file, True) for file in files]


def _matches(argument: str, suffixes: frozenset[str]) -> list[Input]:
    files = sorted(Path(match) for match in glob.glob(argument, recursive=True))
    usable = [file for file in files if _usable(file, suffixes)]
    if not usable:
        return [Input(argument, None, True, f"{argument}: no picture or clip matches")]
    return [Input(str(file), file, True) for file in usable]


def _usable(file: Path, suffixes: frozenset[str]) -> bool:
    return (
        file.suffix.lower() in suffixes
        and not file.stem.endswith(OWN_SUFFIX)
        and not file.name.startswith(".")
        and os.path.isfile(file)
    )


class Opened:
    """An input whose bytes are on disk; a download or stdin is a temporary file until `close`.

    A context manager. Raises LivecamError if the input is missing, empty or out of reach, and,
    while it is fetched, as soon as it has more than `most_bytes` or `stop` is set. Fetching for
    long `is_shown` on stderr.
    """

    def __init__(
        self,
        source: Input,
        most_bytes: float = math.inf,
        stop: threading.Event | None = None,
        is_shown: bool = False,
    ) -> None:
        if source.problem is not None:
            raise LivecamError(source.problem)
        self.input = source
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        try:
            if source.path is not None and not source.is_stream:
                self.path = source.path
            else:
                self._folder = _temporary_folder(source.name)
                TEMPORARY.add(self._folder.name)
                known = source.suffix in PICTURE_SUFFIXES | CLIP_SUFFIXES  # else it may be too long
                self.path = Path(self._folder.name) / f"input{source.suffix if known else ''}"
                _fetch(source, self.path, most_bytes, stop or threading.Event(), is_shown)
                _require_no_page(source.name, self.path)
            _require_bytes(source.name, self.path)
            self.kind = _kind(source, self.path)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Opened:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        if self._folder is not None:
            self._folder.cleanup()
            TEMPORARY.discard(self._folder.name)


def _temporary_folder(name: str) -> tempfile.TemporaryDirectory[str]:
    try:
        return tempfile.TemporaryDirectory(prefix="livecam-")
    except OSError as error:
        raise LivecamError(
            f"{name}: it cannot be fetched, as no temporary file can be written: "
            f"{error.strerror or error}; free space, or set TMPDIR to a folder that has some"
        ) from error


def _fetch(
    source: Input, path: Path, most_bytes: float, stop: threading.Event, is_shown: bool
) -> None:
    """The bytes of stdin, of a named pipe or of a URL, which may never end, into a file."""
    try:
        with contextlib.ExitStack() as stack:
            stream = stack.enter_context(_stream(source))
            _require_no_camera(source.name, stream)
            file = stack.enter_context(path.open("wb"))
            megabytes = round(getattr(stream, "length", None) or 0) // MB
            progress = stack.enter_context(
                Progress(source.name, megabytes or None, "MB", is_shown=is_shown)
            )
            while chunk := stream.read1(CHUNK_BYTES):  # what is there: a camera may give it slowly
                if stop.is_set():
                    raise LivecamError(f"{source.name}: interrupted")
                file.write(chunk)
                progress.step(file.tell() // MB - progress.done)
                if file.tell() > most_bytes:
                    raise LivecamError(
                        f"{source.name}: more than {most_bytes / MB:.0f} MB; expected a picture"
                    )
            _require_end(source.name, stream, file.tell())
    except urllib.error.HTTPError as error:
        error.close()
        raise LivecamError(
            f"{source.name}: the server answers {error.code} {_one_line(error.reason)}"
        ) from error
    except (http.client.IncompleteRead, http.client.BadStatusLine) as error:
        is_cut = isinstance(error, (http.client.IncompleteRead, http.client.RemoteDisconnected))
        why = "the connection ended early" if is_cut else "the answer is not HTTP"
        raise LivecamError(f"{source.name}: cannot be fetched: {why}") from error
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        raise LivecamError(f"{source.name}: cannot be fetched: {_one_line(reason)}") from error


def _require_no_camera(name: str, stream: io.BufferedIOBase) -> None:
    """Which sends one picture after the other, without an end."""
    headers = getattr(stream, "headers", {})
    if "multipart/x-mixed-replace" in headers.get("Content-Type", "").lower():
        raise LivecamError(
            f"{name}: a camera; expected a picture or a clip; livecam run --camera plays it"
        )


def _require_end(name: str, stream: io.BufferedIOBase, got: int) -> None:
    """A server may say how much it sends, and Python does not mind if it is less."""
    missing = getattr(stream, "length", None)
    if missing:
        raise LivecamError(
            f"{name}: cannot be fetched: the connection ended after {got} of {got + missing} bytes"
        )


def _one_line(reason: object) -> str:
    """What a server says may have lines, and signs for the terminal."""
    return "".join(filter(str.isprintable, str(reason).strip().partition("\n")[0]))


def _stream(source: Input) -> contextlib.AbstractContextManager[io.BufferedIOBase]:
    if source.path is not None:
        return source.path.open("rb")
    if source.name == "-":
        if sys.stdin is None or sys.stdin.closed:
            raise LivecamError("-: nothing on stdin; expected a picture")
        # else what is not there yet would be its end; Windows has this from Python 3.12 on
        with contextlib.suppress(OSError, AttributeError):
            os.set_blocking(sys.stdin.fileno(), True)
        return contextlib.nullcontext(cast(io.BufferedIOBase, sys.stdin.buffer))
    request = urllib.request.Request(in_ascii(source.name), headers={"User-Agent": "livecam"})
    if source.login:
        user, _, password = map(urllib.parse.unquote, source.login.partition(":"))
        letters = base64.b64encode(f"{user}:{password}".encode()).decode()
        request.add_unredirected_header(AUTHORIZATION, f"Basic {letters}")
    opener = urllib.request.build_opener(_Redirects)
    answer: http.client.HTTPResponse = opener.open(request, timeout=DOWNLOAD_TIMEOUT_S)
    return answer


class _Redirects(urllib.request.HTTPRedirectHandler):
    """A password goes on to another page of its server, and to no other server."""

    def redirect_request(
        self, request: urllib.request.Request, *args: Any
    ) -> urllib.request.Request | None:
        further = super().redirect_request(request, *args)
        login = request.unredirected_hdrs.get(AUTHORIZATION)
        if further is not None and login and origin(further.full_url) == origin(request.full_url):
            further.add_unredirected_header(AUTHORIZATION, login)
        return further


def _is_pipe(path: Path) -> bool:
    try:
        return path.is_fifo()
    except OSError:  # opening it will say why
        return False


def _require_bytes(name: str, path: Path) -> None:
    try:
        with path.open("rb") as file:
            is_empty = not file.read(1)
    except FileNotFoundError as error:
        raise LivecamError(f"{name}: no such file") from error
    except OSError as error:
        raise LivecamError(f"{name}: cannot be read: {error.strerror}") from error
    if is_empty:
        raise LivecamError(f"{name}: empty; expected a picture or a clip")


def _require_no_page(name: str, path: Path) -> None:
    """What leads to a picture or a clip is often taken for it."""
    with path.open("rb") as file:
        head = file.read(100).removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if head.startswith((b"<!doctype html", b"<html")):
        raise LivecamError(
            f"{name}: a web page; expected a picture or a clip; give the address of that itself"
        )
    if head.startswith(b"#extm3u"):
        raise LivecamError(
            f"{name}: a playlist; expected a picture or a clip; livecam run --camera plays it"
        )


def _kind(source: Input, path: Path) -> Kind:
    """By the name where it says so, else by looking into the file."""
    if source.suffix in PICTURE_SUFFIXES:
        return "picture"
    if source.suffix in CLIP_SUFFIXES:
        return "clip"
    if _begins_as_picture(path):
        return "picture"
    # OpenCV crashes on a name that is no text, and on Windows knows ASCII alone
    is_text = utf8(str(path)) == str(path)
    return "picture" if is_text and cv2.haveImageReader(str(path)) else "clip"


def _begins_as_picture(path: Path) -> bool:
    with path.open("rb") as file:
        head = file.read(12)
    return head.startswith(PICTURES_BEGIN) or head[8:] == b"WEBP" or is_heif(head)
