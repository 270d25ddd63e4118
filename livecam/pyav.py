"""PyAV, loaded after OpenCV: both bring a libxcb of their own, and the windows of an OpenCV that
comes second hang for ever (https://github.com/PyAV-Org/PyAV/issues/1050)."""

import cv2  # noqa: F401, I001
import av as av
