"""Membership (成员身份): what a member holds after it joined a hub, in one directory.

Rules:
    1. Keys are made once and never overwritten; files are readable by their owner only.
    2. ``membership.pb`` holds the hub's answer to the join request, written whole or not at
       all; it was verified against the join token's pin before (``join``).
    3. What the hub certifies later (its new keys) is taken only if its anchor signed it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from protos.yixin.v1 import enrolment_pb2, identity_pb2
from security.certificates import CertifiedKey, Keyring, anchor_bytes, parse_anchor
from security.encoding import parse_exactly
from security.errors import MembershipError, SecurityError
from security.exchange.sealing import SealingContext
from security.keys import EncryptionKey, SigningKey
from security.members import MemberId, parse_member_id
from security.private_files import read_private, write_private
from security.suites import get_suite
from security.tls import (
    certificate_pem,
    load_tls_key,
    member_id_of,
    new_tls_key,
    not_after,
    save_tls_key,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime
    from pathlib import Path

SIGNING_KEY_FILE: Final = "signing.key"
ENCRYPTION_KEY_FILE: Final = "encryption.key"
TLS_KEY_FILE: Final = "tls.key"
MEMBERSHIP_FILE: Final = "membership.pb"
DEFAULT_SUITE: Final = "INTL-PQ"
MAX_MEMBERSHIP_BYTES: Final = 8 * 1024 * 1024
MAX_HUB_KEYS: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberKeys:
    """The private keys of a member; a repr never shows them."""

    signing: SigningKey = field(repr=False)
    """Signs envelopes and heads."""
    encryption: EncryptionKey = field(repr=False)
    """Opens envelopes addressed to the member."""
    tls_key_pem: bytes = field(repr=False)
    """Private key of the TLS certificate, PEM."""


def create_keys(directory: Path, *, post_quantum: bool, suite: str = DEFAULT_SUITE) -> MemberKeys:
    """Make the keys that are not there yet, and load all of them.

    A second call after a crash keeps what the first one made.

    Args:
        directory: The member's directory; created with mode 0700.
        post_quantum: Whether the signing key has an ML-DSA-65 half; hubs do.
        suite: Suite of the encryption key.

    Raises:
        KeyFileError: A key file is damaged or open to others.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not (directory / SIGNING_KEY_FILE).exists():
        SigningKey.generate(post_quantum=post_quantum).save(directory / SIGNING_KEY_FILE)
    if not (directory / ENCRYPTION_KEY_FILE).exists():
        EncryptionKey.generate(get_suite(suite)).save(directory / ENCRYPTION_KEY_FILE)
    if not (directory / TLS_KEY_FILE).exists():
        save_tls_key(directory / TLS_KEY_FILE, new_tls_key())
    return load_keys(directory)


