"""A run's folder is one run's at a time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from faces_data import PROVENANCE, write_split

from livecam.errors import LivecamError
from train import fit, lock
from train.recipe import Recipe
from train.run_folder import RunFolder

ROOT = Path(__file__).parent.parent
USES = """import sys, time
from pathlib import Path
from train.run_folder import RunFolder
with RunFolder(Path(sys.argv[1])).in_use():
    print("in use", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_split(tmp_path / "faces.h5")


@pytest.mark.parametrize("resumes", [False, True])
def test_of_two_in_one_folder_the_second_ends(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], resumes: bool
) -> None:
    """And the first, however it ended, keeps nobody out."""
    run = RunFolder(tmp_path / "run")
    arguments = ["--data", str(data), "--out", str(run.path), "--no-report"]
    if resumes:
        run.begin(Recipe(batch=4), **PROVENANCE)
        arguments.append("--resume")
    else:
        (tmp_path / "r.yaml").write_text("batch: 4\n")
        arguments.insert(0, str(tmp_path / "r.yaml"))
    command = [sys.executable, "-c", USES, run.path]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "in use\n"
        code = fit.main(arguments)
        first.kill()
    assert code == 1
    said = f"train.fit: {run.path}: in use by another python -m train.fit; wait for its end, or"
    assert said in capsys.readouterr().err
    with run.in_use():
        pass


def test_a_run_that_began_meanwhile_is_not_replaced(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run, gathered = RunFolder(tmp_path / "run"), fit.gathered

    def slowly(recipe: Recipe, data: Path, run: RunFolder, *, resume: bool) -> object:
        run.begin(recipe, **PROVENANCE)
        return gathered(recipe, data, run, resume=resume)

    monkeypatch.setattr(fit, "gathered", slowly)
    monkeypatch.setattr(fit, "import_keras", lambda: pytest.fail("it has begun"))
    (tmp_path / "r.yaml").write_text("batch: 4\n")
    arguments = [str(tmp_path / "r.yaml"), "--data", str(data), "--out", str(run.path)]
    assert fit.main([*arguments, "--no-report"]) == 2
    assert "holds a run; give --resume" in capsys.readouterr().err


def test_a_folder_without_a_run_is_not_left_behind(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    with pytest.raises(LivecamError, match="no such network"), run.in_use():
        raise LivecamError("no such network")
    assert not run.path.exists()
    with run.in_use():
        run.begin(Recipe(), **PROVENANCE)
    assert run.record_file.exists()


def test_where_there_are_no_locks_a_run_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lacks(number: int) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(lock, "_lock", lacks)
    with RunFolder(tmp_path / "run").in_use():
        pass


def test_a_log_that_a_full_disk_kept_empty_begins_with_its_columns(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    run.log_file.touch()
    for epoch in (1, 2):
        run.append({"epoch": epoch, "dev_mae": 5.0})
    assert run.log() == [{"epoch": 1, "dev_mae": 5}, {"epoch": 2, "dev_mae": 5}]
