"""Frames of clips, and clips that are long enough to measure a rate on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import av
import cv2

from livecam.clip import Clip
from livecam.datatypes import Frame, Image
from livecam.errors import LivecamError, reason


def name_of(path: Path) -> str:
    """For the table: the name and the size of its pictures."""
    height, width = next(frames(path)).bgr.shape[:2]
    return f"{path.stem} {width}×{height}"


def frames(path: Path, most: int | None = None) -> Iterator[Frame]:
    """The first frames of a clip, or all."""
    with Clip(path.name, path) as clip:
        for frame in clip:
            if most is not None and frame.index >= most:
                return
            yield frame


def spread(path: Path, n: int) -> list[Image]:
    """`n` BGR pictures at even distances over all of a clip; all of them where it has fewer."""
    total = sum(1 for _ in frames(path))
    wanted = {round(i * (total - 1) / max(n - 1, 1)) for i in range(n)} if n < total else None
    return [frame.bgr for frame in frames(path) if wanted is None or frame.index in wanted]


def resized(pictures: list[Image], size_wh: tuple[int, int]) -> list[Image]:
    return [cv2.resize(bgr, size_wh, interpolation=cv2.INTER_AREA) for bgr in pictures]


def looped(path: Path, output: Path, n: int) -> Path:
    """A clip of exactly `n` frames: `path` again and again, its packets copied, without sound.

    Time stamps go on rising, a step of the clip's rate after the last frame of the loop before.
    """
    try:
        packets = _packet_count(path)
        with av.open(str(output), "w") as container:
            stream = None
            ahead = written = 0  # ticks; packets
            while written < n:
                with av.open(str(path.absolute())) as source:
                    given = source.streams.video[0]
                    stream = stream or container.add_stream_from_template(given)
                    step = _step_ticks(given, packets)
                    ahead_next = ahead
                    for packet in source.demux(given):
                        if packet.dts is None or packet.pts is None or written == n:
                            continue
                        ahead_next = max(ahead_next, ahead + packet.pts + step)
                        packet.pts, packet.dts = packet.pts + ahead, packet.dts + ahead
                        packet.duration = packet.duration or step
                        packet.stream = stream
                        container.mux(packet)
                        written += 1
                    ahead = ahead_next
    except (av.error.FFmpegError, OSError, IndexError) as error:
        raise LivecamError(f"{path}: cannot be looped: {reason(error)}") from error
    return output


def _packet_count(path: Path) -> int:
    with av.open(str(path.absolute())) as source:
        return sum(1 for packet in source.demux(video=0) if packet.dts is not None)


def _step_ticks(stream: av.VideoStream, packets: int) -> int:
    """From one frame to the next, in ticks of the stream's time base."""
    if stream.time_base is None:
        raise LivecamError("a clip without a time base cannot be looped")
    rate = stream.average_rate or stream.guessed_rate
    if rate:
        return max(1, round(1 / (rate * stream.time_base)))
    return max(1, (stream.duration or packets) // max(packets, 1))
