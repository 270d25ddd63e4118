"""A whole small training with the real commands: fit, kill, resume, export, evaluate, run."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import h5py
import numpy as np
import pytest
import yaml
from faces_data import write_utkface
from patience import PATIENCE_S, until
from with_keras import deprecated_in_numpy, require_module

from livecam.ages import median_age
from livecam.classifier import AgeGenderClassifier, age_prior
from livecam.errors import LivecamError
from livecam.extras import import_keras
from train import evaluate, export, fit, prepare
from train.faces import load
from train.run_folder import RunFolder

ROOT = Path(__file__).parent.parent
EPOCHS = 4
pytestmark = deprecated_in_numpy


def _train(module: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """A command as a person starts it."""
    command = [sys.executable, "-m", f"train.{module}", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=280)


Started = Callable[..., tuple[int, str, str]]


@pytest.fixture
def start(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Started:
    """`start(command, …)` in this process, which has Keras already: exit code, stdout, stderr."""
    monkeypatch.chdir(ROOT)

    def start(command: ModuleType, *arguments: object) -> tuple[int, str, str]:
        capfd.readouterr()
        code = command.main([str(argument) for argument in arguments])
        return code, *capfd.readouterr()

    return start


@pytest.fixture(scope="module")
def data(tmp_path_factory, astronaut) -> Path:  # type: ignore[no-untyped-def]
    require_module("tensorflow")
    folder = tmp_path_factory.mktemp("faces")
    names = write_utkface(folder / "utk", astronaut, 40)
    (folder / "test.txt").write_text("\n".join(names[:6]))
    path = folder / "faces.h5"
    options = ["--test-list", str(folder / "test.txt"), "--dev-share", "0.25"]
    assert prepare.main([str(folder / "utk"), "-o", str(path), *options]) == 0
    with h5py.File(path, "a") as h5:  # one face of the dev part is of a set that no run is about
        h5["dataset"][int(np.flatnonzero(h5["split"][()] == 1)[0])] = "mine"
    return path


RECIPE = """architecture: resnet
width: 24
depths: [1]
input_px: 48
early_px: 32
early_share: 0.25
batch: 8
datasets: [utkface]
"""


def _arguments(data: Path, run: Path, epochs: int = EPOCHS) -> list[object]:
    recipe = data.parent / "small.yaml"
    recipe.write_text(RECIPE)
    return [recipe, "--data", data, "--out", run, "--epochs", epochs, "--no-report"]


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
    assert record["recipe"]["width"] == 24
    assert record["faces"] == len(load(data, "train"))
    assert record["data_hash"] == load(data, "dev").data_hash
    assert record["crop_px"] == load(data, "dev").crop_px
    assert [row[0] for row in _curve(run)] == ["epoch", "1", "2", "3", "4"]


def test_a_killed_run_resumes_to_the_same_curve(run: Path, data: Path, start: Started) -> None:
    folder = data.parent / "killed"
    command = [sys.executable, "-m", "train.fit", *map(str, _arguments(data, folder))]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL)
    log = folder / "log.csv"
    while process.poll() is None and not (log.exists() and len(log.read_text().split()) > 2):
        time.sleep(0.02)  # until two epochs are done: the weights of the first are surely kept
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert len(_curve(folder)) <= EPOCHS  # it was killed before its end
    assert (folder / "last.weights.h5").exists()
    code, _, err = start(fit, "--data", data, "--out", folder, "--resume")  # with its report
    assert code == 0, err
    assert json.loads((folder / "scores.json").read_text())["split"] == "dev"
    assert "<html" in (folder / "report.html").read_text()[:200]
    clock = [row["seconds"] for row in RunFolder(folder).log()]
    assert clock == sorted(clock)  # it went on, and did not begin anew
    expected, resumed = _curve(run), _curve(folder)
    assert [row[0] for row in resumed] == [row[0] for row in expected]
    for got, wanted in zip(resumed[1:], expected[1:], strict=True):
        np.testing.assert_allclose(np.float64(got), np.float64(wanted), rtol=0.002)


def test_an_interrupted_run_ends_at_once(data: Path) -> None:
    """Whatever TensorFlow's threads do at that moment."""
    folder = data.parent / "interrupted"
    arguments = _arguments(data, folder, epochs=1000)
    child = subprocess.Popen(
        [sys.executable, "-m", "train.fit", *map(str, arguments)],
        cwd=ROOT, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    until((folder / "last.weights.h5").exists, "the first epoch", within_s=120)
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=PATIENCE_S)
    assert child.returncode == 130
    assert err.endswith("python -m train.fit: interrupted\n")


