"""Records of the rules' benchmark: visits and lines of a month as the node's store takes them."""

from collections.abc import Mapping
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from deploy.benchmarks.rules_items import Ints
from deploy.benchmarks.rules_lines import UNIT_E4, Lines
from deploy.benchmarks.rules_world import DOCTORS, HOSPITALS, ICD, Visits, World, rare

__all__ = ["columns_of", "doctors", "joined", "moments", "month_records", "persons", "table"]

FEN_E6: Final = 10_000
_SENT: Final = "%Y%m%d%H%M%S"
_NUMBERS: Final = 10_000
_STRANGER: Final = 900_000

Records = dict[str, pa.Table]


def month_records(
    world: World,
    visits: Visits,
    lines: Lines,
    schemas: Mapping[str, pa.Schema],
    rng: np.random.Generator,
) -> Records:
    """Make the records of one month.

    Args:
        world: The region.
        visits: The month's visits.
        lines: Their lines.
        schemas: Arrow schema by kind of record.
        rng: Source of chance.
    """
    sums = {
        name: np.bincount(lines.visit, weights, visits.count).astype(np.int64)
        for name, weights in (("medfee", lines.amount_fen), ("inscp", lines.inscp_fen))
    }
    sums["sign"] = np.ones(visits.count, np.int64)
    back = {name: -column for name, column in sums.items()}
    every = np.arange(visits.count)
    common = columns_of(world, visits, every)
    stay = np.flatnonzero(visits.inpatient)
    seen = np.flatnonzero(visits.place < HOSPITALS)
    undone = np.flatnonzero(rare(rng, visits.count, 0.002) & ~visits.inpatient)
    of_stays = columns_of(world, visits, stay)
    record = _sent(world, visits.place[stay], visits.settled[stay], visits.first + stay)
    icd = _icd(visits.icd)
    return {
        "fee_detail": _fee_detail(world, visits, lines, schemas["fee_detail"]),
        "settlement": pa.concat_tables(
            [
                _settlement(world, visits, every, sums, schemas["settlement"]),
                _settlement(world, visits, undone, back, schemas["settlement"]),
            ]
        ),
        "admission": table(
            schemas["admission"],
            {
                **{name: column.take(pa.array(seen)) for name, column in common.items()},
                "record_id": _sent(
                    world, visits.place[seen], visits.begins[seen], visits.first + seen
                ),
                "admitted_at": moments(visits.begins[seen]),
                "inpatient": pa.array(visits.inpatient[seen]),
                "doctor": doctors(visits.place[seen], visits.doctor[seen]),
                "diagnosis": icd.take(pa.array(seen)),
                "med_type": pa.array(visits.med_type[seen]),
                "insutype": pa.array(world.insutype[visits.person[seen]]),
            },
        ),
        "discharge": table(
            schemas["discharge"],
            {
                **of_stays,
                "record_id": record,
                "discharged_at": moments(visits.settled[stay] - 3600),
                "discharge_way": _same("1", len(stay)),
                "died": pa.array(np.zeros(len(stay), bool)),
                "diagnosis": icd.take(pa.array(stay)),
            },
        ),
        "settlement_list": table(
            schemas["settlement_list"],
            {
                **of_stays,
                "record_id": record,
                "setl_id": joined(of_stays["mdtrt_id"], "S"),
                "discharged_at": moments(visits.settled[stay] - 3600),
                "planned_readmission": pa.array(rare(rng, len(stay), 0.02)),
            },
        ),
        "diagnosis": table(
            schemas["diagnosis"],
            {
                **{name: column.take(pa.array(seen)) for name, column in common.items()},
                "record_id": _sent(
                    world, visits.place[seen], visits.begins[seen], visits.first + seen
                ),
                "code": icd.take(pa.array(seen)),
                "main": pa.array(np.ones(len(seen), bool)),
                "type": _same("1", len(seen)),
                "what": pa.array(np.where(visits.inpatient[seen], "discharge", "visit")),
                "at": moments(visits.begins[seen]),
            },
        ),
        "operation": _operation(of_stays, record, visits.settled[stay], rng, schemas["operation"]),
        "identity_event": _identity(world, visits, rng, schemas["identity_event"]),
    }


