"""livecam: how old are the people in front of the camera?

A source gives frames; MTCNN finds the faces in them; a small network answers each face with a
distribution over the years 0..100; a tracker pools these answers over time; an overlay draws
them. The command is `livecam`; the library is one function:

    livecam.predict("group.jpg")  ->  [{"face": 1, "age": 31.0, "age_bin": "25-34", …}, …]
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from livecam.errors import LivecamError, UsageError

if TYPE_CHECKING:
    from livecam.prediction import predict

MAX_PIXELS = 200_000_000  # of a picture
# OpenCV reads this when it loads: one that claims to be larger is refused undecoded
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", f"{MAX_PIXELS}")
# …and this: otherwise a camera on Windows may take minutes to open
os.environ.setdefault("OPENCV_VIDEOIO_MSMF_ENABLE_HW_TRANSFORMS", "0")
# …and ONNX Runtime this: its wheels from 1.29 on keep a device id and report to Microsoft
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

__version__ = "0.1.0"
__all__ = ["LivecamError", "UsageError", "__version__", "predict"]


def __getattr__(name: str) -> Any:
    """`predict` on first use: its libraries take longer to import than `livecam --help` may."""
    if name == "predict":
        from livecam.prediction import predict

        return predict
    raise AttributeError(f"module 'livecam' has no attribute {name!r}")


def __dir__() -> list[str]:
    """For completion: `predict` is not there before its first use."""
    return sorted({*globals(), *__all__})
