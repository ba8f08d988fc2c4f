"""Link tokens (关联令牌) that a node holds, so that nobody is asked for twice, and their keys.

Rules:
- A person stands here as a keyed digest; with the file alone nobody can be looked up.
- The check values of a period's desks are pinned when they are first seen: tokens under other keys
  would never meet those that were sent.
- Tokens of periods that are no longer sent are forgotten.
"""

import functools
import hashlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from sqlite_utils import Database, Migrations

from node.store.database import open_database
from node.store.transactions import transaction

__all__ = ["LinkStore"]

_migrations: Final = Migrations("yixin-links")
_PERSON: Final = b"yixin/link-token"
_DIGEST_BYTES: Final = 16
_ROWS: Final = 500


@_migrations()
def create_link_tables(db: Database) -> None:
    """Tables of the first version."""
    for statement in (
        """create table link_key(
            period text not null,
            desk text not null,
            check_value blob not null,
            primary key(period, desk)
        ) strict, without rowid""",
        """create table link_token(
            period text not null,
            person blob not null,
            token blob not null,
            primary key(period, person)
        ) strict, without rowid""",
    ):
        db.execute(statement)


class LinkStore:
    """Tokens and pinned keys in ``node.db``."""

    def __init__(self, directory: Path, secret: Callable[[], bytes]) -> None:
        """Open the database of a state directory and bring its tables up to date.

        Args:
            directory: State directory.
            secret: Gives the node's secret, under which persons are digested.
        """
        self._db: Database = open_database(directory)
        self._secret = functools.cache(secret)
        if _migrations.pending(self._db):
            _migrations.apply(self._db)

    def close(self) -> None:
        """Close the database."""
        self._db.close()

    def checks(self, period: str) -> dict[str, bytes]:
        """Pinned check values of a period, by desk."""
        rows = self._db.conn.execute(
            "select desk, check_value from link_key where period = ?", (period,)
        )
        return {desk: bytes(check) for desk, check in rows}

    def pin(self, period: str, checks: Mapping[str, bytes]) -> None:
        """Pin the check values of a period's desks."""
        with transaction(self._db.conn) as connection:
            connection.executemany(
                "insert into link_key values(?, ?, ?)",
                [(period, desk, check) for desk, check in checks.items()],
            )

    def tokens(self, period: str, persons: Sequence[str]) -> dict[str, bytes]:
        """Tokens of some persons, where they are held."""
        found: dict[str, bytes] = {}
        for part in _parts(persons):
            names = {self._digest(period, person): person for person in part}
            marks = ", ".join("?" * len(names))
            rows = self._db.conn.execute(
                f"select person, token from link_token where period = ? and person in ({marks})",  # noqa: S608 - placeholders
                (period, *names),
            )
            found.update({names[bytes(person)]: bytes(token) for person, token in rows})
        return found

    def keep(self, period: str, persons: Sequence[str], tokens: Sequence[bytes]) -> None:
        """Keep tokens that were made."""
        with transaction(self._db.conn) as connection:
            connection.executemany(
                "insert into link_token values(?, ?, ?) on conflict do nothing",
                [
                    (period, self._digest(period, person), token)
                    for person, token in zip(persons, tokens, strict=True)
                ],
            )

    def forget_others(self, periods: Collection[str]) -> None:
        """Forget tokens and keys of all other periods."""
        held = self._db.conn.execute("select distinct period from link_key").fetchall()
        with transaction(self._db.conn) as connection:
            for (period,) in held:
                if period not in periods:
                    connection.execute("delete from link_token where period = ?", (period,))
                    connection.execute("delete from link_key where period = ?", (period,))

    def count(self) -> dict[str, int]:
        """Number of tokens held, by period in order."""
        rows = self._db.conn.execute(
            "select period, count(*) from link_token group by period order by period"
        )
        return dict(rows.fetchall())

    def _digest(self, period: str, person: str) -> bytes:
        state = hashlib.blake2b(digest_size=_DIGEST_BYTES, key=self._secret(), person=_PERSON)
        state.update(period.encode())
        state.update(person.encode())
        return state.digest()


def _parts(persons: Sequence[str]) -> Iterator[Sequence[str]]:
    return (persons[start : start + _ROWS] for start in range(0, len(persons), _ROWS))
