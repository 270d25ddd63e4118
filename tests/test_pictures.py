"""Pictures of every kind, and what is none."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path

import clips
import cv2
import numpy as np
import pytest

from livecam import pictures
from livecam.errors import LivecamError
from livecam.pictures import WRITABLE_SUFFIXES, decode_picture, read_picture


def decoded(data: bytes) -> np.ndarray:
    return decode_picture("a", np.frombuffer(data, np.uint8))


QUARTERS = np.zeros((40, 60, 3), np.uint8)  # told apart whichever way it is turned
QUARTERS[:20, :30] = (250, 0, 0)
QUARTERS[:20, 30:] = (0, 250, 0)
QUARTERS[20:, :30] = (0, 0, 250)


def test_colour_stays() -> None:
    np.testing.assert_array_equal(decoded(clips.png(QUARTERS)), QUARTERS)


@pytest.mark.parametrize(
    ("what", "stored"),
    [
        ("grey", QUARTERS[..., 0]),
        ("16 bit", QUARTERS.astype(np.uint16) * 257),
        ("16 bit grey", QUARTERS[..., 0].astype(np.uint16) * 257),
        ("alpha", np.dstack([QUARTERS, np.full((40, 60), 255, np.uint8)])),
        ("16 bit alpha", np.dstack([QUARTERS, np.full((40, 60), 255)]).astype(np.uint16) * 257),
        ("transparent", np.dstack([QUARTERS, np.zeros((40, 60), np.uint8)])),
    ],
)
def test_every_depth_and_number_of_channels_becomes_8_bit_colour(
    what: str, stored: np.ndarray
) -> None:
    bgr = decoded(clips.png(stored))
    assert bgr.dtype == np.uint8
    expected = np.dstack([QUARTERS[..., 0]] * 3) if "grey" in what else QUARTERS
    np.testing.assert_allclose(bgr.astype(int), expected.astype(int), atol=1)


# How a viewer turns a picture with each of EXIF's orientations
UPRIGHT = {
    1: lambda p: p,
    2: np.fliplr,
    3: lambda p: np.rot90(p, 2),
    4: np.flipud,
    5: lambda p: np.swapaxes(p, 0, 1),
    6: lambda p: np.rot90(p, -1),
    7: lambda p: np.rot90(np.swapaxes(p, 0, 1), 2),
    8: lambda p: np.rot90(p, 1),
}


@pytest.mark.parametrize("turned", [clips.turned_jpeg, clips.turned_avif])
@pytest.mark.parametrize("orientation", UPRIGHT)
def test_pictures_are_upright(turned: Callable[[np.ndarray, int], bytes], orientation: int) -> None:
    bgr = decoded(turned(QUARTERS, orientation))
    expected = UPRIGHT[orientation](QUARTERS)
    assert bgr.shape == expected.shape
    for row in (8, -8):
        for column in (8, -8):
            near = np.abs(bgr[row, column].astype(int) - expected[row, column])
            assert near.max() < 12, (orientation, row, column)


@pytest.mark.parametrize("suffix", sorted(WRITABLE_SUFFIXES))
def test_every_suffix_is_read(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"a{suffix}"
    file.write_bytes(cv2.imencode(suffix, QUARTERS)[1].tobytes())
    assert read_picture("a", file).shape == (40, 60, 3)


def test_one_pixel_is_a_picture() -> None:
    assert decoded(clips.png(np.full((1, 1, 3), 7, np.uint8))).tolist() == [[[7, 7, 7]]]


@pytest.mark.parametrize("n", [0, 64, 100_000])
def test_a_png_may_have_more_behind_its_end(n: int, capfd: pytest.CaptureFixture[str]) -> None:
    assert decoded(clips.png(QUARTERS) + bytes(n)).tolist() == QUARTERS.tolist()
    assert capfd.readouterr().err == ""


JPEG = clips.turned_jpeg(QUARTERS, 1)


def half_of(suffix: str) -> bytes:
    data = cv2.imencode(suffix, clips.noise(1, (64, 48))[0])[1].tobytes()
    return data[: len(data) // 2]


def test_a_png_whose_last_mark_alone_is_wrong_is_whole() -> None:
    data = clips.png(QUARTERS)
    np.testing.assert_array_equal(decoded(data[:-4] + bytes(4)), QUARTERS)


def damaged_png() -> bytes:
    data = bytearray(cv2.imencode(".png", clips.noise(1, (64, 48))[0])[1].tobytes())
    data[len(data) // 2] ^= 1
    return bytes(data)


NO_PICTURES = {
    "empty": b"",
    "text": b"This is no picture, it only says so.\n",
    "zeros": bytes(2000),
    "JPEG, first bytes": JPEG[:20],
    "JPEG, header": JPEG[:300],
    "PNG, first bytes": clips.png(QUARTERS)[:8],
    "PNG, header": clips.png(QUARTERS)[:40],
    "PNG, one bit wrong": damaged_png(),
    **{f"half of {suffix}": half_of(suffix) for suffix in sorted(WRITABLE_SUFFIXES)},
}


@pytest.mark.parametrize("what", NO_PICTURES)
def test_what_is_no_picture_is_refused_in_one_quiet_line(
    what: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(LivecamError, match=r"^a: (not a readable picture|empty)") as seen:
        decoded(NO_PICTURES[what])
    assert "\n" not in str(seen.value)
    assert capfd.readouterr().err == "", "the decoder's own words reach the user"


def test_too_many_pixels_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refusal before decoding is a matter of the process: see test_cli_predict.py."""
    monkeypatch.setattr("livecam.pictures.MAX_PIXELS", 40 * 60 - 1)
    with pytest.raises(LivecamError, match=r"a: larger than 0 megapixels; make it smaller"):
        decoded(clips.png(QUARTERS))


def test_heic_is_upright_and_in_colour(tmp_path: Path) -> None:
    path = tmp_path / "a.HEIC"
    path.write_bytes(clips.HEIC)
    bgr = read_picture("a", path)
    assert bgr.shape == (64, 48, 3)
    red, blue, green = bgr[16, 8], bgr[48, 8], bgr[32, 44]
    np.testing.assert_allclose(
        [red, blue, green], [(40, 40, 200), (200, 40, 40), (40, 200, 40)], atol=20
    )


@pytest.mark.parametrize("bytes_left", [30, 400, 700])
def test_damaged_heic_is_said(bytes_left: int) -> None:
    with pytest.raises(LivecamError, match=r"^a: not a readable picture \([^\n]+\)$"):
        decoded(clips.HEIC[:bytes_left])


def test_heic_without_its_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pi_heif", None)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(
        LivecamError, match=r"^a: .*pi_heif is not installed; .*pip install .*\[heic\]"
    ):
        decoded(clips.HEIC)


def test_what_is_larger_than_pictures_are_is_not_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "MAX_PIXELS", 64 * 48 - 1)
    with pytest.raises(LivecamError, match="larger than"):
        decoded(clips.HEIC)


def test_of_what_no_file_of_a_format_can_hold_another_is_advised(tmp_path: Path) -> None:
    why = r"a\.jpg: cannot be written: a picture of 70000x2 does not fit into \.jpg; .*\.png"
    with pytest.raises(LivecamError, match=why):
        pictures.write_picture(tmp_path / "a.jpg", np.zeros((2, 70_000, 3), np.uint8))
    assert clips.files_of(tmp_path) == []
