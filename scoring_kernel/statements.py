r"""Digest of a statement's rows: the same rows give the same digest at every member.

Rules:
- One header line names the columns, measures in sorted order; then one line per
  row, lines sorted; fields joined by ``|``, every line ended by ``\n``, UTF-8.
- No field may hold a separator, so no two sets of rows share one text.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from scoring_kernel.errors import KernelInputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from scoring_kernel.measures import IntVector

_SEPARATORS: Final = frozenset("|\n")


def rows_digest(
    institutions: Sequence[str],
    months: Sequence[int],
    subjects: Sequence[str],
    columns: Mapping[str, IntVector | Sequence[int]],
) -> bytes:
    """Hash the rows of a statement in canonical form.

    Args:
        institutions: Institution code of each row.
        months: Month of each row, yyyymm.
        subjects: Subject of each row.
        columns: Values of each measure, one per row.

    Returns:
        SHA-256 of the canonical text, 32 bytes; the order of rows does not matter.

    Raises:
        KernelInputError: Lengths differ, or a text holds ``|`` or a line break.

    >>> one = rows_digest(["H1"], [202601], ["H1"], {"b": [2], "a": [1]})
    >>> one == rows_digest(["H1"], [202601], ["H1"], {"a": [1], "b": [2]})
    True
    """
    n = len(institutions)
    names = sorted(columns)
    if {len(months), len(subjects), *(len(columns[name]) for name in names)} != {n}:
        raise KernelInputError(f"rows to digest: expected {n} values in every column")
    for text in {*institutions, *subjects, *names}:
        if not _SEPARATORS.isdisjoint(text):
            raise KernelInputError(
                f"rows to digest: found a separator in {text[:40]!r}: use codes without '|'"
            )
    values = [[str(int(value)) for value in columns[name]] for name in names]
    keys = [
        [str(text) for text in institutions],
        [str(int(month)) for month in months],
        [str(text) for text in subjects],
    ]
    lines = sorted("|".join(row) for row in zip(*keys, *values, strict=True))
    header = "|".join(("institution", "month", "subject", *names))
    return hashlib.sha256("".join(f"{line}\n" for line in (header, *lines)).encode()).digest()


def row_digest(
    institution: str, month: int, subject: str, names: Sequence[str], values: Sequence[int]
) -> bytes:
    """Hash a statement of a single row: what ``rows_digest`` gives, several times faster.

    Args:
        institution: Institution code; like the subject, a code without ``|`` or line break.
        month: Month, yyyymm.
        subject: Subject.
        names: Measures, sorted.
        values: Value of each measure, in the order of the names.

    Returns:
        SHA-256 of the canonical text, 32 bytes.

    >>> one = row_digest("H1", 202601, "H1", ("a", "b"), (1, 2))
    >>> one == rows_digest(["H1"], [202601], ["H1"], {"b": [2], "a": [1]})
    True
    """
    header = "|".join(("institution", "month", "subject", *names))
    row = "|".join((institution, str(month), subject, *map(str, values)))
    return hashlib.sha256(f"{header}\n{row}\n".encode()).digest()
