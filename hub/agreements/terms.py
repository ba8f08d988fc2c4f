"""Terms of sharing agreements (协议条款) as strict YAML, before a hub signs them.

Rules:
- A file is one agreement; every key is named, an unknown one is refused with file and line.
- The legal basis is a key of the catalogue's ``legal_basis.yaml``; where nobody has checked that
  source, the agreement counts as a proposal, and every list says so.
- The recipient is a member id, ``department/<code>`` in the hub's own division, ``parent``, or for
  queries a word such as ``public``; it is resolved when the hub signs.
- Validity is stated in days from the day of signing: shipped terms are never out of date.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Final

from scoring_kernel.bands import NOT_RATED
from scoring_kernel.errors import CatalogError
from scoring_kernel.strict_yaml import load_strict
from security.errors import AgreementError
from security.members import MemberKind, MemberName, is_member_id, parse_member_id
from security.sharing import FIELDS, INTERNAL_TYPES, Agreement, Frequency, agreement_body
from security.sharing.agreement import DEPARTMENT_PATTERN, WORD_PATTERN
from security.sharing.row_filter import filter_texts, parse_filter

if TYPE_CHECKING:
    from scoring_kernel import Catalog

PARENT: Final = "parent"
MODES: Final = ("push", "query")
DAY_MS: Final = 86_400_000
MAX_VALID_DAYS: Final = 1_827
_PROBE_MS: Final = 1_790_000_000_000
_PROBE_HUB: Final = "yixin://330300/hub/city"
_PROBE_PARENT: Final = "yixin://330000/hub/province"
_KEYS: Final = (
    "id",
    "name_zh",
    "recipient",
    "via",
    "mode",
    "purpose",
    "data_class",
    "payload_type",
    "subject_classes",
    "fields",
    "row_filter",
    "frequency",
    "retention_days",
    "valid_days",
    "legal_basis",
    "suppress_below",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What an agreement will say, once a hub signs it."""

    id: str
    """Word, unique at the hub."""
    name: str
    """Name for people."""
    recipient: str
    """As in the file; see the rules of this module."""
    via: str
    """Routing hub as in the file, or empty."""
    query: bool
    """Whether single questions are answered."""
    purpose: str
    """Declared purpose."""
    data_class: str
    """Data class of the products."""
    payload_type: str
    """Payload type of the products."""
    subject_classes: tuple[str, ...]
    """Classes of subjects."""
    fields: tuple[str, ...]
    """Fields, in the order of the product."""
    row_filter: str
    """Condition in the closed grammar, or empty."""
    frequency: str
    """How often."""
    retention_days: int
    """Days the recipient may keep it."""
    valid_days: int
    """Days it is valid from signing on."""
    legal_basis: str
    """Key of the legal basis."""
    suppress_below: int
    """Least count of a cell of a statistic; 0 for what is no statistic."""

    def made(
        self, *, provider: str, parent: str, version: int, begin_ms: int, recipient: str = ""
    ) -> Agreement:
        """The agreement these terms make.

        Args:
            provider: Member id of the signing hub.
            parent: Member id of its parent hub; empty where it has none.
            version: Version of the agreement.
            begin_ms: First moment of validity, milliseconds since the epoch, UTC.
            recipient: Another recipient than the one in the terms, or empty.

        Raises:
            AgreementError: A part is malformed, or the terms name a parent that there is not.
        """
        agreement = Agreement(
            id=self.id,
            version=version,
            name=self.name,
            provider=provider,
            recipient=resolved(recipient or self.recipient, provider, parent),
            via=resolved(self.via, provider, parent) if self.via else "",
            purpose=self.purpose,
            data_class=self.data_class,
            payload_type=self.payload_type,
            subject_classes=self.subject_classes,
            fields=self.fields,
            row_filter=self.row_filter,
            frequency=Frequency(self.frequency),
            retention_days=self.retention_days,
            legal_basis=self.legal_basis,
            valid_from_ms=begin_ms,
            valid_to_ms=begin_ms + self.valid_days * DAY_MS,
            suppress_below=self.suppress_below,
            query=self.query,
        )
        agreement_body(agreement)
        _refuse_unreachable(agreement)
        return agreement


def parse_terms(content: bytes, file: str, catalog: Catalog) -> Terms:
    """Read the terms of one agreement.

    Args:
        content: Bytes of the YAML file.
        file: Its name, for messages.
        catalog: Its models say which classes there are, its ``legal_basis`` which sources.

    Raises:
        AgreementError: The file breaks a rule; the message has file, line and what to do.
    """
    try:
        terms = _read(content, file, catalog)
    except CatalogError as error:
        raise AgreementError(str(error)) from error
    try:
        # Everything that does not depend on the signing hub is judged by signing rules at once.
        terms.made(provider=_PROBE_HUB, parent=_PROBE_PARENT, version=1, begin_ms=_PROBE_MS)
    except AgreementError as error:
        raise AgreementError(f"{file}: {error}") from error
    return terms


