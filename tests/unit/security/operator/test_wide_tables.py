"""Wide tables: nothing wider than the terminal, nothing left out, no number broken."""

from __future__ import annotations

import io

from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from security.operator.output import told_once
from security.operator.wide_tables import lay_out

names = st.text("医疗费用占比偏离率15日元（）", min_size=1, max_size=14)
numbers = st.decimals(-(10**7), 10**9, places=2).map(str)


def screens(titles: dict[str, str], rows: list[dict[str, str]], width: int) -> list[list[str]]:
    """Lines of every part as a terminal of this width shows them."""
    found = []
    for part in lay_out(titles, rows, texts=frozenset({"a", "d"}), width=width):
        screen = io.StringIO()
        Console(file=screen, width=width, highlight=False).print(part)
        found.append(screen.getvalue().splitlines())
    return found


@settings(max_examples=60)
@given(
    titles=st.lists(names, min_size=1, max_size=14),
    data=st.data(),
    width=st.sampled_from([60, 80, 132]),
)
def test_every_number_stands_whole_in_its_row(
    titles: list[str], data: st.DataObject, width: int
) -> None:
    columns = {"a": "机构", **{f"c{at}": title for at, title in enumerate(titles)}}
    rows = data.draw(
        st.lists(
            st.fixed_dictionaries({name: numbers for name in columns if name != "a"}),
            min_size=1,
            max_size=4,
        )
    )
    rows = [{"a": f"H3303020000{at}", **row} for at, row in enumerate(rows)]
    parts = screens(columns, rows, width)
    assert all(cell_len(line.rstrip()) <= width for lines in parts for line in lines)
    for row in rows:
        told = [
            cell
            for lines in parts
            for line in lines
            if line.startswith(row["a"])
            for cell in line.split()[1:]
        ]
        assert told == [row[name] for name in columns if name != "a"]


def test_units_stand_below_and_long_names_are_folded() -> None:
    titles = {"a": "月份", "b": "医疗费（元）", "c": "15日同病种再入院率", "d": "说明"}
    rows = [{"a": "2026-05", "b": "410999.11", "c": "0.0800", "d": "文" * 20}]
    (lines,) = screens(titles, rows, 80)
    assert [line.split() for line in lines[:2]] == [
        ["医疗费", "15日同病种"],
        ["月份", "元", "再入院率", "说明"],
    ]
    assert [line.split() for line in lines[3:]] == [
        ["2026-05", "410999.11", "0.0800", "文" * 15],
        ["文" * 5],
    ]


def test_a_column_is_told_once_only_where_several_rows_agree() -> None:
    titles = "abc"
    one = {"a": 1, "b": None, "c": 5}
    assert told_once(titles, [one]) == {}
    assert told_once(titles, [one, one | {"a": 2}]) == {"b": "—", "c": "5"}
    assert told_once(titles, [one, one | {"c": 6}]) == {"b": "—"}
