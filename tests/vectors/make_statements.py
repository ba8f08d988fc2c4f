"""The cases of what is signed beside envelopes: receipts, heads, checkpoints and so on."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from protos.yixin.v1 import envelope_pb2, exchange_pb2, identity_pb2
from security.chain import ChainPosition
from security.exchange.heads import sign_heads
from security.group_signature import sign_group
from security.keys import SigningKey
from security.merkle import Tree, leaf_hash
from security.policy import Policy, sign_policy
from security.transparency import Checkpoint, sign_checkpoint
from tests.support.members import DAY_MS, HUB, NODE, NOW_MS, OTHER_NODE, PROVINCE
from tests.support.vector_making import CERTIFICATES, HUB_KEYS, SIGNING, raw, write

if TYPE_CHECKING:
    from tests.support.vector_runner import Case


def receipt_body(seq: int, digest: bytes) -> exchange_pb2.ReceiptBody:
    return exchange_pb2.ReceiptBody(
        format=1,
        hub=HUB,
        sender=NODE,
        lane=envelope_pb2.LANE_BULK,
        incarnation=1,
        seq=seq,
        envelope_hash=digest,
        log_index=seq - 1,
        logged_at_ms=NOW_MS,
        status=exchange_pb2.RECEIPT_STATUS_STORED,
    )


def signed_receipts(payload_type: str = "yixin/receipt-group/v1") -> list[exchange_pb2.Receipt]:
    bodies = [
        receipt_body(seq, bytes([seq]) * 32).SerializeToString(deterministic=True)
        for seq in range(1, 6)
    ]
    _, proofs, signature = sign_group(HUB_KEYS.signing, payload_type, bodies)
    return [
        exchange_pb2.Receipt(
            body=body,
            key_id=HUB_KEYS.signing.key_id,
            leaf_index=proof.leaf_index,
            group_size=proof.group_size,
            path=proof.path,
            signature=signature.classical,
            pq_signature=signature.post_quantum,
        )
        for body, proof in zip(bodies, proofs, strict=True)
    ]


def receipts() -> None:
    group = signed_receipts()
    case: Case = {"hub": HUB, "sender": NODE}
    for seq in (1, 5):
        write(
            "receipts",
            f"group_of_five_{seq}",
            f"Receipt {seq} of a commit group of five, signed once over its tree.",
            valid=True,
            **case,
            receipt=raw(group[seq - 1]),
            expect={
                "result": "accepted",
                "seq": seq,
                "hash": (bytes([seq]) * 32).hex(),
                "log_index": seq - 1,
            },
        )

    def bad(name: str, about: str, receipt: exchange_pb2.Receipt, **changes: Any) -> None:  # noqa: ANN401
        parts = case | {"receipt": raw(receipt)} | changes
        write("receipts", name, about, valid=False, **parts, expect={"result": "refused"})

    bad("another_sender", "A receipt for another member.", group[0], sender=OTHER_NODE)
    bad("another_hub", "A receipt by another hub.", group[0], hub=PROVINCE)
    bad(
        "signature_over_another_type",
        "A true signature over the same tree, as grades of a publication.",
        signed_receipts("yixin/grade-publication/v1")[0],
    )
    moved = exchange_pb2.Receipt()
    moved.CopyFrom(group[0])
    moved.leaf_index = 1
    bad("another_position", "The path of position 0 at position 1.", moved)
    stripped = exchange_pb2.Receipt()
    stripped.CopyFrom(group[0])
    stripped.pq_signature = b""
    bad("stripped_half", "The ML-DSA-65 half is missing.", stripped)
    swapped = exchange_pb2.Receipt()
    swapped.CopyFrom(group[0])
    swapped.body = group[1].body
    bad("another_body", "The body of another receipt of the same group.", swapped)


def heads() -> None:
    position = ChainPosition(incarnation=1, seq=7, hash=bytes([7]) * 32)
    for name in ("node", "gm_node"):
        member = NODE if name == "node" else OTHER_NODE
        signed = sign_heads(
            SIGNING[name],
            signer=member,
            peer=HUB,
            heads={envelope_pb2.LANE_BULK: position},
            at_ms=NOW_MS,
            downlink=False,
        )
        case: Case = {
            "signer": member,
            "peer": HUB,
            "downlink": False,
            "now_ms": NOW_MS,
            "heads": raw(signed),
        }
        write(
            "heads",
            f"of_{name}",
            "Heads that open a stream.",
            valid=True,
            **case,
            expect={"result": "accepted", "heads": {"3": [1, 7]}},
        )
        if name == "gm_node":
            continue
        for wrong, about, changes in (
            ("another_direction", "Uplink heads as an acknowledgement.", {"downlink": True}),
            ("another_peer", "Heads stated to this hub, shown to another.", {"peer": PROVINCE}),
            ("another_signer", "Heads of another member.", {"signer": OTHER_NODE}),
        ):
            expect = {"result": "refused"}
            write("heads", wrong, about, valid=False, **(case | changes), expect=expect)
        signature = SIGNING["node"].sign("yixin/custody/v1", signed.body)
        signed.signature = signature.classical
        write(
            "heads",
            "signature_over_another_type",
            "A true signature over the same body, as a custody register.",
            valid=False,
            **(case | {"heads": raw(signed)}),
            expect={"result": "refused"},
        )


def checkpoints() -> None:
    tree = Tree(leaf_hash(bytes([number])) for number in range(5))
    origin = HUB_KEYS.anchor.log_origin
    note = sign_checkpoint(Checkpoint(origin=origin, size=5, root=tree.root), HUB_KEYS.signing)
    write(
        "checkpoints",
        "of_five_leaves",
        "A signed note with both lines of the hub's key.",
        valid=True,
        note=note,
        expect={"result": "accepted", "size": 5, "root": tree.root.hex()},
    )
    stranger = SigningKey.generate(post_quantum=True)
    other = Checkpoint(origin=f"{origin}2", size=5, root=tree.root)
    lines = note.splitlines(keepends=True)
    receipt = HUB_KEYS.signing.sign("yixin/receipt-group/v1", note.split("\n\n")[0].encode())
    wrong = {
        "another_size": ("The size is changed.", note.replace("\n5\n", "\n6\n")),
        "another_key": (
            "Signed by a stranger's key.",
            sign_checkpoint(Checkpoint(origin=origin, size=5, root=tree.root), stranger),
        ),
        "another_log": ("Of another log.", sign_checkpoint(other, HUB_KEYS.signing)),
        "stripped_half": ("The ML-DSA-65 line is missing.", "".join(lines[:-1])),
        "no_signature": ("Without any signature.", "".join(lines[:4])),
        "leading_zero": ("The size is written as 05.", note.replace("\n5\n", "\n05\n")),
        "signature_over_another_type": (
            "The Ed25519 line holds a true signature over the body as a receipt group.",
            _with_line(note, receipt.classical),
        ),
    }
    for name, (about, text) in wrong.items():
        write("checkpoints", name, about, valid=False, note=text, expect={"result": "refused"})


def _with_line(note: str, signature: bytes) -> str:
    lines = note.splitlines()
    name, value = lines[4].rsplit(" ", 1)
    key_hash = base64.b64decode(value)[:4]
    lines[4] = f"{name} {base64.b64encode(key_hash + signature).decode()}"
    return "\n".join(lines) + "\n"


def certificates() -> None:
    for name, certificate in CERTIFICATES.items():
        body = identity_pb2.KeyCertificateBody.FromString(certificate.body)
        write(
            "certificates",
            name,
            f"Certificate of {body.member} under {body.suite}.",
            valid=True,
            certificate=raw(certificate),
            expect={
                "result": "accepted",
                "member": body.member,
                "key_id": body.key_id,
                "suite": body.suite,
            },
        )

    def bad(name: str, about: str, certificate: identity_pb2.KeyCertificate) -> None:
        expect = {"result": "refused"}
        write(
            "certificates",
            name,
            about,
            valid=False,
            certificate=raw(certificate),
            expect=expect,
        )

    good = CERTIFICATES["node_signing"]
    body = identity_pb2.KeyCertificateBody.FromString(good.body)
    changes: dict[str, dict[str, Any]] = {
        "another_member": {"member": OTHER_NODE},
        "another_use": {"use": identity_pb2.KEY_USE_ENCRYPTION},
        "endless": {"not_after_ms": body.not_before_ms + 401 * DAY_MS},
        "unknown_suite": {"suite": "NULL"},
        "key_of_another_suite": {"suite": "GM"},
        "serial_zero": {"serial": 0},
        "small_order": {"public_key": bytes(32)},
    }
    for name, change in changes.items():
        changed = identity_pb2.KeyCertificateBody()
        changed.CopyFrom(body)
        for part, value in change.items():
            setattr(changed, part, value)
        data = changed.SerializeToString(deterministic=True)
        signature = HUB_KEYS.signing.sign("yixin/key-certificate/v1", data)
        # another_member is refused by its own signature only: it keeps the first one.
        first = name == "another_member"
        bad(
            name,
            f"{name.replace('_', ' ').capitalize()}: "
            + ("under the first signature." if first else "truly signed by the hub."),
            identity_pb2.KeyCertificate(
                body=data,
                signature=good.signature if first else signature.classical,
                pq_signature=good.pq_signature if first else signature.post_quantum,
            ),
        )
    stolen = SIGNING["node"].sign("yixin/key-certificate/v1", good.body)
    bad(
        "self_signed",
        "Signed by the member's own key.",
        identity_pb2.KeyCertificate(body=good.body, signature=stolen.classical),
    )


def policies() -> None:
    general = Policy(hub=HUB, member="", version=3, allowed=("INTL-PQ", "INTL"), at_ms=NOW_MS)
    own = replace(general, member=NODE, version=4, allowed=("INTL-PQ", "GM"), required="GM")
    root = HUB_KEYS.signing
    for name, policy in {"for_all": general, "for_one": own}.items():
        write(
            "policies",
            name,
            "A suite policy.",
            valid=True,
            member=NODE,
            policy=raw(sign_policy(root, policy)),
            expect={
                "result": "accepted",
                "version": policy.version,
                "suites": list(policy.suites),
            },
        )
    held = raw(sign_policy(root, own))
    wrong = {
        "downgraded": ("A lower version than the one held.", general),
        "same_version": (
            "Another text of the version that is held.",
            replace(own, required=""),
        ),
        "for_another": ("For another member.", replace(own, member=OTHER_NODE)),
        "weakened": (
            "A higher version for all members, after one of the member's own.",
            replace(general, version=9),
        ),
    }
    for name, (about, policy) in wrong.items():
        write(
            "policies",
            name,
            about,
            valid=False,
            member=NODE,
            held=held,
            policy=raw(sign_policy(root, policy)),
            expect={"result": "refused"},
        )
