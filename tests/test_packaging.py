"""The wheel, an editable install and a bare checkout all run, from any folder."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import livecam

ROOT = Path(__file__).parent.parent
SHIPPED = (
    "config.yaml", "models/age_gender.onnx", "models/age_gender.keras", "models/age_gender.yaml",
    "models/README.md",
)  # fmt: skip


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:  # type: ignore[no-untyped-def]
    """Built from a copy, because a build leaves its folder in the tree."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, check=True,
    )  # fmt: skip
    for name in filter(None, listed.stdout.decode().split("\0")):
        target = source / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((ROOT / name).read_bytes())
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", folder, source]
    subprocess.run(list(map(str, command)), check=True, timeout=200)
    return next(folder.glob("*.whl"))


def test_the_wheel_holds_livecam_and_its_files_and_no_other_package(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    for name in SHIPPED:
        assert f"livecam/_shipped/{name}" in names
    top = {name.split("/")[0] for name in names}
    assert top == {"livecam", f"livecam-{livecam.__version__}.dist-info"}
    assert wheel.stat().st_size < 25e6


def _run_in(folder: Path, path: Path, *code: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(path)}
    done = subprocess.run(
        [sys.executable, *code], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


WHERE = "import livecam.shipped as s; print(s.__file__, s.shipped_file('models/age_gender.onnx'))"


def test_an_installed_wheel_works_from_any_folder(wheel: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(site)
    module, model = _run_in(tmp_path, site, "-c", WHERE).split()
    assert Path(module).is_relative_to(site)
    assert Path(model) == site / "livecam/_shipped/models/age_gender.onnx"
    settings = _run_in(tmp_path, site, "-m", "livecam", "config")
    assert "detector.min_face_px" in settings
    assert "age_gender.onnx" in _run_in(tmp_path, site, "-m", "livecam", "doctor")


def test_an_installed_wheel_names_the_packages_it_lacks(wheel: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(site)
    code = "import livecam.extras as e; print(e.install_command('train'))"
    command = _run_in(tmp_path, site, "-c", code)
    assert command.startswith('pip install "tensorflow>=')
    assert '"h5py>=' in command


def test_a_bare_checkout_works_from_any_folder(tmp_path: Path) -> None:
    _, model = _run_in(tmp_path, ROOT, "-c", WHERE).split()
    assert Path(model) == ROOT / "models/age_gender.onnx"


def test_a_light_install_has_no_tensorflow_and_extras_name_it() -> None:
    import configparser

    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    light = setup["options"]["install_requires"]
    assert "tensorflow" not in light
    assert "tensorflow" in setup["options.extras_require"]["train"]
    assert setup["metadata"]["license"] == "Apache-2.0"
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]


def test_the_public_names_are_few() -> None:
    assert livecam.__all__ == ["LivecamError", "UsageError", "__version__", "predict"]
    assert callable(livecam.predict)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        livecam.nothing  # noqa: B018
