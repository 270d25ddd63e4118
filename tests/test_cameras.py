"""Cameras without a camera: `cv2.VideoCapture` is a fake, and /dev, /sys and /proc are folders."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import clips
import cv2
import numpy as np
import pytest
from settings import SHIPPED

from livecam.errors import LivecamError, UsageError
from livecam.live import cameras
from livecam.live.cameras import indices, next_after, open_camera, why_not

HD = SHIPPED.camera
NAMES = {
    cv2.CAP_V4L2: "V4L2", cv2.CAP_DSHOW: "DSHOW", cv2.CAP_MSMF: "MSMF",
    cv2.CAP_AVFOUNDATION: "AVFOUNDATION", cv2.CAP_ANY: "GSTREAMER",
}  # fmt: skip


def picture(level: int, size_wh: tuple[int, int] = (64, 48), *channels: int) -> np.ndarray:
    width, height = size_wh
    return np.full((height, width, *(channels or (3,))), level, np.uint8)


@dataclass
class Device:
    """What a camera does. `reads`: pictures, None for a failed read, or an error to raise; the
    last one again and again."""

    reads: Sequence[object] = field(default_factory=lambda: [picture(1), picture(2)])
    backends: Sequence[int] = tuple(NAMES)
    name: str = ""  # of the back end, where it is another one than was asked for
    fps: float = 30.0
    set_error: BaseException | None = None


class FakeCapture:
    """`cv2.VideoCapture`, as far as livecam uses it."""

    def __init__(self, computer: Computer, index: int, backend: int) -> None:
        computer.tried.append((index, NAMES[backend]))
        computer.captures.append(self)
        device = computer.devices.get(index)
        self.device = device if device is not None and backend in device.backends else None
        self.backend = backend
        self.asked: list[tuple[int, float]] = []
        self.reads = 0
        self.releases = 0

    def isOpened(self) -> bool:
        return self.device is not None and not self.releases

    def getBackendName(self) -> str:
        if self.device is None:
            raise cv2.error("api != 0")
        return self.device.name or NAMES[self.backend]

    def set(self, what: int, value: float) -> bool:
        assert self.device is not None
        if self.device.set_error is not None:
            raise self.device.set_error
        self.asked.append((what, value))
        return False  # as of a camera that has another format

    def get(self, what: int) -> float:
        assert self.device is not None
        assert what == cv2.CAP_PROP_FPS
        return self.device.fps

    def read(self) -> tuple[bool, np.ndarray | None]:
        if self.device is None or self.releases:
            return False, None
        got = self.device.reads[min(self.reads, len(self.device.reads) - 1)]
        self.reads += 1
        if isinstance(got, BaseException):
            raise got
        return got is not None, got

    def release(self) -> None:
        self.releases += 1


class Computer:
    """Folders for /dev, /sys and /proc, a clock that only sleeping moves, and the cameras."""

    def __init__(self, folder: Path) -> None:
        self.dev, self.sys, self.proc = (folder / name for name in ("dev", "sys", "proc"))
        for path in (self.dev, self.sys, self.proc):
            path.mkdir()
        self.devices: dict[int, Device] = {}
        self.tried: list[tuple[int, str]] = []
        self.captures: list[FakeCapture] = []
        self.now_s = 0.0

    def plug(
        self, index: int, device: Device | None = None, name: str = "", role: str = "0"
    ) -> Device | None:
        """A node of a camera; without a `device` it does not open."""
        (self.dev / f"video{index}").touch()
        (self.sys / f"video{index}").mkdir()
        (self.sys / f"video{index}" / "index").write_text(f"{role}\n")
        if name:
            (self.sys / f"video{index}" / "name").write_text(f"{name}\n")
        if device is not None:
            self.devices[index] = device
        return device

    def run(self, pid: int, program: str, *files: str) -> None:
        """A program that has these files of /dev open."""
        (self.proc / str(pid) / "fd").mkdir(parents=True)
        (self.proc / str(pid) / "comm").write_text(f"{program}\n")
        for number, file in enumerate(files):
            (self.proc / str(pid) / "fd" / str(number)).symlink_to(self.dev / file)

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds

    @property
    def held(self) -> int:
        """Captures that opened and were not released."""
        return sum(capture.isOpened() for capture in self.captures)


@pytest.fixture
def computer(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Computer:
    """A Linux computer without cameras."""
    there = Computer(tmp_path_factory.mktemp("computer"))
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(cameras, "DEV", there.dev)
    monkeypatch.setattr(cameras, "SYS", there.sys)
    monkeypatch.setattr(cameras, "PROC", there.proc)
    clock = SimpleNamespace(perf_counter=lambda: there.now_s, sleep=there.sleep)
    monkeypatch.setattr(cameras, "time", clock)
    monkeypatch.setattr(
        cv2, "VideoCapture", lambda index, backend: FakeCapture(there, index, backend)
    )
    return there


def refusal(index: int) -> str:
    """What is said of a camera that does not open."""
    with pytest.raises(LivecamError) as caught:
        open_camera(index, HD)
    text = str(caught.value)
    assert text.startswith(f"camera {index}: ")
    assert "\n" not in text
    return text.removeprefix(f"camera {index}: ")


# Opening


@pytest.mark.parametrize(
    ("platform", "order"),
    [
        ("linux", ["V4L2", "GSTREAMER"]),
        ("darwin", ["AVFOUNDATION", "GSTREAMER"]),
        ("win32", ["DSHOW", "MSMF", "GSTREAMER"]),
    ],
)
def test_back_ends_are_tried_in_the_order_of_the_platform(
    computer: Computer, monkeypatch: pytest.MonkeyPatch, platform: str, order: list[str]
) -> None:
    """FakeCapture calls "any" GSTREAMER."""
    monkeypatch.setattr(sys, "platform", platform)
    refusal(0)
    assert computer.tried == [(0, name) for name in order]
    assert [capture.releases for capture in computer.captures] == [1] * len(order)
    for name in order:
        computer.tried.clear()
        code = next(code for code, known in NAMES.items() if known == name)
        computer.devices[0] = Device(backends=[code])
        with open_camera(0, HD) as camera:
            assert camera.backend == name
            assert computer.held == 1
        assert computer.tried == [(0, tried) for tried in order[: order.index(name) + 1]]
        assert computer.held == 0


def test_the_format_is_asked_for_with_jpeg_first(computer: Computer) -> None:
    computer.plug(0, Device())
    with open_camera(0, dataclasses.replace(HD, width_px=800, height_px=600, fps=25)):
        (capture,) = computer.captures
        assert capture.asked == [
            (cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG")),
            (cv2.CAP_PROP_FRAME_WIDTH, 800),
            (cv2.CAP_PROP_FRAME_HEIGHT, 600),
            (cv2.CAP_PROP_FPS, 25),
            (cv2.CAP_PROP_BUFFERSIZE, 2),
        ]


def test_directshow_is_asked_for_jpeg_last(
    computer: Computer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    computer.devices[0] = Device()
    with open_camera(0, HD) as camera:
        assert camera.backend == "DSHOW"
        (capture,) = computer.captures
        assert [what for what, _ in capture.asked] == [
            cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT, cv2.CAP_PROP_FPS,
            cv2.CAP_PROP_FOURCC, cv2.CAP_PROP_BUFFERSIZE,
        ]  # fmt: skip


def test_a_camera_is_what_it_gives_and_not_what_it_was_asked_for(computer: Computer) -> None:
    computer.plug(2, Device([picture(9, (640, 480))], fps=15.0), "Desk Camera")
    with open_camera(2, HD) as camera:
        assert (camera.index, camera.name, camera.backend) == (2, "Desk Camera", "V4L2")
        assert (camera.size_wh, camera.fps) == ((640, 480), 15.0)
        assert camera.detail == "Desk Camera, 640x480 at 15 fps (V4L2)"


@pytest.mark.parametrize("fps", [0.0, -1.0, float("nan"), float("inf")])
def test_an_unknown_rate_is_zero(computer: Computer, fps: float) -> None:
    computer.plug(0, Device(fps=fps))
    with open_camera(0, HD) as camera:
        assert camera.fps == 0
        assert " at " not in camera.detail


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("", "camera 0"),
        ("HD Webcam C525", "HD Webcam C525"),
        ("Integrated Camera: Integrated C", "Integrated Camera"),  # a driver says it twice
        ("Webcam: Infrared", "Webcam: Infrared"),
    ],
)
def test_names(computer: Computer, said: str, name: str) -> None:
    computer.plug(0, Device(), said)
    with open_camera(0, HD) as camera:
        assert camera.name == name


def test_names_where_there_is_no_list(computer: Computer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    computer.plug(1, Device(), "Not of this system")
    with open_camera(1, HD) as camera:
        assert camera.name == "camera 1"


@pytest.mark.parametrize("index", [-1, 100, 200])
def test_numbers_that_mean_something_else_to_opencv(computer: Computer, index: int) -> None:
    with pytest.raises(UsageError, match=rf"^camera {index}: expected a number from 0 to 99$"):
        open_camera(index, HD)
    assert computer.tried == []


def test_a_back_end_that_counts_otherwise_is_refused(computer: Computer) -> None:
    """FFmpeg's camera 0 may be /dev/video2."""
    computer.plug(0, Device(backends=[cv2.CAP_ANY], name="FFMPEG"))
    refusal(0)
    assert computer.held == 0


