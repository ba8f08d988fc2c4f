from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hub.errors import MemberRefusedError
from hub.intake.committing import Refused
from hub.store import envelopes, log, members, quarantine, refusals
from hub.store.engine import reading, writing
from protos.yixin.v1 import envelope_pb2, exchange_pb2, statement_pb2
from security.chain import ChainPosition
from security.errors import ChainForkError, ChainGapError, UntrustedEnvelopeError
from security.exchange.receipts import VerifiedReceipt, verify_receipt
from tests.support.hub_city import (
    CITY,
    FIRST,
    JOIN_LEAVES,
    NODE,
    OTHER,
    OWN_LEAVES,
    SECOND,
    THIRD,
    City,
    Sender,
    Slot,
    batch,
)

if TYPE_CHECKING:
    from hub.intake.committing import Result


def receipt(city: City, result: Result | None, sender: str = NODE) -> VerifiedReceipt:
    assert isinstance(result, exchange_pb2.Receipt)
    keyring = city.senders[sender].membership.keyring
    return verify_receipt(result, keyring, hub=CITY, sender=sender)


def refusal(result: Result | None) -> Exception:
    assert isinstance(result, Refused)
    return result.error


def stored(city: City) -> tuple[int, int, dict[int, ChainPosition]]:
    with reading(city.parts.engine) as connection:
        return (
            envelopes.count(connection)[0],
            log.size(connection) - OWN_LEAVES - JOIN_LEAVES * len(city.senders),
            envelopes.heads_of(connection, NODE),
        )


def flipped(
    envelope: envelope_pb2.SealedEnvelope, part: str, at: int
) -> envelope_pb2.SealedEnvelope:
    changed = envelope_pb2.SealedEnvelope.FromString(envelope.SerializeToString())
    data = bytearray(getattr(envelope, part))
    data[at] ^= 1
    setattr(changed, part, bytes(data))
    return changed


def test_a_group_is_stored_logged_and_receipted_in_order(city: City, node: Sender) -> None:
    sealed = [node.seal(batch(Slot(month=month))) for month in (202601, 202602, 202603)]

    receipts = [receipt(city, result) for result in city.submit(*sealed)]

    first = OWN_LEAVES + JOIN_LEAVES
    assert [one.log_index for one in receipts] == [first, first + 1, first + 2]
    assert [one.position.seq for one in receipts] == [1, 2, 3]
    assert not any(one.is_quarantined for one in receipts)
    assert stored(city) == (3, 3, {3: node.head})
    assert city.monthly(202601, 202602, 202603) == {
        "subjects": [FIRST] * 3,
        "months": [202601, 202602, 202603],
        "values": [1, 1, 1],
    }


@pytest.mark.parametrize(
    ("part", "at"),
    [("header", 0), ("header", 40), ("ciphertext", 0), ("ciphertext", -1), ("signature", 10)],
)
def test_an_envelope_with_one_flipped_bit_is_refused_and_nothing_of_it_is_stored(
    city: City, node: Sender, part: str, at: int
) -> None:
    (result,) = city.submit(flipped(node.seal(batch(Slot())), part, at))

    assert isinstance(refusal(result), UntrustedEnvelopeError)
    assert stored(city) == (0, 0, {})


def test_a_replayed_envelope_gets_the_very_same_receipt_and_counts_once(
    city: City, node: Sender
) -> None:
    sealed = [node.seal(batch(Slot(version=version, value=version))) for version in (1, 2)]
    first = city.submit(*sealed)

    again = city.submit(sealed[1], sealed[0])

    assert again == [first[1], first[0]]
    assert stored(city) == (2, 2, {3: node.head})
    assert city.monthly(202601)["values"] == [2]


def test_an_envelope_that_expired_since_still_gets_its_first_receipt(
    city: City, node: Sender
) -> None:
    sealed = node.seal(batch(Slot()))
    first = city.submit(sealed)
    city.clock.advance(days=3)

    assert city.submit(sealed) == first


def test_an_envelope_that_expired_on_the_way_is_refused(city: City, node: Sender) -> None:
    sealed = node.seal(batch(Slot()))
    city.clock.advance(days=3)

    assert isinstance(refusal(city.submit(sealed)[0]), UntrustedEnvelopeError)
    assert stored(city) == (0, 0, {})


def test_the_same_envelope_twice_in_one_group_is_one_envelope(city: City, node: Sender) -> None:
    sealed = node.seal(batch(Slot()))

    first, second = city.submit(sealed, sealed)

    assert receipt(city, first) == receipt(city, second)
    assert stored(city)[0] == 1


