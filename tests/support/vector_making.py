"""Keys and helpers of ``tests.vectors.make``: one hub, a member of INTL-PQ and one of GM."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, Final

from protos.yixin.v1 import envelope_pb2
from security.chain import GENESIS, ChainPosition
from security.envelope import OutgoingEnvelope, seal
from security.keys import EncryptionKey, SigningKey
from security.signatures import SignatureScheme
from tests.support.members import DAY_MS, HUB, NODE, NOW_MS, OTHER_NODE, make_hub
from tests.support.vector_runner import KINDS, ROOT, Case

HUB_KEYS: Final = make_hub()
SUITES: Final = ("INTL-PQ", "INTL", "GM")
SIGNING: Final = {
    "node": SigningKey.generate(post_quantum=False),
    "gm_node": SigningKey.generate(post_quantum=False, scheme=SignatureScheme.SM2_SM3),
    "hub_sm2": SigningKey.generate(post_quantum=False, scheme=SignatureScheme.SM2_SM3),
}
GM_NODE_ENCRYPTION: Final = EncryptionKey.generate("GM")
ENCRYPTION: Final = {suite: EncryptionKey.generate(suite) for suite in SUITES}
CERTIFICATES: Final = {
    "node_signing": HUB_KEYS.certify(NODE, SIGNING["node"]),
    "gm_node_signing": HUB_KEYS.certify(OTHER_NODE, SIGNING["gm_node"], suite="GM"),
    "hub_sm2_signing": HUB_KEYS.certify(HUB, SIGNING["hub_sm2"], suite="GM"),
    **{f"hub_{suite}": HUB_KEYS.certify(HUB, key) for suite, key in ENCRYPTION.items()},
}
SERIAL: Final = 2
"""Serial of the node's signing certificate: the hub certified its own encryption key before."""


def outgoing(*, after: ChainPosition = GENESIS, suite: str = "INTL-PQ", **changes: Any) -> Any:  # noqa: ANN401
    gm = suite == "GM"
    made = OutgoingEnvelope(
        suite=suite,
        sender=OTHER_NODE if gm else NODE,
        sender_key=SIGNING["gm_node" if gm else "node"],
        recipient=HUB,
        recipient_key_id=ENCRYPTION[suite].key_id,
        recipient_public_key=ENCRYPTION[suite].public_bytes,
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
        expires_at_ms=NOW_MS + 500 * DAY_MS,
        pack_digest=bytes(32),
        payload=b"a statement under " + suite.encode(),
    )
    return replace(made, **changes)


def sealed(**changes: Any) -> envelope_pb2.SealedEnvelope:  # noqa: ANN401
    return seal(outgoing(**changes))


def delivered(**changes: Any) -> envelope_pb2.SealedEnvelope:  # noqa: ANN401
    """From the hub to the member of GM, signed by the hub's two keys."""
    parts: dict[str, Any] = {
        "suite": "GM",
        "sender": HUB,
        "sender_key": HUB_KEYS.signing,
        "recipient": OTHER_NODE,
        "recipient_key_id": GM_NODE_ENCRYPTION.key_id,
        "recipient_public_key": GM_NODE_ENCRYPTION.public_bytes,
        "sm2_key": SIGNING["hub_sm2"],
    }
    return seal(outgoing(**(parts | changes)))


def raw(message: Any) -> str:  # noqa: ANN401
    return bytes(message.SerializeToString(deterministic=True)).hex()


def write(kind: str, name: str, about: str, *, valid: bool, **case: Any) -> None:  # noqa: ANN401
    path = ROOT / kind / ("valid" if valid else "invalid") / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    content: Case = {"about": about, "type": TYPES[kind], **case}
    path.write_text(json.dumps(content, indent=1) + "\n", "utf-8")


TYPES: Final = dict(
    zip(
        KINDS,
        ("envelope", "chain", "receipt", "heads", "checkpoint", "certificate", "policy"),
        strict=True,
    )
)
