from __future__ import annotations

import pytest

from scoring_kernel.catalog_loader import load_catalog
from scoring_kernel.errors import ItemRowError
from scoring_kernel.item_rows import parse_row
from scoring_kernel.showing import may_be_shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("2026-02-30 09:50:39", True),
        ("12345678901234", True),
        ("x" * 32, True),
        ("x" * 33, False),
        ("990001580312101", False),
        ("99000158031210x", False),
        ("990001-19580312-1016", False),
        ("9.90001195803121e+17", False),
        ("张", False),
        ("\x1b[31mred", False),
        ("a\nb", False),
    ],
)
def test_a_value_is_shown_by_what_it_looks_like(text: str, *, shown: bool) -> None:
    assert may_be_shown(text) is shown


@pytest.mark.parametrize("number", sorted(load_catalog().items))
@pytest.mark.parametrize(
    "planted", ["990001195803121016", "99000119580312101X", "990001580312101", "张三丰", "\x1b[2J"]
)
def test_no_fault_of_a_department_line_shows_a_person(number: str, planted: str) -> None:
    item = load_catalog().items[number]
    for name in (*item.header, planted):
        with pytest.raises(ItemRowError) as caught:
            parse_row(item, {name: planted})
        fault = caught.value
        assert planted not in str(fault) + fault.field + fault.masked + fault.mend
        assert str(fault).isprintable()
