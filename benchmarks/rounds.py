"""Two contenders in turns, so that whatever else the machine does hits both alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")
Contender = Callable[[], float]


def in_turns(ours: Contender, other: Contender, rounds: int) -> list[tuple[float, float]]:
    """What both say in each round; who begins changes from round to round."""
    pairs = []
    for i in range(rounds):
        if i % 2 == 0:
            first = ours()
            pairs.append((first, other()))
        else:
            first = other()
            pairs.append((ours(), first))
    return pairs


def ms_each(work: Callable[[T], object], items: Sequence[T]) -> float:
    """Mean milliseconds of `work` on an item, after one that is not counted."""
    work(items[0])
    begin_s = time.perf_counter()
    for item in items:
        work(item)
    return 1000 * (time.perf_counter() - begin_s) / len(items)
