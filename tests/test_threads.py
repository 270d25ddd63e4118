from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator

import pytest
from patience import interrupt_soon, until

from livecam.threads import WAITING, Behind, ahead


def running() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name in ("livecam ahead", "livecam behind")]


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    yield
    assert running() == []


@pytest.mark.parametrize("n", [0, 1, WAITING, 50])
def test_ahead_gives_all_in_order(n: int) -> None:
    assert list(ahead(range(n))) == list(range(n))


def test_ahead_makes_no_more_than_may_wait() -> None:
    made = []

    def items() -> Iterator[int]:
        for i in range(20):
            made.append(i)
            yield i

    with contextlib.closing(ahead(items())) as given:
        assert next(given) == 0
        until(lambda: len(made) == WAITING + 1, "as many made as may wait, and one begun")
        time.sleep(0.05)
        assert made == list(range(WAITING + 1))  # the last waits for room


def test_ahead_raises_after_the_items_before() -> None:
    def items() -> Iterator[int]:
        yield from range(3)
        raise ValueError("damaged")

    seen = []
    with pytest.raises(ValueError, match="damaged"):
        for item in ahead(items()):
            seen.append(item)
    assert seen == [0, 1, 2]


def test_behind_does_all_in_order_before_it_ends() -> None:
    done: list[int] = []
    with Behind() as behind:
        for i in range(20):
            behind.put(done.append, i)
    assert done == list(range(20))


def test_behind_bounds_what_waits() -> None:
    gate = threading.Event()
    with Behind() as behind:
        for _ in range(WAITING):
            behind.put(gate.wait)
        another = threading.Thread(target=behind.put, args=(gate.wait,))
        another.start()
        another.join(0.1)
        assert another.is_alive()
        gate.set()
        another.join(10)


@pytest.mark.parametrize("more", [0, 3])
def test_behind_raises_what_went_wrong_once_and_does_nothing_after_it(more: int) -> None:
    done: list[int] = []

    def fail() -> None:
        raise ValueError("disk full")

    with pytest.raises(ValueError, match="disk full"), Behind() as behind:
        behind.put(done.append, 1)
        behind.put(fail)
        for i in range(more):
            behind.put(done.append, 2 + i)
    assert done == [1]


def test_an_error_of_the_caller_goes_before_one_of_the_thread() -> None:
    with pytest.raises(KeyError), Behind() as behind:
        behind.put([].pop)
        raise KeyError("mine")


def test_an_interrupt_waits_for_what_is_behind() -> None:
    done: list[int] = []

    def slowly(i: int) -> None:
        time.sleep(0.2)
        done.append(i)

    with pytest.raises(KeyboardInterrupt), Behind() as behind:
        for i in range(4):
            behind.put(slowly, i)
        interrupt_soon(0.1)
    assert done == [0, 1, 2, 3]
    assert behind.done == 4


def test_an_interrupt_waits_for_what_is_being_made() -> None:
    is_over = threading.Event()

    def items() -> Iterator[int]:
        yield 0
        time.sleep(0.5)
        is_over.set()
        yield 1

    with pytest.raises(KeyboardInterrupt), contextlib.closing(ahead(items())) as given:
        assert next(given) == 0
        interrupt_soon(0.1)
        next(given)
    assert is_over.is_set()
