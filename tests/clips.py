"""Small clips made with PyAV, what a player gets out of them, and what the command-line tests
share: the command itself, a web server on loopback, a small and a read-only disk.

Damage and rotation are done on the bytes.
"""

from __future__ import annotations

import base64
import contextlib
import csv
import http.server
import io
import json
import os
import shutil
import struct
import subprocess
import sys
import threading
import urllib.parse
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from conftest import unavailable

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
    sound_at_s: float = 0.0,
    last_stands_s: float | None = None,
    matrix: av.video.reformatter.Colorspace | None = None,
    b_frames: int = 0,
) -> Path:
    """BGR pictures as a clip: at `rate`, or each at its own time. The last may stand for long.
    `matrix`: of their colours, which the clip does not tell."""
    options = {"movflags": "+faststart"} if index_first else {}
    with av.open(str(path), "w", options=options) as container:
        stream = container.add_stream(codec, rate=rate)
        height, width = pictures[0].shape[:2]
        stream.width, stream.height, stream.pix_fmt = width, height, pix_fmt
        if codec == "libx264":
            stream.options = {"crf": "12", "preset": "ultrafast", "bf": str(b_frames)}
        stream.codec_context.gop_size = key_every
        ticks = 1000 if times_s is not None else rate
        stream.codec_context.time_base = Fraction(1, ticks)
        heard = None
        if sound is not None:
            heard = container.add_stream(sound.codec, rate=sound.rate)
            heard.codec_context.layout = sound.layout
        packets = []
        for i, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="bgr24")
            frame.pts = round(times_s[i] * ticks) if times_s is not None else i
            frame.time_base = Fraction(1, ticks)
            packets += stream.encode(frame.reformat(format=pix_fmt, dst_colorspace=matrix))
        packets += stream.encode()
        if last_stands_s is not None:
            packets[-1].duration = round(last_stands_s * ticks)
        container.mux(packets)
        if heard is not None and sound is not None:
            for audio in _blocks(sound, sound_at_s):
                container.mux(heard.encode(audio))
            container.mux(heard.encode())
    return path


def _blocks(sound: Sound, at_s: float) -> Iterator[av.AudioFrame]:
    t = np.arange(round(sound.seconds * sound.rate)) / sound.rate
    wave = np.where(t >= sound.onset_s, 0.5 * np.sin(2 * np.pi * TONE_HZ * t), 0)
    channels = av.AudioLayout(sound.layout).nb_channels
    for begin in range(0, len(wave), 1024):
        part = np.repeat(wave[None, begin : begin + 1024].astype(np.float32), channels, axis=0)
        block = av.AudioFrame.from_ndarray(part, format="fltp", layout=sound.layout)
        block.sample_rate, block.pts = sound.rate, begin + round(at_s * sound.rate)
        block.time_base = Fraction(1, sound.rate)
        yield block


def greys(n: int, size_wh: tuple[int, int] = (160, 120)) -> list[np.ndarray]:
    """Plain pictures; their levels are 40 apart, because codecs are lossy, and tell i % 6."""
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


def rotate(path: Path, turns: int, is_mirrored: bool = False) -> Path:
    """Set the display matrix of an mp4's first track: shown turned by `turns` * 90° clockwise;
    before, left and right are changed if it `is_mirrored`."""
    cos, sin = [(1, 0), (0, 1), (-1, 0), (0, -1)][turns % 4]
    one = 1 << 16
    across = -one if is_mirrored else one
    matrix = struct.pack(
        ">9i", cos * across, sin * across, 0, -sin * one, cos * one, 0, 0, 0, 1 << 30
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


def play_what_there_is(path: Path) -> list[np.ndarray]:
    """The pictures up to where the file is damaged."""
    pictures = []
    with av.open(str(path)) as container, contextlib.suppress(av.error.InvalidDataError):
        for frame in container.decode(video=0):
            pictures.append(frame.to_ndarray(format="bgr24"))
    return pictures


def hear(path: Path) -> tuple[float, float]:
    """When the tone of a clip begins, and when its sound ends, in the clip's time."""
    onset_s = end_s = -1.0
    to_float = av.AudioResampler(format="flt", layout="mono")
    with av.open(str(path)) as container:
        for sound in container.decode(audio=0):
            (plain,) = to_float.resample(sound) or [None]
            if plain is None:
                continue
            loud = np.flatnonzero(np.abs(plain.to_ndarray()[0]) > 0.1)
            if onset_s < 0 and len(loud):
                onset_s = sound.time + float(loud[0]) / sound.sample_rate
            end_s = sound.time + sound.samples / sound.sample_rate
    return onset_s, end_s


# Pictures


def png(picture: np.ndarray) -> bytes:
    return cv2.imencode(".png", picture)[1].tobytes()


def turned_jpeg(picture: np.ndarray, orientation: int) -> bytes:
    """A JPEG with EXIF's orientation tag and nothing else in its EXIF."""
    jpeg = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 100])[1].tobytes()
    entry = struct.pack("<HHIHH", 0x0112, 3, 1, orientation, 0)
    exif = b"Exif\0\0II*\0" + struct.pack("<IH", 8, 1) + entry + struct.pack("<I", 0)
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + jpeg[2:]


