"""Steps after a topic's SQL (专题步骤): what SQL cannot say exactly, from a closed list.

Rules:
- ``robust_z`` gives every row its deviation among the rows that agree in ``by``, of the number
  itself or of its logarithm; none where the rows are fewer than ``least`` or half of them agree.
- ``groups`` gives rows that are pairs the group they are linked into: two pairs with a member in
  common are in one group (connected components); it is named by its smallest member's rank.
- ``stability`` gives every class its contribution to the population stability index (PSI).
- A step reads rows in any order and gives the same result.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias, assert_never

from scoring_kernel.supervision.values import instability, logarithm, robust_z

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Groups:
    """Number of the group of linked members, from 1 in the order of the smallest members."""

    into: str
    one: str
    other: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stability:
    """Contribution to the PSI in millionths."""

    into: str
    expected: str
    actual: str


Step: TypeAlias = RobustZ | Groups | Stability


def apply(step: Step, rows: Sequence[Row]) -> None:
    """Add a step's column to the rows.

    Args:
        step: The step.
        rows: Rows of the topic; changed in place.
    """
    match step:
        case RobustZ():
            _robust_z(step, rows)
        case Groups():
            _groups(step, rows)
        case Stability():
            _stability(step, rows)
        case _:  # pragma: no cover - the type checker proves the list complete
            assert_never(step)


def _robust_z(step: RobustZ, rows: Sequence[Row]) -> None:
    members: dict[tuple[Cell, ...], list[tuple[Row, int]]] = {}
    for row in rows:
        row[step.into] = None
        value = row[step.of]
        if isinstance(value, int) and (value > 0 or not step.is_log):
            key = tuple(row[name] for name in step.by)
            members.setdefault(key, []).append((row, value))
    for held in members.values():
        if len(held) < step.least:
            continue
        values = [logarithm(value) if step.is_log else value for _, value in held]
        scores = robust_z(values)
        for (row, _), score in zip(held, scores or (), strict=scores is not None):
            row[step.into] = score


def _groups(step: Groups, rows: Sequence[Row]) -> None:
    parent: dict[str, str] = {}

    def find(name: str) -> str:
        root = name
        while parent.setdefault(root, root) != root:
            root = parent[root]
        while parent[name] != root:
            parent[name], name = root, parent[name]
        return root

    for row in rows:
        one, other = sorted((find(str(row[step.one])), find(str(row[step.other]))))
        # The smallest member is the root, whatever the order of the rows.
        parent[other] = one
    roots = sorted({find(name) for name in parent})
    number = {root: at for at, root in enumerate(roots, start=1)}
    for row in rows:
        row[step.into] = number[find(str(row[step.one]))]


def _stability(step: Stability, rows: Sequence[Row]) -> None:
    pairs = [(_count(row[step.expected]), _count(row[step.actual])) for row in rows]
    before, now = sum(pair[0] for pair in pairs), sum(pair[1] for pair in pairs)
    for row, (expected, actual) in zip(rows, pairs, strict=True):
        known = before > 0 and now > 0
        row[step.into] = instability(expected, actual, before, now) if known else None


def _count(cell: Cell) -> int:
    return cell if isinstance(cell, int) else 0


def parse_steps(document: Section, columns: Collection[str]) -> tuple[Step, ...]:
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


def _parse_z(section: Section, columns: Collection[str]) -> RobustZ:
    section.refuse_unknown(("into", "of", "by", "least", "log"))
    by = section.texts("by") if "by" in section.values else ()
    if not set(by) <= set(columns):
        raise section.error(f"by: found {list(by)}, expected columns of the topic", "by")
    return RobustZ(
        into=section.choice("into", columns),
        of=section.choice("of", columns),
        by=by,
        least=section.integer("least", least=3, most=10_000),
        is_log=section.flag("log", default=False),
    )


def _parse_groups(section: Section, columns: Collection[str]) -> Groups:
    section.refuse_unknown(("into", "one", "other"))
    return Groups(**{key: section.choice(key, columns) for key in ("into", "one", "other")})


def _parse_stability(section: Section, columns: Collection[str]) -> Stability:
    section.refuse_unknown(("into", "expected", "actual"))
    return Stability(
        **{key: section.choice(key, columns) for key in ("into", "expected", "actual")}
    )


_STEPS: Final[Mapping[str, Callable[[Section, Collection[str]], Step]]] = {
    "robust_z": _parse_z,
    "groups": _parse_groups,
    "stability": _parse_stability,
}
