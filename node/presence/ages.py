"""Days of birth (出生日期) as the newest settlements tell them."""

from collections.abc import Collection
from contextlib import closing
from datetime import date

from node.store import NodeStore

__all__ = ["find_births"]


def find_births(store: NodeStore, persons: Collection[str]) -> dict[str, date]:
    """Find when persons were born, by the newest settlement of each that says so.

    Args:
        store: The node's store.
        persons: Their numbers; usually none or one.

    Returns:
        Day by person; who has no such settlement is left out.

    Raises:
        StoreError: The records cannot be read.
    """
    if not persons:
        return {}
    with closing(store.relations(["settlement"])) as engine:
        rows = engine.execute(
            "select person, arg_max(born, settled_at) from settlement"
            " where born is not null and person in (select unnest(?)) group by person",
            [sorted(persons)],
        ).fetchall()
    return {person: born.date() for person, born in rows}
