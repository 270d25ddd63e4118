"""Which picture is in the window, and with whose labels. The window is a stand-in."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from pathlib import Path
from types import SimpleNamespace

import clips
import numpy as np
import pytest
from people import face
from settings import SHIPPED

from livecam.datatypes import Frame
from livecam.live import keys
from livecam.live.capture import Shot
from livecam.live.keys import ACTIONS, blur
from livecam.live.labeller import Labels
from livecam.live.options import RunOptions
from livecam.live.outputs import Outputs
from livecam.live.readers import LiveSource
from livecam.live.viewer import Viewer
from livecam.stopwatch import Stopwatch


def shot(index: int, camera: int = 0) -> Shot:
    bgr = np.full((120, 160, 3), 40 + index, np.uint8)
    return Shot(Frame(index, index / 30, bgr), 0.0, LiveSource.camera(camera))


def labels(of: Shot, left: float = 50, is_searched: bool = True) -> Labels:
    box = np.array([[left, 20, left + 40, 60]], np.float32)
    return Labels(of, [face(tuple(box[0]))], box, is_searched)


class Idle:
    """A labeller whose answers the test gives."""

    line = None
    is_busy = False

    def __init__(self) -> None:
        self.offered: list[Shot] = []
        self.done: list[Labels] = []

    def offer(self, shot: Shot) -> None:
        self.offered.append(shot)

    def take(self) -> list[Labels]:
        done, self.done = self.done, []
        return done

    def __enter__(self) -> Idle:
        return self

    def __exit__(self, *exc: object) -> None:
        self.done.append(labels(shot(7)))  # begun before


class Over(contextlib.nullcontext[None]):
    """A film that was read to its end before anything was labelled."""

    is_over = True
    captured, dropped = 3, 2
    state = SimpleNamespace(phase="ended")
    source = LiveSource.camera(0)


@pytest.fixture
def viewer() -> Viewer:
    source = LiveSource.parse("0")
    viewer = Viewer(RunOptions(source), SHIPPED, None, Stopwatch(), lambda text: None)  # type: ignore[arg-type]
    viewer.labeller = Idle()  # type: ignore[assignment]
    return viewer


def hide(viewer: Viewer) -> None:
    viewer.look.overlay = dataclasses.replace(viewer.look.overlay, blur=True)


def test_a_picture_is_shown_before_its_labels_are_there(viewer: Viewer) -> None:
    new = shot(0)
    viewer._take(new)
    assert viewer.shot is new
    assert viewer.faces() == []


def test_what_is_being_labelled_at_the_end_is_in_the_table(tmp_path: Path) -> None:
    film, table = clips.write_clip(tmp_path / "film.mp4", clips.greys(3)), tmp_path / "tracks.csv"
    options = RunOptions(LiveSource.parse(str(film)), tracks=table, max_frames=0)
    viewer = Viewer(
        options, SHIPPED, SimpleNamespace(is_open=False), Stopwatch(), lambda text: None
    )  # type: ignore[arg-type]
    viewer.labeller = Idle()  # type: ignore[assignment]
    viewer.run({})
    rows = table.read_text().splitlines()[1:]
    assert [row.split(",")[1] for row in rows] == ["7"]


def test_the_last_picture_of_a_film_that_is_over_is_recorded_hidden(tmp_path: Path) -> None:
    film, record = clips.write_clip(tmp_path / "film.mp4", clips.greys(3)), tmp_path / "out.mp4"
    options = RunOptions(LiveSource.parse(str(film)), record=record)
    viewer = Viewer(options, SHIPPED, SimpleNamespace(is_open=True), Stopwatch(), lambda text: None)  # type: ignore[arg-type]
    viewer.labeller = Idle()  # type: ignore[assignment]
    viewer.capture = Over()  # type: ignore[assignment]
    hide(viewer)
    viewer.run({})
    assert len(clips.play(record).pictures) == 1


def test_a_film_begins_with_the_first_picture_shown(viewer: Viewer) -> None:
    """Then its times are those of the table, which begins where something is labelled."""
    filmed: list[int] = []
    viewer.outputs.film = lambda frame, *_: filmed.append(frame.index)  # type: ignore[method-assign]
    for each in (shot(0), shot(1)):
        viewer._take(each)
    assert filmed == [0, 1]


def test_a_hidden_face_is_never_shown_with_the_labels_of_another_picture(viewer: Viewer) -> None:
    hide(viewer)
    first, second = shot(0), shot(1)
    viewer._take(first)
    assert viewer.shot is None
    viewer.labeller.done.append(labels(first))  # type: ignore[attr-defined]
    viewer._collect()
    assert viewer.shot is first
    viewer._take(second)  # its labels are late
    assert viewer.shot is first
    viewer.labeller.done.append(labels(second, left=100))  # type: ignore[attr-defined]
    viewer._collect()
    assert viewer.shot is second
    assert viewer.hidden()[0, 0] == 100


def test_a_picture_of_another_camera_waits_too(viewer: Viewer) -> None:
    hide(viewer)
    for new in (shot(0), shot(1, camera=1)):
        viewer._take(new)
        viewer.labeller.done.append(labels(new))  # type: ignore[attr-defined]
        viewer._collect()
        assert viewer.shot is new
        assert len(viewer.hidden()) == 1


def test_what_was_not_searched_is_not_shown_once_faces_are_hidden(viewer: Viewer) -> None:
    seen = shot(0)
    viewer._take(seen)
    viewer.labeller.done.append(labels(seen, is_searched=False))  # type: ignore[attr-defined]
    viewer._collect()
    blur(viewer)
    assert viewer.look.overlay.blur
    assert viewer.shot is None
    viewer.labeller.done.append(labels(seen, is_searched=False))  # type: ignore[attr-defined]
    viewer._collect()
    assert viewer.shot is None
    viewer.labeller.done.append(labels(seen))  # type: ignore[attr-defined]
    viewer._collect()
    assert viewer.shot is seen


def test_pressed_twice_while_paused_blur_leaves_the_picture(viewer: Viewer) -> None:
    seen = shot(0)
    viewer._take(seen)
    blur(viewer)
    assert viewer.shot is None
    blur(viewer)  # before it was searched
    assert viewer.labeller.offered == [seen, seen]  # type: ignore[attr-defined]
    viewer.labeller.done.append(labels(seen))  # type: ignore[attr-defined]
    viewer._collect()
    assert viewer.shot is seen


def test_a_picture_that_is_hidden_afterwards_is_neither_counted_nor_filmed_twice(
    viewer: Viewer,
) -> None:
    filmed: list[int] = []
    viewer.outputs.film = lambda frame, *_: filmed.append(frame.index)  # type: ignore[method-assign]
    old, seen, new = shot(0), shot(1), shot(2)
    for each in (old, seen):
        viewer.labeller.done.append(labels(each))  # type: ignore[attr-defined]
        viewer._take(each)
    blur(viewer)
    # one that was being labelled meanwhile, the one in the window, the next
    for each, is_shown in ((old, False), (seen, True), (new, True)):
        viewer.labeller.done.append(labels(each))  # type: ignore[attr-defined]
        viewer._collect()
        assert (viewer.shot is each) == is_shown
    assert filmed == [0, 1, 2]
    assert viewer.shown == 3


def test_labels_of_another_camera_are_not_drawn(viewer: Viewer) -> None:
    old, new = shot(0), shot(1, camera=1)
    viewer._take(old)
    viewer.labeller.done.append(labels(old))  # type: ignore[attr-defined]
    viewer._take(new)
    assert viewer.faces() == []
    assert len(viewer.hidden()) == 0


@pytest.mark.parametrize(("later", "is_drawn"), [(25, True), (35, False)])  # frames, 30 a second
def test_labels_last_for_a_second(viewer: Viewer, later: int, is_drawn: bool) -> None:
    old = shot(60)
    viewer._take(old)
    viewer.labeller.done.append(labels(old))  # type: ignore[attr-defined]
    viewer._take(shot(60 + later))
    assert (len(viewer.faces()) == 1) == is_drawn


def test_the_first_picture_after_an_outage_has_its_faces(viewer: Viewer) -> None:
    viewer.look.trouble = ("camera 0 sends nothing", [])
    new = shot(0)
    viewer.labeller.done.append(labels(new))  # type: ignore[attr-defined]
    viewer._take(new)
    assert len(viewer.faces()) == 1


def test_rows_name_the_camera_that_saw_the_face(viewer: Viewer, tmp_path: Path) -> None:
    table = tmp_path / "t.jsonl"
    options = dataclasses.replace(viewer.options, tracks=table)
    with Outputs(options, viewer.config, is_whole_clip=False) as outputs:
        for index, camera in enumerate((0, 2)):
            outputs.label(labels(shot(index, camera)))
    rows = [json.loads(line) for line in table.read_text().splitlines()]
    assert [row["file"] for row in rows] == ["camera 0", "camera 2"]


@pytest.mark.parametrize(
    ("key", "before_px", "after_px"),
    [
        ("-", 12, 12), ("+", 12, 15), ("-", 14, 12), ("+", 400, 500), ("+", 1000, 1250),
        ("-", 1000, 800), ("+", 9000, 10_000), ("+", 10_000, 10_000),
    ],
)  # fmt: skip
def test_the_smallest_face_may_be_what_the_setting_may(
    viewer: Viewer, key: str, before_px: int, after_px: int
) -> None:
    asked: list[float] = []
    line = SimpleNamespace(min_face_px=float(before_px), look_for=asked.append)
    viewer.labeller.line = line  # type: ignore[assignment]
    ACTIONS[key](viewer)
    assert asked == [after_px]
    assert viewer.look.message == f"smallest face {after_px} px"


def test_a_recording_that_cannot_be_is_said_and_the_window_stays(
    viewer: Viewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys, "_new_file", lambda suffix: Path("x" * 300 + suffix))
    viewer.shot = shot(0)
    for key in (keys.record, keys.snapshot):
        summary = viewer.outputs.summary
        summary.error = None
        summary.notices.clear()
        key(viewer)
        assert viewer.outputs.recorder is None
        why = "cannot be written: File name too long"
        assert [line.endswith(why) for line in [*summary.notices, summary.error]] == [True, True]
