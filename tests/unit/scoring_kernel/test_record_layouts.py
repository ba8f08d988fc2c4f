from __future__ import annotations

import pytest

from scoring_kernel import load_catalog
from scoring_kernel.record_layouts import GIVEN, HEAD, OWN, PARENT, RECORD_ID
from scoring_kernel.transactions import Transaction

CATALOG = load_catalog()
STOCK = ("3501", "3502", "3503", "3504", "3505", "3505A", "3506")


@pytest.mark.parametrize("infno", STOCK)
def test_every_movement_of_stock_brings_its_trace_codes(infno: str) -> None:
    movement, codes = CATALOG.record_layouts[infno]
    assert (movement.kind, codes.kind) == ("stock_movement", "trace_code")
    assert CATALOG.transactions[infno].parents[codes.key] == movement.node
    given = {one.name: one for one in codes.columns}
    assert (given["source"].field, given["source"].origin) == (RECORD_ID, PARENT)
    assert given["code"].origin == OWN
    what = {one.constant for one in (*movement.columns, *codes.columns) if one.name == "what"}
    assert len(what) == 1


def test_a_settlements_codes_are_known_by_the_settlement_and_its_line() -> None:
    (codes,) = CATALOG.record_layouts["2207"]
    origins = {one.name: one.origin for one in codes.columns}
    assert origins["setl_id"] == ("response", "setlinfo")
    assert origins["mdtrt_id"] == ("request", "data")
    assert origins["source"] == HEAD
    assert origins["line"] == OWN


def test_scales_follow_from_the_names_of_columns() -> None:
    movement, _ = CATALOG.record_layouts["3505A"]
    scales = {one.name: one.scale for one in movement.columns if one.scale}
    assert scales == {"quantity_e4": 4, "price_e6": 6}


def test_layouts_fill_every_column_that_may_not_be_null() -> None:
    for layouts in CATALOG.record_layouts.values():
        for layout in layouts:
            kind = CATALOG.records[layout.kind]
            names = {one.name for one in layout.columns}
            assert {name for name, _ in kind.schema} - kind.nullable - set(GIVEN) <= names
            assert layout.day in (*names, "head")


def test_an_answer_without_a_day_of_its_own_belongs_to_its_message() -> None:
    (item,) = CATALOG.record_layouts["1312"]
    (cap,) = CATALOG.record_layouts["1318"]
    assert (item.day, cap.day) == (HEAD, HEAD)
    assert {"cap_e6": 6}.items() <= {one.name: one.scale for one in cap.columns}.items()


def test_nodes_of_the_analysis_hang_on_each_other() -> None:
    parents = CATALOG.transactions["3101"].parents
    chain = ["fsi_order_dtos"]
    while (parent := parents.get(("request", chain[-1]))) is not None:
        chain.append(parent)
    assert chain == ["fsi_order_dtos", "fsi_encounter_dtos", "patient_dtos", "data"]
    assert parents["response", "judge_result_detail_dtos"] == "result"
    assert Transaction.key_of("judge_result_detail_dtos") == "judge_result_detail_dtos"
