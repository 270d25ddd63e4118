"""Work in a thread of its own, in order, while the caller does something else."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterable
from queue import SimpleQueue  # an interrupt of its `get` leaves it as it was
from typing import Any, TypeVar

WAITING = 4  # items between two threads: more smooth nothing, and a frame of 1080p takes 6 MB

T = TypeVar("T")


def ahead(items: Iterable[T], waiting: int = WAITING) -> Generator[T, None, None]:
    """The items, made while those before are used. Close it, or use it up: the thread ends then.

    What making an item raises is raised here, after the items before it.
    """
    room: SimpleQueue[None] = SimpleQueue()
    made: SimpleQueue[tuple[list[T], BaseException | None]] = SimpleQueue()
    is_closed = threading.Event()
    for _ in range(waiting):
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

    thread = threading.Thread(target=make, name="livecam ahead", daemon=True)
    thread.start()
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
        thread.join()


class Behind:
    """`put` does a thing later, after those before it. A context manager, whose end waits for all.

    What one raises is raised by the next `put`, or at the end; what comes after it is not done.
    """

    def __init__(self, waiting: int = WAITING) -> None:
        self._jobs: SimpleQueue[tuple[Callable[..., object], tuple[Any, ...]] | None] = (
            SimpleQueue()
        )
        self._room: SimpleQueue[None] = SimpleQueue()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="livecam behind", daemon=True)
        for _ in range(waiting):
            self._room.put(None)

    def __enter__(self) -> Behind:
        self._thread.start()
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._jobs.put(None)
        self._thread.join()
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
            except BaseException as error:
                self._error, is_broken = error, True
            del job  # a frame is large
            self._room.put(None)
