"""Recipes: what a file and --set may say, and what the documents say of them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from livecam.errors import LivecamError, UsageError
from train.recipe import CHOICES, FIELDS, SHIPPED, Recipe, as_record, from_record, read_recipe

RECIPES = sorted((SHIPPED.parent).rglob("*.yaml"))
README = (SHIPPED.parent / "README.md").read_text()


def test_keys_of_the_file_give_way_to_a_target_that_is_set(tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    path.write_text("age_l1: 0.1\nlabel_sigma: 2.0\n")
    recipe = read_recipe(path, ["target=[0,18,40]"])
    assert (recipe.target, recipe.age_l1, recipe.label_sigma) == ((0, 18, 40), 0.0, 1.0)
    with pytest.raises(UsageError, match="age_l1 for decades has no effect"):
        read_recipe(path, ["target=decades", "age_l1=0.2"])
    path.write_text("target: decades\nage_l1: 0.1\n")
    with pytest.raises(UsageError, match="age_l1 for decades has no effect"):
        read_recipe(path)


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_recipe_is_one(path: Path) -> None:
    recipe = read_recipe(path)
    assert from_record(as_record(recipe), "record") == recipe
    assert path.read_text().startswith("# ")


def test_an_empty_recipe_has_the_defaults(tmp_path: Path) -> None:
    path = tmp_path / "empty.yaml"
    path.write_text("")
    assert read_recipe(path) == Recipe()
    path.write_text("frozen:\nbegin:\ndatasets:\nteachers:\n")
    assert read_recipe(path) == Recipe()


@pytest.mark.parametrize(
    ("setting", "key", "value"),
    [
        ("epochs=3", "epochs", 3),
        ("learning_rate=1e-3", "learning_rate", 0.001),
        ("learning_rate=1", "learning_rate", 1.0),
        ("gray=true", "gray", True),
        ("depths=[1, 2]", "depths", (1, 2)),
        ("datasets=utkface", "datasets", ("utkface",)),
        ("target = utk-8", "target", "utk-8"),
        ("target=[0,6,10,16]", "target", (0, 6, 10, 16)),
        ("frozen=", "frozen", ""),
        ("begin=runs/a", "begin", ("runs/a",)),
        ("begin=[runs/a, runs/b]", "begin", ("runs/a", "runs/b")),
        ('begin=""', "begin", ()),
        ("datasets=", "datasets", ()),
    ],
)
def test_a_setting_changes_a_key(tmp_path: Path, setting: str, key: str, value: object) -> None:
    path = tmp_path / "empty.yaml"
    path.write_text("")
    assert getattr(read_recipe(path, [setting]), key) == value


def test_settings_count_together(tmp_path: Path) -> None:
    """Two keys that belong together may come in any order."""
    path = tmp_path / "r.yaml"
    path.write_text("architecture: mobilenet\npretrained: true\nearly_px: 64\nearly_share: 0.5\n")
    for settings in (("begin=x", "pretrained=false"), ("pretrained=false", "begin=x")):
        assert read_recipe(path, settings).begin == ("x",)
    assert read_recipe(path, ("early_px=0", "early_share=0")).early_share == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("epoch: 3", "unknown key 'epoch'; did you mean 'epochs'?"),
        ("zzz: 3", "unknown key 'zzz'; the keys are architecture, "),
        ("teacher_weight: 0", "teacher_weight: expected a number above 0 and at most 1.0, got 0"),
        (
            "teacher_weight: 1.5",
            "teacher_weight: expected a number above 0 and at most 1.0, got 1.5",
        ),
        ("{teachers: [a.onnx], target: utk-8}", "teachers speak of years: leave target at years"),
        ("seed: 4294967296", "seed: expected a whole number of at least 0 and at most 4294967295"),
        ("depths: []", "depths: expected whole numbers above 0, got []"),
        ("depths: [2, 0]", "depths: expected whole numbers above 0, got [2, 0]"),
        ("teachers: ['']", "teachers: expected a list of names, got ['']"),
        ("epochs: 0", "epochs: expected a whole number of at least 1, got 0"),
        ("epochs: 2.5", "epochs: expected a whole number of at least 1, got 2.5"),
        ("epochs: true", "epochs: expected a whole number of at least 1, got True"),
        ("learning_rate: 0", "learning_rate: expected a number above 0, got 0"),
        ("learning_rate: .nan", "learning_rate: expected a number above 0, got nan"),
        ("dropout: .inf", "dropout: expected a number of at least 0 and below 1, got inf"),
        ("dropout: much", "dropout: expected a number of at least 0 and below 1, got 'much'"),
        ("gray: 1", "gray: expected true or false, got 1"),
        ("target: utk-13", "target: expected one of years, marketing, "),
        ("target: utk12", "such as [0, 6, 10, 16], got 'utk12'; did you mean 'utk-12'?"),
        ("optimizer: Adamw", "rmsprop, sgd, got 'Adamw'; did you mean 'adamw'?"),
        ("target: school", "or the first years of classes, such as [0, 6, 10, 16], got 'school'"),
        ("target: [0]", "or the first years of classes, such as [0, 6, 10, 16], got [0]"),
        ("target: [0, six]", "or the first years of classes, such as [0, 6, 10, 16], got [0, 'six"),
        ("target: [6, 10]", "rising first years that begin with 0 and stay below 101, received [6"),
        ("depths: [1, a]", "depths: expected whole numbers above 0, got [1, 'a']"),
        ("early_share: 1", "early_share: expected a number of at least 0 and below 1, got 1"),
        ("dropout: 1", "dropout: expected a number of at least 0 and below 1, got 1"),
        ("ema: 1", "ema: expected a number of at least 0 and below 1, got 1"),
        ("early_share: 0.5", "early_share without early_px"),
        ("{batch: 7, devices: 2}", "devices: 2 cannot share a batch of 7 evenly"),
        ("architecture: resnt", "architecture: unknown network 'resnt'; did you mean 'resnet'?"),
        ("architecture: zzz", "unknown network 'zzz'; known: resnet, mobilenet, base-cnn, "),
        (
            "{architecture: lenet, pretrained: true}",
            "pretrained: there are no such weights for lenet",
        ),
        (
            "{architecture: lenet, early_share: 0.5, early_px: 16}",
            "early_share: lenet takes pictures of one size",
        ),
        ("eight_bits: true", "eight_bits: resnet cannot be trained for it, mobilenet can"),
        ("architecture: mobilenet", "give pretrained or begin, or take recipes/resnet.yaml"),
        (
            "{architecture: mobilenet, pretrained: true, pretrained_share: 0.1}",
            "pretrained_share: of the weights of a mobilenet that has a begin",
        ),
        ("{begin: x, pretrained_share: 0.1}", "pretrained_share: of the weights of a mobilenet"),
        (
            "{begin: x, pretrained_share: 1}",
            "pretrained_share: expected a number of at least 0 and",
        ),
        ("early_px: 64", "early_px without early_share has no effect"),
        ("teacher_weight: 0.3", "teacher_weight without teachers has no effect"),
        (
            "{target: utk-8, age_l1: 0.1, label_sigma: 2}",
            "label_sigma for utk-8, age_l1 for utk-8 have no effect: leave label_sigma at 1.0, "
            "age_l1 at 0.0",
        ),
        ("{target: utk-8, label_sigma_growth: 0.1}", "label_sigma_growth for utk-8 has no effect"),
        ("{architecture: lenet, width: 16}", "width of lenet has no effect: leave width at 32"),
        (
            "{architecture: al-resnet, depths: [1]}",
            "depths of al-resnet has no effect: leave depths at [2, 2, 2, 2]",
        ),
        ("frozen: all", "frozen: all would keep random weights: give pretrained or begin, or"),
        ("- a", "expected `key: value` lines, received list"),
        ("target:", "target: expected one of years, "),
        ("depths:", "depths: expected whole numbers above 0, got None"),
        ("a: [", "not valid YAML"),
        ("epochs: 2020-13-45", "not valid YAML: '2020-13-45' in line 1 is no time"),
        ("epochs: 3\ngray: true\nepochs: 4", "'epochs' is there twice, in lines 1 and 3; keep one"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "r.yaml"
    path.write_text(text)
    with pytest.raises(UsageError, match=re.escape(message)) as caught:
        read_recipe(path)
    assert str(path) in str(caught.value)


def test_a_flag_is_named_by_its_name() -> None:
    assert read_recipe(SHIPPED, ["epochs=2"], {"epochs": 3}).epochs == 3
    with pytest.raises(UsageError, match=r"^--epochs: epochs: expected a whole number of at least"):
        read_recipe(SHIPPED, ["batch=8"], {"epochs": 0})
    with pytest.raises(UsageError, match=r"^--seed: seed: expected a whole number of at least 0"):
        read_recipe(SHIPPED, [], {"seed": -1})
    with pytest.raises(UsageError, match=r"^--set: epochs: expected"):
        read_recipe(SHIPPED, ["epochs=0"])
    with pytest.raises(UsageError, match=r"^--set epochs=!!int x: not valid YAML: 'x' in line 1"):
        read_recipe(SHIPPED, ["epochs=!!int x"])


@pytest.mark.parametrize("key", ["epochs", "ema", "seed"])
def test_a_number_that_is_no_float(key: str) -> None:
    with pytest.raises(UsageError, match=f"^--set {key}=9*: not valid YAML: '9*… in line 1 is too"):
        read_recipe(SHIPPED, [f"{key}={400 * '9'}"])
    if key != "epochs":
        with pytest.raises(UsageError, match=f"^record: {key}: expected a .*, got 10*$"):
            from_record({key: 10**400}, "record")


def test_what_only_a_beginning_needs_is_not_asked_of_a_run_that_goes_on(tmp_path: Path) -> None:
    assert from_record({"architecture": "mobilenet"}, "record").architecture == "mobilenet"
    path = tmp_path / "r.yaml"
    path.write_text("architecture: mobilenet\n")
    assert read_recipe(path, ["begin=x"]).begin == ("x",)
    with pytest.raises(UsageError, match="mobilenet has no normalisations"):
        read_recipe(SHIPPED, ["pretrained=false"])
    assert from_record({"frozen": "all"}, "record").frozen == "all"
    vgg = SHIPPED.parent / "published" / "a-megaage7-vgg16.yaml"
    assert not read_recipe(vgg, ["pretrained=false", "frozen="]).frozen
    with pytest.raises(
        UsageError, match="with --set: frozen: block5_conv1 would keep random weights"
    ):
        read_recipe(vgg, ["pretrained=false"])


def test_no_recipe_at_all(tmp_path: Path) -> None:
    with pytest.raises(LivecamError, match=r"none.yaml: cannot read the recipe: No such file"):
        read_recipe(tmp_path / "none.yaml")
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(LivecamError, match=r"binary.yaml: cannot read the recipe: it is not text"):
        read_recipe(tmp_path / "binary.yaml")
    with pytest.raises(UsageError, match="--set: expected key=value, without spaces, got 'epochs'"):
        read_recipe(SHIPPED, ["epochs"])


@pytest.mark.parametrize("key", FIELDS)
def test_the_readme_explains_every_key(key: str) -> None:
    row = next(line for line in README.splitlines() if line.startswith("|") and f"`{key}`" in line)
    for choice in CHOICES.get(key, ()) if key != "target" else ():
        assert f"`{choice}`" in row
    default = FIELDS[key].default
    if isinstance(default, int | float) and not isinstance(default, bool):
        assert re.search(rf"(?<![\d.]){default:g}(?![\d.])", row.split("|")[-2]), row


def test_the_readme_names_only_keys() -> None:
    rows = [line for line in README.splitlines() if line.startswith("| `")]
    named = {key for row in rows for key in re.findall(r"`(\w+)`", row.split("|")[1])}
    assert named == set(FIELDS)


def test_no_recipe_repeats_a_default() -> None:
    for path in RECIPES:
        for key, value in yaml.safe_load(path.read_text()).items():
            assert value != FIELDS[key].default or key in ("architecture", "target", "precision",
                "label_sigma", "epochs", "learning_rate", "batch", "width", "depths", "input_px",
                "schedule"), f"{path.name}: {key}"  # fmt: skip
