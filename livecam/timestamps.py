"""Time-stamp unwrapping: those of pictures or of sound, as one rising time."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, TypeVar

from livecam.pyav import av

CLOCK_SET_BACK_S = 0.5  # a fall of time stamps by more begins them anew
LEAPING = ("mpegts", "mpeg")  # in such files recordings are joined, each with its own clock
LEAP_S = 10.0  # a rise by more is another clock, as FFmpeg's own command has it

StreamT = TypeVar("StreamT", av.VideoStream, av.AudioStream)


class TimestampUnwrapper:
    """Callable: a time stamp and the step behind it, to a time that goes on where recordings
    were joined and the stamps begin anew."""

    def __init__(self) -> None:
        self._last_s = -math.inf
        self._ahead_s = 0.0

    def __call__(self, stamp_s: float, step_s: float) -> float:
        if stamp_s < self._last_s - CLOCK_SET_BACK_S:
            self._ahead_s += self._last_s + step_s - stamp_s
        self._last_s = stamp_s
        return stamp_s + self._ahead_s


def packets_of(
    container: av.container.InputContainer, stream: StreamT
) -> Iterator[av.Packet[StreamT]]:
    """Those of one stream. Where recordings were joined and the clock leaps ahead, it goes on as if
    it had not. A gap that another stream fills is none."""
    if container.format.name not in LEAPING:
        yield from container.demux(stream)
        return
    others = [*container.streams.video, *container.streams.audio]
    beside = [other for other in others if other.type != stream.type][:1]
    for other in beside:
        other.discard = av.stream.Discard.default
    stamps: dict[int, int] = {}  # the last of each stream
    leapt, beside_s = 0, 0.0
    packets: Iterator[Any] = container.demux(stream, *beside)
    for packet in packets:
        is_ours = packet.stream.index == stream.index
        if packet.dts is not None:
            step = packet.dts - stamps.get(packet.stream.index, packet.dts)
            stamps[packet.stream.index] = packet.dts
            step_s = float(step * packet.time_base)
            if not is_ours:
                beside_s += step_s if 0 < step_s < LEAP_S else 0
                continue
            if step_s > LEAP_S + beside_s:
                leapt += step - (packet.duration or 0)
            beside_s = 0.0
            packet.dts -= leapt
            packet.pts = None if packet.pts is None else packet.pts - leapt
        if is_ours:
            yield packet
