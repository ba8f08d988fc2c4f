"""One message of the national interface: decoded, its envelope checked, its content digested.

Order of the checks (the first that fails is the message's fault):
0. one JSON object of at most 4 MiB and 250 levels, in UTF-8 or GB18030;
1. shape: ``{infno, request, response}``, or the bare request with its ``input``;
2. infno known, and the same inside and outside;
3. msgid: institution code, moment and four digits; the institution is the sender;
4. the institution is under this node's custody;
5. inf_time is a moment, not in the future, not before 2000;
6. the response, when there is one, says whether the platform accepted the message.

The other keys of the head are checked for many messages at once (``heads.py``). Of a
key that stands twice in an object the last one counts, as every reader of JSON has it.

Source:
    National interface, message head (报文头).
"""

import hashlib
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import orjson

from node.domain.faults import Fault, Rule
from node.domain.institutions import CODE_PATTERN
from node.intake.encodings import as_utf8

__all__ = ["DIGEST_BYTES", "Envelope", "Message", "check_bare", "content_digest", "decode"]

DIGEST_BYTES: Final = 16
_MSGID: Final = re.compile(r"[HP][0-9]{29}")
_INF_TIME: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}")
_EARLIEST: Final = datetime(2000, 1, 1)  # noqa: DTZ001 - wall clock of Asia/Shanghai
_ACCEPTED: Final = (0, "0")


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """What a message head is checked against."""

    transactions: Collection[str]
    """Known transaction numbers."""
    institutions: frozenset[str]
    """Institutions under custody."""
    latest: datetime
    """Latest moment a message may carry, wall clock of Asia/Shanghai."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message whose head is in order."""

    place: int
    """Place of its line in the batch, from 0."""
    raw: bytes = field(repr=False)
    infno: str
    msgid: str
    institution: str
    inf_time: datetime
    """Wall clock of Asia/Shanghai."""
    request: Mapping[str, Any] = field(repr=False)
    response: Mapping[str, Any] | None = field(repr=False)
    input: Mapping[str, Any] = field(repr=False)
    """Of the request."""
    output: Mapping[str, Any] = field(repr=False)
    """Of the response; empty while there is none."""
    accepted: bool | None
    """None while there is no response."""
    request_digest: bytes
    response_digest: bytes | None

    @property
    def month(self) -> int:
        """Month of the message, yyyymm."""
        return self.inf_time.year * 100 + self.inf_time.month


def content_digest(value: object) -> bytes:
    """Digest a decoded JSON value, whatever the order of its keys and its spacing.

    >>> content_digest({"a": 1, "b": 2}) == content_digest({"b": 2, "a": 1})
    True
    """
    canonical = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(canonical).digest()[:DIGEST_BYTES]


def decode(place: int, raw: bytes, envelope: Envelope) -> Message | Fault:
    """Decode one line and check its head.

    Args:
        place: Place of the line in its batch, from 0.
        raw: The line, bounded by the reader.
        envelope: What the head is checked against.

    Returns:
        The message, or the first fault of its head.
    """
    loaded = _load(raw)
    if isinstance(loaded, Fault):
        return loaded
    document, raw = loaded
    parts = _parts(document)
    if isinstance(parts, Fault):
        return parts
    request, response = parts
    outer = document.get("infno", request.get("infno"))
    fault = _check_infno(outer, request, envelope) or _check_sender(request, envelope)
    inf_time = fault or _moment(request.get("inf_time"), envelope)
    if isinstance(inf_time, Fault):
        return inf_time
    answer = _answer(response)
    if isinstance(answer, Fault):
        return answer
    accepted, output = answer
    try:
        request_digest = content_digest(request)
        response_digest = None if response is None else content_digest(response)
    except TypeError as error:
        # Read but too deep to be written; the words of the error hold no content.
        return _shape(str(error), "at most 250 levels")
    return Message(
        place=place,
        raw=raw,
        infno=request["infno"],
        msgid=request["msgid"],
        institution=request["fixmedins_code"],
        inf_time=inf_time,
        request=request,
        response=response,
        input=request["input"],
        output=output,
        accepted=accepted,
        request_digest=request_digest,
        response_digest=response_digest,
    )


