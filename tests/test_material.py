"""What a run refuses to learn from, before Keras starts."""

from __future__ import annotations

import contextlib
import dataclasses
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import h5py
import numpy as np
import pytest
from faces_data import PROVENANCE, write_split

from livecam.errors import LivecamError
from train import fit
from train.material import _warn_of_other_faces, gathered
from train.recipe import SHIPPED, Recipe
from train.run_folder import RunFolder


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_split(tmp_path / "faces.h5")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["architecture=resnt"], "unknown network 'resnt'; did you mean 'resnet'?"),
        (["datasets=[mine]"], "datasets: no faces of 'mine'; the file has utkface"),
        (["batch=25"], "24 faces to train on; expected a batch of 25 at least"),
        (["pretrained=false", "begin=none"], "begin: none/age_gender.keras: no such model"),
        (["teachers=[none.onnx]"], "teachers: none.onnx: no such model; expected the age_gender"),
    ],
)
def test_what_cannot_be_learnt_is_said_before_keras_starts(
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    settings: list[str],
    message: str,
) -> None:
    monkeypatch.setattr(fit, "import_keras", lambda: pytest.fail("Keras was started"))
    given = [part for setting in settings for part in ("--set", setting)]
    assert fit.main([str(SHIPPED), "--data", str(data), "--out", str(tmp_path / "run"), *given]) > 0
    (said,) = capsys.readouterr().err.splitlines()
    assert message in said
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("part", "message"),
    [
        (0, "actors-3: no face to train on in 51+; give data that covers the scheme"),
        (1, "actors-3: no face of the dev part has an age that lies in one class"),
    ],
)
def test_an_empty_class_is_said_before_keras_starts(
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    part: int,
    message: str,
) -> None:
    with h5py.File(data, "a") as h5:
        ends = h5["age_low"][()], h5["age_high"][()]
        own = h5["split"][()] == part
        ends[0][own & (ends[1] > 50)] = 45  # of two classes
        if part == 1:
            ends[0][own], ends[1][own] = 20, 60
        h5["age_low"][:], h5["age_high"][:] = ends
    monkeypatch.setattr(fit, "import_keras", lambda: pytest.fail("Keras was started"))
    recipe = tmp_path / "classes.yaml"
    recipe.write_text("target: actors-3\nbatch: 4\n")
    assert fit.main([str(recipe), "--data", str(data), "--out", str(tmp_path / "run")]) == 1
    assert message in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize("input_px", [128, 224])
def test_pictures_that_are_enlarged_are_said(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], input_px: int
) -> None:
    gathered(Recipe(input_px=input_px, batch=4), data, RunFolder(tmp_path / "run"), resume=False)
    said = (
        "input_px: 224: the crops are of 128 px and are enlarged; prepare with --crop-px 224 for "
        "more detail\n"
    )
    assert capsys.readouterr().err == (said if input_px == 224 else "")


@pytest.mark.parametrize(
    ("known", "message"),
    [
        ({}, ""),
        (
            {"crop_px": 64},
            "in crops of another size, 128 px; expected a file made with --crop-px 64",
        ),
        ({"data_hash": "other"}, "not the faces of this run: their hash is 0000"),
    ],
)
def test_a_run_goes_on_with_the_pictures_it_began_with(
    data: Path, tmp_path: Path, known: dict[str, Any], message: str
) -> None:
    run, recipe = RunFolder(tmp_path / "run"), Recipe(batch=4)
    run.begin(recipe, **{**PROVENANCE, **known})
    with pytest.raises(LivecamError, match=message) if message else contextlib.nullcontext():
        gathered(recipe, data, run, resume=True)


