"""Requests for products (共享申请): the bounds of every part, for who asks and for who answers.

Rules: what the hub would not answer is refused before it is queued, by the same check; whether an
agreement covers a request is not judged here.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from protos.yixin.v1 import sharing_pb2
from security.encoding import parse_exactly
from security.errors import AgreementError

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_REQUEST_BYTES: Final = 128 * 1024
MAX_SUBJECTS: Final = 1_000
MAX_NAMED: Final = 32
REQUEST_ID_BYTES: Final = 16
FORMAT: Final = 1

_PERIOD: Final = re.compile(r"[0-9]{4}H[12]")
_REFERENCE: Final = re.compile(r"[a-z][a-z0-9_]{0,63}@[1-9][0-9]{0,5}")
_WORD: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")
_SUBJECT: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def parse_request(payload: bytes) -> sharing_pb2.ProductRequest:
    """Read a serialised request and check its bounds.

    Raises:
        AgreementError: It does not parse, or a part is out of bounds.
    """
    try:
        request = parse_exactly(sharing_pb2.ProductRequest, payload, MAX_REQUEST_BYTES)
    except ValueError as error:
        raise AgreementError(f"The payload is no ProductRequest: {error}.") from error
    faults = {
        f"format {request.format}, expected {FORMAT}": request.format != FORMAT,
        "an agreement is named as id@version": not _REFERENCE.fullmatch(request.agreement),
        "a period is named as 2026H1": not _PERIOD.fullmatch(request.period),
        f"a request id has {REQUEST_ID_BYTES} bytes": len(request.request_id) != REQUEST_ID_BYTES,
        f"at most {MAX_SUBJECTS} subjects, each once, of up to 64 letters, digits, '.', '_', '-'": (
            not _are(request.subjects, _SUBJECT, MAX_SUBJECTS)
        ),
        f"at most {MAX_NAMED} fields, each once": not _are(request.fields, _WORD, MAX_NAMED),
        f"at most {MAX_NAMED} classes, each once": not (
            _are(request.subject_classes, _WORD, MAX_NAMED)
        ),
    }
    for fault, found in faults.items():
        if found:
            raise AgreementError(f"The request breaks a rule: {fault}.")
    return request


def _are(texts: Sequence[str], pattern: re.Pattern[str], most: int) -> bool:
    return (
        len(texts) <= most
        and len(set(texts)) == len(texts)
        and all(pattern.fullmatch(text) for text in texts)
    )
