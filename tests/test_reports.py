"""`train.evaluate`, `train.explore` and `train.compare` as commands, and the pictures they draw."""

from __future__ import annotations

import dataclasses
import json
import os
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from faces_data import PROVENANCE, bells, write_h5
from matplotlib.text import Text

from livecam.ages import CENTRAL_RANGE, SCHEMES
from livecam.datatypes import AgeGender
from livecam.document import STYLE
from train import compare, evaluate, explore, faces, plots, report
from train.recipe import Recipe
from train.run_folder import RunFolder


class FakeClassifier:
    """Answers by the light of a crop."""

    def __init__(self, model: str = "", runtime: str = "onnx") -> None:
        self.path = Path(model or "fake.onnx")
        self.age_range = CENTRAL_RANGE

    def __call__(self, crops: np.ndarray, count: int = 1) -> AgeGender:
        light = crops.reshape(len(crops), -1).mean(axis=1) / 255
        return AgeGender(bells(100 * light, 4), light.astype(np.float32))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_h5(tmp_path / "faces.h5")


@pytest.fixture
def fake_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluate, "AgeGenderClassifier", FakeClassifier)


class _Page(HTMLParser):
    """What a page points at, and whether its tags close in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.ids: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.links += [values[key] or "" for key in ("src", "href", "xlink:href") if key in values]
        if tag == "h2":
            self.ids.append(str(values["id"]))
        if tag not in ("meta", "link", "img"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in ("meta", "link", "img"):
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def _checked(path: Path) -> _Page:
    """Everything is inside, every link leads to a section, every tag is closed."""
    text = path.read_text()
    page = _Page(text)
    assert page.open == []
    for link in page.links:
        assert link.startswith(("#", "data:")), link[:80]
    assert "url(http" not in text
    for anchor in page.ids:
        assert f"#{anchor}" in page.links
    return page


def test_a_report_has_all_sections_and_needs_nothing_else(
    data: Path, tmp_path: Path, fake_model: None, capsys: pytest.CaptureFixture[str]
) -> None:
    out, scores = tmp_path / "report.html", tmp_path / "scores.json"
    assert evaluate.main([str(data), "--report", str(out), "--json", str(scores)]) == 0
    page = _checked(out)
    assert page.ids == [
        "measures-and-baselines",
        "calibration",
        "age-schemes",
        "error-by-age",
        "error-by-group-and-picture",
        "degraded-pictures",
        "the-24-largest-errors",
    ]
    text = out.read_text()
    assert STYLE in text  # it looks as livecam's pages do
    assert text.count("data:image/jpeg") == 2 * 24  # a face and its map
    assert "<b>" not in text  # the names of the files are escaped
    assert "Keep this file to yourself" in text
    for name in SCHEMES:
        assert f"{name}: " in text
    written = json.loads(scores.read_text())
    assert written["faces"] == 28
    assert written["robustness"]["faces"] == 28
    assert set(written["robustness"]["curves"]) >= {"JPEG", "roll"}
    assert "× that of clean ones" in capsys.readouterr().out


def test_own_schemes_of_the_configuration_are_scored(
    data: Path, tmp_path: Path, fake_model: None, no_drawings: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "livecam.yaml").write_text("ages: {schemes: {school: [0, 6, 10, 16]}}")
    monkeypatch.chdir(tmp_path)
    argv = [str(data), "--report", "report.html", "--json", "scores.json", "--sample", "4"]
    assert evaluate.main(argv) == 0
    scores = json.loads(Path("scores.json").read_text())
    assert scores["schemes"]["school"]["classes"][2]["label"] == "10-15"
    assert "school: " in Path("report.html").read_text()


@pytest.fixture
def no_drawings(monkeypatch: pytest.MonkeyPatch) -> None:
    """For what does not hang on them: they are most of the time that a report takes."""
    monkeypatch.setattr(report, "drawing", lambda figure, caption="": "<figure></figure>")


def test_a_report_without_faces(
    data: Path, tmp_path: Path, fake_model: None, no_drawings: None
) -> None:
    out = tmp_path / "report.html"
    assert evaluate.main([str(data), "--report", str(out), "--no-gallery", "--sample", "5"]) == 0
    text = out.read_text()
    assert "data:image/jpeg" not in text
    assert "The same 5 faces" in text
    assert "Keep this file" not in text


def test_scores_and_report_without_a_known_gender(tmp_path: Path, fake_model: None) -> None:
    data = write_h5(tmp_path / "faces.h5", gender=-1)
    out = tmp_path / "report.html"
    assert evaluate.main([str(data), "--report", str(out), "--sample", "4"]) == 0
    assert "gender unknown" in out.read_text()
    assert "nan" not in re.sub(r"base64,[^\"]*", "", out.read_text())


def test_scores_of_a_single_face(
    tmp_path: Path, fake_model: None, capsys: pytest.CaptureFixture[str]
) -> None:
    data, out = write_h5(tmp_path / "faces.h5", n=3), tmp_path / "one.html"
    assert evaluate.main([str(data), "--report", str(out)]) == 0
    assert "on 1 face of the test part" in capsys.readouterr().out
    text = out.read_text()
    assert "The same 1 face, made worse" in text
    assert "The 1 largest error" in text
    assert not re.search(r"\b1 (faces|errors)", text)


class _OnDisk:
    """Crops that can only be had in parts, as from a file."""

    def __init__(self, crops: np.ndarray) -> None:
        self._crops, self.shape = crops, crops.shape

    def __len__(self) -> int:
        return len(self._crops)

    def __getitem__(self, rows: int | slice | np.ndarray) -> np.ndarray:
        part = self._crops[rows]
        assert part.ndim == 3 or len(part) <= 8
        return part


def test_crops_are_read_in_parts(
    data: Path,
    tmp_path: Path,
    fake_model: None,
    no_drawings: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loaded = faces.load(data, "test")
    in_parts = dataclasses.replace(loaded, crops=_OnDisk(loaded.crops))
    monkeypatch.setattr(evaluate, "BATCH", 8)
    monkeypatch.setattr(evaluate.faces, "load", lambda *_, **__: in_parts)
    assert evaluate.main([str(data), "--report", str(tmp_path / "report.html")]) == 0


def test_json_on_stdout_is_json(
    data: Path, fake_model: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate.main([str(data), "--json"]) == 0
    scores = json.loads(capsys.readouterr().out)
    assert (scores["faces"], scores["views"]) == (28, 2)


@pytest.mark.parametrize(
    ("count", "said"), [("1", "each as one frame of a film shows it"), ("3", "each in 3 views")]
)
def test_the_table_says_how_many_views_were_asked_about(
    data: Path, fake_model: None, capsys: pytest.CaptureFixture[str], count: str, said: str
) -> None:
    assert evaluate.main([str(data), "--views", count]) == 0
    assert said in capsys.readouterr().out.splitlines()[0]


@pytest.mark.parametrize(
    ("known", "split", "said"),
    [
        ("another", "test", "learnt from another file of faces (its hash is another, here it is"),
        ("another", "train", "learnt from another file of faces"),
        ("this", "test", None),
        ("this", "train", "learnt these faces"),
        (None, "train", None),
    ],
)
def test_faces_that_a_model_may_have_learnt_are_told(
    data: Path, tmp_path: Path, fake_model: None, capsys: pytest.CaptureFixture[str],
    known: str | None, split: str, said: str | None,
) -> None:  # fmt: skip
    model = tmp_path / "mine.onnx"
    own = faces.load(data, split).data_hash
    said_hash = own if known == "this" else known
    beside = f'data_hash: "{said_hash}"\n' if known else "age_range: null\n"
    model.with_suffix(".yaml").write_text(beside)
    assert evaluate.main([str(data), "--split", split, "--model", str(model)]) == 0
    err = capsys.readouterr().err
    assert (said in err) if said else ("learnt" not in err)


@pytest.mark.parametrize(
    ("learnt", "begin", "is_told"),
    [
        ((), (), True), (("mine",), (), False), (("mine", "utkface"), (), True),
        (("mine",), ("before",), True),  # which may have learnt them
    ],
)  # fmt: skip
def test_a_run_has_not_learnt_the_data_sets_that_its_recipe_left_out(
    data: Path, tmp_path: Path, fake_model: None, capsys: pytest.CaptureFixture[str],
    learnt: tuple[str, ...], begin: tuple[str, ...], is_told: bool,
) -> None:  # fmt: skip
    run = RunFolder(tmp_path / "run")
    record = {**PROVENANCE, "data_hash": faces.load(data, "train").data_hash, "faces": 9}
    run.begin(Recipe(datasets=learnt, begin=begin), **record)
    argv = [str(data), "--split", "train", "--model", str(run.path / "mine.onnx")]
    assert evaluate.main(argv) == 0
    assert ("learnt these faces" in capsys.readouterr().err) == is_told


def test_a_sample_is_always_the_same() -> None:
    assert evaluate.sample(5, 0).tolist() == evaluate.sample(5, 9).tolist() == [0, 1, 2, 3, 4]
    chosen = evaluate.sample(1000, 10)
    assert len(np.unique(chosen)) == 10
    assert chosen.tolist() == sorted(evaluate.sample(1000, 10))


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["none.h5"], 1, "none.h5: no such file; make it with python -m train.prepare"),
        (["no.h5"], 1, "no.h5: not a file of python -m train.prepare, or a damaged one"),
        (["."], 1, ".: is a folder; expected a file of python -m train.prepare"),
        (["other.h5"], 1, "other.h5: not a file of python -m train.prepare"),
        (["faces.h5", "--split", "dev"], 1, "no face in its dev part"),
        (["faces.h5", "--dataset", "nobody"], 1, "no face in its test part of nobody"),
        (
            ["faces.h5", "--dataset", "utkface", "--dataset", "train-alone"],
            1,
            "no face in its test part of train-alone; those in it are of utkface",
        ),
        (["faces.h5", "--model", "none.onnx"], 1, "none.onnx: no such model"),
        (["faces.h5", "--model", "no.onnx"], 1, "no.onnx: "),
        (["faces.h5", "--model", "faces.h5"], 2, "expected a .onnx or .keras file"),
        (["faces.h5", "--sample", "-1"], 2, "--sample: expected a number of faces or 0"),
        (["faces.h5", "--views", "5"], 2, "--views: expected 1 to 4, got 5"),
        (["faces.h5", "--report", "page.pdf"], 2, "expected a name that ends in .html"),
        (["faces.h5", "--report", "none/page.html"], 1, "there is no folder none"),
        (["faces.h5", "--report", "folder.html"], 2, "--report folder.html: is a folder"),
        (["--json", "faces.h5", "faces.h5"], 2, "expected a name that ends in .json"),
        (["faces.h5", "--json", "none/scores.json"], 1, "there is no folder none"),
        (["faces.h5", "--json", "folder.json"], 2, "--json folder.json: is a folder"),
    ],
)
def test_evaluate_says_what_is_wrong(
    arguments: list[str],
    code: int,
    message: str,
    data: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(data.parent)
    Path("no.h5").write_text("words")
    Path("no.onnx").write_text("words")
    Path("folder.html").mkdir()
    Path("folder.json").mkdir()
    with h5py.File("other.h5", "w") as h5:
        h5["something"] = [1]
    with h5py.File(data, "a") as h5:
        h5["dataset"][-2] = "train-alone"
    assert evaluate.main(arguments) == code
    error = capsys.readouterr().err
    assert message in error
    assert len(error.splitlines()) == 1


@pytest.mark.parametrize("name", SCHEMES)
def test_the_labels_of_a_drawn_confusion_are_its_rows(name: str) -> None:
    """A cell's text stands at the row and the column that its labels name."""
    labels = SCHEMES[name].labels
    counts = np.arange(1, len(labels) ** 2 + 1).reshape(len(labels), -1)
    (axes,) = plots.confusion(counts, labels).axes
    rows = {
        place: text.get_text()
        for place, text in zip(axes.get_yticks(), axes.get_yticklabels(), strict=True)
    }
    columns = {
        place: text.get_text()
        for place, text in zip(axes.get_xticks(), axes.get_xticklabels(), strict=True)
    }
    assert axes.get_ylabel() == "labelled"
    assert axes.get_ylim()[0] > axes.get_ylim()[1]  # the first class is at the top
    written = {
        (rows[round(text.get_position()[1])], columns[round(text.get_position()[0])]): int(
            text.get_text()
        )
        for text in axes.texts
        if "%" not in text.get_text()
    }
    for i, row in enumerate(labels):
        for j, column in enumerate(labels):
            assert written[row, column] == counts[i, j]


