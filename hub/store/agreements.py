"""Sharing agreements (共享协议) in the database: which version of each was signed, and which holds.

Port rules: a version is stored once and its signed bytes never change; at most one version of an
agreement is not retired; what is read back passes the same checks as what was signed.
"""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, RowMapping, func, insert, select, update

from hub.store import log
from hub.store.agreement_tables import agreement
from hub.store.log_tables import log_recovery
from protos.yixin.v1 import sharing_pb2, transparency_pb2
from security.sharing import Agreement, parse_agreement, parse_signed
from security.transparency import parse_leaf

SIGNED: Final = "agreement"
RETIRED: Final = "agreement_retired"
"""Words of the leaves, in the place of the payload type."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedVersion:
    """One signed version of an agreement."""

    agreement: Agreement
    """What was agreed."""
    signed: sharing_pb2.SignedAgreement
    """The signed bytes."""
    officer: str
    """Who signed for the hub, as the record names them."""
    signed_at_ms: int
    """Moment of signing, milliseconds since the epoch, UTC."""
    retired_at_ms: int | None
    """Moment it was retired, or None while it is not."""
    log_index: int
    """Its leaf in the transparency log."""

    def is_in_force(self, at_ms: int) -> bool:
        """Whether it holds at a moment: not retired, and within its validity."""
        return self.retired_at_ms is None and self.agreement.is_valid_at(at_ms)


def add_version(connection: Connection, version: SignedVersion) -> None:
    """Store a signed version."""
    connection.execute(
        insert(agreement).values(
            id=version.agreement.id,
            version=version.agreement.version,
            recipient=version.agreement.recipient,
            signed=version.signed.SerializeToString(deterministic=True),
            officer=version.officer,
            signed_at_ms=version.signed_at_ms,
            retired_at_ms=version.retired_at_ms,
            log_index=version.log_index,
        )
    )


def retire_version(connection: Connection, agreement_id: str, version: int, now_ms: int) -> None:
    """Note that a version holds no more; one that was retired before keeps its moment."""
    connection.execute(
        update(agreement)
        .where(
            agreement.c.id == agreement_id,
            agreement.c.version == version,
            agreement.c.retired_at_ms.is_(None),
        )
        .values(retired_at_ms=now_ms)
    )


def retire_lost(connection: Connection, leaf: transparency_pb2.LogLeaf) -> None:
    """Let a version end of whose end the database only has the leaf."""
    name, _, version = leaf.agreement.partition("@")
    retire_version(connection, name, int(version), leaf.logged_at_ms)


def newest_version(connection: Connection, agreement_id: str) -> int:
    """Highest version of an agreement that the database holds; 0 for none."""
    query = select(func.max(agreement.c.version)).where(agreement.c.id == agreement_id)
    return int(connection.execute(query).scalar() or 0)


def next_version(connection: Connection, agreement_id: str) -> int:
    """Version that was never signed: behind those held, and those of which only the leaf is left.

    Raises:
        LogCorruptError: A leaf that came back is none.
    """
    newest = newest_version(connection, agreement_id)
    for lost in connection.execute(select(log_recovery.c.first, log_recovery.c.end)).all():
        for stored in log.leaves(connection, lost.first, lost.end):
            if stored.kind == transparency_pb2.LOG_KIND_AGREEMENT:
                name, _, version = parse_leaf(stored.leaf).agreement.partition("@")
                newest = max(newest, int(version)) if name == agreement_id else newest
    return newest + 1


def find_current(connection: Connection, agreement_id: str) -> SignedVersion | None:
    """The version that is not retired; None when there is none."""
    query = select(agreement).where(
        agreement.c.id == agreement_id, agreement.c.retired_at_ms.is_(None)
    )
    row = connection.execute(query).mappings().first()
    return None if row is None else _version(row)


def find_version(connection: Connection, reference: str) -> SignedVersion | None:
    """A version by its name ``id@version``; None when it was never signed."""
    agreement_id, _, version = reference.partition("@")
    if not version.isdigit():
        return None
    query = select(agreement).where(
        agreement.c.id == agreement_id, agreement.c.version == int(version)
    )
    row = connection.execute(query).mappings().first()
    return None if row is None else _version(row)


def current_versions(connection: Connection) -> tuple[SignedVersion, ...]:
    """Every version that is not retired, in order of their ids."""
    query = select(agreement).where(agreement.c.retired_at_ms.is_(None)).order_by(agreement.c.id)
    return tuple(_version(row) for row in connection.execute(query).mappings())


def all_versions(connection: Connection) -> tuple[SignedVersion, ...]:
    """Every version that was ever signed, in order of their leaves."""
    query = select(agreement).order_by(agreement.c.log_index)
    return tuple(_version(row) for row in connection.execute(query).mappings())


def _version(row: RowMapping) -> SignedVersion:
    signed = parse_signed(row["signed"])
    return SignedVersion(
        agreement=parse_agreement(signed.body),
        signed=signed,
        officer=row["officer"],
        signed_at_ms=row["signed_at_ms"],
        retired_at_ms=row["retired_at_ms"],
        log_index=row["log_index"],
    )
