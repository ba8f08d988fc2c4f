"""What a copied ledger says of its node: which files belong to it, and what it holds.

The ledger names every file that its records need; what lies beside them unnamed is a leftover and
is not backed up.
"""

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from node.config import NODE_KEY
from node.errors import BackupError
from node.store.files import FILE_DIRECTORIES, NamedFile, count_records, named_files
from node.store.tree import LeafTree
from security.at_rest import Vault
from security.errors import KeyFileError

__all__ = ["NodeState", "read_state"]

_LANES: Final = (
    "select hub, lane, incarnation, max(seq) from x_receipts as r where incarnation ="
    " (select max(incarnation) from x_receipts where hub = r.hub and lane = r.lane)"
    " group by hub, lane, incarnation order by hub, lane"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeState:
    """A node as its copied databases tell it."""

    files: tuple[NamedFile, ...]
    """Files that the ledger names."""
    directories: frozenset[str]
    """Directories that hold such files and nothing else worth keeping."""
    institutions: int
    messages: int
    records: Mapping[str, int]
    """Records by kind."""
    tree_size: int
    tree_root: str
    receipts: tuple[str, ...]
    """Last receipt of every lane, in words."""


def read_state(databases: Path, home: Path) -> NodeState:
    """Read copied databases.

    Args:
        databases: Directory of ``node.db`` and, for a node that joined, ``exchange.db``.
        home: The node's directory, for the files of the tree and the key.

    Raises:
        BackupError: The ledger or the key is missing.
        StoreError: The tree's files are shorter than the ledger says.
    """
    ledger = databases / "node.db"
    if not ledger.exists():
        raise BackupError(f"{databases} holds no node.db; name a node's directory")
    try:
        vault = Vault.load(home / NODE_KEY)
    except KeyFileError as error:
        raise BackupError(str(error)) from error
    with closing(sqlite3.connect(ledger, isolation_level=None)) as connection:
        tree = LeafTree(connection, home, vault)
        return NodeState(
            files=named_files(connection),
            directories=FILE_DIRECTORIES,
            institutions=_count(connection, "select count(*) from institution"),
            messages=_count(connection, "select count(*) from message"),
            records=count_records(connection),
            tree_size=tree.size,
            tree_root=tree.root().hex(),
            receipts=_receipts(databases / "exchange.db"),
        )


def _receipts(exchange: Path) -> tuple[str, ...]:
    if not exchange.exists():
        return ()
    with closing(sqlite3.connect(exchange)) as connection:
        return tuple(
            f"{hub} lane {lane}: incarnation {incarnation}, seq {seq}"
            for hub, lane, incarnation, seq in connection.execute(_LANES)
        )


def _count(connection: sqlite3.Connection, query: str) -> int:
    return int(connection.execute(query).fetchone()[0])
