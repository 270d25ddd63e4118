"""What a live source gives, picture by picture: a camera, a network stream, a file.

A reader is opened by `open_reader`, iterated once, and closed. Iterating ends where a file ends
and raises LivecamError where a camera or stream is lost.
"""

from __future__ import annotations

import errno
import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Protocol

from livecam.clip import (
    ENDS_EARLY,
    LEAST_STEP_S,
    Clip,
    PixelAspect,
    Upright,
    left_out,
    only_video,
    stands_s,
    time_stamp_s,
)
from livecam.config import CameraConfig
from livecam.datatypes import Image
from livecam.errors import LivecamError, UsageError, reason
from livecam.file_ends import ends_early, said_duration_s
from livecam.inputs import Input, Opened
from livecam.live.cameras import MOST, open_camera
from livecam.pictures import PICTURE_SUFFIXES
from livecam.pyav import av, opened, packets
from livecam.urls import without_secrets

MOST_DIGITS = 9  # of a camera's number, as it may be written
MISSES, MISS_S = 30, 0.03  # so often, and so far apart, a camera may fail to give a picture…
MOST_BAD_PACKETS = 100  # …and so many packets of a stream may be damaged, before it is lost…
MOST_BAD_AT_FIRST = 1000  # …or at first, when its next key frame may be half a minute away
IN_PIECES = ("hls", "dash")  # playlists, of which each piece holds the pictures of some seconds
MOST_STEP_S = 2.0  # between two pictures of such a stream
ENDED = "the stream ended"
A_PAGE = "; expected the address of a stream itself, not of a page that shows it"
UNKNOWN_CODEC = "its pictures are of a kind that FFmpeg does not know"
RTSP = {"rtsp_flags": "prefer_tcp"}  # without lost packets; UDP where a camera has only that
# RTSP, RTMP and FLV say it at once; else FFmpeg waits, perhaps for a sound that never comes
SAYS_WHAT_IT_IS = re.compile(r"rtsp|rtmp|[^?#]*\.flv(?:[?#]|$)", re.IGNORECASE)
BRIEF = {"analyzeduration": "100000"}  # µs


@dataclass(frozen=True, slots=True)
class LiveSource:
    """What `--camera` names: a device by its `index`, a `url`, or a `path`."""

    name: str  # as messages show it: without the password of a URL
    index: int | None = None
    url: str | None = None
    path: Path | None = None

    @classmethod
    def parse(cls, text: str) -> LiveSource:
        if not text:
            raise UsageError("--camera: nothing given; expected a number, a URL or a file")
        if text == "-":
            raise UsageError(
                "--camera -: is not read from stdin; expected a number, a URL or a file"
            )
        device = re.fullmatch(r"(?:/dev/video)?(-?\d+)", text)
        if device and not os.path.isfile(text):  # of a name that is too long too
            if len(device[1]) > MOST_DIGITS or not 0 <= int(device[1]) < MOST:
                raise UsageError(f"--camera {text}: expected a number from 0 to {MOST - 1}")
            return cls.camera(int(device[1]))
        if scheme := re.match(r"[a-z][a-z0-9+]*://", text, re.IGNORECASE):
            url = scheme[0].lower() + text[scheme.end() :]  # FFmpeg knows small letters alone
            return cls(without_secrets(url), url=url)
        return cls(text, path=Path(text))

    @classmethod
    def camera(cls, index: int) -> LiveSource:
        return cls(f"camera {index}", index=index)


class Reader(Protocol):
    """`is_paced`: its pictures have a time of their own, at which they are to be shown."""

    is_paced: bool
    detail: str  # size, rate and kind, for people

    def __iter__(self) -> Iterator[tuple[float, Image]]:
        """(time in s, picture): media time of what is paced, or of a stream in pieces; else 0"""

    def close(self) -> None: ...


def open_reader(source: LiveSource, config: CameraConfig) -> Reader:
    """Raises LivecamError: why it does not open, and what to do."""
    if source.index is not None:
        return DeviceReader(source.index, config)
    if source.url is not None:
        return StreamReader(source.name, source.url, config)
    assert source.path is not None
    return FileReader(source.name, source.path)


