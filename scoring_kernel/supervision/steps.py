"""Steps after a topic's SQL (专题步骤): what SQL cannot say exactly, from a closed list.

Rules:
- ``robust_z`` gives every row its deviation among the rows that agree in ``by``, of the number
  itself or of its logarithm; none where the rows are fewer than ``least`` or half of them agree.
- ``exceeds`` is 1 where a number is beyond a dated threshold of the topic, else 0.
- ``groups`` gives rows that are pairs the group they are linked into: two pairs with a member in
  common are in one group (connected components), numbered in the order of the smallest members;
  with its size, its density (pairs over possible pairs) and its amount times that.
- ``stability`` gives every class its contribution to the population stability index (PSI).
- A step reads rows in any order and gives the same result.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from scoring_kernel.parameters import MICRO
from scoring_kernel.supervision.values import half_up, instability, logarithm, quotient, robust_z

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from scoring_kernel.supervision.topics import Column
    from scoring_kernel.yaml_section import Section

Cell: TypeAlias = "str | int | None"
"""One value of a topic's table."""
Row: TypeAlias = "dict[str, Cell]"


@dataclass(frozen=True, slots=True, kw_only=True)
class RobustZ:
    """Robust z (稳健偏离) in millionths."""

    into: str
    of: str
    by: tuple[str, ...]
    least: int
    is_log: bool

    @property
    def made(self) -> tuple[str, ...]:
        """Columns it makes."""
        return (self.into,)

    @property
    def thresholds(self) -> tuple[str, ...]:
        """Parameters it reads."""
        return ()

    def apply(self, rows: Sequence[Row], _thresholds: Mapping[str, int]) -> None:
        """Add the column."""
        for members in _grouped(rows, self.by):
            held = [(row, self._value(row)) for row in members]
            values = [value for _, value in held if value is not None]
            scores = robust_z(values) if len(values) >= self.least else None
            each = iter(scores or ())
            for row, value in held:
                row[self.into] = None if value is None else next(each, None)

    def _value(self, row: Row) -> int | None:
        value = row[self.of]
        if not isinstance(value, int) or not self.is_log:
            return value if isinstance(value, int) else None
        return logarithm(value) if value > 0 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Exceeds:
    """1 where a number, or its size, is at least a threshold."""

    into: str
    of: str
    scale: int
    """What the column's numbers are divided by to be in the threshold's unit."""
    threshold: str
    is_size: bool

    @property
    def made(self) -> tuple[str, ...]:
        """Columns it makes."""
        return (self.into,)

    @property
    def thresholds(self) -> tuple[str, ...]:
        """Parameters it reads."""
        return (self.threshold,)

    def apply(self, rows: Sequence[Row], thresholds: Mapping[str, int]) -> None:
        """Add the column."""
        for row in rows:
            value = row[self.of]
            size = abs(value) if isinstance(value, int) and self.is_size else value
            limit = thresholds[self.threshold] * self.scale
            beyond = isinstance(size, int) and size * MICRO >= limit
            row[self.into] = int(beyond)


@dataclass(frozen=True, slots=True, kw_only=True)
class Groups:
    """Groups of linked members."""

    into: str
    size: str
    density: str
    score: str
    one: str
    other: str
    amount: str

    @property
    def made(self) -> tuple[str, ...]:
        """Columns it makes."""
        return (self.into, self.size, self.density, self.score)

    @property
    def thresholds(self) -> tuple[str, ...]:
        """Parameters it reads."""
        return ()

    def apply(self, rows: Sequence[Row], _thresholds: Mapping[str, int]) -> None:
        """Add the columns."""
        pairs = [(str(row[self.one]), str(row[self.other])) for row in rows]
        root = _roots(pairs)
        number = {name: at for at, name in enumerate(sorted(set(root.values())), start=1)}
        members: dict[str, int] = {}
        for name in root.values():
            members[name] = members.get(name, 0) + 1
        links: dict[str, set[frozenset[str]]] = {}
        amounts: dict[str, int] = {}
        for row, pair in zip(rows, pairs, strict=True):
            own = root[pair[0]]
            links.setdefault(own, set()).add(frozenset(pair))
            amounts[own] = amounts.get(own, 0) + _count(row[self.amount])
        for row, pair in zip(rows, pairs, strict=True):
            own = root[pair[0]]
            size = members[own]
            density = quotient(2 * len(links[own]), max(size * (size - 1), 1))
            row[self.into], row[self.size], row[self.density] = number[own], size, density
            row[self.score] = half_up(density * amounts[own], MICRO)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stability:
    """Contribution to the PSI in millionths."""

    into: str
    expected: str
    actual: str
    by: tuple[str, ...]

    @property
    def made(self) -> tuple[str, ...]:
        """Columns it makes."""
        return (self.into,)

    @property
    def thresholds(self) -> tuple[str, ...]:
        """Parameters it reads."""
        return ()

    def apply(self, rows: Sequence[Row], _thresholds: Mapping[str, int]) -> None:
        """Add the column."""
        for members in _grouped(rows, self.by):
            pairs = [(_count(row[self.expected]), _count(row[self.actual])) for row in members]
            before, now = sum(pair[0] for pair in pairs), sum(pair[1] for pair in pairs)
            for row, (expected, actual) in zip(members, pairs, strict=True):
                known = before > 0 and now > 0
                row[self.into] = instability(expected, actual, before, now) if known else None


