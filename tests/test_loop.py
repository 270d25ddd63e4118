"""The training loop's small decisions: when a rate is halved, when it is over, what has room."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from faces_data import PROVENANCE, bells, face_set
from with_keras import deprecated_in_numpy, keras_module

from livecam.errors import LivecamError
from train.recipe import CHOICES, Recipe
from train.run_folder import RunFolder


@pytest.fixture(scope="module")
def loop() -> Any:
    return keras_module("loop")


@pytest.mark.parametrize(
    ("scores", "halvings"),
    [
        ([], 0),
        ([5, 4, 3], 0),
        ([5, 6, 6], 0),
        ([5, 6, 6, 6], 1),
        ([5, 6, 6, 6, 6, 6], 1),
        ([5, 6, 6, 6, 6, 6, 6], 2),
        ([5, 6, 6, 4, 6, 6], 0),
        ([5, 6, 6, 6, 4, 6, 6, 6], 2),
    ],
)
def test_every_three_epochs_without_a_better_score_halve_the_rate(
    loop: Any, scores: list[float], halvings: int
) -> None:
    assert loop._plateaus(scores) == halvings


@pytest.mark.parametrize(("scores", "epochs"), [([], 0), ([5], 0), ([5, 6, 7], 2), ([5, 4, 6], 1)])
def test_epochs_since_the_best(loop: Any, scores: list[float], epochs: int) -> None:
    assert loop._epochs_since_best(scores) == epochs


@pytest.mark.parametrize(
    ("share", "epochs", "early"), [(0.0, 4, 0), (0.5, 4, 2), (0.9, 2, 1), (0.6, 1, 0)]
)
def test_the_last_epoch_has_pictures_of_full_size(
    loop: Any, share: float, epochs: int, early: int
) -> None:
    recipe = Recipe(early_px=16, early_share=share, epochs=epochs, input_px=32)
    assert loop._stages(recipe) == [(16, early), (32, epochs)]


@pytest.mark.parametrize(
    ("share", "maes", "is_over"),
    [
        (0.0, [5, 6, 6], True),
        (0.0, [5, 6], False),
        (0.5, [5, 6, 6, 6, 6], False),
        (0.5, [5, 6, 6, 6, 6, 6], True),
        (0.5, [5, 6, 6, 6, 4, 6], False),
    ],
)
def test_patience_begins_with_pictures_of_full_size(
    loop: Any, tmp_path: Path, share: float, maes: list[float], is_over: bool
) -> None:
    recipe = Recipe(early_px=16, early_share=share, epochs=8, early_stopping=2)
    run = RunFolder(tmp_path)
    for epoch, mae in enumerate(maes, 1):
        run.append({"epoch": epoch, "dev_mae": mae, "seconds": 1})
    material = SimpleNamespace(selection=SimpleNamespace(rows=range(640)))
    assert loop.AfterEpoch(recipe, run, material, len(maes)).is_over() == is_over


@pytest.mark.parametrize(("knows", "accuracy"), [(True, 0.75), (False, float("nan"))])
def test_a_gender_that_is_not_known_is_not_scored(
    loop: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, knows: bool, accuracy: float
) -> None:
    dev = face_set([20, 30, 40, 50])
    dev = dataclasses.replace(dev, labels=dataclasses.replace(dev.labels, gender=np.ones(4, int)))
    selection = SimpleNamespace(rows=range(640), years=None)
    material = SimpleNamespace(selection=selection, dev=dev, knows_gender=knows)
    after = loop.AfterEpoch(Recipe(), RunFolder(tmp_path), material, 0)
    answers = bells(dev.labels.age, 3), np.array([True, True, True, False])
    monkeypatch.setattr(after, "_dev_answers", lambda: answers)
    scored = after._dev_scores()["dev_gender_accuracy"]
    assert scored == pytest.approx(accuracy, nan_ok=True)


def test_weights_that_are_no_numbers_are_no_best_epoch(
    loop: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "resized", lambda crops, px: crops)
    dev = dataclasses.replace(face_set([20, 30]), crops=np.zeros((2, 8, 8, 3), np.uint8))
    selection = SimpleNamespace(rows=range(640), years=None)
    material = SimpleNamespace(selection=selection, dev=dev, knows_gender=True)
    after = loop.AfterEpoch(Recipe(), RunFolder(tmp_path), material, 0)
    answer = {"age": np.full((2, 101), np.nan, np.float32), "gender": np.zeros((2, 1))}
    after.set_model(SimpleNamespace(predict=lambda *args, **options: answer))
    with pytest.raises(LivecamError, match="in weights that are no numbers; no epoch was finished"):
        after._dev_scores()


def test_a_loss_that_is_no_number_can_be_gone_on_from(loop: Any, tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    material = SimpleNamespace(selection=SimpleNamespace(rows=range(640)))
    recipe = Recipe(architecture="mobilenet", pretrained=True, precision="mixed_float16")
    run.model.touch()
    with pytest.raises(LivecamError) as caught:
        after = loop.AfterEpoch(recipe, run, material, 1)
        after.on_train_batch_end(4, {"loss": float("nan")})
    assert str(caught.value) == (
        "batch 5: the loss is nan; start anew with another --out and --set precision=float32, or a "
        f"lower learning_rate; --set pretrained=false --set begin={tmp_path} goes on from its best "
        "epoch"
    )


@deprecated_in_numpy
def test_a_run_begins_with_the_mean_of_the_weights_of_others(loop: Any, tmp_path: Path) -> None:
    recipe = Recipe(width=8, depths=(1,), input_px=32)
    begun = []
    for name in ("a", "b"):
        begun.append(loop.architectures.build(recipe, 101))
        (tmp_path / name).mkdir()
        loop.architectures.deployed(begun[-1], recipe).save(RunFolder(tmp_path / name).model)
    net = loop.architectures.build(recipe, 101)
    names = (str(tmp_path / "a"), str(tmp_path / "b"))
    loop._begin_with(net, dataclasses.replace(recipe, begin=names))
    for mean, a, b in zip(net.weights, begun[0].weights, begun[1].weights, strict=True):
        np.testing.assert_allclose(mean, (np.array(a) + np.array(b)) / 2, atol=1e-6)
    other = loop.architectures.build(recipe, 3)
    with pytest.raises(LivecamError, match=r"a/.*other classes of ages \(101\).*it alone"):
        loop._begin_with(other, dataclasses.replace(recipe, begin=names))


@deprecated_in_numpy
def test_classes_are_the_same_only_where_that_is_known(
    loop: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As many classes may be others: what `train.export` wrote does not say which they are."""
    recipe = Recipe(width=8, depths=(1,), input_px=32, target="utk-8", begin=(str(tmp_path),))
    begun, net = (loop.architectures.build(recipe, 8) for _ in range(2))
    years = np.eye(8, 101, dtype=np.float32)
    loop.architectures.deployed(begun, recipe, years).save(RunFolder(tmp_path).model)
    loop._begin_with(net, recipe)
    assert "which classes of ages it has is not known" in capsys.readouterr().err
    kernels = [each.get_layer("age").get_weights()[0] for each in (net, begun)]
    assert not np.array_equal(*kernels)
    for target, is_same in (("marketing", False), ("utk-8", True)):
        before = dataclasses.replace(recipe, target=target, begin=())
        RunFolder(tmp_path).begin(before, **PROVENANCE)
        loop._begin_with(net, recipe)
        assert ("other classes of ages (8)" in capsys.readouterr().err) != is_same
        assert np.array_equal(net.get_layer("age").get_weights()[0], kernels[1]) == is_same


