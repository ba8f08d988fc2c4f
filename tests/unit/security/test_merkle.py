from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from security.errors import LogCorruptError
from security.merkle import (
    EMPTY_ROOT,
    Frontier,
    Tree,
    consistency_path,
    consistency_path_over,
    fold,
    inclusion_path,
    inclusion_path_over,
    leaf_hash,
    node_hash,
    root,
    root_from_path,
    verify_consistency,
    verify_inclusion,
)

# Source: the reference leaves of RFC 6962 implementations (google/certificate-transparency,
# merkletree tests), with the roots of their first 1 to 8 leaves.
REFERENCE_LEAVES = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
REFERENCE_ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def leaves(count: int) -> list[bytes]:
    return [leaf_hash(b"leaf %d" % number) for number in range(count)]


def slow_root(hashes: list[bytes]) -> bytes:
    """The recursive definition of RFC 6962, section 2.1."""
    if not hashes:
        return hashlib.sha256(b"").digest()
    if len(hashes) == 1:
        return hashes[0]
    split = 1
    while split * 2 < len(hashes):
        split *= 2
    return node_hash(slow_root(hashes[:split]), slow_root(hashes[split:]))


@pytest.mark.parametrize("size", range(1, 9))
def test_roots_agree_with_the_reference_implementation(size: int) -> None:
    hashes = [leaf_hash(leaf) for leaf in REFERENCE_LEAVES[:size]]
    assert root(hashes).hex() == REFERENCE_ROOTS[size - 1]


@given(count=st.integers(0, 70))
def test_every_way_to_the_root_agrees_with_the_definition(count: int) -> None:
    hashes, frontier = leaves(count), Frontier()
    for found in hashes:
        frontier.append(found)
    assert root(hashes) == frontier.root() == slow_root(hashes)
    assert frontier.size == Tree(hashes).size == count
    assert Frontier.from_bytes(frontier.to_bytes()).root() == frontier.root()


@given(count=st.integers(1, 40), data=st.data())
def test_a_leaf_is_proved_at_its_own_place_only(count: int, data: st.DataObject) -> None:
    hashes = leaves(count)
    index = data.draw(st.integers(0, count - 1))
    path = inclusion_path(hashes, index)
    verify_inclusion(hashes[index], index, count, path, root(hashes))
    for wrong in set(range(count)) - {index}:
        with pytest.raises(LogCorruptError):
            verify_inclusion(hashes[index], wrong, count, path, root(hashes))
    with pytest.raises(LogCorruptError):
        verify_inclusion(leaf_hash(b"other"), index, count, path, root(hashes))


@given(count=st.integers(2, 40), data=st.data())
def test_a_changed_shortened_or_lengthened_path_is_refused(count: int, data: st.DataObject) -> None:
    hashes = leaves(count)
    index = data.draw(st.integers(0, count - 1))
    path = inclusion_path(hashes, index)
    at = data.draw(st.integers(0, len(path) - 1))
    flipped = bytes([path[at][0] ^ 1]) + path[at][1:]
    for wrong in (
        (*path[:at], flipped, *path[at + 1 :]),
        path[:-1],
        path[1:],
        (*path, path[-1]),
        (),
        (*path[:at], path[at][:-1], *path[at + 1 :]),
    ):
        with pytest.raises(LogCorruptError):
            verify_inclusion(hashes[index], index, count, wrong, root(hashes))


@pytest.mark.parametrize(
    ("leaf", "index", "size", "path"),
    [
        (bytes(32), 1, 1, ()),
        (bytes(32), -1, 1, ()),
        (bytes(32), 0, 0, ()),
        (bytes(31), 0, 1, ()),
        (bytes(32), 0, 2**70, tuple([bytes(32)] * 65)),
    ],
    ids=["beyond", "negative", "empty", "short_leaf", "long_path"],
)
def test_proofs_out_of_bounds_are_refused(
    leaf: bytes, index: int, size: int, path: tuple[bytes, ...]
) -> None:
    with pytest.raises(LogCorruptError):
        root_from_path(leaf, index, size, path)


def test_an_inner_node_cannot_pass_as_a_leaf() -> None:
    left, right = leaves(2)
    with pytest.raises(LogCorruptError):
        verify_inclusion(leaf_hash(left + right), 0, 1, (), node_hash(left, right))


@pytest.mark.parametrize("index", [-1, 3])
def test_no_path_to_a_leaf_that_is_not_there(index: int) -> None:
    with pytest.raises(ValueError, match="of a tree of 3"):
        inclusion_path(leaves(3), index)


