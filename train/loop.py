"""The training loop: batches, loss, optimiser, what happens after an epoch. Imports Keras."""

from __future__ import annotations

import time
from pathlib import Path

import keras
import numpy as np
from keras import ops

from livecam.datatypes import AGES
from livecam.errors import LivecamError
from livecam.progress import Progress
from train import architectures, faces, pretrained
from train.augment import augmented
from train.recipe import Recipe, append_log, keep_log, require_same_data, write_recipe

LAST = "last.weights.h5"
LOG = "log.csv"


class Batches(keras.utils.PyDataset):
    """Augmented batches. Every picture's changes depend on seed, epoch and place alone, so that
    a resumed run sees what an uninterrupted one would have seen."""

    def __init__(
        self, data: faces.FaceSet, recipe: Recipe, size_px: int, first_epoch: int = 0
    ) -> None:
        super().__init__()
        self.data, self.recipe, self.size_px = data, recipe, size_px
        self.weights = rarity_weights(data.age, recipe.rarity_power)
        self.epoch = first_epoch
        self._shuffle()

    def __len__(self) -> int:
        return max(1, len(self.data) // self.recipe.batch)

    def on_epoch_end(self) -> None:
        self.epoch += 1
        self._shuffle()

    def _shuffle(self) -> None:
        rng = np.random.default_rng((self.recipe.seed, self.epoch))
        self._order = rng.permutation(len(self.data))

    def __getitem__(self, index: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        recipe = self.recipe
        rows = self._order[index * recipe.batch : (index + 1) * recipe.batch]
        rng = np.random.default_rng((recipe.seed, self.epoch, index))
        crops = np.stack([augmented(self.data.crops[row], self.size_px, rng) for row in rows])
        return crops, targets(self.data, rows, self.weights[rows])


def targets(data: faces.FaceSet, rows: np.ndarray, weights: np.ndarray) -> dict[str, np.ndarray]:
    """`age` (n, 2): years up to 100 and weight; `gender` (n, 1): 1 female, 0 male, -1 unknown."""
    age = np.minimum(data.age[rows], AGES - 1)
    return {
        "age": np.stack([age, weights], axis=1).astype(np.float32),
        "gender": data.gender[rows].astype(np.float32)[:, None],
    }


def rarity_weights(ages: np.ndarray, power: float) -> np.ndarray:
    """(n,) -> (n,): more for faces of rare ages, at most thrice as much; 1 in the mean.

    An age's frequency is taken over some years around it.
    """
    years = np.arange(AGES)
    counts = np.bincount(np.minimum(ages, AGES - 1).astype(int), minlength=AGES)
    near = np.exp(-(((years[:, None] - years) / 3) ** 2) / 2)  # (101, 101)
    weights = (near @ counts / near.sum(axis=1))[np.minimum(ages, AGES - 1).astype(int)] ** -power
    weights = np.minimum(weights / weights.mean(), 3)
    return (weights / weights.mean()).astype(np.float32)


def age_loss(recipe: Recipe) -> keras.losses.Loss:
    """Cross-entropy to a normal distribution around the age, and the error of the expected age."""

    def loss(target: keras.KerasTensor, logits: keras.KerasTensor) -> keras.KerasTensor:
        ages = ops.arange(AGES, dtype="float32")
        age, weight = target[:, :1], target[:, 1]
        sigma = recipe.label_sigma + recipe.label_sigma_growth * age
        wanted = ops.softmax(-ops.square((ages - age) / sigma) / 2)  # (n, 101)
        cross_entropy = -ops.sum(wanted * ops.log_softmax(logits), axis=-1)
        expected = ops.sum(ops.softmax(logits) * ages, axis=-1)
        return weight * (cross_entropy + recipe.age_l1 * ops.abs(expected - age[:, 0]))

    return loss


def gender_loss(gender: keras.KerasTensor, logit: keras.KerasTensor) -> keras.KerasTensor:
    """Binary cross-entropy over the faces whose gender is known."""
    known = ops.cast(gender >= 0, logit.dtype)
    loss = ops.binary_crossentropy(ops.maximum(gender, 0), logit, from_logits=True)
    return ops.sum(loss * known) / ops.maximum(ops.sum(known), 1)


def fit(recipe: Recipe, data_path: Path, out: Path, *, resume: bool) -> None:
    train, dev = faces.load(data_path, "train"), faces.load(data_path, "dev")
    if len(train) < recipe.batch:
        raise LivecamError(f"{data_path}: {len(train)} faces to train on, fewer than a batch")
    if resume:
        require_same_data(out / "recipe.json", data_path, train.data_hash)
    out.mkdir(parents=True, exist_ok=True)
    keras.utils.set_random_seed(recipe.seed)
    keras.config.set_dtype_policy(recipe.precision)
    net = architectures.build(recipe)
    if recipe.architecture == "efficientnet_lite0" and not (resume and (out / LAST).exists()):
        pretrained.load_imagenet(net)
    steps = max(1, len(train) // recipe.batch)
    net.compile(
        optimizer=_optimizer(recipe, steps),
        loss={"age": age_loss(recipe), "gender": gender_loss},
        loss_weights={"age": 1.0, "gender": recipe.gender_weight},
        jit_compile=keras.backend.backend() == "jax",  # XLA is slower than oneDNN on a CPU
    )
    net.optimizer.build(net.trainable_variables)
    first_epoch = _resume(net, out, steps) if resume else 0
    write_recipe(recipe, out / "recipe.json", data_hash=train.data_hash, faces=len(train))
    after = AfterEpoch(recipe, out, dev, steps, first_epoch)
    for size_px, end in _stages(recipe):
        if first_epoch >= end:
            continue
        batches = Batches(train, recipe, size_px, first_epoch)
        net.fit(
            batches,
            initial_epoch=first_epoch,
            epochs=end,
            shuffle=False,  # the batches do it, the same way after a resume
            verbose=0,
            callbacks=[after],
        )
        # Keras leaves a fit with averaged weights: the next stage goes on with the checkpoint's
        first_epoch = _resume(net, out, steps)
    net.optimizer.finalize_variable_values(net.trainable_variables)
    save_master(net, recipe, out / "age_gender.keras")


def _stages(recipe: Recipe) -> list[tuple[int, int]]:
    """(size of the pictures, epoch at which they end): small pictures first."""
    early = round(recipe.early_share * recipe.epochs)
    return [(recipe.early_px, early), (recipe.input_px, recipe.epochs)]


def _optimizer(recipe: Recipe, steps: int) -> keras.optimizers.Optimizer:
    """AdamW, one epoch of warm-up, then a cosine to 0.5 %; averages the weights as it goes."""
    rate = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=recipe.learning_rate / 100,
        warmup_target=recipe.learning_rate,
        warmup_steps=steps,
        decay_steps=steps * max(1, recipe.epochs - 1),
        alpha=0.005,
    )
    optimizer = keras.optimizers.AdamW(
        rate,
        weight_decay=recipe.weight_decay,
        global_clipnorm=recipe.gradient_norm,
        use_ema=True,
        ema_momentum=recipe.ema,
    )
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer


class AfterEpoch(keras.callbacks.Callback):
    """Shows progress; after an epoch scores the averaged weights on the dev part and saves."""

    def __init__(
        self, recipe: Recipe, out: Path, dev: faces.FaceSet, steps: int, first_epoch: int
    ) -> None:
        super().__init__()
        self.recipe, self.out, self.dev = recipe, out, dev
        self.progress = Progress("fit", steps * (recipe.epochs - first_epoch), "batches")
        self.dev_crops = dev.crops.resized(recipe.input_px)
        self.start_s = time.monotonic()

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        self.progress.step()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        loss = (logs or {})["loss"]
        if not np.isfinite(loss):
            raise LivecamError(
                f"epoch {epoch + 1}: the loss is {loss}; {self.out / LAST} holds the epoch before. "
                "Try --precision float32"
            )
        net = self.model
        current = [variable.numpy() for variable in net.trainable_variables]
        net.optimizer.finalize_variable_values(net.trainable_variables)  # the averaged weights
        mae, gender_accuracy = self._dev_scores()
        for variable, value in zip(net.trainable_variables, current, strict=True):
            variable.assign(value)
        row = {
            "epoch": epoch + 1,
            "loss": round(float(loss), 4),
            "dev_mae": round(mae, 3),
            "dev_gender_accuracy": round(gender_accuracy, 4),
            "seconds": round(time.monotonic() - self.start_s),
        }
        append_log(self.out / LOG, row)
        _save_weights(net, self.out / LAST)  # after its row: what resumes cuts rows, not weights
        scores = f"loss {loss:.3f}  dev MAE {mae:.2f}  dev gender {100 * gender_accuracy:.1f} %"
        self.progress.note(f"epoch {epoch + 1}/{self.recipe.epochs}  {scores}")

    def _dev_scores(self) -> tuple[float, float]:
        outputs = self.model.predict(self.dev_crops, batch_size=256, verbose=0)
        probs = np.exp(outputs["age"] - outputs["age"].max(axis=1, keepdims=True))
        probs /= probs.sum(axis=1, keepdims=True)
        error = np.abs(probs @ np.arange(AGES) - self.dev.age)
        known = self.dev.gender >= 0
        right = (outputs["gender"][:, 0] > 0) == (self.dev.gender == 1)
        return float(error.mean()), float(right[known].mean()) if known.any() else float("nan")


def _save_weights(net: keras.Model, path: Path) -> None:
    """Weights, optimiser and epoch, in place of the last ones only when wholly written."""
    partial = path.with_name("partial.weights.h5")
    net.save_weights(partial)
    partial.replace(path)


def _resume(net: keras.Model, out: Path, steps: int) -> int:
    """Load the last checkpoint; returns the epoch to go on with, and cuts the log there.

    A run that was stopped before its first checkpoint begins anew.
    """
    if not (out / LAST).exists():
        keep_log(out / LOG, 0)
        return 0
    try:
        net.load_weights(out / LAST)
    except (OSError, ValueError) as error:
        raise LivecamError(f"{out / LAST}: not a checkpoint of this recipe ({error})") from error
    epoch = int(net.optimizer.iterations) // steps
    keep_log(out / LOG, epoch)
    return epoch


def save_master(net: keras.Model, recipe: Recipe, path: Path) -> None:
    """The same weights in a float32 network of fixed input size that answers with probabilities."""
    keras.config.set_dtype_policy("float32")
    architectures.deployed(net, recipe).save(path)
