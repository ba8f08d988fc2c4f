"""Claim, Coverage and ExplanationOfBenefit of FHIR R4 as rows of flat tables.

| table | one row is | key |
|---|---|---|
| ``fhir_claim`` | a Claim | ``claim_id`` |
| ``fhir_claim_line`` | a line of a Claim that is charged | ``claim_id``, ``line`` |
| ``fhir_coverage`` | a Coverage | ``coverage_id`` |
| ``fhir_eob`` | an ExplanationOfBenefit | ``eob_id`` |
| ``fhir_eob_line`` | a line of one that is charged | ``eob_id``, ``line`` |

Rules:

- A resource is flattened whole or refused whole.
- A line with details is given by its details where their net amounts add up to its
  own, else as itself: so no amount counts twice and none is lost. ``line`` is the path
  of sequence numbers, such as ``2.1.1``.
- ``submitted``, ``eligible``, ``copay``, ``deductible`` and ``benefit`` are amounts of
  the adjudication categories of R4; the line variables of Medicare's Blue Button,
  which Synthea writes, are read as the category they stand for.
- Contained resources belong to their resource and make no row of their own.

Source: HL7 FHIR R4 (4.0.1), financial module; CMS Blue Button 2.0 data dictionary.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from scoring_kernel.tables.errors import TableRule
from scoring_kernel.tables.fhir_values import (
    code_of,
    first_at,
    id_of,
    identifier_of,
    money_of,
    object_at,
    objects_at,
    period_of,
    system_of,
    text_at,
    words_of,
)
from scoring_kernel.tables.row_batches import RowFaultError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

CATEGORIES: Final = ("submitted", "eligible", "copay", "deductible", "benefit", "tax")
_BLUE_BUTTON: Final = {
    "line_sbmtd_chrg_amt": "submitted",
    "line_alowd_chrg_amt": "eligible",
    "line_coinsrnc_amt": "copay",
    "line_bene_ptb_ddctbl_amt": "deductible",
    "line_prvdr_pmt_amt": "benefit",
}
_HEAD: Final = (
    "identifier",
    "status",
    "use",
    "type",
    "patient",
    "provider",
    "facility",
    "insurer",
    "coverage_id",
    "doctor",
    "encounter",
    "diagnosis",
    "created_at",
    "begins_at",
    "ends_at",
    "currency",
    "lines",
)
_LINE: Final = (
    "line",
    "patient",
    "provider",
    "doctor",
    "encounter",
    "created_at",
    "product",
    "product_system",
    "product_words",
    "category",
    "begins_at",
    "ends_at",
    "quantity",
    "quantity_unit",
    "unit_price",
    "net",
    "currency",
)
TABLES: Final[Mapping[str, tuple[str, ...]]] = {
    "fhir_claim": ("claim_id", *_HEAD, "sub_type", "priority", "prescription", "total"),
    "fhir_claim_line": ("claim_id", *_LINE),
    "fhir_coverage": (
        "coverage_id",
        "identifier",
        "status",
        "type",
        "patient",
        "subscriber",
        "policy_holder",
        "relationship",
        "dependent",
        "insurer",
        "plan",
        "group",
        "network",
        "begins_at",
        "ends_at",
    ),
    "fhir_eob": ("eob_id", "claim_id", *_HEAD, "outcome", *CATEGORIES, "payment", "paid_at"),
    "fhir_eob_line": ("eob_id", "claim_id", *_LINE, *CATEGORIES),
}
"""Columns of each table, in order."""
HEADS: Final[Mapping[str, str]] = {
    "Claim": "fhir_claim",
    "Coverage": "fhir_coverage",
    "ExplanationOfBenefit": "fhir_eob",
}
"""Table of a resource itself, by its type."""

Row: TypeAlias = "dict[str, str | None]"


def flatten(resource: Mapping[str, Any], full_url: str | None) -> Iterator[tuple[str, Row]]:
    """Flatten a resource of one of the three types.

    Args:
        resource: The resource, parsed; its ``resourceType`` is one of ``HEADS``.
        full_url: Its address in a bundle, which names it where it has no id.

    Yields:
        Name of a table and a row of it, the resource's own row first.

    Raises:
        RowFaultError: The resource has no id, or a value of another shape than FHIR's.
    """
    own_id = text_at(resource, "id") or (id_of({"reference": full_url}) if full_url else None)
    if not own_id:
        raise RowFaultError(TableRule.CELL, "a resource without an id", "an id")
    match resource["resourceType"]:
        case "Coverage":
            yield "fhir_coverage", _coverage(resource, own_id)
        case "Claim":
            head: Row = {"claim_id": own_id, **_head(resource)}
            total, currency = money_of(object_at(resource, "total"))
            head["sub_type"] = code_of(object_at(resource, "subType"))
            head["priority"] = code_of(object_at(resource, "priority"))
            head["prescription"] = id_of(object_at(resource, "prescription"))
            head["total"] = total
            head["currency"] = currency or head["currency"]
            yield "fhir_claim", head
            for line in _lines(resource, head):
                yield "fhir_claim_line", {"claim_id": own_id, **line}
        case _:
            claim = id_of(object_at(resource, "claim"))
            ids: Row = {"eob_id": own_id, "claim_id": claim}
            head = ids | _head(resource) | _amounts(objects_at(resource, "total"))
            payment = object_at(resource, "payment")
            head["outcome"] = text_at(resource, "outcome")
            head["payment"], currency = money_of(object_at(payment, "amount"))
            head["paid_at"] = text_at(payment, "date")
            head["currency"] = head["currency"] or currency
            yield "fhir_eob", head
            for line in _lines(resource, head):
                yield "fhir_eob_line", ids | line


def _coverage(resource: Mapping[str, Any], own_id: str) -> Row:
    classes = {
        code_of(object_at(one, "type")): text_at(one, "value")
        for one in reversed(objects_at(resource, "class"))
    }
    payor = first_at(resource, "payor")
    begins, ends = period_of(object_at(resource, "period"))
    return {
        "coverage_id": own_id,
        "identifier": identifier_of(resource),
        "status": text_at(resource, "status"),
        "type": code_of(object_at(resource, "type")),
        "patient": id_of(object_at(resource, "beneficiary")),
        "subscriber": id_of(object_at(resource, "subscriber")),
        "policy_holder": id_of(object_at(resource, "policyHolder")),
        "relationship": code_of(object_at(resource, "relationship")),
        "dependent": text_at(resource, "dependent"),
        "insurer": id_of(payor) or text_at(payor, "display"),
        "plan": classes.get("plan"),
        "group": classes.get("group"),
        "network": text_at(resource, "network"),
        "begins_at": begins,
        "ends_at": ends,
    }


def _head(resource: Mapping[str, Any]) -> Row:
    insurances = objects_at(resource, "insurance")
    focal = [one for one in insurances if text_at(one, "focal") == "true"]
    coverage = object_at((focal or insurances or [{}])[0], "coverage")
    insurer = object_at(resource, "insurer")
    diagnosis = first_at(resource, "diagnosis")
    begins, ends = period_of(object_at(resource, "billablePeriod"))
    items = objects_at(resource, "item")
    amounts = [object_at(one, "net") for one in items]
    amounts += [object_at(one, "amount") for one in _list_of_totals(resource)]
    currencies = [text_at(one, "currency") for one in amounts]
    return {
        "identifier": identifier_of(resource),
        "status": text_at(resource, "status"),
        "use": text_at(resource, "use"),
        "type": code_of(object_at(resource, "type")),
        "patient": id_of(object_at(resource, "patient")),
        "provider": id_of(object_at(resource, "provider")),
        "facility": id_of(object_at(resource, "facility")),
        "insurer": id_of(insurer) or text_at(insurer, "display") or text_at(coverage, "display"),
        "coverage_id": id_of(coverage),
        "doctor": id_of(object_at(first_at(resource, "careTeam"), "provider")),
        "encounter": _encounter(items[0]) if items else None,
        "diagnosis": code_of(object_at(diagnosis, "diagnosisCodeableConcept"))
        or id_of(object_at(diagnosis, "diagnosisReference")),
        "created_at": text_at(resource, "created"),
        "begins_at": begins,
        "ends_at": ends,
        "currency": next((one for one in currencies if one), None),
        "lines": str(len(items)),
    }


def _list_of_totals(resource: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Give the totals of a resource: several of an ExplanationOfBenefit, none of a Claim."""
    is_claim = resource["resourceType"] == "Claim"
    return [] if is_claim else objects_at(resource, "total")


