"""The thread that reads a source, with readers that do what the test says."""

from __future__ import annotations

import dataclasses
import queue
import random
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from patience import until
from settings import SHIPPED

from livecam.errors import LivecamError
from livecam.live import capture as module
from livecam.live.capture import Capture, Rate, State, Teller
from livecam.live.readers import LiveSource

CONFIG = dataclasses.replace(SHIPPED.camera, frozen_after_s=0.1)
CAMERA = LiveSource.camera(0)
STREAM = LiveSource.parse("rtsp://user:secret@host/cam?token=secret")
FILE = LiveSource("a.mp4", path=Path("a.mp4"))
SLACK_S = 1.0  # what a busy machine may be late by
PULLED = LivecamError("somebody pulled the plug")
GONE = LivecamError("camera 0: it is not there")


def picture(level: int = 0) -> np.ndarray:
    return np.full((48, 64, 3), level % 256, np.uint8)


class Fake:
    """A reader of what an iterable gives: pictures, or (time, picture) where it is paced."""

    def __init__(self, given: Iterable, detail: str = "fake", is_paced: bool = False) -> None:
        self.given, self.detail, self.is_paced = given, detail, is_paced
        self.closed = 0

    def __iter__(self) -> Iterator[tuple[float, np.ndarray]]:
        for each in self.given:
            yield each if isinstance(each, tuple) else (0.0, each)

    def close(self) -> None:
        self.closed += 1


class Tap(Fake):
    """A reader that gives what is poured in, when it is; an error is raised. Without more it
    hangs, as a device may, until its `end`."""

    def __init__(self, *poured: object, detail: str = "fake", is_paced: bool = False) -> None:
        super().__init__(self._poured(), detail, is_paced)
        self._waiting: queue.SimpleQueue[object] = queue.SimpleQueue()
        self.pour(*poured)

    def _poured(self) -> Iterator[object]:
        while (one := self._waiting.get()) is not None:
            if isinstance(one, BaseException):
                raise one
            yield one

    def pour(self, *what: object) -> None:
        for one in what:
            self._waiting.put(one)

    def end(self) -> None:
        self._waiting.put(None)


def ticking(make: Callable[[int], np.ndarray] = picture, step_s: float = 0.002) -> Iterator:
    """Pictures without end."""
    i = 0
    while True:
        yield make(i)
        time.sleep(step_s)
        i += 1


class Readers:
    """Stands in for `open_reader`: gives these in turn and raises the errors among them; after
    them nothing opens."""

    def __init__(self) -> None:
        self.given: list[Fake | LivecamError] = []
        self.opened: list[Fake] = []
        self.asked: list[str] = []  # by name
        self.asked_s: list[float] = []

    def __call__(self, source: LiveSource, config: object) -> Fake:
        self.asked.append(source.name)
        self.asked_s.append(time.perf_counter())
        reader = self.given.pop(0) if self.given else GONE
        if isinstance(reader, LivecamError):
            raise reader
        self.opened.append(reader)
        return reader


@pytest.fixture
def readers(monkeypatch: pytest.MonkeyPatch) -> Iterator[Readers]:
    """Afterwards no thread may be left."""
    readers = Readers()
    monkeypatch.setattr(module, "open_reader", readers)
    monkeypatch.setattr(module, "FIRST_RETRY_S", 0.01)
    monkeypatch.setattr(module, "LAST_RETRY_S", 0.02)
    monkeypatch.setattr(module, "PAUSE_STEP_S", 0.005)
    yield readers
    for reader in [*readers.opened, *readers.given]:
        if isinstance(reader, Tap):
            reader.end()
    until(lambda: not threads(), "no thread is left")


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "livecam capture"]


def capturing(
    readers: Readers, *given: Fake | LivecamError, source: LiveSource = CAMERA, **changes: float
) -> Capture:
    readers.given += given
    return Capture(source, dataclasses.replace(CONFIG, **changes))


# The newest picture


def test_the_newest_wins_and_is_given_once(readers: Readers) -> None:
    pictures = [picture(i) for i in range(4)]
    tap = Tap(*pictures[:3])
    with capturing(readers, tap) as capture:
        until(lambda: capture.captured == 3, "three pictures")
        shot = capture.take_newest(0)
        assert shot is not None
        assert shot.frame.bgr is pictures[2]
        assert shot.frame.index == 2
        assert capture.dropped == 2
        assert capture.take_newest(0.01) is None
        tap.pour(pictures[3])
        shot = capture.take_newest(5)
        assert shot is not None and shot.frame.bgr is pictures[3]
        assert (capture.captured, capture.dropped) == (4, 2)
        assert capture.detail == "fake"
        tap.end()


