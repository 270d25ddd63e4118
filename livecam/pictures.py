"""Pictures in files and in memory, upright: EXIF orientation is applied first."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from imutils.paths import image_types

from livecam.datatypes import Image
from livecam.errors import LivecamError

cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # errors are raised

MAX_PIXELS = 200_000_000  # livecam/__init__.py says so to OpenCV too
PICTURE_SUFFIXES = frozenset({*image_types, ".webp"})


def read_picture(name: str, path: Path) -> Image:
    """The upright picture in a file, as BGR. Raises LivecamError if it is none or too large."""
    try:
        data = np.fromfile(path, np.uint8)
    except OSError as error:
        raise LivecamError(f"{name}: cannot be read: {error.strerror}") from error
    return decode_picture(name, data)


def decode_picture(name: str, data: np.ndarray) -> Image:
    """Encoded bytes (n,) uint8 -> (H, W, 3) BGR. Grey, alpha and 16 bit become 8-bit colour."""
    if not data.size:
        raise LivecamError(f"{name}: empty; expected a picture")
    if data[:4].tobytes() == b"\x89PNG" and b"IEND" not in data.tobytes():
        raise LivecamError(f"{name}: not a readable picture; its end is missing")
    try:
        bgr = cv2.imdecode(data, cv2.IMREAD_COLOR)
    except cv2.error as error:
        if "MAX_IMAGE" in str(error):
            raise LivecamError(_too_large(name)) from error
        raise LivecamError(f"{name}: not a readable picture ({error.err})") from error
    if bgr is None:
        raise LivecamError(f"{name}: not a readable picture; expected JPEG, PNG, BMP, TIFF or WebP")
    if bgr.shape[0] * bgr.shape[1] > MAX_PIXELS:
        raise LivecamError(_too_large(name))
    return bgr


def _too_large(name: str) -> str:
    return f"{name}: larger than {MAX_PIXELS // 1_000_000} megapixels; make it smaller first"
