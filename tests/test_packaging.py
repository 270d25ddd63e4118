"""The wheel, an editable install and a bare checkout all run, from any folder; the source archive
is whole."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest
from conftest import unavailable

import livecam

ROOT = Path(__file__).parent.parent
SHIPPED = (
    "config.yaml", "models/age_gender.onnx", "models/age_gender.keras", "models/age_gender.yaml",
    "models/README.md",
)  # fmt: skip


def listed(*which: str) -> list[str]:
    """Files as git lists them."""
    if not (ROOT / ".git").exists():
        unavailable("a git checkout")
    command = ["git", "ls-files", "-z", *which]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    return [name for name in done.stdout.decode().split("\0") if name]


def copied(folder: Path) -> Path:
    """A copy of the tree, because a build leaves its folder in it."""
    for name in listed("--cached", "--others", "--exclude-standard"):
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((ROOT / name).read_bytes())
    return folder


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:  # type: ignore[no-untyped-def]
    folder = tmp_path_factory.mktemp("wheel")
    source = copied(folder / "source")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", folder, source]
    subprocess.run(list(map(str, command)), check=True, timeout=200)
    return next(folder.glob("*.whl"))


def test_the_source_archive_holds_all_that_is_tracked_and_no_cache(tmp_path: Path) -> None:
    """So README speaks of nothing that is not there."""
    pytest.importorskip("setuptools")
    source = copied(tmp_path / "source")
    leftovers = {"tests/__pycache__/a.cpython-311.pyc", "train/faces.h5", "docs/a_livecam.mp4"}
    for name in leftovers:
        (source / name).parent.mkdir(exist_ok=True)
        (source / name).touch()
    build = "import setuptools.build_meta as b; b.build_sdist('built')"
    subprocess.run([sys.executable, "-c", build], cwd=source, capture_output=True, check=True)
    (archive,) = (source / "built").iterdir()
    with tarfile.open(archive) as tar:
        names = {name.partition("/")[2] for name in tar.getnames()}
    assert set(listed()) - names == {".gitignore"}
    assert not leftovers & names


def test_the_wheel_holds_livecam_and_its_files_and_no_other_package(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    for name in SHIPPED:
        assert f"livecam/_shipped/{name}" in names
    assert "livecam/py.typed" in names
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
