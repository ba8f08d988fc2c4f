"""What comes down from the hub: custody registers and signed grade statements.

Every payload was opened from a sealed envelope of the hub, so its origin is proven. A grade
statement is checked once more against the publication's own signature, because the institution
keeps it as evidence after the envelope is gone.
"""

from collections.abc import Iterable
from typing import Final

from google.protobuf.message import DecodeError
from security.certificates import Keyring
from security.group_signature import Proof, verify_member

from node.domain.institutions import Institution
from node.errors import LocalSyncError
from protos.yixin.v1 import identity_pb2, statement_pb2
from security.errors import UntrustedEnvelopeError
from security.keys import Signature, VerifyingKey

PUBLICATION_TYPE: Final = "yixin/publication/v1"
CUSTODY_TYPE: Final = "yixin/custody/v1"


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


def verified_custody(
    signed: statement_pb2.SignedCustody, *, hub: str, keyring: Keyring, now_ms: int
) -> statement_pb2.CustodyRegister:
    """Open a signed custody register.

    Raises:
        SecurityError: The register is not signed by the hub, or is not the hub's.
        LocalSyncError: The signed bytes are not a register.
    """
    key = _hub_key(keyring, hub, signed.key_id, now_ms)
    key.verify(
        Signature(ed25519=signed.signature, mldsa65=signed.pq_signature), CUSTODY_TYPE, signed.body
    )
    try:
        register = statement_pb2.CustodyRegister.FromString(signed.body)
    except DecodeError as error:
        raise LocalSyncError(f"the hub's custody register cannot be read: {error}") from error
    if register.hub != hub:
        raise UntrustedEnvelopeError("custody register of another hub")
    return register


def verified_statements(
    payload: bytes, *, hub: str, keyring: Keyring, now_ms: int
) -> Iterable[tuple[statement_pb2.GradeStatement, bytes]]:
    """Grade statements of a payload with the bytes that were signed.

    Raises:
        SecurityError: A statement is not part of a publication signed by the hub.
        LocalSyncError: The payload cannot be read.
    """
    try:
        batch = statement_pb2.GradeStatements.FromString(payload)
    except DecodeError as error:
        raise LocalSyncError(f"the hub's grade statements cannot be read: {error}") from error
    for signed in batch.statements:
        verify_member(
            _hub_key(keyring, hub, signed.key_id, now_ms),
            PUBLICATION_TYPE,
            signed.body,
            Proof(
                leaf_index=signed.leaf_index,
                group_size=signed.group_size,
                path=tuple(signed.path),
            ),
            Signature(ed25519=signed.signature, mldsa65=signed.pq_signature),
        )
        yield statement_pb2.GradeStatement.FromString(signed.body), signed.body


def _hub_key(keyring: Keyring, hub: str, key_id: str, now_ms: int) -> VerifyingKey:
    certified = keyring.find(hub, key_id, identity_pb2.KEY_USE_SIGNING, now_ms)
    return VerifyingKey(public_key=certified.public_key, pq_public_key=certified.pq_public_key)
