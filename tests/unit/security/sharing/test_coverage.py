"""What no agreement names is not covered; the refusal names the rule."""

from __future__ import annotations

from typing import Any

import pytest

from protos.yixin.v1 import envelope_pb2
from security.errors import AgreementError
from security.sharing import needs_agreement, verify_coverage, verify_request
from tests.support.agreements import (
    BANK,
    BEGIN_MS,
    DEPARTMENT,
    END_MS,
    PROVIDER,
    changed,
    statistic,
)

PROVINCE = "yixin://330000/hub/province"


def header(**parts: Any) -> envelope_pb2.EnvelopeHeader:  # noqa: ANN401 - any field
    fields = {
        "sender": PROVIDER,
        "recipient": DEPARTMENT,
        "purpose": "credit_loan",
        "data_class": "grade",
        "payload_type": "product",
        "agreement": "bank@1",
    }
    return envelope_pb2.EnvelopeHeader(**fields | parts)


def test_a_delivery_within_its_agreement_is_covered() -> None:
    verify_coverage(header(), BANK, BEGIN_MS)
    verify_coverage(header(), BANK, END_MS)


@pytest.mark.parametrize(
    ("parts", "rule"),
    [
        ({"agreement": "bank@2"}, "agreement"),
        ({"agreement": ""}, "agreement"),
        ({"sender": PROVINCE}, "provider"),
        ({"recipient": "yixin://330300/department/police"}, "recipient"),
        ({"purpose": "advertising"}, "purpose"),
        ({"data_class": "clue"}, "data_class"),
        ({"payload_type": "grade_push"}, "payload_type"),
    ],
)
def test_a_delivery_outside_its_agreement_is_not(parts: dict[str, Any], rule: str) -> None:
    with pytest.raises(AgreementError, match=f"^{rule}: "):
        verify_coverage(header(**parts), BANK, BEGIN_MS)


@pytest.mark.parametrize(
    ("at_ms", "when"), [(BEGIN_MS - 1, "has not begun"), (END_MS + 1, "has ended")]
)
def test_an_agreement_covers_nothing_outside_its_days(at_ms: int, when: str) -> None:
    with pytest.raises(AgreementError, match=f"^validity: .*{when}"):
        verify_coverage(header(), BANK, at_ms)


def test_a_routed_product_is_covered_on_both_legs_and_in_no_other_form() -> None:
    routed = changed(recipient="yixin://330000/department/credit", via=PROVINCE)

    verify_coverage(header(recipient="yixin://330000/department/credit"), routed, BEGIN_MS)
    verify_coverage(header(recipient=PROVINCE, payload_type="forward"), routed, BEGIN_MS)
    with pytest.raises(AgreementError, match=r"^payload_type"):
        verify_coverage(header(recipient=PROVINCE), routed, BEGIN_MS)


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ({}, True),
        ({"payload_type": "anything_new"}, True),
        ({"payload_type": "product_refusal"}, False),
        ({"payload_type": "directory"}, False),
        ({"payload_type": "forwarded"}, False),
        ({"recipient": PROVINCE, "payload_type": "grade_push"}, True),
        ({"recipient": PROVINCE, "payload_type": "forward"}, True),
        ({"recipient": PROVINCE, "payload_type": "heartbeat"}, False),
        ({"recipient": "yixin://330302/node/H1", "payload_type": "grade_statements"}, False),
        ({"sender": "yixin://330302/node/H1", "recipient": PROVIDER}, False),
        ({"sender": DEPARTMENT, "recipient": PROVIDER, "payload_type": "product_request"}, False),
    ],
)
def test_departments_and_hubs_get_nothing_without_an_agreement(
    parts: dict[str, Any],
    expected: bool,  # noqa: FBT001 - a parameter of the table
) -> None:
    assert needs_agreement(header(**parts)) is expected


def test_a_request_within_its_agreement_is_covered() -> None:
    asked: dict[str, Any] = {"asker": DEPARTMENT, "purpose": "credit_loan", "at_ms": BEGIN_MS}
    verify_request(BANK, **asked)
    verify_request(
        BANK, **asked, subject_classes=["designated_retail_pharmacy"], fields=["subject", "grade"]
    )


@pytest.mark.parametrize(
    ("parts", "rule"),
    [
        ({"asker": "yixin://330300/department/police"}, "recipient"),
        ({"purpose": "advertising"}, "purpose"),
        ({"subject_classes": ["designated_retail_pharmacy", "insured_person"]}, "subject_class"),
        ({"fields": ["grade", "total"]}, "field"),
        ({"at_ms": BEGIN_MS - 1}, "validity"),
        ({"at_ms": END_MS + 1}, "validity"),
    ],
)
def test_a_request_outside_its_agreement_is_refused_by_rule(
    parts: dict[str, Any], rule: str
) -> None:
    asked: dict[str, Any] = {"asker": DEPARTMENT, "purpose": "credit_loan", "at_ms": BEGIN_MS}
    with pytest.raises(AgreementError, match=f"^{rule}: "):
        verify_request(BANK, **asked | parts)


@pytest.mark.parametrize(
    "cut", [{"fields": ["grade", "count"]}, {"subject_classes": ["nurse"]}, {"subjects": ["H1"]}]
)
def test_a_statistic_is_asked_for_as_a_whole(cut: dict[str, Any]) -> None:
    asked: dict[str, Any] = {"asker": DEPARTMENT, "purpose": "credit_loan", "at_ms": BEGIN_MS}
    agreement = statistic(subject_classes=("nurse",))
    verify_request(agreement, **asked)
    with pytest.raises(AgreementError, match=r"^statistic: "):
        verify_request(agreement, **asked, **cut)