def turned_avif(picture: np.ndarray, orientation: int) -> bytes:
    """An AVIF that is to be turned as EXIF's orientations are."""
    from PIL import Image  # of scikit-image

    exif, file = Image.Exif(), io.BytesIO()
    exif[0x0112] = orientation
    Image.fromarray(picture[..., ::-1]).save(file, "avif", exif=exif, quality=95)
    return file.getvalue()


def png_that_claims(width: int, height: int) -> bytes:
    """A header alone: nothing that could be decoded."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = zlib.compress(b"\0" * 100)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")
    )


# The command line, and the places that inputs come from and outputs go to


@dataclass(frozen=True)
class Answer:
    """What a command left: exit code and streams."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()

    @property
    def rows(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.lines]

    def failure(self, code: int = 1) -> str:
        """The one line on stderr of a command that failed and said nothing else."""
        assert self.code == code, self.err
        assert self.out == ""
        return self.complaint()

    def complaint(self) -> str:
        """The one line that says `livecam: …`, whatever else there is on stderr."""
        assert "Traceback" not in self.err
        said = [line for line in self.err.splitlines() if line.startswith("livecam: ")]
        assert len(said) == 1, self.err
        return said[0]


class Command:
    """Callable: the arguments of `livecam` -> Answer, in this process.

    Native libraries are heard too, because capfd listens to the descriptors.
    """

    def __init__(self, capfd: pytest.CaptureFixture[str]) -> None:
        self._capfd = capfd

    def __call__(self, *arguments: object, stdin: bytes | None = None) -> Answer:
        from livecam.cli import main

        stream = sys.stdin
        if stdin is not None:
            sys.stdin = io.TextIOWrapper(io.BytesIO(stdin))
        self._capfd.readouterr()
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as stop:  # argparse
            code = int(stop.code or 0)
        finally:
            sys.stdin = stream
        return Answer(code, *self._capfd.readouterr())


FIELDS = (  # of a table of tracks
    "file", "frame", "time_s", "track_id", "x_min", "y_min", "x_max", "y_max", "confidence",
    "age", "age_low", "age_high", "age_bin", "female_prob",
)  # fmt: skip


def table(name: str | Path) -> list[dict[str, str]]:
    """The rows of a table of tracks, which is whole."""
    text = Path(name).read_text()
    assert text.endswith("\n")
    assert text.splitlines()[0] == ",".join(FIELDS)
    rows = list(csv.DictReader(text.splitlines()))
    assert all(None not in row and None not in row.values() for row in rows), "a broken row"
    return rows


LIVECAM = (sys.executable, "-c", "import sys; from livecam.cli import main; sys.exit(main())")


def files_of(folder: Path) -> list[str]:
    """Everything in a folder and below, hidden files too."""
    return sorted(str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file())


