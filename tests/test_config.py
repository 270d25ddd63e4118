from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import pytest
import yaml

from livecam.ages import SCHEMES
from livecam.config import BOUNDS, CHOICES, FILE_NAME, SECTIONS, load_config, user_file
from livecam.errors import UsageError
from livecam.shipped import shipped_file

KEYS = [
    f"{section}.{field.name}"
    for section, kind in SECTIONS.items()
    for field in dataclasses.fields(kind)
]


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder, and no configuration of whoever runs the tests."""
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    for name in ("XDG_CONFIG_HOME", "APPDATA", "HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    return folder


def written(text: str, path: str | Path = "mine.yaml") -> Path:
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def refused(**sources) -> str:
    """What load_config says to a configuration that it does not take."""
    with pytest.raises(UsageError) as error:
        load_config(**{"environment": {}, **sources})
    return str(error.value)


# The shipped file.


def test_without_anything_the_shipped_file_is_in_force() -> None:
    config = load_config(environment={})
    shipped = yaml.safe_load(shipped_file("config.yaml").read_text(encoding="utf-8"))
    for key, value, origin in config.items():
        section, _, name = key.partition(".")
        expected = shipped[section][name]
        assert value == (tuple(expected) if isinstance(value, tuple) else expected), key
        assert type(value) is not int or type(expected) is int
        assert origin == "config.yaml"


def test_the_shipped_file_holds_every_key_in_order_and_no_other() -> None:
    shipped = yaml.safe_load(shipped_file("config.yaml").read_text(encoding="utf-8"))
    assert [f"{section}.{key}" for section in shipped for key in shipped[section]] == KEYS
    assert [key for key, _, _ in load_config(environment={}).items()] == KEYS


def test_every_key_of_the_shipped_file_has_a_comment() -> None:
    for line in shipped_file("config.yaml").read_text(encoding="utf-8").splitlines():
        is_key = line.startswith("  ") and not line.lstrip().startswith("#")
        if is_key:
            assert len(line.partition(" # ")[2]) > 10, line


def test_bounds_and_choices_are_of_keys_that_exist() -> None:
    assert set(BOUNDS) | set(CHOICES) <= set(KEYS)
    numbers = {
        key for key, value, _ in load_config(environment={}).items() if type(value) in (int, float)
    }
    assert set(BOUNDS) == numbers  # no number is without bounds
    assert all(least < greatest for least, greatest in BOUNDS.values())


# Who wins.


def test_a_flag_beats_the_environment_beats_a_file_beats_the_default() -> None:
    file = written("tracker: {min_iou: 0.1, max_distance: 0.2, bin_margin: 0.3}")
    environment = {"LIVECAM_TRACKER__MAX_DISTANCE": "0.4", "LIVECAM_TRACKER__BIN_MARGIN": "0.5"}
    flags = {"tracker.bin_margin": 0.6, "tracker.min_iou": None}  # None: not given
    config = load_config(file, flags, environment)
    expected = {
        "tracker.min_iou": (0.1, "mine.yaml"),
        "tracker.max_distance": (0.4, "LIVECAM_TRACKER__MAX_DISTANCE"),
        "tracker.bin_margin": (0.6, "flag"),
        "tracker.confirm_after": (3, "config.yaml"),
    }
    seen = {key: (value, origin) for key, value, origin in config.items() if key in expected}
    assert seen == expected
    assert {key: config.sources[key] for key in expected} == {
        k: o for k, (_, o) in expected.items()
    }


def test_the_environment_of_the_process_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIVECAM_DETECTOR__MIN_FACE_PX", "77")
    assert load_config().detector.min_face_px == 77


def test_other_names_in_the_environment_are_left_alone() -> None:
    names = ("LIVECAM_TESTS_STRICT", "LIVECAM_OVERLAY", "LIVECAM_", "TRACKER__MIN_IOU", "PATH")
    config = load_config(environment=dict.fromkeys(names, "1"))
    assert set(config.sources.values()) == {"config.yaml"}


def test_files_are_looked_for_here_then_at_the_user_s(nowhere: Path) -> None:
    environment = {name: str(nowhere.parent / "conf") for name in ("XDG_CONFIG_HOME", "APPDATA")}

    def value_and_origin() -> tuple[int, str]:
        config = load_config(environment=environment)
        return config.detector.min_face_px, config.sources["detector.min_face_px"]

    assert value_and_origin() == (32, "config.yaml")
    users = written("detector: {min_face_px: 40}", user_file(environment))
    assert value_and_origin() == (40, str(users))
    written("detector: {min_face_px: 50}", FILE_NAME)
    assert value_and_origin() == (50, FILE_NAME)  # and the user's is not read at all
    config = load_config(written("overlay: {scale: 2}"), environment=environment)
    assert (config.detector.min_face_px, config.overlay.scale) == (32, 2.0)


@pytest.mark.parametrize(
    ("platform", "environment", "where"),
    [
        ("linux", {"XDG_CONFIG_HOME": "/there"}, "/there"),
        ("linux", {"XDG_CONFIG_HOME": ""}, "~/.config"),
        ("linux", {}, "~/.config"),
        ("win32", {"APPDATA": "/there"}, "/there"),
        ("win32", {}, "~/AppData/Roaming"),
        ("darwin", {"XDG_CONFIG_HOME": "/there"}, "~/Library/Application Support"),
    ],
)
def test_the_user_s_file_is_where_the_system_keeps_such(
    monkeypatch: pytest.MonkeyPatch, platform: str, environment: dict[str, str], where: str
) -> None:
    expected = Path(where).expanduser() / "livecam" / "livecam.yaml"
    monkeypatch.setattr(sys, "platform", platform)
    assert user_file(environment) == expected


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "tracker:\n", "---\n", "\ufeff{}"])
def test_a_file_that_says_nothing_changes_nothing(text: str) -> None:
    config = load_config(written(text), environment={})
    assert set(config.sources.values()) == {"config.yaml"}


# What is refused, and how.


def test_a_named_file_that_is_missing() -> None:
    assert refused(file="no.yaml") == (
        "no.yaml: cannot read the configuration: No such file or directory"
    )


def test_a_folder_is_no_file(nowhere: Path) -> None:
    assert refused(file=nowhere).startswith(f"{nowhere}: cannot read the configuration: ")


@pytest.mark.parametrize(
    "text", ["tracker: [0.3", "a: *b", "\tx: 1", "x: !!python/object:os.system 1", "a: b: c"]
)
def test_broken_yaml(text: str) -> None:
    message = refused(file=written(text))
    assert message.startswith("mine.yaml: not valid YAML: ")
    assert "\n" not in message


def test_yaml_that_is_too_deep() -> None:
    assert (
        refused(file=written("a: " + sys.getrecursionlimit() * "["))
        == "mine.yaml: not valid YAML: too deep"
    )


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("!!bool x", "'x' in line 2 is no bool"),
        ("!!int ''", "'' in line 2 is no int"),
        ("!!float ''", "'' in line 2 is no float"),
        ("!!timestamp x", "'x' in line 2 is no timestamp"),
        ("!!timestamp {=: x}", "a mapping in line 2 is no timestamp"),
        ("2001-99-99", "'2001-99-99' in line 2 is no timestamp"),
        ("1" + 200 * ":00" + ".5", f"'1{19 * ':00'}:… in line 2 is no float"),
        ("0x" + 4000 * "f", f"'0x{57 * 'f'}… in line 2 is too large; expected less than 2**63"),
        ("9223372036854775808", "'9223372036854775808' in line 2 is too large; expected less"),
    ],
    ids=lambda text: text[:30],
)
def test_a_value_that_cannot_be(value: str, said: str) -> None:
    message = refused(file=written(f"detector:\n  min_face_px: {value}"))
    assert message.startswith(f"mine.yaml: not valid YAML: {said}")
    message = refused(environment={"LIVECAM_TRACKER__MIN_IOU": value})
    assert message == f"LIVECAM_TRACKER__MIN_IOU: not a value: {value!r}"


def test_bytes_that_are_no_text() -> None:
    Path("mine.yaml").write_bytes(b"\xff\xfe\x80")
    assert refused(file="mine.yaml").startswith("mine.yaml: not valid YAML: ")


@pytest.mark.parametrize(
    ("text", "key", "where"),
    [
        ("overlay: {ids: false}\n\noverlay: {blur: true}", "overlay", "lines 1 and 3"),
        ("overlay: {}\n\n'overlay':", "overlay", "lines 1 and 3"),
        ("overlay:\n  blur: true\n  blur: false", "blur", "lines 2 and 3"),
        ("overlay: {blur: true, blur: true}", "blur", "line 1"),
        ("ages: {schemes: {a: [0, 6], b: [0], a: [0, 9]}}", "a", "line 1"),
    ],
)
def test_a_key_that_is_there_twice(text: str, key: str, where: str) -> None:
    assert refused(file=written(text)) == (
        f"mine.yaml: not valid YAML: {key!r} is there twice, in {where}; keep one of them"
    )


def test_a_key_that_is_there_twice_in_the_environment() -> None:
    text = "{a: [0], a: [0, 6]}"
    message = refused(environment={"LIVECAM_AGES__SCHEMES": text})
    assert message.startswith(f"LIVECAM_AGES__SCHEMES: not a value: {text!r}")


def test_what_is_merged_in_may_be_replaced() -> None:
    file = written(
        "ages:\n  schemes:\n    <<: &b {<<: &a {x: [0, 5], y: [0, 6]}, y: [0, 7]}\n    y: [0, 8]\n"
    )
    assert load_config(file, environment={}).ages.schemes == {"x": [0, 5], "y": [0, 8]}
    file = written("overlay: &o {ids: false}\ncamera: {fps: 5}\naudience: {<<: [{}, {}]}")
    assert not load_config(file, environment={}).overlay.ids
    file = written("ages: {schemes: {<<: {x: [0]}, <<: {y: [0]}}}")
    assert set(load_config(file, environment={}).ages.schemes) == {"x", "y"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("5", "mine.yaml: expected sections, received 5"),
        ("[tracker]", "mine.yaml: expected sections, received ['tracker']"),
        ("tracker: 5", "mine.yaml: expected keys in 'tracker', received 5"),
        (
            "tracker: {min_iuo: 0.3}",
            "mine.yaml: unknown key 'tracker.min_iuo'; did you mean 'min_iou'?; known: min_iou,",
        ),
        (
            "trackr: {min_iou: 0.3}",
            "mine.yaml: unknown section 'trackr'; did you mean 'tracker'?; known: detector,",
        ),
        ("tracker: {xyz: 1}", "mine.yaml: unknown key 'tracker.xyz'; known: min_iou,"),
        ("tracker: {~: 1}", "mine.yaml: unknown key 'tracker.None'; known: min_iou,"),
        ("7: {xyz: 1}", "mine.yaml: unknown section 7; known: detector,"),
        (
            "min_iou: 0.3",
            "mine.yaml: unknown section 'min_iou'; did you mean 'tracker.min_iou'?; known: det",
        ),
        ("blur: true", "mine.yaml: unknown section 'blur'; did you mean 'overlay.blur'?"),
        ("age: {scheme: decades}", "mine.yaml: unknown section 'age'; did you mean 'ages'?"),
        ("scheme: decades", "mine.yaml: unknown section 'scheme'; did you mean 'ages.scheme'?"),
        (
            "overlay.blur: true",
            "mine.yaml: unknown section 'overlay.blur'; did you mean overlay: {blur: …}?; known",
        ),
        ("Overlay: {blur: true}", "mine.yaml: unknown section 'Overlay'; did you mean 'overlay'?"),
        (
            "overlay: {scheme: decades}",
            "mine.yaml: unknown key 'overlay.scheme'; did you mean 'ages.scheme'?; known: age,",
        ),
        (
            "tracker: {MIN_IOU: 0.4}",
            "mine.yaml: unknown key 'tracker.MIN_IOU'; did you mean 'tracker.min_iou'?; known:",
        ),
        (
            "tracker: {MIN_IUO: 0.4}",
            "mine.yaml: unknown key 'tracker.MIN_IUO'; did you mean 'min_iou'?; known: min_iou,",
        ),
    ],
)
def test_keys_that_do_not_exist(text: str, message: str) -> None:
    assert refused(file=written(text)).startswith(message)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("TRACKER__MIN_IUO", "unknown key 'tracker.min_iuo'; did you mean 'min_iou'?; known: min_"),
        ("TRAKCER__MIN_IOU", "unknown section 'trakcer'; did you mean 'tracker'?; known: detector"),
    ],
)
def test_keys_that_do_not_exist_in_the_environment(name: str, message: str) -> None:
    said = refused(environment={f"LIVECAM_{name}": "0.3"})
    assert said.startswith(f"LIVECAM_{name}: {message}")


@pytest.mark.parametrize("name", ["LIVECAM_OVERLAY_BLUR", "LIVECAM_Overlay_blur"])
def test_a_key_in_the_environment_with_one_underscore(name: str) -> None:
    assert refused(environment={name: "true"}) == (
        f"{name}: expected two underscores between section and key; "
        "did you mean LIVECAM_OVERLAY__BLUR?"
    )


WHOLE, NUMBER, TEXT, YES_NO = "a whole number", "a number", "a string", "true or false"
SHARES, TEXTS = "a list of numbers between 0 and 1", "a list of strings"
SCHEME = "names with lists of whole numbers"


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("tracker.confirm_after", "true", WHOLE),
        ("tracker.confirm_after", "2.0", WHOLE),
        ("tracker.confirm_after", "'2'", WHOLE),
        ("tracker.confirm_after", "", WHOLE),
        ("tracker.min_iou", "false", NUMBER),
        ("tracker.min_iou", ".nan", NUMBER),
        ("tracker.min_iou", "half", NUMBER),
        ("tracker.min_iou", "[0.3]", NUMBER),
        ("overlay.gender", "1", YES_NO),
        ("overlay.gender", "'yes'", YES_NO),
        ("classifier.model", "7", TEXT),
        ("classifier.runtime", "[onnx]", TEXT),
        ("detector.thresholds", "0.6", SHARES),
        ("detector.thresholds", "[0.6, 0.7, 1.5]", SHARES),
        ("detector.thresholds", "[0.6, 0.7, .nan]", SHARES),
        ("detector.thresholds", "[0.6, 0.7, true]", SHARES),
        ("runtime.providers", "CPU", TEXTS),
        ("runtime.providers", "[1]", TEXTS),
        ("ages.schemes", "[0, 18]", SCHEME),
        ("ages.schemes", "{mine: 18}", SCHEME),
        ("ages.schemes", "{mine: [0, 18.5]}", SCHEME),
        ("ages.schemes", "{mine: [false, true]}", SCHEME),
        ("ages.schemes", "{7: [0, 18]}", SCHEME),
    ],
)
def test_values_of_the_wrong_type(key: str, value: str, expected: str) -> None:
    section, _, name = key.partition(".")
    message = refused(file=written(f"{section}: {{{name}: {value}}}"))
    assert message == f"mine.yaml: {key}: expected {expected}, received {yaml.safe_load(value)!r}"


@pytest.mark.parametrize("key", BOUNDS)
def test_values_out_of_bounds(key: str) -> None:
    least, greatest = BOUNDS[key]
    for value in (least, greatest):
        config = load_config(flags={key: value}, environment={})
        assert config.sources[key] == "flag"
    for value in (type(least)(least - 1), type(greatest)(greatest + 1)):
        message = refused(flags={key: value})
        assert message == f"flag: {key}: expected {least:g} to {greatest:g}, received {value!r}"


def test_a_flag_is_called_what_it_is_called() -> None:
    origins = {"runtime.threads": "--threads", "ages.scheme": "--scheme"}
    assert refused(flags={"runtime.threads": -1}, origins=origins) == (
        "--threads: runtime.threads: expected 0 to 256, received -1"
    )
    said = refused(flags={"ages.scheme": "none"}, origins=origins)
    assert said.startswith("--scheme: ages.scheme: unknown scheme 'none'")
    said = refused(file=written("runtime: {threads: -1}"), origins=origins)
    assert said.startswith("mine.yaml: runtime.threads: expected 0 to 256")


@pytest.mark.parametrize(
    "value", [float("inf"), -float("inf"), 10**400], ids=["inf", "-inf", "401 digits"]
)
def test_numbers_that_are_too_large(value: float) -> None:
    for key in ("tracker.min_iou", "tracker.max_coast_s"):
        assert refused(flags={key: value}).startswith(f"flag: {key}: expected ")


def test_whole_numbers_are_numbers() -> None:
    config = load_config(flags={"tracker.max_coast_s": 2}, environment={})
    assert type(config.tracker.max_coast_s) is float


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("classifier.runtime", "onxx", "unknown value 'onxx'; did you mean 'onnx'?; known: onnx,"),
        ("video.preset", "quick", "unknown value 'quick'"),
        ("video.preset", "", "unknown value ''"),
    ],
)
def test_choices(key: str, value: str, message: str) -> None:
    assert refused(flags={key: value}).startswith(f"flag: {key}: {message}")
    for choice in CHOICES[key]:
        load_config(flags={key: choice}, environment={})


@pytest.mark.parametrize("thresholds", [[], [0.6], [0.6, 0.7, 0.8, 0.9]], ids=str)
def test_three_thresholds(thresholds: list[float]) -> None:
    assert refused(file=written(f"detector: {{thresholds: {thresholds}}}")) == (
        "mine.yaml: detector.thresholds: expected three numbers, for P-, R- and O-Net, "
        f"received {thresholds}"
    )


# The environment's values are YAML.


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("OVERLAY__GENDER", "false", False),
        ("DETECTOR__MIN_FACE_PX", "64", 64),
        ("TRACKER__MIN_IOU", "0.25", 0.25),
        ("DETECTOR__THRESHOLDS", "[0.5, 0.6, 0.7]", (0.5, 0.6, 0.7)),
        ("RUNTIME__PROVIDERS", "[CPUExecutionProvider]", ("CPUExecutionProvider",)),
        ("CLASSIFIER__MODEL", r"C:\models\age.onnx", r"C:\models\age.onnx"),
        ("AGES__SCHEMES", "{mine: [0, 18]}", {"mine": [0, 18]}),
    ],
)
def test_values_in_the_environment(name: str, text: str, value: object) -> None:
    config = load_config(environment={f"LIVECAM_{name}": text})
    section, _, key = name.lower().partition("__")
    assert getattr(getattr(config, section), key) == value


@pytest.mark.parametrize("text", ["", "2024", "no", "faces: old.h5"])
def test_a_text_in_the_environment_is_taken_as_it_is(text: str) -> None:
    assert load_config(environment={"LIVECAM_TRAIN__DATA": text}).train.data == text


@pytest.mark.parametrize("text", ["[0.1", "{", "*x"])
def test_values_in_the_environment_that_are_no_yaml(text: str) -> None:
    message = refused(environment={"LIVECAM_TRACKER__MIN_IOU": text})
    assert message == f"LIVECAM_TRACKER__MIN_IOU: not a value: {text!r}"


@pytest.mark.parametrize("text", ["", " ", "~", "# 0.4"])
def test_values_in_the_environment_that_say_nothing(text: str) -> None:
    """As a shell gives them for a variable of its own that is not set."""
    assert refused(environment={"LIVECAM_TRACKER__MIN_IOU": text}) == (
        f"LIVECAM_TRACKER__MIN_IOU: tracker.min_iou: expected a number, received {text!r}"
    )


@pytest.mark.parametrize("key", ["classifier.model", "train.data"])
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("~/x.h5", "{home}/x.h5"),
        ("a~/x.h5", "a~/x.h5"),
        ("~nobody-at-all/x.h5", "~nobody-at-all/x.h5"),
        ("", ""),
    ],
)
def test_the_user_s_folder_in_a_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str, text: str, expected: str
) -> None:
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    section, _, name = key.partition(".")
    config = load_config(written(f"{section}: {{{name}: '{text}'}}"), environment={})
    assert getattr(getattr(config, section), name) == expected.format(home=tmp_path)


# Age schemes.


@pytest.mark.parametrize("name", SCHEMES)
def test_published_schemes(name: str) -> None:
    assert load_config(flags={"ages.scheme": name}, environment={}).scheme is SCHEMES[name]


def test_an_own_scheme() -> None:
    file = written("ages: {scheme: school, schemes: {school: [0, 6, 10, 16]}}")
    assert load_config(file, environment={}).scheme.labels == ("0-5", "6-9", "10-15", "16+")


def test_an_own_scheme_does_not_replace_a_published_one() -> None:
    assert refused(file=written("ages: {scheme: decades, schemes: {marketing: [0, 50]}}")) == (
        "mine.yaml: ages.schemes: 'marketing' is the name of a published scheme; give yours another"
    )


def test_a_scheme_that_does_not_exist() -> None:
    assert refused(flags={"ages.scheme": "maketing"}) == (
        "flag: ages.scheme: unknown scheme 'maketing'; did you mean 'marketing'?; "
        f"known: {', '.join(SCHEMES)}"
    )


@pytest.mark.parametrize("starts", [[], [5, 10], [0, 10, 10], [0, 200]], ids=str)
def test_an_own_scheme_with_bad_edges_is_refused_even_if_it_is_not_used(starts: list[int]) -> None:
    assert refused(file=written(f"ages: {{schemes: {{mine: {starts}}}}}")) == (
        "mine.yaml: ages.schemes: age scheme 'mine': expected rising first years that begin with "
        f"0 and stay below 101, received {starts}"
    )
