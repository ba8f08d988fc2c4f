"""Settling that is cut off at any step: the tree is what it was, and settles again.

A disk may show, after a power cut, any part of the bytes that were not made durable: none of
them, some of them, or others in their place.
"""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from node.errors import StoreError
from security.at_rest import DISK
from tests.support.leaf_trees import open_tree


class PowerCutError(Exception):
    """The power went."""


class CutFiles:
    """Does steps until one of them; then what was not made durable is lost or spoilt."""

    def __init__(self, last: int, spoil: Callable[[Path, int], None]) -> None:
        self.steps = 0
        self._last = last
        self._spoil = spoil
        self._durable: dict[Path, int] = {}

    def _step(self) -> None:
        if self.steps == self._last:
            for path, size in self._durable.items():
                self._spoil(path, size)
            raise PowerCutError
        self.steps += 1

    def _note(self, path: Path) -> None:
        self._durable.setdefault(path, path.stat().st_size if path.exists() else 0)

    def create(self, path: Path) -> None:
        self._step()
        self._note(path)
        DISK.create(path)

    def write(self, path: Path, offset: int, content: bytes | memoryview) -> None:
        self._step()
        self._note(path)
        DISK.write(path, offset, content)

    def truncate(self, path: Path, size: int) -> None:
        self._step()
        self._note(path)
        DISK.truncate(path, size)

    def fsync(self, path: Path) -> None:
        self._step()
        DISK.fsync(path)
        self._durable[path] = path.stat().st_size

    def rename(self, source: Path, target: Path) -> None:
        raise NotImplementedError(f"{source} to {target}: the tree renames nothing")

    def fsync_directory(self, directory: Path) -> None:
        self._step()
        DISK.fsync_directory(directory)

    def unlink(self, path: Path) -> None:
        raise NotImplementedError(f"{path}: the tree removes nothing")


def lose(path: Path, durable: int) -> None:
    with path.open("r+b") as file:
        file.truncate(durable)


def tear(path: Path, durable: int) -> None:
    with path.open("r+b") as file:
        file.truncate(durable + (path.stat().st_size - durable) // 2 + 1)


def spoil(path: Path, durable: int) -> None:
    with path.open("r+b") as file:
        file.seek(durable)
        file.write(bytes(max(path.stat().st_size - durable, 100)))


def keep(path: Path, durable: int) -> None:
    assert path.stat().st_size >= durable


@pytest.mark.parametrize("after", [lose, tear, spoil, keep])
def test_a_power_cut_at_any_step_loses_nothing(
    tmp_path: Path, after: Callable[[Path, int], None]
) -> None:
    start = tmp_path / "start"
    start.mkdir()
    held = open_tree(start)
    held.append(300)
    held.tree.settle()
    held.append(400)
    held.append(7)
    root, old = held.tree.root(), held.tree.root(300)
    held.connection.close()
    cut, steps = True, 0
    while cut:
        directory = tmp_path / f"{after.__name__}{steps}"
        shutil.copytree(start, directory)
        broken = open_tree(directory, CutFiles(steps, after))
        try:
            broken.tree.settle()
            cut = False
        except PowerCutError:
            steps += 1
        broken.connection.close()
        again = open_tree(directory)
        assert (again.tree.size, again.tree.root(), again.tree.root(300)) == (707, root, old)
        assert again.tree.settle() == (407 if cut else 0)
        assert (again.tree.root(), again.tree.root(300)) == (root, old)
        again.connection.close()
    assert steps >= 10


def test_a_transaction_that_fails_after_the_files_keeps_the_leaves(tmp_path: Path) -> None:
    held = open_tree(tmp_path)
    held.append(300)
    root = held.tree.root()
    held.connection.execute(
        "create trigger full before insert on tree_state begin select raise(abort, 'full'); end"
    )
    with pytest.raises(StoreError, match="refused a write \\(full\\)"):
        held.tree.settle()
    assert (tmp_path / "tree" / "leaves").stat().st_size == 300 * 32
    assert (held.tree.size, held.tree.root()) == (300, root)
    held.connection.execute("drop trigger full")
    held.append(5)
    assert held.tree.settle() == 305
    assert (tmp_path / "tree" / "leaves").stat().st_size == 305 * 32
