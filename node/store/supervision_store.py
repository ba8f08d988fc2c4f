"""What supervision keeps: hits, the runs that found them, and imported knowledge."""

import hashlib
import sqlite3
from collections.abc import Collection, Sequence
from threading import RLock
from typing import Final

from node.domain.rule_hits import HitBody, decode_body
from node.errors import StoreError
from node.store.database import clear_log
from node.store.hits import SWEPT_ROWS, HitFilter, HitRow, Hits, SealedHit, hit_label
from node.store.key_secret import key_secret
from node.store.knowledge import (
    Knowledge,
    KnowledgeImport,
    KnowledgeRow,
    KnowledgeVersion,
    NewImport,
)
from node.store.rule_runs import NewRun, RuleOutcome, RuleRun, RuleRuns
from node.store.transactions import transaction
from security.at_rest import Vault

__all__ = ["KEPT_ROWS", "SupervisionStore"]

KEPT_ROWS: Final = 500
"""Most hits of one transaction: it stays below 50 ms, so that no message waits for long."""


class SupervisionStore:
    """Supervision's tables of one node; what is written is durable when a method returns."""

    def __init__(self, connection: sqlite3.Connection, vault: Vault, lock: RLock) -> None:
        self._connection = connection
        self._vault = vault
        self._lock = lock
        self._hits = Hits(connection)
        self._runs = RuleRuns(connection)
        self._knowledge = Knowledge(connection)

    def secret(self) -> bytes:
        """Get the secret under which hits are named."""
        with self._lock:
            return key_secret(self._connection, self._vault)

    def begin(self, run: NewRun) -> int:
        """Begin a run; returns its number."""
        with self._lock, transaction(self._connection):
            return self._runs.begin(run)

    def known(self, rule: str) -> dict[bytes, bytes]:
        """Digests of every hit kept of a rule, by id."""
        with self._lock:
            return self._hits.known(rule)

    def keep(
        self, run: int, rule: str, changed: Sequence[SealedHit], same: Collection[bytes]
    ) -> None:
        """Keep hits that a run found.

        Args:
            run: Number of the run.
            rule: Id of the rule.
            changed: Hits that are new, or say something else than before.
            same: Ids of hits that are kept as they were found.

        Raises:
            StoreError: There are too many for one transaction, or the disk failed.
        """
        if len(changed) + len(same) > KEPT_ROWS:
            raise StoreError(
                f"{len(changed) + len(same)} hits came at once, expected at most {KEPT_ROWS};"
                " command line and daemon are of different releases: restart the daemon"
            )
        with self._lock, transaction(self._connection):
            self._hits.put(run, rule, changed)
            self._hits.touch(run, same)

    def sweep(self, run: int, rule: str, first_month: int, last_month: int) -> int:
        """Mark what a run did not find again as gone; returns how many.

        Others write between its transactions, each of which marks a few.
        """
        marked = 0
        while True:
            with self._lock, transaction(self._connection):
                count = self._hits.sweep(run, rule, first_month, last_month)
            marked += count
            if count < SWEPT_ROWS:
                return marked

    def hit_months(self, last: int) -> dict[int, int]:
        """Number of hits by month, of months up to one; those that are gone count too."""
        with self._lock:
            return self._hits.months(last)

    def delete_hits(self, last: int) -> int:
        """Delete the hits of months up to one for good; returns how many.

        Others write between its transactions, each of which deletes a few.
        """
        deleted = 0
        while True:
            with self._lock, transaction(self._connection):
                count = self._hits.delete(last)
            deleted += count
            if count < SWEPT_ROWS:
                break
        with self._lock:
            clear_log(self._connection)
        return deleted

    def note(self, run: int, outcome: RuleOutcome) -> None:
        """Note what came of a rule."""
        with self._lock, transaction(self._connection):
            self._runs.put(run, outcome)

    def end(self, run: int, ended_at: str) -> None:
        """Note that a run came to its end."""
        with self._lock, transaction(self._connection):
            self._runs.end(run, ended_at)

    def runs(self, limit: int = 1) -> tuple[RuleRun, ...]:
        """List runs, the newest first."""
        with self._lock:
            return self._runs.newest(limit)

    def hits(
        self, wanted: HitFilter | None = None, *, limit: int = 100, offset: int = 0
    ) -> tuple[HitRow, ...]:
        """List hits, the largest amounts first, without their bodies."""
        with self._lock:
            return self._hits.rows(wanted or HitFilter(), limit, offset)

    def totals(self, wanted: HitFilter | None = None) -> tuple[tuple[str, str, int, int], ...]:
        """Count hits and sum their amounts: rule, verdict, hits, fen; by rule."""
        with self._lock:
            return self._hits.totals(wanted or HitFilter())

    def find(self, prefix: str) -> tuple[HitRow, ...]:
        """Find hits by the first hex digits of their id; at most two."""
        with self._lock:
            return self._hits.find(prefix)

    def body(self, hit: bytes) -> HitBody:
        """Open the body of a hit.

        Raises:
            StoreError: The hit is not here, or its body is of another release.
            VaultError: The body was changed, or sealed under another key.
        """
        with self._lock:
            sealed = self._hits.body(hit)
        if sealed is None:
            raise StoreError(f"hit {hit.hex()} is not in this node; list hits to see which are")
        return decode_body(self._vault.open(sealed, hit_label(hit)))

    def seal(self, hit: bytes, body: bytes) -> bytes:
        """Seal the body of a hit."""
        return self._vault.seal(body, hit_label(hit))

    def import_knowledge(self, new: NewImport) -> int:
        """Keep a file of knowledge; returns the number of the import."""
        with self._lock, transaction(self._connection):
            return self._knowledge.put(new)

    def knowledge_imports(self) -> tuple[KnowledgeImport, ...]:
        """List the imports of knowledge, the newest first."""
        with self._lock:
            return self._knowledge.imports()

    def knowledge_versions(self) -> tuple[KnowledgeVersion, ...]:
        """List which version of every table holds when, by table and first day."""
        with self._lock:
            return self._knowledge.versions()

    def knowledge_rows(self, version: KnowledgeVersion) -> list[KnowledgeRow]:
        """Get the rows of a version."""
        with self._lock:
            return self._knowledge.rows(version)

    def knowledge_digest(self) -> bytes:
        """Digest what holds when: another one after every import that changes anything."""
        state = hashlib.sha256()
        for one in self.knowledge_versions():
            state.update(f"{one.name} {one.begins_on} {one.digest.hex()}\n".encode())
        return state.digest()
