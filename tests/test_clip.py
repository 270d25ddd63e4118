"""Clips frame by frame, whole and damaged."""

from __future__ import annotations

import contextlib
import gc
import itertools
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import clips
import numpy as np
import pytest
from patience import interrupt_soon
from settings import SHIPPED

from livecam.clip import Clip, Upright, looked_ahead
from livecam.errors import LivecamError, StoppedError
from livecam.live.readers import StreamReader
from livecam.pyav import Colorspace
from livecam.sound import AudioSource


def read(path: Path, start_s: float = 0.0, end_s: float | None = None) -> list[tuple[float, int]]:
    """(time, frame number that its grey level tells) of every frame."""
    with Clip(path.name, path, start_s, end_s) as clip:
        frames = list(clip)
    assert [frame.index for frame in frames] == list(range(len(frames)))
    for frame in frames:
        assert frame.bgr.dtype == np.uint8
        assert frame.bgr.flags.c_contiguous
    return [(frame.time_s, round((int(frame.bgr[5, 5, 1]) - 25) / 40)) for frame in frames]


def test_a_clip_gives_every_frame_at_its_time(tmp_path: Path) -> None:
    path = clips.write_clip(tmp_path / "a.mp4", clips.greys(20))
    seen = read(path)
    assert [time_s for time_s, _ in seen] == pytest.approx([i / 10 for i in range(20)], abs=1e-6)
    assert [level for _, level in seen] == [i % 6 for i in range(20)]


def test_a_variable_rate_keeps_its_times(tmp_path: Path) -> None:
    times_s = [0, 0.1, 0.15, 0.4, 1.0, 1.033]
    path = clips.write_clip(tmp_path / "a.mp4", clips.greys(6), times_s=times_s)
    assert read(path) == [(pytest.approx(t, abs=1e-3), i) for i, t in enumerate(times_s)]


@pytest.mark.parametrize("b_frames", [0, 2, 3])
def test_an_avi_has_even_times_in_whichever_order_it_is_decoded(
    tmp_path: Path, b_frames: int
) -> None:
    """It says no times itself."""
    path = clips.write_clip(tmp_path / "a.avi", clips.greys(20), b_frames=b_frames)
    seen = read(path)
    assert [time_s for time_s, _ in seen] == pytest.approx([i / 10 for i in range(20)], abs=1e-6)
    assert [level for _, level in seen] == [i % 6 for i in range(20)]


@pytest.mark.parametrize("start_s", [0.3, 1.2, 1.7])
@pytest.mark.parametrize(
    ("name", "codec", "b_frames"),
    [("a.avi", "libx264", 2), ("a.avi", "mpeg4", 0), ("a.mpg", "mpeg2video", 0)],
)
def test_start_counts_from_the_first_picture(
    tmp_path: Path, name: str, codec: str, b_frames: int, start_s: float
) -> None:
    """Which an AVI decodes late, and an MPEG programme stream finds late."""
    path = clips.write_clip(tmp_path / name, clips.greys(50), 25, codec=codec, b_frames=b_frames)
    whole = read(path)
    first = next(i for i, (time_s, _) in enumerate(whole) if time_s >= start_s - 1e-6)
    rest = read(path, start_s)
    assert len(whole) == 50
    assert [level for _, level in rest] == [level for _, level in whole[first:]]
    assert [t for t, _ in rest] == pytest.approx([t - whole[first][0] for t, _ in whole[first:]])


@pytest.mark.parametrize("share", [0.35, 0.5, 0.93])
def test_a_cut_flv_is_told(tmp_path: Path, share: float) -> None:
    path = clips.write_clip(tmp_path / "a.flv", clips.greys(60))
    assert len(read(path)) == 60
    with pytest.raises(StoppedError, match="stopped at frame"):
        read(clips.cut(path, share))


def tags(flv: bytes) -> list[bytes]:
    """The tags of an FLV, each without the four bytes behind it that say how long it is."""
    found, begin = [], 13
    while begin < len(flv):
        end = begin + 11 + int.from_bytes(flv[begin + 1 : begin + 4], "big")
        found.append(flv[begin:end])
        begin = end + 4
    return found


def test_an_flv_that_only_its_ends_are_wrong_of_is_whole(tmp_path: Path) -> None:
    """Some programs say how long a tag is without its head; a disk may have been full of zeros."""
    path = clips.write_clip(tmp_path / "a.flv", clips.greys(60))
    whole = path.read_bytes()
    other = b"".join(tag + (len(tag) - 11).to_bytes(4, "big") for tag in tags(whole))
    for content in (whole[:13] + other, whole + bytes(64), whole + b"hello, this is no tag"):
        path.write_bytes(content)
        assert len(read(path)) == 60