@deprecated_in_numpy
def test_a_run_may_begin_with_a_share_of_the_published_weights(
    loop: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = Recipe(architecture="mobilenet", input_px=32, begin=(str(tmp_path),))
    begun, published, net = (loop.architectures.build(recipe, 101) for _ in range(3))
    loop.architectures.deployed(begun, recipe).save(RunFolder(tmp_path).model)

    def load(into: Any) -> None:
        into.set_weights(published.get_weights())

    monkeypatch.setattr(loop.pretrained, "load_face_weights", load)
    loop._begin_with(net, dataclasses.replace(recipe, pretrained_share=0.25))
    for mean, a, b in zip(net.weights, begun.weights, published.weights, strict=True):
        np.testing.assert_allclose(mean, 0.75 * np.array(a) + 0.25 * np.array(b), atol=1e-6)
    # what the published weights do not know
    monkeypatch.setattr(loop.pretrained, "load_face_weights", lambda into: None)
    loop._begin_with(net, dataclasses.replace(recipe, pretrained_share=0.25))
    for mean, a in zip(net.weights, begun.weights, strict=True):
        np.testing.assert_allclose(mean, np.array(a), atol=1e-6)


@deprecated_in_numpy
@pytest.mark.parametrize(
    ("begin", "eight_bits", "share", "is_rounded"),
    [
        (("a", "b"), True, 0.0, True), (("a",), True, 0.2, True),
        (("a",), True, 0.0, False), (("a", "b"), False, 0.0, False),
    ],
)  # fmt: skip
def test_only_a_mean_of_weights_has_to_be_rounded(
    loop: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    begin: tuple[str, ...],
    eight_bits: bool,
    share: float,
    is_rounded: bool,
) -> None:
    recipe = Recipe(architecture="mobilenet", input_px=32, eight_bits=eight_bits, batch=2)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        begun = loop.architectures.build(recipe, 101)
        loop.architectures.deployed(begun, recipe).save(RunFolder(tmp_path / name).model)
    asked: list[tuple[int, ...]] = []
    monkeypatch.setattr(loop, "fit_rounding", lambda net, exact, x: asked.append(x.shape))
    monkeypatch.setattr(loop.pretrained, "load_face_weights", lambda net: None)
    runs = tuple(str(tmp_path / name) for name in begin)
    recipe = dataclasses.replace(recipe, begin=runs, pretrained_share=share)
    train = face_set([20, 30, 40])
    selection = SimpleNamespace(rows=np.arange(3), n_classes=101)
    loop._net(recipe, SimpleNamespace(train=train, selection=selection), begins=True)
    loop._net(recipe, SimpleNamespace(train=train, selection=selection), begins=False)
    assert asked == [(3, 32, 32, 3)] * is_rounded


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"head_units": 8}, "layer head: expected weights of 256x8 and 8, got none"),
        ({"architecture": "lenet"}, "expected weights of .*, got weights of "),
    ],
)
def test_a_network_of_another_recipe_is_told_apart(
    loop: Any, changes: dict[str, Any], reason: str
) -> None:
    recipe = Recipe(architecture="mobilenet", input_px=32)
    begun = loop.architectures.build(recipe)
    with pytest.raises(ValueError, match=reason):
        loop.architectures.copy_weights(
            begun, loop.architectures.build(dataclasses.replace(recipe, **changes))
        )


