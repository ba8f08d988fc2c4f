"""Settings of supervision before and during the fact: what the answers to 3101 and 3102 do.

Rules:
- What cannot be judged passes and says so; only identity may be set to block then.
- What a warning answers is its file's, unless it is named here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from node.errors import ConfigurationError
from node.interface_settings import refuse_outside

__all__ = ["ANSWERS", "WARNINGS", "SupervisionSettings"]

WARNINGS: Final = tuple(f"W{number:02d}" for number in range(1, 12))
ANSWERS: Final = ("warn", "block", "off")


@dataclass(frozen=True, slots=True, kw_only=True)
class SupervisionSettings:
    """Table `[supervision]`."""

    live: bool = True
    """Whether 3101 and 3102 are judged."""
    budget_ms: int = 200
    """Longest judging of one call, 10 to 5000 milliseconds; what is left then is not judged."""
    identity_closed: bool = False
    """Whether a visit is blocked whose identity check (W04) cannot be judged."""
    answers: Mapping[str, str] = field(default_factory=dict)
    """``warn``, ``block`` or ``off`` by warning, in place of what its file says."""

    def __post_init__(self) -> None:
        refuse_outside("supervision.budget_ms", self.budget_ms, 10, 5_000)
        for warning, answer in self.answers.items():
            if warning not in WARNINGS or answer not in ANSWERS:
                raise ConfigurationError(
                    f"supervision.answers has {warning[:20]!r} = {str(answer)[:20]!r}; expected a "
                    f"warning of {WARNINGS[0]} to {WARNINGS[-1]} and one of {', '.join(ANSWERS)}; "
                    "correct it in node.toml"
                )
