"""The live state (实时状态): what the judging of 3101 and 3102 needs to know, in ``live.db``.

Rules:
- It is made of the store's records alone and says how far it has read them (``applied``): lost,
  damaged or of another form or key, it is begun again, and reads the records anew.
- What is applied is applied in one transaction with its mark; a crash repeats at most the last.
- It is not durable against a power cut (``synchronous=NORMAL``): after one it may have to read
  the last records again, which changes nothing.
- Ids are keyed digests under a secret that the node's key wraps; memory is bounded by SQLite's
  cache, whatever the number of persons.
"""

import secrets
import sqlite3
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

import pyarrow as pa

from node.errors import StoreError
from node.store.live_digests import Digests
from node.store.live_facts import Fact, VisitRow, facts_of
from node.store.live_specs import FACT_SPECS
from node.store.live_tables import (
    BUILT,
    DATED,
    FED,
    FORM,
    LIVE_DATABASE,
    LIVE_FILES,
    SECRET_CONTEXT,
    TABLES,
    absent,
    connect,
    find_digests,
    find_mark,
    find_meta,
    put_meta,
    set_up,
)
from node.store.news import Mark
from security.at_rest import Vault
from security.errors import VaultError

__all__ = ["LIVE_FILES", "LiveWriter", "Said", "ToldRow"]

_SECRET_BYTES: Final = 32
_PURGE_VISITS: Final = 5_000
"""Visits removed in one transaction."""
_PUT_FACT: Final = "insert or replace into fact values(?, ?, ?, ?, ?, ?)"
_PUT_VISIT: Final = (
    "insert into visit values(?, ?, ?, ?) on conflict(person, visit)"
    " do update set last_day = max(last_day, excluded.last_day)"
)
_PUT_TOLD: Final = "insert or ignore into told values(?, ?, ?, ?, ?, null)"
_PUT_WAY: Final = "update told set way = ? where id = ?"
_LOOK: Final = "select 1 from fact, visit, told, counted, knowledge, meta limit 0"
"""Fails where a table is gone."""
_PURGE_DATED: Final = f"delete from fact where {DATED} and day < ?"  # noqa: S608 - numbers


class ToldRow(NamedTuple):
    """A warning that was told."""

    id: str
    warning: str
    rule: str
    answer: str
    day: int


@dataclass(slots=True, kw_only=True)
class Said:
    """What was told and answered in the dialogue of 3101 to 3103."""

    told: list[ToldRow] = field(default_factory=list)
    answered: list[tuple[str, str]] = field(default_factory=list)
    """(way, warning): 1 goes on with a reason, 2 goes back and mends."""


