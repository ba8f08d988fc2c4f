"""What a hub holds, owes and refused, as one JSON object; a line for every graded class."""

from dataclasses import asdict
from typing import Any, Final

from sqlalchemy import Connection, func, select

from hub.completeness import completeness
from hub.parts import HubParts
from hub.store import (
    checkpoints,
    clues,
    deliveries,
    enrolment_requests,
    envelopes,
    incidents,
    join_records,
    log,
    log_peers,
    members,
    operators,
    pushed,
    quarantine,
    refusals,
)
from hub.store.backups import last_mark
from hub.store.engine import reading
from hub.store.heartbeats import silent_members
from hub.store.item_imports import count_open_faults
from hub.store.tables import segment, slot
from security.certificates import tell_revocations
from security.exchange.archive import count_receipts
from security.exchange.membership import is_joined, load
from security.moments import to_ms

__all__ = ["hub_status"]

UNWITNESSED: Final = "none: a rollback would go unnoticed; see `yixin hub log status`"


def hub_status(parts: HubParts) -> dict[str, Any]:
    """Summarise a hub.

    Raises:
        HubStoreError: The database failed.
        MembershipError: The membership in the parent hub is damaged.
    """
    from hub.grading import class_lines  # noqa: PLC0415 - a room of its own

    with reading(parts.engine) as connection:
        received, sealed = envelopes.count(connection)
        staged = parts.statements.staged_size(connection)
        result: dict[str, Any] = {
            "hub": parts.identity.hub,
            "name": parts.settings.hub.name,
            "level": parts.settings.hub.level,
            "members": members.count_by_status(connection),
            "joins_waiting": len(enrolment_requests.waiting(connection, to_ms(parts.now()))),
            "silent_members": list(silent_members(connection, to_ms(parts.now()))),
            "envelopes": received,
            "deliveries": sealed,
            "log_size": log.size(connection),
            "log_root": log.frontier(connection).root().hex(),
            "log_backed_up": mark.log_size if (mark := last_mark(connection)) else 0,
            "log_mode": log.read_only_reason(connection) or "read-write",
            "log_witnesses": len(log_peers.peers(connection)) or UNWITNESSED,
            "refused": refusals.count(connection),
            "quarantined": quarantine.count(connection),
            "refused_item_lines": count_open_faults(connection),
            "slots": _count_slots(connection),
            "ledger_checkpoints": asdict(checkpoints.figures(connection)),
            "clues": clues.count(connection),
            "join_records": asdict(join_records.figures(connection)),
            "staged_envelopes": staged.envelopes,
            "segments": int(
                connection.execute(select(func.count()).select_from(segment)).scalar_one()
            ),
            "pushed_grades": pushed.count(connection),
            "pushed": {
                period: pushed.distribution(connection, period)
                for period in pushed.periods(connection)
            },
            "items": completeness(connection, parts.catalog, now=parts.now()).figures,
            "operators": operators.mode(connection),
            "suspect_statements": incidents.count_suspect(connection),
            **{
                f"suspect_{kind}": count
                for kind, count in asdict(incidents.count_suspect_others(connection)).items()
            },
            "products": deliveries.count_products(connection),
            "classes": [asdict(one) for one in class_lines(connection)],
            "parent": None,
        }
        if is_joined(parts.parent_directory):
            membership = load(parts.parent_directory)
            pending = parts.outbox.pending(connection, membership.hub_id)
            receipts = count_receipts(connection, membership.hub_id)
            result |= {
                "parent": membership.hub_id,
                "outbox": pending.total,
                "envelopes_sent": pending.sealed + receipts,
                "receipts": receipts,
                "certificate_days_left": (membership.tls_not_after - parts.now()).days,
                "revocation_list": tell_revocations(membership.revocations, to_ms(parts.now())),
            }
    return result


def _count_slots(connection: Connection) -> int:
    query = select(func.count()).select_from(slot).where(slot.c.collecting.is_(False))
    return int(connection.execute(query).scalar_one())
