"""Reading the live state (实时状态), in the daemon or beside it.

Rules:
- The file may be made anew at any time by the daemon: a reader goes on with the new one.
- Whatever is wrong with it is one error; the caller judges without it, and says so.
"""

import sqlite3
import zlib
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import orjson

from node.errors import StoreError
from node.store.live_digests import Digests
from node.store.live_tables import (
    BUILT,
    FED,
    LIVE_DATABASE,
    absent,
    connect,
    find_digests,
    find_mark,
    find_meta,
)
from node.store.news import Mark
from security.at_rest import Vault
from security.errors import VaultError

__all__ = ["FoundFact", "LiveReader", "VisitFact"]

MAX_KNOWLEDGE_BYTES: Final = 256 * 1024 * 1024
MAX_FACTS: Final = 20_000
"""Most facts of one person; of one who has more nothing is judged by the past."""

_VISIT_FACTS: Final = (
    "select visit.visit, visit.institution, fact.kind, fact.body from visit join fact"
    " on fact.place = visit.visit where visit.person = ? limit ?"
)
_FACTS_AT: Final = "select place, kind, key, body from fact where place = ?"
_FACTS: Final = (
    "select fact.place, fact.kind, fact.key, fact.body from json_each(?) as wanted"
    " cross join fact on fact.place = wanted.value"
)


class VisitFact(NamedTuple):
    """A fact of a visit."""

    visit: int
    institution: str
    kind: int
    body: bytes
    """Values, as JSON."""


class FoundFact(NamedTuple):
    """A fact as it is kept."""

    place: int
    kind: int
    key: int
    body: bytes

    def values(self) -> list[Any]:
        """The body's values in their order."""
        found: list[Any] = orjson.loads(self.body)
        return found


class LiveReader:
    """Reads a live state, in this or another process; one thread at a time."""

    def __init__(self, directory: Path, vault: Vault) -> None:
        """Name the state; it is opened with the first question.

        Args:
            directory: The node's directory.
            vault: Opens the secret of the digests.
        """
        self._path = directory.absolute() / LIVE_DATABASE
        self._vault = vault
        self._connection: sqlite3.Connection | None = None
        self._inode = 0
        self._digests: Digests | None = None

    def look(self) -> None:
        """Go on with another file, where the state was made anew."""
        try:
            is_same = self._path.stat().st_ino == self._inode
        except OSError:
            is_same = False
        if not is_same:
            self.close()

    def close(self) -> None:
        """Close the file."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    @property
    def digests(self) -> Digests:
        """Digests under this state's secret.

        Raises:
            StoreError: There is no state.
        """
        with self._reading():
            if self._digests is None:
                raise absent(self._path)
            return self._digests

    @property
    def applied(self) -> Mark:
        """How far the records are in the state.

        Raises:
            StoreError: There is no state.
        """
        with self._reading() as connection:
            return find_mark(connection)

    @property
    def is_built(self) -> bool:
        """Whether the state has once read all there was; until then it knows too little."""
        with self._reading() as connection:
            return find_meta(connection, BUILT) == b"1"

    @property
    def fed(self) -> int:
        """Counts how often the state was brought up to date.

        Raises:
            StoreError: There is no state, or it is damaged.
        """
        with self._reading() as connection:
            return int(find_meta(connection, FED) or b"0")

    def person(self, person: int) -> list[VisitFact]:
        """Find the facts of a person's visits.

        Raises:
            StoreError: There is no state, it is damaged, or holds too much of the person.
        """
        with self._reading() as connection:
            rows = connection.execute(_VISIT_FACTS, (person, MAX_FACTS + 1)).fetchall()
        if len(rows) > MAX_FACTS:
            raise StoreError(f"a person has more than {MAX_FACTS} facts in the live state")
        return list(map(VisitFact._make, rows))

    def facts(self, places: Collection[int]) -> list[FoundFact]:
        """Find the facts of some places.

        Raises:
            StoreError: There is no state, or it is damaged.
        """
        with self._reading() as connection:
            if len(places) == 1:
                rows = connection.execute(_FACTS_AT, tuple(places))
            else:
                rows = connection.execute(_FACTS, (orjson.dumps(list(places)).decode(),))
            return list(map(FoundFact._make, rows))

    def knowledge_digest(self) -> bytes | None:
        """Digest of the knowledge in force; None where none was noted yet.

        Raises:
            StoreError: There is no state, or it is damaged.
        """
        with self._reading() as connection:
            row = connection.execute("select digest from knowledge").fetchone()
        return None if row is None else bytes(row[0])

    def knowledge(self) -> bytes:
        """Knowledge in force, JSON; see ``LiveWriter.note_knowledge``.

        Raises:
            StoreError: There is none, no state, or it is damaged.
        """
        with self._reading() as connection:
            row = connection.execute("select body from knowledge").fetchone()
        if row is None:
            raise StoreError("the live state holds no knowledge yet; the daemon puts it there")
        try:
            return zlib.decompressobj().decompress(row[0], MAX_KNOWLEDGE_BYTES)
        except zlib.error as error:
            raise StoreError("the live state's knowledge is damaged; remove live.db") from error

    def feedback(self) -> Mapping[str, Mapping[str, int]]:
        """Count the warnings told, and of them those accepted, justified and ignored.

        Raises:
            StoreError: There is no state, or it is damaged.
        """
        with self._reading() as connection:
            rows = connection.execute(
                "select warning, count(*), sum(way is '2'), sum(way is '1') from told"
                " group by warning order by warning"
            ).fetchall()
        return {
            warning: {
                "told": told,
                "accepted": accepted,
                "justified": justified,
                "ignored": told - accepted - justified,
            }
            for warning, told, accepted, justified in rows
        }

    def counted(self, day: int | None = None) -> Mapping[str, int]:
        """Sum what was counted, by name.

        Args:
            day: Only of this day, counted since 1970; of all when None.

        Raises:
            StoreError: There is no state, or it is damaged.
        """
        with self._reading() as connection:
            return dict(
                connection.execute(
                    "select name, sum(count) from counted where ?1 is null or day = ?1"
                    " group by name order by 1",
                    (day,),
                )
            )

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        try:
            if self._connection is None:
                self._inode = self._path.stat().st_ino
                self._connection = connect(f"{self._path.as_uri()}?mode=ro", uri=True)
                self._digests = None
            if self._digests is None:
                self._digests = find_digests(self._connection, self._vault)
            yield self._connection
        except StoreError:
            self.close()
            raise
        except OSError as error:
            self.close()
            raise absent(self._path) from error
        except (sqlite3.Error, VaultError) as error:
            self.close()
            raise StoreError(
                f"the live state cannot be read ({type(error).__name__}); the daemon makes it anew"
            ) from error