# Reading


def test_the_first_picture_is_not_lost(computer: Computer) -> None:
    computer.plug(0, Device([picture(7), picture(8), picture(9)]))
    with open_camera(0, HD) as camera:
        levels = [got[0, 0, 0] for _ in range(3) if (got := camera.read()) is not None]
    assert levels == [7, 8, 9]


def test_a_slow_first_picture_is_waited_for(computer: Computer) -> None:
    empty = cv2.error("!buf.empty()")  # OpenCV, of a JPEG without bytes
    computer.plug(0, Device([None] * 20 + [empty] * 20 + [picture(7), picture(8)]))
    with open_camera(0, HD) as camera:
        assert computer.tried == [(0, "V4L2")]
        assert 1 < computer.now_s < 3
        assert [got[0, 0, 0] for got in (camera.read(), camera.read()) if got is not None] == [7, 8]


def test_a_camera_without_pictures_is_not_opened(computer: Computer) -> None:
    computer.plug(0, Device([None]))
    assert refusal(0).startswith(f"{computer.dev}/video0 gives no picture; close other programs")
    assert [capture.releases for capture in computer.captures] == [1, 1]
    assert 6 <= computer.now_s < 7  # three seconds for each back end


def test_the_same_back_end_is_not_waited_for_twice(computer: Computer) -> None:
    """What "any" comes to is often the one that has just failed."""
    computer.plug(0, Device([None], name="V4L2"))
    refusal(0)
    assert 3 <= computer.now_s < 4
    assert computer.held == 0


