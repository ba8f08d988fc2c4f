"""An outline shows where a fault lies, and nothing that is personal."""

import copy

from hypothesis import given
from hypothesis import strategies as st

from node.domain.masking import show
from node.quarantine.fields import KnownFields
from node.quarantine.outline import MAX_ROWS, outline_message, outline_row
from scoring_kernel import load_catalog
from tests.support import node_messages as m

FIELDS = KnownFields(load_catalog(), "2204")
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=30,
)


def message(lines: int) -> m.Document:
    return copy.deepcopy(m.fees(1, lines=lines))


def test_of_many_lines_the_first_and_the_faulty_one_are_shown() -> None:
    document = message(300)
    document["request"]["input"]["feedetail"][200]["cnt"] = -7
    rows = outline_message(document, FIELDS, "request.feedetail.cnt", "-7")
    faulty = [row.place for row in rows if row.faulty]
    assert faulty == ["request.input.feedetail[201].cnt"]
    places = {row.place.partition("]")[0] for row in rows if "feedetail[" in row.place}
    assert len(places) == 6
    more = {row.place: row.value for row in rows if row.value.endswith("more fields")}
    assert set(more) == {"request.input.feedetail", "response.output.result"}
    assert len(rows) <= MAX_ROWS


def test_a_missing_field_is_shown_as_missing() -> None:
    document = message(1)
    del document["request"]["input"]["feedetail"][0]["cnt"]
    first = outline_message(document, FIELDS, "request.feedetail.cnt", "nothing")[0]
    assert (first.place, first.value, first.faulty) == ("request.feedetail.cnt", "nothing", True)


def test_where_no_line_shows_the_value_every_line_is_marked() -> None:
    rows = outline_message(message(2), FIELDS, "request.feedetail.cnt", "12")
    assert [row.place for row in rows if row.faulty] == [
        "request.input.feedetail[1].cnt",
        "request.input.feedetail[2].cnt",
    ]


@given(document=VALUES, field=st.text(max_size=12))
def test_any_document_has_a_bounded_outline_without_unsafe_signs(
    document: object, field: str
) -> None:
    rows = outline_message(document, FIELDS, field, "x")
    assert len(rows) <= MAX_ROWS
    for row in rows:
        assert row.value.isprintable()
        assert field == row.place or row.place.isprintable()


@given(
    cells=st.lists(st.none() | st.text(max_size=20), max_size=6),
    header=st.lists(st.text(min_size=1, max_size=6), max_size=6, unique=True),
)
def test_a_row_has_one_place_per_column_or_cell(cells: list[str | None], header: list[str]) -> None:
    rows = outline_row(header, cells, {}, header[0] if header else "")
    assert len(rows) == max(len(cells), len(header))
    for row, cell in zip(rows, cells, strict=False):
        assert row.value == show(cell, personal=True)
    assert sum(row.faulty for row in rows) == (1 if header else 0)
