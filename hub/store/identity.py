"""Identity of a hub: its keys, its small certificate authority and its trust anchor.

Rules of this module: keys are made once by ``create_identity`` and never overwritten; every file
is readable by its owner only; the identity key signs certificates, receipts, heads, publications
and downlink envelopes, the encryption key opens what members seal.
"""

import hashlib
import threading
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from sqlalchemy import Connection

from hub.domain.members import MemberId
from hub.store import members
from protos.yixin.v1 import identity_pb2
from security.at_rest import Vault
from security.certificates import Keyring, anchor_bytes, issue_key_certificate, make_anchor
from security.keys import EncryptionKey, SigningKey, VerifyingKey
from security.members import parse_member_id
from security.private_files import read_private, write_private
from security.suites import get_suite
from security.tls import (
    certificate_der,
    certificate_pem,
    create_ca,
    csr_der,
    issue_member_certificate,
    load_tls_key,
    new_tls_key,
    not_after,
    save_tls_key,
)

SUITE: Final = "INTL-PQ"
SERIAL_COUNTER: Final = "certificate_serial"
SERVER_CERTIFICATE_DAYS: Final = 90
_RENEW_BEFORE: Final = timedelta(days=45)
_KEY_RENEW_BEFORE_MS: Final = 90 * 86_400_000
_KEY_DAYS: Final = 365
_DAY_MS: Final = 86_400_000
_MAX_CERTIFICATE_BYTES: Final = 16 * 1024

IDENTITY_KEY: Final = "identity.key"
ENCRYPTION_KEY: Final = "encryption.key"
CA_KEY: Final = "ca.key"
CA_CERTIFICATE: Final = "ca.pem"
TLS_KEY: Final = "tls.key"
VAULT_KEY: Final = "vault.key"


@dataclass(frozen=True, slots=True, kw_only=True)
class HubIdentity:
    """The keys of a hub, loaded."""

    hub: MemberId
    """Member id of the hub."""
    signing: SigningKey = field(repr=False)
    """Identity key: Ed25519 and ML-DSA-65."""
    encryption: EncryptionKey = field(repr=False)
    """Key that members seal to."""
    ca_key_pem: bytes = field(repr=False)
    """Private key of the TLS authority."""
    ca_certificate_pem: bytes = field(repr=False)
    """Root certificate of the TLS authority."""
    tls_key_pem: bytes = field(repr=False)
    """Private key of the hub's own TLS certificate."""
    vault: Vault = field(repr=False)
    """Encrypts what the hub keeps."""
    anchor: identity_pb2.TrustAnchor = field(repr=False)
    """What members and auditors hold to check this hub."""

    @property
    def anchor_digest(self) -> bytes:
        """SHA-256 of the anchor: what join tokens pin."""
        return hashlib.sha256(anchor_bytes(self.anchor)).digest()

    @property
    def decryption_keys(self) -> dict[str, EncryptionKey]:
        """Keys that open envelopes, by key id."""
        return {self.encryption.key_id: self.encryption}

    @property
    def ca_certificate_der(self) -> bytes:
        """Root certificate, DER."""
        return certificate_der(self.ca_certificate_pem)

    def server_certificate(self, host: str, now: datetime) -> tuple[bytes, datetime]:
        """A fresh TLS certificate for the hub's own servers, and when to replace it.

        Args:
            host: Name under which members reach the hub; loopback names are always in it.
            now: Present moment, UTC-aware.
        """
        certificate = issue_member_certificate(
            self.ca_key_pem,
            self.ca_certificate_pem,
            csr_der(self.tls_key_pem),
            self.hub,
            now,
            days=SERVER_CERTIFICATE_DAYS,
            hosts=(host,),
        )
        pem = certificate_pem(certificate)
        return pem, not_after(pem) - _RENEW_BEFORE


def log_origin(hub: str) -> str:
    """Origin line of a hub's transparency log.

    >>> log_origin("yixin://330300/hub/city")
    'yixin/330300/hub/city/log1'
    """
    return f"yixin/{hub.removeprefix('yixin://')}/log1"


