"""Configuration: YAML to frozen dataclasses, strict, and where each value came from.

A flag beats the environment (`LIVECAM_TRACKER__MIN_IOU`), which beats a file of yours, which
beats the shipped `config.yaml`. That file holds every key, so a class below has no default.
"""

from __future__ import annotations

import dataclasses
import os
import sys
import typing
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

from livecam.ages import SCHEMES, AgeScheme
from livecam.errors import LivecamError, UsageError
from livecam.shipped import shipped_file
from livecam.strict_yaml import parsed
from livecam.wording import short, suggestion

ENV_PREFIX = "LIVECAM_"
FILE_NAME = "livecam.yaml"


@dataclass(frozen=True, slots=True)
class DetectorConfig:
    min_face_px: int
    thresholds: tuple[float, ...]
    pyramid_factor: float
    max_side_px: int
    detect_every: int
    calm_every_s: float


@dataclass(frozen=True, slots=True)
class ClassifierConfig:
    model: str
    runtime: str
    views: int


@dataclass(frozen=True, slots=True)
class RuntimeConfig:
    threads: int
    providers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TrackerConfig:
    min_iou: float
    max_distance: float
    confirm_after: int
    keep_confidence: float
    max_coast_s: float
    time_constant_s: float
    classify_per_s: float
    max_narrowing: float
    bin_margin: float
    bin_hold_s: float


@dataclass(frozen=True, slots=True)
class AgesConfig:
    scheme: str
    schemes: dict[str, list[int]]


@dataclass(frozen=True, slots=True)
class AudienceConfig:
    min_dwell_s: float
    rejoin_s: float


@dataclass(frozen=True, slots=True)
class OverlayConfig:
    age: str
    ids: bool
    blur: bool
    gender: bool
    gender_min_age: int
    gender_min_prob: float
    scale: float

    def shows_gender(self, age: float, female_prob: float) -> bool:
        """Not for small children, nor where it is uncertain: it would be wrong too often."""
        prob = max(female_prob, 1 - female_prob)
        return self.gender and age >= self.gender_min_age and prob >= self.gender_min_prob


@dataclass(frozen=True, slots=True)
class CameraConfig:
    width_px: int
    height_px: int
    fps: int
    stall_after_s: float
    frozen_after_s: float
    label_wait_s: float
    search_within_s: float


@dataclass(frozen=True, slots=True)
class VideoConfig:
    crf: int
    preset: str
    gif_width_px: int
    gif_fps: int
    gif_max_s: float


@dataclass(frozen=True, slots=True)
class TrainConfig:
    data: str


@dataclass(frozen=True, slots=True)
class Config:
    """The effective configuration; `sources` maps `section.key` to where its value came from."""

    detector: DetectorConfig
    classifier: ClassifierConfig
    runtime: RuntimeConfig
    tracker: TrackerConfig
    ages: AgesConfig
    audience: AudienceConfig
    overlay: OverlayConfig
    camera: CameraConfig
    video: VideoConfig
    train: TrainConfig
    sources: Mapping[str, str]

    @property
    def schemes(self) -> dict[str, AgeScheme]:
        """All age schemes by name, one's own too. Raises UsageError for bad edges, and for the name
        of a published one, whose numbers are compared with those of others."""
        taken = sorted(SCHEMES.keys() & self.ages.schemes.keys())
        if taken:
            raise UsageError(
                f"{self.where('ages.schemes')}: {taken[0]!r} is the name of a published scheme; "
                "give yours another"
            )
        try:
            own = {name: AgeScheme(name, tuple(s)) for name, s in self.ages.schemes.items()}
        except UsageError as error:
            raise UsageError(f"{self.where('ages.schemes')}: {error}") from error
        return {**SCHEMES, **own}

    @property
    def scheme(self) -> AgeScheme:
        """The age scheme in force. Raises UsageError for an unknown name or bad edges."""
        known = self.schemes
        if self.ages.scheme not in known:
            raise UsageError(
                f"{self.where('ages.scheme')}: unknown scheme {self.ages.scheme!r}"
                f"{suggestion(self.ages.scheme, known)}; known: {', '.join(known)}"
            )
        return known[self.ages.scheme]

    def where(self, key: str) -> str:
        """What an error about a value begins with."""
        return f"{self.sources[key]}: {key}"

    def items(self) -> Iterator[tuple[str, object, str]]:
        """(`section.key`, value, where from), in the order of the file."""
        for section in SECTIONS:
            values = getattr(self, section)
            for field in dataclasses.fields(values):
                key = f"{section}.{field.name}"
                yield key, getattr(values, field.name), self.sources[key]


