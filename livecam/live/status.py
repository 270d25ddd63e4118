"""What the window says of the source, the labels and the recording."""

from __future__ import annotations

from collections.abc import Sequence

from livecam.datatypes import TrackedFace
from livecam.live.capture import Capture, frozen
from livecam.live.labeller import Labeller, Line
from livecam.live.outputs import LATENCY, Outputs
from livecam.stopwatch import Stopwatch
from livecam.wording import clock_time, counted


class Status:
    """Texts about a run as it is at the moment. `now_s` is `time.perf_counter`."""

    def __init__(
        self, capture: Capture, labeller: Labeller, outputs: Outputs, watch: Stopwatch
    ) -> None:
        self.capture, self.labeller, self.outputs, self.watch = capture, labeller, outputs, watch

    def opening(self) -> tuple[str, list[str]]:
        """While there is no picture yet."""
        name = self.capture.source.name
        if self.capture.state.phase == "opening":
            return f"opening {name}", ["q quits"]
        if self.labeller.line is None:
            return "loading the networks", ["a second or two"]
        return f"waiting for {name}", [self.capture.state.why, "q quits"]

    def figures(self, faces: Sequence[TrackedFace], now_s: float) -> list[str]:
        capture = self.capture
        line, late_s = self.labeller.line, self.watch.percentile_s(LATENCY, 50)
        seen = sum(not face.coasting_s for face in faces)
        visits = self.outputs.summary.visits
        words = [
            f"{capture.rate.at(now_s):.0f} fps",
            f"labels {self.labeller.rate.at(now_s):.0f}",
            f"{1000 * late_s:.0f} ms" if late_s is not None else "",
            f"dropped {capture.dropped}",
            counted(seen, "face"),
            "" if visits is None else counted(visits, "visit"),
            *self._about(line),
        ]
        return [word for word in words if word]

    @staticmethod
    def _about(line: Line | None) -> list[str]:
        if line is None:
            return []
        is_slow = line.searched_px > line.min_face_px
        return [f"from {line.searched_px:.0f} px", line.provider] if is_slow else [line.provider]

    def recording(self) -> str:
        recorder = self.outputs.recorder
        if recorder is None:
            return ""
        begin_s = recorder.last_s if recorder.begin_s is None else recorder.begin_s
        return clock_time(recorder.last_s - begin_s)

    def trouble(self, now_s: float) -> tuple[str, list[str]] | None:
        """What is wrong with the source, and what to do."""
        capture, state = self.capture, self.capture.state
        name = capture.source.name
        for_s = clock_time(now_s - state.since_s)
        if state.phase == "lost":
            again_s = max(state.retry_s - now_s, 0.0)
            soon = f"trying again in {again_s:.0f} s" if again_s > 0.5 else "trying again"
            return f"{name} is lost", [state.why, f"for {for_s}; {soon}", self._advice()]
        if capture.silent_s(now_s):
            waited = clock_time(capture.silent_s(now_s))
            return f"{name} sends nothing", [f"for {waited}", self._advice()]
        return None

    def lasting(self, is_paused: bool, now_s: float) -> str:
        """What is said as long as it is so."""
        if self.labeller.line is None:
            return "the networks are loading"
        if is_paused:
            return "paused \N{EN DASH} space resumes"
        frozen_s = self.capture.frozen_s(now_s)
        return frozen(frozen_s) if frozen_s else self.outputs.problem

    def _advice(self) -> str:
        if self.capture.source.index is not None:
            return "c: next camera, q: quit"
        return "is it switched on, and the network up? q: quit"
