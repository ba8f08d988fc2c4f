"""The node's tree: one append-only RFC 6962 tree over a salted leaf per stored record.

Rules:
- a leaf is ``salt ‖ content``: 16 bytes that only this node can make again, and what it says of
  its record (``node.store.record_bytes``); only its hash is kept, which alone tells nothing;
- ``append`` belongs to the transaction that stores the records: a leaf is there if and only if
  its record is; leaves are never changed or removed, and a corrected record is a new leaf;
- new leaves stay in the database until ``settle`` moves them to the files:
  0. append to the files, and make them durable;
  1. in one transaction record the new size and delete the rows that were moved.
  A crash before 1 leaves bytes beyond the recorded size, which the next settling cuts.

Source: RFC 6962, section 2.1; SECURITY §13.
"""

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from node.errors import StoreError
from node.store.leaf_files import KEPT, LeafFiles
from node.store.salts import SALT_BYTES, SALT_TABLES, Salts
from node.store.transactions import snapshot, transaction
from security.at_rest import DISK, FileLayer, Vault
from security.merkle import (
    EMPTY_ROOT,
    HASH_BYTES,
    consistency_path_over,
    inclusion_path_over,
    node_hash,
    root,
)

__all__ = ["TREE_DIRECTORY", "TREE_TABLES", "LeafProof", "LeafTree"]

TREE_DIRECTORY: Final = "tree"
TREE_TABLES: Final = (
    *SALT_TABLES,
    # Hashes of leaves that are not in the files yet, one row per append.
    """create table leaf_chunk(
        first_seq integer primary key,
        leaves integer not null,
        hashes blob not null
    ) strict""",
    # One row: how many leaves of the files count.
    """create table tree_state(
        id integer primary key check(id = 1),
        settled integer not null
    ) strict""",
    # One row: the day, yyyymmdd, on which leaves are being appended.
    """create table open_day(
        id integer primary key check(id = 1),
        day integer not null
    ) strict""",
    # The tree as it was when a day was closed.
    """create table checkpoint(
        day integer primary key,
        size integer not null,
        root blob not null
    ) strict""",
)
_LEAF_PREFIX: Final = 0
"""First byte of what a leaf's hash is taken over."""
_HEAD_BYTES: Final = 1 + SALT_BYTES
_NOTHING: Final = pa.scalar(b"", pa.binary())


@dataclass(frozen=True, slots=True, kw_only=True)
class LeafProof:
    """That a record stands at a place of the tree of some size."""

    seq: int
    """Place of the leaf, from 0."""
    size: int
    """Number of leaves of the tree."""
    salt: bytes = field(repr=False)
    """The leaf's salt, 16 bytes; whoever has it and the record can make the leaf."""
    path: tuple[bytes, ...]
    """RFC 6962 inclusion path, lowest first."""


