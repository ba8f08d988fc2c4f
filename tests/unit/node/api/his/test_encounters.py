"""Encounters out of the official nesting: what is there is read, what is not is told by place."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.api.his.encounters import MAX_ENCOUNTERS, MAX_FAULTS, MAX_ORDERS, Asked, read_asked
from scoring_kernel.rules.live.encounter import Encounter
from tests.support.live_checks import encounter, order, request
from tests.support.node_messages import HOSPITAL, SHARED

NOW = 1_773_827_439


def read(asked: dict[str, Any], infno: str = "3101") -> Asked:
    return read_asked(infno, asked["input"], HOSPITAL, NOW)


def only(asked: dict[str, Any]) -> Encounter:
    found = read(asked)
    assert not found.faults
    (one,) = found.encounters
    return one


def test_the_sample_is_read() -> None:
    path = SHARED / "domain/samples/3101_req.json"
    if not path.exists():
        pytest.skip(f"{path} is not here")
    one = only(json.loads(path.read_text(encoding="utf-8")))
    assert (one.gender, one.med_type, one.insutype, one.main_icd) == (
        "1",
        "11",
        "310",
        "I10.x00x002",
    )
    assert one.diagnoses == ("I10.x00x002",)
    assert one.fund_fen == 6692
    assert [(each.id, each.inscp_fen, each.quantity_e4) for each in one.orders] == [
        ("RX1", 3560, 20_000),
        ("RX2", 2500, 10_000),
    ]
    assert one.orders[0].days is None
    assert not one.inpatient


def test_what_the_person_pays_alone_is_out_of_scope() -> None:
    (found,) = only(
        request(encounter(order(sumamt=100.1, ownpay_amt=20, selfpay_amt="5.05")))
    ).orders
    assert (found.amount_fen, found.inscp_fen) == (10_010, 7_505)


@pytest.mark.parametrize(
    ("changes", "days"),
    [
        ({"drord_stop_date": "2026-03-18 23:00:00"}, None),
        ({"drord_stop_date": "2026-03-24"}, 7),
        ({"drord_stop_date": "2026-03-24", "prd_days": 14}, 14),
        ({"drord_stop_date": "2026-03-01"}, None),
    ],
)
def test_days_of_a_supply_are_stated_or_told_by_its_end(
    changes: dict[str, object], days: int | None
) -> None:
    (found,) = only(request(encounter(order(**changes)))).orders
    assert found.days == days


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        ([], ()),
        ([{"drug_trac_codg": "81"}, {"drug_trac_codg": ""}, 7], ("81",)),
    ],
)
def test_trace_codes_are_stated_or_not(value: object, expected: tuple[str, ...] | None) -> None:
    changes = {} if value is None else {"drug_trac_info": value}
    (found,) = only(request(encounter(order(**changes)))).orders
    assert found.traces == expected


@pytest.mark.parametrize(
    ("trigger", "med_type", "expected"),
    [
        ("2", "21", False),
        ("3", "11", True),
        ("1,4", "11", True),
        ("", "21", True),
        ("", "11", False),
    ],
)
def test_inpatients_are_told_by_the_scene(trigger: str, med_type: str, *, expected: bool) -> None:
    found = read(request(encounter(med_type=med_type), trigger=trigger))
    assert found.encounters[0].inpatient is expected


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"cnt": "many"}, "cnt"),
        ({"cnt": True}, "cnt"),
        ({"cnt": None}, "cnt"),
        ({"sumamt": 1e300}, "sumamt"),
        ({"sumamt": "inf"}, "sumamt"),
        ({"pric": [1]}, "pric"),
        ({"rx_id": ""}, "rx_id"),
        ({"hilist_code": {}}, "hilist_code"),
        ({"drord_begn_date": "18.03.2026"}, "drord_begn_date"),
        ({"drord_begn_date": "2026-02-30"}, "drord_begn_date"),
        ({"drord_begn_date": 20_260_318}, "drord_begn_date"),
        ({"drug_trac_info": [{}] * 101}, "drug_trac_info"),
    ],
)
def test_an_order_that_cannot_be_read_is_left_out(changes: dict[str, object], place: str) -> None:
    found = read(request(encounter(order(rx_id="good"), order(**changes))))
    assert [one.id for one in found.encounters[0].orders] == ["good"]
    (fault,) = found.faults
    assert fault == f"patient_dtos[0].fsi_encounter_dtos[0].fsi_order_dtos[1].{place}"


@pytest.mark.parametrize(
    ("data", "faults"),
    [
        ({"patient_dtos": "x"}, ["patient_dtos"]),
        ({"patient_dtos": [7]}, ["patient_dtos[0]"]),
        ({"patient_dtos": [{"patn_id": "1", "fsi_encounter_dtos": 7}]}, 1),
        ({"patient_dtos": None}, []),
        ({"trig_scen": "77"}, ["trig_scen"]),
        ({"trig_scen": ["2"]}, ["trig_scen"]),
    ],
)
def test_malformed_nesting_is_told_by_its_place(data: dict[str, Any], faults: object) -> None:
    found = read(request(encounter(order()), data=data))
    assert len(found.faults) == faults if isinstance(faults, int) else found.faults == faults


def test_encounters_of_others_are_not_judged() -> None:
    found = read(request(encounter(order(), medins_id="H33030200002")))
    assert found.encounters == []
    assert found.faults == ["patient_dtos[0].fsi_encounter_dtos[0].medins_id"]


@pytest.mark.parametrize(
    "encounters",
    [
        [encounter(*[order()] * (MAX_ORDERS + 1))],
        [encounter(*[order()] * 10_000)],
        [encounter(order())] * (MAX_ENCOUNTERS + 1),
    ],
    ids=["orders", "10000 orders", "encounters"],
)
def test_too_much_is_not_looked_at(encounters: list[dict[str, Any]]) -> None:
    found = read(request(*encounters))
    assert (found.encounters, found.faults) == ([], ["too many"])


def test_only_some_faults_are_told() -> None:
    found = read(request(encounter(*[order(cnt="x")] * 100)))
    assert len(found.faults) == MAX_FAULTS


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    *("data", "trig_scen", "patient_dtos", "fsi_encounter_dtos"),
                    *("fsi_order_dtos", "medins_id", "patn_id", "rx_id", "hilist_code"),
                    *("cnt", "sumamt", "pric", "rule_ids"),
                ]
            ),
            inner | st.just(HOSPITAL),
            max_size=5,
        )
    ),
    max_leaves=25,
)


@given(document=st.dictionaries(st.sampled_from(["data", "patient_dtos"]), JSON, max_size=2))
def test_whatever_is_asked_is_read(document: dict[str, Any]) -> None:
    found = read_asked("3101", document, HOSPITAL, NOW)
    assert len(found.faults) <= MAX_FAULTS
    assert all(one.institution == HOSPITAL for one in found.encounters)
