"""Optional parts: the exact command that installs what is missing."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
from typing import Any

from livecam.errors import LivecamError
from livecam.shipped import PACKAGE


def require(module: str, extra: str) -> None:
    """Raises LivecamError with the install command unless `module` can be imported."""
    if importlib.util.find_spec(module) is None:
        raise LivecamError(f"{module} is not installed; install it: {install_command(extra)}")


def import_keras() -> Any:
    """Keras with its backend. Raises LivecamError with the install command without them."""
    require("keras", "train")
    # TensorFlow calls it an error that there is no GPU
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        import keras
    except ImportError as error:
        raise LivecamError(
            f"Keras cannot start ({error}); install it: {install_command('train')}"
        ) from error
    return keras


def install_command(extra: str) -> str:
    """In a checkout the command names its folder, so that it works from anywhere; elsewhere it
    names the packages themselves, so that it needs no index that knows livecam."""
    checkout = PACKAGE.parent
    if (checkout / "setup.cfg").is_file():
        return f'pip install "{checkout}[{extra}]"'
    wanted = (line.partition(";") for line in importlib.metadata.requires("livecam") or ())
    return " ".join(
        ["pip install", *(f'"{package}"' for package, _, when in wanted if f'"{extra}"' in when)]
    )
