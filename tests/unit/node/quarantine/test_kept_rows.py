"""A refused row of a mapped file is cut as its file was, and written anew."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.domain.row_context import CELLS, RowContext
from node.errors import ConfigurationError, StoreError
from node.quarantine.kept_rows import changed_row, cut_rows, shown_cells

HEADER = ("id", "姓名", "amount")


def context(form: str = "line", delimiter: str = ",", encoding: str = "utf-8") -> RowContext:
    return RowContext(
        mapping="x",
        mapping_name="m.yaml",
        header=HEADER,
        form=form,
        delimiter=delimiter,
        encoding=encoding,
    )


def cells_of(kept: RowContext, body: bytes) -> list[str | None]:
    cut = cut_rows(kept, [body], HEADER, ["NA"])
    assert not cut.faults
    return [cut.batch.columns[name][0].as_py() for name in HEADER]


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
@pytest.mark.parametrize("delimiter", [",", "\t", ";"])
def test_a_line_is_changed_in_its_own_form(delimiter: str, encoding: str) -> None:
    kept = context(delimiter=delimiter, encoding=encoding)
    body = delimiter.join(["7", '"张""三"', "NA"]).encode(encoding)
    assert cells_of(kept, body) == ["7", '张"三', None]
    new = changed_row(kept, body, {"amount": f"1{delimiter}5"})
    assert cells_of(kept, new) == ["7", '张"三', f"1{delimiter}5"]


def test_cells_of_other_formats_are_changed_as_cells() -> None:
    kept = context(CELLS)
    new = changed_row(kept, b'{"id":"7","amount":"x"}', {"amount": "1.5", "姓名": "张三"})
    assert orjson.loads(new) == {"id": "7", "amount": "1.5", "姓名": "张三"}
    assert cells_of(kept, new) == ["7", "张三", "1.5"]
    assert cells_of(kept, b'{"id":7,"amount":1.50}') == ["7", None, "1.50"]


def test_one_broken_row_harms_only_itself() -> None:
    bodies = [b"1,a,2", b"1,a", b'1,"a,2', b"\xff\xff,a,1", b"2,b,3", b"\n", b",,"]
    cut = cut_rows(context(), bodies, HEADER, [])
    assert cut.batch.numbers.tolist() == [0, 4]
    assert sorted(cut.faults) == [1, 2, 3]
    broken = [b'{"id":"1"}', b'{"id":', b'{"id":[1]}', b"\xff", b"{}"]
    cut = cut_rows(context(CELLS), broken, HEADER, [])
    assert cut.batch.numbers.tolist() == [0]
    assert sorted(cut.faults) == [1, 2, 3]


@pytest.mark.parametrize(
    ("kept", "body", "changes"),
    [
        (context(), b"1,a", {"amount": "2"}),
        (context(CELLS), b"[1]", {"amount": "2"}),
        (context(), b"1,a,2", {"amount": "2\n3"}),
        (context(encoding="gb18030"), b"1,a,2", {"amount": "\udc80"}),
    ],
)
def test_what_cannot_be_written_is_told(
    kept: RowContext, body: bytes, changes: dict[str, str]
) -> None:
    with pytest.raises(ConfigurationError):
        changed_row(kept, body, changes)


@given(body=st.binary(max_size=60), form=st.sampled_from(["line", CELLS]))
def test_any_bytes_are_shown_and_cut_or_refused(body: bytes, form: str) -> None:
    kept = context(form)
    shown_cells(kept, body)
    cut = cut_rows(kept, [body], HEADER, [])
    assert cut.batch.rows + len(cut.faults) <= 1


@given(
    st.lists(
        st.text(st.characters(codec="utf-8", exclude_characters="\r\n\x00")), min_size=3, max_size=3
    )
)
def test_cells_come_back_as_they_were_written(cells: list[str]) -> None:
    kept = context()
    changes = dict(zip(HEADER, cells, strict=True))
    assert list(shown_cells(kept, changed_row(kept, b"1,2,3", changes))) == cells


def test_a_context_comes_back_as_it_was_kept() -> None:
    kept = context(delimiter="|", encoding="gb18030")
    assert RowContext.from_bytes(kept.to_bytes()) == kept
    assert len(kept.name) == 32
    for broken in (b"", b"{}", b'{"header":[]}', kept.to_bytes().replace(b"line", b"tree")):
        with pytest.raises(StoreError, match="ingest its file again"):
            RowContext.from_bytes(broken)
