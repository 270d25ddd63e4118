"""The way of a frame: detector, tracker, classifier. The only place that knows their order."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import numpy as np

from livecam.classifier import AgeGenderClassifier
from livecam.config import Config
from livecam.crops import aligned_crops
from livecam.datatypes import AgeGender, Array, Faces, Frame, Image, TrackedFace
from livecam.detector import Mtcnn
from livecam.geometry import iou_matrix
from livecam.inference import usable_providers
from livecam.quality import quality
from livecam.scenes import Scenes
from livecam.stopwatch import Stopwatch
from livecam.tracker import Tracker
from livecam.views import in_turn

SAME_IOU = 0.9  # of a face and the track that has just been measured by it
CALM_AFTER_S = 1.0  # without a face that comes or is lost
HAIR = 1e-3  # of a frame: what differences of times may lack
FULL_RATE = 25.0  # frames a second: each of a slower source counts for those missing before it


class Pipeline:
    """Callable: a frame -> the confirmed tracks in it. One source, frames in order of time.

    Full detections come every `detect_every` frames (of a slow source as often in time as of one
    with 25 frames a second), and at least `calm_every_s` apart while no face comes or is lost.
    Between them the detector only refines the boxes that the tracker predicts. While it
    `searches_all`, every frame has one. `min_face_px`: of the smallest face looked for, where that
    is not the detector's. What a frame gets depends on frames alone, never on a clock: the same
    clip gives the same tracks. `is_picture`: no other frame follows that may show a face better, so
    the first is searched for faces that its border cuts too.
    """

    def __init__(
        self,
        detector: Mtcnn,
        classifier: Callable[[Image], AgeGender],
        tracker: Tracker,
        detect_every: int,
        calm_every_s: float = 0.0,
        watch: Stopwatch | None = None,
        searches_all: bool = False,
        is_picture: bool = False,
    ) -> None:
        self.detector, self.classifier, self.tracker = detector, classifier, tracker
        self.detect_every, self.calm_every_s = detect_every, calm_every_s
        self.searches_all, self.is_picture = searches_all, is_picture
        self.min_face_px: float | None = None
        self._watch = watch or Stopwatch()
        self.is_searched = False  # whether all of the last frame was
        self._since_full, self._since_cut = 0.0, 0  # frames
        self._before = (0, 0.0)  # index and time of the last frame
        self._searched_s = -math.inf
        self._scenes = Scenes()
        self._is_elsewhere = False  # since a cut, until a face there is sure
        self._found = np.zeros((0, 4), np.float32)  # boxes of all faces of the last frame

    def __call__(self, frame: Frame) -> list[TrackedFace]:
        time_s = frame.time_s
        is_cut, is_back = self._scenes(frame.bgr)
        if is_cut:
            self._is_elsewhere = not is_back
        faces = self._find_faces(frame, is_cut)
        self._found = faces.xyxy
        if self._is_elsewhere:
            faces = faces[faces.confidence >= self.tracker.birth_confidence]
            if len(faces):
                self.forget()
                self._scenes.stay()
                self._is_elsewhere = False
        with self._watch("track"):
            self.tracker.update(time_s, faces)
            due = self.tracker.choose_due(time_s)
        if len(due):
            with self._watch("classify"):
                crops = aligned_crops(frame.bgr, due.landmarks)
                answers = self.classifier(in_turn(crops, self.tracker.due_looks))
                self.tracker.learn(time_s, answers, quality(due, crops))
        with self._watch("read out"):
            return self.tracker.read_out(time_s)

    def forget(self) -> None:
        """Let go of whom it knows: whoever is in the same place next may be another."""
        self.tracker.forget()

    def boxes(self, time_s: float) -> Array:
        """(n, 4) px where faces are or may be: of tracks not yet confirmed or out of sight too, and
        of what was found but is not sure enough for a track."""
        tracks = self.tracker.predict(time_s)
        is_loose = (iou_matrix(self._found, tracks) < SAME_IOU).all(axis=1)
        return np.concatenate([tracks, self._found[is_loose]])

    def _find_faces(self, frame: Frame, is_cut: bool) -> Faces:
        """All of the frame is searched every so many frames, from a scene cut on until the faces
        in it are confirmed; else only where faces should be, and around those that are not there.
        A known face may be less sure than a new one: it is followed while it turns away."""
        least = min(self.tracker.birth_confidence, self.tracker.config.keep_confidence)
        self._since_full += self._counts_for(frame)
        self._since_cut = 0 if is_cut else self._since_cut + 1
        is_new = self._since_cut < self.tracker.config.confirm_after
        if not is_new and not self._is_due(frame.time_s):
            self.is_searched = False
            with self._watch("refine"):
                expected = self.tracker.predict(frame.time_s)
                faces = self.detector.refine(frame.bgr, expected, least)
            if len(faces) == len(expected):  # each box has its face: nobody is missed
                return faces
            missed = self.tracker.missed(frame.time_s, faces)
            if len(missed):
                with self._watch("search near"):
                    faces = self.detector.search_near(frame.bgr, missed, faces, least)
            return faces
        self.is_searched, self._since_full, self._searched_s = True, 0.0, frame.time_s
        with self._watch("detect"):
            if self.is_picture:
                return self.detector.find_in_pictures([frame.bgr], least, self.min_face_px)[0]
            return self.detector.find(frame.bgr, least, self.min_face_px)

    def _counts_for(self, frame: Frame) -> float:
        """For how many frames: whoever walks past a slow source is in few of its frames. Frames
        that were dropped do not make a source slow."""
        (index, time_s), self._before = self._before, (frame.index, frame.time_s)
        return max(1.0, FULL_RATE * (frame.time_s - time_s) / max(frame.index - index, 1))

    def _is_due(self, time_s: float) -> bool:
        """Whether all of the frame is to be searched, though nothing in it asks for that."""
        is_calm = self.detect_every > 1 and time_s - self.tracker.changed_s > CALM_AFTER_S
        is_soon = is_calm and 0 < time_s - self._searched_s < self.calm_every_s
        is_due = self._since_full >= self.detect_every - HAIR
        return self.searches_all or (is_due and not is_soon)


class Models:
    """The loaded networks, shared by all the sources of one command."""

    def __init__(self, config: Config) -> None:
        where, threads = config.where("runtime.providers"), config.runtime.threads
        providers = usable_providers(config.runtime.providers, where)
        self.config = config
        # the model first: it is what a user may have given wrongly
        self.classifier = AgeGenderClassifier(
            config.classifier.model, config.classifier.runtime, threads, providers
        )
        self.detector = Mtcnn(
            min_face_px=config.detector.min_face_px,
            thresholds=config.detector.thresholds,
            pyramid_factor=config.detector.pyramid_factor,
            max_side_px=config.detector.max_side_px,
            threads=threads,
            providers=providers,
        )

    def pipeline(self, frames: int | None = None, watch: Stopwatch | None = None) -> Pipeline:
        """A fresh line for one source: track ids start at 1. A source of few `frames` has its
        faces confirmed by its end. A single one is a picture: faces that its border cuts are looked
        for too, and each is classified in several views. Where faces are hidden, every frame is
        searched for them."""
        config = self.config.tracker
        if frames:
            confirm_after = min(config.confirm_after, frames)
            config = dataclasses.replace(config, confirm_after=confirm_after)
        tracker = Tracker(
            config,
            self.config.scheme,
            self.config.detector.thresholds[2],
            self.classifier.age_range,
        )
        is_picture = frames == 1
        return Pipeline(
            self.detector,
            self.classify_once if is_picture else self.classifier,
            tracker,
            detect_every=self.config.detector.detect_every,
            calm_every_s=self.config.detector.calm_every_s,
            watch=watch,
            searches_all=self.config.overlay.blur,
            is_picture=is_picture,
        )

    def classify_once(self, crops: Image) -> AgeGender:
        """Of faces that are seen only once, each in several views."""
        return self.classifier(crops, self.config.classifier.views)

    def look(self, bgr: Image) -> tuple[list[TrackedFace], Array]:
        """The faces of one picture, confirmed at once and numbered from left to right; and the
        boxes of all that may be faces, (n, 4) px: what is to be hidden."""
        line = self.pipeline(frames=1)
        faces = sorted(line(Frame(0, 0.0, bgr)), key=lambda face: face.xyxy[0])
        numbered = [dataclasses.replace(face, track_id=i) for i, face in enumerate(faces, start=1)]
        return numbered, line.boxes(0.0)
