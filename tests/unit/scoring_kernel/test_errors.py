"""Errors keep their parts, also across a process border."""

from __future__ import annotations

import copy

from scoring_kernel.errors import CatalogError, ItemRowError, KernelError


def test_a_catalog_error_names_file_and_line() -> None:
    error = copy.copy(CatalogError("models/x.yaml", 7, "unknown key"))
    assert isinstance(error, KernelError)
    assert str(error) == "models/x.yaml:7: unknown key"
    assert (error.file, error.line, error.problem) == ("models/x.yaml", 7, "unknown key")


def test_an_item_row_error_names_the_rule_and_how_to_mend_it() -> None:
    error = copy.copy(ItemRowError("uscc", "check_digit", "9133****", "correct the last digit"))
    assert str(error) == "field uscc: rule check_digit: found 9133****: correct the last digit"
    assert (error.field, error.rule, error.masked, error.mend) == (
        "uscc",
        "check_digit",
        "9133****",
        "correct the last digit",
    )
