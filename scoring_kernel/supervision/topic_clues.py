"""Which rows of a topic's table are findings about somebody (专题发现), and about whom.

Rules:
- It is said in the topic's file: the columns that name institution, staff, persons or a visit, the
  columns that tell one finding from another, the amount, verdict and severity of its clue.
- A row is a finding where it is an alert: where a dated threshold is passed.
- A topic that looks at many months has a finding in its own month only, where ``within`` names
  the column of the row's day or month: otherwise one act would be found anew every month.
- A row that names two persons is two findings, one about each.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from scoring_kernel.joining import SEVERITIES, VERDICTS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from scoring_kernel.supervision.steps import Row
    from scoring_kernel.supervision.topics import Column
    from scoring_kernel.yaml_section import Section

_FEN_PER_YUAN: Final = 100
_KEYS: Final = (
    *("severity", "verdict", "basis", "institution", "staff", "persons", "visit", "key"),
    *("within", "amount"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicClue:
    """How the findings of a topic become clues (线索)."""

    severity: str
    """high, mid or low."""
    verdict: str
    """violation (违规), suspicion (可疑) or warning (提醒)."""
    basis: str
    """Source of both, a key of ``legal_basis.yaml``."""
    institution: str | None
    """Column of the institution; None where the records of the person tell it."""
    staff: str | None
    """Column of the staff's code."""
    persons: tuple[str, ...]
    """Columns of insured persons."""
    visit: str | None
    """Column of the visit (mdtrt_id)."""
    key: tuple[str, ...]
    """Columns that tell one finding of a month from another."""
    within: str | None
    """Column of the row's day or month, which has to lie in the topic's month."""
    amount: str | None
    """Column of the amount in fen; below zero and missing count as nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Noticed:
    """One finding of a topic and month, its names unmasked."""

    institution: str | None
    staff: str | None = field(repr=False)
    person: str | None = field(repr=False)
    visit: str | None = field(repr=False)
    amount_fen: int
    key: tuple[str | None, ...] = field(repr=False)
    """What tells it from the topic's other findings of the month."""


def parse_topic_clue(
    document: Section, columns: Mapping[str, Column], legal_basis: Collection[str]
) -> TopicClue | None:
    """Read the ``clue`` of a topic; None where its rows are findings about nobody.

    Args:
        document: The topic's file.
        columns: Columns of its table.
        legal_basis: Known sources.

    Raises:
        CatalogError: A column is missing or of another kind, or nobody is named.
    """
    section = document.find_section("clue")
    if section is None:
        return None
    section.refuse_unknown(_KEYS)
    if document.find_section("alert") is None:
        raise document.error("clue: a finding is an alert, and there is none: state alert", "clue")
    texts = [name for name, column in columns.items() if column.unit is None]
    personal = [name for name in texts if columns[name].personal]

    def find(key: str, among: Collection[str]) -> str | None:
        return section.choice(key, among) if key in section.values else None

    def listed(key: str, among: Collection[str]) -> tuple[str, ...]:
        names = section.texts(key) if key in section.values else ()
        for name in names:
            if name not in among:
                raise section.error(
                    f"{key}: found {name[:40]!r}, expected some of {', '.join(sorted(among))}", key
                )
        return names

    amounts = [
        name for name, one in columns.items() if one.unit == "yuan" and one.scale == _FEN_PER_YUAN
    ]
    found = TopicClue(
        severity=section.choice("severity", SEVERITIES),
        verdict=section.choice("verdict", VERDICTS),
        basis=section.choice("basis", legal_basis),
        institution=find("institution", texts),
        staff=find("staff", texts),
        persons=listed("persons", personal),
        visit=find("visit", personal),
        key=listed("key", texts),
        within=find("within", texts),
        amount=find("amount", amounts),
    )
    if found.institution is None and not found.persons:
        raise section.error("clue: nobody is named: state institution or persons", "severity")
    if not found.key:
        raise section.error("key: nothing tells one finding from another: name columns", "key")
    return found


def notice(clue: TopicClue, alert: str, month: int, rows: Sequence[Row]) -> tuple[Noticed, ...]:
    """Find the findings of a table, in its order.

    Args:
        clue: What the topic says of them.
        alert: Column that is 1 where a row is an alert.
        month: Month of the table, yyyymm.
        rows: All rows, nothing masked.
    """
    start = f"{month // 100}-{month % 100:02d}"
    return tuple(
        one
        for row in rows
        if row[alert] == 1
        if clue.within is None or (_text(row, clue.within) or "").startswith(start)
        for one in _of_row(clue, row)
    )


def _of_row(clue: TopicClue, row: Row) -> Iterator[Noticed]:
    amount = 0 if clue.amount is None else row[clue.amount]
    key = tuple(_text(row, name) for name in clue.key)
    for column in clue.persons or (None,):
        person = _text(row, column)
        yield Noticed(
            institution=_text(row, clue.institution),
            staff=_text(row, clue.staff),
            person=person,
            visit=_text(row, clue.visit),
            amount_fen=max(0, amount) if isinstance(amount, int) else 0,
            key=(*key, person) if clue.persons else key,
        )


def _text(row: Row, column: str | None) -> str | None:
    cell = None if column is None else row[column]
    return None if cell is None else str(cell)