def columns_of(world: World, visits: Visits, rows: Ints) -> dict[str, pa.Array]:
    """Institution, visit and person of some visits."""
    return {
        "institution": pa.array(world.institutions[visits.place[rows]]),
        "mdtrt_id": joined("330302G", _digits(visits.first + rows, 13)),
        "person": persons(visits.person[rows]),
    }


def table(schema: pa.Schema, columns: Mapping[str, pa.Array]) -> pa.Table:
    """Complete columns to a table of records; the month is that of the first moment."""
    count = len(next(iter(columns.values())))
    arrays = []
    for column in schema:
        if column.name in columns:
            arrays.append(columns[column.name].cast(column.type))
        elif column.name == "month":
            arrays.append(_months(columns, schema))
        elif column.nullable:
            arrays.append(pa.nulls(count, column.type))
        else:
            blank = "" if column.type == pa.string() else 0
            arrays.append(pa.array([blank]).cast(column.type).take(pa.array(np.zeros(count, int))))
    return pa.table(arrays, schema=schema)


def moments(seconds: Ints) -> pa.Array:
    """Seconds since 1970 as wall clock."""
    return pa.array(seconds).cast(pa.timestamp("s"))


def persons(numbers: Ints) -> pa.Array:
    """Codes of insured persons."""
    return joined("330302", _digits(numbers, 20))


def doctors(place: Ints, number: Ints) -> pa.Array:
    """Codes of physicians."""
    return joined("D330302", _digits(place * DOCTORS + number, 6))


def joined(*parts: object) -> pa.Array:
    """Texts side by side."""
    return pc.binary_join_element_wise(*parts, "")


def _digits(numbers: Ints, width: int) -> pa.Array:
    return pc.utf8_lpad(pa.array(numbers).cast(pa.string()), width, "0")


def _same(text: str, count: int) -> pa.Array:
    return pa.array([text]).take(pa.array(np.zeros(count, int)))


def _icd(numbers: Ints) -> pa.Array:
    codes = [f"{chr(65 + n % 24)}{n % 90 + 10}.x{n:03d}" for n in range(ICD)]
    return pa.array(codes).take(pa.array(numbers))


def _sent(world: World, place: Ints, at: Ints, number: Ints) -> pa.Array:
    """Message ids."""
    moment = pc.strftime(moments(at), format=_SENT)
    return joined(pa.array(world.institutions[place]), moment, _digits(number % _NUMBERS, 4))


