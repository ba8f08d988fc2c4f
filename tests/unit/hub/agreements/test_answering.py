"""Requests of departments: answered under an agreement, else refused by rule and logged."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from hub.agreements.answering import answer_waiting
from hub.agreements.refusing import DIGEST_TYPE
from hub.agreements.signing import retire
from hub.intake.committing import Refused
from hub.store import deliveries, members
from hub.store.agreement_tables import product
from hub.store.engine import reading, writing
from protos.yixin.v1 import exchange_pb2, sharing_pb2
from security.encoding import pae
from tests.support.sharing_city import product_of, rows_of

if TYPE_CHECKING:
    from tests.support.sharing_city import SharingCity

POLICE = "yixin://330300/department/police"


def answered(sharing: SharingCity) -> int:
    return answer_waiting(sharing.room, sharing.city.clock.ms)


def test_a_covered_request_is_answered_and_logged(sharing: SharingCity) -> None:
    request_id = sharing.request("police", subjects=["H33030200003", "H33030200001"])

    assert answered(sharing) == 1
    (opened,) = sharing.collect("police")
    whole = product_of(opened.payload)
    assert (opened.header.payload_type, opened.header.agreement) == ("product", "police@1")
    assert (whole.request_id, whole.refusal) == (request_id, "")
    # The other hospital is good: the agreement's row filter leaves it out.
    assert [row["subject"] for row in rows_of(whole)] == ["H33030200003"]
    (leaf,) = sharing.leaves("QUERY")
    assert (leaf.recipient, leaf.agreement, leaf.purpose, leaf.period) == (
        POLICE,
        "police@1",
        "fraud_investigation",
        "2026H1",
    )
    assert answered(sharing) == 0


def test_question_answer_and_salt_open_the_leaf(sharing: SharingCity) -> None:
    sharing.request("police")
    answered(sharing)

    (opened,) = sharing.collect("police")
    with reading(sharing.room.engine) as connection:
        (row,) = deliveries.recent_queries(connection, 10)
    vault = sharing.room.identity.vault
    kept = orjson.loads(vault.open(row.sealed, f"sharing_query/{row.digest.hex()}"))
    question, answer, salt = (bytes.fromhex(kept[name]) for name in ("question", "answer", "salt"))
    assert answer == product_of(opened.payload).digest
    assert sharing_pb2.ProductRequest.FromString(question).agreement == "police@1"
    (leaf,) = sharing.leaves("QUERY")
    assert (
        leaf.envelope_hash == hashlib.sha256(pae(DIGEST_TYPE, question, answer, b"", salt)).digest()
    )


def test_a_request_may_ask_for_less_than_the_agreement_grants(sharing: SharingCity) -> None:
    sharing.request(
        "police", fields=["grade", "subject"], subject_classes=["designated_retail_pharmacy"]
    )
    answered(sharing)

    (opened,) = sharing.collect("police")
    assert rows_of(product_of(opened.payload)) == [{"subject": "P33030200009", "grade": "bad"}]


@pytest.mark.parametrize(
    ("parts", "rule"),
    [
        ({"purpose": "advertising"}, "purpose"),
        ({"data_class": "clue"}, "data_class"),
        ({"fields": ["subject", "name"]}, "field"),
        ({"subject_classes": ["insured_person"]}, "subject_class"),
        ({"agreement": "bank@1", "purpose": "credit_loan"}, "recipient"),
        ({"agreement": "police@2"}, "agreement"),
        ({"agreement": "nobody@1"}, "agreement"),
        ({"period": "2025H2"}, "period"),
    ],
)
def test_a_request_outside_its_agreement_is_refused_by_rule_and_logged(
    sharing: SharingCity, parts: dict[str, Any], rule: str
) -> None:
    request_id = sharing.request("police", **parts)
    answered(sharing)

    (opened,) = sharing.collect("police")
    refusal = sharing_pb2.Product.FromString(opened.payload)
    assert opened.header.payload_type == "product_refusal"
    assert (refusal.request_id, refusal.content, refusal.rows) == (request_id, b"", 0)
    assert refusal.refusal.startswith(f"{rule}: ")
    # The commands of the hub are not for a department.
    assert "`yixin hub" not in refusal.refusal
    assert ("ask the hub's officer" in refusal.refusal) == (rule == "agreement")
    (leaf,) = sharing.leaves("REFUSED_REQUEST")
    assert (leaf.recipient, leaf.payload_type) == (POLICE, "product_request")
    with reading(sharing.room.engine) as connection:
        (row,) = deliveries.recent_queries(connection, 10)
    assert row.rule == rule
    assert sharing.count(product) == 0


@pytest.mark.parametrize("header", ["agreement", "period"])
def test_a_request_and_its_envelope_name_the_same(sharing: SharingCity, header: str) -> None:
    other = {"agreement": "bank@1", "period": "2025H2"}[header]
    sharing.request("police", **{f"header_{header}": other})

    body = exchange_pb2.ReceiptBody.FromString(sharing.last.body)
    assert body.status == exchange_pb2.RECEIPT_STATUS_QUARANTINED
    assert answered(sharing) == 0


def test_an_agreement_of_a_push_answers_no_request(sharing: SharingCity) -> None:
    sharing.request("bank", agreement="bank@1", purpose="credit_loan")
    answered(sharing)

    (opened,) = sharing.collect("bank")
    assert sharing_pb2.Product.FromString(opened.payload).refusal.startswith("frequency: ")


def test_an_expired_or_retired_agreement_answers_nothing(sharing: SharingCity) -> None:
    with writing(sharing.room.engine) as connection:
        retire(connection, sharing.room.identity, "police", sharing.city.clock.ms)
    sharing.request("police")
    answered(sharing)

    (opened,) = sharing.collect("police")
    assert "in force" in sharing_pb2.Product.FromString(opened.payload).refusal
    assert len(sharing.leaves("REFUSED_REQUEST")) == 1


def test_a_revoked_recipient_is_refused_at_the_door(sharing: SharingCity) -> None:
    with writing(sharing.room.engine) as connection:
        members.revoke(connection, POLICE, "left", sharing.city.clock.ms)
    sharing.request("police")

    assert isinstance(sharing.last, Refused)
    assert answered(sharing) == 0


def test_who_is_revoked_while_a_request_waits_gets_no_answer(sharing: SharingCity) -> None:
    sharing.request("police")
    with writing(sharing.room.engine) as connection:
        members.revoke(connection, POLICE, "left", sharing.city.clock.ms)
    answered(sharing)

    assert sharing.count(product) == 0
    assert len(sharing.leaves("REFUSED_REQUEST")) == 1


@pytest.mark.parametrize(
    "parts",
    [
        {"format": 2},
        {"request_id": b"short"},
        {"subjects": ["H1; drop table"]},
        {"subjects": ["H1", "H1"]},
        {"subjects": [f"H{number}" for number in range(1_001)]},
        {"fields": ["Grade"]},
        {"subject_classes": ["x" * 65]},
    ],
)
def test_a_malformed_request_is_quarantined(sharing: SharingCity, parts: dict[str, Any]) -> None:
    header = {"agreement": "police@1"} if "agreement" not in parts else {}
    sharing.request("police", **parts | header)

    body = exchange_pb2.ReceiptBody.FromString(sharing.last.body)
    assert body.status == exchange_pb2.RECEIPT_STATUS_QUARANTINED
    assert answered(sharing) == 0


def test_a_department_sends_requests_and_nothing_else(sharing: SharingCity) -> None:
    sharing.request("police", payload_type="statements", purpose="supervision")
    member = sharing.members["police"]
    envelope = member.seal(
        b"x", payload_type="forward", purpose="x", data_class="x", agreement="police@1"
    )
    sharing.city.submit(envelope, peer=member.member)

    assert answered(sharing) == 0
    assert sharing.collect("police") == []
