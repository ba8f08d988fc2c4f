"""How the records of each kind become facts of the live state; other kinds make none."""

from collections.abc import Mapping
from typing import Final

from node.store.live_digests import Place
from node.store.live_facts import (
    RECORD_ID,
    FactKind,
    FactSpec,
    all_of,
    columns,
    equal,
    having,
    moments,
    numbers,
    one_each,
    sent,
    settlements,
    stocks,
    visits,
)

__all__ = ["FACT_SPECS"]

_SPAN: Final = columns("begins_at", "ends_at", begins_at=moments, ends_at=moments)
_ID: Final = columns(RECORD_ID, record_id=sent)
_STOCK: Final = (*columns("batch", "entry", batch=stocks, entry=numbers), *_ID)
_VISIT: Final = ("institution", "mdtrt_id")

FACT_SPECS: Final[Mapping[str, tuple[FactSpec, ...]]] = {
    "admission": (
        FactSpec(
            kind=FactKind.ADMISSION,
            place=Place.VISIT,
            place_columns=_VISIT,
            key_columns=("inpatient",),
            body=(
                *columns("inpatient", "admitted_at", admitted_at=moments),
                *columns("diagnosis", "med_type", "insutype"),
                *_ID,
            ),
            day="admitted_at",
            person="person",
        ),
    ),
    "settlement": (
        FactSpec(
            kind=FactKind.SETTLEMENT,
            place=Place.VISIT,
            place_columns=_VISIT,
            key_columns=("setl_id", "sign"),
            body=(
                *columns("setl_id", "sign", "settled_at", setl_id=numbers, settled_at=moments),
                *columns("inpatient", "med_type", "insutype"),
                *columns("medfee_fen", "inscp_fen", "fund_fen"),
                *columns("batch", batch=numbers),
                *_ID,
            ),
            day="settled_at",
            person="person",
        ),
        FactSpec(
            kind=FactKind.REVERSAL,
            place=Place.SETTLEMENT,
            place_columns=("institution", "setl_id"),
            day="settled_at",
            where=equal("sign", -1),
        ),
        FactSpec(
            kind=FactKind.SETTLED_VISIT,
            place=Place.SETTLEMENT,
            place_columns=("institution", "setl_id"),
            body=columns("mdtrt_id", mdtrt_id=visits),
            day="settled_at",
            where=equal("sign", 1),
        ),
    ),
    "discharge": (
        FactSpec(
            kind=FactKind.DISCHARGE,
            place=Place.VISIT,
            place_columns=_VISIT,
            key_columns=(),
            body=(
                *columns(
                    "discharged_at", "discharge_way", "died", "diagnosis", discharged_at=moments
                ),
                *_ID,
            ),
            day="discharged_at",
            person="person",
        ),
    ),
    "cancellation": (
        FactSpec(
            kind=FactKind.CANCELLATION,
            place=Place.VISIT,
            place_columns=_VISIT,
            key_columns=(RECORD_ID, "what"),
            body=(*columns("what", "line", "batch", line=numbers, batch=numbers), *_ID),
            day="cancelled_at",
        ),
    ),
    "settlement_list": (
        FactSpec(
            kind=FactKind.SETTLEMENT_LIST,
            place=Place.VISIT,
            place_columns=_VISIT,
            key_columns=("setl_id",),
            body=columns("planned_readmission"),
            day="discharged_at",
        ),
    ),
    "diagnosis": (
        FactSpec(
            kind=FactKind.DIAGNOSIS,
            place=Place.VISIT,
            place_columns=_VISIT,
            key_columns=("what", "code"),
            body=columns("what", "code", "main"),
            day="at",
        ),
    ),
    "fee_detail": (
        FactSpec(
            kind=FactKind.FEE_DETAIL,
            place=Place.VISIT,
            place_columns=_VISIT,
            key_columns=("line",),
            body=(
                *columns("line", "item_code", "occurred_at", line=numbers, occurred_at=moments),
                *columns("amount_fen", "inscp_fen", "quantity_e4", "days"),
                *columns("refund_of", "batch", refund_of=numbers, batch=numbers),
                *columns("doctor", doctor=numbers),
                *_ID,
            ),
            day="occurred_at",
            person="person",
        ),
    ),
    "trace_code": (
        FactSpec(
            kind=FactKind.TRACE_CODE,
            place=Place.TRACE,
            place_columns=("code",),
            key_columns=(RECORD_ID, "what"),
            body=(
                *columns("what", "institution", "item_code", "split"),
                *columns("occurred_at", "setl_id", occurred_at=moments, setl_id=settlements),
                *columns("source", source=numbers),
                *_STOCK,
            ),
            day="occurred_at",
        ),
        FactSpec(
            kind=FactKind.TRACED_PURCHASES,
            place=Place.INSTITUTION,
            place_columns=("institution",),
            day="occurred_at",
            where=one_each(equal("what", "purchase")),
        ),
    ),
    "stock_movement": (
        FactSpec(
            kind=FactKind.TRACE_MOVEMENT,
            place=Place.TRACE,
            place_columns=("trace",),
            key_columns=(RECORD_ID, "what"),
            body=(
                *columns("what", "institution", "item_code", "split"),
                *columns("occurred_at", "setl_id", occurred_at=moments, setl_id=settlements),
                *columns(RECORD_ID, record_id=numbers),
                *_STOCK,
            ),
            day="occurred_at",
            where=having("trace"),
        ),
    ),
    "stock_deletion": (
        FactSpec(
            kind=FactKind.STOCK_DELETION,
            place=Place.STOCK,
            place_columns=("institution", "batch", "what"),
            key_columns=(RECORD_ID,),
            body=_ID,
            day="deleted_at",
        ),
    ),
    "identity_event": (
        FactSpec(
            kind=FactKind.IDENTITY_EVENT,
            place=Place.PERSON,
            place_columns=("person",),
            key_columns=("institution", "at", "place"),
            body=(
                *columns(
                    "institution",
                    "mdtrt_id",
                    "at",
                    "place",
                    "result",
                    at=moments,
                    mdtrt_id=visits,
                ),
                *columns("score_e4", "override_reason", override_reason=numbers),
                *columns("threshold_e4"),
            ),
            day="at",
        ),
    ),
    "insurance_status": (
        FactSpec(
            kind=FactKind.INSURANCE_STATUS,
            place=Place.PERSON,
            place_columns=("person",),
            key_columns=("institution", "month", "insutype", "status"),
            body=(
                *columns("insutype", "status", "begins_at", "paused_at", "stated_at")[:2],
                *columns("begins_at", "paused_at", begins_at=moments, paused_at=moments),
                *columns("stated_at", stated_at=moments),
            ),
            day="stated_at",
        ),
    ),
    "death": (
        FactSpec(
            kind=FactKind.DEATH,
            place=Place.PERSON,
            place_columns=("person",),
            key_columns=("institution",),
            body=columns("died_at", died_at=moments),
            day="died_at",
        ),
    ),
    "benefit_freeze": (
        FactSpec(
            kind=FactKind.BENEFIT_FREEZE,
            place=Place.PERSON,
            place_columns=("person",),
            key_columns=("institution", "begins_at"),
            body=_SPAN,
            day="begins_at",
        ),
    ),
    "approved_purchase": (
        FactSpec(
            kind=FactKind.APPROVED_PURCHASE,
            place=Place.PERSON,
            place_columns=("person",),
            key_columns=("institution", "item_code", "begins_at"),
            body=(*columns("item_code"), *_SPAN),
            day="begins_at",
        ),
    ),
    "staff_member": (
        FactSpec(
            kind=FactKind.STAFF_MEMBER,
            place=Place.STAFF,
            place_columns=("staff",),
            key_columns=("institution", "month", "type"),
            body=(*columns("institution", "type", "insured_doctor"), *_SPAN),
            day="stated_at",
        ),
        FactSpec(
            kind=FactKind.ROSTERED,
            place=Place.INSTITUTION,
            place_columns=("institution",),
            day="stated_at",
            where=one_each(all_of),
        ),
    ),
    "staff_qualification": (
        FactSpec(
            kind=FactKind.STAFF_QUALIFICATION,
            place=Place.STAFF,
            place_columns=("staff",),
            key_columns=("institution", "begins_at"),
            body=(*columns("institution", "status"), *_SPAN),
            day="begins_at",
        ),
    ),
    "agreement_status": (
        FactSpec(
            kind=FactKind.AGREEMENT_STATUS,
            place=Place.INSTITUTION,
            place_columns=("institution",),
            key_columns=("begins_at",),
            body=(*columns("status"), *_SPAN),
            day="begins_at",
        ),
    ),
    "institution_profile": (
        FactSpec(
            kind=FactKind.INSTITUTION_PROFILE,
            place=Place.INSTITUTION,
            place_columns=("institution",),
            key_columns=("begins_at",),
            body=(*columns("level", "group_code"), *_SPAN),
            day="begins_at",
        ),
    ),
    "price_cap": (
        FactSpec(
            kind=FactKind.PRICE_CAP,
            place=Place.ITEM,
            place_columns=("item_code",),
            key_columns=("institution", "begins_at", "type"),
            body=(*columns("institution", "type", "cap_e6", "valid"), *_SPAN),
            day="begins_at",
        ),
    ),
}
"""By kind of record; other kinds make no facts."""
