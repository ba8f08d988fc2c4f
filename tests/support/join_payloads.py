"""Join records and clues as a node sends them, in few words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from protos.yixin.v1 import clue_pb2
from scoring_kernel.joining import staff_mark
from scoring_kernel.subject_ids import STAFF, is_subject_id

if TYPE_CHECKING:
    from collections.abc import Sequence

EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - wall clock of Asia/Shanghai
KEYS = b"k" * 32
KINDS = {
    "stay": clue_pb2.JOIN_KIND_STAY,
    "presence": clue_pb2.JOIN_KIND_PRESENCE,
    "dispense": clue_pb2.JOIN_KIND_DISPENSE,
    "trace": clue_pb2.JOIN_KIND_TRACE,
    "session": clue_pb2.JOIN_KIND_SESSION,
}


def minute(text: str) -> int:
    """Minutes since 1970 of a wall clock such as "2026-03-01 09:00"."""
    return int((datetime.fromisoformat(text) - EPOCH).total_seconds()) // 60


def mark(name: str) -> bytes:
    """The mark of a name; that of staff for a national code."""
    if is_subject_id(STAFF, name):
        return staff_mark(name)
    return name.encode().ljust(16, b".")[:16]


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One join record: whom, from when, to when."""

    who: str
    begins: str
    ends: str = ""
    drug_class: str = ""
    leaf: int = 0


def join_day(
    institution: str,
    records: Sequence[Record],
    *,
    day: int | None = None,
    version: int = 1,
    part: int = 0,
) -> clue_pb2.JoinDay:
    """Records of one day; the day is that of the first one's end."""
    classes = sorted({one.drug_class for one in records if one.drug_class})
    ends = [minute(one.ends or one.begins) for one in records]
    if day is None:
        day = int((records[0].ends or records[0].begins)[:10].replace("-", ""))
    return clue_pb2.JoinDay(
        institution=institution,
        day=day,
        part=part,
        version=version,
        classes=classes,
        rows=clue_pb2.JoinColumns(
            marks=b"".join(mark(one.who) for one in records),
            begins=[minute(one.begins) for one in records],
            ends=ends,
            classes=[classes.index(one.drug_class) if one.drug_class else 0 for one in records],
            leaves=[one.leaf for one in records],
        ),
    )


def join_records(
    kind: str,
    *days: clue_pb2.JoinDay,
    places: Sequence[clue_pb2.Place] = (),
    **changes: Any,  # noqa: ANN401 - fields of the message
) -> clue_pb2.JoinRecords:
    has_token = kind not in {"trace", "session"}
    values: dict[str, Any] = {
        "period": "2026H2" if has_token else "",
        "keys_digest": KEYS if has_token else b"",
    }
    return clue_pb2.JoinRecords(kind=KINDS[kind], days=days, places=places, **(values | changes))


def clue(number: int = 1, **changes: Any) -> clue_pb2.Clue:  # noqa: ANN401 - fields of the message
    values: dict[str, Any] = {
        "id": number.to_bytes(16, "big"),
        "source": "M33",
        "version": "2026-01-01",
        "staff": ["D330302000001"],
        "person": mark("ann"),
        "score": 700,
        "amount_fen": 120_000,
        "verdict": clue_pb2.CLUE_VERDICT_SUSPICION,
        "evidence": [clue_pb2.EvidencePointer(kind="settlement", leaf=7)],
        "evidence_count": 1,
    }
    return clue_pb2.Clue(**(values | changes))


def clue_month(
    institution: str,
    *clues: clue_pb2.Clue,
    month: int = 202610,
    version: int = 1,
    **changes: Any,  # noqa: ANN401 - fields of the message
) -> clue_pb2.ClueMonth:
    has_person = any(one.person for one in clues)
    values: dict[str, Any] = {
        "period": "2026H2" if has_person else "",
        "keys_digest": KEYS if has_person else b"",
    }
    return clue_pb2.ClueMonth(
        institution=institution, month=month, version=version, clues=clues, **(values | changes)
    )
