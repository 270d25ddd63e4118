"""The order of the stages, which detection a frame gets, and what a scene cut means."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from livecam.config import load_config
from livecam.datatypes import AgeGender, Faces, Frame
from livecam.detector import Mtcnn
from livecam.geometry import iou_matrix
from livecam.pipeline import Models, Pipeline
from livecam.tracker import Tracker

RATE = 25


@pytest.fixture(scope="module")
def models() -> Models:
    return Models(load_config(environment={}))


class Calls:
    """A detector that notes what it is asked, and says that its faces are all there are."""

    def __init__(self, has_face: bool = True) -> None:
        self.asked: list[str] = []
        face = Faces(
            np.array([[40, 40, 80, 80]], np.float32),
            np.ones(1, np.float32),
            np.array([[[50, 52], [70, 52], [60, 62], [53, 70], [67, 70]]], np.float32),
        )
        self.faces = face if has_face else Faces.none()

    def find(self, bgr: np.ndarray, least: float, min_face_px: float | None) -> Faces:
        self.asked.append("find")
        return self.faces

    def refine(self, bgr: np.ndarray, xyxy: np.ndarray, least: float) -> Faces:
        self.asked.append("refine")
        return self.faces[: len(xyxy)]

    def search_near(self, bgr: np.ndarray, xyxy: np.ndarray, known: Faces, least: float) -> Faces:
        self.asked.append("near")
        return known


def _answer(crops: np.ndarray) -> AgeGender:
    n = len(crops)
    return AgeGender(np.full((n, 101), 1 / 101, np.float32), np.full(n, 0.5, np.float32))


def _line(detector: Calls, detect_every: int, calm_every_s: float = 0.0) -> Pipeline:
    config = load_config(environment={})
    tracker = Tracker(config.tracker, config.scheme)
    return Pipeline(detector, _answer, tracker, detect_every, calm_every_s)  # type: ignore[arg-type]


def _frames(pictures: list[np.ndarray]) -> list[Frame]:
    return [Frame(i, i / RATE, picture) for i, picture in enumerate(pictures)]


def test_each_face_is_looked_at_mirrored_every_second_time() -> None:
    """Whoever comes a moment later takes turns of their own."""
    seen: list[np.ndarray] = []

    def classify(crops: np.ndarray) -> AgeGender:
        seen.extend(crops)
        return _answer(crops)

    config = load_config(flags={"tracker.confirm_after": 1}, environment={})
    detector = Calls()
    (box,), (landmarks,) = detector.faces.xyxy, detector.faces.landmarks
    both = Faces(
        np.stack([box, box + [80, 0, 80, 0]]), np.ones(2, np.float32),
        np.stack([landmarks, landmarks + [80, 0]]),
    )  # fmt: skip
    picture = np.zeros((120, 200, 3), np.uint8)
    picture[:, :60], picture[:, 100:140] = (0, 0, 200), (200, 0, 0)  # left halves: red, blue
    line = Pipeline(detector, classify, Tracker(config.tracker, config.scheme), 1)  # type: ignore[arg-type]
    for frame in _frames([picture] * 24):
        detector.faces = both if frame.index >= 3 else both[:1]
        line(frame)
    turns: dict[str, str] = {"red": "", "blue": ""}
    for crop in seen:
        left, right = crop[:, :40].mean(axis=(0, 1)), crop[:, -40:].mean(axis=(0, 1))
        brighter = max(left, right, key=np.sum)
        turns["red" if brighter[0] > brighter[2] else "blue"] += "<" if brighter is left else ">"
    assert turns == {"red": "<><>", "blue": "<><"}


@pytest.mark.parametrize(
    ("every", "finds"), [(1, [*range(12)]), (4, [0, 1, 2, 6, 10]), (100, [0, 1, 2])]
)
def test_full_detections_come_at_first_and_every_so_many_frames(
    every: int, finds: list[int]
) -> None:
    detector = Calls()
    line = _line(detector, every)
    for frame in _frames([np.full((120, 160, 3), 90, np.uint8)] * 12):
        line(frame)
    assert [i for i, what in enumerate(detector.asked) if what == "find"] == finds


@pytest.mark.parametrize(
    ("fps", "step", "finds"),
    [
        (60, 1, [0, 1, 2, 7, 12]),
        (25, 1, [0, 1, 2, 7, 12]),
        (10, 1, [0, 1, 2, 4, 6, 8, 10, 12]),
        (5, 1, [*range(13)]),
        (30, 6, [0, 1, 2, 7, 12]),  # the labels are slow, not the source
    ],
)
def test_a_slow_source_is_searched_as_often_in_time(fps: int, step: int, finds: list[int]) -> None:
    detector = Calls()
    line = _line(detector, 5)
    for i in range(13):
        line(Frame(i * step, i * step / fps, np.full((120, 160, 3), 90, np.uint8)))
    assert [i for i, what in enumerate(detector.asked) if what == "find"] == finds


def _searched(line: Pipeline, n: int) -> list[int]:
    """The frames of a still scene that are searched."""
    searched = []
    for frame in _frames([np.full((120, 160, 3), 90, np.uint8)] * n):
        line(frame)
        searched += [frame.index] * line.is_searched
    return searched


def test_a_calm_scene_is_searched_less_often_and_never_where_every_frame_is_wanted() -> None:
    expected = [0, 1, 2, 7, 12, 17, 22, 32, 42, 52]  # nobody new for a second from frame 26 on
    assert _searched(_line(Calls(), 5, calm_every_s=0.39), 60) == expected
    assert _searched(_line(Calls(has_face=False), 5, calm_every_s=0.39), 60) == expected
    assert _searched(_line(Calls(), 1, calm_every_s=0.39), 60) == [*range(60)]


class Calm:
    """A line on a still scene that is calm from frame 26 on; the last of 53 frames was searched."""

    def __init__(self, has_face: bool) -> None:
        self.detector = Calls(has_face)
        self.line = _line(self.detector, 5, calm_every_s=0.39)
        assert _searched(self.line, 53)[-1] == 52

    def searched(self, first: int, last: int) -> list[int]:
        searched = []
        for i in range(first, last + 1):
            self.line(Frame(i, i / RATE, np.full((120, 160, 3), 90, np.uint8)))
            searched += [i] * self.line.is_searched
        return searched


def test_a_new_face_ends_the_calm() -> None:
    calm = Calm(has_face=False)
    calm.detector.faces = Calls().faces
    assert calm.searched(53, 85) == [62, 67, 72, 77, 82]


def test_a_lost_face_ends_the_calm() -> None:
    calm = Calm(has_face=True)
    calm.detector.faces = Faces.none()
    assert calm.searched(53, 75) == [57, 62, 67, 72]


def test_after_forgetting_all_faces_the_calm_has_ended() -> None:
    calm = Calm(has_face=True)
    calm.line.forget()
    assert calm.searched(53, 75) == [57, 62, 67, 72]


def test_a_clock_that_stands_still_does_not_end_the_searches() -> None:
    line = _line(Calls(has_face=False), 5, calm_every_s=0.39)
    picture = np.full((120, 160, 3), 90, np.uint8)
    searched = 0
    for i in range(53):
        line(Frame(i, 0.0, picture))
        searched += line.is_searched
    assert searched == 13


def test_a_buffer_that_is_used_again_does_not_hide_a_cut() -> None:
    line = _line(Calls(), 5)
    buffer = np.empty((60, 60, 3), np.uint8)
    for level in (30,) * 5 + (220,):
        buffer[:] = level
        line(Frame(0, 0.0, buffer))
    assert line.is_searched


def test_a_line_searches_as_the_configuration_says() -> None:
    flags = {"detector.detect_every": 7, "detector.calm_every_s": 0.5}
    line = Models(load_config(flags=flags, environment={})).pipeline()
    assert (line.detect_every, line.calm_every_s) == (7, 0.5)


def test_a_scene_cut_brings_full_detections_and_a_lost_face_a_search_near_it() -> None:
    detector = Calls()
    line = _line(detector, 100)
    dark, light = (np.full((120, 160, 3), level, np.uint8) for level in (30, 200))
    for frame in _frames([dark] * 4 + [light] * 4):
        line(frame)
    find, refine = ["find"], ["refine"]
    assert detector.asked == 3 * find + refine + 3 * find + refine
    detector.asked.clear()
    detector.faces = Faces.none()
    for frame in (Frame(8 + i, (8 + i) / RATE, light) for i in range(5)):
        line(frame)
    assert detector.asked == 3 * ["refine", "near"] + 2 * refine


def _shots(portrait: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The same face in a light and in a dark place, and nothing at all."""
    here = cv2.resize(portrait, (320, 320), interpolation=cv2.INTER_AREA)
    mirrored = here[:, ::-1]
    keep = np.zeros((320, 320, 1), np.float32)
    cv2.circle(keep, (180, 75), 60, 1, -1)
    there = (mirrored * np.roll(keep, -40, axis=1)).astype(np.uint8)
    return here, there, np.zeros_like(here)


