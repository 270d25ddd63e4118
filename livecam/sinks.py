"""Where labelled frames go: video, GIF, picture, table.

A failure before the first frame leaves nothing, a later one a whole file that ends there.
"""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import av
import cv2
import numpy as np

from livecam.clock import OneClock
from livecam.config import VideoConfig
from livecam.datatypes import Frame, Image, TrackedFace
from livecam.errors import LivecamError
from livecam.files import PartialFile, RowFile, csv_line, unwritable
from livecam.interrupts import held

VIDEOS, TABLES = (".mp4", ".gif"), (".csv", ".jsonl")  # what names end in
CLOCK = 90_000  # ticks a second of written videos, as in MPEG: exact for all usual rates
AAC_RATES = frozenset({8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000})
# audio that an mp4 file holds as it is; other kinds are encoded again
MP4_AUDIO = frozenset({"aac", "mp3", "ac3", "eac3", "alac", "opus", "flac"})


class VideoSink:
    """H.264 in mp4, every frame at its own time, with the sound that the first one brings: to its
    end, or to that of the last picture where an error stops them.

    The file is made of fragments until it is closed, so that it plays whatever stops it.
    """

    is_full = False
    end_s = math.inf

    def __init__(self, path: Path, config: VideoConfig, rate: Fraction) -> None:
        self.config, self.rate = config, rate
        self._file = PartialFile(path)
        self._container: av.container.OutputContainer | None = None
        self._stream: av.VideoStream | None = None
        self._audio: _AudioCopy | None = None
        self._reformatter = av.video.reformatter.VideoReformatter()  # slow to make
        self._failed = False
        self._frames = 0
        self.is_kept = False
        self._last_tick = -1
        self._end_s = 0.0  # of the last picture

    def __enter__(self) -> VideoSink:
        return self

    def factor(self, bgr: Image) -> float:
        """The video's size over the picture's."""
        return 1.0

    def wants(self, frame: Frame) -> bool:
        """It takes all frames."""
        return True

    def write(self, frame: Frame, bgr: Image, audio: AudioSource | None = None) -> None:
        """Encode one picture at `frame.time_s`. `audio` is looked at with the first frame."""
        try:
            if self._container is None:
                self._open(bgr, audio)
            assert self._container is not None and self._stream is not None
            picture = av.VideoFrame.from_numpy_buffer(np.ascontiguousarray(_even(bgr)), "bgr24")
            picture = self._reformatter.reformat(picture, format="yuv420p", **_colours(bgr))
            picture.pts = self._last_tick = max(round(frame.time_s * CLOCK), self._last_tick + 1)
            duration_s = frame.duration_s or 1 / float(self.rate)
            picture.duration, picture.time_base = round(duration_s * CLOCK), Fraction(1, CLOCK)
            self._end_s = frame.time_s + duration_s
            self._container.mux(self._stream.encode(picture))
            self._frames += 1
            if self._audio is not None:
                self._audio.copy_until(frame.time_s)
        except (av.error.FFmpegError, OSError) as error:
            self._failed = True
            raise unwritable(self._file.final, error) from error

    def _open(self, bgr: Image, audio: AudioSource | None) -> None:
        # hybrid: fragments while it is written, an ordinary index once it is closed;
        # delayed: an index that knows the encoders' delays, so that all begins at its time
        options = {"movflags": "+hybrid_fragmented+delay_moov", "frag_duration": "1000000"}
        self._container = av.open(str(self._file.path), "w", options=options)
        stream = self._container.add_stream("libx264", rate=self.rate)
        assert isinstance(stream, av.VideoStream)
        height, width = _even(bgr).shape[:2]
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.time_base = Fraction(1, CLOCK)
        # without B-frames: with them an mp4 file of varying rate ends before its last picture
        stream.options = {"crf": str(self.config.crf), "preset": self.config.preset, "bf": "0"}
        stream.codec_context.thread_type = "AUTO"
        stream.codec_context.flags |= av.codec.context.Flags.frame_duration  # the last needs it
        colours = _colours(bgr)
        stream.codec_context.colorspace = int(colours["dst_colorspace"])
        stream.codec_context.color_range = int(av.video.reformatter.ColorRange.MPEG)
        self._stream = stream
        if audio is not None:
            self._audio = _AudioCopy.into(self._container, audio)

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
        if not self._frames or (is_broken and not _plays(self._file.path)):
            self._file.discard()
        else:
            self._file.keep()
            self.is_kept = True
        if problem is not None and error is None:
            raise unwritable(self._file.final, problem)


def _plays(path: Path) -> bool:
    """Whether there is a picture in a video that could not be written to its end."""
    try:
        with av.open(str(path)) as container:
            return next(container.decode(video=0), None) is not None
    except (av.error.FFmpegError, OSError):
        return False


