from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scoring_kernel.tables import TableError, TableRule, open_table
from scoring_kernel.tables import json_table as tables
from tests.support.table_files import read_table

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "a.jsonl"


def test_numbers_keep_their_digits(file: Path) -> None:
    file.write_text(
        '{"a": 1.10, "b": 1234567890123456789.123, "c": -0, "d": 1e3, "e": true, "f": null}\n',
        encoding="utf-8",
    )
    assert read_table(file).rows == [
        {
            "a": "1.10",
            "b": "1234567890123456789.123",
            "c": "-0",
            "d": "1000",
            "e": "true",
            "f": None,
        }
    ]


def test_columns_are_the_keys_of_all_rows_in_their_order(file: Path) -> None:
    file.write_text('{"b":"1"}\n\n{"a":" ","b":"NA"}\n', encoding="utf-8")
    read = read_table(file, nulls=["NA"])
    assert read.table.header == ("b", "a")
    assert read.rows == [{"b": "1", "a": None}, {"b": None, "a": None}]
    assert read.numbers == [1, 3]
    assert read.raws[0] == b'{"b":"1"}'
    assert read.table.consumed == file.stat().st_size


@pytest.mark.parametrize(
    ("line", "rule", "words"),
    [
        (b'{"a":[1]}', "cell", "a nested value in 'a'"),
        (b'{"a":{}}', "cell", "a nested value in 'a'"),
        (b"[1]", "broken_json", "no object"),
        (b'{"a":1', "broken_json", "broken JSON at sign"),
        (b'{"a":1,"a":2}', "broken_json", "repeats a key"),
        (b'{"a":NaN}', "broken_json", "NaN"),
        (b'{"a":1e999999999}', "broken_json", "beyond all measure"),
        (b'{"a":"\\u0000"}', "control_character", "a control character in 'a'"),
        (b'{"a":"\\ud800"}', "control_character", "half a sign"),
        (b'{"a":"\xff"}', "undecodable", "UTF-8"),
        (b'{"a":' * 50_000 + b"1", "broken_json", "nested too deeply"),
        (b"[" * 100_000, "broken_json", "nested too deeply"),
        (b'{"z":1}', "field_count", "none of the first"),
        (b'{"a":"' + b"x" * tables.MAX_LINE_BYTES + b'"}', "line_too_long", "longer"),
    ],
)
def test_a_line_that_is_no_flat_object_harms_only_itself(
    file: Path, monkeypatch: pytest.MonkeyPatch, line: bytes, rule: str, words: str
) -> None:
    monkeypatch.setattr(tables, "HEADER_ROWS", 1)
    good = '{"a":"温"}\n'.encode()
    file.write_bytes(good + line + b"\n" + good)
    read = read_table(file)
    assert read.numbers == [1, 3]
    assert read.rules() == {2: rule}
    assert words in read.faults[0].found


def test_the_last_line_may_be_cut_off_unless_it_was_packed(file: Path, tmp_path: Path) -> None:
    file.write_bytes(b'{"a":1}\n{"a":2}')
    assert read_table(file).rules() == {2: "truncated"}
    packed = tmp_path / "a.jsonl.gz"
    packed.write_bytes(gzip.compress(file.read_bytes()))
    assert read_table(packed).numbers == [1, 2]


def test_gb18030_lines_and_documents_are_read(file: Path, tmp_path: Path) -> None:
    file.write_bytes('{"a":"温州"}\n'.encode("gb18030"))
    read = read_table(file)
    assert (read.rows, read.table.encoding) == ([{"a": "温州"}], "gb18030")
    document = tmp_path / "a.json"
    document.write_bytes('[{"a":"温州"}]'.encode("gb18030"))
    assert read_table(document).rows == [{"a": "温州"}]


def test_a_document_is_an_array_one_object_or_lines_after_all(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('[{"a":1},\n{"a":[]},{"a":2}]', encoding="utf-8")
    read = read_table(path, rows=1)
    assert (read.numbers, read.rules(), read.table.kind) == ([1, 3], {2: "cell"}, "json")
    path.write_text('{"a":1}', encoding="utf-8")
    assert read_table(path).rows == [{"a": "1"}]
    path.write_text('{"a":1}\n{"a":2}\n', encoding="utf-8")
    assert read_table(path).numbers == [1, 2]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"[{]", "broken JSON"),
        (b"[" * 200_000, "nested too deeply"),
        (b"\xff\xff", "another encoding"),
        (b"[]", "no flat object"),
        (b"[1, 2]", "no flat object"),
    ],
)
def test_a_document_that_is_no_table_is_refused(tmp_path: Path, data: bytes, words: str) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(data)
    with pytest.raises(TableError, match=words):
        open_table(path)


def test_a_document_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "MAX_DOCUMENT_BYTES", 10)
    path = tmp_path / "a.json"
    path.write_bytes(b'[{"a": 12345}]')
    with pytest.raises(TableError, match="one object per line") as caught:
        open_table(path)
    assert caught.value.rule is TableRule.FILE_TOO_LARGE


CELLS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**30), 10**30),
    st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Z"))),
)


def _text(cell: object) -> str | None:
    if isinstance(cell, bool):
        return str(cell).lower()
    return None if cell is None or cell == "" else str(cell)


@settings(deadline=None)
@given(rows=st.lists(st.fixed_dictionaries({"a": CELLS, "b": CELLS}), min_size=1, max_size=6))
def test_what_was_written_as_json_lines_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, object]]
) -> None:
    path = tmp_path_factory.getbasetemp() / "written.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    texts = [{name: _text(cell) for name, cell in row.items()} for row in rows]
    assert read_table(path).rows == [row for row in texts if any(row.values())]


@settings(deadline=None)
@given(data=st.binary(max_size=200), suffix=st.sampled_from(["jsonl", "json"]))
def test_any_bytes_are_rows_faults_or_our_error(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, suffix: str
) -> None:
    path = tmp_path_factory.getbasetemp() / f"any.{suffix}"
    for start in (b"", b'{"a":1}\n', b'[{"a":1},'):
        path.write_bytes(start + data)
        try:
            read_table(path)
        except TableError as error:
            assert error.mend  # noqa: PT017 - either way is right
