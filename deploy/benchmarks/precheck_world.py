"""People, registers and calls for P6: a state of so many insured persons, and what is asked of it.

Every call carries what a hospital's system sends: a patient, an encounter, one to eight orders. Of
ten calls about one orders what its patient must not have, and is warned.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
import orjson
import pyarrow as pa

from deploy.simulation.codes import institution_code, staff_code
from node.config import NODE_KEY
from node.domain.records import record_schemas
from node.store import NodeStore
from node.store.knowledge import NewImport
from node.store.live_state import LiveWriter
from scoring_kernel import load_catalog
from security.at_rest import Vault
from security.moments import SHANGHAI

__all__ = ["World", "calls", "fill_state", "put_knowledge"]

HOSPITAL: Final = institution_code("H", "330302", 1)
PHARMACY: Final = institution_code("P", "330302", 1)
_DOCTORS: Final = [staff_code("D", "330302", number + 1) for number in range(50)]
_DRUGS: Final = [f"XC08CAA{number:03d}A001010100001" for number in range(400)]
_LIMITED: Final = [f"XG03AA{number:04d}A00101010001" for number in range(6_000)]
"""Drugs for women."""
_ITEMS: Final = [f"0012{number:05d}000000"[:15] for number in range(900)]
_CHUNK: Final = 50_000
_FRESH_S: Final = 600
_SEED: Final = 20_260_401
_TRACES: Final = 200_000


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What the calls are made for."""

    persons: int
    now: datetime
    """Wall clock of Asia/Shanghai."""


def person(number: int) -> str:
    """Number of an insured person."""
    return f"330300{number:020d}"


def gender(number: int) -> str:
    """Sex of an insured person."""
    return "1" if number % 2 else "2"


def fill_state(directory: Path, world: World) -> int:
    """Make the live state of a node as its daemon would out of its records.

    Args:
        directory: A node's state directory.
        world: How many persons.

    Returns:
        Number of facts.
    """
    writer = LiveWriter(directory, Vault.load(directory / NODE_KEY))
    try:
        return sum(writer.apply([batch], None) for batch in _records(world))
    finally:
        writer.close()


def put_knowledge(store: NodeStore, world: World) -> None:
    """Import about as many limits as the national points are."""
    tables: dict[str, list[dict[str, str | int | None]]] = {
        "k_drug_gender": [{"code": code, "gender": "2"} for code in _LIMITED],
        "k_drug_child": [{"code": f"{code[:-4]}9999", "stage": "child"} for code in _LIMITED],
        "k_item_mutex": [
            {"code": code, "sub_code": other, "scope": "day"} for code, other in pairwise(_ITEMS)
        ],
        "k_item_freq": [{"code": code, "day_limit": 5, "hourly": 0} for code in _ITEMS[:70]],
    }
    store.supervision.import_knowledge(
        NewImport(
            sha256=bytes(32),
            source="benchmark",
            begins_on="2021-05-01",
            imported_at=world.now.isoformat(),
            operator="benchmark",
            unbound=0,
            tables=tables,
        )
    )


def _records(world: World) -> Iterator[tuple[str, pa.Table]]:
    yield from _registers(world)
    rng = np.random.default_rng(_SEED)
    for first in range(0, world.persons, _CHUNK):
        numbers = range(first, min(first + _CHUNK, world.persons))
        persons = [person(number) for number in numbers]
        visits = [f"V{number:012d}" for number in numbers]
        days = [
            world.now - timedelta(days=int(day), hours=2)
            for day in rng.integers(1, 90, len(numbers))
        ]
        common = {"institution": HOSPITAL, "person": persons, "mdtrt_id": visits}
        yield _table(
            "settlement",
            **common,
            settled_at=days,
            setl_id=visits,
            sign=1,
            insutype="310",
            med_type="11",
            inpatient=False,
            medfee_fen=9_560,
            inscp_fen=9_000,
            fund_fen=6_000,
        )
        for line in range(2):
            yield _table(
                "fee_detail",
                **common,
                line=[f"L{line}"] * len(numbers),
                occurred_at=days,
                item_code=[_DRUGS[code] for code in rng.integers(0, len(_DRUGS), len(numbers))],
                amount_fen=4_500,
                inscp_fen=4_500,
                quantity_e4=10_000,
                price_e6=45_000_000,
                days=7,
            )
        yield _table(
            "insurance_status",
            institution=HOSPITAL,
            person=persons,
            insutype="310",
            status="1",
            stated_at=days,
        )
        yield _table(
            "identity_event",
            institution=HOSPITAL,
            person=persons,
            at=world.now - timedelta(seconds=_FRESH_S),
            place="window",
            result="match",
            score_e4=9_300,
        )
        inside = [number for number in numbers if number % 50 == 0]
        yield _table(
            "admission",
            institution=HOSPITAL,
            person=[person(number) for number in inside],
            mdtrt_id=[f"S{number:012d}" for number in inside],
            admitted_at=world.now - timedelta(days=3),
            inpatient=True,
            diagnosis="I10.x00",
        )


