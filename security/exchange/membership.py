"""Membership (成员身份): what a member holds after it joined a hub, in one directory.

Rules:
    1. ``membership.pb`` holds the hub's answer to the last join or renewal, written whole or not
       at all; it was verified before (``join``, ``renew``). Its certificates say which epoch of
       the keys (``key_files``) is in force.
    2. ``certificates.pb`` holds every certificate this member ever had: with them it proves later
       what it signed before.
    3. What the hub states later (its new keys, revocations, suite policy) is taken only if its
       anchor signed it, and list and policy only if they are not older than those held.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from protos.yixin.v1 import enrolment_pb2, identity_pb2
from security.certificates import (
    CertifiedKey,
    Keyring,
    Revocations,
    anchor_bytes,
    open_revocations,
    parse_anchor,
)
from security.encoding import parse_exactly
from security.errors import MembershipError, SecurityError, UntrustedCertificateError
from security.exchange.key_files import MemberKeys, select_keys
from security.exchange.member_files import own_certificates
from security.exchange.sealing import SealingContext
from security.members import MemberId, parse_member_id
from security.policy import Policy, check_suite, open_policy
from security.private_files import read_private, write_private
from security.tls import certificate_pem, member_id_of, not_after

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime
    from pathlib import Path

    from security.keys import EncryptionKey, SigningKey

MEMBERSHIP_FILE: Final = "membership.pb"
MAX_MEMBERSHIP_BYTES: Final = 8 * 1024 * 1024
MAX_HUB_KEYS: Final = 32


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
    certified: tuple[CertifiedKey, CertifiedKey] = field(repr=False)
    """The signing and the encryption key in force, as certified."""
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
        """Keys that open envelopes, by key id, retired ones included."""
        keys = (*self.keys.retired, self.keys.encryption)
        return {key.key_id: key for key in keys}

    @property
    def policy(self) -> Policy | None:
        """The newest suite policy of the hub that is held; None for none."""
        if not self.joined.HasField("policy"):
            return None
        return open_policy(self.joined.policy, self.anchor, member=self.member_id, held=None)

    @property
    def revocations(self) -> Revocations | None:
        """The newest revocation list of the hub that is held; None for none."""
        if not self.joined.HasField("revocations"):
            return None
        return open_revocations(self.joined.revocations, self.anchor, held_version=0)

    @property
    def revocations_version(self) -> int:
        """Version of the hub's revocation list that is held; 0 for none."""
        held = self.revocations
        return held.version if held else 0

    @property
    def tls_not_after(self) -> datetime:
        """Last moment of the TLS certificate, UTC-aware."""
        return not_after(self.tls_certificate_pem)

    def can_be_logged(self, key_id: str, now_ms: int) -> bool:
        """Whether the hub still takes what one of this member's keys signed.

        Args:
            key_id: Key that signed.
            now_ms: Present moment, milliseconds since the epoch, UTC.
        """
        try:
            self.keyring.find(self.member_id, key_id, identity_pb2.KEY_USE_SIGNING, now_ms)
        except UntrustedCertificateError:
            return False
        return True

    def sealing_context(self, now_ms: int) -> SealingContext:
        """Keys to seal for the hub now.

        Raises:
            UntrustedCertificateError: No encryption key of the hub of this member's suite is valid
                now.
            SuitePolicyError: The hub's policy does not take this member's suite.
        """
        suite = self.keys.encryption.suite.name
        if self.policy is not None:
            check_suite(self.policy, suite)
        key = self.keyring.current(
            self.hub_id, identity_pb2.KEY_USE_ENCRYPTION, now_ms, suite=suite
        )
        return SealingContext(
            sender=self.member_id,
            signing_key=self.keys.signing,
            recipient_key=key,
            now_ms=now_ms,
        )

    def learn_policy(self, signed: identity_pb2.SuitePolicy) -> bool:
        """Take the hub's suite policy, and keep a newer one durably.

        Args:
            signed: Policy as received.

        Returns:
            Whether it is newer than the one held.

        Raises:
            SuitePolicyError: Not signed by the pinned anchor, for another member, or older than
                the one held.
        """
        held = self.policy
        if open_policy(signed, self.anchor, member=self.member_id, held=held) == held:
            return False
        self.joined.policy.CopyFrom(signed)
        save_join(self.directory, self.joined)
        return True

    def learn_revocations(self, signed: identity_pb2.RevocationList) -> bool:
        """Take the hub's revocation list, and keep a newer one durably.

        Args:
            signed: List as received.

        Returns:
            Whether it is newer than the one held.

        Raises:
            UntrustedCertificateError: Not signed by the pinned anchor, or older than the one held.
        """
        held = self.revocations_version
        fresh = open_revocations(signed, self.anchor, held_version=held)
        if fresh.version == held:
            return False
        fresh.apply(self.keyring)
        self.joined.revocations.CopyFrom(signed)
        save_join(self.directory, self.joined)
        return True

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
    response = load_join(directory)
    return make_membership(
        directory,
        response,
        certified_keys(directory, response),
        earlier=own_certificates(directory),
    )


