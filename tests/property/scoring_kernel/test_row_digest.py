from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from scoring_kernel.statements import row_digest, rows_digest

codes = st.from_regex(r"[HP][0-9]{11}", fullmatch=True)
names = st.sets(st.from_regex(r"[a-z][a-z0-9_]{0,12}", fullmatch=True), min_size=1, max_size=6)


@given(
    institution=codes,
    subject=codes,
    month=st.integers(200001, 209912),
    measures=names,
    values=st.lists(st.integers(-(2**63), 2**63 - 1), min_size=6, max_size=6),
)
def test_the_digest_of_one_row_is_the_digest_of_rows(
    institution: str, subject: str, month: int, measures: set[str], values: list[int]
) -> None:
    ordered = sorted(measures)
    columns = {name: [value] for name, value in zip(ordered, values, strict=False)}

    assert row_digest(institution, month, subject, ordered, values[: len(ordered)]) == rows_digest(
        [institution], [month], [subject], columns
    )
