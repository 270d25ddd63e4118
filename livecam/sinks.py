"""Films of labelled frames: H.264 in mp4, and GIF.

A failure before the first frame leaves nothing, a later one a whole file that ends there.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import cv2
import numpy as np

from livecam.config import VideoConfig
from livecam.datatypes import Frame, Image
from livecam.files import PartialFile, unwritable
from livecam.interrupts import held
from livecam.pyav import assumed_colorspace, av
from livecam.sound import AudioCopy, AudioSource

VIDEOS = (".mp4", ".gif")  # what names end in
CLOCK = 90_000  # ticks a second of written videos, as in MPEG: exact for all usual rates
# without the first flag all is rounded down, and grey is green; the second makes up for its time
Interpolation = av.video.reformatter.Interpolation
ROUNDED = Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INP
MOST_CS = 65_535  # that a picture of a GIF can stand, in hundredths of a second
MOST_STEP = 3600 * CLOCK  # between two pictures: 2**31 ticks are more than mp4 holds


class VideoSink:
    """H.264 in mp4, every frame at its own time, with the sound that the first one brings: to its
    end, or to that of the last picture where an error stops them.

    The file is made of fragments until it is closed, so that it plays whatever stops it. `lost`
    counts the last pictures that a file which could not be written to its end does not hold.
    """

    is_full = False
    end_s = math.inf

    def __init__(self, path: Path, config: VideoConfig, rate: Fraction) -> None:
        self.config, self.rate = config, rate
        self._file = PartialFile(path)
        self._container: av.container.OutputContainer | None = None
        self._stream: av.VideoStream | None = None
        self._audio: AudioCopy | None = None
        self._reformatter = av.video.reformatter.VideoReformatter()  # slow to make
        self._before: av.VideoFrame | None = None  # the last picture, as it was encoded
        self._failed = False
        self._frames = 0
        self._size_wh: tuple[int, int] | None = None
        self.is_kept = False
        self.lost = 0
        self._last_tick = -1
        self._end_s = 0.0  # of the last picture

    def __enter__(self) -> VideoSink:
        return self

    def fix_size_wh(self, bgr: Image) -> tuple[int, int]:
        """The video's size: that of the first picture asked about."""
        self._size_wh = self._size_wh or (bgr.shape[1], bgr.shape[0])
        return self._size_wh

    def offer(self, frame: Frame) -> bool:
        """Whether to write this frame: it takes all."""
        return True

    def write(self, frame: Frame, bgr: Image, audio: AudioSource | None = None) -> None:
        """Encode one picture at `frame.time_s`. `audio` is looked at with the first frame."""
        try:
            if self._container is None:
                self._open(bgr, audio)
            picture = av.VideoFrame.from_numpy_buffer(np.ascontiguousarray(_even(bgr)), "bgr24")
            picture = self._reformatter.reformat(
                picture,
                format="yuv420p",
                dst_colorspace=assumed_colorspace(len(bgr)),
                interpolation=ROUNDED,
            )
            duration_s = frame.duration_s or 1 / float(self.rate)
            tick = max(round(frame.time_s * CLOCK), self._last_tick + 1)
            self._stand_until(tick)
            self._encode(picture, tick, round(duration_s * CLOCK))
            self._end_s = frame.time_s + duration_s
            self._before = picture
            self._frames += 1
            if self._audio is not None:
                self._audio.copy_until(frame.time_s)
        except (av.error.FFmpegError, OSError) as error:
            self._failed = True
            raise unwritable(self._file.final, error) from error

    def _stand_until(self, tick: int) -> None:
        """The picture before is written again where it stands for hours, as over a night in which
        a camera was away."""
        while self._before is not None and tick - self._last_tick > MOST_STEP:
            again = self._last_tick + MOST_STEP
            self._encode(self._before, again, tick - again)

    def _encode(self, picture: av.VideoFrame, tick: int, ticks: int) -> None:
        assert self._container is not None and self._stream is not None
        picture.pts, picture.duration = tick, min(ticks, MOST_STEP)
        picture.time_base = Fraction(1, CLOCK)
        self._last_tick = tick
        self._container.mux(self._stream.encode(picture))

    def _open(self, bgr: Image, audio: AudioSource | None) -> None:
        # hybrid: fragments while it is written, an ordinary index once it is closed;
        # delayed: an index that knows the encoders' delays, so that all begins at its time
        options = {
            "movflags": "+hybrid_fragmented+delay_moov",
            "frag_duration": "1000000",
            "flush_packets": "1",
        }
        self._container = av.open(str(self._file.path), "w", options=options)
        self._file.guard()
        stream = self._container.add_stream("libx264", rate=self.rate)
        assert isinstance(stream, av.VideoStream)
        height, width = _even(bgr).shape[:2]
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.time_base = Fraction(1, CLOCK)
        # without B-frames: with them an mp4 file of varying rate ends before its last picture
        stream.options = {"crf": str(self.config.crf), "preset": self.config.preset, "bf": "0"}
        stream.codec_context.thread_type = "AUTO"
        stream.codec_context.flags |= av.codec.context.Flags.frame_duration  # the last needs it
        stream.codec_context.colorspace = int(assumed_colorspace(len(bgr)))
        stream.codec_context.color_range = int(av.video.reformatter.ColorRange.MPEG)
        self._stream = stream
        if audio is not None:
            self._audio = AudioCopy.into(self._container, audio)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with held() as interrupts:
            self._close(error, interrupts)

    def _close(self, error: BaseException | None, interrupts: Sequence[int]) -> None:
        if self._container is None:
            self._file.discard()
            return
        problem: Exception | None = None
        try:
            if self._stream is not None and not self._failed:
                self._container.mux(self._stream.encode())
                if self._audio is not None:
                    # behind the last picture there may be hours of sound
                    self._audio.copy_until(math.inf if error is None else self._end_s, interrupts)
        except (av.error.FFmpegError, OSError) as flush_error:
            problem = flush_error
        try:
            if self._audio is not None:
                self._audio.close()
            self._container.close()
        except (av.error.FFmpegError, OSError) as close_error:
            problem = problem or close_error
        is_broken = self._failed or problem is not None
        pictures = _pictures_in(self._file.path) if is_broken else self._frames
        self.lost = max(self._frames - pictures, 0)
        if pictures:
            self._file.keep()
            self.is_kept = True
        else:
            self._file.discard()
        if problem is not None and error is None:
            raise unwritable(self._file.final, problem)