def test_after_a_cut_the_same_place_is_somebody_else(models: Models, astronaut: np.ndarray) -> None:
    here, there, _ = _shots(astronaut)
    line = models.pipeline()
    ids = [[face.track_id for face in line(f)] for f in _frames([here] * 8 + [there] * 8)]
    assert ids[7] == [1]
    assert ids[-1] == [2]


def _ids(line: Pipeline, detector: Calls, shots: list[tuple[int, Faces]]) -> list[list[int]]:
    """Of the last frame of each shot of so many frames, which are light and dark in turns."""
    found, number = [], 0
    for shot, (frames, faces) in enumerate(shots):
        detector.faces = faces
        for _ in range(frames):
            picture = np.full((120, 160, 3), 200 if shot % 2 else 30, np.uint8)
            tracks = line(Frame(number, number / RATE, picture))
            number += 1
        found.append([face.track_id for face in tracks])
    return found


def test_from_shot_to_shot_and_back_nobody_becomes_the_other() -> None:
    detector = Calls()
    shots = [(8, detector.faces)] * 5
    assert _ids(_line(detector, 5), detector, shots) == [[1], [2], [3], [4], [5]]


def test_a_cut_whose_first_frames_show_no_face_is_one() -> None:
    detector = Calls()
    line, face = _line(detector, 1), detector.faces
    assert _ids(line, detector, [(8, face)]) == [[1]]
    light = np.full((120, 160, 3), 200, np.uint8)
    for i in range(8, 20):
        detector.faces = face if i >= 10 else Faces.none()
        tracks = line(Frame(i, i / RATE, light))
        assert i < 10 or 1 not in [track.track_id for track in tracks]
    assert [track.track_id for track in tracks] == [2]