def _registers(world: World) -> Iterator[tuple[str, pa.Table]]:
    begun = datetime(2025, 1, 1)  # noqa: DTZ001 - wall clock of the records
    for code, level in ((HOSPITAL, "05"), (PHARMACY, "11")):
        yield _table("agreement_status", institution=[code], status="active", begins_at=begun)
        yield _table("institution_profile", institution=[code], level=level, begins_at=begun)
        yield _table(
            "staff_member",
            institution=code,
            staff=list(_DOCTORS),
            type="1",
            begins_at=begun,
            stated_at=begun,
        )
    for code in (HOSPITAL, PHARMACY):
        yield _table(
            "trace_code",
            institution=code,
            code=[f"8{number:019d}" for number in range(_TRACES)],
            record_id=[f"{code}#{number}" for number in range(_TRACES)],
            what="purchase",
            source="benchmark",
            item_code=[_DRUGS[number % len(_DRUGS)] for number in range(_TRACES)],
            occurred_at=world.now - timedelta(days=30),
        )


def _table(kind: str, **given: Any) -> tuple[str, pa.Table]:  # noqa: ANN401 - columns of any kind
    """Make records; a value that is no list stands in every row."""
    schema = record_schemas(load_catalog().records)[kind]
    rows = max(len(value) for value in given.values() if isinstance(value, list))
    defaults = {"string": "", "bool": False}
    columns = []
    for field in schema:
        value = given.get(field.name)
        if value is None and not field.nullable:
            value = defaults.get(str(field.type), 0 if pa.types.is_integer(field.type) else None)
        if field.name == "month":
            value = 202_603
        columns.append(pa.array(value if isinstance(value, list) else [value] * rows, field.type))
    return kind, pa.table(columns, schema=schema)


_SCENES: Final = (
    *((("3101", "1"),) * 2),
    *((("3101", "2"),) * 3),
    ("3101", "3"),
    ("3101", "4"),
    ("3102", "6"),
    ("3102", "7"),
    ("3102", "10"),
)


def calls(world: World, count: int, run: int) -> list[bytes]:
    """Make bodies of calls, no two alike.

    Args:
        world: Whom they are made for.
        count: How many.
        run: Number of the run.
    """
    rng = np.random.default_rng(_SEED + run)
    return [
        orjson.dumps(_call(world, run * count + at, _SCENES[at % len(_SCENES)], rng))
        for at in range(count)
    ]


