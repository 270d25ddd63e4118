"""A page on which one chooses pictures, and sees how old the faces in them look.

Pictures stay in memory while they are labelled. None is stored.
"""

from __future__ import annotations

import base64
import html
import itertools
import threading
from collections.abc import Iterator, Sequence
from http import HTTPStatus

import cv2
import numpy as np

from livecam.datatypes import Array, Image, TrackedFace
from livecam.document import document, table
from livecam.drawing import resized_into
from livecam.errors import LivecamError
from livecam.overlay import Overlay
from livecam.pictures import decode_picture
from livecam.pipeline import Models
from livecam.web.server import MOST_BYTES, Response, Upload

TITLE = "Ages in pictures"
SHOWN_PX = 640, 1600  # of a picture's longer side, at least and at most
JPEG_QUALITY = 90
FORM = (
    '<form method="post" enctype="multipart/form-data">'
    f"<label>pictures, up to {MOST_BYTES / 1e6:.0f} MB "
    '<input type="file" name="picture" accept="image/*" multiple required></label>'
    "<button>label</button></form>"
)
WORDS = (
    "Pictures are labelled on this computer, in memory; none is stored, and none is sent. Ages are "
    "how old people look. The years in brackets are meant to hold four in five people, and the "
    "columns after them say how likely each age is."
)


class PicturesPage:
    """What is answered to somebody who opens the page, and to its form. From several threads."""

    def __init__(self, models: Models) -> None:
        self.models = models
        self._lock = threading.Lock()  # of the networks: two cores are busy with one picture
        self._is_over = False

    def get(self, target: str) -> Response:
        if target.partition("?")[0] != "/":
            return Response.refusal(HTTPStatus.NOT_FOUND, "no such page; / is the page")
        return _page([])

    def post(self, files: Sequence[Upload]) -> Response:
        """The page again, with these pictures labelled."""
        if not files:
            return _page(["<p>No picture was chosen.</p>"])
        with self._lock:
            try:
                wanted = itertools.takewhile(lambda file: not self._is_over, files)
                parts = [part for file in wanted for part in self._labelled(file)]
            finally:
                self.models.detector.release()
        return _page(parts)

    def finish(self) -> None:
        """Label no more. Waits for the picture in hand: Python cannot end within ONNX Runtime."""
        self._is_over = True
        with self._lock:
            pass

    def _labelled(self, file: Upload) -> Iterator[str]:
        yield f"<h2>{html.escape(file.name)}</h2>"
        try:
            bgr = decode_picture(file.name, np.frombuffer(file.data, np.uint8))
            faces, hidden = self.models.look(bgr)
        except LivecamError as error:
            yield f"<p>{html.escape(str(error))}</p>"
            return
        overlay = Overlay(self.models.config.overlay)
        yield _picture(overlay, bgr, faces, hidden)
        if faces:
            yield self._table(overlay, faces)
        else:
            yield "<p>No face was found in it.</p>"

    def _table(self, overlay: Overlay, faces: Sequence[TrackedFace]) -> str:
        """A row for each face: what is said of it, and how likely each bin is."""
        scheme, has_gender = self.models.config.scheme, self.models.config.overlay.gender
        head = ("face", "age", *(("gender",) if has_gender else ()), *scheme.labels)
        rows = []
        probs = scheme.bin_probs(np.stack([face.age_probs for face in faces])).tolist()
        for face, shares in zip(faces, probs, strict=True):
            years = f"{face.age:.0f} ({face.age_low}\N{EN DASH}{face.age_high})"
            gender = (overlay.gender(face) or "-",) if has_gender else ()
            rows.append((f"{face.track_id}", years, *gender, *shares))
        return table(head, rows)


def _page(parts: Sequence[str]) -> Response:
    text = document(TITLE, [FORM, f"<p>{WORDS}</p>", *parts])
    return Response(HTTPStatus.OK, "text/html", text)


def _picture(overlay: Overlay, bgr: Image, faces: Sequence[TrackedFace], hidden: Array) -> str:
    """The labelled picture, as large as suits a screen."""
    side_px = int(np.clip(max(bgr.shape[:2]), *SHOWN_PX))
    shown, factor = resized_into(bgr, (side_px, side_px))
    quality = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    _, encoded = cv2.imencode(".jpg", overlay(shown, faces, factor, hidden), quality)
    data = base64.b64encode(encoded.tobytes()).decode()
    return f'<img src="data:image/jpeg;base64,{data}" alt="the picture with its faces labelled">'
