"""Optional parts: the exact command that installs what is missing."""

from __future__ import annotations

import importlib.util

from livecam.errors import LivecamError


def require(module: str, extra: str) -> None:
    """Raises LivecamError with the install command unless `module` can be imported."""
    if importlib.util.find_spec(module) is None:
        raise LivecamError(
            f'this needs {module}, which is not installed; install it: pip install "livecam[{extra}]"'
            f' (in a checkout: pip install ".[{extra}]")'
        )
