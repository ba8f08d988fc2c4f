"""The ledger of messages: each is in it once, by its key, with what its content was.

The key is the institution, the transaction and the msgid.
0. A key that the ledger lacks is new.
1. The same request with the same response, or with none, was seen already.
2. The same request that waits for its response is completed by one.
3. A request that was sent again after the platform did not accept it: one response that accepts
   it completes it, whichever comes first; others that do not say nothing new.
4. Anything else under a known key is a conflict.
"""

import hashlib
import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

from node.errors import StoreError

__all__ = [
    "LEDGER_TABLES",
    "Ledger",
    "LedgerRow",
    "MessageKey",
    "SettlementKey",
    "Standing",
    "standing_of",
]

LEDGER_TABLES: Final = (
    # Every message that was taken in, once. accepted: null while pending.
    """create table message(
        institution text not null,
        infno text not null,
        msgid text not null,
        month integer not null,
        accepted integer,
        request_digest blob not null,
        response_digest blob,
        primary key(institution, infno, msgid)
    ) strict, without rowid""",
    # Whole messages that wait for their response, sealed by the vault.
    """create table pending(
        institution text not null,
        infno text not null,
        msgid text not null,
        body blob not null,
        primary key(institution, infno, msgid),
        foreign key(institution, infno, msgid) references message(institution, infno, msgid)
    ) strict""",
)

_DIGEST_BYTES: Final = 16


class MessageKey(NamedTuple):
    """What a message is known by."""

    institution: str
    infno: str
    msgid: str


class SettlementKey(NamedTuple):
    """What a settlement is known by; two institutions may have one setl_id."""

    institution: str
    setl_id: str


class Standing(StrEnum):
    """How a message stands to the ledger."""

    NEW = "new"
    SEEN = "seen"
    COMPLETES = "completes"
    CONFLICT = "conflict"


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerRow:
    """One message of the ledger."""

    msgid: str
    infno: str
    institution: str
    month: int
    """Month of the message, yyyymm."""
    accepted: bool | None
    """True or False by the response; None while the message waits for it."""
    request_digest: bytes
    """First 16 bytes of SHA-256 over the canonical request."""
    response_digest: bytes | None
    """The same over the response; None while there is none."""

    @property
    def key(self) -> MessageKey:
        """What the message is known by."""
        return MessageKey(institution=self.institution, infno=self.infno, msgid=self.msgid)


def standing_of(
    known: LedgerRow | None,
    request_digest: bytes,
    response_digest: bytes | None,
    *,
    accepted: bool | None,
) -> Standing:
    """Tell how a message stands to what the ledger holds under its key."""
    if known is None:
        return Standing.NEW
    if known.request_digest != request_digest:
        return Standing.CONFLICT
    if response_digest is None or response_digest == known.response_digest:
        return Standing.SEEN
    if known.response_digest is None or (accepted and not known.accepted):
        return Standing.COMPLETES
    return Standing.CONFLICT if accepted else Standing.SEEN


class Ledger:
    """Table ``message`` and the bodies of those that wait for a response."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def known(self, keys: Sequence[MessageKey]) -> Mapping[MessageKey, LedgerRow]:
        """Find the rows of some messages; absent ones are left out."""
        cursor = self._connection.execute(
            "select message.msgid, message.infno, message.institution, month, accepted,"
            " request_digest, response_digest from json_each(?) as wanted cross join message"
            " on message.institution = wanted.value ->> 0 and message.infno = wanted.value ->> 1"
            " and message.msgid = wanted.value ->> 2",
            (json.dumps(keys),),
        )
        rows = [
            LedgerRow(
                msgid=row[0],
                infno=row[1],
                institution=row[2],
                month=row[3],
                accepted=None if row[4] is None else bool(row[4]),
                request_digest=row[5],
                response_digest=row[6],
            )
            for row in cursor
        ]
        return {row.key: row for row in rows}

    def put(self, rows: Sequence[LedgerRow]) -> None:
        """Add messages, or complete those that wait; inside the caller's transaction.

        Raises:
            StoreError: A message is known already and complete: another writer was here.
        """
        before = self._connection.total_changes
        self._connection.executemany(
            "insert into message values(?, ?, ?, ?, ?, ?, ?)"
            " on conflict(institution, infno, msgid) do update set"
            " accepted = excluded.accepted, response_digest = excluded.response_digest"
            " where message.request_digest = excluded.request_digest"
            " and (message.response_digest is null and excluded.response_digest is not null"
            " or not message.accepted and excluded.accepted)",
            [
                (
                    *row.key,
                    row.month,
                    row.accepted,
                    row.request_digest,
                    row.response_digest,
                )
                for row in rows
            ],
        )
        written = self._connection.total_changes - before
        if written != len(rows):
            raise StoreError(
                f"{len(rows)} messages were to be added, {written} could be: another process"
                " writes to this node; stop it and ingest the file again"
            )

    def keep_waiting(self, bodies: Mapping[MessageKey, bytes]) -> None:
        """Keep sealed bodies of messages that wait for a response."""
        self._connection.executemany(
            "insert into pending values(?, ?, ?, ?)",
            [(*key, body) for key, body in bodies.items()],
        )

    def stop_waiting(self, keys: Sequence[MessageKey]) -> None:
        """Forget the bodies of messages whose response has come."""
        self._connection.executemany(
            "delete from pending where institution = ? and infno = ? and msgid = ?", keys
        )

    def taken_back(self, keys: Sequence[SettlementKey]) -> set[SettlementKey]:
        """Find which of some settlements were taken back already."""
        # Earlier stores knew them by the setl_id alone.
        query = "select 1 from taken_back where settlement in (?, ?)"
        return {
            key
            for key in keys
            if self._connection.execute(query, (_digest(key), _digest(key[1:]))).fetchone()
        }

    def note_taken_back(self, keys: Sequence[SettlementKey]) -> None:
        """Note settlements as taken back; inside the caller's transaction.

        Raises:
            sqlite3.IntegrityError: One was taken back already: another writer was here.
        """
        self._connection.executemany(
            "insert into taken_back values(?)", [(_digest(key),) for key in keys]
        )

    def counts(self) -> tuple[int, int]:
        """Count the messages, and those of them that wait for a response."""
        messages = self._connection.execute("select count(*) from message").fetchone()[0]
        pending = self._connection.execute("select count(*) from pending").fetchone()[0]
        return int(messages), int(pending)


def _digest(key: Sequence[str]) -> bytes:
    return hashlib.sha256("\n".join(key).encode()).digest()[:_DIGEST_BYTES]
