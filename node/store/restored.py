"""What a node remembers of having been restored (恢复), until the hub has opened a new chain.

A restored node may have sent more than its copy knows. So its next synchronisation states no head
and asks for a new incarnation of every lane; the hub's answer names the last envelope it gave a
receipt for, and the first envelope of the new incarnation cites it.
"""

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Final

__all__ = ["Restored", "find_restored", "note_chains_opened", "note_restored"]

_KEY: Final = "restored"


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """A restore."""

    snapshot: str
    """Name of the snapshot."""
    restored_at: str
    """ISO 8601, UTC."""
    receipts: tuple[str, ...]
    """Last receipt of every lane that the snapshot knew."""
    chains_opened: bool
    """True once new incarnations were opened."""


def note_restored(
    connection: sqlite3.Connection, *, snapshot: str, restored_at: str, receipts: Sequence[str]
) -> None:
    """Note a restore; inside the caller's transaction."""
    _put(
        connection,
        Restored(
            snapshot=snapshot,
            restored_at=restored_at,
            receipts=tuple(receipts),
            chains_opened=False,
        ),
    )


def find_restored(connection: sqlite3.Connection) -> Restored | None:
    """Find the last restore; None when the node never was."""
    row = connection.execute("select value from setting where key = ?", (_KEY,)).fetchone()
    if row is None:
        return None
    found = json.loads(row[0])
    return Restored(**(found | {"receipts": tuple(found["receipts"])}))


def note_chains_opened(connection: sqlite3.Connection) -> None:
    """Note that the hub has opened new incarnations; inside the caller's transaction."""
    found = find_restored(connection)
    if found is not None:
        _put(connection, Restored(**(asdict(found) | {"chains_opened": True})))


def _put(connection: sqlite3.Connection, restored: Restored) -> None:
    connection.execute(
        "insert into setting values(?, ?) on conflict(key) do update set value = excluded.value",
        (_KEY, json.dumps(asdict(restored))),
    )
