"""Films of a live picture: at their times, of one size, and never in the way of the window."""

from __future__ import annotations

import dataclasses
import itertools
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import clips
import numpy as np
import pytest
from patience import until
from people import face

from livecam.config import OverlayConfig, load_config
from livecam.datatypes import Frame, TrackedFace
from livecam.drawing import centred, resized_into
from livecam.filming import BARS
from livecam.live.recorder import WAITING, Recorder
from livecam.overlay import NOBODY

CONFIG = load_config(environment={})
PLAIN = dataclasses.replace(CONFIG.overlay, blur=False)
HIDING = dataclasses.replace(CONFIG.overlay, blur=True)
PATIENCE_S = 60.0  # more than any encoder here takes


def put(
    recorder: Recorder,
    pictures: Sequence[np.ndarray],
    times_s: Sequence[float] | None = None,
    faces: Sequence[TrackedFace] = (),
    hidden: np.ndarray = NOBODY,
    overlay: OverlayConfig = PLAIN,
) -> None:
    for i, picture in enumerate(pictures):
        time_s = times_s[i] if times_s is not None else i / 10
        recorder.put(Frame(i, time_s, picture), faces, hidden, overlay)


def in_time(work: Callable[[], None]) -> None:
    """Do it, and fail if that never ends."""
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(PATIENCE_S)
    assert not thread.is_alive(), "blocked"


def levels(pictures: Sequence[np.ndarray]) -> list[int]:
    """Which of clips.greys each picture is, by its middle."""
    return [round((float(p[50:70, 70:90].mean()) - 25) / 40) for p in pictures]


# What is in a film


@pytest.mark.parametrize("name", ["a.mp4", "a.gif"])
def test_nothing_put_is_no_file(tmp_path: Path, name: str) -> None:
    with Recorder(tmp_path / name, CONFIG) as recorder:
        pass
    assert clips.files_of(tmp_path) == []
    assert (recorder.is_kept, recorder.error, recorder.missed) == (False, None, 0)
    assert recorder.begin_s is None


@pytest.mark.parametrize(
    "times_s",
    [
        [i / 30 for i in range(20)],
        [1000.25 + i / 10 for i in range(10)],
        [7.5, 7.533, 7.6, 9.0, 9.001, 12.345, 12.4, 15.0],
        [3.0],
    ],
    ids=["from 0 on", "long after the start", "with gaps", "one"],
)
def test_pictures_have_their_times_since_the_first(tmp_path: Path, times_s: list[float]) -> None:
    with Recorder(tmp_path / "a.mp4", CONFIG, is_whole_clip=True) as recorder:
        put(recorder, clips.greys(len(times_s)), times_s)
    played = clips.play(tmp_path / "a.mp4")
    assert played.times_s == pytest.approx([t - times_s[0] for t in times_s], abs=1e-3)
    assert levels(played.pictures) == [i % 6 for i in range(len(times_s))]
    assert (played.codec, played.pix_fmt, played.size_wh) == ("h264", "yuv420p", (160, 120))
    assert (recorder.begin_s, recorder.last_s) == (times_s[0], times_s[-1])
    assert (recorder.is_kept, recorder.error, recorder.missed) == (True, None, 0)
    assert clips.files_of(tmp_path) == ["a.mp4"]


def test_labels_are_drawn_as_each_picture_asks_and_the_frame_stays(tmp_path: Path) -> None:
    picture = clips.greys(3, (320, 240))[2]
    before = picture.copy()
    picture.flags.writeable = False
    one = face((100, 80, 200, 200))
    long, short = PLAIN, dataclasses.replace(PLAIN, age="exact", gender=False, ids=False)
    with Recorder(tmp_path / "a.mp4", CONFIG, is_whole_clip=True) as recorder:
        for i, (faces, overlay) in enumerate([([], long), ([one], long), ([one], short)]):
            recorder.put(Frame(i, i / 10, picture), faces, NOBODY, overlay)
    assert np.array_equal(picture, before)
    drawn = [
        (np.abs(seen.astype(int) - before) > 30).any(axis=2)
        for seen in clips.play(tmp_path / "a.mp4").pictures
    ]
    assert not drawn[0].any()
    assert drawn[1][80:200].any() and drawn[2][80:200].any()  # the box
    assert drawn[1][:76].sum() > 2 * drawn[2][:76].sum() > 0  # the label


