"""The frames of a clip on disk, upright and at their times: the rotation of phone clips is applied
first."""

from __future__ import annotations

import contextlib
import itertools
import math
from collections.abc import Generator, Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from livecam.datatypes import Frame, Image
from livecam.errors import LivecamError, StoppedError, reason
from livecam.file_ends import ends_early, is_cut_off, said_duration_s
from livecam.pyav import assumed_colorspace, av, opened, packets, side_data
from livecam.threads import ahead
from livecam.timestamps import TimestampUnwrapper
from livecam.wording import counted

Trc, Primaries = av.video.reformatter.ColorTrc, av.video.reformatter.ColorPrimaries
HDR = (Trc.ARIB_STD_B67, Trc.SMPTE2084)  # HLG and PQ
UNSPECIFIED = 2  # colour space, to FFmpeg
LEAST_STEP_S = 0.0001
MPEG_EARLY_S = 1.0
HAIR_S = 1e-6
DAMAGE = "Invalid data found when processing input"  # FFmpeg's words; some decoders have others
ENDS_EARLY = "the file ends before its time"
MOST_DAMAGED = 1000  # packets in a row: the next key frame may be half a minute away

T = TypeVar("T")


def only_video(container: av.container.InputContainer) -> av.VideoStream | None:
    """The video stream with the largest pictures, the first of equals, as FFmpeg's own command
    chooses; a cover is none. Of the others nothing is read: a playlist (HLS) has a stream for
    each quality, and FFmpeg would download them all."""
    cover = av.stream.Disposition.attached_pic
    videos = [stream for stream in container.streams.video if not stream.disposition & cover]
    chosen = max(videos, key=_area, default=None)
    for stream in container.streams:
        if stream is not chosen:
            stream.discard = av.stream.Discard.all
    return chosen


def _area(stream: av.VideoStream) -> int:
    """Of its pictures in pixels; 0 where FFmpeg does not know their kind."""
    return 0 if stream.codec_context is None else stream.width * stream.height


