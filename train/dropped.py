"""What `train.prepare` leaves out: counted by reason, with the first names of each."""

from __future__ import annotations

from collections import Counter

LISTED = 20  # names of a reason that are shown


class Dropped(Counter[str]):
    """How many pictures or rows were left out for each reason. Those that a user may want to mend
    are `add`ed with their names."""

    def __init__(self) -> None:
        super().__init__()
        self.names: dict[str, list[str]] = {}

    def add(self, reason: str, name: str) -> None:
        self[reason] += 1
        names = self.names.setdefault(reason, [])
        if len(names) < LISTED:
            names.append(name)

    def take(self, other: Dropped) -> None:
        """Count in what another part of the work left out."""
        self.update(other)
        for reason, names in other.names.items():
            known = self.names.setdefault(reason, [])
            known += names[: LISTED - len(known)]

    def lines(self) -> list[str]:
        """The names, one a line, with their reasons."""
        lines = []
        for reason, names in self.names.items():
            lines += [f"{reason}: {name}" for name in names]
            if more := self[reason] - len(names):
                lines.append(f"{reason}: … and {more} more")
        return lines
