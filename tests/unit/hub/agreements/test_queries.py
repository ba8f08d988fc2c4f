"""Single questions of the public: one subject, the agreement's fields, always logged."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hub.agreements.queries import Answer, Question, answer
from hub.errors import AgreementRefusedError
from tests.support.published import HOSPITAL

if TYPE_CHECKING:
    from tests.support.sharing_city import SharingCity


def asked(
    sharing: SharingCity,
    subject: str,
    *,
    agreement: str = "public_query",
    period: str = "2026H1",
) -> Answer:
    question = Question(agreement=agreement, subject=subject, period=period, officer="窗口")
    return answer(sharing.room, question, sharing.city.clock.ms)


def test_a_question_is_answered_with_the_agreements_fields_and_logged(sharing: SharingCity) -> None:
    found = asked(sharing, "H33030200001")

    assert found.rows == (
        {
            "subject_class": HOSPITAL,
            "subject": "H33030200001",
            "name": "市一医院",
            "period": "2026H1",
            "grade": "excellent",
            "basis": "proposal",
        },
    )
    (leaf,) = sharing.leaves("QUERY")
    assert (leaf.payload_type, leaf.recipient, leaf.agreement) == ("query", "", "public_query@1")
    assert sharing.leaves()[found.log_index] == leaf


@pytest.mark.parametrize(
    ("subject", "parts"),
    [
        ("N330302000001", {}),
        ("R01abcdef", {}),
        ("H99999999999", {}),
        ("H33030200001", {"period": "2020H1"}),
        ("H33030200001", {"agreement": "bank"}),
        ("H33030200001", {"agreement": "nobody"}),
    ],
)
def test_what_is_not_covered_is_refused_and_logged(
    sharing: SharingCity, subject: str, parts: dict[str, str]
) -> None:
    with pytest.raises(AgreementRefusedError):
        asked(sharing, subject, **parts)

    assert len(sharing.leaves("REFUSED_REQUEST")) == 1
    assert sharing.leaves("QUERY") == []


def test_a_person_and_an_unknown_subject_read_alike(sharing: SharingCity) -> None:
    wordings = set()
    for subject in ("N330302000001", "H99999999999"):
        with pytest.raises(AgreementRefusedError) as caught:
            asked(sharing, subject)
        wordings.add(str(caught.value))
    assert len(wordings) == 1
    assert not any("N330302000001" in wording for wording in wordings)
