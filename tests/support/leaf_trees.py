"""Trees of leaves on a bare database, and the plain list they must agree with."""

import hashlib
import sqlite3
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from node.store.salts import Salts
from node.store.tree import TREE_TABLES, LeafTree
from security.at_rest import DISK, FileLayer, Vault
from security.merkle import leaf_hash

KIND = "settlement"
MONTH = 202607
VAULT = Vault(bytes(32))


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenTree:
    """A tree and the database it works on, as the store has them."""

    connection: sqlite3.Connection
    tree: LeafTree

    def append(self, count: int, month: int = MONTH) -> list[bytes]:
        """Append leaves in a transaction; returns their hashes, made the plain way."""
        rows = contents(self.tree.size, count)
        self.connection.execute("begin immediate")
        first = self.tree.append(KIND, np.full(count, month, np.int32), rows)
        self.connection.execute("commit")
        salts = Salts(self.connection, VAULT)
        return [
            leaf_hash(salts.get(KIND, month, first + at) + rows[at].as_py()) for at in range(count)
        ]


def open_tree(directory: Path, layer: FileLayer = DISK) -> OpenTree:
    """Open the tree of a directory, whose tables are in a database there."""
    path = directory / "tree.db"
    is_new = not path.exists()
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("pragma journal_mode=wal")
    for statement in TREE_TABLES if is_new else ():
        connection.execute(statement)
    return OpenTree(connection=connection, tree=LeafTree(connection, directory, VAULT, layer=layer))


def contents(first: int, count: int) -> pa.BinaryArray:
    """What leaves say of their records, as any might, of any length."""
    data = hashlib.shake_256(f"{first}/{count}".encode()).digest(count * 64)
    rows = [data[at * 64 :][: 32 + at % 32] for at in range(count)]
    return pa.array(rows, pa.binary())
