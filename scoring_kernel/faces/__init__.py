"""Faces (人脸): detect, align, embed, tell living from false, compare; calibrate and protect.

Nothing here opens a file or reads a clock: models come as bytes with the manifest that pins them,
images as bytes or arrays. Only the detector's side needs OpenCV, and only ``opencv.py`` imports
it, so that a node compares templates without it.
"""
