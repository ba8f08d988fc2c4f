"""Benchmarks: ratios between this program and what the machine can do, measured in one run."""
