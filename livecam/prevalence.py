"""How many people are of which class, when each answer is uncertain.

Counting everybody in their likeliest class counts some classes far too often, and adding up
probabilities makes every audience look like the faces that the network learnt from. What the answers
have in common says how common each class is here, and that says more of each answer: the
expectation-maximisation of Saerens, Latinne and Decaestecker (2002).
"""

from __future__ import annotations

import numpy as np

PRIOR_WEIGHT = 10.0  # as if so many people had been seen with the prior's classes
STEPS = 100
SAMPLES, SAMPLE_STEPS = 50, 20  # of the bootstrap


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
    base = np.where(is_known[:, None], np.maximum(prior, 1e-9), 1.0)
    usual = base[is_known].mean(axis=0) if is_known.any() else np.full(k, 1 / k)
    usual = usual / usual.sum()

    def shares(common: np.ndarray) -> np.ndarray:
        adapted = probs * np.where(is_known[:, None], common / base, 1.0)
        return adapted / adapted.sum(axis=1, keepdims=True)

    def settled(common: np.ndarray, people: np.ndarray, steps: int) -> np.ndarray:
        for _ in range(steps):
            common = people @ shares(common) + PRIOR_WEIGHT * usual
            common = common / common.sum()
        return common

    common = settled(usual, np.ones(n), STEPS)
    found = shares(common)
    random = np.random.default_rng(0)
    sums = []
    for _ in range(SAMPLES):
        people = random.multinomial(n, np.full(n, 1 / n)).astype(float)
        sums.append(people @ shares(settled(common, people, SAMPLE_STEPS)))
    own = (found * (1 - found)).sum(axis=0)
    return found, np.sqrt(np.var(sums, axis=0) + own)
