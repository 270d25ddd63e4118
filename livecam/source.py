"""Where frames come from: pictures, clips and URLs; and what a command's inputs expand to.

Everything here yields upright pictures: EXIF orientation and the rotation of phone clips are
applied first.
"""

from __future__ import annotations

import glob
import os
import shutil
import sys
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

MAX_PIXELS = 200_000_000
# read by OpenCV when it loads: a picture that claims to be larger is refused before it is decoded
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(MAX_PIXELS))

import av  # noqa: E402
import cv2  # noqa: E402
import numpy as np  # noqa: E402
from imutils.paths import image_types  # noqa: E402

from livecam.datatypes import Frame, Image  # noqa: E402
from livecam.errors import LivecamError  # noqa: E402

PICTURE_SUFFIXES = frozenset({*image_types, ".webp"})
CLIP_SUFFIXES = frozenset(
    [".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".ts", ".mts"]
    + [".wmv", ".flv", ".3gp", ".ogv", ".mjpeg", ".gif"]
)
OWN_SUFFIX = "_livecam"  # of what livecam wrote itself
DOWNLOAD_TIMEOUT_S = 20.0
LEAST_STEP_S = 0.001

Kind = Literal["picture", "clip"]


@dataclass(frozen=True, slots=True)
class Input:
    """One thing to label: `name` as the user knows it; `path` where its bytes are, None for a URL
    and for stdin."""

    name: str
    path: Path | None

    @property
    def is_url(self) -> bool:
        return is_url(self.name)

    @property
    def stem(self) -> str:
        """What its outputs are named after."""
        if self.name == "-":
            return "stdin"
        if self.is_url:
            path = urllib.parse.unquote(urllib.parse.urlsplit(self.name).path)
            return Path(path).stem or "url"
        return Path(self.name).stem

    @property
    def suffix(self) -> str:
        name = urllib.parse.urlsplit(self.name).path if self.is_url else self.name
        return Path(name).suffix.lower()


def is_url(text: str) -> bool:
    return text.lower().startswith(("http://", "https://"))


def expand(arguments: Sequence[str], suffixes: frozenset[str]) -> list[Input]:
    """Files, folders, globs, URLs and `-` as inputs, in order.

    A folder gives its files with one of `suffixes`, sorted by name, not those in folders below
    nor what livecam wrote. Raises LivecamError for a folder or glob that gives nothing; a file
    that does not exist fails later, by itself.
    """
    inputs: list[Input] = []
    for argument in arguments:
        if argument == "-" or is_url(argument):
            inputs.append(Input(argument, None))
        elif Path(argument).is_dir():
            inputs += _folder(argument, suffixes)
        elif not Path(argument).exists() and glob.has_magic(argument):
            inputs += _matches(argument, suffixes)
        else:
            inputs.append(Input(argument, Path(argument)))
    return inputs


def _folder(argument: str, suffixes: frozenset[str]) -> list[Input]:
    try:
        files = sorted(file for file in Path(argument).iterdir() if _usable(file, suffixes))
    except OSError as error:
        raise LivecamError(f"{argument}: cannot read the folder: {error.strerror}") from error
    if not files:
        raise LivecamError(
            f"{argument}: nothing usable in this folder; expected files that end in "
            f"{', '.join(sorted(suffixes))}"
        )
    name = Path(argument).name or Path(argument).resolve().name
    return [Input(f"{name}/{file.name}", file) for file in files]


def _matches(argument: str, suffixes: frozenset[str]) -> list[Input]:
    files = sorted(Path(match) for match in glob.glob(argument, recursive=True))
    usable = [file for file in files if _usable(file, suffixes)]
    if not usable:
        raise LivecamError(f"{argument}: no picture or clip matches")
    return [Input(str(file), file) for file in usable]


def _usable(file: Path, suffixes: frozenset[str]) -> bool:
    return (
        file.suffix.lower() in suffixes
        and not file.stem.endswith(OWN_SUFFIX)
        and not file.name.startswith(".")
        and file.is_file()
    )


class Opened:
    """An input whose bytes are on disk; a download or stdin is a temporary file until `close`.

    A context manager. Raises LivecamError if the input is missing, empty or out of reach.
    """

    def __init__(self, source: Input) -> None:
        self.input = source
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        if source.path is not None:
            self.path = source.path
        else:
            self._folder = tempfile.TemporaryDirectory(prefix="livecam-")
            self.path = Path(self._folder.name) / f"input{source.suffix}"
            try:
                _fetch(source, self.path)
            except BaseException:
                self.close()
                raise
        try:
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


def _fetch(source: Input, path: Path) -> None:
    """The bytes of stdin or of a URL into a file."""
    if source.name == "-":
        path.write_bytes(sys.stdin.buffer.read())
        return
    request = urllib.request.Request(source.name, headers={"User-Agent": "livecam"})
    try:
        with (
            urllib.request.urlopen(request, timeout=DOWNLOAD_TIMEOUT_S) as answer,
            path.open("wb") as file,
        ):
            shutil.copyfileobj(answer, file)
    except urllib.error.HTTPError as error:
        raise LivecamError(
            f"{source.name}: the server answers {error.code} {error.reason}"
        ) from error
    except (OSError, ValueError, urllib.error.URLError) as error:
        reason = getattr(error, "reason", None) or error
        raise LivecamError(f"{source.name}: cannot be fetched: {reason}") from error


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


def _kind(source: Input, path: Path) -> Kind:
    """By the name where it says so, else by looking into the file."""
    if source.suffix in PICTURE_SUFFIXES:
        return "picture"
    if source.suffix in CLIP_SUFFIXES:
        return "clip"
    return "picture" if cv2.haveImageReader(str(path)) else "clip"


def read_picture(name: str, path: Path) -> Image:
    """The upright picture in a file, as BGR. Raises LivecamError if it is none or too large."""
    try:
        data = np.fromfile(path, np.uint8)
    except OSError as error:
        raise LivecamError(f"{name}: cannot be read: {error.strerror}") from error
    return decode_picture(name, data)


def decode_picture(name: str, data: np.ndarray) -> Image:
    """Encoded bytes (n,) uint8 -> (H, W, 3) BGR. Grey, alpha and 16 bit become 8-bit colour."""
    if not data.size:
        raise LivecamError(f"{name}: empty; expected a picture")
    try:
        bgr = cv2.imdecode(data, cv2.IMREAD_COLOR)
    except cv2.error as error:
        if "MAX_IMAGE" in str(error):
            raise LivecamError(_too_large(name)) from error
        raise LivecamError(f"{name}: not a readable picture ({error.err})") from error
    if bgr is None:
        raise LivecamError(f"{name}: not a readable picture; expected JPEG, PNG, BMP, TIFF or WebP")
    if bgr.shape[0] * bgr.shape[1] > MAX_PIXELS:
        raise LivecamError(_too_large(name))
    return bgr


def _too_large(name: str) -> str:
    return f"{name}: larger than {MAX_PIXELS // 1_000_000} megapixels; make it smaller first"


class Clip:
    """Every frame of a video file, upright, with its own time. A context manager.

    `start_s` and `end_s` bound the media time; frames keep their time stamps, counted from the
    first one. Iterating raises LivecamError where the file is damaged, after the good frames.
    """

    def __init__(
        self, name: str, path: Path, start_s: float = 0.0, end_s: float | None = None
    ) -> None:
        self.name, self.path = name, path
        self.start_s, self.end_s = start_s, end_s
        try:
            self._container = av.open(str(path))
        except (av.error.FFmpegError, OSError, ValueError) as error:
            raise LivecamError(f"{name}: not a readable clip ({_reason(error)})") from error
        if not self._container.streams.video:
            self._container.close()
            raise LivecamError(f"{name}: no picture in it; expected a clip with a video stream")
        self.stream = self._container.streams.video[0]
        self.stream.thread_type = "AUTO"
        self.frames_read = 0
        self.first_s: float | None = None  # time stamp of the first frame, in the file's time

    def __enter__(self) -> Clip:
        return self

    def __exit__(self, *exc: object) -> None:
        self._container.close()

    @property
    def rate(self) -> Fraction:
        """Frames a second on average."""
        return self.stream.average_rate or self.stream.guessed_rate or Fraction(25)

    @property
    def total(self) -> int | None:
        """How many frames it should have between start and end; None if it does not say."""
        duration_s = self._duration_s()
        if duration_s is None:
            return None
        whole = self.stream.frames or round(duration_s * self.rate)
        if self.start_s == 0 and self.end_s is None:
            return whole
        end_s = min(self.end_s if self.end_s is not None else duration_s, duration_s)
        return max(0, round(whole * (end_s - self.start_s) / duration_s)) if duration_s else None

    def _duration_s(self) -> float | None:
        if self.stream.duration and self.stream.time_base:
            return float(self.stream.duration * self.stream.time_base)
        if self._container.duration:
            return self._container.duration / av.time_base
        return None

    def __iter__(self) -> Iterator[Frame]:
        origin_s = self._origin_s()
        if self.start_s > 0:
            self._container.seek(int((origin_s + self.start_s) * av.time_base))
        previous_s = -LEAST_STEP_S
        for decoded in self._decoded():
            stamp_s = decoded.time
            if stamp_s is None:  # raw streams have no time stamps
                stamp_s = origin_s + (previous_s + 1 / float(self.rate) if self.frames_read else 0)
            media_s = stamp_s - origin_s
            if media_s < self.start_s - 1e-6:
                continue
            if self.end_s is not None and media_s >= self.end_s - 1e-6:
                return
            if self.first_s is None:
                self.first_s = stamp_s
            # a stamp that does not advance could not be encoded
            time_s = max(stamp_s - self.first_s, previous_s + LEAST_STEP_S)
            previous_s = time_s
            yield Frame(self.frames_read, time_s, _upright(decoded))
            self.frames_read += 1

    def _origin_s(self) -> float:
        if self.stream.start_time and self.stream.time_base:
            return float(self.stream.start_time * self.stream.time_base)
        return 0.0

    def _decoded(self) -> Iterator[av.VideoFrame]:
        try:
            yield from self._container.decode(self.stream)
        except (av.error.FFmpegError, OSError, ValueError) as error:
            of = f" of {self.total}" if self.total else ""
            raise LivecamError(
                f"{self.name}: stopped at frame {self.frames_read}{of}: {_reason(error)}"
            ) from error


def _upright(decoded: av.VideoFrame) -> Image:
    bgr = decoded.to_ndarray(format="bgr24")
    turns = round(decoded.rotation / 90) % 4
    return np.ascontiguousarray(np.rot90(bgr, turns)) if turns else bgr


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error).split("\n")[0] or type(error).__name__
