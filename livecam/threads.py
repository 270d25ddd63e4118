"""Work in a thread of its own, in order, while the caller does something else."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Generator, Iterable
from queue import Empty, SimpleQueue  # an interrupt leaves a SimpleQueue whole
from typing import Any, TypeVar

WAITING = 4  # items between two threads: more smooth nothing, and a frame of 1080p takes 6 MB
POLL_S = 0.1

T = TypeVar("T")


def ahead(items: Iterable[T], stop: Callable[[], None] = lambda: None) -> Generator[T, None, None]:
    """The items, made while those before are used. Close it, or use it up: the thread ends then.

    What making an item raises is raised here, after the items before it. `stop` is called at the
    end: it may tell what makes the items that no more are wanted.
    """
    room: SimpleQueue[None] = SimpleQueue()
    made: SimpleQueue[tuple[list[T], BaseException | None]] = SimpleQueue()
    is_closed = threading.Event()
    for _ in range(WAITING):
        room.put(None)

    def make() -> None:
        error = None
        try:
            for item in items:
                made.put(([item], None))
                room.get()
                if is_closed.is_set():
                    return
        except BaseException as raised:
            error = raised
        made.put(([], error))

    with _Thread(make, "livecam ahead"):
        try:
            while True:
                item, error = made.get()
                if error is not None:
                    raise error
                if not item:
                    return
                yield item[0]
                room.put(None)
        finally:
            is_closed.set()
            room.put(None)
            stop()


class Behind:
    """`put` does a thing later, after those before it. A context manager, whose end waits for all.

    What one raises is raised by a later `put`, or at the end unless the caller has an error of its
    own; what comes after it is not done. `done` counts what is.
    """

    def __init__(self) -> None:
        self.done = 0
        self._jobs: SimpleQueue[tuple[Callable[..., object], tuple[Any, ...]] | None] = (
            SimpleQueue()
        )
        self._room: SimpleQueue[None] = SimpleQueue()
        self._error: BaseException | None = None
        self._thread = _Thread(self._run, "livecam behind")
        for _ in range(WAITING):
            self._room.put(None)

    def __enter__(self) -> Behind:
        self._thread.__enter__()
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._jobs.put(None)
        self._thread.__exit__()
        if error is None:
            self._raise()

    def put(self, do: Callable[..., object], *args: object) -> None:
        """Waits while too many wait."""
        self._room.get()
        self._raise()
        self._jobs.put((do, args))

    def _raise(self) -> None:
        if self._error is not None:
            error, self._error = self._error, None
            raise error

    def _run(self) -> None:
        is_broken = False
        while (job := self._jobs.get()) is not None:
            try:
                if not is_broken:
                    do, args = job
                    do(*args)
                    self.done += 1
            except BaseException as error:
                self._error, is_broken = error, True
            del job  # a frame is large
            self._room.put(None)


class _Thread:
    """Runs from `with` on; its end is waited for, by a caller who is interrupted meanwhile too:
    what the thread works with is closed next. (An interrupted `Thread.join` says that it ended.)"""

    def __init__(self, run: Callable[[], None], name: str) -> None:
        self._do = run
        self._has_ended = False
        self._ended: SimpleQueue[None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def __enter__(self) -> _Thread:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        try:
            self._wait()
        except KeyboardInterrupt:
            self._wait()
            raise

    def _wait(self) -> None:
        while not self._has_ended:  # an interrupt may come between a `get` and what it gave
            with contextlib.suppress(Empty):
                self._ended.get(timeout=POLL_S)

    def _run(self) -> None:
        try:
            self._do()
        finally:
            self._has_ended = True
            self._ended.put(None)