def certified_keys(directory: Path, response: enrolment_pb2.JoinResponse) -> MemberKeys:
    """Load the keys that the certificates of an answer are for.

    Raises:
        MembershipError: A certificate does not parse.
        KeyFileError: A key is not there, damaged or open to others.
    """
    try:
        return select_keys(
            directory,
            signing=_named_key(response.signing_certificate),
            encryption=_named_key(response.encryption_certificate),
            tls_certificate=response.tls_certificate_der,
        )
    except (ValueError, UntrustedCertificateError) as error:
        raise MembershipError(f"the membership in {directory} is not consistent: {error}") from (
            error
        )


def load_join(directory: Path) -> enrolment_pb2.JoinResponse:
    """Read the hub's answer as it was kept; it was verified then.

    Raises:
        MembershipError: The directory holds no membership, or it is damaged.
        KeyFileError: The file is open to others.
    """
    if not is_joined(directory):
        raise MembershipError(
            f"{directory} has not joined a hub: ask the hub's officer for a token and run "
            "the join command with it"
        )
    raw = read_private(directory / MEMBERSHIP_FILE, MAX_MEMBERSHIP_BYTES)
    try:
        return parse_exactly(enrolment_pb2.JoinResponse, raw, MAX_MEMBERSHIP_BYTES)
    except ValueError as error:
        raise MembershipError(
            f"{directory / MEMBERSHIP_FILE} is damaged: {error}. Restore it or join again"
        ) from error


def make_membership(
    directory: Path,
    response: enrolment_pb2.JoinResponse,
    keys: MemberKeys,
    *,
    earlier: Iterable[identity_pb2.KeyCertificate] = (),
) -> Membership:
    """Put keys and the hub's answer together, and check that they belong together.

    Args:
        directory: The member's directory.
        response: The hub's answer; its anchor is trusted by the caller.
        keys: Private keys of the member.
        earlier: Certificates of the member's earlier epochs.

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
        for certificate in earlier:
            _add_key(keyring, certificate, member)
        if response.HasField("policy"):
            open_policy(response.policy, anchor, member=member, held=None)
        if response.HasField("revocations"):
            open_revocations(response.revocations, anchor, held_version=0).apply(keyring)
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
        certified=(signing, encryption),
        joined=response,
    )


def _named_key(certificate: identity_pb2.KeyCertificate) -> str:
    body = parse_exactly(identity_pb2.KeyCertificateBody, certificate.body, MAX_MEMBERSHIP_BYTES)
    return body.key_id


def _add_key(
    keyring: Keyring, certificate: identity_pb2.KeyCertificate, owner: str
) -> CertifiedKey:
    key = keyring.add(certificate)
    if key.member != owner:
        raise MembershipError(f"a key of {key.member} was presented as one of {owner}")
    return key
