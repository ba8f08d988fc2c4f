"""Findings of topics as a node keeps them: stable, sealed, gone when they hold no longer."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from node.domain.clue_drafts import MeasureMonths
from node.domain.topic_findings import FindingBody, TopicFinding, decode_finding, encode_finding
from node.errors import StoreError
from node.store.findings import Findings, Replaced
from security.at_rest import Vault
from security.errors import VaultError
from tests.support.node_messages import VAULT_KEY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MARCH, APRIL = 202603, 202604
AT, LATER = "2026-05-01T00:00:00+00:00", "2026-05-02T00:00:00+00:00"
PERSON = "330302199001011234"
BODY = FindingBody(
    staff="D330302000001",
    person=PERSON,
    visit="V1",
    measures=(MeasureMonths(measure_set="stay", month=MARCH, months=6, digest=bytes(32)),),
)


def finding(number: int = 1, month: int = MARCH, topic: str = "T04") -> TopicFinding:
    return TopicFinding(
        id=(number * 1_000_000 + month).to_bytes(16, "big"),
        topic=topic,
        version="2021-05-01",
        institution=None,
        month=month,
        amount_fen=100 * number,
        verdict="suspicion",
        severity="mid",
        body=BODY,
    )


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Findings]:
    with Findings(tmp_path, Vault(VAULT_KEY)) as opened:
        yield opened


def put(kept: Findings, *found: TopicFinding, month: int = MARCH, at: str = AT) -> Replaced:
    return kept.replace("T04", month, b"inputs", found, at)


def test_a_finding_comes_back_as_it_was_put(kept: Findings) -> None:
    assert put(kept, finding(1), finding(2)) == Replaced(standing=2, new=2, gone=0)
    assert [*kept.standing()] == [finding(1), finding(2)]
    assert kept.inputs() == {("T04", MARCH): b"inputs"}
    assert decode_finding(encode_finding(BODY)) == BODY


def test_a_second_run_changes_nothing_and_one_that_misses_takes_it_back(kept: Findings) -> None:
    put(kept, finding(1), finding(2))
    assert put(kept, finding(1), finding(2), at=LATER) == Replaced(standing=2, new=0, gone=0)
    assert put(kept, finding(2), at=LATER) == Replaced(standing=1, new=0, gone=1)
    assert [*kept.standing()] == [finding(2)]
    assert put(kept, finding(2), at=LATER).gone == 0, "it is gone already"
    assert put(kept, finding(1), at=LATER) == Replaced(standing=1, new=0, gone=1)


def test_other_months_and_topics_stay(kept: Findings) -> None:
    put(kept, finding(1))
    put(kept, finding(1, APRIL), month=APRIL)
    kept.replace("T09", MARCH, b"x", [finding(9, topic="T09")], AT)
    put(kept)
    assert {(one.topic, one.month) for one in kept.standing()} == {("T04", APRIL), ("T09", MARCH)}


def test_what_is_over_is_deleted_also_what_is_gone(kept: Findings, tmp_path: Path) -> None:
    put(kept, finding(1), finding(2))
    put(kept, finding(1))
    put(kept, finding(1, APRIL), month=APRIL)
    assert kept.months(202602) == {}
    assert kept.months(MARCH) == {MARCH: 2}
    assert kept.delete(202602) == 0
    assert kept.delete(MARCH) == 2
    assert [one.month for one in kept.standing()] == [APRIL]
    assert kept.inputs().keys() == {("T04", APRIL)}
    with Findings(tmp_path, Vault(VAULT_KEY)) as again:
        assert again.months(999_912) == {APRIL: 1}


def test_nobody_is_named_in_the_file(kept: Findings, tmp_path: Path) -> None:
    put(kept, finding(1))
    content = b"".join(path.read_bytes() for path in tmp_path.glob("measures.db*"))
    assert b"2021-05-01" in content
    assert [one for one in (PERSON, BODY.staff, "V1") if str(one).encode() in content] == []


def test_a_body_of_another_key_or_form_is_refused(kept: Findings, tmp_path: Path) -> None:
    put(kept, finding(1))
    with (
        Findings(tmp_path, Vault(bytes(32))) as other,
        pytest.raises(VaultError),
    ):
        [*other.standing()]
    with pytest.raises(StoreError, match="topics run"):
        decode_finding(b'{"staff": null}')


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(runs=st.lists(st.sets(st.integers(1, 5)), max_size=6))
def test_what_stands_is_what_the_last_run_found(kept: Findings, runs: list[set[int]]) -> None:
    ever: set[int] = {int.from_bytes(one.id, "big") // 1_000_000 for one in kept.standing()}
    before = set(ever)
    put(kept)
    before = set()
    for numbers in runs:
        done = put(kept, *(replace(finding(number), amount_fen=7) for number in numbers))
        assert done.standing == len(numbers)
        assert done.gone == len(before - numbers)
        before = numbers
        assert {int.from_bytes(one.id, "big") // 1_000_000 for one in kept.standing()} == numbers