def test_an_avi_whose_pictures_begin_late_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.avi"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        stream.options = {"bf": "2"}
        for i, grey in enumerate(clips.greys(30)):
            picture = av.VideoFrame.from_ndarray(grey, format="bgr24")
            picture.pts, picture.time_base = 20 + i, Fraction(1, 10)
            container.mux(stream.encode(picture))
        container.mux(stream.encode())
    assert [time_s for time_s, _ in read(path)] == pytest.approx(np.arange(30) / 10)
    with pytest.raises(StoppedError, match="stopped at frame"):
        read(clips.cut(path, 0.7))


def test_the_last_pictures_of_an_mpg_do_not_come_late(tmp_path: Path) -> None:
    """They have no time stamps of their own, and the stamp before them may jump."""
    path = clips.write_clip(tmp_path / "a.mpg", clips.greys(250), 25, b_frames=2)
    times_s = np.array([time_s for time_s, _ in read(path)])
    assert np.abs(times_s - np.arange(250) / 25).max() < 0.1


@pytest.mark.parametrize("step_s", [1.0, 10.0])
def test_a_slow_recording_keeps_its_times(tmp_path: Path, step_s: float) -> None:
    """Of one in Matroska, FFmpeg changes its mind about the beginning as it reads."""
    times_s = [i * step_s for i in range(20)]
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(1 / step_s).limit_denominator(100))
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        stream.options = {"bf": "0"}
        for grey in clips.greys(20):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(grey, format="bgr24")))
        container.mux(stream.encode())
    with Clip("a.mkv", path) as clip:
        assert [frame.time_s for frame in clip] == pytest.approx(times_s, abs=1e-3)


def test_times_count_from_the_first_frame(tmp_path: Path) -> None:
    times_s = [3.0, 3.1, 3.2]
    path = clips.write_clip(tmp_path / "a.mkv", clips.greys(3), times_s=times_s)
    assert [time_s for time_s, _ in read(path)] == pytest.approx([0, 0.1, 0.2], abs=1e-3)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.avi", "a.mov"])
@pytest.mark.parametrize(
    ("start_s", "end_s", "first", "last"),
    [
        (0.0, None, 0, 29), (0.0, 1.0, 0, 9), (1.5, None, 15, 29), (0.7, 1.3, 7, 12),
        (0.65, 0.75, 7, 7), (0.0, 99.0, 0, 29), (2.9, 3.0, 29, 29),
    ],
)  # fmt: skip
def test_start_and_end_bound_the_time(
    tmp_path: Path, name: str, start_s: float, end_s: float | None, first: int, last: int
) -> None:
    codec, pix_fmt = ("mjpeg", "yuvj420p") if name == "a.avi" else ("libx264", "yuv420p")
    path = clips.write_clip(tmp_path / name, clips.greys(30), codec=codec, pix_fmt=pix_fmt)
    seen = read(path, start_s, end_s)
    expected = list(range(first, last + 1))
    assert [level for _, level in seen] == [i % 6 for i in expected]
    assert [time_s for time_s, _ in seen] == pytest.approx(
        [(i - first) / 10 for i in expected], abs=2e-3
    )


@pytest.mark.parametrize("name", ["a.gif", "a.mjpeg", "a.ts", "a.h264"])
def test_start_works_where_a_file_cannot_be_sought(tmp_path: Path, name: str) -> None:
    if name == "a.gif":
        path = clips.write_gif(tmp_path / name, clips.greys(20))
    elif name in ("a.ts", "a.h264"):
        path = clips.write_clip(tmp_path / name, clips.greys(20, (160, 120)), key_every=4)
    else:
        path = clips.write_clip(
            tmp_path / name, clips.greys(20), codec="mjpeg", pix_fmt="yuvj420p", rate=25
        )
    with Clip(name, path) as clip:
        whole = [frame.time_s for frame in clip]
    with Clip(name, path, start_s=whole[5]) as clip:
        rest = [frame.time_s for frame in clip]
    assert len(rest) == len(whole) - 5
    assert rest[0] == 0


@pytest.mark.parametrize("where", [3.0, 50.0])
def test_a_start_after_the_end_gives_no_frame(tmp_path: Path, where: float) -> None:
    path = clips.write_clip(tmp_path / "a.mp4", clips.greys(30))
    assert read(path, where) == []