@pytest.mark.parametrize("name", CHOICES["optimizer"])
def test_weights_need_not_decay(loop: Any, name: str) -> None:
    optimizer = loop._optimizer(Recipe(optimizer=name, weight_decay=0.0), 10)
    weight = loop.keras.Variable([2.0])
    optimizer.build([weight])
    optimizer.apply([loop.keras.ops.zeros(1)])
    assert float(weight[0]) == 2.0


@deprecated_in_numpy
@pytest.mark.parametrize("name", CHOICES["optimizer"])
@pytest.mark.parametrize("precision", ["float32", "mixed_float16"])
def test_the_average_of_a_short_run_is_not_of_its_beginning(
    loop: Any, name: str, precision: str
) -> None:
    """In compiled steps too, and as a function of the steps alone."""
    optimizer = loop._optimizer(Recipe(optimizer=name, ema=0.7, learning_rate=0.05), 10)
    net = loop.keras.Sequential([loop.keras.Input((1,)), loop.keras.layers.Dense(1)])
    net.dtype_policy = precision
    net.compile(optimizer=optimizer, loss="mse")
    weights, mean = [], 0.0
    for step in range(30):
        net.train_on_batch(np.ones((2, 1)), np.full((2, 1), 9.0))
        weights.append(float(net.get_layer(index=0).kernel[0, 0]))
        stays = 0 if step == 0 else min(0.7, (1 + step) / (10 + step))
        mean = stays * mean + (1 - stays) * weights[-1]
    assert (net.optimizer is optimizer) == (precision == "float32")  # or wrapped
    net.optimizer.finalize_variable_values(net.trainable_variables)
    assert weights[-1] != weights[0]
    assert float(net.get_layer(index=0).kernel[0, 0]) == pytest.approx(mean, rel=1e-4)


def test_it_is_said_once_why_there_is_nothing_for_tensorboard(
    loop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec, backend = loop.importlib.util.find_spec, loop.keras.backend
    monkeypatch.setattr(backend, "backend", lambda: "tensorflow")
    monkeypatch.setattr(loop.importlib.util, "find_spec", lambda name: None)
    assert loop._lack_of_tensorboard() == "it is not installed; pip install tensorboard"
    monkeypatch.setattr(loop.importlib.util, "find_spec", lambda name: spec("keras"))
    assert not loop._lack_of_tensorboard()
    monkeypatch.setattr(backend, "backend", lambda: "jax")
    assert loop._lack_of_tensorboard().startswith("Keras runs on jax")


def test_a_full_disk_is_said_before_anything_is_written(
    loop: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    variables = [SimpleNamespace(shape=(1000, 1000)), SimpleNamespace(shape=())]  # 4 MB
    loop._require_space(tmp_path / "last.weights.h5", variables)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=3 << 20))
    with pytest.raises(LivecamError, match=r"disk is full: 4\.8 MB are needed, 3\.0 MB free"):
        loop._require_space(tmp_path / "last.weights.h5", variables)


