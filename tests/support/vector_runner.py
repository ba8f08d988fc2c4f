"""Runs the vectors of ``tests/vectors``: one JSON file in, what the program makes of it out."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from hub.intake.purposes import verify_purpose
from protos.yixin.v1 import exchange_pb2, identity_pb2
from security.certificates import Keyring, parse_anchor, verify_key_certificate
from security.chain import GENESIS, ChainPosition, check_next
from security.encoding import parse_exactly
from security.envelope import (
    decrypt_envelope,
    parse_envelope,
    verify_addressed_envelope,
    verify_delivery,
)
from security.errors import (
    ChainForkError,
    ChainGapError,
    SecurityError,
    UnreadableEnvelopeError,
    UntrustedEnvelopeError,
)
from security.exchange.heads import open_heads
from security.exchange.receipts import verify_receipt
from security.keys import EncryptionKey
from security.policy import open_policy
from security.suites import get_suite
from security.transparency import verify_checkpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from security.envelope import OpenedEnvelope

ROOT: Final = Path(__file__).parents[1] / "vectors"
PARTIES: Final = ROOT / "parties.json"
KINDS: Final = (
    "envelopes",
    "chains",
    "receipts",
    "heads",
    "checkpoints",
    "certificates",
    "policies",
)
MAX_BYTES: Final = 2**21

Case = dict[str, Any]


def files() -> list[Path]:
    """Every case, in order."""
    return sorted(path for kind in KINDS for path in (ROOT / kind).glob("*/*.json"))


def load(path: Path) -> Case:
    found: Case = json.loads(path.read_text("utf-8"))
    return found


@dataclass(frozen=True, kw_only=True)
class Parties:
    """Keys and certificates that the cases name."""

    anchor: identity_pb2.TrustAnchor
    certificates: Mapping[str, identity_pb2.KeyCertificate]
    decryption: Mapping[str, EncryptionKey] = field(repr=False)

    def keyring(self, case: Case) -> Keyring:
        ring = Keyring([self.anchor])
        for certificate in self.certificates.values():
            ring.add(certificate)
        for revoked in case.get("revoked", ()):
            ring.revoke(self.anchor.hub, revoked["serial"], revoked["since_ms"])
        return ring


@lru_cache(maxsize=1)
def parties() -> Parties:
    found = load(PARTIES)
    keys = [
        EncryptionKey._of(get_suite(one["suite"]), bytes.fromhex(one["private"]))  # noqa: SLF001
        for one in found["encryption_keys"]
    ]
    return Parties(
        anchor=parse_anchor(bytes.fromhex(found["anchor"])),
        certificates={
            name: identity_pb2.KeyCertificate.FromString(bytes.fromhex(text))
            for name, text in found["certificates"].items()
        },
        decryption={key.key_id: key for key in keys},
    )


def run(case: Case) -> Case:
    """What the program makes of a case, in the words of ``expect``."""
    return _RUNNERS[case["type"]](case)


def _open(case: Case, text: str) -> OpenedEnvelope:
    raw = bytes.fromhex(text)
    # A part too long for a file is stated: that many zero bytes behind the serialised message
    # make it too long, whatever they would parse to.
    envelope = parse_envelope(raw + bytes(case.get("zeros_behind", 0)))
    # What a hub delivers is judged by its member, who requires SM2 of it in suite GM.
    verify = verify_delivery if case.get("is_delivery") else verify_addressed_envelope
    verified = verify(
        envelope,
        recipient=case["recipient"],
        keyring=parties().keyring(case),
        now_ms=case["now_ms"],
    )
    opened = decrypt_envelope(envelope, verified, parties().decryption)
    if case.get("at_intake"):
        verify_purpose(opened.header)
    return opened


def _envelope(case: Case) -> Case:
    try:
        opened = _open(case, case["envelope"])
    except UnreadableEnvelopeError:
        return {"result": "unreadable"}
    except UntrustedEnvelopeError as error:
        return {"result": "refused", "rule": str(error.rule or "")}
    return {
        "result": "opened",
        "payload": opened.payload.hex(),
        "hash": opened.hash.hex(),
        "sender": opened.header.sender,
        "seq": opened.header.seq,
    }


def _chain(case: Case) -> Case:
    held, known, found = GENESIS, dict[tuple[int, int], bytes](), []
    for text in case["envelopes"]:
        try:
            opened = _open(case, text)
            header = opened.header
            step = check_next(
                held,
                lambda incarnation, seq: known.get((incarnation, seq)),
                header,
                opened.hash,
                issued_incarnation=case["issued_incarnation"],
            )
        except ChainGapError:
            found.append("gap")
        except ChainForkError:
            found.append("fork")
        except UntrustedEnvelopeError:
            found.append("refused")
        else:
            found.append(step.name.lower())
            if step.name == "NEXT":
                known[header.incarnation, header.seq] = opened.hash
                held = ChainPosition(
                    incarnation=header.incarnation, seq=header.seq, hash=opened.hash
                )
    return {"result": found}


def _receipt(case: Case) -> Case:
    try:
        receipt = parse_exactly(exchange_pb2.Receipt, bytes.fromhex(case["receipt"]), MAX_BYTES)
        verified = verify_receipt(
            receipt,
            parties().keyring(case),
            hub=case["hub"],
            sender=case["sender"],
            suite=case.get("suite", ""),
        )
    except (ValueError, SecurityError):
        return {"result": "refused"}
    return {
        "result": "accepted",
        "seq": verified.position.seq,
        "hash": verified.position.hash.hex(),
        "log_index": verified.log_index,
    }


def _heads(case: Case) -> Case:
    try:
        signed = parse_exactly(exchange_pb2.SignedHeads, bytes.fromhex(case["heads"]), MAX_BYTES)
        found = open_heads(
            signed,
            parties().keyring(case),
            signer=case["signer"],
            peer=case["peer"],
            downlink=case["downlink"],
            now_ms=case["now_ms"],
            is_national=case.get("suite") == "GM",
        )
    except (ValueError, SecurityError):
        return {"result": "refused"}
    return {
        "result": "accepted",
        "heads": {str(lane): [one.incarnation, one.seq] for lane, one in found.items()},
    }


def _checkpoint(case: Case) -> Case:
    try:
        checkpoint = verify_checkpoint(case["note"], parties().anchor)
    except SecurityError:
        return {"result": "refused"}
    return {"result": "accepted", "size": checkpoint.size, "root": checkpoint.root.hex()}


def _certificate(case: Case) -> Case:
    try:
        certificate = parse_exactly(
            identity_pb2.KeyCertificate, bytes.fromhex(case["certificate"]), MAX_BYTES
        )
        key = verify_key_certificate(certificate, parties().anchor)
    except (ValueError, SecurityError):
        return {"result": "refused"}
    return {"result": "accepted", "member": key.member, "key_id": key.key_id, "suite": key.suite}


def _policy(case: Case) -> Case:
    try:
        signed = parse_exactly(identity_pb2.SuitePolicy, bytes.fromhex(case["policy"]), MAX_BYTES)
        held = None
        if case.get("held"):
            earlier = identity_pb2.SuitePolicy.FromString(bytes.fromhex(case["held"]))
            held = open_policy(earlier, parties().anchor, member=case["member"], held=None)
        policy = open_policy(signed, parties().anchor, member=case["member"], held=held)
    except (ValueError, SecurityError):
        return {"result": "refused"}
    return {"result": "accepted", "version": policy.version, "suites": list(policy.suites)}


_RUNNERS: Final[Mapping[str, Callable[[Case], Case]]] = {
    "envelope": _envelope,
    "chain": _chain,
    "receipt": _receipt,
    "heads": _heads,
    "checkpoint": _checkpoint,
    "certificate": _certificate,
    "policy": _policy,
}
