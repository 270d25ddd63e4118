"""The window, and whether there can be one."""

from __future__ import annotations

import ctypes
import os
import sys
import time

import cv2

from livecam.datatypes import Image
from livecam.errors import LivecamError
from livecam.wording import utf8
from livecam.x11 import tell_mapped_soon

QT_NEEDS = ("libX11.so.6", "libSM.so.6", "libXext.so.6")  # by OpenCV's windows, not in its wheel
WITH_WINDOWS = (  # both packages bring a cv2, and the one installed last is there
    "pip uninstall opencv-python-headless, then pip install --force-reinstall opencv-python"
)
NAME = "livecam"  # of the one window, for OpenCV, which cannot find other than ASCII
QUIT_KEYS = frozenset("q\x1b")
MOUSE_LASTS_S = 10.0


def problem() -> str | None:
    """Why no window can be opened, or None. Asked first: OpenCV would end the process."""
    if not cv2.currentUIFramework():
        return f"this OpenCV has no windows; {WITH_WINDOWS}"
    if sys.platform in ("win32", "darwin"):
        return None
    name = os.environ.get("DISPLAY")
    if not name:
        return "DISPLAY is not set"
    try:
        x11, *_ = [ctypes.CDLL(library) for library in QT_NEEDS]
    except OSError as error:
        return f"{error}; on Debian or Ubuntu: apt-get install libx11-6 libsm6 libxext6"
    x11.XOpenDisplay.restype = ctypes.c_void_p
    x11.XOpenDisplay.argtypes = [ctypes.c_char_p]
    # never closed: a server whose last client leaves starts anew, and is deaf for a moment
    if not x11.XOpenDisplay(name.encode()):
        return f"the display {name} does not answer"
    return None


class Window:
    """A window that shows pictures. A context manager; raises LivecamError without a display.

    It opens at `size_wh`, or at the size of its first picture.
    """

    def __init__(self, title: str, size_wh: tuple[int, int] | None = None) -> None:
        reason = problem()
        if reason is not None:
            raise LivecamError(
                f"no window: {reason}; livecam run --headless and annotate need none"
            )
        # Qt complains about fonts that it does not need
        os.environ.setdefault("QT_LOGGING_RULES", "*.warning=false")
        self.title = utf8(title)  # OpenCV crashes on what is no text
        self.is_open = True
        self.is_full_screen = False
        self._mouse: tuple[int, int] | None = None
        self._moved_s = 0.0  # when the pointer was moved last
        self._size_wh = size_wh
        self._is_shown = False

    def __enter__(self) -> Window:
        # pictures come in the window's own size: around others OpenCV would leave white bars
        cv2.namedWindow(NAME, cv2.WINDOW_NORMAL | cv2.WINDOW_FREERATIO | cv2.WINDOW_GUI_NORMAL)
        cv2.waitKey(1)  # Qt's turn: a size changed before it may leave the window black…
        tell_mapped_soon()  # …and so may a notice that it missed
        cv2.setWindowTitle(NAME, self.title)
        cv2.setMouseCallback(NAME, self._on_mouse)
        if self._size_wh is not None:
            self.resize(self._size_wh)
        return self

    def _on_mouse(self, event: int, x: int, y: int, flags: int, data: object) -> None:
        self._mouse, self._moved_s = (x, y), time.perf_counter()

    @property
    def mouse(self) -> tuple[int, int] | None:
        """Where the pointer is, in pixels of the picture shown. None if it has not moved for some
        time: nothing tells that it left the window."""
        is_there = time.perf_counter() - self._moved_s < MOUSE_LASTS_S
        return self._mouse if is_there else None

    def show(self, bgr: Image) -> None:
        """Give it a picture; it is on the screen after the next `key`."""
        if not self.is_open:
            return
        cv2.imshow(NAME, bgr)
        if not self._is_shown and self._size_wh is None:
            self.resize((bgr.shape[1], bgr.shape[0]))
        self._is_shown = True

    def key(self, wait_s: float = 0.001) -> str:
        """The key pressed, as a small letter or sign, or nothing; waits at most that long.

        q, ESC and the window's button close it.
        """
        if not self.is_open:
            return ""
        code = cv2.waitKeyEx(max(1, round(1000 * wait_s)))
        # arrows and the like have larger codes, which would look like letters if cut to a byte
        pressed = chr(code).lower() if 0 <= code < 256 else ""
        if pressed in QUIT_KEYS or not self._is_visible():
            self._close()
            return ""
        return pressed

    def _is_visible(self) -> bool:
        if sys.platform == "darwin":  # no button closes its windows; one in the Dock is not visible
            return True
        try:
            return cv2.getWindowProperty(NAME, cv2.WND_PROP_VISIBLE) >= 1
        except cv2.error:  # how Qt says that its last window is gone
            return False

    def _close(self) -> None:
        if self.is_open and self._is_visible():
            cv2.destroyWindow(NAME)
        self.is_open = False

    @property
    def size_wh(self) -> tuple[int, int] | None:
        """Of what is in the window; None before there is a picture."""
        if not self.is_open or not self._is_shown:
            return None
        if sys.platform == "darwin":  # there OpenCV says the size of the picture, and scales it
            return self._size_wh
        _, _, width, height = cv2.getWindowImageRect(NAME)
        return (width, height) if width > 0 and height > 0 else None

    def resize(self, size_wh: tuple[int, int]) -> None:
        if not self.is_full_screen:
            self._size_wh = size_wh
            cv2.resizeWindow(NAME, *size_wh)

    def set_title(self, text: str) -> None:
        cv2.setWindowTitle(NAME, utf8(text))

    def toggle_full_screen(self) -> None:
        self.is_full_screen = not self.is_full_screen
        wanted = cv2.WINDOW_FULLSCREEN if self.is_full_screen else cv2.WINDOW_NORMAL
        cv2.setWindowProperty(NAME, cv2.WND_PROP_FULLSCREEN, wanted)

    def __exit__(self, *exc: object) -> None:
        self._close()