def test_a_gap_is_refused_with_the_head_and_ends_the_stream(city: City, node: Sender) -> None:
    sealed = [node.seal(batch(Slot(version=version))) for version in (1, 2, 3, 4)]

    taken, gap, behind = city.submit(sealed[0], sealed[2], sealed[3])

    receipt(city, taken)
    error = refusal(gap)
    assert isinstance(error, ChainGapError)
    assert error.expected.seq == 1
    assert behind is None
    assert stored(city)[0] == 1


def test_a_fork_is_refused_and_its_second_envelope_is_kept_as_evidence(
    city: City, node: Sender
) -> None:
    city.submit(node.seal(batch(Slot(value=1))))
    node.head = ChainPosition(incarnation=1, seq=0, hash=bytes(32))
    second = node.seal(batch(Slot(value=2)))

    (result,) = city.submit(second)
    error = refusal(result)
    city.committer().log_refusal(city.check(second), error, city.clock.ms)

    assert isinstance(error, ChainForkError)
    assert error.held.seq == 1
    with reading(city.parts.engine) as connection:
        (kept,) = refusals.recent(connection)
    assert (kept.code, kept.peer) == ("ChainForkError", NODE)
    assert envelope_pb2.SealedEnvelope.FromString(kept.evidence or b"") == second
    assert city.monthly(202601)["values"] == [1]


def test_an_envelope_of_another_member_is_refused(city: City, node: Sender, other: Sender) -> None:
    sealed = node.seal(batch(Slot()))

    (result,) = city.submit(sealed, peer=other.member)

    assert isinstance(refusal(result), UntrustedEnvelopeError)
    assert stored(city) == (0, 0, {})


def test_a_revoked_member_is_refused_from_the_next_group_on(city: City, node: Sender) -> None:
    first, second = node.seal(batch(Slot())), node.seal(batch(Slot(version=2)))
    receipt(city, city.submit(first)[0])
    with writing(city.parts.engine) as connection:
        members.revoke(connection, NODE, "test", city.clock.ms)

    assert isinstance(refusal(city.submit(second)[0]), MemberRefusedError)
    assert stored(city)[0] == 1


def test_content_sealed_to_a_key_the_hub_does_not_hold_is_quarantined_and_the_chain_advances(
    city: City, node: Sender
) -> None:
    poison = node.seal(
        batch(Slot()),
        recipient_key_id=node.keys.encryption.key_id,
        recipient_public_key=node.keys.encryption.public_bytes,
    )
    sound = node.seal(batch(Slot(month=202602)))

    first, second = (receipt(city, result) for result in city.submit(poison, sound))

    assert (first.is_quarantined, first.quarantined_parts) == (True, 1)
    assert not second.is_quarantined
    assert city.monthly(202601, 202602)["months"] == [202602]


@pytest.mark.parametrize(
    ("payload", "changes"),
    [
        (b"\xff\xff", {}),
        (b"", {}),
        (batch(Slot(), measure_set="unheard_of"), {}),
        (batch(Slot(), names=("settlements",)), {}),
        (batch(Slot()), {"payload_type": "grade_push"}),
        (batch(Slot()), {"payload_type": "something_else"}),
        (batch(Slot()), {"schema_version": 2}),
    ],
)
def test_a_payload_that_cannot_be_read_is_quarantined_with_its_reason_and_the_chain_advances(
    city: City, node: Sender, payload: bytes, changes: dict[str, object]
) -> None:
    (result,) = city.submit(node.seal(payload, **changes))

    assert receipt(city, result).quarantined_parts == 1
    assert stored(city) == (1, 1, {3: node.head})
    with reading(city.parts.engine) as connection:
        (row,) = quarantine.quarantined(connection)
    assert row.fault.rule == "payload"
    assert row.fault.mend


def test_two_members_claiming_one_slot_only_the_custodian_counts(
    city: City, node: Sender, other: Sender
) -> None:
    theirs = other.seal(batch(Slot(institution=FIRST, value=9), Slot(institution=THIRD, value=3)))
    ours = node.seal(batch(Slot(institution=FIRST, value=1)))

    (refused,) = city.submit(theirs, peer=OTHER)
    (taken,) = city.submit(ours)

    assert receipt(city, refused, OTHER).quarantined_parts == 1
    assert receipt(city, taken).quarantined_parts == 0
    assert city.monthly(202601) == {
        "subjects": [FIRST, THIRD],
        "months": [202601, 202601],
        "values": [1, 3],
    }
    with reading(city.parts.engine) as connection:
        (row,) = quarantine.quarantined(connection)
    assert (row.member, row.fault.institution, row.fault.rule) == (OTHER, FIRST, "custody")


def test_a_slot_of_an_institution_in_nobodys_custody_is_quarantined(
    city: City, node: Sender
) -> None:
    (result,) = city.submit(node.seal(batch(Slot(institution=THIRD))))

    assert receipt(city, result).quarantined_parts == 1
    assert city.monthly(202601)["subjects"] == []


