"""Items of the rules' benchmark: what is charged, and what the knowledge tables say of it.

Half of the knowledge is the catalogue's own proposals, whose codes are charged here; the national
tables, which are imported, are made up. Every table has lines to look at, most of them in order.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from scoring_kernel.rules import RuleBook

__all__ = ["Items", "make_items"]

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
KnowledgeRows = list[dict[str, Any]]

FILLER_DRUGS: Final = 1_800
FILLER_SERVICES: Final = 700
MATERIALS: Final = 300
_NATIONAL: Final[Mapping[str, tuple[str, int]]] = {
    "k_drug_gender": ("X", 120),
    "k_item_gender": ("0", 40),
    "k_drug_child": ("X", 60),
    "k_item_child": ("0", 10),
    "k_drug_insutype": ("X", 20),
    "k_drug_hosplevel": ("X", 80),
    "k_drug_setting": ("X", 60),
    "k_drug_course": ("X", 80),
    "k_item_mutex": ("0", 80),
    "k_item_freq": ("0", 30),
    "k_item_cycle": ("0", 14),
    "k_item_course": ("0", 11),
    "k_op_group": ("0", 60),
}
"""Imported table → first sign of its codes, number of codes."""
_SHIPPED: Final = (
    *("k_drug_indication", "k_second_line", "k_pack_units", "k_long_term", "k_generic_map"),
    *("k_atc", "k_max_dose", "k_daily_items", "k_hourly_items", "k_package", "k_dependency"),
    "k_swap_pair",
)
_CODES_OF: Final[Mapping[str, tuple[str, ...]]] = {
    "k_second_line": ("code", "first_code"),
    "k_package": ("component",),
    "k_swap_pair": ("code", "low_code"),
}
"""Columns of a shipped table whose codes are charged; the code alone where it is not named."""
_FULL_DRUG: Final = 23
_FULL_PRODUCT: Final = "XXXXXXXXXX" + "A001A010100001"


@dataclass(frozen=True, slots=True, kw_only=True)
class Items:
    """Items by number, shape (n,) each."""

    codes: npt.NDArray[np.str_]
    price_fen: Ints
    charge_types: npt.NDArray[np.str_]
    """med_chrgitm_type."""
    is_drug: Bools
    is_material: Bools
    pools: Mapping[str, Ints]
    """Numbers of the items of each knowledge table, and of ``drug``, ``service``, ``material``."""
    gender: npt.NDArray[np.str_]
    """Gender that an item is for; empty for both."""
    least_rank: Ints
    """Rank of institutions that may use an item; 0 for all."""
    knowledge: Mapping[str, KnowledgeRows] = field(repr=False)
    """Rows of the tables that are imported."""


def make_items(book: RuleBook, rng: np.random.Generator) -> Items:
    """Make the items.

    Args:
        book: The rule book, whose proposals name codes.
        rng: Source of chance.
    """
    codes, pools = _codes(book)
    texts = np.array(codes)
    first = texts.astype("U1")
    charge = np.where(first == "X", "09", np.where(first == "C", "08", "05"))
    charge[np.isin(np.char.ljust(texts, 4).astype("U4"), ("0025", "0031"))] = "04"
    charge[pools["k_daily_items"]] = "01"
    # A code that stands in two tables has one price.
    _, of = np.unique(texts, return_inverse=True)
    price = rng.integers(200, 8_000, len(codes))[of]
    gender = np.full(len(codes), "")
    for table in ("k_drug_gender", "k_item_gender"):
        gender[pools[table]] = np.where(np.arange(len(pools[table])) % 2, "1", "2")
    rank = np.zeros(len(codes), np.int64)
    rank[pools["k_drug_hosplevel"]] = 2 + np.arange(len(pools["k_drug_hosplevel"])) % 2
    numbers = {name: np.array(places) for name, places in pools.items()}
    return Items(
        codes=texts,
        price_fen=price,
        charge_types=charge,
        is_drug=first == "X",
        is_material=first == "C",
        pools=numbers,
        gender=gender,
        least_rank=rank,
        knowledge=_knowledge(texts, numbers, gender, rank),
    )


def _codes(book: RuleBook) -> tuple[list[str], dict[str, list[int]]]:
    """Codes of all items, and the numbers of those of each pool."""
    listed = {
        "drug": [_drug(number) for number in range(FILLER_DRUGS)],
        "service": [f"0025{number:07d}0000" for number in range(FILLER_SERVICES)],
        "material": [f"C01{number:017d}" for number in range(MATERIALS)],
    }
    for at, (table, (sign, count)) in enumerate(_NATIONAL.items()):
        listed[table] = [
            _drug(10_000 + at * 1_000 + number) if sign == "X" else f"0031{at:02d}{number:05d}0000"
            for number in range(count)
        ]
    for table in _SHIPPED:
        columns = list(book.knowledge[table].columns)
        places = [columns.index(name) for name in _CODES_OF.get(table, ("code",))]
        named = {(at, str(row[at])) for row in book.knowledge[table].rows for at in places}
        listed[table] = [_whole(code) for _, code in sorted(named)]
    codes: list[str] = []
    pools: dict[str, list[int]] = {}
    for pool, of_pool in listed.items():
        pools[pool] = list(range(len(codes), len(codes) + len(of_pool)))
        codes += of_pool
    return codes, pools


def _drug(number: int) -> str:
    letters = "".join(chr(65 + number // 26**place % 26) for place in range(4))
    return f"XA{number % 90 + 10}{letters[:2]}{letters[2]}{number % 1000:03d}A001A{number:08d}"[
        :_FULL_DRUG
    ]


def _whole(code: str) -> str:
    """A whole code of what a proposal names by a prefix."""
    is_drug = code[:1] in "XZ"
    return code + _FULL_PRODUCT[len(code) :] if is_drug and len(code) < _FULL_DRUG else code


def _knowledge(
    codes: npt.NDArray[np.str_],
    pools: Mapping[str, Ints],
    gender: npt.NDArray[np.str_],
    rank: Ints,
) -> dict[str, KnowledgeRows]:
    def rows(table: str, **values: Sequence[Any]) -> KnowledgeRows:
        return [
            {"code": str(codes[place])}
            | {name: given[at % len(given)] for name, given in values.items()}
            for at, place in enumerate(pools[table])
        ]

    def texts(values: npt.NDArray[Any], table: str) -> list[Any]:
        return [one.item() for one in values[pools[table]]]

    mutex = [str(codes[place]) for place in pools["k_item_mutex"]]
    half = len(mutex) // 2
    return {
        "k_drug_gender": rows("k_drug_gender", gender=texts(gender, "k_drug_gender")),
        "k_item_gender": rows("k_item_gender", gender=texts(gender, "k_item_gender")),
        "k_drug_child": rows("k_drug_child", stage=["child"]),
        "k_item_child": rows("k_item_child", stage=["child"]),
        "k_drug_insutype": rows("k_drug_insutype", insurance=["work_injury", "maternity"]),
        "k_drug_hosplevel": rows("k_drug_hosplevel", min_rank=texts(rank, "k_drug_hosplevel")),
        "k_drug_setting": rows("k_drug_setting", setting=["inpatient", "emergency"]),
        "k_drug_course": rows(
            "k_drug_course",
            generic=[str(codes[place])[:10] for place in pools["k_drug_course"]],
            limit_days=[7, 14],
        ),
        "k_item_mutex": [
            {"code": code, "sub_code": sub, "scope": ("day", "visit")[at % 2]}
            for at, (code, sub) in enumerate(zip(mutex[:half], mutex[half:], strict=True))
        ],
        "k_item_freq": rows("k_item_freq", day_limit=[1, 2], hourly=[False]),
        "k_item_cycle": rows("k_item_cycle", days=[30, 90], times=[1, 2]),
        "k_item_course": rows(
            "k_item_course",
            total_days=[5, 10],
            min_gap_days=[None, 14],
            week_limit=[None],
            per_disease=[False],
        ),
        "k_op_group": rows(
            "k_op_group", group_code=[f"G{at // 6}" for at in range(60)], full_price_e6=[None]
        ),
    }
