"""Diagnoses and operations (诊断、手术操作): rows beside a visit, a stay or a settlement list.

Rules:
- A diagnosis counts once per code and message; it is the main one where any of its rows says
  so, or where it stands first and no row can say so. Rows marked invalid (有效标志 0) and rows
  without a code are left out: the record beside them stands without.
- A moment that is missing, lies in the future or before 2000 is the stay's own for a diagnosis,
  and none for an operation.

Source:
    National interface, 2203, 2401, 2402 and 4101.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from node.intake.group import EARLIEST, Group, months_of
from node.intake.layouts import REQUEST, Shape
from node.intake.nodes import CheckedNode

__all__ = ["build_clinical"]

_DIAGNOSES: Final = "diseinfo"
_OPERATIONS: Final = "oprninfo"
_INVALID: Final = "0"
_MAIN: Final = "1"
_MAIN_OPERATION: Final[Mapping[str | None, bool]] = {"1": True, "2": False}
"""手术操作类别: main, other."""

_Days = npt.NDArray[np.datetime64]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stays:
    """What the messages of a group say of their visits; one entry per message."""

    what: str
    visits: Sequence[str | None] = field(repr=False)
    persons: Sequence[str | None] = field(repr=False)
    days: _Days = field(repr=False)
    """Day of the visit, admission, discharge or list; the message's own where it has none."""


def build_clinical(group: Group, schemas: Mapping[str, pa.Schema]) -> dict[str, pa.Table]:
    """Build the ``diagnosis`` and ``operation`` records that stand beside other records.

    Args:
        group: Messages of one transaction, without a fault.
        schemas: Schema per kind.

    Returns:
        Records by kind; a kind without any is left out.
    """
    stays = _stays_of(group)
    if stays is None:
        return {}
    tables = {
        "diagnosis": _diagnoses(group, stays, schemas["diagnosis"]),
        "operation": _operations(group, stays, schemas["operation"]),
    }
    return {kind: table for kind, table in tables.items() if table.num_rows}


def _stays_of(group: Group) -> _Stays | None:
    """Find what rows beside the records belong to; None where a transaction has no such rows."""
    shape = group.layout.shape
    if shape not in _WHATS:
        return None
    node = group.request
    days = [node.moments[name] for name in _DAYS[shape]]
    found = days[0]
    for other in (*days[1:], group.sent_at()):
        found = np.where(np.isnat(found), other, found)
    visits = group.answer.texts["mdtrt_id"] if shape is Shape.ADMISSION else node.texts["mdtrt_id"]
    persons = zip(node.optional("psn_no"), node.optional("hi_no"), strict=True)
    return _Stays(
        what=_WHATS[shape],
        visits=visits,
        persons=[one or other for one, other in persons],
        days=found,
    )


_WHATS: Final[Mapping[Shape, str]] = {
    Shape.VISIT: "visit",
    Shape.ADMISSION: "admission",
    Shape.DISCHARGE: "discharge",
    Shape.SETTLEMENT_LIST: "list",
}
_DAYS: Final[Mapping[Shape, tuple[str, ...]]] = {
    Shape.VISIT: ("begntime",),
    Shape.ADMISSION: ("begntime",),
    Shape.DISCHARGE: ("endtime",),
    Shape.SETTLEMENT_LIST: ("dscg_time", "setl_end_date"),
}
"""Fields that tell the day of a stay, the first filled one."""


