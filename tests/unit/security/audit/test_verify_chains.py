from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from security.audit import Verdict
from security.chain import GENESIS, ChainPosition
from tests.support.auditor import HUB_UNDER_TEST, NODE_UNDER_TEST, Auditor, checks
from tests.support.members import (
    HUB,
    NODE,
    outgoing,
)

if TYPE_CHECKING:
    from tests.support.logs import LogUnderTest


def test_a_gap_in_a_chain_shows_once(empty_log: LogUnderTest, auditor: Auditor) -> None:
    log = empty_log
    log.accept(log.next_outgoing(NODE_UNDER_TEST))
    head = log.heads[NODE, HUB]
    log.heads[NODE, HUB] = replace(head, seq=2)
    log.accept(log.next_outgoing(NODE_UNDER_TEST))
    log.accept(log.next_outgoing(NODE_UNDER_TEST))
    report = auditor.verify(log.parts())
    assert [checks(report, at) for at in range(3)] == [[], ["chain_gap"], []]


def test_a_fork_that_the_hub_logged_shows(log: LogUnderTest, auditor: Auditor) -> None:
    log.accept(outgoing(HUB_UNDER_TEST, NODE_UNDER_TEST, payload=b"second history"))
    assert checks(auditor.verify(log.parts()), 6) == ["chain_fork"]


def test_another_previous_hash_is_a_fork(empty_log: LogUnderTest, auditor: Auditor) -> None:
    log = empty_log
    log.accept(log.next_outgoing(NODE_UNDER_TEST))
    log.heads[NODE, HUB] = replace(log.heads[NODE, HUB], hash=bytes([1]) * 32)
    log.accept(log.next_outgoing(NODE_UNDER_TEST))
    assert checks(auditor.verify(log.parts()), 1) == ["chain_fork"]


def test_an_envelope_logged_twice_shows(log: LogUnderTest, auditor: Auditor) -> None:
    log.leaves.append(log.leaves[0])
    report = auditor.verify(log.parts())
    assert "logged_twice" in checks(report, 6)


def test_a_chain_that_does_not_begin_at_its_beginning_shows(
    empty_log: LogUnderTest, auditor: Auditor
) -> None:
    empty_log.heads[NODE, HUB] = ChainPosition(incarnation=1, seq=4, hash=bytes([1]) * 32)
    empty_log.accept(empty_log.next_outgoing(NODE_UNDER_TEST))
    assert checks(auditor.verify(empty_log.parts()), 0) == ["chain_gap"]


def test_a_new_incarnation_that_cites_the_head_is_valid(
    log: LogUnderTest, auditor: Auditor
) -> None:
    head = log.heads[NODE, HUB]
    sent = outgoing(
        HUB_UNDER_TEST,
        NODE_UNDER_TEST,
        after=GENESIS,
        incarnation=2,
        previous_hash=head.hash,
        cited_incarnation=1,
        cited_seq=head.seq,
    )
    log.accept(sent)
    assert auditor.verify(log.parts()).verdict is Verdict.VALID
    log.envelopes.pop()
    report = auditor.verify(log.parts())
    assert checks(report, 6) == ["envelope_missing"]


def test_chains_are_followed_through_envelopes_that_are_not_shown(
    log: LogUnderTest, auditor: Auditor
) -> None:
    report = auditor.verify(log.parts(envelopes=[], receipts=[]))
    expected = [["envelope_missing", "receipt"]] * 3
    assert [checks(report, at) for at in range(3)] == expected
    assert checks(report, 3) == ["envelope_missing"]


def test_a_period_limits_what_is_shown_but_not_the_log(
    empty_log: LogUnderTest, auditor: Auditor
) -> None:
    log = empty_log
    log.accept(log.next_outgoing(NODE_UNDER_TEST, period="2025H2"))
    log.accept(log.next_outgoing(NODE_UNDER_TEST, period="2026H1"))
    parts = log.parts(period="2026H1", envelopes=log.envelopes[1:], receipts=log.receipts[1:])
    report = auditor.verify(parts)
    assert report.verdict is Verdict.VALID
    assert report.counts["not_in_period"] == 1
    assert report.counts["envelopes"] == 1
