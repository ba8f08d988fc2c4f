"""Decoding of grade pushes (推送) from lower hubs.

Rules of this module: a push is read whole or quarantined whole; every field is bounded before it
is stored; grades are kept under the hub that pushed them and never replace another hub's. A push
that names an insured person is refused, and its subject does not enter the message.
"""

import re
from typing import Final

from hub.domain.pushes import DecodedPush, PushedRow, is_pushed_subject
from hub.errors import StatementError
from protos.yixin.v1 import statement_pb2
from security.encoding import parse_exactly
from security.headers import MAX_ENVELOPE_BYTES

MAX_GRADES: Final = 20_000
MAX_TOTAL_CENTI: Final = 1_000_000
_DIGEST_BYTES: Final = 32
_MAX_VERSION: Final = 2**31 - 1
_PERIOD: Final = re.compile(r"[0-9]{4}H[12]")
_WORD: Final = re.compile(r"[a-z][a-z0-9_]{0,31}")
_CLASS: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")
_BASES: Final = frozenset({"proposal", "final"})


def decode_push(payload: bytes) -> DecodedPush:
    """Decode a payload of type ``grade_push``.

    Args:
        payload: Serialised GradePush.

    Raises:
        StatementError: The payload does not parse, or a grade is out of bounds.
    """
    try:
        push = parse_exactly(statement_pb2.GradePush, payload, MAX_ENVELOPE_BYTES)
    except ValueError as error:
        raise StatementError("The payload is no GradePush.") from error
    if not _PERIOD.fullmatch(push.period) or len(push.publication_root) != _DIGEST_BYTES:
        raise StatementError("The push names no rating period or no publication root.")
    if not 1 <= len(push.grades) <= MAX_GRADES:
        raise StatementError(f"Found {len(push.grades)} grades, expected 1 to {MAX_GRADES}.")
    return DecodedPush(
        period=push.period,
        publication_root=push.publication_root,
        grades=tuple(_row(grade, push.period) for grade in push.grades),
    )


def _named(subject: str) -> str:
    """A subject as a message may name it: what is no id of ours could be a person's number."""
    return subject if is_pushed_subject(subject) else "a subject that is not named here"


def _row(grade: statement_pb2.PushedGrade, period: str) -> PushedRow:
    is_sound = (
        is_pushed_subject(grade.subject)
        and _CLASS.fullmatch(grade.subject_class)
        and grade.period == period
        and 1 <= grade.version <= _MAX_VERSION
        and 0 <= grade.total_centi <= MAX_TOTAL_CENTI
        and _WORD.fullmatch(grade.grade)
        and grade.basis in _BASES
        and len(grade.model_digest) == _DIGEST_BYTES
        and len(grade.statement_digest) == _DIGEST_BYTES
    )
    if not is_sound:
        raise StatementError(
            f"The grade of {_named(grade.subject)} is out of bounds, of another period than "
            f"{period}, or of a subject whose grade stays with its hub."
        )
    return PushedRow(
        subject=grade.subject,
        subject_class=grade.subject_class,
        period=grade.period,
        version=grade.version,
        total_centi=grade.total_centi,
        grade=grade.grade,
        basis=grade.basis,
        model_digest=grade.model_digest,
        statement_digest=grade.statement_digest,
    )
