"""The training loop: optimiser, stages, what happens after an epoch. Imports Keras."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.util
import math
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import h5py
import keras
import numpy as np

from livecam.ages import median_age
from livecam.crops import resized
from livecam.datatypes import AgeGender
from livecam.errors import LivecamError
from livecam.extras import load_keras
from livecam.files import PartialFile, require_room
from livecam.interrupts import noted
from livecam.progress import Progress
from train import architectures, faces, losses, metrics, pretrained, teachers
from train.architectures.fitted_rounding import fit_rounding
from train.batches import Batches, steps
from train.material import Material
from train.recipe import YEARS_TARGET, Recipe
from train.run_folder import RunFolder
from train.scores import age_errors, bins_of
from train.selection import Selection

ROUNDED_BY = 256  # faces, to whose features the kernels of a mean of weights are rounded
FILE_OVERHEAD = 1 << 20  # bytes, generously
_ENDS: list[BaseException] = []  # of fits: see `_interruptible`
PLATEAU_EPOCHS = 3  # without a better score, after which the schedule `plateau` halves the rate


def fit(recipe: Recipe, material: Material, run: RunFolder, *, resume: bool) -> None:
    """Train, and leave the best epoch's averaged weights as the run's model."""
    architectures.check(recipe)
    train, selection = material.train, material.selection
    if recipe.devices > 1:
        _distribute(recipe.devices)
    keras.utils.set_random_seed(recipe.seed)
    keras.config.set_dtype_policy(recipe.precision)
    net = _net(recipe, material, begins=not (resume and run.last.exists()))
    first_epoch = _resume(net, run) if resume else 0
    taught = _taught(recipe, run, train, selection, resume)
    if not resume:
        run.begin(recipe, **material.provenance)
    lack = _lack_of_tensorboard()
    if lack:
        print(f"no curves for TensorBoard: {lack}", file=sys.stderr)
    after = AfterEpoch(recipe, run, material, first_epoch)
    with after.progress:
        for size_px, end in _stages(recipe):
            if first_epoch >= end or after.is_over():
                continue
            with _interruptible(after):
                net.fit(
                    Batches(train, selection, recipe, size_px, first_epoch, taught),
                    initial_epoch=first_epoch,
                    epochs=end,
                    shuffle=False,  # the batches do it, the same way after a resume
                    verbose=0,
                    callbacks=[after, *([] if lack else [_tensorboard(run)])],
                )
            # Keras leaves a fit with averaged weights: the next stage goes on with the checkpoint's
            first_epoch = _resume(net, run)


@contextlib.contextmanager
def _interruptible(after: AfterEpoch) -> Iterator[None]:
    """Between batches alone: elsewhere an exception may be lost in code that is not Python's. What
    ends a fit before its time is kept, and with it what the fit was iterating over: to take that
    apart while a thread of TensorFlow makes the next batch may hang or crash."""
    keras.config.disable_traceback_filtering()  # which would let go of it
    with noted() as after.interrupts:
        try:
            yield
        except BaseException as error:
            _ENDS.append(error)
            raise
    if after.interrupts:  # since the last batch
        raise KeyboardInterrupt


def _net(recipe: Recipe, material: Material, *, begins: bool) -> keras.Model:
    """The network with its weights and its optimiser; a run that goes on has weights of its own."""
    first = recipe if begins else dataclasses.replace(recipe, pretrained=False, begin=())
    selection = material.selection
    net = architectures.build(first, selection.n_classes)
    if first.pretrained and recipe.architecture == "mobilenet":
        pretrained.load_face_weights(net)
    if first.begin:
        _begin_with(net, recipe)
        if recipe.eight_bits and (len(first.begin) > 1 or recipe.pretrained_share):
            _round(net, recipe, material)
    net.compile(
        optimizer=_optimizer(recipe, steps(selection, recipe), net.trainable_variables),
        loss={"age": losses.age_loss(recipe), "gender": losses.gender_loss},
        loss_weights={"age": 1.0, "gender": recipe.gender_weight},
        jit_compile=keras.backend.backend() == "jax",  # XLA is slower than oneDNN on a CPU
    )
    net.optimizer.build(net.trainable_variables)
    return net


def _begin_with(net: keras.Model, recipe: Recipe) -> None:
    """Put the weights of a finished run, or the mean of those of several (Wortsman et al. 2022,
    Model soups), into the same network; and with them a share of those that their training began
    with, which suit other faces better (Wortsman et al. 2022, Robust fine-tuning)."""
    soup = []
    for run in recipe.begin:
        _copy_run(RunFolder(Path(run)), net, recipe)
        soup.append(net.get_weights())
    mean = [np.mean(alike, axis=0) for alike in zip(*soup, strict=True)]
    net.set_weights(mean)
    if share := recipe.pretrained_share:
        pretrained.load_face_weights(net)  # layers that these do not know stay the mean
        both = zip(mean, net.get_weights(), strict=True)
        net.set_weights([(1 - share) * own + share * first for own, first in both])


def _round(net: keras.Model, recipe: Recipe, material: Material) -> None:
    """Of a mean of weights, no kernel is in the steps that those of each run are in."""
    untrained = dataclasses.replace(recipe, pretrained=False)
    exact = architectures.build(untrained, material.selection.n_classes, rounds_kernels=False)
    exact.set_weights(net.get_weights())
    rows = material.selection.rows
    drawn = np.random.default_rng(recipe.seed).choice(rows, min(len(rows), ROUNDED_BY), False)
    fit_rounding(net, exact, resized(material.train.crops[drawn], recipe.input_px))


def _copy_run(run: RunFolder, net: keras.Model, recipe: Recipe) -> None:
    """The weights of a finished run, which may have other classes of ages."""
    source = run.model
    begun = load_keras(source)
    try:
        classes, known = (each.get_layer("age").units for each in (net, begun))
        is_same = classes == known and run.scheme() == recipe.scheme
        heads = architectures.HEADS if is_same else ("gender",)
        architectures.copy_weights(begun, net, heads)
    except ValueError as error:
        reason = " ".join(str(error).split())
        raise LivecamError(f"begin: {source}: a model of another recipe ({reason})") from error
    if "age" not in heads:
        others = (
            f"begin: {source}: has other classes of ages ({known}) than this recipe ({classes})"
            if known != classes or run.scheme()
            else f"begin: {source}: which classes of ages it has is not known, as it is no run"
        )
        if len(recipe.begin) > 1:
            raise LivecamError(f"{others}: begin with it alone, or leave it out")
        print(f"{others}: the layer of the ages begins with random weights", file=sys.stderr)


def _taught(
    recipe: Recipe, run: RunFolder, data: faces.FaceSet, selection: Selection, resume: bool
) -> AgeGender | None:
    """What the teachers say of the selected faces; kept in the run, for when it goes on."""
    if not recipe.teachers:
        return None
    if not (resume and run.taught.is_file()):
        answer = teachers.ask(recipe.teachers, data.crops, selection.rows)
        run.path.mkdir(parents=True, exist_ok=True)
        with PartialFile(run.taught) as partial:
            np.savez(partial, age_probs=answer.age_probs, female_prob=answer.female_prob)
    with np.load(run.taught) as kept:
        return AgeGender(kept["age_probs"], kept["female_prob"])


def _distribute(devices: int) -> None:
    """Share each batch among the first devices. Raises LivecamError where Keras cannot."""
    if keras.backend.backend() != "jax":
        raise LivecamError(
            f"devices: Keras shares batches among devices on JAX alone, and runs on "
            f"{keras.backend.backend()}: give KERAS_BACKEND=jax, or leave devices at 1"
        )
    known = keras.distribution.list_devices()
    if len(known) < devices:
        raise LivecamError(f"devices: expected {devices}, found {len(known)}: {', '.join(known)}")
    keras.distribution.set_distribution(keras.distribution.DataParallel(devices=known[:devices]))


def _lack_of_tensorboard() -> str:
    """Why nothing is written for it; empty if something is."""
    if keras.backend.backend() != "tensorflow":  # whose writer the callback uses
        return f"Keras runs on {keras.backend.backend()}, and writes them on tensorflow alone"
    if importlib.util.find_spec("tensorboard") is None:
        return "it is not installed; pip install tensorboard"
    return ""


def _tensorboard(run: RunFolder) -> keras.callbacks.Callback:
    return keras.callbacks.TensorBoard(run.path / "tensorboard", write_graph=False)


def _stages(recipe: Recipe) -> list[tuple[int, int]]:
    """(size of the pictures, epoch at which they end): small pictures first, and at least one epoch
    of those that the network is for."""
    early = min(round(recipe.early_share * recipe.epochs), recipe.epochs - 1)
    return [(recipe.early_px, early), (recipe.input_px, recipe.epochs)]


def _optimizer(
    recipe: Recipe, steps: int, variables: Sequence[keras.Variable] = ()
) -> keras.optimizers.Optimizer:
    """What the recipe names; averages the weights as it goes. Biases and gains do not decay, by
    whichever names they are among the `variables`."""
    rate: float | keras.optimizers.schedules.LearningRateSchedule = recipe.learning_rate
    if recipe.schedule == "cosine":  # one epoch of warm-up, then down to 0.5 %
        rate = keras.optimizers.schedules.CosineDecay(
            initial_learning_rate=recipe.learning_rate / 100,
            warmup_target=recipe.learning_rate,
            warmup_steps=steps,
            decay_steps=steps * max(1, recipe.epochs - 1),
            alpha=0.005,
        )
    more: dict[str, float] = {"momentum": 0.9} if recipe.optimizer == "sgd" else {}
    named = type(keras.optimizers.get(recipe.optimizer))
    optimizer: keras.optimizers.Optimizer = type(named.__name__, (_YoungAverage, named), {})(
        learning_rate=rate,
        weight_decay=recipe.weight_decay,
        global_clipnorm=recipe.gradient_norm or None,
        use_ema=recipe.ema > 0,
        ema_momentum=recipe.ema,
        **more,
    )
    if recipe.weight_decay:
        flat = [variable for variable in variables if len(variable.shape) < 2]
        optimizer.exclude_from_weight_decay(var_list=flat, var_names=["bias", "gamma", "beta"])
    return optimizer


class _YoungAverage:
    """Of an optimiser: after t steps its average keeps (1 + t) / (10 + t) of itself, and at most
    `ema_momentum`, as TensorFlow's ExponentialMovingAverage does. With the whole of it from the
    first step on, a short run's average would mostly be of the weights that it began with.

    It is a function of the steps, which a checkpoint holds, and is computed in each of them."""

    iterations: keras.Variable

    @property
    def ema_momentum(self) -> keras.KerasTensor:
        t = keras.ops.cast(self.iterations, "float32")
        return keras.ops.minimum((1 + t) / (10 + t), self._momentum)

    @ema_momentum.setter
    def ema_momentum(self, momentum: float) -> None:
        self._momentum = momentum


class AfterEpoch(keras.callbacks.Callback):
    """Shows progress; after an epoch scores the averaged weights on the dev part and saves."""

    def __init__(
        self, recipe: Recipe, run: RunFolder, material: Material, first_epoch: int
    ) -> None:
        super().__init__()
        self.recipe, self.run, self.material = recipe, run, material
        total = steps(material.selection, recipe) * (recipe.epochs - first_epoch)
        self.progress = Progress("fit", total, "batches")
        self.interrupts: Sequence[int] = ()
        before_s = max((row["seconds"] for row in run.log()), default=0)  # a run that goes on
        self.start_s = time.monotonic() - before_s

    def is_over(self) -> bool:
        """Whether the recipe's patience is at its end; small pictures do not try it."""
        patience, scores = self.recipe.early_stopping, _scores(self.run, self.recipe)
        (_, early), _ = _stages(self.recipe)
        waited = min(_epochs_since_best(scores), len(scores) - early)
        return bool(patience) and waited >= patience

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        if self.recipe.schedule == "plateau":
            halvings = _plateaus(_scores(self.run, self.recipe))
            self.model.optimizer.learning_rate = self.recipe.learning_rate / 2**halvings
        _seed_dropout(self.model, epoch)

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        self.progress.step()
        if self.interrupts:
            raise KeyboardInterrupt
        loss = (logs or {})["loss"]
        if not np.isfinite(loss):
            raise LivecamError(f"batch {batch + 1}: the loss is {loss}; {self._way_out()}")

    def _way_out(self) -> str:
        """What to do where the loss is no number; the same run would only come to it again."""
        other = "" if self.recipe.precision == "float32" else "--set precision=float32, or "
        anew = f"start anew with another --out and {other}a lower learning_rate"
        if not self.run.model.exists():
            return f"no epoch was finished: {anew}"
        plain = "--set pretrained=false " if self.recipe.pretrained else ""
        plain = "--set pretrained_share=0 " if self.recipe.pretrained_share else plain
        return f"{anew}; {plain}--set begin={self.run.path} goes on from its best epoch"

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        net = self.model
        current = _values(net)
        net.optimizer.finalize_variable_values(net.trainable_variables)  # the averaged weights
        _assign(net, _values(net))  # copies: on JAX a step may free what two variables share
        row = {"epoch": epoch + 1, "loss": round(float((logs or {})["loss"]), 4)}
        row |= self._dev_scores()
        row["seconds"] = round(time.monotonic() - self.start_s)
        score = _score(row, self.recipe)
        if score <= min(_scores(self.run, self.recipe), default=score):
            self._save_model()
        _assign(net, current)
        if logs is not None:  # for TensorBoard, whose turn is after this
            logs |= {name: value for name, value in row.items() if name.startswith("dev_")}
        self.run.append(row)
        # after its row: what resumes cuts rows, not weights
        _save_weights(net, epoch + 1, self.run.last)
        net.stop_training = self.is_over()
        shown = "  ".join(f"{name} {value:g}" for name, value in row.items() if name != "epoch")
        self.progress.note(f"epoch {epoch + 1}/{self.recipe.epochs}  {shown}")

    def _dev_scores(self) -> dict[str, float]:
        """MAE in years, accuracy of the target's classes, accuracy of the gender."""
        age_probs, female = self._dev_answers()
        labels = self.material.dev.labels
        known = (labels.gender >= 0) & self.material.knows_gender
        right = female == (labels.gender == 1)
        errors = age_errors(median_age(age_probs), labels)
        scores = {"dev_mae": round(metrics.mae(errors), 3)}
        if (scheme := self.recipe.scheme) is not None:
            truth, has_one = bins_of(labels.low, labels.high, scheme)
            named = scheme.bin_probs(age_probs).argmax(axis=1)
            scores["dev_accuracy"] = round(float((named == truth)[has_one].mean()), 4)
        gender = float(right[known].mean()) if known.any() else float("nan")
        return scores | {"dev_gender_accuracy": round(gender, 4)}

    def _dev_answers(self) -> tuple[np.ndarray, np.ndarray]:
        parts, female = [], []
        dev = self.material.dev
        for start in range(0, len(dev), 256):
            crops = resized(dev.crops[start : start + 256], self.recipe.input_px)
            n = len(crops)
            even = n + -n % self.recipe.devices  # each device takes as many as the others
            shared = np.resize(crops, (even, *crops.shape[1:])).astype(np.float32)
            answer = self.model.predict(shared, batch_size=even, verbose=0)
            answer = {name: np.asarray(values)[:n] for name, values in answer.items()}
            logits = answer["age"].astype(np.float32)
            probs = np.exp(logits - logits.max(axis=1, keepdims=True))
            parts.append(probs / probs.sum(axis=1, keepdims=True))
            female.append(answer["gender"][:, 0] > 0)
        probs = np.concatenate(parts)
        if not np.isfinite(probs).all():  # after the last step, whose loss was one before it
            raise LivecamError(f"the epoch ended in weights that are no numbers; {self._way_out()}")
        years = self.material.selection.years
        return probs if years is None else probs @ years, np.concatenate(female)

    def _save_model(self) -> None:
        _require_space(self.run.model, self.model.variables)
        with PartialFile(self.run.model) as partial:
            years, knows_gender = self.material.selection.years, self.material.knows_gender
            architectures.deployed(self.model, self.recipe, years, knows_gender).save(partial)