def load_keys(directory: Path) -> MemberKeys:
    """Load the keys of a member.

    Raises:
        KeyFileError: A key file is missing, damaged or open to others.
    """
    return MemberKeys(
        signing=SigningKey.load(directory / SIGNING_KEY_FILE),
        encryption=EncryptionKey.load(directory / ENCRYPTION_KEY_FILE),
        tls_key_pem=load_tls_key(directory / TLS_KEY_FILE),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    """A member, its keys, and the hub it joined."""

    directory: Path
    """Where all of this is kept."""
    member_id: MemberId
    """Id given by the hub."""
    hub_id: MemberId
    """The hub."""
    exchange_address: str
    """host:port of the hub's Exchange service."""
    keys: MemberKeys = field(repr=False)
    """Private keys."""
    tls_certificate_pem: bytes = field(repr=False)
    """TLS certificate of the member."""
    ca_certificate_pem: bytes = field(repr=False)
    """TLS root of the hub."""
    anchor: identity_pb2.TrustAnchor = field(repr=False)
    """The hub's anchor, as pinned by the join token."""
    keyring: Keyring = field(repr=False)
    """Keys that the hub's anchor certified."""
    joined: enrolment_pb2.JoinResponse = field(repr=False)
    """The hub's answer, with the certificates of both sides."""

    @property
    def kind(self) -> str:
        """Kind of the member: node, hub or department."""
        return parse_member_id(self.member_id).kind.value

    @property
    def tls_key_pem(self) -> bytes:
        """Private key of the TLS certificate, PEM."""
        return self.keys.tls_key_pem

    @property
    def signing_key(self) -> SigningKey:
        """Key that signs envelopes and heads."""
        return self.keys.signing

    @property
    def decryption_keys(self) -> Mapping[str, EncryptionKey]:
        """Keys that open envelopes, by key id."""
        return {self.keys.encryption.key_id: self.keys.encryption}

    @property
    def tls_not_after(self) -> datetime:
        """Last moment of the TLS certificate, UTC-aware."""
        return not_after(self.tls_certificate_pem)

    def sealing_context(self, now_ms: int) -> SealingContext:
        """Keys to seal for the hub now.

        Raises:
            UntrustedCertificateError: No encryption key of the hub is valid now.
        """
        key = self.keyring.current(self.hub_id, identity_pb2.KEY_USE_ENCRYPTION, now_ms)
        return SealingContext(
            sender=self.member_id,
            signing_key=self.keys.signing,
            recipient_key=key,
            now_ms=now_ms,
        )

    def learn_hub_keys(self, certificates: Iterable[identity_pb2.KeyCertificate]) -> None:
        """Take the hub's present keys, and keep new ones durably.

        Raises:
            UntrustedCertificateError: A certificate is not signed by the pinned anchor.
            MembershipError: Too many certificates, or one of another member.
        """
        known = {bytes(certificate.body) for certificate in self.joined.hub_keys}
        fresh = [
            certificate for certificate in certificates if bytes(certificate.body) not in known
        ]
        if not fresh:
            return
        if len(fresh) > MAX_HUB_KEYS:
            raise MembershipError(
                f"{self.hub_id} presents {len(fresh)} new keys, at most {MAX_HUB_KEYS} are taken"
            )
        for certificate in fresh:
            _add_key(self.keyring, certificate, self.hub_id)
        self.joined.hub_keys.extend(fresh)
        del self.joined.hub_keys[: -2 * MAX_HUB_KEYS]
        save_join(self.directory, self.joined)


def save_join(directory: Path, response: enrolment_pb2.JoinResponse) -> None:
    """Keep the hub's verified answer.

    Raises:
        KeyFileError: The file cannot be written.
    """
    write_private(
        directory / MEMBERSHIP_FILE,
        response.SerializeToString(deterministic=True),
        replace=True,
    )


def is_joined(directory: Path) -> bool:
    """Whether the directory holds a membership."""
    return (directory / MEMBERSHIP_FILE).exists()


def load(directory: Path) -> Membership:
    """Load a membership.

    Args:
        directory: The member's directory.

    Raises:
        MembershipError: The directory holds no membership, or its parts contradict each other.
        KeyFileError: A key file is missing, damaged or open to others.
    """
    if not is_joined(directory):
        raise MembershipError(
            f"{directory} has not joined a hub: ask the hub's officer for a token and run "
            "the join command with it"
        )
    raw = read_private(directory / MEMBERSHIP_FILE, MAX_MEMBERSHIP_BYTES)
    try:
        response = parse_exactly(enrolment_pb2.JoinResponse, raw, MAX_MEMBERSHIP_BYTES)
    except ValueError as error:
        raise MembershipError(
            f"{directory / MEMBERSHIP_FILE} is damaged: {error}. Restore it or join again"
        ) from error
    return make_membership(directory, response, load_keys(directory))


def make_membership(
    directory: Path, response: enrolment_pb2.JoinResponse, keys: MemberKeys
) -> Membership:
    """Put keys and the hub's answer together, and check that they belong together.

    Args:
        directory: The member's directory.
        response: The hub's answer; its anchor is trusted by the caller.
        keys: Private keys of the member.

    Raises:
        MembershipError: A certificate is not for these keys, not of this member, or missing.
    """
    try:
        anchor = parse_anchor(anchor_bytes(response.anchor))
        keyring = Keyring([anchor])
        hub = parse_member_id(anchor.hub).member_id
        member = parse_member_id(response.member).member_id
        signing = _add_key(keyring, response.signing_certificate, member)
        encryption = _add_key(keyring, response.encryption_certificate, member)
        for certificate in response.hub_keys:
            _add_key(keyring, certificate, hub)
        tls_certificate = certificate_pem(response.tls_certificate_der)
        named = member_id_of(tls_certificate)
        root = certificate_pem(anchor.ca_certificate_der)
    except (SecurityError, ValueError) as error:
        raise MembershipError(f"the membership in {directory} is not consistent: {error}") from (
            error
        )
    faults = {
        "the signing certificate is for another key": (signing.key_id, signing.use)
        != (keys.signing.key_id, identity_pb2.KEY_USE_SIGNING),
        "the encryption certificate is for another key": (encryption.key_id, encryption.use)
        != (keys.encryption.key_id, identity_pb2.KEY_USE_ENCRYPTION),
        f"the TLS certificate names {named}, the membership {member}": named != member,
        "the hub's exchange address is missing": not response.exchange_address,
    }
    for fault, found in faults.items():
        if found:
            raise MembershipError(f"the membership in {directory} is not consistent: {fault}")
    return Membership(
        directory=directory,
        member_id=member,
        hub_id=hub,
        exchange_address=response.exchange_address,
        keys=keys,
        tls_certificate_pem=tls_certificate,
        ca_certificate_pem=root,
        anchor=anchor,
        keyring=keyring,
        joined=response,
    )


def _add_key(
    keyring: Keyring, certificate: identity_pb2.KeyCertificate, owner: str
) -> CertifiedKey:
    key = keyring.add(certificate)
    if key.member != owner:
        raise MembershipError(f"a key of {key.member} was presented as one of {owner}")
    return key