def test_every_picture_is_given_or_dropped(readers: Readers) -> None:
    """A camera and a consumer that each go at their own changing pace."""
    paces = [random.Random(1), random.Random(2)]

    def camera() -> Iterator[np.ndarray]:
        for i in range(300):
            yield picture(i)
            time.sleep(paces[0].choice([0, 0, 0.002]))

    taken = []
    with capturing(readers, Fake(camera())) as capture:
        while not capture.is_over:
            shot = capture.take_newest(0.1)
            if shot is not None:
                taken.append(shot.frame.index)
            time.sleep(paces[1].choice([0, 0, 0.004]))
    assert taken == sorted(set(taken))
    assert taken[-1] == 299
    assert len(taken) + capture.dropped == capture.captured == 300


def test_newest_waits_no_longer_than_it_must(readers: Readers) -> None:
    tap = Tap()
    with capturing(readers, tap) as capture:
        begin_s = time.perf_counter()
        assert capture.take_newest(0.05) is None
        assert time.perf_counter() - begin_s >= 0.05
        for answer, what in ((True, picture()), (False, None)):
            threading.Timer(0.05, tap.pour, [what]).start()
            begin_s = time.perf_counter()
            assert (capture.take_newest(60) is not None) == answer
            assert time.perf_counter() - begin_s < 30


def test_a_shot_has_the_moment_at_which_it_was_taken(readers: Readers) -> None:
    tap = Tap()
    with capturing(readers, tap) as capture:
        shots = []
        for i in range(3):
            before_s = time.perf_counter()
            tap.pour(picture(i))
            until(lambda n=i: capture.captured > n, "a picture")  # type: ignore[misc]
            after_s = time.perf_counter()
            time.sleep(0.02)  # in which it gets old
            shot = capture.take_newest(0)
            assert shot is not None
            assert before_s <= shot.taken_s <= after_s
            shots.append(shot)
        tap.end()
    apart = np.diff([shot.taken_s for shot in shots])
    assert np.diff([shot.frame.time_s for shot in shots]) == pytest.approx(apart)
    assert shots[0].frame.time_s >= 0


def test_what_is_not_taken_while_paused_is_not_dropped(readers: Readers) -> None:
    tap = Tap(picture(1), picture(2))
    with capturing(readers, tap) as capture:
        until(lambda: capture.captured == 2, "two pictures")
        capture.is_paused = True
        tap.pour(*map(picture, range(5)))
        until(lambda: capture.captured == 7, "five more")
        assert capture.dropped == 1
        capture.is_paused = False
        tap.pour(picture(), picture())
        until(lambda: capture.captured == 9, "two more")
        assert capture.dropped == 3
        tap.end()


def test_only_the_newest_pictures_are_held(readers: Readers) -> None:
    """One in the box, one to compare the next with, and the one on its way."""
    made: list[weakref.ref] = []

    def living() -> int:
        return sum(ref() is not None for ref in made)

    most = 0

    def make(i: int) -> np.ndarray:
        nonlocal most
        most = max(most, living())
        one = picture(i)
        made.append(weakref.ref(one))
        return one

    with capturing(readers, Fake(ticking(make, 0))) as capture:
        until(lambda: capture.captured > 300, "many pictures")
        assert 1 <= living() <= 4
    assert 1 <= most <= 4


# What never opens, and what ends


def test_what_never_opened_is_failed_and_not_tried_again(readers: Readers) -> None:
    with capturing(readers, GONE, Tap()) as capture:
        assert capture.take_newest(60) is None
        assert (capture.state.phase, capture.state.why) == ("failed", str(GONE))
        assert capture.is_over
        time.sleep(0.05)
        assert readers.asked == ["camera 0"]


def test_before_it_is_open_nothing_is_said(readers: Readers) -> None:
    capture = capturing(readers, Fake([]))
    assert capture.state.phase == "opening"
    assert not capture.is_over
    now_s = time.perf_counter() + 100
    assert capture.silent_s(now_s) == capture.frozen_s(now_s) == 0


def test_the_last_picture_is_given_before_the_end(readers: Readers) -> None:
    last = picture(9)
    with capturing(readers, Fake([(0.0, picture(8)), (0.0, last)], is_paced=True)) as capture:
        until(lambda: capture.state.phase == "ended", "the end")
        assert not capture.is_over
        shot = capture.take_newest(0)
        assert shot is not None and shot.frame.bgr is last
        assert capture.is_over
        assert capture.take_newest(60) is None
        assert readers.opened[0].closed == 1


