from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring_kernel import load_catalog
from scoring_kernel.code_extensions import MAX_BYTES, MAX_LISTS, parse_code_extensions
from scoring_kernel.code_lists import MAX_CODES
from scoring_kernel.errors import CatalogError

CATALOG = load_catalog()
ROWS: list[dict[str, object]] = [
    {"type": "GEND", "value": "3", "label": "另一种", "sort": 3, "vali_flag": "1"},
    {"type": "GEND", "value": "1", "label": "改名的男性", "vali_flag": "1"},
    {"type": "gend", "value": "7", "vali_flag": "0"},
    {"type": "NATY", "value": "01", "parent_value": None, "vali_flag": "1"},
]
TABLE = (
    "type,value,label,vali_flag\nGEND,3,另一种,1\nGEND,1,改名的男性,1\ngend,7,,0\n\nNATY,01,,1\n"
)


def answer(rows: object) -> bytes:
    return json.dumps({"infcode": 0, "output": {"list": rows}}).encode()


@pytest.mark.parametrize(
    "content",
    [
        answer(ROWS),
        json.dumps(ROWS).encode(),
        json.dumps(
            {"infno": "1901", "request": {}, "response": {"output": {"list": ROWS}}}
        ).encode(),
        TABLE.encode(),
        b"\xef\xbb\xbf" + TABLE.encode(),
        TABLE.encode("gb18030"),
    ],
    ids=["answer", "list", "pair", "csv", "csv with mark", "csv in GB18030"],
)
def test_an_answer_of_1901_adds_valid_codes(content: bytes) -> None:
    gender, nation = parse_code_extensions(content, "codes.json")
    assert (gender.list, dict(gender.labels)) == ("gend", {"3": "另一种", "1": "改名的男性"})
    assert (nation.list, dict(nation.labels)) == ("naty", {"01": "01"})
    assert gender.source == "codes.json"


def test_a_catalogue_keeps_its_national_codes_and_its_digest() -> None:
    extended = CATALOG.with_codes(parse_code_extensions(answer(ROWS), "codes.json"))
    assert extended.digest == CATALOG.digest
    national = CATALOG.code_tables["gend"].labels
    assert dict(extended.code_tables["gend"].labels) == {**national, "3": "另一种"}
    assert extended.code_tables["gend"].added == {"3"}
    assert extended.code_lists["gend"] == CATALOG.code_lists["gend"] | {"3"}
    assert "gend" not in extended.extensible_lists
    assert "naty" in extended.extensible_lists, "an unknown list labels, but refuses nothing"
    assert "3" not in load_catalog().code_lists["gend"]


def test_a_later_import_labels_added_codes_anew() -> None:
    first = parse_code_extensions(answer(ROWS), "a")
    second = parse_code_extensions(answer([{**ROWS[0], "label": "新标签"}]), "b")
    extended = CATALOG.with_codes(first).with_codes(second)
    assert extended.code_tables["gend"].labels["3"] == "新标签"
    assert extended.code_tables["gend"].added == {"3"}
    assert CATALOG.with_codes(()).code_lists == CATALOG.code_lists


@pytest.mark.parametrize(
    ("content", "line", "message"),
    [
        (b"", 1, "expected a header with type and value"),
        (b"type,type,value\n", 1, "each column once"),
        (b"type,value\nGEND,1,2\n", 2, "found 3 fields, expected 2"),
        (b'type,value\nGEND,"1\n', 2, "not CSV"),
        (b"type,value\nGEND,a b\n", 2, "value: found 'a b', expected a code"),
        (b"type,value\n1GEND,1\n", 2, "type: found '1gend', expected a dictionary"),
        (b"type,value\n", 0, "found no valid code"),
        (b"{", 0, "not JSON"),
        (b"[" * 100_000, 0, "not JSON"),
        (b'{"output": {}}', 0, "found no list of codes"),
        (b"[1]", 1, "found int, expected an object"),
        (answer([ROWS[0], {"type": "GEND", "value": True}]), 2, "value: found ''"),
        (b"\xff\xff\xff", 0, "neither UTF-8 nor GB18030"),
        (b" " * (MAX_BYTES + 1), 0, "expected at most"),
        (b"type,value\n" + b"".join(b"a,%d\n" % one for one in range(MAX_CODES + 1)), 5002, "more"),
        (b"type,value\n" + b"".join(b"a%d,1\n" % one for one in range(MAX_LISTS + 1)), 502, "more"),
    ],
)
def test_a_bad_import_is_refused_as_a_whole(content: bytes, line: int, message: str) -> None:
    with pytest.raises(CatalogError) as caught:
        parse_code_extensions(content, "codes.csv")
    assert (caught.value.file, caught.value.line) == ("codes.csv", line)
    assert message in caught.value.problem


@given(content=st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_bytes_are_codes_or_our_error(content: bytes) -> None:
    with contextlib.suppress(CatalogError):
        assert parse_code_extensions(content, "x")
