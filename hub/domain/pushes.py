"""A grade push (推送) after decoding: what a lower hub published."""

from dataclasses import dataclass


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
