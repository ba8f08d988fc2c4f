"""Signed sharing agreements (签名的共享协议): the body, and who put a name to it.

Rules: the received bytes are verified, never a re-serialisation; the first signature is the
providing hub's, made by a key that was valid when it is asked.

Source: design of trust, section 8.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from protos.yixin.v1 import sharing_pb2
from security.certificates import SIGNING
from security.encoding import parse_exactly
from security.errors import AgreementError, BadSignatureError, UntrustedCertificateError
from security.keys import Signature
from security.sharing.agreement import Agreement, parse_agreement

if TYPE_CHECKING:
    from security.certificates import Keyring
    from security.keys import SigningKey

PAYLOAD_TYPE: Final = "yixin/agreement/v1"
MAX_SIGNED_BYTES: Final = 64 * 1024
MAX_SIGNATURES: Final = 5


def sign_agreement(body: bytes, signer: str, key: SigningKey) -> sharing_pb2.AgreementSignature:
    """Sign the bytes of an agreement as the hub, or as an officer.

    Args:
        body: Serialised agreement.
        signer: Member id of the hub, or name of the officer.
        key: Their key.
    """
    signature = key.sign(PAYLOAD_TYPE, body)
    return sharing_pb2.AgreementSignature(
        signer=signer,
        key_id=key.key_id,
        signature=signature.classical,
        pq_signature=signature.post_quantum,
    )


def parse_signed(data: bytes) -> sharing_pb2.SignedAgreement:
    """Read a serialised SignedAgreement; its size is checked before it is parsed.

    Raises:
        AgreementError: Too long, not a signed agreement, or with no or too many signatures.
    """
    try:
        signed = parse_exactly(sharing_pb2.SignedAgreement, data, MAX_SIGNED_BYTES)
    except ValueError as error:
        raise AgreementError(f"Signed agreement: {error}.") from error
    if not 1 <= len(signed.signatures) <= MAX_SIGNATURES:
        raise AgreementError(
            f"Signed agreement: found {len(signed.signatures)} signatures, expected 1 to "
            f"{MAX_SIGNATURES}."
        )
    return signed


def open_agreement(signed: sharing_pb2.SignedAgreement, keyring: Keyring, at_ms: int) -> Agreement:
    """Verify the providing hub's signature of an agreement.

    Whether it covers something, and at which time, is asked of ``coverage``. Officers' signatures
    behind the hub's are for those who hold the officers' keys.

    Args:
        signed: The agreement as received or stored.
        keyring: Keys that the caller trusts.
        at_ms: Moment of signing at the hub (of its leaf), milliseconds since the epoch, UTC.

    Raises:
        AgreementError: Malformed, not signed by its provider, or by a key not valid then.
    """
    signed = parse_signed(signed.SerializeToString(deterministic=True))
    agreement = parse_agreement(signed.body)
    first = signed.signatures[0]
    if first.signer != agreement.provider:
        raise AgreementError(
            f"Agreement {agreement.reference} is signed by {first.signer[:120]!r} first, expected "
            f"its provider {agreement.provider}."
        )
    signature = Signature(classical=first.signature, post_quantum=first.pq_signature)
    try:
        key = keyring.find(first.signer, first.key_id, SIGNING, at_ms)
        key.verifying.verify(signature, PAYLOAD_TYPE, signed.body)
    except UntrustedCertificateError as error:
        raise AgreementError(
            f"Agreement {agreement.reference} is signed with an untrusted key: {error.cause}."
        ) from error
    except BadSignatureError as error:
        raise AgreementError(
            f"Agreement {agreement.reference}: the provider's signature does not fit."
        ) from error
    return agreement
