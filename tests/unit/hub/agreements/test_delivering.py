"""Products are built from their agreement, delivered once per stretch, and never without one."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from hub.agreements.delivering import Delivery, deliver
from hub.agreements.signing import retire, sign_terms
from hub.agreements.terms import shipped_terms
from hub.errors import AgreementRefusedError, NotPublishedError
from hub.store import deliveries, members
from hub.store.agreement_tables import product
from hub.store.engine import reading, writing
from protos.yixin.v1 import envelope_pb2
from scoring_kernel.periods import Period
from security.chain import ChainPosition
from security.envelope import envelope_hash
from security.headers import parse_header
from tests.support.published import HOSPITAL, Grade, publish_grades
from tests.support.sharing_city import product_of, rows_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.hub_city import Sender
    from tests.support.sharing_city import SharingCity

PERIOD = Period.parse("2026H1")
BANK = "yixin://330300/department/bank"


def delivered(
    sharing: SharingCity,
    name: str = "bank",
    *,
    correct: bool = False,
    again: bool = False,
    period: Period = PERIOD,
) -> Delivery:
    return deliver(
        sharing.room,
        name,
        period=period,
        officer="王五",
        correct=correct,
        again=again,
        now_ms=sharing.city.clock.ms,
    )


def sign(sharing: SharingCity, name: str, **changes: object) -> None:
    terms = replace(shipped_terms(sharing.room.catalog)[name], **changes)  # type: ignore[arg-type]
    with writing(sharing.room.engine) as connection:
        sign_terms(
            connection,
            sharing.room.identity,
            terms,
            parent="",
            officer="王五",
            now_ms=sharing.city.clock.ms,
        )


def acknowledge(sharing: SharingCity, *held: envelope_pb2.SealedEnvelope) -> None:
    """The bank comes again and states what it holds, as every collection begins."""
    heads: dict[int, ChainPosition] = {}
    for one in held:
        header = parse_header(one)
        heads[header.lane] = ChainPosition(
            incarnation=header.incarnation, seq=header.seq, hash=envelope_hash(one)
        )
    sharing.downlink.acknowledge(BANK, heads, sharing.city.clock.ms)


def join_anew(sharing: SharingCity, place: Path) -> Sender:
    """The bank lost its disk, is revoked and joins again under new keys."""
    sharing.city.clock.advance(hours=1)
    with writing(sharing.room.engine) as connection:
        members.revoke(connection, BANK, "its disk is gone", sharing.city.clock.ms)
    sharing.directory = place
    anew = sharing.enrol("bank")
    sharing.city.clock.advance(hours=1)
    return anew


def test_a_product_holds_what_the_agreement_grants_and_nothing_more(sharing: SharingCity) -> None:
    made = delivered(sharing)
    (opened,) = sharing.collect("bank")

    whole = product_of(opened.payload)
    assert rows_of(whole) == [
        {
            "subject_class": HOSPITAL,
            "subject": "H33030200001",
            "name": "市一医院",
            "period": "2026H1",
            "grade": "excellent",
        },
        {
            "subject_class": HOSPITAL,
            "subject": "H33030200002",
            "name": "县医院, 东院",
            "period": "2026H1",
            "grade": "good",
        },
    ]
    assert (made.rows, made.parts, made.is_new) == (2, 1, True)
    assert made.sha256 == hashlib.sha256(whole.content).hexdigest() == whole.digest.hex()
    header = opened.header
    assert (header.agreement, header.purpose, header.data_class, header.payload_type) == (
        "bank@1",
        "credit_loan",
        "grade",
        "product",
    )


def test_every_delivery_is_a_leaf_that_names_its_agreement(sharing: SharingCity) -> None:
    delivered(sharing)
    sharing.collect("bank")

    (leaf,) = [leaf for leaf in sharing.leaves("DELIVERY") if leaf.payload_type == "product"]
    assert (leaf.recipient, leaf.agreement, leaf.period) == (BANK, "bank@1", "2026H1")


def test_two_runs_give_the_same_product_and_no_second_delivery(sharing: SharingCity) -> None:
    first = delivered(sharing)
    again = delivered(sharing)

    assert again == replace(first, is_new=False, waiting=1)
    assert len(sharing.collect("bank")) == 1
    assert sharing.count(product) == 1


def test_who_joined_anew_gets_the_very_same_product_once_more(
    sharing: SharingCity, tmp_path: Path
) -> None:
    first = delivered(sharing)
    (envelope,) = sharing.sealed("bank")
    acknowledge(sharing, envelope)
    anew = join_anew(sharing, tmp_path / "anew")

    second = delivered(sharing)
    sharing.city.clock.advance(hours=1)
    third = delivered(sharing)
    lost, sealed = sharing.sealed("bank")

    keys = anew.membership.decryption_keys
    assert parse_header(lost).recipient_key_id not in keys
    opened = sharing.opened(anew, sealed)
    assert product_of(opened.payload).digest.hex() == first.sha256
    assert (second.is_new, second.repeated, second.correction) == (True, True, False)
    assert (third.is_new, third.repeated) == (False, False)
    assert sharing.count(product) == 2
    leaves = [leaf for leaf in sharing.leaves("DELIVERY") if leaf.payload_type == "product"]
    assert len(leaves) == 2


@pytest.mark.parametrize("is_sealed", [False, True])
def test_what_waits_for_who_joined_anew_goes_out_once(
    sharing: SharingCity, tmp_path: Path, *, is_sealed: bool
) -> None:
    first = delivered(sharing)
    if is_sealed:
        # Given out, and the disk went before the next line said that it came.
        assert len(sharing.sealed("bank")) == 1
    anew = join_anew(sharing, tmp_path / "anew")

    second = delivered(sharing)
    third = delivered(sharing, again=True)
    acknowledge(sharing)
    opened = [sharing.opened(anew, one) for one in sharing.sealed("bank")]

    assert [product_of(one.payload).digest.hex() for one in opened] == [first.sha256]
    assert opened[0].header.incarnation == (2 if is_sealed else 1)
    assert [(one.is_new, one.waiting) for one in (first, second, third)] == [
        (True, 0),
        (False, 1),
        (False, 1),
    ]
    assert sharing.count(product) == 1


def test_the_very_same_product_goes_out_again_where_it_is_asked_for(sharing: SharingCity) -> None:
    first = delivered(sharing, again=True)
    acknowledge(sharing, *sharing.sealed("bank"))
    second = delivered(sharing, again=True)

    assert (first.repeated, second.repeated, second.is_new) == (False, True, True)
    assert len(sharing.collect("bank")) == 2
    with reading(sharing.room.engine) as connection:
        rows = deliveries.recent_products(connection, 10)
    assert [(row.digest.hex(), row.correction) for row in rows] == [(first.sha256, False)] * 2


def test_another_product_does_not_pass_as_the_same_again(sharing: SharingCity) -> None:
    delivered(sharing)
    publish_grades(
        sharing.room.engine, [Grade(subject="H33030200003", grade="good", version=2, level="1")]
    )
    with pytest.raises(AgreementRefusedError, match=r"^frequency: .*--correct"):
        delivered(sharing, again=True)


def test_a_second_product_of_a_stretch_is_refused_unless_it_is_a_correction(
    sharing: SharingCity,
) -> None:
    delivered(sharing)
    publish_grades(
        sharing.room.engine, [Grade(subject="H33030200003", grade="good", version=2, level="1")]
    )

    with pytest.raises(AgreementRefusedError, match=r"^frequency: .*--correct"):
        delivered(sharing)
    corrected = delivered(sharing, correct=True)

    assert (corrected.rows, corrected.correction) == (3, True)
    with reading(sharing.room.engine) as connection:
        newest, first = deliveries.recent_products(connection, 10)
    assert (newest.correction, first.correction) == (True, False)
    assert len(sharing.leaves("REFUSED_REQUEST")) == 1


def test_a_large_product_travels_in_parts(
    sharing: SharingCity, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.agreements.building.PAYLOAD_TARGET_BYTES", 150)
    made = delivered(sharing)
    payloads = [opened.payload for opened in sharing.collect("bank")]

    whole = product_of(*reversed(payloads))
    assert made.parts == len(payloads) == 2
    assert hashlib.sha256(whole.content).digest() == whole.digest
    assert len(rows_of(whole)) == 2


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("market_regulation", "is in force"),
        ("nobody", "is in force"),
        ("bank@2", "is in force"),
        ("police", "^frequency: "),
        ("public_query", "^frequency: "),
    ],
)
def test_what_no_agreement_names_is_refused_and_logged(
    sharing: SharingCity, name: str, rule: str
) -> None:
    with pytest.raises(AgreementRefusedError, match=rule):
        delivered(sharing, name)

    (leaf,) = sharing.leaves("REFUSED_REQUEST")
    assert (leaf.payload_type, leaf.agreement, leaf.period) == ("product", name, "2026H1")
    assert sharing.count(product) == 0


def test_an_agreement_ends_with_its_days(sharing: SharingCity) -> None:
    sharing.city.clock.advance(days=366)
    with pytest.raises(AgreementRefusedError, match="not valid now"):
        delivered(sharing)


def test_a_revoked_recipient_gets_nothing(sharing: SharingCity) -> None:
    with writing(sharing.room.engine) as connection:
        members.revoke(connection, BANK, "left", sharing.city.clock.ms)
    with pytest.raises(AgreementRefusedError, match=r"^recipient: .*revoked"):
        delivered(sharing)
    sign(sharing, "market_regulation")
    with pytest.raises(AgreementRefusedError, match=r"^recipient: .*not joined"):
        delivered(sharing, "market_regulation")


def test_nothing_published_is_nothing_to_deliver(sharing: SharingCity) -> None:
    with pytest.raises(NotPublishedError, match="2026H2"):
        delivered(sharing, period=Period.parse("2026H2"))


@pytest.mark.parametrize(
    ("changes", "slot"),
    [
        ({"frequency": "year"}, "2026"),
        ({"frequency": "month"}, "202611"),
        ({"frequency": "day"}, "20261101"),
    ],
)
def test_the_stretch_follows_the_frequency(
    sharing: SharingCity, changes: dict[str, str], slot: str
) -> None:
    sign(sharing, "bank", **changes)
    delivered(sharing)
    with reading(sharing.room.engine) as connection:
        (row,) = deliveries.recent_products(connection, 10)
    assert (row.agreement, row.slot) == ("bank@2", slot)


def test_a_statistic_suppresses_its_small_cells(sharing: SharingCity) -> None:
    publish_grades(
        sharing.room.engine,
        [
            Grade(subject=f"D33030200{number:04d}", subject_class="physician", grade=grade)
            for number, grade in enumerate(["good"] * 9 + ["poor"] * 7 + ["bad"] * 2)
        ],
    )
    sharing.enrol("health_commission")
    sign(sharing, "health_statistics", subject_classes=("physician",))

    made = delivered(sharing, "health_statistics")
    (opened,) = sharing.collect("health_commission")
    table = {
        row["grade"]: row["count"]
        for row in rows_of(product_of(opened.payload))
        if (row["subject_class"], row["level"]) == ("physician", "3")
    }

    assert table == {"*": "18", "bad": "<5", "good": "9", "poor": "<5"}
    assert made.suppressed == product_of(opened.payload).suppressed > 0


def test_what_was_queued_is_withdrawn_when_its_agreement_ends(sharing: SharingCity) -> None:
    delivered(sharing)
    with writing(sharing.room.engine) as connection:
        retire(connection, sharing.room.identity, "bank", sharing.city.clock.ms)

    assert sharing.collect("bank") == []
    assert any("was retired" in cause for cause in sharing.refusals())
    (leaf,) = sharing.leaves("REFUSED_REQUEST")
    assert (leaf.payload_type, leaf.recipient, leaf.agreement) == ("withdrawn", BANK, "bank@1")


def test_what_was_withdrawn_was_not_delivered_and_can_be_again(sharing: SharingCity) -> None:
    delivered(sharing)
    with writing(sharing.room.engine) as connection:
        retire(connection, sharing.room.identity, "bank", sharing.city.clock.ms)
    sharing.collect("bank")
    with reading(sharing.room.engine) as connection:
        assert deliveries.recent_products(connection, 10) == ()
    sign(sharing, "bank")

    assert delivered(sharing).is_new
    (opened,) = sharing.collect("bank")
    assert product_of(opened.payload).agreement == "bank@2"


@pytest.mark.parametrize(
    "changes",
    [
        {"agreement": ""},
        {"agreement": "bank@7"},
        {"purpose": "advertising"},
        {"data_class": "clue"},
        {"payload_type": "statements"},
        {"recipient": "yixin://330300/department/police"},
    ],
)
def test_a_delivery_outside_its_agreement_is_impossible_to_seal(
    sharing: SharingCity, changes: dict[str, str]
) -> None:
    parts: dict[str, Any] = {
        "recipient": BANK,
        "payload_type": "product",
        "purpose": "credit_loan",
        "data_class": "grade",
        "agreement": "bank@1",
    }
    with writing(sharing.room.engine) as connection:
        sharing.room.outbox.append(
            connection,
            lane=envelope_pb2.LANE_BULK,
            schema_version=1,
            period="2026H1",
            payload=b"smuggled",
            **parts | changes,
        )

    assert sharing.collect("bank") + sharing.collect("police") == []
    assert [leaf.payload_type for leaf in sharing.leaves("REFUSED_REQUEST")] == ["withdrawn"]