def _pictures_in(path: Path) -> int:
    """How many whole ones there are in a video that could not be written to its end."""
    count = 0
    with contextlib.suppress(av.error.FFmpegError, OSError), av.open(str(path)) as container:
        for packet in container.demux(video=0):
            count += packet.size > 0 and not packet.is_corrupt
    return count


def _even(bgr: Image) -> Image:
    """H.264 in yuv420p takes even sizes only: odd ones repeat their last row or column."""
    height, width = bgr.shape[:2]
    if height % 2 == 0 and width % 2 == 0:
        return bgr
    return cv2.copyMakeBorder(bgr, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)


class GifSink:
    """An animated GIF with one palette made for all of it; small by default.

    `is_full` once it holds `gif_max_s`; what comes from `end_s` on is left out. It is written at
    its end, all of it or, on a full disk, nothing.
    """

    lost = 0

    def __init__(self, path: Path, config: VideoConfig) -> None:
        self.config = config
        self._file = PartialFile(path)
        self._graph: av.filter.Graph | None = None
        self._next_s = 0.0
        self._last_s = 0.0  # of the last picture that was written
        self._until_s = 0.0  # what was offered last stands
        self._size_wh: tuple[int, int] | None = None
        self.end_s = config.gif_max_s
        self.is_full = False
        self.is_kept = False

    def __enter__(self) -> GifSink:
        return self

    def fix_size_wh(self, bgr: Image) -> tuple[int, int]:
        """The GIF's size, after the first picture asked about."""
        if self._size_wh is None:
            height, width = bgr.shape[:2]
            factor = min(1.0, self.config.gif_width_px / width)
            self._size_wh = round(width * factor), max(1, round(height * factor))
        return self._size_wh

    def offer(self, frame: Frame) -> bool:
        """Whether to write this frame: some are left out, and from `end_s` on it is full."""
        if frame.time_s >= self.end_s:
            self.is_full = True
        stands_s = frame.duration_s or 1 / self.config.gif_fps
        self._until_s = min(frame.time_s + stands_s, self.end_s)
        return not self.is_full and frame.time_s >= self._next_s - 1e-6

    def write(self, frame: Frame, bgr: Image, audio: AudioSource | None = None) -> None:
        """Add one picture, already of the GIF's size; a GIF has no sound."""
        step_s = 1 / self.config.gif_fps
        self._next_s = max(self._next_s + step_s, frame.time_s + step_s / 2)
        self._last_s = frame.time_s
        picture = av.VideoFrame.from_ndarray(bgr, format="bgr24")
        picture.pts, picture.time_base = round(frame.time_s * 100), Fraction(1, 100)
        try:
            if self._graph is None:
                self._graph = _palette_graph(bgr)
            self._graph.push(picture)
        except (av.error.FFmpegError, OSError) as problem:
            raise unwritable(self._file.final, problem) from problem

    @held()
    def __exit__(self, *exc: object) -> None:
        if self._graph is None:
            return
        try:
            self._encode(self._graph)
        except (av.error.FFmpegError, OSError) as problem:
            self._file.discard()
            raise unwritable(self._file.final, problem) from problem
        self._file.keep()
        self.is_kept = True

    def _encode(self, graph: av.filter.Graph) -> None:
        graph.push(None)
        last_cs = min(max(1, round(100 * (self._until_s - self._last_s))), MOST_CS)
        options = {"loop": "0", "final_delay": str(last_cs)}
        with av.open(str(self._file.path), "w", format="gif", options=options) as container:
            stream = None
            while True:
                try:
                    picture = graph.pull()
                except (av.error.BlockingIOError, av.error.EOFError):
                    break
                assert isinstance(picture, av.VideoFrame)
                if stream is None:
                    stream = container.add_stream("gif", rate=Fraction(100))
                    stream.width, stream.height = picture.width, picture.height
                    stream.pix_fmt = "pal8"
                    stream.codec_context.time_base = Fraction(1, 100)
                container.mux(stream.encode(picture))
            if stream is not None:
                container.mux(stream.encode())


def _palette_graph(bgr: Image) -> av.filter.Graph:
    """Pictures in, pictures of 256 shared colours out, once all are in."""
    graph = av.filter.Graph()
    height, width = bgr.shape[:2]
    source = graph.add_buffer(
        width=width, height=height, format=av.VideoFormat("bgr24"), time_base=Fraction(1, 100)
    )
    split = graph.add("split")
    palette = graph.add("palettegen", "stats_mode=full")
    use = graph.add("paletteuse", "dither=bayer:bayer_scale=4:diff_mode=rectangle")
    sink = graph.add("buffersink")
    source.link_to(split)
    split.link_to(palette, 0)
    split.link_to(use, 1, 0)
    palette.link_to(use, 0, 1)
    use.link_to(sink)
    graph.configure()
    return graph
