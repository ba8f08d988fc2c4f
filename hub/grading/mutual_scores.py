"""Mutual recognition of scores (信用分互认): grades for the city's personal credit office.

Rules:
- Only classes of natural persons (staff and insured persons) are exchanged, and only what was
  published: id, grade, total, version and the digest of the published statement. No name, no
  indicator and no input leaves.
- The file is written whole or not at all, readable by its owner alone, and never over another.
- Every export leaves a row that says who, when, which period and the digest of the file; it is
  stored before the file appears under its name, so no file exists without its row.
- The office's own score of the next period comes back as an information item and is read with
  one period's lag, so neither score feeds on itself within a period.
"""

from __future__ import annotations

import csv
import hashlib
import os
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from hub.errors import ConfigurationError, NotPublishedError
from hub.grading.classes import exchanged_classes
from hub.store.engine import reading, writing
from hub.store.publications import published_classes, published_grades
from hub.store.score_exports import ScoreExport, record_export

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

    from sqlalchemy import Connection, Engine, RowMapping

    from scoring_kernel import Catalog
    from scoring_kernel.periods import Period
    from security.progress import ProgressReporter

HEADER: Final = (
    "subject_class",
    "subject",
    "period",
    "version",
    "total",
    "grade",
    "basis",
    "statement_sha256",
)
OFFICER_CHARS: Final = 64
_REPORT_EVERY: Final = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class MutualScores:
    """What was exported.

    Attributes:
        period: Rating period.
        file: Where the file lies.
        sha256: SHA-256 of the file, hexadecimal.
        rows: Number of grades by class.
        officer: Who exported.
        exported_at: Moment, ISO 8601, UTC.
    """

    period: str
    file: str
    sha256: str
    rows: Mapping[str, int]
    officer: str
    exported_at: str


def export_mutual_scores(
    engine: Engine,
    catalog: Catalog,
    path: Path,
    *,
    period: Period,
    officer: str,
    now: datetime,
    progress: ProgressReporter,
) -> MutualScores:
    """Write the published grades of natural persons to a CSV file, and record who did.

    Args:
        engine: The hub's database.
        catalog: Its registers say which classes are natural persons.
        path: The file to make; it must not exist.
        period: The rating period.
        officer: Who exports, as the record names them.
        now: Moment of the export, UTC.
        progress: Told while it writes.

    Raises:
        ConfigurationError: The file exists, or nobody is named.
        NotPublishedError: No class of natural persons was published for the period.
        OSError: The file cannot be written; nothing was recorded.
        HubStoreError: The database failed; there is no file.
    """
    if not officer.strip() or len(officer) > OFFICER_CHARS or not officer.isprintable():
        raise ConfigurationError(
            f"An export needs the name of who makes it, up to {OFFICER_CHARS} printable signs; "
            "name them with --officer."
        )
    if path.exists():
        raise ConfigurationError(f"{path} exists; nothing was changed. Name a new file.")
    with tempfile.NamedTemporaryFile(
        dir=path.parent, prefix=f".{path.name}.", delete=False
    ) as temporary:
        draft = Path(temporary.name)
        try:
            with reading(engine) as connection:
                rows, digest = _write(
                    temporary.write, _grades(connection, catalog, period), progress
                )
            temporary.flush()
            os.fsync(temporary.fileno())
            record = ScoreExport(
                period=period.name,
                officer=officer,
                file_name=path.name,
                rows=rows.total(),
                sha256=digest,
                exported_at_ms=int(now.timestamp() * 1000),
            )
            with writing(engine) as connection:
                record_export(connection, record)
            # A link, not a rename: it refuses a name that appeared meanwhile.
            os.link(draft, path)
        except FileExistsError as error:
            raise ConfigurationError(f"{path} exists by now; name a new file.") from error
        finally:
            draft.unlink()
    return MutualScores(
        period=period.name,
        file=str(path),
        sha256=digest.hex(),
        rows=dict(sorted(rows.items())),
        officer=officer,
        exported_at=now.isoformat(timespec="seconds"),
    )


def _grades(connection: Connection, catalog: Catalog, period: Period) -> Iterator[RowMapping]:
    published = {*published_classes(connection, period.name)}
    classes = [one for one in exchanged_classes(catalog) if one in published]
    if not classes:
        raise NotPublishedError(
            f"No grade of a natural person was published for {period.name} yet; run "
            "`yixin hub publish` first."
        )
    return published_grades(connection, period.name, classes)


def _write(
    write: Callable[[bytes], int], grades: Iterator[RowMapping], progress: ProgressReporter
) -> tuple[Counter[str], bytes]:
    """Write the rows; their number by class, and the digest of the bytes."""
    counts: Counter[str] = Counter()
    out = _Hashed(write)
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(HEADER)
    for row in grades:
        counts[row["subject_class"]] += 1
        total = int(row["total_centi"])
        writer.writerow(
            (
                row["subject_class"],
                row["subject"],
                row["period"],
                row["version"],
                f"{total // 100}.{total % 100:02d}",
                row["grade"],
                row["basis"],
                bytes(row["digest"]).hex(),
            )
        )
        if counts.total() % _REPORT_EVERY == 0:
            progress("exporting scores", counts.total(), 0, "grades")
    return counts, out.digest()


class _Hashed:
    """Text written as bytes, and hashed on the way."""

    __slots__ = ("_hash", "_write")

    def __init__(self, write: Callable[[bytes], int]) -> None:
        self._write = write
        self._hash = hashlib.sha256()

    def write(self, text: str) -> int:
        """Write some text, UTF-8."""
        data = text.encode()
        self._hash.update(data)
        return self._write(data)

    def digest(self) -> bytes:
        """SHA-256 of everything written."""
        return self._hash.digest()
