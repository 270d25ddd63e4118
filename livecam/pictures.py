"""Pictures in files and in memory, upright: EXIF orientation is applied first."""

from __future__ import annotations

import re
import zlib
from pathlib import Path

import cv2
import numpy as np
from imutils.paths import image_types

from livecam import MAX_PIXELS
from livecam.datatypes import Image
from livecam.errors import LivecamError
from livecam.extras import require
from livecam.files import PartialFile, unwritable
from livecam.interrupts import held

cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # errors are raised

WRITABLE_SUFFIXES = frozenset({*image_types, ".webp", ".avif"})
HEIF_SUFFIXES = frozenset({".heic", ".heif"})  # as telephones save photographs
PICTURE_SUFFIXES = WRITABLE_SUFFIXES | HEIF_SUFFIXES | {".jfif"}  # JPEG, as saved by browsers
AVIF_HEAD_BYTES = 16_384  # how a picture is turned stands before its pixels
HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"mif1")


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
    if data[:4].tobytes() == b"\x89PNG" and (damage := _png_damage(data.tobytes())):
        raise LivecamError(f"{name}: not a readable picture; {damage}")
    try:
        bgr = cv2.imdecode(data, cv2.IMREAD_COLOR)
    except cv2.error as error:
        if "MAX_IMAGE" in str(error):
            raise LivecamError(_too_large(name)) from error
        raise LivecamError(f"{name}: not a readable picture ({error.err})") from error
    if bgr is not None and data[4:8].tobytes() == b"ftyp":
        bgr = _turned(bgr, data)
    if bgr is None and is_heif(data[:12].tobytes()):
        bgr = _decode_heif(name, data)
    if bgr is None:
        raise LivecamError(
            f"{name}: not a readable picture; expected JPEG, PNG, BMP, TIFF, WebP, AVIF or HEIC"
        )
    if bgr.shape[0] * bgr.shape[1] > MAX_PIXELS:
        raise LivecamError(_too_large(name))
    return bgr


def _png_damage(png: bytes) -> str | None:
    """What is wrong with a PNG, if its parts say so: the library that decodes it would tell the
    console, without the name of the file, or fill up what is missing."""
    at = 8
    while at + 12 <= len(png):
        end = at + 12 + int.from_bytes(png[at : at + 4], "big")
        kind, checksum = png[at + 4 : at + 8], png[end - 4 : end]
        if end > len(png):
            break
        if kind == b"IEND":  # whose checksum nobody reads
            return None
        is_needed = kind[:1].isupper()
        if is_needed and zlib.crc32(png[at + 4 : end - 4]) != int.from_bytes(checksum, "big"):
            return "it is damaged"
        at = end
    return "its end is missing"


def _turned(bgr: Image, data: np.ndarray) -> Image:
    """OpenCV leaves AVIF as it was stored. Two boxes say how it is meant, in this order: `irot` by
    how many quarters anticlockwise, `imir` which sides change places (ISO/IEC 23008-12)."""
    head = data[:AVIF_HEAD_BYTES].tobytes()
    if turns := re.search(rb"\0\0\0\x09irot(.)", head, re.DOTALL):
        bgr = np.rot90(bgr, turns[1][0])
    if sides := re.search(rb"\0\0\0\x09imir(.)", head, re.DOTALL):
        bgr = bgr[:, ::-1] if sides[1][0] else bgr[::-1]
    return np.ascontiguousarray(bgr)


def is_heif(head: bytes) -> bool:
    """Whether a file begins so that it is a picture in HEIF (HEIC)."""
    return head[4:8] == b"ftyp" and head[8:12] in HEIF_BRANDS


def _decode_heif(name: str, data: np.ndarray) -> Image:
    """Upright: libheif turns it. Raises LivecamError if it is damaged or pi-heif is missing."""
    try:
        require("pi_heif", "heic")
    except LivecamError as error:
        raise LivecamError(f"{name}: a HEIC picture: {error}") from error
    import pi_heif

    try:
        file = pi_heif.open_heif(data.tobytes(), bgr_mode=True)
        if file.size[0] * file.size[1] > MAX_PIXELS:
            raise LivecamError(_too_large(name))
        bgr = np.array(file)  # decoded here; a copy, as the bytes go with the file
    except (ValueError, EOFError, OSError, RuntimeError, SyntaxError) as error:
        why = " ".join(str(error).split())
        raise LivecamError(f"{name}: not a readable picture ({why})") from error
    if bgr.ndim == 2:
        return cv2.cvtColor(bgr, cv2.COLOR_GRAY2BGR)
    return np.ascontiguousarray(bgr[:, :, :3])


def _too_large(name: str) -> str:
    return f"{name}: larger than {MAX_PIXELS // 1_000_000} megapixels; make it smaller first"


@held()
def write_picture(path: Path, bgr: Image) -> None:
    """A picture file in the format of its suffix. Raises LivecamError if it cannot be written."""
    try:
        done, encoded = cv2.imencode(path.suffix, bgr, _picture_quality(path.suffix))
        if not done:
            height, width = bgr.shape[:2]
            why = f"a picture of {width}x{height} does not fit into {path.suffix}"
            raise LivecamError(f"{path}: cannot be written: {why}; give --output NAME.png")
        with PartialFile(path) as partial:
            partial.write_bytes(encoded.tobytes())
    except cv2.error as error:
        raise LivecamError(f"{path}: cannot be encoded: {error.err}") from error
    except OSError as error:
        raise unwritable(path, error) from error


def _picture_quality(suffix: str) -> list[int]:
    return [cv2.IMWRITE_JPEG_QUALITY, 95] if suffix.lower() in (".jpg", ".jpeg") else []
