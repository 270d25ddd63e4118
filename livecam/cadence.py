"""How seldom frames come: what is a gap in a film is a step of a camera that sends one a minute."""

from __future__ import annotations

from collections import deque

OUTAGE = 3  # times as long as usual
LATELY = 4  # steps


class Cadence:
    """The steps of time between frames. The longest of the last ones may be an outage, so that the
    one after it is the usual one: pictures may come in pairs. `unknown_s` stands for the step
    before the first."""

    def __init__(self, unknown_s: float = 0.0) -> None:
        self._unknown_s = unknown_s
        self._steps_s: deque[float] = deque(maxlen=LATELY)

    def add(self, step_s: float) -> None:
        self._steps_s.append(step_s)

    @property
    def usual_s(self) -> float:
        """A step between frames."""
        if len(self._steps_s) < 2:
            return min([self._unknown_s, *self._steps_s])
        return sorted(self._steps_s)[-2]

    @property
    def longest_s(self) -> float:
        """A step up to this one is nothing unusual."""
        return OUTAGE * self.usual_s