@pytest.fixture(scope="module")
def exported(run: Path, data: Path) -> Path:
    folder = data.parent / "exported"
    done = _train("export", run, "--data", data, "--out", folder)
    assert done.returncode == 0, done.stderr
    return folder


def test_an_export_replaces_nothing_unasked(
    exported: Path, run: Path, data: Path, start: Started
) -> None:
    before = (exported / "age_gender.onnx").read_bytes()
    code, _, err = start(export, run, "--data", data, "--out", exported)
    assert code == 2
    assert "holds a model; choose another --out or give --overwrite" in err
    assert (exported / "age_gender.onnx").read_bytes() == before


def test_the_export_says_what_the_master_says(exported: Path, data: Path) -> None:
    crops = load(data, "test").crops[:]
    onnx = AgeGenderClassifier(exported / "age_gender.onnx")(crops)
    keras = AgeGenderClassifier(exported / "age_gender.keras")(crops)
    np.testing.assert_allclose(onnx.age_probs, keras.age_probs, atol=1e-4)
    np.testing.assert_allclose(onnx.female_prob, keras.female_prob, atol=1e-4)
    np.testing.assert_allclose(onnx.age_probs.sum(axis=1), 1, atol=1e-4)


def test_the_card_says_what_was_trained_and_how_good_it_is(
    exported: Path, data: Path, start: Started
) -> None:
    card = (exported / "age_gender.md").read_text()
    assert f"Trained on {len(load(data, 'train'))} faces" in card
    assert "| `width` | 24 |" in card
    assert "RGB (n, 48, 48, 3)" in card
    model = exported / "age_gender.onnx"
    options = ["--split", "dev", "--dataset", "utkface"]  # what the run was chosen by
    _, scores, _ = start(evaluate, data, "--model", model, *options)
    assert scores in card


def test_the_master_has_no_optimiser_state(exported: Path, run: Path) -> None:
    sizes = [
        (exported / "age_gender.keras").stat().st_size,
        (run / "last.weights.h5").stat().st_size,
    ]
    assert sizes[0] < sizes[1] / 2


def test_evaluate_prints_scores_beside_baselines(
    exported: Path, data: Path, start: Started
) -> None:
    model = exported / "age_gender.onnx"
    _, out, _ = start(evaluate, data, "--model", model, "--json")
    scores = json.loads(out)
    assert scores["faces"] == 6
    assert scores["mae"]["low"] <= scores["mae"]["value"] <= scores["mae"]["high"]
    assert sum(group["faces"] for group in scores["by_gender"].values()) == 6
    _, text, _ = start(evaluate, data, "--model", model)
    assert f"| MAE, years | {scores['mae']['value']:.2f} |" in text


