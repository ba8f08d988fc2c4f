"""Mutants of what is exchanged: envelopes, receipts, heads, checkpoints, certificates, policies."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

from protos.yixin.v1 import envelope_pb2, exchange_pb2, identity_pb2
from security.certificates import Keyring, verify_key_certificate
from security.countersigning import countersign_group, sm2_key_id
from security.encoding import parse_exactly
from security.envelope import (
    decrypt_envelope,
    open_envelope,
    parse_envelope,
    seal,
    verify_delivery,
)
from security.errors import SecurityError
from security.exchange.heads import open_heads, sign_heads
from security.exchange.receipts import verify_receipt
from security.group_signature import sign_group
from security.keys import EncryptionKey, SigningKey
from security.merkle import Tree, leaf_hash
from security.policy import Policy, open_policy, sign_policy
from security.signatures import SignatureScheme
from security.transparency import Checkpoint, sign_checkpoint, verify_checkpoint
from tests.support.members import HUB, NODE, NOW_MS, HubUnderTest, make_hub, outgoing
from tests.support.mutants import change_message, register

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from google.protobuf.message import Message

    from tests.support.mutants import Draw, Subject

MAX_BYTES = 2**20
SUITES = ("INTL-PQ", "INTL", "GM")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """A serialised message, whose fields are those of a second message inside it as well."""

    data: bytes
    read: Callable[[bytes], Hashable] = field(repr=False)
    kind: type[Message]
    inner: tuple[str, type[Message]] | None = None

    def judge(self, data: bytes) -> Hashable:
        try:
            return self.read(data)
        except ValueError as error:
            raise SecurityError(str(error)) from error

    def change_field(self, draw: Draw) -> bytes:
        message = self.kind()
        message.ParseFromString(self.data)
        if self.inner is not None and draw.randrange(2):
            name, kind = self.inner
            part = kind()
            part.ParseFromString(getattr(message, name))
            changed = change_message(part, draw).SerializeToString(deterministic=True)
            setattr(message, name, changed)
            return message.SerializeToString(deterministic=True)
        return change_message(message, draw).SerializeToString(deterministic=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A signed note."""

    data: bytes
    hub: HubUnderTest = field(repr=False)

    def judge(self, data: bytes) -> Hashable:
        try:
            text = data.decode()
        except UnicodeDecodeError as error:
            raise SecurityError("not UTF-8") from error
        return verify_checkpoint(text, self.hub.anchor)

    def change_field(self, draw: Draw) -> bytes:
        lines = self.data.decode().split("\n")
        at = draw.randrange(len(lines))
        words = lines[at].split(" ")
        word = draw.randrange(len(words))
        words[word] = draw.choice(["", words[word] + "1", words[word][:-1], words[word][::-1]])
        lines[at] = " ".join(words)
        return "\n".join(lines).encode()


@dataclass(frozen=True, kw_only=True)
class World:
    """A hub with a member of each suite."""

    hub: HubUnderTest
    keyring: Keyring
    hub_sm2: SigningKey
    signing: dict[str, SigningKey]
    encryption: dict[str, EncryptionKey]


@lru_cache(maxsize=1)
def world() -> World:
    hub = make_hub()
    sm2 = SigningKey.generate(post_quantum=False, scheme=SignatureScheme.SM2_SM3)
    edwards = SigningKey.generate(post_quantum=False)
    hub_sm2 = SigningKey.generate(post_quantum=False, scheme=SignatureScheme.SM2_SM3)
    hub.certify(HUB, hub_sm2, suite="GM")
    hub.certificates += [hub.certify(NODE, edwards), hub.certify(NODE, sm2, suite="GM")]
    return World(
        hub=hub,
        keyring=hub.keyring(),
        hub_sm2=hub_sm2,
        signing={"INTL-PQ": edwards, "INTL": edwards, "GM": sm2},
        encryption={suite: EncryptionKey.generate(suite) for suite in SUITES},
    )


@register("envelopes", weight=40)
def envelopes() -> Sequence[Subject]:
    return [*(_envelope(suite) for suite in SUITES), _delivery()]


def _envelope(suite: str) -> Sealed:
    here = world()
    key = here.encryption[suite]
    node = here.hub.enrol(NODE)
    made = seal(
        outgoing(
            here.hub,
            node,
            suite=suite,
            sender_key=here.signing[suite],
            recipient_key_id=key.key_id,
            recipient_public_key=key.public_bytes,
        )
    )

    def read(data: bytes) -> Hashable:
        envelope = parse_envelope(data)
        opened = open_envelope(
            envelope,
            recipient=HUB,
            decryption_keys={key.key_id: key},
            keyring=here.keyring,
            now_ms=NOW_MS,
        )
        return opened.hash, opened.payload

    return Sealed(
        data=made.SerializeToString(deterministic=True),
        read=read,
        kind=envelope_pb2.SealedEnvelope,
        inner=("header", envelope_pb2.EnvelopeHeader),
    )


