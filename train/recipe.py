"""What a training run is made of: a YAML file with one key for everything that decides it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from livecam.ages import SCHEMES, AgeScheme
from livecam.errors import LivecamError, UsageError
from livecam.strict_yaml import parsed
from livecam.wording import suggestion

SHIPPED = Path(__file__).parent.parent / "recipes" / "shipped.yaml"
YEARS_TARGET = "years"
NETWORKS = (
    "resnet", "mobilenet", "base-cnn", "lenet", "alexnet", "4c2f", "dense", "al-resnet",
)  # fmt: skip
KERAS = "keras:"  # and the name of a network of keras.applications
OF_ANY_SIZE = ("resnet", "mobilenet")  # the others end in layers that know their size
CHOICES = {
    "target": (YEARS_TARGET, *SCHEMES),
    "rarity_by": ("weights", "sampling"),
    "optimizer": ("adamw", "adam", "nadam", "rmsprop", "sgd"),
    "schedule": ("cosine", "constant", "plateau"),
    "precision": ("float32", "mixed_bfloat16", "mixed_float16"),
}
ABOVE_0, BELOW_1 = 1e-9, 1 - 1e-9
AT_LEAST = {
    **dict.fromkeys(("epochs", "batch", "width", "devices"), 1),
    "input_px": 16,  # of less, what networks halve four or five times leaves nothing
    **dict.fromkeys(("label_sigma", "learning_rate", "teacher_weight"), ABOVE_0),
}
AT_MOST = {
    **dict.fromkeys(("dropout", "ema", "early_share", "pretrained_share"), BELOW_1),
    **dict.fromkeys(("teacher_weight", "mixup"), 1.0),
    **dict.fromkeys(("input_px", "width"), 2048),  # more is a slip of the finger
    "seed": 2**32 - 1,
}


@dataclass(frozen=True)
class Recipe:
    """Everything that decides what a run learns; saved with the run. `recipes/README.md` explains
    the keys."""

    architecture: str = "resnet"
    pretrained: bool = False
    begin: tuple[str, ...] = ()
    pretrained_share: float = 0.0
    eight_bits: bool = False
    frozen: str = ""
    input_px: int = 96
    early_px: int = 0
    early_share: float = 0.0
    gray: bool = False
    width: int = 32
    depths: tuple[int, ...] = (2, 2, 2, 2)
    head_units: int = 0
    dropout: float = 0.3
    l1: float = 0.0
    l2: float = 0.0

    target: str | tuple[int, ...] = YEARS_TARGET
    label_sigma: float = 1.0
    label_sigma_growth: float = 0.0
    age_l1: float = 0.0
    gender_weight: float = 0.5
    teachers: tuple[str, ...] = ()
    teacher_weight: float = 0.5

    datasets: tuple[str, ...] = ()
    class_cap: int = 0
    rarity_power: float = 0.0
    rarity_by: str = "weights"
    augmentation: float = 1.0
    mixup: float = 0.0

    epochs: int = 24
    batch: int = 64
    seed: int = 0
    optimizer: str = "adamw"
    learning_rate: float = 1e-3
    schedule: str = "cosine"
    weight_decay: float = 0.05
    gradient_norm: float = 5.0
    ema: float = 0.998
    early_stopping: int = 0
    precision: str = "float32"
    devices: int = 1

    @property
    def scheme(self) -> AgeScheme | None:
        """Whose classes are the target; None for years."""
        return scheme_of(self.target)


def scheme_of(target: str | Sequence[int]) -> AgeScheme | None:
    """Of a recipe's target: a known one by its name, or one's own by the first years of its
    classes, which are its name too. Raises UsageError if those make none."""
    if isinstance(target, str):
        return SCHEMES.get(target)
    return AgeScheme(str(list(target)), tuple(target))


FIELDS = {field.name: field for field in dataclasses.fields(Recipe)}


def read_recipe(
    path: Path, settings: Sequence[str] = (), flags: Mapping[str, object] | None = None
) -> Recipe:
    """The recipe of a YAML file, changed by settings of the form `key=value`, then by `flags`: keys
    with a flag of their own.

    Raises LivecamError if the file cannot be read, UsageError if what it says is no recipe that a
    run can begin with.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise LivecamError(f"{path}: cannot read the recipe: {reason}") from error
    values = parsed(text, str(path)) or {}
    if not isinstance(values, dict):
        raise UsageError(f"{path}: expected `key: value` lines, received {type(values).__name__}")
    recipe, given = _changed(Recipe(), values, str(path)), {}
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals:
            raise UsageError(f"--set: expected key=value, without spaces, got {setting!r}")
        given[key.strip()] = parsed(value, f"--set {setting}")
    idle_before = idle(as_record(recipe))
    recipe = _changed(recipe, given, "--set")
    # keys of the file that have no effect beside what was set
    left = idle(as_record(recipe)).keys() - idle_before.keys() - given.keys()
    plain = as_record(Recipe())
    recipe = _changed(recipe, {key: plain[key] for key in left}, "--set")
    for flag, instead in (flags or {}).items():
        recipe = _changed(recipe, {flag: instead}, f"--{flag}")
    where = f"{path} with --set" if settings else str(path)
    _check_beginning(recipe, where)
    _check_effect(recipe, where)
    return recipe


