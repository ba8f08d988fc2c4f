"""The command, the simulated city, the demonstration and the benchmarks.

This room may look into every other one; no other room may look into it.
"""
