"""The cases of what a hub signs with SM2 beside its other key, for members of suite GM."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from protos.yixin.v1 import exchange_pb2
from security.chain import ChainPosition
from security.countersigning import countersign_group
from security.envelope import envelope_hash
from security.exchange.heads import sign_heads
from security.group_signature import sign_group
from tests.support.members import HUB, NOW_MS, OTHER_NODE
from tests.support.vector_making import HUB_KEYS, SIGNING, delivered, raw, write
from tests.vectors.make_statements import receipt_body

if TYPE_CHECKING:
    from security.keys import SigningKey

RECEIPT_TYPE = "yixin/receipt-group/v1"
OWN = SIGNING["hub_sm2"]
MEMBERS = SIGNING["gm_node"]
ABOUT = {
    "stripped": "The SM2 signature that the signed part names is missing.",
    "flipped": "One bit of the SM2 signature differs.",
    "of_a_member": "The SM2 key that is named is the member's own.",
    "without_sm2": "Signed by Ed25519 and ML-DSA-65 alone, and truly: not enough in suite GM.",
}


def receipt(key: SigningKey | None) -> exchange_pb2.Receipt:
    body = receipt_body(1, bytes(32))
    body.sender, body.sm2_key_id = OTHER_NODE, key.key_id if key else ""
    data = body.SerializeToString(deterministic=True)
    _, (proof,), signature = sign_group(HUB_KEYS.signing, RECEIPT_TYPE, [data])
    return exchange_pb2.Receipt(
        body=data,
        key_id=HUB_KEYS.signing.key_id,
        leaf_index=0,
        group_size=proof.group_size,
        path=proof.path,
        signature=signature.classical,
        pq_signature=signature.post_quantum,
        sm2_signature=countersign_group(key, RECEIPT_TYPE, [data]),
    )


def hub_heads(key: SigningKey | None) -> exchange_pb2.SignedHeads:
    return sign_heads(
        HUB_KEYS.signing,
        signer=HUB,
        peer=OTHER_NODE,
        heads={3: ChainPosition(incarnation=1, seq=7, hash=bytes([7]) * 32)},
        at_ms=NOW_MS,
        downlink=False,
        sm2_key=key,
    )


def _wrong(make: Any) -> dict[str, Any]:  # noqa: ANN401 - of any message
    stripped, flipped = make(OWN), make(OWN)
    stripped.sm2_signature = b""
    found = flipped.sm2_signature
    flipped.sm2_signature = bytes([found[0] ^ 1]) + found[1:]
    return {
        "stripped": stripped,
        "flipped": flipped,
        "of_a_member": make(MEMBERS),
        "without_sm2": make(None),
    }


def countersigned() -> None:
    deliveries()
    receipts()
    heads()


def deliveries() -> None:
    good = delivered()
    case: dict[str, Any] = {"recipient": OTHER_NODE, "now_ms": NOW_MS, "is_delivery": True}
    write(
        "envelopes",
        "delivery_GM",
        "From the hub to a member of GM, signed by both keys of the hub.",
        valid=True,
        **case,
        envelope=raw(good),
        expect={
            "result": "opened",
            "payload": b"a statement under GM".hex(),
            "hash": envelope_hash(good).hex(),
            "sender": HUB,
            "seq": 1,
        },
    )
    for name, made in _wrong(lambda key: delivered(sm2_key=key)).items():
        expect = {"result": "refused", "rule": ""}
        name, about = f"delivery_GM_{name}", ABOUT[name]  # noqa: PLW2901
        write("envelopes", name, about, valid=False, **case, envelope=raw(made), expect=expect)


def receipts() -> None:
    case: dict[str, Any] = {"hub": HUB, "sender": OTHER_NODE, "suite": "GM"}
    write(
        "receipts",
        "of_GM",
        "Receipt for an envelope of suite GM, signed by both keys of the hub.",
        valid=True,
        **case,
        receipt=raw(receipt(OWN)),
        expect={"result": "accepted", "seq": 1, "hash": bytes(32).hex(), "log_index": 0},
    )
    for name, made in _wrong(receipt).items():
        expect = {"result": "refused"}
        parts = case | {"receipt": raw(made)}
        write("receipts", f"of_GM_{name}", ABOUT[name], valid=False, **parts, expect=expect)


def heads() -> None:
    case: dict[str, Any] = {
        "signer": HUB,
        "peer": OTHER_NODE,
        "suite": "GM",
        "downlink": False,
        "now_ms": NOW_MS,
    }
    write(
        "heads",
        "of_hub_to_gm_node",
        "Heads that a hub states to a member of GM, signed by both of its keys.",
        valid=True,
        **case,
        heads=raw(hub_heads(OWN)),
        expect={"result": "accepted", "heads": {"3": [1, 7]}},
    )
    for name, made in _wrong(hub_heads).items():
        expect = {"result": "refused"}
        parts = case | {"heads": raw(made)}
        write("heads", f"of_hub_{name}", ABOUT[name], valid=False, **parts, expect=expect)
