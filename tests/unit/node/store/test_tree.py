"""The tree over records: roots and proofs as RFC 6962 has them, wherever its leaves are."""

import sqlite3
from pathlib import Path

import numpy as np
import pytest

from node.errors import StoreError
from node.store.tree import LeafTree
from security import merkle
from tests.support.leaf_trees import KIND, MONTH, VAULT, OpenTree, contents, open_tree


@pytest.fixture
def held(tmp_path: Path) -> OpenTree:
    return open_tree(tmp_path)


def test_an_empty_tree_has_the_empty_root(held: OpenTree) -> None:
    assert (held.tree.size, held.tree.root(), held.tree.settle()) == (0, merkle.EMPTY_ROOT, 0)
    assert held.tree.append(KIND, np.empty(0, np.int32), contents(0, 0)) == 0
    assert held.tree.size == 0


@pytest.mark.parametrize("settled", [0, 1, 255, 256, 300, 513])
def test_roots_and_proofs_are_the_plain_ones(held: OpenTree, settled: int) -> None:
    leaves = held.append(settled) if settled else []
    assert held.tree.settle() == settled
    for count in (1, 5, 260):
        leaves += held.append(count)
    assert held.tree.size == len(leaves)
    for size in {0, 1, 2, settled, 256, len(leaves) - 1, len(leaves)}:
        if size > len(leaves):
            continue
        assert held.tree.root(size) == merkle.root(leaves[:size])
        assert held.tree.consistency(size) == merkle.consistency_path(leaves, size)
        for seq in {0, size // 2, size - 1}:
            if 0 <= seq < size:
                proof = held.tree.prove(KIND, MONTH, seq, size)
                assert proof.path == merkle.inclusion_path(leaves[:size], seq)


def test_large_trees_use_the_subtrees_of_their_files(tmp_path: Path) -> None:
    held = open_tree(tmp_path)
    rows = contents(0, 70_000)
    held.connection.execute("begin")
    held.tree.append(KIND, np.full(len(rows), MONTH, np.int32), rows)
    held.connection.execute("commit")
    chunk = held.connection.execute("select hashes from leaf_chunk").fetchone()[0]
    leaves = [chunk[at : at + 32] for at in range(0, len(chunk), 32)]
    before = held.tree.root()
    assert held.tree.settle() == len(rows)
    whole = merkle.Tree(leaves)
    assert held.tree.root() == before == whole.root
    assert held.tree.prove(KIND, MONTH, 65_600).path == whole.inclusion_path(65_600)
    assert held.tree.root(65_537) == merkle.root(leaves[:65_537])
    sizes = {name: (tmp_path / "tree" / name).stat().st_size for name in ("level8", "level16")}
    assert sizes == {"level8": 70_000 // 256 * 32, "level16": 32}
    # With the leaves' file gone the old part is still known by its subtrees.
    (tmp_path / "tree" / "leaves").unlink()
    assert held.tree.root(65_536) == merkle.root(leaves[:65_536])
    with pytest.raises(StoreError, match="leaves ends before hash 65537 of its level"):
        held.tree.root(65_537)


def test_leaves_belong_to_the_transaction_of_their_records(held: OpenTree) -> None:
    held.append(3)
    root = held.tree.root()
    held.connection.execute("begin")
    assert held.tree.append(KIND, np.full(2, MONTH, np.int32), contents(9, 2)) == 3
    assert held.tree.size == 5
    held.connection.execute("rollback")
    assert (held.tree.size, held.tree.root()) == (3, root)


def test_months_of_one_append_have_secrets_of_their_own(held: OpenTree) -> None:
    rows = contents(0, 4)
    months = np.array([202601, 202602, 202601, 202603], np.int32)
    held.connection.execute("begin")
    held.tree.append(KIND, months, rows)
    held.connection.execute("commit")
    for seq, month in enumerate(months.tolist()):
        proof = held.tree.prove(KIND, month, seq)
        leaf = merkle.leaf_hash(proof.salt + rows[seq].as_py())
        merkle.verify_inclusion(leaf, seq, 4, proof.path, held.tree.root())


def test_a_forgotten_month_keeps_its_leaves_and_loses_its_proofs(held: OpenTree) -> None:
    held.append(5)
    held.append(5, month=202608)
    root = held.tree.root()
    assert held.tree.forget(KIND, MONTH)
    assert not held.tree.forget(KIND, MONTH)
    assert held.tree.root() == root
    with pytest.raises(StoreError, match="deleted by retention"):
        held.tree.prove(KIND, MONTH, 2)
    assert held.tree.prove(KIND, 202608, 7).size == 10


def test_shapes_and_places_that_do_not_exist_are_refused(held: OpenTree) -> None:
    held.append(3)
    with pytest.raises(ValueError, match="2 months and 3 leaves"):
        held.tree.append(KIND, np.full(2, MONTH, np.int32), contents(0, 3))
    for seq in (-1, 3):
        with pytest.raises(StoreError, match=f"leaf {seq} of a tree of 3 leaves"):
            held.tree.prove(KIND, MONTH, seq)
    with pytest.raises(StoreError, match="a tree of 4 leaves was asked for, there are 3"):
        held.tree.root(4)
    with pytest.raises(StoreError, match="a tree of 3 leaves was asked for, there are 2"):
        held.tree.consistency(3, 2)


def test_a_reader_sees_one_moment_while_the_writer_settles(tmp_path: Path) -> None:
    writer, reader = open_tree(tmp_path), open_tree(tmp_path)
    writer.append(300)
    reader.connection.execute("begin")
    before = reader.tree.root()
    writer.append(20)
    writer.tree.settle()
    assert (reader.tree.size, reader.tree.root()) == (300, before)
    reader.connection.execute("rollback")
    assert reader.tree.root() == writer.tree.root() != before


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    held = open_tree(tmp_path)
    held.append(300)
    held.tree.settle()
    (tmp_path / "tree" / "level8").write_bytes(b"")
    held.append(1)
    assert held.tree.size == 301
    with pytest.raises(StoreError, match="level8 ends before hash 1 of its level"):
        held.tree.root()
    with pytest.raises(StoreError, match="level8 holds less than the 1 hashes"):
        held.tree.settle()


def test_files_are_private(tmp_path: Path) -> None:
    held = open_tree(tmp_path)
    held.append(1)
    held.tree.settle()
    assert (tmp_path / "tree").stat().st_mode & 0o777 == 0o700
    for path in (tmp_path / "tree").iterdir():
        assert path.stat().st_mode & 0o777 == 0o600


def test_the_database_must_hold_the_tables(tmp_path: Path) -> None:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        _ = LeafTree(connection, tmp_path, VAULT).size
