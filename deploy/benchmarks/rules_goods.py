"""Goods and registers of the rules' benchmark: stock, trace codes, prices, staff, places."""

from collections.abc import Mapping
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from deploy.benchmarks.rules_items import Ints
from deploy.benchmarks.rules_lines import UNIT_E4, Lines
from deploy.benchmarks.rules_records import (
    FEN_E6,
    Records,
    columns_of,
    doctors,
    joined,
    moments,
    persons,
    table,
)
from deploy.benchmarks.rules_world import DAY_S, DOCTORS, HOSPITALS, MONTHS, Visits, World, rare

__all__ = ["goods_records", "register_records"]

EVER: Final = 1_577_836_800
"""2020-01-01, seconds since 1970."""
_CAPPED: Final = 300
"""Items whose price caps were asked for."""
_SHORT: Final = 0.02
"""Share of goods of which too little was bought."""


def goods_records(
    world: World,
    visits: Visits,
    lines: Lines,
    schemas: Mapping[str, pa.Schema],
    rng: np.random.Generator,
) -> Records:
    """Make the stock movements and trace codes of one month.

    Args:
        world: The region.
        visits: The month's visits.
        lines: Their lines.
        schemas: Arrow schema by kind of record.
        rng: Source of chance.
    """
    return {
        "stock_movement": pa.concat_tables(
            [
                _purchases(world, visits, lines, schemas["stock_movement"], rng),
                _sales(world, visits, lines, schemas["stock_movement"], rng),
            ]
        ),
        "trace_code": _traces(world, visits, lines, schemas["trace_code"], rng),
    }


