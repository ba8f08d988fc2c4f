"""Tables wider than a terminal: nothing is cut and no number is broken over lines.

Rules:
- A column in which all rows say the same is told once, beside the table.
- What a heading has in brackets, a unit, stands on a line of its own; long headings are folded.
- Columns that do not fit follow in a further part, which begins with the first column again.
"""

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, Final, Literal

from rich import box
from rich.cells import cell_len
from rich.table import Table

from security.operator.output import printable, shown

__all__ = ["lay_out"]

MAX_TEXT: Final = 30
"""Widest column of texts; longer ones are folded. The first column is never folded."""
MAX_HEADING: Final = 10
"""Widest line of a heading that is not folded."""
GAP: Final = 2
"""Between two columns."""
_WIDE: Final = 2
"""Width of a sign of full width."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Column:
    """One column, laid out."""

    heading: str
    width: int
    is_text: bool
    cells: tuple[str, ...]


def lay_out(
    titles: Mapping[str, str],
    rows: Sequence[Mapping[str, Any]],
    *,
    texts: AbstractSet[str],
    width: int,
) -> Iterator[Table]:
    """Lay a table out in parts, none wider than the terminal where its first column allows it.

    Args:
        titles: Title by column, in order; columns that are left out of it are not shown.
        rows: Values by column, at least one row.
        texts: Columns whose values are texts: to the left, folded where they are long.
        width: Columns of the terminal.

    Yields:
        The parts, in the order of the columns.
    """
    first, *others = (
        _column(title, [shown(row[name]) for row in rows], is_first=at == 0, is_text=name in texts)
        for at, (name, title) in enumerate(titles.items())
    )
    part: list[_Column] = []
    used = first.width
    for column in others:
        if part and used + GAP + column.width > width:
            yield _table([first, *part])
            part, used = [], first.width
        part.append(column)
        used += GAP + column.width
    yield _table([first, *part])


def _column(title: str, cells: Sequence[str], *, is_first: bool, is_text: bool) -> _Column:
    longest = max(map(cell_len, cells))
    if is_text and not is_first:
        longest = min(longest, MAX_TEXT)
    lines = _heading(printable(title), max(longest, MAX_HEADING))
    return _Column(
        heading="\n".join(lines),
        width=max(longest, *map(cell_len, lines)),
        is_text=is_text,
        cells=tuple(cells),
    )


def _heading(title: str, most: int) -> list[str]:
    """Break a title into lines, the unit on its own, the name in two where it is too long.

    >>> _heading("医疗费（元）", 10), _heading("15日同病种再入院率", 10)
    (['医疗费', '元'], ['15日同病种', '再入院率'])
    """
    name, bracket, unit = title.removesuffix("）").partition("（")
    if not (bracket and title.endswith("）")):
        name, unit = title, ""
    lines = [name]
    if cell_len(name) > most:
        half = (cell_len(name) + 1) // 2
        # Only between signs of full width: numbers and words in letters stay whole.
        breaks = [at for at in range(1, len(name)) if cell_len(name[at - 1 : at + 1]) == 2 * _WIDE]
        if breaks:
            middle = min(breaks, key=lambda at: (abs(cell_len(name[:at]) - half), -at))
            lines = [name[:middle], name[middle:]]
    return [*lines, unit] if unit else lines


def _table(columns: Sequence[_Column]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for at, column in enumerate(columns):
        justify: Literal["left", "right"] = "left" if column.is_text else "right"
        table.add_column(
            column.heading,
            justify=justify,
            no_wrap=at == 0,
            overflow="fold",
            min_width=column.width,
            max_width=column.width,
            vertical="top",
        )
    for cells in zip(*(column.cells for column in columns), strict=True):
        table.add_row(*cells)
    return table
