from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.domain.custody import Custody, CustodyRegister
from hub.domain.institution_list import parse_codes, parse_list
from hub.domain.members import InstitutionCode, MemberId
from hub.errors import ConfigurationError, CustodyError

ANNA, BERT = MemberId("yixin://330302/node/a"), MemberId("yixin://330302/node/b")
FIRST = InstitutionCode("H33030200001")


def row(
    member: MemberId = ANNA,
    *,
    measure_set: str = "*",
    from_month: int = 202501,
    to_month: int = 0,
    level: str = "3",
    kind: str = "general",
    division: str = "330302",
    name: str = "仿真医院",
) -> Custody:
    return Custody(
        institution=FIRST,
        measure_set=measure_set,
        member=member,
        from_month=from_month,
        to_month=to_month,
        name=name,
        level=level,
        type=kind,
        division=division,
    )


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({"from_month": 202613}, "months"),
        ({"from_month": 202602, "to_month": 202601}, "months"),
        ({"level": "4"}, "level"),
        ({"kind": "hospital"}, "type"),
        ({"division": "33"}, "division"),
        ({"division": "33030²"}, "division"),
        ({"name": ""}, "name"),
    ],
)
def test_a_row_that_no_slot_could_match_is_refused(changes: dict[str, object], wanted: str) -> None:
    with pytest.raises(CustodyError, match=wanted):
        row(**changes)  # type: ignore[arg-type]  # each case breaks one field


def test_a_slot_has_the_custodian_of_its_months_and_set_only() -> None:
    register = CustodyRegister(
        [
            row(ANNA, from_month=202501, to_month=202506),
            row(BERT, from_month=202507, measure_set="settlement"),
        ]
    )

    assert register.custodian(FIRST, "inpatient", 202506) == ANNA
    assert register.custodian(FIRST, "settlement", 202507) == BERT
    assert register.custodian(FIRST, "inpatient", 202507) is None
    assert register.custodian(FIRST, "settlement", 202412) is None
    assert register.custodian("H33030200002", "settlement", 202507) is None


def test_two_members_in_one_slot_are_refused_and_the_register_stays_as_it_was() -> None:
    register = CustodyRegister([row(ANNA)])

    with pytest.raises(CustodyError, match=ANNA):
        register.with_rows([row(BERT, from_month=209901)])

    assert register.custodian(FIRST, "settlement", 209901) == ANNA


months = st.integers(0, 23).map(lambda n: 202501 + n // 12 * 100 + n % 12)
sets = st.sampled_from(["*", "settlement", "inpatient"])
rows = st.builds(
    lambda member, name, ends: row(
        member, measure_set=name, from_month=min(ends), to_month=max(ends)
    ),
    st.sampled_from([ANNA, BERT]),
    sets,
    st.tuples(months, months),
)


@given(st.lists(rows, max_size=6))
def test_an_accepted_register_never_names_two_members_for_one_slot(held: list[Custody]) -> None:
    register = CustodyRegister([])
    taken: list[Custody] = []
    for one in held:
        try:
            register = register.with_rows([one])
        except CustodyError:
            assert any(one.member != other.member and one.overlaps(other) for other in taken)
        else:
            taken.append(one)
    for month in range(202501, 202513):
        for name in ("settlement", "inpatient"):
            custodians = {one.member for one in taken if one.covers(name, month)}
            found = register.custodian(FIRST, name, month)
            assert custodians == ({found} if found else set())


HEADER = "institution,name,level,type,division"
LINE = "H33030200001,仿真医院,3,general,330302"


def test_a_list_with_further_columns_is_read() -> None:
    (read,) = parse_list(f"{HEADER},custodian\n{LINE},county\n", ANNA, 202501)

    assert read == row(ANNA)


@pytest.mark.parametrize(
    "text",
    [
        "",
        HEADER,
        f"institution,name\n{LINE}",
        f"{HEADER}\nH33030200001,仿真医院\n",
        f"{HEADER}\nH1,仿真医院,3,general,330302\n",
        f'{HEADER}\nH33030200001,"仿真"医院,3,general,330302\n',
    ],
)
def test_a_broken_list_is_refused_whole(text: str) -> None:
    with pytest.raises((CustodyError, ConfigurationError)):
        parse_list(text, ANNA, 202501)


def test_codes_become_rows_once_each() -> None:
    found = parse_codes("H33030200001,P33030200002,H33030200001", ANNA, 202501)

    assert [(one.institution, one.type) for one in found] == [
        ("H33030200001", "general"),
        ("P33030200002", "pharmacy"),
    ]
