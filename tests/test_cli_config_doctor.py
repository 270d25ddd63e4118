"""`livecam config`, `livecam doctor`, `livecam --help`: settings, where they are from, what is
missing, and how fast the command line is there."""

from __future__ import annotations

import configparser
import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import clips
import numpy as np
import onnxruntime
import pytest
import yaml

import livecam as library
from livecam import doctor
from livecam.arguments import CHANGES, parser
from livecam.shipped import shipped_file

COMMANDS = ["run", "annotate", "predict", "config", "doctor", "demo"]


def printed(answer: clips.Answer) -> dict[str, tuple[object, str]]:
    """`section.key` -> (value, where from) of what `livecam config` prints."""
    assert answer.code == 0
    assert all(line.startswith(("config.yaml: ", "yours: ")) for line in answer.err.splitlines())
    found = {}
    for line in answer.lines:
        key, rest = line.split(maxsplit=1)
        value, origin = re.fullmatch(r"(.*?)  +(\S.*)", rest).groups()
        found[key] = (json.loads(value), origin)
    assert len(found) == len(answer.lines)
    return found


def shipped() -> dict[str, object]:
    tree = yaml.safe_load(shipped_file("config.yaml").read_text())
    return {f"{section}.{key}": v for section, keys in tree.items() for key, v in keys.items()}


# livecam config


def test_every_shipped_setting_is_printed_with_its_origin(livecam: clips.Command) -> None:
    found = printed(livecam("config"))
    assert {key: value for key, (value, _) in found.items()} == shipped()
    assert {origin for _, origin in found.values()} == {"config.yaml"}
    assert list(found) == list(shipped())


def test_the_files_are_named(livecam: clips.Command, tmp_path: Path) -> None:
    shipped_one = f"config.yaml: {shipped_file('config.yaml')}\n"
    user = tmp_path / "nobody" / "livecam" / "livecam.yaml"
    assert livecam("config").err == f"{shipped_one}yours: livecam.yaml, or else {user}\n"
    Path("mine.yaml").touch()
    assert livecam("config", "--config", "mine.yaml").err == shipped_one


def test_the_nearer_setting_wins_and_is_named(
    livecam: clips.Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def threads() -> tuple[object, str]:
        return printed(livecam("config"))["runtime.threads"]

    assert threads() == (0, "config.yaml")
    user = tmp_path / "nobody" / "livecam" / "livecam.yaml"
    user.parent.mkdir(parents=True)
    user.write_text("runtime: {threads: 1}\n")
    assert threads() == (1, str(user))
    Path("livecam.yaml").write_text("runtime: {threads: 2}\n")
    assert threads() == (2, "livecam.yaml")
    Path("mine.yaml").write_text("runtime: {threads: 3}\n")
    assert printed(livecam("config", "--config", "mine.yaml"))["runtime.threads"] == (
        3, "mine.yaml"
    )  # fmt: skip
    monkeypatch.setenv("LIVECAM_RUNTIME__THREADS", "4")
    assert threads() == (4, "LIVECAM_RUNTIME__THREADS")
    assert printed(livecam("config", "--config", "mine.yaml"))["runtime.threads"] == (
        4, "LIVECAM_RUNTIME__THREADS"
    )  # fmt: skip


def test_a_flag_beats_the_environment(
    livecam: clips.Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("a.png").write_bytes(clips.png(np.zeros((20, 20, 3), np.uint8)))
    monkeypatch.setenv("LIVECAM_AGES__SCHEME", "decades")
    (row,) = livecam("predict", "a.png", "--json", "--assume-face").rows
    assert "80+" in row["bins"]
    (row,) = livecam("predict", "a.png", "--json", "--assume-face", "--scheme", "actors-3").rows
    assert list(row["bins"]) == ["0-30", "31-50", "51+"]


def test_files_are_not_mixed(livecam: clips.Command) -> None:
    """--config stands in for ./livecam.yaml, it does not add to it."""
    Path("livecam.yaml").write_text("video: {crf: 30}\n")
    Path("mine.yaml").write_text("runtime: {threads: 3}\n")
    found = printed(livecam("config", "--config", "mine.yaml"))
    assert found["video.crf"] == (shipped()["video.crf"], "config.yaml")


def test_one_key_of_a_section_leaves_the_others(livecam: clips.Command) -> None:
    Path("livecam.yaml").write_text("tracker:\n  min_iou: 0.4\n")
    found = printed(livecam("config"))
    assert found["tracker.min_iou"] == (0.4, "livecam.yaml")
    assert found["tracker.max_coast_s"] == (shipped()["tracker.max_coast_s"], "config.yaml")


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "tracker:\n", "{}\n"])
def test_an_empty_file_changes_nothing(livecam: clips.Command, text: str) -> None:
    Path("livecam.yaml").write_text(text)
    assert {value[1] for value in printed(livecam("config")).values()} == {"config.yaml"}


