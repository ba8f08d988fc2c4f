"""What the desk reads and writes: refused lines, the log of operators, codes, arrivals."""

import sqlite3
from collections.abc import Iterable, Sequence
from threading import RLock

from node.store.arrivals import Arrivals, Waiting
from node.store.code_extensions import CodeExtensions, ImportedCode
from node.store.operator_log import LogEntry, OperatorLog
from node.store.quarantine import Quarantine, QuarantineRow, body_label, context_label
from node.store.transactions import transaction
from security.at_rest import Vault

__all__ = ["DeskStore"]


class DeskStore:
    """The desk's tables of one node; what is written is durable when a method returns."""

    def __init__(self, connection: sqlite3.Connection, vault: Vault, lock: RLock) -> None:
        self._connection = connection
        self._vault = vault
        self._lock = lock
        self._quarantine = Quarantine(connection)
        self._log = OperatorLog(connection)
        self._codes = CodeExtensions(connection)
        self._arrivals = Arrivals(connection)

    def find(self, prefix: str) -> tuple[QuarantineRow, ...]:
        """Find refused lines by the first hex digits of their digest; at most two."""
        with self._lock:
            return self._quarantine.find(prefix)

    def body(self, digest: bytes) -> bytes | None:
        """Open the body of a refused line; None when it was not kept, or is not here."""
        with self._lock:
            sealed = self._quarantine.body(digest)
        return None if sealed is None else self._vault.open(sealed, body_label(digest))

    def context(self, name: str) -> bytes | None:
        """Open what a refused row was read with; None when it is not here."""
        with self._lock:
            sealed = self._quarantine.context(name)
        return None if sealed is None else self._vault.open(sealed, context_label(name))

    def mend(self, digest: bytes) -> None:
        """Remember that a refused line went in corrected."""
        with self._lock, transaction(self._connection):
            self._quarantine.mend(digest)

    def mended(self, digests: Sequence[bytes]) -> set[bytes]:
        """Find which of some refused lines went in corrected."""
        with self._lock:
            return self._quarantine.mended(digests)

    def note(self, entry: LogEntry) -> None:
        """Note what an operator does; before it is done."""
        with self._lock, transaction(self._connection):
            self._log.note(entry)

    def entries(self, limit: int = 100, subject: str = "") -> tuple[LogEntry, ...]:
        """List what operators did, newest first; of one subject, or of all."""
        with self._lock:
            return self._log.entries(limit, subject)

    def log_head(self) -> tuple[int, bytes]:
        """Number of entries of the operator log, and its last hash; see ``OperatorLog.head``."""
        with self._lock:
            return self._log.head()

    def verify_log(self) -> tuple[int, bytes]:
        """Verify the whole operator log; see ``OperatorLog.verify``."""
        with self._lock:
            return self._log.verify()

    def put_codes(self, codes: Iterable[ImportedCode]) -> None:
        """Keep codes beyond the national lists."""
        with self._lock, transaction(self._connection):
            self._codes.put(codes)

    def codes(self) -> tuple[ImportedCode, ...]:
        """List the codes beyond the national lists."""
        with self._lock:
            return self._codes.all()

    def codes_mark(self) -> str:
        """Tell the state of the codes: another one after every import that adds a code."""
        with self._lock:
            return self._codes.mark()

    def arrival_days(self, stretch: Sequence[str]) -> dict[str, set[str]]:
        """Tell on which days institutions sent anything; see ``Arrivals.days``."""
        with self._lock:
            return self._arrivals.days(stretch)

    def waiting(self) -> tuple[Waiting, ...]:
        """Count the messages that wait for their response, by institution."""
        with self._lock:
            return self._arrivals.waiting()
