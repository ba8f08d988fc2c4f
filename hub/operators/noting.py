"""The operator log (操作日志): every row fixed by a leaf of the transparency log.

Rules: row and leaf are stored in one transaction; a row says who, in which role, which job, what
came of it and the digest of the arguments, never a value of a record. Where the log is read-only
just then, the row stands without a leaf: the next leaf fixes it too, by the chain of hashes.
"""

import hashlib
import secrets
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy import Connection

from hub.errors import LogReadOnlyError
from hub.operators.acting import Actor, acting
from hub.store import log, operator_log
from hub.store.log_recoveries import recovered_ranges
from hub.store.operator_log import LogRow, StoredRow
from protos.yixin.v1 import identity_pb2, transparency_pb2
from security.errors import LogCorruptError
from security.operator.log_chain import verify_chain
from security.transparency import parse_leaf

__all__ = ["BEGUN", "NO_ARGUMENTS", "OperatorEntry", "VerifiedLog", "note", "verify_log"]

BEGUN: Final = "begun"
NO_ARGUMENTS: Final = hashlib.sha256(b"{}").digest()
"""Digest of no arguments."""
_SUBJECT_LENGTH: Final = 128
_WORD: Final = "operator"


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorEntry:
    """What to note."""

    hub: str
    """Member id of this hub."""
    at_ms: int
    """Now, milliseconds since the epoch, UTC."""
    job: str
    """Name of the job."""
    outcome: str = "done"
    """``begun``, ``done``, ``asked``, or ``failed: code``."""
    subject: str = ""
    """Member, period, operator or approval it is about; never a person of a record."""
    arguments_digest: bytes = NO_ARGUMENTS
    """SHA-256 of the arguments, 32 bytes."""
    actor: Actor | None = None
    """Who; else who acts now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedLog:
    """What verifying the whole log found."""

    size: int
    """Rows."""
    head: bytes
    """Hash of the last row, 32 bytes."""
    leaves: int
    """Rows that have a leaf of their own."""
    lost: int
    """Leaves of rows that a restored database lost; the hub signed which ones came back."""


def note(connection: Connection, entry: OperatorEntry) -> int:
    """Note what somebody does; in the caller's writing transaction.

    Returns:
        Number of the row.

    Raises:
        HubStoreError: The database refused; nothing of the transaction is stored.
    """
    actor = entry.actor or acting()
    stored = operator_log.next_row(
        connection,
        LogRow(
            at_ms=entry.at_ms,
            operator=actor.name,
            role=actor.role,
            job=entry.job,
            outcome=entry.outcome,
            subject=entry.subject[:_SUBJECT_LENGTH],
            arguments_digest=entry.arguments_digest,
            nonce=actor.nonce or secrets.token_bytes(16),
        ),
    )
    leaf = log.event_leaf(
        transparency_pb2.LOG_KIND_OPERATOR,
        hub=entry.hub,
        digest=stored.hash,
        word=_WORD,
        at_ms=entry.at_ms,
    )
    with suppress(LogReadOnlyError):
        stored = replace(stored, log_index=log.append_leaves(connection, [leaf]))
    operator_log.append(connection, stored)
    return stored.number


def verify_log(connection: Connection, anchor: identity_pb2.TrustAnchor) -> VerifiedLog:
    """Verify every row against its chain, and against the leaves of the transparency log.

    Args:
        connection: A reading transaction.
        anchor: Anchor of the hub; by its key a recovery said which rows are lost.

    Raises:
        LogCorruptError: A row was changed, removed, added or moved, or rows and leaves differ.
    """
    recovered = recovered_ranges(connection, anchor)
    count = lost = 0

    def kept() -> Iterator[tuple[int, bytes]]:
        nonlocal lost
        for one in _leaves(connection):
            if any(one[0] in indices for indices in recovered):
                lost += 1
            else:
                yield one

    leaves = kept()

    def compared() -> Iterator[StoredRow]:
        nonlocal count
        for stored in operator_log.rows(connection):
            yield stored
            if stored.log_index is None:
                continue
            count += 1
            if next(leaves, None) != (stored.log_index, stored.hash):
                raise LogCorruptError(
                    f"entry {stored.number} of the operator log is not the one that leaf "
                    f"{stored.log_index} of the transparency log fixes: rows were removed or "
                    "written anew. Keep the database as evidence"
                )

    size, head = verify_chain(stored.chained() for stored in compared())
    left = next(leaves, None)
    if left is not None:
        raise LogCorruptError(
            f"leaf {left[0]} of the transparency log fixes an entry that the operator log, "
            f"{size} entries long, no longer holds. Keep the database as evidence"
        )
    return VerifiedLog(size=size, head=head, leaves=count, lost=lost)


def _leaves(connection: Connection) -> Iterator[tuple[int, bytes]]:
    """Index and digest of every leaf of an operator, in order."""
    kind = transparency_pb2.LOG_KIND_OPERATOR
    for log_index, leaf in operator_log.leaves(connection, kind):
        yield log_index, parse_leaf(leaf).envelope_hash