def test_devices_share_a_batch(data: Path, tmp_path: Path) -> None:
    require_module("jax")
    environment = {
        **os.environ,
        "KERAS_BACKEND": "jax",
        # compiled as fast as can be, not as fast code
        "XLA_FLAGS": "--xla_force_host_platform_device_count=2 --xla_backend_optimization_level=0",
    }

    both = ""  # in one process: to share batches is set for all that comes after
    for devices in (1, 2):
        arguments = _arguments(data, tmp_path / str(devices), epochs=1)
        for setting in (f"devices={devices}", "early_px=0", "early_share=0"):
            arguments += ["--set", setting]
        both += f"assert fit.main({list(map(str, arguments))}) == 0\n"
    done = subprocess.run(
        [sys.executable, "-c", f"from train import fit\n{both}fit._leave(0)"],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=280,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    losses = [float(_curve(tmp_path / str(devices))[1][1]) for devices in (1, 2)]
    assert losses[1] == pytest.approx(losses[0], rel=1e-3)


def test_several_devices_need_jax_and_enough_of_them(
    data: Path, tmp_path: Path, start: Started
) -> None:
    code, _, err = start(fit, *_arguments(data, tmp_path / "run"), "--set", "devices=2")
    assert code == 1
    assert "give KERAS_BACKEND=jax, or leave devices at 1" in err


def test_a_network_of_classes_gives_a_model(
    data: Path, tmp_path: Path, start: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    from train import loop

    class Board(loop.keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
            shown.append(dict(logs))

    shown: list[dict[str, float]] = []
    monkeypatch.setattr(loop, "_lack_of_tensorboard", lambda: "")
    monkeypatch.setattr(loop, "_tensorboard", lambda _: Board())
    aged = tmp_path / "aged.h5"
    aged.write_bytes(data.read_bytes())
    with h5py.File(aged, "a") as h5:
        for name in ("age", "age_low", "age_high"):
            h5[name][:] = 20 + 20 * (np.arange(len(h5["age"])) % 3)
    options = ["--set", "target=actors-3", "--set", "rarity_power=1", "--set", "early_stopping=1"]
    options += ["--set", "early_share=0"]
    code, _, err = start(fit, *_arguments(aged, tmp_path / "run", epochs=2), *options)
    assert code == 0, err
    log = RunFolder(tmp_path / "run").log()
    assert 0 <= log[0]["dev_accuracy"] <= 1
    for name in ("dev_mae", "dev_accuracy", "dev_gender_accuracy"):
        assert [row[name] for row in shown] == [row[name] for row in log]
    crops = load(data, "dev").crops[:]
    answer = AgeGenderClassifier(tmp_path / "run" / "age_gender.keras")(crops)
    np.testing.assert_allclose(answer.age_probs.sum(axis=1), 1, atol=1e-4)


def test_own_classes_begin_with_a_model_of_years_and_are_scored(
    run: Path, data: Path, tmp_path: Path, start: Started
) -> None:
    arguments = _arguments(data, tmp_path / "own", epochs=1)[:-1]  # with its report
    code, _, err = start(fit, *arguments, "--set", "target=[0, 50, 90]", "--set", f"begin={run}")
    assert code == 0, err
    assert (
        "has other classes of ages (101) than this recipe (3): the layer of the ages begins" in err
    )
    scores = json.loads((tmp_path / "own" / "scores.json").read_text())
    classes = scores["schemes"]["[0, 50, 90]"]["classes"]
    assert [row["label"] for row in classes] == ["0-49", "50-89", "90+"]
    report = (tmp_path / "own" / "report.html").read_text()
    assert "[0, 50, 90]: " in report
    code, out, err = start(evaluate, data, "--model", tmp_path / "own" / "age_gender.keras")
    assert code == 0, err
    assert "| [0, 50, 90] | 6 |" in out


def test_the_model_is_that_of_the_best_epoch(run: Path, data: Path) -> None:
    best = min(row["dev_mae"] for row in RunFolder(run).log())
    dev = load(data, "dev", ["utkface"])
    answer = AgeGenderClassifier(run / "age_gender.keras")(dev.crops[:])
    assert np.abs(median_age(answer.age_probs) - dev.labels.age).mean() == pytest.approx(
        best, abs=2e-3
    )


def test_a_run_learns_from_teachers(run: Path, data: Path, tmp_path: Path, start: Started) -> None:
    arguments = [*_arguments(data, tmp_path / "run", epochs=1), "--set"]
    code, _, err = start(fit, *arguments, "teachers=[nobody.keras]")
    assert code == 1
    assert "nobody.keras: no such model" in err
    code, _, err = start(fit, *arguments, f"teachers=[{run / 'age_gender.keras'}]")
    assert code == 0, err
    with np.load(tmp_path / "run" / "taught.npz") as taught:
        assert taught["age_probs"].shape == (len(load(data, "train")), 101)
    assert _curve(tmp_path / "run")[1] != _curve(run)[1]


def test_a_loss_that_is_no_number_ends_the_run(data: Path, tmp_path: Path, start: Started) -> None:
    settings = ["--set", "learning_rate=1e30", "--set", "gradient_norm=0", "--set", "optimizer=sgd"]
    code, _, err = start(fit, *_arguments(data, tmp_path / "run"), *settings)
    assert code == 1
    assert "the loss is nan" in err or "the loss is inf" in err
    assert "no epoch was finished: start anew with another --out and a lower learning_rate" in err


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (
            [],
            2,
            "make a file of faces with: python -m train.prepare UTKFace.zip -o faces.h5, then: "
            "python -m train.fit --data faces.h5",
        ),
        (["--data", "none.h5"], 1, "none.h5: no such file; make it with python -m train.prepare"),
        (["--data", "setup.cfg"], 1, "setup.cfg: not a file of python -m train.prepare"),
        (["--data", "none.h5", "--set", "epoch=1"], 2, "did you mean 'epochs'?"),
        (["--data", "none.h5", "--set", "seed=1", "epoch=1"], 2, "did you mean 'epochs'?"),
        (
            ["--data", "none.h5", "--set", "seed"],
            2,
            "--set: expected key=value, without spaces, got 'seed'",
        ),
        (
            ["--data", "none.h5", "--set", "seed", "1"],
            2,
            "--set: expected key=value, without spaces, got 'seed'",
        ),
        (
            ["--data", "none.h5", "--set", "seed=1", ""],
            2,
            "--set: expected key=value, without spaces, got ''",
        ),
        (["none.yaml", "--data", "none.h5"], 1, "none.yaml: cannot read the recipe"),
        (["--set", "seed=1", "none.yaml", "--data", "none.h5"], 1, "none.yaml: cannot read the"),
        (["--data", "none.h5", "--out", "nowhere", "--resume"], 1, "nowhere: no run to resume"),
    ],
)
def test_fit_says_what_is_wrong(
    arguments: list[str], code: int, message: str, start: Started
) -> None:
    ended, _, err = start(fit, *arguments)
    assert ended == code
    assert message in err


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("--epochs=0", "--epochs: expected a whole number from 1 to 2147483647, got '0'"),
        (f"--epochs={2**31}", "--epochs: expected a whole number from 1 to 2147483647, got '21"),
        ("--set=--", "argument --set: expected a value, got '--'"),
    ],
)
def test_fit_says_what_no_argument_can_be(
    argument: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        fit.main([argument])
    assert message in capsys.readouterr().err


def test_half_a_flag_is_not_taken_for_one(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        fit.main(["--dat", "none.h5"])
    assert "unknown option --dat; did you mean '--data'?" in capsys.readouterr().err


@pytest.mark.filterwarnings("ignore:Skipping nested container:UserWarning")  # of Keras
def test_a_run_is_not_overwritten_and_a_foreign_checkpoint_is_refused(
    run: Path, data: Path, start: Started
) -> None:
    code, _, err = start(fit, "--data", data, "--out", run)
    assert code == 2
    assert "holds a run; give --resume" in err
    other = data.parent / "other"
    other.mkdir()
    record = json.loads((run / "recipe.json").read_text())
    record["recipe"]["width"] = 8
    (other / "recipe.json").write_text(json.dumps(record))
    (other / "log.csv").write_text((run / "log.csv").read_text())
    (other / "last.weights.h5").write_bytes((run / "last.weights.h5").read_bytes())
    code, _, err = start(fit, "--data", data, "--out", other, "--resume")
    assert code == 1
    (line,) = [line for line in err.splitlines() if "not a checkpoint" in line]
    assert "not a checkpoint of this recipe" in line
    assert len(line) < 500
    assert err.endswith(line + "\n")  # and nothing of Keras behind it
    assert "Traceback" not in err


def test_a_model_is_not_overwritten(run: Path, exported: Path, data: Path, start: Started) -> None:
    before = (exported / "age_gender.keras").read_bytes()
    code, _, err = start(fit, "--data", data, "--out", exported)
    assert code == 2
    assert "holds a model, age_gender.keras; give another --out" in err
    assert (exported / "age_gender.keras").read_bytes() == before
    before = (run / "age_gender.keras").read_bytes()
    code, _, err = start(export, run, "--data", data, "--out", run, "--overwrite")
    assert code == 2
    assert "is the run itself; choose another --out" in err
    assert (run / "age_gender.keras").read_bytes() == before


def test_an_empty_part_is_said(data: Path, tmp_path: Path, start: Started) -> None:
    bare = tmp_path / "bare.h5"
    bare.write_bytes(data.read_bytes())
    with h5py.File(bare, "a") as h5:
        h5["split"][:] = 0
    code, _, err = start(evaluate, bare)
    assert code == 1
    assert "no face in its test part" in err


def test_a_run_on_one_data_set_is_not_chosen_by_another(
    data: Path, tmp_path: Path, start: Started
) -> None:
    mixed = tmp_path / "mixed.h5"
    mixed.write_bytes(data.read_bytes())
    with h5py.File(mixed, "a") as h5:
        names = h5["dataset"].asstr()[()]
        names[h5["split"][()] == 1] = "allagefaces"
        h5["dataset"][:] = names
    chosen = ["--set", "datasets=[utkface]"]
    code, _, err = start(fit, *_arguments(mixed, tmp_path / "run"), *chosen)
    assert code == 1
    assert "no face in its dev part of utkface" in err


@pytest.mark.parametrize("name", ["prepare", "fit", "evaluate"])
def test_a_command_without_the_extra_is_one_line(tmp_path: Path, name: str) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.modules['h5py'] = None\n")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "-m", f"train.{name}", "faces.h5"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("python -m train: h5py is not installed; install it: pip install")
    assert done.stderr.count("\n") == 1


def test_tensorflow_does_not_call_a_missing_gpu_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TF_CPP_MIN_LOG_LEVEL", raising=False)
    require_module("tensorflow")
    import_keras()
    assert os.environ["TF_CPP_MIN_LOG_LEVEL"] == "3"


def test_without_keras_the_install_command_is_the_answer(tmp_path: Path) -> None:
    blocker = (
        "import sys; sys.modules['keras'] = None; import importlib.util as u; f = u.find_spec\n"
    )
    blocker += "u.find_spec = lambda name, *a: None if name == 'keras' else f(name, *a)\n"
    (tmp_path / "sitecustomize.py").write_text(blocker)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "-m", "train.fit", "--data", "faces.h5"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 1
    assert 'pip install "' in done.stderr
    assert '[train]"' in done.stderr


@pytest.mark.parametrize("own, used", [(None, "1"), ("0", "0")])
def test_onednn_is_used_unless_one_says_no(own: str | None, used: str) -> None:
    environment = {name: text for name, text in os.environ.items() if "ONEDNN" not in name}
    environment |= {} if own is None else {"TF_ENABLE_ONEDNN_OPTS": own}
    shows = "import train.fit, os; print(os.environ['TF_ENABLE_ONEDNN_OPTS'])"
    command = [sys.executable, "-c", shows]
    assert subprocess.check_output(command, cwd=ROOT, env=environment, text=True).strip() == used


def test_an_export_needs_the_data_of_its_run(
    run: Path, data: Path, tmp_path: Path, start: Started
) -> None:
    other = tmp_path / "other.h5"
    other.write_bytes(data.read_bytes())
    with h5py.File(other, "a") as h5:
        h5.attrs["data_hash"] = "0" * 16
    out = tmp_path / "models"
    code, _, err = start(export, run, "--data", other, "--out", out)
    assert code == 1
    assert "other.h5: not the faces of this run" in err
    assert not out.exists()


def test_a_resumed_run_keeps_its_recipe(run: Path, data: Path, start: Started) -> None:
    code, _, err = start(fit, "--data", data, "--out", run, "--resume", "--epochs", "9")
    assert code == 2
    assert "--resume: the run has its recipe" in err


@pytest.mark.parametrize(
    "bounds",
    [".nan", "3", "words", "{}", "{20: 0.1}", "{20: [0.1]}", "{20: [0.1, .nan]}", "{20: [-1, 1]}",
     "{20: [0.1, 1.1]}", "{a: [0.1, 0.9]}", "{20: [0.1, 0.5, 0.9]}"],
)  # fmt: skip
def test_a_calibration_that_is_none(exported: Path, tmp_path: Path, bounds: str) -> None:
    model = tmp_path / "a.onnx"
    model.write_bytes((exported / "age_gender.onnx").read_bytes())
    model.with_suffix(".yaml").write_text(f"age_range: {bounds}\n")
    with pytest.raises(LivecamError, match="age_range"):
        AgeGenderClassifier(model)


def test_the_calibration_beside_a_model_is_what_it_shows(exported: Path, tmp_path: Path) -> None:
    model = tmp_path / "a.onnx"
    model.write_bytes((exported / "age_gender.onnx").read_bytes())
    probs = np.full((1, 101), 1 / 101, np.float32)
    assert AgeGenderClassifier(model).age_range(probs).tolist() == [[10, 90]]
    model.with_suffix(".yaml").write_text("age_range: {0: [0.2, 0.5], 100: [0.3, 0.75]}\n")
    assert AgeGenderClassifier(model).age_range(probs).tolist() == [[22, 67]]
    model.with_suffix(".yaml").write_text("age_range: null\n")
    assert AgeGenderClassifier(model).age_range(probs).tolist() == [[10, 90]]
    written = yaml.safe_load((exported / "age_gender.yaml").read_text())
    assert written["age_range"] is None
    assert age_prior(exported / "age_gender.onnx", "onnx") == pytest.approx(
        written["age_prior"], abs=1e-5
    )
    assert "The range is not calibrated" in (exported / "age_gender.md").read_text()
