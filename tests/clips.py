"""Small clips for tests, made with PyAV; damage and rotation are done on the bytes."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

TONE_HZ = 440


@dataclass(frozen=True)
class Sound:
    """Silence until `onset_s`, then a tone, `seconds` in all."""

    codec: str = "aac"
    seconds: float = 2.0
    onset_s: float = 0.0
    rate: int = 16_000
    layout: str = "mono"
    format: str = "fltp"


def write_clip(
    path: Path,
    pictures: Sequence[np.ndarray],
    rate: int = 10,
    times_s: Sequence[float] | None = None,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    sound: Sound | None = None,
    index_first: bool = False,
    key_every: int = 12,
) -> Path:
    """BGR pictures as a clip: at `rate`, or each at its own time."""
    options = {"movflags": "+faststart"} if index_first else {}
    with av.open(str(path), "w", options=options) as container:
        stream = container.add_stream(codec, rate=rate)
        height, width = pictures[0].shape[:2]
        stream.width, stream.height, stream.pix_fmt = width, height, pix_fmt
        if codec == "libx264":
            stream.options = {"crf": "12", "preset": "ultrafast"}
        stream.codec_context.gop_size = key_every
        ticks = 1000 if times_s is not None else rate
        stream.codec_context.time_base = Fraction(1, ticks)
        heard = None
        if sound is not None:
            heard = container.add_stream(sound.codec, rate=sound.rate)
            heard.codec_context.layout = sound.layout
        for i, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="bgr24")
            frame.pts = round(times_s[i] * ticks) if times_s is not None else i
            frame.time_base = Fraction(1, ticks)
            container.mux(stream.encode(frame.reformat(format=pix_fmt)))
        container.mux(stream.encode())
        if heard is not None and sound is not None:
            for audio in _blocks(sound):
                container.mux(heard.encode(audio))
            container.mux(heard.encode())
    return path


def _blocks(sound: Sound) -> Iterator[av.AudioFrame]:
    t = np.arange(round(sound.seconds * sound.rate)) / sound.rate
    wave = np.where(t >= sound.onset_s, 0.5 * np.sin(2 * np.pi * TONE_HZ * t), 0)
    for begin in range(0, len(wave), 1024):
        part = wave[begin : begin + 1024].astype(np.float32)[None]
        block = av.AudioFrame.from_ndarray(part, format="fltp", layout="mono")
        block.sample_rate, block.pts = sound.rate, begin
        block.time_base = Fraction(1, sound.rate)
        yield block


def greys(n: int, size_wh: tuple[int, int] = (160, 120)) -> list[np.ndarray]:
    """Plain pictures whose levels step by 40, because codecs are lossy; frame i is told by i % 6."""
    width, height = size_wh
    return [np.full((height, width, 3), grey_of(i), np.uint8) for i in range(n)]


def grey_of(i: int) -> int:
    return 25 + 40 * (i % 6)


def faces(astronaut: np.ndarray, n: int, size_wh: tuple[int, int] = (240, 180)) -> list[np.ndarray]:
    """The portrait's head, about 60 px wide, that wanders by a pixel a frame."""
    width, height = size_wh
    head = cv2.resize(
        astronaut[20:220, 110:370], None, fx=0.7, fy=0.7, interpolation=cv2.INTER_AREA
    )
    pictures = []
    for i in range(n):
        canvas = np.full((height, width, 3), 60, np.uint8)
        left = 8 + i % 20
        canvas[20 : 20 + head.shape[0], left : left + head.shape[1]] = head
        pictures.append(canvas)
    return pictures


def noise(n: int, size_wh: tuple[int, int] = (320, 240)) -> list[np.ndarray]:
    """Pictures that no codec makes small."""
    width, height = size_wh
    random = np.random.default_rng(1)
    return [random.integers(0, 256, (height, width, 3), np.uint8) for _ in range(n)]


def write_gif(path: Path, pictures: Sequence[np.ndarray], rate: int = 10) -> Path:
    return write_clip(path, pictures, rate, codec="gif", pix_fmt="rgb8")


def rotate(path: Path, turns: int) -> Path:
    """Set the display matrix of an mp4's first track: shown turned by `turns` * 90° clockwise."""
    cos, sin = [(1, 0), (0, 1), (-1, 0), (0, -1)][turns % 4]
    one = 1 << 16
    matrix = struct.pack(
        ">9i", cos * one, sin * one, 0, -sin * one, cos * one, 0, 0, 0, 1 << 30
    )  # fmt: skip
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4 + 40  # version 0: the matrix follows 40 bytes of other fields
    data[at : at + 36] = matrix
    path.write_bytes(data)
    return path


def cut(path: Path, share: float = 0.6) -> Path:
    """A copy that ends at `share` of its bytes."""
    data = path.read_bytes()
    short = path.with_name(f"{path.stem}_cut{path.suffix}")
    short.write_bytes(data[: int(len(data) * share)])
    return short


@dataclass(frozen=True)
class Played:
    """What a player gets out of a clip."""

    codec: str
    pix_fmt: str
    size_wh: tuple[int, int]
    times_s: list[float]
    pictures: list[np.ndarray]  # BGR
    duration_s: float
    audio_codec: str | None


def play(path: Path) -> Played:
    """Decode a clip to its end; whatever is wrong with it is raised."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        frames = list(container.decode(stream))
        audio = container.streams.audio
        return Played(
            stream.codec_context.name,
            stream.codec_context.pix_fmt,
            (stream.width, stream.height),
            [frame.time for frame in frames],
            [frame.to_ndarray(format="bgr24") for frame in frames],
            float(container.duration) / av.time_base,
            audio[0].codec_context.name if audio else None,
        )


def hear(path: Path) -> tuple[float, float]:
    """When the tone of a clip begins, and when its sound ends, in the clip's time."""
    onset_s = end_s = -1.0
    with av.open(str(path)) as container:
        for sound in container.decode(audio=0):
            wave = sound.to_ndarray().astype(np.float64)
            if sound.format.name.startswith("s16"):
                wave /= 1 << 15
            wave = wave.reshape(-1) if sound.format.is_packed else wave[0]
            wave = wave[:: len(sound.layout.channels)] if sound.format.is_packed else wave
            loud = np.flatnonzero(np.abs(wave) > 0.1)
            if onset_s < 0 and len(loud):
                onset_s = sound.time + loud[0] / sound.sample_rate
            end_s = sound.time + sound.samples / sound.sample_rate
    return onset_s, end_s
