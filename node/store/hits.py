"""Hits of rules (规则命中): one row for each, found again by its id, deleted by retention only.

A row tells when a hit was first found, when last, and since which run it is gone. Who it is about
and what it rests on lies in its body, sealed by the vault. A body is sealed anew only where the
hit has changed: ``digest`` tells, and is keyed, so that nobody can try contents out.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

__all__ = ["HIT_TABLES", "SWEPT_ROWS", "HitFilter", "HitRow", "Hits", "SealedHit", "hit_label"]

HIT_TABLES: Final = (
    # at: wall clock, Asia/Shanghai; month: of it, yyyymm. Runs are those of rule_run.
    """create table rule_hit(
        id blob not null primary key,
        rule text not null,
        version text not null,
        institution text not null,
        month integer not null,
        at text not null,
        amount_fen integer not null,
        verdict text not null,
        digest blob not null,
        body blob not null,
        first_run integer not null references rule_run(id),
        last_run integer not null references rule_run(id),
        gone_run integer references rule_run(id)
    ) strict""",
    "create index rule_hit_of on rule_hit(rule, month, institution)",
)
SWEPT_ROWS: Final = 500
"""Hits marked as gone in one transaction."""
_EVER: Final = 999_912
_COLUMNS: Final = (
    "id, rule, version, institution, month, at, amount_fen, verdict, first_run, last_run, gone_run"
)
_FILTER: Final = (
    "? in ('', rule) and ? in ('', institution) and month between ? and ?"
    " and (? or gone_run is null)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedHit:
    """A hit on its way into the store, its body sealed."""

    id: bytes
    version: str
    institution: str
    month: int
    """yyyymm."""
    at: str
    """ISO 8601, wall clock, Asia/Shanghai."""
    amount_fen: int
    verdict: str
    digest: bytes = field(repr=False)
    """Keyed digest of everything the hit says."""
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class HitRow:
    """A hit as it is kept, without its body."""

    id: bytes
    rule: str
    version: str
    institution: str
    month: int
    at: str
    amount_fen: int
    verdict: str
    first_run: int
    """Run that found it first."""
    last_run: int
    """Run that found it last."""
    gone_run: int | None
    """Run that no longer found it; None while it stands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HitFilter:
    """Which hits are meant; an empty text means any."""

    rule: str = ""
    institution: str = ""
    first_month: int = 0
    last_month: int = _EVER
    gone: bool = False
    """Those that are gone too."""

    @property
    def values(self) -> tuple[object, ...]:
        """Values of the filter's placeholders."""
        return (self.rule, self.institution, self.first_month, self.last_month, self.gone)


class Hits:
    """Table ``rule_hit``."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def known(self, rule: str) -> dict[bytes, bytes]:
        """Digests of everything kept of a rule, by id."""
        return dict(
            self._connection.execute("select id, digest from rule_hit where rule = ?", (rule,))
        )

    def put(self, run: int, rule: str, hits: Iterable[SealedHit]) -> None:
        """Add or change hits, all found by this run; inside the caller's transaction."""
        self._connection.executemany(
            "insert into rule_hit values(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?11, ?11, null)"
            " on conflict(id) do update set version = excluded.version,"
            " institution = excluded.institution, month = excluded.month, at = excluded.at,"
            " amount_fen = excluded.amount_fen, verdict = excluded.verdict,"
            " digest = excluded.digest, body = excluded.body, last_run = excluded.last_run,"
            " gone_run = null",
            [
                (
                    one.id,
                    rule,
                    one.version,
                    one.institution,
                    one.month,
                    one.at,
                    one.amount_fen,
                    one.verdict,
                    one.digest,
                    one.body,
                    run,
                )
                for one in hits
            ],
        )

    def touch(self, run: int, ids: Iterable[bytes]) -> None:
        """Note hits as found by this run as they were; inside the caller's transaction."""
        self._connection.executemany(
            "update rule_hit set last_run = ?, gone_run = null where id = ?",
            [(run, one) for one in ids],
        )

    def sweep(self, run: int, rule: str, first_month: int, last_month: int) -> int:
        """Mark some of what this run did not find as gone; inside the caller's transaction.

        Returns:
            Number of hits marked: ``SWEPT_ROWS`` where there may be more.
        """
        return self._connection.execute(
            "update rule_hit set gone_run = ?1 where rowid in ("
            " select rowid from rule_hit where rule = ?2 and month between ?3 and ?4"
            " and last_run < ?1 and gone_run is null limit ?5)",
            (run, rule, first_month, last_month, SWEPT_ROWS),
        ).rowcount

    def months(self, last: int) -> dict[int, int]:
        """Number of hits by month, of months up to one; those that are gone count too."""
        cursor = self._connection.execute(
            "select month, count(*) from rule_hit where month <= ? group by month", (last,)
        )
        return dict(cursor.fetchall())

    def delete(self, last: int) -> int:
        """Delete some hits of months up to one; inside the caller's transaction.

        Returns:
            Number of hits deleted: ``SWEPT_ROWS`` where there may be more.
        """
        return self._connection.execute(
            "delete from rule_hit where rowid in ("
            " select rowid from rule_hit where month <= ? limit ?)",
            (last, SWEPT_ROWS),
        ).rowcount

    def rows(self, wanted: HitFilter, limit: int, offset: int) -> tuple[HitRow, ...]:
        """List hits, the largest amounts first."""
        cursor = self._connection.execute(
            f"select {_COLUMNS} from rule_hit where {_FILTER}"  # noqa: S608 - constant texts
            " order by amount_fen desc, rule, at, id limit ? offset ?",
            (*wanted.values, limit, offset),
        )
        return _rows(cursor)

    def find(self, prefix: str) -> tuple[HitRow, ...]:
        """Find hits by the first hex digits of their id: two tell that more match."""
        least = bytes.fromhex(prefix.ljust(32, "0"))
        most = bytes.fromhex(prefix.ljust(32, "f"))
        cursor = self._connection.execute(
            f"select {_COLUMNS} from rule_hit where id between ? and ? order by id limit 2",  # noqa: S608 - constant column list
            (least, most),
        )
        return _rows(cursor)

    def body(self, hit: bytes) -> bytes | None:
        """Get the sealed body of a hit; None when it is not here."""
        row = self._connection.execute("select body from rule_hit where id = ?", (hit,)).fetchone()
        return None if row is None else row[0]

    def totals(self, wanted: HitFilter) -> tuple[tuple[str, str, int, int], ...]:
        """Count hits and sum their amounts: rule, verdict, hits, fen; by rule."""
        cursor = self._connection.execute(
            "select rule, verdict, count(*), sum(amount_fen) from rule_hit"  # noqa: S608 - constant text
            f" where {_FILTER} group by rule, verdict order by rule, verdict",
            wanted.values,
        )
        return tuple((row[0], row[1], int(row[2]), int(row[3])) for row in cursor)


def _rows(cursor: Iterable[Sequence[Any]]) -> tuple[HitRow, ...]:
    return tuple(
        HitRow(
            id=row[0],
            rule=row[1],
            version=row[2],
            institution=row[3],
            month=row[4],
            at=row[5],
            amount_fen=row[6],
            verdict=row[7],
            first_run=row[8],
            last_run=row[9],
            gone_run=row[10],
        )
        for row in cursor
    )


def hit_label(hit: bytes) -> str:
    """Name what the vault seals the body of a hit for."""
    return f"rule_hit:{hit.hex()}"
