"""Merkle trees of RFC 6962: roots, inclusion and consistency proofs, compact ranges.

Rules: leaves and inner nodes are hashed with different prefixes; lengths are checked before
anything is hashed; verifying functions raise or return. Trees are named by their number of
leaves. Source: RFC 6962, section 2.1; verification after RFC 9162, sections 2.1.3.2 and 2.1.4.2.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING, Final, TypeAlias

from security.errors import LogCorruptError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

Subtree: TypeAlias = "Callable[[int, int], bytes]"
"""Gives the root over the leaves from one place up to another."""

HASH_BYTES: Final = 32
MAX_PATH: Final = 64
EMPTY_ROOT: Final = hashlib.sha256(b"").digest()

_LEAF_PREFIX: Final = b"\x00"
_NODE_PREFIX: Final = b"\x01"
_SIZE_BYTES: Final = 8


def leaf_hash(leaf: bytes) -> bytes:
    """Hash the bytes of a leaf."""
    return hashlib.sha256(_LEAF_PREFIX + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash two neighbouring subtrees into one."""
    return hashlib.sha256(_NODE_PREFIX + left + right).digest()


def fold(hashes: bytes) -> bytes:
    """Hash the neighbours of a whole level into the level above.

    Args:
        hashes: Hashes of the level one after the other, an even number of them.

    Raises:
        ValueError: The bytes are not pairs of hashes.
    """
    pair = 2 * HASH_BYTES
    if len(hashes) % pair:
        raise ValueError(f"{len(hashes)} bytes are no pairs of hashes")
    sha256 = hashlib.sha256
    return b"".join(
        [
            sha256(_NODE_PREFIX + hashes[at : at + pair]).digest()
            for at in range(0, len(hashes), pair)
        ]
    )


class Tree:
    """A whole tree in memory, for roots and paths; grows as O(n), a path costs O(log n).

    A subtree without a right neighbour moves up unchanged, which is RFC 6962's shape.
    """

    __slots__ = ("_levels",)

    def __init__(self, leaf_hashes: Iterable[bytes]) -> None:
        level = list(leaf_hashes)
        self._levels = [level]
        while len(level) > 1:
            pairs = [node_hash(*level[at : at + 2]) for at in range(0, len(level) - 1, 2)]
            level = pairs + level[2 * len(pairs) :]
            self._levels.append(level)

    @property
    def size(self) -> int:
        """Number of leaves."""
        return len(self._levels[0])

    @property
    def root(self) -> bytes:
        """Root hash; of the empty tree, the hash of nothing."""
        return self._levels[-1][0] if self.size else EMPTY_ROOT

    def inclusion_path(self, index: int) -> tuple[bytes, ...]:
        """Hashes that lead from a leaf to the root, lowest first.

        Raises:
            ValueError: There is no such leaf.
        """
        if not 0 <= index < self.size:
            raise ValueError(f"leaf {index} of a tree of {self.size}")
        path = []
        for level in self._levels[:-1]:
            if index ^ 1 < len(level):
                path.append(level[index ^ 1])
            index >>= 1
        return tuple(path)


def root(leaf_hashes: Iterable[bytes]) -> bytes:
    """Root over leaf hashes, in order."""
    return Tree(leaf_hashes).root


def inclusion_path(leaf_hashes: Iterable[bytes], index: int) -> tuple[bytes, ...]:
    """Path from leaf ``index`` to the root over all leaves.

    Raises:
        ValueError: There is no such leaf.
    """
    return Tree(leaf_hashes).inclusion_path(index)


