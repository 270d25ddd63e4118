"""The thread that reads a source: the newest picture wins, and what is lost is opened again."""

from __future__ import annotations

import atexit
import contextlib
import threading
import time
import zlib
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from livecam.config import CameraConfig
from livecam.datatypes import Frame, Image
from livecam.errors import LivecamError
from livecam.live.cameras import next_after
from livecam.live.readers import LiveSource, Reader, open_reader
from livecam.wording import clock_time

FIRST_RETRY_S, LAST_RETRY_S = 0.5, 10.0  # the wait doubles with every attempt
RATE_OVER_S = 2.0
SLOW_EVENTS, SLOW_OVER_S = 3, 10.0  # where less happens, the last events, if not too long ago
PAUSE_STEP_S = 0.05
REMEMBERED = 1800  # pictures; a server that lost its camera sends the last pieces of a stream again
CLOSE_WITHIN_S = 1.0  # a device that hangs is left behind

Phase = Literal["opening", "live", "lost", "failed", "ended"]


@dataclass(frozen=True, slots=True, eq=False)
class Shot:
    """A frame with the moment it was taken (`time.perf_counter`: the other clocks of Windows move
    in steps of half a frame), where it comes from, and whether that repeats one picture."""

    frame: Frame
    taken_s: float
    source: LiveSource
    is_frozen: bool = False


@dataclass(frozen=True, slots=True)
class State:
    """What the capture does. `why` and `retry_s` (`time.perf_counter`) belong to what is lost."""

    phase: Phase
    since_s: float
    why: str = ""
    retry_s: float = 0.0


class Rate:
    """Events a second over the last two seconds; of rare ones, over the last SLOW_EVENTS."""

    def __init__(self) -> None:
        self._times_s: deque[float] = deque(maxlen=1000)

    def count(self, now_s: float) -> None:
        self._times_s.append(now_s)

    def at(self, now_s: float) -> float:
        times_s = list(self._times_s)
        recent = [t for t in times_s if now_s - t <= RATE_OVER_S]
        last = [t for t in times_s[-SLOW_EVENTS:] if now_s - t <= SLOW_OVER_S]
        if len(recent) < SLOW_EVENTS and last and last[-1] - last[0] > RATE_OVER_S / 2:
            recent = last
        if len(recent) < 2 or recent[-1] <= recent[0]:
            return 0.0
        return (len(recent) - 1) / max(recent[-1] - recent[0], now_s - recent[0] - 0.5)