@pytest.mark.parametrize("name", ["a.mp4", "a.gif"])
@pytest.mark.parametrize("other_wh", [(640, 480), (160, 120), (640, 360)], ids=str)
def test_what_is_hidden_is_hidden_in_the_film(
    tmp_path: Path, name: str, other_wh: tuple[int, int]
) -> None:
    """Also in pictures of another size than the film, and in a small GIF of a large picture."""
    first = clips.greys(4, (640, 480))[3]
    other = clips.greys(4, other_wh)[3]
    detail = np.s_[30:110, 10:74]
    other[detail] = np.random.default_rng(0).integers(0, 256, (80, 64, 3))
    box = np.array([[10, 30, 74, 110]], np.float32)
    spreads = []
    for overlay in (HIDING, PLAIN):
        with Recorder(tmp_path / name, CONFIG, is_whole_clip=True) as recorder:
            recorder.put(Frame(0, 0.0, first), [], NOBODY, overlay)
            recorder.put(Frame(1, 0.5, other), [], box, overlay)
        seen = clips.play(tmp_path / name).pictures[-1].astype(int)
        inner = seen[seen.shape[0] // 6 : -seen.shape[0] // 6, : seen.shape[1] // 2]
        spreads.append(np.abs(np.diff(inner, axis=1)).max())
        if other_wh == (640, 360):
            assert seen[: seen.shape[0] // 10].max() < 20  # the bar, with nothing smeared into it
    assert spreads[0] < 30 < 60 < spreads[1]


# Another size


@pytest.mark.parametrize(
    ("size_wh", "inner"),
    [
        ((320, 240), np.s_[0:120, 0:160]),
        ((80, 60), np.s_[0:120, 0:160]),
        ((320, 120), np.s_[30:90, 0:160]),
        ((60, 120), np.s_[0:120, 50:110]),
        ((1, 1), np.s_[0:120, 20:140]),
        ((1000, 1), np.s_[59:60, 0:160]),
    ],
    ids=str,
)
def test_a_picture_is_fitted_whole(size_wh: tuple[int, int], inner: tuple[slice, slice]) -> None:
    picture = clips.greys(3, size_wh)[2]
    wanted = np.zeros((120, 160, 3), np.uint8)
    wanted[inner] = clips.grey_of(2)
    resized, _ = resized_into(picture, (160, 120))
    assert np.array_equal(centred(resized, (160, 120), BARS)[0], wanted)


def test_another_size_mid_way_is_fitted_with_bars(tmp_path: Path) -> None:
    sizes = [(160, 120), (320, 120), (60, 120), (160, 120)]
    pictures = [clips.greys(6, size)[2 + i] for i, size in enumerate(sizes)]
    with Recorder(tmp_path / "a.mp4", CONFIG, is_whole_clip=True) as recorder:
        put(recorder, pictures)
    played = clips.play(tmp_path / "a.mp4")
    assert played.size_wh == (160, 120)
    assert played.times_s == pytest.approx([0, 0.1, 0.2, 0.3], abs=1e-3)
    assert levels(played.pictures) == [2, 3, 4, 5]
    for i, bar in ((1, np.s_[:24, :]), (1, np.s_[96:, :]), (2, np.s_[:, :44]), (2, np.s_[:, 116:])):
        assert played.pictures[i][bar].max() < 20
    for i in (0, 3):
        assert played.pictures[i].min() > 80


def test_an_odd_size_comes_back_after_another_one(tmp_path: Path) -> None:
    sizes = [(161, 121), (322, 242), (161, 121)]
    with Recorder(tmp_path / "a.mp4", CONFIG, is_whole_clip=True) as recorder:
        put(recorder, [clips.greys(3, size)[i] for i, size in enumerate(sizes)])
    played = clips.play(tmp_path / "a.mp4")
    assert (played.size_wh, levels(played.pictures)) == ((162, 122), [0, 1, 2])


def test_labels_are_of_one_size_whatever_the_pictures(tmp_path: Path) -> None:
    box = (100, 80, 160, 160)
    with Recorder(tmp_path / "a.mp4", CONFIG, is_whole_clip=True) as recorder:
        for i, times in enumerate((1, 4)):
            picture = clips.greys(3, (320 * times, 240 * times))[2]
            put(recorder, [picture], [i / 10], [face(np.array(box) * times)])
    small, large = clips.play(tmp_path / "a.mp4").pictures
    assert np.ptp(small) > 150, "no label"
    assert np.abs(small.astype(int) - large).max() < 30


# A slow encoder


def test_what_is_to_be_complete_waits_for_the_encoder(tmp_path: Path) -> None:
    slow = dataclasses.replace(CONFIG, video=dataclasses.replace(CONFIG.video, preset="slower"))
    n = 4 * WAITING
    with Recorder(tmp_path / "a.mp4", slow, is_whole_clip=True) as recorder:
        in_time(lambda: put(recorder, clips.noise(n, (160, 120))))
    assert recorder.missed == 0
    assert clips.play(tmp_path / "a.mp4").times_s == pytest.approx(np.arange(n) / 10, abs=1e-3)


def test_what_is_live_leaves_pictures_out_and_waits_for_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The encoder takes the first picture, and goes on when all is put."""
    go_on, write = threading.Event(), Recorder._write

    def slow(recorder: Recorder, *job: Any) -> None:
        go_on.wait(PATIENCE_S)
        write(recorder, *job)

    monkeypatch.setattr(Recorder, "_write", slow)
    with Recorder(tmp_path / "a.mp4", CONFIG) as recorder:
        put(recorder, clips.greys(1))
        until(lambda: not recorder._jobs.qsize(), "the first is taken")
        in_time(lambda: put(recorder, clips.greys(WAITING + 6)[1:], np.arange(1, WAITING + 6) / 10))
        assert recorder.missed == 5
        go_on.set()
        until(lambda: not recorder._jobs.qsize(), "room")
        put(recorder, clips.greys(2), [2.0, 2.5])
    assert recorder.missed == 5
    played = clips.play(tmp_path / "a.mp4")
    assert played.times_s == pytest.approx([*np.arange(WAITING + 1) / 10, 2.0, 2.5], abs=1e-3)
    assert levels(played.pictures) == [*(i % 6 for i in range(WAITING + 1)), 0, 1]


def test_what_was_put_before_an_interrupt_is_in_the_film(tmp_path: Path) -> None:
    with (
        pytest.raises(KeyboardInterrupt),
        Recorder(tmp_path / "a.mp4", CONFIG, is_whole_clip=True) as recorder,
    ):
        put(recorder, clips.greys(WAITING))
        raise KeyboardInterrupt
    assert len(clips.play(tmp_path / "a.mp4").pictures) == WAITING


# What goes wrong


@pytest.mark.parametrize("is_whole_clip", [False, True])
@pytest.mark.parametrize("name", ["a.mp4", "a.gif"])
def test_a_place_that_cannot_be_written_is_an_error(
    tmp_path: Path, name: str, is_whole_clip: bool
) -> None:
    path = tmp_path / "none" / name
    recorder = Recorder(path, CONFIG, is_whole_clip)

    def record() -> None:
        with recorder:
            put(recorder, clips.greys(5 * WAITING))

    in_time(record)
    assert str(recorder.error) == f"{path}: cannot be written: No such file or directory"
    assert not recorder.is_kept
    assert clips.files_of(tmp_path) == []


def test_a_disk_without_a_byte_is_an_error_and_leaves_no_file(tmp_path: Path) -> None:
    with clips.small_disk(tmp_path / "disk", 64) as disk:
        clips.fill(disk)
        recorder = Recorder(disk / "a.mp4", CONFIG, is_whole_clip=True)

        def record() -> None:
            with recorder:
                put(recorder, clips.noise(5 * WAITING, (160, 120)))

        in_time(record)
        assert str(recorder.error).endswith("a.mp4: cannot be written: No space left on device")
        assert not recorder.is_kept
        assert clips.files_of(disk) == ["filling"]


@pytest.mark.parametrize("is_whole_clip", [False, True])
def test_a_disk_that_fills_up_leaves_what_plays(tmp_path: Path, is_whole_clip: bool) -> None:
    with clips.small_disk(tmp_path / "disk", 1000) as disk:
        recorder, noise = Recorder(disk / "a.mp4", CONFIG, is_whole_clip), clips.noise(8)

        def record() -> None:
            with recorder:
                for i in itertools.count():
                    put(recorder, [noise[i % 8]], [i / 10])
                    if recorder.error is not None:  # known while it goes on
                        break
                    if not is_whole_clip:  # a camera is slower than this
                        threading.Event().wait(0.005)
                put(recorder, clips.greys(5 * WAITING, (320, 240)))

        in_time(record)
        assert str(recorder.error).endswith("a.mp4: cannot be written: No space left on device")
        assert recorder.is_kept
        assert clips.files_of(disk) == ["a.mp4"]
        assert len(clips.play_what_there_is(disk / "a.mp4")) > 5


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_whatever_ends_the_thread_nobody_waits_for_it(tmp_path: Path) -> None:
    """A picture that is none is a mistake of ours; it must not hang the program as well."""
    recorder = Recorder(tmp_path / "a.mp4", CONFIG, is_whole_clip=True)

    def record() -> None:
        with recorder:
            put(recorder, [np.zeros((120, 160), np.uint8)] * (5 * WAITING))

    in_time(record)
    assert clips.files_of(tmp_path) == []


# GIF


@pytest.mark.parametrize("name", ["a.gif", "A.GIF"])
def test_a_gif_has_its_times_and_is_small(tmp_path: Path, name: str) -> None:
    with Recorder(tmp_path / name, CONFIG, is_whole_clip=True) as recorder:
        put(recorder, clips.greys(12, (960, 120)), [50 + i / 6 for i in range(12)])
    played = clips.play(tmp_path / name)
    assert (played.codec, played.size_wh) == ("gif", (480, 60))
    assert played.times_s == pytest.approx([i / 6 for i in range(12)], abs=0.011)
    assert (recorder.is_kept, recorder.is_full) == (True, False)
    assert clips.files_of(tmp_path) == [name]


def test_a_gif_that_holds_all_it_may_is_full(tmp_path: Path) -> None:
    with Recorder(tmp_path / "a.gif", CONFIG, is_whole_clip=True) as recorder:
        put(recorder, clips.greys(20, (64, 48)), [9.0 + i for i in range(20)])
    assert recorder.is_full
    played = clips.play(tmp_path / "a.gif")
    assert played.times_s == pytest.approx(np.arange(CONFIG.video.gif_max_s), abs=0.011)


def test_a_gif_of_pictures_of_several_sizes(tmp_path: Path) -> None:
    sizes = [(160, 120), (320, 120), (160, 120)]
    with Recorder(tmp_path / "a.gif", CONFIG, is_whole_clip=True) as recorder:
        put(recorder, [clips.greys(5, size)[2 + i] for i, size in enumerate(sizes)])
    played = clips.play(tmp_path / "a.gif")
    assert (played.size_wh, levels(played.pictures)) == ((160, 120), [2, 3, 4])
    assert played.pictures[1][:24].max() < 20
