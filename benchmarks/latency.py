"""How late a person sees a camera's picture, with its labels, in a real window."""

from __future__ import annotations

import contextlib
import http.server
import os
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence

import cv2
import numpy as np

from benchmarks.bench import Bench
from benchmarks.commands import livecam
from benchmarks.table import Row
from livecam.datatypes import Image
from livecam.demo import portrait
from livecam.display import problem
from livecam.errors import LivecamError
from livecam.exit_codes import say

SIZE_WH = (1280, 720)
FPS = 30
PEOPLE = 4
PICTURES = 60  # that the camera sends again and again
SECONDS = 12
SAID = re.compile(r"camera to screen (\d+) ms \(95 % within (\d+) ms\)")
LABELLED = re.compile(r"\(([\d.]+) fps\)")


def latency(bench: Bench) -> Iterator[Row]:
    """`run` on a camera of its own, on loopback."""
    jpegs = [cv2.imencode(".jpg", bgr)[1].tobytes() for bgr in scene()]
    with contextlib.ExitStack() as stack:
        display = stack.enter_context(_display())
        if display is None:
            say("latency: left out; a display or Xvfb brings it")
            return
        url = stack.enter_context(camera(jpegs, FPS))
        err = livecam("run", "--camera", url, "--duration", SECONDS, display=display).err
    said, rate = SAID.search(err), LABELLED.search(err)
    if said is None or rate is None:
        raise LivecamError(f"latency: run did not say it, but: {err.strip()[-200:]}")
    name = f"camera {SIZE_WH[0]}×{SIZE_WH[1]}, {FPS} fps, {PEOPLE} faces"
    p50, p95 = (float(value) for value in said.groups())
    yield Row(
        measure="capture to screen in `run`, 95 % within",
        clip=name,
        ours=p95,
        other=1000 / FPS,
        unit="ms",
        ratio=p95 * FPS / 1000,
        meaning=f"times the time between two pictures (median {p50:.0f} ms)",
    )
    labelled = float(rate[1])
    yield Row(
        measure="pictures labelled in `run`",
        clip=name,
        ours=labelled,
        other=FPS,
        unit="per s",
        ratio=labelled / FPS,
        meaning="share of the camera's pictures",
    )


def scene() -> list[Image]:
    """(720, 1280, 3) BGR: four heads, from scikit-image's portrait, that sway."""
    head = portrait()[10:200, 120:330]
    pictures = []
    for i in range(PICTURES):
        canvas = np.full((SIZE_WH[1], SIZE_WH[0], 3), 70, np.uint8)
        for person in range(PEOPLE):
            turn = 2 * np.pi * (i / PICTURES + person / PEOPLE)
            x, y = 50 + 310 * person + round(20 * np.sin(turn)), 220 + round(15 * np.cos(turn))
            seen = head[:, ::-1] if person % 2 else head
            canvas[y : y + head.shape[0], x : x + head.shape[1]] = seen
        pictures.append(canvas)
    return pictures


@contextlib.contextmanager
def camera(jpegs: Sequence[bytes], fps: float) -> Iterator[str]:
    """An MJPEG stream over HTTP on loopback; gives its address."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=picture")
            self.end_headers()
            with contextlib.suppress(ConnectionError):
                self._stream()

        def _stream(self) -> None:
            begin_s, sent = time.monotonic(), 0
            while not is_over.wait(max(0.0, begin_s + sent / fps - time.monotonic())):
                jpeg = jpegs[sent % len(jpegs)]
                head = f"--picture\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}"
                self.wfile.write(head.encode() + b"\r\n\r\n" + jpeg + b"\r\n")
                sent += 1

        def log_message(self, *words: object) -> None:
            pass

    is_over = threading.Event()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/camera.mjpg"
    finally:
        is_over.set()
        server.shutdown()
        thread.join()
        server.server_close()


@contextlib.contextmanager
def _display() -> Iterator[str | None]:
    """The one that is there, else an Xvfb, else None."""
    if problem() is None:
        yield os.environ.get("DISPLAY")
        return
    server = shutil.which("Xvfb")
    if server is None:
        yield None
        return
    read, write = os.pipe()
    child = subprocess.Popen(
        [server, "-noreset", "-displayfd", str(write), "-screen", "0", "1600x1000x24"],
        pass_fds=[write], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    os.close(write)
    try:
        with os.fdopen(read) as announced:
            number = announced.readline().strip()
        yield f":{number}" if number else None
    finally:
        child.terminate()
        child.wait()
