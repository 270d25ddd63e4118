"""What a command line expands to, and the bytes of it."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import clips
import cv2
import numpy as np
import pytest

from livecam.errors import LivecamError
from livecam.inputs import CLIP_SUFFIXES, Input, Opened, expand
from livecam.pictures import PICTURE_SUFFIXES

USABLE = PICTURE_SUFFIXES | CLIP_SUFFIXES


def names(inputs: list[Input]) -> list[str]:
    return [source.name for source in inputs]


@pytest.fixture
def album(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with everything that is usable and not, as the current one's `album`."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "album"
    (folder / "below").mkdir(parents=True)
    (folder / "folder.jpg").mkdir()
    for name in (
        "b.JPG", "a.png", "c.mp4", "notes.txt", "README", "a_livecam.png", "c_livecam.mp4",
        ".hidden.jpg", ".c_livecam.partial.mp4", "below/d.jpg",
    ):  # fmt: skip
        (folder / name).write_bytes(b"x")
    return folder


# expand


def test_nothing_expands_to_nothing() -> None:
    assert expand([], USABLE) == []


def test_a_folder_gives_its_usable_files_sorted_by_name(album: Path) -> None:
    inputs = expand(["album"], USABLE)
    assert names(inputs) == ["album/a.png", "album/b.JPG", "album/c.mp4"]
    assert [source.path for source in inputs] == [
        Path("album/a.png"), Path("album/b.JPG"), Path("album/c.mp4")
    ]  # fmt: skip


@pytest.mark.parametrize("typed", ["album/", "./album", "./album/"])
def test_a_folder_is_named_without_its_path(album: Path, typed: str) -> None:
    assert names(expand([typed], PICTURE_SUFFIXES)) == ["album/a.png", "album/b.JPG"]


def test_the_current_folder_has_a_name_too(album: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(album)
    assert names(expand(["."], PICTURE_SUFFIXES)) == ["album/a.png", "album/b.JPG"]
    monkeypatch.chdir(album / "below")
    assert names(expand([".."], PICTURE_SUFFIXES)) == ["album/a.png", "album/b.JPG"]


def test_folders_of_one_name_are_told_apart(album: Path) -> None:
    other = album.parent / "more" / "album"
    other.mkdir(parents=True)
    (other / "a.png").write_bytes(b"x")
    found = names(expand(["album/", "more/album/"], frozenset([".png"])))
    assert found == ["album/a.png", "more/album/a.png"]


def complaint(argument: str, suffixes: frozenset[str]) -> str:
    """What is said about an argument that gives nothing, at once or when its turn comes."""
    with pytest.raises(LivecamError) as seen:
        for source in expand([argument], suffixes):
            Opened(source)
    assert "\n" not in str(seen.value)
    return str(seen.value)


def test_a_folder_with_nothing_usable_says_what_would_be(album: Path) -> None:
    said = complaint("album/below", CLIP_SUFFIXES)
    assert said.startswith("album/below: nothing usable")
    assert ".gif, " in said
    assert ".mp4" in said
    assert ".jpg" not in said


def test_a_glob_gives_its_usable_matches_sorted(album: Path) -> None:
    assert names(expand(["album/*"], USABLE)) == ["album/a.png", "album/b.JPG", "album/c.mp4"]
    assert names(expand(["album/[bc].*"], USABLE)) == ["album/b.JPG", "album/c.mp4"]
    assert names(expand(["**/*.jpg"], USABLE)) == ["album/below/d.jpg"]


@pytest.mark.parametrize("pattern", ["album/*.bmp", "album/*.txt", "album/*_livecam.*"])
def test_a_glob_without_usable_matches_fails(album: Path, pattern: str) -> None:
    assert complaint(pattern, USABLE).startswith(f"{pattern}: no picture or clip matches")


def test_a_file_with_glob_signs_in_its_name_is_that_file(album: Path) -> None:
    (album / "x[1].jpg").write_bytes(b"x")
    (album / "x1.jpg").write_bytes(b"x")
    assert names(expand(["album/x[1].jpg"], USABLE)) == ["album/x[1].jpg"]


def test_an_address_of_another_kind_is_no_file() -> None:
    [given] = expand(["rtsp://user:secret@127.0.0.1/x"], PICTURE_SUFFIXES)
    assert given.problem is not None
    assert given.problem.startswith("rtsp://")
    assert "livecam run --camera" in given.problem
    assert "secret" not in given.problem


def test_files_urls_and_stdin_stay_as_typed_and_in_order(album: Path) -> None:
    typed = ["album/notes.txt", "-", "https://example.org/p.jpg", "none.jpg", "album/a_livecam.png"]
    inputs = expand(typed, USABLE)
    assert names(inputs) == typed
    assert [source.path is None for source in inputs] == [False, True, True, False, False]


@pytest.mark.parametrize(
    ("name", "stem", "suffix"),
    [
        ("-", "stdin", ""),
        ("a/b.c.JPG", "b.c", ".jpg"),
        ("http://example.org/p/photo.PNG?size=2&x=.gif#top", "photo", ".png"),
        ("http://example.org/a%20b.jpg", "a b", ".jpg"),
        ("http://example.org/..%2F..%2Fetc%2Fpasswd.png", "passwd", ".png"),
        ("http://example.org", "url", ""),
        ("HTTP://example.org/watch?v=1.mp4", "watch", ""),
    ],
)
def test_outputs_are_named_after_the_input(name: str, stem: str, suffix: str) -> None:
    source = Input(name, None)
    assert source.stem == stem
    assert source.suffix == suffix


def test_outputs_have_names_that_windows_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    source = Input("http://example.org/wiki/File:a%3Fb%22.jpg", None)
    assert source.stem == 'File:a?b"'
    monkeypatch.setattr(sys, "platform", "win32")
    assert source.stem == "File_a_b_"


# Opened


def test_a_download_is_gone_after_use(tmp_path: Path, astronaut: np.ndarray) -> None:
    cv2.imwrite(str(tmp_path / "a.jpg"), astronaut)
    with (
        clips.served(clips.files_in(tmp_path)) as address,
        Opened(Input(f"{address}/a.jpg?v=2", None)) as opened,
    ):
        assert opened.kind == "picture"
        assert opened.path.read_bytes() == (tmp_path / "a.jpg").read_bytes()
    assert not opened.path.exists()
    assert not opened.path.parent.exists()


def test_a_download_without_a_place_for_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    with pytest.raises(LivecamError, match=r"^http://localhost/a.jpg: .*; free space, or set T"):
        Opened(Input("http://localhost/a.jpg", None))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"<!DOCTYPE html><html>", "a web page"), (b"\xef\xbb\xbf\n<html lang=en>", "a web page"),
        (b"#EXTM3U\n#EXTINF:2\na.ts\n", "a playlist"),
    ],
)  # fmt: skip
def test_what_leads_to_a_clip_is_none(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "a.mp4").write_bytes(content)
    with clips.served(clips.files_in(tmp_path)) as address:
        name = f"{address}/a.mp4"
        with pytest.raises(LivecamError, match=rf"^{name}: {said}; expected a picture or a clip; "):
            Opened(Input(name, None))


@pytest.mark.parametrize(
    ("content", "kind"),
    [("picture", "picture"), ("heic", "picture"), ("clip", "clip"), ("text", "clip")],
)
def test_a_name_without_a_suffix_is_looked_into(tmp_path: Path, content: str, kind: str) -> None:
    file = tmp_path / "file"
    if content == "picture":
        file.write_bytes(clips.png(np.zeros((4, 4, 3), np.uint8)))
    elif content == "heic":
        file.write_bytes(clips.HEIC)
    elif content == "clip":
        clips.write_clip(tmp_path / "c.mp4", clips.greys(2)).rename(file)
    else:
        file.write_text("words")
    with Opened(Input(str(file), file)) as opened:
        assert opened.kind == kind


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp", ".tif", ".webp"])
def test_a_picture_is_known_where_opencv_cannot_open_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    cv2.imwrite(str(tmp_path / f"a{suffix}"), np.zeros((4, 4, 3), np.uint8))
    file = (tmp_path / f"a{suffix}").rename(tmp_path / "file")
    monkeypatch.setattr(cv2, "haveImageReader", lambda path: False)
    with Opened(Input(str(file), file)) as opened:
        assert opened.kind == "picture"


@pytest.mark.parametrize("damage", ["missing", "empty", "folder"])
def test_what_has_no_bytes_is_refused(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "a.jpg"
    if damage == "empty":
        path.touch()
    elif damage == "folder":
        path.mkdir()
    said = {"missing": "no such file", "empty": "empty; expected", "folder": "cannot be read"}
    with pytest.raises(LivecamError, match=said[damage]):
        Opened(Input("typed.jpg", path))
