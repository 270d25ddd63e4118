"""What `--camera` may name, and the readers of devices, streams and files.

Streams are those of real servers on loopback.
"""

from __future__ import annotations

import contextlib
import dataclasses
import http.server
import itertools
import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import av
import clips
import cv2
import numpy as np
import pytest
import streams
from patience import PATIENCE_S
from settings import SHIPPED

from livecam.config import CameraConfig
from livecam.errors import LivecamError, UsageError
from livecam.live import readers
from livecam.live.readers import A_PAGE, LiveSource, open_clip, open_reader

CONFIG = dataclasses.replace(SHIPPED.camera, stall_after_s=20.0)

FPS = 30

both = pytest.mark.parametrize("kind", [streams.MjpegServer, streams.RtspServer])
Kind = type[streams.MjpegServer] | type[streams.RtspServer]


def grey(index: int) -> np.ndarray:
    return clips.greys(6)[index % 6]


@contextlib.contextmanager
def opened(text: str | Path, config: CameraConfig = CONFIG) -> Iterator[readers.Reader]:
    with contextlib.closing(open_reader(LiveSource.parse(str(text)), config)) as reader:
        yield reader


def refusal(text: str | Path, config: CameraConfig = CONFIG) -> str:
    """What is said of a source that does not open."""
    with pytest.raises(LivecamError) as error, opened(text, config):
        pass
    message = str(error.value)
    assert "\n" not in message
    return message


# Names


@pytest.mark.parametrize(
    ("text", "index"),
    [("0", 0), ("7", 7), ("07", 7), ("99", 99), ("/dev/video2", 2), ("/dev/video12", 12)],
)
def test_a_number_is_a_camera(text: str, index: int) -> None:
    source = LiveSource.parse(text)
    assert source == LiveSource(f"camera {index}", index=index) == LiveSource.camera(index)


@pytest.mark.parametrize(
    "text", ["100", "700", "9" * 100, "1" * 5000, "/dev/video100", "-1", "-0100"]
)
def test_a_number_that_no_camera_has(text: str) -> None:
    with pytest.raises(UsageError) as error:
        LiveSource.parse(text)
    assert str(error.value) == f"--camera {text}: expected a number from 0 to 99"


def test_nothing_is_no_camera() -> None:
    with pytest.raises(UsageError, match="nothing given"):
        LiveSource.parse("")


@pytest.mark.parametrize("name", ["7", "700", "-1"])
def test_a_file_whose_name_is_a_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    clips.write_clip(tmp_path / "clip.mp4", clips.greys(3)).rename(tmp_path / name)
    assert LiveSource.parse(name) == LiveSource(name, path=Path(name))
    with opened(name) as reader:
        assert len(list(reader)) == 3
    assert LiveSource.parse("8").index == 8
    (tmp_path / "9").mkdir()
    assert LiveSource.parse("9").index == 9


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("rtsp://host/x", "rtsp://host/x"),
        ("rtsp://user:secret@host/x?token=1", "rtsp://host/x"),
        ("rtsp://user:secret@host:8554/x", "rtsp://host:8554/x"),
        ("rtsps://user@host/x", "rtsps://host/x"),
        ("http://host/a/b.mjpg?user=admin&pwd=secret#secret", "http://host/a/b.mjpg"),
        ("https://user:s%40cret@host/", "https://host/"),
        ("rtsp://user:se@cret@host/x", "rtsp://host/x"),
        ("rtsp://user:secret@[::1]:554/x", "rtsp://[::1]:554/x"),
        ("rtmp://host/app/", "rtmp://host/app/"),
        ("http://host/cams/@door", "http://host/cams/@door"),
        # which of a recorder's cameras it is
        ("rtsp://u:p@host/cam/realmonitor?channel=12&subtype=0", None),
        ("http://host/media.amp?camera=1", None),
        ("http://host/x?token=channel=1&pwd=1&mychannel=2", "http://host/x"),
        ("http://host/x?channel=secret&camera=1234&ch=12x", "http://host/x"),
        # what a person types who does not know what has to be escaped
        ("rtsp://user:se/cret@host/x", "host/x"),
        ("rtsp://user:se?cret@host/x", "host/x"),
        ("rtsp://user:1234/5@host/x", "host/x"),
        ("rtsp://user:12?34@host/x", "host/x"),
        ("rtsp://user:1#2@host/x", "host/x"),
        ("rtsp://user:a@b/c@host/x", "host/x"),
        ("rtsp://user:se#cret@host/x", "host/x"),
        ("rtsp://user:[secret@host/x?token=1", "host/x"),
        ("http://[host/x?token=secret", "http://[host/x"),
        # cameras that take their settings in the path
        ("rtsp://host:9/user=admin&password=secret&channel=1", "rtsp://host:9?channel=1"),
        (
            "rtsp://host:9/user=admin_password=secret_channel=1_stream=0.sdp?real",
            "rtsp://host:9?channel=1&stream=0",
        ),
        ("rtsp://u:secret@host/live/1/user=admin&password=sec/ret/x", "rtsp://host/live/1"),
        ("http://host/a/cam;pwd=secret", "http://host/a"),
        ("rtsp://u:se/cret@host/a/user=admin&password=secret/x", "host/a"),
        ("http://[host/a/user=admin&password=secret", "http://[host/a"),
        ("rtsp://host:9/user=admin&password=sec@ret&channel=1", "rtsp://"),
    ],
)
def test_a_url_has_no_secrets_in_its_name(text: str, name: str | None) -> None:
    source, name = LiveSource.parse(text), name or text.replace("u:p@", "")
    assert source == LiveSource(name, url=text)


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("RTSP://Host/Cam?Token=A", "rtsp://Host/Cam?Token=A"),
        ("Http://host/A.MJPG", "http://host/A.MJPG"),
        ("HTTPS://User:Secret@host/", "https://User:Secret@host/"),
    ],
)
def test_a_scheme_may_be_in_capitals(text: str, url: str) -> None:
    assert LiveSource.parse(text).url == url