Step: TypeAlias = RobustZ | Exceeds | Groups | Stability


def _grouped(rows: Iterable[Row], by: Sequence[str]) -> Iterable[list[Row]]:
    held: dict[tuple[Cell, ...], list[Row]] = {}
    for row in rows:
        held.setdefault(tuple(row[name] for name in by), []).append(row)
    return held.values()


def _roots(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Smallest member of the group of every member."""
    parent: dict[str, str] = {}

    def find(name: str) -> str:
        root = name
        while parent.setdefault(root, root) != root:
            root = parent[root]
        while parent[name] != root:
            parent[name], name = root, parent[name]
        return root

    for pair in pairs:
        # The smaller root stays one, whatever the order of the pairs.
        one, other = sorted(map(find, pair))
        parent[other] = one
    return {name: find(name) for name in parent}


def _count(cell: Cell) -> int:
    return cell if isinstance(cell, int) else 0


def parse_steps(document: Section, columns: Mapping[str, Column]) -> tuple[Step, ...]:
    """Read the optional ``steps`` of a topic.

    Raises:
        CatalogError: A step is unknown, or names a column that the topic does not declare.
    """
    if "steps" not in document.values:
        return ()
    found: list[Step] = []
    for section in document.sections("steps"):
        names = section.keys()
        if len(names) != 1 or names[0] not in _STEPS:
            expected = ", ".join(_STEPS)
            raise section.error(f"steps: found {list(names)}, expected one of {expected}")
        found.append(_STEPS[names[0]](section.section(names[0]), columns))
    return tuple(found)


def _by(section: Section, columns: Mapping[str, Column]) -> tuple[str, ...]:
    by = section.texts("by") if "by" in section.values else ()
    if not set(by) <= set(columns):
        raise section.error(f"by: found {list(by)}, expected columns of the topic", "by")
    return by


def _robust_z(section: Section, columns: Mapping[str, Column]) -> Step:
    section.refuse_unknown(("into", "of", "by", "least", "log"))
    return RobustZ(
        into=section.choice("into", columns),
        of=section.choice("of", columns),
        by=_by(section, columns),
        least=section.integer("least", least=3, most=10_000),
        is_log=section.flag("log", default=False),
    )


def _exceeds(section: Section, columns: Mapping[str, Column]) -> Step:
    section.refuse_unknown(("into", "of", "threshold", "size"))
    return Exceeds(
        into=section.choice("into", columns),
        of=section.choice("of", columns),
        scale=columns[section.text("of")].scale,
        threshold=section.text("threshold"),
        is_size=section.flag("size", default=False),
    )


def _groups(section: Section, columns: Mapping[str, Column]) -> Step:
    keys = ("into", "size", "density", "score", "one", "other", "amount")
    section.refuse_unknown(keys)
    return Groups(**{key: section.choice(key, columns) for key in keys})


def _stability(section: Section, columns: Mapping[str, Column]) -> Step:
    section.refuse_unknown(("into", "expected", "actual", "by"))
    return Stability(
        into=section.choice("into", columns),
        expected=section.choice("expected", columns),
        actual=section.choice("actual", columns),
        by=_by(section, columns),
    )


_STEPS: Final[Mapping[str, Callable[[Section, Mapping[str, Column]], Step]]] = {
    "robust_z": _robust_z,
    "exceeds": _exceeds,
    "groups": _groups,
    "stability": _stability,
}
