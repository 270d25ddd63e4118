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
    n, k = probs.shape
    if not n:
        return np.zeros((0, k)), np.zeros(k)
    is_known = np.isfinite(prior).all(axis=1) & (prior > 0).any(axis=1)
    base = np.where(is_known[:, None], np.maximum(prior, 1e-9), np.nan)
    usual = base[is_known].mean(axis=0) if is_known.any() else np.full(k, 1 / k)
    usual = usual / usual.sum()
    common = _common(probs, base, usual)
    found = _adapted(probs, base, common)
    # people drawn again and again: how the classes' frequencies might have come out
    random = np.random.default_rng(0)
    most = min(n, SAMPLE_MOST)
    sums = []
    for _ in range(SAMPLES):
        drawn = random.integers(0, n, most)
        resampled = _common(probs[drawn], base[drawn], usual)
        sums.append(_adapted(probs[drawn], base[drawn], resampled).sum(axis=0))
    uncertain = (found * (1 - found)).sum(axis=0)
    variance = np.var(sums, axis=0) * n / most + uncertain + np.square(ALIKE * uncertain)
    return found, np.sqrt(variance)


def _adapted(probs: np.ndarray, base: np.ndarray, common: np.ndarray) -> np.ndarray:
    """What the answers (n, k) say where the classes are as `common` (k,), and not as `base` (n, k);
    those without a base as they are."""
    adapted = probs * np.where(np.isnan(base), 1.0, common / base)
    return adapted / adapted.sum(axis=1, keepdims=True)


def _common(probs: np.ndarray, base: np.ndarray, usual: np.ndarray) -> np.ndarray:
    """How common each class is here (k,), if it is `usual` (k,) elsewhere."""
    prior = (PRIOR_PEOPLE + PRIOR_SHARE * len(probs)) * usual
    common = usual
    for _ in range(STEPS):
        common = _adapted(probs, base, common).sum(axis=0) + prior
        common = common / common.sum()
    return common
