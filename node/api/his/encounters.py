"""Encounters out of the nesting of 3101 and 3102: patients, encounters, diagnoses, orders.

Rules:
- Every count is bounded before anything is read; beyond a bound nothing of the call is judged.
- What cannot be read is left out and named by its place, never by its value: the rest is judged.
- Amounts come as JSON numbers of at most two places, prices of at most six: they are rounded to
  the nearest fen and millionth, which is what the sender wrote.
- What is within the fund's scope is the amount less 自费 and 先行自付 of the order.
- Trace codes are asked for as ``drug_trac_info`` of an order, as in 2207; the published lists
  have no field for them.

Source:
    National interface, 3101 明细审核事前分析服务 and 3102 明细审核事中分析服务, requests.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from scoring_kernel.rules.live.encounter import DAY_S, Encounter, Order, date_of, moment_of

__all__ = ["MAX_ENCOUNTERS", "MAX_ORDERS", "Asked", "read_asked"]

MAX_ENCOUNTERS: Final = 50
"""Most encounters of one call."""
MAX_ORDERS: Final = 5_000
"""Most orders of one call."""
MAX_DIAGNOSES: Final = 500
"""Most diagnoses of one encounter."""
MAX_TRACES: Final = 100
"""Most trace codes of one order."""
MAX_FAULTS: Final = 20
_MAX_TEXT: Final = 200
_MAX_AMOUNT: Final = 1e11
_MAX_QUANTITY: Final = 1e9
_SCENES: Final = frozenset(str(number) for number in range(1, 11))
_INPATIENT: Final = frozenset("34589")
"""Scenes of 住院; the others are of 门诊 and 购药."""
_YES: Final = "1"
_NO: Final = "0"
_EARLIEST: Final = datetime(1900, 1, 1)  # noqa: DTZ001 - wall clock of Asia/Shanghai


@dataclass(slots=True, kw_only=True)
class Asked:
    """What a call asks to be judged."""

    infno: str
    scenes: tuple[str, ...]
    """Codes of trig_scen that are known."""
    rules: frozenset[str]
    """Rules that are asked for; empty for all of the scene."""
    task: str
    """task_id, as it came."""
    encounters: list[Encounter] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    """Places that could not be read."""

    def fault(self, place: str) -> None:
        """Note a place that could not be read."""
        if len(self.faults) < MAX_FAULTS:
            self.faults.append(place)


class _UnreadError(Exception):
    """A field cannot be read; the text is its name."""


def read_asked(infno: str, document: Mapping[str, Any], institution: str, now: int) -> Asked:
    """Read what a call asks.

    Args:
        infno: ``3101`` or ``3102``.
        document: ``input`` of the request.
        institution: The sender.
        now: The moment of the question, seconds of the wall clock since 1970.
    """
    data = _object(document.get("data")) or {}
    scenes = _text(data.get("trig_scen")) or ""
    listed = tuple(one for one in (part.strip() for part in scenes.split(",")) if one in _SCENES)
    rules = data.get("rule_ids")
    asked = Asked(
        infno=infno,
        scenes=listed,
        rules=frozenset(
            one
            for one in (rules if isinstance(rules, list) else ())[:_MAX_TEXT]
            if isinstance(one, str)
        ),
        task=_text(data.get("task_id")) or "",
    )
    if not listed:
        asked.fault("trig_scen")
    patients = data.get("patient_dtos", document.get("patient_dtos"))
    places = list(_rows(patients, "patient_dtos", asked))
    nested = [
        (f"{place}.{name}", patient, encounter)
        for place, patient in places
        for name, encounter in _rows(
            patient.get("fsi_encounter_dtos"), "fsi_encounter_dtos", asked, place
        )
    ]
    orders = sum(_length(one.get("fsi_order_dtos")) for _, _, one in nested)
    if len(nested) > MAX_ENCOUNTERS or orders > MAX_ORDERS:
        asked.fault("too many")
        return asked
    for place, patient, encounter in nested:
        if encounter.get("medins_id") != institution:
            asked.fault(f"{place}.medins_id")
            continue
        try:
            asked.encounters.append(_encounter(place, patient, encounter, now, asked))
        except _UnreadError as error:
            asked.fault(f"{place}.{error}")
    return asked


def _encounter(
    place: str,
    patient: Mapping[str, Any],
    stated: Mapping[str, Any],
    now: int,
    asked: Asked,
) -> Encounter:
    born = _find_moment(patient, "brdy")
    codes = _diagnoses(place, stated, asked)
    main = _text(stated.get("dscg_main_dise_codg")) or next(iter(codes), None)
    return Encounter(
        institution=_need(stated, "medins_id"),
        mdtrt_id=_text(stated.get("mdtrt_id")) or _text(patient.get("curr_mdtrt_id")) or "",
        person=_need(patient, "patn_id"),
        now=now,
        gender=_text(patient.get("gend")),
        born=None if born is None else date_of(born // DAY_S),
        med_type=_text(stated.get("med_type")),
        insutype=_text(stated.get("insutype")),
        inpatient=_is_inpatient(asked.scenes, _text(stated.get("med_type")) or ""),
        begins_at=_find_moment(stated, "adm_date"),
        ends_at=_find_moment(stated, "dscg_date"),
        level=_text(stated.get("medins_lv")),
        doctor=_text(stated.get("dr_codg")),
        main_icd=main,
        diagnoses=tuple(dict.fromkeys((*((main,) if main else ()), *codes))),
        fund_fen=_find_number(stated, "hifp_payamt", 100, _MAX_AMOUNT),
        planned=_flag(stated, "days_rinp_flag_31"),
        orders=tuple(_orders(place, stated, now, asked)),
    )


def _is_inpatient(scenes: tuple[str, ...], med_type: str) -> bool:
    """Tell by the scene, else by the kind of care (2x 住院, 52 生育住院)."""
    if scenes:
        return any(scene in _INPATIENT for scene in scenes)
    return med_type.startswith(("2", "52"))


def _diagnoses(place: str, stated: Mapping[str, Any], asked: Asked) -> tuple[str, ...]:
    """Codes of the diagnoses, the main one first."""
    rows = stated.get("fsi_diagnose_dtos")
    if _length(rows) > MAX_DIAGNOSES:
        asked.fault(f"{place}.fsi_diagnose_dtos")
        return ()
    found = [
        (row.get("maindise_flag") != _YES, code)
        for _, row in _rows(rows, "fsi_diagnose_dtos", asked, place)
        if (code := _text(row.get("dise_codg")))
    ]
    return tuple(code for _, code in sorted(found, key=lambda one: one[0]))


def _orders(place: str, stated: Mapping[str, Any], now: int, asked: Asked) -> Iterator[Order]:
    name = "fsi_order_dtos"
    for at, row in _rows(stated.get(name), name, asked, place):
        try:
            yield _order(row, now)
        except _UnreadError as error:
            asked.fault(f"{place}.{at}.{error}")


def _order(row: Mapping[str, Any], now: int) -> Order:
    amount = _number(row, "sumamt", 100, _MAX_AMOUNT)
    own = _find_number(row, "ownpay_amt", 100, _MAX_AMOUNT) or 0
    first = _find_number(row, "selfpay_amt", 100, _MAX_AMOUNT) or 0
    at = _find_moment(row, "drord_begn_date") or now
    get = row.get
    days = _find_number(row, "prd_days", 1, 10_000)
    stop = None if days is not None else _find_moment(row, "drord_stop_date")
    if stop is not None and stop // DAY_S > at // DAY_S:
        days = stop // DAY_S - at // DAY_S + 1
    return Order(
        id=_need(row, "rx_id"),
        item_code=_need(row, "hilist_code"),
        name=_text(get("hilist_name")) or "",
        at=at,
        day=at // DAY_S,
        amount_fen=amount,
        inscp_fen=amount - own - first,
        quantity_e4=_number(row, "cnt", 10_000, _MAX_QUANTITY),
        price_e6=_number(row, "pric", 1_000_000, _MAX_AMOUNT),
        is_current=get("curr_drord_flag") != _NO,
        doctor=_text(get("drord_dr_codg")),
        days=days,
        dose=_text(get("sin_dos_dscr")),
        frequency=_text(get("used_frqu_dscr")),
        maternity=_flag(row, "matn_fee_flag"),
        emergency=_flag(row, "er_flag"),
        traces=_traces(get("drug_trac_info", get("drugtracinfo"))),
        is_split=get("trdn_flag") == _YES,
    )


def _traces(value: object) -> tuple[str, ...] | None:
    if value is None:
        return None
    if not isinstance(value, list) or len(value) > MAX_TRACES:
        raise _UnreadError("drug_trac_info")
    found = [_text(one.get("drug_trac_codg")) for one in value if isinstance(one, dict)]
    return tuple(one for one in found if one)


def _rows(
    value: object, name: str, asked: Asked, within: str = ""
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Give the objects of a list with their places; one object stands for a list of one."""
    rows = value if isinstance(value, list) else [value] if isinstance(value, dict) else []
    if not rows and value not in (None, []):
        asked.fault(f"{within}.{name}".lstrip("."))
    for number, row in enumerate(rows):
        if isinstance(row, dict):
            yield f"{name}[{number}]", row
        else:
            asked.fault(f"{within}.{name}[{number}]".lstrip("."))


