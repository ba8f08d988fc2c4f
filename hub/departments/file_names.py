"""Which information item and period a department's file is for, by its name.

Rules: ``item_NN_YYYYHn.csv`` for rows, events and lists of a half-year, ``item_NN.csv``
for a register, where NN is the item's number, such as ``05`` or ``s03``; anything
after a further ``_`` or ``-`` is free, so that a correction can have its own name. The
ending may be that of any table: ``.xlsx``, ``.parquet``, ``.jsonl`` and their like.
Options of the command win over the name. In a directory registers are read first,
because the other files name their subjects.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from hub.errors import ImportFileError

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

MAX_FILES: Final = 10_000
_NAME: Final = re.compile(
    r"item_(?P<item>[a-z]?[0-9]{2})(?:_(?P<period>[0-9]{4}H[12]))?(?:[_-][^/]*)?"
    r"\.(?:csv|tsv|txt|xlsx|parquet|json|jsonl|ndjson)(?:\.gz|\.zip)?",
    re.IGNORECASE,
)
_TABLES: Final = re.compile(
    r".+\.(?:csv|tsv|xlsx|parquet|jsonl|ndjson)(?:\.gz|\.zip)?", re.IGNORECASE
)
"""Files of a directory that are meant, whatever they are called before their ending."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileName:
    """What a file's name says.

    Attributes:
        item: Number of the information item, or None when the name does not tell.
        period: Name of the rating period, or None when the name does not tell.
    """

    item: str | None
    period: str | None


def parse_name(name: str) -> FileName:
    """Read item and period out of a file name.

    >>> parse_name("item_05_2026H1.csv")
    FileName(item='05', period='2026H1')
    >>> parse_name("item_s01.csv")
    FileName(item='s01', period=None)
    >>> parse_name("item_05_2026H1-b.xlsx")
    FileName(item='05', period='2026H1')
    >>> parse_name("审核.csv")
    FileName(item=None, period=None)
    """
    match = _NAME.fullmatch(name)
    if match is None:
        return FileName(item=None, period=None)
    period = match["period"]
    return FileName(item=match["item"].lower(), period=period.upper() if period else None)


def find_files(path: Path, registers: Collection[str]) -> tuple[Path, ...]:
    """List the files to import, registers first, then by name.

    Args:
        path: One file, or a directory whose tables are meant: CSV, workbooks, Parquet and
            lines of JSON; ``.txt`` and ``.json`` only where the name says what they are.
        registers: Numbers of the items that are registers.

    Raises:
        ImportFileError: There is no such path, or it holds no or too many tables.
    """
    if path.is_file():
        return (path,)
    if not path.is_dir():
        raise ImportFileError(f"Found no file or directory {path}; name an existing one.")
    files = [
        entry
        for entry in path.iterdir()
        if _TABLES.fullmatch(entry.name) or parse_name(entry.name).item is not None
    ]
    if not files:
        raise ImportFileError(
            f"Found no table in {path}; expected names such as item_05_2026H1.csv."
        )
    if len(files) > MAX_FILES:
        raise ImportFileError(
            f"Found {len(files)} tables in {path}, at most {MAX_FILES} are read at once; "
            "import them in several directories."
        )
    return tuple(
        sorted(files, key=lambda one: (parse_name(one.name).item not in registers, one.name))
    )