def test_without_matplotlib_the_install_command_is_the_answer(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("livecam.extras.importlib.util.find_spec", lambda name: None)
    for command in (evaluate, explore):
        option = "--report" if command is evaluate else "-o"
        assert command.main([str(data), option, "page.html"]) == 1
        error = capsys.readouterr().err
        assert error.startswith(f"python -m {command.__name__}: matplotlib is not installed; ")
        assert '[train]"' in error


def test_a_drawing_takes_the_ink_of_the_page() -> None:
    svg = report.drawing(plots.range_calibration([0.5, 0.8], [0.4, 0.9], (0.8, 0.8)), "<caption>")
    assert plots.INK not in svg
    assert "currentColor" in svg
    assert "&lt;caption&gt;" in svg
    assert "<metadata" not in svg
    assert svg == report.drawing(
        plots.range_calibration([0.5, 0.8], [0.4, 0.9], (0.8, 0.8)), "<caption>"
    )


def test_a_map_is_red_where_it_is_positive() -> None:
    years = np.float32([[1, 0, -1]])
    red, plain, blue = plots.heat(np.full((1, 3, 3), 128, np.uint8), years)[0].astype(int)
    assert red[0] > red[2]
    assert plain.tolist() == [128, 128, 128]
    assert blue[2] > blue[0]


def test_names_that_begin_with_a_dash_are_no_options(
    data: Path, fake_model: None, no_drawings: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with h5py.File(data, "a") as h5:
        h5["dataset"][:9], h5["split"][:9] = "-mine", faces.DEV
    monkeypatch.chdir(data.parent)
    run = RunFolder(Path("-run"))
    run.begin(Recipe(datasets=("-mine",)), **PROVENANCE)
    evaluate.evaluate_run(data, run)
    scores = json.loads(run.scores.read_text())
    assert (scores["model"], scores["datasets"]) == ("age_gender.keras", ["-mine"])
    assert (scores["faces"], scores["robustness"]["faces"]) == (9, 9)
    assert "<html" in run.report.read_text()


def test_the_report_of_a_run_of_classes_begins_with_them(
    data: Path, tmp_path: Path, fake_model: None, no_drawings: None
) -> None:
    with h5py.File(data, "a") as h5:
        h5["split"][:9] = faces.DEV
    run = RunFolder(tmp_path / "run")
    chosen = "Its epoch was chosen by these faces"
    for target in ("years", "actors-3"):
        run.begin(Recipe(target=target), **PROVENANCE)
        evaluate.evaluate_run(data, run)
        page = run.report.read_text()
        assert (f"trained for {target}. {chosen}" in page) == (target == "years")
        assert (f"trained for the classes of actors-3. {chosen}" in page) == (target != "years")
        _, first, *_ = re.findall(r"<tr.*?</tr>", page, re.DOTALL)
        name, _, interval, _ = re.findall(r">([^<>]+)</t[hd]>", first)
        assert name == ("MAE, years" if target == "years" else "accuracy of actors-3, the target")
        assert re.fullmatch(r"[\d.]+( %)? – [\d.]+( %)?", interval)
    scores = json.loads(run.scores.read_text())
    assert next(iter(scores["schemes"])) == "actors-3"
    assert page.index("actors-3: ") < page.index("marketing: ")
    low, high = scores["schemes"]["actors-3"]["accuracy_interval"]
    assert low <= scores["schemes"]["actors-3"]["accuracy"] <= high
    assert evaluate.main([str(data), "--report", str(tmp_path / "any.html")]) == 0
    assert chosen not in (tmp_path / "any.html").read_text()  # of any model


def test_no_line_crosses_the_figures_of_groups() -> None:
    groups = {name: {"mae": mae, "faces": 9} for name, mae in (("a", 4.0), ("b", 4.6), ("c", 9.0))}
    figure = plots.group_bars(groups, mean=4.3)
    figure.draw_without_rendering()
    (axes,) = figure.axes
    figures = [text for text in axes.texts if text.get_text() in ("4.0", "4.6", "9.0")]
    assert len(figures) == 3
    (line,) = axes.get_lines()
    for text in figures:
        box = text.get_window_extent()
        assert not box.x0 <= line.get_window_extent().x0 <= box.x1
        assert box.x1 <= figure.bbox.x1


# explore


def test_explore_writes_a_page(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "page.html"
    assert explore.main([str(data), "-o", str(out)]) == 0
    page = _checked(out)
    assert page.ids[-2:] == ["copies", "some-faces"]
    text = out.read_text()
    assert text.count("data:image/jpeg") == 29  # all but the one that is left out
    assert "Labels that merging copies changed: 1, by 2.0 years (median), at most 2." in text


def test_explore_writes_a_folder(
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("LIVECAM_AGES__SCHEMES", "{my/own: [0, 18]}")
    out = tmp_path / "pictures"
    assert explore.main([str(data), "-o", str(out)]) == 0
    names = {path.name for path in out.iterdir()}
    assert {"ages-utkface.png", "gender-by-age.png", "ethnicity-by-age.png"} <= names
    assert {f"classes-{name}.png" for name in (*SCHEMES, "my_own")} <= names
    assert "faces-20-29.png" in names
    monkeypatch.setattr(explore, "drawings", lambda *_: {})  # they are the same
    bare = tmp_path / "bare"
    assert explore.main([str(data), "-o", str(bare), "--no-gallery"]) == 0
    assert not list(bare.glob("faces-*"))
    assert explore.main([str(data), "-o", str(out), "--no-gallery"]) == 2
    assert "faces-0-2.png is there, of an earlier run" in capsys.readouterr().err


def test_explore_shows_intervals_in_no_class_as_training_does(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with h5py.File(data, "a") as h5:
        age = h5["age"][()]
        h5["age_high"][:] = np.floor(age) + np.where(age < 10, 30, 0)
        columns = explore.read_columns(h5)
    drawn = {}
    monkeypatch.setattr(
        plots, "stacked_bars", lambda table, bars, *rest: drawn.update({rest[1]: (table, bars)})
    )
    explore.drawings(columns, SCHEMES)
    table, bars = drawn["classes of decades"]
    used = columns.is_used
    assert bars[-1] == "in several"
    assert table.sum(axis=1)[[0, -1]].tolist() == [0, (columns.age[used] < 10).sum()]
    assert table.sum() == used.sum()
    table, bands = drawn["gender by age"]
    assert bands[-1] == "in several"
    assert table.sum(axis=1)[-1] == (columns.age[used] < 10).sum()
    assert table.sum() == used.sum()


def test_a_report_of_intervals_says_what_they_count_in(tmp_path: Path, fake_model: None) -> None:
    data, out = write_h5(tmp_path / "faces.h5"), tmp_path / "report.html"
    with h5py.File(data, "a") as h5:
        h5["age_low"][:] = np.where(h5["age"][()] > 50, 51, 0)
        h5["age_high"][:] = np.where(h5["age"][()] > 50, 100, 30)
    assert evaluate.main([str(data), "--report", str(out), "--no-gallery", "--sample", "1"]) == 0
    text = out.read_text()
    assert "in no one band of ages: 28" in text
    assert "an interval at its middle" in text
    assert "Likeliest class of actors-3." in text  # the one scheme whose classes these are
    assert "Likeliest class of decades." not in text
    assert "decades: no label lies in one of its classes" in text


def test_explore_counts_copies_and_merged_labels(data: Path) -> None:
    with faces.opened(data) as h5:
        columns = explore.read_columns(h5)
    assert explore.group_sizes(columns) == [(1, 28), (2, 1)]
    assert explore.merged_labels(columns).tolist() == [2]
    header, (row,) = explore.parts_table(columns)
    assert dict(zip(header, row, strict=True))["test"] == "28"
    assert dict(zip(header, row, strict=True))["female"].endswith("%")


def test_explore_says_of_how_many_the_gender_is_known(data: Path) -> None:
    with h5py.File(data, "a") as h5:
        h5["gender"][:] = -1
        h5["gender"][:2] = [1, 0]
    with faces.opened(data) as h5:
        header, (row,) = explore.parts_table(explore.read_columns(h5))
    assert dict(zip(header, row, strict=True))["female"] == "50 % of 2"


@pytest.mark.parametrize(
    ("name", "message"),
    [("none.h5", "no such file"), ("no.h5", "not a file of"), ("empty.h5", "holds no face")],
)
def test_explore_says_what_is_wrong(
    name: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "no.h5").write_text("words")
    write_h5(tmp_path / "empty.h5", n=3)
    with h5py.File(tmp_path / "empty.h5", "a") as h5:
        for column in list(h5):
            empty = h5[column][:0]
            kind = h5[column].dtype
            del h5[column]
            h5.create_dataset(column, data=empty, dtype=kind)
    assert explore.main([str(tmp_path / name), "-o", str(tmp_path / "x.html")]) == 1
    error = capsys.readouterr().err
    assert message in error
    assert len(error.splitlines()) == 1


@pytest.mark.parametrize(
    ("output", "code", "message"),
    [
        ("page.pdf", 2, "--output page.pdf: expected a name that ends in .html"),
        ("none/page.html", 1, "there is no folder none"),
        ("faces.h5", 2, "--output faces.h5: expected a name that ends in .html"),
        ("words", 2, "words is a file; expected the name of a folder"),
        ("words/pictures", 2, "words is a file; expected the name of a folder"),
        ("locked/pictures", 1, "locked may not be written to"),
    ],
)
def test_explore_refuses_an_output_before_it_draws(
    output: str,
    code: int,
    message: str,
    data: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(data.parent)
    Path("words").write_text("words")
    Path("locked").mkdir()
    monkeypatch.setattr("os.access", lambda path, mode: Path(path).name != "locked")
    monkeypatch.setattr(explore.faces, "opened", lambda path: pytest.fail("it has begun"))
    assert explore.main([str(data), "-o", output]) == code
    error = capsys.readouterr().err
    assert message in error
    assert len(error.splitlines()) == 1


# compare


def _run(
    folder: Path,
    data_hash: str = "a",
    seconds: tuple[int, ...] = (10, 20),
    dev_faces: dict[str, int] = PROVENANCE["dev_faces"],
    **recipe: object,
) -> str:
    folder.mkdir()
    record = {"recipe": {"epochs": 2, "batch": 8, **recipe}, **PROVENANCE}
    record |= {"data_hash": data_hash, "dev_faces": dev_faces}
    (folder / "recipe.json").write_text(json.dumps(record))
    lines = ["epoch,loss,dev_mae,dev_gender_accuracy,seconds,more"]
    lines += [f"{i + 1},5.{i},{6 - i}.5,0.9{i},{s},1" for i, s in enumerate(seconds)]
    (folder / "log.csv").write_text("\n".join(lines) + "\n")
    return str(folder)


def test_compare_shows_what_differs_and_what_came_of_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = _run(tmp_path / "first")
    second = _run(tmp_path / "second", seconds=(10, 20, 25), batch=16, new=1)
    (tmp_path / "second" / "scores.json").write_text(
        json.dumps(
            {"split": "test", "datasets": [], "faces": 9, "mae": {"value": 4.5}, "gender": None}
        )
    )
    out = tmp_path / "curves.html"
    assert compare.main([first, second, "-o", str(out)]) == 0
    text, error = capsys.readouterr()
    assert "| batch | 8 | 16 |" in text
    assert "| new | - | 1 |" in text
    assert "| epochs |" not in text
    assert "| epochs done | 2 of 2 | 3 of 2 |" in text
    assert "| kept epoch | 2 | 3 |" in text
    assert "| its dev MAE | 5.500 | 4.500 |" in text
    assert "accuracy of the classes" not in text
    assert "| time | 0:20 | 0:25 |" in text
    assert "| its MAE | - | 4.50 |" in text
    assert "warning" not in error
    assert _checked(out).ids == ["recipes-and-results", "curves"]
    picture = tmp_path / "curves.png"
    assert compare.main([first, "-o", str(picture)]) == 0
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_a_run_may_have_a_name_that_is_no_text(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = _run(tmp_path / os.fsdecode(b"caf\xe9"))
    assert compare.main([run, "-o", str(tmp_path / "curves.html")]) == 0
    assert "caf\\xe9" in capsys.readouterr().out


def test_what_changes_nothing_in_a_run_is_no_difference(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = [_run(tmp_path / f"w{width}", architecture="resnet", width=width) for width in (8, 16)]
    lenet = _run(tmp_path / "lenet", architecture="lenet")
    assert compare.main([*runs, lenet]) == 0
    text = capsys.readouterr().out
    assert "| width | 8 | 16 | - |" in text
    assert "| depths |" not in text  # the usual ones


def test_of_classes_compare_shows_the_epoch_that_was_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By their accuracy, and the last of equals, as `train.fit` keeps it."""
    years = _run(tmp_path / "years", target="years", label_sigma=1.0)
    classes = _run(tmp_path / "classes", target="decades", label_sigma=1.0)
    (tmp_path / "classes" / "log.csv").write_text(
        "epoch,loss,dev_mae,dev_accuracy,dev_gender_accuracy,seconds\n"
        "1,5,7.5,0.5,nan,1\n2,4,9.5,0.625,nan,2\n3,3,8.5,0.625,nan,3\n4,3,6.5,0.25,nan,4\n"
    )
    assert compare.main([years, classes, "-o", str(tmp_path / "curves.html")]) == 0
    text = capsys.readouterr().out
    assert "| kept epoch | 2 | 3 |" in text
    assert "| its dev MAE | 5.500 | 8.500 |" in text
    assert "| its dev accuracy of the classes | - | 62.5 % (decades) |" in text
    assert "| label_sigma |" not in text  # without effect in the one, and usual in the other
    page = (tmp_path / "curves.html").read_text()
    assert "accuracy of decades, dev part" in page
    assert "loss, on changed pictures" in page  # and the other kind of loss has an axis of its own
    assert "loss of decades, on changed pictures" in page


def test_each_target_has_axes_of_its_own(tmp_path: Path) -> None:
    out, runs = tmp_path / "curves.html", []
    for number, target in enumerate(("decades", "actors-3", "decades")):
        runs.append(_run(tmp_path / str(number), target=target))
        log = tmp_path / str(number) / "log.csv"
        log.write_text(log.read_text().replace("more", "dev_accuracy"))
    assert compare.main([*runs, "-o", str(out)]) == 0
    page = out.read_text()
    for target in ("decades", "actors-3"):
        assert page.count(f"accuracy of {target}, dev part") == 1
        assert page.count(f"loss of {target}, on changed pictures") == 1


MINE, BOTH = {"mine": 9}, {"mine": 9, "utkface": 5}


@pytest.mark.parametrize(
    ("first", "second", "row"),
    [
        (
            {"datasets": ["mine"], "dev_faces": MINE},
            {"dev_faces": BOTH},
            "| 9 of mine | 9 of mine, 5 of utkface |",
        ),
        ({"datasets": ["mine"], "dev_faces": MINE}, {"dev_faces": MINE}, ""),  # there are no others
    ],
)
def test_compare_warns_of_different_judges(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], first: Any, second: Any, row: str
) -> None:
    runs = [_run(tmp_path / "a", **first), _run(tmp_path / "b", **second)]
    for out in (tmp_path / "curves.html", tmp_path / "curves.png"):
        assert compare.main([*runs, "-o", str(out)]) == 0
        text, error = capsys.readouterr()
        assert "| dev faces | " in text
        assert ("warning: these runs were judged by different faces" in error) == bool(row)
        assert row in text
    said = "these runs were judged by different faces, so their dev scores do not compare: "
    assert (said in (tmp_path / "curves.html").read_text()) == bool(row)


def test_compare_warns_of_different_data(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = [_run(tmp_path / "a"), _run(tmp_path / "b", data_hash="b")]
    out = tmp_path / "curves.html"
    assert compare.main([*runs, "-o", str(out)]) == 0
    assert "warning: these runs learnt from different data" in capsys.readouterr().err
    assert "these runs learnt from different data" in out.read_text()


def test_compare_leaves_out_a_run_without_an_epoch(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, young = _run(tmp_path / "first"), _run(tmp_path / "young", seconds=())
    (tmp_path / "young" / "log.csv").unlink()
    assert compare.main([first, young]) == 0
    out, err = capsys.readouterr()
    assert "| kept epoch | 2 |" in out
    assert f"left out: {young}: no epoch of it has ended" in err


def test_compare_leaves_out_what_is_no_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of `runs/*`: notes, its own page, a folder without a run, a damaged one."""
    monkeypatch.chdir(tmp_path)
    for name in ("good", "torn"):
        _run(Path(name))
    Path("empty").mkdir()
    Path("notes.txt").touch()
    Path("torn/log.csv").write_text("epoch,loss,dev_mae,dev_gender_accuracy,seconds\n1")
    others = ["empty", "notes.txt", "torn"]
    assert compare.main([*others, "good", "-o", "runs.html"]) == 0
    assert compare.main([*others, "good", "runs.html"]) == 0
    out, err = capsys.readouterr()
    assert "| kept epoch | 2 |" in out
    assert "left out: notes.txt: no folder; give the --out of a python -m train.fit" in err
    assert "left out: empty/recipe.json: no such file; expected a folder that" in err
    assert "left out: torn/log.csv: not a run's log" in err
    assert "left out: runs.html: no folder" in err
    assert compare.main(others) == 1
    (said,) = capsys.readouterr().err.splitlines()
    assert "python -m train.compare: empty/recipe.json: no such file" in said
    assert compare.main(["good", "typo"]) == 1
    assert "typo: no such folder" in capsys.readouterr().err


def test_the_curves_of_long_names_are_told_apart_and_nothing_is_cut() -> None:
    log = {"epoch": np.arange(3), "loss": np.ones(3), "dev_mae": np.ones(3)}
    names = [f"{'a' * 200}{i}" for i in range(20)]
    panels = {"loss": "long " * 9, "dev_mae": "short"}
    figure = plots.curves(dict.fromkeys(names, log), panels, "epoch")
    figure.draw_without_rendering()
    (legend,) = figure.legends
    assert len({text.get_text() for text in legend.get_texts()}) == 20
    titles = figure.findobj(
        lambda part: isinstance(part, Text) and part.get_text() in panels.values()
    )
    assert len(titles) == 2
    for part in (legend, *titles):
        box = part.get_window_extent()
        assert box.x0 >= 0 and box.y0 >= 0
        assert box.x1 <= figure.bbox.x1 and box.y1 <= figure.bbox.y1


def test_compare_shows_no_number_as_a_dash(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = _run(tmp_path / "run")
    (tmp_path / "run" / "log.csv").write_text(
        "epoch,loss,dev_mae,dev_gender_accuracy,seconds\n1,nan,nan,nan,1\n"
    )
    assert compare.main([run, "-o", str(tmp_path / "curves.png")]) == 1
    out, err = capsys.readouterr()
    assert "| its dev MAE | - |" in out
    assert "nothing to draw: the logs hold no finite number" in err


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["none"], 1, "none: no such folder; give the --out of a python -m train.fit"),
        (["."], 1, "recipe.json: no such file"),
        (["words"], 1, "recipe.json: unreadable"),
        (["young"], 1, "young: no epoch has ended"),
        (["odd"], 1, "lacks the column dev_mae"),
        (["torn"], 1, "log.csv: not a run's log: float() "),
        (["bare"], 1, "recipe.json: not the record of a run (no 'recipe')"),
        (["good", "good"], 2, "expected different runs"),
        (["good", "-o", "x.pdf"], 2, "ends in .html or .png"),
        (["none", "-o", "none/x.html"], 1, "there is no folder none"),
        (["none", "-o", "folder.png"], 2, "--output folder.png: is a folder"),
    ],
)
def test_compare_says_what_is_wrong(
    arguments: list[str],
    code: int,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in ("good", "words", "young", "odd", "torn", "bare"):
        _run(tmp_path / name)
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "words" / "recipe.json").write_text("words")
    (tmp_path / "bare" / "recipe.json").write_text('{"recipe": 1}')
    (tmp_path / "young" / "log.csv").unlink()
    (tmp_path / "odd" / "log.csv").write_text("epoch,loss\n1,2\n")
    (tmp_path / "torn" / "log.csv").write_text("epoch,loss,dev_mae,dev_gender_accuracy,seconds\n1")
    monkeypatch.chdir(tmp_path)
    assert compare.main(arguments) == code
    error = capsys.readouterr().err
    assert message in error
    assert len(error.splitlines()) == 1


def test_some_data_sets_can_be_scored_alone(
    data: Path, fake_model: None, capsys: pytest.CaptureFixture[str]
) -> None:
    with h5py.File(data, "a") as h5:
        h5["dataset"][:4] = ["a", "a", "b", "c"]
    assert evaluate.main([str(data), "--dataset", "a", "--dataset", "b"]) == 0
    assert "on 3 faces of the test part of a, b" in capsys.readouterr().out
    assert evaluate.main([str(data), "--dataset", "none"]) == 1
    assert "no face in its test part of none; those in it are of a, b, c, utkface" in (
        capsys.readouterr().err
    )
