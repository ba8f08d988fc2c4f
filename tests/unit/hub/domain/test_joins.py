from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.domain.clues import JoinRow, PlaceOf
from hub.domain.joins import KIND_OF, MAX_ROWS, Finding, HeldRow, distance_km, find_all
from hub.domain.members import InstitutionCode
from scoring_kernel import load_catalog
from scoring_kernel.joining import Join
from tests.support.join_payloads import mark, minute

JOINING = load_catalog().joining
FIRST, SECOND, THIRD, FOURTH = (f"H3303020000{n}" for n in range(1, 5))
NODES = {FIRST: "node/a", SECOND: "node/b", THIRD: "node/c", FOURTH: "node/c"}
WENZHOU = PlaceOf(
    institution=InstitutionCode(FIRST), latitude_e6=28_000_000, longitude_e6=120_700_000
)
HANGZHOU = PlaceOf(
    institution=InstitutionCode(SECOND), latitude_e6=30_270_000, longitude_e6=120_160_000
)
NEXT_DOOR = PlaceOf(
    institution=InstitutionCode(THIRD), latitude_e6=28_010_000, longitude_e6=120_700_000
)
PLACES = {FIRST: WENZHOU, SECOND: HANGZHOU, THIRD: NEXT_DOOR}


def row(
    institution: str, begins: str, ends: str = "", *, leaf: int = 0, drug_class: str = ""
) -> HeldRow:
    return HeldRow(
        member=NODES[institution],
        institution=institution,
        period="2026H1",
        row=JoinRow(
            mark=mark("ann"),
            begins=minute(begins),
            ends=minute(ends or begins),
            drug_class=drug_class,
            leaf=leaf,
        ),
    )


def find(join: Join, *rows: HeldRow) -> tuple[Finding, ...]:
    return find_all(join, rows, JOINING, PLACES)


def test_stays_that_overlap_by_more_than_a_day_are_found() -> None:
    (found,) = find(
        Join.OVERLAPPING_STAYS,
        row(SECOND, "2026-03-03 09:00", "2026-03-09 09:00", leaf=2),
        row(FIRST, "2026-03-01 09:00", "2026-03-05 10:00", leaf=1),
    )
    assert [one.row.leaf for one in found.sources] == [1, 2]
    assert found.numbers == (("overlap_hours", 49),)


@pytest.mark.parametrize(
    ("early_ends", "count"),
    [("2026-03-04 09:00", 0), ("2026-03-04 09:01", 1), ("2026-03-03 09:00", 0)],
    ids=["a day to the minute", "a minute more", "a transfer"],
)
def test_the_day_of_overlap_is_exact(early_ends: str, count: int) -> None:
    rows = (
        row(FIRST, "2026-03-01 09:00", early_ends),
        row(SECOND, "2026-03-03 09:00", "2026-03-09 09:00"),
    )
    assert len(find(Join.OVERLAPPING_STAYS, *rows)) == count


def test_what_one_node_or_one_institution_can_see_is_left_to_it() -> None:
    same_node = (
        row(THIRD, "2026-03-01 09:00", "2026-03-08 09:00"),
        row(FOURTH, "2026-03-02 09:00", "2026-03-09 09:00"),
    )
    assert find(Join.OVERLAPPING_STAYS, *same_node) == ()
    same_place = (replace(same_node[0], member="node/z"), same_node[0])
    assert find(Join.OVERLAPPING_STAYS, *same_place) == ()


def test_a_stay_within_a_stay_is_found_once() -> None:
    found = find(
        Join.OVERLAPPING_STAYS,
        row(FIRST, "2026-03-01 09:00", "2026-03-20 09:00"),
        row(SECOND, "2026-03-05 09:00", "2026-03-08 09:00", leaf=1),
        row(SECOND, "2026-03-10 09:00", "2026-03-12 09:00", leaf=2),
    )
    assert len(found) == 2
    assert len({one.id for one in found}) == 2


@pytest.mark.parametrize(
    ("later", "second", "count"),
    [
        ("2026-03-01 09:29", THIRD, 1),
        ("2026-03-01 09:30", THIRD, 0),
        ("2026-03-01 11:00", SECOND, 1),
        ("2026-03-01 11:30", SECOND, 0),
        ("2026-03-01 09:31", FOURTH, 0),
    ],
    ids=["too soon", "half an hour", "too fast", "a fast train", "no place known"],
)
def test_two_places_at_one_time(later: str, second: str, count: int) -> None:
    rows = (row(FIRST, "2026-03-01 09:00"), row(second, later))
    assert len(find(Join.IMPOSSIBLE_TRAVEL, *rows)) == count


def test_the_distance_is_the_known_one() -> None:
    found = distance_km(WENZHOU, HANGZHOU)
    assert found is not None
    assert 255 < found < 262
    assert distance_km(WENZHOU, WENZHOU) == 0
    assert distance_km(WENZHOU, None) is None


def test_a_pack_that_two_nodes_sold_is_found_once_with_the_first_sale_at_each() -> None:
    rows = (
        row(FIRST, "2026-03-01 09:00", leaf=1),
        row(FIRST, "2026-03-02 09:00", leaf=2),
        row(SECOND, "2026-04-01 09:00", leaf=3),
    )
    (found,) = find(Join.SHARED_TRACE_CODE, *rows)
    assert [one.row.leaf for one in found.sources] == [1, 3]
    assert found.numbers == (("institutions", 2),)
    (again,) = find(Join.SHARED_TRACE_CODE, *rows, row(THIRD, "2026-05-01 09:00"))
    assert again.id == found.id, "a third sale is the same clue, grown"
    assert find(Join.SHARED_TRACE_CODE, *rows[:2]) == ()