@pytest.mark.parametrize("channels", [(), (1,), (3,), (4,)])
def test_every_picture_is_bgr(computer: Computer, channels: tuple[int, ...]) -> None:
    raw = np.zeros((48, 64, *channels), np.uint8)
    raw[:] = 90 if len(raw.shape) == 2 or channels == (1,) else (90, 80, 70, 255)[: channels[0]]
    computer.plug(0, Device([raw]))
    with open_camera(0, HD) as camera:
        for _ in range(2):
            got = camera.read()
            assert got is not None
            assert (got.shape, got.dtype) == ((48, 64, 3), np.uint8)
            expected = [90, 90, 90] if channels in ((), (1,)) else [90, 80, 70]
            assert got[5, 5].tolist() == expected


def test_a_read_that_fails_is_none_and_the_next_may_be_good(computer: Computer) -> None:
    reads = [picture(1), None, cv2.error("!buf.empty()"), picture(2)]
    computer.plug(0, Device(reads))
    with open_camera(0, HD) as camera:
        got = [camera.read() for _ in range(4)]
    assert [None if one is None else int(one[0, 0, 0]) for one in got] == [1, None, None, 2]


# Letting go


def test_a_closed_camera_is_released_and_gives_nothing(computer: Computer) -> None:
    computer.plug(0, Device())
    camera = open_camera(0, HD)
    assert computer.held == 1
    camera.close()
    assert computer.held == 0
    assert camera.read() is None, "not even the first picture"
    camera.close()


def test_a_camera_is_released_when_its_block_fails(computer: Computer) -> None:
    computer.plug(0, Device())
    with pytest.raises(ZeroDivisionError), open_camera(0, HD):
        raise ZeroDivisionError
    assert computer.held == 0


@pytest.mark.parametrize("where", ["set", "read"])
@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError()])
def test_a_camera_is_released_when_opening_is_cut_short(
    computer: Computer, where: str, error: BaseException
) -> None:
    device = Device(set_error=error) if where == "set" else Device([None, error])
    computer.plug(0, device)
    with pytest.raises(type(error)):
        open_camera(0, HD)
    assert [capture.releases for capture in computer.captures] == [1]


def test_an_error_of_opencv_is_a_camera_that_does_not_open(computer: Computer) -> None:
    computer.plug(0, Device(set_error=cv2.error("no such property")))
    refusal(0)
    assert [capture.releases for capture in computer.captures] == [1, 1]