SECTIONS: dict[str, type] = {
    name: kind for name, kind in typing.get_type_hints(Config).items() if name != "sources"
}

# section.key: (least, greatest), both allowed
BOUNDS: dict[str, tuple[float, float]] = {
    "detector.min_face_px": (12, 10_000),
    "detector.pyramid_factor": (0.3, 0.95),
    "detector.max_side_px": (64, 32_000),
    "detector.detect_every": (1, 10_000),
    "detector.calm_every_s": (0, 60),
    "classifier.views": (1, 4),
    "runtime.threads": (0, 256),
    "tracker.min_iou": (0, 1),
    "tracker.max_distance": (0, 10),
    "tracker.confirm_after": (1, 3),
    "tracker.keep_confidence": (0, 1),
    "tracker.max_coast_s": (0, 60),
    "tracker.time_constant_s": (0.01, 3600),
    "tracker.classify_per_s": (0.01, 1000),
    "tracker.max_narrowing": (1, 10),
    "tracker.bin_margin": (0, 1),
    "tracker.bin_hold_s": (0, 60),
    "audience.min_dwell_s": (0, 3600),
    "audience.rejoin_s": (0, 600),
    "overlay.gender_min_age": (0, 101),
    "overlay.gender_min_prob": (0.5, 1),
    "overlay.scale": (0.25, 8),
    "camera.width_px": (16, 16_384),
    "camera.height_px": (16, 16_384),
    "camera.fps": (1, 1000),
    "camera.stall_after_s": (0.5, 3600),
    "camera.frozen_after_s": (0.5, 3600),
    "camera.label_wait_s": (0, 1),
    "camera.search_within_s": (0.01, 3600),
    "video.crf": (0, 51),
    "video.gif_width_px": (16, 4096),
    "video.gif_fps": (1, 50),
    "video.gif_max_s": (0.1, 3600),
}
PATHS = ("classifier.model", "train.data")
CHOICES = {
    "classifier.runtime": ("onnx", "keras"),
    "overlay.age": ("full", "range", "bin", "exact", "curve"),
    "video.preset": (
        "ultrafast", "superfast", "veryfast", "faster", "fast",
        "medium", "slow", "slower", "veryslow",
    ),
}  # fmt: skip


def load_config(
    file: str | Path | None = None,
    flags: Mapping[str, object] | None = None,
    environment: Mapping[str, str] | None = None,
    origins: Mapping[str, str] | None = None,
) -> Config:
    """The configuration in force.

    `file` is the one named with --config; without it ./livecam.yaml, else the user's. `flags`
    maps `section.key` to values from the command line; None means not given. `origins` maps it to
    what the flag is called.
    Raises UsageError for an unknown key, a value of the wrong type or out of bounds.
    """
    environment = os.environ if environment is None else environment
    layers = [_read_yaml(shipped_file("config.yaml"), "config.yaml")]
    path = Path(file) if file is not None else _own_file(environment)
    if path is not None:
        layers.append(_read_yaml(path, str(path)))
    layers.append(_from_environment(environment))
    called = origins or {}
    given = {k: v for k, v in (flags or {}).items() if v is not None}
    layers.append({k: (v, called.get(k, "flag")) for k, v in given.items()})
    merged: dict[str, tuple[object, str]] = {}
    for layer in layers:
        merged.update(layer)
    return _build(merged)


def home() -> Path:
    """The user's folder; where the system knows none, one that is not there."""
    try:
        return Path.home()
    except RuntimeError:
        return Path("~")


