"""A hub and its members with real keys, certificates and envelopes, for tests of both ends."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from protos.yixin.v1 import envelope_pb2
from security.certificates import (
    ENCRYPTION,
    SIGNING,
    CertifiedKey,
    Keyring,
    issue_key_certificate,
    make_anchor,
)
from security.chain import GENESIS, ZERO_HASH, ChainPosition
from security.envelope import OutgoingEnvelope, envelope_hash, seal
from security.keys import EncryptionKey, SigningKey
from security.members import parse_member_id
from security.tls import certificate_der, create_ca, csr_der, issue_member_certificate, new_tls_key

if TYPE_CHECKING:
    from protos.yixin.v1 import identity_pb2

HUB = "yixin://330300/hub/city"
NODE = "yixin://330302/node/H33030200001"
OTHER_NODE = "yixin://330303/node/H33030300001"
PROVINCE = "yixin://330000/hub/province"

NOW = datetime(2026, 11, 1, 4, 0, tzinfo=UTC)
NOW_MS = int(NOW.timestamp() * 1000)
DAY_MS = 24 * 3600 * 1000
YEAR_MS = 365 * DAY_MS


@dataclass(kw_only=True)
class MemberUnderTest:
    """A member with every key it owns and the certificates its hub issued."""

    member_id: str
    signing: SigningKey
    encryption: EncryptionKey
    tls_key_pem: bytes
    tls_certificate_der: bytes
    certificates: tuple[identity_pb2.KeyCertificate, ...]

    @property
    def decryption_keys(self) -> dict[str, EncryptionKey]:
        return {self.encryption.key_id: self.encryption}


@dataclass(kw_only=True)
class HubUnderTest:
    """A hub: identity key, authority, anchor, and the members it certified."""

    hub_id: str
    signing: SigningKey
    encryption: EncryptionKey
    ca_key_pem: bytes
    ca_certificate_pem: bytes
    anchor: identity_pb2.TrustAnchor
    serial: int = 0
    certificates: list[identity_pb2.KeyCertificate] = field(default_factory=list)

    @property
    def decryption_keys(self) -> dict[str, EncryptionKey]:
        return {self.encryption.key_id: self.encryption}

    @property
    def encryption_key(self) -> CertifiedKey:
        return self.keyring().current(self.hub_id, ENCRYPTION, NOW_MS)

    def keyring(self) -> Keyring:
        """A ring that trusts this hub and holds everything it certified so far."""
        ring = Keyring([self.anchor])
        for certificate in self.certificates:
            ring.add(certificate)
        return ring

    def certify(
        self,
        member: str,
        key: SigningKey | EncryptionKey,
        **changes: Any,  # noqa: ANN401 - parts of any type
    ) -> identity_pb2.KeyCertificate:
        """Certify a key for a year from the day before ``NOW``; ``changes`` override parts."""
        self.serial += 1
        parts: dict[str, Any] = {
            "issuer": self.hub_id,
            "member": member,
            "kind": parse_member_id(member).kind.value,
            "suite": "INTL-PQ",
            "not_before_ms": NOW_MS - DAY_MS,
            "not_after_ms": NOW_MS + YEAR_MS,
            "serial": self.serial,
        }
        if isinstance(key, SigningKey):
            parts |= {
                "use": SIGNING,
                "public_key": key.verifying.public_key,
                "pq_public_key": key.verifying.pq_public_key,
            }
        else:
            parts |= {
                "use": ENCRYPTION,
                "suite": key.suite.name,
                "public_key": key.public_bytes,
                "pq_public_key": b"",
            }
        certificate = issue_key_certificate(self.signing, **(parts | changes))
        self.certificates.append(certificate)
        return certificate

    def enrol(
        self, member: str, *, suite: str = "INTL-PQ", post_quantum: bool = False
    ) -> MemberUnderTest:
        """Make a member's keys and certify all of them."""
        signing = SigningKey.generate(post_quantum=post_quantum)
        encryption = EncryptionKey.generate(suite)
        tls_key = new_tls_key()
        return MemberUnderTest(
            member_id=member,
            signing=signing,
            encryption=encryption,
            tls_key_pem=tls_key,
            tls_certificate_der=issue_member_certificate(
                self.ca_key_pem, self.ca_certificate_pem, csr_der(tls_key), member, NOW
            ),
            certificates=(self.certify(member, signing), self.certify(member, encryption)),
        )


def make_hub(hub_id: str = HUB, *, post_quantum: bool = True) -> HubUnderTest:
    """Make a hub with an identity key, an authority, an anchor and an encryption key."""
    signing = SigningKey.generate(post_quantum=post_quantum)
    ca_key, ca_certificate = create_ca(hub_id, NOW - timedelta(days=1))
    hub = HubUnderTest(
        hub_id=hub_id,
        signing=signing,
        encryption=EncryptionKey.generate("INTL-PQ"),
        ca_key_pem=ca_key,
        ca_certificate_pem=ca_certificate,
        anchor=make_anchor(
            hub_id, signing, certificate_der(ca_certificate), f"{hub_id.split('/')[2]}/log"
        ),
    )
    hub.certify(hub_id, hub.encryption)
    return hub


@lru_cache(maxsize=1)
def city() -> tuple[HubUnderTest, MemberUnderTest]:
    """One hub and one node, made once per process; tests that certify more make their own."""
    hub = make_hub()
    return hub, hub.enrol(NODE)


def outgoing(
    hub: HubUnderTest,
    node: MemberUnderTest,
    *,
    after: ChainPosition = GENESIS,
    **changes: Any,  # noqa: ANN401 - parts of any type
) -> OutgoingEnvelope:
    """A statement from the node to its hub, next in its chain; ``changes`` override parts."""
    envelope = OutgoingEnvelope(
        suite=hub.encryption.suite.name,
        sender=node.member_id,
        sender_key=node.signing,
        recipient=hub.hub_id,
        recipient_key_id=hub.encryption.key_id,
        recipient_public_key=hub.encryption.public_bytes,
        purpose="supervision",
        data_class="aggregate",
        payload_type="statements",
        schema_version=1,
        period="2026H1",
        lane=envelope_pb2.LANE_BULK,
        incarnation=max(1, after.incarnation),
        seq=after.seq + 1,
        previous_hash=after.hash,
        created_at_ms=NOW_MS,
        expires_at_ms=NOW_MS + 30 * DAY_MS,
        pack_digest=ZERO_HASH,
        payload=b"statement",
    )
    return replace(envelope, **changes)


def chain_of(
    hub: HubUnderTest,
    node: MemberUnderTest,
    count: int,
    **changes: Any,  # noqa: ANN401 - parts of any type
) -> list[envelope_pb2.SealedEnvelope]:
    """The first envelopes of a chain from the node to its hub, in order."""
    held, sealed = GENESIS, []
    for seq in range(1, count + 1):
        envelope = seal(outgoing(hub, node, after=held, payload=b"statement %d" % seq, **changes))
        held = ChainPosition(incarnation=1, seq=seq, hash=envelope_hash(envelope))
        sealed.append(envelope)
    return sealed
