"""Whether a clip was cut off, by how long it says that it is, and by what its format has at its
end: of some, FFmpeg reads what is there, and takes it for all."""

from __future__ import annotations

import contextlib
import io
import os
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

from livecam.pyav import av

SHORT_SHARE = 0.02  # of the duration that a file may lack without being called damaged,
MOST_SPARED_S = 1.0  # but never more than this

PAGE_HEAD_BYTES, LARGEST_PAGE_BYTES = 27, 65_307  # of Ogg
ASF = bytes.fromhex("3026b275")
ASF_FILE_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
ASF_HEAD_BYTES = 65_536
MEDIA = frozenset({b"moov", b"moof", b"mdat"})
BOXES = MEDIA | {b"ftyp", b"styp", b"sidx", b"mfra", b"free", b"skip", b"wide", b"uuid"}
FLV_TAGS = (8, 9, 18)  # sound, pictures, and what is said of them
FLV_HEAD_BYTES, FLV_TAG_HEAD_BYTES, FLV_BETWEEN_BYTES = 9, 11, 4  # between: how long the last was
PALETTE, COLOURS = 0x80, 0x07  # bits of a GIF: there is one, and the binary logarithm of its length


def said_duration_s(
    container: av.container.InputContainer, stream: av.VideoStream, origin_s: float
) -> float | None:
    """Of the pictures alone, from the first at `origin_s` on; None if the file does not say it."""
    if stream.frames and stream.duration and stream.time_base:
        begin_s = float((stream.start_time or 0) * stream.time_base)
        late_s = max(origin_s - begin_s, 0.0)  # AVI counts from the beginning of the file
        is_avi = container.format.name == "avi"  # of one without an end, FFmpeg says what is there
        duration = max(stream.duration, stream.frames) if is_avi else stream.duration
        return float(duration * stream.time_base) - late_s
    if "matroska" not in container.format.name:
        return None  # guessed, from the last time stamp or the size of the file
    said_s = _said_by_matroska_s(container, stream)
    if said_s is None or _is_of_mkvmerge(container, stream):
        return said_s  # it says how long they are, FFmpeg when they end
    return said_s - max(origin_s, 0.0)


def _is_of_mkvmerge(container: av.container.InputContainer, stream: av.VideoStream) -> bool:
    """Its tags are at the end of a file, and missing where that is cut off."""
    by = container.metadata.get("encoder", "")
    return "_STATISTICS_TAGS" in stream.metadata or by.startswith("libebml")


def _said_by_matroska_s(
    container: av.container.InputContainer, stream: av.VideoStream
) -> float | None:
    tag = stream.metadata.get("DURATION", "")
    with contextlib.suppress(ValueError):
        hours, minutes, seconds = tag.split(":")
        return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
    if len(container.streams) == 1 and container.duration:
        return container.duration / av.time_base
    return None


def ends_early(said_s: float, end_s: float, rate: Fraction) -> bool:
    """Whether pictures that end at `end_s` lack more than files that are whole do."""
    spared_s = min(SHORT_SHARE * said_s, MOST_SPARED_S)
    return said_s - end_s > max(1.5 / float(rate), spared_s)


def is_cut_off(path: Path) -> bool:
    """Of AVI, FLV, GIF, Ogg, mp4 and WMV; False for all others, and for what is gone."""
    try:
        return _is_cut_off(path)
    except OSError:
        return False


def _is_cut_off(path: Path) -> bool:
    with path.open("rb") as file:
        head, size = file.read(ASF_HEAD_BYTES), os.fstat(file.fileno()).st_size
        if head[:4] == b"RIFF":
            return size < int.from_bytes(head[4:8], "little") + 8
        if head[:4] == ASF:
            return size < _said_by_asf(head)
        if head[4:8] in BOXES:
            return size < _end_of_boxes(file, size)
        if head[:3] == b"FLV":
            return size < _end_of_tags(file, size)
        if head[:4] == b"GIF8":
            file.seek(0)
            return not _has_trailer(file)
        return head[:4] == b"OggS" and not _has_last_page(file)


def _said_by_asf(head: bytes) -> int:
    """How many bytes a WMV file has by its file properties object; 0 if they do not say, as of one
    that was sent while it was written."""
    _, _, said = head.partition(ASF_FILE_PROPERTIES)
    is_broadcast = said[72:73] and said[72] & 1
    return 0 if is_broadcast else int.from_bytes(said[24:32], "little")


def _end_of_boxes(file: BinaryIO, size: int) -> int:
    """ISO/IEC 14496-12: where the last box of an mp4 with pictures or what is said of them ends, of
    boxes one after the other; what is behind these may be anything."""
    end = with_media = 0
    while end < size:
        file.seek(end)
        head = file.read(16)
        length = int.from_bytes(head[:4], "big")
        if length == 1:
            length = int.from_bytes(head[8:], "big")
        if head[4:8] not in BOXES or length < 8:  # 0: to the end of the file
            break
        end += length
        with_media = end if head[4:8] in MEDIA else with_media
    return with_media


def _end_of_tags(file: BinaryIO, size: int) -> int:
    """FLV: where the content of the last tag ends, of tags one after the other, by the length in
    the head of each; what is behind these may be anything."""
    end = FLV_HEAD_BYTES
    while True:
        file.seek(end + FLV_BETWEEN_BYTES)
        head = file.read(FLV_TAG_HEAD_BYTES)
        if not head or head[0] not in FLV_TAGS or head[8:].strip(b"\0"):  # always stream 0
            return end
        if len(head) < FLV_TAG_HEAD_BYTES:
            return size + 1
        end += FLV_BETWEEN_BYTES + FLV_TAG_HEAD_BYTES + int.from_bytes(head[1:4], "big")


def _has_trailer(file: BinaryIO) -> bool:
    """GIF89a: blocks one after the other, up to one that is nothing but its first byte."""
    file.seek(6)
    _skip_palette(file, file.read(7)[4:5])
    while True:
        kind = file.read(1)
        if kind == b"\x21":  # an extension
            file.seek(1, io.SEEK_CUR)
        elif kind == b"\x2c":  # a picture
            _skip_palette(file, file.read(9)[8:9])
            file.seek(1, io.SEEK_CUR)
        elif kind == b"\0":  # where there should be none
            continue
        else:
            return kind == b"\x3b"
        while size := file.read(1):
            if size == b"\0":
                break
            file.seek(size[0], io.SEEK_CUR)


def _skip_palette(file: BinaryIO, flags: bytes) -> None:
    if flags and flags[0] & PALETTE:
        file.seek(3 << (flags[0] & COLOURS) + 1, io.SEEK_CUR)


def _has_last_page(file: BinaryIO) -> bool:
    """RFC 3533: the third bit of the type of the last page, which is as long as its segments."""
    size = file.seek(0, io.SEEK_END)
    file.seek(max(size - LARGEST_PAGE_BYTES, 0))
    _, mark, rest = file.read().rpartition(b"OggS")
    page = mark + rest
    if len(page) < PAGE_HEAD_BYTES:
        return False
    segments = page[PAGE_HEAD_BYTES:][: page[PAGE_HEAD_BYTES - 1]]
    return bool(page[5] & 4) and len(page) >= PAGE_HEAD_BYTES + len(segments) + sum(segments)
