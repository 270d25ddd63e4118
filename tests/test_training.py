"""A whole small training with the real commands: fit, kill, resume, export, evaluate, run."""

from __future__ import annotations

import csv
import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest
from conftest import unavailable
from faces_data import write_utkface

from livecam.classifier import AgeGenderClassifier
from livecam.errors import LivecamError
from train import prepare
from train.faces import load

ROOT = Path(__file__).parent.parent
EPOCHS = 3


def _train(module: str, *arguments: object, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", f"train.{module}", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=280)


@pytest.fixture(scope="module")
def data(tmp_path_factory, astronaut) -> Path:  # type: ignore[no-untyped-def]
    if importlib.util.find_spec("tensorflow") is None:
        unavailable("TensorFlow")
    folder = tmp_path_factory.mktemp("faces")
    names = write_utkface(folder / "utk", astronaut, 40)
    (folder / "test.txt").write_text("\n".join(names[:6]))
    path = folder / "faces.h5"
    options = ["--test-list", str(folder / "test.txt"), "--dev-share", "0.25"]
    assert prepare.main([str(folder / "utk"), "-o", str(path), *options]) == 0
    return path


def _arguments(data: Path, run: Path) -> list[object]:
    return [data, "--out", run, "--epochs", EPOCHS, "--batch", 8, "--precision", "float32"]


@pytest.fixture(scope="module")
def run(data: Path) -> Path:
    folder = data.parent / "run"
    done = _train("fit", *_arguments(data, folder))
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{folder / 'age_gender.keras'}\n"
    return folder


def _curve(run: Path) -> list[list[str]]:
    with (run / "log.csv").open() as file:
        return [row[:-1] for row in csv.reader(file)]  # all but the seconds


def test_a_run_keeps_its_recipe_and_curve(run: Path, data: Path) -> None:
    record = json.loads((run / "recipe.json").read_text())
    assert record["recipe"]["epochs"] == EPOCHS
    assert record["data_hash"] == load(data, "dev").data_hash
    assert [row[0] for row in _curve(run)] == ["epoch", "1", "2", "3"]


def test_a_killed_run_resumes_to_the_same_curve(run: Path, data: Path) -> None:
    folder = data.parent / "killed"
    command = [sys.executable, "-m", "train.fit", *map(str, _arguments(data, folder))]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL)
    log = folder / "log.csv"
    while process.poll() is None and not (log.exists() and len(log.read_text().split()) > 1):
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert len(_curve(folder)) <= EPOCHS  # it was killed before its end
    done = _train("fit", data, "--out", folder, "--resume")
    assert done.returncode == 0, done.stderr
    expected, resumed = _curve(run), _curve(folder)
    assert [row[0] for row in resumed] == [row[0] for row in expected]
    for got, wanted in zip(resumed[1:], expected[1:], strict=True):
        np.testing.assert_allclose(np.float64(got), np.float64(wanted), rtol=0.02)


@pytest.fixture(scope="module")
def exported(run: Path, data: Path) -> Path:
    folder = data.parent / "exported"
    done = _train("export", run, "--data", data, "--out", folder)
    assert done.returncode == 0, done.stderr
    return folder


def test_the_export_says_what_the_master_says(exported: Path, data: Path) -> None:
    crops = load(data, "test").crops[:]
    onnx = AgeGenderClassifier(exported / "age_gender.onnx")(crops)
    keras = AgeGenderClassifier(exported / "age_gender.keras", runtime="keras")(crops)
    np.testing.assert_allclose(onnx.age_probs, keras.age_probs, atol=1e-4)
    np.testing.assert_allclose(onnx.female_prob, keras.female_prob, atol=1e-4)
    np.testing.assert_allclose(onnx.age_probs.sum(axis=1), 1, atol=1e-4)


def test_the_master_has_no_optimiser_state(exported: Path, run: Path) -> None:
    assert (exported / "age_gender.keras").stat().st_size < 13e6
    assert (run / "last.weights.h5").stat().st_size > 40e6


def test_evaluate_prints_scores_beside_baselines(exported: Path, data: Path) -> None:
    model = exported / "age_gender.onnx"
    done = _train("evaluate", data, "--model", model, "--json")
    scores = json.loads(done.stdout)
    assert scores["faces"] == 6
    assert scores["mae"]["low"] <= scores["mae"]["value"] <= scores["mae"]["high"]
    assert sum(group["faces"] for group in scores["by_gender"].values()) == 6
    text = _train("evaluate", data, "--model", model).stdout
    assert f"| MAE, years | {scores['mae']['value']:.2f} |" in text


