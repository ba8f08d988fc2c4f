"""The jobs over operators and their log, keys at rest and incidents: JSON objects in and out."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from hub.incident_jobs import INCIDENT_READERS, IncidentJobs
from hub.key_jobs import KEY_READERS, KeyJobs
from hub.listings import moment_text
from hub.operators import register, retire, verify_log, waiting_arguments
from hub.parts import HubParts
from hub.store import operator_log, operators
from hub.store.engine import reading, writing
from security.moments import to_ms
from security.operator.person_keys import public_line
from security.progress import ProgressReporter

Result: TypeAlias = dict[str, Any]
Job: TypeAlias = Callable[[Result, ProgressReporter], Result | Awaitable[Result]]
OPERATOR_READERS: Final[frozenset[str]] = (
    frozenset({"operators", "approvals", "operations"}) | KEY_READERS | INCIDENT_READERS
)
"""Jobs that change nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorJobs:
    """The jobs over the parts of one hub; ``approve`` is the gate's own."""

    parts: HubParts

    def table(self) -> Mapping[str, Job]:
        """Jobs by name."""
        return {
            "operators": self.operators,
            "operator-add": self.add,
            "operator-retire": self.retire,
            "approvals": self.approvals,
            "operations": self.operations,
            **KeyJobs(parts=self.parts).table(),
            **IncidentJobs(parts=self.parts).table(),
        }

    def operators(self, _arguments: Result, _progress: ProgressReporter) -> Result:
        """Everybody, also who retired."""
        with reading(self.parts.engine) as connection:
            listed = operators.list_operators(connection)
        return {
            "mode": "roles" if listed else "single operator",
            "rows": [
                {
                    "name": one.name,
                    "role": str(one.role),
                    "key": public_line(one.public_key),
                    "since": moment_text(one.added_at_ms),
                    "retired": moment_text(one.retired_at_ms),
                }
                for one in listed
            ],
        }

    def add(self, arguments: Result, _progress: ProgressReporter) -> Result:
        """Register a person."""
        with writing(self.parts.engine) as connection:
            made = register(
                connection,
                name=arguments["name"],
                role=arguments["role"],
                public_line=arguments["key"],
                now_ms=to_ms(self.parts.now()),
            )
        return {"name": made.name, "role": str(made.role), "key": public_line(made.public_key)}

    def retire(self, arguments: Result, _progress: ProgressReporter) -> Result:
        """Let a person retire."""
        with writing(self.parts.engine) as connection:
            retire(connection, name=arguments["name"], now_ms=to_ms(self.parts.now()))
        return {"name": arguments["name"], "status": "retired"}

    def approvals(self, _arguments: Result, _progress: ProgressReporter) -> Result:
        """What waits for a second person, oldest first."""
        now_ms, vault = to_ms(self.parts.now()), self.parts.identity.vault
        with reading(self.parts.engine) as connection:
            waiting = operators.list_approvals(connection, now_ms)
        return {
            "rows": [
                {
                    "id": one.id,
                    "job": one.job,
                    "arguments": waiting_arguments(one, vault).decode(),
                    "asked_by": one.asked_by,
                    "asked_at": moment_text(one.asked_at_ms),
                    "until": moment_text(one.expires_at_ms),
                    "digest": one.digest.hex(),
                }
                for one in waiting
            ]
        }

    def operations(self, arguments: Result, _progress: ProgressReporter) -> Result:
        """The newest rows of the operator log; verified against its chain and its leaves."""
        with reading(self.parts.engine) as connection:
            size, head = operator_log.head(connection)
            result: Result = {"size": size, "head": head.hex()}
            if arguments.get("verify"):
                verified = verify_log(connection, self.parts.identity.anchor)
                result |= {"leaves": verified.leaves, "lost": verified.lost}
            listed = operator_log.newest(connection, arguments["limit"])
        result["rows"] = [
            {
                "number": one.number,
                "at": moment_text(one.row.at_ms),
                "operator": one.row.operator,
                "role": one.row.role,
                "job": one.row.job,
                "outcome": one.row.outcome,
                "about": one.row.subject,
                "arguments": one.row.arguments_digest.hex()[:16],
                "leaf": one.log_index,
            }
            for one in listed
        ]
        return result
