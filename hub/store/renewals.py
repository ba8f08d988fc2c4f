"""Answered renewals: the same request gets the same answer.

Port rules: an answer is stored in the transaction that issued it; it is kept for longer than the
clocks of a request may differ, so that no old request is ever taken for a new one.
"""

from typing import Final

from sqlalchemy import Connection, delete, insert, select

from hub.store.identity_tables import renewal

KEPT_MS: Final = 30 * 86_400_000


def find_answer(connection: Connection, digest: bytes) -> bytes | None:
    """The stored answer to a request; None when it was never answered."""
    query = select(renewal.c.response).where(renewal.c.request_digest == digest)
    found: bytes | None = connection.execute(query).scalar()
    return found


def keep_answer(
    connection: Connection, member: str, digest: bytes, response: bytes, now_ms: int
) -> None:
    """Store an answer, and forget those that are too old to be asked for."""
    connection.execute(delete(renewal).where(renewal.c.at_ms < now_ms - KEPT_MS))
    connection.execute(
        insert(renewal).values(
            request_digest=digest, member=member, at_ms=now_ms, response=response
        )
    )
