"""The picture in the window: a frame in the window's own size, with all that lies on it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from livecam.ages import AgeScheme
from livecam.config import OverlayConfig
from livecam.datatypes import Array, Image, TrackedFace
from livecam.drawing import centred, resized_into
from livecam.live import hud
from livecam.overlay import SHOWN_COASTING_S, Overlay


@dataclass(slots=True)
class Look:
    """What is to be seen besides the frame and its faces."""

    overlay: OverlayConfig
    is_mirrored: bool = False
    is_paused: bool = False
    help: Sequence[tuple[str, str]] = ()
    figures: list[str] = field(default_factory=list)
    recording: str = ""
    trouble: tuple[str, list[str]] | None = None
    message: str = ""
    square_px: float = 0.0  # of the frame; an empty box of that size
    mouse: tuple[int, int] | None = None


class View:
    """Draws what is in the window. Text is drawn in the window's pixels, so that it is sharp and
    of one size whatever the size of the frames."""

    def __init__(self, config: OverlayConfig, scheme: AgeScheme) -> None:
        self.scheme = scheme
        self._overlay = Overlay(config)

    def picture(
        self,
        bgr: Image,
        faces: Sequence[TrackedFace],
        hidden: Array,
        look: Look,
        size_wh: tuple[int, int] | None,
    ) -> Image:
        """The frame with everything on it, as large as it can be in `size_wh` and in its middle."""
        size_wh = size_wh or (bgr.shape[1], bgr.shape[0])
        canvas, factor = resized_into(bgr, size_wh)
        if look.is_mirrored:
            canvas = cv2.flip(canvas, 1)
            faces = [_mirrored(face, bgr.shape[1]) for face in faces]
            hidden = _mirrored_boxes(hidden, bgr.shape[1])
        self._overlay.config = look.overlay
        canvas = self._overlay(canvas, faces, factor, hidden)
        canvas, corner = centred(canvas, size_wh, hud.BACKGROUND)
        if look.mouse is not None:
            self._hover(canvas, faces, factor, corner, look)
        scale = look.overlay.scale
        if look.square_px:
            hud.draw_square(canvas, look.square_px * factor)
        if look.trouble is not None:
            hud.draw_banner(canvas, *look.trouble, scale)
        hud.draw_figures(canvas, look.figures, look.recording, scale)
        if look.help:
            hud.draw_table(canvas, look.help, scale)
        if look.message:
            hud.draw_message(canvas, look.message, scale)
        return canvas

    def _hover(
        self,
        canvas: Image,
        faces: Sequence[TrackedFace],
        factor: float,
        corner: tuple[int, int],
        look: Look,
    ) -> None:
        """All that is known of the face under the mouse; of the smallest, if they overlap."""
        assert look.mouse is not None
        x, y = look.mouse
        hit = []
        for face in faces:
            x0, y0, x1, y1 = box = face.xyxy * factor + np.tile(corner, 2)
            if x0 <= x <= x1 and y0 <= y <= y1 and face.coasting_s < SHOWN_COASTING_S:
                hit.append(((x1 - x0) * (y1 - y0), face.track_id, face, box))
        if hit:
            _, _, face, box = min(hit)
            gender = self._overlay.gender(face)
            hud.draw_face_panel(canvas, face, box, self.scheme, gender, look.overlay.scale)


def _mirrored(face: TrackedFace, width: int) -> TrackedFace:
    return dataclasses.replace(face, xyxy=_mirrored_boxes(face.xyxy[None], width)[0])


def _mirrored_boxes(boxes: Array, width: int) -> Array:
    flipped = boxes.copy()
    flipped[:, [0, 2]] = width - boxes[:, [2, 0]]
    return np.asarray(flipped, np.float32)
