"""livecam beside what it replaces: `python -m benchmarks CLIP…` prints one table of ratios."""
