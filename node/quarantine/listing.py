"""The list of refused lines as a file for the vendor: masked, or with bodies once revealed.

Rules:
- A file of mode 0600, written whole or not at all; one that is there is not overwritten.
- No cell of a CSV begins with a sign that a spreadsheet would calculate with.
- Bodies are in clear: only where the operator says so, and noted.
"""

import codecs
import csv
import io
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import orjson

from node.new_files import verify_new_file
from node.quarantine.desk import QuarantineDesk, short_id
from node.store import NodeStore, QuarantineFilter, QuarantineRow
from security.private_files import writing_private
from security.progress import ProgressReporter, no_progress

__all__ = ["FORMATS", "export_rows", "listed"]

FORMATS: Final = (".csv", ".jsonl")
STAGE: Final = "export"
_CALCULATED: Final = ("=", "+", "-", "@", "\t", "\r")
COLUMNS: Final = (
    *("id", "source", "line", "message", "infno", "form"),
    *("rule", "field", "value", "reason", "mend", "seen_at"),
)
_TOLD_ROWS: Final = 1_000


def listed(row: QuarantineRow) -> dict[str, str | int]:
    """Tell a row as lists and files do, column by column of ``COLUMNS``."""
    values = (
        *(short_id(row), row.source, row.line, row.msgid, row.infno, row.form),
        *(row.rule, row.field, row.value, row.reason, row.mend, row.seen_at),
    )
    return dict(zip(COLUMNS, values, strict=True))


def export_rows(
    desk: QuarantineDesk,
    store: NodeStore,
    path: Path,
    wanted: QuarantineFilter,
    *,
    revealed_to: str = "",
    progress: ProgressReporter = no_progress,
) -> int:
    """Write the refused lines that are wanted into a file.

    Args:
        desk: Notes a reveal.
        store: Where the lines are.
        path: A new file, ``.csv`` or ``.jsonl``.
        wanted: Which lines.
        revealed_to: Operator who gets the bodies in clear; empty for none.
        progress: Told while it writes.

    Returns:
        Number of lines.

    Raises:
        ConfigurationError: The file is there, of another format, or its directory is missing.
        KeyFileError: The file cannot be written.
    """
    verify_new_file(path, FORMATS)
    if revealed_to:
        desk.note(revealed_to, "quarantine_reveal_file", "quarantine", path.name)
    total = store.quarantine_count(wanted)
    count = 0
    with writing_private(path) as file:
        is_csv = path.suffix == ".csv"
        if is_csv:
            # Spreadsheets tell UTF-8 by its mark.
            file.write(codecs.BOM_UTF8)
            file.write(_csv_line((*COLUMNS, *(("body",) if revealed_to else ()))))
        for row in desk.rows(wanted):
            told = listed(row)
            if revealed_to:
                body = store.desk.body(row.digest)
                told["body"] = "" if body is None else body.decode("utf-8", "backslashreplace")
            file.write(_csv_line(told.values()) if is_csv else orjson.dumps(told) + b"\n")
            count += 1
            if count % _TOLD_ROWS == 0:
                progress(STAGE, count, total, "lines")
    return count


def _csv_line(values: Iterable[str | int]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerow([_harmless(value) for value in values])
    return text.getvalue().encode("utf-8", "backslashreplace")


def _harmless(value: str | int) -> str | int:
    """Keep a spreadsheet from calculating a text."""
    if isinstance(value, str) and value.startswith(_CALCULATED):
        return f"'{value}"
    return value
