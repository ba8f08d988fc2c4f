"""The operator log (操作日志) in the database: appended to and read, nothing else.

Rules: the number is gapless from 1; every row's hash covers the row before; triggers of the
migration refuse whatever is no append; the caller logs the hash in the transparency log, inside
the same transaction.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, insert, select

from hub.store.operator_tables import operator_log
from hub.store.tables import log_leaf
from security.operator.log_chain import NO_ENTRY, ChainedEntry, entry_hash


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRow:
    """What a row says; never a value of a record."""

    at_ms: int
    """Moment, milliseconds since the epoch, UTC."""
    operator: str
    """Who: a name of the register, or a login name in single-operator mode."""
    role: str
    """In which role."""
    job: str
    """Which job."""
    outcome: str
    """``begun``, ``done``, ``asked``, or ``failed: code``."""
    subject: str
    """Member, approval or operator it is about; empty for none."""
    arguments_digest: bytes
    """SHA-256 of the arguments, 32 bytes."""
    nonce: bytes
    """Random, 16 bytes; of the signed command where there is one."""

    def parts(self) -> tuple[bytes, ...]:
        """The columns that the hash covers, in order."""
        return (
            str(self.at_ms).encode(),
            self.operator.encode(),
            self.role.encode(),
            self.job.encode(),
            self.outcome.encode(),
            self.subject.encode(),
            self.arguments_digest,
            self.nonce,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRow:
    """A row with its place and its hashes."""

    row: LogRow
    number: int
    previous: bytes
    hash: bytes
    log_index: int | None
    """Place of its leaf; None where the log was read-only just then."""

    def chained(self) -> ChainedEntry:
        """The row as an entry of its chain."""
        return ChainedEntry(
            number=self.number, parts=self.row.parts(), previous=self.previous, hash=self.hash
        )


def head(connection: Connection) -> tuple[int, bytes]:
    """Number of rows, and the hash of the last one, 32 bytes of zeros before the first."""
    query = select(operator_log.c.number, operator_log.c.hash)
    row = connection.execute(query.order_by(operator_log.c.number.desc()).limit(1)).first()
    return (0, NO_ENTRY) if row is None else (int(row.number), bytes(row.hash))


def next_row(connection: Connection, row: LogRow) -> StoredRow:
    """The row as it will be stored, without a place in the transparency log.

    Args:
        connection: The writing transaction that goes on to `append` it.
        row: What it says.
    """
    number, previous = head(connection)
    return StoredRow(
        row=row,
        number=number + 1,
        previous=previous,
        hash=entry_hash(previous, number + 1, row.parts()),
        log_index=None,
    )


def append(connection: Connection, stored: StoredRow) -> None:
    """Append the next row."""
    said = stored.row
    connection.execute(
        insert(operator_log).values(
            number=stored.number,
            at_ms=said.at_ms,
            operator=said.operator,
            role=said.role,
            job=said.job,
            outcome=said.outcome,
            subject=said.subject,
            arguments_digest=said.arguments_digest,
            nonce=said.nonce,
            previous=stored.previous,
            hash=stored.hash,
            log_index=stored.log_index,
        )
    )


def is_used(connection: Connection, nonce: bytes) -> bool:
    """Whether a command with this nonce was taken before."""
    query = select(operator_log.c.number).where(operator_log.c.nonce == nonce)
    return connection.execute(query.limit(1)).first() is not None


def rows(connection: Connection) -> Iterator[StoredRow]:
    """All rows, first to last."""
    query = select(operator_log).order_by(operator_log.c.number)
    for row in connection.execute(query.execution_options(yield_per=2_000)).mappings():
        yield _stored(dict(row))


def newest(connection: Connection, limit: int) -> tuple[StoredRow, ...]:
    """The newest rows, newest first."""
    query = select(operator_log).order_by(operator_log.c.number.desc()).limit(limit)
    return tuple(_stored(dict(row)) for row in connection.execute(query).mappings())


def subjects_of(connection: Connection, job: str, since_ms: int) -> tuple[str, ...]:
    """What a job that was done since a moment (milliseconds, UTC) was about, each once, in order.

    A beginning counts too: what became of it need not be known.
    """
    columns = operator_log.c
    query = select(columns.subject).where(columns.job == job, columns.at_ms >= since_ms)
    return tuple(connection.execute(query.distinct().order_by(columns.subject)).scalars())


def leaves(connection: Connection, kind: int) -> Iterator[tuple[int, bytes]]:
    """Index and bytes of the transparency log's leaves of a kind, in order."""
    query = select(log_leaf.c.log_index, log_leaf.c.leaf).where(log_leaf.c.kind == kind)
    query = query.order_by(log_leaf.c.log_index).execution_options(yield_per=2_000)
    for row in connection.execute(query):
        yield int(row.log_index), bytes(row.leaf)


def _stored(values: dict[str, object]) -> StoredRow:
    outer = {name: values.pop(name) for name in ("number", "previous", "hash", "log_index")}
    return StoredRow(row=LogRow(**values), **outer)  # type: ignore[arg-type]  # columns as declared
