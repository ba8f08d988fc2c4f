"""Decoding of clues (线索).

Numbered as applied:

0. The payload parses. Otherwise it is refused as a whole.
1. Every part names an institution and a month, and is in bounds.
2. A clue names staff by national codes and a person by a link token only: what could be a person's
   number refuses its part, and does not enter the message.
3. In the transaction of the envelope: custody, then the newer part replaces the older.
"""

import re
from typing import Final

from hub.domain.clues import CluePart, DecodedClues, MeasurePointer, Pointer, StatedClue
from hub.domain.custody import is_month
from hub.domain.members import InstitutionCode, is_institution
from hub.domain.statements import SlotFault, SlotRule
from hub.errors import StatementError
from hub.intake.join_records import MAX_PARTS, MAX_VERSION, verify_period
from protos.yixin.v1 import clue_pb2
from scoring_kernel.joining import MAX_SCORE
from scoring_kernel.subject_ids import STAFF, is_subject_id
from security.encoding import parse_exactly
from security.headers import MAX_ENVELOPE_BYTES
from security.linking import TOKEN_BYTES

MAX_MONTHS: Final = 4_096
MAX_CLUES: Final = 4_000
"""Most clues of one part."""
MAX_STAFF: Final = 64
MAX_POINTERS: Final = 64
MAX_MEASURES: Final = 32
MAX_MONTHS_READ: Final = 120
MAX_AMOUNT_FEN: Final = 10**13
ID_BYTES: Final = 16
_SOURCE: Final = re.compile(r"[MWT][0-9]{2}")
_VERSION: Final = re.compile(r"[0-9.,-]{1,64}")
_KIND: Final = re.compile(r"[a-z][a-z0-9_]{0,39}")
_DIGEST_BYTES: Final = 32
_MEND: Final = (
    "run rules and topics again and synchronise; if it stays so, bring both sides to one release"
)
_VERDICTS: Final = {
    clue_pb2.CLUE_VERDICT_VIOLATION: "violation",
    clue_pb2.CLUE_VERDICT_SUSPICION: "suspicion",
    clue_pb2.CLUE_VERDICT_WARNING: "warning",
}


def decode_clues(payload: bytes) -> DecodedClues:
    """Decode a payload of type ``clues``.

    Args:
        payload: Serialised Clues.

    Raises:
        StatementError: The payload as a whole cannot be read.
    """
    # 0. The payload as a whole.
    try:
        found = parse_exactly(clue_pb2.Clues, payload, MAX_ENVELOPE_BYTES)
    except ValueError as error:
        raise StatementError("The payload is no Clues.") from error
    if not 1 <= len(found.months) <= MAX_MONTHS:
        raise StatementError(f"Found {len(found.months)} months, expected 1 to {MAX_MONTHS}.")
    parts: list[CluePart] = []
    faults: list[SlotFault] = []
    seen: set[tuple[str, int, int]] = set()
    for one in found.months:
        place = (one.institution, one.month, one.part)
        fault = (
            (SlotRule.SLOT_TWICE, "the payload states this part twice")
            if place in seen
            else _part_fault(one)
        )
        seen.add(place)
        if fault is None:
            parts.append(_part(one))
        else:
            rule, mend = fault
            faults.append(
                SlotFault(institution=one.institution[:64], month=one.month, rule=rule, mend=mend)
            )
    return DecodedClues(parts=tuple(parts), faults=tuple(faults))


def _part_fault(one: clue_pb2.ClueMonth) -> tuple[SlotRule, str] | None:
    """Steps 1 and 2."""
    if not is_institution(one.institution):
        return SlotRule.INSTITUTION, "the institution code is malformed; correct it"
    if not is_month(one.month):
        return SlotRule.MONTH, f"{one.month} is no month"
    return _shape_fault(one) or _keys_fault(one)


def _shape_fault(one: clue_pb2.ClueMonth) -> tuple[SlotRule, str] | None:
    if not 1 <= one.version <= MAX_VERSION or one.part >= MAX_PARTS or len(one.clues) > MAX_CLUES:
        return SlotRule.SHAPE, f"version, part or number of clues ({len(one.clues)}) is too large"
    if len({clue.id for clue in one.clues}) < len(one.clues):
        return SlotRule.SHAPE, f"a clue stands twice; {_MEND}"
    for number, clue in enumerate(one.clues):
        if not _is_sound(clue):
            return SlotRule.ROWS, f"clue {number} of the part is out of its bounds; {_MEND}"
    return None


def _keys_fault(one: clue_pb2.ClueMonth) -> tuple[SlotRule, str] | None:
    if any(clue.person for clue in one.clues):
        try:
            verify_period(one.period, one.keys_digest)
        except StatementError as error:
            return SlotRule.PERIOD, str(error)
    elif one.period or one.keys_digest:
        return SlotRule.PERIOD, "a part without persons has no period of tokens"
    return None


def _is_sound(clue: clue_pb2.Clue) -> bool:
    return (
        len(clue.id) == ID_BYTES
        and _SOURCE.fullmatch(clue.source) is not None
        and _VERSION.fullmatch(clue.version) is not None
        and len(clue.staff) <= MAX_STAFF
        and all(is_subject_id(STAFF, code) for code in clue.staff)
        and len(clue.person) in {0, TOKEN_BYTES}
        and clue.score <= MAX_SCORE
        and abs(clue.amount_fen) <= MAX_AMOUNT_FEN
        and clue.verdict in _VERDICTS
        and len(clue.evidence) <= min(MAX_POINTERS, clue.evidence_count)
        and all(
            _KIND.fullmatch(pointer.kind) is not None and pointer.leaf < MAX_VERSION
            for pointer in clue.evidence
        )
        and len(clue.measures) <= MAX_MEASURES
        and all(map(_is_sound_measure, clue.measures))
    )


def _is_sound_measure(pointer: clue_pb2.MeasurePointer) -> bool:
    return (
        _KIND.fullmatch(pointer.set) is not None
        and is_month(pointer.month)
        and pointer.months <= MAX_MONTHS_READ
        and len(pointer.digest) == _DIGEST_BYTES
    )


def _part(one: clue_pb2.ClueMonth) -> CluePart:
    return CluePart(
        institution=InstitutionCode(one.institution),
        month=one.month,
        part=one.part,
        version=one.version,
        period=one.period,
        keys_digest=one.keys_digest,
        clues=tuple(
            StatedClue(
                id=clue.id,
                source=clue.source,
                version=clue.version,
                staff=tuple(sorted(set(clue.staff))),
                person=clue.person,
                score=clue.score,
                amount_fen=clue.amount_fen,
                verdict=_VERDICTS[clue.verdict],
                evidence=tuple(
                    Pointer(kind=pointer.kind, leaf=pointer.leaf, involved=pointer.involved)
                    for pointer in clue.evidence
                ),
                evidence_count=clue.evidence_count,
                measures=tuple(
                    MeasurePointer(
                        measure_set=each.set,
                        month=each.month,
                        months=each.months,
                        digest=each.digest.hex(),
                    )
                    for each in clue.measures
                ),
            )
            for clue in one.clues
        ),
    )
