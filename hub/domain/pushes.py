"""A grade push (推送) after decoding: what a lower hub published.

Rules: institutions, staff and organisations go up; insured persons never do, not even by a
pseudonym, whatever a lower hub's model says.
"""

from dataclasses import dataclass
from typing import Final

from scoring_kernel.subject_ids import INSTITUTION, ORGANISATION, STAFF, is_subject_id

PUSHED_TYPES: Final = (INSTITUTION, STAFF, ORGANISATION)
"""Types of subjects whose grades a hub takes from a lower one."""


def is_pushed_subject(text: str) -> bool:
    """Whether a text is the id of a subject whose grade may be pushed.

    >>> is_pushed_subject("H33030200001"), is_pushed_subject("D330302000001")
    (True, True)
    >>> is_pushed_subject("R0123456789abcdef0123456789abcdef")
    False
    """
    return any(is_subject_id(kind, text) for kind in PUSHED_TYPES)


@dataclass(frozen=True, slots=True, kw_only=True)
class PushedRow:
    """One grade as a lower hub published it."""

    subject: str
    subject_class: str
    period: str
    version: int
    total_centi: int
    grade: str
    basis: str
    model_digest: bytes
    statement_digest: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodedPush:
    """A part of a push.

    Attributes:
        period: Rating period.
        publication_root: Merkle root of the publication, 32 bytes.
        grades: The grades of this part.
    """

    period: str
    publication_root: bytes
    grades: tuple[PushedRow, ...]
