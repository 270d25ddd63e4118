"""Time that goes on where recordings were joined."""

from __future__ import annotations

from pathlib import Path

import av
import clips
import numpy as np
import pytest

from livecam.timestamps import TimestampUnwrapper, packets_of


@pytest.mark.parametrize(
    ("stamps", "times"),
    [
        ([], []),
        ([0.0, 0.1, 0.2], [0.0, 0.1, 0.2]),
        ([0.0, 1.0, 0.9, 2.0], [0.0, 1.0, 0.9, 2.0]),  # a little disorder is left to others
        ([0.0, 1.0, 2.0, 0.0, 1.0], [0.0, 1.0, 2.0, 2.1, 3.1]),
        ([5.0, 6.0, 1.0, 2.0, 0.0], [5.0, 6.0, 6.1, 7.1, 7.2]),
    ],
)
def test_stamps_that_begin_anew_go_on(stamps: list[float], times: list[float]) -> None:
    unwrap = TimestampUnwrapper()
    assert [unwrap(stamp, 0.1) for stamp in stamps] == pytest.approx(times)


def joined(path: Path, begins_s: list[float], has_sound: list[bool]) -> Path:
    """Two seconds of each, at these times of one clock."""
    with path.open("wb") as file:
        for begin_s, is_heard in zip(begins_s, has_sound, strict=True):
            part = clips.write_clip(
                path.with_name(f"part{path.suffix}"),
                clips.greys(20),
                times_s=[begin_s + i / 10 for i in range(20)],
                sound=clips.Sound("mp2", rate=48_000, format="s16") if is_heard else None,
                sound_at_s=begin_s,
            )
            file.write(part.read_bytes())
    return path


def steps_s(path: Path, kind: str) -> np.ndarray:
    with av.open(str(path)) as container:
        (stream,) = container.streams.get(**{kind: 0})
        packets = packets_of(container, stream)
        return np.diff(
            [float(each.pts * each.time_base) for each in packets if each.pts is not None]
        )


@pytest.mark.parametrize("suffix", [".ts", ".mpg"])
@pytest.mark.parametrize("kind", ["video", "audio"])
def test_a_clock_that_leaps_ahead_is_another_one(tmp_path: Path, suffix: str, kind: str) -> None:
    path = joined(tmp_path / f"a{suffix}", [0.0, 30_000.0, 40_000.0], [True] * 3)
    steps = steps_s(path, kind)
    assert steps.max() < 1.5
    assert steps.sum() == pytest.approx(6.0, abs=0.7)


def test_a_gap_that_another_stream_fills_is_one(tmp_path: Path) -> None:
    begins_s = [2.0 * i for i in range(10)]
    path = joined(tmp_path / "a.ts", begins_s, [True, *[False] * 8, True])
    assert steps_s(path, "audio").max() == pytest.approx(16.0, abs=0.2)
    assert steps_s(path, "video").max() < 0.2


def test_a_gap_of_any_other_file_is_one(tmp_path: Path) -> None:
    path = clips.write_clip(tmp_path / "a.mkv", clips.greys(3), times_s=[0.0, 100.0, 300.0])
    assert steps_s(path, "video") == pytest.approx([100.0, 200.0])
