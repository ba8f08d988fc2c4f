"""Pieces of a compiled model: the one graph of its file, cut where its outputs have rows.

Rules:
- A file holds one complete graph. Each of its outputs is put together from rows, one an
  indicator or override, and those rows are the tensors at which it is cut: nothing but the
  graph itself says where.
- A piece has the graph's own nodes and constants and no other, so every number it gives has
  the bits that the whole graph gives.
- What depends on the peer group alone is a piece of its own, run once a group; what depends on
  the pattern of missing indicators alone, once a pattern; and each indicator's move to another
  weight, where weights move.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

import onnx
from onnx import helper

from scoring_kernel.errors import ModelFileError
from scoring_kernel.onnx_graph import GROUP, IR_VERSION, OPSET, PRESENT, VALUES, rows_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from onnx import NodeProto

    from scoring_kernel.onnx_metadata import ModelCard

Place: TypeAlias = tuple[str, int]
"""Name of an input or output of the graph, and the row in it."""

KEPT: Final = "kept"
"""The opposite of the output ``missing``, which the graph has as well."""
PEER: Final = "peer"
"""What depends on the peer group alone: numbers and flags of the curves."""
DERIVED: Final = (
    *("reached", "missing", "provisional", "out_of_range", "shrunk"),
    *("overridden", "undetermined"),
)
"""What the first piece gives of every row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A part of the graph, as a model of its own.

    Attributes:
        content: The model; its inputs and outputs have shape (1, b).
        inputs: What each of its inputs is.
        made: Its outputs.
        outputs: What was wanted of it, by the output, or the input, that it is.
    """

    content: bytes
    inputs: Mapping[str, Place]
    made: tuple[str, ...]
    outputs: Mapping[str, tuple[Place, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pieces:
    """All pieces of a graph.

    Attributes:
        peers: Peer group to what depends on it alone.
        derive: Columns and the former to points reached and every flag.
        redistribute: Missing indicators to weights and coverage.
        weigh: Points reached by an indicator, whether it is missing and its weight to its
            points; one piece an indicator.
        grade: Points, coverage and overrides to total and grades.
    """

    peers: Piece
    derive: Piece
    redistribute: Piece
    weigh: tuple[Piece, ...]
    grade: Piece


def cut(content: bytes, card: ModelCard) -> Pieces:
    """Cut a compiled model into pieces.

    Args:
        content: A file that ``verify_file`` accepts.
        card: What it says about itself.

    Raises:
        ModelFileError: An output is not put together from rows, or a piece needs more than
            what it is for.
    """
    return _Cutter(onnx.load_model_from_string(content), card).pieces()


class _Cutter:
    """Cuts one graph."""

    def __init__(self, model: onnx.ModelProto, card: ModelCard) -> None:
        typed = onnx.shape_inference.infer_shapes(model, strict_mode=True).graph
        self._name: Final = model.graph.name
        self._constants: Final = {one.name: one for one in model.graph.initializer}
        self._nodes: Final = [(node, [*node.input], [*node.output]) for node in model.graph.node]
        self._makers: Final = {name: node for node, _, made in self._nodes for name in made}
        self._kinds: Final = {
            one.name: one.type.tensor_type.elem_type for one in (*typed.value_info, *typed.input)
        }
        self._columns: Final = {name: self._split(name) for name in (VALUES, PRESENT)}
        self._rows: Final = {
            name: self._joined(name, count) for name, count in rows_of(card).items() if count
        }

    def pieces(self) -> Pieces:
        """All pieces."""
        rows, gone = self._rows, self._missing()
        # Numbers that are the same for all rows are written with the first column's presence.
        steady = self._columns[PRESENT][:1]
        group = [(GROUP, (GROUP, 0))]
        peers = self._of_group()
        columns = [*peers, *self._columns[VALUES], *self._columns[PRESENT], *group]
        judged = [*rows["points"], *rows["coverage"], *rows.get("overridden", ()), *steady]
        return Pieces(
            peers=self._piece(group, peers),
            derive=self._piece(columns, [one for name in DERIVED for one in rows.get(name, ())]),
            redistribute=self._piece([*gone, *steady], [*rows["weights"], *rows["coverage"]]),
            weigh=tuple(
                self._piece([reached, weight, *gone, *steady], [points])
                for reached, weight, points in zip(
                    rows["reached"], rows["weights"], rows["points"], strict=True
                )
            ),
            grade=self._piece(judged, [*rows["total"], *rows["earned"], *rows["grade"]]),
        )

    def _split(self, name: str) -> list[tuple[str, Place]]:
        """Rows of an input."""
        readers = [node for node, read, _ in self._nodes if name in read]
        is_split = len(readers) == 1 and readers[0].op_type == "Split"
        tensors = [*readers[0].output] if is_split else [name]
        return [(tensor, (name, row)) for row, tensor in enumerate(tensors)]

    def _joined(self, name: str, count: int) -> list[tuple[str, Place]]:
        """Rows of an output."""
        node = self._makers[name]
        if node.op_type != "Concat" or len(node.input) != count:
            raise _uncut(f"output {name} is not put together from {count} rows")
        return [(tensor, (name, row)) for row, tensor in enumerate(node.input)]

    def _missing(self) -> list[tuple[str, Place]]:
        """Rows of ``missing``, or what they are the opposite of: both may be read."""
        found: list[tuple[str, Place]] = []
        for tensor, (name, row) in self._rows["missing"]:
            maker = self._makers.get(tensor)
            if maker is not None and maker.op_type == "Not":
                found.append((maker.input[0], (KEPT, row)))
            else:
                found.append((tensor, (name, row)))
        return found

    def _piece(
        self, given: Sequence[tuple[str, Place]], wanted: Sequence[tuple[str, Place]]
    ) -> Piece:
        """What leads from given tensors to wanted ones."""
        sources = dict(reversed(given))  # Of two names for a tensor the first one counts.
        made = {tensor: place for tensor, place in wanted if tensor not in sources}
        nodes, loose = self._between(made, sources)
        strange = sorted(loose - sources.keys() - self._constants.keys())
        if strange:
            raise _uncut(f"{sorted(made)[:3]} depend on {strange[:3]} as well")
        loose.update(tensor for tensor, _ in wanted if tensor in sources)
        inputs = {tensor: place for tensor, place in sources.items() if tensor in loose}
        graph = helper.make_graph(
            nodes,
            self._name,
            [self._row(tensor) for tensor in inputs],
            [self._row(tensor) for tensor in made],
            [one for name, one in self._constants.items() if name in loose],
        )
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION
        )
        return Piece(
            content=model.SerializeToString(),
            inputs=inputs,
            made=tuple(made),
            outputs={
                tensor: tuple(place for other, place in wanted if other == tensor)
                for tensor in dict.fromkeys(tensor for tensor, _ in wanted)
            },
        )

    def _of_group(self) -> list[tuple[str, Place]]:
        """What depends on the peer group alone, where something else is worked out with it."""
        known = {*self._constants, GROUP}
        found: dict[str, None] = {}
        for _, read, makes in self._nodes:
            if known.issuperset(read):
                known.update(makes)
            else:
                found.update(dict.fromkeys(tensor for tensor in read if tensor in known))
        tensors = [tensor for tensor in found if tensor not in {*self._constants, GROUP}]
        return [(tensor, (PEER, row)) for row, tensor in enumerate(tensors)]

    def _row(self, tensor: str) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(tensor, self._kinds[tensor], [1, "b"])

    def _between(
        self, made: Iterable[str], sources: Collection[str]
    ) -> tuple[list[NodeProto], set[str]]:
        """Nodes that make some tensors from sources, and what none of them makes."""
        wanted = set(made)
        kept: list[NodeProto] = []
        for node, read, makes in reversed(self._nodes):
            if not wanted.isdisjoint(makes):
                kept.append(node)
                wanted.update(tensor for tensor in read if tensor not in sources)
                wanted.difference_update(makes)
        outside = {tensor for node in kept for tensor in node.input if tensor in sources}
        return kept[::-1], wanted | outside


def _uncut(found: str) -> ModelFileError:
    return ModelFileError(
        f"compiled model: {found}: compile the model again with `yixin model compile`"
    )