def _delivery() -> Sealed:
    """From the hub to a member of GM, signed with SM2 too."""
    here = world()
    key = here.encryption["GM"]
    made = seal(
        outgoing(
            here.hub,
            here.hub.enrol(NODE),
            suite="GM",
            sender=HUB,
            sender_key=here.hub.signing,
            recipient=NODE,
            recipient_key_id=key.key_id,
            recipient_public_key=key.public_bytes,
            sm2_key=here.hub_sm2,
        )
    )

    def read(data: bytes) -> Hashable:
        envelope = parse_envelope(data)
        verified = verify_delivery(envelope, recipient=NODE, keyring=here.keyring, now_ms=NOW_MS)
        return verified.hash, decrypt_envelope(envelope, verified, {key.key_id: key}).payload

    return Sealed(
        data=made.SerializeToString(deterministic=True),
        read=read,
        kind=envelope_pb2.SealedEnvelope,
        inner=("header", envelope_pb2.EnvelopeHeader),
    )


@register("receipts", weight=15)
def receipts() -> Sequence[Subject]:
    return [*_receipts("INTL-PQ"), *_receipts("GM")]


def _receipts(suite: str) -> list[Sealed]:
    here = world()
    sm2 = here.hub_sm2 if suite == "GM" else None
    bodies = [
        exchange_pb2.ReceiptBody(
            format=1,
            hub=HUB,
            sender=NODE,
            lane=envelope_pb2.LANE_BULK,
            incarnation=1,
            seq=seq,
            envelope_hash=bytes([seq]) * 32,
            log_index=seq,
            logged_at_ms=NOW_MS,
            status=exchange_pb2.RECEIPT_STATUS_STORED,
            sm2_key_id=sm2_key_id(sm2),
        ).SerializeToString(deterministic=True)
        for seq in range(1, 12)
    ]
    _, proofs, signature = sign_group(here.hub.signing, "yixin/receipt-group/v1", bodies)

    def read(data: bytes) -> Hashable:
        receipt = parse_exactly(exchange_pb2.Receipt, data, MAX_BYTES)
        verified = verify_receipt(receipt, here.keyring, hub=HUB, sender=NODE, suite=suite)
        return verified.body, verified.receipt

    return [
        Sealed(
            data=exchange_pb2.Receipt(
                body=bodies[at],
                key_id=here.hub.signing.key_id,
                leaf_index=at,
                group_size=len(bodies),
                path=proofs[at].path,
                signature=signature.classical,
                pq_signature=signature.post_quantum,
                sm2_signature=countersign_group(sm2, "yixin/receipt-group/v1", bodies),
            ).SerializeToString(deterministic=True),
            read=read,
            kind=exchange_pb2.Receipt,
            inner=("body", exchange_pb2.ReceiptBody),
        )
        for at in (0, 6, 10)
    ]


@register("heads", weight=5)
def heads() -> Sequence[Subject]:
    here = world()
    return [
        _heads(here.signing["INTL"], None, signer=NODE, peer=HUB),
        _heads(here.hub.signing, here.hub_sm2, signer=HUB, peer=NODE),
    ]


def _heads(key: SigningKey, sm2: SigningKey | None, *, signer: str, peer: str) -> Sealed:
    signed = sign_heads(
        key, signer=signer, peer=peer, heads={}, at_ms=NOW_MS, downlink=sm2 is None, sm2_key=sm2
    )

    def read(data: bytes) -> Hashable:
        message = parse_exactly(exchange_pb2.SignedHeads, data, MAX_BYTES)
        open_heads(
            message,
            world().keyring,
            signer=signer,
            peer=peer,
            downlink=sm2 is None,
            now_ms=NOW_MS,
            is_national=sm2 is not None,
        )
        return message.body, message.key_id

    return Sealed(
        data=signed.SerializeToString(deterministic=True),
        read=read,
        kind=exchange_pb2.SignedHeads,
        inner=("body", exchange_pb2.HeadsBody),
    )


@register("checkpoints", weight=10)
def checkpoints() -> Sequence[Subject]:
    hub = world().hub
    tree = Tree(leaf_hash(bytes([number])) for number in range(200))
    checkpoint = Checkpoint(origin=hub.anchor.log_origin, size=tree.size, root=tree.root)
    return [Note(data=sign_checkpoint(checkpoint, hub.signing).encode(), hub=hub)]


@register("certificates", weight=5)
def certificates() -> Sequence[Subject]:
    here = world()

    def read(data: bytes) -> Hashable:
        certificate = parse_exactly(identity_pb2.KeyCertificate, data, MAX_BYTES)
        verify_key_certificate(certificate, here.hub.anchor)
        return certificate.body

    return [
        Sealed(
            data=certificate.SerializeToString(deterministic=True),
            read=read,
            kind=identity_pb2.KeyCertificate,
            inner=("body", identity_pb2.KeyCertificateBody),
        )
        for certificate in here.hub.certificates[-2:]
    ]


@register("policies", weight=5)
def policies() -> Sequence[Subject]:
    here = world()
    policy = Policy(hub=HUB, member=NODE, version=7, allowed=SUITES, required="GM", at_ms=1)

    def read(data: bytes) -> Hashable:
        signed = parse_exactly(identity_pb2.SuitePolicy, data, MAX_BYTES)
        return open_policy(signed, here.hub.anchor, member=NODE, held=None)

    return [
        Sealed(
            data=sign_policy(here.hub.signing, policy).SerializeToString(deterministic=True),
            read=read,
            kind=identity_pb2.SuitePolicy,
            inner=("body", identity_pb2.SuitePolicyBody),
        )
    ]