class LeafTree:
    """The tree of one node; one writer, which serialises its calls."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        directory: Path,
        vault: Vault,
        *,
        layer: FileLayer = DISK,
    ) -> None:
        """Open the tree.

        Args:
            connection: Database with ``TREE_TABLES``, in autocommit mode.
            directory: The node's directory; the tree's files are in ``tree/`` of it.
            vault: Wraps the secrets of the salts.
            layer: Does the steps that change files.
        """
        self._connection = connection
        self._files = LeafFiles(directory / TREE_DIRECTORY, layer)
        self._salts = Salts(connection, vault)

    @property
    def size(self) -> int:
        """Number of leaves: of records ever stored, corrected ones and deleted ones included."""
        row = self._connection.execute(
            "select first_seq + leaves from leaf_chunk order by first_seq desc limit 1"
        ).fetchone()
        return int(row[0]) if row is not None else self._settled()

    def append(self, kind: str, months: npt.NDArray[np.int32], contents: pa.BinaryArray) -> int:
        """Append a leaf per record; inside the caller's transaction.

        Args:
            kind: Kind of the records.
            months: Month of each record, yyyymm, shape (n,).
            contents: ``leaf_contents`` of the records, shape (n,).

        Returns:
            Place of the first record's leaf; the others follow in their order.

        Raises:
            ValueError: The shapes do not belong together.
        """
        if len(contents) != len(months):
            raise ValueError(f"{len(months)} months and {len(contents)} leaves")
        first = self.size
        if not len(months):
            return first
        heads = np.full((len(months), _HEAD_BYTES), _LEAF_PREFIX, np.uint8)
        heads[:, 1:] = self._salts.make(kind, months, first)
        salted = pa.FixedSizeBinaryArray.from_buffers(
            pa.binary(_HEAD_BYTES), len(months), [None, pa.py_buffer(heads)]
        )
        leaves = pc.binary_join_element_wise(pc.cast(salted, pa.binary()), contents, _NOTHING)
        sha256 = hashlib.sha256
        hashes = b"".join([sha256(leaf).digest() for leaf in leaves.to_pylist()])
        self._connection.execute(
            "insert into leaf_chunk values(?, ?, ?)", (first, len(months), hashes)
        )
        return first

    def forget(self, kind: str, month: int) -> bool:
        """Erase the salts of a month whose records are deleted; inside the caller's transaction.

        Returns:
            False when the month has none.
        """
        return self._salts.forget(kind, month)

    def settle(self) -> int:
        """Move new leaves into the files.

        Returns:
            Number of leaves moved.

        Raises:
            StoreError: The files are shorter than what was recorded, or SQLite failed.
            OSError: The disk is full or fails; nothing is lost.
        """
        settled = self._settled()
        if self.size == settled:
            return 0
        size = self._files.extend(settled, self._chunks())
        with transaction(self._connection) as connection:
            connection.execute("delete from leaf_chunk where first_seq < ?", (size,))
            connection.execute("insert or replace into tree_state values(1, ?)", (size,))
        return size - settled

    def root(self, size: int | None = None) -> bytes:
        """Root of the tree, or of its first leaves.

        Raises:
            StoreError: There are not so many leaves, or the files are damaged.
        """
        with self._reading():
            return self._subtree(0, self._bounded(size))

    def prove(self, kind: str, month: int, seq: int, size: int | None = None) -> LeafProof:
        """Prove where a record stands.

        Args:
            kind: Kind of the record.
            month: Month of the record, yyyymm.
            seq: Place of its leaf.
            size: Size of the tree to prove it in; the present one when None.

        Raises:
            StoreError: There is no such leaf, its salt was erased, or the files are damaged.
        """
        with self._reading():
            size = self._bounded(size)
            if not 0 <= seq < size:
                raise StoreError(f"leaf {seq} of a tree of {size} leaves; take a later checkpoint")
            return LeafProof(
                seq=seq,
                size=size,
                salt=self._salts.get(kind, month, seq),
                path=inclusion_path_over(self._subtree, seq, size),
            )

    def consistency(self, old_size: int, size: int | None = None) -> tuple[bytes, ...]:
        """Prove that the tree continues that of its first leaves.

        Raises:
            StoreError: There are not so many leaves, or the files are damaged.
        """
        with self._reading():
            size = self._bounded(size)
            return consistency_path_over(self._subtree, self._bounded(old_size, size), size)

    def _reading(self) -> AbstractContextManager[None]:
        inside = self._connection.in_transaction
        return nullcontext() if inside else snapshot(self._connection)

    def _settled(self) -> int:
        row = self._connection.execute("select settled from tree_state").fetchone()
        return 0 if row is None else int(row[0])

    def _bounded(self, size: int | None, most: int | None = None) -> int:
        held = self.size if most is None else most
        if size is not None and not 0 <= size <= held:
            raise StoreError(f"a tree of {size} leaves was asked for, there are {held}")
        return held if size is None else size

    def _chunks(self) -> Iterator[bytes]:
        for row in self._connection.execute("select hashes from leaf_chunk order by first_seq"):
            yield row[0]

    def _subtree(self, low: int, high: int) -> bytes:
        """Root over the leaves from ``low`` to ``high``, a subtree as RFC 6962 cuts them."""
        span = high - low
        if not span:
            return EMPTY_ROOT
        height = (span - 1).bit_length()
        if span == 1 << height:
            settled = self._settled()
            for level in KEPT:
                if level <= height and high <= settled >> level << level:
                    return _root(self._files.read(level, low >> level, high >> level))
            if height <= KEPT[-1]:
                return _root(self._leaves(low, high, settled))
        split = low + (1 << height - 1)
        return node_hash(self._subtree(low, split), self._subtree(split, high))

    def _leaves(self, low: int, high: int, settled: int) -> bytes:
        """Hashes of leaves of which some are not in the files yet."""
        parts = [self._files.read(0, low, min(high, settled))] if low < settled else []
        rows = self._connection.execute(
            "select first_seq, hashes from leaf_chunk"
            " where first_seq < ? and first_seq + leaves > ? order by first_seq",
            (high, low),
        )
        for first, hashes in rows:
            start, stop = max(low - first, 0), high - first
            parts.append(hashes[start * HASH_BYTES : stop * HASH_BYTES])
        return b"".join(parts)


def _root(hashes: bytes) -> bytes:
    return root(hashes[at : at + HASH_BYTES] for at in range(0, len(hashes), HASH_BYTES))
