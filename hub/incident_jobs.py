"""The jobs over incidents: JSON objects in and out."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta, timezone
from typing import Any, Final, TypeAlias

from sqlalchemy import Connection

from hub.errors import GradingError, IncidentError
from hub.incidents import Flow, exposure, freeze, lift
from hub.listings import moment_text
from hub.parts import HubParts
from hub.store import incidents, operator_log
from hub.store.engine import reading, writing
from hub.store.grade_runs import last_graded_period, periods_since
from hub.store.suspect_grades import suspect_periods
from scoring_kernel.periods import Period
from security.moments import to_ms
from security.progress import ProgressReporter

Result: TypeAlias = dict[str, Any]
Job: TypeAlias = Callable[[Result, ProgressReporter], Result | Awaitable[Result]]
INCIDENT_READERS: Final[frozenset[str]] = frozenset({"incidents", "exposure"})
"""Jobs that change nothing."""
_BEIJING: Final = timezone(timedelta(hours=8))
_EARLIEST: Final = datetime(2000, 1, 1, tzinfo=_BEIJING)


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentJobs:
    """The jobs over the parts of one hub."""

    parts: HubParts

    def table(self) -> Mapping[str, Job]:
        """Jobs by name."""
        return {
            "incident": self.freeze,
            "incident-lift": self.lift,
            "incidents": self.listing,
            "exposure": self.exposure,
        }

    def exposure(self, arguments: Result, progress: ProgressReporter) -> Result:
        """What a member received and sent since a moment."""
        since_ms = _moment(arguments["since"])
        with reading(self.parts.engine) as connection:
            found = exposure(connection, arguments["member"], since_ms, progress)
            pushed = operator_log.subjects_of(connection, "push", since_ms)
        return {
            "member": arguments["member"],
            "since": moment_text(since_ms),
            "since_index": found.since_index,
            "flows": [_flow(one) for one in found.flows],
            "passed_on": [_flow(one) for one in found.passed_on],
            "pushed": list(pushed),
        }

    def freeze(self, arguments: Result, progress: ProgressReporter) -> Result:
        """Freeze or mark a member, compute anew without what is suspect, tell what was exposed."""
        parts = self.parts
        exposed = self.exposure(arguments, progress)
        with writing(parts.engine) as connection:
            frozen = freeze(
                connection,
                parts.identity,
                member=arguments["member"],
                since_ms=_moment(arguments["since"]),
                since_index=exposed["since_index"],
                reason=arguments["reason"],
                now_ms=to_ms(parts.now()),
                only_mark=bool(arguments.get("mark")),
            )
        return exposed | asdict(frozen) | self._anew(suspect_periods, progress) | self._others()

    def lift(self, arguments: Result, progress: ProgressReporter) -> Result:
        """Lift the incident of a member, and compute anew with what counts again."""
        parts, member = self.parts, arguments["member"]
        with writing(parts.engine) as connection:
            held = lift(connection, member=member, now_ms=to_ms(parts.now()))
            left = incidents.count_suspect(connection)
        anew = self._anew(lambda reader: periods_since(reader, held.opened_at_ms), progress)
        return {"member": member, "suspect": left} | anew | self._others()

    def listing(self, _arguments: Result, _progress: ProgressReporter) -> Result:
        """All incidents, newest first."""
        with reading(self.parts.engine) as connection:
            rows = incidents.list_incidents(connection)
            suspect = incidents.count_suspect(connection)
        return {
            "suspect": suspect,
            **self._others(),
            "rows": [
                {
                    "member": one.member,
                    "kind": "mark" if one.is_mark else "freeze",
                    "since": moment_text(one.since_ms),
                    "reason": one.reason,
                    "opened": moment_text(one.opened_at_ms),
                    "by": one.opened_by,
                    "lifted": moment_text(one.lifted_at_ms),
                    "lifted_by": one.lifted_by,
                }
                for one in rows
            ],
        }

    def _others(self) -> Result:
        """What is suspect beside statements."""
        with reading(self.parts.engine) as connection:
            found = incidents.count_suspect_others(connection)
        return {
            "suspect_clues": found.clues,
            "suspect_findings": found.findings,
            "suspect_pushed": found.pushed,
        }

    def _anew(
        self, touched: Callable[[Connection], Iterable[str]], progress: ProgressReporter
    ) -> Result:
        """Join anew, and grade the periods that are touched and the newest graded one anew."""
        from hub.supervision.joining import join_all  # noqa: PLC0415 - a room of its own

        parts = self.parts
        joined = join_all(parts.engine, parts.catalog.joining, parts.now(), progress)
        with reading(parts.engine) as connection:
            newest = last_graded_period(connection)
            periods = {*touched(connection), *([newest] if newest else [])}
        return {
            "findings_left": sum(joined.found.values()),
            "graded_anew": [self._grade(one, progress) for one in sorted(periods)],
        }

    def _grade(self, period: str, progress: ProgressReporter) -> Result:
        from hub.grading import grade  # noqa: PLC0415 - a room of its own

        parts = self.parts
        try:
            report = grade(
                parts.engine,
                parts.statements,
                parts.catalog,
                vault=parts.identity.vault,
                period=Period.parse(period),
                now=parts.now(),
                incomplete=True,
                progress=progress,
            )
        except GradingError as error:
            return {"period": period, "failed": str(error)}
        return asdict(report)


def _flow(one: Flow) -> Result:
    return asdict(one) | {"last_at": moment_text(one.last_at_ms)}


def _moment(text: str) -> int:
    """A moment as an operator writes it, milliseconds since the epoch, UTC."""
    fault = IncidentError(
        f"--since {text[:40]!r}: expected a moment such as 2026-11-20 or 2026-11-20T08:00, Beijing "
        f"time, from {_EARLIEST:%Y} on."
    )
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise fault from error
    at = found if found.tzinfo is not None else found.replace(tzinfo=_BEIJING)
    if at < _EARLIEST:
        raise fault
    return to_ms(at)
