"""Identity of a hub: its keys, its small certificate authority and its trust anchor.

Rules of this module: keys are made once by ``create_identity`` and never overwritten; every file
is readable by its owner only; the identity key signs certificates, policies, revocation lists,
agreements and checkpoints, and nothing else; receipts, heads, publications, custody and downlink
envelopes are signed by the epoch's key, which the identity key certifies. Receipts, heads and
downlink envelopes of members of suite GM are signed by the epoch's SM2 key beside it.
"""

import hashlib
import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from sqlalchemy import Connection

from hub.domain.members import MemberId
from hub.store import members
from hub.store.epochs import SUITE, HubEpochs, SigningEpoch
from protos.yixin.v1 import identity_pb2
from security.at_rest import Vault
from security.certificates import Keyring, anchor_bytes, make_anchor
from security.certificates.subordinate import (
    MAX_CHAIN_BYTES,
    presented_pem,
    verify_subordination,
)
from security.countersigning import is_countersigning
from security.errors import KeyFileError, UntrustedCertificateError
from security.keys import EncryptionKey, SigningKey
from security.private_files import read_private, write_private
from security.suites import GM
from security.tls import (
    authority_of,
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

SERVER_CERTIFICATE_DAYS: Final = 90
_RENEW_BEFORE: Final = timedelta(days=45)
_LOG: Final = logging.getLogger(__name__)
_MAX_CERTIFICATE_BYTES: Final = 16 * 1024

IDENTITY_KEY: Final = "identity.key"
CA_KEY: Final = "ca.key"
CA_CERTIFICATE: Final = "ca.pem"
CA_CHAIN: Final = "ca-chain.pem"
"""Chain of the bureau's own CA, where there is one."""
TLS_KEY: Final = "tls.key"
VAULT_KEY: Final = "vault.key"


@dataclass(frozen=True, slots=True, kw_only=True)
class HubIdentity:
    """The keys of a hub, loaded."""

    hub: MemberId
    """Member id of the hub."""
    root: SigningKey = field(repr=False)
    """Identity key: Ed25519 and ML-DSA-65; the anchor's."""
    epochs: HubEpochs = field(repr=False)
    """Signing and encryption keys by epoch."""
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
    ca_chain_pem: bytes = field(default=b"", repr=False)
    """The authority's chain to the bureau's root, or empty; members pin the authority itself."""

    @property
    def anchor_digest(self) -> bytes:
        """SHA-256 of the anchor: what join tokens pin."""
        return hashlib.sha256(anchor_bytes(self.anchor)).digest()

    @property
    def signing(self) -> SigningKey:
        """Key that signs receipts, heads, deliveries, publications and custody now.

        The identity key until the first epoch is certified, as older hubs did.
        """
        current = self.epochs.current()
        return current.key if current else self.root

    @property
    def sm2_epoch(self) -> SigningEpoch | None:
        """The SM2 key that signs beside ``signing``, for members of suite GM; None for none."""
        return self.epochs.current(GM.name)

    def countersigning(self, suite: str, at_ms: int) -> SigningKey | None:
        """The SM2 key for what a member of a suite is told at a moment; see ``countersigner``."""
        return countersigner(self.sm2_epoch, suite, at_ms)

    @property
    def encryption(self) -> EncryptionKey:
        """Newest key that members of the default suite seal to."""
        return self.epochs.encryption_keys(SUITE)[-1]

    @property
    def decryption_keys(self) -> Mapping[str, EncryptionKey]:
        """Keys that open envelopes, by key id; retired ones too, and new ones as they come."""
        return self.epochs.decryption_keys

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
        return pem + self._presented(now), not_after(pem) - _RENEW_BEFORE

    def _presented(self, now: datetime) -> bytes:
        """The bureau's chain behind the server's certificate; nothing once it has ended."""
        if not self.ca_chain_pem:
            return b""
        try:
            chain = verify_subordination(self.ca_chain_pem, self.ca_certificate_pem, now)
        except UntrustedCertificateError as error:
            _LOG.warning("the chain of the bureau's CA is not presented: %s", error.cause)
            return b""
        return presented_pem(chain)


def countersigner(epoch: SigningEpoch | None, suite: str, at_ms: int) -> SigningKey | None:
    """The SM2 key that signs a statement beside the hub's other key; None where none does.

    Args:
        epoch: The hub's SM2 key and since when it is certified, asked once for what is signed
            together.
        suite: Suite of the member the statement is for.
        at_ms: Moment of the statement, milliseconds since the epoch, UTC: before the key was
            certified nothing is countersigned.
    """
    is_due = epoch is not None and is_countersigning(suite) and epoch.since_ms <= at_ms
    return epoch.key if epoch is not None and is_due else None


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
    epochs = HubEpochs(directory)
    epochs.new_signing()
    epochs.new_encryption(SUITE)
    ca_key, ca_certificate = create_ca(hub, now)
    write_private(directory / CA_KEY, ca_key)
    write_private(directory / CA_CERTIFICATE, ca_certificate)
    save_tls_key(directory / TLS_KEY, new_tls_key())
    Vault.create(directory / VAULT_KEY)


def load_identity(directory: Path, hub: MemberId) -> HubIdentity:
    """Load the keys of a hub.

    Raises:
        KeyFileError: A key file is missing, damaged or open to others, or the keys are another
            hub's.
    """
    ca_certificate = read_private(directory / CA_CERTIFICATE, _MAX_CERTIFICATE_BYTES)
    owner = authority_of(ca_certificate)
    if owner != hub:
        raise KeyFileError(
            f"{directory} holds the keys of {owner[:120]!r}, and hub.toml names {hub}: correct "
            "hub.member there, or put that hub's own keys back"
        )
    root = SigningKey.load(directory / IDENTITY_KEY)
    epochs = HubEpochs.load(directory)
    if not epochs.encryption_keys(SUITE):
        raise KeyFileError(
            f"{directory} holds no encryption key of suite {SUITE}; restore the hub's keys"
        )
    return HubIdentity(
        hub=hub,
        root=root,
        epochs=epochs,
        ca_key_pem=load_tls_key(directory / CA_KEY),
        ca_certificate_pem=ca_certificate,
        tls_key_pem=load_tls_key(directory / TLS_KEY),
        vault=Vault.load(directory / VAULT_KEY),
        ca_chain_pem=_find_chain(directory / CA_CHAIN),
        anchor=make_anchor(hub, root, certificate_der(ca_certificate), log_origin(hub)),
    )


def _find_chain(path: Path) -> bytes:
    return read_private(path, MAX_CHAIN_BYTES) if path.exists() else b""


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