def create_identity(directory: Path, hub: MemberId, now: datetime) -> None:
    """Make the keys of a new hub.

    Args:
        directory: Directory of the keys; created with mode 0700.
        hub: Member id of the hub.
        now: Present moment, UTC-aware.

    Raises:
        KeyFileError: A key is already there; keys are never overwritten.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    SigningKey.generate(post_quantum=True).save(directory / IDENTITY_KEY)
    EncryptionKey.generate(get_suite(SUITE)).save(directory / ENCRYPTION_KEY)
    ca_key, ca_certificate = create_ca(hub, now)
    write_private(directory / CA_KEY, ca_key)
    write_private(directory / CA_CERTIFICATE, ca_certificate)
    save_tls_key(directory / TLS_KEY, new_tls_key())
    Vault.create(directory / VAULT_KEY)


def load_identity(directory: Path, hub: MemberId) -> HubIdentity:
    """Load the keys of a hub.

    Raises:
        KeyFileError: A key file is missing, damaged or open to others.
    """
    signing = SigningKey.load(directory / IDENTITY_KEY)
    ca_certificate = read_private(directory / CA_CERTIFICATE, _MAX_CERTIFICATE_BYTES)
    return HubIdentity(
        hub=hub,
        signing=signing,
        encryption=EncryptionKey.load(directory / ENCRYPTION_KEY),
        ca_key_pem=load_tls_key(directory / CA_KEY),
        ca_certificate_pem=ca_certificate,
        tls_key_pem=load_tls_key(directory / TLS_KEY),
        vault=Vault.load(directory / VAULT_KEY),
        anchor=make_anchor(hub, signing, certificate_der(ca_certificate), log_origin(hub)),
    )


def certify(
    connection: Connection,
    identity: HubIdentity,
    *,
    member: str,
    use: identity_pb2.KeyUse.ValueType,
    public_key: bytes,
    pq_public_key: bytes,
    now_ms: int,
    days: int,
) -> identity_pb2.KeyCertificate:
    """Certify a key of a member and store the certificate.

    Args:
        connection: A writing transaction.
        identity: The certifying hub.
        member: Owner of the key.
        use: Signing or encryption.
        public_key: Public key of that use.
        pq_public_key: ML-DSA-65 half of a signing key, or empty.
        now_ms: Present moment, milliseconds since the epoch, UTC.
        days: Validity, days.

    Raises:
        UntrustedCertificateError: The parts do not make a valid certificate.
    """
    serial = members.next_number(connection, SERIAL_COUNTER)
    certificate = issue_key_certificate(
        identity.signing,
        issuer=identity.hub,
        member=member,
        kind=parse_member_id(member).kind,
        use=use,
        suite=SUITE,
        public_key=public_key,
        pq_public_key=pq_public_key,
        not_before_ms=now_ms - 300_000,
        not_after_ms=now_ms + days * _DAY_MS,
        serial=serial,
    )
    body = identity_pb2.KeyCertificateBody.FromString(certificate.body)
    stored = members.StoredCertificate(
        serial=serial,
        member=MemberId(member),
        key_id=body.key_id,
        use=body.use,
        not_before_ms=body.not_before_ms,
        not_after_ms=body.not_after_ms,
        certificate=certificate.SerializeToString(deterministic=True),
    )
    members.add_certificates(connection, [stored])
    return certificate


def find_own_certificate(
    connection: Connection, identity: HubIdentity, now_ms: int
) -> identity_pb2.KeyCertificate | None:
    """The certificate of the hub's encryption key, or None when it must be certified anew."""
    valid = [
        row
        for row in members.certificates(connection, member_id=identity.hub)
        if row.key_id == identity.encryption.key_id
        and row.not_before_ms <= now_ms < row.not_after_ms - _KEY_RENEW_BEFORE_MS
    ]
    return identity_pb2.KeyCertificate.FromString(valid[-1].certificate) if valid else None


def own_certificates(
    connection: Connection, identity: HubIdentity, now_ms: int
) -> list[identity_pb2.KeyCertificate]:
    """The hub's own key certificates; certifies its encryption key anew in good time.

    Args:
        connection: A writing transaction.
        identity: The hub.
        now_ms: Present moment, milliseconds since the epoch, UTC.
    """
    found = find_own_certificate(connection, identity, now_ms)
    if found is not None:
        return [found]
    return [
        certify(
            connection,
            identity,
            member=identity.hub,
            use=identity_pb2.KEY_USE_ENCRYPTION,
            public_key=identity.encryption.public_bytes,
            pq_public_key=b"",
            now_ms=now_ms,
            days=_KEY_DAYS,
        )
    ]


class MemberKeys:
    """Certified keys of members, verified when a member is first seen.

    Verifying the certificates of every member at start would take half a minute for a province;
    this takes a fraction of a millisecond when a member calls. Safe to share between threads.
    """

    __slots__ = ("_held", "_identity", "_lock", "keyring")

    def __init__(self, identity: HubIdentity) -> None:
        self._identity = identity
        self._held: set[int] = set()
        self._lock = threading.Lock()
        self.keyring = Keyring([identity.anchor])
        """The keys seen so far."""

    def learn(self, connection: Connection, member_id: str) -> None:
        """Verify and hold the certificates of a member that are not held yet.

        Raises:
            UntrustedCertificateError: A stored certificate is not signed by this hub's anchor.
        """
        rows = members.certificates(connection, member_id=member_id)
        with self._lock:
            for row in rows:
                if row.serial not in self._held:
                    self.keyring.add(identity_pb2.KeyCertificate.FromString(row.certificate))
                    self._held.add(row.serial)
                if row.revoked_at_ms is not None:
                    self.keyring.revoke(self._identity.hub, row.serial, row.revoked_at_ms)


def keys_digest(key: VerifyingKey, encryption_public_key: bytes, tls_public_key: bytes) -> bytes:
    """SHA-256 over the keys of a join request: what makes two requests the same."""
    parts = (key.public_key, key.pq_public_key, encryption_public_key, tls_public_key)
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(4))
        digest.update(part)
    return digest.digest()
