"""Where frames come from: pictures, clips and URLs; and what a command's inputs expand to.

Everything here yields upright pictures: EXIF orientation and the rotation of phone clips are
applied first.
"""

from __future__ import annotations

import contextlib
import glob
import http.client
import io
import itertools
import math
import sys
import tempfile
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal, TypeVar, cast

import av
import cv2
import numpy as np
from imutils.paths import image_types

from livecam.clock import OneClock
from livecam.datatypes import Frame, Image
from livecam.errors import LivecamError, StoppedError
from livecam.threads import ahead

cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # errors are raised

MAX_PIXELS = 200_000_000  # livecam/__init__.py says so to OpenCV too
PICTURE_SUFFIXES = frozenset({*image_types, ".webp"})
CLIP_SUFFIXES = frozenset(
    [".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".ts", ".mts"]
    + [".wmv", ".flv", ".3gp", ".ogv", ".mjpeg", ".gif"]
)
OWN_SUFFIX = "_livecam"  # of what livecam wrote itself
DOWNLOAD_TIMEOUT_S = 20.0
CHUNK_BYTES = 1 << 14  # of a download, between two looks at whether it is still wanted
LEAST_STEP_S = 0.001
HAIR_S = 1e-6
SHORT_SHARE = 0.02  # of the duration that a file may lack without being called damaged,
MOST_SPARED_S = 1.0  # but never more than this

Kind = Literal["picture", "clip"]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Input:
    """One thing to label: `name` as the user knows it; `path` where its bytes are, None for a URL
    and for stdin. `is_member`: one of a folder's or a glob's. `problem`: why there is nothing."""

    name: str
    path: Path | None
    is_member: bool = False
    problem: str | None = None

    @property
    def is_url(self) -> bool:
        return is_url(self.name)

    @property
    def is_stream(self) -> bool:
        """stdin, or a named pipe: there is nothing to read until somebody writes it."""
        return self.name == "-" or (self.path is not None and _is_pipe(self.path))

    @property
    def stem(self) -> str:
        """What its outputs are named after."""
        if self.name == "-":
            return "stdin"
        if self.is_url:
            letters = urllib.parse.unquote(_url_path(self.name)).replace("\\", "/")
            return Path("".join(filter(str.isprintable, letters))).stem or "url"
        return Path(self.name).stem

    @property
    def suffix(self) -> str:
        name = _url_path(self.name) if self.is_url else self.name
        return Path(name).suffix.lower()


def is_url(text: str) -> bool:
    return text.lower().startswith(("http://", "https://"))


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
        problem = f"{argument}: cannot read the folder: {error.strerror}"
        return [Input(argument, None, True, problem)]
    if not files:
        problem = (
            f"{argument}: nothing usable in this folder; expected files that end in "
            f"{', '.join(sorted(suffixes))}"
        )
        return [Input(argument, None, True, problem)]
    name = Path(argument).name or Path(argument).resolve().name
    return [Input(f"{name}/{file.name}", file, True) for file in files]


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
        and file.is_file()
    )


class Opened:
    """An input whose bytes are on disk; a download or stdin is a temporary file until `close`.

    A context manager. Raises LivecamError if the input is missing, empty or out of reach, and,
    while it is fetched, as soon as it has more than `most_bytes` or `stop` is set.
    """

    def __init__(
        self, source: Input, most_bytes: float = math.inf, stop: threading.Event | None = None
    ) -> None:
        if source.problem is not None:
            raise LivecamError(source.problem)
        self.input = source
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        try:
            if source.path is not None and not source.is_stream:
                self.path = source.path
            else:
                self._folder = tempfile.TemporaryDirectory(prefix="livecam-")
                self.path = Path(self._folder.name) / f"input{source.suffix}"
                _fetch(source, self.path, most_bytes, stop or threading.Event())
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


def _fetch(source: Input, path: Path, most_bytes: float, stop: threading.Event) -> None:
    """The bytes of stdin, of a named pipe or of a URL, which may never end, into a file."""
    try:
        with _stream(source) as stream, path.open("wb") as file:
            while chunk := stream.read1(CHUNK_BYTES):  # what is there: a camera may give it slowly
                if stop.is_set():
                    raise LivecamError(f"{source.name}: interrupted")
                file.write(chunk)
                if file.tell() > most_bytes:
                    raise LivecamError(
                        f"{source.name}: more than {most_bytes / 1e6:.0f} MB; expected a picture"
                    )
    except urllib.error.HTTPError as error:
        error.close()
        raise LivecamError(
            f"{source.name}: the server answers {error.code} {error.reason}"
        ) from error
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        raise LivecamError(f"{source.name}: cannot be fetched: {reason}") from error


