from __future__ import annotations

import json
import sys
from pathlib import Path

import clips
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from livecam.live.saved_state import SavedState, state_file

FIRST_START = SavedState(None, False)


def of_text(folder: Path, text: str | bytes) -> SavedState:
    path = folder / "state.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return SavedState.load(path)


def test_a_first_start_remembers_nothing_and_writes_nothing(tmp_path: Path) -> None:
    assert SavedState.load(tmp_path / "none" / "state.json") == FIRST_START
    assert clips.files_of(tmp_path) == []


@pytest.mark.parametrize(
    "state",
    [
        FIRST_START,
        SavedState((960, 540), True),
        SavedState((1, 19_999), False),
        SavedState(None, True),
    ],
    ids=str,
)
def test_what_is_saved_is_loaded(tmp_path: Path, state: SavedState) -> None:
    path = tmp_path / "folders" / "that" / "are" / "not" / "there" / "state.json"
    state.save(path)
    assert SavedState.load(path) == state
    SavedState((7, 8), True).save(path)
    assert SavedState.load(path) == SavedState((7, 8), True)


def test_it_holds_nothing_but_the_size_and_the_greeting(tmp_path: Path) -> None:
    SavedState((960, 540), True).save(tmp_path / "state.json")
    assert json.loads((tmp_path / "state.json").read_text()) == {
        "window_wh": [960, 540],
        "is_greeted": True,
    }


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", FIRST_START),
        ("{", FIRST_START),
        (b"\xff\xfe\x00", FIRST_START),
        (b"\0" * 64, FIRST_START),
        ("[" * 100_000, FIRST_START),
        ("null", FIRST_START),
        ("17", FIRST_START),
        ("[960, 540]", FIRST_START),
        ('"window_wh"', FIRST_START),
        ("{}", FIRST_START),
        ('{"window_wh": null, "is_greeted": true}', SavedState(None, True)),
        ('{"window_wh": [960, 540]}', SavedState((960, 540), False)),
        ('{"window_wh": [960.7, 540.2], "is_greeted": true}', SavedState((960, 540), True)),
        ('{"window_wh": [0, 540], "is_greeted": true}', SavedState(None, True)),
        ('{"window_wh": [960, 0], "is_greeted": true}', SavedState(None, True)),
        ('{"window_wh": [-960, 540], "is_greeted": true}', SavedState(None, True)),
        ('{"window_wh": [960, -540], "is_greeted": true}', SavedState(None, True)),
        ('{"window_wh": [960, 20000], "is_greeted": true}', SavedState(None, True)),
        ('{"window_wh": [1e300, 540], "is_greeted": true}', SavedState(None, True)),
        ('{"window_wh": [Infinity, 540]}', FIRST_START),
        ('{"window_wh": [NaN, 540]}', FIRST_START),
        ('{"window_wh": [960]}', FIRST_START),
        ('{"window_wh": [1, 2, 3]}', FIRST_START),
        ('{"window_wh": "wide"}', FIRST_START),
        ('{"window_wh": [[1], {}]}', FIRST_START),
        ('{"window_wh": 960}', FIRST_START),
        ('{"is_greeted": true, "more": [1]}', SavedState(None, True)),  # of a newer livecam
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_can_be_read_of_a_file(tmp_path: Path, text: str | bytes, wanted: SavedState) -> None:
    assert of_text(tmp_path, text) == wanted


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


@settings(deadline=None)
@given(anything, anything)
def test_any_content_is_a_usable_state(
    tmp_path_factory: pytest.TempPathFactory, size: object, greeted: object
) -> None:
    text = json.dumps({"window_wh": size, "is_greeted": greeted})
    state = of_text(tmp_path_factory.getbasetemp(), text)
    assert state.window_wh is None or all(0 < side < 20_000 for side in state.window_wh)
    assert state.is_greeted in (True, False)


def test_where_the_system_knows_no_folder_of_the_user_none_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Path, "home", unknown)
    SavedState(is_greeted=True).save(state_file({}))
    assert not list(tmp_path.iterdir())


def test_a_folder_in_the_way_is_a_first_start(tmp_path: Path) -> None:
    (tmp_path / "state.json").mkdir()
    SavedState((1, 2), True).save(tmp_path / "state.json")
    assert SavedState.load(tmp_path / "state.json") == FIRST_START


def test_a_file_in_the_place_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "livecam").write_text("mine")
    SavedState((1, 2), True).save(tmp_path / "livecam" / "state.json")
    assert SavedState.load(tmp_path / "livecam" / "state.json") == FIRST_START
    assert (tmp_path / "livecam").read_text() == "mine"


def test_a_folder_that_cannot_be_written_keeps_what_it_has(tmp_path: Path) -> None:
    folder = tmp_path / "livecam"
    folder.mkdir()
    SavedState((1, 2), True).save(folder / "state.json")
    with clips.read_only(folder):
        SavedState((3, 4), False).save(folder / "state.json")
        SavedState((3, 4), False).save(folder / "below" / "state.json")
        assert SavedState.load(folder / "state.json") == SavedState((1, 2), True)


def test_a_full_disk_costs_the_state_and_nothing_else(tmp_path: Path) -> None:
    with clips.small_disk(tmp_path / "disk", 64) as disk:
        clips.fill(disk)
        SavedState((3, 4), True).save(disk / "state.json")
        assert SavedState.load(disk / "state.json") == FIRST_START


# platform, environment, where
PLACES = [
    ("linux", {}, "home/.local/state"),
    ("linux", {"XDG_STATE_HOME": ""}, "home/.local/state"),
    ("linux", {"XDG_STATE_HOME": "state"}, "state"),
    ("linux", {"XDG_STATE_HOME": "state", "LOCALAPPDATA": "local"}, "state"),
    ("freebsd14", {}, "home/.local/state"),
    ("darwin", {"XDG_STATE_HOME": "state"}, "home/Library/Application Support"),
    ("win32", {}, "home/AppData/Local"),
    ("win32", {"LOCALAPPDATA": "local", "XDG_STATE_HOME": "state"}, "local"),
]


@pytest.mark.parametrize(("platform", "environment", "where"), PLACES)
def test_where_it_is_on_each_system(
    monkeypatch: pytest.MonkeyPatch, platform: str, environment: dict[str, str], where: str
) -> None:
    monkeypatch.setattr(Path, "home", lambda: Path("home"))
    monkeypatch.setattr(sys, "platform", platform)
    assert state_file(environment) == Path(where) / "livecam" / "state.json"
