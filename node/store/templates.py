"""Face templates (人脸模板): each sealed under a key of its own, persons by keyed digest.

Rules:
- A person has at most one template of a model that is neither revoked nor replaced.
- What changes a template is in the log of operators, in the same transaction, by its id.
- Revoking destroys the vector and its key, and keeps the row; deleting removes the row.
- Vectors are handed out under the newest transform, whatever epoch their row is of.
"""

import hashlib
import secrets
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from threading import RLock
from typing import Final

import numpy as np

from node.domain.face_templates import NewTemplate, Purpose, Template, TemplateRow
from node.errors import TemplateError
from node.store.by import By
from node.store.database import clear_log
from node.store.key_secret import key_secret
from node.store.operator_log import OperatorLog
from node.store.proxies import ProxyStore
from node.store.template_bodies import TemplateBody, open_body, seal_body
from node.store.template_rows import KeptRow, TemplateCount, TemplateRows
from node.store.transactions import transaction
from node.store.transforms import Transform, TransformStore
from security.at_rest import Vault

__all__ = ["TemplateStore"]

_PERSON: Final = b"yixin/template"
_DIGEST_BYTES: Final = 16
_ID_BYTES: Final = 16
_ROWS: Final = 500
"""Templates that are opened in one piece, under the lock."""


