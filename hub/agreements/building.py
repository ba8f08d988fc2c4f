"""Products (共享产品): what an agreement grants of the published grades, and nothing more.

Numbered as applied:

1. Rows: the newest published grades of the period and of the classes asked for, which lie within
   the agreement's; only those that the row filter lets through; none at all while one of them
   rests on what an incident makes suspect, since a part would pass for the whole.
2. Fields: those asked for, in the agreement's order; no other field is even read into the text.
3. Statistics: counts by the dimensions, with totals; cells below the agreement's bound and what
   would reveal them are suppressed (``security.sharing.suppression``).
4. Canonical CSV: UTF-8, line ends of one byte, a header, rows in order of class and subject; so
   the same grades give the same bytes, however often and in which order they were published.

A product is made in two passes over one snapshot, so that its memory is one part, not all of it.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections import Counter
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from hub.errors import NotPublishedError
from hub.store.publications import published_classes, published_grades
from hub.store.suspect_grades import refuse_suspect
from protos.yixin.v1 import sharing_pb2
from security.envelope import PAYLOAD_TARGET_BYTES
from security.sharing import COUNT, parse_filter, suppress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from sqlalchemy import Connection, RowMapping

    from security.sharing import Agreement, SuppressedTable
    from security.sharing.row_filter import Row

FORMAT: Final = 1
SUPPRESSED: Final = "<"
"""What stands in the place of a suppressed count, before its bound: ``<5``."""
MAX_SUBJECTS: Final = 1_000
"""Most subjects that one request names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Which part of an agreement a product is of; the whole of it by default."""

    period: str
    """Rating period."""
    subjects: tuple[str, ...] = ()
    """Subjects; none for all."""
    subject_classes: tuple[str, ...] = ()
    """Classes; none for all."""
    fields: tuple[str, ...] = ()
    """Fields; none for all."""
    request_id: bytes = b""
    """Repeated in the answer; empty for deliveries."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What is said of a product beside its content."""

    agreement: str
    """``id@version``."""
    period: str
    """Rating period."""
    rows: int
    """Rows, without the header."""
    suppressed: int
    """Cells of a statistic that were suppressed."""
    digest: bytes
    """SHA-256 of the canonical CSV."""
    parts: int
    """Number of parts."""


def build_manifest(connection: Connection, agreement: Agreement, asked: Asked) -> Manifest:
    """Make a product once, to know its digest and its size.

    Args:
        connection: A transaction; ``product_parts`` has to run in the same one.
        agreement: An agreement in force that covers what is asked.
        asked: What is asked for.

    Raises:
        NotPublishedError: Nothing of these classes was published for the period, or it is suspect.
        AgreementError: A statistic has too many cells.
    """
    digest = hashlib.sha256()
    rows = parts = 0
    for piece in _pieces(connection, agreement, asked):
        digest.update(piece.content)
        rows += piece.rows
        parts += 1
    return Manifest(
        agreement=agreement.reference,
        period=asked.period,
        rows=rows,
        suppressed=_table(connection, agreement, asked).suppressed if agreement.is_statistic else 0,
        digest=digest.digest(),
        parts=parts,
    )


def product_parts(
    connection: Connection, agreement: Agreement, asked: Asked, manifest: Manifest
) -> Iterator[bytes]:
    """Serialised Product payloads of a product, in order; each fits an envelope.

    Args:
        connection: The transaction in which the manifest was made.
        agreement: The agreement.
        asked: What is asked for.
        manifest: From ``build_manifest``.
    """
    for part, piece in enumerate(_pieces(connection, agreement, asked)):
        yield sharing_pb2.Product(
            format=FORMAT,
            agreement=manifest.agreement,
            period=manifest.period,
            request_id=asked.request_id,
            rows=manifest.rows,
            part=part,
            parts=manifest.parts,
            content=piece.content,
            digest=manifest.digest,
            suppressed=manifest.suppressed,
        ).SerializeToString(deterministic=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Piece:
    content: bytes
    rows: int


def _pieces(connection: Connection, agreement: Agreement, asked: Asked) -> Iterator[_Piece]:
    """The canonical CSV, cut between rows; at least one piece, which holds the header."""
    named = asked.fields or agreement.fields
    fields = [field for field in agreement.fields if field in named]
    lines = _lines(connection, agreement, asked, fields)
    text, rows = [_line(fields)], 0
    size = len(text[0])
    for line in lines:
        if size + len(line) > PAYLOAD_TARGET_BYTES:
            yield _Piece(content=b"".join(text), rows=rows)
            text, rows, size = [], 0, 0
        text.append(line)
        rows += 1
        size += len(line)
    yield _Piece(content=b"".join(text), rows=rows)


def _lines(
    connection: Connection, agreement: Agreement, asked: Asked, fields: Sequence[str]
) -> Iterator[bytes]:
    if agreement.is_statistic:
        for cell, count in _table(connection, agreement, asked).counts.items():
            shown = f"{SUPPRESSED}{agreement.suppress_below}" if count is None else str(count)
            yield _line([*cell, shown])
        return
    for row in _rows(connection, agreement, asked):
        yield _line([_TEXTS[field](row) for field in fields])


def _rows(connection: Connection, agreement: Agreement, asked: Asked) -> Iterator[RowMapping]:
    """Published grades within the agreement and the request (step 1)."""
    wanted = asked.subject_classes or agreement.subject_classes
    published = {*published_classes(connection, asked.period)}
    classes = [one for one in agreement.subject_classes if one in wanted and one in published]
    if not classes:
        raise NotPublishedError(
            f"Nothing that {agreement.reference} covers was published for {asked.period}; run "
            "`yixin hub publish` first."
        )
    refuse_suspect(connection, asked.period, classes)
    keep = parse_filter(agreement.row_filter)
    found = published_grades(
        connection, asked.period, classes, subjects=asked.subjects, by_subject=True
    )
    return (row for row in found if keep(_as_row(row)))


def _table(connection: Connection, agreement: Agreement, asked: Asked) -> SuppressedTable:
    """The counts of a statistic; always of all its dimensions, as two cuts could be subtracted."""
    dimensions = [field for field in agreement.fields if field != COUNT]
    rows = _rows(connection, agreement, asked)
    counts = Counter(tuple(_TEXTS[field](row) for field in dimensions) for row in rows)
    return suppress(counts, agreement.suppress_below)


def _as_row(row: RowMapping) -> Row:
    return {
        "subject": row["subject"],
        "subject_class": row["subject_class"],
        "name": row["name"],
        "level": row["level"],
        "type": row["type"],
        "period": row["period"],
        "grade": row["grade"],
        "basis": row["basis"],
        "version": Decimal(int(row["version"])),
        "total": Decimal(int(row["total_centi"])) / 100,
    }


def _total(row: RowMapping) -> str:
    total = int(row["total_centi"])
    return f"{total // 100}.{total % 100:02d}"


def _plain(name: str) -> Callable[[RowMapping], str]:
    return lambda row: str(row[name])


_TEXTS: Final[Mapping[str, Callable[[RowMapping], str]]] = {
    **{name: _plain(name) for name in ("subject", "subject_class", "name", "level", "type")},
    **{name: _plain(name) for name in ("period", "version", "grade", "basis")},
    "total": _total,
    "model_sha256": lambda row: bytes(row["model_digest"]).hex(),
    "statement_sha256": lambda row: bytes(row["digest"]).hex(),
}
"""How each field is written."""


def _line(values: Sequence[str]) -> bytes:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerow(values)
    return out.getvalue().encode()
