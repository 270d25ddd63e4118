"""What the keys do. Each answers with something to be seen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from livecam.config import BOUNDS
from livecam.errors import LivecamError
from livecam.live.viewer import Viewer
from livecam.overlay import Overlay
from livecam.pictures import write_picture

FACE_STEP = 1.25
AGE_STYLES = {
    "full": "age: bin and range",
    "range": "age: range that holds 80 %",
    "bin": "age: bin",
    "exact": "age: years",
    "curve": "age: distribution over the years",
}


def pause(viewer: Viewer) -> None:
    viewer.look.is_paused = not viewer.look.is_paused
    viewer.capture.is_paused = viewer.look.is_paused
    viewer.message("paused" if viewer.look.is_paused else "resumed")


def snapshot(viewer: Viewer) -> None:
    """The picture with its labels in its own size; neither mirrored nor with other figures."""
    if viewer.shot is None:
        viewer.message("no picture yet")
        return
    path = _new_file(".jpg")
    overlay = Overlay(viewer.look.overlay)
    labelled = overlay(viewer.shot.frame.bgr, viewer.faces(), hidden=viewer.hidden())
    try:
        write_picture(path, labelled)
    except LivecamError as error:
        viewer.outputs.fail(str(error))
        return
    viewer.outputs.summary.outputs.append(path)
    viewer.message(f"saved {path.resolve()}")


def record(viewer: Viewer) -> None:
    recorder = viewer.outputs.stop_recording()
    if recorder is not None:
        is_written = recorder.is_kept and recorder.error is None
        viewer.message(f"saved {recorder.path.resolve()}" if is_written else "nothing recorded")
        return
    path = _new_file(".mp4")
    try:
        viewer.outputs.start_recording(path)
    except LivecamError as error:
        viewer.outputs.fail(str(error))
        return
    viewer.message(f"recording {path.resolve()}")


def next_age(viewer: Viewer) -> None:
    styles = list(AGE_STYLES)
    style = styles[(styles.index(viewer.look.overlay.age) + 1) % len(styles)]
    viewer.set_overlay(age=style)
    viewer.message(AGE_STYLES[style])


def gender(viewer: Viewer) -> None:
    viewer.set_overlay(gender=not viewer.look.overlay.gender)
    viewer.message(_on("gender", viewer.look.overlay.gender))


def ids(viewer: Viewer) -> None:
    viewer.set_overlay(ids=not viewer.look.overlay.ids)
    viewer.message(_on("numbers", viewer.look.overlay.ids))


def blur(viewer: Viewer) -> None:
    viewer.set_overlay(blur=not viewer.look.overlay.blur)
    if viewer.look.overlay.blur:
        viewer.hide_faces()
    viewer.message(_on("blur", viewer.look.overlay.blur))


def mirror(viewer: Viewer) -> None:
    viewer.look.is_mirrored = not viewer.look.is_mirrored
    viewer.message(_on("mirror", viewer.look.is_mirrored))


def next_camera(viewer: Viewer) -> None:
    viewer.capture.next_camera()
    viewer.message("looking for another camera")


def larger(viewer: Viewer) -> None:
    _change_least_face(viewer, FACE_STEP)


def smaller(viewer: Viewer) -> None:
    _change_least_face(viewer, 1 / FACE_STEP)


def full_screen(viewer: Viewer) -> None:
    viewer.window.toggle_full_screen()
    viewer.message(_on("full screen", viewer.window.is_full_screen))


def help_on_keys(viewer: Viewer) -> None:
    rows = [(key.shown, key.what) for key in KEYS]
    viewer.look.help = () if viewer.look.help else rows


def _change_least_face(viewer: Viewer, step: float) -> None:
    line = viewer.labeller.line
    if line is None:
        viewer.message("the networks are still loading")
        return
    least_px, most_px = BOUNDS["detector.min_face_px"]
    px = round(min(max(line.min_face_px * step, least_px), most_px))
    line.look_for(px)
    viewer.message(f"smallest face {px} px", square_px=px)


def _on(what: str, is_on: bool) -> str:
    return f"{what} {'on' if is_on else 'off'}"


def _new_file(suffix: str) -> Path:
    """A name with the time, in the current folder, that nothing has yet."""
    stem = f"livecam_{datetime.now():%Y-%m-%d_%H-%M-%S}"
    path, number = Path(stem + suffix), 2
    while path.exists():
        path, number = Path(f"{stem}_{number}{suffix}"), number + 1
    return path


@dataclass(frozen=True, slots=True)
class Key:
    """`chars`: the keys; `shown`: how help names them."""

    chars: str
    shown: str
    what: str
    do: Callable[[Viewer], None] | None = None


KEYS = (
    Key("", "q  ESC", "quit"),  # the window itself
    Key(" p", "space  p", "pause, and resume", pause),
    Key("s", "s", "save this picture", snapshot),
    Key("r", "r", "record, and stop", record),
    Key("a", "a", "age: bin and range, either, years, distribution", next_age),
    Key("g", "g", "gender", gender),
    Key("i", "i", "numbers of the faces", ids),
    Key("b", "b", "blur faces", blur),
    Key("m", "m", "mirror", mirror),
    Key("c", "c", "next camera", next_camera),
    Key("+=", "+", "look for larger faces only", larger),
    Key("-_", "-", "look for smaller faces too", smaller),
    Key("f", "f", "full screen", full_screen),
    Key("h?", "h", "this help", help_on_keys),
    Key("", "mouse", "on a face: all that is known of it"),
)
ACTIONS = {char: key.do for key in KEYS for char in key.chars if key.do is not None}