def user_folder(
    environment: Mapping[str, str], windows: tuple[str, str], other: tuple[str, str]
) -> Path:
    """Where this program keeps something of a person's. On Windows and on other systems but macOS
    a variable names the folder for that, else it is below `home`."""
    if sys.platform == "darwin":
        return home() / "Library" / "Application Support" / "livecam"
    variable, default = windows if sys.platform == "win32" else other
    return Path(environment.get(variable) or home() / default) / "livecam"


def user_file(environment: Mapping[str, str]) -> Path:
    """Where a person's own configuration lives on this system."""
    windows, other = ("APPDATA", "AppData/Roaming"), ("XDG_CONFIG_HOME", ".config")
    return user_folder(environment, windows, other) / FILE_NAME


def own_places(environment: Mapping[str, str]) -> tuple[Path, Path]:
    """Where a person's settings may be if no file is named; the first that is there counts."""
    return Path(FILE_NAME), user_file(environment)


def _own_file(environment: Mapping[str, str]) -> Path | None:
    # False too for what is in a folder that may not be entered
    return next((path for path in own_places(environment) if os.path.isfile(path)), None)


def _read_yaml(path: Path, origin: str) -> dict[str, tuple[object, str]]:
    """`section.key` -> (value, origin) of a file. Keys are checked here, values in `_build`."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path}: cannot read the configuration: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: not valid YAML: {error}") from error
    tree = parsed(text, str(path))
    values: dict[str, tuple[object, str]] = {}
    for section, keys in _mapping(tree, origin, "sections").items():
        is_value = not isinstance(keys, dict)  # of a key that stands where sections do
        _check_section(section, origin, _elsewhere(section) if is_value else "")
        for key, value in _mapping(keys, origin, f"keys in {section!r}").items():
            _check_key(section, key, origin)
            values[f"{section}.{key}"] = (value, origin)
    return values


def _check_section(section: Any, origin: str, hint: str = "") -> None:
    _known(section, SECTIONS, f"{origin}: unknown section {section!r}", hint)


def _check_key(section: str, key: object, origin: str) -> None:
    problem = f"{origin}: unknown key '{section}.{key}'"
    _known(key, _keys(section), problem, _elsewhere(key))


def _elsewhere(name: object) -> str:
    """What was meant by a key that is right but in the wrong place or case."""
    lower = str(name).lower()
    for section in SECTIONS:
        for key in _keys(section):
            if lower == key:
                return f"; did you mean '{section}.{key}'?"
            if lower == f"{section}.{key}":
                return f"; did you mean {section}: {{{key}: …}}?"
    return ""


def _keys(section: str) -> list[str]:
    return [field.name for field in dataclasses.fields(SECTIONS[section])]


def _mapping(tree: object, origin: str, what: str) -> dict[Any, Any]:
    if tree is None:
        return {}
    if not isinstance(tree, dict):
        raise UsageError(f"{origin}: expected {what}, received {short(tree)}")
    return tree


def _from_environment(environment: Mapping[str, str]) -> dict[str, tuple[object, str]]:
    values: dict[str, tuple[object, str]] = {}
    for name, text in environment.items():
        if not name.startswith(ENV_PREFIX):
            continue
        setting = name.removeprefix(ENV_PREFIX).lower()
        section, underscores, key = setting.partition("__")
        if underscores:
            _check_section(section, name)
            _check_key(section, key, name)
            values[f"{section}.{key}"] = (_from_text(text, section, key, name), name)
        else:
            _check_no_setting(setting, name)
    return values


def _check_no_setting(text: str, name: str) -> None:
    """Other names with the prefix are not livecam's; one underscore too few is a mistake."""
    for section in SECTIONS:
        for key in _keys(section):
            if text == f"{section}_{key}":
                meant = f"{ENV_PREFIX}{section}__{key}".upper()
                raise UsageError(
                    f"{name}: expected two underscores between section and key; "
                    f"did you mean {meant}?"
                )


