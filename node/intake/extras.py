"""Keys the catalogue does not know, kept aside with their values: kind ``extra``.

Rules:
- Provinces and vendors add keys; a message is never refused for one, and what it says
  is not lost. Keys without a value are left out.
- An object that the catalogue names but does not describe is kept like an unknown key.
- Where one message has more than ``MAX_EXTRAS``, they are one record together, a JSON
  object by path, so that no message makes records without end.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import orjson
import pyarrow as pa

from node.intake.field_rules import IntakeRules, NodeRules
from node.intake.layouts import REQUEST
from node.intake.messages import Message
from node.intake.nodes import CheckedNode
from scoring_kernel.transactions import DIRECTIONS

__all__ = ["ALL_PATHS", "EXTRA", "MAX_EXTRAS", "build_extras"]

EXTRA: Final = "extra"
MAX_EXTRAS: Final = 256
ALL_PATHS: Final = "*"
"""Path of the one record of a message with more extras."""
_NOTHING: Final = (None, "")

_Found = tuple[int, str, object]


def build_extras(
    rules: IntakeRules,
    messages: Sequence[Message],
    nodes: Mapping[tuple[str, str], CheckedNode],
    schema: pa.Schema,
) -> dict[str, pa.Table]:
    """Build the ``extra`` records of some messages of one transaction.

    Args:
        rules: What the catalogue knows.
        messages: Messages that make records.
        nodes: Their nodes.
        schema: Columns of the kind.

    Returns:
        The records by kind; nothing where every key is known.
    """
    infno = messages[0].infno
    by_owner: dict[int, dict[str, object]] = {}
    for owner, path, value in (
        *_of_heads(rules.heads, messages),
        *_of_tops(rules.nodes[infno], messages),
        *_of_nodes(rules.nodes[infno], nodes),
    ):
        if value not in _NOTHING:
            by_owner.setdefault(owner, {})[path] = value
    if not by_owner:
        return {}
    rows = [
        (messages[owner], path, value)
        for owner, found in sorted(by_owner.items())
        for path, value in (found.items() if len(found) <= MAX_EXTRAS else [(ALL_PATHS, found)])
    ]
    table = pa.table(
        {
            "record_id": [f"{message.msgid}#{infno}" for message, _, _ in rows],
            "institution": [message.institution for message, _, _ in rows],
            "month": [message.month for message, _, _ in rows],
            "infno": [infno] * len(rows),
            "path": [path for _, path, _ in rows],
            "body": [orjson.dumps(value).decode() for _, _, value in rows],
        },
        schema=schema,
    )
    return {EXTRA: table}


def _of_heads(heads: Sequence[NodeRules], messages: Sequence[Message]) -> Iterator[_Found]:
    for head in heads:
        for owner, message in enumerate(messages):
            found = message.request if head.direction == REQUEST else message.response
            if found and not head.known.issuperset(found):
                for key in sorted(found.keys() - head.known):
                    yield owner, f"{head.path}.{key}", found[key]


def _of_tops(rules: Sequence[NodeRules], messages: Sequence[Message]) -> Iterator[_Found]:
    """Find nodes that a transaction is not known to have."""
    for direction in DIRECTIONS:
        known = {node.key for node in rules if node.parent is None and node.direction == direction}
        for owner, message in enumerate(messages):
            found = message.input if direction == REQUEST else message.output
            if not known.issuperset(found):
                for key in sorted(found.keys() - known):
                    yield owner, f"{direction}.{key}", found[key]


def _of_nodes(
    rules: Sequence[NodeRules], nodes: Mapping[tuple[str, str], CheckedNode]
) -> Iterator[_Found]:
    for rule in rules:
        node = nodes.get((rule.direction, rule.node))
        if node is None or not node.unknown:
            continue
        owners, places = node.owners.tolist(), (node.places() - 1).tolist()
        for row, keys in node.unknown:
            path = f"{rule.path}[{places[row]}]" if rule.is_array else rule.path
            for key in sorted(keys):
                yield owners[row], f"{path}.{key}", node.rows[row][key]
