"""The page on which pictures are labelled."""

from __future__ import annotations

import base64
import http.client
import re
import signal
import subprocess
import sys
import time

import cv2
import numpy as np
import pytest
from clips import png, png_that_claims
from patience import PATIENCE_S

from livecam.config import load_config
from livecam.pipeline import Models
from livecam.web.pictures import SHOWN_PX, PicturesPage
from livecam.web.server import Upload


@pytest.fixture(scope="module")
def page() -> PicturesPage:
    return PicturesPage(Models(load_config(flags={"ages.scheme": "life-stages"})))


def pictures_in(text: str) -> list[np.ndarray]:
    return [
        cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR)
        for data in re.findall(r'<img src="data:image/jpeg;base64,([^"]*)"', text)
    ]


def rows_in(text: str) -> list[list[str]]:
    """The cells of a page's tables, their heads too."""
    rows = re.findall(r"<tr>(.*?)</tr>", text)
    return [re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row) for row in rows]


def test_it_opens_with_a_form(page: PicturesPage) -> None:
    response = page.get("/?x=1")
    assert (response.status, response.kind, response.may_change) == (200, "text/html", False)
    assert '<form method="post" enctype="multipart/form-data">' in response.text
    assert pictures_in(response.text) == []
    assert page.get("/visits.csv").status == 404


def test_what_a_large_picture_took_is_given_back(
    page: PicturesPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    released: list[str] = []
    monkeypatch.setattr(page.models.detector, "release", lambda: released.append("all"))
    page.post([Upload("a.png", png(np.zeros((90, 90, 3), np.uint8))), Upload("b.png", b"none")])
    assert released == ["all"]


def test_faces_are_shown_with_their_ages(page: PicturesPage, astronaut: np.ndarray) -> None:
    response = page.post([Upload("<b>.png", png(astronaut))])
    assert "<h2>&lt;b&gt;.png</h2>" in response.text
    (shown,) = pictures_in(response.text)
    assert shown.shape == (640, 640, 3)
    plain = cv2.resize(astronaut, (640, 640), interpolation=cv2.INTER_LINEAR)
    changed = np.abs(shown.astype(int) - plain).max(axis=2) > 60
    (face,), _ = page.models.look(astronaut)
    x_min, y_min, x_max, y_max = face.xyxy * 640 / 512
    assert changed[int(y_min) - 40 : int(y_max) + 40, int(x_min) - 10 : int(x_max) + 10].any()
    assert not changed[int(y_max) + 60 :].any()
    head, row = rows_in(response.text)
    assert head == ["face", "age", "gender", "0-2", "3-7", "8-12", "13-19", "20-36", "37-65", "66+"]
    assert row[:3] == ["1", f"{face.age:.0f} ({face.age_low}\N{EN DASH}{face.age_high})", row[2]]
    assert row[2].startswith("\N{FEMALE SIGN} ")
    shares = [int(cell.removesuffix(" %")) for cell in row[3:]]
    assert sum(shares) == pytest.approx(100, abs=3)
    assert [int(full) for full in re.findall(r"--full:(\d+)%", response.text)] == shares
    assert head[3 + int(np.argmax(shares))] == face.age_bin


def test_several_pictures_and_what_is_none(page: PicturesPage, astronaut: np.ndarray) -> None:
    grey = np.full((50, 2 * SHOWN_PX[1], 3), 118, np.uint8)
    files = [
        Upload("words.txt", b"words"), Upload("grey.png", png(grey)), Upload("empty.jpg", b""),
        Upload("huge.png", png_that_claims(40_000, 40_000)), Upload("a.png", png(astronaut)),
    ]  # fmt: skip
    response = page.post(files)
    assert response.status == 200
    told = re.findall(r"<h2>(.*?)</h2>\n(?:<p>(.*?)</p>)?", response.text)
    assert [name for name, _ in told] == [file.name for file in files]
    assert told[0][1].startswith("words.txt: not a readable picture")
    assert told[2][1] == "empty.jpg: empty; expected a picture"
    assert told[3][1].startswith("huge.png: larger than 200 megapixels")
    assert "<p>No face was found in it.</p>" in response.text
    assert [picture.shape[1] for picture in pictures_in(response.text)] == [SHOWN_PX[1], 640]


def test_nothing_was_chosen(page: PicturesPage) -> None:
    assert "<p>No picture was chosen.</p>" in page.post([]).text


def test_settings_hold_here_too(astronaut: np.ndarray) -> None:
    page = PicturesPage(Models(load_config(flags={"overlay.gender": False, "overlay.blur": True})))
    text = page.post([Upload("a.png", png(astronaut))]).text
    head, _ = rows_in(text)
    assert head[:3] == ["face", "age", "0-12"]
    (shown,) = pictures_in(text)
    assert not page.models.look(shown)[0]  # nobody is to be seen


def test_blur_hides_what_may_be_a_face_too(barely_a_face: np.ndarray) -> None:
    shown = {}
    for blur in (False, True):
        page = PicturesPage(Models(load_config(flags={"overlay.blur": blur})))
        text = page.post([Upload("a.png", png(barely_a_face))]).text
        assert "No face was found in it." in text
        (shown[blur],) = pictures_in(text)
    changed = np.abs(shown[True].astype(int) - shown[False]).max(axis=2) > 8
    assert changed[75:250, 225:340].mean() > 0.5
    assert not changed[375:].any()


# The command


def test_it_ends_as_it_should_while_it_labels(astronaut: np.ndarray) -> None:
    command = [sys.executable, "-m", "livecam", "serve", "--port", "0"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        host = child.stdout.readline().strip().removeprefix("http://").rstrip("/")
        part = b'--x\r\nContent-Disposition: form-data; name="p"; filename="a.png"\r\n\r\n'
        body = (part + png(astronaut) + b"\r\n") * 100 + b"--x--\r\n"
        connection = http.client.HTTPConnection(host, timeout=PATIENCE_S)
        connection.request("POST", "/", body, {"Content-Type": "multipart/form-data; boundary=x"})
        time.sleep(0.7)
        child.send_signal(signal.SIGINT)
        _, err = child.communicate(timeout=PATIENCE_S)
        connection.close()
    assert (child.returncode, err.splitlines()[-1]) == (130, "livecam: interrupted")


def test_it_serves_until_it_is_interrupted(astronaut: np.ndarray) -> None:
    command = [sys.executable, "-m", "livecam", "serve", "--port", "0", "--scheme", "utk-8"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        host = child.stdout.readline().strip().removeprefix("http://").rstrip("/")
        connection = http.client.HTTPConnection(host, timeout=PATIENCE_S)
        body = (
            b'--x\r\nContent-Disposition: form-data; name="picture"; filename="a.png"\r\n\r\n'
            + png(astronaut)
            + b"\r\n--x--\r\n"
        )
        kind = "multipart/form-data; boundary=x"
        connection.request("POST", "/", body, {"Content-Type": kind})
        text = connection.getresponse().read().decode()
        assert len(pictures_in(text)) == 1
        assert rows_in(text)[0][3:6] == ["0-5", "6-18", "19-25"]
        connection.close()
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=PATIENCE_S)
    assert child.returncode == 130
    assert out == "" and "Traceback" not in err
