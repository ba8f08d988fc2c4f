"""Registered proxies (代配药人): who may act for whom, from which day to which.

Rules:
- Persons stand here as keyed digests; the numbers are in the sealed body alone.
- A registration counts on its first and on its last day. One that was ended counts on no day
  after; it stays as long as it would have counted, so that what it let pass can be explained.
"""

import sqlite3
import struct
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from threading import RLock
from typing import Final

from node.domain.face_templates import NewProxy, Proxy
from node.errors import StoreError
from node.store.by import By
from node.store.operator_log import OperatorLog
from node.store.transactions import transaction
from security.at_rest import Vault

__all__ = ["PROXY_TABLE", "ProxyStore"]

PROXY_TABLE: Final = """create table template_proxy(
        person blob not null,
        proxy blob not null,
        body blob not null,
        begins_on text not null,
        ends_on text not null,
        consent text not null,
        made_at text not null,
        primary key(person, proxy, begins_on)
    ) strict, without rowid"""
"""body: both numbers, sealed by the vault."""
_COLUMNS: Final = "person, proxy, body, begins_on, ends_on, consent, made_at"
_LENGTHS: Final = struct.Struct(">BB")


class ProxyStore:
    """Proxies of one node.

    What is written is durable when a method returns.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        vault: Vault,
        lock: RLock,
        digest: Callable[[str], bytes],
    ) -> None:
        self._connection = connection
        self._vault = vault
        self._lock = lock
        self._digest = digest
        self._log = OperatorLog(connection)

    def in_force(self, person: str, proxy: str, day: date) -> bool:
        """Say whether somebody may act for a person on a day.

        Args:
            person: psn_no of the person.
            proxy: psn_no of who came.
            day: Day in Shanghai.
        """
        with self._lock:
            row = self._connection.execute(
                "select 1 from template_proxy"
                " where person = ? and proxy = ? and begins_on <= ? and ends_on >= ?",
                (self._digest(person), self._digest(proxy), day.isoformat(), day.isoformat()),
            ).fetchone()
        return row is not None

    def add(self, asked: NewProxy, by: By) -> None:
        """Register a proxy; a registration that begins on the same day is replaced."""
        self._digest(asked.person)  # Makes the node's secret where there is none.
        with self._lock, transaction(self._connection):
            self.put(asked, by.moment)
            self._log.note(by.entry("proxy_add", f"until {asked.ends_on}", asked.consent))

    def put(self, asked: NewProxy, made_at: str) -> None:
        """Register a proxy; inside the caller's transaction."""
        person, proxy = self._digest(asked.person), self._digest(asked.proxy)
        begins_on = asked.begins_on.isoformat()
        numbers = (asked.person.encode(), asked.proxy.encode())
        body = _LENGTHS.pack(*map(len, numbers)) + b"".join(numbers)
        self._connection.execute(
            f"insert or replace into template_proxy({_COLUMNS}) values(?, ?, ?, ?, ?, ?, ?)",
            (
                person,
                proxy,
                self._vault.seal(body, _context(person, proxy, begins_on)),
                begins_on,
                asked.ends_on.isoformat(),
                asked.consent,
                made_at,
            ),
        )

    def end(self, person: str, proxy: str, last: date, by: By) -> int:
        """End the registrations of a proxy that would count after a day.

        Args:
            person: psn_no of the person.
            proxy: psn_no of the proxy.
            last: Last day on which they count; those that begin after it go.
            by: Who ends it, and why.

        Returns:
            How many were ended.
        """
        whose = (self._digest(person), self._digest(proxy), last.isoformat())
        with self._lock, transaction(self._connection) as connection:
            count = connection.execute(
                "delete from template_proxy where person = ? and proxy = ? and begins_on > ?",
                whose,
            ).rowcount
            count += connection.execute(
                "update template_proxy set ends_on = ?3"
                " where person = ?1 and proxy = ?2 and ends_on > ?3",
                whose,
            ).rowcount
            if count:
                self._log.note(by.entry("proxy_end", f"after {last}"))
        return count

    def of(self, person: str) -> tuple[Proxy, ...]:
        """List the registrations in which a person appears, on either side.

        Raises:
            StoreError: A row was changed on disk.
            VaultError: Likewise.
        """
        digest = self._digest(person)
        return self._listed("where ?1 in (person, proxy)", digest)

    def in_force_on(self, day: date) -> tuple[Proxy, ...]:
        """List the registrations that count on a day.

        Raises:
            StoreError: A row was changed on disk.
            VaultError: Likewise.
        """
        return self._listed("where begins_on <= ?1 and ends_on >= ?1", day.isoformat())

    def all(self) -> tuple[Proxy, ...]:
        """List all registrations.

        Raises:
            StoreError: A row was changed on disk.
            VaultError: Likewise.
        """
        return self._listed("where ?1 is null", None)

    def count(self, day: date) -> int:
        """Count the registrations that count on a day."""
        with self._lock:
            row = self._connection.execute(
                "select count(*) from template_proxy where begins_on <= ?1 and ends_on >= ?1",
                (day.isoformat(),),
            ).fetchone()
        return int(row[0])

    def ended_months(self, day: date, keep_days: int) -> dict[int, int]:
        """Count what ended so long ago, by month (yyyymm) in which it ended."""
        with self._lock:
            rows = self._connection.execute(
                "select replace(substr(ends_on, 1, 7), '-', ''), count(*) from template_proxy"
                " where ends_on < ? group by 1",
                (_before(day, keep_days),),
            ).fetchall()
        return {int(month): count for month, count in rows}

    def delete_ended(self, day: date, keep_days: int) -> int:
        """Delete what ended so long ago; inside the caller's transaction."""
        return self._connection.execute(
            "delete from template_proxy where ends_on < ?", (_before(day, keep_days),)
        ).rowcount

    def _listed(self, where: str, value: bytes | str | None) -> tuple[Proxy, ...]:
        with self._lock:
            return tuple(self._opened(where, value))

    def _opened(self, where: str, value: bytes | str | None) -> Iterator[Proxy]:
        rows = self._connection.execute(
            f"select {_COLUMNS} from template_proxy {where} order by made_at, begins_on",  # noqa: S608 - our own words
            (value,),
        )
        for person, proxy, body, begins_on, ends_on, consent, made_at in rows:
            digests = (bytes(person), bytes(proxy))
            opened = self._vault.open(bytes(body), _context(*digests, begins_on))
            first, _ = _LENGTHS.unpack_from(opened)
            numbers = opened[_LENGTHS.size :]
            names = (numbers[:first].decode(), numbers[first:].decode())
            if tuple(map(self._digest, names)) != digests:
                raise StoreError(
                    "a row of template_proxy was changed on disk; restore the node's directory "
                    "from its backup"
                )
            yield Proxy(
                kept=NewProxy(
                    person=names[0],
                    proxy=names[1],
                    begins_on=date.fromisoformat(begins_on),
                    ends_on=date.fromisoformat(ends_on),
                    consent=consent,
                ),
                made_at=made_at,
            )


def _context(person: bytes, proxy: bytes, begins_on: str) -> str:
    return f"template-proxy/{person.hex()}/{proxy.hex()}/{begins_on}"


def _before(day: date, keep_days: int) -> str:
    return (day - timedelta(days=keep_days)).isoformat()
