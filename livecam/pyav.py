"""PyAV, loaded after OpenCV: both bring a libxcb of their own, and the windows of an OpenCV that
comes second hang for ever (https://github.com/PyAV-Org/PyAV/issues/1050)."""

import cv2  # noqa: F401, I001
import av as av

import contextlib
from collections.abc import Iterator
from typing import Any

from av.container import InputContainer
from av.sidedata.sidedata import SideDataContainer

Colorspace = av.video.reformatter.Colorspace
HD_ROWS = 720


def assumed_colorspace(rows: int) -> Colorspace:
    """Of pictures that do not say it, as players have it: BT.709 for high definition, BT.601
    below."""
    return Colorspace.ITU709 if rows >= HD_ROWS else Colorspace.ITU601


# before version 19, a title that is not in UTF-8 was an error
ANY_TEXT: dict[str, Any] = (
    {"metadata_errors": "surrogateescape"} if int(av.__version__.split(".")[0]) < 19 else {}
)


def opened(url: str, **given: Any) -> InputContainer:
    """To read, `given` as to `av.open`: texts in it, such as a title, may be of any encoding."""
    return av.open(url, **ANY_TEXT, **given)


def packets(container: InputContainer, stream: av.stream.Stream) -> Iterator[Any]:
    """As `container.demux(stream)`. Where another appears in the middle of a file, PyAV may stumble
    over it at the end, after the packets of all that it knows."""
    with contextlib.suppress(IndexError):
        yield from container.demux(stream)


def side_data(frame: av.VideoFrame) -> SideDataContainer:
    """As `frame.side_data`, which binds the frame to itself: it would stay in memory until Python
    collects garbage, hundreds of frames later."""
    return SideDataContainer(frame)  # type: ignore[call-arg]  # its stub leaves out the frame
