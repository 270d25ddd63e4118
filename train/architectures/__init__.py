"""The networks that a recipe can name: RGB crops (n, px, px, 3) in 0..255 -> logits.

All have two outputs, `age` (n, classes) and `gender` (n, 1), positive for female. What a network
needs done to its pictures is part of it.
"""

from __future__ import annotations

import dataclasses
import difflib
import itertools
from collections.abc import Sequence

import keras
import numpy as np
from keras import layers

from livecam.datatypes import AGES
from livecam.errors import UsageError
from train.architectures import applications, attention, published, rounding, small
from train.architectures.pictures import grey
from train.recipe import KERAS, OF_ANY_SIZE, Recipe

HEADS = ("age", "gender")
HIDDEN = "head"  # what `head_units` puts before them


def build(
    recipe: Recipe,
    classes: int = AGES,
    input_px: int | None = None,
    rounds_kernels: bool | None = None,
) -> keras.Model:
    """The network that a recipe trains. Its weights are random, those of a `keras:` network are
    ImageNet's if the recipe says `pretrained`. `rounds_kernels` as the recipe says if not given.
    """
    if rounds_kernels is None:
        rounds_kernels = recipe.eight_bits
    px = input_px or (None if recipe.architecture in OF_ANY_SIZE else recipe.input_px)
    crop = keras.Input((px, px, 3), name="crop", dtype="float32")
    x = grey(crop) if recipe.gray else crop
    x = _features(x, recipe, rounds_kernels)
    if recipe.head_units:
        x = layers.Dense(recipe.head_units, activation="relu", name=HIDDEN)(x)
    x = layers.Dropout(recipe.dropout, seed=1)(x)
    age = layers.Dense(classes, dtype="float32", name="age")(x)
    gender = layers.Dense(1, dtype="float32", name="gender")(x)
    net = keras.Model(crop, {"age": age, "gender": gender}, name="age_gender")
    _freeze(net, recipe)
    _regularise(net, recipe)
    return net


def check(recipe: Recipe) -> None:
    """Raises UsageError if Keras has no such network."""
    if recipe.architecture.startswith(KERAS):
        applications.find(recipe.architecture.removeprefix(KERAS))


def _features(x: keras.KerasTensor, recipe: Recipe, rounds_kernels: bool) -> keras.KerasTensor:
    """Pictures (n, px, px, 3) -> (n, features)."""
    name = recipe.architecture
    if name == "resnet":
        return small.resnet(x, recipe.width, recipe.depths)
    if name == "mobilenet":
        activation = rounding.rounded_relu6 if recipe.eight_bits else rounding.relu6
        return small.mobilenet(x, recipe.dropout, activation, rounds_kernels)
    if name.startswith(KERAS):
        freezes = bool(recipe.frozen)
        return applications.features(x, name.removeprefix(KERAS), recipe.pretrained, freezes)
    try:
        if name == "al-resnet":
            return attention.al_resnet(x, recipe.width)
        return published.NETWORKS[name](x)
    except ValueError as error:
        raise UsageError(
            f"input_px: {recipe.input_px} is too small for {name}; give larger pictures"
        ) from error


def _freeze(net: keras.Model, recipe: Recipe) -> None:
    """Keep the weights of all layers before the one that `frozen` names; of `all` but the heads.
    The head of a gender that is not learnt stays too: penalties and decay would empty it."""
    if not recipe.gender_weight:
        net.get_layer("gender").trainable = False
    frozen = recipe.frozen
    if not frozen:
        return
    names = [layer.name for layer in all_layers(net)]
    first_head = HIDDEN if recipe.head_units else HEADS[0]
    end = first_head if frozen == "all" else frozen
    if end not in names:
        near = difflib.get_close_matches(end, names, 3)
        hint = f"near are {', '.join(near)}" if near else f"there are {', '.join(names)}"
        raise UsageError(f"frozen: no layer {frozen!r}; {hint}")
    for layer in all_layers(net):
        if layer.name == end:
            break
        layer.trainable = False


def all_layers(net: keras.Model) -> list[keras.Layer]:
    """In their order, those of a nested network too."""
    found: list[keras.Layer] = []
    for layer in net.layers:
        found += all_layers(layer) if isinstance(layer, keras.Model) else [layer]
    return found


