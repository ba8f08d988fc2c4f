"""Ranges of short names in case tables: ``V1..V20`` stands for twenty visits alike.

Other ranges of the same entry go along: ``V1..V20: {person: P1..P20}`` are twenty persons.

>>> [*spread("V1..V2", {"person": "P7..P8", "fund": 3})]
[('V1', {'person': 'P7', 'fund': 3}), ('V2', {'person': 'P8', 'fund': 3})]
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["spread"]

_RANGE: Final = re.compile(r"([A-Z])([0-9]{1,4})\.\.([A-Z])([0-9]{1,4})")


def spread(name: str, given: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Say an entry once for each name of its range; an entry without one stays as it is.

    Args:
        name: Short name, or a range of them.
        given: What is said of it; each range in it is as long.

    Yields:
        Name and what is said of it.
    """
    names = _names(name)
    if names is None:
        yield name, dict(given)
        return
    columns = {key: _names(value) for key, value in given.items()}
    for at, one in enumerate(names):
        entry = dict(given)
        for key, column in columns.items():
            if column is not None:
                if len(column) != len(names):
                    raise AssertionError(f"{name}: {key} is a range of another length")
                entry[key] = column[at]
        yield one, entry


def _names(value: object) -> list[str] | None:
    found = _RANGE.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        return None
    letter, first, other, last = found.groups()
    if letter != other or int(last) < int(first):
        raise AssertionError(f"{value}: not a range of short names")
    return [f"{letter}{number}" for number in range(int(first), int(last) + 1)]
