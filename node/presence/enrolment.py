"""What a terminal sends to enrol a person, and what of it is refused.

Rules:
- No consent (单独同意), no template: its reference, its moment and its purposes are needed.
- Vectors are what a model makes: of its length, unit, finite; and all of one person.
- Numbers, words and vectors are read for searches and for the register too: what is wrong with
  one is told without saying what it was read for.
- Staff are enrolled for duty, the insured and proxies for visits and beds, never both in one.

Legal basis:
    中华人民共和国个人信息保护法 art. 28-31 (separate consent, purpose); basis: unchecked.
"""

import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, TypeVar

import numpy as np

from node.domain.face_templates import Purpose, Subject
from node.errors import TemplateError
from scoring_kernel.errors import TemplateMismatchError
from scoring_kernel.faces.arrays import FloatVector
from scoring_kernel.faces.matching import parse_vector, score_e4
from scoring_kernel.faces.transform import MAX_DIMENSION
from security.moments import to_ms

__all__ = ["Enrolment", "join_vectors", "parse_vectors", "read_number", "read_text"]

MAX_VECTORS: Final = 5
_MAX_CONSENT: Final = 100
_MAX_NAME: Final = 64
_MODEL_BYTES: Final = 32
_LATE_MS: Final = 5 * 60 * 1000
"""How far a terminal's clock may be ahead."""
_NUMBER: Final = re.compile(r"[!-~]{1,30}")
_FLOAT_BYTES: Final = 4
_LEAST_DIMENSION: Final = 2
_LEAST_LENGTH: Final = 1e-3
Kind = TypeVar("Kind", Subject, Purpose)
_FOR_STAFF: Final = frozenset((Purpose.DUTY,))


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolment:
    """An enrolment as it came, with the terminal that sent it."""

    person: str = field(repr=False)
    """psn_no, or code of a staff member."""
    subject: str
    """insured, staff or proxy."""
    purposes: tuple[str, ...]
    """visit, bed_check, duty."""
    consent: str
    """Reference of the signed consent, at most 100 characters."""
    consent_at_ms: int
    """When it was given, milliseconds since the epoch, UTC."""
    model: bytes
    """SHA-256 of the embedding model's file."""
    epoch: int
    """Of the transform that the vectors are under."""
    vectors: tuple[bytes, ...] = field(repr=False)
    """1 to 5, float32, little-endian, unit length, transformed."""
    operator: str
    """Who stood beside."""
    proxy_for: str = field(default="", repr=False)
    """psn_no of the person that a proxy may act for."""
    device: str
    """Id of the terminal."""
    institution: str
    """Where it stands."""

    def verify(self, now: datetime) -> tuple[Subject, frozenset[Purpose]]:
        """Refuse what is no enrolment.

        Args:
            now: The time, UTC-aware.

        Returns:
            As what, and what for.

        Raises:
            TemplateError: The first thing that is wrong.
        """
        read_number(self.person, "person")
        subject = _word(self.subject, "subject", Subject)
        purposes = frozenset(_word(one, "purpose", Purpose) for one in self.purposes)
        if not purposes:
            raise _refused("no purpose, expected those that the person consented to")
        is_staff = subject is Subject.STAFF
        if (is_staff and purposes != _FOR_STAFF) or (not is_staff and purposes & _FOR_STAFF):
            raise _refused(
                f"{subject} with {', '.join(sorted(purposes))}, expected staff with duty alone, "
                "others with visit or bed_check"
            )
        read_text(self.consent, "consent", _MAX_CONSENT)
        read_text(self.operator, "operator", _MAX_NAME)
        if not 0 < self.consent_at_ms <= to_ms(now) + _LATE_MS:
            raise _refused("a moment of consent that is missing or has not come, expected a past")
        if len(self.model) != _MODEL_BYTES:
            raise _refused(f"a model of {len(self.model)} bytes, expected its SHA-256")
        if self.proxy_for:
            read_number(self.proxy_for, "proxy_for")
            if subject is not Subject.PROXY or self.proxy_for == self.person:
                raise _refused("proxy_for with another subject or oneself, expected a proxy's")
        return subject, purposes


def parse_vectors(contents: tuple[bytes, ...], dimension: int | None) -> tuple[FloatVector, ...]:
    """Read the vectors of an enrolment or a search.

    Args:
        contents: As they came.
        dimension: Length d that the model has; None: not known yet.

    Returns:
        Unit vectors, shape (d,).

    Raises:
        TemplateError: None, too many, of another length, not unit, not finite.
    """
    if not 1 <= len(contents) <= MAX_VECTORS:
        raise _unread(f"{len(contents)} vectors, expected 1 to {MAX_VECTORS}")
    if dimension is None:
        dimension, rest = divmod(len(contents[0]), _FLOAT_BYTES)
        if rest or not _LEAST_DIMENSION <= dimension <= MAX_DIMENSION:
            raise _unread(f"a vector of {len(contents[0])} bytes, expected 4 a number")
    try:
        return tuple(parse_vector(one, dimension) for one in contents)
    except TemplateMismatchError as error:
        raise TemplateError(str(error)) from error


def join_vectors(vectors: tuple[FloatVector, ...], threshold_e4: int | None) -> FloatVector:
    """Join the vectors of one person: their mean, of unit length.

    Args:
        vectors: Unit vectors of one model and transform, shape (d,) each.
        threshold_e4: What two of them must reach, ten-thousandths; None: nothing is calibrated.

    Returns:
        Unit vector, shape (d,).

    Raises:
        TemplateError: They are not of one person, or nobody can tell.
    """
    if len(vectors) == 1:
        return vectors[0]
    if threshold_e4 is None:
        raise _refused(
            f"{len(vectors)} vectors at a site without a calibration, expected one vector: "
            "calibrate the site first (yixin node faces calibration import FILE)"
        )
    for place, one in enumerate(vectors):
        for other in vectors[:place]:
            score = score_e4(one, other)
            if score < threshold_e4:
                raise _refused(
                    f"vectors with likeness {score / 10_000:.4f}, expected at least "
                    f"{threshold_e4 / 10_000:.4f}: not one person; take the pictures again"
                )
    total = np.sum(vectors, axis=0, dtype=np.float64)
    length = float(np.linalg.norm(total))
    if length < _LEAST_LENGTH:
        raise _refused("vectors that cancel each other, expected those of one person")
    return np.asarray(total / length, np.float32)


def read_number(value: str, name: str) -> str:
    """Read the number of a person or staff member.

    Raises:
        TemplateError: Empty, too long, or with other signs; the value is not shown.
    """
    if _NUMBER.fullmatch(value) is None:
        raise _unread(f"{name} of {len(value)} characters, expected 1 to 30 letters and digits")
    return value


def read_text(value: str, name: str, longest: int) -> str:
    """Read words that are kept beside a template, or in the log.

    Raises:
        TemplateError: Empty, too long, or with signs that a terminal would obey.
    """
    if not value.strip() or len(value) > longest or not value.isprintable():
        raise _unread(f"{name} of {len(value)} characters, expected 1 to {longest}, on one line")
    return value


def _word(value: str, name: str, kind: type[Kind]) -> Kind:
    try:
        return kind(value)
    except ValueError as error:
        raise _refused(f"{name} {value[:20]!r}, expected one of {', '.join(kind)}") from error


def _unread(found: str) -> TemplateError:
    return TemplateError(f"found {found}")


def _refused(found: str) -> TemplateError:
    return TemplateError(f"found {found}; nobody was enrolled")
