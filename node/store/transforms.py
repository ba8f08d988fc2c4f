"""Keys of the orthogonal transform (正交变换), one an epoch, wrapped by the vault.

Rules:
- The newest epoch is the one in force; a vector under an older one is carried over before it is
  compared with anything.
- An epoch keeps its key as long as a template is under it; then the key goes and the row stays.
- What the transform is good for, and what not, is told in ``scoring_kernel.faces.transform``.
"""

import secrets
import sqlite3
from collections import OrderedDict
from dataclasses import dataclass, field
from threading import RLock
from typing import Final

from node.errors import TemplateError
from node.store.transactions import transaction
from scoring_kernel.faces.arrays import DoubleMatrix, FloatMatrix
from scoring_kernel.faces.transform import KEY_BYTES, protect, rekey_matrix, transform_matrix
from security.at_rest import Vault

__all__ = ["NO_KEY", "TRANSFORM_TABLE", "Transform", "TransformStore", "transform_context"]

TRANSFORM_TABLE: Final = """create table template_transform(
        epoch integer primary key,
        wrapped blob not null,
        made_at text not null,
        ended_at text
    ) strict"""
"""wrapped: by the vault; empty when the key was destroyed."""

NO_KEY: Final = b""
"""In the place of a key that was destroyed."""
_MATRICES: Final = 8
"""Kept in memory; one of 512 dimensions has 2 MiB and takes a third of a second to draw."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transform:
    """A transform in force."""

    epoch: int
    key: bytes = field(repr=False)
    """32 bytes; never logged."""


class TransformStore:
    """Transforms of one node."""

    def __init__(self, connection: sqlite3.Connection, vault: Vault, lock: RLock) -> None:
        self._connection = connection
        self._vault = vault
        self._lock = lock
        self._drawn: OrderedDict[tuple[int, int, int], DoubleMatrix] = OrderedDict()

    def newest(self) -> Transform | None:
        """Find the transform in force; None before the first.

        Raises:
            VaultError: Its key does not open.
        """
        with self._lock:
            row = self._connection.execute(
                "select epoch, wrapped from template_transform order by epoch desc limit 1"
            ).fetchone()
        return None if row is None else self._opened(row[0], bytes(row[1]))

    def ensure(self, made_at: str) -> Transform:
        """Give the transform in force, making the first one where there is none.

        Args:
            made_at: Now, ISO 8601, UTC.

        Raises:
            StoreError: The disk failed.
            VaultError: Its key does not open.
        """
        with self._lock:
            found = self.newest()
            if found is None:
                with transaction(self._connection):
                    found = self.begin(made_at)
        return found

    def begin(self, made_at: str) -> Transform:
        """Put a new transform in force; inside the caller's transaction."""
        row = self._connection.execute("select max(epoch) from template_transform").fetchone()
        made = Transform(epoch=(row[0] or 0) + 1, key=secrets.token_bytes(KEY_BYTES))
        self._connection.execute(
            "insert into template_transform(epoch, wrapped, made_at) values(?, ?, ?)",
            (made.epoch, self._vault.wrap(made.key, transform_context(made.epoch)), made_at),
        )
        return made

    def find(self, epoch: int) -> Transform:
        """Find a transform.

        Raises:
            TemplateError: There is none of this epoch, or its key was destroyed.
            VaultError: Its key does not open.
        """
        with self._lock:
            row = self._connection.execute(
                "select wrapped from template_transform where epoch = ?", (epoch,)
            ).fetchone()
        if row is None or bytes(row[0]) == NO_KEY:
            raise TemplateError(
                f"found transform epoch {epoch}, which this node does not hold; "
                "enrol the person again"
            )
        return self._opened(epoch, bytes(row[0]))

    def destroy_unused(self, at: str) -> int:
        """Destroy the keys that no template is under any more; inside the caller's transaction.

        Returns:
            How many.
        """
        return self._connection.execute(
            "update template_transform set wrapped = ?, ended_at = ? where wrapped <> ?"
            " and epoch < (select max(epoch) from template_transform) and not exists("
            "select 1 from template where template.epoch = template_transform.epoch"
            " and revoked_at is null)",
            (NO_KEY, at, NO_KEY),
        ).rowcount

    def carry(self, vectors: FloatMatrix, epoch: int, newest: Transform) -> FloatMatrix:
        """Carry vectors over to the newest transform.

        Args:
            vectors: Under the transform of ``epoch``, shape (n, d).
            epoch: An epoch whose key is held.
            newest: The transform in force.

        Returns:
            Under the newest transform, float32, shape (n, d).

        Raises:
            TemplateError: The epoch is unknown.
            VaultError: Its key does not open.
        """
        if newest.epoch == epoch:
            return vectors
        dimension = vectors.shape[1]
        key = (epoch, newest.epoch, dimension)
        with self._lock:
            drawn = self._drawn.get(key)
            if drawn is None:
                drawn = rekey_matrix(
                    transform_matrix(self.find(epoch).key, dimension),
                    transform_matrix(newest.key, dimension),
                )
                self._drawn[key] = drawn
                if len(self._drawn) > _MATRICES:
                    self._drawn.popitem(last=False)
        return protect(vectors, drawn)

    def _opened(self, epoch: int, wrapped: bytes) -> Transform:
        return Transform(epoch=epoch, key=self._vault.unwrap(wrapped, transform_context(epoch)))


def transform_context(epoch: int) -> str:
    """Place that the key of an epoch is wrapped for."""
    return f"template-transform/{epoch}"
