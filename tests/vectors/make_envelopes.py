"""The cases of envelopes and chains."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from protos.yixin.v1 import envelope_pb2
from security.chain import GENESIS, ChainPosition
from security.envelope import envelope_hash
from security.keys import SigningKey
from tests.support.members import DAY_MS, HUB, NOW_MS, PROVINCE
from tests.support.vector_making import SERIAL, SIGNING, SUITES, raw, sealed, write

if TYPE_CHECKING:
    from tests.support.vector_runner import Case


def refused(
    name: str,
    about: str,
    made: envelope_pb2.SealedEnvelope,
    *,
    rule: str | None = "",
    **changes: Any,  # noqa: ANN401
) -> None:
    """An envelope that is refused, with the rule that a known sender is told; None: unreadable."""
    case: Case = {"recipient": HUB, "now_ms": NOW_MS, "envelope": raw(made)} | changes
    expect = {"result": "refused", "rule": rule} if rule is not None else {"result": "unreadable"}
    write("envelopes", name, about, valid=False, **case, expect=expect)


def resigned(envelope: envelope_pb2.SealedEnvelope, payload_type: str) -> Any:  # noqa: ANN401
    """The same bytes under a true signature of the same key over another type."""
    signature = SIGNING["node"].sign(payload_type, envelope.header, envelope.ciphertext)
    return envelope_pb2.SealedEnvelope(
        header=envelope.header, ciphertext=envelope.ciphertext, signature=signature.classical
    )


def with_header(envelope: envelope_pb2.SealedEnvelope, **changes: Any) -> Any:  # noqa: ANN401
    """The same ciphertext under a changed header, truly signed."""
    header = envelope_pb2.EnvelopeHeader.FromString(envelope.header)
    for name, value in changes.items():
        setattr(header, name, value)
    data = header.SerializeToString(deterministic=True)
    signature = SIGNING["node"].sign("yixin/envelope/v1", data, envelope.ciphertext)
    return envelope_pb2.SealedEnvelope(
        header=data, ciphertext=envelope.ciphertext, signature=signature.classical
    )


def envelopes() -> None:
    for suite in SUITES:
        made = sealed(suite=suite)
        header = envelope_pb2.EnvelopeHeader.FromString(made.header)
        write(
            "envelopes",
            f"sealed_{suite}",
            f"An envelope under {suite}, opened with the hub's key of that suite.",
            valid=True,
            recipient=HUB,
            now_ms=NOW_MS,
            at_intake=True,
            envelope=raw(made),
            expect={
                "result": "opened",
                "payload": (b"a statement under " + suite.encode()).hex(),
                "hash": envelope_hash(made).hex(),
                "sender": header.sender,
                "seq": 1,
            },
        )
    good = sealed()
    refused("oversized", "More than 1 MiB, before anything is parsed.", good, zeros_behind=2**20)
    refused(
        "truncated",
        "The last byte is missing: what is left parses as no envelope, or its signature is short.",
        good,
        envelope=raw(good)[:-2],
    )
    short = envelope_pb2.SealedEnvelope()
    short.CopyFrom(good)
    short.ciphertext = good.ciphertext[:100]
    refused("truncated_ciphertext", "The ciphertext is shorter than the suite's overhead.", short)
    refused(
        "expired",
        "Logged one millisecond after the last moment its header allows.",
        sealed(expires_at_ms=NOW_MS),
        rule="expired",
        now_ms=NOW_MS + 1,
    )
    refused(
        "future_dated",
        "Made a day and a millisecond ahead of the hub's clock.",
        sealed(created_at_ms=NOW_MS + DAY_MS + 1),
        rule="clock",
    )
    refused(
        "wrong_recipient",
        "Addressed to this hub, handed to another one.",
        good,
        rule="recipient",
        recipient=PROVINCE,
    )
    refused(
        "wrong_purpose",
        "Statements under the purpose of research; proved and readable, refused at the intake.",
        sealed(purpose="research"),
        rule="purpose",
        at_intake=True,
    )
    refused(
        "wrong_data_class",
        "Statements under the data class of clues.",
        sealed(data_class="clue"),
        rule="purpose",
        at_intake=True,
    )
    refused(
        "unknown_suite",
        "A suite that does not exist, truly signed: there is no fallback.",
        with_header(good, suite="NULL"),
        rule="suite",
    )
    refused(
        "another_suite",
        "Sealed under INTL-PQ, the header says INTL and is truly signed: the key does not fit.",
        with_header(good, suite="INTL"),
        rule=None,
    )
    refused(
        "revoked_sender",
        "The certificate of the key that signed is revoked since a moment before.",
        good,
        rule="revoked",
        revoked=[{"serial": SERIAL, "since_ms": NOW_MS - 1}],
    )
    refused(
        "ended_certificate",
        "The certificate of the key that signed ended before it was logged.",
        good,
        rule="certificate",
        now_ms=NOW_MS + 401 * DAY_MS,
    )
    for other in ("heads", "receipt-group", "join", "suite-policy", "key-certificate"):
        refused(
            f"signature_over_{other.replace('-', '_')}",
            f"A true signature of the same key, over the same bytes, as yixin/{other}/v1.",
            resigned(good, f"yixin/{other}/v1"),
        )
    another = sealed(payload=b"another")
    refused(
        "swapped_ciphertext",
        "Header and signature of one envelope, ciphertext of another.",
        envelope_pb2.SealedEnvelope(
            header=good.header, ciphertext=another.ciphertext, signature=good.signature
        ),
    )
    flipped = envelope_pb2.SealedEnvelope()
    flipped.CopyFrom(good)
    flipped.signature = bytes([good.signature[0] ^ 1]) + good.signature[1:]
    refused("flipped_signature", "One bit of the signature differs.", flipped)
    refused(
        "unknown_field",
        "A field that no reader knows is appended to the message.",
        good,
        envelope=raw(good) + "7a0178",
    )
    stranger = SigningKey.generate(post_quantum=False)
    refused(
        "uncertified_key", "Signed by a key that no hub certified.", sealed(sender_key=stranger)
    )
    refused(
        "signed_as_ed25519_under_gm",
        "Under GM, signed by an Ed25519 key in the name of the member with the SM2 key.",
        sealed(suite="GM", sender_key=SIGNING["node"]),
    )


def chains() -> None:
    made, held = [], GENESIS
    for seq in range(1, 4):
        envelope = sealed(after=held, payload=b"statement %d" % seq)
        held = ChainPosition(incarnation=1, seq=seq, hash=envelope_hash(envelope))
        made.append(envelope)
    first, second, third = made
    fork = sealed(
        after=ChainPosition(incarnation=1, seq=1, hash=envelope_hash(first)), payload=b"another"
    )
    old = sealed(incarnation=2, previous_hash=bytes(32), payload=b"later")
    cases = {
        "in_order": ("Three envelopes in order.", made, ["next"] * 3, 1),
        "duplicated": (
            "An envelope again: the same receipt, and nothing counts twice.",
            [first, first, second, first],
            ["next", "same", "next", "same"],
            1,
        ),
        "reordered": (
            "The third before the second: a gap; then the second, then the third.",
            [first, third, second, third],
            ["next", "gap", "next", "next"],
            1,
        ),
        "replayed": (
            "Another envelope at a place that is taken: a fork, kept as evidence.",
            [first, second, fork],
            ["next", "next", "fork"],
            1,
        ),
        "replayed_incarnation": (
            "An incarnation that the hub did not issue.",
            [first, old],
            ["next", "gap"],
            1,
        ),
    }
    for name, (about, sent, expected, issued) in cases.items():
        write(
            "chains",
            name,
            about,
            valid=name == "in_order",
            recipient=HUB,
            now_ms=NOW_MS,
            issued_incarnation=issued,
            envelopes=[raw(one) for one in sent],
            expect={"result": expected},
        )
