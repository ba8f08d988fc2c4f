from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from protos.yixin.v1 import (
    envelope_pb2,
    exchange_pb2,
    statement_pb2,
)
from security.audit import Trust, Verdict, verify_bundle, write_bundle
from tests.support.auditor import HUB_UNDER_TEST, NODE_UNDER_TEST, Auditor, checks
from tests.support.members import (
    NODE,
    NOW_MS,
    OTHER_NODE,
    PROVINCE,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.logs import LogUnderTest


# Receipts ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("logged_at_ms", NOW_MS + 1, ["receipt_differs"]),
        ("envelope_hash", bytes(32), ["receipt_differs"]),
        ("seq", 9, ["receipt_differs"]),
        ("lane", envelope_pb2.LANE_URGENT, ["receipt_differs"]),
        ("sender", OTHER_NODE, ["receipt"]),
        ("hub", PROVINCE, ["receipt"]),
        ("status", 0, ["receipt"]),
    ],
)
def test_a_receipt_that_says_something_else_than_the_log_shows(
    empty_log: LogUnderTest,
    auditor: Auditor,
    name: str,
    value: object,
    expected: list[str],
) -> None:
    log = empty_log
    log.accept(log.next_outgoing(NODE_UNDER_TEST))
    body = exchange_pb2.ReceiptBody.FromString(
        exchange_pb2.Receipt.FromString(log.receipts[0]).body
    )
    setattr(body, name, value)
    log.receipts = log.sign_receipts([body])
    assert checks(auditor.verify(log.parts()), 0) == expected


def test_a_receipt_of_another_place_is_a_stranger(
    empty_log: LogUnderTest, auditor: Auditor
) -> None:
    log = empty_log
    log.accept(log.next_outgoing(NODE_UNDER_TEST))
    body = exchange_pb2.ReceiptBody.FromString(
        exchange_pb2.Receipt.FromString(log.receipts[0]).body
    )
    body.log_index = 5
    log.receipts = log.sign_receipts([body])
    report = auditor.verify(log.parts())
    assert checks(report, 0) == ["receipt"]
    assert checks(report) == ["receipts.pb"]


def test_a_flipped_bit_in_any_part_of_a_receipt_shows(log: LogUnderTest, auditor: Auditor) -> None:
    for part in ("body", "signature", "pq_signature"):
        receipt = exchange_pb2.Receipt.FromString(log.receipts[0])
        value = getattr(receipt, part)
        setattr(receipt, part, bytes([value[0] ^ 1]) + value[1:])
        receipts = [receipt.SerializeToString(), *log.receipts[1:]]
        report = auditor.verify(log.parts(receipts=receipts))
        assert checks(report, 0) == ["receipt"]


# Publications --------------------------------------------------------------------------------


def changed_statement(log: LogUnderTest, at: int, name: str, value: object) -> list[bytes]:
    _, statements = log.publications[0]
    statement = statement_pb2.SignedGradeStatement.FromString(statements[at])
    if name == "path":
        del statement.path[:]
        statement.path.extend(value)  # type: ignore[arg-type]  # parametrised
    else:
        setattr(statement, name, value)
    return [*statements[:at], statement.SerializeToString(), *statements[at + 1 :]]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("body", b"a better grade"),
        ("leaf_index", 2),
        ("group_size", 4),
        ("key_id", "0" * 32),
        ("signature", bytes(64)),
        ("path", [bytes(32)] * 33),
        ("path", []),
    ],
)
def test_a_changed_grade_statement_shows(
    log: LogUnderTest, auditor: Auditor, name: str, value: object
) -> None:
    root, _ = log.publications[0]
    statements = changed_statement(log, 1, name, value)
    report = auditor.verify(log.parts(publications=[(root, statements)]))
    assert checks(report, 5) == ["statement"]
    assert report.verdict is Verdict.INVALID


def test_statements_of_another_publication_or_order_show(
    log: LogUnderTest, auditor: Auditor
) -> None:
    root, statements = log.publications[0]
    log.publish([b"grade 3", b"grade 4", b"grade 5"])
    foreign = log.publications[1][1]
    swapped = [statements[1], statements[0], statements[2]]
    for shown, count in ((foreign, 3), (swapped, 2)):
        parts = log.parts(publications=[(root, shown)])
        assert checks(auditor.verify(parts), 5) == ["statement"] * count


def test_left_out_statements_are_indeterminate(log: LogUnderTest, auditor: Auditor) -> None:
    root, statements = log.publications[0]
    report = auditor.verify(log.parts(publications=[(root, statements[:2])]))
    assert checks(report, 5) == ["statements"]
    assert report.verdict is Verdict.INDETERMINATE


def test_a_publication_that_is_not_shown_is_indeterminate(
    log: LogUnderTest, auditor: Auditor
) -> None:
    report = auditor.verify(log.parts(publications=[]))
    assert checks(report, 5) == ["publication_missing"]
    assert report.verdict is Verdict.INDETERMINATE


def test_a_publication_of_another_period_need_not_be_shown(
    empty_log: LogUnderTest, auditor: Auditor
) -> None:
    empty_log.publish([b"grade 0"], period="2025H2")
    report = auditor.verify(empty_log.parts(period="2026H1", publications=[]))
    assert report.verdict is Verdict.VALID


def test_statements_that_belong_to_no_leaf_show(log: LogUnderTest, auditor: Auditor) -> None:
    report = auditor.verify(log.parts(publications=[*log.publications, (bytes(32), [b""])]))
    assert checks(report) == ["publication"]
    assert report.verdict is Verdict.INVALID


@pytest.mark.parametrize("changes", [{"sender": PROVINCE}, {"recipient": NODE}])
def test_a_publication_in_anothers_name_shows(
    empty_log: LogUnderTest, auditor: Auditor, changes: dict[str, Any]
) -> None:
    empty_log.publish([b"grade 0"], **changes)
    assert "leaf" in checks(auditor.verify(empty_log.parts(publications=[])), 0)


def test_failures_of_a_publication_are_bounded(empty_log: LogUnderTest, auditor: Auditor) -> None:
    empty_log.publish([b"grade 0"])
    root, _ = empty_log.publications[0]
    parts = empty_log.parts(publications=[(root, [b"\xff"] * 2000)])
    assert len(auditor.verify(parts).exchanges[0].failures) == 1000


def test_progress_is_reported(log: LogUnderTest, tmp_path: Path) -> None:
    write_bundle(tmp_path / "bundle", log.parts())
    seen: list[tuple[int, int]] = []
    verify_bundle(
        tmp_path / "bundle",
        Trust.of(HUB_UNDER_TEST.anchor),
        lambda _stage, done, total=0, _unit="": seen.append((done, total)),
    )
    assert seen == [(0, 6), (6, 6)]