class Clip:
    """Every frame of a video file, upright, with its own time. A context manager.

    `start_s` and `end_s` bound the media time; frames keep their time stamps, counted from the
    first one. Damaged packets are left out. Iterating raises LivecamError where a file is damaged,
    after the good frames.
    """

    def __init__(
        self, name: str, path: Path, start_s: float = 0.0, end_s: float | None = None
    ) -> None:
        self.name, self.path = name, path
        self.start_s, self.end_s = start_s, end_s
        self.frames_read = 0
        self._damaged = 0  # packets that gave no picture…
        self._damage: str | None = None  # …and what is wrong with the last one, if it is of these
        self._ends_within_packet = False
        self._is_stopped = False
        self.first_s: float | None = None  # time stamp of the first frame, in the file's time
        self._open()

    def _open(self) -> None:
        try:
            # absolute: FFmpeg takes the 10: of 10:30.mp4 for a protocol
            self._container = opened(str(self.path.absolute()))
        except (av.error.FFmpegError, OSError, ValueError) as error:
            raise LivecamError(f"{self.name}: not a readable clip ({reason(error)})") from error
        stream = only_video(self._container)
        if stream is None:
            self.close()
            raise LivecamError(f"{self.name}: no video stream in it; expected a clip")
        self.stream = stream
        self._aspect = PixelAspect(stream)
        self.stream.thread_type = "AUTO"
        # now: of slow Matroska FFmpeg says another one once it has read some of it
        begin = stream.start_time or 0
        self._origin_s = float(begin * stream.time_base) if stream.time_base else 0.0

    def _find_origin(self) -> None:
        """Where its first picture is, which may be decoded late."""
        said_s = None
        with contextlib.suppress(StoppedError):
            if (first := next(self._decoded(), None)) is not None:
                said_s = time_stamp_s(self._container, first)
        self._begin_anew(said_s or 0.0)

    def _begin_anew(self, origin_s: float) -> None:
        self.close()
        self._open()
        self._origin_s = origin_s

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
        duration_s = said_duration_s(self._container, self.stream, self._origin_s)
        if duration_s is None and self._container.duration:
            duration_s = self._container.duration / av.time_base
        if duration_s is None:
            return None
        whole = self.stream.frames or round(duration_s * self.rate)
        if self.start_s == 0 and self.end_s is None:
            return whole
        end_s = min(self.end_s if self.end_s is not None else duration_s, duration_s)
        return max(0, round(whole * (end_s - self.start_s) / duration_s)) if duration_s else None

    def __iter__(self) -> Iterator[Frame]:
        upright = Upright()
        previous_s = -LEAST_STEP_S
        said_s = said_duration_s(self._container, self.stream, self._origin_s) or math.inf
        end_s = 0.0  # of what is read, in media time
        for media_s, decoded in self._from_start():
            if self._is_stopped:
                return
            until_s = media_s + stands_s(decoded, self.rate)
            # FFmpeg takes a gap for the duration of a frame that was decoded out of order
            end_s = max(end_s, min(until_s, said_s) if media_s < said_s else until_s)
            if media_s < self.start_s - HAIR_S:
                continue
            if self.end_s is not None and media_s >= self.end_s - HAIR_S:
                return
            if self.first_s is None:
                self.first_s = media_s + self._origin_s
            # a stamp that does not advance could not be encoded
            time_s = max(media_s + self._origin_s - self.first_s, previous_s + LEAST_STEP_S)
            previous_s = time_s
            try:
                bgr = upright(decoded, self._aspect())
            except av.error.FFmpegError as error:
                raise self._stopped(reason(error)) from error
            last_s = min(end_s, math.inf if self.end_s is None else self.end_s)
            yield Frame(self.frames_read, time_s, bgr, last_s - media_s)
            self.frames_read += 1
        self._require_whole(end_s)
        if self._damaged:
            raise self._stopped(left_out(self._damaged))

    def _from_start(self) -> Iterator[tuple[float, av.VideoFrame]]:
        """(media time, frame) from the last key frame before the start, or a little earlier."""
        if self._container.format.name in ("avi", "mpeg"):
            self._find_origin()
        # the stamps of an MPEG programme stream are late until the next that it says itself
        early_s = MPEG_EARLY_S if self._container.format.name == "mpeg" else 0.0
        if self.start_s <= early_s:
            yield from self._timed()
            return
        # raw streams, and times that no file has: read from its beginning
        with contextlib.suppress(av.error.FFmpegError, OverflowError):
            self._container.seek(int((self._origin_s + self.start_s - early_s) * av.time_base))
        frames = self._timed(is_sought=True)
        first = next(frames, None)
        if first is None or first[0] > self.start_s + 1.5 / float(self.rate):
            # some formats cannot seek, or land too late: read all of it
            self._begin_anew(self._origin_s)
            yield from self._timed()
            return
        yield first
        yield from frames

    def _timed(self, is_sought: bool = False) -> Iterator[tuple[float, av.VideoFrame]]:
        step_s = last_step_s = 1 / float(self.rate)
        is_mpeg = self._container.format.name == "mpeg"  # whose steps may be those of late stamps
        unwrap = TimestampUnwrapper()
        media_s = math.inf if is_sought else -step_s  # where it begins, it is not known then
        for decoded in self._decoded():
            said_s, before_s = time_stamp_s(self._container, decoded), media_s
            if said_s is None:  # as of raw streams, and of the last pictures of an AVI
                media_s += last_step_s
            else:
                media_s = said_s - self._origin_s
                if media_s > before_s and not is_mpeg:
                    last_step_s = media_s - before_s
            yield unwrap(media_s, step_s), decoded

    def _decoded(self) -> Iterator[av.VideoFrame]:
        """A damaged packet is passed over: the next key frame makes it good."""
        self._damaged = row = 0
        try:
            for packet in packets(self._container, self.stream):
                if packet.size:  # a decoder with threads may swallow the last one's error
                    self._ends_within_packet = packet.is_corrupt
                try:
                    if packet.size or packet.dts is None:  # without: the picture before stands on
                        for decoded in packet.decode():
                            row, self._damage = 0, None
                            yield decoded
                except av.error.FFmpegError as error:
                    self._damaged, row = self._damaged + 1, row + 1
                    self._damage = DAMAGE
                    if row > MOST_DAMAGED:
                        raise self._stopped(DAMAGE) from error
        except (av.error.FFmpegError, OSError, ValueError) as error:
            raise self._stopped(reason(error)) from error

    def _stopped(self, why: str) -> StoppedError:
        return StoppedError(stopped(self.name, self.frames_read, self.total, why))

    def _require_whole(self, end_s: float) -> None:
        """A file cut off at its end may just end: compare with what it says of itself."""
        if self._ends_within_packet or self._is_short(end_s):
            raise self._stopped(self._damage or ENDS_EARLY)

    def _is_short(self, end_s: float) -> bool:
        said_s = said_duration_s(self._container, self.stream, self._origin_s)
        if said_s is None:
            return is_cut_off(self.path)
        if self.start_s >= said_s:
            return False
        said_s = min(said_s, math.inf if self.end_s is None else self.end_s)
        is_short = ends_early(said_s, end_s, self.rate)
        if self.stream.frames and self.start_s == 0:  # a last frame may stand for long
            is_short = is_short and self.frames_read < self.stream.frames
        return is_short or is_cut_off(self.path)


