"""What the tests share: one real face, and when a missing part of the machine is a failure."""

from __future__ import annotations

import os
from typing import NoReturn

import cv2
import numpy as np
import pytest

STRICT = "LIVECAM_TESTS_STRICT"


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
def detector():  # type: ignore[no-untyped-def]
    from livecam.detector import Mtcnn

    return Mtcnn(min_face_px=32)
