"""The cameras of this computer: which there are, opened, or why not.

Nothing else calls `cv2.VideoCapture`. On Linux camera N is /dev/videoN; elsewhere the system
gives no list, and a camera is there if it opens.
"""

from __future__ import annotations

import contextlib
import math
import os
import sys
import time
from pathlib import Path

import cv2
import numpy as np

from livecam.config import CameraConfig
from livecam.datatypes import Image
from livecam.errors import LivecamError, UsageError
from livecam.extras import silent_stderr

cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # errors are raised
# OpenCV reads these when it opens its first camera. V4L2 would wait 10 s for a picture that does
# not come, and nobody could close it meanwhile
os.environ.setdefault("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", "3")
# on macOS OpenCV asks for permission in the main thread only; the system itself asks in any
os.environ.setdefault("OPENCV_AVFOUNDATION_SKIP_AUTH", "1")
# FFmpeg counts the cameras in an order of its own
os.environ.setdefault("OPENCV_VIDEOIO_PRIORITY_FFMPEG", "0")

DEV = Path("/dev")
SYS = Path("/sys/class/video4linux")
PROC = Path("/proc")
UNLISTED = range(10)  # what may be there on systems that have no list
MOST = 100  # from here on OpenCV reads an index as a back end
FIRST_PICTURE_S = 3.0  # some cameras give nothing at first
RETRY_S = 0.05
BUFFERED = 2  # one to read and one to fill: more are pictures of the past, one halves the rate


class Camera:
    """An opened camera. A context manager.

    `size_wh` is the size of the pictures that come, `fps` is 0 where the device does not say.
    """

    def __init__(self, index: int, capture: cv2.VideoCapture, first: Image) -> None:
        self.index, self.name = index, _name(index)
        self.size_wh = (first.shape[1], first.shape[0])
        self.backend = capture.getBackendName()
        fps = capture.get(cv2.CAP_PROP_FPS)
        self.fps = float(fps) if math.isfinite(fps) and fps > 0 else 0.0
        self._capture = capture
        self._first: Image | None = first

    @property
    def detail(self) -> str:
        """`Desk Camera, 1280x720 at 30 fps (V4L2)`"""
        width, height = self.size_wh
        rate = f" at {self.fps:.4g} fps" if self.fps else ""
        return f"{self.name}, {width}x{height}{rate} ({self.backend})"

    def __enter__(self) -> Camera:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def read(self) -> Image | None:
        """The next picture, (H, W, 3) BGR; None if it gave none this time, or is closed."""
        first, self._first = self._first, None
        return first if first is not None else _read(self._capture)

    def close(self) -> None:
        """Let it go; not while another thread reads, which would end the process. May be called
        again."""
        self._first = None
        self._capture.release()


def open_camera(index: int, wanted: CameraConfig) -> Camera:
    """The camera with its first picture at hand, in the format nearest to `wanted` that it has.

    Raises LivecamError with the reason and what to do if it does not open or gives no picture.
    """
    if not 0 <= index < MOST:
        raise UsageError(f"camera {index}: expected a number from 0 to {MOST - 1}")
    refused = {"FFMPEG"}  # where its priority came too late
    for backend in _backends():
        camera = _opened(index, backend, wanted, refused)
        if camera is not None:
            return camera
    raise LivecamError(f"camera {index}: {why_not(index)}")


def _backends() -> tuple[int, ...]:
    """In the order in which they are tried."""
    if sys.platform == "win32":
        return (cv2.CAP_DSHOW, cv2.CAP_MSMF, cv2.CAP_ANY)  # MSMF may take minutes to open
    if sys.platform == "darwin":
        return (cv2.CAP_AVFOUNDATION, cv2.CAP_ANY)
    return (cv2.CAP_V4L2, cv2.CAP_ANY)


def _opened(index: int, backend: int, wanted: CameraConfig, refused: set[str]) -> Camera | None:
    """None if this back end gives no picture; its name is `refused` from then on."""
    try:
        with _silence(), contextlib.ExitStack() as unless_good:
            capture = cv2.VideoCapture(index, backend)
            unless_good.callback(capture.release)
            if not capture.isOpened() or capture.getBackendName() in refused:
                return None
            refused.add(capture.getBackendName())
            _ask(capture, wanted)
            first = _first_picture(capture)
            if first is None:
                return None
            camera = Camera(index, capture, first)
            unless_good.pop_all()
            return camera
    except cv2.error:
        return None


def _silence() -> contextlib.AbstractContextManager[None]:
    """OpenCV's code for macOS prints to stderr itself, whatever its log level is."""
    return silent_stderr() if sys.platform == "darwin" else contextlib.nullcontext()


