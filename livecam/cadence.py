"""How seldom frames come: what is a gap in a film is a step of a camera that sends one a minute."""

from __future__ import annotations

OUTAGE = 3  # times as long as usual


class Cadence:
    """The steps of time between frames. The shorter of the last two is the usual one, as one of
    them may be an outage; `unknown_s` stands for those before the first."""

    def __init__(self, unknown_s: float = 0.0) -> None:
        self._steps_s = (unknown_s, unknown_s)

    def add(self, step_s: float) -> None:
        self._steps_s = (self._steps_s[1], step_s)

    @property
    def longest_s(self) -> float:
        """A step up to this one is nothing unusual."""
        return OUTAGE * min(self._steps_s)
