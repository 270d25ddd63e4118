"""Optional parts: the exact command that installs what is missing."""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from livecam.errors import LivecamError
from livecam.interrupts import held
from livecam.shipped import PACKAGE

ERRORS_OFF = "3"  # TensorFlow's level of what ends the process
STDERR = 2


def require(module: str, extra: str) -> None:
    """Raises LivecamError with the install command unless `module` can be imported."""
    if importlib.util.find_spec(module) is None:
        raise LivecamError(f"{module} is not installed; install it: {install_command(extra)}")


def import_keras() -> Any:
    """Keras with its backend. Raises LivecamError with the install command without them."""
    require("keras", "train")
    # TensorFlow calls it an error that there is no GPU, and says so on its first import whatever
    # the level; who asks for another level gets all of it
    level = os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", ERRORS_OFF)
    try:
        # an interrupt waits until stderr is there again, to be told
        with held(), silent_stderr() if level == ERRORS_OFF else contextlib.nullcontext():
            import keras
    except ImportError as error:
        raise LivecamError(
            f"Keras cannot start ({error}); install it: {install_command('train')}"
        ) from error
    return keras


@contextlib.contextmanager
def silent_stderr() -> Iterator[None]:
    """For what is not written by Python: nothing of this process comes on stderr meanwhile."""
    try:
        kept = os.dup(STDERR)
    except OSError:  # it is closed
        yield
        return
    try:
        with Path(os.devnull).open("w") as nowhere:
            os.dup2(nowhere.fileno(), STDERR)
        yield
    finally:
        os.dup2(kept, STDERR)
        os.close(kept)


def load_keras(path: Path) -> Any:
    """The model of a `.keras` file. Raises LivecamError if it is none."""
    if path.is_file() and not zipfile.is_zipfile(path):  # Keras would say that it is not there
        raise LivecamError(f"{path}: damaged, or not a .keras file")
    keras = import_keras()
    try:
        return keras.models.load_model(path, compile=False)
    except Exception as error:  # Keras raises whatever its file libraries raise
        what = str(error).split("\n")[0]
        raise LivecamError(f"{path}: Keras cannot load it: {what}") from error


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