@pytest.mark.parametrize("platform", ["linux", "darwin"])
def test_only_on_macos_is_stderr_held_back(
    computer: Computer,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    platform: str,
) -> None:
    """There OpenCV prints whatever its log level; elsewhere its log level is enough."""

    def noisy(index: int, backend: int) -> FakeCapture:
        os.write(2, b"OpenCV: out device of bound (0-0): 1\n")
        return FakeCapture(computer, index, backend)

    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(cv2, "VideoCapture", noisy)
    refusal(1)
    os.write(2, b"after it\n")
    lines = capfd.readouterr().err.splitlines()
    assert lines[-1] == "after it"
    assert len(lines) == {"linux": 3, "darwin": 1}[platform]


@pytest.mark.skipif(sys.platform != "linux", reason="another system asks for permission")
def test_a_camera_that_is_not_there_is_one_line(capfd: pytest.CaptureFixture[str]) -> None:
    """With the real OpenCV."""
    assert refusal(98)
    assert capfd.readouterr() == ("", "")


def test_opencv_is_told_in_time_not_to_count_otherwise() -> None:
    code = """
        import cv2, livecam.pictures, livecam.live.cameras
        registry = cv2.videoio_registry
        print(*map(registry.getBackendName, registry.getCameraBackends()))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip()
    assert "FFMPEG" not in done.stdout.split()


# Which there are

LISTS: list[tuple[list[int], int, list[int]]] = [
    ([], 0, []),
    ([0], 0, []),
    ([0, 2, 10], 0, [2, 10]),
    ([0, 2, 10], 2, [10, 0]),
    ([0, 2, 10], 10, [0, 2]),
    ([0, 2, 10], 5, [10, 0, 2]),
]


@pytest.mark.parametrize(("there", "this", "others"), LISTS)
def test_the_next_cameras_come_in_a_circle(
    computer: Computer, there: list[int], this: int, others: list[int]
) -> None:
    for index in reversed(there):
        computer.plug(index)
    assert indices() == there
    assert next_after(this) == others


def test_metadata_nodes_and_other_files_are_no_cameras(computer: Computer) -> None:
    computer.plug(0)
    computer.plug(1, role="1")
    computer.plug(2)
    computer.plug(3, role="1")
    (computer.dev / "video4").touch()  # a kernel that says nothing about it
    for other in ("video", "videoX", "video-dec0", "audio5"):
        (computer.dev / other).touch()
    assert indices() == [0, 2, 4]


@pytest.mark.parametrize("platform", ["win32", "darwin"])
def test_without_a_list_any_of_ten_may_be_there(
    computer: Computer, monkeypatch: pytest.MonkeyPatch, platform: str
) -> None:
    computer.plug(20)
    monkeypatch.setattr(sys, "platform", platform)
    assert indices() == list(range(10))
    assert next_after(8) == [9, 0, 1, 2, 3, 4, 5, 6, 7]


# Why one does not open


def test_no_camera_at_all(computer: Computer) -> None:
    assert refusal(0) == (
        "no camera is connected, or this container or virtual machine does not see it; plug one "
        f"in, or pass it through (docker run --device {computer.dev}/video0)"
    )


@pytest.mark.parametrize(
    ("there", "said"),
    [
        ([2], "there is camera 2"),
        ([2, 4], "there are cameras 2 and 4"),
        ([2, 4, 6], "there are cameras 2, 4 and 6"),
    ],
)
def test_another_camera_is_named(computer: Computer, there: list[int], said: str) -> None:
    for index in there:
        computer.plug(index)
        computer.plug(index + 1, role="1")
    assert refusal(0) == f"there is no {computer.dev}/video0; {said}"


def test_only_a_metadata_node_is_left(computer: Computer) -> None:
    computer.plug(1, role="1")
    assert refusal(0) == f"there is no {computer.dev}/video0; plug in a camera"


def test_a_metadata_node(computer: Computer) -> None:
    computer.plug(0)
    computer.plug(1, role="1")
    assert refusal(1) == (
        f"{computer.dev}/video1 gives data about pictures, but no pictures; there is camera 0"
    )


def test_no_permission(computer: Computer, monkeypatch: pytest.MonkeyPatch) -> None:
    computer.plug(0)
    (computer.dev / "video0").chmod(0)
    asked = []

    def access(path: Path, mode: int) -> bool:
        asked.append((Path(path), mode))
        return False  # root may do all

    monkeypatch.setattr(os, "access", access)
    assert refusal(0) == (
        f"no permission to use {computer.dev}/video0; add yourself to the group video: "
        "sudo usermod -aG video $USER, then log in again"
    )
    assert asked == [(computer.dev / "video0", os.R_OK | os.W_OK)]


def test_another_program_uses_it(computer: Computer) -> None:
    computer.plug(0)
    computer.plug(1)
    computer.run(7, "cheese", "null", "video1")
    computer.run(42, "zoom", "null", "tty", "video0")
    (computer.proc / "self").symlink_to(computer.proc / "42")
    (computer.proc / "99").mkdir()  # of somebody else: its files cannot be seen
    (computer.proc / "42" / "fd" / "8").touch()  # closed while we look
    assert refusal(0) == "zoom (pid 42) uses it; close it"
    assert refusal(1) == "cheese (pid 7) uses it; close it"


def test_nothing_to_be_seen(computer: Computer) -> None:
    computer.plug(0)
    computer.run(42, "zoom", "video1")
    assert refusal(0) == (
        f"{computer.dev}/video0 gives no picture; close other programs that may use it, or unplug "
        "the camera and plug it in again"
    )


@pytest.mark.parametrize(
    ("platform", "settings"),
    [
        ("win32", "allow desktop apps in Settings > Privacy & security > Camera, and close other"),
        ("darwin", "allow your terminal in System Settings > Privacy & Security > Camera"),
    ],
)
def test_other_systems_name_their_settings(
    computer: Computer, monkeypatch: pytest.MonkeyPatch, platform: str, settings: str
) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    assert settings in refusal(0)
    assert refusal(0) == why_not(0)


# livecam doctor


@pytest.fixture
def camera_lines(livecam: clips.Command, computer: Computer) -> Callable[[], list[str]]:
    """What `livecam doctor` says about cameras, which never makes it fail."""

    def lines() -> list[str]:
        answer = livecam("doctor")
        assert (answer.code, answer.err) == (0, "")
        assert computer.held == 0
        (last,) = [i for i, line in enumerate(answer.lines) if line.split()[1] == "display"]
        return answer.lines[last + 1 :]

    return lines


def test_doctor_lists_cameras_that_open_and_that_do_not(
    computer: Computer, camera_lines: Callable[[], list[str]]
) -> None:
    computer.plug(0, Device([picture(1, (1280, 720))]), "Integrated Camera")
    computer.plug(1, role="1")
    computer.plug(2, Device([picture(1, (640, 480))], fps=29.97))
    computer.plug(4)
    computer.plug(6, Device(fps=0))
    computer.run(42, "zoom", "video4")
    assert camera_lines() == [
        "ok      camera 0        Integrated Camera, 1280x720 at 30 fps (V4L2)",
        "ok      camera 2        camera 2, 640x480 at 29.97 fps (V4L2)",
        "-       camera 4        zoom (pid 42) uses it; close it",
        "ok      camera 6        camera 6, 64x48 (V4L2)",
    ]


def test_doctor_asks_for_the_format_of_the_settings(
    computer: Computer,
    camera_lines: Callable[[], list[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LIVECAM_CAMERA__WIDTH_PX", "800")
    monkeypatch.setenv("LIVECAM_CAMERA__HEIGHT_PX", "600")
    monkeypatch.setenv("LIVECAM_CAMERA__FPS", "25")
    computer.plug(0, Device())
    camera_lines()
    (capture,) = computer.captures
    assert [value for _, value in capture.asked[1:4]] == [800, 600, 25]


def test_doctor_without_a_camera(computer: Computer, camera_lines: Callable[[], list[str]]) -> None:
    (line,) = camera_lines()
    assert line.startswith("-       cameras         no camera is connected, or this container or")
    assert computer.tried == []


@pytest.mark.parametrize("platform", ["win32", "darwin"])
def test_doctor_lists_only_what_opens_where_there_is_no_list(
    computer: Computer,
    camera_lines: Callable[[], list[str]],
    monkeypatch: pytest.MonkeyPatch,
    platform: str,
) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    (line,) = camera_lines()
    assert line == f"-       cameras         {why_not(0)}"
    computer.devices = {1: Device(), 3: Device()}
    assert [line[:16].split() for line in camera_lines()] == [
        ["ok", "camera", "1"], ["ok", "camera", "3"]
    ]  # fmt: skip


def test_doctor_works_without_opencv(
    livecam: clips.Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "livecam.live.cameras")
    monkeypatch.setitem(sys.modules, "cv2", None)
    answer = livecam("doctor")
    assert answer.err == ""
    line = answer.lines[-1]
    assert line.startswith("-       cameras         ")
    assert "cv2" in line