class Capture:
    """Reads a source in a thread of its own. A context manager.

    `take_newest` gives each picture at most once and never waits behind older ones: what nobody
    took in time is `dropped`, unless it `is_paused`. A camera or stream that was open and is lost
    is opened again and again until `close`; one that never opened is `failed`, a file at its end is
    `ended`. The times of its frames never fall: what is opened again goes on, also if it then has
    times of its own. What else goes wrong in the thread is raised by `take_newest`.
    """

    def __init__(self, source: LiveSource, config: CameraConfig) -> None:
        self.source, self.config = source, config
        self.detail = ""  # size, rate and kind of what is open
        self.is_paced = False  # a file, at its own speed
        self.captured = self.dropped = 0
        self.rate = Rate()
        self.notices: deque[str] = deque(maxlen=8)  # for the person in front of it
        self.state = State("opening", time.perf_counter())
        self.same_since_s: float | None = None  # since when every picture was the same
        self.is_paused = False
        self._last_s = 0.0  # when the last picture was taken
        self._wants_next = False
        self._shot: Shot | None = None
        self._error: BaseException | None = None
        self._news = threading.Condition()
        self._stop = threading.Event()
        self._begin_s = 0.0  # when the first picture was taken
        self._offset_s = 0.0  # of a paced reader's times, among those of the frames
        self._remembered: deque[tuple[float, int]] = deque(maxlen=REMEMBERED)
        self._still = _Stillness()
        self._thread = threading.Thread(target=self._run, name="livecam capture", daemon=True)

    def __enter__(self) -> Capture:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop.set()
        self._thread.join(CLOSE_WITHIN_S)
        if self._thread.is_alive() and self.source.url is not None:
            # while PyAV waits for a stream it calls Python, which must not have ended by then
            atexit.register(self._thread.join, 3 * self.config.stall_after_s)

    @property
    def is_over(self) -> bool:
        """Nothing will come any more."""
        return self.state.phase in ("failed", "ended") and self._shot is None

    def take_newest(self, wait_s: float) -> Shot | None:
        """The newest picture that was not given before; None if none comes in that time."""
        with self._news:
            self._news.wait_for(self._has_news, wait_s)
            if self._error is not None:
                raise self._error
            shot, self._shot = self._shot, None
            return shot

    def _has_news(self) -> bool:
        return self._shot is not None or self._error is not None or self.is_over

    def frozen_s(self, now_s: float) -> float:
        """How long the camera has been repeating one picture; 0 while that is no sign of harm."""
        since_s = self.same_since_s
        if since_s is None or self.is_paced or self.state.phase != "live":
            return 0.0
        return now_s - since_s if now_s - since_s >= self.config.frozen_after_s else 0.0

    def silent_s(self, now_s: float) -> float:
        """How long an open camera has sent nothing; 0 while that is no sign of harm."""
        if self.state.phase != "live" or self.is_paused or self.is_paced:
            return 0.0
        waited_s = now_s - max(self._last_s, self.state.since_s)
        return waited_s if waited_s >= min(1.0, self.config.stall_after_s) else 0.0

    def next_camera(self) -> None:
        """Take another camera of this computer, if there is one. Answers in `notices`."""
        self._wants_next = True

    # The thread

    def _run(self) -> None:
        try:
            self._keep_reading()
        except BaseException as error:
            with self._news:
                self._error = error
                self._news.notify_all()

    def _keep_reading(self) -> None:
        retry_s = FIRST_RETRY_S
        was_open = False
        reader: Reader | None = None
        while reader is not None or not self._stop.is_set():
            begin = self.captured
            try:
                reader = reader or open_reader(self.source, self.config)
                was_open = True
                while reader is not None:
                    reader = self._read(reader)
                return
            except LivecamError as error:
                if not was_open:
                    self._set("failed", str(error))
                    return
                if self.is_paced:  # a file is not begun again
                    self._set("failed", f"{self.source.name}: {self._plain(error)}")
                    return
                retry_s = FIRST_RETRY_S if self.captured > begin else retry_s
                reader = self._lost(error, retry_s)
                retry_s = min(2 * retry_s, LAST_RETRY_S)

    def _plain(self, error: LivecamError) -> str:
        """The error without the name of the source."""
        return str(error).removeprefix(f"{self.source.name}: ")

    def _read(self, reader: Reader) -> Reader | None:
        """Take pictures until the reader ends, is lost, or is closed; returns the one of another
        camera if that is wanted."""
        with contextlib.closing(reader):
            self.detail, self.is_paced = reader.detail, reader.is_paced
            begin_s = time.perf_counter()
            self._offset_s = begin_s - self._begin_s if self.captured else 0.0
            self._still.restart()
            self.same_since_s = None
            self._set("live")
            is_repeated = True  # perhaps, until there is a new picture
            for time_s, bgr in reader:
                if reader.is_paced:
                    begin_s = self._wait_until(begin_s, time_s)
                if self._stop.is_set():
                    return None
                if not reader.is_paced:
                    is_repeated = self._was_shown(time_s, bgr, is_repeated)
                    if is_repeated:
                        continue
                self._put(time_s, bgr)
                if self._wants_next and (other := self._next_reader()) is not None:
                    return other
            self._set("ended")
            return None

    def _was_shown(self, stamp_s: float, bgr: Image, may_be: bool) -> bool:
        """Whether this is a picture from before a stream in pieces was lost; a clock that begins
        anew does not make it one. Remembers it if it is none."""
        if stamp_s == 0:  # of other streams
            return False
        known = stamp_s, zlib.crc32(bgr[::16, ::16].tobytes())
        if may_be and known in self._remembered:
            return True
        self._remembered.append(known)
        return False

    def _wait_until(self, begin_s: float, time_s: float) -> float:
        """Sleep until a picture's time; returns the beginning, moved on by pauses."""
        while not self._stop.is_set():
            if self.is_paused:
                paused_s = time.perf_counter()
                self._stop.wait(PAUSE_STEP_S)
                begin_s += time.perf_counter() - paused_s
                continue
            ahead_s = begin_s + time_s - time.perf_counter()
            if ahead_s <= 0:
                break
            self._stop.wait(min(ahead_s, PAUSE_STEP_S))
        return begin_s

    def _put(self, media_s: float, bgr: Image) -> None:
        now_s = self._last_s = time.perf_counter()
        if not self.captured:
            self._begin_s = now_s
        self._watch_stillness(now_s, bgr)
        time_s = self._offset_s + media_s if self.is_paced else now_s - self._begin_s
        with self._news:
            if self._shot is not None and not self.is_paused:
                self.dropped += 1
            frame, is_frozen = Frame(self.captured, time_s, bgr), self.frozen_s(now_s) > 0
            self._shot = Shot(frame, now_s, self.source, is_frozen)
            self.captured += 1
            self._news.notify_all()
        self.rate.count(now_s)

    def _watch_stillness(self, now_s: float, bgr: Image) -> None:
        """An unplugged camera may repeat its last picture for ever, and call it success."""
        self.same_since_s = self._still.update(now_s, bgr)
        is_frozen = self.frozen_s(now_s) > 0
        if is_frozen and self.source.index is not None and self._still.may_reopen:
            self._still.may_reopen = False  # a camera that is still again shows a still scene
            raise LivecamError("it repeats the same picture; is it still connected?")

    def _next_reader(self) -> Reader | None:
        """The next camera that opens; None leaves the present one."""
        self._wants_next = False
        before = self.state
        if self.source.index is None:
            self.notices.append(f"{self.source.name} is no camera of this computer")
            return None
        self._set("opening")  # what is said of the present one does not hold meanwhile
        for index in next_after(self.source.index):
            other = LiveSource.camera(index)
            with contextlib.suppress(LivecamError):
                reader = open_reader(other, self.config)
                self.source = other
                self.notices.append(f"camera {index}")
                return reader
        with self._news:
            self.state = before  # with its own beginning
            self._news.notify_all()
        self.notices.append("there is no other camera that opens")
        return None

    def _lost(self, error: LivecamError, retry_s: float) -> Reader | None:
        """Wait; returns another camera if that is wanted and opens."""
        self._set("lost", self._plain(error), time.perf_counter() + retry_s)
        until_s = time.perf_counter() + retry_s
        while time.perf_counter() < until_s and not self._stop.wait(PAUSE_STEP_S):
            if self._wants_next:
                return self._next_reader()
        return None

    def _set(self, phase: Phase, why: str = "", retry_s: float = 0.0) -> None:
        since_s = time.perf_counter()
        if phase == "lost" and self.state.phase == "lost":
            since_s = self.state.since_s
        with self._news:
            self.state = State(phase, since_s, why, retry_s)
            self._news.notify_all()


