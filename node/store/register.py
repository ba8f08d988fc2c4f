"""The register of institutions and the node's small settings."""

import sqlite3
from collections.abc import Iterable

from node.domain.institutions import CODE_PATTERN, Institution, foreign_code
from node.errors import StoreError

__all__ = ["Register"]

_MAX_ATTEMPTS = 100


class Register:
    """Tables ``institution``, ``setting`` and ``source``."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def institutions(self) -> tuple[Institution, ...]:
        """List the register by code."""
        cursor = self._connection.execute(
            "select code, name, level, type, division, is_foreign, namespace, foreign_code"
            " from institution order by code"
        )
        return tuple(
            Institution(
                code=row[0],
                name=row[1],
                level=row[2],
                type=row[3],
                division=row[4],
                foreign=bool(row[5]),
                namespace=row[6],
                foreign_code=row[7],
            )
            for row in cursor
        )

    def codes(self) -> frozenset[str]:
        """List the codes that messages may come from: those under custody."""
        cursor = self._connection.execute("select code from institution where is_foreign = 0")
        return frozenset(row[0] for row in cursor)

    def replace_custody(self, institutions: Iterable[Institution]) -> None:
        """Put the custody of this node in place of the former one; records stay.

        Raises:
            StoreError: A code has not the national form.
        """
        rows = tuple(institutions)
        for row in rows:
            if not CODE_PATTERN.fullmatch(row.code):
                raise StoreError(
                    f"institution code {row.code[:20]!r} found, expected H or P and eleven"
                    " digits; correct the register"
                )
        self._connection.execute("delete from institution where is_foreign = 0")
        self._connection.executemany(
            "insert into institution values(?, ?, ?, ?, ?, 0, '', '')"
            " on conflict(code) do update set name = excluded.name, level = excluded.level,"
            " type = excluded.type, division = excluded.division, is_foreign = 0",
            [(row.code, row.name, row.level, row.type, row.division) for row in rows],
        )

    def foreign_codes(self, namespace: str, wanted: Iterable[str]) -> dict[str, str]:
        """Find the codes of foreign institutions, and choose codes for new ones.

        Nothing is written: the codes chosen here are put into the register by
        ``add_foreign`` in the transaction that takes in their first records.

        Returns:
            Foreign code → code of the national form.
        """
        held = dict(
            self._connection.execute(
                "select foreign_code, code from institution where is_foreign = 1 and namespace = ?",
                (namespace,),
            )
        )
        taken = {row[0] for row in self._connection.execute("select code from institution")}
        chosen: dict[str, str] = {}
        for code in wanted:
            if code in held:
                chosen[code] = held[code]
                continue
            for attempt in range(_MAX_ATTEMPTS):
                candidate = foreign_code(namespace, code, attempt)
                if candidate not in taken:
                    break
            else:
                raise StoreError(
                    f"no free code for institution {code[:30]!r} of {namespace!r} after"
                    f" {_MAX_ATTEMPTS} attempts; use another namespace"
                )
            taken.add(candidate)
            held[code] = chosen[code] = candidate
        return chosen

    def add_foreign(self, institutions: Iterable[Institution]) -> None:
        """Register foreign institutions; one that is there already stays as it is."""
        self._connection.executemany(
            "insert into institution values(?, ?, ?, ?, ?, 1, ?, ?) on conflict do nothing",
            [
                (
                    row.code,
                    row.name,
                    row.level,
                    row.type,
                    row.division,
                    row.namespace,
                    row.foreign_code,
                )
                for row in institutions
            ],
        )

    def setting(self, key: str) -> str | None:
        """Find a setting."""
        row = self._connection.execute("select value from setting where key = ?", (key,)).fetchone()
        return None if row is None else str(row[0])

    def set_setting(self, key: str, value: str) -> None:
        """Set a setting."""
        self._connection.execute(
            "insert into setting values(?, ?)"
            " on conflict(key) do update set value = excluded.value",
            (key, value),
        )

    def note_source(self, name: str, size_bytes: int, lines: int, finished_at: str) -> None:
        """Note a file that was read to its end; the same file again changes nothing."""
        self._connection.execute(
            "insert into source values(?, ?, ?, ?) on conflict do nothing",
            (name, size_bytes, lines, finished_at),
        )
