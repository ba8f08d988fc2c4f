"""The one place that imports OpenCV: one thread, no chatter.

OpenCV is an optional library (``yixin[faces]``): who imports this module needs it.
"""

import os

os.environ.pop("OPENCV_FORCE_DNN_ENGINE", None)  # The classic engine fails where sizes change.

import cv2  # Reads its variables when it is imported.

__all__ = ["cv2"]

cv2.setNumThreads(1)
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)
