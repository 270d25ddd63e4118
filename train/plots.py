"""Drawings of scores, runs and data. Arrays in, a figure out; imports Matplotlib, no display.

Text and lines are in one ink that `report.drawing` replaces by the page's colour.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from livecam.datatypes import Array, Image

INK = "#1f2328"
BLUE, ORANGE, GREEN, RED, PURPLE, GREY = COLOURS = (
    "#3b82c4", "#d9822b", "#4b9e5f", "#c0504d", "#8e6bbf", "#8a9099",
)  # fmt: skip
NAME_CHARACTERS = 44  # of a run, for each panel that is above it
STYLE: dict[Any, Any] = {
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.titlesize": 11,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GREY,
    "grid.alpha": 0.3,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "legend.labelcolor": INK,
    "text.color": INK,
    "text.parse_math": False,  # names of runs and data sets may hold any number of $
    "xtick.color": INK,
    "ytick.color": INK,
    "font.size": 9.5,
    "savefig.dpi": 130,
    "svg.fonttype": "none",  # text stays text: small files that can be searched
    "svg.hashsalt": "livecam",  # the same data gives the same bytes
}
matplotlib.rcParams.update(STYLE)


def _figure(width: float, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots()


def _percent_axis(axis: Any) -> None:
    axis.set_major_formatter(lambda value, _: f"{100 * value:.3g} %")


def _whole_numbers(axis: Any) -> None:
    axis.get_major_locator().set_params(integer=True, min_n_ticks=1)


def cs_curve(model: np.ndarray, constant: np.ndarray) -> Figure:
    """Share of faces whose error is at most so many years, of the model and a constant age."""
    figure, axes = _figure(4.6, 3.4)
    for curve, colour, name in ((model, BLUE, "model"), (constant, GREY, "constant age")):
        label = f"{name}: CS@5 {100 * curve[5]:.1f} %"
        axes.plot(curve, color=colour, marker="o", markersize=3, label=label)
    axes.axvline(5, color=ORANGE, linewidth=1)
    axes.set(xlabel="error of at most, years", ylabel="share of faces", ylim=(-0.02, 1.03))
    axes.set_xlim(0, len(model) - 1)
    _percent_axis(axes.yaxis)
    axes.legend(loc="best")
    return figure


def range_calibration(
    shares: Sequence[float], held: Sequence[float], shown: tuple[float, float] | None
) -> Figure:
    """What share of the labels central ranges hold, against what they are meant to hold; and the
    same two of the range that is shown, where that is another."""
    figure, axes = _figure(4.0, 3.4)
    axes.plot([0.4, 1], [0.4, 1], color=GREY, linestyle="--", label="as meant")
    axes.plot(shares, held, color=BLUE, marker="o", label="middle of the distribution")
    if shown is not None:
        axes.plot(*shown, color=ORANGE, marker="D", linestyle="", label="range as shown")
    axes.set(
        xlabel="meant to hold",
        ylabel="holds the label",
        xlim=(0.45, 0.95),
        ylim=(min(0.4, *held), 1),
    )
    axes.set_xticks(shares)
    _percent_axis(axes.xaxis)
    _percent_axis(axes.yaxis)
    axes.legend(loc="best")
    return figure


def reliability(
    said: np.ndarray, came: np.ndarray, faces: np.ndarray, xlabel: str, least: float = 0.0
) -> Figure:
    """Accuracy against stated probability; a point's area grows with its faces."""
    figure, axes = _figure(4.0, 3.4)
    axes.plot([least, 1], [least, 1], color=GREY, linestyle="--")
    axes.plot(said, came, color=BLUE, linewidth=1)
    axes.scatter(said, came, s=12 + 180 * faces / faces.sum(), color=BLUE, alpha=0.75)
    axes.set(xlabel=xlabel, ylabel="share right", xlim=(least - 0.03, 1.03), ylim=(-0.03, 1.05))
    _percent_axis(axes.xaxis)
    _percent_axis(axes.yaxis)
    return figure