def _even(bgr: Image) -> Image:
    """H.264 in yuv420p takes even sizes only: odd ones repeat their last row or column."""
    height, width = bgr.shape[:2]
    if height % 2 == 0 and width % 2 == 0:
        return bgr
    return cv2.copyMakeBorder(bgr, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)


def _colours(bgr: Image) -> dict[str, av.video.reformatter.Colorspace]:
    """The matrix that players assume: BT.709 for high definition, BT.601 below."""
    spaces = av.video.reformatter.Colorspace
    return {"dst_colorspace": spaces.ITU709 if bgr.shape[0] >= 720 else spaces.ITU601}


class AudioSource:
    """The sound of a clip from `start_s` to `end_s` (the file's own time). Holds the file open."""

    def __init__(self, path: Path, start_s: float, end_s: float = math.inf) -> None:
        self.container = av.open(str(path.absolute()))
        self.start_s, self.end_s = start_s, end_s

    @classmethod
    def of(cls, path: Path, start_s: float, end_s: float = math.inf) -> AudioSource | None:
        """None where the clip has no sound that can be kept."""
        try:
            source = cls(path, start_s, end_s)
        except (av.error.FFmpegError, OSError):  # the pictures say what is wrong with the file
            return None
        if source.container.streams.audio and source.is_usable():
            return source
        source.container.close()
        return None

    def is_mp4_kind(self) -> bool:
        """Whether an mp4 file holds it as it is. AAC of a broadcast has its header in every
        packet, and not where mp4 has it."""
        given = self.container.streams.audio[0].codec_context
        if given is None or given.name not in MP4_AUDIO:
            return False
        return given.name != "aac" or bool(given.extradata)

    def is_usable(self) -> bool:
        """Whether mp4 takes it as it is, or AAC can be made of it."""
        if self.is_mp4_kind():
            return True
        given = self.container.streams.audio[0].codec_context
        if given is None:  # of a kind that FFmpeg does not know
            return False
        encoder = av.CodecContext.create("aac", "w")
        assert isinstance(encoder, av.AudioCodecContext)
        try:
            _set_aac(encoder, given)
            encoder.open()
        except (av.error.FFmpegError, ValueError):
            return False
        return True


def _set_aac(encoder: av.AudioCodecContext, given: av.AudioCodecContext) -> None:
    """The given rate where AAC has it; mono or stereo, whatever more there was."""
    has_rate = given.sample_rate in AAC_RATES
    encoder.sample_rate = given.sample_rate if has_rate else 48_000
    encoder.format = "fltp"
    encoder.layout = "mono" if given.channels == 1 else "stereo"


class _AudioCopy:
    """Moves the packets of a clip's sound into a video as the pictures advance."""

    def __init__(
        self, output: av.container.OutputContainer, source: AudioSource, stream: av.AudioStream
    ) -> None:
        self._output, self._source, self._stream = output, source, stream
        self._length_s = source.end_s - source.start_s
        self._packets = self._moved()
        self._waiting: tuple[float, av.Packet] | None = None

    @classmethod
    def into(cls, output: av.container.OutputContainer, source: AudioSource) -> _AudioCopy:
        given = source.container.streams.audio[0]
        if source.is_mp4_kind():
            stream = output.add_stream_from_template(given)
        else:
            stream = output.add_stream("aac")
            _set_aac(stream.codec_context, given.codec_context)
        return cls(output, source, stream)

    def copy_until(self, time_s: float, interrupts: Sequence[int] = ()) -> None:
        """To this time of the video, or until there is an interrupt."""
        while not interrupts:
            if self._waiting is None:
                self._waiting = next(self._packets, None)
            if self._waiting is None or self._waiting[0] > time_s:
                return
            try:
                self._output.mux(self._waiting[1])
            except (av.error.InvalidDataError, av.error.ArgumentError):
                self._packets = iter(())  # a damaged sound ends, and the video goes on
            self._waiting = None

    def close(self) -> None:
        self._source.container.close()

    def _moved(self) -> Iterator[tuple[float, av.Packet]]:
        """(time of the video, packet) from the start on. A damaged end only ends the sound."""
        given = self._source.container.streams.audio[0]
        if self._source.start_s > 0:
            self._source.container.seek(int(self._source.start_s * av.time_base))
        with contextlib.suppress(av.error.FFmpegError):
            yield from self._copied(given) if self._source.is_mp4_kind() else self._encoded(given)

    def _copied(self, given: av.AudioStream) -> Iterator[tuple[float, av.Packet]]:
        clock = OneClock()
        for packet in self._source.container.demux(given):
            if packet.pts is None or packet.time_base is None:
                continue
            step_s = float((packet.duration or 0) * packet.time_base)
            stamp_s = float(packet.pts * packet.time_base) - self._source.start_s
            time_s = clock(stamp_s, step_s)
            if time_s < 0:
                continue
            if time_s >= self._length_s:
                return
            packet.pts = packet.dts = round(time_s / packet.time_base)
            packet.stream = self._stream
            yield time_s, packet

    def _encoded(self, given: av.AudioStream) -> Iterator[tuple[float, av.Packet]]:
        clock = OneClock()
        for sound in self._source.container.decode(given):
            if sound.time is None or sound.time_base is None:
                continue
            time_s = clock(sound.time - self._source.start_s, sound.samples / sound.sample_rate)
            if time_s < 0:
                continue
            if time_s >= self._length_s:
                break
            sound.pts = round(time_s / sound.time_base)
            for packet in self._stream.encode(sound):
                yield time_s, packet
        for packet in self._stream.encode():
            yield float("inf"), packet


