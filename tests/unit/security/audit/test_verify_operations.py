"""The operator log within a bundle: its entries are chained to each other, not to leaves alone."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from protos.yixin.v1 import transparency_pb2
from security.audit import Verdict
from security.operator.log_chain import NO_ENTRY, entry_bytes, entry_hash, parse_entry
from tests.support.auditor import Auditor, checks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from security.audit import AuditReport
    from tests.support.logs import LogUnderTest

OPERATOR = transparency_pb2.LOG_KIND_OPERATOR


class Entries:
    """An operator log under test: what is logged and what is shown are chosen apart."""

    def __init__(self, log: LogUnderTest) -> None:
        self.log = log
        self.previous, self.number = NO_ENTRY, 0
        self.shown: list[bytes] = []

    def add(self, word: bytes, *, leaf: bool = True, shown: bool = True) -> bytes:
        """Append an entry; its hash."""
        self.number += 1
        parts = (b"officer", word)
        if shown:
            self.shown.append(entry_bytes(self.previous, self.number, parts))
        self.previous = entry_hash(self.previous, self.number, parts)
        if leaf:
            self.log.event(OPERATOR, self.previous)
        return self.previous

    def back(self, previous: bytes, number: int) -> None:
        """Continue from an earlier entry, as if later ones had never been."""
        self.previous, self.number = previous, number

    def verify(self, auditor: Auditor, *, from_index: int = 0) -> AuditReport:
        parts = self.log.parts(operations=self.shown, from_index=from_index)
        return auditor.verify(parts)


@pytest.fixture
def entries(empty_log: LogUnderTest) -> Entries:
    return Entries(empty_log)


def found(report: AuditReport) -> list[list[str]]:
    return [checks(report, at) for at in range(len(report.exchanges))]


def test_entries_that_follow_each_other_are_valid(entries: Entries, auditor: Auditor) -> None:
    for word in (b"token", b"grade", b"publish"):
        entries.add(word)
    report = entries.verify(auditor)
    assert report.verdict is Verdict.VALID
    assert report.counts["operations_chained"] == 3


def test_an_entry_without_a_leaf_links_its_neighbours(entries: Entries, auditor: Auditor) -> None:
    """The log was read-only just then: the entry stands, and the next leaf fixes it too."""
    entries.add(b"token")
    entries.add(b"grade", leaf=False)
    entries.add(b"import", leaf=False)
    entries.add(b"publish")
    assert entries.verify(auditor).verdict is Verdict.VALID


def test_an_entry_that_is_in_no_leaf_and_not_shown_is_a_gap(
    entries: Entries, auditor: Auditor
) -> None:
    entries.add(b"token")
    entries.add(b"grade", leaf=False, shown=False)
    entries.add(b"publish")
    report = entries.verify(auditor)
    assert found(report) == [[], ["operator_gap"]]
    assert "1 entries before entry 3" in report.exchanges[1].failures[0].detail
    assert report.verdict is Verdict.INDETERMINATE


def test_a_log_that_does_not_begin_with_its_first_entry_has_a_gap(
    entries: Entries, auditor: Auditor
) -> None:
    entries.add(b"token", leaf=False, shown=False)
    entries.add(b"grade")
    assert found(entries.verify(auditor)) == [["operator_gap"]]


def test_an_entry_written_anew_contradicts_the_one_that_was_logged(
    entries: Entries, auditor: Auditor
) -> None:
    """Two entries of one number, both logged: the operator log has two histories."""
    first = entries.add(b"token")
    entries.add(b"revoke")
    entries.back(first, 1)
    entries.add(b"nothing")
    report = entries.verify(auditor)
    assert found(report) == [[], [], ["operator_fork"]]
    assert report.verdict is Verdict.INVALID


def test_two_entries_after_one_without_a_leaf_are_a_fork(
    entries: Entries, auditor: Auditor
) -> None:
    first = entries.add(b"token", leaf=False)
    entries.add(b"revoke")
    entries.back(first, 1)
    entries.add(b"nothing")
    report = entries.verify(auditor)
    assert found(report) == [[], ["operator_fork"]]
    assert report.verdict is Verdict.INVALID


def test_going_on_before_a_logged_entry_that_is_not_shown_is_left_open(
    entries: Entries, auditor: Auditor
) -> None:
    """A restored database lost it, or somebody took it away: the bundle cannot tell."""
    first = entries.add(b"token")
    entries.add(b"revoke", shown=False)
    entries.back(first, 1)
    entries.add(b"grade")
    report = entries.verify(auditor)
    assert found(report) == [[], ["operator_missing"], ["operator_fork"]]
    assert report.verdict is Verdict.INDETERMINATE


def test_entries_out_of_order_are_invalid(entries: Entries, auditor: Auditor) -> None:
    hashes: list[bytes] = [entries.add(word, leaf=False) for word in (b"token", b"grade")]
    for digest in reversed(hashes):
        entries.log.event(OPERATOR, digest)
    report = entries.verify(auditor)
    assert report.verdict is Verdict.INVALID
    assert "operator_fork" in checks(report, 1)


def test_one_entry_is_logged_once(entries: Entries, auditor: Auditor) -> None:
    digest = entries.add(b"token")
    entries.log.event(OPERATOR, digest)
    report = entries.verify(auditor)
    assert found(report) == [[], ["operator_fork"]]
    assert report.verdict is Verdict.INVALID


@pytest.mark.parametrize("number", [1, 3, 0])
def test_numbers_go_up_by_one(entries: Entries, auditor: Auditor, number: int) -> None:
    first = entries.add(b"token")
    parts = (b"officer", b"grade")
    entries.shown.append(entry_bytes(first, number, parts))
    entries.log.event(OPERATOR, entry_hash(first, number, parts))
    report = entries.verify(auditor)
    assert found(report) == [[], ["operator_fork"]]
    assert report.verdict is Verdict.INVALID


def test_a_range_that_begins_later_begins_anywhere(entries: Entries, auditor: Auditor) -> None:
    for word in (b"token", b"grade", b"publish"):
        entries.add(word)
    entries.shown = entries.shown[1:]
    assert entries.verify(auditor, from_index=1).verdict is Verdict.VALID


@pytest.mark.parametrize(
    "data",
    [b"", b"entry", b"DSSEv1", b"DSSEv1 3 abc", b"DSSEv1 23 yixin/operator-entry/v1 32 short"],
)
def test_what_is_no_entry_is_invalid(
    empty_log: LogUnderTest, auditor: Auditor, data: bytes
) -> None:
    empty_log.event(OPERATOR, hashlib.sha256(data).digest())
    report = auditor.verify(empty_log.parts(operations=[data]))
    assert checks(report, 0) == ["operator"]
    assert report.verdict is Verdict.INVALID


@pytest.mark.parametrize("parts", [(), (b"a",), (b"", b" 1 x", b"\0" * 40)])
def test_an_entry_is_read_as_it_was_written(parts: Sequence[bytes]) -> None:
    entry = parse_entry(entry_bytes(b"p" * 32, 12, parts))
    assert (entry.previous, entry.number, tuple(entry.parts)) == (b"p" * 32, 12, tuple(parts))
    assert entry.hash == entry_hash(b"p" * 32, 12, parts)


@pytest.mark.parametrize(
    "data",
    [
        entry_bytes(b"p" * 31, 1, ()),
        entry_bytes(b"p" * 32, -1, ()),
        entry_bytes(b"p" * 32, 10**30, ()),
        entry_bytes(b"p" * 32, 1, ()) + b" ",
        entry_bytes(b"p" * 32, 1, ())[:-1],
        entry_bytes(b"p" * 32, 1, ()).replace(b" 1 1", b" 01 1"),
        entry_bytes(b"p" * 32, 1, ()).replace(b"/v1", b"/v2"),
        entry_bytes(b"p" * 32, 1, ()).replace(b" 1 1", b" \xd9\xa1 1"),
    ],
)
def test_what_is_not_an_entry_to_the_byte_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="entry"):
        parse_entry(data)
