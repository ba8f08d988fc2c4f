"""Subjects of the eight other classes for tests of grading, each with plausible files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from scoring_kernel.check_digits import is_valid_uscc
from scoring_kernel.subject_ids import INSTITUTION, PERSON
from tests.support.department_files import write_csv
from tests.support.grading_world import HOSPITALS, PERIOD, PHARMACY

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from scoring_kernel.information import InformationItem, ItemField
    from scoring_kernel.periods import Period
    from tests.support.grading_world import World

_SIGNS: Final = "0123456789ABCDEFGHJKLMNPQRTUWXY"
COUNT: Final = 11


def _uscc(number: int) -> str:
    body = f"91330300MA{number:07d}"
    return next(body + sign for sign in _SIGNS if is_valid_uscc(body + sign))


PHYSICIANS: Final = tuple(f"D{330302000000 + one}" for one in range(1, COUNT + 1))
NURSES: Final = tuple(f"N{330302000000 + one}" for one in range(1, COUNT + 1))
PHARMACISTS: Final = tuple(f"PY{330302000000 + one}" for one in range(1, COUNT + 1))
PERSONS: Final = tuple(f"R{one:02x}{'abcdef' * 5}" for one in range(1, COUNT + 1))
SHARED: Final = _uscc(7)
"""An organisation that is an employer and a supplier."""
EMPLOYERS: Final = tuple(sorted(_uscc(one) for one in range(1, COUNT + 1)))
SUPPLIERS: Final = tuple(sorted(_uscc(one) for one in range(7, COUNT + 7)))
PROVIDERS: Final = tuple(sorted(_uscc(one) for one in range(40, COUNT + 40)))

REGISTERS: Final[Mapping[str, Sequence[tuple[Sequence[str], Mapping[str, str]]]]] = {
    "s01": (
        (PHYSICIANS, {"role": "physician", "level": "2", "type": "internal"}),
        (NURSES, {"role": "nurse", "level": "2", "type": "surgery"}),
        (
            PHARMACISTS,
            {"role": "pharmacist", "level": "1", "type": "retail", "institution": PHARMACY},
        ),
    ),
    "r01": ((PERSONS, {"type": "employee"}),),
    "e01": ((EMPLOYERS, {"level": "1"}),),
    "d01": ((SUPPLIERS, {}),),
    "t01": ((PROVIDERS, {}),),
}
_TEXTS: Final = {
    "date": "2020-01-01",
    "uscc": SHARED,
    "division": "330302",
    "phone": "0577-88880001",
    "flag": "1",
    INSTITUTION: HOSPITALS[0],
}


def line(item: InformationItem, subject: str, period: Period, values: Mapping[str, str]) -> str:
    """A valid line of an item's file: what is not given is the same number everywhere."""
    texts = {item.subject_field: subject, "period": period.name} | dict(values)
    return ",".join(texts.get(field.name, _text(field)) for field in item.fields)


def take(world: World, number: str, period: Period, lines: Sequence[str]) -> None:
    """Import lines of an item."""
    item = world.catalog.items[number]
    suffix = f"_{period.name}" if item.has_period else ""
    path = world.directory / f"item_{number}{suffix}.csv"
    world.take_file(write_csv(path, ",".join(item.header), lines))


def list_dishonest(world: World, number: str, subject: str, listed_as: str) -> None:
    """Put a subject on a list, in force on the period's last day."""
    item = world.catalog.items[number]
    values = {"from_day": "2026-01-01", "until_day": "", "listed_as": listed_as}
    if item.subject_type != PERSON:
        values |= {"authority": "法院", "document_number": f"{subject}-1"}
    take(world, number, PERIOD, [line(item, subject, PERIOD, values)])


def populate(world: World) -> None:
    """Import registers and items of the eight other classes, and state physicians' measures."""
    for number, groups in REGISTERS.items():
        item = world.catalog.items[number]
        take(
            world,
            number,
            PERIOD,
            [line(item, one, PERIOD, values) for group, values in groups for one in group],
        )
    take(world, "p01", PERIOD, [line(world.catalog.items["p01"], PHARMACY, PERIOD, {})])
    take(world, "p02", PERIOD, [line(world.catalog.items["p02"], PHARMACY, PERIOD, {})])
    for number, item in world.catalog.items.items():
        if item.register is None or item.register not in REGISTERS:
            continue
        subjects = [one for group, _ in REGISTERS[item.register] for one in group]
        for period in (PERIOD, PERIOD.prior()):
            lines = [line(item, one, period, {}) for one in subjects] if item.kind == "row" else []
            take(world, number, period, lines)
    for rank, physician in enumerate(PHYSICIANS, start=1):
        world.statements.state(
            "physician",
            physician,
            PERIOD.months[:2],
            visits=100,
            centi_visits=10_000,
            amount_fen=2_000_000 + rank,
            drug_fen=500_000,
            examination_fen=300_000,
        )
    world.statements.state("settlement", PHARMACY, PERIOD.months, settlements=10)


def _text(field: ItemField) -> str:
    if field.type == "code":
        return next(iter(field.codes))
    if field.type == "text":
        return "甲"
    if field.type == "document":
        return "温示例\u30142026\u30151号"
    if field.type in _TEXTS:
        return _TEXTS[field.type]
    return str(max(field.least, 1))
