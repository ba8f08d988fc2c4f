"""Sharing agreements (共享协议) in the database: which version of each was signed, and which holds.

Port rules: a version is stored once and its signed bytes never change; at most one version of an
agreement is not retired; what is read back passes the same checks as what was signed.
"""

from dataclasses import dataclass

from sqlalchemy import Connection, RowMapping, func, insert, select, update

from hub.store.agreement_tables import agreement
from protos.yixin.v1 import sharing_pb2
from security.sharing import Agreement, parse_agreement, parse_signed


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
    """Note that a version holds no more."""
    connection.execute(
        update(agreement)
        .where(agreement.c.id == agreement_id, agreement.c.version == version)
        .values(retired_at_ms=now_ms)
    )


def newest_version(connection: Connection, agreement_id: str) -> int:
    """Highest version of an agreement that was ever signed; 0 for none."""
    query = select(func.max(agreement.c.version)).where(agreement.c.id == agreement_id)
    return int(connection.execute(query).scalar() or 0)


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