class DeviceReader:
    is_paced = False

    def __init__(self, index: int, config: CameraConfig) -> None:
        self._camera = open_camera(index, config)
        self._stall_after_s = config.stall_after_s
        self.detail = self._camera.detail

    def __iter__(self) -> Iterator[tuple[float, Image]]:
        missed, last_s = 0, time.perf_counter()
        while True:
            bgr = self._camera.read()
            if bgr is not None:
                yield 0.0, bgr
                missed, last_s = 0, time.perf_counter()
                continue
            missed += 1  # a read may fail at once, or wait for seconds before it fails
            if missed == MISSES or time.perf_counter() - last_s >= self._stall_after_s:
                raise LivecamError("it gives no pictures any more; is it still connected?")
            time.sleep(MISS_S)

    def close(self) -> None:
        self._camera.close()


class StreamReader:
    """RTSP, MJPEG over HTTP, and whatever else FFmpeg reads from a URL."""

    def __init__(self, name: str, url: str, config: CameraConfig) -> None:
        wait_s = config.stall_after_s
        is_rtsp = url.lower().startswith("rtsp")
        options = (RTSP if is_rtsp else {}) | (BRIEF if SAYS_WHAT_IT_IS.match(url) else {})
        begin_s = time.perf_counter()
        try:
            self._container = opened(url, timeout=(wait_s, wait_s), options=options)
        except (av.error.FFmpegError, OSError, ValueError) as error:
            why = _why(error, url, wait_s, time.perf_counter() - begin_s)
            is_page = isinstance(error, av.error.InvalidDataError) and not is_rtsp
            raise LivecamError(f"{name}: cannot be opened: {why}{A_PAGE * is_page}") from error
        stream = only_video(self._container)
        if stream is None:
            self.close()
            raise LivecamError(f"{name}: no video stream in it")
        if _is_picture(self._container):
            self.close()
            raise LivecamError(f"{name}: a single picture; livecam annotate labels pictures")
        self._url, self._wait_s = url, wait_s
        self._stream = stream
        # now: of slow Matroska FFmpeg says another one once it has read some of it
        self._origin_s = float((stream.start_time or 0) * (stream.time_base or 0))
        if self._stream.codec_context is None:
            self.close()
            raise LivecamError(f"{name}: {UNKNOWN_CODEC}")
        self._stream.thread_type = "SLICE"  # threads by frame would hold frames back
        self.is_paced = not is_rtsp and _is_file(self._container, stream)
        self._is_in_pieces = not self.is_paced and self._container.format.name in IN_PIECES
        width, codec = self._stream.width, self._stream.codec_context.name
        # until its first key frame, a stream may not say how large it is
        self.detail = f"{width}x{self._stream.height} ({codec})" if width else codec

    def __iter__(self) -> Iterator[tuple[float, Image]]:
        before_s: float | None = None
        rate = self._stream.average_rate or Fraction(25)
        time_s, step_s, end_s, shown = 0.0, 1 / float(rate), 0.0, 0
        upright, aspect, pace = Upright(), PixelAspect(self._stream), _Pace()
        for decoded in self._decoded():
            said_s = time_stamp_s(self._container, decoded)
            if said_s is None and self.is_paced and before_s is not None:
                said_s = before_s + step_s
            stamp_s = said_s or 0.0
            if self._is_in_pieces:
                pace.wait_for(stamp_s)
                time_s = stamp_s
            if self.is_paced and before_s is not None:
                # a film put together of parts may start its clock again in the middle
                step_s = max(stamp_s - before_s, LEAST_STEP_S)
                time_s += step_s
            before_s, end_s = stamp_s, max(end_s, stamp_s + stands_s(decoded, rate))
            yield time_s, upright(decoded, aspect())
            shown += 1
        if not self.is_paced:
            raise LivecamError(ENDED)
        self._require_whole(shown, end_s - self._origin_s, rate)

    def _require_whole(self, shown: int, end_s: float, rate: Fraction) -> None:
        """Of a file on a server: what is left of one that was cut off may just end."""
        said_s = said_duration_s(self._container, self._stream, self._origin_s)
        has_all = self._stream.frames and shown >= self._stream.frames  # the last stands for long
        if said_s is not None and not has_all and ends_early(said_s, end_s, rate):
            raise LivecamError(ENDS_EARLY)
        if self._damaged:
            raise LivecamError(left_out(self._damaged))

    def _decoded(self) -> Iterator[av.VideoFrame]:
        """A damaged packet is passed over: the next key frame makes it good."""
        bad, most = 0, MOST_BAD_AT_FIRST
        self._damaged = 0
        try:
            for packet in packets(self._container, self._stream):
                try:
                    for decoded in packet.decode():
                        yield decoded
                        most = MOST_BAD_PACKETS
                    bad = 0
                except av.error.InvalidDataError:
                    bad, self._damaged = bad + 1, self._damaged + 1
                    if bad > most:
                        raise
        except (av.error.FFmpegError, OSError, ValueError) as error:
            is_cut = getattr(error, "errno", None) == errno.EIO  # as FFmpeg says it for HTTP
            why = ENDED if is_cut else _why(error, self._url, self._wait_s)
            raise LivecamError(why) from error

    def close(self) -> None:
        self._container.close()


