"""Corrections apply to a copy and are told masked."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.errors import ConfigurationError
from node.quarantine.fields import KnownFields
from node.quarantine.mending import MAX_BODY_BYTES, correct_message, parse_change, row_changes
from node.quarantine.ports import RowCells
from scoring_kernel import load_catalog
from tests.support import node_messages as m

FIELDS = KnownFields(load_catalog(), "2207")
BODY = json.dumps(m.settlement(1), ensure_ascii=False).encode()


def test_a_personal_value_is_told_by_its_length_alone() -> None:
    corrected = correct_message(BODY, ["request.data.psn_no=33030000000000000000100002"], FIELDS)
    (change,) = corrected.changes
    assert change.place == "request.input.data.psn_no"
    assert change.before == change.after == "33************************ (26 characters)"
    assert json.loads(corrected.body)["request"]["input"]["data"]["psn_no"].endswith("2")
    assert "33030000000000000000100002" not in repr(corrected)


def test_everything_else_stays_as_it_was() -> None:
    corrected = correct_message(BODY, ["request.data.medfee_sumamt=95.6"], FIELDS)
    assert json.loads(corrected.body) == json.loads(BODY)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("request.data.psn_no", "expected --set PATH=VALUE"),
        ("=1", "expected --set PATH=VALUE"),
        ("request.data=1", "name a field in it"),
        ("request.input=1", "name a field in it"),
        ("request.data.nothing.x=1", "has no nothing"),
    ],
)
def test_a_change_that_fits_nothing_is_told(change: str, told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        correct_message(BODY, [change], FIELDS)


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b"7"])
def test_what_is_no_object_is_mended_whole(body: bytes) -> None:
    with pytest.raises(ConfigurationError, match="--file"):
        correct_message(body, ["request.data.psn_no=1"], FIELDS)


def test_a_corrected_message_is_no_longer_than_the_intake_reads() -> None:
    with pytest.raises(ConfigurationError, match=f"expected 1 to {MAX_BODY_BYTES}"):
        correct_message(BODY, [f"request.data.note={'x' * MAX_BODY_BYTES}"], FIELDS)


@given(path=st.text(st.characters(exclude_characters="="), min_size=1), value=st.text())
def test_a_change_is_cut_at_its_first_equals_sign(path: str, value: str) -> None:
    if not path.strip():
        return
    assert parse_change(f"{path}={value}") == (path.strip(), value)


def test_columns_of_a_row_are_masked_unless_the_mapping_knows_better() -> None:
    cells = RowCells(
        header=("id", "name", "fund"), cells=("7", "张三"), personal={"id": False, "name": True}
    )
    new, told = row_changes(cells, ["id=8", "name=李四", "fund=1=2"])
    assert new == {"id": "8", "name": "李四", "fund": "1=2"}
    assert [(one.before, one.after) for one in told] == [
        ("7", "8"),
        ("** (2 characters)", "** (2 characters)"),
        ("nothing", "*** (3 characters)"),
    ]
    with pytest.raises(ConfigurationError, match="is not in the row's file"):
        row_changes(cells, ["other=1"])