def age_scatter(ages: np.ndarray, answers: np.ndarray) -> Figure:
    """Answers over labels (n,), and the mean answer of every five years."""
    figure, axes = _figure(5.0, 4.4)
    shaken = ages + np.random.default_rng(0).uniform(-0.4, 0.4, len(ages))
    axes.plot([0, 100], [0, 100], color=GREY, linestyle="--", label="right")
    size, alpha = (5, 0.35) if len(ages) >= 300 else (16, 0.8)  # few are to be seen too
    axes.scatter(
        shaken, answers, size, BLUE, alpha=alpha, linewidths=0, rasterized=True, zorder=2.5
    )
    places = (ages // 5).astype(int)
    met = [place for place in np.unique(places) if (places == place).sum() >= 5]
    middles = [ages[places == place].mean() for place in met]
    means = [answers[places == place].mean() for place in met]
    if met:
        axes.plot(middles, means, color=ORANGE, linewidth=2, label="mean answer, every 5 years")
    axes.set(xlabel="labelled age, years", ylabel="answered age, years")
    axes.set(xlim=(-2, max(102, ages.max() + 2)), ylim=(-2, 102))
    axes.legend(loc="upper left")
    return figure


def errors_by_band(errors: np.ndarray, bands: Sequence[tuple[str, np.ndarray]]) -> Figure:
    """The spread of signed errors (n,) in each group of rows (n,) bool, none of which is empty."""
    figure, axes = _figure(6.0, 4.4)
    axes.boxplot(
        [errors[rows] for _, rows in bands],
        tick_labels=[f"{name}\n({rows.sum()})" for name, rows in bands],
        whis=(5, 95),
        showfliers=False,
        patch_artist=True,
        boxprops={"facecolor": BLUE + "66", "edgecolor": BLUE},
        whiskerprops={"color": BLUE},
        capprops={"color": BLUE},
        medianprops={"color": ORANGE, "linewidth": 2},
    )
    means = [errors[rows].mean() for _, rows in bands]
    axes.scatter(range(1, len(bands) + 1), means, color=RED, s=18, zorder=3, label="mean (bias)")
    axes.axhline(0, color=INK, linewidth=0.8)
    axes.set(xlabel="labelled age, years (faces)", ylabel="answered minus labelled, years")
    axes.legend(loc="lower left")
    return figure


def group_bars(groups: Mapping[str, Mapping[str, Any]], mean: float) -> Figure:
    """MAE of each group, none of which is empty, in the order given from the top; a line for all
    faces."""
    figure, axes = _figure(5.2, 1.0 + 0.28 * len(groups))
    names = [f"{name} ({group['faces']})" for name, group in groups.items()]
    values = [group["mae"] for group in groups.values()]
    axes.barh(names, values, color=BLUE, height=0.65)
    for place, value in enumerate(values):  # beside the axes, where no line crosses them
        axes.text(1.02, place, f"{value:.1f}", transform=axes.get_yaxis_transform(), va="center")
    axes.axvline(mean, color=ORANGE, linewidth=1.2, zorder=0.5)
    axes.set_title(f"orange: all faces, {mean:.2f}", loc="left", fontsize=9)
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    axes.set(xlabel="MAE, years")
    axes.set_xlim(0, max(*values, mean) * 1.03 or 1)
    return figure


def confusion(counts: np.ndarray, labels: Sequence[str]) -> Figure:
    """Counts (c, c), a row per label: each cell's share of its row, and its faces below it."""
    classes = len(labels)
    figure, axes = _figure(1.5 + 0.56 * classes, 1.1 + 0.5 * classes)
    sums = counts.sum(axis=1, keepdims=True)
    shares = counts / np.maximum(sums, 1)
    for (row, column), share in np.ndenumerate(shares):
        if not counts[row, column]:
            continue
        place = (column - 0.5, row - 0.5)
        axes.add_patch(Rectangle(place, 1, 1, facecolor=BLUE, alpha=0.08 + 0.67 * share))
        axes.text(column, row - 0.13, f"{100 * share:.0f} %", ha="center", va="center", fontsize=8)
        axes.text(
            column, row + 0.25, f"{counts[row, column]}", ha="center", va="center", fontsize=6.5
        )
    axes.set_xticks(range(classes), labels, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(classes), labels)
    axes.set_xlim(-0.5, classes - 0.5)
    axes.set_ylim(classes - 0.5, -0.5)
    axes.grid(visible=False)
    axes.set(xlabel="answered", ylabel="labelled")
    return figure


def robustness(curves: Mapping[str, Mapping[str, Any]]) -> Figure:
    """The error over that of clean pictures, at every level of every degradation."""
    columns = 4
    rows = -(-len(curves) // columns)
    figure = Figure(figsize=(9.6, 2.6 * rows), layout="constrained")
    grid = figure.subplots(rows, columns, sharey=True, squeeze=False)
    for axes in grid.flat[len(curves) :]:
        axes.set_visible(False)
    for axes, (name, curve) in zip(grid.flat, curves.items(), strict=False):
        places = range(len(curve["levels"]))
        ratios = np.array(curve["ratios"], float)  # NaN without a clean error
        axes.plot(places, ratios, color=BLUE, marker="o", markersize=4)
        usual = list(curve["levels"]).index(curve["usual"])
        axes.plot(usual, ratios[usual], "o", color=ORANGE, markersize=8)
        axes.axhline(1, color=GREY, linestyle="--")
        axes.set_xticks(places, [f"{level:g}" for level in curve["levels"]])
        axes.set_title(name)
        axes.set_xlabel(curve["unit"])
    for axes in grid[:, 0]:
        axes.set_ylabel("× the clean error")
    return figure


def _shortened(name: str, most: int) -> str:
    """A name of at most `most` characters: its end, which tells runs apart."""
    return name if len(name) <= most else "…" + name[1 - most :]


def curves(
    runs: Mapping[str, Mapping[str, np.ndarray]], panels: Mapping[str, str], xlabel: str
) -> Figure:
    """One panel a column of the logs (column -> title), one line a run."""
    columns = min(len(panels), 3)
    rows = math.ceil(len(panels) / columns)
    # of long names, fewer fit side by side
    side_by_side = max(1, min(3, int(46 * columns / max(map(len, runs)))))
    legend = 0.23 * math.ceil(len(runs) / side_by_side)
    figure = Figure(figsize=(4.6 * columns, 3.6 * rows + legend), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False).flatten()
    for axes in grid[len(panels) :]:
        axes.set_axis_off()
    for axes, (column, title) in zip(grid, panels.items(), strict=False):
        for number, (name, log) in enumerate(runs.items()):
            if column not in log:
                continue
            style = ("-", "--", ":", "-.")[number // len(COLOURS) % 4]
            colour = COLOURS[number % len(COLOURS)]
            axes.plot(log["epoch"], log[column], style, color=colour, marker=".", label=name)
        axes.set_title(title, loc="left")  # along a short axis it would be cut
        axes.set_xlabel(xlabel)
        if column.endswith("accuracy"):
            _percent_axis(axes.yaxis)
        _whole_numbers(axes.xaxis)
    lines = {line.get_label(): line for axes in grid for line in axes.get_lines()}
    drawn = [name for name in runs if name in lines]
    figure.legend(
        [lines[name] for name in drawn],
        [_shortened(name, NAME_CHARACTERS * columns) for name in drawn],
        loc="outside lower center",
        ncols=side_by_side,
    )
    return figure


def age_histogram(ages: Mapping[str, np.ndarray], title: str) -> Figure:
    """Faces of every age, one colour a part, one upon the other."""
    figure, axes = _figure(5.9, 2.9)
    values = [np.floor(part) for part in ages.values()]  # completed years, as classes count them
    names = [f"{name} ({len(part)})" for name, part in ages.items()]
    bins = np.arange(-0.5, 118.5)
    axes.hist(values, bins=list(bins), stacked=True, color=COLOURS[: len(values)], label=names)
    axes.set(title=title, xlabel="age, years", ylabel="faces", xlim=(-1, 117))
    axes.legend(loc="upper right")
    _whole_numbers(axes.yaxis)
    return figure


def stacked_bars(
    counts: np.ndarray, rows: Sequence[str], parts: Sequence[str], title: str, xlabel: str
) -> Figure:
    """Counts (rows, parts): a bar a row in the order given from the top, a colour a part."""
    figure, axes = _figure(5.9, 1.1 + 0.27 * len(rows))
    left = np.zeros(len(rows))
    for number, part in enumerate(parts):
        if not counts[:, number].any():
            continue
        colour = COLOURS[number % len(COLOURS)]
        axes.barh(rows, counts[:, number], left=left, color=colour, height=0.7, label=part)
        left += counts[:, number]
    for place, total in enumerate(left):
        axes.annotate(
            f"{total:.0f}", (total, place), (3, 0), textcoords="offset points", va="center",
            fontsize=8,
        )  # fmt: skip
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    axes.set_xlim(0, max(1, left.max()) * 1.12)
    axes.set_title(title)
    axes.set_xlabel(xlabel)
    _whole_numbers(axes.xaxis)
    if len(parts) > 1:
        axes.legend(loc="upper left", bbox_to_anchor=(1, 1))
    return figure


def heat(crop: Image, years: Array) -> Image:
    """A map (H, W) over its crop (H, W, 3): red where positive, blue where negative."""
    scale = max(float(np.abs(years).max()), 1e-6)
    colour = matplotlib.colormaps["RdBu_r"]((years / scale + 1) / 2)[..., :3] * 255
    strength = 0.65 * np.abs(years / scale)[..., None]
    grey = np.repeat(crop.mean(axis=2, keepdims=True), 3, axis=2)
    return np.rint(grey * (1 - strength) + colour * strength).astype(np.uint8)
