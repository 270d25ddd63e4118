"""How many people are of which class, when each answer is uncertain.

Counting everybody in their likeliest class counts some classes far too often, and adding up
probabilities makes every audience look like the faces that the network learnt from. What the
answers have in common says how common each class is here, and that says more of each answer: the
expectation-maximisation of Saerens, Latinne and Decaestecker (2002).
"""

from __future__ import annotations

import numpy as np

# chosen on the dev part, see docs/audience.md
PRIOR_PEOPLE, PRIOR_SHARE = 5.0, 0.2  # as if so many, and so many for each, of the prior were there
ALIKE = 0.6  # of what is uncertain, how much all answers may err in one direction
STEPS = 60
SAMPLES, SAMPLE_MOST = 50, 5000  # of the bootstrap: how many, of how many people at most
Z_80 = 1.2816  # standard errors to each side that hold four in five


def counts(probs: np.ndarray, prior: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Who of n people is of which of k classes, and how far the sums may be off.

    `probs` (n, k): the answers, rows sum to 1. `prior` (n, k): how often the same network answers
    each class on the data that it learnt from; a row with NaN: not known, that answer stays as it
    is. Returns shares (n, k), rows sum to 1, and the standard errors of their sums (k,).
    """
    found = probs.astype(float)
    is_known = np.isfinite(prior).all(axis=1) & (prior > 0).any(axis=1)
    drawn_variance = np.zeros(probs.shape[1])
    if is_known.any():
        base = np.maximum(prior[is_known], 1e-9)
        usual = base.mean(axis=0) / base.mean(axis=0).sum()
        odds = probs[is_known] / base
        found[is_known] = _adapted(odds, _common(odds, usual))
        drawn_variance = _drawn_variance(odds, usual)
    uncertain = (found * (1 - found)).sum(axis=0)
    return found, np.sqrt(drawn_variance + uncertain + np.square(ALIKE * uncertain))


def _common(odds: np.ndarray, usual: np.ndarray) -> np.ndarray:
    """How common each class is here (k,), where it is `usual` (k,) elsewhere. `odds` (n, k):
    answers, over what is usual where they come from."""
    prior = (PRIOR_PEOPLE + PRIOR_SHARE * len(odds)) * usual
    common = usual
    for _ in range(STEPS):
        common = common * ((1 / (odds @ common)) @ odds) + prior
        common = common / common.sum()
    return common


def _adapted(odds: np.ndarray, common: np.ndarray) -> np.ndarray:
    """What the answers say where the classes are so common: (n, k), rows sum to 1."""
    adapted = odds * common
    return adapted / adapted.sum(axis=1, keepdims=True)


def _drawn_variance(odds: np.ndarray, usual: np.ndarray) -> np.ndarray:
    """Of the sums (k,), had other people of the same kind come: a bootstrap."""
    random = np.random.default_rng(0)
    most = min(len(odds), SAMPLE_MOST)
    sums = []
    for _ in range(SAMPLES):
        drawn = odds[random.integers(0, len(odds), most)]
        sums.append(_adapted(drawn, _common(drawn, usual)).sum(axis=0))
    return np.var(sums, axis=0) * len(odds) / most