@pytest.mark.parametrize(
    ("labelled", "recipe", "others_know", "knows"),
    [
        (True, {}, False, True),
        (True, {"gender_weight": 0.0}, True, False),
        (True, {"gender_weight": 0.0, "begin": ("before",), "frozen": "all"}, True, True),
        (True, {"gender_weight": 0.0, "begin": ("before",), "frozen": "all"}, False, False),
        # what its answer rests on is changed
        (True, {"gender_weight": 0.0, "begin": ("before",)}, True, False),
        (True, {"gender_weight": 0.0, "begin": ("before",), "frozen": "feats"}, True, False),
        (True, {"begin": ("before",), "frozen": "all", "head_units": 8}, True, True),
        (True, {"begin": ("before",)}, False, True),
        (False, {}, True, False),
        (False, {"begin": ("before", "before")}, True, False),
        (False, {"begin": ("before", "before"), "frozen": "all"}, True, True),
        (False, {"begin": ("before",), "frozen": "all", "head_units": 8}, True, False),
        (False, {"begin": ("before",), "frozen": "all"}, False, False),
        (False, {"teachers": ("before/age_gender.keras",)}, True, True),
        (False, {"teachers": ("before/age_gender.keras",)}, False, False),
        (False, {"pretrained": True, "architecture": "mobilenet"}, False, False),
        (False, {"pretrained": True, "architecture": "mobilenet", "frozen": "all"}, False, True),
        (False, {"pretrained": True, "architecture": "keras:VGG16"}, False, False),
    ],
)
@pytest.mark.parametrize("is_exported", [False, True])
def test_a_gender_is_known_only_where_something_tells_it(
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    labelled: bool,
    recipe: dict[str, Any],
    others_know: bool,
    knows: bool,
    is_exported: bool,
) -> None:
    monkeypatch.chdir(tmp_path)
    before, run = RunFolder(Path("before")), RunFolder(Path("run"))
    if is_exported:
        before.path.mkdir()
        text = f"data_hash: '{PROVENANCE['data_hash']}'\nknows_gender: {others_know}\n"
        (before.path / "age_gender.yaml").write_text(text)
    else:
        before.begin(Recipe(), **{**PROVENANCE, "knows_gender": others_know})
    before.model.touch()
    if not labelled:
        with h5py.File(data, "a") as h5:
            h5["gender"][h5["split"][()] == 0] = -1
    given = Recipe(batch=4, **recipe)
    material = gathered(given, data, run, resume=False)
    assert material.knows_gender == knows
    learns = given.gender_weight > 0 and (labelled or bool(given.teachers and others_know))
    assert material.learns_gender == learns
    said = capsys.readouterr().err
    assert ("no face to train on has a gender: it is not learnt" in said) == (
        not learns and given.gender_weight > 0
    )
    given = given if learns else dataclasses.replace(given, gender_weight=0.0)  # as `fit` does
    run.begin(given, **material.provenance)
    assert run.knows_gender() == knows
    again = gathered(given, data, run, resume=True)
    assert (again.learns_gender, again.knows_gender) == (learns, knows)


def test_a_data_set_that_judges_nothing_is_told(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with h5py.File(data, "a") as h5:
        names = h5["dataset"].asstr()[()]
        names[np.nonzero(h5["split"][()] == 0)[0][:12]] = "mine"
        h5["dataset"][:] = names
    run = RunFolder(tmp_path / "run")
    gathered(Recipe(batch=4, datasets=("utkface", "mine")), data, run, resume=False)
    assert "no face of mine in its dev part" in capsys.readouterr().err
    with pytest.raises(LivecamError, match="no faces of 'mime'; did you mean 'mine'"):
        gathered(Recipe(batch=4, datasets=("utkface", "mime")), data, run, resume=False)


def test_what_a_teacher_knows_is_beside_its_file_whatever_that_is_called(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    teacher = tmp_path / "mine.onnx"
    teacher.touch()
    teacher.with_suffix(".yaml").write_text("data_hash: other\nknows_gender: false\n")
    with h5py.File(data, "a") as h5:
        h5["gender"][:] = -1
    recipe = Recipe(batch=4, teachers=(str(teacher),))
    assert not gathered(recipe, data, RunFolder(tmp_path / "run"), resume=False).knows_gender
    assert "their hash is other" in capsys.readouterr().err


def test_a_gender_that_nobody_tells_has_no_weight(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    learnt: list[Recipe] = []
    loop = SimpleNamespace(fit=lambda recipe, *rest, **more: learnt.append(recipe))
    monkeypatch.setitem(sys.modules, "train.loop", loop)
    monkeypatch.setattr(fit, "import_keras", lambda: None)
    (tmp_path / "r.yaml").write_text("batch: 4\n")
    arguments = [str(tmp_path / "r.yaml"), "--data", str(data), "--no-report", "--out"]
    assert fit.main([*arguments, str(tmp_path / "known")]) == 0
    with h5py.File(data, "a") as h5:
        h5["gender"][:] = -1
    assert fit.main([*arguments, str(tmp_path / "unknown")]) == 0
    assert [recipe.gender_weight for recipe in learnt] == [Recipe.gender_weight, 0]


@pytest.mark.parametrize(("key", "file"), [("begin", ""), ("teachers", "age_gender.keras")])
@pytest.mark.parametrize("is_exported", [False, True])
@pytest.mark.parametrize(
    ("known", "says"),
    [(None, ""), ("same", ""), ("other", "their hash is other, here it is same")],
)
def test_a_run_that_begins_with_one_of_other_faces_says_so(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    known: str | None,
    says: str,
    is_exported: bool,
    key: str,
    file: str,
) -> None:
    before = RunFolder(tmp_path / "before")
    if known is not None and is_exported:
        before.path.mkdir()
        (before.path / "age_gender.yaml").write_text(f"data_hash: {known}\n")
    elif known is not None:
        before.begin(Recipe(), **{**PROVENANCE, "data_hash": known})
    recipe = Recipe(**{key: (str(before.path / file),)})
    _warn_of_other_faces(recipe, "same")
    said = capsys.readouterr().err
    assert says in said
    assert len(said.splitlines()) == bool(says)
