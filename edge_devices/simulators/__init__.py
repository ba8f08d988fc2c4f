"""Simulators of edge devices: cameras, people with faces, a fleet of terminals."""
