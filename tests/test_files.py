"""Files that are whole or not there."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from livecam.errors import LivecamError
from livecam.files import PartialFile, RowFile

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
