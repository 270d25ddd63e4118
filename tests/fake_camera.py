"""A stand-in for `cv2.VideoCapture` in a process of its own, for tests of the whole command.

`python fake_camera.py ARGUMENTS` is `livecam ARGUMENTS` on a computer with three cameras, of which
camera 1 does not open. Camera 0 shows the portrait that tests may use, moving; camera 2 a plain
picture with noise. Files in the current folder pull the plug: `unplugged` (nothing is read, nothing
opens), `frozen` (the same picture for ever). What the window says goes to stderr.
"""

from __future__ import annotations

import importlib.util
import sys
import time
from pathlib import Path

import cv2
import numpy as np

FPS = 30
SIZE_WH = (640, 360)


class FakeCapture:
    def __init__(self, index: int, backend: int) -> None:
        self.index = index
        self._number = 0
        self._next_s = time.perf_counter()
        self._last: np.ndarray | None = None
        self._is_open = index in (0, 2) and not Path("unplugged").exists()

    def isOpened(self) -> bool:
        return self._is_open

    def getBackendName(self) -> str:
        return "FAKE"

    def get(self, what: int) -> float:
        return float(FPS) if what == cv2.CAP_PROP_FPS else 0.0

    def set(self, what: int, value: float) -> bool:
        return False

    def release(self) -> None:
        self._is_open = False

    def read(self) -> tuple[bool, np.ndarray | None]:
        if not self._is_open or Path("unplugged").exists():
            return False, None
        self._next_s = max(self._next_s + 1 / FPS, time.perf_counter() - 1)
        time.sleep(max(self._next_s - time.perf_counter(), 0))
        if self._last is None or not Path("frozen").exists():
            self._number += 1
            self._last = _scene(self.index, self._number)
        return True, self._last.copy()


def _scene(index: int, number: int) -> np.ndarray:
    width, height = SIZE_WH
    noise = np.random.default_rng(number).integers(0, 4, (height, width, 3), np.uint8)
    canvas = np.full((height, width, 3), 60 if index == 0 else 150, np.uint8) + noise
    if index == 0:
        face = _portrait()
        left = 130 + round(20 * np.sin(number / 15))
        canvas[80 : 80 + face.shape[0], left : left + face.shape[1]] = face
    return canvas


_PORTRAIT: list[np.ndarray] = []


def _portrait() -> np.ndarray:
    if not _PORTRAIT:
        # without scikit-image's own code: this thread's imports would meet those of the others
        spec = importlib.util.find_spec("skimage")
        assert spec is not None and spec.origin is not None
        bgr = cv2.imread(str(Path(spec.origin).parent / "data" / "astronaut.png"))
        assert bgr is not None
        _PORTRAIT.append(np.ascontiguousarray(bgr[0:190, 80:360]))
    return _PORTRAIT[0]


def main() -> int:
    cv2.VideoCapture = FakeCapture
    from livecam.live import cameras

    folder = Path("dev").resolve()  # a list of cameras as on Linux
    folder.mkdir(exist_ok=True)
    for index in range(3):
        (folder / f"video{index}").touch()
    cameras.DEV = folder

    from livecam import cli
    from livecam.live import hud

    said: list[str] = []

    def told(draw):  # type: ignore[no-untyped-def]
        def wrapper(canvas, *words):  # type: ignore[no-untyped-def]
            text = " | ".join(str(word) for word in words[:-1])
            if not said or said[-1] != text:
                said.append(text)
                print("window:", text, file=sys.stderr, flush=True)
            return draw(canvas, *words)

        return wrapper

    hud.draw_message = told(hud.draw_message)
    hud.draw_banner = told(hud.draw_banner)
    return cli.main(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
