"""Reversals of a message (冲正, 2601): of one that was a settlement, like the settlement's own.

The platform takes the whole message back, so the amounts are those of the
settlement that it made. What it takes back besides settlements makes no record
of its own and is kept as ``raw``; so is the reversal of a message that the
platform had not accepted: it never counted.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pyarrow as pa

from node.domain.faults import Fault, Rule
from node.domain.records import RAW
from node.intake.columns import FaultBook
from node.intake.group import Group, check_days, months_of, raw_table
from node.intake.layouts import LAYOUTS, Shape
from node.intake.originals import Originals, Settlement, settlement_key
from node.intake.reversals import AMOUNTS, PARTS, check_once, taken_back_part
from node.store import MessageKey

__all__ = ["Reversed", "build_message_reversals", "check_message_reversals", "find_reversed"]

_SETTLING: Final = frozenset(
    infno for infno, layout in LAYOUTS.items() if layout.shape in (Shape.SETTLEMENT, Shape.PHARMACY)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reversed:
    """What the messages of a group take back, one entry per message."""

    wanted: tuple[bool, ...]
    """Whether a settlement is taken back, so that it must be known."""
    settlements: tuple[Settlement | None, ...] = field(repr=False)
    """The settlement, where it is known."""


def find_reversed(group: Group, originals: Originals) -> Reversed:
    """Find the settlements that messages of 2601 take back: of the sender's own messages only."""
    request = group.request
    named = [
        MessageKey(institution=message.institution, infno=infno, msgid=msgid)
        if infno in _SETTLING and msgid
        else None
        for message, msgid, infno in zip(
            group.messages, request.texts["omsgid"], request.texts["oinfno"], strict=True
        )
    ]
    asked = {key for key in named if key is not None}
    refused = originals.not_accepted(asked) if asked else set()
    found = originals.by_message(asked)
    return Reversed(
        wanted=tuple(key is not None and key not in refused for key in named),
        settlements=tuple(None if key is None else found.get(key) for key in named),
    )


def check_message_reversals(
    group: Group, book: FaultBook, reversed_: Reversed, originals: Originals
) -> None:
    """Check that what is taken back is known, and taken back once."""
    owners = range(len(group.messages))
    check_days("request.inf_time", group.sent_at(), owners, group.bounds, book)
    path = "request.data.omsgid"
    for owner, (wanted, settlement) in enumerate(
        zip(reversed_.wanted, reversed_.settlements, strict=True)
    ):
        if wanted and settlement is None:
            found = group.request.texts["omsgid"][owner]
            expected = "the message of an accepted settlement this node has"
            book.add(owner, Fault.of(Rule.REVERSAL_WITHOUT_ORIGINAL, path, found, expected))
    keys = [settlement_key(row) if row else None for row in reversed_.settlements]
    check_once(path, keys, originals, book)


def build_message_reversals(
    group: Group, reversed_: Reversed, schemas: Mapping[str, pa.Schema]
) -> Mapping[str, pa.Table]:
    """Build ``settlement`` records with sign -1, and ``raw`` records of all other messages."""
    schema = schemas["settlement"]
    chosen = [
        (message, row)
        for message, row in zip(group.messages, reversed_.settlements, strict=True)
        if row is not None
    ]
    others = [
        message
        for message, row in zip(group.messages, reversed_.settlements, strict=True)
        if row is None
    ]
    days = np.array([message.inf_time for message, _ in chosen], "datetime64[s]")
    own = {
        "record_id": [message.msgid for message, _ in chosen],
        "month": months_of(days),
        "sign": np.full(len(chosen), -1, np.int8),
        "settled_at": days,
        **{name: [-abs(int(str(row[name]))) for _, row in chosen] for name in AMOUNTS},
        **{name: [taken_back_part(row[name]) for _, row in chosen] for name in PARTS},
    }
    columns = {
        name: own[name] if name in own else [row[name] for _, row in chosen]
        for name in schema.names
    }
    tables = {}
    if chosen:
        tables["settlement"] = pa.table(columns, schema=schema)
    if others:
        tables[RAW] = raw_table(others, schemas[RAW])
    return tables
