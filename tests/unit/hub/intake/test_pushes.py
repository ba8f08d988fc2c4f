from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hub.errors import StatementError
from hub.intake.pushes import decode_push
from hub.store import pushed
from hub.store.engine import reading
from protos.yixin.v1 import exchange_pb2, statement_pb2
from tests.support.hub_city import CITY, FIRST, SECOND, Sender, open_city

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def grade(**changes: object) -> statement_pb2.PushedGrade:
    parts: dict[str, object] = {
        "subject": FIRST,
        "subject_class": "designated_medical_institution",
        "period": "2026H1",
        "version": 1,
        "total_centi": 85_000,
        "grade": "excellent",
        "basis": "proposal",
        "model_digest": bytes(32),
        "statement_digest": bytes(32),
    }
    return statement_pb2.PushedGrade(**(parts | changes))  # type: ignore[arg-type]  # any field


def push(*grades: statement_pb2.PushedGrade, **changes: object) -> bytes:
    parts: dict[str, object] = {"period": "2026H1", "publication_root": bytes(32)}
    message = statement_pb2.GradePush(**(parts | changes), grades=grades)  # type: ignore[arg-type]
    return message.SerializeToString()


def test_a_push_is_decoded_grade_by_grade() -> None:
    decoded = decode_push(push(grade(), grade(subject=SECOND, grade="good")))

    assert [(one.subject, one.grade) for one in decoded.grades] == [
        (FIRST, "excellent"),
        (SECOND, "good"),
    ]


@pytest.mark.parametrize(
    "payload",
    [
        b"\xff",
        push(),
        push(grade(), period="2026"),
        push(grade(), publication_root=b"short"),
        push(grade(subject="H1")),
        push(grade(subject="R0123456789abcdef0123456789abcdef", subject_class="insured_person")),
        push(grade(subject="990001195803121016")),
        push(grade(subject_class="Not A Word")),
        push(grade(period="2025H1")),
        push(grade(version=0)),
        push(grade(total_centi=-1)),
        push(grade(total_centi=10**7)),
        push(grade(grade="")),
        push(grade(basis="draft")),
        push(grade(model_digest=b"")),
        push(grade(statement_digest=b"")),
    ],
)
def test_a_push_that_is_out_of_bounds_is_refused_whole(payload: bytes) -> None:
    with pytest.raises(StatementError):
        decode_push(payload)


def test_grades_of_staff_and_organisations_go_up() -> None:
    decoded = decode_push(
        push(
            grade(subject="D330302000001", subject_class="physician"),
            grade(subject="91350100M000100Y43", subject_class="supplier"),
            grade(subject="91350100M000100Y43", subject_class="employer"),
        )
    )

    assert [one.subject_class for one in decoded.grades] == ["physician", "supplier", "employer"]


def test_a_refused_push_does_not_repeat_what_could_be_a_persons_number() -> None:
    with pytest.raises(StatementError) as refused:
        decode_push(push(grade(subject="990001195803121016")))

    assert "990001195803121016" not in str(refused.value)


@pytest.fixture
def below(tmp_path: Path) -> Iterator[Sender]:
    """A city hub that joined a provincial one; its ``city`` is the province."""
    with open_city(tmp_path / "province", level="province", division="330000") as province:
        yield province.enrol(tmp_path / "below", CITY)


def test_a_pushed_version_is_kept_under_its_hub_and_replaces_only_itself(below: Sender) -> None:
    province = below.city
    payloads = [
        push(grade(), grade(subject=SECOND, grade="bad")),
        push(grade(version=2, grade="good")),
        push(grade(version=2, grade="good")),
    ]

    results = province.submit(*(below.seal(payload) for payload in payloads), peer=CITY)

    bodies = [
        exchange_pb2.ReceiptBody.FromString(result.body)
        for result in results
        if isinstance(result, exchange_pb2.Receipt)
    ]
    assert [body.status for body in bodies] == [exchange_pb2.RECEIPT_STATUS_STORED] * 3
    with reading(province.parts.engine) as connection:
        assert pushed.distribution(connection, "2026H1") == {
            "designated_medical_institution": {"bad": 1, "good": 1}
        }
        assert pushed.count(connection) == 2
        assert list(pushed.periods(connection)) == ["2026H1"]


def test_a_hub_may_not_send_statements(below: Sender) -> None:
    (result,) = below.city.submit(below.seal(push(grade()), payload_type="statements"), peer=CITY)

    assert isinstance(result, exchange_pb2.Receipt)
    body = exchange_pb2.ReceiptBody.FromString(result.body)
    assert body.status == exchange_pb2.RECEIPT_STATUS_QUARANTINED