def test_many_institutions_for_one_class_of_drug_within_the_window() -> None:
    days = ["01", "08", "15", "30"]
    places = [FIRST, SECOND, THIRD, FOURTH]
    rows = [
        row(place, f"2026-03-{day} 09:00", drug_class="XN05C")
        for place, day in zip(places, days, strict=True)
    ]
    (found,) = find(Join.DOCTOR_SHOPPING, *rows)
    assert found.numbers == (("institutions", 4),)
    late = row(FOURTH, "2026-03-31 09:00", drug_class="XN05C")
    assert find(Join.DOCTOR_SHOPPING, *rows[:3], late) == ()
    other = row(FOURTH, "2026-03-20 09:00", drug_class="XN02A")
    assert find(Join.DOCTOR_SHOPPING, *rows[:3], other) == ()


def test_the_same_records_under_the_tokens_of_two_periods_are_one_finding() -> None:
    rows = (
        row(FIRST, "2026-06-20 09:00", "2026-07-05 10:00", leaf=1),
        row(SECOND, "2026-06-28 09:00", "2026-07-09 09:00", leaf=2),
    )
    other = [replace(one, row=replace(one.row, mark=mark("later"))) for one in rows]
    (found,) = find(Join.OVERLAPPING_STAYS, *rows)
    (again,) = find(Join.OVERLAPPING_STAYS, *other)
    assert found.id == again.id


@pytest.mark.parametrize(
    ("later", "count"), [("10:30", 0), ("10:29", 1), ("11:00", 0)], ids=["half an hour", "+1", "no"]
)
def test_one_physician_at_two_places_at_one_time(later: str, count: int) -> None:
    rows = (
        row(FIRST, "2026-03-01 09:00", "2026-03-01 11:00"),
        row(SECOND, f"2026-03-01 {later}", "2026-03-01 12:00"),
    )
    found = find(Join.STAFF_IN_TWO_PLACES, *rows)
    assert len(found) == count
    if found:
        assert found[0].numbers == (("overlap_minutes", 31),)


def test_a_finding_knows_whether_its_token_is_of_its_own_period() -> None:
    rows = (
        row(FIRST, "2026-06-20 09:00", "2026-07-05 10:00", leaf=1),
        row(SECOND, "2026-06-28 09:00", "2026-07-09 09:00", leaf=2),
    )
    (found,) = find(Join.OVERLAPPING_STAYS, *rows)
    assert found.is_of_own_period
    (other,) = find(Join.OVERLAPPING_STAYS, *(replace(one, period="2026H2") for one in rows))
    assert not other.is_of_own_period


def test_clues_are_no_records() -> None:
    with pytest.raises(ValueError, match="among clues"):
        find(Join.STAFF_AT_SEVERAL_NODES, row(FIRST, "2026-03-01 09:00"))


def test_before_the_first_day_in_force_nothing_is_found() -> None:
    rows = (
        row(FIRST, "2025-03-01 09:00", "2025-03-20 09:00"),
        row(SECOND, "2025-03-05 09:00", "2025-03-20 09:00"),
    )
    assert find(Join.OVERLAPPING_STAYS, *rows) == ()


def test_a_mark_with_too_many_records_is_not_joined() -> None:
    rows = [row(FIRST, "2026-03-01 09:00")] * (MAX_ROWS + 1)
    with pytest.raises(ValueError, match="at most 1000"):
        find(Join.OVERLAPPING_STAYS, *rows)


STAYS = st.lists(
    st.builds(
        lambda place, begins, length: HeldRow(
            member=NODES[place],
            institution=place,
            period="2026H1",
            row=JoinRow(
                mark=mark("ann"),
                begins=minute("2026-03-01 00:00") + begins,
                ends=minute("2026-03-01 00:00") + begins + length,
                drug_class="XN05C",
                leaf=begins,
            ),
        ),
        st.sampled_from([FIRST, SECOND, THIRD, FOURTH]),
        st.integers(0, 20_000),
        st.integers(0, 9_000),
    ),
    max_size=10,
)


@given(rows=STAYS, join=st.sampled_from([*KIND_OF]), seed=st.randoms(use_true_random=False))
def test_the_order_of_arrival_changes_nothing(
    rows: list[HeldRow], join: Join, seed: object
) -> None:
    mixed = list(rows)
    seed.shuffle(mixed)  # type: ignore[attr-defined]  # hypothesis' random
    assert {one.id for one in find(join, *rows)} == {one.id for one in find(join, *mixed)}


@given(rows=STAYS, join=st.sampled_from([*KIND_OF]))
def test_a_finding_always_rests_on_two_members_and_two_institutions(
    rows: list[HeldRow], join: Join
) -> None:
    for found in find(join, *rows):
        assert len({one.member for one in found.sources}) > 1
        assert len({one.institution for one in found.sources}) > 1
        assert {*found.sources} <= {*rows}


@given(rows=STAYS)
def test_every_overlapping_stay_is_in_some_finding(rows: list[HeldRow]) -> None:
    """The oracle: every pair, by the words of the rule."""
    found = {one for finding in find(Join.OVERLAPPING_STAYS, *rows) for one in finding.sources}
    for one in rows:
        for other in rows:
            later, early = (one, other) if one.row.begins >= other.row.begins else (other, one)
            overlap = min(one.row.ends, other.row.ends) - later.row.begins
            apart = one.institution != other.institution and one.member != other.member
            if apart and overlap > 24 * 60:
                assert later in found or early in found