def check_bare(request: Mapping[str, Any], envelope: Envelope) -> datetime | Fault:
    """Check the head of a bare request that was decoded elsewhere.

    Returns:
        Its ``inf_time``, or the first fault of its head.
    """
    if not isinstance(request.get("input"), dict):
        return _shape("without request.input", "a request with an object 'input'")
    fault = _check_infno(request.get("infno"), request, envelope) or _check_sender(
        request, envelope
    )
    return fault or _moment(request.get("inf_time"), envelope)


def _load(raw: bytes) -> tuple[Any, bytes] | Fault:
    """Load JSON; returns it with its bytes in UTF-8."""
    try:
        return orjson.loads(raw), raw
    except orjson.JSONDecodeError as error:
        text = as_utf8(raw)
        if text is None:
            return Fault.told(Rule.UTF8_INVALID, "", "in neither encoding", "UTF-8 or GB18030")
        if text is raw:
            # The decoder's own words name a position only, never content.
            return Fault.told(Rule.JSON_BROKEN, "", str(error), "one whole JSON object")
        return _load(text)


def _parts(document: object) -> tuple[dict[str, Any], dict[str, Any] | None] | Fault:
    """Split a document into request and response."""
    if not isinstance(document, dict):
        return _shape(type(document).__name__, "one JSON object")
    if "request" in document:
        request, response = document["request"], document.get("response")
    else:
        request, response = document, None
    if not isinstance(request, dict) or not isinstance(request.get("input"), dict):
        return _shape("without request.input", "a request with an object 'input'")
    if response is not None and not isinstance(response, dict):
        return _shape("with a response that is no object", "an object or null as response")
    return request, response


def _answer(
    response: Mapping[str, Any] | None,
) -> tuple[bool | None, Mapping[str, Any]] | Fault:
    """Read whether the platform accepted, and what it put out."""
    if response is None:
        return None, {}
    infcode = response.get("infcode")
    if isinstance(infcode, bool) or not isinstance(infcode, (int, str)):
        return Fault.of(Rule.FIELD_MISSING, "response.infcode", infcode, "0 or -1")
    output = response.get("output") or {}
    if not isinstance(output, dict):
        return _shape("with a response.output that is no object", "an object")
    return infcode in _ACCEPTED, output


def _shape(found: str, expected: str) -> Fault:
    return Fault.told(Rule.MESSAGE_SHAPE, "", found, expected)


def _check_infno(outer: object, request: Mapping[str, Any], envelope: Envelope) -> Fault | None:
    inner = request.get("infno")
    if not isinstance(inner, str) or inner not in envelope.transactions:
        expected = "a transaction of the national interface"
        return Fault.of(Rule.INFNO_UNKNOWN, "request.infno", inner, expected)
    if outer != inner:
        return Fault.of(Rule.INFNO_MISMATCH, "infno", outer, f"{inner} as in the request")
    return None


def _check_sender(request: Mapping[str, Any], envelope: Envelope) -> Fault | None:
    msgid, institution = request.get("msgid"), request.get("fixmedins_code")
    if not isinstance(msgid, str) or not _MSGID.fullmatch(msgid):
        expected = "institution code, yyyyMMddHHmmss and four digits"
        return Fault.of(Rule.MSGID_FORMAT, "request.msgid", msgid, expected)
    known = envelope.institutions
    if not isinstance(institution, str) or not (
        institution in known or CODE_PATTERN.fullmatch(institution)
    ):
        expected = "H or P and eleven digits"
        return Fault.of(Rule.INSTITUTION_UNKNOWN, "request.fixmedins_code", institution, expected)
    if not msgid.startswith(institution):
        return Fault.of(Rule.MSGID_INSTITUTION, "request.msgid", msgid, f"{institution} first")
    if institution not in known:
        expected = "an institution under this node's custody"
        return Fault.of(Rule.INSTITUTION_UNKNOWN, "request.fixmedins_code", institution, expected)
    return None


def _moment(value: object, envelope: Envelope) -> datetime | Fault:
    name = "request.inf_time"
    if not isinstance(value, str) or not _INF_TIME.fullmatch(value):
        return Fault.of(Rule.DATE_INVALID, name, value, "yyyy-MM-dd HH:mm:ss")
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return Fault.of(Rule.DATE_INVALID, name, value, "a day of the calendar")
    if moment > envelope.latest:
        return Fault.of(Rule.DATE_FUTURE, name, value, f"{envelope.latest} at the latest")
    if moment < _EARLIEST:
        return Fault.of(Rule.DATE_TOO_EARLY, name, value, "2000-01-01 or later")
    return moment
