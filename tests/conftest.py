"""What the tests share: one real face, and when a missing part of the machine is a failure."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import cv2
import hypothesis
import numpy as np
import pytest

if TYPE_CHECKING:
    import clips

# a shell ignores them for what it starts with &, and a child inherits that
signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP"):
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
STRICT = "LIVECAM_TESTS_STRICT"
hypothesis.settings.register_profile("busy machines", deadline=None)
hypothesis.settings.load_profile("busy machines")


# so that at the end no worker waits for the other
BEGIN_FIRST = (
    "test_training", "test_window", "test_live_streams", "test_reports", "test_demo",
    "test_cli_run", "test_cli_predict", "test_architectures", "test_cli_annotate",
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.stem not in BEGIN_FIRST)


def unavailable(what: str) -> NoReturn:
    """Skip on a user's machine; fail where LIVECAM_TESTS_STRICT says that all must be there."""
    if os.environ.get(STRICT):
        pytest.fail(f"{what} is missing, and {STRICT} is set")
    pytest.skip(f"{what} is missing")


@pytest.fixture(scope="session")
def astronaut() -> np.ndarray:
    """(512, 512, 3) BGR: scikit-image's portrait of Eileen Collins (NASA, public domain)."""
    from skimage import data

    return cv2.cvtColor(data.astronaut(), cv2.COLOR_RGB2BGR)


@pytest.fixture(scope="session")
def portrait(astronaut: np.ndarray) -> np.ndarray:
    """(256, 256, 3) BGR: the same, smaller."""
    return cv2.resize(astronaut, (256, 256), interpolation=cv2.INTER_AREA)


@pytest.fixture(scope="session")
def barely_a_face(astronaut: np.ndarray) -> np.ndarray:
    """(512, 512, 3) BGR: so dim that a face is found with a confidence of 0.6, too little for one
    that is new."""
    return cv2.GaussianBlur(astronaut, (0, 0), 8.3)


@pytest.fixture(scope="session")
def cut_face(astronaut: np.ndarray) -> np.ndarray:
    """(264, 207, 3) BGR: a face of which the border cuts off a tenth on each side, so that a search
    within the picture does not find it."""
    return cv2.resize(astronaut[72:160, 189:258], (207, 264), interpolation=cv2.INTER_CUBIC)


@pytest.fixture(scope="session")
def people(astronaut: np.ndarray) -> list[np.ndarray]:
    """20 frames of one face that moves to the right by a pixel a frame."""
    import clips

    return clips.faces(astronaut, 20)


@pytest.fixture(scope="session")
def detector():  # type: ignore[no-untyped-def]
    from livecam.detector import Mtcnn

    return Mtcnn(min_face_px=32)


@pytest.fixture(scope="session")
def display() -> Iterator[str]:
    """An X server of its own."""
    # without -noreset the server starts anew, deaf for a moment, when its last window closes
    yield from x_server("-noreset")


def x_server(*options: str) -> Iterator[str]:
    """The name of its display, until the generator is closed."""
    server = shutil.which("Xvfb")
    if server is None:
        unavailable("Xvfb")
    read, write = os.pipe()
    child = subprocess.Popen(
        [server, *options, "-displayfd", str(write), "-screen", "0", "1024x768x24"],
        pass_fds=[write], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    os.close(write)
    with os.fdopen(read) as announced:
        number = announced.readline().strip()
    if not number:
        child.wait()
        unavailable("a working Xvfb")
    yield f":{number}"
    child.terminate()
    child.wait()


@pytest.fixture(autouse=True)
def own_settings_only(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No settings and no cameras of the person who runs the tests."""
    monkeypatch.setattr("livecam.live.cameras.DEV", tmp_path / "nobody" / "dev")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "nobody"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "nobody"))
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    for name in [name for name in os.environ if name.startswith("LIVECAM_") and "__" in name]:
        monkeypatch.delenv(name)


@pytest.fixture
def livecam(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> clips.Command:
    """The command, run in an empty folder."""
    import clips

    monkeypatch.chdir(tmp_path)
    return clips.Command(capfd)