def from_record(values: Mapping[str, Any], where: str) -> Recipe:
    """The recipe that a run has kept."""
    return _changed(Recipe(), values, where)


def as_record(recipe: Recipe) -> dict[str, Any]:
    """Plain values, for YAML or JSON; tuples as lists."""
    values = dataclasses.asdict(recipe)
    return {key: list(v) if isinstance(v, tuple) else v for key, v in values.items()}


def _changed(recipe: Recipe, values: Mapping[str, Any], where: str) -> Recipe:
    checked = {}
    for key, value in values.items():
        if key not in FIELDS:
            hint = suggestion(str(key), FIELDS) or f"; the keys are {', '.join(FIELDS)}"
            raise UsageError(f"{where}: unknown key {key!r}{hint}")
        checked[key] = _value(key, value, where)
    recipe = dataclasses.replace(recipe, **checked)
    if recipe.begin and recipe.pretrained:
        raise UsageError(f"{where}: begin and pretrained: give one of them, or a pretrained_share")
    if recipe.pretrained_share and not (recipe.begin and recipe.architecture == "mobilenet"):
        raise UsageError(
            f"{where}: pretrained_share: of the weights of a mobilenet that has a begin"
        )
    if recipe.teachers and recipe.target != YEARS_TARGET:
        raise UsageError(f"{where}: teachers speak of years: leave target at {YEARS_TARGET}")
    if recipe.batch % recipe.devices:
        raise UsageError(
            f"{where}: devices: {recipe.devices} cannot share a batch of {recipe.batch} evenly; "
            "change one of them"
        )
    if recipe.early_share and not recipe.early_px:
        raise UsageError(f"{where}: early_share without early_px")
    _check_network(recipe, where)
    return recipe


def _check_network(recipe: Recipe, where: str) -> None:
    """Whether there is such a network, and it can do what it is to do; of `keras:NAME`, Keras alone
    knows."""
    name = recipe.architecture
    if name not in NETWORKS and not name.startswith(KERAS):
        raise UsageError(
            f"{where}: architecture: unknown network {name!r}{suggestion(name, NETWORKS)}; "
            f"known: {', '.join(NETWORKS)}, {KERAS}NAME"
        )
    if recipe.early_share and name not in OF_ANY_SIZE:
        raise UsageError(f"{where}: early_share: {name} takes pictures of one size; leave it at 0")
    if recipe.eight_bits and name != "mobilenet":
        raise UsageError(f"{where}: eight_bits: {name} cannot be trained for it, mobilenet can")
    if recipe.pretrained and name != "mobilenet" and not name.startswith(KERAS):
        raise UsageError(
            f"{where}: pretrained: there are no such weights for {name}; leave it at false"
        )


def _check_beginning(recipe: Recipe, where: str) -> None:
    """What a run needs that begins; one that goes on, or is finished, has weights of its own."""
    if recipe.begin or recipe.pretrained:
        return
    if recipe.architecture == "mobilenet":
        raise UsageError(
            f"{where}: architecture: mobilenet has no normalisations and cannot learn from random "
            "weights: give pretrained or begin, or take recipes/resnet.yaml"
        )
    if recipe.frozen:
        raise UsageError(
            f"{where}: frozen: {recipe.frozen} would keep random weights: give pretrained or "
            "begin, or leave frozen empty"
        )


