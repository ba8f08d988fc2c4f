"""Calibrations (标定) in force: a threshold per face model, site and use.

Rules:
- What is compared one to one and what is searched one to many have thresholds of their own: a
  search has as many chances of a false accept as there are templates.
- Of one model, site and use one calibration is in force: a newer one ends it. Ended ones stay.
- What stands here is read again, strictly, whenever it is used.
"""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from threading import RLock
from typing import Final

from node.errors import StoreError
from node.store.by import By
from node.store.operator_log import OperatorLog
from node.store.transactions import transaction
from scoring_kernel.errors import CalibrationError
from scoring_kernel.faces.calibration import Calibration
from security.at_rest import Vault

__all__ = ["CALIBRATION_TABLES", "CalibrationStore", "CalibrationUse", "KeptCalibration"]

CALIBRATION_TABLES: Final = (
    # body: canonical JSON of the calibration, whose SHA-256 is the digest.
    """create table face_calibration(
        digest blob not null,
        use text not null,
        model blob not null,
        site text not null,
        body blob not null,
        imported_at text not null,
        imported_by text not null,
        ended_at text,
        primary key(digest, use)
    ) strict, without rowid""",
    """create unique index face_calibration_in_force on face_calibration(model, site, use)
       where ended_at is null""",
)


class CalibrationUse(StrEnum):
    """What a threshold is for."""

    VERIFY = "verify"
    """One to one (1:1)."""
    IDENTIFY = "identify"
    """One to many (1:N)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptCalibration:
    """A calibration as the node keeps it."""

    calibration: Calibration
    use: CalibrationUse
    imported_at: str
    """ISO 8601, UTC."""
    imported_by: str
    ended_at: str | None
    """None: in force."""


class CalibrationStore:
    """Calibrations of one node.

    What is written is durable when a method returns.
    """

    def __init__(self, connection: sqlite3.Connection, _vault: Vault, lock: RLock) -> None:
        self._connection = connection
        self._lock = lock
        self._log = OperatorLog(connection)

    def at(
        self, model: bytes, site: str, use: CalibrationUse = CalibrationUse.VERIFY
    ) -> Calibration | None:
        """Find the calibration in force.

        Args:
            model: SHA-256 of the embedding model's file, 32 bytes.
            site: Code of the institution.
            use: One to one, or one to many.

        Raises:
            StoreError: The row was changed on disk.
        """
        with self._lock:
            row = self._connection.execute(
                "select digest, body from face_calibration"
                " where model = ? and site = ? and use = ? and ended_at is null",
                (model, site, use.value),
            ).fetchone()
        return None if row is None else _read(bytes(row[0]), bytes(row[1]))

    def put(self, calibration: Calibration, use: CalibrationUse, by: By) -> None:
        """Put a calibration in force, in the place of the one before.

        Args:
            calibration: It.
            use: What for.
            by: Who imports it.
        """
        where = (calibration.model, calibration.site, use.value)
        with self._lock, transaction(self._connection) as connection:
            connection.execute(
                "update face_calibration set ended_at = ?"
                " where model = ? and site = ? and use = ? and ended_at is null",
                (by.moment, *where),
            )
            connection.execute(
                "insert into face_calibration(digest, model, site, use, body, imported_at,"
                " imported_by) values(?, ?, ?, ?, ?, ?, ?) on conflict(digest, use) do update set"
                " ended_at = null, imported_at = excluded.imported_at,"
                " imported_by = excluded.imported_by",
                (calibration.digest, *where, calibration.to_json(), by.moment, by.operator),
            )
            subject = f"{calibration.site} {calibration.digest.hex()[:16]}"
            detail = f"for {use.value}; threshold {calibration.threshold_e4}"
            self._log.note(by.entry("calibration_import", subject, detail))

    def end(self, prefix: str, by: By) -> int:
        """End the calibrations in force whose digest begins so.

        Args:
            prefix: First hexadecimal digits.
            by: Who ends them, and why.

        Returns:
            How many were in force.
        """
        with self._lock, transaction(self._connection) as connection:
            ended = connection.execute(
                "update face_calibration set ended_at = ?"
                " where ended_at is null and substr(lower(hex(digest)), 1, ?) = ?",
                (by.moment, len(prefix), prefix),
            ).rowcount
            if ended:
                self._log.note(by.entry("calibration_end", prefix))
        return ended

    def kept(self, *, ended: bool = False) -> tuple[KeptCalibration, ...]:
        """List the calibrations by site, in force or all.

        Raises:
            StoreError: A row was changed on disk.
        """
        with self._lock:
            return tuple(self._kept(ended=ended))

    def _kept(self, *, ended: bool) -> Iterator[KeptCalibration]:
        rows = self._connection.execute(
            "select digest, body, use, imported_at, imported_by, ended_at from face_calibration"
            " where ended_at is null or ? order by site, use, imported_at, digest",
            (ended,),
        )
        for digest, body, use, imported_at, imported_by, ended_at in rows:
            if use not in set(CalibrationUse):
                raise _changed(bytes(digest))
            yield KeptCalibration(
                calibration=_read(bytes(digest), bytes(body)),
                use=CalibrationUse(use),
                imported_at=imported_at,
                imported_by=imported_by,
                ended_at=ended_at,
            )


def _read(digest: bytes, body: bytes) -> Calibration:
    try:
        calibration = Calibration.from_json(body)
    except CalibrationError as error:
        raise _changed(digest) from error
    if calibration.digest != digest:
        raise _changed(digest)
    return calibration


def _changed(digest: bytes) -> StoreError:
    return StoreError(
        f"the calibration {digest.hex()[:12]} was changed on disk; import its file again"
    )
