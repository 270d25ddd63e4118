"""What is written: videos that play, sound in sync, GIFs, tables of whole rows, and old files."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import math
import signal
import subprocess
import sys
import textwrap
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import clips
import cv2
import numpy as np
import pytest

from livecam.config import load_config
from livecam.datatypes import Frame, TrackedFace
from livecam.errors import LivecamError
from livecam.files import PartialFile, RowFile
from livecam.filming import film_sink
from livecam.pictures import write_picture
from livecam.sinks import GifSink, VideoSink
from livecam.sound import AudioSource
from livecam.track_table import TRACK_FIELDS, TrackTable

VIDEO = load_config(environment={}).video
RATE = Fraction(10)


def write(
    path: Path,
    pictures: Sequence[np.ndarray],
    times_s: Sequence[float] | None = None,
    sound: AudioSource | None = None,
) -> Path:
    with VideoSink(path, VIDEO, RATE) as sink:
        for i, picture in enumerate(pictures):
            time_s = times_s[i] if times_s else i / 10
            sink.write(Frame(i, time_s, picture), picture, sound if i == 0 else None)
    return path


def levels(pictures: Sequence[np.ndarray]) -> list[int]:
    """Which of clips.greys each picture is."""
    return [round((float(picture[5:50, 5:50].mean()) - 25) / 40) for picture in pictures]


# Video


def test_no_frame_leaves_no_file(tmp_path: Path) -> None:
    with VideoSink(tmp_path / "a.mp4", VIDEO, RATE):
        pass
    assert clips.files_of(tmp_path) == []


def test_a_failure_before_the_first_frame_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(KeyError), VideoSink(tmp_path / "a.mp4", VIDEO, RATE):
        raise KeyError
    assert clips.files_of(tmp_path) == []


def test_a_video_is_h264_and_every_frame_keeps_its_time(tmp_path: Path) -> None:
    played = clips.play(write(tmp_path / "a.mp4", clips.greys(20)))
    assert (played.codec, played.pix_fmt, played.size_wh) == ("h264", "yuv420p", (160, 120))
    assert levels(played.pictures) == [i % 6 for i in range(20)]
    assert played.times_s == pytest.approx([i / 10 for i in range(20)], abs=1e-3)
    assert played.duration_s == pytest.approx(2.0, abs=0.05)
    assert played.audio_codec is None
    assert clips.files_of(tmp_path) == ["a.mp4"]


def test_no_frame_is_lost_whatever_their_number(tmp_path: Path, astronaut: np.ndarray) -> None:
    """An encoder that puts pictures out of order must not cost the last of them."""
    moving = clips.faces(astronaut, 20)
    for n in range(1, 21):
        played = clips.play(write(tmp_path / f"{n}.mp4", moving[:n]))
        assert played.times_s == pytest.approx([i / 10 for i in range(n)], abs=1e-3)
        assert played.duration_s == pytest.approx(n / 10, abs=0.02)


VARIABLE_S = [0, 0.1, 0.15, 0.4, 1.0, 1.0335, 1.2, 3.0]


def test_a_variable_rate_is_kept_to_the_millisecond(tmp_path: Path) -> None:
    played = clips.play(write(tmp_path / "a.mp4", clips.greys(8), VARIABLE_S))
    assert levels(played.pictures) == [i % 6 for i in range(8)]
    assert played.times_s == pytest.approx(VARIABLE_S, abs=1e-3)


def test_a_player_does_not_stop_before_the_last_frame(tmp_path: Path) -> None:
    played = clips.play(write(tmp_path / "a.mp4", clips.greys(8), VARIABLE_S))
    assert 3.0 < played.duration_s < 3.5


@pytest.mark.parametrize("preset", [VIDEO.preset, "ultrafast"])
def test_the_last_frame_stands_as_long_as_it_should(tmp_path: Path, preset: str) -> None:
    video = dataclasses.replace(VIDEO, preset=preset)
    with VideoSink(tmp_path / "a.mp4", video, RATE) as sink:
        for i, picture in enumerate(clips.greys(4)):
            sink.write(Frame(i, i / 10, picture, 5.0 if i == 3 else 0.1), picture)
    assert clips.play(tmp_path / "a.mp4").duration_s == pytest.approx(5.3, abs=0.01)


@pytest.mark.parametrize("rate", [Fraction(30000, 1001), Fraction(60), Fraction(1, 2)])
def test_usual_and_odd_rates(tmp_path: Path, rate: Fraction) -> None:
    times_s = [float(i / rate) for i in range(12)]
    with VideoSink(tmp_path / "a.mp4", VIDEO, rate) as sink:
        for i, picture in enumerate(clips.greys(12)):
            sink.write(Frame(i, times_s[i], picture), picture)
    played = clips.play(tmp_path / "a.mp4")
    assert played.times_s == pytest.approx(times_s, abs=1e-3)
    assert played.duration_s == pytest.approx(12 / float(rate), rel=0.05)


@pytest.mark.parametrize("codec", ["aac", "pcm_s16le"])
def test_a_gap_of_a_day_is_a_gap_of_a_day(tmp_path: Path, codec: str) -> None:
    """A step of more than 2**31 ticks ends a process, or all pictures behind it are at one time."""
    times_s = [0.0, 0.1, 86_400.0, 86_400.1]
    form = "fltp" if codec == "aac" else "s16"
    late = clips.write_clip(
        tmp_path / "late.mkv",
        clips.greys(4),
        times_s=times_s,
        sound=clips.Sound(codec, 1.0, format=form, rate=48_000),
        sound_at_s=86_400.0,
    )
    sound = AudioSource.of(late, 0.0)
    played = clips.play(write(tmp_path / "a.mp4", clips.greys(4), times_s, sound))
    assert [time_s for time_s in played.times_s if time_s < 1] == pytest.approx(times_s[:2])
    assert played.times_s[-2:] == pytest.approx(times_s[2:], abs=1e-3)
    assert levels(played.pictures) == [0, *[1] * (len(played.pictures) - 3), 2, 3]


def test_times_that_stand_still_are_written_all_the_same(tmp_path: Path) -> None:
    played = clips.play(write(tmp_path / "a.mp4", clips.greys(4), [0, 0, 0.1, 0.1]))
    assert levels(played.pictures) == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("size_wh", "written"),
    [((161, 121), (162, 122)), ((160, 121), (160, 122)), ((161, 120), (162, 120)),
     ((1, 1), (2, 2)), ((16, 16), (16, 16))],
)  # fmt: skip
def test_odd_sizes_are_padded_by_one_pixel(
    tmp_path: Path, size_wh: tuple[int, int], written: tuple[int, int]
) -> None:
    played = clips.play(write(tmp_path / "a.mp4", clips.greys(3, size_wh)))
    assert played.size_wh == written
    assert len(played.pictures) == 3
    for i, picture in enumerate(played.pictures):  # the padding is of the picture's colour
        assert np.abs(picture.astype(int) - clips.grey_of(i)).max() <= 8


COLOURS = [
    (0, 0, 255), (0, 255, 0), (255, 0, 0), (0, 255, 255), (255, 0, 255), (255, 255, 0),
    (0, 0, 0), (40, 40, 40), (80, 80, 80), (120, 120, 120), (160, 160, 160), (200, 200, 200),
    (240, 240, 240),
]  # fmt: skip


@pytest.mark.parametrize("size_wh", [(208, 96), (1300, 720)])
def test_colours_are_kept(tmp_path: Path, size_wh: tuple[int, int]) -> None:
    width, height = size_wh
    stripe = width // len(COLOURS)
    picture = np.repeat(np.array(COLOURS, np.uint8), stripe, axis=0)[None].repeat(height, axis=0)
    path = write(tmp_path / "a.mp4", [picture] * 3)
    for seen in clips.play(path).pictures:
        for i, colour in enumerate(COLOURS):
            at = seen[height // 2, i * stripe + stripe // 2].astype(int)
            assert np.abs(at - colour).max() <= 8, (size_wh, colour, at)


@pytest.mark.parametrize("level", [16, 60, 128, 200, 235])
@pytest.mark.parametrize("size_wh", [(208, 96), (1300, 720)])
def test_grey_stays_grey_and_as_bright_as_it_is(
    tmp_path: Path, size_wh: tuple[int, int], level: int
) -> None:
    width, height = size_wh
    grey = np.full((height, width, 3), level, np.uint8)
    for picture in clips.play(write(tmp_path / "a.mp4", [grey] * 5)).pictures:
        assert np.abs(picture.mean(axis=(0, 1)) - level).max() <= 1


@pytest.mark.parametrize(("height", "space"), [(96, 5), (720, 1)])  # BT.470BG, BT.709
def test_the_colour_matrix_is_named_in_the_file(tmp_path: Path, height: int, space: int) -> None:
    path = write(tmp_path / "a.mp4", clips.greys(2, (128, height)))
    with av.open(str(path)) as container:
        context = container.streams.video[0].codec_context
        assert int(context.colorspace) == space
        assert int(context.color_range) == 1  # limited, as players expect


def test_a_change_of_size_within_a_clip_ends_in_a_message_or_a_video(tmp_path: Path) -> None:
    """Streams do change size. Whatever comes of it, the process lives and the file plays."""
    sizes = [(160, 120)] * 5 + [(320, 240)] * 5
    pictures = [clips.greys(10, size)[i] for i, size in enumerate(sizes)]
    try:
        write(tmp_path / "a.mp4", pictures)
    except LivecamError as error:
        assert "a.mp4" in str(error)
    assert len(clips.play(tmp_path / "a.mp4").pictures) >= 5


# Sound

TALKING_S, ONSET_S = 2.0, 1.0

# codec, container, sample format, rate, what becomes of it
SOUNDS = [
    ("aac", "mp4", "fltp", 16_000, "aac"),
    ("libmp3lame", "mkv", "fltp", 16_000, None),
    ("ac3", "mkv", "fltp", 48_000, "ac3"),
    ("flac", "mkv", "s16", 16_000, "flac"),
    ("alac", "mov", "s16p", 16_000, "alac"),
    ("libopus", "mkv", "s16", 48_000, "opus"),
    ("mp2", "ts", "s16", 48_000, "aac"),
    ("pcm_s16le", "mkv", "s16", 16_000, "aac"),
    ("pcm_s16le", "avi", "s16", 16_000, "aac"),
    ("pcm_s16le", "mov", "s16", 16_000, "aac"),
    ("pcm_u8", "avi", "u8", 6_000, "aac"),
    ("pcm_s16le", "mkv", "s16", 192_000, "aac"),
    ("libmp3lame", "avi", "fltp", 48_000, "aac"),
    ("mp2", "mpg", "s16", 48_000, "aac"),
    ("ac3", "vob", "fltp", 48_000, "ac3"),
]


AS_AAC = ("pcm_s16le", "mov", "s16")


def talking(tmp_path: Path, codec: str, suffix: str, form: str, rate: int) -> Path:
    sound = clips.Sound(codec, TALKING_S, ONSET_S, rate=rate, format=form)
    codec, pix_fmt = ("mjpeg", "yuvj420p") if suffix == "avi" else ("libx264", "yuv420p")
    return clips.write_clip(
        tmp_path / f"talking.{suffix}", clips.greys(20), codec=codec, pix_fmt=pix_fmt, sound=sound
    )


@pytest.mark.parametrize(("codec", "suffix", "form", "rate", "kept_as"), SOUNDS)
@pytest.mark.parametrize("start_s", [0.0, 0.5])
def test_sound_is_kept_and_in_sync(
    tmp_path: Path, codec: str, suffix: str, form: str, rate: int, kept_as: str, start_s: float
) -> None:
    source = talking(tmp_path, codec, suffix, form, rate)
    given_s, _ = clips.hear(source)
    with av.open(str(source)) as container:
        first_s = next(container.decode(video=0)).time
    frames = 20 - round(10 * start_s)
    path = write(
        tmp_path / "a.mp4", clips.greys(frames), sound=AudioSource.of(source, first_s + start_s)
    )
    played = clips.play(path)
    assert played.audio_codec == kept_as or kept_as is None
    onset_s, end_s = clips.hear(path)
    # in time with the pictures: both count from the first frame
    assert onset_s - played.times_s[0] == pytest.approx(given_s - first_s - start_s, abs=0.03)
    assert end_s - played.times_s[0] == pytest.approx(TALKING_S - start_s, abs=0.15)
    assert len(played.pictures) == frames


@pytest.mark.parametrize(("codec", "suffix", "form"), [("aac", "mp4", "fltp"), AS_AAC])
@pytest.mark.parametrize(("until_s", "end_s"), [(math.inf, TALKING_S), (1.5, 1.5), (0.8, 0.8)])
def test_sound_goes_on_to_its_end_behind_the_pictures(
    tmp_path: Path, codec: str, suffix: str, form: str, until_s: float, end_s: float
) -> None:
    source = talking(tmp_path, codec, suffix, form, 16_000)
    sound = AudioSource.of(source, 0.0, until_s)
    path = write(tmp_path / "a.mp4", clips.greys(8), sound=sound)
    assert clips.hear(path)[1] == pytest.approx(end_s, abs=0.15)
    assert len(clips.play(path).pictures) == 8


@pytest.mark.parametrize(("codec", "suffix", "form"), [("aac", "mp4", "fltp"), AS_AAC])
def test_what_stops_the_pictures_stops_the_sound(
    tmp_path: Path, codec: str, suffix: str, form: str
) -> None:
    sound = AudioSource.of(talking(tmp_path, codec, suffix, form, 16_000), 0.0)
    with pytest.raises(KeyboardInterrupt), VideoSink(tmp_path / "a.mp4", VIDEO, RATE) as sink:
        for i, picture in enumerate(clips.greys(8)):
            sink.write(Frame(i, i / 10, picture), picture, sound)
        raise KeyboardInterrupt
    assert clips.hear(tmp_path / "a.mp4")[1] == pytest.approx(0.8, abs=0.15)


def test_sound_that_begins_late_stays_late(tmp_path: Path) -> None:
    """The cut begins before the sound does: the gap is part of the file."""
    late = clips.write_clip(
        tmp_path / "late.mkv", clips.greys(20), sound=clips.Sound("flac", 1.0, 0.0), sound_at_s=0.7
    )
    assert clips.hear(late)[0] == pytest.approx(0.7, abs=0.01)
    path = write(tmp_path / "a.mp4", clips.greys(20), sound=AudioSource.of(late, 0.0))
    onset_s, _ = clips.hear(path)
    assert onset_s - clips.play(path).times_s[0] == pytest.approx(0.7, abs=0.03)


def test_a_damaged_packet_does_not_end_the_sound(tmp_path: Path) -> None:
    source = talking(tmp_path, "libmp3lame", "ts", "fltp", 48_000)
    with av.open(str(source)) as container:
        place = [packet.pos for packet in container.demux(audio=0) if packet.pos][20]
    data = bytearray(source.read_bytes())
    data[place + 12 : place + 188] = bytes(176)  # a packet of the stream, but for its header
    source.write_bytes(data)
    path = write(tmp_path / "a.mp4", clips.greys(20), sound=AudioSource.of(source, 0.0))
    assert clips.hear(path)[1] - clips.play(path).times_s[0] == pytest.approx(TALKING_S, abs=0.15)


def test_sound_that_changes_from_stereo_to_mono_goes_on(tmp_path: Path) -> None:
    """As on television, where the advertisements begin."""
    with (tmp_path / "a.ts").open("wb") as joined:
        for layout, rate in [("stereo", 48_000), ("mono", 44_100), ("stereo", 48_000)]:
            sound = clips.Sound("mp2", 1.0, rate=rate, layout=layout, format="s16")
            part = clips.write_clip(tmp_path / "part.ts", clips.greys(10), sound=sound)
            joined.write(part.read_bytes())
    sound = AudioSource.of(tmp_path / "a.ts", 0.0)
    path = write(tmp_path / "a.mp4", clips.greys(30), sound=sound)
    assert clips.hear(path)[1] == pytest.approx(3.0, abs=0.2)


def test_stereo_stays_stereo(tmp_path: Path) -> None:
    sound = clips.Sound("pcm_s16le", 1.0, layout="stereo", format="s16")
    source = clips.write_clip(tmp_path / "b.avi", clips.greys(10), codec="mpeg4", sound=sound)
    path = write(tmp_path / "a.mp4", clips.greys(10), sound=AudioSource.of(source, 0.0))
    with av.open(str(path)) as container:
        assert len(container.streams.audio[0].codec_context.layout.channels) == 2


def test_a_silent_clip_has_no_audio_source(tmp_path: Path) -> None:
    path = clips.write_clip(tmp_path / "a.mp4", clips.greys(2))
    assert AudioSource.of(path, 0.0) is None


def test_a_sound_that_nobody_can_decode_does_not_cost_the_video(tmp_path: Path) -> None:
    source = talking(tmp_path, "pcm_s16le", "mkv", "s16", 16_000)
    data = source.read_bytes()
    assert data.count(b"A_PCM/INT/LIT") == 1
    source.write_bytes(data.replace(b"A_PCM/INT/LIT", b"A_PCM/INT/WHO"))
    path = write(tmp_path / "a.mp4", clips.greys(20), sound=AudioSource.of(source, 0.0))
    assert len(clips.play(path).pictures) == 20


def test_a_sound_whose_end_is_damaged_only_ends_the_sound(tmp_path: Path) -> None:
    sound = clips.Sound("aac", 2.0)
    whole = clips.write_clip(tmp_path / "b.mp4", clips.greys(20), sound=sound, index_first=True)
    source = clips.cut(whole, 0.7)
    path = write(tmp_path / "a.mp4", clips.greys(20), sound=AudioSource.of(source, 0.0))
    assert len(clips.play(path).pictures) == 20


# The old file, and what stops a video


def test_the_old_file_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"old")
    with VideoSink(path, VIDEO, RATE) as sink:
        for i, picture in enumerate(clips.greys(10)):
            sink.write(Frame(i, i / 10, picture), picture)
            assert path.read_bytes() == b"old"
    assert len(clips.play(path).pictures) == 10
    assert clips.files_of(tmp_path) == ["a.mp4"]


def test_the_old_file_stays_if_nothing_was_written(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"old")
    with VideoSink(path, VIDEO, RATE):
        pass
    assert path.read_bytes() == b"old"


@pytest.mark.parametrize("stop", [KeyboardInterrupt, LivecamError])
def test_what_stops_a_video_leaves_it_playable(tmp_path: Path, stop: type[BaseException]) -> None:
    with pytest.raises(stop), VideoSink(tmp_path / "a.mp4", VIDEO, RATE) as sink:
        for i, picture in enumerate(clips.greys(20)):
            if i == 13:
                raise stop
            sink.write(Frame(i, i / 10, picture), picture)
    assert levels(clips.play(tmp_path / "a.mp4").pictures) == [i % 6 for i in range(13)]


@pytest.mark.parametrize("kind", ["noise", "greys"])
def test_a_killed_writer_leaves_what_it_had(tmp_path: Path, kind: str) -> None:
    """SIGKILL leaves no chance to close the file: its fragments are enough, small ones too."""
    code = """
        import sys, time
        from fractions import Fraction
        from pathlib import Path
        import clips
        from livecam.config import load_config
        from livecam.datatypes import Frame
        from livecam.sinks import VideoSink

        sink = VideoSink(Path(sys.argv[1]), load_config(environment={}).video, Fraction(10))
        for i, picture in enumerate(getattr(clips, sys.argv[2])(80, (160, 120))):
            sink.write(Frame(i, i / 10, picture), picture)
        print("written", flush=True)
        time.sleep(60)
    """
    child = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), str(tmp_path / "a.mp4"), kind],
        stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parent,
    )  # fmt: skip
    with child:
        assert child.stdout is not None
        assert child.stdout.readline() == "written\n"
        child.send_signal(signal.SIGKILL)
    (partial,) = tmp_path.iterdir()
    assert partial.name.startswith(".")
    times_s = []
    with av.open(str(partial)) as container:
        try:
            for frame in container.decode(video=0):
                times_s.append(frame.time)
        except av.error.InvalidDataError:
            pass  # the last fragment is not whole
    # x264 looks ahead, and a fragment holds a second
    assert len(times_s) >= 20
    assert times_s == pytest.approx([times_s[0] + i / 10 for i in range(len(times_s))], abs=1e-3)


@pytest.mark.parametrize("suffix", [".mp4", ".gif", ".png", ".csv"])
def test_a_place_that_cannot_be_written_is_one_message(tmp_path: Path, suffix: str) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    with clips.read_only(folder):
        said = failure_of(folder / f"a{suffix}", clips.greys(3))
        missing = failure_of(tmp_path / "none" / f"a{suffix}", clips.greys(3))
    assert said.startswith(f"{folder}/a{suffix}: cannot be written: ")
    assert missing.startswith(f"{tmp_path}/none/a{suffix}: cannot be written: ")
    assert "\n" not in said + missing
    assert clips.files_of(tmp_path) == []


def failure_of(path: Path, pictures: Sequence[np.ndarray]) -> str:
    """What a sink says that fails to write `path`."""
    with pytest.raises(LivecamError) as seen:
        if path.suffix == ".mp4":
            write(path, pictures)
        elif path.suffix == ".gif":
            animate(path, pictures, 10)
        elif path.suffix == ".csv":
            with TrackTable(path) as table:
                table.write("a", Frame(0, 0.0, pictures[0]), [face()])
        else:
            write_picture(path, pictures[0])
    return str(seen.value)


def test_a_full_disk_leaves_a_playable_video(tmp_path: Path) -> None:
    pictures = clips.noise(60)  # about 60 kB each
    with clips.small_disk(tmp_path / "disk", 1024) as disk:
        with (
            pytest.raises(LivecamError, match=r"a\.mp4: cannot be written: No space left"),
            VideoSink(disk / "a.mp4", VIDEO, RATE) as sink,
        ):
            for i, picture in enumerate(pictures):
                sink.write(Frame(i, i / 10, picture), picture)
        assert clips.files_of(disk) == ["a.mp4"]
        played = clips.play_what_there_is(disk / "a.mp4")
        assert len(played) >= 5
        assert sink.lost == i - len(played)  # the picture that failed was none


@pytest.mark.parametrize("suffix", [".mp4", ".gif", ".png", ".csv"])
def test_a_disk_full_from_the_start_keeps_the_old_file(tmp_path: Path, suffix: str) -> None:
    with clips.small_disk(tmp_path / "disk", 64) as disk:
        old = disk / f"a{suffix}"
        old.write_bytes(b"old")
        clips.fill(disk)
        said = failure_of(old, clips.noise(12, (160, 120)))
        assert said.startswith(f"{old}: cannot be written: No space left")
        assert old.read_bytes() == b"old"
        assert clips.files_of(disk) == sorted([old.name, "filling"])


@pytest.mark.parametrize("suffix", [".mp4", ".gif", ".png", ".csv"])
def test_what_cannot_be_put_in_place_is_not_lost(tmp_path: Path, suffix: str) -> None:
    """On Windows, a file that another program has open is not replaced; here, a folder."""
    path = tmp_path / f"a{suffix}"
    path.mkdir()
    said = failure_of(path, clips.greys(3))
    (partial,) = (file for file in tmp_path.iterdir() if file != path)
    assert said == f"{path}: cannot be replaced: Is a directory; what was written is in {partial}"
    if suffix == ".csv":
        assert partial.read_text().count("\n") == 2
    elif suffix == ".png":
        assert cv2.imread(str(partial)) is not None
    else:
        assert len(clips.play(partial).pictures) == 3


# GIF


def animate(path: Path, pictures: Sequence[np.ndarray], rate: int) -> bool:
    """Whether the GIF was full at the end."""
    with GifSink(path, VIDEO) as sink:
        for i, picture in enumerate(pictures):
            frame = Frame(i, i / rate, picture)
            if sink.offer(frame):
                sink.write(frame, cv2.resize(picture, sink.fix_size_wh(picture)))
        return sink.is_full


def test_no_picture_makes_no_gif(tmp_path: Path) -> None:
    assert not animate(tmp_path / "a.gif", [], 10)
    assert clips.files_of(tmp_path) == []


def test_a_gif_is_small_slow_and_short(tmp_path: Path) -> None:
    assert animate(tmp_path / "a.gif", clips.greys(16 * 25, (960, 54)), 25)
    played = clips.play(tmp_path / "a.gif")
    assert played.codec == "gif"
    assert played.size_wh == (480, 27)
    assert played.times_s[0] == 0
    assert 14.5 < played.times_s[-1] < 15
    assert 11 * 15 <= len(played.times_s) <= 12 * 15 + 1
    assert clips.files_of(tmp_path) == ["a.gif"]


def test_a_gif_keeps_pictures_and_speed(tmp_path: Path) -> None:
    assert not animate(tmp_path / "a.gif", clips.greys(12), 6)
    played = clips.play(tmp_path / "a.gif")
    assert played.size_wh == (160, 120)  # never made larger
    assert levels(played.pictures) == [i % 6 for i in range(12)]
    assert played.times_s == pytest.approx([i / 6 for i in range(12)], abs=0.011)
    assert played.duration_s == pytest.approx(2.0, abs=0.15)


@pytest.mark.parametrize(
    ("times_s", "duration_s", "wanted_s"),
    [([0, 1, 2], 1.0, 3.0), ([0, 0.04, 0.08, 0.12], 0.04, 0.16), ([0, 14], 5.0, 15.0)],
    ids=["slides", "between two pictures", "full"],
)
def test_the_last_picture_of_a_gif_stands_as_long_as_in_the_clip(
    tmp_path: Path, times_s: list[float], duration_s: float, wanted_s: float
) -> None:
    pictures = clips.greys(len(times_s))
    with GifSink(tmp_path / "a.gif", VIDEO) as sink:
        for i, (time_s, picture) in enumerate(zip(times_s, pictures, strict=True)):
            frame = Frame(i, time_s, picture, duration_s)
            if sink.offer(frame):
                sink.write(frame, picture)
    assert clips.play(tmp_path / "a.gif").duration_s == pytest.approx(wanted_s, abs=0.011)


@pytest.mark.parametrize("rate", [10, 15, 24, 30, 60])
def test_a_gif_has_no_more_than_its_rate(tmp_path: Path, rate: int) -> None:
    animate(tmp_path / "a.gif", clips.greys(2 * rate, (32, 24)), rate)
    played = clips.play(tmp_path / "a.gif")
    assert len(played.times_s) <= 25
    assert len(played.times_s) >= min(2 * rate, 24) * 0.6


@pytest.mark.parametrize(("n", "size_wh"), [(1, (160, 120)), (2, (1, 1)), (3, (161, 121))])
def test_few_and_odd_pictures_make_a_gif(tmp_path: Path, n: int, size_wh: tuple[int, int]) -> None:
    animate(tmp_path / "a.gif", clips.greys(n, size_wh), 10)
    played = clips.play(tmp_path / "a.gif")
    assert played.size_wh == size_wh
    assert len(played.pictures) == n
    for i, picture in enumerate(played.pictures):
        assert np.abs(picture.astype(int) - clips.grey_of(i)).max() <= 12


def test_a_gif_has_colours(tmp_path: Path) -> None:
    picture = np.repeat(np.array(COLOURS, np.uint8), 10, axis=0)[None].repeat(60, axis=0)
    animate(tmp_path / "a.gif", [picture] * 4, 10)
    seen = clips.play(tmp_path / "a.gif").pictures[-1]
    for i, colour in enumerate(COLOURS):
        assert np.abs(seen[30, 10 * i + 5].astype(int) - colour).max() <= 12


def test_an_interrupted_gif_holds_what_there_was(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), GifSink(tmp_path / "a.gif", VIDEO) as sink:
        for i, picture in enumerate(clips.greys(6)):
            sink.write(Frame(i, i / 10, picture), picture)
        raise KeyboardInterrupt
    assert len(clips.play(tmp_path / "a.gif").pictures) == 6


@pytest.mark.parametrize("name", ["a.mp4", "a.gif", "a.png", "a.csv"])
def test_an_interrupt_waits_until_a_file_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    keep = PartialFile.keep

    def interrupted(file: PartialFile) -> None:
        signal.raise_signal(signal.SIGINT)
        keep(file)

    monkeypatch.setattr(PartialFile, "keep", interrupted)
    path = tmp_path / name
    frame = Frame(0, 0.0, clips.greys(1)[0])
    with pytest.raises(KeyboardInterrupt):
        if name == "a.png":
            write_picture(path, frame.bgr)
        elif name == "a.csv":
            with TrackTable(path) as table:
                table.write("a", frame, [face()])
        else:
            with film_sink(path, VIDEO, Fraction(10)) as sink:
                sink.write(frame, frame.bgr)
    assert clips.files_of(tmp_path) == [name]


# Pictures


@pytest.mark.parametrize("suffix", [".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp"])
def test_pictures_are_written_in_the_format_of_their_suffix(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(b"old")
    write_picture(path, clips.greys(3, (30, 20))[2])
    assert np.abs(cv2.imread(str(path)).astype(int) - clips.grey_of(2)).max() <= 3
    assert clips.files_of(tmp_path) == [path.name]


def test_a_picture_too_large_for_its_format_is_a_message(tmp_path: Path) -> None:
    with pytest.raises(LivecamError, match=r"a\.jpg"):
        write_picture(tmp_path / "a.jpg", np.zeros((1, 66_000, 3), np.uint8))
    assert clips.files_of(tmp_path) == []


# Tables


def face(track_id: int = 1, coasting_s: float = 0.0, female_prob: float = 0.12346) -> TrackedFace:
    return TrackedFace(
        track_id=track_id,
        xyxy=np.array([1.04, 2, 33.3333, 44], np.float32),
        landmarks=np.zeros((5, 2), np.float32),
        confidence=0.98765432,
        age_probs=np.full(101, 1 / 101, np.float32),
        age=31.25678,
        age_low=24,
        age_high=39,
        age_bin="25-34",
        female_prob=female_prob,
        samples=3,
        coasting_s=coasting_s,
    )


FRAME = Frame(7, 0.28, np.zeros((60, 80, 3), np.uint8))


def test_the_header_is_written_for_no_face(tmp_path: Path) -> None:
    with TrackTable(tmp_path / "t.csv") as table:
        table.write("a.mp4", FRAME, [])
    assert (tmp_path / "t.csv").read_text() == ",".join(TRACK_FIELDS) + "\n"


def test_a_table_of_no_frame_leaves_nothing(tmp_path: Path) -> None:
    with TrackTable(tmp_path / "t.csv") as table:
        assert not table.is_written
    assert clips.files_of(tmp_path) == []


def test_rows_of_a_csv_table(tmp_path: Path) -> None:
    with TrackTable(tmp_path / "t.csv") as table:
        table.write('a, "b".mp4', FRAME, [face(), face(2, coasting_s=0.1), face(3)])
        table.write("b.mp4", FRAME, [face()])
    lines = (tmp_path / "t.csv").read_text().splitlines()
    assert lines[0] == (
        "file,frame,time_s,track_id,x_min,y_min,x_max,y_max,confidence,"
        "age,age_low,age_high,age_bin,female_prob"
    )
    assert lines[1] == '"a, ""b"".mp4",7,0.28,1,1.0,2.0,33.3,44.0,0.9877,31.26,24,39,25-34,0.1235'
    rows = list(csv.DictReader(lines))
    assert [(row["file"], row["track_id"]) for row in rows] == [
        ('a, "b".mp4', "1"), ('a, "b".mp4', "3"), ("b.mp4", "1")
    ]  # fmt: skip


def test_json_lines_have_the_same_keys(tmp_path: Path) -> None:
    with TrackTable(tmp_path / "t.jsonl", show_gender=False) as table:
        table.write("a.mp4", FRAME, [])
        table.write("a.mp4", FRAME, [face()])
    (row,) = [json.loads(line) for line in (tmp_path / "t.jsonl").read_text().splitlines()]
    assert tuple(row) == TRACK_FIELDS
    assert row["female_prob"] is None
    assert (row["frame"], row["age_bin"], row["x_max"]) == (7, "25-34", 33.3)


def test_an_empty_field_is_null(tmp_path: Path) -> None:
    with TrackTable(tmp_path / "t.csv", show_gender=False) as table:
        table.write("a.mp4", FRAME, [face()])
    assert (tmp_path / "t.csv").read_text().endswith(",25-34,\n")


def test_the_old_table_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt), TrackTable(path) as table:
        table.write("a.mp4", FRAME, [face()])
        assert path.read_text() == "old"
        raise KeyboardInterrupt
    assert len(path.read_text().splitlines()) == 2
    assert clips.files_of(tmp_path) == ["t.csv"]


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_a_full_disk_leaves_whole_rows(tmp_path: Path, suffix: str) -> None:
    with clips.small_disk(tmp_path / "disk", 64) as disk:
        path = disk / f"t{suffix}"
        written = 0
        with (
            pytest.raises(LivecamError, match=rf"t\{suffix}: cannot be written: No space left"),
            TrackTable(path) as table,
        ):
            for _ in range(5000):
                table.write("a.mp4", FRAME, [face(), face(2)])
                written += 2
        text = path.read_text()
        assert text.endswith("\n")
        lines = text.splitlines()
        if suffix == ".csv":
            rows = list(csv.reader(lines))
            assert {len(row) for row in rows} == {len(TRACK_FIELDS)}
            assert len(rows) == written + 1
        else:
            assert [len(json.loads(line)) for line in lines] == [len(TRACK_FIELDS)] * written


def test_a_killed_writer_leaves_whole_rows(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    with TrackTable(path) as table:
        for _ in range(10):
            table.write("a.mp4", FRAME, [face()])
        (partial,) = tmp_path.iterdir()
        assert len(partial.read_text().splitlines()) == 11  # nothing waits in a buffer


def test_a_table_may_be_closed_without_a_with_block(tmp_path: Path) -> None:
    table = TrackTable(tmp_path / "t.csv")
    table.write("a.mp4", FRAME, [face()])
    table.close()
    assert len((tmp_path / "t.csv").read_text().splitlines()) == 2
    assert clips.files_of(tmp_path) == ["t.csv"]


def test_rows_after_a_failed_write_follow_the_whole_ones(tmp_path: Path) -> None:
    class Flaky(io.FileIO):
        """Takes three bytes of the second row, then no more of it."""

        fails = 0

        def write(self, data) -> int:  # type: ignore[no-untyped-def]
            if bytes(data).startswith(b"row2"):
                return super().write(data[:3])
            if bytes(data).startswith(b"2"):
                raise OSError(28, "No space left on device")
            return super().write(data)

    with RowFile(tmp_path / "a.csv", "") as rows:
        rows.append("row1\n")
        rows._file.close()
        rows._file = Flaky(rows._partial.path, "ab")
        with pytest.raises(LivecamError, match="No space left"):
            rows.append("row2\n")
        rows.append("row3\n")
    assert (tmp_path / "a.csv").read_bytes() == b"row1\nrow3\n"