@pytest.mark.parametrize("why", ["it is damaged", "a.mp4: it is damaged"])
def test_a_file_that_breaks_off_is_failed_and_not_begun_again(readers: Readers, why: str) -> None:
    tap = Tap((0.0, picture(1)), LivecamError(why), is_paced=True)
    with capturing(readers, tap, Tap(), source=FILE) as capture:
        until(lambda: capture.state.phase == "failed", "failed")
        assert capture.state.why == "a.mp4: it is damaged"
        assert not capture.is_over
        assert capture.take_newest(0) is not None
        assert capture.is_over
        time.sleep(0.05)
        assert readers.asked == ["a.mp4"]
        assert tap.closed == 1


@pytest.mark.parametrize("reader", [Fake(ticking(lambda i: [][i])), None], ids=["read", "open"])
def test_what_nobody_thought_of_is_raised(
    readers: Readers, monkeypatch: pytest.MonkeyPatch, reader: Fake | None
) -> None:
    """Else the window would wait for ever."""
    if reader is None:
        monkeypatch.setattr(module, "open_reader", lambda *_: [][0])
    else:
        readers.given.append(reader)
    with Capture(CAMERA, CONFIG) as capture, pytest.raises(IndexError):
        capture.take_newest(60)
    if reader is not None:
        assert reader.closed == 1


# What is lost


def test_what_is_lost_is_opened_again(readers: Readers) -> None:
    first, second = Tap(picture(1), PULLED), Tap(picture(2))
    with capturing(readers, first, GONE, second) as capture:
        until(lambda: capture.captured == 2, "a picture of the second")
        assert readers.asked == ["camera 0"] * 3
        assert first.closed == 1
        shot = capture.take_newest(0)
        assert shot is not None
        assert (shot.frame.index, shot.source) == (1, CAMERA)
        assert capture.state.phase == "live"
        assert capture.state.why == ""
        second.end()


def test_times_never_fall_though_what_comes_back_has_its_own(readers: Readers) -> None:
    """A stream without a length that is opened again with one."""
    stream, film = Tap(), Tap(is_paced=True)
    times_s = []
    with capturing(readers, stream, film, source=STREAM) as capture:
        for what in (picture(0), picture(1), PULLED, (0.0, picture(2)), (0.04, picture(3))):
            (film if isinstance(what, tuple) else stream).pour(what)
            if what is not PULLED:
                shot = capture.take_newest(60)
                assert shot is not None
                times_s.append(shot.frame.time_s)
                time.sleep(0.02)
        film.end()
    assert times_s == sorted(set(times_s))
    assert times_s[2] - times_s[1] >= module.FIRST_RETRY_S
    assert times_s[3] - times_s[2] == pytest.approx(0.04)


def test_what_comes_again_after_a_loss_is_not_shown_again(readers: Readers) -> None:
    """The server of a stream in pieces has lost its camera, and sends the last ones for ever."""
    first, again, other = Tap(), Tap(), Tap()
    first.pour((500.0, picture(1)), (500.1, picture(2)), PULLED)
    again.pour((500.0, picture(1)), (500.1, picture(2)), PULLED)
    other.pour((500.1, picture(2)), (500.2, picture(3)), PULLED)
    begun_anew = Tap((0.1, picture(4)))
    with capturing(readers, first, again, other, begun_anew, source=STREAM) as capture:
        until(lambda: capture.captured == 4, "the picture of a stream that has begun anew")
        shot = capture.take_newest(0)
        assert shot is not None
        assert shot.frame.bgr[0, 0, 0] == 4
        begun_anew.end()


def test_a_stream_whose_clock_begins_anew_is_shown_at_once(readers: Readers) -> None:
    """Its encoder was started again some seconds after it had begun."""
    first, anew = Tap(), Tap()
    first.pour(*((stamp_s, picture(1)) for stamp_s in (1.4, 2.4, 3.4)), PULLED)
    anew.pour(*((stamp_s, picture(2)) for stamp_s in (1.4, 2.4, 3.4)))
    with capturing(readers, first, anew, source=STREAM) as capture:
        until(lambda: capture.captured == 6, "every picture of both")
        anew.end()


def test_stamps_that_begin_anew_in_the_midst_are_no_repetition(readers: Readers) -> None:
    """A channel that plays the same film again and again."""
    loop = Tap(*[(stamp_s, picture(i)) for i, stamp_s in enumerate((1.0, 2.0, 1.0, 2.0, 1.0))])
    with capturing(readers, loop, source=STREAM) as capture:
        until(lambda: capture.captured == 5, "every picture")
        loop.end()