def _seed_dropout(net: keras.Model, epoch: int) -> None:
    """What is dropped depends on seeds and epoch alone, as the batches do: a checkpoint does not
    hold how often each layer has drawn."""
    for variable in net.variables:
        if variable.name == "seed_generator_state":  # the seed, and a count
            seed, _ = variable.numpy()
            variable.assign(np.array([seed, epoch << 20]))


def _values(net: keras.Model) -> list[np.ndarray]:
    return [np.array(variable.numpy()) for variable in net.trainable_variables]


def _assign(net: keras.Model, values: list[np.ndarray]) -> None:
    for variable, value in zip(net.trainable_variables, values, strict=True):
        variable.assign(value)


def _score(row: dict[str, float], recipe: Recipe) -> float:
    """Of an epoch; less is better."""
    return row["dev_mae"] if recipe.target == YEARS_TARGET else -row["dev_accuracy"]


def _scores(run: RunFolder, recipe: Recipe) -> list[float]:
    return [_score(row, recipe) for row in run.log()]


def _epochs_since_best(scores: list[float]) -> int:
    return len(scores) - 1 - int(np.argmin(scores)) if scores else 0


def _plateaus(scores: list[float]) -> int:
    """How often so far no epoch of the last few was the best; each counts a stretch once."""
    found, waited, best = 0, 0, float("inf")
    for score in scores:
        waited, best = (0, score) if score < best else (waited + 1, best)
        if waited == PLATEAU_EPOCHS:
            found, waited = found + 1, 0
    return found