@pytest.mark.parametrize(
    "text",
    ["a.mp4", "/x/y/a.mp4", "folder", "a b.mp4", "1.5", "video2", "/dev/video", "/dev/null",
     "C:\\clips\\a.mp4", "a:b.mp4", "http:/host", "://host", "0.mp4", "0 "],
)  # fmt: skip
def test_all_else_is_a_file(text: str) -> None:
    assert LiveSource.parse(text) == LiveSource(text, path=Path(text))


# Devices


class FakeCamera:
    """`reads`: pictures, None for a read that fails, seconds that the next one takes."""

    detail = "Webcam, 160x120 at 30 fps (V4L2)"

    def __init__(self, reads: Sequence[object]) -> None:
        self._reads = iter(reads)
        self.closed = 0

    def read(self) -> np.ndarray | None:
        for one in self._reads:
            if isinstance(one, float):
                time.sleep(one)
                continue
            assert one is None or isinstance(one, np.ndarray)
            return one
        return None

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def plug_in(monkeypatch: pytest.MonkeyPatch) -> Callable[[FakeCamera], list]:
    """Put a camera in the place of camera 3; gives what it was asked for."""
    monkeypatch.setattr(readers, "MISS_S", 0.0)

    def plug(camera: FakeCamera) -> list:
        asked: list = []

        def open_camera(*arguments: object) -> FakeCamera:
            asked.append(arguments)
            return camera

        monkeypatch.setattr(readers, "open_camera", open_camera)
        return asked

    return plug


def test_a_device_says_what_it_is(plug_in: Callable[[FakeCamera], list]) -> None:
    camera = FakeCamera([])
    asked = plug_in(camera)
    config = dataclasses.replace(CONFIG, width_px=800, height_px=600, fps=25)
    with opened("3", config) as reader:
        assert (reader.detail, reader.is_paced) == (FakeCamera.detail, False)
        assert asked == [(3, config)]
        assert camera.closed == 0
    assert camera.closed == 1


def test_a_device_may_miss_some_pictures(plug_in: Callable[[FakeCamera], list]) -> None:
    pictures = clips.greys(4)
    few = [None] * (readers.MISSES - 1)
    plug_in(FakeCamera([*pictures[:2], *few, pictures[2], *few, pictures[3]]))
    with opened("3") as reader:
        given: list[tuple[float, np.ndarray]] = []
        with pytest.raises(LivecamError) as end:
            given.extend(reader)
    assert str(end.value) == "it gives no pictures any more; is it still connected?"
    assert [time_s for time_s, _ in given] == [0.0] * 4
    assert all(bgr is picture for (_, bgr), picture in zip(given, pictures, strict=True))


