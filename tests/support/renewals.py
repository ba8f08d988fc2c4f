"""Renewal requests as a member signs them, with every part open to change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from protos.yixin.v1 import enrolment_pb2
from security.tls import csr_der

if TYPE_CHECKING:
    from security.exchange.key_files import MemberKeys
    from security.keys import SigningKey


def renew_request(
    member: str,
    held: SigningKey,
    new: MemberKeys,
    now_ms: int,
    **changes: Any,  # noqa: ANN401 - parts of any type
) -> enrolment_pb2.RenewRequest:
    """A renewal by a held key for new keys; ``changes`` override parts of its body."""
    parts: dict[str, Any] = {
        "format": 1,
        "member": member,
        "tls_csr_der": csr_der(new.tls_key_pem),
        "suite": new.encryption.suite.name,
        "signing_public_key": new.signing.verifying.public_key,
        "signing_pq_public_key": new.signing.verifying.pq_public_key,
        "encryption_public_key": new.encryption.public_bytes,
        "at_ms": now_ms,
    }
    body = enrolment_pb2.RenewBody(**(parts | changes)).SerializeToString(deterministic=True)
    by_held = held.sign("yixin/renew/v1", body)
    by_new = new.signing.sign("yixin/renew-possession/v1", body)
    return enrolment_pb2.RenewRequest(
        body=body,
        key_id=held.key_id,
        signature=by_held.classical,
        pq_signature=by_held.post_quantum,
        new_signature=by_new.classical,
        new_pq_signature=by_new.post_quantum,
    )