def _check_effect(recipe: Recipe, where: str) -> None:
    """Raises UsageError of keys that would be passed over without a word."""
    values, plain = as_record(recipe), as_record(Recipe())
    given = {key: why for key, why in idle(values).items() if values[key] != plain[key]}
    if given:
        reasons = ", ".join(f"{key} {why}" for key, why in given.items())
        back = ", ".join(f"{key} at {plain[key]}" for key in given)
        has = "has" if len(given) == 1 else "have"
        raise UsageError(f"{where}: {reasons} {has} no effect: leave {back}")


def idle(values: Mapping[str, Any]) -> dict[str, str]:
    """The keys of a recipe that change nothing beside its other values, and why."""
    network = values.get("architecture", Recipe.architecture)
    target = values.get("target", YEARS_TARGET)
    keys = {}
    if not values.get("early_share"):
        keys["early_px"] = "without early_share"
    if not values.get("teachers"):
        keys["teacher_weight"] = "without teachers"
    if network not in ("resnet", "al-resnet"):
        keys["width"] = f"of {network}"
    if network != "resnet":
        keys["depths"] = f"of {network}"
    if target != YEARS_TARGET:
        keys |= dict.fromkeys(("label_sigma", "label_sigma_growth", "age_l1"), f"for {target}")
    return keys


def _value(key: str, value: Any, where: str) -> Any:
    """The value in the type of its field."""
    default = FIELDS[key].default
    if value in (None, "") and default in ("", ()):  # `frozen:` in a file, `--set frozen=`
        return default
    if key == "target" and isinstance(value, list | tuple):
        return _first_years(value, where)
    problem = UsageError(f"{where}: {key}: expected {_expected(key)}, got {value!r}")
    if isinstance(default, tuple):
        wanted = type(default[0]) if default else str
        items = value if isinstance(value, list | tuple) else [value]
        # of blocks there must be some; a data set and a teacher have names
        if not all(type(item) is wanted and item > wanted() for item in items):
            raise problem
        if default and not items:
            raise problem
        return tuple(items)
    if isinstance(default, float) and type(value) in (int, str):  # YAML reads 1e-3 as a text
        try:
            value = float(value)
        except (OverflowError, ValueError):
            raise problem from None
    if type(value) is not type(default) or value in (float("inf"), float("-inf")):
        raise problem
    if isinstance(value, int | float):
        least, most = AT_LEAST.get(key, 0), AT_MOST.get(key, math.inf)
        if not least <= value <= most:
            raise problem
    if key in CHOICES and value not in CHOICES[key]:
        raise UsageError(f"{problem}{suggestion(str(value), CHOICES[key])}")
    return value


def _first_years(value: Sequence[Any], where: str) -> tuple[int, ...]:
    """Of the classes of one's own scheme, of which there are two at least."""
    if len(value) < 2 or not all(type(year) is int for year in value):
        raise UsageError(f"{where}: target: expected {_expected('target')}, got {value!r}")
    try:
        scheme_of(value)
    except UsageError as error:
        raise UsageError(f"{where}: target: {error}") from error
    return tuple(value)


def _expected(key: str) -> str:
    default = FIELDS[key].default
    if key == "target":
        names = ", ".join(CHOICES[key])
        return f"one of {names}, or the first years of classes, such as [0, 6, 10, 16]"
    if key in CHOICES:
        return "one of " + ", ".join(CHOICES[key])
    if isinstance(default, bool):
        return "true or false"
    if isinstance(default, int | float):
        kind = "a whole number" if isinstance(default, int) else "a number"
        least, most = AT_LEAST.get(key, 0), AT_MOST.get(key)
        lower = "above 0" if least == ABOVE_0 else f"of at least {least:g}"
        upper = {None: "", BELOW_1: " and below 1"}.get(most, f" and at most {most}")
        return f"{kind} {lower}{upper}"
    if isinstance(default, tuple):
        return "whole numbers above 0" if default else "a list of names"
    return "a string"
