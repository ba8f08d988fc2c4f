"""The register of TLS certificates (TLS证书登记), and the signed revocation lists.

Port rules: every TLS certificate is registered in the transaction that issues it; the list is
made from what the tables hold, so that a list that could not be signed at once is made up for.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from sqlalchemy import ColumnElement, Connection, insert, select, update

from hub.store.identity_tables import revocation_list, tls_certificate
from hub.store.tables import key_certificate
from security.certificates import Revoked
from security.moments import to_ms
from security.tls import load_certificate, tls_digest


class TlsState(StrEnum):
    """What the register says of a presented TLS certificate."""

    ISSUED = "issued"
    """It is in the register, or the register holds none of its member (an older program's)."""
    REVOKED = "revoked"
    """It was revoked, or a later join took its place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedList:
    """A version of the revocation list.

    Attributes:
        version: Its version.
        next_ms: A newer one is signed no later than this.
        list: Serialised ``RevocationList``.
    """

    version: int
    next_ms: int
    list: bytes = field(repr=False)


def add_tls(connection: Connection, member: str, certificate: bytes) -> None:
    """Register a TLS certificate that was just issued; DER."""
    parsed = load_certificate(certificate)
    connection.execute(
        insert(tls_certificate).values(
            sha256=tls_digest(certificate),
            member=member,
            not_before_ms=to_ms(parsed.not_valid_before_utc),
            not_after_ms=to_ms(parsed.not_valid_after_utc),
        )
    )


def tls_state(connection: Connection, member: str, sha256: bytes) -> TlsState:
    """Whether a presented certificate of a member still counts."""
    query = select(tls_certificate.c.revoked_at_ms).where(
        tls_certificate.c.sha256 == sha256, tls_certificate.c.member == member
    )
    found = connection.execute(query).first()
    if found is not None:
        return TlsState.ISSUED if found.revoked_at_ms is None else TlsState.REVOKED
    others = select(tls_certificate.c.sha256).where(tls_certificate.c.member == member).limit(1)
    return TlsState.ISSUED if connection.execute(others).first() is None else TlsState.REVOKED


def tls_ends(connection: Connection) -> dict[str, int]:
    """Last moment of each member's unrevoked TLS certificates, milliseconds, UTC."""
    query = (
        select(tls_certificate.c.member, tls_certificate.c.not_after_ms)
        .where(tls_certificate.c.revoked_at_ms.is_(None))
        .order_by(tls_certificate.c.not_after_ms)
    )
    return {row.member: row.not_after_ms for row in connection.execute(query)}


def revoke_all(connection: Connection, member: str, now_ms: int) -> int:
    """Revoke every certificate of a member; what its keys signed before stays valid.

    Returns:
        How many were not revoked before.
    """
    count = 0
    for table in (key_certificate, tls_certificate):
        changed = connection.execute(
            update(table)
            .where(table.c.member == member, table.c.revoked_at_ms.is_(None))
            .values(revoked_at_ms=now_ms)
        )
        count += changed.rowcount
    return count


def revoke_one(connection: Connection, row: Revoked) -> None:
    """Revoke the certificate that a row of a list names, where the database holds it."""
    table = key_certificate if row.serial else tls_certificate
    connection.execute(
        update(table)
        .where(_named(row), table.c.member == row.member, table.c.revoked_at_ms.is_(None))
        .values(revoked_at_ms=row.since_ms)
    )


def is_known(connection: Connection, row: Revoked) -> bool:
    """Whether the database holds the certificate that a row of a list names."""
    table = key_certificate if row.serial else tls_certificate
    return connection.execute(select(table.c.member).where(_named(row))).first() is not None


def has_valid(connection: Connection, member: str, now_ms: int) -> bool:
    """Whether a member has a key certificate, or a TLS certificate not ended, that holds."""
    return any(
        connection.execute(
            select(table.c.member)
            .where(
                table.c.member == member,
                table.c.revoked_at_ms.is_(None),
                table.c.not_after_ms >= now_ms,
            )
            .limit(1)
        ).first()
        for table in (key_certificate, tls_certificate)
    )


def _named(row: Revoked) -> ColumnElement[bool]:
    if row.serial:
        return key_certificate.c.serial == row.serial
    return tls_certificate.c.sha256 == row.tls_sha256


def revoked_rows(connection: Connection, now_ms: int) -> list[Revoked]:
    """What the list must hold: revoked keys for good, TLS certificates until they end."""
    keys = connection.execute(
        select(
            key_certificate.c.member, key_certificate.c.serial, key_certificate.c.revoked_at_ms
        ).where(key_certificate.c.revoked_at_ms.is_not(None))
    )
    tls = connection.execute(
        select(
            tls_certificate.c.member, tls_certificate.c.sha256, tls_certificate.c.revoked_at_ms
        ).where(
            tls_certificate.c.revoked_at_ms.is_not(None), tls_certificate.c.not_after_ms >= now_ms
        )
    )
    return [
        *(
            Revoked(member=row.member, since_ms=row.revoked_at_ms, serial=row.serial)
            for row in keys
        ),
        *(
            Revoked(member=row.member, since_ms=row.revoked_at_ms, tls_sha256=row.sha256)
            for row in tls
        ),
    ]


def newest_list(connection: Connection) -> SignedList | None:
    """The newest signed list; None while nothing was ever revoked."""
    query = select(revocation_list).order_by(revocation_list.c.version.desc()).limit(1)
    row = connection.execute(query).first()
    if row is None:
        return None
    return SignedList(version=row.version, next_ms=row.next_ms, list=row.list)


def add_list(connection: Connection, signed: SignedList, now_ms: int) -> None:
    """Keep a version of the list."""
    connection.execute(
        insert(revocation_list).values(
            version=signed.version, at_ms=now_ms, next_ms=signed.next_ms, list=signed.list
        )
    )
