"""Supervision at a hub: what several nodes together know."""