def _regularise(net: keras.Model, recipe: Recipe) -> None:
    """Of a network of keras.applications, only what is behind it: a penalty that suits new layers
    would wipe out what the others know."""
    if not (recipe.l1 or recipe.l2):
        return
    penalty = keras.regularizers.L1L2(recipe.l1, recipe.l2)
    spares = recipe.architecture.startswith(KERAS)
    for layer in net.layers:
        if spares and isinstance(layer, keras.Model):
            continue
        for weight in layer.trainable_weights:
            if weight.name.endswith("kernel"):  # depthwise, pointwise and recurrent ones too
                weight.regularizer = penalty


def deployed(
    net: keras.Model, recipe: Recipe, years: np.ndarray | None = None, knows_gender: bool = True
) -> keras.Model:
    """The same weights in a float32 network of fixed size that answers with probabilities:
    `age_probs` (n, 101), `female_prob` (n,).

    `years` (classes, 101) says how a class spreads over the years, for a network that was trained
    on classes. Without `knows_gender`, `female_prob` is 0.5.
    """
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32")
    try:
        classes = net.output["age"].shape[-1]
        master = build(_untrained(recipe), classes, recipe.input_px, rounds_kernels=False)
        master.set_weights([weight.numpy() for weight in net.weights])
        applications.settle(all_layers(master))
        if not knows_gender:
            gender = master.get_layer("gender")
            gender.set_weights([np.zeros_like(weight) for weight in gender.get_weights()])
        rounding.round_kernels(master, net)
        return _with_probabilities(master, years)
    finally:
        keras.config.set_dtype_policy(policy)


def _untrained(recipe: Recipe) -> Recipe:
    """The same network, without what only concerns its training."""
    return dataclasses.replace(recipe, pretrained=False, frozen="", l1=0.0, l2=0.0)


def unrounded(master: keras.Model, recipe: Recipe) -> keras.Model:
    """A deployed network of eight bits without the rounding of its activations."""
    plain = dataclasses.replace(recipe, eight_bits=False)
    net = build(_untrained(plain), master.get_layer("age").units, recipe.input_px)
    copy_weights(master, net)
    weights = master.get_layer("age_probs").get_weights()  # of a network of classes
    return _with_probabilities(net, weights[0] if weights else None)


def copy_weights(source: keras.Model, target: keras.Model, heads: Sequence[str] = HEADS) -> None:
    """From one network of a recipe into another, deployed or not. Raises ValueError if they are
    not alike; heads that are not named may differ."""
    layers_of_both = list(itertools.zip_longest(_body(target), _body(source)))
    for layer, other in layers_of_both:
        if _shapes(layer) != _shapes(other):
            named = layer or other
            raise ValueError(f"layer {named.name}: expected {_told(layer)}, got {_told(other)}")
    for layer, other in layers_of_both:
        layer.set_weights(other.get_weights())
    for head in heads:
        target.get_layer(head).set_weights(source.get_layer(head).get_weights())
    applications.settle(all_layers(target))


def _shapes(layer: keras.Layer | None) -> list[tuple[int, ...]]:
    return [] if layer is None else [weight.shape for weight in layer.weights]


def _told(layer: keras.Layer | None) -> str:
    shapes = " and ".join("x".join(map(str, shape)) for shape in _shapes(layer))
    return f"weights of {shapes}" if shapes else "none"


def _body(net: keras.Model) -> list[keras.Layer]:
    """The layers with weights before the heads, whose order Keras changes when it saves."""
    outer = (*HEADS, "age_probs")
    return [layer for layer in net.layers if layer.weights and layer.name not in outer]


def _with_probabilities(net: keras.Model, years: np.ndarray | None) -> keras.Model:
    age_probs = layers.Softmax(dtype="float32", name="age_probs")
    if years is None:
        age = age_probs(net.output["age"])
    else:
        classes = layers.Softmax(dtype="float32", name="class_probs")(net.output["age"])
        spread = layers.Dense(AGES, use_bias=False, trainable=False, name="age_probs")
        age = spread(classes)
        spread.set_weights([years])
    female_prob = layers.Activation("sigmoid", dtype="float32")(net.output["gender"])
    female_prob = layers.Reshape((), dtype="float32", name="female_prob")(female_prob)
    return keras.Model(net.input, {"age_probs": age, "female_prob": female_prob}, name=net.name)
