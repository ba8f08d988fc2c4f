"""Settings of supervision: what the answers to 3101 and 3102 do, and when the rules are run.

Rules:
- What cannot be judged passes and says so; only identity may be set to block then.
- What a warning answers is its file's, unless it is named here; a rule that is named speaks for
  itself in the warning that uses it (W08: M01 to M07).
- Every night all rules and topics are run by the daemon, unless that is switched off.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from node.domain.nights import night_time
from node.errors import ConfigurationError
from node.interface_settings import refuse_outside

__all__ = ["ANSWERS", "WARNINGS", "SupervisionSettings"]

WARNINGS: Final = tuple(f"W{number:02d}" for number in range(1, 12))
LIMITS: Final = tuple(f"M{number:02d}" for number in range(1, 8))
"""Rules of W08 (支付限定), which may answer each by itself."""
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
    nightly: str = "01:00"
    """When all rules and topics are run, HH:MM in Asia/Shanghai; empty for never."""
    nightly_catch_up_s: int = 600
    """A night that was missed is made up for so long after the daemon's start, 0 to 86400."""
    nightly_max_memory_mib: int = 3072
    """Most memory of the rules' engine in the nightly run, 64 to 1048576 MiB."""
    answers: Mapping[str, str] = field(default_factory=dict)
    """``warn``, ``block`` or ``off`` by warning or rule of W08, in place of what a file says."""

    def __post_init__(self) -> None:
        refuse_outside("supervision.budget_ms", self.budget_ms, 10, 5_000)
        refuse_outside("supervision.nightly_catch_up_s", self.nightly_catch_up_s, 0, 86_400)
        refuse_outside(
            "supervision.nightly_max_memory_mib", self.nightly_max_memory_mib, 64, 1_048_576
        )
        if self.nightly and night_time(self.nightly) is None:
            raise ConfigurationError(
                f"supervision.nightly is {self.nightly[:20]!r}, expected HH:MM such as 01:00, or "
                "nothing for no nightly run; correct it in node.toml"
            )
        for warning, answer in self.answers.items():
            if warning not in (*WARNINGS, *LIMITS) or answer not in ANSWERS:
                raise ConfigurationError(
                    f"supervision.answers has {warning[:20]!r} = {str(answer)[:20]!r}; expected a "
                    f"warning of {WARNINGS[0]} to {WARNINGS[-1]}, or a rule of W08, {LIMITS[0]} to "
                    f"{LIMITS[-1]}, and one of {', '.join(ANSWERS)}; "
                    "correct it in node.toml"
                )