class TemplateStore:
    """Templates, transforms and proxies of one node.

    What is written is durable when a method returns.
    """

    def __init__(self, connection: sqlite3.Connection, vault: Vault, lock: RLock) -> None:
        self._connection = connection
        self._vault = vault
        self._lock = lock
        self._log = OperatorLog(connection)
        self._table = TemplateRows(connection)
        self._secret: bytes | None = None
        self._version = 0
        self.transforms = TransformStore(connection, vault, lock)
        self.proxies = ProxyStore(connection, vault, lock, self.digest)

    @property
    def version(self) -> int:
        """Another number after every change that this process made."""
        return self._version

    def digest(self, person: str) -> bytes:
        """Digest a person's number as it stands in rows, 16 bytes."""
        if self._secret is None:
            with self._lock:
                self._secret = key_secret(self._connection, self._vault)
        return hashlib.blake2b(
            person.encode(), digest_size=_DIGEST_BYTES, key=self._secret, person=_PERSON
        ).digest()

    def enrol(self, asked: Sequence[NewTemplate], by: By, keep_days: int) -> tuple[bytes, ...]:
        """Keep templates, all or none; those they replace are revoked with them.

        Args:
            asked: Templates under the newest transform.
            by: Who enrols.
            keep_days: How long the row of a replaced one is kept.

        Returns:
            Their ids.

        Raises:
            TemplateError: One is under another transform than the newest.
            StoreError: The disk failed; none was kept.
        """
        ids = tuple(secrets.token_bytes(_ID_BYTES) for _ in asked)
        rows = [self._sealed(*one, by) for one in zip(ids, asked, strict=True)]
        with self._lock:
            replaced = 0
            with transaction(self._connection):
                self._verify_epochs(asked)
                for one, kept in zip(asked, rows, strict=True):
                    replaced += self._keep(one, kept, by, keep_days)
                self._version += 1
            if replaced:
                clear_log(self._connection)
        return ids

    def find(self, person: str, model: bytes, day: date) -> Template | None:
        """Find the template that a person is compared with.

        Args:
            person: psn_no, or code of a staff member.
            model: SHA-256 of the embedding model's file, 32 bytes.
            day: Day in Shanghai; what has expired is not found.

        Raises:
            TemplateError: The row was changed on disk.
            VaultError: It does not open.
        """
        with self._lock:
            kept = self._table.find(self.digest(person), model, day)
            return None if kept is None else self._carried([kept])[0]

    def has_any(self, person: str, day: date) -> bool:
        """Say whether a person has a template of any model on a day."""
        with self._lock:
            return bool(self._table.active(self.digest(person), day))

    def rows(self, person: str | None, limit: int) -> tuple[TemplateRow, ...]:
        """List templates, newest first; of one person or of all, revoked ones included."""
        with self._lock:
            return self._table.listed(None if person is None else self.digest(person), limit)

    def counts(self, day: date) -> tuple[TemplateCount, ...]:
        """Count templates by model and subject."""
        with self._lock:
            newest = self.transforms.newest()
            return self._table.counts(0 if newest is None else newest.epoch, day)

    def persons(self, day: date) -> int:
        """Count the persons who have a template on a day."""
        with self._lock:
            return self._table.persons(day)

    def ids(self, model: bytes, purpose: Purpose, day: date) -> set[bytes]:
        """Name the templates of a model that may be compared for a purpose on a day."""
        with self._lock:
            return self._table.ids(model, purpose, day)

    def opened(self, ids: Sequence[bytes]) -> Iterator[Template]:
        """Open templates under the newest transform; those that are gone are left out.

        Raises:
            TemplateError: A row was changed on disk.
            VaultError: One does not open.
        """
        for begin in range(0, len(ids), _ROWS):
            with self._lock:
                found = self._carried(self._table.named(ids[begin : begin + _ROWS]))
            yield from found

    def dimension(self, model: bytes) -> int | None:
        """Find the length of the vectors of a model; None where there are none.

        Raises:
            TemplateError: A row was changed on disk.
            VaultError: It does not open.
        """
        with self._lock:
            kept = self._table.any_of(model)
            return None if kept is None else len(self._opened(kept).vector)

    def revoke(self, person: str, by: By, keep_days: int) -> int:
        """Revoke a person's templates: their vectors are gone, and nothing is compared any more.

        Args:
            person: psn_no, or code of a staff member.
            by: Who revokes, and why.
            keep_days: How long their rows are kept from now on.

        Returns:
            How many were revoked.
        """
        digest = self.digest(person)
        with self._lock:
            with transaction(self._connection):
                ids = [one for one, _ in self._table.active(digest)]
                self._revoke(ids, by, keep_days)
                self.transforms.destroy_unused(by.moment)
                self._version += 1
            clear_log(self._connection)
        return len(ids)

    def delete(self, person: str, by: By) -> int:
        """Delete a person's templates for good, revoked ones included.

        Args:
            person: psn_no, or code of a staff member.
            by: Who deletes, and why.

        Returns:
            How many rows went.
        """
        digest = self.digest(person)
        with self._lock:
            with transaction(self._connection):
                ids = self._table.delete_person(digest)
                for one in ids:
                    self._log.note(by.entry("template_delete", one.hex()))
                self.transforms.destroy_unused(by.moment)
                self._version += 1
            clear_log(self._connection)
        return len(ids)

    def due(self, day: date, keep_days: int) -> Mapping[str, Mapping[int, int]]:
        """Count what is kept beyond its time, by kind and by month (yyyymm) in which it ended.

        Args:
            day: Day in Shanghai.
            keep_days: How long an ended registration of a proxy is kept.
        """
        with self._lock:
            return {
                "template": self._table.due_months(day),
                "template_proxy": self.proxies.ended_months(day, keep_days),
            }

    def delete_due(self, by: By, keep_days: int) -> Mapping[str, int]:
        """Delete what is kept beyond its time; logged, where something was.

        Returns:
            Number by kind.
        """
        with self._lock:
            with transaction(self._connection):
                deleted = {
                    "template": self._table.delete_due(by.day),
                    "template_proxy": self.proxies.delete_ended(by.day, keep_days),
                }
                if any(deleted.values()):
                    self.transforms.destroy_unused(by.moment)
                    words = ", ".join(f"{kind} {count}" for kind, count in deleted.items())
                    self._log.note(by.entry("template_retain", "templates", words))
                    self._version += 1
            if any(deleted.values()):
                clear_log(self._connection)
        return deleted

    def begin_rekey(self, by: By) -> Transform:
        """Put a new transform in force; templates follow in batches."""
        with self._lock, transaction(self._connection):
            made = self.transforms.begin(by.moment)
            self._log.note(by.entry("template_rekey", f"epoch {made.epoch}"))
            self._version += 1
        return made

    def rekey_batch(self, limit: int, at: datetime) -> int:
        """Carry some templates over to the newest transform, each under a new key of its own.

        Args:
            limit: Most templates.
            at: Now, UTC-aware.

        Returns:
            How many were carried; 0: all are, and the older transforms' keys are destroyed.

        Raises:
            TemplateError: A row was changed on disk; nothing of the batch was carried.
            VaultError: One does not open; likewise.
        """
        with self._lock:
            newest = self.transforms.newest()
            with transaction(self._connection):
                kept = self._table.older(0 if newest is None else newest.epoch, limit)
                for one in self._carried(kept):
                    body = TemplateBody(
                        person=one.person, model=one.row.model, epoch=one.epoch, vector=one.vector
                    )
                    sealed = seal_body(self._vault, one.row.id, body)
                    self._table.update(one.row.id, one.epoch, *sealed)
                if not kept:
                    self.transforms.destroy_unused(at.isoformat(timespec="seconds"))
            if not kept:
                clear_log(self._connection)
        return len(kept)

    def _keep(self, one: NewTemplate, kept: KeptRow, by: By, keep_days: int) -> int:
        """Keep one and revoke those that it replaces; inside the caller's transaction."""
        active = self._table.active(kept.person)
        old = [template for template, model in active if model == one.model]
        self._revoke(old, replace(by, why="enrolled again"), keep_days)
        self._table.insert(kept)
        if one.proxy is not None:
            self.proxies.put(one.proxy, by.moment)
        words = "+".join(sorted(one.purposes))
        detail = f"{one.subject}; {words}; {one.device or 'no device'}"
        self._log.note(by.entry("template_enrol", kept.row.id.hex(), detail))
        return len(old)

    def _revoke(self, ids: Sequence[bytes], by: By, keep_days: int) -> None:
        """Empty rows and log it; inside the caller's transaction."""
        self._table.empty(ids, by.moment, by.day + timedelta(days=keep_days))
        for one in ids:
            self._log.note(by.entry("template_revoke", one.hex()))

    def _verify_epochs(self, asked: Sequence[NewTemplate]) -> None:
        newest = self.transforms.newest()
        held = 0 if newest is None else newest.epoch
        for one in asked:
            if one.epoch != held:
                raise TemplateError(
                    f"found a template under transform epoch {one.epoch}, expected {held}: ask "
                    "for the transform in force and try again"
                )

    def _sealed(self, template: bytes, one: NewTemplate, by: By) -> KeptRow:
        body = TemplateBody(person=one.person, model=one.model, epoch=one.epoch, vector=one.vector)
        wrapped, sealed = seal_body(self._vault, template, body)
        row = TemplateRow(
            id=template,
            subject=one.subject,
            purposes=one.purposes,
            model=one.model,
            epoch=one.epoch,
            consent=one.consent,
            consent_at=one.consent_at,
            made_at=by.moment,
            made_by=by.operator,
            device=one.device,
            expires_on=one.expires_on,
            revoked_at=None,
        )
        return KeptRow(row=row, person=self.digest(one.person), wrapped=wrapped, body=sealed)

    def _opened(self, kept: KeptRow) -> TemplateBody:
        row = kept.row
        body = open_body(self._vault, row.id, kept.wrapped, kept.body)
        found = (self.digest(body.person), body.model, body.epoch)
        if found != (kept.person, row.model, row.epoch):
            raise TemplateError(
                f"the row of the template {row.id.hex()} was changed on disk; restore the node's "
                "directory from its backup, or delete it and enrol again"
            )
        return body

    def _carried(self, kept: Sequence[KeptRow]) -> list[Template]:
        """Open rows and put their vectors under the newest transform; in their order."""
        newest = self.transforms.newest() if kept else None
        if newest is None:
            return []
        found = []
        for one in kept:
            body = self._opened(one)
            vector = self.transforms.carry(body.vector[np.newaxis], body.epoch, newest)[0]
            found.append(
                Template(row=one.row, person=body.person, epoch=newest.epoch, vector=vector)
            )
        return found