def _diagnoses(group: Group, stays: _Stays, schema: pa.Schema) -> pa.Table:
    node = group.nodes.get((REQUEST, _DIAGNOSES))
    if node is None or not node.size:
        return schema.empty_table()
    chosen: dict[tuple[int, str], int] = {}
    main: set[tuple[int, str]] = set()
    owners = node.owners.tolist()
    codes, valid = node.optional("diag_code"), node.optional("vali_flag")
    for row, (owner, code, flag, is_main) in enumerate(
        zip(owners, codes, valid, _main_flags(node), strict=True)
    ):
        if code is None or flag == _INVALID:
            continue
        chosen.setdefault((owner, code), row)
        if is_main:
            main.add((owner, code))
    rows = list(chosen.values())
    at = stays.days[node.owners]
    told = node.moments.get("diag_time", at)
    at = np.where(_plausible(told, group), told, at)[rows]
    types = node.optional("diag_type")
    return pa.table(
        {
            **_heads(group, "diagnosis", node, rows, at),
            "mdtrt_id": [stays.visits[owner] for owner, _ in chosen],
            "person": [stays.persons[owner] for owner, _ in chosen],
            "code": [code for _, code in chosen],
            "main": [key in main for key in chosen],
            "type": [types[row] for row in rows],
            "what": [stays.what] * len(rows),
            "at": at,
        },
        schema=schema,
    )


def _main_flags(node: CheckedNode) -> Iterator[bool]:
    """Tell which rows are main diagnoses: by their flag, without one by their place."""
    flags = node.optional("maindiag_flag")
    order = node.numbers.get("diag_srt_no", np.zeros(node.size, np.int64)).tolist()
    for flag, place in zip(flags, order, strict=True):
        yield flag == _MAIN if flag is not None else place == 1


def _operations(group: Group, stays: _Stays, schema: pa.Schema) -> pa.Table:
    beside = group.layout.shape is Shape.SETTLEMENT_LIST
    node = group.nodes.get((REQUEST, _OPERATIONS)) if beside else group.request
    if node is None or "oprn_oprt_code" not in node.texts or stays.what == "admission":
        return schema.empty_table()
    codes = node.optional("oprn_oprt_code")
    rows = [row for row, code in enumerate(codes) if code is not None]
    owners = node.owners[rows].tolist()
    at = _operated_at(node)
    at[~_plausible(at, group)] = np.datetime64("NaT")
    at = at[rows]
    places = node.places()
    kinds, surgeons = node.optional("oprn_oprt_type"), node.optional("oper_dr_code")
    settlements = group.request.optional("setl_id")
    days = np.where(np.isnat(at), stays.days[node.owners[rows]], at)
    return pa.table(
        {
            **_heads(group, "operation", node, rows, days),
            "what": [stays.what] * len(rows),
            "mdtrt_id": [stays.visits[owner] for owner in owners],
            "setl_id": [settlements[owner] for owner in owners],
            "line": [str(places[row]) for row in rows],
            "code": [codes[row] for row in rows],
            "main": [_MAIN_OPERATION.get(kinds[row]) for row in rows],
            "surgeon": [surgeons[row] for row in rows],
            "at": at,
        },
        schema=schema,
    )


def _operated_at(node: CheckedNode) -> _Days:
    """Find the moment of each operation: its day, or the beginning that the newer list states."""
    if "oprn_oprt_date" in node.moments:
        return node.moments["oprn_oprt_date"].copy()
    return np.array([_moment(text) for text in node.optional("oprn_oprt_begntime")], "M8[s]")


def _moment(text: str | None) -> datetime | None:
    """Read a moment that the interface has as a text; None where it is none."""
    try:
        found = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return found if found.tzinfo is None else None


def _plausible(days: _Days, group: Group) -> npt.NDArray[np.bool_]:
    latest = np.datetime64(group.bounds.latest, "s")
    found: npt.NDArray[np.bool_] = (days >= EARLIEST) & (days <= latest)
    return found


def _heads(
    group: Group, kind: str, node: CheckedNode, rows: Sequence[int], days: _Days
) -> dict[str, Sequence[str] | npt.NDArray[np.int32]]:
    """Give ids, which end in the row's place in its message, institutions and months."""
    messages = [group.messages[owner] for owner in node.owners[rows].tolist()]
    places = node.places()[rows].tolist()
    return {
        "record_id": [
            f"{message.msgid}#{message.infno}.{kind}.{place}"
            for message, place in zip(messages, places, strict=True)
        ],
        "institution": [message.institution for message in messages],
        "month": months_of(days),
    }
