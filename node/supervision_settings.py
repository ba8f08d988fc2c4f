"""Settings of supervision: what the answers to 3101 and 3102 do, and when the rules are run.

Rules:
- What cannot be judged passes and says so; only identity may be set to block then. Where it is,
  who was not verified is blocked too, and a file that switches the judging off is refused.
- What a warning answers is its file's, unless it is named here; a rule that is named speaks for
  itself in the warning that uses it (W08: M01 to M07).
- Every night all rules and topics are run by the daemon, unless that is switched off.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NoReturn

from node.domain.nights import night_time
from node.errors import ConfigurationError
from node.interface_settings import refuse_outside

__all__ = ["ANSWERS", "WARNINGS", "SupervisionSettings"]

WARNINGS: Final = tuple(f"W{number:02d}" for number in range(1, 12))
LIMITS: Final = tuple(f"M{number:02d}" for number in range(1, 8))
"""Rules of W08 (支付限定), which may answer each by itself."""
ANSWERS: Final = ("warn", "block", "off")
_IDENTITY: Final = "W04"
"""The identity check (人证一致性核验)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SupervisionSettings:
    """Table `[supervision]`."""

    live: bool = True
    """Whether 3101 and 3102 are judged."""
    budget_ms: int = 200
    """Longest judging of one call, 10 to 5000 milliseconds; what is left then is not judged."""
    identity_closed: bool = False
    """Whether a visit is blocked whose person was not verified, or of whom that cannot be judged.

    Emergencies are not; ``answers.W04 = "warn"`` leaves the block to what cannot be judged.
    """
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
        if self.identity_closed and not self.live:
            _refuse_open_door("supervision.live = false", "set supervision.live = true")
        if self.identity_closed and self.answers.get(_IDENTITY) == "off":
            _refuse_open_door(
                f'supervision.answers.{_IDENTITY} = "off"',
                f"take {_IDENTITY} out of [supervision.answers]",
            )


def _refuse_open_door(found: str, mend: str) -> NoReturn:
    """Refuse a closed identity that nothing asks about: every visit would pass, unsaid."""
    raise ConfigurationError(
        f"supervision.identity_closed = true and {found} exclude each other: identity would not "
        f"be judged and every visit pass; {mend}, or supervision.identity_closed = false, in "
        "node.toml"
    )
