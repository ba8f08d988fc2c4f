"""Headers: the names of a table's columns.

Rules: a header names every column once; columns without a name may stand in it, and
their cells are not given.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from scoring_kernel.tables.errors import TableError, TableRule

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_COLUMNS: Final = 2_000


def verify_names(names: Sequence[str]) -> None:
    """Refuse a header that names a column twice, or too many.

    Raises:
        TableError: The header is of no use.
    """
    if len(names) > MAX_COLUMNS:
        raise no_header(f"{len(names)} columns, at most {MAX_COLUMNS} are read")
    twice = [(name, count) for name, count in Counter(names).items() if name and count > 1]
    if twice:
        name, count = twice[0]
        raise TableError(
            TableRule.HEADER,
            f"the column {name[:40]!r} {count} times",
            "each name once",
            "give every column a name of its own",
        )


def no_header(found: str) -> TableError:
    """Word the lack of a usable header.

    Args:
        found: What stands in its place.
    """
    return TableError(
        TableRule.HEADER, found, "a header line", "let the first line name the columns"
    )
