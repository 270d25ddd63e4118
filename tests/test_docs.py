"""README, settings, help, model card and code say the same."""

from __future__ import annotations

import contextlib
import io
import json
import re
from pathlib import Path

import pytest
import yaml

from livecam import __version__, cli
from livecam.ages import SCHEMES
from livecam.exit_codes import SYSTEM_PACKAGES
from livecam.live.keys import KEYS as WINDOW_KEYS
from livecam.prediction import KEYS
from livecam.track_table import TRACK_FIELDS
from train.score_tables import table

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
CARD = (ROOT / "models" / "README.md").read_text()
CI = (ROOT / ".ci" / "run").read_text()
SCORES = json.loads((ROOT / "models" / "scores.json").read_text())
DOCUMENTS = [
    (name, (ROOT / name).read_text())
    for name in ("README.md", "models/README.md", "recipes/README.md", "docs/published.md",
                 "docs/experiments.md", "docs/performance.md", "docs/audience.md")
]  # fmt: skip
COMMANDS = tuple(cli.COMMANDS)


def _help(*command: str) -> str:
    text = io.StringIO()
    with contextlib.redirect_stdout(text), pytest.raises(SystemExit):
        cli.main([*command, "--help"])
    return text.getvalue()


def test_readme_opens_with_what_it_is_a_picture_and_two_commands() -> None:
    top = README[: README.index("\n## ")]
    assert "![" in top
    blocks = re.findall(r"```sh\n(.*?)```", top, re.DOTALL)
    assert [len(block.splitlines()) for block in blocks] == [1, 1]
    assert 'pip install ".[demo]" && .venv/bin/livecam demo' in blocks[0]
    assert 'pip install ".[test]" && .venv/bin/python -m pytest' in blocks[1]


def test_every_file_that_the_documents_name_is_there() -> None:
    for name, text in DOCUMENTS:
        for target in re.findall(r"\]\((?!http)([^)#]+)\)", text):
            assert ((ROOT / name).parent / target).exists(), f"{name} names {target}"


def test_readme_says_where_every_module_is() -> None:
    files = [*(ROOT / "livecam").rglob("[a-z]*.py")]
    assert files
    for file in files:
        assert f"`{file.stem}`" in README, file


def test_readme_names_every_command_and_only_flags_that_exist() -> None:
    known = _help() + "".join(_help(command) for command in COMMANDS)
    for command in COMMANDS:
        assert f"livecam {command}" in README
        assert command in _help()
    for line in re.findall(r"^livecam .*$", README, re.MULTILINE):
        command = line.split()[1]
        for flag in re.findall(r"--[a-z-]+", line):
            assert flag in _help(command), f"README: {line}"
    for flag in set(re.findall(r"`(--[a-z-]+)", README)):
        assert flag in known or flag == "--resume", flag


@pytest.mark.parametrize("name", SCHEMES)
def test_readme_lists_the_bins_of_every_scheme(name: str) -> None:
    row = next(line for line in README.splitlines() if line.startswith(f"| `{name}`"))
    listed = row.split("|")[2].replace("… in fives …", "").replace(" ", "").split(",")
    labels = SCHEMES[name].labels
    assert [label for label in listed if label] == [label for label in labels if label in listed]
    assert listed[0] == labels[0]
    assert listed[-1] == labels[-1]


def test_help_and_settings_name_every_scheme() -> None:
    settings = (ROOT / "config.yaml").read_text()
    for name in SCHEMES:
        assert name in _help("annotate")
        assert name in settings


def test_readme_names_the_fields_of_both_tables() -> None:
    flat = re.sub(r"\s+", " ", README)
    assert ", ".join(TRACK_FIELDS) in flat
    for key in KEYS:
        assert f"`{key}`" in README


def test_readme_names_every_key() -> None:
    rows = [line for line in README.splitlines() if line.startswith(("| `", "| the mouse"))]
    keys = set(re.findall(r"`([^`]+)`", "".join(row.split("|")[1] for row in rows)))
    for key in WINDOW_KEYS:
        for shown in key.shown.split("  "):
            assert shown in keys or shown == "mouse", f"README has no row for {shown}"


def test_the_system_packages_are_the_same_everywhere() -> None:
    for package in SYSTEM_PACKAGES.split():
        assert package in README
        assert package in CI


@pytest.mark.parametrize("name", ["README.md", "config.yaml"])
def test_the_places_of_a_persons_own_settings_are_told(name: str) -> None:
    text = (ROOT / name).read_text()
    for folder in ("~/.config/", "%APPDATA%\\", "~/Library/Application Support/"):
        assert f"{folder}livecam" in text


def test_every_setting_has_its_comment() -> None:
    text = (ROOT / "config.yaml").read_text()
    for section, keys in yaml.safe_load(text).items():
        for key in keys:
            line = next(line for line in text.splitlines() if line.strip().startswith(f"{key}:"))
            assert "#" in line, f"{section}.{key}"


def test_the_cards_figures_are_those_of_the_scores() -> None:
    for line in table(SCORES):
        assert line in CARD
    assert f"{SCORES['mae']['value']:.2f} years" in README
    assert f"{100 * SCORES['gender']['value']:.1f} %" in README


def test_what_is_said_beside_published_systems_is_of_the_scores() -> None:
    text = (ROOT / "docs" / "published.md").read_text()
    for name in ("megaage-7", "decades", "life-stages", "utk-12", "utk-14", "utk-8", "actors-3"):
        scheme = SCORES["schemes"][name]
        shown = f"**{100 * scheme['accuracy']:.1f} %**, recall {100 * scheme['mean_recall']:.1f} %"
        assert shown in text, name
    for recipe in re.findall(r"`([a-e]-[a-z0-9-]+)`", text):
        assert (ROOT / "recipes" / "published" / f"{recipe}.yaml").exists(), recipe


def test_the_card_names_the_data_that_were_trained_on_and_scored() -> None:
    shipped = yaml.safe_load((ROOT / "models" / "age_gender.yaml").read_text())
    assert f"`{shipped['data_hash']}`" in CARD
    assert f"`{SCORES['data_hash']}`" in CARD


def test_the_model_meets_its_bar() -> None:
    assert SCORES["faces"] == 1626
    assert SCORES["mae"]["value"] <= 4.6
    assert SCORES["gender"]["value"] >= 0.93


def test_the_changelog_begins_with_this_version_or_what_comes_and_names_every_command() -> None:
    text = (ROOT / "CHANGELOG.md").read_text()
    first = next(line for line in text.splitlines() if line.startswith("## "))
    assert first in ("## Unreleased", f"## {__version__}")
    for command in COMMANDS:
        assert f"`livecam {command}" in text, command


def test_the_lists_of_names_share_no_picture() -> None:
    test, dev = (
        (ROOT / "recipes" / f"{name}.txt").read_text().splitlines()
        for name in ("utkface-test", "shipped-dev")
    )
    assert len(set(test)) == len(test) == SCORES["faces"]
    assert not set(test) & set(dev)