def register_records(
    world: World, schemas: Mapping[str, pa.Schema], rng: np.random.Generator
) -> Records:
    """Make what stands in registers: places, staff, deaths, catalogue, prices, mappings."""
    places = np.arange(len(world.institutions))
    count = len(places)
    staff = np.arange(count * DOCTORS)
    dead = rng.choice(world.persons, max(5, world.persons // 1_000), replace=False)
    begins = moments(np.full(count, EVER))
    of_staff = pa.array(world.institutions[staff // DOCTORS])
    barred = staff[:: DOCTORS * 4]
    since = _month_start(MONTHS[-3])
    own = {"institution": pa.array(world.institutions)}
    levels = np.array(["11", "09", "06", "02"])[world.rank]
    return {
        "institution_profile": table(
            schemas["institution_profile"],
            {
                **own,
                "record_id": joined("P", pa.array(world.institutions)),
                "level": pa.array(levels),
                "beds": pa.array(rng.integers(25, 60, count)),
                "latitude_e6": pa.array(rng.integers(27_500_000, 28_500_000, count)),
                "longitude_e6": pa.array(rng.integers(120_000_000, 121_200_000, count)),
                "begins_at": begins,
            },
        ),
        "staff_member": table(
            schemas["staff_member"],
            {
                "institution": of_staff,
                "record_id": joined("M", doctors(staff // DOCTORS, staff % DOCTORS)),
                "staff": doctors(staff // DOCTORS, staff % DOCTORS),
                "begins_at": moments(np.full(len(staff), EVER)),
                "stated_at": moments(np.full(len(staff), EVER)),
            },
        ),
        "staff_qualification": table(
            schemas["staff_qualification"],
            {
                "institution": of_staff.take(pa.array(barred)),
                "record_id": joined("Q", doctors(barred // DOCTORS, barred % DOCTORS)),
                "staff": doctors(barred // DOCTORS, barred % DOCTORS),
                "status": _same("suspended", len(barred)),
                "begins_at": moments(np.full(len(barred), since)),
            },
        ),
        "death": table(
            schemas["death"],
            {
                "institution": pa.array(world.institutions[dead % HOSPITALS]),
                "record_id": joined("T", persons(dead)),
                "person": persons(dead),
                "died_at": moments(since + rng.integers(0, 20, len(dead)) * DAY_S),
            },
        ),
        **_price_records(world, schemas),
    }


def _price_records(world: World, schemas: Mapping[str, pa.Schema]) -> Records:
    """What institutions asked of the catalogue, and which of their codes are mapped."""
    items = world.items
    places = np.arange(HOSPITALS)
    capped = np.arange(_CAPPED) * (len(items.codes) // _CAPPED)
    place, item = (one.ravel() for one in np.meshgrid(places, capped, indexing="ij"))
    listed_at, listed = (
        one.ravel() for one in np.meshgrid(places[:20], np.arange(len(items.codes)), indexing="ij")
    )
    mapped_at, mapped = (
        one.ravel() for one in np.meshgrid(places, np.arange(len(items.codes)), indexing="ij")
    )

    def columns(of: Ints, number: Ints, letter: str) -> dict[str, pa.Array]:
        key = joined(letter, pa.array(world.institutions[of]), pa.array(number).cast(pa.string()))
        return {
            "institution": pa.array(world.institutions[of]),
            "record_id": key,
            "item_code": pa.array(items.codes).take(pa.array(number)),
            "begins_at": moments(np.full(len(of), EVER)),
        }

    return {
        "price_cap": table(
            schemas["price_cap"],
            {
                **columns(place, item, "C"),
                "type": _same("101", len(place)),
                "cap_e6": pa.array(items.price_fen[item] * FEN_E6),
                "valid": pa.array(np.ones(len(place), bool)),
            },
        ),
        "catalogue_item": table(
            schemas["catalogue_item"],
            {**columns(listed_at, listed, "I"), "valid": pa.array(listed % 499 != 7)},
        ),
        "alignment": table(
            schemas["alignment"],
            {
                **columns(mapped_at, mapped, "A"),
                "what": _same("upload", len(mapped)),
                "local_code": joined("L", _digits(mapped, 5)),
                "stated_at": moments(np.full(len(mapped), EVER)),
            },
        ),
    }


def _purchases(
    world: World,
    visits: Visits,
    lines: Lines,
    schema: pa.Schema,
    rng: np.random.Generator,
) -> pa.Table:
    """Buy what the month charges, a little more of most, too little of a few."""
    items = world.items
    kept = np.flatnonzero(items.is_drug[lines.item] | items.is_material[lines.item])
    key = visits.place[lines.visit[kept]] * len(items.codes) + lines.item[kept]
    keys, of = np.unique(key, return_inverse=True)
    sold = np.bincount(of, lines.quantity[kept]).astype(np.int64)
    place, item = keys // len(items.codes), keys % len(items.codes)
    bought = np.where(rare(rng, len(keys), _SHORT), sold // 2, sold + 1)
    return table(
        schema,
        {
            "institution": pa.array(world.institutions[place]),
            "record_id": joined(
                "B", _digits(keys, 9), pa.array(np.full(len(keys), visits.month)).cast(pa.string())
            ),
            "what": _same("purchase", len(keys)),
            "item_code": pa.array(items.codes).take(pa.array(item)),
            "local_code": joined("L", _digits(item, 5)),
            "occurred_at": moments(np.full(len(keys), _month_start(visits.month))),
            "quantity_e4": pa.array(bought * UNIT_E4),
            "price_e6": pa.array(items.price_fen[item] * FEN_E6),
            "rx": pa.nulls(len(keys), pa.bool_()),
        },
    )


def _sales(
    world: World,
    visits: Visits,
    lines: Lines,
    schema: pa.Schema,
    rng: np.random.Generator,
) -> pa.Table:
    """What pharmacies sold, line by line."""
    rows = np.flatnonzero(
        (visits.place[lines.visit] >= HOSPITALS) & world.items.is_drug[lines.item]
    )
    common = columns_of(world, visits, lines.visit[rows])
    number = (visits.first + lines.visit[rows]) * 100 + lines.place[rows]
    bare = pa.array(rare(rng, len(rows), 0.01))
    prescription = joined("R", _digits(visits.first + lines.visit[rows], 13))
    return table(
        schema,
        {
            "institution": common["institution"],
            "record_id": joined("S", _digits(number, 15)),
            "what": _same("sale", len(rows)),
            "item_code": pa.array(world.items.codes).take(pa.array(lines.item[rows])),
            "local_code": joined("L", _digits(lines.item[rows], 5)),
            "occurred_at": moments(lines.at[rows]),
            "quantity_e4": pa.array(lines.quantity[rows] * UNIT_E4),
            "price_e6": pa.array(lines.price_fen[rows] * FEN_E6),
            "setl_id": joined(common["mdtrt_id"], "S"),
            "person": common["person"],
            "prescription": pa.compute.if_else(bare, pa.scalar(None, pa.string()), prescription),
            "prescriber": _same("D330302000001", len(rows)),
            "rx": pa.array(np.ones(len(rows), bool)),
        },
    )


def _traces(
    world: World,
    visits: Visits,
    lines: Lines,
    schema: pa.Schema,
    rng: np.random.Generator,
) -> pa.Table:
    """Trace codes of nearly all drugs that the fund pays, and of some that were bought."""
    is_paid = world.items.is_drug[lines.item] & (lines.inscp_fen > 0)
    rows = np.flatnonzero(is_paid & ~rare(rng, len(lines.item), 0.03))
    number = (visits.first + lines.visit[rows]) * 10_000 + lines.place[rows]
    # A few codes were settled before.
    number[1:] = np.where(rare(rng, len(rows) - 1, 0.0005), number[:-1], number[1:])
    common = columns_of(world, visits, lines.visit[rows])
    item = pa.array(world.items.codes).take(pa.array(lines.item[rows]))
    code = joined("8", _digits(number, 19))
    line = joined(_digits(visits.first + lines.visit[rows], 13), _digits(lines.place[rows], 4))
    settled = table(
        schema,
        {
            "institution": common["institution"],
            "mdtrt_id": common["mdtrt_id"],
            "record_id": joined("R", line),
            "code": code,
            "what": _same("settlement", len(rows)),
            "source": line,
            "item_code": item,
            "line": line,
            "setl_id": joined(common["mdtrt_id"], "S"),
            "occurred_at": moments(visits.settled[lines.visit[rows]]),
        },
    )
    some = np.flatnonzero(rare(rng, len(rows), 0.05))
    wrong = np.where(rare(rng, len(some), 0.01), (some + 1) % max(1, len(rows)), some)
    bought = table(
        schema,
        {
            "institution": common["institution"].take(pa.array(some)),
            "record_id": joined("G", line.take(pa.array(some))),
            "code": code.take(pa.array(some)),
            "what": _same("purchase", len(some)),
            "source": line.take(pa.array(some)),
            "item_code": item.take(pa.array(wrong)),
            "occurred_at": moments(np.full(len(some), _month_start(visits.month))),
        },
    )
    return pa.concat_tables([settled, bought])


def _month_start(month: int) -> int:
    first: npt.NDArray[np.datetime64] = np.array(
        [f"{month // 100}-{month % 100:02d}-01"], "datetime64[s]"
    )
    return int(first.astype(np.int64)[0])


def _digits(numbers: Ints, width: int) -> pa.Array:
    return pa.compute.utf8_lpad(pa.array(numbers).cast(pa.string()), width, "0")


def _same(text: str, count: int) -> pa.Array:
    return pa.array([text]).take(pa.array(np.zeros(count, int)))
