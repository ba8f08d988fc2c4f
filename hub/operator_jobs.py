"""The jobs over operators, approvals, keys and incidents: JSON objects in and out."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from hub.parts import HubParts
from security.progress import ProgressReporter

Result: TypeAlias = dict[str, Any]
Job: TypeAlias = Callable[[Result, ProgressReporter], Result | Awaitable[Result]]
OPERATOR_READERS: Final[frozenset[str]] = frozenset()
"""Jobs that change nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorJobs:
    """The jobs over the parts of one hub."""

    parts: HubParts

    def table(self) -> Mapping[str, Job]:
        """Jobs by name."""
        return {}
