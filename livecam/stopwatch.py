"""How long each part of a frame's way takes."""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Iterator

import numpy as np

KEPT = 2_000  # measurements of each part that are remembered, the newest


class Stopwatch:
    """`with watch("detect"): …` measures one part; parts keep the order of their first use."""

    def __init__(self) -> None:
        self._parts: dict[str, deque[float]] = {}
        self._counts: dict[str, int] = {}

    @contextlib.contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        begin_s = time.perf_counter()
        try:
            yield
        finally:
            self.add(name, time.perf_counter() - begin_s)

    def add(self, name: str, seconds: float) -> None:
        self._parts.setdefault(name, deque(maxlen=KEPT)).append(seconds)
        self._counts[name] = self._counts.get(name, 0) + 1

    def last(self, name: str) -> tuple[int, float]:
        """How often a part was measured, and how long it took the last time."""
        count = self._counts.get(name, 0)
        return count, self._parts[name][-1] if count else 0.0

    def percentile_s(self, name: str, percent: float) -> float | None:
        """None where nothing was measured."""
        taken_s = self._parts.get(name)
        return float(np.percentile(list(taken_s), percent)) if taken_s else None

    def table(self) -> str:
        """A line for each part: how often, median and 95th percentile in milliseconds (of the
        newest, where there are many)."""
        lines = [f"{'part':<12}{'times':>7}{'p50 ms':>9}{'p95 ms':>9}"]
        for name, taken_s in list(self._parts.items()):
            p50, p95 = 1000 * np.percentile(list(taken_s), [50, 95])
            lines.append(f"{name:<12}{self._counts[name]:>7}{p50:>9.1f}{p95:>9.1f}")
        return "\n".join(lines)
