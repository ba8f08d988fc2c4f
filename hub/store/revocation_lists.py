"""The signed revocation list (吊销列表) of a hub: made, logged, kept fresh.

Rules: a list is signed and logged in the transaction that revokes, unless the log takes no leaf:
then what is revoked counts all the same, and the list is made up for as soon as the log is open.
"""

import hashlib
import logging
from typing import Final

from sqlalchemy import Connection, Engine

from hub.errors import LogReadOnlyError
from hub.store import log, members, revocations
from hub.store.engine import reading, writing
from hub.store.identity import HubIdentity
from protos.yixin.v1 import identity_pb2, transparency_pb2
from security.certificates import Revoked, open_revocations, sign_revocations
from security.tls import MEMBER_DAYS

LEAF_WORD: Final = "revocations"
VALIDITY_MS: Final = 30 * 86_400_000
"""A newer list is signed no later than this after the last, milliseconds."""
_TLS_MS: Final = MEMBER_DAYS * 86_400_000
_LOG: Final = logging.getLogger(__name__)


def issue_list(connection: Connection, identity: HubIdentity, now_ms: int) -> None:
    """Sign and log the next version of the list; leave it when the log takes no leaf now.

    Args:
        connection: A writing transaction.
        identity: The hub; its identity key signs.
        now_ms: Present moment, milliseconds since the epoch, UTC.
    """
    held = revocations.newest_list(connection)
    floor = members.current_number(connection, members.FLOOR)
    version = max(held.version if held else 0, floor) + 1
    signed = sign_revocations(
        identity.root,
        hub=identity.hub,
        version=version,
        at_ms=now_ms,
        next_ms=now_ms + VALIDITY_MS,
        rows=_rows(connection, identity, now_ms),
    )
    leaf = log.event_leaf(
        transparency_pb2.LOG_KIND_REVOCATION,
        hub=identity.hub,
        digest=hashlib.sha256(signed.body).digest(),
        word=LEAF_WORD,
        at_ms=now_ms,
    )
    try:
        log.append_leaves(connection, [leaf])
    except LogReadOnlyError:
        _LOG.warning("revocation list %d waits for the log; the revocation itself counts", version)
        return
    revocations.add_list(
        connection,
        revocations.SignedList(
            version=version,
            next_ms=now_ms + VALIDITY_MS,
            list=signed.SerializeToString(deterministic=True),
        ),
        now_ms,
    )


def _rows(connection: Connection, identity: HubIdentity, now_ms: int) -> list[Revoked]:
    """What is revoked here, and what the list before names of certificates that were lost."""
    rows = revocations.revoked_rows(connection, now_ms)
    before = current_list(connection)
    if before is None:
        return rows
    listed = {row.place for row in rows}
    return rows + [
        row
        for row in open_revocations(before, identity.anchor, held_version=0).rows
        if row.place not in listed
        and (row.serial or now_ms <= row.since_ms + _TLS_MS)
        and not revocations.is_known(connection, row)
    ]


def current_list(connection: Connection) -> identity_pb2.RevocationList | None:
    """The newest signed list; None in a hub whose daemon never ran and that revoked nothing."""
    held = revocations.newest_list(connection)
    return identity_pb2.RevocationList.FromString(held.list) if held else None


def refresh_list(engine: Engine, identity: HubIdentity, now_ms: int) -> bool:
    """Sign a list when one is due.

    It is when there is none yet, or the last one is half over, lacks a revocation or has an older
    version than one that was lost.

    Returns:
        Whether a list was signed.

    Raises:
        HubStoreError: The database failed.
    """
    with reading(engine) as connection:
        signed = current_list(connection)
        rows = revocations.revoked_rows(connection, now_ms)
        floor = members.current_number(connection, members.FLOOR)
    is_due = signed is None
    if signed is not None:
        held = open_revocations(signed, identity.anchor, held_version=0)
        listed = {(row.place, row.since_ms) for row in held.rows}
        is_due = (
            held.version <= floor
            or now_ms >= held.next_ms - VALIDITY_MS // 2
            or any((row.place, row.since_ms) not in listed for row in rows)
        )
    if is_due:
        with writing(engine) as connection:
            issue_list(connection, identity, now_ms)
    return is_due
