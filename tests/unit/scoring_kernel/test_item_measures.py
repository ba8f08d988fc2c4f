"""What rows of departments amount to: the supervisor's case table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from scoring_kernel.catalog_loader import load_catalog
from scoring_kernel.items import item_inputs
from scoring_kernel.periods import Period
from tests.support.item_texts import SUBJECTS, parsed_rows
from tests.support.kernel_models import load_cases

if TYPE_CHECKING:
    from collections.abc import Mapping

ITEMS = load_catalog().items
CASES = load_cases("measures", folder="items")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_rows_amount_to_the_measures_of_the_table(case: Mapping[str, Any]) -> None:
    item = ITEMS[case["item"]]
    rows = parsed_rows(item, case["given"])
    period = Period.parse(case["period"])
    subject = SUBJECTS[item.subject_type]
    for order in (rows, rows[::-1]):
        columns = item_inputs(item, order, [subject], period, frozenset({period.name}))
        found = {
            name: int(values[0]) if present[0] else None
            for column in case["expect"]
            for name, (values, present) in [(column, columns[f"item.{item.number}.{column}"])]
        }
        assert found == case["expect"]