def root_from_path(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes:
    """The root that a leaf hash and its path lead to.

    Args:
        leaf: Leaf hash.
        index: Position of the leaf, from 0.
        size: Number of leaves of the tree.
        path: Neighbouring hashes, lowest first.

    Raises:
        LogCorruptError: Index, size and path do not belong together.
    """
    if not 0 <= index < size:
        raise LogCorruptError(f"proof of leaf {index} in a tree of {size}")
    _check_hashes((leaf, *path))
    node, last, found = index, size - 1, leaf
    for neighbour in path:
        if last == 0:
            raise LogCorruptError("inclusion proof is too long")
        if node & 1 or node == last:
            found = node_hash(neighbour, found)
            node, last = _to_right_child(node, last)
        else:
            found = node_hash(found, neighbour)
        node >>= 1
        last >>= 1
    if last:
        raise LogCorruptError("inclusion proof is too short")
    return found


def _to_right_child(node: int, last: int) -> tuple[int, int]:
    """Climb past the levels on which a lone right edge moved up unchanged."""
    while not node & 1 and node:
        node >>= 1
        last >>= 1
    return node, last


def verify_inclusion(
    leaf: bytes, index: int, size: int, path: Sequence[bytes], expected_root: bytes
) -> None:
    """Verify that a leaf hash stands at a position of the tree with this root.

    Raises:
        LogCorruptError: It does not.
    """
    if not hmac.compare_digest(root_from_path(leaf, index, size, path), expected_root):
        raise LogCorruptError(f"leaf {index} is not in the tree of {size} leaves")


def consistency_path(leaf_hashes: Sequence[bytes], old_size: int) -> tuple[bytes, ...]:
    """Proof that the tree of all leaves continues the tree of the first ``old_size``.

    Raises:
        ValueError: The old tree is larger than the new one.
    """
    return consistency_path_over(
        lambda low, high: root(leaf_hashes[low:high]), old_size, len(leaf_hashes)
    )


def inclusion_path_over(subtree: Subtree, index: int, size: int) -> tuple[bytes, ...]:
    """Path from a leaf to the root of a tree that is not in memory.

    Args:
        subtree: Gives the root over the leaves from one place up to another.
        index: Position of the leaf, from 0.
        size: Number of leaves of the tree.

    Raises:
        ValueError: There is no such leaf.
    """
    if not 0 <= index < size:
        raise ValueError(f"leaf {index} of a tree of {size}")
    path: list[bytes] = []
    low, high = 0, size
    while high - low > 1:
        split = low + _split(high - low)
        if index < split:
            path.append(subtree(split, high))
            high = split
        else:
            path.append(subtree(low, split))
            low = split
    return tuple(reversed(path))


def consistency_path_over(subtree: Subtree, old_size: int, size: int) -> tuple[bytes, ...]:
    """Proof that a tree that is not in memory continues the tree of its first ``old_size``.

    Args:
        subtree: Gives the root over the leaves from one place up to another.
        old_size: Number of leaves of the earlier tree.
        size: Number of leaves of the later tree.

    Raises:
        ValueError: The old tree is larger than the new one.
    """
    if not 0 <= old_size <= size:
        raise ValueError(f"old tree of {old_size} leaves, new tree of {size}")
    if old_size in {0, size}:
        return ()
    path: list[bytes] = []
    low, high, old, whole = 0, size, old_size, True
    while old != high - low:
        split = _split(high - low)
        if old <= split:
            path.append(subtree(low + split, high))
            high = low + split
        else:
            path.append(subtree(low, low + split))
            low, old, whole = low + split, old - split, False
    if not whole:
        path.append(subtree(low, high))
    return tuple(reversed(path))


def frontier_over(subtree: Subtree, size: int) -> Frontier:
    """Compact range of the first ``size`` leaves of a tree that is not in memory.

    Args:
        subtree: Gives the root over the leaves from one place up to another.
        size: Number of leaves.
    """
    peaks = []
    low = 0
    for bit in range(size.bit_length() - 1, -1, -1):
        if size >> bit & 1:
            peaks.append(subtree(low, low + (1 << bit)))
            low += 1 << bit
    return Frontier.from_bytes(size.to_bytes(_SIZE_BYTES) + b"".join(peaks))


def _split(count: int) -> int:
    """The largest power of two below a count of leaves, which is at least 2."""
    return 1 << (count - 1).bit_length() - 1


def verify_consistency(
    old_size: int, size: int, path: Sequence[bytes], old_root: bytes, new_root: bytes
) -> None:
    """Verify that the tree of ``size`` leaves continues the one of ``old_size``.

    Raises:
        LogCorruptError: History was changed, or the proof does not belong to these sizes.
    """
    if not 0 <= old_size <= size:
        raise LogCorruptError(f"consistency of {size} leaves with the later {old_size}")
    _check_hashes((*path, old_root, new_root))
    if old_size in {0, size}:
        same = old_root == (EMPTY_ROOT if old_size == 0 else new_root)
        if path or not same:
            raise LogCorruptError(f"the trees of {old_size} and {size} leaves contradict")
        return
    hashes = list(path) if old_size & (old_size - 1) else [old_root, *path]
    if not hashes:
        raise LogCorruptError("consistency proof is too short")
    if _roots_from_path(old_size, size, hashes) != (old_root, new_root):
        raise LogCorruptError(f"the tree of {size} leaves does not continue that of {old_size}")


def _roots_from_path(old_size: int, size: int, hashes: Sequence[bytes]) -> tuple[bytes, bytes]:
    node, last = old_size - 1, size - 1
    while node & 1:
        node >>= 1
        last >>= 1
    old_found = new_found = hashes[0]
    for neighbour in hashes[1:]:
        if last == 0:
            raise LogCorruptError("consistency proof is too long")
        if node & 1 or node == last:
            old_found = node_hash(neighbour, old_found)
            new_found = node_hash(neighbour, new_found)
            node, last = _to_right_child(node, last)
        else:
            new_found = node_hash(new_found, neighbour)
        node >>= 1
        last >>= 1
    if last:
        raise LogCorruptError("consistency proof is too short")
    return old_found, new_found


class Frontier:
    """The compact range of a tree: enough to append leaves and know the root, O(log n) hashes."""

    __slots__ = ("_peaks", "_size")

    def __init__(self) -> None:
        self._peaks: list[bytes] = []
        self._size = 0

    @property
    def size(self) -> int:
        """Number of leaves appended."""
        return self._size

    def append(self, leaf: bytes) -> None:
        """Append a leaf hash."""
        carried, size = leaf, self._size
        while size & 1:
            carried = node_hash(self._peaks.pop(), carried)
            size >>= 1
        self._peaks.append(carried)
        self._size += 1

    def root(self) -> bytes:
        """Root of the tree so far."""
        if not self._peaks:
            return EMPTY_ROOT
        found = self._peaks[-1]
        for peak in reversed(self._peaks[:-1]):
            found = node_hash(peak, found)
        return found

    def to_bytes(self) -> bytes:
        """Serialise: the size as 8 bytes, then one hash per set bit, largest subtree first."""
        return self._size.to_bytes(_SIZE_BYTES) + b"".join(self._peaks)

    @classmethod
    def from_bytes(cls, data: bytes) -> Frontier:
        """Read a serialised frontier.

        Raises:
            LogCorruptError: The number of hashes does not belong to the size.
        """
        size = int.from_bytes(data[:_SIZE_BYTES])
        if len(data) != _SIZE_BYTES + HASH_BYTES * size.bit_count():
            raise LogCorruptError(f"frontier of {size} leaves with {len(data)} bytes")
        frontier = cls()
        frontier._size = size
        frontier._peaks = [
            data[at : at + HASH_BYTES] for at in range(_SIZE_BYTES, len(data), HASH_BYTES)
        ]
        return frontier


def _check_hashes(hashes: Sequence[bytes]) -> None:
    if len(hashes) > MAX_PATH or any(len(found) != HASH_BYTES for found in hashes):
        raise LogCorruptError(f"proof of {len(hashes)} hashes; each must have 32 bytes")