@given(count=st.integers(0, 40), data=st.data())
def test_a_log_that_only_grew_is_consistent(count: int, data: st.DataObject) -> None:
    hashes = leaves(count)
    old = data.draw(st.integers(0, count))
    path = consistency_path(hashes, old)
    verify_consistency(old, count, path, root(hashes[:old]), root(hashes))


@given(count=st.integers(2, 40), data=st.data())
def test_rewritten_history_is_refused(count: int, data: st.DataObject) -> None:
    hashes = leaves(count)
    old = data.draw(st.integers(1, count - 1))
    rewritten = list(hashes)
    rewritten[data.draw(st.integers(0, old - 1))] = leaf_hash(b"rewritten")
    with pytest.raises(LogCorruptError):
        verify_consistency(
            old, count, consistency_path(rewritten, old), root(hashes[:old]), root(rewritten)
        )


@given(count=st.integers(2, 40), data=st.data())
def test_a_consistency_proof_of_the_wrong_length_is_refused(
    count: int, data: st.DataObject
) -> None:
    hashes = leaves(count)
    old = data.draw(st.integers(1, count - 1))
    path = consistency_path(hashes, old)
    for wrong in (path[:-1], (*path, path[-1]), (), (*path, *[bytes(32)] * 64)):
        if wrong != path:
            with pytest.raises(LogCorruptError):
                verify_consistency(old, count, wrong, root(hashes[:old]), root(hashes))


@pytest.mark.parametrize(
    ("old", "size", "path", "old_root", "new_root"),
    [
        (3, 2, (), bytes(32), bytes(32)),
        (-1, 2, (), bytes(32), bytes(32)),
        (0, 2, (), bytes(32), bytes(32)),
        (0, 2, (bytes(32),), EMPTY_ROOT, bytes(32)),
        (2, 2, (), bytes(32), EMPTY_ROOT),
        (2, 2, (bytes(32),), bytes(32), bytes(32)),
        (1, 2, (bytes(31),), bytes(32), bytes(32)),
        (3, 5, (), bytes(32), bytes(32)),
    ],
    ids=["shrunk", "negative", "empty", "padded", "changed", "superfluous", "short", "missing"],
)
def test_contradicting_trees_are_refused(
    old: int, size: int, path: tuple[bytes, ...], old_root: bytes, new_root: bytes
) -> None:
    with pytest.raises(LogCorruptError):
        verify_consistency(old, size, path, old_root, new_root)


def test_no_consistency_with_a_later_tree() -> None:
    with pytest.raises(ValueError, match="old tree of 4 leaves, new tree of 3"):
        consistency_path(leaves(3), 4)


@pytest.mark.parametrize("data", [b"", bytes(7), bytes(9), (3).to_bytes(8) + bytes(32)])
def test_a_damaged_frontier_is_refused(data: bytes) -> None:
    with pytest.raises(LogCorruptError, match="frontier of"):
        Frontier.from_bytes(data)


def test_an_empty_frontier_is_the_empty_tree() -> None:
    assert Frontier.from_bytes(bytes(8)).root() == EMPTY_ROOT == root([])


@given(count=st.integers(1, 70), data=st.data())
def test_trees_that_are_not_in_memory_have_the_same_paths(count: int, data: st.DataObject) -> None:
    hashes = leaves(count)
    index, old = data.draw(st.integers(0, count - 1)), data.draw(st.integers(0, count))
    asked: list[tuple[int, int]] = []

    def subtree(low: int, high: int) -> bytes:
        asked.append((low, high))
        return slow_root(hashes[low:high])

    assert inclusion_path_over(subtree, index, count) == inclusion_path(hashes, index)
    assert len(asked) <= count.bit_length()
    verify_consistency(
        old,
        count,
        consistency_path_over(subtree, old, count),
        slow_root(hashes[:old]),
        slow_root(hashes),
    )


def test_paths_of_what_is_not_in_the_tree_are_caller_bugs() -> None:
    for index in (-1, 3):
        with pytest.raises(ValueError, match=f"leaf {index} of a tree of 3"):
            inclusion_path_over(lambda _low, _high: b"", index, 3)
    with pytest.raises(ValueError, match="old tree of 4 leaves, new tree of 3"):
        consistency_path_over(lambda _low, _high: b"", 4, 3)


def test_a_level_folds_into_the_one_above() -> None:
    hashes = leaves(8)
    level = b"".join(hashes)
    for _ in range(3):
        level = fold(level)
    assert level == root(hashes)
    assert fold(b"") == b""
    with pytest.raises(ValueError, match="96 bytes are no pairs of hashes"):
        fold(b"".join(hashes[:3]))
