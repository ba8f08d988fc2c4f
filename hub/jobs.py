"""The jobs of a hub, each a JSON object in and a JSON object out.

The same jobs run in the daemon and in a command that holds the writer lock. ``app`` builds the
parts they work on. Grading and the import desk are imported when they are asked for.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeAlias

from hub.agreement_jobs import AGREEMENT_READERS, AgreementJobs
from hub.audit_jobs import AUDIT_READERS, AuditJobs
from hub.clue_jobs import CLUE_READERS, ClueJobs
from hub.exchange.parent import Pusher, load_parent
from hub.identity_jobs import IDENTITY_READERS, IdentityJobs
from hub.job_gate import guarded
from hub.listings import listed_refusals
from hub.log_jobs import LOG_READERS, LogJobs
from hub.operator_jobs import OPERATOR_READERS, OperatorJobs
from hub.pack_jobs import PACK_READERS, PackJobs
from hub.parts import HubParts
from hub.proof_jobs import PROOF_READERS, ProofJobs
from hub.sharing_jobs import SHARING_READERS, SharingJobs
from hub.spot_jobs import SPOT_READERS, SpotJobs
from hub.status import hub_status
from hub.store import quarantine
from hub.store.engine import reading
from hub.store.incidents import count_suspect
from hub.store.item_imports import count_open_faults
from scoring_kernel.periods import Period
from security.moments import to_ms
from security.progress import ProgressReporter

Result: TypeAlias = dict[str, Any]
"""Arguments and results of jobs: JSON objects, as they also travel over the command socket."""
Job: TypeAlias = Callable[[Result, ProgressReporter], Result | Awaitable[Result]]

GROUPS: Final = (
    IdentityJobs,
    LogJobs,
    PackJobs,
    AgreementJobs,
    SharingJobs,
    ProofJobs,
    OperatorJobs,
    AuditJobs,
    ClueJobs,
    SpotJobs,
)
"""Jobs of the other rooms."""
READERS: Final = (
    frozenset({"status", "refusals", "quarantine", "grades", "explain", "inputs"})
    | {"completeness"}
    | IDENTITY_READERS
    | LOG_READERS
    | PACK_READERS
    | AGREEMENT_READERS
    | SHARING_READERS
    | PROOF_READERS
    | OPERATOR_READERS
    | AUDIT_READERS
    | CLUE_READERS
    | SPOT_READERS
)
"""Jobs that change nothing."""
LISTED: Final = 500
"""Subjects of a class that are listed when nobody says how many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HubJobs:
    """The jobs over the parts of one hub."""

    parts: HubParts

    def table(self) -> Mapping[str, Job]:
        """Jobs by the name under which the command line and the socket know them."""
        table: dict[str, Job] = {
            "import": self.import_items,
            "completeness": self.completeness,
            "grade": self.grade,
            "grades": self.grades,
            "publish": self.publish,
            "explain": self.explain,
            "inputs": self.inputs,
            "push": self.push,
            "status": self.status,
            "refusals": self.refusals,
            "quarantine": self.quarantine,
        }
        for group in GROUPS:
            table.update(group(parts=self.parts).table())
        return guarded(table, self.parts, readers=READERS)

    def import_items(self, arguments: Result, progress: ProgressReporter) -> Result:
        """Import department files."""
        from hub.departments import import_items, load_mapping  # noqa: PLC0415 - a room of its own

        parts = self.parts
        mapping = arguments.get("mapping")
        report = import_items(
            parts.engine,
            parts.catalog,
            Path(arguments["path"]),
            vault=parts.identity.vault,
            now=parts.now(),
            item=arguments.get("item"),
            period=arguments.get("period"),
            mapping=None if mapping is None else load_mapping(Path(mapping), parts.catalog),
            progress=progress,
        )
        return {
            "added": report.added,
            "corrected": report.corrected,
            "unchanged": report.unchanged,
            "quarantined": report.quarantined,
            "by_rule": report.by_rule,
            "files": [asdict(file) for file in report.files],
        }

    def completeness(self, arguments: Result, _progress: ProgressReporter) -> Result:
        """Tell which items are owed, came or are late."""
        from hub.completeness import as_rows, completeness  # noqa: PLC0415 - a room of its own

        parts = self.parts
        period = Period.parse(arguments["period"]) if arguments.get("period") else None
        with reading(parts.engine) as connection:
            found = completeness(connection, parts.catalog, now=parts.now(), period=period)
        return {"figures": found.figures, "rows": as_rows(found)}

    def grade(self, arguments: Result, progress: ProgressReporter) -> Result:
        """Grade every class for a period, or one."""
        from hub.grading import grade  # noqa: PLC0415 - a room of its own
        from hub.packs.using import verify_graded  # noqa: PLC0415 - the same

        parts = self.parts
        verify_graded(parts)
        report = grade(
            parts.engine,
            parts.statements,
            parts.catalog,
            vault=parts.identity.vault,
            period=Period.parse(arguments["period"]),
            now=parts.now(),
            day=date.fromisoformat(arguments["day"]) if arguments.get("day") else None,
            subject_class=arguments.get("class"),
            incomplete=bool(arguments.get("incomplete")),
            progress=progress,
        )
        with reading(parts.engine) as connection:
            return asdict(report) | {"suspect_statements": count_suspect(connection)}

    def grades(self, arguments: Result, _progress: ProgressReporter) -> Result:
        """The grades that hold for a period, class by class."""
        from hub.grading import summaries  # noqa: PLC0415 - a room of its own

        period = Period.parse(arguments["period"])
        with reading(self.parts.engine) as connection:
            found = summaries(
                connection,
                self.parts.catalog,
                period,
                subject_class=arguments.get("class"),
                limit=arguments.get("limit", LISTED),
            )
            suspect = count_suspect(connection)
        classes = [asdict(one) for one in found]
        return {"period": period.name, "classes": classes, "suspect_statements": suspect}

    def publish(self, arguments: Result, progress: ProgressReporter) -> Result:
        """Publish the grades of a period, class by class."""
        from hub.grading import Signer, publish  # noqa: PLC0415 - a room of its own

        parts = self.parts
        period = Period.parse(arguments["period"])
        found = publish(
            parts.engine,
            parts.outbox,
            parts.catalog,
            vault=parts.identity.vault,
            signer=Signer(hub=parts.identity.hub, key=parts.identity.signing),
            period=period,
            now=parts.now(),
            subject_class=arguments.get("class"),
            progress=progress,
        )
        return {
            "period": period.name,
            "statements": sum(one.statements for one in found),
            "is_new": any(one.is_new for one in found),
            "classes": [asdict(one) | {"root": one.root.hex()} for one in found],
        }

    def explain(self, arguments: Result, _progress: ProgressReporter) -> Result:
        """Explain the grade of one subject."""
        from hub.grading import explain  # noqa: PLC0415 - a room of its own
        from hub.packs.earlier import find_catalog  # noqa: PLC0415 - the same

        parts = self.parts
        with reading(parts.engine) as connection:
            explanation = explain(
                connection,
                parts.catalog,
                vault=parts.identity.vault,
                subject=arguments["subject"],
                period=Period.parse(arguments["period"]),
                subject_class=arguments.get("class"),
                earlier=partial(find_catalog, parts),
            )
        overrides = [
            asdict(one) | {"since": one.since.isoformat()} for one in explanation.overrides
        ]
        return asdict(explanation) | {"day": explanation.day.isoformat(), "overrides": overrides}

    def inputs(self, arguments: Result, progress: ProgressReporter) -> Result:
        """Write the inputs of a graded class, for what-ifs."""
        from hub.grading import export_inputs  # noqa: PLC0415 - a room of its own
        from hub.packs.earlier import find_catalog  # noqa: PLC0415 - the same

        parts = self.parts
        with reading(parts.engine) as connection:
            made = export_inputs(
                connection,
                parts.catalog,
                Path(arguments["out"]),
                vault=parts.identity.vault,
                period=Period.parse(arguments["period"]),
                subject_class=arguments["class"],
                earlier=partial(find_catalog, parts),
                progress=progress,
            )
        return asdict(made)

    async def push(self, arguments: Result, progress: ProgressReporter) -> Result:
        """Push the publication of a period to the parent hub."""
        from hub.agreements.pushing import push_agreement  # noqa: PLC0415 - a room of its own
        from hub.grading import push_payloads  # noqa: PLC0415 - a room of its own

        parts = self.parts
        period = Period.parse(arguments["period"])
        membership = await asyncio.to_thread(load_parent, parts.parent_directory)
        with reading(parts.engine) as connection:
            agreement = push_agreement(connection, membership.hub_id, to_ms(parts.now()))
        pusher = Pusher(
            engine=parts.engine,
            outbox=parts.outbox,
            membership=membership,
            payloads=lambda connection: push_payloads(
                connection, parts.catalog, period, agreement.subject_classes
            ),
            pack_digest=parts.catalog.digest,
            agreement=agreement.reference,
            now=parts.now,
        )
        return asdict(await pusher.push(period.name, progress))

    def status(self, _arguments: Result, _progress: ProgressReporter) -> Result:
        """What the hub holds, owes and refused."""
        return hub_status(self.parts)

    def refusals(self, arguments: Result, _progress: ProgressReporter) -> Result:
        """Refused attempts, newest first."""
        return listed_refusals(self.parts.engine, arguments["limit"])

    def quarantine(self, arguments: Result, _progress: ProgressReporter) -> Result:
        """Refused slots and payloads, newest first; or lines of department files still refused."""
        if arguments.get("items"):
            return self._refused_lines(arguments["limit"])
        with reading(self.parts.engine) as connection:
            rows = quarantine.quarantined(connection, arguments["limit"])
            total = quarantine.count(connection)
        return {
            "total": total,
            "rows": [
                {
                    "envelope": row.log_index,
                    "member": row.member,
                    "measure_set": row.measure_set,
                    "institution": row.fault.institution,
                    "month": row.fault.month,
                    "rule": str(row.fault.rule),
                    "mend": row.fault.mend,
                }
                for row in rows
            ],
        }

    def _refused_lines(self, limit: int) -> Result:
        from hub.departments.quarantine import open_faults  # noqa: PLC0415 - a room of its own

        with reading(self.parts.engine) as connection:
            lines = open_faults(connection, limit=limit)
            total = count_open_faults(connection)
        return {"total": total, "rows": [asdict(line) for line in lines]}
