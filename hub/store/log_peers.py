"""Witnesses, cosignatures, witnessed logs and evidence, as the hub keeps them.

Port rules: a witnessed log never goes back, and is changed only by whoever read what it replaces;
evidence is added and never removed, and so much of each who shows it that it cannot fill the disk.
"""

from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import Connection, delete, func, insert, select, update

from hub.store.log_tables import (
    log_cosignature,
    log_evidence,
    log_peer,
    log_witnessed,
)
from protos.yixin.v1 import identity_pb2
from security.certificates import anchor_bytes, parse_anchor
from security.tlog.witness_policy import Witness, parse_witness
from security.transparency import Checkpoint

KEPT_SIZES: Final = 64
"""Cosigned sizes kept of each witness, the newest ones."""
KEPT_EVIDENCE: Final = 64
"""Contradictions kept that one hub or member showed of one log; one alone proves them."""
_MAX_TEXT: Final = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """A hub that witnesses this log, and whose log this hub witnesses."""

    anchor: identity_pb2.TrustAnchor = field(repr=False)
    """Anchor of the hub; its checkpoints are signed under it."""
    witness: Witness
    """Key of its cosignatures."""
    added_at_ms: int
    """When an officer named it."""
    answered_at_ms: int | None = None
    """When it last answered."""
    trouble: str = ""
    """What went wrong since; empty for nothing."""

    @property
    def hub(self) -> str:
        """Member id of the hub."""
        return self.anchor.hub