def test_a_run_from_imagenet_s_weights_gives_a_model(data: Path) -> None:
    folder = data.parent / "pretrained"
    options = ["--architecture", "efficientnet_lite0", "--epochs", 1, "--batch", 8]
    done = _train("fit", data, "--out", folder, *options)
    assert done.returncode == 0, done.stderr
    crops = load(data, "dev").crops[:]
    answer = AgeGenderClassifier(folder / "age_gender.keras", runtime="keras")(crops)
    np.testing.assert_allclose(answer.age_probs.sum(axis=1), 1, atol=1e-4)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([], 2, "python -m train.prepare UTKFace.zip -o faces.h5\n  python -m train.fit faces.h5"),
        (["none.h5"], 1, "none.h5: no such file; make it with python -m train.prepare"),
        (["setup.cfg"], 1, "setup.cfg: not a file of python -m train.prepare"),
        (["none.h5", "--epochs", "0"], 2, "expected at least 1"),
        (["none.h5", "--out", "nowhere", "--resume"], 1, "nowhere: no run to resume"),
    ],
)
def test_fit_says_what_is_wrong(arguments: list[str], code: int, message: str) -> None:
    done = _train("fit", *arguments)
    assert done.returncode == code
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_a_run_is_not_overwritten_and_a_foreign_checkpoint_is_refused(
    run: Path, data: Path
) -> None:
    done = _train("fit", data, "--out", run)
    assert done.returncode == 2
    assert "holds a run; give --resume" in done.stderr
    other = data.parent / "other"
    other.mkdir()
    record = json.loads((run / "recipe.json").read_text())
    record["recipe"]["width"] = 16
    (other / "recipe.json").write_text(json.dumps(record))
    (other / "log.csv").write_text((run / "log.csv").read_text())
    (other / "last.weights.h5").write_bytes((run / "last.weights.h5").read_bytes())
    done = _train("fit", data, "--out", other, "--resume")
    assert done.returncode == 1
    assert "not a checkpoint of this recipe" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_empty_part_is_said(data: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare.h5"
    bare.write_bytes(data.read_bytes())
    with h5py.File(bare, "a") as h5:
        h5["split"][:] = 0
    done = _train("evaluate", bare)
    assert done.returncode == 1
    assert "no face in its test part" in done.stderr


def test_without_keras_the_install_command_is_the_answer(tmp_path: Path) -> None:
    blocker = (
        "import sys; sys.modules['keras'] = None; import importlib.util as u; f = u.find_spec\n"
    )
    blocker += "u.find_spec = lambda name, *a: None if name == 'keras' else f(name, *a)\n"
    (tmp_path / "sitecustomize.py").write_text(blocker)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "-m", "train.fit", "faces.h5"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 1
    assert 'pip install "' in done.stderr
    assert '[train]"' in done.stderr


def test_an_export_needs_the_data_of_its_run(run: Path, data: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.h5"
    other.write_bytes(data.read_bytes())
    with h5py.File(other, "a") as h5:
        h5.attrs["data_hash"] = "0" * 16
    out = tmp_path / "models"
    done = _train("export", run, "--data", other, "--out", out)
    assert done.returncode == 1
    assert "other.h5: not the faces of this run" in done.stderr
    assert not out.exists()


def test_a_resumed_run_keeps_its_recipe(run: Path, data: Path) -> None:
    done = _train("fit", data, "--out", run, "--resume", "--epochs", "9", "--seed", "1")
    assert done.returncode == 2
    assert "leave out --epochs, --seed" in done.stderr


@pytest.mark.parametrize("power", [".nan", "-3", "0", "words", "1e9"])
def test_a_calibration_that_is_none(exported: Path, tmp_path: Path, power: str) -> None:
    model = tmp_path / "a.onnx"
    model.write_bytes((exported / "age_gender.onnx").read_bytes())
    model.with_suffix(".yaml").write_text(f"age_power: {power}\n")
    with pytest.raises(LivecamError, match="age_power"):
        AgeGenderClassifier(model)
