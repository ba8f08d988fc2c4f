"""Records of an earlier store, which have no number yet: added again as all records are.

Each old segment or staged row is taken away in the transaction that adds its records, so that an
upgrade goes on where it was interrupted. Records under one key become versions of each other.
"""

import sqlite3
from collections.abc import Iterator
from typing import Final

import pyarrow as pa

from node.domain.records import complete_records
from node.errors import StoreError
from node.store.record_store import RecordStore
from node.store.staging import staged_context
from node.store.transactions import transaction
from security.at_rest import Vault
from security.at_rest.segments import Segment

__all__ = ["upgrade_records", "verify_upgraded"]

_OLD: Final = (
    ("old_segment", "delete from old_segment where name = ?"),
    ("old_staged", "delete from old_staged where id = ?"),
)


def verify_upgraded(connection: sqlite3.Connection) -> None:
    """Refuse to read a store whose records are not upgraded.

    Raises:
        StoreError: Old records are left.
    """
    if any(connection.execute(f"select 1 from {name} limit 1").fetchone() for name, _ in _OLD):  # noqa: S608 - constant names
        raise StoreError(
            "the node's records are of an earlier version; start the node, or any command that"
            " writes, once: it upgrades them"
        )


def upgrade_records(connection: sqlite3.Connection, records: RecordStore, vault: Vault) -> int:
    """Add the records of an earlier store again.

    Returns:
        Number of old segments and staged rows.

    Raises:
        StoreError: An old record does not fit the catalogue, or the disk failed.
        SegmentTamperedError: An old segment was changed.
    """
    count = 0
    for query, name, kind, table in _old_tables(connection, records, vault):
        schema = records.schemas[kind]
        held = complete_records(kind, table, schema).cast(schema)
        batch = records.prepare(records.digest({kind: held}))
        try:
            with transaction(connection):
                records.add(batch)
                connection.execute(query, (name,))
        except BaseException:
            records.discard(batch)
            raise
        records.adopt(batch)
        records.flush_if_large()
        count += 1
    return count


def _old_tables(
    connection: sqlite3.Connection, records: RecordStore, vault: Vault
) -> Iterator[tuple[str, str | int, str, pa.Table]]:
    """Read old segments, then what was staged after them."""
    (_, drop_segment), (_, drop_staged) = _OLD
    rows = connection.execute(
        "select name, kind, rows, sha256, wrapped_key, bytes from old_segment order by name"
    ).fetchall()
    for name, kind, size, sha256, wrapped, length in rows:
        segment = Segment(name=name, rows=size, sha256=sha256, wrapped_key=wrapped, bytes=length)
        yield drop_segment, name, kind, records.segments.read(segment)
    rows = connection.execute("select id, kind, month from old_staged order by id").fetchall()
    for number, kind, month in rows:
        (body,) = connection.execute(
            "select body from old_staged where id = ?", (number,)
        ).fetchone()
        with pa.ipc.open_stream(vault.open(body, staged_context(kind, month))) as reader:
            yield drop_staged, number, kind, reader.read_all()
