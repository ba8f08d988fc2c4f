"""What a topic's file says of findings, and what it may not say."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring_kernel import load_catalog
from scoring_kernel.errors import CatalogError
from scoring_kernel.strict_yaml import load_strict
from scoring_kernel.supervision.loading import load_supervision
from scoring_kernel.supervision.topic_clues import TopicClue, notice, parse_topic_clue
from scoring_kernel.supervision.topics import Column

if TYPE_CHECKING:
    from scoring_kernel.supervision.steps import Row

ALERT = "alert: {column: alert}\n"
TOPICS = load_supervision().topics
TEXT = Column(name_zh="文", unit=None, scale=1, places=0, personal=False)
COLUMNS = {
    "institution": TEXT,
    "day": TEXT,
    "person": replace(TEXT, personal=True),
    "other": replace(TEXT, personal=True),
    "fees": replace(TEXT, unit="yuan", scale=100),
    "alert": replace(TEXT, unit="count"),
}
CLUE = TopicClue(
    severity="mid",
    verdict="warning",
    basis="x",
    institution="institution",
    staff=None,
    persons=(),
    visit=None,
    key=("institution",),
    within=None,
    amount="fees",
)


def row(**changes: Any) -> Row:  # noqa: ANN401 - cells
    values: Row = {
        "institution": "H1",
        "day": "2026-03-02",
        "person": "a",
        "other": "b",
        "fees": 700,
        "alert": 1,
    }
    return values | changes


def test_topics_about_somebody_say_so_and_the_others_do_not() -> None:
    about = {name for name, one in TOPICS.items() if one.clue is not None}
    assert TOPICS.keys() - about == {"T01", "T05", "T14", "T15", "T18", "T19"}
    basis = load_catalog().legal_basis
    for name in about:
        clue = TOPICS[name].clue
        assert clue is not None
        assert clue.basis in basis


def test_only_alerts_of_the_own_month_are_findings() -> None:
    rows = [row(), row(institution="H2", alert=0), row(institution="H3", day="2026-02-28")]
    assert [one.institution for one in notice(CLUE, "alert", 202603, rows)] == ["H1", "H3"]
    dated = replace(CLUE, within="day")
    assert [one.institution for one in notice(dated, "alert", 202603, rows)] == ["H1"]
    assert notice(dated, "alert", 202603, [row(day=None)]) == ()


@pytest.mark.parametrize(("fees", "amount"), [(700, 700), (-1, 0), (None, 0)])
def test_an_amount_is_never_below_zero(fees: int | None, amount: int) -> None:
    (found,) = notice(CLUE, "alert", 202603, [row(fees=fees)])
    assert found.amount_fen == amount


def test_a_row_of_two_persons_is_two_findings_and_shows_neither() -> None:
    both = replace(CLUE, persons=("person", "other"))
    found = notice(both, "alert", 202603, [row(person="330302199001011234")])
    assert [one.person for one in found] == ["330302199001011234", "b"]
    assert len({one.key for one in found}) == 2
    assert "330302199001011234" not in repr(found)


@given(
    alerts=st.lists(st.tuples(st.sampled_from("abcde"), st.sampled_from([0, 1, None])), max_size=8),
    seed=st.randoms(use_true_random=False),
)
def test_the_order_of_rows_changes_no_finding(alerts: list[tuple[str, int]], seed: object) -> None:
    rows = [row(institution=name, alert=alert) for name, alert in alerts]
    found = {one.key for one in notice(CLUE, "alert", 202603, rows)}
    assert found == {(name,) for name, alert in alerts if alert == 1}
    seed.shuffle(rows)  # type: ignore[attr-defined]  # hypothesis' random
    assert {one.key for one in notice(CLUE, "alert", 202603, rows)} == found


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("institution: fees", "institution"),
        ("persons: [institution]", "expected some of other, person"),
        ("amount: alert", "amount"),
        ("key: [fees]", "key"),
        ("severity: grave", "severity"),
        ("colour: red", "colour"),
        ("basis: nobody", "basis"),
    ],
)
def test_a_clue_that_cannot_be_is_refused_with_its_line(change: str, words: str) -> None:
    stated = {
        "severity": "severity: mid",
        "verdict": "verdict: warning",
        "basis": "basis: x",
        "institution": "institution: institution",
        "key": "key: [institution]",
        change.partition(":")[0]: change,
    }
    text = f"{ALERT}clue:\n" + "".join(f"  {one}\n" for one in stated.values())
    with pytest.raises(CatalogError, match=words) as caught:
        parse_topic_clue(load_strict(text.encode(), "T99.yaml"), COLUMNS, {"x": None})
    assert "T99.yaml:" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("clue: {severity: mid}", "there is none: state alert"),
        (
            f"{ALERT}clue: {{severity: mid, verdict: warning, basis: x, key: [day]}}",
            "nobody is named",
        ),
        (
            f"{ALERT}clue: {{severity: mid, verdict: warning, basis: x, institution: day}}",
            "nothing tells",
        ),
    ],
)
def test_a_finding_is_an_alert_about_somebody(text: str, words: str) -> None:
    with pytest.raises(CatalogError, match=words):
        parse_topic_clue(load_strict(text.encode(), "T99.yaml"), COLUMNS, {"x": None})
