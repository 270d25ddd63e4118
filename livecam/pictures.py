"""Pictures in files and in memory, upright: EXIF orientation is applied first."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from imutils.paths import image_types

from livecam import MAX_PIXELS
from livecam.datatypes import Image
from livecam.errors import LivecamError
from livecam.files import PartialFile, unwritable
from livecam.interrupts import held

cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # errors are raised

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


@held()
def write_picture(path: Path, bgr: Image) -> None:
    """A picture file in the format of its suffix. Raises LivecamError if it cannot be written."""
    try:
        done, encoded = cv2.imencode(path.suffix, bgr, _picture_quality(path.suffix))
        if not done:
            raise LivecamError(f"{path}: OpenCV cannot encode {path.suffix}; use .jpg or .png")
        with PartialFile(path) as partial:
            partial.write_bytes(encoded.tobytes())
    except cv2.error as error:
        raise LivecamError(f"{path}: cannot be encoded: {error.err}") from error
    except OSError as error:
        raise unwritable(path, error) from error


def _picture_quality(suffix: str) -> list[int]:
    return [cv2.IMWRITE_JPEG_QUALITY, 95] if suffix.lower() in (".jpg", ".jpeg") else []
