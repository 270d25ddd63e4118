"""How well `livecam report` counts: on audiences that are drawn from faces whose ages are known.

Each face is asked about once, as in one frame of a film. Printed for each age scheme (your own
ones too) and size of the audience: how many of a hundred people are counted in a wrong bin where
everybody counts in the likeliest one, where probabilities are added up, and as `livecam report`
counts; and how often its ± holds the true number, which is meant to be four times in five.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from livecam.ages import AgeScheme
from livecam.arguments import Parser
from livecam.classifier import AgeGenderClassifier, age_prior
from livecam.config import load_config
from livecam.datatypes import Array
from livecam.errors import LivecamError, UsageError
from livecam.exit_codes import exit_code
from livecam.prevalence import Z_80, counts
from livecam.wording import counted
from train import faces
from train.evaluate import answers
from train.score_tables import markdown

SIZES = (30, 100, 500)  # people
DRAWN = 100  # audiences of each size
HEADER = ("scheme", "people", "likeliest bin", "added up", "livecam report", "its ± holds")
EVENNESS = 2.0  # of the mixes: Dirichlet's parameter; 1 would draw all mixes alike


def main(argv: list[str] | None = None) -> int:
    parser = Parser(
        prog="python -m train.audiences",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("data", type=Path, help="HDF5 file from python -m train.prepare")
    parser.add_argument("--model", default="", help=".onnx or .keras file (the shipped .onnx)")
    parser.add_argument("--split", choices=tuple(faces.SPLITS), default="test", help="part (test)")
    return exit_code(_audiences, parser, argv)


def _audiences(args: argparse.Namespace) -> None:
    schemes = load_config().schemes
    prior = age_prior(args.model)
    if prior is None:
        raise UsageError(f"{args.model}: no age_prior beside it; python -m train.export writes it")
    data = faces.load(args.data, args.split)
    rows = np.flatnonzero(~data.labels.is_interval)
    if len(rows) < max(SIZES):
        raise LivecamError(
            f"{args.data}: {counted(len(rows), 'face')} of an exact age in its {args.split} part; "
            f"expected at least {max(SIZES)}"
        )
    ages = data.labels.age[rows]
    answer = answers(AgeGenderClassifier(args.model), data.crops)
    table = (
        _row(name, size, _drawn(scheme, size, answer.age_probs[rows], ages, prior))
        for name, scheme in schemes.items()
        for size in SIZES
    )
    for line in markdown(HEADER, table):  # each as soon as it is known
        print(line, flush=True)


def _row(name: str, size: int, means: tuple[float, float, float, float]) -> tuple[str, ...]:
    *wrong, held = means
    return name, str(size), *(f"{each:.1f}" for each in wrong), f"{100 * held:.0f} %"


def _drawn(
    scheme: AgeScheme, size: int, age_probs: Array, ages: np.ndarray, prior: Array
) -> tuple[float, float, float, float]:
    """Means over audiences: of a hundred people in a wrong bin by the three ways of counting, and
    the share of bins whose number is within its error."""
    random = np.random.default_rng(0)
    bins = scheme.bins_of(ages)
    members = [np.flatnonzero(bins == i) for i in np.unique(bins)]
    probs, base = scheme.bin_probs(age_probs), scheme.bin_probs(prior[None])
    results = []
    for _ in range(DRAWN):
        mix = random.multinomial(size, random.dirichlet(np.full(len(members), EVENNESS)))
        people = np.concatenate([random.choice(m, n) for m, n in zip(members, mix, strict=True)])
        true = np.bincount(bins[people], minlength=len(scheme.labels))
        likeliest = np.bincount(probs[people].argmax(axis=1), minlength=len(scheme.labels))
        shares, errors = counts(probs[people], np.repeat(base, size, axis=0))
        ways = (likeliest, probs[people].sum(axis=0), shares.sum(axis=0))
        # as it is printed: whole people
        is_held = np.abs(np.round(ways[-1]) - true) <= np.round(Z_80 * errors)
        wrong = (100 * np.abs(way - true).sum() / 2 / size for way in ways)
        results.append((*wrong, is_held.mean()))
    likely, added, reported, held = np.mean(results, axis=0).tolist()
    return likely, added, reported, held


if __name__ == "__main__":
    sys.exit(main())
