"""One synchronisation of a node with its hub.

0. State what changed: slots whose rows differ from the last statement, and checkpoints of the
   records' tree, go into the outbox, together with their marks, in one transaction a payload;
   and a heartbeat, where one is due.
1. Uplink: seal, send, keep the receipts. Where the hub issued a new incarnation, statements of
   that lane are made again (step 0), because their versions count within an incarnation.
2. Downlink: collect, verify, keep, acknowledge.
3. Take over what came down: custody registers and grade statements.

Every step may be cut off at any moment; the next run goes on where this one stopped.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from sqlalchemy import Engine

from node.domain.institutions import Institution
from node.domain.reported import ReportedSet
from node.sync.checkpoints import RecordTree, state_checkpoints
from node.sync.inbox import custody_institutions, verified_statements
from node.sync.statements import (
    MARKS,
    changed_slots,
    mark_prefix,
    statement_payloads,
    unstated,
)
from protos.yixin.v1 import envelope_pb2, statement_pb2
from security.encoding import parse_exactly
from security.exchange.custody import MAX_REGISTER_BYTES, open_custody
from security.exchange.downlink import collect
from security.exchange.heartbeats import Vitals, append_heartbeat
from security.exchange.inbox import Inbox
from security.exchange.membership import Membership
from security.exchange.outbox import Outbox
from security.exchange.uplink import sync_up
from security.moments import to_ms
from security.progress import ProgressReporter

Clock = Callable[[], datetime]

_TURNS: Final = 2
"""A lane that starts a new incarnation has its statements made again, once."""


class Registry(Protocol):
    """Where custody and grade statements are kept."""

    def set_custody(self, institutions: Iterable[Institution]) -> None:
        """Take over the institutions of a custody register."""

    def keep_statement(
        self, *, period: str, subject: str, version: int, body: bytes, collected_at: str
    ) -> bool:
        """Keep a grade statement; False when it is already held."""


@dataclass(slots=True, kw_only=True)
class Link:
    """A node's membership and its exchange ledger."""

    membership: Membership
    """Replaced as a whole by a renewal; every call takes it anew."""
    engine: Engine
    outbox: Outbox
    inbox: Inbox


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncReport:
    """What one synchronisation did."""

    slots_stated: int
    """Slots put into the outbox."""
    checkpoints_stated: int
    """Checkpoints of the records' tree put into the outbox."""
    envelopes_sent: int
    """Envelopes sent, those of earlier runs included."""
    receipts: int
    """Receipts verified and kept."""
    receipts_quarantined: int
    """Of these, receipts that say the hub kept but refused some or all content."""
    collected: int
    """Envelopes collected from the hub."""
    grade_statements: int
    """New grade statements among them."""


async def synchronise(
    link: Link,
    reports: Sequence[ReportedSet],
    registry: Registry,
    *,
    tree: RecordTree,
    custody: Collection[str],
    now: Clock,
    progress: ProgressReporter,
    vitals: Vitals,
    starting: bool = False,
    restored: bool = False,
) -> SyncReport:
    """Run the four steps.

    Args:
        link: Membership and exchange ledger.
        reports: Reported sets of the node.
        registry: Keeps what comes down.
        tree: The tree over the node's records.
        custody: Codes of the institutions this node states.
        now: Gives the time, UTC-aware.
        progress: Told the stage, units done, units in all and the unit.
        vitals: The node's ledger and catalogue, and what else it says of itself in a heartbeat.
        starting: True for the first synchronisation of a daemon: it sends a heartbeat.
        restored: True when the node was restored and its chains have to begin anew.

    Raises:
        HubUnreachableError: The hub could not be reached; nothing is lost, run again.
        HubRefusedError: The hub refused; the message says what to do.
        SecurityError: Something that came from the hub could not be trusted.
    """
    stated = checkpoints = sent = receipts = refused = 0
    anew = False
    for _ in range(_TURNS):
        stated += sum(
            state_changes(
                link,
                report,
                custody=custody,
                ledger_size=vitals.ledger_size,
                pack_digest=vitals.pack_digest,
            )
            for report in reports
        )
        checkpoints += state_checkpoints(link, tree)
        state_heartbeat(link, vitals, now=now(), starting=starting and not anew)
        up = await sync_up(
            link.membership,
            link.engine,
            link.outbox,
            now=now,
            progress=progress,
            new_incarnations=restored and not anew,
        )
        anew = True
        sent += up.sent + up.resent
        receipts += up.receipts
        refused += up.quarantined
        if not up.restarted:
            break
    collected = await collect(link.membership, link.engine, link.inbox, now=now, progress=progress)
    kept = take_over(link, registry, now=now())
    return SyncReport(
        slots_stated=stated,
        checkpoints_stated=checkpoints,
        envelopes_sent=sent,
        receipts=receipts,
        receipts_quarantined=refused,
        collected=collected,
        grade_statements=kept,
    )