def test_a_device_that_hangs_is_lost_after_its_time(
    plug_in: Callable[[FakeCamera], list],
) -> None:
    """On Linux a read may wait for seconds before it fails, and then the next one does."""
    slow = [part for _ in range(100) for part in (0.3, None)]
    plug_in(FakeCamera([*clips.greys(1), *slow]))
    with opened("3", dataclasses.replace(CONFIG, stall_after_s=0.5)) as reader:
        pictures = iter(reader)
        next(pictures)
        begin_s = time.perf_counter()
        with pytest.raises(LivecamError, match="no pictures any more"):
            next(pictures)
        assert 0.5 <= time.perf_counter() - begin_s < 0.3 * readers.MISSES / 2


def test_a_device_does_not_answer_for_the_time_of_others(
    plug_in: Callable[[FakeCamera], list],
) -> None:
    pictures = clips.greys(2)
    plug_in(FakeCamera([pictures[0], None, pictures[1]]))
    with opened("3", dataclasses.replace(CONFIG, stall_after_s=0.2)) as reader:
        given = iter(reader)
        next(given)
        time.sleep(0.4)
        assert next(given)[1] is pictures[1]


# Files


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    times_s = [0.0, 0.04, 0.1, 0.3, 0.35, 0.5]
    return clips.write_clip(tmp_path / "a.mp4", clips.greys(6), times_s=times_s)


def test_a_file_gives_every_picture_at_its_time(clip: Path) -> None:
    with opened(clip) as reader:
        assert reader.is_paced
        assert reader.detail.startswith("160x120 at ") and reader.detail.endswith(" fps (file)")
        times_s, pictures = zip(*reader, strict=True)
    assert times_s == pytest.approx([0.0, 0.04, 0.1, 0.3, 0.35, 0.5], abs=1e-3)
    assert [picture.shape for picture in pictures] == [(120, 160, 3)] * 6
    levels = [picture.mean() for picture in pictures]
    assert levels == pytest.approx([clips.grey_of(i) for i in range(6)], abs=8)


def test_a_file_is_upright(tmp_path: Path) -> None:
    path = clips.rotate(clips.write_clip(tmp_path / "a.mp4", clips.greys(2)), 1)
    with opened(path) as reader:
        assert [bgr.shape for _, bgr in reader] == [(160, 120, 3)] * 2


def test_a_damaged_file_stops_there(tmp_path: Path, clip: Path) -> None:
    whole = clips.write_clip(tmp_path / "b.mp4", clips.noise(20), index_first=True)
    given = []
    with opened(clips.cut(whole)) as reader, pytest.raises(LivecamError) as error:
        for _, bgr in reader:
            given.append(bgr)
    assert 5 < len(given) < 20
    assert str(error.value).startswith(
        f"{tmp_path / 'b_cut.mp4'}: stopped at frame {len(given)} of 20: "
    )


def sound_alone(path: Path) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=16_000)
        for block in clips._blocks(clips.Sound(), 0.0):
            container.mux(stream.encode(block))
        container.mux(stream.encode())
    return path


