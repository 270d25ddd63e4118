"""The benchmarks count and compare rightly; how fast anything is, is no test."""

from __future__ import annotations

import importlib.util
import json
import urllib.request
import warnings
from pathlib import Path

import av
import clips
import numpy as np
import pytest
from conftest import unavailable
from with_keras import deprecated_in_numpy, require_module

from benchmarks import __main__ as program
from benchmarks import clips as bench_clips
from benchmarks import flicker, latency, memory, speed, starts
from benchmarks.agreement import partner_ious
from benchmarks.bench import config
from benchmarks.commands import annotate_fps, python
from benchmarks.flicker import Shown
from benchmarks.naive import NaiveLoop, Package
from benchmarks.rounds import in_turns
from benchmarks.table import Row, compared, markdown, number
from livecam.clip import Clip
from livecam.errors import LivecamError
from livecam.pipeline import Models


def boxes(*xyxy: tuple[float, ...]) -> np.ndarray:
    return np.array(xyxy, np.float32).reshape(-1, 4)


@pytest.fixture
def clip(tmp_path: Path, astronaut: np.ndarray) -> Path:
    """13 frames at 10 a second with a face of 60 px; H.264 with frames out of order."""
    return clips.write_clip(tmp_path / "face.mp4", clips.faces(astronaut, 13))


# Boxes


def test_no_box_has_no_partner() -> None:
    assert partner_ious(boxes(), boxes((0, 0, 1, 1))).tolist() == []
    assert partner_ious(boxes((0, 0, 1, 1)), boxes()).tolist() == [0]


def test_partners_are_the_best_pairs_and_each_box_has_one() -> None:
    wanted = boxes((0, 0, 10, 10), (0, 0, 10, 8), (50, 50, 60, 60))
    found = boxes((0, 0, 10, 10), (100, 100, 110, 110), (50, 50, 60, 55))
    assert partner_ious(wanted, found).tolist() == pytest.approx([1, 0, 0.5])
    turned = partner_ious(wanted[::-1], found[::-1])
    assert turned.tolist() == pytest.approx([0.5, 0, 1])


# The naive way


def test_the_package_and_the_naive_loop_see_the_portraits_face(
    astronaut: np.ndarray,
    detector,  # type: ignore[no-untyped-def]
) -> None:
    if importlib.util.find_spec("tensorflow") is None:
        unavailable("TensorFlow")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TensorFlow's own
        package = Package()
        assert NaiveLoop(package)(astronaut) == 1
    for found in (package.boxes(astronaut), package.boxes(astronaut, 32)):
        assert partner_ious(found, detector.find(astronaut).xyxy) == pytest.approx([0.9], abs=0.1)
    assert package.boxes(np.zeros((60, 80, 3), np.uint8)).shape == (0, 4)


# Flicker


def shown(ages: list[float], bins: list[str], fps: float = 2.0) -> Shown:
    track = Shown()
    for i, (age, age_bin) in enumerate(zip(ages, bins, strict=True)):
        track.add(5 + i / fps, age, age_bin)
    return track


def test_changes_are_counted_and_the_first_second_is_not_in_the_spread() -> None:
    track = shown([90, 10, 30, 40, 30, 40, 35], list("aabbaca"))
    assert track.seconds == 3
    assert track.changes == 4
    assert track.spread == pytest.approx(np.std([30, 40, 30, 40, 35]))


def test_rates_are_of_all_seconds_and_spreads_of_all_tracks() -> None:
    calm = shown([30] * 13, ["a"] * 13)
    lively = shown([30, 30, 20, 40, 20], list("ababa"))
    assert flicker._rate([calm, lively]) == pytest.approx(4 / (6 + 2))
    assert flicker._spread([calm, lively]) == pytest.approx(np.std([20, 40, 20]) / 2)


def test_the_networks_answers_lie_beside_what_is_shown(clip: Path) -> None:
    models = Models(config())
    smooth, raw = flicker.shown_and_raw(clip, models, 100)
    assert list(smooth) == list(raw) == [1]
    assert smooth[1].times_s == raw[1].times_s == pytest.approx(np.arange(2, 13) / 10)
    apart = np.abs(np.subtract(raw[1].ages, smooth[1].ages))  # every second look is mirrored
    assert apart.max() <= 2
    assert raw[1].ages[0] == smooth[1].ages[0]  # one view alone is not smoothed


# Clips


