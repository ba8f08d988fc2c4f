"""Progress of a long job, as every flow reports it.

A reporter is called at batch borders, never inside a transaction: it may raise to stop the job
there, and what was committed before stays.
"""

from __future__ import annotations

from typing import Protocol


class ProgressReporter(Protocol):
    """Takes the progress of a running job."""

    def __call__(self, stage: str, done: int, total: int = 0, unit: str = "") -> None:
        """Report progress.

        Args:
            stage: What is being done, in words for the operator.
            done: Units done.
            total: Units in all; 0 when unknown.
            unit: Name of the unit, for example ``"envelopes"``.

        Raises:
            JobAbortedError: The daemon is stopping; the job ends at this batch border.
        """


def no_progress(stage: str, done: int, total: int = 0, unit: str = "") -> None:
    """Report to nobody."""
    del stage, done, total, unit
