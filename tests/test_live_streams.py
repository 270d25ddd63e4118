"""Real streams from end to end: servers on loopback, the capture, and the command.

Every picture holds its number, and the camera remembers when it made it.
"""

from __future__ import annotations

import dataclasses
import os
import re
import statistics
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import clips
import cv2
import numpy as np
import pytest
import streams
from clips import table
from patience import until
from settings import SHIPPED

from livecam.live import capture as module
from livecam.live.capture import Capture, Shot
from livecam.live.readers import LiveSource

CONFIG = SHIPPED.camera
FPS = 30
BITS = 12
STRIP_PX = 20
FRESH_S = 0.5  # a picture is no older, on a machine that may be busy

Camera = streams.MjpegServer | streams.RtspServer
both = pytest.mark.parametrize("kind", [streams.MjpegServer, streams.RtspServer])


class Scene:
    """Pictures with their number in a strip of black and white at their foot."""

    def __init__(self, pictures: list[np.ndarray]) -> None:
        self.pictures = pictures
        self.made_s: dict[int, float] = {}

    def __call__(self, index: int) -> np.ndarray:
        self.made_s[index] = time.perf_counter()
        picture = self.pictures[index % len(self.pictures)]
        bits = [(index >> bit) & 1 for bit in range(BITS)]
        strip = np.repeat(np.array(bits, np.uint8) * 255, picture.shape[1] // BITS)
        return np.vstack(
            [picture, np.broadcast_to(strip[None, :, None], (STRIP_PX, *strip.shape, 3))]
        )

    def age_s(self, bgr: np.ndarray) -> float:
        return time.perf_counter() - self.made_s[number(bgr)]


def number(bgr: np.ndarray) -> int:
    """Which picture of a scene this is."""
    strip = bgr[-STRIP_PX + 4 : -4].mean(axis=(0, 2))
    parts = strip.reshape(BITS, -1)[:, 3:-3].mean(axis=1)
    assert all(level < 64 or level > 192 for level in parts), f"no number in {parts}"
    return sum(1 << bit for bit, level in enumerate(parts) if level > 128)


def plain(size_wh: tuple[int, int] = (240, 100)) -> Scene:
    return Scene(clips.greys(6, size_wh))


def taken(capture: Capture) -> Shot:
    shot = capture.take_newest(30)
    assert shot is not None, capture.state
    return shot


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Afterwards no thread may be left: those of streams end when their time is over."""
    monkeypatch.setattr(module, "FIRST_RETRY_S", 0.1)
    monkeypatch.setattr(module, "LAST_RETRY_S", 0.4)
    yield
    names = {"livecam capture", "livecam recorder"}
    until(lambda: not any(t.name in names for t in threading.enumerate()), "no thread is left")


def capturing(camera: Camera, **changes: float) -> Capture:
    return Capture(LiveSource.parse(camera.url), dataclasses.replace(CONFIG, **changes))


# Pictures


@both
def test_pictures_are_fresh_and_each_comes_once(kind: type[Camera]) -> None:
    """At the pace of the camera, which may change."""
    scene = plain()
    with kind(scene, FPS) as camera, capturing(camera) as capture:
        taken(capture)
        assert capture.state.phase == "live"
        assert not capture.is_paced
        for fps, n in ((FPS, 15), (5, 5)):
            camera.fps = fps
            until(lambda: taken(capture) and pace(scene) == pytest.approx(fps, rel=0.3), "it")  # noqa: B023
            shots, ages_s, waits_s = [], [], []
            for _ in range(n):
                shots.append(taken(capture))
                waits_s.append(time.perf_counter() - shots[-1].taken_s)
                ages_s.append(scene.age_s(shots[-1].frame.bgr))
            assert statistics.median(waits_s) < 0.1
            assert statistics.median(ages_s) < FRESH_S
            numbers = [number(shot.frame.bgr) for shot in shots]
            assert numbers == sorted(set(numbers))
            assert shots[0].frame.bgr.shape == (120, 240, 3)
            assert shots[-1].taken_s - shots[0].taken_s > 0.7 * (n - 1) / fps
        assert capture.rate.at(time.perf_counter()) > 3


@both
def test_a_slow_consumer_gets_fresh_pictures(kind: type[Camera]) -> None:
    """One that takes three times as long as the camera for a picture."""
    scene = plain()
    with kind(scene, FPS) as camera, capturing(camera) as capture:
        taken(capture)
        ages_s, dropped = [], [capture.dropped]
        for _ in range(15):
            time.sleep(3 / FPS)
            ages_s.append(scene.age_s(taken(capture).frame.bgr))
            dropped.append(capture.dropped)
        assert statistics.median(ages_s) < FRESH_S
        assert statistics.median(ages_s[10:]) - statistics.median(ages_s[:5]) < 0.2
        assert dropped == sorted(dropped)
        for begin in range(0, 15, 5):
            assert dropped[begin + 5] - dropped[begin] >= 5


def pace(scene: Scene) -> float:
    """Pictures a second that the camera makes now."""
    before, last = sorted(scene.made_s.values())[-2:]
    return 1 / (last - before)


@both
def test_another_size_in_the_midst(kind: type[Camera]) -> None:
    scene = plain()
    with kind(scene, FPS) as camera, capturing(camera) as capture:
        for size_wh in ((240, 100), (480, 220), (120, 60)):
            scene = plain(size_wh)
            camera.picture = scene
            height, width = size_wh[1] + STRIP_PX, size_wh[0]
            until(lambda: taken(capture).frame.bgr.shape == (height, width, 3), "this size")  # noqa: B023
            for _ in range(3):
                shot = taken(capture)
                assert shot.frame.bgr.shape == (height, width, 3)
                assert scene.age_s(shot.frame.bgr) < 2 * FRESH_S
        assert capture.state.phase == "live"


# Losses


@both
def test_one_that_falls_silent_is_lost_and_comes_back(kind: type[Camera]) -> None:
    scene = plain()
    with kind(scene, FPS) as camera, capturing(camera, stall_after_s=0.5) as capture:
        taken(capture)
        camera.stall()
        begin_s = time.perf_counter()
        until(lambda: capture.state.phase == "lost", "lost")
        since_s = capture.state.since_s
        # FFmpeg waits as long again for an answer to its farewell from an RTSP server
        assert 0.3 <= since_s - begin_s < 2 * 0.5 + 2.0
        assert capture.state.why == "nothing came for 0.5 s"
        until(lambda: "opened" in capture.state.why, "an attempt to open it")
        assert capture.state.why == "cannot be opened: nothing came for 0.5 s"
        assert capture.state.since_s == since_s
        capture.take_newest(0)
        assert capture.take_newest(0.05) is None
        camera.resume()
        assert comes_back(capture, scene).source == capture.source
        assert capture.state.since_s > since_s


@both
def test_one_that_is_silent_for_a_moment_goes_on(kind: type[Camera]) -> None:
    scene = plain()
    with kind(scene, FPS) as camera, capturing(camera, stall_after_s=20.0) as capture:
        taken(capture)
        begin_s = capture.state.since_s
        camera.stall()
        until(lambda: capture.silent_s(time.perf_counter()) > 0, "silence")
        assert capture.state.phase == "live"
        camera.resume()
        comes_back(capture, scene)
        assert capture.silent_s(time.perf_counter()) == 0
        assert capture.state.since_s == begin_s  # it was never lost


@both
def test_one_that_is_cut_off_is_lost_and_comes_back(kind: type[Camera]) -> None:
    scene = plain()
    with kind(scene, FPS) as camera, capturing(camera, stall_after_s=20.0) as capture:
        taken(capture)
        camera.cut()
        begin_s = time.perf_counter()
        until(lambda: capture.state.phase == "lost", "lost")
        assert time.perf_counter() - begin_s < 5.0
        assert "nothing came" not in capture.state.why
        until(lambda: "Connection refused" in capture.state.why, "an attempt to open it")
        assert capture.state.why == "cannot be opened: Connection refused"
        camera.restore()
        comes_back(capture, scene)


def comes_back(capture: Capture, scene: Scene) -> Shot:
    """The next picture that was made after now; those after it are fresh."""
    now_s = time.perf_counter()
    shots: list[Shot] = []

    def is_new() -> bool:
        shots.append(taken(capture))
        return scene.made_s[number(shots[-1].frame.bgr)] >= now_s

    until(is_new, "a new picture")
    assert capture.state.phase == "live"
    assert capture.state.why == ""
    ages_s = [scene.age_s(taken(capture).frame.bgr) for _ in range(5)]
    assert statistics.median(ages_s) < FRESH_S
    return shots[-1]


# The command


@pytest.fixture(scope="session")
def there_and_back(people: list[np.ndarray]) -> list[np.ndarray]:
    return people + people[::-1]


def run(livecam: clips.Command, camera: Camera, seconds: float) -> clips.Answer:
    secret = camera.url.replace("://", "://user:secret@") + "?token=abc"
    return livecam(
        "run", "--headless", "--camera", secret, "--duration", seconds, "--tracks", "rows.csv",
        "--record", "film.mp4",
    )  # fmt: skip


def check(answer: clips.Answer, camera: Camera) -> clips.Played:
    """What holds of every run; returns the film."""
    assert answer.code == 0, answer.err
    assert answer.lines == ["film.mp4", "rows.csv"]
    assert not any(word in answer.err for word in ("secret", "token", "abc", "Traceback"))
    rows = table("rows.csv")
    assert {row["file"] for row in rows} == {camera.url}
    played = clips.play(Path("film.mp4"))
    assert played.size_wh == (240, 200)
    assert played.times_s[0] == 0
    labelled_s = float(rows[-1]["time_s"]) - float(rows[0]["time_s"])
    assert labelled_s == pytest.approx(played.times_s[-1], abs=1.0)
    made_s = np.array([number(picture) for picture in played.pictures]) / FPS
    late_s = np.array(played.times_s) - (made_s - made_s[0])
    assert np.abs(late_s - np.median(late_s)).max() < 2 * FRESH_S, "the film is too fast or slow"
    return played


@both
def test_run_labels_a_stream(
    livecam: clips.Command, there_and_back: list[np.ndarray], kind: type[Camera]
) -> None:
    with kind(Scene(there_and_back), FPS) as camera:
        answer = run(livecam, camera, 2)
        played = check(answer, camera)
        assert f"{camera.url}: 240x200 (" in answer.err
        assert f"{camera.url}: " in answer.err.splitlines()[-1]
        assert ", 1 track" in answer.err.splitlines()[-1]
    assert 1.0 < played.times_s[-1] < 2.5
    assert max(np.diff(played.times_s)) < 1.0
    rows = table("rows.csv")
    assert len(rows) >= len(played.pictures) / 2
    assert len({row["track_id"] for row in rows}) <= 2


def test_it_is_said_that_small_faces_are_left_out(
    livecam: clips.Command, there_and_back: list[np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIVECAM_CAMERA__SEARCH_WITHIN_S", "0.01")
    monkeypatch.setenv("LIVECAM_DETECTOR__DETECT_EVERY", "1")
    monkeypatch.setenv("LIVECAM_DETECTOR__MIN_FACE_PX", "12")  # which takes several times as long
    large = [cv2.resize(picture, None, fx=4, fy=4) for picture in there_and_back[:10]]
    with streams.MjpegServer(Scene(large), FPS) as camera:
        answer = livecam("run", "--headless", "--camera", camera.url, "--duration", 2)
    *_, note, last = answer.err.splitlines()
    assert note.startswith(f"{camera.url}: a search for faces takes longer than camera.search_wit")
    (px,) = re.findall(r", faces from (\d+) px$", last)
    assert int(px) > 12


@both
def test_a_cut_is_a_gap_in_the_film(
    livecam: clips.Command, there_and_back: list[np.ndarray], kind: type[Camera]
) -> None:
    with kind(Scene(there_and_back), FPS) as camera:

        def pull_the_plug() -> None:
            partial = Path(f".rows.{os.getpid()}.partial.csv")
            until(lambda: partial.exists() and partial.read_text().count("\n") > 8, "rows")
            camera.cut()
            time.sleep(1.0)
            camera.restore()

        thread = threading.Thread(target=pull_the_plug)
        thread.start()
        answer = run(livecam, camera, 4)
        thread.join()
        played = check(answer, camera)
    gaps_s = np.diff(played.times_s)
    cut = int(gaps_s.argmax())
    assert 0.9 < gaps_s[cut] < 3.0
    assert 3.0 < played.times_s[-1] < 4.5
    assert 5 < cut < len(gaps_s) - 3
    notes = [line for line in answer.err.splitlines() if line.startswith(f"{camera.url}: ")]
    open_, lost, back, end = notes
    assert open_ == back
    assert lost.endswith("; opening it again until it is back")
    assert " labelled (" in end