def test_total_is_what_start_and_end_leave(tmp_path: Path) -> None:
    path = clips.write_clip(tmp_path / "a.mp4", clips.greys(30))
    for start_s, end_s, total in (
        (0, None, 30), (1, None, 20), (1, 2, 10), (0, 9, 30), (5, None, 0)
    ):  # fmt: skip
        with Clip("a", path, start_s, end_s) as clip:
            assert clip.total == total
            assert clip.rate == Fraction(10)


@pytest.mark.parametrize("is_mirrored", [False, True])
@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_turned_and_mirrored_clips_are_upright(
    tmp_path: Path, turns: int, is_mirrored: bool
) -> None:
    marked = np.zeros((120, 160, 3), np.uint8)
    marked[:30], marked[:, :40] = 255, 130  # two sides, (120, 160)
    path = clips.write_clip(tmp_path / "a.mp4", [marked] * 3)
    with Clip("a", clips.rotate(path, turns, is_mirrored)) as clip:
        frames = [frame.bgr for frame in clip]
    wanted = np.rot90(marked[:, ::-1] if is_mirrored else marked, -turns)  # clockwise
    assert len(frames) == 3
    for bgr in frames:
        assert bgr.shape == wanted.shape
        assert np.abs(bgr.astype(int) - wanted).mean() < 4


@pytest.mark.parametrize("is_mirrored", [False, True])
def test_a_frame_is_not_kept_when_it_was_used(tmp_path: Path, is_mirrored: bool) -> None:
    """Nor until Python looks for garbage: hundreds of large ones take gigabytes."""

    def kept() -> int:
        return sum(isinstance(each, av.VideoFrame) for each in gc.get_objects())

    path = clips.rotate(clips.write_clip(tmp_path / "a.mp4", clips.greys(60)), 0, is_mirrored)
    gc.collect()
    gc.disable()
    try:
        with Clip("a", path) as clip:
            assert max(kept() for _ in clip) < 20  # a decoder hands out some at once
        for _ in range(9):
            with Clip("a", path) as clip:
                next(iter(clip))
        assert kept() < 5
    finally:
        gc.enable()