def stands_s(decoded: av.VideoFrame, rate: Fraction) -> float:
    """How long a frame stands: in screen recordings and slide shows the last for long."""
    if decoded.duration and decoded.time_base:
        return float(decoded.duration * decoded.time_base)
    return 1 / float(rate)


def time_stamp_s(container: av.container.InputContainer, decoded: av.VideoFrame) -> float | None:
    """The time stamp of a frame, if it has one. AVI says when a frame is decoded: where some are
    shown in another order, FFmpeg takes that for the time to show them."""
    if container.format.name != "avi":
        return decoded.time
    if decoded.dts is None or decoded.time_base is None:
        return None
    return float(decoded.dts * decoded.time_base)


def left_out(damaged: int) -> str:
    return f"{counted(damaged, 'damaged packet')} left out"


def stopped(name: str, frames: int, total: int | None, why: str) -> str:
    """What is said of a clip of which there are so many good frames; `total` may be guessed."""
    of = f" of {total}" if total and total >= frames else ""
    return f"{name}: stopped at frame {frames}{of}: {why}"


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


class PixelAspect:
    """Callable: how wide a pixel is now for its height, if that is known. A broadcast goes from
    4:3 to 16:9 with as many pixels; its decoder says so a frame or two early. Where a file says
    other than its pictures do, the file counts."""

    def __init__(self, stream: av.VideoStream) -> None:
        self._of_file, self._decoder = stream.sample_aspect_ratio, stream.codec_context
        is_known = self._decoder is not None  # else decoding will say so
        self._is_of_pictures = is_known and self._of_file == self._decoder.sample_aspect_ratio

    def __call__(self) -> Fraction | None:
        return self._decoder.sample_aspect_ratio if self._is_of_pictures else self._of_file


class Upright:
    """Callable: decoded frames of one source -> as they are meant to be seen: turned, with square
    pixels, and in the colours of ordinary screens. Keeps its converter, because to make one takes
    longer than a small picture."""

    def __init__(self) -> None:
        self._reformatter = av.video.reformatter.VideoReformatter()

    def __call__(self, decoded: av.VideoFrame, aspect: Fraction | None) -> Image:
        is_wide = aspect is not None and abs(aspect - 1) > 0.01 and 1 / 8 < aspect < 8
        width = round(decoded.width * aspect) if aspect and is_wide else decoded.width
        to: dict[str, Any] = {"format": "bgr24", "width": width, "height": decoded.height}
        if decoded.colorspace == UNSPECIFIED:
            to["src_colorspace"] = assumed_colorspace(decoded.height)
        if decoded.color_trc in HDR:  # as telephones film; unmapped, it looks grey and pale
            to |= {"dst_color_trc": Trc.BT709, "dst_color_primaries": Primaries.BT709}
        bgr = self._reformatter.reformat(decoded, **to).to_ndarray()
        if _is_mirrored(decoded):
            bgr = bgr[::-1]
        turns = round(decoded.rotation / 90) % 4
        return np.ascontiguousarray(np.rot90(bgr, turns))


def _is_mirrored(decoded: av.VideoFrame) -> bool:
    """Whether the file wants it so, besides turned: as if upside down, then turned by FFmpeg's
    angle."""
    matrix: Any = side_data(decoded).get("DISPLAYMATRIX")
    if matrix is None:
        return False
    a, b, _, c, d, *_ = np.frombuffer(matrix, np.int32).tolist()
    return bool(a * d < b * c)