def doubts(terms: Terms, catalog: Catalog) -> tuple[str, ...]:
    """What may be meant, and probably is not: grades and classes in the filter that no model has.

    A model that is only to come may have them, so they are no mistakes.
    """
    models = catalog.models.values()
    known = {
        "grade": {band.id for model in models for band in model.bands} | {NOT_RATED},
        "subject_class": {model.subject_class for model in models},
    }
    return tuple(
        f"row_filter: no model of the catalogue has the {field} {value!r}, so no row has it; "
        f"known are {', '.join(sorted(known[field]))}"
        for field, value in dict.fromkeys(filter_texts(terms.row_filter))
        if field in known and value not in known[field]
    )


def shipped_terms(catalog: Catalog) -> dict[str, Terms]:
    """The terms that come with the program, by id."""
    found = (
        parse_terms(content, name, catalog) for name, content in sorted(_shipped_files().items())
    )
    return {terms.id: terms for terms in found}


def resolved(recipient: str, provider: str, parent: str) -> str:
    """The member id that a recipient of terms stands for; words for classes of askers stay.

    Raises:
        AgreementError: The hub has no parent, or the text names no recipient.
    """
    if recipient == PARENT:
        if not parent:
            raise AgreementError(
                "The terms name the parent hub and this hub has none; run `yixin hub join` first, "
                "or name a member with --recipient."
            )
        return parent
    if is_member_id(recipient) or re.fullmatch(WORD_PATTERN, recipient):
        return recipient
    if not re.fullmatch(DEPARTMENT_PATTERN, recipient):
        raise AgreementError(
            f"{recipient[:120]!r} names no recipient; expected a member id, department/<code>, "
            "parent, or a word for a class of askers."
        )
    division = parse_member_id(provider).division
    code = recipient.removeprefix("department/")
    return MemberName(division=division, kind=MemberKind.DEPARTMENT, code=code).member_id


@cache
def _shipped_files() -> dict[str, bytes]:
    folder = resources.files("hub.agreements") / "shipped"
    return {
        entry.name: entry.read_bytes() for entry in folder.iterdir() if entry.name.endswith(".yaml")
    }


def _refuse_unreachable(agreement: Agreement) -> None:
    """Refuse a recipient to whom nothing that is shared may go."""
    recipient = agreement.recipient
    if is_member_id(recipient) and parse_member_id(recipient).kind not in INTERNAL_TYPES:
        raise AgreementError(
            f"recipient: {recipient} is a {parse_member_id(recipient).kind}, and no payload under "
            "an agreement goes there; name a department or another hub"
        )


def _read(content: bytes, file: str, catalog: Catalog) -> Terms:
    section = load_strict(content, file)
    section.refuse_unknown(_KEYS)
    classes = section.texts("subject_classes", pattern=WORD_PATTERN)
    known = {model.subject_class for model in catalog.models.values()}
    for name in classes:
        if name not in known:
            raise section.error(
                f"subject_classes: found {name[:64]!r}, expected classes that a model of the "
                f"catalogue grades: {', '.join(sorted(known))}",
                "subject_classes",
            )
    fields = section.texts("fields", pattern=WORD_PATTERN)
    for name in fields:
        if name not in FIELDS:
            raise section.error(
                f"fields: found {name!r}, expected fields of published grades: {', '.join(FIELDS)}",
                "fields",
            )
    row_filter = section.find_text("row_filter") or ""
    try:
        parse_filter(row_filter)
    except AgreementError as error:
        raise section.error(f"row_filter: {error}", "row_filter") from error
    basis = section.text("legal_basis", pattern=WORD_PATTERN)
    if basis not in catalog.legal_basis:
        raise section.error(
            f"legal_basis: found {basis!r}, which is no key of legal_basis.yaml", "legal_basis"
        )
    return Terms(
        id=section.text("id", pattern=WORD_PATTERN),
        name=section.text("name_zh", max_chars=120),
        recipient=section.text("recipient", max_chars=200),
        via=section.find_text("via") or "",
        query=section.choice("mode", MODES) == "query",
        purpose=section.text("purpose", pattern=WORD_PATTERN),
        data_class=section.choice("data_class", ("grade", "statistic")),
        payload_type=section.text("payload_type", pattern=WORD_PATTERN),
        subject_classes=classes,
        fields=fields,
        row_filter=row_filter,
        frequency=section.choice("frequency", tuple(Frequency)),
        retention_days=section.integer("retention_days", least=1, most=3_660),
        valid_days=section.integer("valid_days", least=1, most=MAX_VALID_DAYS),
        legal_basis=basis,
        suppress_below=section.integer("suppress_below", least=0, most=1_000),
    )
