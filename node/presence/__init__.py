"""Presence (在场核验): templates, what devices saw, and what is held of it."""