def _stream(source: Input) -> contextlib.AbstractContextManager[io.BufferedIOBase]:
    if source.path is not None:
        return source.path.open("rb")
    if source.name == "-":
        if sys.stdin is None or sys.stdin.closed:
            raise LivecamError("-: nothing on stdin; expected a picture")
        return contextlib.nullcontext(cast(io.BufferedIOBase, sys.stdin.buffer))
    request = urllib.request.Request(source.name, headers={"User-Agent": "livecam"})
    answer: http.client.HTTPResponse = urllib.request.urlopen(request, timeout=DOWNLOAD_TIMEOUT_S)
    return answer


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
    if data[:4].tobytes() == b"\x89PNG" and b"IEND" not in data.tobytes():
        raise LivecamError(f"{name}: not a readable picture; its end is missing")
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
        self.frames_read = 0
        self._is_stopped = False
        self.first_s: float | None = None  # time stamp of the first frame, in the file's time
        self._open()

    def _open(self) -> None:
        try:
            # absolute: FFmpeg takes the 10: of 10:30.mp4 for a protocol
            self._container = av.open(str(self.path.absolute()))
        except (av.error.FFmpegError, OSError, ValueError) as error:
            raise LivecamError(f"{self.name}: not a readable clip ({reason(error)})") from error
        if not self._container.streams.video:
            self.close()
            raise LivecamError(
                f"{self.name}: no picture in it; expected a clip with a video stream"
            )
        self.stream = self._container.streams.video[0]
        self.stream.thread_type = "AUTO"

    def close(self) -> None:
        self._container.close()

    def frames_ahead(self) -> contextlib.closing[Generator[Frame, None, None]]:
        """Its frames, decoded in a thread of their own while those before are used."""
        return contextlib.closing(ahead(self, stop=self._stop))

    def _stop(self) -> None:
        self._is_stopped = True  # on the way to `start_s` there may be many to decode

    def __enter__(self) -> Clip:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    @property
    def until_s(self) -> float:
        """`end_s` in the file's time; infinite without one."""
        return math.inf if self.end_s is None else self.end_s + self._origin_s

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
        """Of the pictures where the file says it, else of the whole file."""
        own_s = self._video_duration_s()
        if own_s is None and self._container.duration:
            return self._container.duration / av.time_base
        return own_s

    def _video_duration_s(self) -> float | None:
        """Of the pictures alone; None if the file does not say it."""
        if self.stream.frames and self.stream.duration and self.stream.time_base:
            return float(self.stream.duration * self.stream.time_base)
        tag = self.stream.metadata.get("DURATION")  # of Matroska
        if tag is not None:
            with contextlib.suppress(ValueError):
                hours, minutes, seconds = tag.split(":")
                return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
        # other formats guess it, from the last time stamp or the size of the file
        is_said = "matroska" in self._container.format.name
        if is_said and len(self._container.streams) == 1 and self._container.duration:
            return self._container.duration / av.time_base
        return None

    def __iter__(self) -> Iterator[Frame]:
        upright = Upright()
        previous_s = -LEAST_STEP_S
        end_s = 0.0  # of what is read, in media time
        for media_s, decoded in self._from_start():
            if self._is_stopped:
                return
            end_s = max(end_s, media_s + self._duration_of(decoded))
            if media_s < self.start_s - HAIR_S:
                continue
            if self.end_s is not None and media_s >= self.end_s - HAIR_S:
                return
            if self.first_s is None:
                self.first_s = media_s + self._origin_s
            # a stamp that does not advance could not be encoded
            time_s = max(media_s + self._origin_s - self.first_s, previous_s + LEAST_STEP_S)
            previous_s = time_s
            bgr = upright(decoded, self.stream.sample_aspect_ratio)
            stands_s = min(end_s, math.inf if self.end_s is None else self.end_s) - media_s
            yield Frame(self.frames_read, time_s, bgr, stands_s)
            self.frames_read += 1
        self._require_whole(end_s)

    def _from_start(self) -> Iterator[tuple[float, av.VideoFrame]]:
        """(media time, frame) from the last key frame before the start, or a little earlier."""
        if self.start_s <= 0:
            yield from self._timed()
            return
        with contextlib.suppress(av.error.FFmpegError):  # raw streams: read from their beginning
            self._container.seek(int((self._origin_s + self.start_s) * av.time_base))
        frames = self._timed()
        first = next(frames, None)
        if first is None or first[0] > self.start_s + 1.5 / float(self.rate):
            # some formats cannot seek, or land too late: read all of it
            self.close()
            self._open()
            yield from self._timed()
            return
        yield first
        yield from frames

    @property
    def _origin_s(self) -> float:
        if self.stream.start_time and self.stream.time_base:
            return float(self.stream.start_time * self.stream.time_base)
        return 0.0

    def _timed(self) -> Iterator[tuple[float, av.VideoFrame]]:
        step_s = 1 / float(self.rate)
        clock = OneClock()
        media_s = -step_s
        for decoded in self._decoded():
            # raw streams have no time stamps
            has_stamp = decoded.time is not None
            media_s = decoded.time - self._origin_s if has_stamp else media_s + step_s
            yield clock(media_s, step_s), decoded

    def _duration_of(self, decoded: av.VideoFrame) -> float:
        """How long a frame stands, in s: in screen recordings and slide shows the last for long."""
        if decoded.duration and decoded.time_base:
            return float(decoded.duration * decoded.time_base)
        return 1 / float(self.rate)

    def _decoded(self) -> Iterator[av.VideoFrame]:
        try:
            yield from self._container.decode(self.stream)
        except (av.error.FFmpegError, OSError, ValueError) as error:
            raise self._stopped(reason(error)) from error

    def _lacks_riff_bytes(self) -> bool:
        """Of an AVI file FFmpeg reads what is there, and believes that this is all."""
        with self.path.open("rb") as file:
            head = file.read(8)
            size = file.seek(0, io.SEEK_END)
        return head[:4] == b"RIFF" and size < int.from_bytes(head[4:], "little") + 8

    def _stopped(self, why: str) -> StoppedError:
        total = self.total or 0
        of = f" of {total}" if total > self.frames_read else ""
        return StoppedError(f"{self.name}: stopped at frame {self.frames_read}{of}: {why}")

    def _require_whole(self, end_s: float) -> None:
        """A file cut off at its end may just end: compare with what it says of itself."""
        said_s = self._video_duration_s()
        if said_s is None or self.start_s >= said_s:
            return
        said_s = min(said_s, math.inf if self.end_s is None else self.end_s)
        missing_s = said_s - end_s
        spared_s = min(SHORT_SHARE * said_s, MOST_SPARED_S)
        is_short = missing_s > max(1.5 / float(self.rate), spared_s)
        if self.stream.frames and self.start_s == 0:  # a last frame may stand for long
            is_short = is_short and self.frames_read < self.stream.frames
        if is_short or self._lacks_riff_bytes():
            raise self._stopped("the file ends before its time")