def test_a_face_that_is_found_is_in_a_box_though_it_is_not_sure() -> None:
    """What --blur covers: with a track or not, and where the light goes on."""
    config = load_config(environment={})
    detector = Calls()
    tracker = Tracker(config.tracker, config.scheme, birth_confidence=0.8)
    line = Pipeline(detector, _answer, tracker, 1)  # type: ignore[arg-type]
    face, aside = detector.faces, np.float32(60)
    two = Faces(
        np.concatenate([face.xyxy, face.xyxy + [aside, 0, aside, 0]]).astype(np.float32),
        np.ones(2, np.float32),
        np.concatenate([face.landmarks, face.landmarks + [aside, 0]]).astype(np.float32),
    )
    number = 0
    for level, confidence in ((30, 0.95), (30, 0.75), (80, 0.75), (200, 0.75), (200, 0.6)):
        detector.faces = Faces(two.xyxy, np.float32([1, confidence]), two.landmarks)
        for _ in range(4):
            time_s = number / RATE
            line(Frame(number, time_s, np.full((120, 160, 3), level, np.uint8)))
            assert len(line.boxes(time_s)) == 2
            number += 1
    assert len(tracker.predict(time_s)) == 1  # the other has no track since the light went on


def test_a_moment_of_black_keeps_the_id(models: Models, astronaut: np.ndarray) -> None:
    here, _, nothing = _shots(astronaut)
    line = models.pipeline()
    pictures = [here] * 8 + [nothing] * 5 + [here] * 8
    faces = [line(frame) for frame in _frames(pictures)]
    assert [face.track_id for face in faces[-1]] == [1]
    assert all(face.coasting_s > 0 for face in faces[10])


@pytest.mark.parametrize("light", [0.3, 0.5])
def test_a_lamp_that_is_switched_is_no_cut(
    models: Models, astronaut: np.ndarray, light: float
) -> None:
    dim = cv2.convertScaleAbs(astronaut, alpha=light)
    line = models.pipeline()
    ids = [
        [f.track_id for f in line(frame)] for frame in _frames(2 * (6 * [astronaut] + 6 * [dim]))
    ]
    assert ids[3:] == [[1]] * 21


def test_the_same_clip_gives_the_same_tracks(models: Models, astronaut: np.ndarray) -> None:
    pictures = [
        cv2.warpAffine(astronaut, np.float32([[1, 0, 2 * i], [0, 1, i]]), (400, 300))
        for i in range(15)
    ]
    runs = []
    for _ in range(2):
        line = models.pipeline()
        runs.append([(f.track_id, *f.xyxy, f.age) for g in _frames(pictures) for f in line(g)])
    assert runs[0] == runs[1]
    assert runs[0]