def state_changes(
    link: Link,
    report: ReportedSet,
    *,
    custody: Collection[str],
    ledger_size: int,
    pack_digest: bytes,
) -> int:
    """Put statements of changed slots into the outbox; returns the number of slots."""
    with link.engine.begin() as connection:
        marks = link.outbox.get_marks(connection, mark_prefix(report.measure_set))
        changed = changed_slots(report, marks, custody)
        for part in statement_payloads(report, changed, ledger_size=ledger_size):
            link.outbox.append(
                connection,
                recipient=link.membership.hub_id,
                lane=envelope_pb2.LANE_BULK,
                payload_type="statements",
                schema_version=1,
                purpose="supervision",
                data_class="aggregate",
                period="",
                payload=part.payload,
                marks=part.marks,
                pack_digest=pack_digest,
            )
    return len(changed)


def state_heartbeat(link: Link, vitals: Vitals, *, now: datetime, starting: bool) -> bool:
    """Put a heartbeat into the outbox, where one is due; returns whether it was."""
    hub = link.membership.hub_id
    with link.engine.begin() as connection:
        return append_heartbeat(
            connection,
            link.outbox,
            hub,
            vitals,
            link.inbox.heads(connection, hub),
            now_ms=to_ms(now),
            starting=starting,
        )


def restate(link: Link) -> int:
    """Have every slot stated again at the next synchronisation; returns their number."""
    with link.engine.begin() as connection:
        return link.outbox.restate(connection, MARKS, unstated)


def take_over(link: Link, registry: Registry, *, now: datetime) -> int:
    """Process collected payloads; returns the number of new grade statements.

    A payload is marked as processed after its content is kept. Keeping is idempotent, so a stop
    between the two does it again without effect.
    """
    kept = 0
    with link.engine.begin() as connection:
        while entries := link.inbox.payloads(connection, "custody"):
            for entry in entries:
                registry.set_custody(_custody(link.membership, entry.payload, now))
            link.inbox.mark_processed(connection, [entry.inbox_id for entry in entries])
        while entries := link.inbox.payloads(connection, "grade_statements"):
            for entry in entries:
                kept += _keep(link.membership, registry, entry.payload, now)
            link.inbox.mark_processed(connection, [entry.inbox_id for entry in entries])
    return kept


def _custody(membership: Membership, payload: bytes, now: datetime) -> list[Institution]:
    signed = parse_exactly(statement_pb2.SignedCustody, payload, MAX_REGISTER_BYTES)
    register = open_custody(
        signed,
        membership.keyring,
        hub=membership.hub_id,
        member=membership.member_id,
        at_ms=to_ms(now),
    )
    return custody_institutions(register)


def _keep(membership: Membership, registry: Registry, payload: bytes, now: datetime) -> int:
    statements = verified_statements(
        payload,
        hub=membership.hub_id,
        keyring=membership.keyring,
        now_ms=to_ms(now),
    )
    return sum(
        registry.keep_statement(
            period=statement.period,
            subject=statement.subject,
            version=statement.version,
            body=body,
            collected_at=now.isoformat(),
        )
        for statement, body in statements
    )