def _require_space(path: Path, variables: list[keras.Variable]) -> None:
    """Raises LivecamError if a file of these may not fit."""
    needed = sum(4 * math.prod(variable.shape) for variable in variables) + FILE_OVERHEAD
    require_room(path, needed, "what was saved before is whole: make room and give --resume")


def _save_weights(net: keras.Model, epochs: int, path: Path) -> None:
    """Weights, optimiser and the number of ended epochs, in place of the last ones only when wholly
    written. The optimiser does not count a step whose gradients overflowed."""
    _require_space(path, [*net.variables, *net.optimizer.variables])
    file = PartialFile(path)
    file.path = file.path.with_suffix(".weights.h5")  # Keras takes no other name
    with file as partial:
        net.save_weights(partial)
        with h5py.File(partial, "a") as h5:
            h5.attrs["epochs"] = epochs


def _resume(net: keras.Model, run: RunFolder) -> int:
    """Load the last checkpoint; returns the epoch to go on with, and cuts the log there.

    A run that was stopped before its first checkpoint begins anew.
    """
    if not run.last.exists():
        run.keep(0)
        return 0
    try:
        net.load_weights(run.last)
        with h5py.File(run.last) as h5:
            epochs = int(h5.attrs["epochs"])
    except (OSError, ValueError, KeyError) as error:
        why = " ".join(str(error).split())[:200]
        raise LivecamError(f"{run.last}: not a checkpoint of this recipe ({why})") from error
    run.keep(epochs)
    return epochs