def test_a_picture_needs_no_second_look(models: Models, astronaut: np.ndarray) -> None:
    (face,), _ = models.look(astronaut)
    assert (face.track_id, face.samples, face.coasting_s) == (1, 1, 0.0)
    assert face.age_low <= face.age <= face.age_high
    faces, hidden = models.look(np.zeros((50, 50, 3), np.uint8))
    assert not faces and not len(hidden)


def test_a_face_that_the_border_cuts_is_looked_for_in_a_picture_not_in_frames(
    models: Models, cut_face: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    (face,), hidden = models.look(cut_face)
    assert iou_matrix(face.xyxy[None], hidden).tolist() == [[1]]
    searches = []
    found = Mtcnn._found
    monkeypatch.setattr(Mtcnn, "_found", lambda *given: searches.append(1) or found(*given))
    for frames in (None, 2, 9):
        line = models.pipeline(frames)
        assert not any(line(frame) for frame in _frames([cut_face] * 2))
        assert not len(line.boxes(1 / RATE))
    assert len(searches) == 3 * 2  # one a frame


def test_the_faces_of_a_picture_are_numbered_from_left_to_right(
    models: Models, astronaut: np.ndarray
) -> None:
    less_sure = cv2.GaussianBlur(astronaut, (0, 0), 5)
    for row in ([astronaut, less_sure], [less_sure, astronaut]):
        faces, _ = models.look(np.hstack(row))
        assert [face.track_id for face in faces] == [1, 2]
        assert faces[0].xyxy[0] < faces[1].xyxy[0]


class Unsure(Calls):
    """Its one face has a confidence, which a search may ask for."""

    def __init__(self, confidence: float) -> None:
        super().__init__()
        self.confidence = confidence

    def find(self, bgr: np.ndarray, least: float, min_face_px: float | None) -> Faces:
        faces = super().find(bgr, least, min_face_px)
        confidence = np.full(len(faces), self.confidence, np.float32)
        faces = Faces(faces.xyxy, confidence, faces.landmarks)
        return faces if self.confidence >= least else Faces.none()


def test_an_unsure_face_in_a_flash_does_not_make_the_others_forgotten() -> None:
    config = load_config(environment={})
    detector = Unsure(0.95)
    tracker = Tracker(config.tracker, config.scheme, birth_confidence=0.8)
    line = Pipeline(detector, _answer, tracker, 5)  # type: ignore[arg-type]
    dark, flash = (np.full((120, 160, 3), level, np.uint8) for level in (30, 240))
    ids = []
    for frame in _frames([dark] * 6 + [flash] + [dark] * 6):
        detector.confidence = 0.6 if frame.bgr is flash else 0.95
        ids.append([face.track_id for face in line(frame)])
    assert ids[3:] == [[1]] * 10


def test_low_thresholds_count_for_clips_as_for_pictures(astronaut: np.ndarray) -> None:
    flags = {"detector.thresholds": [0.5, 0.4, 0.2]}
    models = Models(load_config(flags=flags, environment={}))
    blurred = [cv2.GaussianBlur(astronaut, (0, 0), sigma) for sigma in (6, 8, 9, 10, 11, 12)]
    found = [len(models.detector.find(bgr)) for bgr in blurred]
    assert [len(models.look(bgr)[0]) for bgr in blurred] == found
    confidences = [c for bgr in blurred for c in models.detector.find(bgr).confidence]
    assert min(confidences) < 0.5  # below `tracker.keep_confidence`


@pytest.mark.parametrize(("confidence", "is_seen"), [(0.6, True), (0.3, False)])
def test_a_known_face_may_be_less_sure_than_a_new_one(confidence: float, is_seen: bool) -> None:
    config = load_config(environment={})
    detector = Unsure(0.95)
    tracker = Tracker(config.tracker, config.scheme, birth_confidence=0.8)
    line = Pipeline(detector, _answer, tracker, 1)  # type: ignore[arg-type]
    for frame in _frames([np.full((120, 160, 3), 30, np.uint8)] * 8):
        detector.confidence = 0.95 if frame.index < 4 else confidence
        faces = line(frame)
    assert [face.track_id for face in faces] == [1]
    assert (faces[0].coasting_s == 0) == is_seen