@pytest.mark.parametrize(("rows", "matrix"), [(360, Colorspace.ITU601), (720, Colorspace.ITU709)])
def test_a_clip_that_does_not_tell_its_colours_has_those_that_players_assume(
    tmp_path: Path, rows: int, matrix: Colorspace
) -> None:
    bars = np.array([(0, 0, 255), (0, 255, 0), (255, 0, 0), (60, 120, 200)], np.uint8)
    picture = np.repeat(bars, rows // 2, axis=0)[None].repeat(rows, axis=0)
    path = tmp_path / "a.mkv"
    clips.write_clip(path, [picture], codec="ffv1", matrix=matrix)
    with Clip("a", path) as clip:
        bgr = next(iter(clip)).bgr
    assert np.abs(bgr[rows // 2, rows // 4 :: rows // 2].astype(int) - bars).max() <= 6


@pytest.mark.parametrize(
    ("name", "codec", "pix_fmt"),
    [("a.avi", "mjpeg", "yuvj420p"), ("a.mkv", "ffv1", "bgr0")],
)
def test_odd_sizes(tmp_path: Path, name: str, codec: str, pix_fmt: str) -> None:
    path = clips.write_clip(
        tmp_path / name, clips.greys(6, (161, 121)), codec=codec, pix_fmt=pix_fmt
    )
    with Clip("a", path) as clip:
        assert [frame.bgr.shape for frame in clip] == [(121, 161, 3)] * 6


def test_an_animated_gif_is_a_clip(tmp_path: Path) -> None:
    path = clips.write_gif(tmp_path / "a.gif", clips.greys(10, (33, 21)))
    with Clip("a", path) as clip:
        frames = list(clip)
    assert [frame.bgr.shape for frame in frames] == [(21, 33, 3)] * 10
    assert [frame.time_s for frame in frames] == pytest.approx([i / 10 for i in range(10)])


@pytest.mark.parametrize("share", [0.4, 0.6, 0.9])
@pytest.mark.parametrize("name", ["a.mp4", "a.avi", "a.mkv"])
def test_a_damaged_end_is_told_after_the_good_frames(
    tmp_path: Path, name: str, share: float
) -> None:
    whole = clips.write_clip(
        tmp_path / name, clips.noise(30, (160, 120)), index_first=name == "a.mp4"
    )  # an index at the end would be cut off: such a file is damaged from its first frame on
    seen = []
    with Clip("typed", clips.cut(whole, share)) as clip:
        with pytest.raises(LivecamError, match="typed: stopped at frame") as error:
            for frame in clip:
                seen.append(frame.index)
        total = clip.total
    assert 30 * (share - 0.15) < len(seen) < 30
    assert seen == list(range(len(seen)))
    assert str(error.value).startswith(f"typed: stopped at frame {len(seen)} of {total}: ")
    assert total == 30


@pytest.mark.parametrize("share", [0.02, 0.4, 0.9, 0.995])
def test_a_gif_that_was_cut_off_is_told(tmp_path: Path, share: float) -> None:
    whole = clips.write_gif(tmp_path / "a.gif", clips.noise(20, (64, 48)))
    with_more = tmp_path / "b.gif"
    with_more.write_bytes(whole.read_bytes() + b"something behind it")
    with_zero = tmp_path / "c.gif"
    with_zero.write_bytes(whole.read_bytes()[:-1] + b"\0;")
    for path in (whole, with_more, with_zero):
        assert len(read(path, 0.0)) == 20
    with pytest.raises(LivecamError, match=r"stopped at frame \d+|not a readable clip"):
        read(clips.cut(whole, share), 0.0)


@pytest.mark.parametrize("share", [0.3, 0.6, 0.95, 0.9999])
def test_an_ogg_film_that_was_cut_off_is_told(tmp_path: Path, share: float) -> None:
    path = clips.write_clip(tmp_path / "a.ogv", clips.noise(40, (160, 120)), codec="libvpx")
    assert len(read(path, 0.0)) == 40
    with pytest.raises(StoppedError, match=r"stopped at frame \d+.*: the file ends before"):
        read(clips.cut(path, share), 0.0)


def remuxed(given: Path, path: Path, **options: str) -> Path:
    """The packets of a clip in another container."""
    with av.open(str(given)) as source, av.open(str(path), "w", options=options) as container:
        stream = container.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                container.mux(packet)
    return path


def test_of_fragments_that_say_no_length_a_cut_is_told_too(tmp_path: Path) -> None:
    given = clips.write_clip(tmp_path / "given.mp4", clips.noise(30, (160, 120)))
    path = remuxed(given, tmp_path / "a.mp4", movflags="frag_keyframe+empty_moov")
    assert len(read(path, 0.0)) == 30
    with (
        Clip("a", clips.cut(path)) as clip,
        pytest.raises(StoppedError, match=r"stopped at frame 1\d of 24: the file ends before its"),
    ):
        list(clip)
    assert len(read(clips.cut(path), 0.0, 1.0)) == 10  # nobody wanted what is missing


def test_mp4_that_ends_within_a_box_was_cut_off(tmp_path: Path) -> None:
    """Though all pictures before are whole: FFmpeg does not look at what it does not need."""
    given = clips.write_clip(tmp_path / "given.mp4", clips.greys(30))
    path = remuxed(given, tmp_path / "a.mp4", movflags="frag_keyframe+empty_moov")
    with_more = tmp_path / "b.mp4"
    with_more.write_bytes(path.read_bytes() + b"something behind it")
    assert len(read(with_more, 0.0)) == 30
    data = path.read_bytes()
    path.write_bytes(data[:-1])  # in the index at the end
    assert len(read(path, 0.0)) == 30
    path.write_bytes(data[: data.rindex(b"moof") + 9])
    with pytest.raises(StoppedError, match=r"stopped at frame 2\d.*: the file ends before its"):
        read(path, 0.0)


def test_mp4_without_the_end_of_its_sound_was_cut_off(tmp_path: Path) -> None:
    sound = clips.Sound("aac", seconds=20.0)
    path = clips.write_clip(tmp_path / "a.mp4", clips.greys(20), sound=sound, index_first=True)
    assert len(read(path, 0.0)) == 20
    with pytest.raises(StoppedError, match="stopped at frame 20 of 20: the file ends before its"):
        read(clips.cut(path, 0.9), 0.0)


@pytest.mark.parametrize("share", [0.4, 0.7, 0.98])
def test_a_wmv_that_was_cut_off_is_told(tmp_path: Path, share: float) -> None:
    path = clips.write_clip(tmp_path / "a.wmv", clips.noise(40, (160, 120)), codec="wmv2")
    assert len(read(path, 0.0)) == 40
    with pytest.raises(StoppedError, match=r"stopped at frame \d+.*: the file ends before"):
        read(clips.cut(path, share), 0.0)


def test_texts_in_a_file_may_be_of_any_encoding(tmp_path: Path) -> None:
    path = clips.write_clip(tmp_path / "a.mp4", clips.greys(3), sound=clips.Sound("aac"))
    path.write_bytes(path.read_bytes().replace(b"Lavf", b"L\xfcvf"))
    assert len(read(path, 0.0)) == 3
    sound = AudioSource.of(path, 0.0)
    assert sound is not None
    sound.container.close()
    StreamReader("a", str(path), SHIPPED.camera).close()


def test_a_gap_is_not_taken_for_the_duration_of_the_last_frame(tmp_path: Path) -> None:
    """With frames that are stored out of order, FFmpeg gives it to one behind the gap."""
    times_s = [i / 10 + 7200 * (i >= 10) for i in range(20)]
    path = clips.write_clip(tmp_path / "a.mp4", clips.noise(20), times_s=times_s, b_frames=2)
    with av.open(str(path)) as container:
        assert any(packet.duration > 3600_000 for packet in container.demux(video=0))
    with Clip("a", path) as clip:
        *_, last = clip
    assert last.duration_s == pytest.approx(0.1, abs=0.05)


def test_a_broadcast_with_a_hole_is_whole(tmp_path: Path, astronaut: np.ndarray) -> None:
    """The picture of the packet that is marked is shown, with a blemish."""
    path = clips.write_clip(
        tmp_path / "a.ts", clips.faces(astronaut, 60), codec="mpeg2video", key_every=10
    )
    data = path.read_bytes()
    third = len(data) // 188 // 3 * 188  # packets of a broadcast have 188 bytes
    path.write_bytes(data[:third] + data[third + 188 : -188])
    with av.open(str(path)) as container:
        assert any(packet.is_corrupt for packet in container.demux(video=0))
    assert len(read(path)) >= 59


@pytest.mark.parametrize("name", ["a.mkv", "a.webm", "a.mp4", "a.mov"])
@pytest.mark.parametrize("start_s", [0.0, 1.0])
def test_a_last_frame_that_stands_for_long_is_no_damage(
    tmp_path: Path, name: str, start_s: float
) -> None:
    """As in screen recordings and slide shows."""
    codec = "libvpx" if name == "a.webm" else "libx264"
    path = clips.write_clip(tmp_path / name, clips.greys(20), codec=codec, last_stands_s=5.0)
    assert len(read(path, start_s)) == 20 - 10 * start_s


@pytest.mark.parametrize("name", ["a.mkv", "a.webm", "a.mp4", "a.ts"])
def test_pictures_that_begin_after_the_sound_are_whole(tmp_path: Path, name: str) -> None:
    codec = "libvpx" if name == "a.webm" else "libx264"
    late_s = [5 + i / 10 for i in range(20)]
    path = clips.write_clip(tmp_path / name, clips.greys(20), times_s=late_s, codec=codec)
    with Clip("a", path) as clip:
        assert len(list(clip)) == 20
        assert clip.total in (20, None) or name == "a.ts"


def test_of_mkvmerge_they_are_whole_too_and_their_end_is_missed(tmp_path: Path) -> None:
    """It tells their length where FFmpeg tells their end."""
    late_s = [5 + i / 10 for i in range(20)]
    made = clips.write_clip(tmp_path / "a.mkv", clips.noise(20, (160, 120)), times_s=late_s)
    path = tmp_path / "b.mkv"
    with av.open(str(made)) as given, av.open(str(path), "w") as container:
        stream = container.add_stream_from_template(given.streams.video[0])
        stream.metadata["_STATISTICS_TAGS"] = "DURATION"
        for packet in given.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                container.mux(packet)
    data = path.read_bytes()
    assert data.count(b"00:00:07.0") == 1
    path.write_bytes(data.replace(b"00:00:07.0", b"00:00:02.0"))
    assert len(read(path, 0.0)) == 20
    with pytest.raises(LivecamError, match=r"stopped at frame 1\d of 20"):
        read(clips.cut(path, 0.8), 0.0)


def test_a_long_clip_of_matroska_says_its_hours_and_minutes(tmp_path: Path) -> None:
    greys = [picture[:16, :16] for picture in clips.greys(10)] * 370
    path = clips.write_clip(tmp_path / "a.mkv", greys, rate=1)  # 1:01:40
    with Clip("a", path) as clip:
        assert clip.total == 3700


@pytest.mark.parametrize("end_s", [None, 60.0])
def test_but_that_such_a_frame_is_missing_is_told(tmp_path: Path, end_s: float | None) -> None:
    whole = clips.write_clip(tmp_path / "a.mkv", clips.noise(20, (160, 120)), last_stands_s=5.0)
    assert len(read(whole, 0.0, end_s)) == 20
    with pytest.raises(LivecamError, match=r"stopped at frame 1\d of "):
        read(clips.cut(whole, 0.9), 0.0, end_s)


def damaged(tmp_path: Path, numbers: range) -> Path:
    """A clip of 30 frames, each a key frame, of which these are zeros."""
    path = clips.write_clip(tmp_path / "a.mp4", clips.noise(30, (160, 120)), key_every=1)
    with av.open(str(path)) as container:
        packets = [bytes(packet) for packet in container.demux(video=0) if packet.size]
    data = path.read_bytes()
    for number in numbers:
        data = data.replace(packets[number], bytes(len(packets[number])))
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        (range(10, 13), "stopped at frame 27 of 30: 3 damaged packets left out"),
        (range(1), "stopped at frame 29 of 30: 1 damaged packet left out"),
        (range(20, 30), "stopped at frame 20 of 30: Invalid data found when processing input"),
        (range(30), "stopped at frame 0 of 30: Invalid data found when processing input"),
    ],
)
def test_damaged_packets_are_left_out_and_told_at_the_end(
    tmp_path: Path, numbers: range, said: str
) -> None:
    times_s = []
    with Clip("a", damaged(tmp_path, numbers)) as clip, pytest.raises(StoppedError) as stopped:
        for frame in clip:
            times_s.append(frame.time_s)
    assert str(stopped.value) == f"a: {said}"
    good = [i / 10 for i in range(30) if i not in numbers]
    assert times_s == pytest.approx([time_s - good[0] for time_s in good])


def test_whatever_a_decoder_calls_it_damage_is_passed_over(tmp_path: Path) -> None:
    """Some say -1, which is the number of `Operation not permitted`."""
    path = clips.write_clip(tmp_path / "a.3gp", clips.noise(30, (176, 144)), codec="h263")
    with av.open(str(path)) as container:
        packets = [bytes(packet) for packet in container.demux(video=0) if packet.size]
    path.write_bytes(path.read_bytes().replace(packets[12], bytes(len(packets[12]))))
    with pytest.raises(StoppedError, match="stopped at frame 29 of 30: 1 damaged packet left out"):
        read(path, 0.0)


def test_damage_without_an_end_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("livecam.clip.MOST_DAMAGED", 5)
    with (
        Clip("a", damaged(tmp_path, range(10, 30))) as clip,
        pytest.raises(StoppedError, match=r"stopped at frame 10 of 30: Invalid data"),
    ):
        list(clip)


def test_bytes_damaged_in_the_middle_do_not_end_the_process(tmp_path: Path) -> None:
    whole = clips.write_clip(tmp_path / "a.mp4", clips.noise(30, (160, 120)), index_first=True)
    data = bytearray(whole.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 4000] = bytes(4000)
    whole.write_bytes(data)
    with Clip("a", whole) as clip, contextlib.suppress(LivecamError):
        assert [frame.index for frame in clip] == list(range(clip.frames_read))
    assert clip.frames_read >= 10


@pytest.mark.parametrize(
    ("stamps", "times_s"),
    [
        ([0, 100, 100, 50, 200, 200], [0, 0.1, 0.1001, 0.1002, 0.2, 0.2001]),
        ([0, 0, 0], [0, 0.0001, 0.0002]),
        ([50, 0, 100], [0, 0.0001, 0.05]),
        ([None, None, None], [0, 0.1, 0.2]),
        ([None, 50, None, 400], [0, 0.05, 0.1, 0.4]),
    ],
)
def test_times_that_do_not_rise_are_made_to(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    stamps: list[int | None],
    times_s: list[float],
) -> None:
    """The raw timing of cheap cameras and raw streams; containers would refuse to hold it."""

    def decoded(clip: Clip) -> Iterator[av.VideoFrame]:
        for stamp in stamps:
            frame = av.VideoFrame(16, 16, "bgr24")
            frame.pts, frame.time_base = stamp, Fraction(1, 1000)
            yield frame

    path = clips.write_clip(tmp_path / "a.mp4", clips.greys(2))
    monkeypatch.setattr(Clip, "_decoded", decoded)
    with Clip("a", path) as clip:
        assert [frame.time_s for frame in clip] == pytest.approx(times_s)


def test_high_speed(tmp_path: Path) -> None:
    path = clips.write_clip(tmp_path / "a.mp4", clips.greys(6), rate=2400)
    assert [time_s for time_s, _ in read(path)] == pytest.approx(np.arange(6) / 2400, abs=1e-5)


def test_a_packet_without_bytes_is_passed_over(tmp_path: Path) -> None:
    """Theora says so that the picture before stands on; no encoder here writes it."""

    class Gapped:
        def __init__(self, container: Any) -> None:
            self.container = container

        def __getattr__(self, name: str) -> Any:
            return getattr(self.container, name)

        def demux(self, stream: av.VideoStream) -> Iterator[av.Packet]:
            for packet in self.container.demux(stream):
                yield packet
                if packet.size:
                    empty = av.Packet(b"")
                    empty.stream, empty.pts, empty.dts = stream, packet.pts, packet.dts
                    yield empty

    with Clip("a", clips.write_clip(tmp_path / "a.mp4", clips.greys(6))) as clip:
        clip._container = Gapped(clip._container)
        assert [frame.time_s for frame in clip] == pytest.approx(np.arange(6) / 10)


@pytest.mark.parametrize("aspect", [Fraction(4000, 3), Fraction(3, 4000)])
def test_pixels_that_cannot_have_that_shape_are_square(aspect: Fraction) -> None:
    frame = av.VideoFrame(16, 4000, "bgr24")
    assert Upright()(frame, aspect).shape == (4000, 16, 3)


@pytest.mark.parametrize(
    "pixels", [(Fraction(8, 9), Fraction(32, 27)), (Fraction(32, 27), Fraction(8, 9))]
)
@pytest.mark.parametrize("kind", ["ts", "mpg"])
def test_a_broadcast_may_go_from_one_pixel_shape_to_another(
    tmp_path: Path, pixels: tuple[Fraction, Fraction], kind: str
) -> None:
    both = tmp_path / f"both.{kind}"
    for aspect in pixels:
        with av.open(str(tmp_path / f"part.{kind}"), "w") as container:
            stream = container.add_stream("mpeg2video", rate=25)
            stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
            stream.codec_context.sample_aspect_ratio = aspect
            for grey in clips.greys(10, (96, 64)):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(grey, format="bgr24")))
            container.mux(stream.encode())
        with both.open("ab") as file:
            file.write((tmp_path / f"part.{kind}").read_bytes())
    with Clip("a", both) as clip:
        widths = [frame.bgr.shape[1] for frame in clip]
    with contextlib.closing(StreamReader("a", str(both), SHIPPED.camera)) as reader:
        streamed = [bgr.shape[1] for _, bgr in reader]
    for found in (widths, streamed):
        assert len(found) == 20
        # the decoder knows it before the frames that it holds back are out
        assert found[:8] == [round(96 * pixels[0])] * 8
        assert found[10:] == [round(96 * pixels[1])] * 10