def _call(
    world: World, serial: int, scene: tuple[str, str], rng: np.random.Generator
) -> dict[str, Any]:
    infno, trigger = scene
    institution = PHARMACY if trigger == "10" else HOSPITAL
    number = int(rng.integers(0, world.persons))
    if trigger in "36" and number % 50 == 0:
        number += 1
    moment = f"{world.now:%Y-%m-%d %H:%M:%S}"
    orders = [
        _order(at, serial, number, trigger, moment, rng)
        for at in range({"1": 1, "3": 1, "4": 8}.get(trigger, 3))
    ]
    encounter = {
        "mdtrt_id": f"N{serial:012d}",
        "medins_id": institution,
        "medins_name": "示例机构",
        "medins_admdvs": "330302",
        "medins_type": "1",
        "medins_lv": "05",
        "adm_date": moment,
        "dscg_date": moment,
        "dscg_main_dise_codg": "J20.900",
        "dscg_main_dise_name": "急性支气管炎",
        "dr_codg": _DOCTORS[serial % len(_DOCTORS)],
        "adm_dept_codg": "A03",
        "adm_dept_name": "内科",
        "dscg_dept_codg": "A03",
        "dscg_dept_name": "内科",
        "med_mdtrt_type": "1",
        "med_type": {"3": "21", "4": "21", "10": "41"}.get(trigger, "11"),
        "matn_stas": "0",
        "medfee_sumamt": 95.6,
        "ownpay_amt": 0,
        "selfpay_amt": 28.68,
        "hifp_payamt": 66.92,
        "setl_totlnum": 1,
        "insutype": "310",
        "reim_flag": "0",
        "out_setl_flag": "0",
        "fsi_diagnose_dtos": [{"dise_id": "1", "maindise_flag": "1", "dise_codg": "J20.900"}],
        "fsi_order_dtos": orders,
        "fsi_operation_dtos": [],
    }
    patient = {
        "patn_id": person(number),
        "patn_name": "示例",
        "gend": gender(number),
        "brdy": "1958-03-12",
        "poolarea": "330300",
        "curr_mdtrt_id": encounter["mdtrt_id"],
        "fsi_encounter_dtos": [encounter],
    }
    data = {
        "syscode": "BENCH",
        "task_id": f"T{serial}",
        "trig_scen": trigger,
        "rule_ids": [],
        "patient_dtos": [patient],
    }
    return {
        "infno": infno,
        "msgid": f"{institution}{world.now:%Y%m%d}{serial // 10_000:06d}{serial % 10_000:04d}",
        "mdtrtarea_admvs": "330302",
        "insuplc_admdvs": "330302",
        "recer_sys_code": "EDGE",
        "infver": "V1.0",
        "opter_type": "1",
        "opter": "1001",
        "opter_name": "收费员甲",
        "inf_time": moment,
        "fixmedins_code": institution,
        "fixmedins_name": "示例机构",
        "input": {"data": data},
    }


def _order(  # noqa: PLR0917 - private, called once above
    at: int, serial: int, number: int, trigger: str, moment: str, rng: np.random.Generator
) -> dict[str, Any]:
    is_item = trigger in "47"
    trace = int(rng.integers(0, _TRACES))
    code = _ITEMS[int(rng.integers(70, len(_ITEMS)))] if is_item else _DRUGS[trace % len(_DRUGS)]
    if trigger == "2" and at == 0 and serial % 3 == 0 and gender(number) == "1":
        code = _LIMITED[int(rng.integers(0, len(_LIMITED)))]
    return {
        "rx_id": f"RX{serial}-{at}",
        "rxno": f"RX{serial}",
        "long_drord_flag": "0",
        "hilist_type": "201" if is_item else "101",
        "chrg_type": "03" if is_item else "09",
        "drord_bhvr": "0",
        "hilist_code": code,
        "hilist_name": "示例",
        "hilist_lv": "01",
        "hilist_pric": 17.8,
        "hosplist_code": "H1",
        "hosplist_name": "示例",
        "cnt": 1,
        "pric": 17.8,
        "sumamt": 17.8,
        "ownpay_amt": 0,
        "selfpay_amt": 0,
        "spec": "",
        "spec_unt": "盒",
        "drord_begn_date": moment,
        "drord_dept_codg": "A03",
        "drord_dept_name": "内科",
        "drord_dr_codg": _DOCTORS[serial % len(_DOCTORS)],
        "drord_dr_name": "李医师",
        "drord_dr_profttl": "233",
        "curr_drord_flag": "1",
        "drug_trac_info": [{"drug_trac_codg": f"8{trace:019d}"}],
    }


def wall_clock(now: datetime) -> datetime:
    """The wall clock of Asia/Shanghai."""
    return now.astimezone(SHANGHAI).replace(tzinfo=None, microsecond=0)
