"""How large the window is: as frames ask for, and as a person made it."""

from __future__ import annotations

import math

SCREEN_WH = (960, 540)  # of the window before there is a picture
LEAST_WIDTH_PX, MOST_WIDTH_PX, MOST_HEIGHT_PX = 640, 1280, 800  # of a window never sized before
TALLER = 1.3  # than it was, a window may become for frames of another shape
SETTLED_S = 0.5  # a size that stands for so long is meant


class WindowSize:
    """`chosen_wh` is the size that a person gave the window, now or in an earlier start."""

    def __init__(self, chosen_wh: tuple[int, int] | None = None) -> None:
        self.chosen_wh = chosen_wh
        self._asked_wh = self._seen_wh = (0, 0)
        self._seen_s = 0.0

    def ask(self, frame_wh: tuple[int, int]) -> tuple[int, int]:
        """The size to give the window for frames of that size."""
        self._asked_wh = window_size(frame_wh, self.chosen_wh)
        return self._asked_wh

    def see(self, size_wh: tuple[int, int], now_s: float) -> None:
        """The window has this size: if it is another than was asked for, a person chose it."""
        if size_wh != self._seen_wh:
            self._seen_wh, self._seen_s = size_wh, now_s
        is_asked = max(abs(a - b) for a, b in zip(size_wh, self._asked_wh, strict=True)) <= 2
        if not is_asked and now_s - self._seen_s >= SETTLED_S:
            self.chosen_wh = self._asked_wh = size_wh


def window_size(
    frame_wh: tuple[int, int], remembered_wh: tuple[int, int] | None
) -> tuple[int, int]:
    """Of a window for frames of that size: the shape of the frame, as large as the window was the
    last time, else near the frame's own size."""
    width, height = frame_wh
    if remembered_wh is not None:
        area = remembered_wh[0] * remembered_wh[1]
        scale = math.sqrt(area / (width * height))
        scale = min(scale, TALLER * remembered_wh[1] / height)  # the screen has an end
    else:
        most = min(MOST_WIDTH_PX / width, MOST_HEIGHT_PX / height)
        scale = min(max(1.0, LEAST_WIDTH_PX / width), most)
    return max(1, round(width * scale)), max(1, round(height * scale))