def test_a_start_that_no_file_has_gives_no_frame(tmp_path: Path) -> None:
    assert read(clips.write_clip(tmp_path / "a.mp4", clips.greys(6)), start_s=1e300) == []


@pytest.mark.parametrize("name", ["text.mp4", "text.mkv", "text.ts", "text.gif", "text"])
def test_text_is_no_clip(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("These are words.\nMore of them.\n" * 40)
    with pytest.raises(LivecamError, match=r"not a readable clip|no video stream in it") as seen:
        Clip("typed", tmp_path / name)
    assert str(seen.value).startswith("typed: ")


def test_sound_alone_is_no_clip(tmp_path: Path) -> None:
    path = tmp_path / "a.m4a"
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=16_000)
        block = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        block.sample_rate, block.pts = 16_000, 0
        container.mux(stream.encode(block))
        container.mux(stream.encode())
    with pytest.raises(LivecamError, match="no video stream in it; expected a clip"):
        Clip("a", path)


@pytest.mark.parametrize("small_first", [True, False])
def test_of_two_videos_in_a_file_the_larger_counts(tmp_path: Path, small_first: bool) -> None:
    small = clips.write_clip(tmp_path / "s.mp4", clips.greys(5, (80, 60)))
    large = clips.write_clip(tmp_path / "l.mp4", clips.greys(5, (160, 120)))
    path = in_one_file(tmp_path / "both.mp4", *([small, large] if small_first else [large, small]))
    with Clip(path.name, path) as clip:
        assert {frame.bgr.shape for frame in clip} == {(120, 160, 3)}
    assert len(read(path)) == 5