def test_a_folder_that_does_not_say_what_it_learnt_from(tmp_path: Path) -> None:
    (tmp_path / "age_gender.yaml").write_text("age_range: {}\n")
    with pytest.raises(LivecamError, match="expected a data_hash"):
        RunFolder(tmp_path).data_hash()


@deprecated_in_numpy
def test_a_checkpoint_knows_its_epoch_though_steps_were_skipped(loop: Any, tmp_path: Path) -> None:
    """In half precision a step whose gradients overflow is not counted."""
    run = RunFolder(tmp_path)
    for epoch in (1, 2, 3):
        run.append({"epoch": epoch})
    net = loop.keras.Sequential([loop.keras.Input((1,)), loop.keras.layers.Dense(1)])
    net.compile(optimizer="adam", loss="mse")
    net.optimizer.build(net.trainable_variables)
    net.optimizer.iterations.assign(7)
    loop._save_weights(net, 2, run.last)
    net.optimizer.iterations.assign(0)
    assert loop._resume(net, run) == 2
    assert int(net.optimizer.iterations) == 7
    assert [row["epoch"] for row in run.log()] == [1, 2]


def test_what_cannot_be_written_leaves_what_was_there(tmp_path: Path, monkeypatch: Any) -> None:
    run = RunFolder(tmp_path)
    run.begin(Recipe(), data_hash="a", faces=1)
    for epoch in (1, 2, 3):
        run.append({"epoch": epoch})
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def full(path: Path, text: str, **options: Any) -> None:
        path.open("w").close()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    for write in (lambda: run.begin(Recipe(seed=1), data_hash="b", faces=1), lambda: run.keep(1)):
        with pytest.raises(LivecamError, match="cannot be written: No space"):
            write()
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@deprecated_in_numpy
@pytest.mark.parametrize("what", ["last.weights.h5", "taught.npz"])
def test_interrupted_it_leaves_what_was_there(
    loop: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    def interrupted(path: Path, *values: Any, **more: Any) -> None:
        Path(path).write_bytes(b"half")
        raise KeyboardInterrupt

    run = RunFolder(tmp_path)
    (tmp_path / what).write_bytes(b"whole")
    net = loop.keras.Sequential([loop.keras.Input((1,)), loop.keras.layers.Dense(1)])
    net.compile(optimizer="adam", loss="mse")
    monkeypatch.setattr(net, "save_weights", interrupted)
    monkeypatch.setattr(loop.np, "savez", interrupted)
    monkeypatch.setattr(
        loop.teachers, "ask", lambda *_: SimpleNamespace(age_probs=0, female_prob=0)
    )
    faces, selection = SimpleNamespace(crops=None), SimpleNamespace(rows=None)
    with pytest.raises(KeyboardInterrupt):
        if what == run.last.name:
            loop._save_weights(net, 1, run.last)
        else:
            loop._taught(Recipe(teachers=("a.keras",)), run, faces, selection, False)
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [(what, b"whole")]


def test_biases_and_gains_do_not_decay(loop: Any) -> None:
    import keras

    class Gains(keras.layers.Layer):  # type: ignore[misc]
        """As in ConvNeXt, whose have no name of their own."""

        def build(self, shape: Any) -> None:
            self.gains = self.add_weight(shape=shape[-1:], initializer="ones")

        def call(self, x: Any) -> Any:
            return x * self.gains

    net = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, bias_initializer="ones")])
    net.add(keras.layers.BatchNormalization(beta_initializer="ones"))
    net.add(Gains())
    recipe = Recipe(schedule="constant", weight_decay=0.5)
    optimizer = loop._optimizer(recipe, 1, net.trainable_variables)
    before = {weight.path: weight.numpy().copy() for weight in net.trainable_weights}
    optimizer.apply([np.zeros(w.shape, "f") for w in net.trainable_weights], net.trainable_weights)
    for weight in net.trainable_weights:
        is_kernel = weight.name == "kernel"
        assert np.array_equal(weight.numpy(), before[weight.path]) is not is_kernel
