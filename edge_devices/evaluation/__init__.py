"""Calibrate a threshold on a site's own pictures, and evaluate models on known ones."""
