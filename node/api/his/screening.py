"""From the body of a call to a line for the intake, with what only this border knows.

0. GB18030 becomes UTF-8, where the Content-Type says so or the bytes do; a byte order mark goes.
1. The transaction fits the path.
2. The signature is right, where a key is configured.
3. A transaction of the node's own gets its answer beside the request, without moments, so that
   the same request is the same message when it is repeated.

What is wrong becomes the line's fault: the intake puts it into quarantine like any other.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email.message import Message as Header
from typing import Any, Final

import orjson

from node.api.his import UNIFORM_PATH
from node.api.his.signatures import Signers
from node.domain.faults import Fault, Rule
from node.domain.own_answers import is_own, own_answer
from node.intake.encodings import as_utf8
from node.intake.lines import MAX_LINE_BYTES, Line
from scoring_kernel.transactions import Transaction

__all__ = ["Call", "Screened", "Screening", "body_text", "paths_of"]

_GB: Final = frozenset(("gbk", "gb2312", "gb18030", "cp936", "x-gbk"))
_BOM: Final = b"\xef\xbb\xbf"
_JUDGED: Final = re.compile(rb'"infno"\s*:\s*"310[12]"')


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call, as it came."""

    path: str
    body: bytes = field(repr=False)
    """Cut after the longest message where it is longer."""
    content_type: str
    received_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Screened:
    """A line, and which transaction the node answers by itself."""

    line: Line
    own: str = ""


def paths_of(transactions: Iterable[Transaction]) -> Mapping[str, frozenset[str]]:
    """Group the transactions by the path that calls them."""
    found: dict[str, set[str]] = {}
    for transaction in transactions:
        if transaction.path is not None:
            found.setdefault(transaction.path, set()).add(transaction.infno)
    return {path: frozenset(infnos) for path, infnos in found.items()}


class Screening:
    """What a call is held against."""

    def __init__(
        self, paths: Mapping[str, frozenset[str]], signers: Signers, *, answers_own: bool
    ) -> None:
        """Take what calls are held against.

        Args:
            paths: Transactions by path; the uniform path takes them all.
            signers: Who must sign.
            answers_own: Whether bare requests of 3101 to 3103 are answered here.
        """
        self._paths = dict(paths)
        self._signers = signers
        self._answers_own = answers_own

    def screen(self, number: int, call: Call) -> Screened:
        """Make a line of a call.

        Args:
            number: Line, from 1, in the order of the calls.
            call: The call.
        """
        if len(call.body) > MAX_LINE_BYTES:
            fault = Fault.told(Rule.LINE_TOO_LONG, "", f"more than {MAX_LINE_BYTES} bytes", "fewer")
            digest = hashlib.sha256(call.body).digest()
            return Screened(line=Line(number=number, body=b"", fault=fault, digest=digest))
        body = body_text(call.body, call.content_type).strip()
        try:
            document = orjson.loads(body)
        except orjson.JSONDecodeError:
            return Screened(line=Line(number=number, body=body))  # The intake says what is wrong.
        request = document.get("request", document) if isinstance(document, dict) else None
        if not isinstance(request, dict):
            return Screened(line=Line(number=number, body=body))
        is_bare = document is request
        try:
            return self._screened(number, call.path, request, body, is_bare=is_bare)
        except orjson.JSONEncodeError as error:
            # Read but too deep to be written; the words of the error hold no content.
            fault = Fault.told(Rule.MESSAGE_SHAPE, "", str(error), "at most 250 levels")
            return Screened(line=Line(number=number, body=body, fault=fault))

    def find_judged(self, call: Call) -> tuple[Mapping[str, Any], bytes] | None:
        """Find a call that is judged here: a bare request of 3101 or 3102, with its body.

        Returns:
            None for any other call, and for one that has a fault: it is screened like all.
        """
        if not self._answers_own or len(call.body) > MAX_LINE_BYTES:
            return None
        if _JUDGED.search(call.body) is None:
            return None
        body = body_text(call.body, call.content_type).strip()
        try:
            request = orjson.loads(body)
            if not isinstance(request, dict) or request.get("infno") not in ("3101", "3102"):
                return None
            fault = self._path_fault(call.path, request) or self._signers.find_fault(request)
        except (orjson.JSONDecodeError, orjson.JSONEncodeError):
            return None
        return (request, body) if fault is None else None

    def _screened(
        self, number: int, path: str, request: Mapping[str, Any], body: bytes, *, is_bare: bool
    ) -> Screened:
        fault = self._path_fault(path, request) or self._signers.find_fault(request)
        if fault is not None:
            return Screened(line=Line(number=number, body=body, fault=fault))
        infno = request.get("infno")
        if self._answers_own and is_own(infno) and is_bare:
            return Screened(line=Line(number=number, body=_answered(request, infno)), own=infno)
        return Screened(line=Line(number=number, body=body))

    def _path_fault(self, path: str, request: Mapping[str, Any]) -> Fault | None:
        expected = self._paths.get(path)
        infno = request.get("infno")
        if path == UNIFORM_PATH or expected is None:
            return None
        if isinstance(infno, str) and infno in expected:
            return None
        names = " or ".join(sorted(expected))
        return Fault.of(Rule.INFNO_MISMATCH, "request.infno", infno, f"{names} at this path")


def body_text(body: bytes, content_type: str) -> bytes:
    """Turn a body into UTF-8; left as it is where it is in no known encoding."""
    if "charset" in content_type.lower() and _charset(content_type) in _GB:
        try:
            return body.decode("gb18030").encode()
        except UnicodeDecodeError:
            return body
    body = body.removeprefix(_BOM)
    return as_utf8(body) or body


def _charset(content_type: str) -> str | None:
    header = Header()
    header["Content-Type"] = content_type
    return header.get_content_charset()


def _answered(request: Mapping[str, Any], infno: str) -> bytes:
    output, _ = own_answer(infno)
    return orjson.dumps({"request": request, "response": {"infcode": 0, "output": output}})
