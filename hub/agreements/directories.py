"""Directories of members (成员名录): the keys by which hubs seal past the hub that routes.

Rules: a hub tells its member hubs the encryption keys of its departments, and its departments the
signing keys of its member hubs, as certificates that the receiver verifies against the hub's
anchor; a directory goes out when it changed, and only its newest version counts.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from hub.domain.members import MemberKind, MemberStatus
from hub.store import deliveries, members
from protos.yixin.v1 import envelope_pb2, identity_pb2
from security.encoding import parse_exactly
from security.errors import AgreementError
from security.sharing.coverage import DIRECTORY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from hub.agreements.room import SharingRoom
    from hub.store.members import MemberRow

COUNTER: Final = "directory_version"
PURPOSE: Final = "operation"
DATA_CLASS: Final = "operation"
MAX_DIRECTORY_BYTES: Final = 900 * 1024
_KEPT_USE: Final = {
    MemberKind.DEPARTMENT: identity_pb2.KEY_USE_ENCRYPTION,
    MemberKind.HUB: identity_pb2.KEY_USE_SIGNING,
}
"""Which of its keys a member's directory entry is about."""
_TOLD: Final = {MemberKind.DEPARTMENT: MemberKind.HUB, MemberKind.HUB: MemberKind.DEPARTMENT}
"""Whose keys a member is told."""


def announce(connection: Connection, room: SharingRoom, now_ms: int) -> int:
    """Queue the directory for every member hub and department that lacks the newest one.

    Args:
        connection: A writing transaction.
        room: The parts of the hub that share.
        now_ms: Present moment, milliseconds since the epoch, UTC.

    Returns:
        How many directories were queued.
    """
    active = [
        row
        for row in members.list_members(connection)
        if row.kind in _TOLD and row.status is MemberStatus.ACTIVE
    ]
    if {row.kind for row in active} != {*_TOLD}:
        return 0
    queued = 0
    for kind, told in _TOLD.items():
        keys = _keys(connection, [row for row in active if row.kind is told], now_ms)
        digest = hashlib.sha256(b"".join(keys)).digest()
        for row in active:
            key = f"{DIRECTORY}/{row.member}"
            if row.kind is kind and room.outbox.get_mark(connection, key) != digest:
                _queue(connection, room, row.member, keys, {key: digest})
                queued += 1
    return queued


def take_directory(connection: Connection, payload: bytes, sender: str) -> int:
    """Keep a directory that another hub sent, when it is newer than the one held.

    Args:
        connection: A writing transaction.
        payload: Serialised MemberDirectory.
        sender: Member id of the hub that sent it.

    Returns:
        The version held now.

    Raises:
        AgreementError: It is malformed or of another hub.
    """
    try:
        found = parse_exactly(identity_pb2.MemberDirectory, payload, MAX_DIRECTORY_BYTES)
    except ValueError as error:
        raise AgreementError(f"Directory: {error}.") from error
    if found.hub != sender:
        raise AgreementError(f"Directory of {found.hub[:120]!r}, sent by {sender}.")
    held = deliveries.find_directory(connection, sender)
    if held is not None and found.version <= held[0]:
        return held[0]
    deliveries.save_directory(connection, sender, found.version, payload)
    return found.version


def _keys(connection: Connection, rows: Sequence[MemberRow], now_ms: int) -> list[bytes]:
    """Certificates that are valid now or were a moment ago; revoked ones are left out."""
    return [
        stored.certificate
        for row in rows
        for stored in members.certificates(connection, member_id=row.member)
        if stored.use == _KEPT_USE[row.kind]
        and stored.revoked_at_ms is None
        and now_ms <= stored.not_after_ms
    ]


def _queue(
    connection: Connection,
    room: SharingRoom,
    recipient: str,
    keys: Sequence[bytes],
    marks: dict[str, bytes],
) -> None:
    directory = identity_pb2.MemberDirectory(
        hub=room.identity.hub,
        version=members.next_number(connection, COUNTER),
        keys=[identity_pb2.KeyCertificate.FromString(key) for key in keys],
    )
    room.outbox.append(
        connection,
        recipient=recipient,
        lane=envelope_pb2.LANE_CONTROL,
        payload_type=DIRECTORY,
        schema_version=1,
        purpose=PURPOSE,
        data_class=DATA_CLASS,
        period="",
        payload=directory.SerializeToString(deterministic=True),
        marks=marks,
        pack_digest=room.catalog.digest,
    )