@pytest.mark.parametrize("n", [5, 13, 40])
def test_a_looped_clip_repeats_its_pictures_at_rising_times(clip: Path, n: int) -> None:
    longer = bench_clips.looped(clip, clip.with_name("longer.mp4"), n)
    played, once = clips.play(longer), clips.play(clip)
    assert len(played.pictures) == n
    assert played.times_s == pytest.approx(np.arange(n) / 10)
    for i in (0, 4, n - 1):
        assert np.array_equal(played.pictures[i], once.pictures[i % 13])
    with Clip("longer", longer) as read:
        assert [frame.index for frame in read] == list(range(n))
        assert read.total == n


def test_packets_are_looped_with_frames_out_of_order(tmp_path: Path) -> None:
    """As most clips have them: shown in another order than they are decoded in."""
    path = tmp_path / "b.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        stream.options = {"bf": "3", "b-adapt": "0", "crf": "12"}
        for picture in clips.greys(12):
            frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    with av.open(str(path)) as container:
        stamps = [packet.pts for packet in container.demux(video=0) if packet.pts is not None]
    assert stamps != sorted(stamps)
    played = clips.play(bench_clips.looped(path, tmp_path / "longer.mp4", 36))
    assert played.times_s == pytest.approx(np.arange(36) / 10)
    for i, picture in enumerate(played.pictures):
        assert abs(float(picture.mean()) - clips.grey_of(i % 12)) < 15


def test_frames_are_spread_over_all_of_a_clip(tmp_path: Path) -> None:
    path = clips.write_clip(tmp_path / "greys.mp4", clips.greys(11))
    levels = [float(bgr.mean()) for bgr in bench_clips.spread(path, 3)]
    assert levels == pytest.approx([clips.grey_of(i) for i in (0, 5, 10)], abs=15)
    assert len(bench_clips.spread(path, 50)) == 11


# Rounds and the table


def test_contenders_take_turns_and_pairs_stay_pairs() -> None:
    order = []

    def contender(name: str, values: list[float]):  # type: ignore[no-untyped-def]
        def run() -> float:
            order.append(name)
            return values.pop(0)

        return run

    pairs = in_turns(contender("a", [1, 2, 3]), contender("b", [10, 20, 30]), 3)
    assert pairs == [(1, 10), (2, 20), (3, 30)]
    assert "".join(order) == "abbaab"


def test_ratios_are_of_rounds_and_either_way_round() -> None:
    pairs = [(10.0, 1.0), (20.0, 5.0), (40.0, 5.0)]
    row = compared("speed", "clip", pairs, "fps", "times as fast")
    assert (row.ours, row.other, row.ratio) == (20, 5, 8)
    assert row.rounds == (10, 4, 8)
    assert compared("time", "clip", pairs, "ms", "x", is_other_over_ours=True).ratio == 0.125


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (1234.4, "1234"), (42, "42"), (42.0, "42.0"), (1.234, "1.23"), (0.0123, "0.012")],
)
def test_numbers(value: float | None, text: str) -> None:
    assert number(value) == text


def test_the_table_is_markdown() -> None:
    rows = [
        Row(measure="faces", clip="clip", ours=9, other=10, unit="faces", ratio=0.9),
        Row(measure="speed", clip="a longer clip", ours=12.5, unit="fps", rounds=(4.0, 6.0)),
    ]
    head, rule, first, second = markdown(rows).splitlines()
    assert head.split("|")[1].strip() == "measure"
    assert set(rule) <= set("|-: ")
    assert len({len(line) for line in (head, rule, first, second)}) == 1
    assert "0.900" in first
    assert "4.00–6.00" in second


# What is measured


def test_annotate_and_copying_have_rates(clip: Path, tmp_path: Path) -> None:
    settings = config().video
    assert annotate_fps(clip, "--no-video") > 0
    assert speed.copying_fps(clip, tmp_path / "copy.mp4", settings) > 0
    assert len(clips.play(tmp_path / "copy.mp4").pictures) == 13


def test_a_process_that_fails_ends_the_measurement_with_its_words() -> None:
    with pytest.raises(LivecamError, match=r"ended with exit code 3: too bad"):
        python("-c", "import sys; print('too bad', file=sys.stderr); sys.exit(3)")


def test_memory_is_of_the_process_itself(clip: Path) -> None:
    course = memory.watched(clip)
    assert 40 < max(course.rss_mb) <= course.peak_mb < 2000
    steady = memory.Course([100.0] * 50 + [200.0] * 50, 200.0)
    assert (steady.at(0.1), steady.at(1.0)) == (100, 200)


