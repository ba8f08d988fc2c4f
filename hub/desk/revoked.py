"""Revocation lists (吊销列表) of a desk's trusted hubs: taken, kept, asked on every call.

Rules of this module:

- A list counts only when the pinned anchor of its hub signed it; an older one than the desk holds
  is refused, the newest replaces the one before as a whole.
- A desk without a list, or with one past its time, still answers: nobody gets past its register.
  It says so, in its status and while it serves, until a newer list is there (``warnings``).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, delete, insert, select

from hub.config import usable
from hub.desk import tables
from hub.errors import ConfigurationError
from hub.listings import moment_text
from hub.store.slot_index import upsert
from protos.yixin.v1 import identity_pb2
from security.certificates import Revocations, read_revocations
from security.certificates.revocations import MAX_SIGNED_BYTES
from security.errors import UntrustedCertificateError


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldList:
    """The newest list of a hub that a desk took."""

    hub: str
    """Hub that signed it."""
    version: int
    """Version; a newer one replaces it."""
    at_ms: int
    """Moment of signing, milliseconds since the epoch, UTC."""
    next_ms: int
    """The hub signs a newer one no later than this."""

    def is_outdated(self, now_ms: int) -> bool:
        """Whether a newer list must be there by now."""
        return now_ms > self.next_ms


def read_list(path: Path, anchors: Mapping[str, identity_pb2.TrustAnchor]) -> Revocations:
    """Read and verify what ``yixin hub export-revocations`` wrote.

    Args:
        path: The file.
        anchors: Anchors of the trusted hubs, by hub.

    Raises:
        ConfigurationError: The file cannot be read, or is no list of a trusted hub.
    """
    with usable(path), path.open("rb") as file:
        data = file.read(MAX_SIGNED_BYTES + 1)
    try:
        return read_revocations(data, anchors)
    except UntrustedCertificateError as error:
        raise ConfigurationError(
            f"{path} was not taken, and nothing was changed: {error}. The hub writes it with "
            "`yixin hub export-revocations`; trust the hub first with `yixin hub desk trust`."
        ) from error


def take(connection: Connection, opened: Revocations) -> None:
    """Replace the list of a hub; the same list again changes nothing.

    Args:
        connection: A writing transaction.
        opened: A verified list.

    Raises:
        ConfigurationError: The desk holds a newer one.
    """
    held = held_lists(connection).get(opened.hub)
    if held is not None and opened.version < held.version:
        raise ConfigurationError(
            f"This is revocation list {opened.version} of {opened.hub}, the desk holds "
            f"{held.version} already: an older list would let revoked nodes back in. Ask the hub "
            "for its newest."
        )
    connection.execute(
        upsert(connection, tables.revocation_list),
        [
            {
                "hub": opened.hub,
                "version": opened.version,
                "at_ms": opened.at_ms,
                "next_ms": opened.next_ms,
            }
        ],
    )
    connection.execute(delete(tables.revoked).where(tables.revoked.c.hub == opened.hub))
    rows = [
        {"hub": opened.hub, "tls_sha256": row.tls_sha256} for row in opened.rows if row.tls_sha256
    ]
    if rows:
        connection.execute(insert(tables.revoked), rows)


def held_lists(connection: Connection) -> dict[str, HeldList]:
    """The lists that were taken, by hub."""
    rows = connection.execute(select(tables.revocation_list).order_by(tables.revocation_list.c.hub))
    return {
        row.hub: HeldList(hub=row.hub, version=row.version, at_ms=row.at_ms, next_ms=row.next_ms)
        for row in rows
    }


def is_revoked(connection: Connection, hub: str, tls_sha256: bytes) -> bool:
    """Whether a TLS certificate is on the newest list of its hub.

    Args:
        connection: A transaction.
        hub: Hub that issued the certificate.
        tls_sha256: SHA-256 of the certificate's DER.
    """
    columns = tables.revoked.c
    query = select(columns.hub).where(columns.hub == hub, columns.tls_sha256 == tls_sha256)
    return connection.execute(query).first() is not None


def warnings(connection: Connection, hubs: Iterable[str], now_ms: int) -> Sequence[str]:
    """What is to be said of trusted hubs whose list is missing or outdated.

    Args:
        connection: A transaction.
        hubs: The trusted hubs.
        now_ms: Present moment, milliseconds since the epoch, UTC.
    """
    lists = held_lists(connection)
    found = []
    for hub in sorted(hubs):
        held = lists.get(hub)
        if held is None:
            state = "No revocation list"
        elif held.is_outdated(now_ms):
            state = f"Revocation list {held.version}, outdated since {moment_text(held.next_ms)},"
        else:
            continue
        found.append(
            f"{state} of {hub} is here: a node that it revoked is not known to this desk. Run "
            "`yixin hub export-revocations` there and `yixin hub desk revocations` here."
        )
    return tuple(found)


__all__ = ["HeldList", "held_lists", "is_revoked", "read_list", "take", "warnings"]