def test_a_cover_is_no_video(tmp_path: Path) -> None:
    film = clips.write_clip(tmp_path / "film.mp4", clips.greys(5, (80, 60)))
    cover = tmp_path / "cover.avi"
    clips.write_clip(cover, clips.greys(1, (160, 120)), codec="mjpeg", pix_fmt="yuvj420p")
    path = in_one_file(tmp_path / "both.mp4", cover, film, has_cover=True)
    with Clip(path.name, path) as clip:
        assert {frame.bgr.shape for frame in clip} == {(60, 80, 3)}
    path = in_one_file(tmp_path / "alone.mp4", cover, has_cover=True)
    with pytest.raises(LivecamError, match="no video stream in it"):
        Clip(path.name, path)


def in_one_file(path: Path, *parts: Path, has_cover: bool = False) -> Path:
    """A file with the video streams of all parts; the first may be its cover."""
    with contextlib.ExitStack() as undo:
        out = undo.enter_context(av.open(str(path), "w"))
        sources = [undo.enter_context(av.open(str(part))) for part in parts]
        streams = [out.add_stream_from_template(source.streams.video[0]) for source in sources]
        if has_cover:
            streams[0].disposition = av.stream.Disposition.attached_pic
        for source, stream in zip(sources, streams, strict=True):
            for packet in source.demux(video=0):
                if packet.dts is not None:
                    packet.stream = stream
                    out.mux(packet)
    return path


