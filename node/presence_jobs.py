"""The jobs over presence (在场核验): events, reports, bed rounds, overrides; JSON in and out."""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any, Final

from node.domain.presence import Reason
from node.errors import ConfigurationError, PresenceError
from node.presence.overriding import Override, let_pass
from node.presence.reporting import month_report
from node.presence.rounds import BedRound, draw_round
from node.store import NodeStore
from node.store.by import By
from node.supervision.closing import emergency_types
from scoring_kernel import Catalog
from scoring_kernel.rules import load_rules
from security.moments import SHANGHAI, to_ms, to_text
from security.progress import ProgressReporter

__all__ = ["READERS", "PresenceJobs"]

Result = dict[str, Any]
READERS: Final = ("presence", "presence_report")
"""Jobs that change nothing."""
_MAX_SEED: Final = 2**31
_ROUND: Final = timedelta(hours=2)
"""How long a bed round lasts where nobody says until when."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PresenceJobs:
    """The jobs over the presence events of one node."""

    catalog: Catalog
    store: NodeStore
    now: Callable[[], datetime]

    def table(self) -> Mapping[str, Callable[[Result, ProgressReporter], Result]]:
        """Jobs by the name under which the command line and the socket know them."""
        return {
            "presence": self.listing,
            "presence_report": self.report,
            "presence_round": self.round,
            "presence_override": self.override,
        }

    def listing(self, arguments: Result, _progress: ProgressReporter) -> Result:
        """Events of the last days, newest first, without persons."""
        now_ms = to_ms(self.now())
        rows = self.store.edge.presence.events(
            now_ms - arguments["days"] * 86_400_000,
            now_ms + 86_400_000,
            arguments.get("institution") or "",
            arguments["limit"],
        )
        return {
            "rows": [
                {
                    "at": to_text(row.at_ms),
                    "device": row.device,
                    "purpose": row.purpose,
                    "verdict": row.verdict,
                    "cause": row.cause,
                    "reason": row.reason,
                    "note": row.note,
                    "record": row.record_id,
                }
                for row in rows
            ]
        }

    def report(self, arguments: Result, _progress: ProgressReporter) -> Result:
        """What devices saw in a month, who let whom pass, and what does not fit."""
        month = arguments["month"]
        if not (1990 <= month // 100 <= 2199 and 1 <= month % 100 <= 12):
            raise ConfigurationError(f"{month} is no month, expected yyyymm, for example 202611")
        return month_report(
            self.store,
            month,
            self.now(),
            institution=arguments.get("institution") or "",
            emergency_types=emergency_types(load_rules(self.catalog)),
        )

    def round(self, arguments: Result, _progress: ProgressReporter) -> Result:
        """Draw inpatients, and ask the ward's devices to see them."""
        now = self.now()
        named = arguments.get("seed")
        seed = secrets.randbelow(_MAX_SEED) if named is None else named
        asked = BedRound(
            institution=arguments["institution"],
            share=_share(arguments["share"]),
            seed=seed,
            until=_until(arguments.get("until"), now),
        )
        drawn = draw_round(self.store, asked, _by(arguments, now))
        return {
            "institution": asked.institution,
            "inpatients": drawn.stays,
            "drawn": sum(drawn.asks.values()),
            "seed": seed,
            "until": asked.until.astimezone(SHANGHAI).isoformat(timespec="minutes"),
            "asks": dict(drawn.asks),
        }

    def override(self, arguments: Result, _progress: ProgressReporter) -> Result:
        """Let somebody pass who cannot be verified, with a reason."""
        code = arguments["reason_code"]
        reason = next((one for one in Reason if one == code), None)
        if reason is None:
            raise PresenceError(
                f"found the reason code {code[:20]!r}, expected one of {', '.join(Reason)}"
            )
        asked = Override(
            institution=arguments["institution"],
            person=arguments["person"],
            visit=arguments.get("visit") or "",
            reason=reason,
            words=arguments.get("reason") or "",
        )
        return {"record": let_pass(self.store, asked, _by(arguments, self.now()))}


def _by(arguments: Result, now: datetime) -> By:
    operator = arguments.get("operator") or ""
    if not operator:
        raise ConfigurationError("no login name found: name yourself with --operator")
    return By(operator=operator, at=now)


def _share(text: str) -> Fraction:
    try:
        share = Fraction(text)
    except (ValueError, ZeroDivisionError):
        share = Fraction(0)
    if not 0 < share <= 1:
        raise ConfigurationError(
            f"--share is {text[:20]!r}, expected more than 0 and at most 1, for example 0.2"
        )
    return share


def _until(text: str | None, now: datetime) -> datetime:
    """The next moment that has this time of day in Shanghai."""
    if text is None:
        return now + _ROUND
    try:
        clock = datetime.strptime(text, "%H:%M").time()  # noqa: DTZ007 - a time of day
    except ValueError as error:
        raise ConfigurationError(f"--until is {text[:20]!r}, expected HH:MM") from error
    local = now.astimezone(SHANGHAI)
    found = local.replace(hour=clock.hour, minute=clock.minute, second=0, microsecond=0)
    return found if found > local else found + timedelta(days=1)
