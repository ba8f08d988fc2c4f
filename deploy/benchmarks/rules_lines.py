"""Detail lines of the rules' benchmark: what each visit was charged, columns at a time."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from deploy.benchmarks.rules_items import Ints, Items
from deploy.benchmarks.rules_world import DAY_S, HOSPITALS, Texts, Visits, World, rare

__all__ = ["Lines", "make_lines"]

SLOTS: Final = 5
"""Lines of one day of a stay; the first is its bed."""
UNIT_E4: Final = 10_000
_OUT: Final[Mapping[str, float]] = {
    "drug": 0.40,
    "service": 0.27,
    "material": 0.04,
    "k_drug_gender": 0.03,
    "k_item_gender": 0.01,
    "k_drug_child": 0.02,
    "k_item_child": 0.002,
    "k_drug_insutype": 0.003,
    "k_drug_hosplevel": 0.02,
    "k_drug_setting": 0.01,
    "k_drug_course": 0.03,
    "k_item_mutex": 0.02,
    "k_item_freq": 0.01,
    "k_item_cycle": 0.003,
    "k_item_course": 0.004,
    "k_drug_indication": 0.002,
    "k_second_line": 0.001,
    "k_pack_units": 0.01,
    "k_long_term": 0.01,
    "k_generic_map": 0.003,
    "k_atc": 0.005,
    "k_max_dose": 0.003,
    "k_package": 0.01,
    "k_dependency": 0.001,
    "k_swap_pair": 0.001,
}
_STAY: Final[Mapping[str, float]] = {
    **{
        name: share for name, share in _OUT.items() if name not in ("k_item_cycle", "k_item_course")
    },
    "k_op_group": 0.01,
    "k_hourly_items": 0.01,
}
_SHOP: Final[Mapping[str, float]] = {
    "drug": 0.8,
    "k_drug_gender": 0.03,
    "k_drug_child": 0.02,
    "k_long_term": 0.03,
    "k_pack_units": 0.02,
    "k_atc": 0.01,
    "k_max_dose": 0.02,
    "k_drug_course": 0.02,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines:
    """Lines of one month, shape (n,) each."""

    visit: Ints
    """Place of the visit in its month."""
    place: Ints
    """Place of the line in its visit."""
    item: Ints
    at: Ints
    """Seconds since 1970."""
    quantity: Ints
    price_fen: Ints
    cap_fen: Ints
    """Price without what a few lines add to it."""
    amount_fen: Ints
    inscp_fen: Ints
    days: Ints
    """Days of supply; 0 for none."""
    dose: Texts
    frequency: Texts
    charge_type: Texts
    unregistered: npt.NDArray[np.bool_]
    """Ordered by somebody whom nobody registered."""


def make_lines(world: World, visits: Visits, rng: np.random.Generator) -> Lines:
    """Make the lines of the visits of one month.

    Args:
        world: The region.
        visits: The month's visits.
        rng: Source of chance.
    """
    items = world.items
    visit = np.repeat(np.arange(visits.count), visits.lines)
    count = len(visit)
    place = np.arange(count) - np.repeat(np.cumsum(visits.lines) - visits.lines, visits.lines)
    stay = visits.inpatient[visit]
    shop = visits.place[visit] >= HOSPITALS
    item = np.where(shop, _drawn(items, _SHOP, count, rng), _drawn(items, _OUT, count, rng))
    item = np.where(stay, _of_stays(world, visits, visit, place, rng), item)
    in_basket = visits.basket[visit] >= 0
    shared = items.pools["drug"][(visits.basket[visit] * 7 + place) % len(items.pools["drug"])]
    item = np.where(in_basket, shared, item)
    item = _kept_in_order(world, visits, visit, item, rng)

    odd = visits.odd[visit]
    way = visits.first + visit & 3
    bed = stay & (place % SLOTS == 0)
    quantity = np.where(rare(rng, count, 0.1), 2, 1)
    quantity[bed] = np.where(odd[bed] & (way[bed] == 1), 2, 1)
    hourly = np.isin(item, items.pools["k_hourly_items"])
    quantity[hourly] = np.where(rare(rng, int(hourly.sum()), 0.02), 30, 6)
    charge = items.charge_types[item]
    charge[odd & (way == 2)] = "03"
    cap = items.price_fen[item]
    price = np.where(rare(rng, count, 0.001), cap + cap // 5, cap)
    package = visits.basket[visit] == 10
    price[package], quantity[package] = 1_000, 1
    amount = price * quantity
    scope = np.where(rare(rng, count, 0.05), 0, amount)
    chronic = visits.med_type[visit] == "14"
    supply = np.where(chronic, rng.choice([14, 28, 30, 60], count, p=[0.3, 0.4, 0.295, 0.005]), 0)
    plain = rng.choice([3, 5, 7, 14], count, p=[0.4, 0.3, 0.295, 0.005])
    supply = np.where(chronic, supply, plain)
    return Lines(
        visit=visit,
        place=place,
        item=item,
        at=visits.begins[visit] + np.where(stay, place // SLOTS * DAY_S, place * 60),
        quantity=quantity,
        price_fen=price,
        cap_fen=cap,
        amount_fen=amount,
        inscp_fen=scope,
        days=np.where(items.is_drug[item], supply, 0),
        dose=rng.choice(["5mg", "10mg", "0.25g", "100mg"], count, p=[0.4, 0.4, 0.19, 0.01]),
        frequency=rng.choice(["qd", "bid", "tid"], count, p=[0.5, 0.3, 0.2]),
        charge_type=charge,
        unregistered=rare(rng, count, 0.001),
    )


def _drawn(items: Items, shares: Mapping[str, float], count: int, rng: np.random.Generator) -> Ints:
    """Draw items: first a pool, then one of it, the first ones more often."""
    names = list(shares)
    weight = np.array([shares[name] for name in names])
    edges = np.cumsum(weight / weight.sum())
    pool = np.minimum(np.searchsorted(edges, rng.random(count)), len(names) - 1)
    sizes = np.array([len(items.pools[name]) for name in names])
    starts = np.cumsum(sizes) - sizes
    joined = np.concatenate([items.pools[name] for name in names])
    found: Ints = joined[starts[pool] + (sizes[pool] * rng.random(count) ** 2).astype(np.int64)]
    return found


def _of_stays(
    world: World, visits: Visits, visit: Ints, place: Ints, rng: np.random.Generator
) -> Ints:
    """Give every day of a stay the same items, its bed the first of them."""
    items = world.items
    drawn = _drawn(items, _STAY, visits.count * SLOTS, rng).reshape(-1, SLOTS)
    bed = items.pools["k_daily_items"][0]
    drawn[:, 0] = bed
    quiet = visits.odd & (np.arange(visits.first, visits.first + visits.count) & 3 == 0)
    drawn[quiet] = bed
    parts = rare(rng, visits.count, 0.003)
    drawn[parts, 1:4] = items.pools["k_package"][:3]
    found: Ints = drawn[visit, place % SLOTS]
    return found


def _kept_in_order(
    world: World, visits: Visits, visit: Ints, item: Ints, rng: np.random.Generator
) -> Ints:
    """Put an ordinary drug in the place of most items that the person or place may not have."""
    items = world.items
    person = visits.person[visit]
    wanted = items.gender[item]
    wrong = (wanted != "") & (wanted != world.gender[person])
    grown = world.born_day[person] * DAY_S < visits.begins[visit] - 18 * 366 * DAY_S
    for table in ("k_drug_child", "k_item_child"):
        wrong |= np.isin(item, items.pools[table]) & grown
    wrong |= items.least_rank[item] > world.rank[visits.place[visit]]
    wrong |= np.isin(item, items.pools["k_drug_setting"]) & ~visits.inpatient[visit]
    wrong |= np.isin(item, items.pools["k_drug_insutype"])
    mended = wrong & (visits.basket[visit] < 0) & ~rare(rng, len(item), 0.05)
    return np.where(mended, _drawn(items, {"drug": 1.0}, len(item), rng), item)
