from __future__ import annotations

import threading
import time

import pytest

from livecam.stopwatch import KEPT, Stopwatch

HEADER = "part          times   p50 ms   p95 ms"


def test_nothing_measured() -> None:
    watch = Stopwatch()
    assert watch.percentile_s("detect", 50) is None
    assert watch.last("detect") == (0, 0.0)
    assert watch.table() == HEADER


def test_the_table_has_the_parts_in_the_order_of_their_first_use() -> None:
    watch = Stopwatch()
    for name, taken_s in [("wait", 0.004), ("detect", 0.02), ("wait", 0.006), ("classify", 1.5)]:
        watch.add(name, taken_s)
    assert watch.table().splitlines() == [
        HEADER,
        "wait              2      5.0      5.9",
        "detect            1     20.0     20.0",
        "classify          1   1500.0   1500.0",
    ]


@pytest.mark.parametrize(("percent", "wanted_s"), [(0, 0.0), (50, 0.5), (95, 0.95), (100, 1.0)])
def test_percentiles_whatever_the_order(percent: float, wanted_s: float) -> None:
    watch = Stopwatch()
    for i in range(101):
        watch.add("draw", (i * 37 % 101) / 100)
    assert watch.percentile_s("draw", percent) == pytest.approx(wanted_s)
    assert watch.percentile_s("show", percent) is None


def test_a_with_block_is_measured_also_inside_another_one() -> None:
    watch = Stopwatch()
    with watch("outer"):
        with watch("inner"):
            time.sleep(0.02)
        time.sleep(0.01)
    inner_s, outer_s = watch.percentile_s("inner", 50), watch.percentile_s("outer", 50)
    assert inner_s is not None and outer_s is not None
    assert 0.02 <= inner_s <= outer_s - 0.01


def test_a_block_that_fails_is_measured_too() -> None:
    watch = Stopwatch()
    with pytest.raises(KeyError), watch("detect"):
        raise KeyError
    assert watch.percentile_s("detect", 50) is not None


def test_the_last_measurement_and_how_many_there_were() -> None:
    watch = Stopwatch()
    for i in range(3):
        watch.add("detect", i / 10)
        watch.add("draw", 9.0)
        assert watch.last("detect") == (i + 1, i / 10)
    assert watch.last("show") == (0, 0.0)


def test_the_newest_measurements_are_kept_and_all_are_counted() -> None:
    watch = Stopwatch()
    watch.add("draw", 9.0)
    for _ in range(KEPT):
        watch.add("draw", 0.001)
    assert watch.percentile_s("draw", 100) == 0.001
    assert watch.last("draw") == (KEPT + 1, 0.001)
    assert watch.table().splitlines()[1].split() == ["draw", str(KEPT + 1), "1.0", "1.0"]


def test_it_can_be_read_while_other_threads_measure() -> None:
    watch, is_over = Stopwatch(), threading.Event()
    watch.add("draw", 0.001)

    def measure() -> None:
        while not is_over.is_set():
            with watch("draw"):
                pass

    threads = [threading.Thread(target=measure) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(10):
            assert watch.percentile_s("draw", 50) is not None
            assert watch.table().startswith(HEADER)
    finally:
        is_over.set()
        for thread in threads:
            thread.join()