class GifSink:
    """An animated GIF with one palette made for all of it; small by default.

    `is_full` once it holds `gif_max_s`; what comes from `end_s` on is left out.
    """

    def __init__(self, path: Path, config: VideoConfig) -> None:
        self.config = config
        self._file = PartialFile(path)
        self._graph: av.filter.Graph | None = None
        self._next_s = 0.0
        self.end_s = config.gif_max_s
        self.is_full = False
        self.is_kept = False

    def __enter__(self) -> GifSink:
        return self

    def factor(self, bgr: Image) -> float:
        """The GIF's size over the picture's."""
        return min(1.0, self.config.gif_width_px / bgr.shape[1])

    def wants(self, frame: Frame) -> bool:
        """Whether this frame becomes one of the GIF's."""
        if frame.time_s >= self.end_s:
            self.is_full = True
        return not self.is_full and frame.time_s >= self._next_s - 1e-6

    def write(self, frame: Frame, bgr: Image, audio: AudioSource | None = None) -> None:
        """Add one picture, already of the GIF's size; a GIF has no sound."""
        step_s = 1 / self.config.gif_fps
        self._next_s = max(self._next_s + step_s, frame.time_s + step_s / 2)
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
        last_cs = round(100 / self.config.gif_fps)  # how long the last picture stands
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


@held()
def write_picture(path: Path, bgr: Image) -> None:
    """A picture file in the format of its suffix. Raises LivecamError if it cannot be written."""
    file = PartialFile(path)
    try:
        done, encoded = cv2.imencode(path.suffix, bgr, _picture_quality(path.suffix))
        if not done:
            raise LivecamError(f"{path}: OpenCV cannot encode {path.suffix}; use .jpg or .png")
        file.path.write_bytes(encoded.tobytes())
        file.keep()
    except cv2.error as error:
        raise LivecamError(f"{path}: cannot be encoded: {error.err}") from error
    except OSError as error:
        file.discard()
        raise unwritable(path, error) from error


def _picture_quality(suffix: str) -> list[int]:
    return [cv2.IMWRITE_JPEG_QUALITY, 95] if suffix.lower() in (".jpg", ".jpeg") else []


TRACK_FIELDS = (
    "file", "frame", "time_s", "track_id", "x_min", "y_min", "x_max", "y_max", "confidence",
    "age", "age_low", "age_high", "age_bin", "female_prob",
)  # fmt: skip


class TrackTable(RowFile):
    """The tracks table, CSV or JSON lines: a row for each confirmed face measured in a frame."""

    def __init__(self, path: Path, show_gender: bool = True) -> None:
        super().__init__(path)
        self.is_csv = path.suffix.lower() == ".csv"
        self.header = csv_line(TRACK_FIELDS) if self.is_csv else ""
        self.show_gender = show_gender

    def write(self, name: str, frame: Frame, faces: Sequence[TrackedFace]) -> None:
        """The rows of one frame, which may be none."""
        rows = [self._row(name, frame, face) for face in faces if not face.coasting_s]
        self.append("".join(rows))

    def _row(self, name: str, frame: Frame, face: TrackedFace) -> str:
        box = [round(float(v), 1) for v in face.xyxy]
        female = round(face.female_prob, 4) if self.show_gender else None
        values = (
            name, frame.index, round(frame.time_s, 4), face.track_id, *box,
            round(face.confidence, 4), round(face.age, 2), face.age_low, face.age_high,
            face.age_bin, female,
        )  # fmt: skip
        if self.is_csv:
            return csv_line(values)
        return json.dumps(dict(zip(TRACK_FIELDS, values, strict=True))) + "\n"