TRC = av.video.reformatter.ColorTrc


@pytest.mark.parametrize(
    ("transfer", "signal", "grey"),
    [
        # the white of a sheet of paper, by ITU-R BT.2408, and a little light in shadow
        (TRC.ARIB_STD_B67, 0.75, 254), (TRC.SMPTE2084, 0.58, 254), (TRC.ARIB_STD_B67, 0.25, 72),
        (TRC.BT709, 0.75, 191),
    ],
)  # fmt: skip
def test_high_dynamic_range_is_shown_as_ordinary_screens_do(
    tmp_path: Path, transfer: int, signal: float, grey: int
) -> None:
    path = tmp_path / "a.mp4"
    frame = av.VideoFrame(64, 48, "yuv420p10le")
    for plane, value in zip(frame.planes, (round(64 + 876 * signal), 512, 512), strict=True):
        plane.update(np.full(plane.buffer_size // 2, value, "<u2").tobytes())
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p10le"
        for of in (stream.codec_context, frame):
            of.color_trc, of.color_primaries, of.colorspace = transfer, 9, 9  # BT.2020
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    [picture] = [frame.bgr for frame in Clip("a", path)]
    assert picture.reshape(-1, 3) == pytest.approx(np.full((64 * 48, 3), grey), abs=3)


def test_a_clip_is_closed_on_the_way_out(tmp_path: Path) -> None:
    path = clips.write_clip(tmp_path / "a.mp4", clips.greys(5))
    with pytest.raises(KeyError), Clip("a", path) as clip:
        next(iter(clip))
        raise KeyError
    with pytest.raises((LivecamError, AssertionError, ValueError)):
        list(clip)


def test_frames_made_ahead_are_those_of_the_clip(tmp_path: Path) -> None:
    path = clips.write_clip(tmp_path / "a.mp4", clips.greys(20))
    with Clip("a", path) as clip, clip.frames_ahead() as frames:
        seen = [(frame.index, frame.time_s, frame.bgr.mean()) for frame in frames]
    with Clip("a", path) as clip:
        assert seen == [(frame.index, frame.time_s, frame.bgr.mean()) for frame in clip]


@pytest.mark.parametrize("there", [0, 1, 3, 4, 9])
def test_frames_are_counted_and_all_given(there: int) -> None:
    few, frames = looked_ahead(iter(range(there)), 4)
    assert (few, list(frames)) == (min(there, 4), list(range(there)))


@pytest.mark.parametrize("good", [0, 2, 6])
def test_a_failure_comes_after_the_frames_before_it(good: int) -> None:
    def damaged() -> Iterator[int]:
        yield from range(good)
        raise LivecamError("damaged")

    few, frames = looked_ahead(damaged(), 4)
    assert few == min(good, 4)
    assert list(itertools.islice(frames, good)) == list(range(good))
    with pytest.raises(LivecamError, match="damaged"):
        next(frames)


def test_leaving_a_clip_does_not_wait_for_its_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = clips.write_clip(tmp_path / "a.mp4", clips.greys(60), key_every=100)
    decoded = []

    def slowly(clip: Clip) -> Iterator[av.VideoFrame]:
        for frame in original(clip):
            time.sleep(0.02)
            decoded.append(frame)
            yield frame

    original = Clip._decoded
    monkeypatch.setattr(Clip, "_decoded", slowly)
    with (
        pytest.raises(KeyboardInterrupt),
        Clip("a", path, start_s=5.5) as clip,
        clip.frames_ahead() as frames,
    ):
        interrupt_soon(0.2)
        next(frames)
    assert len(decoded) < 40
