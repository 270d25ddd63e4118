"""Cameras on loopback that stream live: MJPEG over HTTP, and H.264 over RTSP (interleaved in TCP).

    with streams.RtspServer(lambda index: pictures[index % 6], fps=15) as camera:
        container = av.open(camera.url)

They can stall, be cut off, come back, and change the picture's size and the rate meanwhile. Each
is one thread with an event loop; nobody has to read what it sends for it to close.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import email
import itertools
import re
import socket
import struct
import threading
from collections.abc import Callable, Coroutine
from email.message import Message
from fractions import Fraction
from typing import Any, Self

import av
import cv2
import numpy as np

HOST = "127.0.0.1"
BACKLOG = 1 << 20  # bytes; a client that is further behind misses pictures
CLOCK_HZ = 90_000  # of RTP
PAYLOAD = 1400  # bytes of a picture in one RTP packet
START_CODE = re.compile(rb"\x00\x00\x00?\x01")


class _Camera:
    """Makes pictures by the clock, clients or not, and sends them to whoever plays.

    `picture(index)` is BGR; it runs in the server's thread, and what it raises comes out at the
    end of the `with`. `index` is the time since the start in pictures, so none is called for what
    a stall left out. `picture` and `fps` can be set at any time and hold from the next picture on.
    """

    scheme, path = "", ""

    def __init__(self, picture: Callable[[int], np.ndarray], fps: float = 15.0) -> None:
        self.picture, self.fps = picture, fps
        self.sent = 0  # pictures, to all clients together
        self._port = 0  # any; then the same for ever
        self._door: socket.socket | None = None
        self._clients: set[asyncio.Task[None]] = set()
        self._players: dict[asyncio.StreamWriter, int] = {}  # and the channel of each

    @property
    def url(self) -> str:
        return f"{self.scheme}://{HOST}:{self._port}{self.path}"

    @property
    def players(self) -> int:
        """How many clients get pictures."""
        return len(self._players)

    def stall(self) -> None:
        """Connections stay and new ones are taken, but no byte is sent."""
        self._stalled = True
        self._do(asyncio.sleep, 0)  # for a picture that was being made

    def resume(self) -> None:
        self._stalled = False

    def cut(self) -> None:
        """Close every connection, and refuse new ones until `restore`."""
        self._do(self._shut)

    def restore(self) -> None:
        self._do(self._open)

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as undo:
            seat = undo.enter_context(_bound(self._port))  # keeps the port while nobody listens
            self._port = seat.getsockname()[1]
            self._loop = asyncio.SelectorEventLoop()
            undo.callback(self._loop.close)
            thread = threading.Thread(target=self._loop.run_forever, name=self.url)
            thread.start()
            undo.callback(thread.join)
            undo.callback(self._loop.call_soon_threadsafe, self._loop.stop)
            self._do(self._begin)
            undo.callback(self._do, self._end)
            self._undo = undo.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self._undo.close()

    def _do(self, job: Callable[..., Coroutine[Any, Any, None]], *arguments: object) -> None:
        asyncio.run_coroutine_threadsafe(job(*arguments), self._loop).result(timeout=5.0)

    async def _begin(self) -> None:
        self._stalled = False
        await self._open()
        self._maker = asyncio.create_task(self._make())

    async def _end(self) -> None:
        await self._shut()
        self._maker.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._maker  # raises what `picture` raised

    async def _open(self) -> None:
        if self._door is None:
            self._door = _bound(self._port)
            self._door.setblocking(False)
            self._door.listen()
            self._loop.add_reader(self._door, self._let_in, self._door)

    async def _shut(self) -> None:
        if self._door is not None:
            self._loop.remove_reader(self._door)
            self._door.close()
            self._door = None
        for client in self._clients:
            client.cancel()
        await asyncio.gather(*self._clients, return_exceptions=True)

    def _let_in(self, door: socket.socket) -> None:
        with contextlib.suppress(OSError):  # gone again
            connection, _ = door.accept()
            connection.setblocking(False)
            client = self._loop.create_task(self._meet(connection))
            self._clients.add(client)
            client.add_done_callback(self._clients.discard)
            client.add_done_callback(lambda _: connection.close())

    async def _make(self) -> None:
        index, due_s = 0, 0.0
        begin_s = self._loop.time()
        while True:
            if not self._stalled:
                self._send(self._encode(self.picture(index), due_s))
            index += 1
            due_s += 1 / self.fps
            await asyncio.sleep(max(0.0, begin_s + due_s - self._loop.time()))

    def _send(self, packets: list[bytes]) -> None:
        for player, channel in self._players.items():
            if player.transport.get_write_buffer_size() < BACKLOG:
                player.write(self._wrap(packets, channel))
                self.sent += 1

    async def _meet(self, connection: socket.socket) -> None:
        reader, writer = await asyncio.open_connection(sock=connection)
        try:
            await self._serve(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass  # the client has gone
        finally:
            self._players.pop(writer, None)
            writer.transport.abort()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _request(self, reader: asyncio.StreamReader) -> tuple[str, str, Message]:
        """A client's next request, HTTP's or RTSP's, when it may be answered."""
        while (first := await reader.readexactly(1)) == b"$":  # a player's RTCP
            (size,) = struct.unpack(">xH", await reader.readexactly(3))
            await reader.readexactly(size)
        head = (first + await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        line, _, rest = head.partition("\r\n")
        headers = email.message_from_string(rest)
        await reader.readexactly(int(headers.get("Content-Length", 0)))
        while self._stalled:
            await asyncio.sleep(0.01)
        method, target, _ = line.split(" ", 2)
        return method, target, headers

    def _encode(self, picture: np.ndarray, time_s: float) -> list[bytes]:
        raise NotImplementedError

    def _wrap(self, packets: list[bytes], channel: int) -> bytes:
        return b"".join(packets)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Talk with a client until it goes; in `_players` it gets pictures."""
        raise NotImplementedError


def _bound(port: int) -> socket.socket:
    end = socket.socket()
    try:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        end.bind((HOST, port))
    except OSError:
        end.close()
        raise
    return end


class MjpegServer(_Camera):
    """A new size is in the next picture."""

    scheme, path = "http", "/cam.mjpg"

    def _encode(self, picture: np.ndarray, time_s: float) -> list[bytes]:
        jpeg = cv2.imencode(".jpg", picture)[1].tobytes()
        head = f"--picture\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
        return [head.encode(), jpeg, b"\r\n"]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _, target, _ = await self._request(reader)
        if target.partition("?")[0] != self.path:
            writer.write(b"HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n")
            return
        writer.write(
            b"HTTP/1.1 200 OK\r\nConnection: close\r\nCache-Control: no-store\r\n"
            b"Content-Type: multipart/x-mixed-replace; boundary=picture\r\n\r\n"
        )
        self._players[writer] = 0
        while await reader.read(4096):
            pass


class RtspServer(_Camera):
    """A new size is in-band: the next picture is a key picture, with its parameter sets.

    There is a key picture every second, with the sets again, and a player that comes in between
    gets what is being sent, as from most cameras.
    """

    scheme, path = "rtsp", "/cam"

    def __init__(self, picture: Callable[[int], np.ndarray], fps: float = 15.0) -> None:
        super().__init__(picture, fps)
        self._encodes: tuple[int, int, float] = (0, 0, 0.0)  # width, height, fps
        self._sets: list[bytes] = []  # SPS and PPS
        self._numbers = itertools.count()

    def _encode(self, picture: np.ndarray, time_s: float) -> list[bytes]:
        wanted = (picture.shape[1], picture.shape[0], self.fps)
        if time_s == 0 or self._encodes != wanted:
            self._encoder, self._encodes = _h264(*wanted), wanted
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="bgr24")
        frame = frame.reformat(format="yuv420p")
        frame.pts, frame.time_base = round(time_s * CLOCK_HZ), Fraction(1, CLOCK_HZ)
        data = b"".join(bytes(packet) for packet in self._encoder.encode(frame))
        units = [unit for unit in START_CODE.split(data) if unit]
        sets = [unit for unit in units if unit[0] & 31 in (7, 8)]
        self._sets = sets or self._sets
        return self._packets(units, frame.pts)

    def _packets(self, units: list[bytes], time: int) -> list[bytes]:
        """RTP as in RFC 6184: single units, and FU-A for large ones."""
        payloads = [payload for unit in units for payload in _payloads(unit)]
        packets = []
        for i, payload in enumerate(payloads, 1):
            kind = 96 | (i == len(payloads)) << 7  # the marker ends a picture
            number = next(self._numbers) & 0xFFFF
            head = struct.pack(">BBHII", 0x80, kind, number, time & 0xFFFFFFFF, 1)
            packets.append(head + payload)
        return packets

    def _wrap(self, packets: list[bytes], channel: int) -> bytes:
        return b"".join(struct.pack(">cBH", b"$", channel, len(p)) + p for p in packets)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        channel = -1  # not set up
        while True:
            method, target, headers = await self._request(reader)
            if asked := re.search(r"interleaved=(\d+)", headers.get("Transport", "")):
                channel = int(asked[1])
            status, more, body = self._answer(method, target, channel)
            head = f"RTSP/1.0 {status}\r\nCSeq: {headers['CSeq']}\r\nSession: 1\r\n{more}"
            writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode())
            if method == "TEARDOWN":
                return
            if method == "PLAY" and channel >= 0:
                self._players[writer] = channel

    def _answer(self, method: str, target: str, channel: int) -> tuple[str, str, str]:
        """Status, further headers, and body."""
        where = f"interleaved={channel}-{channel + 1}"
        content = f"Content-Base: {self.url}/\r\nContent-Type: application/sdp\r\n"
        known = {
            "OPTIONS": ("Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN, GET_PARAMETER\r\n", ""),
            "DESCRIBE": (content, self._description()),
            "SETUP": (f"Transport: RTP/AVP/TCP;unicast;{where}\r\n", ""),
            **dict.fromkeys(("PLAY", "TEARDOWN", "GET_PARAMETER"), ("", "")),
        }
        if self.path not in target:
            return "404 Not Found", "", ""
        if method not in known:
            return "501 Not Implemented", "", ""
        if method in ("SETUP", "PLAY") and channel < 0:
            return "461 Unsupported Transport", "", ""
        return "200 OK", *known[method]

    def _description(self) -> str:
        sets = ",".join(base64.b64encode(unit).decode() for unit in self._sets)
        profile = self._sets[0][1:4].hex()
        return (
            f"v=0\r\no=- 0 0 IN IP4 {HOST}\r\ns=cam\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\n"
            f"m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/{CLOCK_HZ}\r\na=fmtp:96 "
            f"packetization-mode=1;profile-level-id={profile};sprop-parameter-sets={sets}\r\n"
            "a=control:track1\r\n"
        )


def _h264(width: int, height: int, fps: float) -> av.VideoCodecContext:
    """Without a global header: the parameter sets are repeated with every key picture."""
    encoder = av.CodecContext.create("libx264", "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
    encoder.framerate = Fraction(fps).limit_denominator(1000)
    encoder.time_base = Fraction(1, CLOCK_HZ)
    encoder.gop_size = max(1, round(fps))
    encoder.thread_count = 1
    encoder.options = {"preset": "ultrafast", "tune": "zerolatency", "crf": "18"}
    return encoder


def _payloads(unit: bytes) -> list[bytes]:
    if len(unit) <= PAYLOAD:
        return [unit]
    parts = [unit[at : at + PAYLOAD] for at in range(1, len(unit), PAYLOAD)]
    heads = [unit[0] & 31] * len(parts)
    heads[0] |= 0x80
    heads[-1] |= 0x40
    kind = unit[0] & 0xE0 | 28
    return [bytes((kind, head)) + part for head, part in zip(heads, parts, strict=True)]
