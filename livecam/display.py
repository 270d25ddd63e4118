"""The window, and whether there can be one."""

from __future__ import annotations

import ctypes
import os
import sys

import cv2

from livecam.datatypes import Image
from livecam.errors import LivecamError

QT_NEEDS = ("libX11.so.6", "libSM.so.6", "libXext.so.6")  # by OpenCV's windows, not in its wheel
QUIT_KEYS = frozenset({ord("q"), 27})


def problem() -> str | None:
    """Why no window can be opened, or None. Asked first: OpenCV would end the process."""
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
    x11.XCloseDisplay.argtypes = [ctypes.c_void_p]
    display = x11.XOpenDisplay(name.encode())
    if not display:
        return f"the display {name} does not answer"
    x11.XCloseDisplay(display)
    return None


class Window:
    """A window that shows pictures. A context manager; raises LivecamError without a display."""

    def __init__(self, title: str) -> None:
        reason = problem()
        if reason is not None:
            raise LivecamError(f"no window: {reason}; commands that write files need none")
        # Qt complains about fonts that it does not need
        os.environ.setdefault("QT_LOGGING_RULES", "*.warning=false")
        self.title = title
        self.is_open = True
        self._is_sized = False  # a window opens at the size of its first picture

    def __enter__(self) -> Window:
        cv2.namedWindow(self.title, cv2.WINDOW_NORMAL | cv2.WINDOW_GUI_NORMAL)
        return self

    def show(self, bgr: Image, wait_s: float = 0.001) -> None:
        """Show one picture for at least `wait_s`; q, ESC or the window's button close it."""
        if not self.is_open:
            return
        if not self._is_sized:
            cv2.resizeWindow(self.title, bgr.shape[1], bgr.shape[0])
            self._is_sized = True
        cv2.imshow(self.title, bgr)
        key = cv2.waitKey(max(1, round(1000 * wait_s))) & 0xFF
        if key in QUIT_KEYS or cv2.getWindowProperty(self.title, cv2.WND_PROP_VISIBLE) < 1:
            self.is_open = False
            cv2.destroyWindow(self.title)

    def __exit__(self, *exc: object) -> None:
        if self.is_open:
            cv2.destroyWindow(self.title)