def _lines(resource: Mapping[str, Any], head: Row) -> Iterator[Row]:
    shared = {name: head[name] for name in ("patient", "provider", "doctor", "created_at")}
    for place, item in enumerate(objects_at(resource, "item"), start=1):
        served = period_of(object_at(item, "servicedPeriod"))
        day = text_at(item, "servicedDate")
        span = served if day is None else (day, day)
        for path, part in _charged(item, "", place):
            net, currency = money_of(object_at(part, "net"))
            price, of_price = money_of(object_at(part, "unitPrice"))
            quantity = object_at(part, "quantity")
            product = object_at(part, "productOrService")
            yield {
                "line": path,
                **shared,
                "encounter": _encounter(item),
                "product": code_of(product),
                "product_system": system_of(product),
                "product_words": words_of(product),
                "category": code_of(object_at(part, "category")),
                "begins_at": span[0],
                "ends_at": span[1],
                "quantity": text_at(quantity, "value"),
                "quantity_unit": text_at(quantity, "unit"),
                "unit_price": price,
                "net": net,
                "currency": currency or of_price or head["currency"],
                **_amounts(objects_at(part, "adjudication")),
            }


def _charged(
    part: Mapping[str, Any], above: str, place: int
) -> list[tuple[str, Mapping[str, Any]]]:
    """Give the parts of a line that carry its amount: its details, or itself."""
    path = above + (text_at(part, "sequence") or str(place))
    key = "subDetail" if above else "detail"
    details = objects_at(part, key) if above.count(".") < 2 else []
    found = [
        one
        for number, detail in enumerate(details, start=1)
        for one in _charged(detail, f"{path}.", number)
    ]
    own = _amount(part)
    below = [_amount(one) for _, one in found]
    if own is None or not found or None in below:
        return [(path, part)]
    return found if sum(one for one in below if one is not None) == own else [(path, part)]


def _amount(part: Mapping[str, Any]) -> Decimal | None:
    value = text_at(object_at(part, "net"), "value")
    try:
        return None if value is None else Decimal(value)
    except InvalidOperation:
        return None


def _amounts(parts: list[Mapping[str, Any]]) -> Row:
    """Give the amounts of totals or adjudications by their category."""
    found: Row = dict.fromkeys(CATEGORIES)
    for part in parts:
        code = (code_of(object_at(part, "category")) or "").rpartition("/")[2]
        category = _BLUE_BUTTON.get(code, code)
        if category in found and found[category] is None:
            found[category] = money_of(object_at(part, "amount"))[0]
    return found


def _encounter(item: Mapping[str, Any]) -> str | None:
    return id_of(first_at(item, "encounter"))