def _from_text(text: str, section: str, key: str, name: str) -> object:
    """A value of the environment: a text as it is, all else as YAML reads it."""
    if typing.get_type_hints(SECTIONS[section])[key] is str:
        return text
    try:
        value = parsed(text, name)
    except UsageError as error:
        raise UsageError(f"{name}: not a value: {text!r}") from error
    return text if value is None else value  # which is refused, and told as it was given


def _known(name: object, known: Iterable[str], problem: str, hint: str = "") -> None:
    """Raises UsageError, with the hint, or without one the name that is closest."""
    names = list(known)
    if name not in names:
        hint = hint or suggestion(str(name), names)
        raise UsageError(f"{problem}{hint}; known: {', '.join(names)}")


def _build(values: Mapping[str, tuple[object, str]]) -> Config:
    sections: dict[str, Any] = {}
    for section, kind in SECTIONS.items():
        hints = typing.get_type_hints(kind)
        parsed = {}
        for field in dataclasses.fields(kind):
            key = f"{section}.{field.name}"
            if key not in values:
                raise LivecamError(f"config.yaml: no value for {key!r}; install livecam again")
            value, origin = values[key]
            parsed[field.name] = _value(key, value, hints[field.name], origin)
        sections[section] = kind(**parsed)
    config = Config(**sections, sources={key: origin for key, (_, origin) in values.items()})
    _ = config.scheme  # a bad scheme is a configuration error, whatever the command
    return config


def _value(key: str, value: object, kind: Any, origin: str) -> object:
    """`value` as its declared type, within its bounds, or a UsageError that names the key."""
    converted = _converted(value, kind)
    if converted is None:
        raise UsageError(f"{origin}: {key}: expected {_KINDS[str(kind)]}, received {short(value)}")
    if key in BOUNDS and isinstance(converted, (int, float)):
        least, greatest = BOUNDS[key]
        if not least <= converted <= greatest:
            raise UsageError(
                f"{origin}: {key}: expected {least:g} to {greatest:g}, received {value!r}"
            )
    if key == "detector.thresholds" and isinstance(converted, tuple) and len(converted) != 3:
        raise UsageError(
            f"{origin}: {key}: expected three numbers, for P-, R- and O-Net, "
            f"received {short(value)}"
        )
    if key in CHOICES and converted not in CHOICES[key]:
        problem = f"{origin}: {key}: unknown value {value!r}"
        _known(converted, CHOICES[key], problem)
    if key in PATHS:
        # in a file no shell does it; pathlib raises where it finds no such user
        return os.path.expanduser(str(converted))  # noqa: PTH111
    return converted


_KINDS = {
    str(str): "a string",
    str(bool): "true or false",
    str(int): "a whole number",
    str(float): "a number",
    str(tuple[float, ...]): "a list of numbers between 0 and 1",
    str(tuple[str, ...]): "a list of strings",
    str(dict[str, list[int]]): "names with lists of whole numbers",
}


def _converted(value: object, kind: Any) -> object | None:
    """None if `value` is not of that kind."""
    if kind in (str, bool):
        return value if isinstance(value, kind) else None
    if kind is int:
        return value if _is_whole(value) else None
    if kind is float:
        return _number(value)
    if kind == tuple[float, ...] and isinstance(value, (list, tuple)):
        shares = [n for n in map(_number, value) if n is not None and 0 <= n <= 1]
        return tuple(shares) if len(shares) == len(value) else None
    if kind == tuple[str, ...] and isinstance(value, (list, tuple)):
        return tuple(value) if all(isinstance(v, str) for v in value) else None
    if kind == dict[str, list[int]] and isinstance(value, dict):
        fits = all(
            isinstance(name, str) and isinstance(starts, list) and all(map(_is_whole, starts))
            for name, starts in value.items()
        )
        return value if fits else None
    return None


def _is_whole(value: object) -> TypeGuard[int]:
    """YAML's true is no number here, nor is what Python would not print."""
    if isinstance(value, bool) or not isinstance(value, int):
        return False
    return abs(value) < sys.float_info.max


def _number(value: object) -> float | None:
    if (isinstance(value, float) or _is_whole(value)) and abs(value) < sys.float_info.max:
        return float(value)
    return None
