"""What comes down from the hub: custody registers and signed grade statements.

Every payload was opened from a sealed envelope of the hub, so its origin is proven. Registers and
grade statements are checked once more against the hub's own signature over them, because the
institution keeps them as evidence after the envelope is gone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from node.domain.institutions import Institution
from protos.yixin.v1 import identity_pb2, statement_pb2
from security.encoding import parse_exactly
from security.errors import RemoteSyncError
from security.group_signature import Proof, verify_member
from security.headers import MAX_ENVELOPE_BYTES
from security.keys import Signature

if TYPE_CHECKING:
    from collections.abc import Iterator

    from security.certificates import Keyring

PUBLICATION_TYPE: Final = "yixin/publication/v1"


def custody_institutions(register: statement_pb2.CustodyRegister) -> list[Institution]:
    """Institutions of a custody register (管辖登记), each once, by code."""
    found = {
        row.institution: Institution(
            code=row.institution,
            name=row.name,
            level=row.level,
            type=row.type,
            division=row.division,
        )
        for row in register.rows
    }
    return [found[code] for code in sorted(found)]


def verified_statements(
    payload: bytes, *, hub: str, keyring: Keyring, now_ms: int
) -> Iterator[tuple[statement_pb2.GradeStatement, bytes]]:
    """Grade statements of a payload with the bytes that were signed.

    Args:
        payload: Payload of the type "grade_statements".
        hub: Member id of the hub that must have published them.
        keyring: Keys certified by the hub's anchor.
        now_ms: Moment at which the hub's key must be valid, milliseconds since the epoch, UTC.

    Raises:
        SecurityError: A statement is not part of a publication signed by the hub.
        RemoteSyncError: The payload cannot be read.
    """
    try:
        batch = parse_exactly(statement_pb2.GradeStatements, payload, MAX_ENVELOPE_BYTES)
    except ValueError as error:
        raise RemoteSyncError(f"the hub's grade statements cannot be read: {error}") from error
    for signed in batch.statements:
        key = keyring.find(hub, signed.key_id, identity_pb2.KEY_USE_SIGNING, now_ms)
        proof = Proof(
            leaf_index=signed.leaf_index, group_size=signed.group_size, path=tuple(signed.path)
        )
        signature = Signature(classical=signed.signature, post_quantum=signed.pq_signature)
        verify_member(key.verifying, PUBLICATION_TYPE, signed.body, proof, signature)
        yield statement_pb2.GradeStatement.FromString(signed.body), signed.body