def test_made_faces_differ_and_are_faces(detector) -> None:  # type: ignore[no-untyped-def]
    faces = list(starts.made_faces(4))
    assert all(face.shape == (200, 200, 3) for face in faces)
    assert not np.array_equal(faces[0], faces[1])
    assert np.array_equal(faces[0], next(starts.made_faces(1)))
    assert [len(detector.find(face)) for face in faces] == [1, 1, 1, 1]


def test_the_camera_sends_a_picture_with_all_its_faces(detector) -> None:  # type: ignore[no-untyped-def]
    scene = latency.scene()
    assert [len(detector.find(bgr)) for bgr in scene[::12]] == [latency.PEOPLE] * 5
    with (
        latency.camera([b"first", b"second"], 100) as url,
        urllib.request.urlopen(url) as stream,
    ):
        assert stream.headers["Content-Type"].startswith("multipart/x-mixed-replace")
        said = stream.read(200)
    assert said.index(b"first") < said.index(b"second")


# The command


def test_rows_are_printed_and_written(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    figures = tmp_path / "figures.json"
    words = [str(clip), "--only", "between,yunet,flicker", "--frames", "13", "--json", str(figures)]
    assert program.main(words) == 0
    out, err = capsys.readouterr()
    assert "yunet: left out; --yunet FILE.onnx brings it" in err
    assert [line.split("|")[1].strip() for line in out.splitlines()[2:]] == [
        "boxes between searches",
        "faces missed between searches",
        "tracks of people",
    ]
    assert "IoU: common over joint area" in out
    assert "flicker: face 240×180: nobody is seen for 3 s: no more rows" in err
    rows = json.loads(figures.read_text())["rows"]
    assert rows[0]["ratio"] > 0.7
    assert (rows[1]["ours"], rows[1]["other"]) == (0, 11)
    assert rows[2]["ours"] == 1


@deprecated_in_numpy
def test_the_classifier_is_timed_beside_keras(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    require_module("tensorflow")
    monkeypatch.setattr(speed, "CALLS", 3)
    figures = tmp_path / "figures.json"
    words = [str(clip), "--only", "classification", "--rounds", "1", "--json", str(figures)]
    assert program.main(words) == 0
    one, four = json.loads(figures.read_text())["rows"]
    assert (one["clip"], four["clip"]) == ("1 face", "4 faces")
    for row in (one, four):
        assert 0 < row["ours"] < row["other"]
        assert row["ratio"] == pytest.approx(row["other"] / row["ours"])


def test_a_rate_that_is_lost_in_the_start_is_none() -> None:
    assert starts._more_a_second(11, 1.0, 3.0) == 5
    for all_s in (0.8, 1.0, 1.05):
        with pytest.raises(LivecamError, match="too few to measure a rate; give more"):
            starts._more_a_second(11, 1.0, all_s)


def test_without_a_row_there_is_no_table(clip: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert program.main([str(clip), "--only", "yunet,yunet"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("yunet: left out") == 1
    assert err.endswith("nothing was measured; what was left out, and why, is above\n")


@pytest.mark.parametrize("option", ["--frames", "--face-count", "--prepare-limit"])
def test_a_rate_takes_two(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        program.main(["clip.mp4", option, "1"])
    assert (
        f"{option}: expected a whole number from 2 to 2147483647, got '1'"
        in capsys.readouterr().err
    )


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["none.mp4"], 1, "none.mp4: no such clip"),
        (["{clip}", "--only", "labelling,speed"], 2, "unknown row 'speed'"),
        (["{clip}", "--yunet", "none.onnx"], 1, "--yunet none.onnx: no such file"),
        (["{clip}", "--pictures", "none"], 1, "--pictures none: no such folder"),
        (["{text}"], 1, "not a readable clip"),
        (["{clip}", "--json", "none/a.json"], 1, "there is no folder none"),
        (["{clip}", "--json", "{clip}"], 2, "expected a name that ends in .json"),
    ],
)
def test_what_cannot_be_measured_is_said_in_one_line(
    clip: Path, capsys: pytest.CaptureFixture[str], words: list[str], code: int, said: str
) -> None:
    text = clip.with_name("text.mp4")
    text.write_text("no clip")
    assert program.main([word.format(clip=clip, text=text) for word in words]) == code
    out, err = capsys.readouterr()
    assert (out, len(err.splitlines())) == ("", 1)
    assert err.startswith("python -m benchmarks: ")
    assert said in err