@pytest.mark.parametrize("order", [(1, 2, 3), (3, 2, 1), (2, 3, 1), (3, 1, 2)])
def test_statements_in_any_order_leave_the_newest_version(
    city: City, node: Sender, order: tuple[int, ...]
) -> None:
    city.submit(*(node.seal(batch(Slot(version=one, value=one))) for one in order))

    assert city.monthly(202601)["values"] == [3]


def test_an_empty_statement_deletes_what_its_slot_held(city: City, node: Sender) -> None:
    city.submit(
        node.seal(batch(Slot(version=1, value=5), Slot(institution=SECOND, value=7))),
        node.seal(batch(Slot(version=2, empty=True))),
    )

    assert city.monthly(202601)["subjects"] == [SECOND]


def test_a_new_incarnation_outranks_every_version_of_the_old_one(city: City, node: Sender) -> None:
    city.submit(node.seal(batch(Slot(version=9, value=9))))
    cited = node.head
    restarted = node.seal(
        batch(Slot(version=1, value=1)),
        incarnation=2,
        seq=1,
        cited_incarnation=cited.incarnation,
        cited_seq=cited.seq,
    )

    (not_issued,) = city.submit(restarted)
    (issued,) = city.submit(restarted, issued={3: 2})

    assert isinstance(refusal(not_issued), ChainGapError)
    receipt(city, issued)
    assert city.monthly(202601)["values"] == [1]


def test_a_version_stated_again_with_other_content_is_quarantined(city: City, node: Sender) -> None:
    same, contradiction = city.submit(
        node.seal(batch(Slot(value=1))),
        node.seal(batch(Slot(value=2))),
    )

    assert receipt(city, same).quarantined_parts == 0
    assert receipt(city, contradiction).quarantined_parts == 1
    assert city.monthly(202601)["values"] == [1]


def test_rows_that_are_not_the_digested_ones_are_quarantined_and_the_rest_counts(
    city: City, node: Sender
) -> None:
    (result,) = city.submit(
        node.seal(batch(Slot(digest=bytes(32)), Slot(institution=SECOND, value=4)))
    )

    assert receipt(city, result).quarantined_parts == 1
    assert city.monthly(202601) == {"subjects": [SECOND], "months": [202601], "values": [4]}
    with reading(city.parts.engine) as connection:
        (row,) = quarantine.quarantined(connection)
    assert row.fault.rule == "digest"


def two_parts(version: int, *, sound: bool = True) -> tuple[bytes, bytes]:
    """A slot in two parts: the first with its row, the second empty."""
    whole = statement_pb2.StatementBatch.FromString(batch(Slot(value=version)))
    digest = whole.slots[0].digest if sound else bytes(32)
    return (
        batch(Slot(value=version, version=version, rows=1, digest=digest, part=1, parts=2)),
        batch(Slot(version=version, rows=1, digest=digest, part=2, parts=2, empty=True)),
    )


def test_a_statement_in_parts_counts_only_when_all_are_there(city: City, node: Sender) -> None:
    city.submit(node.seal(batch(Slot(value=1))))
    first, second = two_parts(2)

    city.submit(node.seal(first))
    half_way = city.monthly(202601)["values"]
    city.submit(node.seal(second))

    assert half_way == [1]
    assert city.monthly(202601)["values"] == [2]


def test_parts_in_one_group_and_in_reverse_order_count(city: City, node: Sender) -> None:
    first, second = two_parts(2)

    city.submit(node.seal(second), node.seal(first))

    assert city.monthly(202601)["values"] == [2]


def test_parts_whose_rows_are_not_the_digested_ones_leave_what_counted(
    city: City, node: Sender
) -> None:
    city.submit(node.seal(batch(Slot(value=1))))
    first, second = two_parts(2, sound=False)

    collected, completed = city.submit(node.seal(first), node.seal(second))

    assert receipt(city, collected).quarantined_parts == 0
    assert receipt(city, completed).quarantined_parts == 1
    assert city.monthly(202601)["values"] == [1]


def test_a_newer_statement_overtakes_one_that_lacks_parts(city: City, node: Sender) -> None:
    first, second = two_parts(2)
    city.submit(node.seal(first), node.seal(batch(Slot(version=3, value=3))))

    city.submit(node.seal(second))

    assert city.monthly(202601)["values"] == [3]


def test_a_complete_statement_counts_while_a_newer_one_lacks_parts(
    city: City, node: Sender
) -> None:
    first, second = two_parts(3)
    city.submit(node.seal(first), node.seal(batch(Slot(version=2, value=2))))
    half_way = city.monthly(202601)["values"]

    city.submit(node.seal(second))

    assert half_way == [2]
    assert city.monthly(202601)["values"] == [3]
