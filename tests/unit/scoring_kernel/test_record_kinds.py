from __future__ import annotations

import duckdb
import pytest

from scoring_kernel import load_catalog
from scoring_kernel.record_kinds import INTAKE

KINDS = load_catalog().records


def test_primary_keys_follow_the_interface() -> None:
    keys = {name: kind.primary_key for name, kind in KINDS.items()}
    assert keys["settlement"] == ("institution", "setl_id", "sign")
    assert keys["fee_detail"] == ("institution", "mdtrt_id", "line")
    assert keys["admission"] == ("institution", "mdtrt_id", "inpatient")
    assert keys["discharge"] == ("institution", "mdtrt_id")
    assert keys["settlement_list"] == ("institution", "setl_id")
    assert keys["message"] == ("institution", "infno", "msgid")
    assert keys["cancellation"] == keys["trace_code"] == ("record_id", "what")
    assert keys["raw"] == ("record_id", "infno")


@pytest.mark.parametrize("name", ["fee_detail", "admission", "discharge"])
def test_a_cancellation_frees_the_keys_it_takes_back(name: str) -> None:
    freeing = KINDS[name].reopened_by
    assert freeing is not None
    assert (freeing.kind, freeing.what) == ("cancellation", name)
    assert {one for one, kind in KINDS.items() if kind.reopened_by} == {
        "fee_detail",
        "admission",
        "discharge",
    }


def test_registers_are_known_by_whom_they_name_and_when() -> None:
    keys = {name: kind.primary_key for name, kind in KINDS.items() if kind.day == INTAKE}
    assert keys == {
        "institution_profile": ("institution", "begins_at"),
        "agreement_status": ("institution", "begins_at"),
        "staff_qualification": ("institution", "staff", "begins_at"),
        "death": ("institution", "person"),
        "benefit_freeze": ("institution", "person", "begins_at"),
        "approved_purchase": ("institution", "person", "item_code", "begins_at"),
    }


def test_columns_that_name_people_are_personal() -> None:
    for kind in KINDS.values():
        named = {"person", "staff", "doctor", "surgeon", "gender", "born", "override_reason"}
        assert {name for name, _ in kind.schema} & named <= kind.personal


def test_every_kind_is_kept_for_a_stated_term() -> None:
    for kind in KINDS.values():
        assert kind.retention_years >= 2
        assert kind.retention_basis in load_catalog().legal_basis
    assert KINDS["settlement"].retention_years == 6
    assert KINDS["settlement_list"].freshness_days == 10
    assert KINDS["claim"].freshness_days is None


def test_names_of_kinds_stand_in_sql_as_they_are() -> None:
    query = "SELECT keyword_name FROM duckdb_keywords() WHERE keyword_category = 'reserved'"
    reserved = {word for (word,) in duckdb.connect().execute(query).fetchall()}
    assert "order" in reserved
    assert not reserved & set(KINDS)
