"""Every operation that is written down gives, when it is run, what numpy gives."""

from __future__ import annotations

from typing import Final

import numpy as np
import pytest

from scoring_kernel.errors import ModelFileError
from scoring_kernel.onnx_ops import MAX_STEPS, NODES, FlagWire, NumberWire, OnnxOps
from tests.support.onnx_graphs import Formula, through_numpy, through_onnx

X: Final = np.array([0, 1, -1, 7, -7, 10**13, -(10**13), 2**53 - 1, 1 - 2**53, 5], np.float64)
Y: Final = np.array([1, 3, 3, 2, 2, 7, 7, 10**13, 10**13, 5], np.float64)
C: Final = np.array([1, 0, 1, 0, 1, 0, 1, 0, 1, 0], np.bool_)
G: Final = np.array([0, 1, 2, 3, 4, 5, 6, 7, 8, 8], np.int64)

FORMULAS: Final[dict[str, Formula]] = {
    "add": lambda o, x, y, _c, _g: o.add(o.mul(x, o.number(0)), y),
    "sub": lambda o, x, y, _c, _g: o.sub(o.minimum(x, y), y),
    "mul": lambda o, _x, y, c, _g: o.mul(o.where(c, y, o.number(3)), o.number(100)),
    "mul_add": lambda o, x, y, _c, _g: o.mul_add(o.minimum(x, y), o.number(3), y),
    "mul_add_known": lambda o, _x, y, _c, _g: o.mul_add(o.number(3), o.number(5), y),
    "sub_mul": lambda o, x, y, _c, _g: o.sub_mul(x, o.number(2), y),
    "sub_mul_known": lambda o, _x, y, _c, _g: o.sub_mul(o.number(7), o.number(2), y),
    "line": lambda o, x, y, _c, _g: o.line(o.minimum(x, y), o.number(3), o.number(-5), y),
    "line_known": lambda o, _x, y, _c, _g: o.line(o.number(4), o.number(3), o.number(9), y),
    "floor_div": lambda o, x, y, _c, _g: o.floor_div(x, y),
    "minimum": lambda o, x, y, _c, _g: o.minimum(x, y),
    "maximum": lambda o, x, y, _c, _g: o.maximum(x, y),
    "at_least": lambda o, x, y, _c, _g: o.at_least(x, y),
    "above": lambda o, x, y, _c, _g: o.above(x, y),
    "both": lambda o, x, y, c, _g: o.both(c, o.above(y, x)),
    "either": lambda o, x, y, c, _g: o.either(c, o.above(y, x)),
    "negate": lambda o, _x, _y, c, _g: o.negate(c),
    "twice_negated": lambda o, _x, _y, c, _g: o.negate(o.negate(c)),
    "where": lambda o, x, y, c, _g: o.where(c, x, y),
    "where_not": lambda o, x, y, c, _g: o.where(o.negate(c), x, y),
    "clamp": lambda o, x, y, _c, _g: o.clamp(x, o.number(-3), y),
    "gather": lambda o, _x, _y, _c, g: o.gather(o.table([5, 9, 2, 9, 1, -4, 0, 3, 8]), g),
    "gather_in_steps": lambda o, _x, _y, _c, g: o.gather(o.table([5, 5, 2, 2, 2, 9, 9, 9, 9]), g),
    "gather_of_one": lambda o, _x, _y, _c, g: o.gather(o.table([5] * 9), g),
    "gather_flags": lambda o, _x, _y, _c, g: o.gather_flags(
        o.flags([bool(n % 2) for n in range(9)]), g
    ),
    "gather_flags_in_steps": lambda o, _x, _y, _c, g: o.gather_flags(
        o.flags([True, True, False, False, True, True, False, False, True]), g
    ),
    "gather_flags_of_one": lambda o, _x, _y, _c, g: o.gather_flags(o.flags([True] * 9), g),
    "known_numbers": lambda o, _x, _y, _c, _g: o.floor_div(
        o.sub(o.maximum(o.number(7), o.number(9)), o.minimum(o.number(2), o.number(1))),
        o.add(o.mul(o.number(1), o.number(2)), o.number(1)),
    ),
    "known_flags": lambda o, _x, _y, _c, _g: o.both(
        o.either(o.at_least(o.number(2), o.number(2)), o.negate(o.above(o.number(2), o.number(1)))),
        o.negate(o.above(o.number(1), o.number(1))),
    ),
    "known_false": lambda o, _x, _y, _c, _g: o.above(o.number(1), o.number(1)),
    "known_tables": lambda o, _x, _y, _c, g: o.gather(
        o.add(o.table([5, 9, 2, 9, 1, -4, 0, 3, 8]), o.table(range(9))), g
    ),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_the_graph_gives_what_numpy_gives(name: str) -> None:
    found, ops = through_onnx(FORMULAS[name], X, Y, C, G)
    expected = through_numpy(FORMULAS[name], X, Y, C, G)
    assert found.dtype == expected.dtype
    assert found.tolist() == expected.tolist()
    assert {node.op_type for node in ops.nodes} <= NODES


@pytest.mark.parametrize(
    "neutral",
    [
        lambda o, x, _y, _c, _g: o.add(x, o.number(0)),
        lambda o, x, _y, _c, _g: o.add(o.number(0), x),
        lambda o, x, _y, _c, _g: o.sub(x, o.number(0)),
        lambda o, x, _y, _c, _g: o.mul(x, o.number(1)),
        lambda o, x, _y, _c, _g: o.mul(o.number(1), x),
        lambda o, x, _y, _c, _g: o.floor_div(x, o.number(1)),
        lambda o, x, _y, c, _g: o.where(c, x, x),
        lambda o, x, y, _c, _g: o.where(o.at_least(o.number(1), o.number(0)), x, y),
        lambda o, x, y, _c, _g: o.where(o.above(o.number(0), o.number(0)), y, x),
        lambda o, _x, _y, c, _g: o.both(c, c),
        lambda o, _x, _y, c, _g: o.both(o.at_least(o.number(0), o.number(0)), c),
        lambda o, _x, _y, c, _g: o.either(c, c),
        lambda o, _x, _y, c, _g: o.either(c, o.above(o.number(0), o.number(0))),
    ],
)
def test_what_changes_nothing_writes_no_node(neutral: Formula) -> None:
    found, ops = through_onnx(neutral, X, Y, C, G)
    assert found.tolist() == through_numpy(neutral, X, Y, C, G).tolist()
    assert ops.nodes == []


@pytest.mark.parametrize(
    "fixed",
    [
        lambda o, _x, _y, c, _g: o.both(c, o.above(o.number(0), o.number(0))),
        lambda o, _x, _y, c, _g: o.either(o.at_least(o.number(0), o.number(0)), c),
        lambda o, _x, _y, c, _g: o.where(c, o.number(3), o.number(3)),
    ],
)
def test_what_is_the_same_for_all_rows_is_known(fixed: Formula) -> None:
    found, _ = through_onnx(fixed, X, Y, C, G)
    assert found.tolist() == through_numpy(fixed, X, Y, C, G).tolist()
    assert len(set(found.tolist())) == 1


def test_equal_operations_and_constants_are_written_once() -> None:
    ops = OnnxOps("g")
    x = NumberWire(name="x")
    first = ops.add(x, ops.number(5))
    assert ops.add(x, ops.number(5)) == first
    assert ops.mul(x, ops.number(5)) != first
    assert len(ops.nodes) == 2
    assert len(ops.constants) == 1


def test_a_choice_and_its_opposite_are_written_once() -> None:
    ops = OnnxOps("g")
    flag, x, y = FlagWire(name="c"), NumberWire(name="x"), NumberWire(name="y")
    assert ops.where(flag, x, y) == ops.where(ops.negate(flag), y, x)
    assert [node.op_type for node in ops.nodes] == ["Where", "Not"]


def test_a_table_with_many_steps_is_gathered_and_one_with_few_is_compared() -> None:
    ops = OnnxOps("g")
    ops.gather(ops.table(range(MAX_STEPS + 1)), ops.group)
    assert "Gather" not in {node.op_type for node in ops.nodes}
    ops.gather(ops.table(range(MAX_STEPS + 2)), ops.group)
    assert ops.nodes[-1].op_type == "Gather"


def test_a_gather_by_anything_but_the_peer_group_is_refused() -> None:
    ops = OnnxOps("g")
    with pytest.raises(ModelFileError, match="expected a table that is known"):
        ops.gather(ops.table([1, 2]), NumberWire(name="x"))
    with pytest.raises(ModelFileError, match="the index 'g'"):
        ops.gather(NumberWire(name="x"), ops.group)
    with pytest.raises(ModelFileError, match="found table ''"):
        ops.gather_flags(FlagWire(name="", known=np.asarray(1, np.bool_)), ops.group)
