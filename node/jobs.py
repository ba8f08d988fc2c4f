"""The jobs of a node, each a JSON object in and a JSON object out.

The same jobs run in the daemon and in a command that holds the writer lock; `app.py` builds the
parts they work on.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from node.api.authorisation import permitted
from node.clue_jobs import ClueJobs
from node.clue_retention import KeptClues
from node.codes import extended
from node.config import load_settings
from node.desk_jobs import DeskJobs
from node.domain.institutions import Institution
from node.edge_jobs import EdgeJobs
from node.errors import ConfigurationError, IntakeFileError, NotJoinedError
from node.gateway import SPOOL_DIRECTORY, gateway_counts
from node.intake import ingest_file, load_mapping
from node.night_jobs import NightJobs
from node.operation_jobs import OperationJobs
from node.pack_jobs import with_packs
from node.prescoring.inputs import Subject
from node.prescoring.prescore import PreScoring, prescore
from node.presence.reporting import today_counts
from node.renewal import IdentityJobs, certificate_status
from node.reports import measure_reports, supervision_reports
from node.retention import due_months, retain
from node.rule_jobs import RuleJobs
from node.store import NodeStore
from node.store.scores import ScoreStore, digests_of
from node.supervision_status import supervision_status
from node.sync.flow import Link, restate, synchronise
from node.template_retention import KeptFaces
from node.vitals import node_vitals
from protos.yixin.v1 import statement_pb2
from scoring_kernel import Catalog
from scoring_kernel.advice import advise
from scoring_kernel.explanation import explain
from scoring_kernel.override_explanation import explain_overrides, explain_undetermined
from scoring_kernel.periods import Period
from security.exchange.archive import count_receipts, count_refusals
from security.moments import SHANGHAI
from security.progress import ProgressReporter

if TYPE_CHECKING:
    from scoring_kernel.measures import MonthlyMeasures

Result = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeJobs:
    """The parts of one node and the jobs over them."""

    directory: Path
    """State directory of the node."""
    catalog: Catalog
    store: NodeStore
    scores: ScoreStore
    link: Link | None
    """Membership and exchange ledger; None before the node joined."""
    now: Callable[[], datetime]

    def table(self) -> Mapping[str, Callable[[Result, ProgressReporter], Result]]:
        """Jobs by the name under which the command line and the socket know them."""
        table = {
            "ingest": self.ingest,
            "prescore": self.prescore,
            "explain": self.explain,
            "sync": self.sync,
            "status": self.status,
            "retain": self.retain,
            **DeskJobs(catalog=self.catalog, store=self.store, now=self.now).table(),
            **IdentityJobs(link=self.link, now=self.now).table(),
            **OperationJobs(directory=self.directory, store=self.store, now=self.now).table(),
            **EdgeJobs(
                directory=self.directory, catalog=self.catalog, store=self.store, now=self.now
            ).table(),
            **NightJobs(store=self.store, now=self.now).table(),
            **RuleJobs(catalog=self.catalog, store=self.store, now=self.now).table(),
            **ClueJobs(
                directory=self.directory,
                catalog=self.catalog,
                store=self.store,
                link=self.link,
                now=self.now,
            ).table(),
        }
        return permitted(with_packs(self, table))

    def ingest(self, arguments: Result, progress: ProgressReporter) -> Result:
        """Take in files; counts are summed over them."""
        catalog = extended(self.store, self.catalog)
        named = arguments.get("mapping")
        mapping = load_mapping(Path(named), catalog) if named else None
        periods = [Period.parse(name) for name in arguments.get("periods", ())]
        months = frozenset(month for period in periods for month in period.months)
        total: Result = {
            "messages_in": 0,
            "already_seen": 0,
            "pending": 0,
            "not_accepted": 0,
            "quarantined": 0,
            "records_stored": {},
            "by_rule": {},
        }
        for number, name in enumerate(arguments["files"]):
            try:
                taken = ingest_file(
                    self.store,
                    catalog,
                    Path(name),
                    mapping=mapping,
                    now=self.now(),
                    progress=progress,
                    expected_months=months or None,
                )
            except IntakeFileError as error:
                if number == 0:
                    raise
                raise IntakeFileError(
                    f"{error}; the {number} files named before it were taken in"
                ) from error
            report = asdict(taken)
            for key in ("messages_in", "already_seen", "pending", "not_accepted", "quarantined"):
                total[key] += report[key]
            for key in ("records_stored", "by_rule"):
                for kind, count in report[key].items():
                    total[key][kind] = total[key].get(kind, 0) + count
        return total

    def prescore(self, arguments: Result, progress: ProgressReporter) -> Result:
        """Pre-score every institution of the node, hospitals and pharmacies, and store it."""
        scored = self._prescoring(arguments, progress)
        period = Period.parse(arguments["period"]).name
        prescores = scored.prescores
        self.scores.replace_prescores(period, prescores, scored_at=self.now().isoformat())
        comparison = scored.comparison
        return {
            "period": period,
            "basis": scored.basis,
            "subjects": [
                {
                    "subject": one.subject,
                    "class": one.subject_class,
                    "total": f"{one.total_centi / 100:.2f}",
                    "grade": one.grade,
                    "earned_grade": one.earned_grade,
                    "coverage": f"{one.coverage_centi / 100:.2f}",
                    "inputs": "final" if one.final_inputs else "provisional",
                    "digests": digests_of(one),
                }
                for one in prescores
            ],
            "no_model": [asdict(one) for one in scored.no_model],
            "prescore_compared": comparison.compared,
            "prescore_equal": comparison.equal,
            "grades_compared": comparison.grades_compared,
            "grades_equal": comparison.grades_equal,
            "differences": [asdict(one) for one in comparison.differences[:100]],
        }

    def explain(self, arguments: Result, progress: ProgressReporter) -> Result:
        """Explain one institution's pre-score: what caps it, then the largest loss first."""
        subject = arguments["subject"]
        found = self._prescoring(arguments, progress).find(subject)
        if found is None:
            raise ConfigurationError(
                f"{subject} is no institution of this node that a model grades; "
                "see `yixin node prescore` for those that are"
            )
        scores, row = found
        one = scores.prescores[row]
        indicators = sorted(explain(scores.result, row), key=lambda item: -item.lost_centi)
        return {
            "subject": subject,
            "class": one.subject_class,
            "period": one.period,
            "total": f"{one.total_centi / 100:.2f}",
            "grade": one.grade,
            "earned_grade": one.earned_grade,
            "basis": one.basis,
            "digests": digests_of(one),
            "advice": asdict(advise(scores.result, row, self._remaining(one.period))),
            "overrides": [
                asdict(each) | {"since": each.since.isoformat()}
                for each in explain_overrides(scores.result, row, self.catalog)
            ],
            "undetermined": [
                asdict(each) for each in explain_undetermined(scores.result, row, self.catalog)
            ],
            "indicators": [
                {
                    "indicator": item.name_zh,
                    "points": f"{item.points_centi / 100:.2f}",
                    "of": f"{item.weight_centi / 100:.2f}",
                    "lost": f"{item.lost_centi / 100:.2f}",
                    "原因": item.reason_zh,
                    "reason": item.reason_en,
                }
                for item in indicators
            ],
        }

    def _remaining(self, period: str) -> Fraction:
        """Share of the period that is left today; a whole one before and after it."""
        named = Period.parse(period)
        today = self.now().astimezone(SHANGHAI).date()
        if not named.first_day <= today <= named.last_day:
            return Fraction(1)
        days = (named.last_day - named.first_day).days + 1
        return Fraction((named.last_day - today).days + 1, days)

    def sync(self, arguments: Result, progress: ProgressReporter) -> Result:
        """Synchronise once with the hub."""
        if self.link is None:
            raise NotJoinedError(
                "this node has not joined a hub; run: yixin node join --token TOKEN"
            )
        restored = _has_chains_to_open(self.store)
        restated = restate(self.link) if arguments.get("restate") else 0
        self.store.record_ledger.close_days(self.now())
        report = asyncio.run(
            synchronise(
                self.link,
                [*measure_reports(self), *supervision_reports(self)],
                _Registry(store=self.store, scores=self.scores),
                tree=self.store.record_ledger,
                custody={one.code for one in self.store.institutions() if not one.foreign},
                vitals=node_vitals(self.store, self.catalog.digest),
                starting=bool(arguments.get("starting")),
                now=self.now,
                progress=progress,
                restored=restored,
            )
        )
        if restored:
            self.store.note_chains_opened()
        return asdict(report) | {"slots_restated": restated}

    def status(self, _arguments: Result, _progress: ProgressReporter) -> Result:
        """What the node holds, owes and has heard."""
        counts = self.store.counts()
        result: Result = {
            "member": None,
            "hub": None,
            "institutions": len(self.store.institutions()),
            "messages": counts.messages,
            "records": dict(counts.records),
            "pending": counts.pending,
            "quarantined": counts.quarantined,
            "segments": counts.segments,
        }
        if self.link is not None:
            result |= self._link_status(self.link)
        result["gateway"] = gateway_counts(self.directory / SPOOL_DIRECTORY)
        restored = self.store.restored()
        result["restored"] = None if restored is None else asdict(restored)
        result["prescored"] = len(self.scores.prescores())
        result["grade_statements"] = self.scores.count_statements()
        result["supervision"] = supervision_status(
            self.directory, self.store, load_settings(self.directory), self.now()
        )
        result["presence"] = today_counts(self.store, self.now())
        return result

    def retain(self, arguments: Result, progress: ProgressReporter) -> Result:
        """Find what is kept beyond its time, and delete it when asked to."""
        records = due_months(self.store, self.catalog, self.now())
        kept = KeptClues(
            directory=self.directory,
            hits=self.store.supervision,
            retention=self.catalog.joining.node_clues,
            today=self.now().astimezone(SHANGHAI).date(),
        )
        faces = self.kept_faces()
        due = [asdict(one) for one in (*records, *kept.due(), *faces.due())]
        deleted: dict[str, int] = {}
        if arguments.get("apply"):
            operator = arguments.get("operator") or "retain"
            deleted = {
                **retain(self.store, records, progress),
                **kept.delete(),
                **faces.delete(operator),
            }
        return {"due": due, "deleted": deleted}

    def kept_faces(self) -> KeptFaces:
        """Faces of the node, and how long they are kept as of now."""
        settings = load_settings(self.directory).faces
        return KeptFaces(
            edge=self.store.edge,
            settings=settings,
            events=self.catalog.records["identity_event"],
            now=self.now(),
        )

    def _link_status(self, link: Link) -> Result:
        membership = link.membership
        with link.engine.connect() as connection:
            pending = link.outbox.pending(connection, membership.hub_id)
            receipts = count_receipts(connection, membership.hub_id)
            refused = count_refusals(connection, membership.hub_id)
            unreadable = link.inbox.count_unreadable(connection)
        return {
            "member": membership.member_id,
            "hub": membership.hub_id,
            "outbox": pending.total,
            "envelopes_sent": pending.sealed + receipts,
            "receipts": receipts,
            "receipts_quarantined": refused,
            "collected_unreadable": unreadable,
            **certificate_status(link, self.now()),
        }

    def _prescoring(self, arguments: Result, progress: ProgressReporter) -> PreScoring:
        named = Period.parse(arguments["period"])
        day = date.fromisoformat(arguments["day"]) if arguments.get("day") else None
        progress("measuring", 0, 0, "")
        monthly: dict[str, MonthlyMeasures] = {
            report.measure_set: report.monthly() for report in measure_reports(self)
        }
        progress("scoring", 0, 0, "")
        subjects = [
            Subject(code=one.code, level=one.level, type=one.type)
            for one in self.store.institutions()
        ]
        statements = self.scores.latest_statements(named.name, {one.code for one in subjects})
        return prescore(
            self.catalog,
            monthly,
            subjects,
            named,
            {
                subject: statement_pb2.GradeStatement.FromString(body)
                for subject, body in statements.items()
            },
            day=day,
        )


def _has_chains_to_open(store: NodeStore) -> bool:
    restored = store.restored()
    return restored is not None and not restored.chains_opened


@dataclass(frozen=True, slots=True, kw_only=True)
class _Registry:
    """Keeps what comes down in the node's two stores."""

    store: NodeStore
    scores: ScoreStore

    def set_custody(self, institutions: Iterable[Institution]) -> None:
        """Take over the institutions of a custody register."""
        self.store.set_institutions(institutions)

    def keep_statement(
        self, *, period: str, subject: str, version: int, body: bytes, collected_at: str
    ) -> bool:
        """Keep a grade statement; False when it is already held."""
        return self.scores.keep_statement(
            period=period,
            subject=subject,
            version=version,
            body=body,
            collected_at=collected_at,
        )
