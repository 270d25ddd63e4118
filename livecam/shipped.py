"""Where the files are that come with livecam: in the installed package, else in the checkout."""

from __future__ import annotations

from pathlib import Path

from livecam.errors import LivecamError

PACKAGE = Path(__file__).resolve().parent
PLACES = (PACKAGE / "_shipped", PACKAGE.parent)  # a wheel; a checkout or an editable install


def shipped_file(name: str) -> Path:
    """`config.yaml` or `models/…`. Raises LivecamError with the places looked at."""
    for place in PLACES:
        if (place / name).is_file():
            return place / name
    looked = " or ".join(str(place / name) for place in PLACES)
    raise LivecamError(f"{name}: not found at {looked}; install livecam again")