def _months(columns: Mapping[str, pa.Array], schema: pa.Schema) -> pa.Array:
    name = next(one.name for one in schema if one.name in columns and one.type == pa.timestamp("s"))
    months = columns[name].cast(pa.int64()).to_numpy().astype("datetime64[s]")
    whole: npt.NDArray[np.int64] = months.astype("datetime64[M]").astype(np.int64)
    return pa.array(((1970 + whole // 12) * 100 + whole % 12 + 1).astype(np.int32))


def _fee_detail(world: World, visits: Visits, lines: Lines, schema: pa.Schema) -> pa.Table:
    items = world.items
    place = visits.place[lines.visit]
    number = visits.first + lines.visit
    line = joined(_digits(number, 13), _digits(lines.place, 4))
    is_drug = items.is_drug[lines.item]
    doctor = np.where(lines.unregistered, _STRANGER, place * DOCTORS + visits.doctor[lines.visit])
    unmapped = pa.array(lines.unregistered & (lines.place % 2 == 0))
    code = pa.array(items.codes).take(pa.array(lines.item))
    local = pc.if_else(
        unmapped, joined("U", _digits(lines.item, 5)), joined("L", _digits(lines.item, 5))
    )
    blank = pa.scalar(None, pa.string())
    return table(
        schema,
        {
            **columns_of(world, visits, lines.visit),
            "record_id": joined(
                _sent(world, place, visits.settled[lines.visit] - 600, number), "#", line
            ),
            "line": line,
            "occurred_at": moments(lines.at),
            "item_code": code,
            "local_code": local,
            "doctor": joined("D330302", _digits(doctor, 6)),
            "department": _same("A03", len(number)),
            "amount_fen": pa.array(lines.amount_fen),
            "quantity_e4": pa.array(lines.quantity * UNIT_E4),
            "price_e6": pa.array(lines.price_fen * FEN_E6),
            "inscp_fen": pa.array(lines.inscp_fen),
            "med_type": pa.array(visits.med_type[lines.visit]),
            "charge_type": pa.array(lines.charge_type),
            "level": pa.array(np.where(lines.item % 997 == 3, "03", "01")),
            "cap_e6": pa.array(lines.cap_fen * FEN_E6),
            "prescription": pc.if_else(pa.array(is_drug), joined("R", _digits(number, 13)), blank),
            "days": pc.if_else(pa.array(is_drug), pa.array(lines.days), None),
            "dose": pc.if_else(pa.array(is_drug), pa.array(lines.dose), blank),
            "frequency": pc.if_else(pa.array(is_drug), pa.array(lines.frequency), blank),
        },
    )


def _settlement(
    world: World, visits: Visits, rows: Ints, sums: Mapping[str, Ints], schema: pa.Schema
) -> pa.Table:
    """Settle visits; where the sums are negative, take their settlements back."""
    common = columns_of(world, visits, rows)
    person = visits.person[rows]
    medfee, inscp = sums["medfee"][rows], sums["inscp"][rows]
    sign = int(sums["sign"][0])
    fund = inscp * 7 // 10
    at = visits.settled[rows] + (0 if sign > 0 else 7200)
    return table(
        schema,
        {
            **common,
            "record_id": _sent(world, visits.place[rows], at, visits.first + rows),
            "setl_id": joined(common["mdtrt_id"], "S"),
            "insutype": pa.array(world.insutype[person]),
            "med_type": pa.array(visits.med_type[rows]),
            "inpatient": pa.array(visits.inpatient[rows]),
            "sign": pa.array(np.full(len(rows), sign, np.int8)),
            "settled_at": moments(at),
            "medfee_fen": pa.array(medfee),
            "inscp_fen": pa.array(inscp),
            "fund_fen": pa.array(fund),
            "account_fen": pa.array(np.zeros(len(rows), np.int64)),
            "cash_fen": pa.array(medfee - fund),
            "gender": pa.array(world.gender[person]),
            "born": moments(world.born_day[person] * 86_400),
        },
    )


def _operation(
    of_stays: Mapping[str, pa.Array],
    record: pa.Array,
    settled: Ints,
    rng: np.random.Generator,
    schema: pa.Schema,
) -> pa.Table:
    rows = pa.array(np.flatnonzero(rare(rng, len(settled), 0.3)))
    count = len(rows)
    return table(
        schema,
        {
            **{name: of_stays[name].take(rows) for name in ("institution", "mdtrt_id")},
            "record_id": record.take(rows),
            "at": moments(settled).take(rows),
            "what": _same("list", count),
            "line": _same("1", count),
            "code": _same("45.2300", count),
            "main": pa.array(np.ones(count, bool)),
        },
    )


def _identity(
    world: World, visits: Visits, rng: np.random.Generator, schema: pa.Schema
) -> pa.Table:
    """Checks at the bed, twice a stay, and at some windows."""
    stays = np.flatnonzero(visits.inpatient)
    window = np.flatnonzero(~visits.inpatient & rare(rng, visits.count, 0.05))
    rows = np.concatenate((stays, stays, window))
    bed = np.arange(len(rows)) < 2 * len(stays)
    failed = np.concatenate(
        (np.tile(rare(rng, len(stays), 0.005), 2), rare(rng, len(window), 0.02))
    )
    after = np.concatenate(
        (np.full(len(stays), 1800), np.full(len(stays), 3000), np.full(len(window), 60))
    )
    at = visits.begins[rows] + after
    return table(
        schema,
        {
            **columns_of(world, visits, rows),
            "record_id": _sent(world, visits.place[rows], at, visits.first + rows),
            "at": moments(at),
            "place": pa.array(np.where(bed, "bed", "window")),
            "result": pa.array(np.where(failed, np.where(bed, "absent", "mismatch"), "match")),
            "score_e4": pa.array(np.where(failed, 3_000, 9_500)),
        },
    )
