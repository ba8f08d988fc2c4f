"""Spot checks (抽查): seed, sample, probability and the file a hub hands to an inspector."""