def looked_ahead(frames: Iterable[T], most: int) -> tuple[int, Iterator[T]]:
    """How many there are, counted to `most`, and all of them: what a file says is not always so.
    A failure among the first is raised after those before it."""
    first: list[T] = []
    rest = iter(frames)
    try:
        for frame in itertools.islice(rest, most):
            first.append(frame)
    except LivecamError as error:
        return len(first), _failing(first, error)
    return len(first), itertools.chain(first, rest)


def _failing(first: list[T], error: LivecamError) -> Iterator[T]:
    yield from first
    raise error


class Upright:
    """Callable: decoded frames of one source -> as they are meant to be seen, turned and with
    square pixels. Keeps its converter, because to make one takes longer than a small picture."""

    def __init__(self) -> None:
        self._reformatter = av.video.reformatter.VideoReformatter()

    def __call__(self, decoded: av.VideoFrame, aspect: Fraction | None) -> Image:
        is_wide = aspect is not None and aspect > 0 and abs(aspect - 1) > 0.01
        width = round(decoded.width * aspect) if aspect and is_wide else decoded.width
        size = {"width": width, "height": decoded.height}
        bgr = self._reformatter.reformat(decoded, format="bgr24", **size).to_ndarray()
        turns = round(decoded.rotation / 90) % 4
        return np.ascontiguousarray(np.rot90(bgr, turns)) if turns else bgr


def reason(error: Exception) -> str:
    """What FFmpeg or the system says, without what Python adds."""
    return getattr(error, "strerror", None) or str(error).split("\n")[0] or type(error).__name__
