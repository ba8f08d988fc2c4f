"""The rows of one node of many messages, checked as columns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from node.domain.faults import Fault, Rule
from node.intake.columns import FaultBook, moments, numbers, texts
from node.intake.field_rules import NodeRules
from node.intake.layouts import REQUEST
from node.intake.messages import Message

__all__ = ["CheckedNode", "check_node"]

_DAY_TYPES: Final = frozenset(("datetime", "date"))


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedNode:
    """Rows of one node; every column has one value per row."""

    owners: npt.NDArray[np.int64]
    """Position in the batch of each row's message, shape (n,), not descending."""
    texts: Mapping[str, list[str | None]] = field(repr=False)
    numbers: Mapping[str, npt.NDArray[np.int64]] = field(repr=False)
    """Numbers in units of their last decimal; 0 where missing."""
    present: Mapping[str, npt.NDArray[np.bool_]] = field(repr=False)
    """Which numbers are there."""
    moments: Mapping[str, npt.NDArray[np.datetime64]] = field(repr=False)

    @property
    def size(self) -> int:
        """Number of rows."""
        return len(self.owners)


def check_node(rules: NodeRules, messages: Sequence[Message], book: FaultBook) -> CheckedNode:
    """Take one node out of some messages and check its fields.

    Args:
        rules: The node and its fields.
        messages: Messages of one transaction.
        book: Takes the first fault of each message.

    Returns:
        The rows in the order of the messages; faulty values stand in as missing.
    """
    rows, owners = _rows(rules, messages, book)
    found_texts: dict[str, list[str | None]] = {}
    found_numbers: dict[str, npt.NDArray[np.int64]] = {}
    present: dict[str, npt.NDArray[np.bool_]] = {}
    found_moments: dict[str, npt.NDArray[np.datetime64]] = {}
    for rule in rules.fields:
        name = rule.name
        values = [row.get(name) for row in rows]
        if rule.type == "number":
            found_numbers[name], present[name] = numbers(rule, values, owners, book)
        elif rule.type in _DAY_TYPES:
            found_moments[name] = moments(rule, values, owners, book)
        else:
            found_texts[name] = texts(rule, values, owners, book)
    return CheckedNode(
        owners=np.array(owners, np.int64),
        texts=found_texts,
        numbers=found_numbers,
        present=present,
        moments=found_moments,
    )


def _rows(
    rules: NodeRules, messages: Sequence[Message], book: FaultBook
) -> tuple[list[Mapping[str, Any]], list[int]]:
    rows: list[Mapping[str, Any]] = []
    owners: list[int] = []
    of_request = rules.direction == REQUEST
    for owner, message in enumerate(messages):
        value = (message.input if of_request else message.output).get(rules.node)
        if not value:
            if rules.needed:
                expected = "at least one line" if rules.is_array else "an object"
                book.add(owner, Fault.of(Rule.FIELD_MISSING, rules.path, None, expected))
            continue
        if isinstance(value, dict):
            rows.append(value)
            owners.append(owner)
        elif rules.is_array and isinstance(value, list) and _all_objects(value):
            rows.extend(value)
            owners.extend([owner] * len(value))
        else:
            expected = "a list of objects" if rules.is_array else "an object"
            found = type(value).__name__
            book.add(owner, Fault.of(Rule.FIELD_TYPE, rules.path, found, expected))
    return rows, owners


def _all_objects(values: Sequence[object]) -> bool:
    return set(map(type, values)) == {dict}
