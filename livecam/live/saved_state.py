"""The little that is remembered from one start to the next: the window's size, and that the first
start was greeted. No picture, no age, no time."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from livecam.config import user_folder

FILE_NAME = "state.json"


@dataclass(slots=True)
class SavedState:
    window_wh: tuple[int, int] | None = None
    is_greeted: bool = False

    @classmethod
    def load(cls, path: Path) -> SavedState:
        """What can be read of it: a missing or damaged file is a first start."""
        try:
            tree = json.loads(path.read_text(encoding="utf-8"))
            width, height = tree.get("window_wh") or (0, 0)
            has_size = 0 < int(width) < 20_000 and 0 < int(height) < 20_000
            size = (int(width), int(height)) if has_size else None
            return cls(size, bool(tree.get("is_greeted")))
        except (OSError, ValueError, TypeError, AttributeError, OverflowError, RecursionError):
            return cls()

    def save(self, path: Path) -> None:
        """As well as it can: nothing depends on it. Not where the system knows no user's folder."""
        if not path.is_absolute():
            return
        tree = {"window_wh": self.window_wh, "is_greeted": self.is_greeted}
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(tree) + "\n", encoding="utf-8")


def state_file(environment: Mapping[str, str] = os.environ) -> Path:
    """Where programs of this system keep such things."""
    windows, other = ("LOCALAPPDATA", "AppData/Local"), ("XDG_STATE_HOME", ".local/state")
    return user_folder(environment, windows, other) / FILE_NAME
