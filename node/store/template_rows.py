"""Rows of templates: what is found, emptied and counted of them, inside the caller's lock.

Nothing here opens a vector; ``TemplateStore`` does.
"""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from node.domain.face_templates import Purpose, Subject, TemplateRow
from node.errors import TemplateError
from node.store.proxies import PROXY_TABLE
from node.store.transforms import NO_KEY, TRANSFORM_TABLE

__all__ = ["TEMPLATE_TABLES", "KeptRow", "TemplateCount", "TemplateRows"]

TEMPLATE_TABLES: Final = (
    # Keys of the orthogonal transform, wrapped by the vault.
    TRANSFORM_TABLE,
    # body: sealed under the row's own key, which the vault wrapped; both go with the row.
    """create table template(
        id blob primary key,
        person blob not null,
        subject text not null,
        model blob not null,
        epoch integer not null references template_transform(epoch),
        wrapped_key blob not null,
        body blob not null,
        consent text not null,
        consent_at text not null,
        purposes text not null,
        made_at text not null,
        made_by text not null,
        device text not null,
        expires_on text not null,
        revoked_at text
    ) strict, without rowid""",
    """create unique index template_person on template(person, model)
       where revoked_at is null""",
    "create index template_expires on template(expires_on)",
    "create index template_epoch on template(epoch) where revoked_at is null",
    # Who may act for whom (代配药人).
    PROXY_TABLE,
)
_CLEAR: Final = (
    "id, subject, purposes, model, epoch, consent, consent_at, made_at, made_by, device,"
    " expires_on, revoked_at"
)
_MONTH: Final = "cast(replace(substr(expires_on, 1, 7), '-', '') as integer)"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptRow:
    """A row with what is sealed in it."""

    row: TemplateRow
    person: bytes
    """Keyed digest, 16 bytes."""
    wrapped: bytes
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateCount:
    """Templates of one model and one subject."""

    model: bytes
    subject: Subject
    active: int
    revoked: int
    older: int
    """Active ones under an older transform."""


