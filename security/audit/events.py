"""Leaves that stand for no envelope, judged by one closed table: every kind has its row.

A row says about whom such a leaf may speak, whether the bundle must show what its hash names, and
whether it stands under a sharing agreement. Rules: a kind without a row is invalid; every event
is the hub's own; what only the hub may read (a question and its answer, a refused request) is
proved to have been logged then, and nothing more.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from protos.yixin.v1 import transparency_pb2
from security.audit.operations import find_operator_failures
from security.audit.pack_checks import find_release_failures
from security.audit.report import Failure, Verdict
from security.audit.sharing import find_reference_failures
from security.chain import HASH_BYTES
from security.members import is_member_id

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from security.audit.evidence import Evidence

_ANY_SUBJECT: Final = 128


class Shown(StrEnum):
    """Whether what a leaf names must be in the bundle."""

    NEVER = "never"
    """Only the hub may read it."""
    ALWAYS = "always"
    """It is public among auditors; without it nothing is known."""
    APART = "apart"
    """A check of its own looks for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What is expected of the leaves of one kind."""

    name: str
    """Name of the kind in reports."""
    about: Callable[[str], bool]
    """Whether the leaf may be about this subject."""
    shown: Shown = Shown.NEVER
    """Whether what its hash names must be shown."""
    under_agreement: bool = False
    """Whether it must name a sharing agreement."""


def _nobody(subject: str) -> bool:
    return not subject


def _member(subject: str) -> bool:
    return is_member_id(subject)


def _member_or_nobody(subject: str) -> bool:
    return not subject or is_member_id(subject)


def _anybody(subject: str) -> bool:
    return len(subject) <= _ANY_SUBJECT and subject.isprintable()


EVENTS: Final[Mapping[int, Row]] = {
    transparency_pb2.LOG_KIND_PUBLICATION: Row(
        name="publication", about=_nobody, shown=Shown.APART
    ),
    transparency_pb2.LOG_KIND_PACK_RELEASE: Row(
        name="pack_release", about=_anybody, shown=Shown.APART
    ),
    transparency_pb2.LOG_KIND_CERTIFICATE: Row(
        name="certificate", about=_member, shown=Shown.ALWAYS
    ),
    # Only the newest list must be shown, which a check of the bundle says.
    transparency_pb2.LOG_KIND_REVOCATION: Row(
        name="revocation", about=_member_or_nobody, shown=Shown.APART
    ),
    transparency_pb2.LOG_KIND_AGREEMENT: Row(name="agreement", about=_anybody, shown=Shown.ALWAYS),
    transparency_pb2.LOG_KIND_QUERY: Row(name="query", about=_anybody, under_agreement=True),
    transparency_pb2.LOG_KIND_REFUSED_REQUEST: Row(name="refused_request", about=_anybody),
    transparency_pb2.LOG_KIND_OPERATOR: Row(name="operator", about=_anybody, shown=Shown.ALWAYS),
    transparency_pb2.LOG_KIND_POLICY: Row(
        name="policy", about=_member_or_nobody, shown=Shown.ALWAYS
    ),
    transparency_pb2.LOG_KIND_EMPTIED: Row(name="emptied", about=_member_or_nobody),
    transparency_pb2.LOG_KIND_ORIGIN: Row(name="origin", about=_nobody),
}
"""What is expected of every kind of leaf that stands for no envelope."""

NAMES: Final[Mapping[int, str]] = {
    transparency_pb2.LOG_KIND_ENVELOPE: "envelope",
    transparency_pb2.LOG_KIND_DELIVERY: "delivery",
} | {kind: row.name for kind, row in EVENTS.items()}
"""Name of every kind of leaf in reports."""


def find_event_failures(
    evidence: Evidence, index: int, leaf: transparency_pb2.LogLeaf
) -> list[Failure]:
    """Judge a leaf that stands for no envelope.

    Args:
        evidence: The bundle.
        index: Index of the leaf in the log.
        leaf: The leaf.
    """
    row = EVENTS.get(leaf.kind)
    if row is None:
        return [Failure(check="leaf", detail=f"leaves of kind {leaf.kind} are not known")]
    hub = evidence.manifest.hub
    failures = []
    if leaf.sender != hub:
        detail = f"{row.name} by {leaf.sender[:120]!r}, expected {hub}"
        failures.append(Failure(check="leaf", detail=detail))
    if not row.about(leaf.recipient):
        detail = f"{row.name} about {leaf.recipient[:120]!r}"
        failures.append(Failure(check="leaf", detail=detail))
    if leaf.lane or leaf.incarnation or leaf.seq or leaf.ciphertext_hash:
        detail = f"{row.name} with a place in a chain or a ciphertext: it is no envelope"
        failures.append(Failure(check="leaf", detail=detail))
    if len(leaf.envelope_hash) != HASH_BYTES:
        failures.append(Failure(check="leaf", detail=f"{row.name} without a hash"))
    if row.shown is Shown.ALWAYS and not evidence.is_shown(leaf.kind, leaf.envelope_hash):
        failures.append(
            Failure(
                check=f"{row.name}_missing",
                detail=f"what this leaf of kind {row.name} stands for is not in the bundle",
                verdict=Verdict.INDETERMINATE,
            )
        )
    if row.under_agreement:
        failures += find_reference_failures(evidence, leaf.agreement, leaf.logged_at_ms)
    special = _SPECIAL.get(leaf.kind)
    if special is not None:
        failures += special(evidence, index, leaf)
    return failures


_MAX_RANGE_CHARS: Final = 40


def _find_origin_failures(
    _evidence: Evidence, index: int, leaf: transparency_pb2.LogLeaf
) -> list[Failure]:
    """It stands at a place of the lost range that it names; of an empty range, at its begin."""
    first, _, end = leaf.purpose.partition(":")
    is_range = first.isdecimal() and end.isdecimal() and len(leaf.purpose) <= _MAX_RANGE_CHARS
    if is_range and int(first) <= index < max(int(end), int(first) + 1):
        return []
    return [Failure(check="leaf", detail="an origin stands in the lost range that it names only")]


def _find_emptied_failures(
    evidence: Evidence, index: int, leaf: transparency_pb2.LogLeaf
) -> list[Failure]:
    """An envelope can be emptied only after it was logged."""
    place = evidence.places.get(leaf.envelope_hash)
    if place is None and evidence.manifest.from_index:
        return []
    if place is None or evidence.manifest.from_index + place > index:
        return [Failure(check="leaf", detail="it empties an envelope that was not logged before")]
    return []


_SPECIAL: Final[
    Mapping[int, Callable[[Evidence, int, transparency_pb2.LogLeaf], list[Failure]]]
] = {
    transparency_pb2.LOG_KIND_ORIGIN: _find_origin_failures,
    transparency_pb2.LOG_KIND_EMPTIED: _find_emptied_failures,
    transparency_pb2.LOG_KIND_OPERATOR: find_operator_failures,
    transparency_pb2.LOG_KIND_PACK_RELEASE: find_release_failures,
}
