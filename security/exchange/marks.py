"""Marks: what was stated last, so that only what changed is stated again.

Rules:
    1. A mark is written in the transaction that appends the statement it stands for.
    2. Marks belong to the chain that carried the statement: they go when it starts anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import bindparam, delete, insert, select, update

from security.exchange.tables import marks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from sqlalchemy import Connection


def save_marks(conn: Connection, recipient: str, lane: int, stated: Mapping[str, bytes]) -> None:
    """Note what was stated, by key, in place of what was noted before."""
    if not stated:
        return
    # A payload of join records has thousands: one statement for all of them, not one each.
    conn.execute(
        delete(marks).where(marks.c.key == bindparam("stated")), [{"stated": key} for key in stated]
    )
    conn.execute(
        insert(marks),
        [
            {"key": key, "recipient": recipient, "lane": lane, "value": value}
            for key, value in stated.items()
        ],
    )


def find_mark(conn: Connection, key: str) -> bytes | None:
    """What was stated last under a key, or None."""
    value = conn.execute(select(marks.c.value).where(marks.c.key == key)).scalar_one_or_none()
    return None if value is None else bytes(value)


def find_marks(conn: Connection, prefix: str) -> dict[str, bytes]:
    """All marks whose key starts with a prefix, by key."""
    query = select(marks.c.key, marks.c.value).where(
        marks.c.key.startswith(prefix, autoescape=True)
    )
    return {row.key: bytes(row.value) for row in conn.execute(query)}


def change_marks(conn: Connection, prefix: str, value_of: Callable[[bytes], bytes]) -> int:
    """Put a new value, made of the old one, into all marks whose key starts with a prefix."""
    found = find_marks(conn, prefix)
    for key, value in found.items():
        conn.execute(update(marks).where(marks.c.key == key).values(value=value_of(value)))
    return len(found)


def drop_marks(conn: Connection, keys: Iterable[str]) -> None:
    """Forget the marks of some keys."""
    for key in keys:
        conn.execute(delete(marks).where(marks.c.key == key))


def forget_marks(conn: Connection, recipient: str, lane: int) -> None:
    """Forget what was stated on a chain."""
    conn.execute(delete(marks).where(marks.c.recipient == recipient, marks.c.lane == lane))