def of_unknown_kind(path: Path) -> Path:
    """A clip of an encoder that is yet to be invented."""
    data = clips.write_clip(path, clips.greys(3)).read_bytes()
    head, _, tail = data.rpartition(b"avc1")
    path.write_bytes(head + b"zzzz" + tail)
    return path


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of what is no clip, and of one that is."""
    folder = tmp_path_factory.mktemp("files")
    for name in ("a.mp4", "a.ts"):
        clips.write_clip(folder / name, clips.greys(6), rate=20)
    (folder / "album").mkdir()
    (folder / "album.mp4").mkdir()
    (folder / "text.mp4").write_text("only words\n" * 50)
    (folder / "text").write_text("only words\n" * 50)
    (folder / "empty.mp4").touch()
    (folder / "empty.jpg").touch()
    for suffix in ("jpg", "PNG", "webp"):
        cv2.imwrite(str(folder / f"p.{suffix}"), grey(0))
    sound_alone(folder / "s.m4a")
    of_unknown_kind(folder / "new.mp4")
    return folder


A_PICTURE = "a picture; livecam annotate labels pictures"
A_FOLDER = "a folder; livecam annotate labels what is in a folder"


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("none.mp4", "no such file"), ("none.jpg", "no such file"), ("none/a.mp4", "no such file"),
        ("text.mp4/a.mp4", "cannot be read: Not a directory"),
        ("album", A_FOLDER), ("album.mp4", A_FOLDER), ("", A_FOLDER),
        ("p.jpg", A_PICTURE), ("p.PNG", A_PICTURE), ("p.webp", A_PICTURE),
        ("empty.jpg", A_PICTURE), ("empty.mp4", "empty; expected a picture or a clip"),
        ("text.mp4", "not a readable clip (Invalid data found when processing input)"),
        ("text", "not a readable clip (Invalid data found when processing input)"),
        ("s.m4a", "no video stream in it; expected a clip"),
        ("new.mp4", "its pictures are of a kind that FFmpeg does not know"),
    ],
)  # fmt: skip
def test_what_is_no_clip(files: Path, name: str, why: str) -> None:
    path = files / name
    with pytest.raises(LivecamError) as error:
        open_clip("it", path)
    assert str(error.value) == f"it: {why}"
    assert refusal(path) == f"{path}: {why}"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="a system without named pipes")
def test_a_named_pipe_is_refused_at_once(tmp_path: Path) -> None:
    path = tmp_path / "pipe.mp4"
    os.mkfifo(path)
    said = f"{path}: a named pipe; livecam annotate reads what comes out of one"
    assert refusal(path) == said
    done = subprocess.run(
        [*clips.LIVECAM, "run", "--headless", "--camera", str(path)], capture_output=True,
        text=True, timeout=PATIENCE_S, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr.splitlines()[-1]) == (1, f"livecam: {said}")


def test_an_animated_picture_is_a_clip(tmp_path: Path) -> None:
    path = clips.write_gif(tmp_path / "a.gif", clips.greys(4))
    with open_clip("it", path) as opened_clip:
        assert len(list(opened_clip)) == 4


# Streams


@both
def test_a_stream_gives_pictures_as_they_come(kind: Kind) -> None:
    with kind(grey, FPS) as camera, opened(camera.url) as reader:
        assert reader.detail == f"160x120 ({'mjpeg' if kind is streams.MjpegServer else 'h264'})"
        assert not reader.is_paced
        for time_s, bgr in itertools.islice(reader, 10):
            assert time_s == 0
            assert bgr.shape == (120, 160, 3)
            level = bgr.mean()
            assert min(abs(level - clips.grey_of(i)) for i in range(6)) < 10


@both
def test_secrets_open_a_stream_and_are_not_said(kind: Kind) -> None:
    with kind(grey, FPS) as camera:
        secret = camera.url.replace("://", "://user:secret@") + "?token=abc"
        with opened(secret) as reader:
            next(iter(reader))
        assert LiveSource.parse(secret).name == camera.url
        asked = secret.replace(camera.path, "/none")
        assert (
            refusal(asked)
            == f"{camera.url.replace(camera.path, '/none')}: cannot be opened: Server returned "
            "404 Not Found"
        )
        camera.cut()
        assert refusal(secret) == f"{camera.url}: cannot be opened: Connection refused"


@both
def test_a_scheme_in_capitals_opens(kind: Kind) -> None:
    with kind(grey, FPS) as camera:
        scheme, _, rest = camera.url.partition("://")
        with opened(f"{scheme.upper()}://{rest}") as reader:
            next(iter(reader))


@both
def test_one_that_does_not_answer(kind: Kind) -> None:
    with kind(grey) as camera:
        camera.stall()
        begin_s = time.perf_counter()
        message = refusal(camera.url, dataclasses.replace(CONFIG, stall_after_s=0.5))
        assert message == f"{camera.url}: cannot be opened: nothing came for 0.5 s"
        assert 0.5 <= time.perf_counter() - begin_s < 5.0


@both
def test_one_that_falls_silent(kind: Kind) -> None:
    """For RTSP FFmpeg waits as long again for an answer to its farewell."""
    with kind(grey, FPS) as camera:
        with opened(camera.url, dataclasses.replace(CONFIG, stall_after_s=0.5)) as reader:
            pictures = iter(reader)
            next(pictures)
            camera.stall()
            begin_s = time.perf_counter()
            with pytest.raises(LivecamError) as error:
                list(pictures)
            assert 0.3 <= time.perf_counter() - begin_s < 5.0
        assert str(error.value) == "nothing came for 0.5 s"


@both
def test_one_that_is_cut_off(kind: Kind) -> None:
    with kind(grey, FPS) as camera, opened(camera.url) as reader:
        pictures = iter(reader)
        next(pictures)
        camera.cut()
        with pytest.raises(LivecamError) as error:
            list(pictures)
    assert str(error.value) in ("the stream ended", "Connection reset by peer")


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://user:secret@127.0.0.1:{port}/x?token=abc", "Connection refused"),
        ("rtsp://user:secret@127.0.0.1:{port}/x?token=abc", "Connection refused"),
        ("foo://user:secret@host/x?token=abc", "Protocol not found"),
        ("http://user:secret@127.0.0.1:99999/x?token=abc", ""),
        ("rtsp://user:sec/ret@127.0.0.1:{port}/x?token=abc", ""),
        ("http://user:secret@[127.0.0.1/x?token=abc", ""),
    ],
)
def test_secrets_are_never_said(url: str, why: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    message = refusal(url.format(port=port))
    assert not any(secret in message for secret in ("user", "sec", "token", "abc"))
    assert "cannot be opened: " in message
    assert message.endswith(why)


@pytest.fixture(scope="module")
def website(files: Path) -> Iterator[str]:
    with clips.served(clips.files_in(files)) as address:
        yield address


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("none.mp4", "cannot be opened: Server returned 404 Not Found"),
        ("text.mp4", f"cannot be opened: Invalid data found when processing input{A_PAGE}"),
        (
            "empty.mp4",
            f"cannot be opened: Invalid data found when processing input{readers.A_PAGE}",
        ),
        ("s.m4a", "no video stream in it"),
        ("new.mp4", "its pictures are of a kind that FFmpeg does not know"),
        ("p.jpg", "a single picture; livecam annotate labels pictures"),
        ("p.PNG", "a single picture; livecam annotate labels pictures"),
    ],
)
def test_what_is_no_stream(website: str, name: str, why: str) -> None:
    secret = website.replace("://", "://user:secret@")
    assert refusal(f"{secret}/{name}?token=abc") == f"{website}/{name}: {why}"


@pytest.mark.parametrize("name", ["a.mp4", "a.ts"])
def test_a_film_on_a_server_plays_at_its_speed_and_ends(website: str, name: str) -> None:
    with opened(f"{website}/{name}") as reader:
        assert reader.is_paced
        times_s, pictures = zip(*reader, strict=True)
    assert times_s == pytest.approx([i / 20 for i in range(6)], abs=1e-3)
    levels = [picture.mean() for picture in pictures]
    assert levels == pytest.approx([clips.grey_of(i) for i in range(6)], abs=8)


@pytest.mark.parametrize(
    ("name", "codec", "pix_fmt"),
    [("a.mjpeg", "mjpeg", "yuvj420p"), ("a.h264", "libx264", "yuv420p")],
)
def test_a_film_that_does_not_say_how_long_it_is_ends_too(
    tmp_path: Path, name: str, codec: str, pix_fmt: str
) -> None:
    """The server says how large it is."""
    clips.write_clip(tmp_path / name, clips.greys(20), 25, codec=codec, pix_fmt=pix_fmt)
    with (
        clips.served(clips.files_in(tmp_path)) as address,
        opened(f"{address}/{name}") as reader,
    ):
        assert reader.is_paced
        times_s = [time_s for time_s, _ in reader]
    assert times_s == pytest.approx([i / 25 for i in range(20)], abs=1e-3)


def test_a_film_whose_pictures_are_decoded_in_another_order_has_even_steps(tmp_path: Path) -> None:
    clips.write_clip(tmp_path / "a.avi", clips.greys(20), 10, b_frames=2)
    with (
        clips.served(clips.files_in(tmp_path)) as address,
        opened(f"{address}/a.avi") as reader,
    ):
        times_s = [time_s for time_s, _ in reader]
    assert times_s == pytest.approx([i / 10 for i in range(20)], abs=1e-3)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.avi"])
def test_a_film_that_was_cut_off_on_its_server_says_so(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    clips.write_clip(path, clips.greys(60), 20, index_first=name == "a.mp4")
    whole = path.read_bytes()
    for share, why in ((1.0, None), (0.7, "the file ends before its time")):
        path.write_bytes(whole[: round(share * len(whole))])
        with (
            clips.served(clips.files_in(tmp_path)) as address,
            opened(f"{address}/{name}") as reader,
        ):
            got, said = 0, None
            try:
                for _ in reader:
                    got += 1
            except LivecamError as error:
                said = str(error)
        assert said == why
        assert got == 60 if why is None else 20 < got < 60


def test_damaged_packets_of_a_film_on_a_server_are_told(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    clips.write_clip(path, clips.greys(40), 20)
    content = bytearray(path.read_bytes())
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
        place, size = packets[10].pos, packets[10].size
    content[place : place + size] = b"\xff" * size
    path.write_bytes(content)
    with (
        clips.served(clips.files_in(tmp_path)) as address,
        opened(f"{address}/a.mp4") as reader,
        pytest.raises(LivecamError, match="1 damaged packet left out"),
    ):
        list(reader)


def test_an_mp4_that_is_sent_while_it_is_made_is_live(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    flags = {"movflags": "frag_keyframe+empty_moov+default_base_moof"}
    with av.open(str(path), "w", options=flags) as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        stream.codec_context.gop_size = 5
        for grey in clips.greys(40):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(grey, format="bgr24")))
        container.mux(stream.encode())

    def answer(request: http.server.BaseHTTPRequestHandler) -> None:
        request.send_response(200)  # how much is to come is not known
        request.end_headers()
        request.wfile.write(path.read_bytes())

    with clips.served(answer) as address, opened(f"{address}/a.mp4") as reader:
        assert not reader.is_paced
    with (
        clips.served(clips.files_in(tmp_path)) as address,
        opened(f"{address}/a.mp4") as reader,
    ):
        assert reader.is_paced


def test_a_film_whose_clock_starts_again_in_the_middle_goes_on(files: Path) -> None:
    clips.write_clip(files / "part.ts", clips.greys(20), 20)
    parts = "#EXTINF:1,\npart.ts\n#EXT-X-DISCONTINUITY\n#EXTINF:1,\npart.ts\n"
    head = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n"
    (files / "parts.m3u8").write_text(f"{head}{parts}#EXT-X-ENDLIST\n")
    with clips.served(clips.files_in(files)) as address, opened(f"{address}/parts.m3u8") as reader:
        assert reader.is_paced
        times_s = [time_s for time_s, _ in reader]
    assert len(times_s) == 40
    steps_s = np.diff(times_s)
    assert steps_s.min() > 0
    assert np.median(steps_s[20:]) == pytest.approx(1 / 20, abs=1e-3)


def pieces(n: int, folder: Path, name: str, size_wh: tuple[int, int], end: str = "") -> None:
    """A playlist of so many pieces, each with half a second of pictures."""
    for piece in range(n):
        times_s = [piece / 2 + i / 20 for i in range(10)]
        pictures = clips.greys(10, size_wh)
        clips.write_clip(folder / f"{name}{piece}.ts", pictures, 20, times_s=times_s)
    listed = "".join(f"#EXTINF:0.5,\n{name}{piece}.ts\n" for piece in range(n))
    text = f"#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:1\n{listed}{end}"
    (folder / f"{name}.m3u8").write_text(text)


def test_of_several_qualities_the_best_is_played_and_no_other_downloaded(tmp_path: Path) -> None:
    pieces(6, tmp_path, "low", (80, 60), "#EXT-X-ENDLIST\n")
    pieces(6, tmp_path, "high", (160, 120), "#EXT-X-ENDLIST\n")
    qualities = "".join(
        f"#EXT-X-STREAM-INF:BANDWIDTH={bits}\n{name}.m3u8\n"
        for name, bits in (("low", 20_000), ("high", 80_000))
    )
    (tmp_path / "all.m3u8").write_text(f"#EXTM3U\n{qualities}")
    asked: list[str] = []
    give = clips.files_in(tmp_path)

    def answer(request: http.server.BaseHTTPRequestHandler) -> None:
        asked.append(request.path)
        give(request)

    with clips.served(answer) as address, opened(f"{address}/all.m3u8") as reader:
        assert reader.detail == "160x120 (h264)"
        shapes = {picture.shape for _, picture in reader}
    assert shapes == {(120, 160, 3)}
    assert "/high5.ts" in asked
    assert "/low5.ts" not in asked  # the first ones say what there is


def test_a_live_stream_in_pieces_passes_at_its_speed(tmp_path: Path) -> None:
    """FFmpeg gives all of a piece at once, and what is not seen of it would be dropped."""
    pieces(4, tmp_path, "live", (160, 120))  # FFmpeg begins at the last but two
    with (
        clips.served(clips.files_in(tmp_path)) as address,
        opened(f"{address}/live.m3u8") as reader,
    ):
        assert not reader.is_paced
        passed_s, times_s = [], []
        for time_s, _ in itertools.islice(reader, 20):
            passed_s.append(time.perf_counter())
            times_s.append(time_s)
    assert np.diff(times_s) == pytest.approx(1 / 20, abs=1e-3)
    assert np.median(np.diff(passed_s)) == pytest.approx(1 / 20, abs=0.02)
    assert passed_s[-1] - passed_s[0] >= 19 / 20 - 0.05


def test_flv_opens_at_once(tmp_path: Path) -> None:
    """FFmpeg would wait five seconds for a sound, and the pictures of these seconds be too old."""
    data = clips.write_clip(tmp_path / "a.flv", clips.greys(100), 20).read_bytes()
    parts = [data[len(data) * i // 100 : len(data) * (i + 1) // 100] for i in range(100)]

    def answer(request: http.server.BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.end_headers()
        for part in parts:
            request.wfile.write(part)
            time.sleep(1 / 20)

    begin_s = time.perf_counter()
    with clips.served(answer) as address, opened(f"{address}/live/a.flv?token=1") as reader:
        assert time.perf_counter() - begin_s < 2
        assert len(list(itertools.islice(reader, 5))) == 5


def jpegs(*pictures: bytes) -> Callable[[http.server.BaseHTTPRequestHandler], None]:
    """Answers with an MJPEG stream of these, then ends it."""

    def answer(request: http.server.BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Type", "multipart/x-mixed-replace; boundary=picture")
        request.end_headers()
        for jpeg in pictures:
            head = f"--picture\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
            request.wfile.write(head.encode() + jpeg + b"\r\n")

    return answer


@pytest.mark.parametrize(("bad", "is_lost"), [(0, False), (50, False), (150, True)])
def test_damaged_pictures_are_passed_over_unless_there_is_nothing_else(
    bad: int, is_lost: bool
) -> None:
    dark, light = (cv2.imencode(".jpg", grey(i))[1].tobytes() for i in (0, 5))
    damaged = b"\xff\xd8" + bytes(range(200)) + b"\xff\xd9"
    given: list[float] = []
    stream = [*[dark] * 3, *[damaged] * bad, *[light] * 3]
    with clips.served(jpegs(*stream)) as address, opened(f"{address}/x.mjpg") as reader:
        levels = (bgr.mean() for _, bgr in reader)
        with pytest.raises(LivecamError) as end:
            given.extend(levels)
    assert given[:3] == pytest.approx([25] * 3, abs=5)
    if is_lost:
        assert max(given) < 50
        assert "Invalid data" in str(end.value)
    else:
        assert given[-3:] == pytest.approx([225] * 3, abs=5)
        assert str(end.value) == "the stream ended"


def test_a_stream_whose_next_key_frame_is_far_is_waited_for(tmp_path: Path) -> None:
    pictures = clips.greys(200)
    data = clips.write_clip(tmp_path / "a.ts", pictures, 20, key_every=180).read_bytes()
    packet = 188
    middle = data[len(data) // 5 // packet * packet :]  # what says how to decode it comes at 180

    def answer(request: http.server.BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.end_headers()
        request.wfile.write(middle)

    with clips.served(answer) as address, opened(f"{address}/a.ts") as reader:
        assert "0x0" not in reader.detail
        given: list[float] = []
        with pytest.raises(LivecamError, match="the stream ended"):
            given.extend(bgr.mean() for _, bgr in reader)
    assert len(given) == 20