def _ask(capture: cv2.VideoCapture, wanted: CameraConfig) -> None:
    # webcams give 720p at 30 fps as JPEG only; first, because a new size is set up with it, but
    # last for DirectShow, which forgets it with a new size or rate
    jpeg = [(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG"))]
    size_and_rate = [
        (cv2.CAP_PROP_FRAME_WIDTH, wanted.width_px),
        (cv2.CAP_PROP_FRAME_HEIGHT, wanted.height_px),
        (cv2.CAP_PROP_FPS, wanted.fps),
    ]
    is_last = capture.getBackendName() == "DSHOW"
    for what, value in size_and_rate + jpeg if is_last else jpeg + size_and_rate:
        capture.set(what, value)
    capture.set(cv2.CAP_PROP_BUFFERSIZE, BUFFERED)


def _first_picture(capture: cv2.VideoCapture) -> Image | None:
    until_s = time.perf_counter() + FIRST_PICTURE_S
    while True:
        picture = _read(capture)
        if picture is not None or time.perf_counter() >= until_s:
            return picture
        time.sleep(RETRY_S)


def _read(capture: cv2.VideoCapture) -> Image | None:
    try:
        is_read, picture = capture.read()
    except cv2.error:  # a JPEG of no bytes: the next one may be whole
        return None
    if not is_read or picture is None:
        return None
    return _bgr(picture)


def _bgr(picture: np.ndarray) -> Image:
    """(H, W), (H, W, 1), (H, W, 3) or (H, W, 4) -> (H, W, 3)."""
    channels = 1 if picture.ndim == 2 else picture.shape[2]
    if channels == 1:
        return cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR)
    if channels == 4:
        return cv2.cvtColor(picture, cv2.COLOR_BGRA2BGR)
    return picture


# Which there are


def has_list() -> bool:
    """Whether this system says which cameras there are."""
    return sys.platform not in ("win32", "darwin")


def indices() -> list[int]:
    """Cameras that may be there, in numeric order."""
    if not has_list():
        return list(UNLISTED)
    return [number for number in _nodes() if _read_line(number, "index") in ("", "0")]


def next_after(index: int) -> list[int]:
    """The other cameras, in cyclic order after this one."""
    there = indices()
    return [other for other in there if other > index] + [other for other in there if other < index]


def _nodes() -> list[int]:
    """The numbers of /dev/video*; one camera may have several nodes, the others for metadata."""
    names = (node.name.removeprefix("video") for node in DEV.glob("video*"))
    return sorted(int(name) for name in names if name.isdecimal())


def _read_line(index: int, name: str) -> str:
    """What the kernel says about a camera; empty if it does not."""
    try:
        return (SYS / f"video{index}" / name).read_text(errors="replace").strip()
    except OSError:
        return ""


def _name(index: int) -> str:
    name = _read_line(index, "name") if has_list() else ""
    short, _, again = name.partition(": ")  # the kernel says "Webcam: Webcam", cut to 31 letters
    return (short if short.startswith(again) else name) or f"camera {index}"


# Why one does not open


def why_not(index: int) -> str:
    """Why this camera does not open; what to do."""
    if sys.platform == "win32":
        return (
            "does not open or gives no picture; allow desktop apps in Settings > Privacy & "
            "security > Camera, and close other programs that use it"
        )
    if sys.platform == "darwin":
        return (
            "does not open or gives no picture; allow your terminal in System Settings > "
            "Privacy & Security > Camera, then start it again"
        )
    return _why_not_on_linux(index)


def _why_not_on_linux(index: int) -> str:
    node = DEV / f"video{index}"
    nodes = _nodes()
    others = _listed([other for other in indices() if other != index])
    if not nodes:
        return (
            "no camera is connected, or this container or virtual machine does not see it; plug "
            f"one in, or pass it through (docker run --device {node})"
        )
    if index not in nodes:
        return f"there is no {node}; {others}"
    if not os.access(node, os.R_OK | os.W_OK):
        return (
            f"no permission to use {node}; add yourself to the group video: "
            "sudo usermod -aG video $USER, then log in again"
        )
    holder = _holder(node)
    if holder is not None:
        return f"{holder} uses it; close it"
    if index not in indices():
        return f"{node} gives data about pictures, but no pictures; {others}"
    return (
        f"{node} gives no picture; close other programs that may use it, or unplug the camera "
        "and plug it in again"
    )


def _listed(there: list[int]) -> str:
    if not there:
        return "plug in a camera"
    if len(there) == 1:
        return f"there is camera {there[0]}"
    return f"there are cameras {', '.join(map(str, there[:-1]))} and {there[-1]}"


def _holder(node: Path) -> str | None:
    """`program (pid N)` that has the camera open, as far as we may look."""
    for process in PROC.glob("[0-9]*"):
        with contextlib.suppress(OSError):  # of somebody else, or ended meanwhile
            if any(_target(link) == node for link in (process / "fd").iterdir()):
                program = (process / "comm").read_text(errors="replace").strip()
                return f"{program} (pid {process.name})"
    return None


def _target(link: Path) -> Path | None:
    try:
        return link.readlink()
    except OSError:  # closed meanwhile
        return None