class _Stillness:
    """Since when all pictures have been the same, to the last bit: real cameras have noise."""

    def __init__(self) -> None:
        self.may_reopen = True
        self.restart()

    def restart(self) -> None:
        self._last: Image | None = None
        self._since_s = 0.0

    def update(self, now_s: float, bgr: Image) -> float | None:
        if self._last is None or not _is_same(self._last, bgr):
            self.may_reopen = self.may_reopen or self._last is not None
            self._last, self._since_s = bgr, now_s
            return None
        return self._since_s


def _is_same(a: Image, b: Image) -> bool:
    """Looks at a few pixels first: they settle it for nearly all pictures."""
    return np.array_equal(a[::16, ::16], b[::16, ::16]) and np.array_equal(a, b)


class Teller:
    """Says in a line what becomes of a source, whenever that changes."""

    def __init__(self, capture: Capture, say: Callable[[str], None]) -> None:
        self._capture, self._say = capture, say
        self._told = ("opening", capture.source.name)
        self._frozen = ""  # the source of which that was said

    def __call__(self) -> None:
        self._tell_frozen()
        state, name = self._capture.state, self._capture.source.name
        if state.phase == "opening" or (state.phase, name) == self._told:
            return
        self._told = (state.phase, name)
        if state.phase == "live":
            self._say(f"{name}: {self._capture.detail}")
        elif state.phase == "lost":
            self._say(f"{name}: lost: {state.why}; opening it again until it is back")

    def _tell_frozen(self) -> None:
        frozen_s, name = self._capture.frozen_s(time.perf_counter()), self._capture.source.name
        if frozen_s and self._frozen != name:
            self._say(f"{name}: {frozen(frozen_s)}")
        elif not frozen_s and self._frozen == name and self._capture.state.phase == "live":
            self._say(f"{name}: the pictures change again")
        self._frozen = name if frozen_s else ""


def frozen(for_s: float) -> str:
    """What is said of a camera that repeats one picture."""
    return f"the same picture for {clock_time(for_s)}: is the camera still connected?"
