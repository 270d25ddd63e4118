"""Files that are whole or not there."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from livecam import files
from livecam.errors import LivecamError
from livecam.files import KnownFiles, PartialFile, RowFile, check_folder, output_key

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="folders in use stay, no groups")


@on_linux
def test_in_a_folder_that_is_gone_no_file_can_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    with pytest.raises(LivecamError, match=r"a\.mp4: cannot be written: "):
        PartialFile(Path("a.mp4"))


@on_linux
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="root alone may")
def test_who_could_read_a_file_can_read_what_replaces_it(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("old")
    os.chown(path, -1, 33)
    path.chmod(0o640)
    with PartialFile(path) as partial:
        partial.write_text("new")
    assert (path.read_text(), path.stat().st_gid, path.stat().st_mode & 0o777) == ("new", 33, 0o640)


@on_linux
def test_where_a_group_cannot_be_given_it_reads_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.csv"
    path.write_text("old")
    path.chmod(0o640)
    real = Path.stat

    def stat(self: Path, **more: bool) -> os.stat_result:
        found = real(self, **more)
        return os.stat_result([*found[:5], found.st_gid + (self == path), *found[6:]])

    monkeypatch.setattr(Path, "stat", stat)
    monkeypatch.setattr(os, "chown", lambda *_: (_ for _ in ()).throw(PermissionError))
    with PartialFile(path) as partial:
        partial.write_text("new")
    monkeypatch.undo()
    assert path.stat().st_mode & 0o777 == 0o600


def test_of_rows_that_could_not_be_written_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.csv"
    path.write_text("old")

    def fail(self: RowFile, text: str) -> None:
        raise LivecamError("full")

    with pytest.raises(LivecamError, match="full"), RowFile(path, "a,b\n") as rows:
        monkeypatch.setattr(RowFile, "_put", fail)
        rows.append("1,2\n")
    assert path.read_text() == "old"


def test_a_file_of_another_spelling_is_known_where_it_is_the_same(tmp_path: Path) -> None:
    """A second link stands for a disk whose names have no case."""
    clip, same, other = (tmp_path / name for name in ("clip.mp4", "CLIP.MP4", "Clip.mp4"))
    clip.write_bytes(b"clip")
    os.link(clip, same)
    other.write_bytes(b"other")
    known = KnownFiles([clip])
    assert [path in known for path in (clip, same, other, tmp_path / "clip.MP4")] == [
        True, True, False, False
    ]  # fmt: skip
    assert tmp_path / "sub" / ".." / "clip.mp4" in known
    both = KnownFiles([clip, other])
    assert clip in both
    assert other in both
    assert same in both


@pytest.mark.parametrize(("platform", "is_one"), [("darwin", True), ("linux", False)])
def test_on_macos_two_outputs_may_be_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, platform: str, is_one: bool
) -> None:
    monkeypatch.setattr(files.sys, "platform", platform)
    assert (output_key(tmp_path / "a.mp4") == output_key(tmp_path / "A.mp4")) is is_one


def test_a_folder_on_a_drive_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "exists", lambda path: False)
    with pytest.raises(LivecamError, match="out: cannot be written: there is no /"):
        check_folder("--out", Path("out"))
