"""What a member gets when it joined or renewed: certificates of its TLS, signing, encryption key.

Rules: every certificate is registered in the transaction that issues it; a key whose certificate
lasts for longer than the overlap of two epochs keeps that certificate.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from hub.config import LifetimeSettings
from hub.domain.requested_keys import RequestedKeys
from hub.store import members, revocations
from hub.store.certifying import RENEW_BEFORE_MS, KeyUse, certify
from hub.store.identity import HubIdentity
from protos.yixin.v1 import identity_pb2
from security.certificates import ENCRYPTION, SIGNING
from security.keys import key_id_of
from security.moments import to_ms
from security.tls import issue_member_certificate


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """Certificates of one member."""

    tls: bytes
    """TLS certificate, DER."""
    signing: identity_pb2.KeyCertificate
    """Of the signing key."""
    encryption: identity_pb2.KeyCertificate
    """Of the encryption key."""


def issue_certificates(
    connection: Connection,
    identity: HubIdentity,
    member: str,
    keys: RequestedKeys,
    *,
    lifetime: LifetimeSettings,
    now: datetime,
    approved: str,
) -> Issued:
    """Certify the keys of a request.

    Args:
        connection: A writing transaction.
        identity: The hub.
        member: Member id.
        keys: The keys, proved.
        lifetime: Validity of what is issued.
        now: Present moment, UTC-aware.
        approved: Who let the keys in; see ``certify``.

    Raises:
        UntrustedCertificateError: A key makes no valid certificate.
        LogReadOnlyError: The log takes no leaf now.
    """
    tls = issue_member_certificate(
        identity.ca_key_pem,
        identity.ca_certificate_pem,
        keys.tls_csr_der,
        member,
        now,
        days=lifetime.tls_days,
    )
    now_ms = to_ms(now)
    held = members.certificates(connection, member_id=member)

    def certificate(
        use: KeyUse, public_key: bytes, pq_public_key: bytes
    ) -> identity_pb2.KeyCertificate:
        found = _lasting(held, use, key_id_of(public_key, pq_public_key), now_ms)
        return found or certify(
            connection,
            identity,
            member=member,
            use=use,
            suite=keys.suite,
            public_key=public_key,
            pq_public_key=pq_public_key,
            now_ms=now_ms,
            days=lifetime.key_days,
            approved=approved,
        )

    signing = certificate(SIGNING, keys.signing.public_key, keys.signing.pq_public_key)
    encryption = certificate(ENCRYPTION, keys.encryption_public_key, b"")
    revocations.add_tls(connection, member, tls)
    return Issued(tls=tls, signing=signing, encryption=encryption)


def _lasting(
    held: Sequence[members.StoredCertificate], use: int, key_id: str, now_ms: int
) -> identity_pb2.KeyCertificate | None:
    for row in held:
        if (
            (row.use, row.key_id) == (use, key_id)
            and row.revoked_at_ms is None
            and row.not_after_ms - RENEW_BEFORE_MS > now_ms
        ):
            return identity_pb2.KeyCertificate.FromString(row.certificate)
    return None
