"""The sound of a clip, moved into a labelled video: as it is where mp4 takes it, else as AAC."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

from livecam.pyav import av, opened, packets
from livecam.timestamps import TimestampUnwrapper

AAC_RATES = frozenset({8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000})
# audio that an mp4 file holds as it is; other kinds are encoded again
MP4_AUDIO = frozenset({"aac", "mp3", "ac3", "eac3", "alac", "opus", "flac"})
MOST_GAP_S = 3 * 3600.0  # in a sound; 2**31 of its samples are more than mp4 holds
SOUGHT_EARLY_S = 1.0  # in MPEG streams the place that is found is too late


class AudioSource:
    """The sound of a clip from `start_s` to `end_s` (the file's own time). Holds the file open."""

    def __init__(self, path: Path, start_s: float, end_s: float) -> None:
        self.container = opened(str(path.absolute()))
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


class AudioCopy:
    """Moves the packets of a clip's sound into a video as the pictures advance. Damaged ones are
    left out."""

    def __init__(
        self, output: av.container.OutputContainer, source: AudioSource, stream: av.AudioStream
    ) -> None:
        self._output, self._source, self._stream = output, source, stream
        self._length_s = source.end_s - source.start_s
        self._before_s = 0.0  # time of the video at which there was sound last
        self._packets = self._moved()
        self._waiting: tuple[float, av.Packet] | None = None

    @classmethod
    def into(cls, output: av.container.OutputContainer, source: AudioSource) -> AudioCopy:
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
            with contextlib.suppress(av.error.InvalidDataError, av.error.ArgumentError):
                self._output.mux(self._waiting[1])
            self._waiting = None

    def close(self) -> None:
        self._source.container.close()

    def _moved(self) -> Iterator[tuple[float, av.Packet]]:
        """(time of the video, packet) from the start on. A damaged end only ends the sound."""
        given = self._source.container.streams.audio[0]
        container = self._source.container
        early = int((self._source.start_s - SOUGHT_EARLY_S) * av.time_base)
        if early > (container.start_time or 0):
            container.seek(early)
        with contextlib.suppress(av.error.FFmpegError):
            yield from self._copied(given) if self._source.is_mp4_kind() else self._encoded(given)

    def _copied(self, given: av.AudioStream) -> Iterator[tuple[float, av.Packet]]:
        unwrap = TimestampUnwrapper()
        for packet in packets(self._source.container, given):
            if packet.pts is None or packet.time_base is None:
                continue
            step_s = float((packet.duration or 0) * packet.time_base)
            stamp_s = float(packet.pts * packet.time_base) - self._source.start_s
            time_s = unwrap(stamp_s, step_s)
            if time_s < 0:
                continue
            if self._is_over(time_s):
                return
            packet.pts = packet.dts = round(time_s / packet.time_base)
            packet.stream = self._stream
            yield time_s, packet

    def _encoded(self, given: av.AudioStream) -> Iterator[tuple[float, av.Packet]]:
        unwrap, resampled = TimestampUnwrapper(), _Resampler(self._stream.codec_context)
        for sound in self._decoded(given):
            if sound.time is None or sound.time_base is None:
                continue
            time_s = unwrap(sound.time - self._source.start_s, sound.samples / sound.sample_rate)
            if time_s < 0:
                continue
            if self._is_over(time_s):
                break
            # AVI counts in whole packets of its sound, of which AAC's are a part
            sound.time_base = Fraction(1, sound.sample_rate)
            sound.pts = round(time_s * sound.sample_rate)
            for alike in resampled(sound):
                for packet in self._stream.encode(alike):
                    yield time_s, packet
        for packet in self._stream.encode():
            yield math.inf, packet

    def _is_over(self, time_s: float) -> bool:
        """Whether this is behind the end, or behind a gap that cannot be written."""
        gap_s, self._before_s = time_s - self._before_s, time_s
        return time_s >= self._length_s or gap_s > MOST_GAP_S

    def _decoded(self, given: av.AudioStream) -> Iterator[av.AudioFrame]:
        for packet in packets(self._source.container, given):
            # where one begins to read, in the middle of an MPEG stream, the first is a part of one
            with contextlib.suppress(av.error.InvalidDataError):
                yield from packet.decode()


class _Resampler:
    """Callable: sound of any form -> as the encoder takes it. A broadcast changes from stereo to
    mono and back, which neither PyAV's resampler nor its encoder takes."""

    def __init__(self, encoder: av.AudioCodecContext) -> None:
        self._encoder = encoder
        self._form: tuple[str, str, int] | None = None  # of the sound before

    def __call__(self, sound: av.AudioFrame) -> list[av.AudioFrame]:
        form = sound.format.name, sound.layout.name, sound.sample_rate
        if form != self._form:
            to = self._encoder
            self._form = form
            self._resampler = av.AudioResampler(to.format, to.layout, to.sample_rate)
        return self._resampler.resample(sound)
