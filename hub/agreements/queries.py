"""Single questions (单笔查询) under an agreement with a class of askers, such as the public.

Rules: one subject of one period is asked for; the answer holds the agreement's fields and nothing
else; every question is logged like a delivery, with the hash of question, answer and salt, before
the answer is given. That a subject is not covered and that it has no grade read alike.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson

from hub.agreements.building import Asked, build_manifest, product_parts
from hub.agreements.refusing import record, rule_of
from hub.agreements.signing import get_in_force
from hub.errors import AgreementRefusedError, NotPublishedError
from hub.store.engine import writing
from protos.yixin.v1 import sharing_pb2
from security.errors import AgreementError
from security.sharing import verify_request
from security.sharing.coverage import is_class_of_askers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

    from hub.agreements.room import SharingRoom
    from security.sharing import Agreement

WORD = "query"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One question."""

    agreement: str
    """Id of the agreement."""
    subject: str
    """Subject asked for."""
    period: str
    """Rating period."""
    officer: str
    """Who asks on the asker's behalf, for the record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The answer to one question."""

    agreement: str
    """``id@version``."""
    rows: tuple[Mapping[str, str], ...]
    """One row for each class the subject is graded in, by field."""
    log_index: int
    """Leaf of the question in the transparency log."""


def answer(room: SharingRoom, question: Question, now_ms: int) -> Answer:
    """Answer one question, and log it.

    Args:
        room: The parts of the hub that share.
        question: What is asked.
        now_ms: Present moment, milliseconds since the epoch, UTC.

    Raises:
        AgreementRefusedError: No agreement covers it; the refusal was logged.
    """
    asked = orjson.dumps(
        {
            "agreement": question.agreement,
            "subject": question.subject,
            "period": question.period,
            "officer": question.officer,
        }
    )
    with writing(room.engine) as connection:
        try:
            agreement, rows = _answered(connection, question, now_ms)
            name, purpose, asker = agreement.reference, agreement.purpose, agreement.recipient
            said, rule, refusal = orjson.dumps(rows), "", None
        except (AgreementRefusedError, AgreementError) as error:
            refusal, rule, rows = error, rule_of(str(error)), []
            name, purpose, asker, said = question.agreement, "", "public", str(error).encode()
        log_index = record(
            connection,
            room.identity,
            asker=asker,
            agreement=name,
            purpose=purpose,
            period=question.period,
            question=asked,
            answer=said,
            rule=rule,
            word=WORD,
            now_ms=now_ms,
        )
    if refusal is not None:
        raise AgreementRefusedError(str(refusal)) from refusal
    return Answer(agreement=name, rows=tuple(rows), log_index=log_index)


def _answered(
    connection: Connection, question: Question, now_ms: int
) -> tuple[Agreement, list[dict[str, str]]]:
    agreement = get_in_force(connection, question.agreement, now_ms)
    if not agreement.query or not is_class_of_askers(agreement.recipient):
        raise AgreementError(f"query: {agreement.reference} answers no single questions")
    verify_request(agreement, asker=agreement.recipient, purpose=agreement.purpose, at_ms=now_ms)
    asked = Asked(period=question.period, subjects=(question.subject,))
    try:
        manifest = build_manifest(connection, agreement, asked)
        parts = product_parts(connection, agreement, asked, manifest)
        content = b"".join(sharing_pb2.Product.FromString(part).content for part in parts)
    except NotPublishedError:
        content = b""
    rows = list(csv.DictReader(content.decode().splitlines()))
    if not rows:
        raise AgreementError(
            f"subject: {agreement.reference} has no published grade of this subject for "
            f"{question.period}"
        )
    return agreement, rows
