"""Training of the age and gender network: prepare, explore, fit, compare, export, evaluate."""

import os

# TensorFlow uses oneDNN's kernels unasked only where a processor has AVX-512 VNNI or better; with
# AVX2 alone they make training 1.6 to 3 times as fast (docs/experiments.md).
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
