"""Synchronisation: statements up, registers and grade statements down."""
