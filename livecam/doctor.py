"""What livecam needs, what it finds, and what to do about what is missing."""

from __future__ import annotations

import contextlib
import importlib
import importlib.metadata
import platform
from collections.abc import Iterator
from dataclasses import dataclass

from livecam import __version__
from livecam.config import Config
from livecam.errors import LivecamError
from livecam.exit_codes import HOLLOW, REINSTALL, is_hollow, system_advice
from livecam.extras import install_command

BROKEN = (ImportError, AttributeError, LivecamError)  # AttributeError: of a package without files
PACKAGES = {  # and what is imported of each, in this order: OpenCV comes before PyAV
    "opencv-python": "cv2",
    "onnxruntime": "livecam.inference",
    "mtcnn": None,  # its files alone are used; itself would import TensorFlow
    "numpy": "numpy",
    "av": "livecam.pyav",
    "imutils": "imutils.paths",
    "PyYAML": "yaml",
    "onnx": "onnx",
    "joblib": "joblib",
    "lz4": "lz4.frame",
}
OTHER_BUILDS = {"opencv-python": "cv2", "onnxruntime": "onnxruntime"}  # the module they share
EXTRAS = {"train": "tensorflow", "demo": "scikit-image", "heic": "pi-heif"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report. `is_needed` and not `is_ok`: livecam does not work."""

    what: str
    found: str
    is_ok: bool = True
    is_needed: bool = True


def examine(config: Config) -> Iterator[Finding]:
    yield Finding("livecam", __version__)
    yield Finding("python", f"{platform.python_version()} on {platform.platform()}")
    for package, module in PACKAGES.items():
        yield _package(package, module)
    for extra, package in EXTRAS.items():
        yield _extra(package, extra)
    yield _providers(config)
    yield _model(config)
    yield _detector(config)
    yield _display()
    yield from _cameras(config)


def _package(name: str, module: str | None) -> Finding:
    found = _version(name)
    if found is None:
        return Finding(name, f"not installed; pip install {name}", is_ok=False)
    try:
        if module is not None:
            importlib.import_module(module)
    except Exception as error:  # a broken package raises whatever its code does
        return Finding(name, f"{found}, but {_broken(name, error)}", is_ok=False)
    if module is not None and is_hollow(module):
        return Finding(name, f"{found}, but {HOLLOW}; {REINSTALL}", is_ok=False)
    return Finding(name, found)


def _version(name: str) -> str | None:
    """Of the package, or of another build of it, as `onnxruntime-gpu` is of `onnxruntime`."""
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        return importlib.metadata.version(name)
    if module := OTHER_BUILDS.get(name):
        for build in importlib.metadata.packages_distributions().get(module, ()):
            return f"{importlib.metadata.version(build)} ({build})"
    return None


def _broken(name: str, error: Exception) -> str:
    what = " ".join(str(error).split()) or type(error).__name__
    reinstall = f"it cannot be imported ({what}); pip install --force-reinstall --no-deps {name}"
    return system_advice(error) or reinstall


def _extra(name: str, extra: str) -> Finding:
    """By what is noted of it alone: importing it would take seconds."""
    try:
        return Finding(name, importlib.metadata.version(name), is_needed=False)
    except importlib.metadata.PackageNotFoundError:
        wanted = f"not installed; {install_command(extra)}"
        return Finding(name, wanted, is_ok=False, is_needed=False)


def _providers(config: Config) -> Finding:
    try:
        from livecam.inference import usable_providers

        where = config.where("runtime.providers")
        return Finding("providers", ", ".join(usable_providers(config.runtime.providers, where)))
    except BROKEN as error:
        return Finding("providers", str(error), is_ok=False)


def _model(config: Config) -> Finding:
    try:
        from livecam.classifier import AgeGenderClassifier, uncalibrated

        classifier = AgeGenderClassifier(
            config.classifier.model,
            config.classifier.runtime,
            providers=config.runtime.providers,
        )
        size = classifier.path.stat().st_size / 1e6
        detail = f"{size:.1f} MB, {classifier.input_px} px input, on {classifier.provider}"
        said = [f"{classifier.path} ({detail})", uncalibrated(config.classifier.model)]
        return Finding("model", "; ".join(filter(None, said)))
    except BROKEN as error:
        return Finding("model", str(error), is_ok=False)


def _detector(config: Config) -> Finding:
    try:
        from livecam.detector import Mtcnn
        from livecam.mtcnn_graphs import weights_dir

        Mtcnn(providers=config.runtime.providers)
        return Finding("detector", f"MTCNN, weights in {weights_dir()}")
    except BROKEN as error:
        return Finding("detector", str(error), is_ok=False)


def _display() -> Finding:
    try:
        from livecam.display import problem
    except BROKEN as error:
        return Finding("display", str(error), is_ok=False)
    reason = problem()
    if reason is None:
        return Finding("display", "answers", is_needed=False)
    return Finding("display", f"no window: {reason}", is_ok=False, is_needed=False)


def _cameras(config: Config) -> Iterator[Finding]:
    """A line for each camera that is listed or opens, else one that says why there is none."""
    try:
        from livecam.live.cameras import has_list, indices, why_not
    except BROKEN as error:
        yield Finding("cameras", str(error), is_ok=False, is_needed=False)
        return
    is_empty = True
    for index in indices():
        finding = _camera(index, config)
        if finding.is_ok or has_list():
            is_empty = False
            yield finding
    if is_empty:
        yield Finding("cameras", why_not(0), is_ok=False, is_needed=False)


def _camera(index: int, config: Config) -> Finding:
    from livecam.live.cameras import open_camera

    what = f"camera {index}"
    try:
        with open_camera(index, config.camera) as camera:
            return Finding(what, camera.detail, is_needed=False)
    except LivecamError as error:
        reason = str(error).removeprefix(f"{what}: ")
        return Finding(what, reason, is_ok=False, is_needed=False)
