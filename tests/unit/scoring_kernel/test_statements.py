"""The digest of a statement's rows."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from scoring_kernel.errors import KernelInputError
from scoring_kernel.statements import rows_digest


def test_the_digest_is_over_the_documented_text() -> None:
    text = (
        "institution|month|subject|fund_fen|visits\n"
        "H1|202601|H1|-5|2\n"
        "H1|202602|H1|7|0\n"
    )  # fmt: skip
    got = rows_digest(
        ["H1", "H1"],
        np.array([202602, 202601], np.int32).tolist(),
        ["H1", "H1"],
        {"visits": np.array([0, 2]), "fund_fen": np.array([7, -5])},
    )
    assert got == hashlib.sha256(text.encode()).digest()


def test_an_empty_statement_still_names_its_columns() -> None:
    assert rows_digest([], [], [], {"a": []}) != rows_digest([], [], [], {"b": []})


@pytest.mark.parametrize("text", ["H|1", "H1\n"])
def test_a_separator_inside_a_field_is_refused(text: str) -> None:
    with pytest.raises(KernelInputError, match="separator"):
        rows_digest([text], [202601], ["H1"], {})


def test_columns_of_other_lengths_are_refused() -> None:
    with pytest.raises(KernelInputError, match="expected 1 values"):
        rows_digest(["H1"], [202601], ["H1"], {"a": [1, 2]})
