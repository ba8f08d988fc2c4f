"""Asks of the counter (核验请求) and their answers: lines of JSON; no I/O.

Rules:
- A line is bounded, every key is known and every value has its type and length, or the line is
  refused with words that quote none of it.
- Who names a reason names who answers for it; a reason other than a proxy needs no face.
- An answer names no person: who asked knows whom, by ``id`` or by the order of lines.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeVar

import orjson

from edge_devices.errors import DeviceConfigurationError
from edge_devices.face_terminals.events import Purpose, Reason, Subject
from security.moments import to_ms

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from protos.yixin.v1 import edge_pb2

__all__ = ["MAX_LINE_BYTES", "Answer", "Ask", "ask_of_node", "parse_ask"]

MAX_LINE_BYTES: Final = 4096
WordT = TypeVar("WordT", Purpose, Reason)

_NUMBER: Final = re.compile(r"[!-~]{1,30}")
_LENGTHS: Final[Mapping[str, int]] = {
    "id": 40,
    "person": 30,
    "visit": 30,
    "purpose": 10,
    "reason": 10,
    "text": 200,
    "staff": 30,
    "proxy": 30,
}
_LEAST_TEXT: Final = 4
_PURPOSES: Final[Mapping[int, Purpose]] = {
    1: Purpose.VISIT,
    2: Purpose.BED_CHECK,
    3: Purpose.DUTY,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """Somebody to verify."""

    subject: Subject
    """Whom, and what for."""
    id: str = ""
    """The asker's own mark, given back with the answer."""
    until: int | None = None
    """Milliseconds since the epoch: later it is not asked any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What is told to who asked."""

    id: str
    """Of the ask."""
    verdict: str
    """match, mismatch, absent, spoof or unjudged; what the node holds may differ."""
    cause: str | None = None
    """Why nothing was judged; beside the causes of events: ``queue_full``, ``stopped``."""
    problem: str | None = field(default=None)
    """The cause in words."""
    reason: str | None = None
    """Why somebody else, or nobody, was verified, as it was asked."""
    score_e4: int | None = None
    """Similarity, ten-thousandths."""
    threshold_e4: int | None = None
    """Threshold that was in force here."""
    liveness: str | None = None
    """live, spoof or not_checked."""
    attempts: int = 0
    """Frames tried."""
    seq: int | None = None
    """Number of the event in the queue; None: no event was kept."""
    delivered: bool = False
    """Whether the node holds the event already."""

    def to_json(self) -> dict[str, Any]:
        """As an object of JSON."""
        return {name: getattr(self, name) for name in self.__slots__}


def parse_ask(line: bytes) -> Ask:
    """Read one line.

    Args:
        line: An object of JSON: ``person``; where wanted ``id``, ``visit``, ``purpose``
            (visit, bed_check or duty), ``reason`` (proxy, child, voucher, emergency or manual),
            ``text``, ``staff``, ``proxy``.

    Returns:
        The ask.

    Raises:
        DeviceConfigurationError: Anything else.

    >>> parse_ask(b'{"person": "33030200000000000017", "id": "w3-1"}').id
    'w3-1'
    """
    if len(line) > MAX_LINE_BYTES:
        raise _wrong(f"found a line of {len(line)} bytes, expected at most {MAX_LINE_BYTES}")
    try:
        values = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise _wrong("found a line that is no JSON") from error
    if not isinstance(values, dict):
        raise _wrong("found JSON that is no object")
    unknown = sorted(name for name in values if name not in _LENGTHS)
    if unknown:
        raise _wrong(f"found {len(unknown)} unknown keys, expected some of {', '.join(_LENGTHS)}")
    texts = {name: _text(name, values.get(name)) for name in _LENGTHS}
    subject = Subject(
        person=texts["person"],
        purpose=_word("purpose", texts["purpose"] or Purpose.VISIT, Purpose),
        visit=texts["visit"],
        reason=_word("reason", texts["reason"], Reason) if texts["reason"] else None,
        reason_text=texts["text"],
        staff=texts["staff"],
        proxy=texts["proxy"],
    )
    _verify_subject(subject)
    return Ask(subject=subject, id=texts["id"])


def ask_of_node(ask: edge_pb2.Ask) -> Ask | None:
    """What the node asks for; None for something that this program does not know.

    Args:
        ask: As it came.
    """
    purpose = _PURPOSES.get(ask.purpose)
    if purpose is None or not _NUMBER.fullmatch(ask.person) or not ask.id:
        return None
    subject = Subject(person=ask.person, purpose=purpose, visit=ask.visit, round=ask.id)
    return Ask(subject=subject, until=ask.until_ms)


def is_over(ask: Ask, now: datetime) -> bool:
    """Whether the time of an ask has passed."""
    return ask.until is not None and ask.until <= to_ms(now)


def _verify_subject(subject: Subject) -> None:
    if not subject.person:
        raise _wrong("person: expected the number of the person")
    for name, value in (
        ("person", subject.person),
        ("visit", subject.visit),
        ("proxy", subject.proxy),
        ("staff", subject.staff),
    ):
        if value and not _NUMBER.fullmatch(value):
            raise _wrong(f"{name}: expected a number of 1 to 30 letters, digits and signs")
    reason = subject.reason
    if reason is None:
        if subject.proxy or subject.reason_text:
            raise _wrong("found proxy or text without a reason; name the reason")
        return
    if not subject.staff:
        raise _wrong("found a reason without staff; name who answers for it")
    if (reason is Reason.PROXY) != bool(subject.proxy):
        raise _wrong("proxy: expected with the reason proxy, and only with it")
    if subject.purpose is not Purpose.VISIT and (subject.purpose, reason) != (
        Purpose.BED_CHECK,
        Reason.MANUAL,
    ):
        raise _wrong("found a reason that does not go with the purpose; leave it out")
    if reason is Reason.MANUAL and len(subject.reason_text.strip()) < _LEAST_TEXT:
        raise _wrong(f"text: expected at least {_LEAST_TEXT} characters with the reason manual")


def _text(name: str, value: object) -> str:
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > _LENGTHS[name] or not value.isprintable():
        raise _wrong(f"{name}: expected text of at most {_LENGTHS[name]} printable characters")
    return value.strip()


def _word(name: str, value: str, kind: type[WordT]) -> WordT:
    try:
        return kind(value)
    except ValueError as error:
        raise _wrong(f"{name}: expected one of {', '.join(kind)}") from error


def _wrong(problem: str) -> DeviceConfigurationError:
    return DeviceConfigurationError(f"ask: {problem}; nothing was verified")