def _length(value: object) -> int:
    return len(value) if isinstance(value, list) else int(isinstance(value, dict))


def _object(value: object) -> Mapping[str, Any] | None:
    return value if isinstance(value, dict) else None


def _text(value: object) -> str | None:
    """A text, or a whole number written as one; None where there is none."""
    if isinstance(value, str):
        return value[:_MAX_TEXT] or None
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return None


def _need(row: Mapping[str, Any], name: str) -> str:
    found = _text(row.get(name))
    if found is None:
        raise _UnreadError(name)
    return found


def _flag(row: Mapping[str, Any], name: str) -> bool | None:
    found = _text(row.get(name))
    return None if found is None else found == _YES


def _number(row: Mapping[str, Any], name: str, scale: int, most: float) -> int:
    found = _find_number(row, name, scale, most)
    if found is None:
        raise _UnreadError(name)
    return found


def _find_number(row: Mapping[str, Any], name: str, scale: int, most: float) -> int | None:
    value = row.get(name)
    if value is None or value == "":
        return None
    number = _as_number(value)
    if number is None or not -most <= number <= most:
        raise _UnreadError(name)
    return round(number * scale)


def _as_number(value: object) -> int | float | None:
    kind = type(value)
    if kind is float or kind is int:
        return value  # type: ignore[return-value]  # its very type
    try:
        return float(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _find_moment(row: Mapping[str, Any], name: str) -> int | None:
    """A moment ``yyyy-MM-dd HH:mm:ss`` or a day ``yyyy-MM-dd``."""
    value = row.get(name)
    if value is None or value == "":
        return None
    found = _moment(value) if isinstance(value, str) else None
    if found is None:
        raise _UnreadError(name)
    return found


@lru_cache(maxsize=4_096)
def _moment(text: str) -> int | None:
    """Read a moment; the orders of an encounter mostly share theirs."""
    try:
        found = datetime.fromisoformat(text) if len(text) in (10, 19) else None
    except ValueError:
        return None
    if found is None or found.tzinfo is not None or found < _EARLIEST:
        return None
    return moment_of(found)
