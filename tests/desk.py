"""A person at a virtual display: starts a program, presses keys, moves the mouse, looks."""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
from conftest import unavailable

PATIENCE_S = 60.0  # a busy machine is slow
TESTS = Path(__file__).parent


class Program:
    """livecam, with the cameras of `fake_camera.py`, in a window. A context manager."""

    def __init__(self, display: str, folder: Path, *arguments: object) -> None:
        if shutil.which("xdotool") is None:
            unavailable("xdotool")
        self.display, self.folder = display, folder
        self._environment = {**os.environ, "DISPLAY": display}
        self._err = (folder / "stderr.txt").open("w+")
        self._out = (folder / "stdout.txt").open("w+")
        command = [sys.executable, str(TESTS / "fake_camera.py"), *map(str, arguments)]
        self.child = subprocess.Popen(
            command, cwd=folder, stdout=self._out, stderr=self._err, env=self._environment
        )

    def __enter__(self) -> Program:
        return self

    def __exit__(self, *exc: object) -> None:
        self.child.kill()
        self.child.wait()
        self._err.close()
        self._out.close()

    @property
    def err(self) -> str:
        return (self.folder / "stderr.txt").read_text()

    @property
    def out(self) -> list[str]:
        return (self.folder / "stdout.txt").read_text().splitlines()

    def wait_for(self, text: str, after: int = 0) -> int:
        """Until it says so; returns where in `err` that ends."""
        end_s = time.perf_counter() + PATIENCE_S
        while time.perf_counter() < end_s:
            at = self.err.find(text, after)
            if at >= 0:
                return at + len(text)
            if self.child.poll() is not None:
                break
            time.sleep(0.02)
        raise AssertionError(f"never said {text!r}, but:\n{self.err[after:]}")

    def press(self, key: str, answer: str = "") -> None:
        """A key, again until the window answers: it may not listen yet."""
        after = len(self.err)
        for _ in range(5):
            self._do("key", key)
            if not answer:
                return
            end_s = time.perf_counter() + PATIENCE_S / 5
            while time.perf_counter() < end_s:
                if answer in self.err[after:]:
                    return
                time.sleep(0.02)
        raise AssertionError(f"{key} was not answered by {answer!r}, but:\n{self.err[after:]}")

    def point_at(self, x: int, y: int) -> None:
        """Move the mouse to a place in the window."""
        left, top, _, _ = self.place
        self._do("mousemove", str(left + x), str(top + y))

    @property
    def window(self) -> str:
        return self._do("search", "--onlyvisible", "--name", "livecam").split()[-1]

    @property
    def title(self) -> str:
        return self._do("getwindowname", self.window).strip()

    @property
    def place(self) -> tuple[int, int, int, int]:
        """Left, top, width and height of the window on the screen."""
        said = self._do("getwindowgeometry", "--shell", self.window)
        values = dict(line.split("=") for line in said.splitlines() if "=" in line)
        return tuple(int(values[name]) for name in ("X", "Y", "WIDTH", "HEIGHT"))  # type: ignore[return-value]

    def resize(self, width: int, height: int) -> None:
        self._do("windowsize", self.window, str(width), str(height))

    def look(self) -> np.ndarray:
        """What is in the window: (H, W, 3) BGR."""
        from PIL import ImageGrab

        left, top, width, height = self.place
        box = (max(left, 0), max(top, 0), left + width, top + height)
        grabbed = ImageGrab.grab(bbox=box, xdisplay=self.display)
        return cv2.cvtColor(np.asarray(grabbed), cv2.COLOR_RGB2BGR)

    def close_window(self) -> None:
        """As the button of its frame does: a message to the window, which it may answer."""
        x11 = ctypes.CDLL("libX11.so.6")
        x11.XOpenDisplay.restype = ctypes.c_void_p
        x11.XInternAtom.restype = ctypes.c_ulong
        x11.XInternAtom.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int]
        x11.XSendEvent.argtypes = [
            ctypes.c_void_p, ctypes.c_ulong, ctypes.c_int, ctypes.c_long, ctypes.c_void_p,
        ]  # fmt: skip
        x11.XCloseDisplay.argtypes = [ctypes.c_void_p]
        server = x11.XOpenDisplay(self.display.encode())
        window = int(self.window)
        protocols, delete = (
            x11.XInternAtom(server, name, 0) for name in (b"WM_PROTOCOLS", b"WM_DELETE_WINDOW")
        )
        client_message, format_bits = 33, 32
        event = (ctypes.c_long * 24)(
            client_message, 0, 0, 0, window, protocols, format_bits, delete, 0
        )  # fmt: skip
        x11.XSendEvent(server, window, 0, 0, event)
        x11.XCloseDisplay(server)

    def finish(self) -> int:
        """Wait for its end; the exit code."""
        return self.child.wait(PATIENCE_S)

    def interrupt(self, number: int = signal.SIGINT) -> int:
        self.child.send_signal(number)
        return self.finish()

    def _do(self, *words: str) -> str:
        done = subprocess.run(
            ["timeout", "60", "xdotool", *words], env=self._environment, capture_output=True,
            text=True,
        )  # fmt: skip
        return done.stdout