class _Pace:
    """Lets the pictures of a live stream that comes in pieces pass as they were taken, and not
    those of some seconds at once. What comes late passes at once, and what follows it later."""

    def __init__(self) -> None:
        self._before_s: float | None = None  # time stamp of the last picture
        self._due_s = 0.0  # when it passed, or should have

    def wait_for(self, stamp_s: float) -> None:
        now_s = time.perf_counter()
        step_s = 0.0 if self._before_s is None else stamp_s - self._before_s
        # more is a piece that was missed, or other stamps
        due_s = self._due_s + step_s if 0 <= step_s < MOST_STEP_S else now_s
        time.sleep(max(due_s - now_s, 0.0))
        self._before_s, self._due_s = stamp_s, max(due_s, now_s)


def _is_file(container: av.container.InputContainer, stream: av.VideoStream) -> bool:
    """One on a server plays at its own speed, and ends. The server says how large it is, or itself
    how long; an mp4 that is sent while it is made says how long its first part is."""
    kind = container.format.name
    says_all = stream.frames > 0 or not kind.startswith("mov")
    if kind in IN_PIECES:  # the size is of the playlist
        return bool(container.duration)
    if kind == "mpjpeg":  # some cameras say a size too
        return False
    return container.size > 0 or (bool(container.duration) and says_all)


def _is_picture(container: av.container.InputContainer) -> bool:
    """One of a length that the server tells; a camera may send JPEGs without an end."""
    kind = container.format.name
    return (kind == "image2" or kind.endswith("_pipe")) and container.size > 0


def _why(error: Exception, url: str, wait_s: float, took_s: float = 0.0) -> str:
    """Never with the URL: it may hold a password."""
    # PyAV says ExitError when its time is over; for RTSP, sometimes, that the data are invalid
    if isinstance(error, av.error.ExitError) or took_s >= wait_s:
        return f"nothing came for {wait_s:g} s"
    return reason(error).replace(url, "the address")


class FileReader:
    is_paced = True

    def __init__(self, name: str, path: Path) -> None:
        self._clip = open_clip(name, path)
        width, height = self._clip.stream.width, self._clip.stream.height
        self.detail = f"{width}x{height} at {float(self._clip.rate):.3g} fps (file)"

    def __iter__(self) -> Iterator[tuple[float, Image]]:
        for frame in self._clip:
            yield frame.time_s, frame.bgr

    def close(self) -> None:
        self._clip.close()


def open_clip(name: str, path: Path) -> Clip:
    """A clip on disk. Raises LivecamError for what is none, with what to do instead."""
    if path.suffix.lower() in PICTURE_SUFFIXES and path.is_file():
        raise LivecamError(f"{name}: a picture; livecam annotate labels pictures")
    if path.is_dir():
        raise LivecamError(f"{name}: a folder; livecam annotate labels what is in a folder")
    if path.is_fifo():
        raise LivecamError(f"{name}: a named pipe; livecam annotate reads what comes out of one")
    Opened(Input(name, path)).close()  # says what is wrong with a missing or an empty file
    clip = Clip(name, path)
    if clip.stream.codec_context is None:
        clip.close()
        raise LivecamError(f"{name}: {UNKNOWN_CODEC}")
    return clip