def test_what_is_printed_can_be_given_again(livecam: clips.Command) -> None:
    Path("livecam.yaml").write_text(
        "ages: {scheme: sch\u00fcler, schemes: {sch\u00fcler: [0, 6, 10]}}\n"
        "runtime: {providers: [CPUExecutionProvider]}\n"
        "detector: {thresholds: [0.5, 0.6, 1]}\n",
        encoding="utf-8",
    )
    found = printed(livecam("config"))
    tree: dict[str, dict[str, object]] = {}
    for key, (value, _) in found.items():
        section, name = key.split(".")
        tree.setdefault(section, {})[name] = value
    Path("again.yaml").write_text(yaml.safe_dump(tree, allow_unicode=True), encoding="utf-8")
    again = printed(livecam("config", "--config", "again.yaml"))
    assert {k: v for k, (v, _) in again.items()} == {k: v for k, (v, _) in found.items()}


def test_the_environment_is_read_as_yaml(
    livecam: clips.Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIVECAM_OVERLAY__GENDER", "false")
    monkeypatch.setenv("LIVECAM_DETECTOR__THRESHOLDS", "[0.5, 0.6, 0.7]")
    monkeypatch.setenv("LIVECAM_TRACKER__MIN_IOU", "0.25")
    monkeypatch.setenv("LIVECAM_AGES__SCHEMES", "{school: [0, 6]}")
    found = printed(livecam("config"))
    assert found["overlay.gender"] == (False, "LIVECAM_OVERLAY__GENDER")
    assert found["detector.thresholds"][0] == [0.5, 0.6, 0.7]
    assert found["tracker.min_iou"][0] == 0.25
    assert found["ages.schemes"][0] == {"school": [0, 6]}


# Mistakes: (text of the file, what is said)
MISTAKES = [
    ("tracker: {min_iuo: 1}", "unknown key 'tracker.min_iuo'; did you mean 'min_iou'?"),
    ("trakcer: {min_iou: 1}", "unknown section 'trakcer'; did you mean 'tracker'?"),
    ("min_iou: 1", "unknown section 'min_iou'"),
    ("detektor:\n", "unknown section 'detektor'; did you mean 'detector'?"),
    ("1: {a: 2}", "unknown section 1"),
    ("tracker: {1: 2}", "unknown key 'tracker.1'"),
    ("tracker: {min_iou: high}", "tracker.min_iou: expected a number, received 'high'"),
    ("tracker: {min_iou: true}", "tracker.min_iou: expected a number, received True"),
    ("tracker: {min_iou:}", "tracker.min_iou: expected a number, received None"),
    ("tracker: {min_iou: [1]}", "tracker.min_iou: expected a number"),
    ("tracker: {min_iou: .nan}", "tracker.min_iou: expected"),
    ("tracker: {min_iou: 1.5}", "tracker.min_iou: expected 0 to 1, received 1.5"),
    ("tracker: {max_coast_s: .inf}", "tracker.max_coast_s: expected"),
    ("tracker: {confirm_after: 4}", "tracker.confirm_after: expected 1 to 3, received 4"),
    ("video: {crf: 20.5}", "video.crf: expected a whole number, received 20.5"),
    ("video: {preset: quick}", "video.preset: unknown value 'quick'"),
    ("classifier: {runtime: onx}", "unknown value 'onx'; did you mean 'onnx'?"),
    ("overlay: {gender: 1}", "overlay.gender: expected true or false, received 1"),
    ("ages: {scheme: decade}", "unknown scheme 'decade'; did you mean 'decades'?"),
    ("ages: {schemes: {a: [5, 9]}}", "age scheme 'a': expected rising first years that begin"),
    ("ages: {schemes: {a: []}}", "age scheme 'a': expected rising first years"),
    ("ages: {schemes: {a: [0, 200]}}", "age scheme 'a': expected rising first years"),
    ("ages: {schemes: {marketing: [0, 50]}}", "'marketing' is the name of a published scheme"),
    ("ages: {schemes: {a: 5}}", "ages.schemes: expected names with lists of whole numbers"),
    ("detector: {thresholds: [0.5]}", "detector.thresholds: expected three numbers"),
    ("detector: {thresholds: [0.5, 0.6, 2]}", "expected a list of numbers between 0 and 1"),
    ("runtime: {providers: CUDA}", "runtime.providers: expected a list of strings"),
    ("tracker: 5", "expected keys in 'tracker', received 5"),
    ("- tracker", "expected sections, received ['tracker']"),
    ("just words", "expected sections, received 'just words'"),
    ("w" * 500, f"expected sections, received '{'w' * 59}…"),
    ("tracker: {min_iou: 1", "not valid YAML"),
    ("tracker:\n\tmin_iou: 1", "not valid YAML"),
    ("a: !!python/object/apply:os.getcwd []", "not valid YAML"),
]


@pytest.mark.parametrize(("text", "said"), MISTAKES)
def test_a_mistake_in_the_file_is_one_line(livecam: clips.Command, text: str, said: str) -> None:
    Path("mine.yaml").write_text(text)
    answer = livecam("config", "--config", "mine.yaml")
    line = answer.failure(2)
    assert said in line
    assert answer.err == line + "\n"


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("LIVECAM_TRACKER__MIN_IUO", "1", "LIVECAM_TRACKER__MIN_IUO: unknown key"),
        ("LIVECAM_TRACKR__MIN_IOU", "1", "unknown section 'trackr'; did you mean 'tracker'?"),
        ("LIVECAM_TRACKER__MIN_IOU", "2", "expected 0 to 1, received 2"),
        ("LIVECAM_TRACKER__MIN_IOU", "", "expected a number"),
        ("LIVECAM_DETECTOR__THRESHOLDS", "[1", "LIVECAM_DETECTOR__THRESHOLDS: not a value"),
    ],
)
def test_a_mistake_in_the_environment_is_one_line(
    livecam: clips.Command, monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    monkeypatch.setenv(name, value)
    answer = livecam("config")
    line = answer.failure(2)
    assert said in line
    assert name in line
    assert answer.err == line + "\n"


@pytest.mark.parametrize(
    ("flag", "value"),
    [("--min-face-px", "1"), ("--threads", "-1"), ("--runtime", "onxx"), ("--scheme", "none"),
     ("--age", "none"), ("--detect-every", "0")],
)  # fmt: skip
def test_a_mistake_in_a_flag_names_it(livecam: clips.Command, flag: str, value: str) -> None:
    line = livecam("annotate", "a.mp4", flag, value).failure(2)
    assert line.startswith(f"livecam: {flag}: {CHANGES[flag]}: ")


def test_every_flag_that_changes_a_setting_has_a_name() -> None:
    """A flag's dest is the setting; what it is called is told of a mistake."""
    subparsers = next(a for a in parser()._actions if isinstance(a.choices, dict))
    options = [option for command in subparsers.choices.values() for option in command._actions]
    changing = {option.option_strings[0]: option.dest for option in options if "." in option.dest}
    assert changing == CHANGES


@pytest.mark.parametrize("kind", ["missing", "folder", "bytes", "below a file"])
def test_a_configuration_that_cannot_be_read(livecam: clips.Command, kind: str) -> None:
    name = "mine.yaml"
    if kind == "folder":
        Path(name).mkdir()
    elif kind == "bytes":
        Path(name).write_bytes(bytes(range(256)))
    elif kind == "below a file":
        Path("file").touch()
        name = "file/mine.yaml"
    assert livecam("config", "--config", name).failure(2).startswith(f"livecam: {name}: ")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_refuses_a_bad_configuration(livecam: clips.Command, command: str) -> None:
    Path("livecam.yaml").write_text("tracker: {min_iuo: 1}\n")
    inputs = ["a.mp4"] if command in ("annotate", "predict") else []
    answer = livecam(command, *inputs)
    assert "livecam.yaml: unknown key 'tracker.min_iuo'; did you mean" in answer.failure(2)
    assert clips.files_of(Path()) == ["livecam.yaml"]


# livecam doctor


def test_doctor_looks_for_all_that_is_installed() -> None:
    setup = configparser.ConfigParser()
    setup.read(Path(__file__).parent.parent / "setup.cfg")
    wanted = re.findall(r"^[\w-]+", setup["options"]["install_requires"], re.MULTILINE)
    assert sorted(map(str.lower, doctor.PACKAGES)) == sorted(wanted)


def test_doctor_finds_all_that_is_needed(
    livecam: clips.Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    answer = livecam("doctor")
    assert (answer.code, answer.err) == (0, "")
    found = {line.split()[1]: line for line in answer.lines}
    for what in ("livecam", "python", *doctor.PACKAGES, "providers", "model", "detector"):
        assert found[what].startswith("ok "), found[what]
    assert library.__version__ in found["livecam"]
    assert "CPUExecutionProvider" in found["providers"]
    assert "age_gender.onnx" in found["model"]
    assert found["display"].startswith("- "), "no display is no fault"
    assert "DISPLAY" in found["display"]
    assert "MISSING" not in answer.out


def test_doctor_names_a_display_that_does_not_answer(
    livecam: clips.Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DISPLAY", ":987")
    answer = livecam("doctor")
    assert answer.code == 0
    (line,) = [line for line in answer.lines if "display" in line.split()[1]]
    assert line.startswith("- ")


@pytest.mark.parametrize("model", ["none.onnx", "bad.onnx"])
def test_doctor_says_what_is_wrong_with_the_model(
    livecam: clips.Command, monkeypatch: pytest.MonkeyPatch, model: str
) -> None:
    Path("bad.onnx").write_text("words")
    monkeypatch.setenv("LIVECAM_CLASSIFIER__MODEL", model)
    answer = livecam("doctor")
    assert answer.code == 1
    (line,) = [line for line in answer.lines if line.split()[1] == "model"]
    assert line.startswith("MISSING ")
    assert model in line
    assert answer.err == ""


def test_doctor_says_that_the_weights_of_the_detector_are_damaged(
    livecam: clips.Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    from livecam import mtcnn_graphs

    shutil.copytree(mtcnn_graphs.weights_dir(), "weights")
    Path("weights/onet.lz4").write_bytes(b"")
    monkeypatch.setattr(mtcnn_graphs, "weights_dir", lambda: Path("weights"))
    answer = livecam("doctor")
    assert (answer.code, answer.err) == (1, "")
    (line,) = [line for line in answer.lines if line.split()[1] == "detector"]
    assert line.startswith("MISSING ")
    assert "onet.lz4: damaged or unreadable (RuntimeError: LZ4F_getFrameInfo" in line
    assert "pip install --force-reinstall" in line


def test_doctor_says_which_package_is_missing(
    livecam: clips.Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = importlib.metadata.version

    def without(name: str) -> str:
        if name in ("imutils", "tensorflow"):
            raise importlib.metadata.PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(importlib.metadata, "version", without)
    answer = livecam("doctor")
    assert answer.code == 1
    found = {line.split()[1]: line for line in answer.lines}
    assert found["imutils"].startswith("MISSING ")
    assert "pip install imutils" in found["imutils"]
    assert found["tensorflow"].startswith("- "), "an extra is no fault"
    assert re.search(r'pip install ".*(\[train\]|tensorflow>=).*"', found["tensorflow"])


def test_doctor_takes_another_build_of_a_package_for_it(
    livecam: clips.Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    version = importlib.metadata.version

    def without(name: str) -> str:
        if name == "onnxruntime":
            raise importlib.metadata.PackageNotFoundError(name)
        return version(name)

    build = tmp_path / "site" / "onnxruntime_gpu-1.99.dist-info"
    build.mkdir(parents=True)
    (build / "METADATA").write_text("Metadata-Version: 2.1\nName: onnxruntime-gpu\nVersion: 1.99\n")
    (build / "top_level.txt").write_text("onnxruntime\n")
    monkeypatch.syspath_prepend(build.parent)
    monkeypatch.setattr(importlib.metadata, "version", without)
    answer = livecam("doctor")
    (line,) = [line for line in answer.lines if line.split()[1] == "onnxruntime"]
    assert line.startswith("ok ")
    assert "1.99 (onnxruntime-gpu)" in line


def test_doctor_refuses_an_unknown_provider(livecam: clips.Command) -> None:
    Path("livecam.yaml").write_text("runtime: {providers: [CUDAExecution]}\n")
    answer = livecam("doctor")
    assert answer.code == 1
    (line,) = [line for line in answer.lines if line.split()[1] == "providers"]
    assert line.startswith("MISSING ")
    said = "livecam.yaml: runtime.providers: 'CUDAExecution' is not in this ONNX Runtime"
    assert said in line
    Path("a.jpg").touch()
    assert livecam("predict", "a.jpg").failure(2).startswith(f"livecam: {said}")


def test_doctor_says_that_a_model_is_not_calibrated(livecam: clips.Command) -> None:
    shutil.copy(shipped_file("models/age_gender.onnx"), "bare.onnx")
    Path("livecam.yaml").write_text("classifier: {model: bare.onnx}\n")
    answer = livecam("doctor")
    assert answer.code == 0
    (line,) = [line for line in answer.lines if line.split()[1] == "model"]
    assert line.endswith("no bare.yaml beside it: ranges are not calibrated")
    Path("bare.yaml").touch()
    assert "(no age_range)" in livecam("predict", "x.png").failure(1)


def test_doctor_starts_the_networks_where_they_will_run(
    livecam: clips.Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("livecam.yaml").write_text("runtime: {providers: [CPUExecutionProvider]}\n")
    asked = []
    session = onnxruntime.InferenceSession

    def watched(*args: Any, providers: list[str]) -> Any:
        asked.append(providers)
        return session(*args, providers=["CPUExecutionProvider"])

    usable = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: usable)
    monkeypatch.setattr(onnxruntime, "InferenceSession", watched)
    assert livecam("doctor").code == 0
    assert len(asked) > 3
    assert {tuple(providers) for providers in asked} == {("CPUExecutionProvider",)}


# The command line itself


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(livecam: clips.Command, command: str) -> None:
    answer = livecam(command, "--help")
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.startswith(f"usage: livecam {command} ")
    assert command in livecam("--help").out


def test_help_where_text_has_other_letters() -> None:
    done = subprocess.run(
        [*clips.LIVECAM, "annotate", "--help"],
        env=os.environ | {"PYTHONIOENCODING": "ascii"}, capture_output=True, text=True,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("usage: livecam annotate ")


def test_version(livecam: clips.Command) -> None:
    answer = livecam("--version")
    assert (answer.code, answer.out) == (0, f"livecam {library.__version__}\n")


@pytest.mark.parametrize(
    "arguments", [[], ["anotate", "a.mp4"], ["annotate"], ["predict"], ["config", "x"], ["--x"]]
)
def test_usage_mistakes(livecam: clips.Command, arguments: list[str]) -> None:
    answer = livecam(*arguments)
    assert (answer.code, answer.out) == (2, "")
    assert re.fullmatch(r"livecam.*: .* \(see livecam.* --help\)\n", answer.err)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("anotate a.mp4", "livecam: argument COMMAND: unknown 'anotate'; did you mean 'annotate'?"),
        ("run video.mp4", "livecam run: video.mp4: give it as --camera video.mp4 (see "),
        ("run --blurr", "livecam run: unknown option --blurr; did you mean '--blur'? (see "),
        (
            "run --durations=5",
            "livecam run: unknown option --durations; did you mean '--duration'?",
        ),
        ("annotate a.mp4 --over", "livecam annotate: unknown option --over; did you mean '--over"),
        ("annotate a --format avi", "livecam annotate: argument --format: unknown 'avi'; known: "),
        ("config x", "livecam config: unexpected argument 'x' (see "),
        (
            "run --camera 0 --camera=1",
            "livecam run: argument --camera: given twice; it takes one value (see",
        ),
        ("annotate a -ox --output=y", "livecam annotate: argument -o/--output: given twice; it"),
        (
            "annotate a --end=--",
            "livecam annotate: argument --end: expected a value, got '--' (see",
        ),
        ("annotate a -o--", "livecam annotate: argument -o/--output: expected a value, got '--'"),
        ("annotate a --format=--", "livecam annotate: argument --format: expected a value, got"),
        ("config --config=--", "livecam config: argument --config: expected a value, got '--' ("),
        ("run -- video.mp4", "livecam run: video.mp4: give it as --camera video.mp4 (see "),
        ("run rtsp://me:secret@h/x", "livecam run: rtsp://h/x: give it as --camera rtsp://h/x "),
        ("report a.db --json", "livecam report: unknown option --json (see "),
    ],
)
def test_a_mistyped_command_line_is_one_line_with_what_was_meant(
    livecam: clips.Command, typed: str, said: str
) -> None:
    answer = livecam(*typed.split())
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.startswith(said)
    assert answer.err.count("\n") == 1


def test_what_may_be_repeated_is_no_mistake(livecam: clips.Command) -> None:
    line = livecam("predict", "none.jpg", "--over", "18", "--over", "21", "--json").failure(1)
    assert "none.jpg: no such file" in line


def test_an_input_may_be_named_as_an_option_is(livecam: clips.Command) -> None:
    line = livecam("predict", "--csv", "a.csv", "--", "--csv").failure(1)
    assert "--csv: no such file" in line


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["annotate", "--help"], ["x"]])
def test_help_needs_no_library(tmp_path: Path, arguments: list[str]) -> None:
    """So it is there at once; by what is imported, not by a clock."""
    code = f"""
        import sys
        from livecam.cli import main
        try:
            main({arguments!r})
        except SystemExit:
            pass
        heavy = "cv2 numpy tensorflow keras onnx onnxruntime av imutils yaml skimage joblib".split()
        print("heavy:", [name for name in heavy if name in sys.modules])
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.stdout.splitlines()[-1] == "heavy: []", done.stderr


def test_config_needs_no_heavy_library(tmp_path: Path) -> None:
    code = """
        import sys
        from livecam.cli import main
        main(["config"])
        heavy = "cv2 tensorflow keras onnx onnxruntime av skimage".split()
        print("heavy:", [name for name in heavy if name in sys.modules])
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.stdout.splitlines()[-1] == "heavy: []", done.stderr


def test_the_module_is_the_command(tmp_path: Path) -> None:
    for command in ([sys.executable, "-m", "livecam"], [*clips.LIVECAM]):
        done = subprocess.run(
            [*command, "predict", "none.jpg"], capture_output=True, text=True, cwd=tmp_path
        )
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == "livecam: none.jpg: no such file\n"


@pytest.mark.parametrize("module", ["cv2", "onnxruntime", "av", "numpy"])
def test_a_missing_package_is_one_line(tmp_path: Path, module: str) -> None:
    command = "annotate" if module == "av" else "predict"  # which needs none of clips
    code = f"import sys; sys.modules[{module!r}] = None; {clips.LIVECAM[2]}"
    done = subprocess.run(
        [sys.executable, "-c", code, command, "none.jpg"],
        capture_output=True, text=True, cwd=tmp_path,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("livecam: a package is missing or broken")
    assert module in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("why", "advice"),
    [
        # on a server
        (
            "libGL.so.1: cannot open shared object file: No such file",
            "apt-get install libgl1",
        ),
        # on Windows
        (
            "DLL load failed while importing cv2: The specified module could not be found.",
            "Microsoft Visual C++ Redistributable",
        ),
    ],
)
def test_a_missing_system_library_is_named(tmp_path: Path, why: str, advice: str) -> None:
    """What OpenCV raises without it."""
    code = f"""
        import sys

        class Broken:
            def find_spec(self, name, path=None, target=None):
                if name == "cv2":
                    raise ImportError({why!r})

        sys.meta_path.insert(0, Broken())
        {clips.LIVECAM[2]}
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), "predict", "none.jpg"],
        capture_output=True, text=True, cwd=tmp_path,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (1, "")
    assert why in done.stderr
    assert advice in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_public_surface() -> None:
    assert sorted(library.__all__) == ["LivecamError", "UsageError", "__version__", "predict"]
    assert set(library.__all__) <= set(dir(library))
    assert all(hasattr(library, name) for name in library.__all__)
    with pytest.raises(AttributeError, match="no attribute 'predikt'"):
        _ = library.predikt


def test_importing_livecam_needs_no_library() -> None:
    code = "import sys, livecam; print([m for m in ('cv2', 'numpy', 'av') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "[]\n"
