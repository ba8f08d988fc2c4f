"""The peer reference: who counts as a peer, and bytes that never vary."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date

import pytest

from scoring_kernel.arithmetic import MAX_WHOLE, VALUE_LIMIT
from scoring_kernel.errors import DraftModelError, KernelInputError
from scoring_kernel.parameters import MICRO
from scoring_kernel.reference import (
    MAX_BYTES,
    MAX_ENTRIES,
    Reference,
    ReferenceValue,
    build_reference,
    derived_values,
    peer_groups,
)
from tests.support.kernel_models import (
    SMALL_MODEL,
    Subject,
    model_of,
    small_model,
    table,
    wide_model,
)

MODEL = small_model()
DAY = date(2026, 6, 30)


def subject(share: int, level: str, kind: str) -> Subject:
    return Subject(
        inputs={"item.05.rejected@current": share, "work.planned@current": 100},
        level=level,
        type=kind,
    )


SUBJECTS = [
    *(subject(share, "3", "general") for share in (1, 2, 3)),
    *(subject(share, "3", "tcm") for share in (10, 20)),
    subject(40, "2", "tcm"),
    Subject(inputs={}, level="2", type="general"),
]
REFERENCE = build_reference(MODEL, table(MODEL, SUBJECTS), DAY)


@pytest.mark.parametrize(
    ("level", "kind", "group", "value"),
    [
        ("3", "general", "level:3/type:general", 30_000),
        ("3", "tcm", "level:3", 200_000),
        ("2", "tcm", "all", 400_000),
        ("2", "general", "all", 400_000),
    ],
    ids=["three_peers", "two_peers", "alone", "without_a_value"],
)
def test_too_few_peers_widen_the_group(level: str, kind: str, group: str, value: int) -> None:
    assert REFERENCE.lookup("rejected", "p90", level, kind) == (group, value)


def named(level: str, kind: str, days: int) -> Subject:
    inputs = {"work.days@current": days, "work.stays@current": 1}
    return Subject(inputs=inputs, level=level, type=kind)


BY_TYPE = wide_model()
STAFF = [
    named("3", "general", 1),
    named("3", "general", 2),
    named("3", "tcm", 7),
    named("2", "tcm", 9),
    named("2", "general", 4),
]


@pytest.mark.parametrize(
    ("level", "kind", "group", "median"),
    [
        ("3", "general", "level:3/type:general", 1),
        ("2", "general", "type:general", 2),
        ("3", "tcm", "type:tcm", 7),
    ],
)
def test_a_model_may_keep_the_type_instead_of_the_level(
    level: str, kind: str, group: str, median: int
) -> None:
    reference = build_reference(BY_TYPE, table(BY_TYPE, STAFF), DAY)
    assert reference.lookup("mean_days", "p50", level, kind) == (group, median * MICRO)
    assert {of for _, _, of in reference.entries} == {
        "level:3/type:general",
        "type:general",
        "type:tcm",
        "all",
    }


def test_a_kept_type_too_small_widens_to_everybody() -> None:
    few = table(BY_TYPE, STAFF[:3])
    assert build_reference(BY_TYPE, few, DAY).lookup("mean_days", "p50", "3", "tcm") == (
        "all",
        2 * MICRO,
    )


def test_too_few_of_everybody_have_no_statistic() -> None:
    few = SUBJECTS[:2]
    assert build_reference(MODEL, table(MODEL, few), DAY).entries == {}
    enough = SUBJECTS[1:4]
    found = build_reference(MODEL, table(MODEL, enough), DAY).entries
    assert {key: value for key, value in found.items() if key[0] == "rejected"} == {
        ("rejected", "p50", "all"): 30_000,
        ("rejected", "p50", "level:3"): 30_000,
        ("rejected", "p90", "all"): 100_000,
        ("rejected", "p90", "level:3"): 100_000,
    }


def test_only_those_with_a_value_count_as_peers() -> None:
    silent = Subject(inputs={}, level="3", type="general")
    found = build_reference(MODEL, table(MODEL, [*SUBJECTS[:2], silent, silent]), DAY)
    assert found.entries == {}


def test_a_draft_has_no_reference() -> None:
    draft = model_of(SMALL_MODEL.replace("status: proposal", "status: draft"))
    with pytest.raises(DraftModelError, match="small is a draft"):
        build_reference(draft, table(draft, SUBJECTS), DAY)


def test_the_statistics_of_one_group_are_nearest_ranks() -> None:
    model = wide_model()
    due = [
        Subject(inputs={"item.e02.due_fen@current": 100 * fen, "item.e02.paid_fen@current": 0})
        for fen in range(1, 11)
    ]
    entries = build_reference(model, table(model, due), DAY).entries
    found = {name: value for (of, name, group), value in entries.items() if group == "all"}
    assert found == {"p25": 3_000_000, "p50": 5_000_000, "p90": 9_000_000}


def test_mad_is_the_median_distance_from_the_median_before_shrinkage() -> None:
    model = wide_model()
    # Means of 1, 2, 4, 8 and 100 days; median 4, distances 3, 2, 0, 4 and 96, median 3. With
    # one stay each, every value would shrink, but a reference is of the values themselves.
    columns = ("work.days@current", "work.fen@current")
    stays = [
        Subject(inputs=dict.fromkeys(columns, days) | {"work.stays@current": 1})
        for days in (1, 2, 4, 8, 100)
    ]
    entries = build_reference(model, table(model, stays), DAY).entries
    assert entries["mean_days", "p50", "all"] == 4_000_000
    assert entries["mean_days", "mad", "all"] == 3_000_000
    assert entries["cost_place", "p50", "all"] == 4_000_000
    assert entries["cost_place", "p10", "all"] == 1_000_000


def test_the_widest_spread_is_within_the_bound_of_values() -> None:
    model = wide_model()
    days = [
        Subject(inputs={"work.days@current": number, "work.stays@current": 1})
        for number in (-MAX_WHOLE, 0, MAX_WHOLE)
    ]
    entries = build_reference(model, table(model, days), DAY).entries
    assert entries["mean_days", "mad", "all"] == MAX_WHOLE * MICRO < VALUE_LIMIT


def test_a_statistic_nobody_has_is_none() -> None:
    assert REFERENCE.lookup("volume_growth", "p90", "3", "general") == ("all", None)
    assert REFERENCE.lookup("rejected", "p10", "3", "general") == ("all", None)


def test_every_indicator_with_enough_values_has_its_median_and_what_its_shape_names() -> None:
    inputs = table(MODEL, SUBJECTS)
    for one in MODEL.indicators:
        values, present = derived_values(one, inputs, DAY)
        expected = {"p50", *one.statistics} if present.sum() >= MODEL.min_peer else set()
        found = {name for of, name, group in REFERENCE.entries if (of, group) == (one.id, "all")}
        assert found == expected
        if found:
            median = sorted(values[present].tolist())[(present.sum() + 1) // 2 - 1]
            assert REFERENCE.entries[one.id, "p50", "all"] == median


def test_what_a_subject_is_compared_with_is_enough_to_look_it_up() -> None:
    for level in MODEL.levels:
        for kind in MODEL.types:
            values = REFERENCE.values_for(level, kind)
            part = Reference.from_values(values, model_digest=MODEL.digest, day=DAY)
            assert part.values_for(level, kind) == values
            assert values[0].peer_group in peer_groups(level, kind, MODEL.peers)


def test_a_part_for_other_peers_says_nothing() -> None:
    part = Reference.from_values(
        [value for value in REFERENCE.values_for("3", "general") if value.peer_group != "all"],
        model_digest=MODEL.digest,
        day=DAY,
    )
    assert part.values_for("2", "tcm") == ()


def test_two_numbers_for_one_statistic_are_refused() -> None:
    value = ReferenceValue(indicator="a", statistic="p50", peer_group="all", value_micro=1)
    with pytest.raises(KernelInputError, match="do not mix"):
        Reference.from_values(
            [value, replace(value, value_micro=2)], model_digest=MODEL.digest, day=DAY
        )
    same = Reference.from_values([value, value], model_digest=MODEL.digest, day=DAY)
    assert same.entries == {("a", "p50", "all"): 1}


def test_the_bytes_are_canonical_and_read_back() -> None:
    content = REFERENCE.to_json()
    assert Reference.from_json(content) == REFERENCE
    turned = replace(REFERENCE, entries=dict(sorted(REFERENCE.entries.items(), reverse=True)))
    assert turned.to_json() == content
    assert turned.digest == REFERENCE.digest
    assert replace(REFERENCE, day=date(2026, 7, 1)).digest != REFERENCE.digest


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff",
        b"[]",
        b"{}",
        b"null",
        b'{"day":"2026-06-30","format":1,"model_digest":"00","values":[]}',
        b'{"day":20260630,"format":1,"model_digest":"' + b"00" * 32 + b'","values":[]}',
        b'{"day":"2026-06-30","format":1,"model_digest":"' + b"00" * 32 + b'","values":[["a"]]}',
        b'{"day":"2026-06-30","format":2,"model_digest":"' + b"00" * 32 + b'","values":[]}',
        REFERENCE.to_json().replace(b",200000", b",Infinity"),
        REFERENCE.to_json() + b"\n",
        REFERENCE.to_json().replace(b",200000", b",200000.0"),
        b"[" * 100_000,
        b" " * (MAX_BYTES + 1),
    ],
    ids=range(14),
)
def test_other_bytes_are_refused(content: bytes) -> None:
    with pytest.raises(KernelInputError, match="reference"):
        Reference.from_json(content)


@pytest.mark.parametrize(
    "entry",
    [
        {("a", "p50", "all"): VALUE_LIMIT + 1},
        {("a", "p99", "all"): 1},
        {("a" * 101, "p50", "all"): 1},
        {(f"a{number}", "p50", "all"): 1 for number in range(MAX_ENTRIES + 1)},
    ],
    ids=["value", "statistic", "name", "many"],
)
def test_entries_out_of_bounds_are_refused(entry: dict[tuple[str, str, str], int]) -> None:
    with pytest.raises(KernelInputError, match="reference: "):
        Reference(model_digest=MODEL.digest, day=DAY, entries=entry)


def test_numbers_that_are_not_whole_are_refused() -> None:
    document = json.loads(REFERENCE.to_json())
    document["values"][0][3] = 1.5
    content = json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
    with pytest.raises(KernelInputError, match="not in canonical form"):
        Reference.from_json(content)
