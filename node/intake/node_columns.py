"""Columns of a node as Arrow arrays: whole columns at a time, null where nothing is said.

A column that no message has costs nothing; one that only some have is null elsewhere.
"""

from collections.abc import Collection

import pyarrow as pa
import pyarrow.compute as pc

from node.intake.nodes import CheckedNode

__all__ = ["amounts_of", "flags_of", "moments_of", "texts_of"]


def texts_of(node: CheckedNode, name: str) -> pa.Array:
    """Give a text of each row, string, shape (n,); null where it is missing or blank."""
    values = node.texts.get(name)
    if values is None:
        return pa.nulls(node.size, pa.string())
    found = pa.array(values, pa.string())
    blank = pc.equal(found, "")
    return pc.if_else(blank, None, found) if pc.any(blank).as_py() else found


def moments_of(node: CheckedNode, name: str) -> pa.Array:
    """Give a moment of each row, timestamp[s], shape (n,); null where it is missing."""
    values = node.moments.get(name)
    if values is None:
        return pa.nulls(node.size, pa.timestamp("s"))
    return pa.array(values, pa.timestamp("s"))


def amounts_of(node: CheckedNode, name: str) -> pa.Array:
    """Give an amount of each row in fen, int64, shape (n,); null where it is missing."""
    values = node.numbers.get(name)
    if values is None:
        return pa.nulls(node.size, pa.int64())
    return pa.array(values, pa.int64(), mask=~node.present[name])


def flags_of(texts: pa.Array, truths: Collection[str], falses: Collection[str]) -> pa.Array:
    """Tell which texts mean true, bool, shape (n,); null for those that mean neither.

    >>> flags_of(pa.array(["1", "0", "x", None]), ["1"], ["0"]).to_pylist()
    [True, False, None, None]
    """
    if texts.null_count == len(texts):
        return pa.nulls(len(texts), pa.bool_())
    known = pc.is_in(texts, value_set=pa.array([*truths, *falses], pa.string()))
    return pc.if_else(known, pc.is_in(texts, value_set=pa.array(list(truths), pa.string())), None)
