"""The keys that a member asks certificates for, with the proofs that it holds them.

Rules: signing and TLS key prove their possession in the request; an encryption key signs nothing,
and a wrong one only harms who asked for it; only hubs have a post-quantum half, and always where
the suite's signatures know one.
"""

from dataclasses import dataclass, field

from hub.errors import EnrolmentRefusedError
from protos.yixin.v1 import enrolment_pb2
from security.certificates import fingerprint, keys_digest
from security.errors import BadSignatureError, UnknownSuiteError, UntrustedCertificateError
from security.keys import Signature, VerifyingKey
from security.members import MemberKind
from security.signatures import SignatureScheme
from security.suites import get_suite
from security.tls import requested_public_key


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestedKeys:
    """Keys of one request.

    Attributes:
        suite: Suite of the signing and encryption key.
        signing: Signing key.
        encryption_public_key: Encryption key.
        tls_csr_der: Certificate request of the TLS key, DER.
        tls_public_key: The TLS key as a SubjectPublicKeyInfo, DER.
    """

    suite: str
    signing: VerifyingKey
    encryption_public_key: bytes = field(repr=False)
    tls_csr_der: bytes = field(repr=False)
    tls_public_key: bytes = field(repr=False)

    @property
    def digest(self) -> bytes:
        """SHA-256 over the keys: what makes two requests the same."""
        return keys_digest(
            self.signing.public_key,
            self.signing.pq_public_key,
            self.encryption_public_key,
            self.tls_public_key,
        )

    @property
    def fingerprint(self) -> str:
        """What the officer compares by voice."""
        return fingerprint(self.digest)


def prove_keys(
    body: enrolment_pb2.JoinBody | enrolment_pb2.RenewBody,
    *,
    kind: MemberKind,
    signature: Signature,
    payload_type: str,
    signed: bytes,
) -> RequestedKeys:
    """Read the keys of a request and verify the proofs of possession.

    Args:
        body: The parsed body.
        kind: Kind of the member that asks.
        signature: Signature of the requested signing key.
        payload_type: What it signs.
        signed: The body's bytes as received.

    Raises:
        EnrolmentRefusedError: A key is malformed, does not fit the member, or is not proved.
    """
    try:
        scheme = get_suite(body.suite).signature
    except UnknownSuiteError as error:
        raise EnrolmentRefusedError(f"suite: {error}") from error
    has_half = kind is MemberKind.HUB and scheme is SignatureScheme.ED25519
    if has_half != bool(body.signing_pq_public_key):
        raise EnrolmentRefusedError(f"a {kind} with a post-quantum half that does not fit")
    try:
        key = VerifyingKey(
            public_key=body.signing_public_key,
            pq_public_key=body.signing_pq_public_key,
            scheme=scheme,
        )
        key.verify(signature, payload_type, signed)
    except (ValueError, BadSignatureError) as error:
        raise EnrolmentRefusedError(f"proof of possession: {error}") from error
    try:
        tls_key = requested_public_key(body.tls_csr_der)
    except UntrustedCertificateError as error:
        raise EnrolmentRefusedError(error.cause) from error
    return RequestedKeys(
        suite=body.suite,
        signing=key,
        encryption_public_key=body.encryption_public_key,
        tls_csr_der=body.tls_csr_der,
        tls_public_key=tls_key,
    )
