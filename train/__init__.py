"""Training of the age and gender network: prepare, explore, fit, compare, export, evaluate,
audiences."""

import os
import sys

from livecam.errors import LivecamError
from livecam.extras import require

# TensorFlow uses oneDNN's kernels unasked only where a processor has AVX-512 VNNI or better; with
# AVX2 alone they make training 1.6 to 3 times as fast (docs/experiments.md).
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

if sys.argv[:1] == ["-m"]:  # while Python looks for a command in here, whose imports need h5py
    try:
        require("h5py", "train")
    except LivecamError as error:
        sys.exit(f"python -m train: {error}")
