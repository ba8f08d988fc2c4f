"""Sharing agreements (共享协议): their body and the bounds of every part.

Rules: an agreement names recipient, purpose, subject classes, fields, row filter, frequency,
retention, legal basis and validity, or it is no agreement; what is signed passes the same checks
as what is received.

Source: design of trust, section 8.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from protos.yixin.v1 import sharing_pb2
from security.encoding import parse_exactly
from security.errors import AgreementError
from security.members import MemberKind, is_member_id, parse_member_id
from security.sharing.row_filter import parse_filter

if TYPE_CHECKING:
    from collections.abc import Callable

FORMAT: Final = 1
MAX_BODY_BYTES: Final = 16 * 1024
MAX_VALIDITY_MS: Final = 5 * 366 * 86_400_000
"""Nobody shares for ever: an agreement is made anew after five years at the latest."""
MAX_RETENTION_DAYS: Final = 3_660
LEAST_CELL: Final = 5
"""Cells of statistics under this count are suppressed, whatever an agreement says."""
MAX_DIMENSIONS: Final = 3

PRODUCT: Final = "product"
GRADE_PUSH: Final = "grade_push"
SHARED_TYPES: Final = frozenset({PRODUCT, GRADE_PUSH})
"""Payload types of what is shared: products, and pushes of grades to a parent hub."""
COUNT: Final = "count"
"""The field that makes a product a statistic: the others are then its dimensions."""
FIELDS: Final = (
    "subject",
    "subject_class",
    "name",
    "level",
    "type",
    "period",
    "version",
    "total",
    "grade",
    "basis",
    "model_sha256",
    "statement_sha256",
    COUNT,
)
"""Everything that can be shared: what a published grade says, and counts of such grades."""
DIMENSIONS: Final = frozenset({"subject_class", "level", "type", "grade", "basis"})

WORD_PATTERN: Final = r"[a-z][a-z0-9_]{0,63}"
DEPARTMENT_PATTERN: Final = r"department/[A-Za-z0-9._-]{1,64}"
_WORD: Final = re.compile(WORD_PATTERN)
_NAME: Final = re.compile(r"[^\x00-\x1f\x7f\u2028\u2029]{1,120}")
_MAX_VERSION: Final = 999_999
_MAX_MOMENT_MS: Final = 2**53


class Frequency(StrEnum):
    """How often a product of one agreement may be delivered."""

    HALF_YEAR = "half_year"
    YEAR = "year"
    MONTH = "month"
    DAY = "day"
    REQUEST = "request"


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """One version of a sharing agreement; every part was checked."""

    id: str
    """Word, unique at the provider."""
    version: int
    """Version, from 1; a later one replaces it."""
    name: str
    """Name for people."""
    provider: str
    """Member id of the hub that shares."""
    recipient: str
    """Member id of who receives, or a word for a class of askers such as ``public``."""
    via: str
    """Member id of the hub that routes the products unread, or empty."""
    purpose: str
    """Declared purpose."""
    data_class: str
    """Data class of the products: ``grade`` or ``statistic``."""
    payload_type: str
    """Payload type of the products."""
    subject_classes: tuple[str, ...]
    """Classes of subjects it covers."""
    fields: tuple[str, ...]
    """Fields it covers, in the order of the product."""
    row_filter: str
    """Condition in the closed grammar, or empty."""
    frequency: Frequency
    """How often."""
    retention_days: int
    """Days the recipient may keep it."""
    legal_basis: str
    """Key of the legal basis in the catalogue."""
    valid_from_ms: int
    """First moment, milliseconds since the epoch, UTC."""
    valid_to_ms: int
    """Last moment, same unit."""
    suppress_below: int
    """Cells of statistics under this count are suppressed; 0 for what is no statistic."""
    query: bool
    """True: single questions; false: products."""

    @property
    def reference(self) -> str:
        """Name in headers and leaves: ``id@version``."""
        return f"{self.id}@{self.version}"

    @property
    def is_statistic(self) -> bool:
        """Whether its products are counts."""
        return COUNT in self.fields

    def is_valid_at(self, at_ms: int) -> bool:
        """Whether a moment lies within the validity, ends included."""
        return self.valid_from_ms <= at_ms <= self.valid_to_ms


def agreement_body(agreement: Agreement) -> bytes:
    """Serialise an agreement, to be signed.

    Raises:
        AgreementError: A part is malformed.
    """
    _check(agreement)
    parts = {one.name: getattr(agreement, one.name) for one in fields(agreement)}
    return sharing_pb2.Agreement(format=FORMAT, **parts).SerializeToString(deterministic=True)


def parse_agreement(body: bytes) -> Agreement:
    """Read a serialised agreement; nobody has vouched for it yet.

    Raises:
        AgreementError: Not an agreement, or a part is malformed.
    """
    try:
        found = parse_exactly(sharing_pb2.Agreement, body, MAX_BODY_BYTES)
        frequency = Frequency(found.frequency)
    except ValueError as error:
        raise AgreementError(f"Agreement: {error}.") from error
    if found.format != FORMAT:
        raise AgreementError(f"Agreement: format {found.format}, expected {FORMAT}.")
    agreement = Agreement(
        id=found.id,
        version=found.version,
        name=found.name,
        provider=found.provider,
        recipient=found.recipient,
        via=found.via,
        purpose=found.purpose,
        data_class=found.data_class,
        payload_type=found.payload_type,
        subject_classes=tuple(found.subject_classes),
        fields=tuple(found.fields),
        row_filter=found.row_filter,
        frequency=frequency,
        retention_days=found.retention_days,
        legal_basis=found.legal_basis,
        valid_from_ms=found.valid_from_ms,
        valid_to_ms=found.valid_to_ms,
        suppress_below=found.suppress_below,
        query=found.query,
    )
    _check(agreement)
    return agreement


def _check(agreement: Agreement) -> None:
    for fault, holds in _RULES:
        if not holds(agreement):
            raise AgreementError(f"Agreement {agreement.id[:64]!r}: {fault}.")
    parse_filter(agreement.row_filter)


def _is_hub(member: str) -> bool:
    return is_member_id(member) and parse_member_id(member).kind is MemberKind.HUB


def _has_recipient(agreement: Agreement) -> bool:
    if agreement.query and _WORD.fullmatch(agreement.recipient):
        return True
    return is_member_id(agreement.recipient) and agreement.recipient != agreement.provider


def _has_route(agreement: Agreement) -> bool:
    if not agreement.via:
        return True
    return (
        not agreement.query
        and _is_hub(agreement.via)
        and agreement.via not in {agreement.provider, agreement.recipient}
    )


def _has_payload_type(agreement: Agreement) -> bool:
    if agreement.payload_type == GRADE_PUSH:
        return _is_hub(agreement.recipient) and not agreement.via and not agreement.is_statistic
    return agreement.payload_type in SHARED_TYPES


def _has_words(agreement: Agreement) -> bool:
    words = (
        agreement.id,
        agreement.purpose,
        agreement.data_class,
        agreement.payload_type,
        agreement.legal_basis,
    )
    return all(_WORD.fullmatch(word) for word in words)


def _has_classes(agreement: Agreement) -> bool:
    classes = agreement.subject_classes
    return (
        1 <= len(classes) <= 32
        and len(set(classes)) == len(classes)
        and all(_WORD.fullmatch(one) for one in classes)
    )


def _has_fields(agreement: Agreement) -> bool:
    named = agreement.fields
    return bool(named) and len(set(named)) == len(named) and set(named) <= set(FIELDS)


def _has_validity(agreement: Agreement) -> bool:
    begin, end = agreement.valid_from_ms, agreement.valid_to_ms
    return 0 < begin < end < _MAX_MOMENT_MS and end - begin <= MAX_VALIDITY_MS


def _has_suppression(agreement: Agreement) -> bool:
    if not agreement.is_statistic:
        return agreement.suppress_below == 0 and agreement.data_class != "statistic"
    dimensions = {*agreement.fields} - {COUNT}
    return (
        LEAST_CELL <= agreement.suppress_below <= 1_000
        and agreement.data_class == "statistic"
        and not agreement.query
        and dimensions <= DIMENSIONS
        and len(dimensions) <= MAX_DIMENSIONS
        and agreement.fields[-1] == COUNT
    )


_RULES: Final[tuple[tuple[str, Callable[[Agreement], bool]], ...]] = (
    ("id, purpose, data class, payload type and legal basis are lower-case words", _has_words),
    (f"a version is 1 to {_MAX_VERSION}", lambda one: 1 <= one.version <= _MAX_VERSION),
    ("a name is one line of 1 to 120 characters", lambda one: bool(_NAME.fullmatch(one.name))),
    ("the provider is a hub's member id", lambda one: _is_hub(one.provider)),
    ("the recipient is another member, or for queries a word", _has_recipient),
    ("products go through a hub that is neither end, or directly", _has_route),
    (f"the payload type is one of {', '.join(sorted(SHARED_TYPES))}", _has_payload_type),
    ("subject classes are 1 to 32 different words", _has_classes),
    (f"fields are different ones of {', '.join(FIELDS)}", _has_fields),
    ("queries are answered on request", lambda one: one.query <= (one.frequency == "request")),
    (
        f"the recipient keeps it 1 to {MAX_RETENTION_DAYS} days",
        lambda one: 1 <= one.retention_days <= MAX_RETENTION_DAYS,
    ),
    ("it is valid from one moment to a later one, at most five years", _has_validity),
    (
        (
            f"a statistic has data class statistic, at most {MAX_DIMENSIONS} dimensions of "
            f"{', '.join(sorted(DIMENSIONS))}, {COUNT} as its last field, and suppresses cells "
            f"below {LEAST_CELL} or more; everything else suppresses below 0"
        ),
        _has_suppression,
    ),
)
