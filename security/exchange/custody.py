"""Custody registers (管辖登记): who states which institution, as the hub signed it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from protos.yixin.v1 import identity_pb2, statement_pb2
from security.encoding import parse_exactly
from security.errors import BadSignatureError, RemoteSyncError, UntrustedCertificateError
from security.keys import Signature

if TYPE_CHECKING:
    from security.certificates import Keyring
    from security.keys import SigningKey

PAYLOAD_TYPE: Final = "yixin/custody/v1"
MAX_REGISTER_BYTES: Final = 4 * 1024 * 1024


def sign_custody(
    key: SigningKey, register: statement_pb2.CustodyRegister
) -> statement_pb2.SignedCustody:
    """Sign a custody register as the hub that issues it."""
    body = register.SerializeToString(deterministic=True)
    signature = key.sign(PAYLOAD_TYPE, body)
    return statement_pb2.SignedCustody(
        body=body,
        key_id=key.key_id,
        signature=signature.classical,
        pq_signature=signature.post_quantum,
    )


def open_custody(
    signed: statement_pb2.SignedCustody, keyring: Keyring, *, hub: str, member: str, at_ms: int
) -> statement_pb2.CustodyRegister:
    """Verify a custody register and read it.

    Args:
        signed: Register as received.
        keyring: Keys certified by the hub's anchor.
        hub: Hub that must have issued it.
        member: Member whom every row must name.
        at_ms: Moment at which the hub's key must be valid, milliseconds since the epoch, UTC.

    Raises:
        RemoteSyncError: Not signed by the hub, malformed, or about another member.
    """
    try:
        register = parse_exactly(statement_pb2.CustodyRegister, signed.body, MAX_REGISTER_BYTES)
        key = keyring.find(hub, signed.key_id, identity_pb2.KEY_USE_SIGNING, at_ms)
        key.verifying.verify(
            Signature(classical=signed.signature, post_quantum=signed.pq_signature),
            PAYLOAD_TYPE,
            signed.body,
        )
    except (ValueError, BadSignatureError, UntrustedCertificateError) as error:
        raise RemoteSyncError(f"the custody register of {hub} is not trusted: {error}") from error
    others = {row.member for row in register.rows} - {member}
    if register.hub != hub or others:
        raise RemoteSyncError(
            f"the custody register is of {register.hub[:120]!r} and names "
            f"{sorted(others)[:3]}; expected one of {hub} that names {member} only"
        )
    return register
