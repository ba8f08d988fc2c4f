"""Findings of topics (专题发现), in ``measures.db`` beside the rows that they were found in.

Rules:
- All findings of a topic and month are replaced together, with the digest of what the topic read:
  whoever finds the same digest need not run it again.
- A finding keeps its id and the moment it was first found; one that is found no longer is gone,
  and comes back under the same id. It is deleted when its retention is over.
- Whom a finding is about is sealed, for its id.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from sqlite_utils import Database, Migrations

from node.domain.topic_findings import TopicFinding, decode_finding, encode_finding
from node.store.measures_file import MeasuresFile
from node.store.transactions import transaction

__all__ = ["Findings", "Replaced"]

_COLUMNS: Final = "id, topic, version, institution, month, amount_fen, verdict, severity, body"
_MIGRATIONS: Final = Migrations("yixin-findings")


@_MIGRATIONS()
def create_tables(database: Database) -> None:
    """Tables of the first version."""
    database.execute(
        """create table finding(
            id blob not null primary key,
            topic text not null,
            version text not null,
            institution text,
            month integer not null,
            amount_fen integer not null,
            verdict text not null,
            severity text not null,
            body blob not null,
            first_at text not null,
            gone_at text
        ) strict, without rowid"""
    )
    database.execute("create index finding_of on finding(topic, month)")
    database.execute(
        """create table finding_month(
            topic text not null,
            month integer not null,
            inputs blob not null,
            primary key(topic, month)
        ) strict, without rowid"""
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Replaced:
    """What putting the findings of a topic and month changed."""

    standing: int
    new: int
    """Of these, not known before."""
    gone: int
    """Findings that stood before and are found no longer."""


class Findings(MeasuresFile):
    """Findings by topic and month; written by ``topics run`` and by retention."""

    migrations = _MIGRATIONS

    def inputs(self) -> dict[tuple[str, int], bytes]:
        """Digest of what was read, by topic and month that was run."""
        cursor = self._connection.execute("select topic, month, inputs from finding_month")
        return {(row[0], row[1]): row[2] for row in cursor}

    def replace(
        self, topic: str, month: int, inputs: bytes, found: Sequence[TopicFinding], at: str
    ) -> Replaced:
        """Put the findings of a topic and month in place of the former ones, durably.

        Args:
            topic: Id of the topic.
            month: yyyymm.
            inputs: Digest of everything the topic read.
            found: All its findings of the month.
            at: Moment of the run, ISO 8601.
        """
        rows = {
            one.id: (
                *(one.id, topic, one.version, one.institution, month, one.amount_fen),
                *(one.verdict, one.severity),
                self._vault.seal(encode_finding(one.body), _label(one.id)),
                at,
            )
            for one in found
        }
        with transaction(self._connection) as connection:
            known = dict(
                connection.execute(
                    "select id, gone_at from finding where topic = ? and month = ?", (topic, month)
                ).fetchall()
            )
            missing = [one for one, gone in known.items() if gone is None and one not in rows]
            connection.executemany(
                "update finding set gone_at = ? where id = ?", [(at, one) for one in missing]
            )
            connection.executemany(
                f"insert into finding({_COLUMNS}, first_at) values(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
                " on conflict(id) do update set version = excluded.version,"
                " institution = excluded.institution, amount_fen = excluded.amount_fen,"
                " verdict = excluded.verdict, severity = excluded.severity, body = excluded.body,"
                " gone_at = null",
                [*rows.values()],
            )
            connection.execute(
                "insert into finding_month values(?, ?, ?) on conflict do update set"
                " inputs = excluded.inputs",
                (topic, month, inputs),
            )
        return Replaced(standing=len(rows), new=len(rows.keys() - known.keys()), gone=len(missing))

    def standing(self) -> Iterator[TopicFinding]:
        """Findings that stand, by topic, month and id.

        Raises:
            StoreError: A body is of another release.
            VaultError: A body was changed, or sealed under another key.
        """
        rows = self._connection.execute(
            f"select {_COLUMNS} from finding where gone_at is null order by topic, month, id"  # noqa: S608 - constant column list
        ).fetchall()
        for row in rows:
            yield TopicFinding(
                id=row[0],
                topic=row[1],
                version=row[2],
                institution=row[3],
                month=row[4],
                amount_fen=row[5],
                verdict=row[6],
                severity=row[7],
                body=decode_finding(self._vault.open(row[8], _label(row[0]))),
            )

    def months(self, last: int) -> dict[int, int]:
        """Number of findings by month, of months up to one; those that are gone count too."""
        cursor = self._connection.execute(
            "select month, count(*) from finding where month <= ? group by month", (last,)
        )
        return dict(cursor.fetchall())

    def delete(self, last: int) -> int:
        """Delete the findings of months up to one for good; returns how many."""
        with transaction(self._connection) as connection:
            count = connection.execute("delete from finding where month <= ?", (last,)).rowcount
            connection.execute("delete from finding_month where month <= ?", (last,))
        self._connection.execute("pragma wal_checkpoint(truncate)").fetchall()
        return count


def _label(finding: bytes) -> str:
    return f"finding:{finding.hex()}"
