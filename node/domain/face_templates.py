"""Face templates (人脸模板) as a node keeps them: for whom, what for, by which consent, until when.

Rules:
- A template is kept for purposes that the person consented to, and found for no other.
- Staff are seen on duty; the insured and their proxies at windows, beds and pharmacies.
- A revoked template keeps its row and loses its vector: who consented to what can still be shown.
"""

from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scoring_kernel.faces.arrays import FloatVector

__all__ = [
    "NewProxy",
    "NewTemplate",
    "Proxy",
    "Purpose",
    "Subject",
    "Template",
    "TemplateRow",
]


class Subject(StrEnum):
    """As what a person was enrolled."""

    INSURED = "insured"
    """参保人。"""
    STAFF = "staff"
    """Staff of an institution, by the code of the national register (医保医师、药师代码)."""
    PROXY = "proxy"
    """Somebody who fetches medicine for an insured person (代配药人)."""


class Purpose(StrEnum):
    """What a template may be compared for."""

    VISIT = "visit"
    """就诊核验。"""
    BED_CHECK = "bed_check"
    """查床。"""
    DUTY = "duty"
    """药师在岗。"""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewProxy:
    """Who may act for whom, and by which paper."""

    person: str = field(repr=False)
    """psn_no of the person acted for."""
    proxy: str = field(repr=False)
    """psn_no of the proxy."""
    begins_on: date
    ends_on: date
    """Last day."""
    consent: str
    """Reference of the signed authorisation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """A registered proxy."""

    kept: NewProxy
    made_at: str
    """ISO 8601, UTC."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NewTemplate:
    """A template to be kept."""

    person: str = field(repr=False)
    """psn_no, or code of a staff member."""
    subject: Subject
    purposes: frozenset[Purpose]
    consent: str
    """Reference of the signed consent."""
    consent_at: str
    """When it was given, ISO 8601, UTC."""
    model: bytes
    """SHA-256 of the embedding model's file, 32 bytes."""
    epoch: int
    """Of the transform that the vector is under."""
    vector: "FloatVector" = field(repr=False)
    """Unit length, transformed."""
    device: str
    """Terminal that enrolled; empty for none."""
    expires_on: date
    """First day on which it is kept no longer."""
    proxy: NewProxy | None = None
    """Registered with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateRow:
    """What stands beside a template in clear; no number of a person."""

    id: bytes
    """16 random bytes."""
    subject: Subject
    purposes: frozenset[Purpose]
    model: bytes
    epoch: int
    consent: str
    consent_at: str
    made_at: str
    made_by: str
    """Who stood beside."""
    device: str
    """Terminal that enrolled; empty for none."""
    expires_on: date
    """First day on which it is kept no longer."""
    revoked_at: str | None
    """ISO 8601, UTC; the vector is gone then."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Template:
    """A template that was opened."""

    row: TemplateRow
    person: str = field(repr=False)
    epoch: int
    """Of the transform that the vector is under here: always the newest one."""
    vector: "FloatVector" = field(repr=False)