def test_lost_says_why_and_since_when(readers: Readers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FIRST_RETRY_S", 0.05)
    monkeypatch.setattr(module, "LAST_RETRY_S", 600.0)
    tap = Tap(picture())
    seen: list[State] = []
    with capturing(readers, tap) as capture:
        until(lambda: capture.captured, "a picture")
        before_s = time.perf_counter()
        tap.pour(PULLED)
        until(lambda: capture.state.phase == "lost", "lost")
        seen.append(capture.state)
        until(lambda: capture.state.why != str(PULLED), "an attempt to open it")
        seen.append(capture.state)
        assert not capture.is_over
    first, second = seen
    assert before_s <= first.since_s == second.since_s
    assert (first.why, second.why) == (str(PULLED), "it is not there")  # the name is known
    assert before_s + 0.05 <= first.retry_s <= first.since_s + 0.05
    assert second.retry_s >= first.retry_s + 0.1


def test_the_wait_doubles_up_to_its_end_and_begins_anew_after_a_picture(
    readers: Readers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FIRST_RETRY_S", 0.025)
    monkeypatch.setattr(module, "LAST_RETRY_S", 0.4)
    begins = Fake(lost_after(picture()))
    opens_without_a_picture = Fake(lost_after())
    again = Fake(lost_after(picture()))
    given = [begins, GONE, opens_without_a_picture, GONE, GONE, GONE, again, Tap(picture())]
    with capturing(readers, *given) as capture:
        until(lambda: not readers.given, "the last one")
        until(lambda: capture.state.phase == "live", "live")
        assert isinstance(given[-1], Tap)
        given[-1].end()
    waits_s = np.diff(readers.asked_s)
    wanted_s = [0.025, 0.05, 0.1, 0.2, 0.4, 0.4, 0.025]
    assert (waits_s >= np.array(wanted_s) - 0.001).all(), waits_s
    assert waits_s[5] < 0.8  # it would have doubled again
    assert waits_s[6] < 0.4  # it would have stayed


def lost_after(*pictures: np.ndarray) -> Iterator[np.ndarray]:
    yield from pictures
    raise PULLED


# Cameras that repeat their picture, or give none


def is_frozen(capture: Capture) -> bool:
    """The newest picture."""
    shot = capture.take_newest(1.0)
    return shot is not None and shot.is_frozen


def test_a_frozen_camera_is_opened_again_once_until_its_picture_changes(
    readers: Readers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FIRST_RETRY_S", 0.2)
    is_still = threading.Event()
    is_still.set()

    def scene(i: int) -> np.ndarray:
        return picture(7 if is_still.is_set() else i)

    fakes = [Fake(ticking(scene)) for _ in range(3)]
    why = "it repeats the same picture; is it still connected?"
    reasons: list[str] = []
    with capturing(readers, *fakes) as capture:
        until(lambda: note(capture, reasons) or len(readers.opened) == 2, "opened again")
        until(lambda: capture.frozen_s(time.perf_counter()) > 0.2, "frozen again")
        until(lambda: is_frozen(capture), "a frozen picture")
        assert len(readers.opened) == 2
        assert capture.state.phase == "live"
        is_still.clear()
        until(lambda: capture.same_since_s is None, "a new picture")
        until(lambda: not is_frozen(capture), "a new picture")
        assert capture.frozen_s(time.perf_counter() + 100) == 0
        is_still.set()
        until(lambda: note(capture, reasons) or len(readers.opened) == 3, "opened once more")
        until(lambda: capture.frozen_s(time.perf_counter()) > 0.2, "frozen once more")
        assert readers.asked == ["camera 0"] * 3
        assert set(reasons) <= {why, ""}
        assert why in reasons


def note(capture: Capture, reasons: list[str]) -> None:
    reasons.append(capture.state.why)


def test_a_frozen_stream_is_said_and_not_opened_again(readers: Readers) -> None:
    """It may be a test card."""
    with capturing(readers, Fake(ticking(lambda i: picture(7))), source=STREAM) as capture:
        until(lambda: capture.frozen_s(time.perf_counter()) > 0.3, "frozen")
        assert capture.state.phase == "live"
        assert len(readers.asked) == 1


def test_a_film_may_stand_still(readers: Readers) -> None:
    film = Fake(((i / 100, picture(7)) for i in range(1000)), is_paced=True)
    with capturing(readers, film, source=FILE) as capture:
        until(lambda: capture.captured > 20, "pictures for longer than frozen_after_s")
        assert capture.same_since_s is not None
        assert capture.frozen_s(time.perf_counter() + 100) == 0
        assert capture.state.phase == "live"


def test_frozen_s_counts_from_the_first_of_the_same_pictures(readers: Readers) -> None:
    almost = picture(1)
    almost[5, 7, 1] += 1  # where a quick look does not look
    tap = Tap(picture(1))
    with capturing(readers, tap, source=STREAM, frozen_after_s=5.0) as capture:
        until(lambda: capture.captured == 1, "one")
        assert capture.same_since_s is None
        first = capture.take_newest(0)
        assert first is not None
        tap.pour(picture(1), picture(1))
        until(lambda: capture.captured == 3, "three")
        assert capture.same_since_s == first.taken_s
        assert capture.frozen_s(first.taken_s + 4.9) == 0
        assert capture.frozen_s(first.taken_s + 5.5) == pytest.approx(5.5)
        for other in (almost, picture(1), picture(1)[:40]):
            tap.pour(other)
            until(lambda n=capture.captured: capture.captured > n, "another")  # type: ignore[misc]
            assert capture.same_since_s is None
            tap.pour(other.copy())
            until(lambda: capture.same_since_s is not None, "the same again")
        tap.end()


def test_what_was_frozen_is_not_so_when_it_is_opened_again(readers: Readers) -> None:
    first, second = Tap(picture(1), picture(1)), Tap()
    with capturing(readers, first, second, source=STREAM) as capture:
        until(lambda: capture.same_since_s is not None, "the same picture")
        first.pour(PULLED)
        until(lambda: capture.state.phase == "lost", "lost")
        assert capture.frozen_s(time.perf_counter() + 100) == 0
        until(lambda: capture.state.phase == "live", "live")
        assert capture.frozen_s(time.perf_counter() + 100) == 0
        second.pour(picture(1))  # the same as before: a scene of its own now
        until(lambda: capture.captured == 3, "a picture")
        assert capture.same_since_s is None
        second.end()


@pytest.mark.parametrize(("stall_after_s", "said_after_s"), [(5.0, 1.0), (0.5, 0.5)])
def test_silent_s(readers: Readers, stall_after_s: float, said_after_s: float) -> None:
    tap = Tap()
    with capturing(readers, tap, stall_after_s=stall_after_s) as capture:
        until(lambda: capture.state.phase == "live", "live")
        live_s = capture.state.since_s
        assert capture.silent_s(live_s + said_after_s - 0.01) == 0
        assert capture.silent_s(live_s + said_after_s + 0.1) == pytest.approx(said_after_s + 0.1)
        time.sleep(0.05)
        tap.pour(picture())
        shot = capture.take_newest(30)
        assert shot is not None
        assert shot.taken_s > live_s
        assert capture.silent_s(shot.taken_s + said_after_s - 0.01) == 0
        assert capture.silent_s(shot.taken_s + 7) == pytest.approx(7)
        capture.is_paused = True
        assert capture.silent_s(shot.taken_s + 7) == 0
        capture.is_paused = False
        tap.pour(PULLED)
        until(lambda: capture.state.phase == "lost", "lost")
        assert capture.silent_s(shot.taken_s + 7) == 0


def test_a_film_is_not_silent(readers: Readers) -> None:
    tap = Tap((0.0, picture()), is_paced=True)
    with capturing(readers, tap, source=FILE) as capture:
        until(lambda: capture.captured, "a picture")
        assert capture.silent_s(time.perf_counter() + 100) == 0
        tap.end()


# Another camera


@pytest.fixture
def three_cameras(monkeypatch: pytest.MonkeyPatch) -> None:
    others = {0: [1, 2], 1: [2, 0], 2: [0, 1]}
    monkeypatch.setattr(module, "next_after", lambda index: iter(others[index]))


@pytest.mark.usefixtures("three_cameras")
def test_the_next_camera_is_the_next_that_opens(readers: Readers) -> None:
    zero, two = Tap(picture(1)), Tap(detail="two")
    with capturing(readers, zero, GONE, two) as capture:
        first = capture.take_newest(30)
        capture.next_camera()
        zero.pour(picture(2))
        until(lambda: capture.detail == "two", "camera 2")
        assert readers.asked == ["camera 0", "camera 1", "camera 2"]
        assert capture.source == LiveSource.camera(2)
        assert list(capture.notices) == ["camera 2"]
        assert (zero.closed, two.closed) == (1, 0)
        capture.take_newest(0)
        two.pour(picture(3))
        second = capture.take_newest(30)
        assert first is not None and second is not None
        assert [first.source.name, second.source.name] == ["camera 0", "camera 2"]
        assert (first.frame.index, second.frame.index) == (0, 2)
        two.end()
    until(lambda: two.closed == 1, "closed")


@pytest.mark.usefixtures("three_cameras")
@pytest.mark.parametrize("is_lost", [False, True])
def test_without_another_camera_it_stays(readers: Readers, is_lost: bool) -> None:
    zero, again = Tap(picture(1)), Tap(picture(3))
    with capturing(readers, zero) as capture:
        until(lambda: capture.captured, "a picture")
        if is_lost:
            zero.pour(PULLED)
            until(lambda: capture.state.phase == "lost", "lost")
        since_s = capture.state.since_s
        capture.next_camera()
        zero.pour(picture(2))
        until(lambda: capture.notices, "an answer")
        assert list(capture.notices) == ["there is no other camera that opens"]
        assert capture.state.since_s == since_s
        assert capture.source == CAMERA
        if is_lost:
            readers.given.append(again)
        else:
            zero.pour(picture(3))
        until(lambda: capture.captured == 3 - is_lost, "it goes on")
        assert capture.state.phase == "live"
        zero.end()
        again.end()


@pytest.mark.usefixtures("three_cameras")
def test_the_next_camera_instead_of_one_that_is_lost(
    readers: Readers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FIRST_RETRY_S", 600.0)
    zero, one = Tap(picture(1)), Tap(picture(2), detail="one")
    with capturing(readers, zero, one) as capture:
        until(lambda: capture.captured, "a picture")
        zero.pour(PULLED)
        until(lambda: capture.state.phase == "lost", "lost")
        capture.next_camera()
        until(lambda: capture.captured == 2, "a picture of camera 1")
        shot = capture.take_newest(0)
        assert shot is not None and shot.source == LiveSource.camera(1)
        assert (capture.source, capture.detail) == (LiveSource.camera(1), "one")
        assert list(capture.notices) == ["camera 1"]
        assert readers.asked == ["camera 0", "camera 1"]  # opening one may take seconds
        one.end()


def test_a_stream_has_no_next_camera(readers: Readers) -> None:
    tap = Tap(picture(1))
    with capturing(readers, tap, source=STREAM) as capture:
        capture.next_camera()
        tap.pour(picture(2))
        until(lambda: capture.notices, "an answer")
        assert list(capture.notices) == ["rtsp://host/cam is no camera of this computer"]
        assert len(readers.asked) == 1
        assert tap.closed == 0
        tap.end()


# A file at its own speed


def film(n: int, step_s: float) -> Fake:
    return Fake(((i * step_s, picture(i)) for i in range(n)), is_paced=True)


def test_a_film_plays_at_its_speed(readers: Readers) -> None:
    shots = []
    with capturing(readers, film(13, 0.05), source=FILE) as capture:
        while not capture.is_over:
            shot = capture.take_newest(0.1)
            if shot is not None:
                shots.append(shot)
    live_s = shots[0].taken_s
    for shot in shots:
        time_s = shot.frame.time_s
        assert time_s == pytest.approx(shot.frame.index * 0.05)  # media time, not the clock's
        assert time_s - 0.01 <= shot.taken_s - live_s <= time_s + SLACK_S
    assert len(shots) > 5
    assert shots[-1].frame.index == 12


def test_a_slow_consumer_of_a_film_misses_pictures_and_keeps_its_time(readers: Readers) -> None:
    indices = []
    begin_s = time.perf_counter()
    with capturing(readers, film(61, 0.01), source=FILE) as capture:
        while not capture.is_over:
            shot = capture.take_newest(0.1)
            if shot is not None:
                indices.append(shot.frame.index)
                time.sleep(0.05)
    assert len(indices) <= 16
    assert indices[-1] == 60
    assert capture.dropped == 61 - len(indices)
    assert 0.6 <= time.perf_counter() - begin_s < 0.6 + 2 * SLACK_S


def test_late_pictures_of_a_film_are_passed_over(readers: Readers) -> None:
    """A decoder that was slow for a moment makes up for it."""

    def given() -> Iterator[tuple[float, np.ndarray]]:
        for i in range(61):
            if i == 5:
                time.sleep(0.5)
            yield i / 100, picture(i)

    begin_s = time.perf_counter()
    with capturing(readers, Fake(given(), is_paced=True), source=FILE) as capture:
        until(lambda: capture.state.phase == "ended", "the end")
    assert 0.6 <= time.perf_counter() - begin_s < 1.0  # not 1.1
    assert capture.captured == 61


def test_a_pause_stops_a_film_and_shifts_the_rest(
    readers: Readers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By as long as it was, even if the thread does not wake in time."""
    step_s = 0.02
    with capturing(readers, film(46, step_s), source=FILE) as capture:
        capture._stop = SlowEvent()
        until(lambda: capture.captured >= 10, "ten pictures")
        capture.is_paused = True
        time.sleep(0.2)
        before = capture.captured
        assert before < 40
        time.sleep(0.5)
        assert capture.captured == before
        capture.is_paused = False
        resumed_s = time.perf_counter()
        until(lambda: capture.state.phase == "ended", "the end")
        rest_s = time.perf_counter() - resumed_s
        assert (46 - before - 3) * step_s <= rest_s < (46 - before) * step_s + SLACK_S


class SlowEvent(threading.Event):
    def wait(self, timeout: float | None = None) -> bool:
        if timeout == module.PAUSE_STEP_S:
            timeout = 0.02
        return super().wait(timeout)


# Its end


def test_a_reader_is_closed(readers: Readers) -> None:
    reader = Fake(ticking())
    with capturing(readers, reader) as capture:
        until(lambda: capture.captured > 3, "pictures")
    assert threads() == []
    assert reader.closed == 1


def test_one_that_hangs_is_left_behind(readers: Readers) -> None:
    tap = Tap(picture())
    with capturing(readers, tap) as capture:
        until(lambda: capture.captured, "a picture")
        end_s = time.perf_counter()
    assert time.perf_counter() - end_s < module.CLOSE_WITHIN_S + SLACK_S
    assert tap.closed == 0
    tap.pour(picture())  # at last
    until(lambda: tap.closed == 1, "closed")
    until(lambda: not threads(), "its thread ends")
    assert capture.captured == 1


@pytest.mark.parametrize(("source", "is_waited_for"), [(CAMERA, False), (STREAM, True)])
def test_python_does_not_end_before_a_stream_that_hangs(
    readers: Readers, monkeypatch: pytest.MonkeyPatch, source: LiveSource, is_waited_for: bool
) -> None:
    """PyAV calls Python while it waits; that it has ended would end in a crash."""
    monkeypatch.setattr(module, "CLOSE_WITHIN_S", 0.1)
    at_exit: list[tuple[Callable[[float], None], float]] = []
    monkeypatch.setattr(module.atexit, "register", lambda *call: at_exit.append(call))
    for tap in (Tap(picture()), Tap()):
        with capturing(readers, tap, source=source, stall_after_s=20.0) as capture:
            if tap is readers.opened[0]:
                tap.end()  # this one does not hang
                until(lambda: capture.state.phase == "ended", "the end")
    assert len(at_exit) == is_waited_for
    (hanging,) = threads()
    tap.end()
    for join, within_s in at_exit:
        join(within_s)
        assert not hanging.is_alive()


def test_one_that_hangs_while_it_opens_is_left_behind(
    readers: Readers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CLOSE_WITHIN_S", 0.2)
    go_on = threading.Event()

    def hang(source: LiveSource, config: object) -> Fake:
        go_on.wait()
        return reader

    reader = Fake(ticking())
    monkeypatch.setattr(module, "open_reader", hang)
    with Capture(CAMERA, CONFIG) as capture:
        assert capture.take_newest(0.01) is None
        end_s = time.perf_counter()
    assert time.perf_counter() - end_s < module.CLOSE_WITHIN_S + SLACK_S
    go_on.set()
    until(lambda: not threads(), "its thread ends")
    assert reader.closed == 1
    assert capture.captured == 0


@pytest.mark.parametrize("what", ["a long wait", "a film", "a paused film"])
def test_waiting_ends_at_once(readers: Readers, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    monkeypatch.setattr(module, "FIRST_RETRY_S", 600.0)
    monkeypatch.setattr(module, "CLOSE_WITHIN_S", 60.0)
    reader = Fake(lost_after(picture())) if what == "a long wait" else film(9, 600.0)
    source = CAMERA if what == "a long wait" else FILE
    with capturing(readers, reader, source=source) as capture:
        until(lambda: capture.captured == 1, "a picture")
        capture.is_paused = what == "a paused film"
        if what == "a long wait":
            until(lambda: capture.state.phase == "lost", "lost")
        end_s = time.perf_counter()
    assert time.perf_counter() - end_s < SLACK_S
    assert threads() == []
    assert reader.closed == 1


# Rate


@pytest.mark.parametrize(
    ("times_s", "now_s", "rate"),
    [
        ([], 5.0, 0.0),
        ([5.0], 5.0, 0.0),
        ([5.0, 5.0], 5.0, 0.0),  # no time between
        (np.arange(0, 5, 0.1), 4.9, 10.0),
        (np.arange(0, 5, 1 / 30), 5.0, 30.0),
        ([0.0, 1.0], 1.0, 1.0),
        (np.arange(0, 5, 0.1), 5.3, 10.0),  # one that is late is no sign of another rate
        (np.arange(0, 5, 0.1), 6.4, 3.5),  # but silence is
        (np.arange(0, 5, 0.1), 7.0, 0.0),
        ([*np.arange(0, 5, 0.1), *np.arange(5, 8, 0.5)], 7.5, 2.0),  # only the last two seconds
        (np.arange(0, 12.1, 1.2), 12.0, 0.83),  # what is slower than that has a rate too
        (np.arange(0, 8.1, 0.8), 8.4, 1.25),
        (np.arange(0, 12.1, 1.2), 25.0, 0.0),
    ],
)
def test_rate(times_s: Iterable[float], now_s: float, rate: float) -> None:
    counter = Rate()
    for time_s in times_s:
        counter.count(time_s)
    assert counter.at(now_s) == pytest.approx(rate, rel=0.1)


def test_a_rate_is_of_the_source(readers: Readers) -> None:
    tap = Tap()
    with capturing(readers, tap) as capture:
        assert capture.rate.at(time.perf_counter()) == 0
        for i in range(5):
            tap.pour(picture(i))
            until(lambda n=i: capture.captured > n, "a picture")  # type: ignore[misc]
            time.sleep(0.02)
        assert 1 < capture.rate.at(time.perf_counter()) <= 50
        tap.end()


# Teller


def test_what_is_said_of_a_source() -> None:
    said: list[str] = []
    capture = SimpleNamespace(source=CAMERA, detail="", state=State("opening", 0.0))
    capture.frozen_s = lambda now_s: 0.0
    tell = Teller(capture, said.append)  # type: ignore[arg-type]
    lost = "camera 0: lost: it is gone; opening it again until it is back"
    for state, detail, source, news in [
        (State("opening", 0.0), "", 0, []),
        (State("live", 1.0), "Webcam, 640x480", 0, ["camera 0: Webcam, 640x480"]),
        (State("live", 1.0), "Webcam, 640x480", 0, []),
        (State("lost", 2.0, "it is gone", 3.0), "Webcam, 640x480", 0, [lost]),
        (State("lost", 2.0, "cannot be opened", 5.0), "Webcam, 640x480", 0, []),
        (State("live", 6.0), "Webcam, 320x240", 0, ["camera 0: Webcam, 320x240"]),
        (State("live", 6.0), "Other", 2, ["camera 2: Other"]),
        (State("failed", 7.0, "it is damaged"), "Other", 2, []),  # its error says that
        (State("ended", 7.0), "Other", 2, []),
        (State("live", 8.0), "Other", 2, ["camera 2: Other"]),
    ]:
        capture.state, capture.detail, capture.source = state, detail, LiveSource.camera(source)
        said.clear()
        tell()
        tell()
        assert said == news
    still = "camera 2: the same picture for 0:05: is the camera still connected?"
    again = "camera 2: the pictures change again"
    for phase, frozen_s, news in [
        ("live", 5.0, [still]),
        ("live", 6.0, []),
        ("live", 0.0, [again]),
        ("live", 0.0, []),
        ("live", 5.0, [still]),
        ("lost", 0.0, ["camera 2: lost: it is gone; opening it again until it is back"]),
        ("live", 0.0, ["camera 2: Other"]),
    ]:
        capture.state = State(phase, 8.0, "it is gone")  # type: ignore[arg-type]
        capture.frozen_s = lambda now_s, for_s=frozen_s: for_s
        said.clear()
        tell()
        assert said == news


@pytest.mark.usefixtures("three_cameras")
@pytest.mark.parametrize("is_lost", [False, True])
def test_another_camera_is_never_told_with_what_is_true_of_the_last(
    readers: Readers, monkeypatch: pytest.MonkeyPatch, is_lost: bool
) -> None:
    """The first takes its time to close, and the second to open again."""
    monkeypatch.setattr(module, "FIRST_RETRY_S", 600.0)
    zero = Tap(picture(), detail="zero")
    tried, one = Tap(detail="one"), Tap(picture(), detail="one")
    for slow in (zero, tried):
        slow.close = lambda: time.sleep(0.2)  # type: ignore[method-assign]
    said: list[str] = []
    readers.given += [zero, tried, one] if is_lost else [zero, one]
    with Capture(CAMERA, CONFIG) as capture:
        tell = Teller(capture, said.append)
        until(lambda: tell() or capture.captured, "a picture")
        zero.pour(PULLED if is_lost else picture(1))
        if is_lost:
            until(lambda: tell() or capture.state.phase == "lost", "lost")
        capture.next_camera()
        zero.pour(picture(2))
        until(lambda: tell() or said[-1].startswith("camera 1"), "camera 1")
        for _ in range(20):
            tell()
            time.sleep(0.01)
        one.end()
    lost = f"camera 0: lost: {PULLED}; opening it again until it is back"
    assert said == ["camera 0: zero", *[lost] * is_lost, "camera 1: one"]