class TemplateRows:
    """Table ``template``."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def insert(self, kept: KeptRow) -> None:
        """Add a row."""
        row = kept.row
        self._connection.execute(
            f"insert into template({_CLEAR}, person, wrapped_key, body)"
            f" values({', '.join('?' * 15)})",
            (
                row.id,
                row.subject.value,
                ",".join(sorted(row.purposes)),
                row.model,
                row.epoch,
                row.consent,
                row.consent_at,
                row.made_at,
                row.made_by,
                row.device,
                row.expires_on.isoformat(),
                row.revoked_at,
                kept.person,
                kept.wrapped,
                kept.body,
            ),
        )

    def update(self, template: bytes, epoch: int, wrapped: bytes, body: bytes) -> None:
        """Put a row under another transform and another key."""
        self._connection.execute(
            "update template set epoch = ?, wrapped_key = ?, body = ? where id = ?",
            (epoch, wrapped, body, template),
        )

    def empty(self, ids: Sequence[bytes], at: str, expires_on: date) -> None:
        """Revoke rows: key and vector go, what was consented to stays."""
        self._connection.executemany(
            "update template set revoked_at = ?, expires_on = ?, wrapped_key = ?, body = ?"
            " where id = ?",
            [(at, expires_on.isoformat(), NO_KEY, b"", one) for one in ids],
        )

    def delete_person(self, person: bytes) -> list[bytes]:
        """Delete a person's rows; returns their ids."""
        rows = self._connection.execute(
            "delete from template where person = ? returning id", (person,)
        ).fetchall()
        return [bytes(row[0]) for row in rows]

    def delete_due(self, day: date) -> int:
        """Delete the rows whose time is over; returns their number."""
        return self._connection.execute(
            "delete from template where expires_on <= ?", (day.isoformat(),)
        ).rowcount

    def due_months(self, day: date) -> dict[int, int]:
        """Count the rows whose time is over, by month (yyyymm) in which it ended."""
        rows = self._connection.execute(
            f"select {_MONTH}, count(*) from template where expires_on <= ? group by 1",  # noqa: S608 - our own words
            (day.isoformat(),),
        )
        return dict(rows.fetchall())

    def find(self, person: bytes, model: bytes, day: date) -> KeptRow | None:
        """Find the row that a person is compared with on a day."""
        found = self._kept(
            "person = ? and model = ? and expires_on > ?", person, model, day.isoformat()
        )
        return found[0] if found else None

    def named(self, ids: Sequence[bytes]) -> list[KeptRow]:
        """Find rows that are not revoked by their ids, at most some hundreds."""
        return self._kept(f"id in ({', '.join('?' * len(ids))})", *ids)

    def older(self, epoch: int, limit: int) -> list[KeptRow]:
        """Find rows under an older transform."""
        return self._kept("epoch < ? order by epoch limit ?", epoch, limit)

    def any_of(self, model: bytes) -> KeptRow | None:
        """Find some row of a model."""
        found = self._kept("model = ? limit 1", model)
        return found[0] if found else None

    def active(self, person: bytes, day: date | None = None) -> list[tuple[bytes, bytes]]:
        """Name a person's rows that are not revoked: ids and models.

        Args:
            person: Keyed digest.
            day: Only those that have not expired by then; None: all.
        """
        rows = self._connection.execute(
            "select id, model from template where person = ? and revoked_at is null"
            " and expires_on > ?",
            (person, "" if day is None else day.isoformat()),
        )
        return [(bytes(one), bytes(model)) for one, model in rows]

    def ids(self, model: bytes, purpose: Purpose, day: date) -> set[bytes]:
        """Name the rows of a model that may be compared for a purpose on a day."""
        rows = self._connection.execute(
            "select id from template where model = ? and revoked_at is null and expires_on > ?"
            " and instr(purposes, ?)",
            (model, day.isoformat(), purpose.value),
        )
        return {bytes(row[0]) for row in rows}

    def listed(self, person: bytes | None, limit: int) -> tuple[TemplateRow, ...]:
        """List rows, newest first; of one person or of all, revoked ones included."""
        rows = self._connection.execute(
            f"select {_CLEAR} from template where ?1 is null or person = ?1"  # noqa: S608 - our own names
            " order by made_at desc, revoked_at is not null, id limit ?2",
            (person, limit),
        )
        return tuple(_clear(row) for row in rows)

    def counts(self, newest: int, day: date) -> tuple[TemplateCount, ...]:
        """Count rows by model and subject."""
        rows = self._connection.execute(
            "select model, subject, sum(revoked_at is null and expires_on > ?1),"
            " sum(revoked_at is not null), sum(revoked_at is null and epoch < ?2)"
            " from template group by model, subject order by model, subject",
            (day.isoformat(), newest),
        )
        return tuple(
            TemplateCount(
                model=bytes(model),
                subject=Subject(subject),
                active=active,
                revoked=revoked,
                older=older,
            )
            for model, subject, active, revoked, older in rows
        )

    def persons(self, day: date) -> int:
        """Count the persons who have a template."""
        row = self._connection.execute(
            "select count(distinct person) from template"
            " where revoked_at is null and expires_on > ?",
            (day.isoformat(),),
        ).fetchone()
        return int(row[0])

    def _kept(self, where: str, *values: object) -> list[KeptRow]:
        rows = self._connection.execute(
            f"select {_CLEAR}, person, wrapped_key, body from template"  # noqa: S608 - our own names
            f" where revoked_at is null and {where}",
            values,
        )
        return [
            KeptRow(
                row=_clear(row),
                person=bytes(row[12]),
                wrapped=bytes(row[13]),
                body=bytes(row[14]),
            )
            for row in rows
        ]


def _clear(row: Sequence[Any]) -> TemplateRow:
    try:
        return TemplateRow(
            id=bytes(row[0]),
            subject=Subject(row[1]),
            purposes=frozenset(map(Purpose, row[2].split(","))),
            model=bytes(row[3]),
            epoch=row[4],
            consent=row[5],
            consent_at=row[6],
            made_at=row[7],
            made_by=row[8],
            device=row[9],
            expires_on=date.fromisoformat(row[10]),
            revoked_at=row[11],
        )
    except ValueError as error:
        raise TemplateError(
            f"the row of the template {bytes(row[0]).hex()} was changed on disk; restore the "
            "node's directory from its backup, or delete it and enrol again"
        ) from error