class LiveWriter:
    """Keeps a live state; one writer, the process that holds the node's lock."""

    def __init__(self, directory: Path, vault: Vault) -> None:
        """Open the state, beginning it where there is none that can be used.

        Raises:
            StoreError: The directory cannot be written.
        """
        self._path = directory / LIVE_DATABASE
        self._vault = vault
        try:
            self._connection = self._opened()
        except (sqlite3.Error, VaultError, StoreError):
            self._connection = self._begun()
        self._inode = self._path.stat().st_ino

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    @property
    def applied(self) -> Mark:
        """How far the records are in the state."""
        return find_mark(self._connection)

    @property
    def seal(self) -> bytes | None:
        """What the store's tree was when it was last noted: size and root."""
        return find_meta(self._connection, "seal")

    @property
    def is_in_place(self) -> bool:
        """Whether the file that is written is still the one that readers find."""
        try:
            return self._path.stat().st_ino == self._inode
        except OSError:
            return False

    def check(self) -> None:
        """Look whether the state can be used.

        Raises:
            StoreError: It is damaged, or lost.
        """
        try:
            if not self.is_in_place:
                raise absent(self._path)
            rows = self._connection.execute("pragma quick_check(1)").fetchall()
            self._connection.execute(_LOOK)
        except sqlite3.Error as error:
            raise StoreError(f"the live state is damaged ({error})") from error
        if rows != [("ok",)]:
            raise StoreError("the live state is damaged")

    def begin_again(self) -> None:
        """Forget everything: the records are to be read anew.

        Raises:
            StoreError: The directory cannot be written.
        """
        self.close()
        self._connection = self._begun()
        self._inode = self._path.stat().st_ino

    def apply(
        self,
        batches: Iterable[tuple[str, pa.Table]],
        mark: Mark | None,
        said: Said | None = None,
    ) -> int:
        """Apply records, in one transaction with the mark.

        Args:
            batches: Records by kind; other kinds than those of ``FACT_SPECS`` are left out.
            mark: How far the records are in the state then; None where more follows.
            said: What was told and answered, complete when the batches are through.

        Returns:
            Number of facts.

        Raises:
            StoreError: The state is damaged or the disk fails; nothing was applied.
        """
        count = 0
        with self._writing() as connection:
            for kind, table in batches:
                for spec in FACT_SPECS.get(kind, ()):
                    facts: list[Fact] = []
                    visits: set[VisitRow] = set()
                    for fact, visit in facts_of(spec, table, self._digests):
                        facts.append(fact)
                        if visit is not None:
                            visits.add(visit)
                    connection.executemany(_PUT_FACT, facts)
                    connection.executemany(_PUT_VISIT, visits)
                    count += len(facts)
            if said is not None:
                connection.executemany(_PUT_TOLD, said.told)
                connection.executemany(_PUT_WAY, said.answered)
            if mark is not None:
                put_meta(connection, {"size": str(mark.size), "staged": str(mark.staged)})
        return count

    def note_fed(self, count: int) -> None:
        """Note that the state is up to date; the first time, that all there was is in it.

        Args:
            count: Another number than the last time.
        """
        with self._writing() as connection:
            put_meta(connection, {BUILT: "1", FED: str(count)})

    def note_seal(self, seal: bytes) -> None:
        """Note what the store's tree is."""
        with self._writing() as connection:
            put_meta(connection, {"seal": seal})

    def note_knowledge(self, digest: bytes, body: bytes) -> None:
        """Put the knowledge in force in the place of the former."""
        with self._writing() as connection:
            connection.execute(
                "insert or replace into knowledge values(1, ?, ?)", (digest, zlib.compress(body))
            )

    def count(self, day: int, counts: Mapping[str, int]) -> None:
        """Add counts of a day."""
        with self._writing() as connection:
            connection.executemany(
                "insert into counted values(?, ?, ?)"
                " on conflict(day, name) do update set count = count + excluded.count",
                [(day, name, count) for name, count in counts.items()],
            )

    def purge(self, first_day: int, first_told_day: int) -> int:
        """Remove a part of what ended before a day; to be called until it returns 0.

        Args:
            first_day: First day that is kept, days since 1970.
            first_told_day: The same for warnings and counts.

        Returns:
            Number of visits removed.
        """
        with self._writing() as connection:
            old = connection.execute(
                "select person, visit from visit where last_day < ? limit ?",
                (first_day, _PURGE_VISITS),
            ).fetchall()
            connection.executemany(
                "delete from fact where place = ?", [(visit,) for _, visit in old]
            )
            connection.executemany("delete from visit where person = ? and visit = ?", old)
            if not old:
                connection.execute(_PURGE_DATED, (first_day,))
                connection.execute("delete from told where day < ?", (first_told_day,))
                connection.execute("delete from counted where day < ?", (first_told_day,))
        return len(old)

    def forget_months(self, kind: str, months: Collection[int]) -> None:
        """Remove the facts of months whose records retention has deleted."""
        with self._writing() as connection:
            connection.executemany(
                "delete from fact where kind = ? and month = ?",
                [(int(one.kind), month) for one in FACT_SPECS.get(kind, ()) for month in months],
            )

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        connection = self._connection
        try:
            connection.execute("begin immediate")
            try:
                yield connection
                connection.execute("commit")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("rollback")
                raise
        except sqlite3.Error as error:
            raise StoreError(
                f"the live state refused a write ({error}); check the disk's free space"
            ) from error

    def _opened(self) -> sqlite3.Connection:
        if not self._path.exists():
            raise absent(self._path)
        connection = connect(str(self._path))
        try:
            set_up(connection)
            self._digests = find_digests(connection, self._vault)
        except BaseException:
            connection.close()
            raise
        return connection

    def _begun(self) -> sqlite3.Connection:
        try:
            for name in LIVE_FILES:
                self._path.with_name(name).unlink(missing_ok=True)
            connection = connect(str(self._path))
            self._path.chmod(0o600)
            set_up(connection)
            secret = secrets.token_bytes(_SECRET_BYTES)
            with connection:
                connection.execute("begin")
                for statement in TABLES:
                    connection.execute(statement)
                wrapped = self._vault.wrap(secret, SECRET_CONTEXT)
                put_meta(connection, {"secret": wrapped, "form": FORM})
        except (sqlite3.Error, OSError) as error:
            raise StoreError(
                f"{self._path} cannot be written ({error}); check the disk and its rights"
            ) from error
        self._digests = Digests(secret)
        return connection