@dataclass(frozen=True, slots=True, kw_only=True)
class Witnessed:
    """The newest checkpoint of another log that this hub cosigned."""

    hub: str
    """Hub whose log it is."""
    checkpoint: Checkpoint
    """What was cosigned."""
    note: str
    """The signed checkpoint, with this hub's cosignature."""
    at_ms: int
    """When."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredCosignature:
    """Lines of a witness over a checkpoint of this log."""

    checkpoint: Checkpoint
    """What it signed."""
    witness: str
    """Name of the witness."""
    lines: str
    """Its signature lines."""
    at_ms: int
    """When they came."""


def add_peer(connection: Connection, peer: Peer) -> None:
    """Name a witness, in place of what was named for the same hub before."""
    remove_peer(connection, peer.hub)
    connection.execute(
        insert(log_peer).values(
            hub=peer.hub,
            anchor=anchor_bytes(peer.anchor),
            witness=peer.witness.line(),
            added_at_ms=peer.added_at_ms,
        )
    )


def remove_peer(connection: Connection, hub: str) -> bool:
    """Name a witness no more; whether it was named."""
    return connection.execute(delete(log_peer).where(log_peer.c.hub == hub)).rowcount > 0


def peers(connection: Connection) -> tuple[Peer, ...]:
    """All witnesses, in order of their hubs."""
    return tuple(
        Peer(
            anchor=parse_anchor(row.anchor),
            witness=parse_witness(row.witness),
            added_at_ms=row.added_at_ms,
            answered_at_ms=row.answered_at_ms,
            trouble=row.trouble or "",
        )
        for row in connection.execute(select(log_peer).order_by(log_peer.c.hub))
    )


def find_peer(connection: Connection, hub: str) -> Peer | None:
    """The witness of a hub, or None."""
    return next((peer for peer in peers(connection) if peer.hub == hub), None)


def note_answer(connection: Connection, hub: str, now_ms: int) -> None:
    """Note that a witness answered, and that nothing is wrong with it."""
    values = {"answered_at_ms": now_ms, "trouble": None}
    connection.execute(update(log_peer).where(log_peer.c.hub == hub).values(**values))


def note_trouble(connection: Connection, hub: str, trouble: str) -> None:
    """Note what went wrong with a witness."""
    connection.execute(
        update(log_peer).where(log_peer.c.hub == hub).values(trouble=trouble[:_MAX_TEXT])
    )


def add_cosignature(connection: Connection, found: StoredCosignature) -> None:
    """Keep the lines of a witness; of each witness the newest sizes stay."""
    table = log_cosignature
    own = (table.c.origin == found.checkpoint.origin) & (table.c.witness == found.witness)
    connection.execute(delete(table).where(own, table.c.size == found.checkpoint.size))
    connection.execute(
        insert(table).values(
            origin=found.checkpoint.origin,
            size=found.checkpoint.size,
            witness=found.witness,
            root=found.checkpoint.root,
            lines=found.lines,
            at_ms=found.at_ms,
        )
    )
    oldest = connection.execute(
        select(table.c.size).where(own).order_by(table.c.size.desc()).offset(KEPT_SIZES).limit(1)
    ).scalar()
    if oldest is not None:
        connection.execute(delete(table).where(own, table.c.size <= oldest))


def cosignatures(connection: Connection, origin: str) -> tuple[StoredCosignature, ...]:
    """Cosignatures of a log that are kept, the largest size first."""
    query = (
        select(log_cosignature)
        .where(log_cosignature.c.origin == origin)
        .order_by(log_cosignature.c.size.desc(), log_cosignature.c.witness)
    )
    return tuple(
        StoredCosignature(
            checkpoint=Checkpoint(origin=row.origin, size=row.size, root=row.root),
            witness=row.witness,
            lines=row.lines,
            at_ms=row.at_ms,
        )
        for row in connection.execute(query)
    )


def find_witnessed(connection: Connection, origin: str) -> Witnessed | None:
    """What this hub cosigned last of another log, or None."""
    query = select(log_witnessed).where(log_witnessed.c.origin == origin)
    return next((_witnessed(row) for row in connection.execute(query)), None)


def all_witnessed(connection: Connection) -> tuple[Witnessed, ...]:
    """Every other log that this hub cosigned, in order of the origins."""
    rows = connection.execute(select(log_witnessed).order_by(log_witnessed.c.origin))
    return tuple(_witnessed(row) for row in rows)


def _witnessed(row: object) -> Witnessed:
    found = row._mapping  # type: ignore[attr-defined]  # noqa: SLF001 - how a row is read by name
    return Witnessed(
        hub=found["hub"],
        checkpoint=Checkpoint(origin=found["origin"], size=found["size"], root=found["root"]),
        note=found["note"],
        at_ms=found["at_ms"],
    )


def save_witnessed(connection: Connection, found: Witnessed) -> None:
    """Put the newest cosigned checkpoint of a log in place of the one before."""
    origin = found.checkpoint.origin
    connection.execute(delete(log_witnessed).where(log_witnessed.c.origin == origin))
    connection.execute(
        insert(log_witnessed).values(
            origin=origin,
            hub=found.hub,
            size=found.checkpoint.size,
            root=found.checkpoint.root,
            note=found.note,
            at_ms=found.at_ms,
        )
    )


def add_evidence(
    connection: Connection,
    *,
    hub: str,
    origin: str,
    cause: str,
    held: str,
    shown: str,
    now_ms: int,
) -> None:
    """Keep two signed texts that contradict each other, once, unless too many are kept already.

    Args:
        connection: A writing transaction.
        hub: Who showed it.
        origin: The log it is about.
        cause: What the contradiction is.
        held: What was held before.
        shown: What was shown.
        now_ms: Present moment, milliseconds since the epoch, UTC.
    """
    table = log_evidence
    known = connection.execute(
        select(table.c.id).where(table.c.origin == origin, table.c.shown == shown).limit(1)
    ).first()
    kept = connection.execute(
        select(func.count()).where(table.c.origin == origin, table.c.hub == hub)
    ).scalar_one()
    if known is None and kept < KEPT_EVIDENCE:
        connection.execute(
            insert(table).values(
                at_ms=now_ms,
                hub=hub,
                origin=origin,
                cause=cause[:_MAX_TEXT],
                held=held,
                shown=shown,
            )
        )


def evidence(connection: Connection) -> tuple[dict[str, str | int], ...]:
    """All evidence, the oldest first."""
    columns = log_evidence.c
    query = select(
        columns.at_ms, columns.hub, columns.origin, columns.cause, columns.held, columns.shown
    ).order_by(columns.id)
    return tuple(dict(row._mapping) for row in connection.execute(query))  # noqa: SLF001 - as above
