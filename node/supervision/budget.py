"""Budgets of rules: how long one may take, how much memory the engine may hold, how much it finds.

A rule beyond its time is interrupted; one beyond the memory fails by itself, as nothing is ever
written to disk. Either is told of the rule, and the next one goes on.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import duckdb

__all__ = ["MEMORY_BYTES", "Budget", "limited"]

MEMORY_BYTES: Final = 3_072 * 1024**2
"""Of the engine; the process needs about half a GiB beside it at ten million lines."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What one rule, or one relation that rules read, may take."""

    seconds: float = 600.0
    memory_bytes: int = MEMORY_BYTES
    """Of the engine as a whole."""
    rows: int = 5_000_000
    """Evidence records that one rule finds."""


@contextmanager
def limited(engine: duckdb.DuckDBPyConnection, seconds: float) -> Iterator[None]:
    """Interrupt what the engine does in the body when it takes too long.

    Raises:
        duckdb.InterruptException: The time was over.
    """
    guard = _Guard(engine)
    timer = threading.Timer(seconds, guard.interrupt)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        guard.leave()


class _Guard:
    """Interrupts only while the body is at work: never what comes after it."""

    def __init__(self, engine: duckdb.DuckDBPyConnection) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._left = False

    def interrupt(self) -> None:
        with self._lock:
            if not self._left:
                self._engine.interrupt()

    def leave(self) -> None:
        with self._lock:
            self._left = True