@contextlib.contextmanager
def served(answer: Callable[[http.server.BaseHTTPRequestHandler], None]) -> Iterator[str]:
    """A server on loopback that answers every GET with `answer`; gives its base address."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            with contextlib.suppress(ConnectionError):
                answer(self)

        def log_message(self, *words: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def files_in(folder: Path) -> Callable[[http.server.BaseHTTPRequestHandler], None]:
    """Answers with the files of a folder, whatever the query; 404 for what is not there."""

    def answer(request: http.server.BaseHTTPRequestHandler) -> None:
        name = urllib.parse.unquote(urllib.parse.urlsplit(request.path).path).lstrip("/")
        file = folder / name
        if not name or not file.is_file():
            request.send_error(404)
            return
        data = file.read_bytes()
        request.send_response(200)
        request.send_header("Content-Length", str(len(data)))
        request.end_headers()
        request.wfile.write(data)

    return answer


@contextlib.contextmanager
def small_disk(place: Path, kilobytes: int, files: int = 0) -> Iterator[Path]:
    """A file system of its own that soon is full; of so many files, if that is not 0."""
    # the root counts as one
    options = f"size={kilobytes}k" + (f",nr_inodes={files + 1}" if files else "")
    with _mounted(place, "-t", "tmpfs", "-o", options, "tmpfs"):
        yield place


def fill(disk: Path) -> None:
    """Leave no byte free."""
    with (disk / "filling").open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))


@contextlib.contextmanager
def read_only(folder: Path) -> Iterator[Path]:
    """The folder, as if on a disc that cannot be written, root or not."""
    with _mounted(folder, "--bind", str(folder)):
        done = subprocess.run(
            ["mount", "-o", "remount,bind,ro", str(folder)], capture_output=True, text=True
        )
        if done.returncode:
            unavailable(f"a read-only mount ({done.stderr.strip()})")
        yield folder


@contextlib.contextmanager
def _mounted(place: Path, *arguments: str) -> Iterator[None]:
    if not shutil.which("mount") or not hasattr(os, "geteuid") or os.geteuid():
        unavailable("the right to mount")
    place.mkdir(exist_ok=True)
    done = subprocess.run(["mount", *arguments, str(place)], capture_output=True, text=True)
    if done.returncode:
        unavailable(f"the right to mount ({done.stderr.strip()})")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


# HEIC: 64 × 48 pixels, to be turned by a quarter clockwise; made for this test with pillow-heif
HEIC = base64.b64decode(
    "AAAAHGZ0eXBoZWljAAAAAG1pZjFoZWljbWlhZgAAAchtZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAA"
    "AAAAAAAAAAAAADRpbG9jAAAAAERAAAIAAQAAAAAB7AABAAAAAAAAAREAAgAAAAAC/QABAAAAAAAAACQAAAA4aWlu"
    "ZgAAAAAAAgAAABVpbmZlAgAAAAABAABodmMxAAAAABVpbmZlAgAAAQACAABFeGlmAAAAAA5waXRtAAAAAAABAAAB"
    "B2lwcnAAAADmaXBjbwAAAHZodmNDAQNwAAAAkAAAAAAAHvAA/P34+AAADwNgAAEAGEABDAH//wNwAAADAJAAAAMA"
    "AAMAHroCQGEAAQAqQgEBA3AAAAMAkAAAAwAAAwAeoCCBBZbq5Ka5uAhoMCAAAAMDIAAAAwAhYgABAAZEAcFzwIkA"
    "AAATY29scm5jbHgAAQANAAaAAAAAFGlzcGUAAAAAAAAAQAAAAEAAAAAoY2xhcAAAAEAAAAABAAAAMAAAAAEAAAAA"
    "AAAAAv////AAAAACAAAAEHBpeGkAAAAAAwgICAAAAAlpcm90AwAAABlpcG1hAAAAAAAAAAEAAQaBAgMFhIYAAAAa"
    "aXJlZgAAAAAAAAAOY2RzYwACAAEAAQAAAT1tZGF0AAABDSgBrwY46Ve9xvAxu/3Z4Q5yAQiV6M7gQJfTM5kkPlj8"
    "4guTW0t+T9Gi17MUHgmc8Hl3iaguyrV5slt5SOSml/jP+//g/6yCrb+x/8V/+hH8GjYn3N4pEmtRmWnCBtjtlmfw"
    "c3yNRHXflNrYgpjg5v//+yGbuQp6xz7D4RwtbdfMunBrua+zW8Ph0EIj/Xbr9kX35PkdkQ76a1xRVR29fSx8XnMb"
    "vVbMrikEvvP9y/EdiB3jd+IFLIdOfEk789MA6TworAdf9XcsAl5dthibBoLDLq8ufMtf635n8zwq8U6ejQMSBW0/"
    "ZtFXJT7rn1Xtl1xigAYUlAxGBzW5pHUv0U42q/7zIdC71WLsSCFgAAAABkV4aWYAAE1NACoAAAAIAAEBEgADAAAA"
    "AQAGAAAAAAAA"
)
