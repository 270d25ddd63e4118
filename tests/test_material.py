"""What a run refuses to learn from, before Keras starts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import pytest
from faces_data import write_h5

from train import fit
from train.material import _warn_of_other_faces
from train.recipe import SHIPPED, Recipe
from train.run_folder import RunFolder


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """30 faces of 1 to 80 years: 24 to learn, 6 to judge."""
    path = write_h5(tmp_path / "faces.h5")
    with h5py.File(path, "a") as h5:
        h5["split"][:] = [0, 0, 0, 0, 1] * 6
    return path


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
        h5["age_low"], h5["age_high"] = (h5["age"][()].astype(int) for _ in range(2))
        ends = h5["age_low"][()], h5["age_high"][()]
        own = h5["split"][()] == part
        ends[0][own & (ends[1] > 50)] = 45  # of two classes
        if part == 1:
            ends[0][own], ends[1][own] = 20, 60
        h5["age_low"][:], h5["age_high"][:] = ends
    monkeypatch.setattr(fit, "import_keras", lambda: pytest.fail("Keras was started"))
    files = [str(SHIPPED), "--data", str(data), "--out", str(tmp_path / "run")]
    assert fit.main([*files, "--set", "target=actors-3", "--set", "batch=4"]) == 1
    assert message in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize(
    ("key", "value"), [("begin", str), ("teachers", lambda path: (str(path / "age_gender.keras"),))]
)
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
    value: Callable[[Path], Any],
) -> None:
    before = RunFolder(tmp_path / "before")
    if known is not None and is_exported:
        before.path.mkdir()
        (before.path / "age_gender.yaml").write_text(f"data_hash: {known}\n")
    elif known is not None:
        before.begin(Recipe(), data_hash=known)
    recipe = Recipe(**{key: value(before.path)})
    _warn_of_other_faces(recipe, "same")
    said = capsys.readouterr().err
    assert says in said
    assert len(said.splitlines()) == bool(says)
