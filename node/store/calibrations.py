"""Calibrations (标定) in force: one threshold per face model and site."""

import sqlite3
from threading import RLock
from typing import Final

from security.at_rest import Vault

__all__ = ["CALIBRATION_TABLES", "CalibrationStore"]

CALIBRATION_TABLES: Final = (
    # body: canonical JSON of the calibration, whose SHA-256 is the digest.
    """create table face_calibration(
        digest blob primary key,
        model blob not null,
        site text not null,
        body blob not null,
        imported_at text not null,
        imported_by text not null,
        ended_at text
    ) strict, without rowid""",
    """create unique index face_calibration_in_force on face_calibration(model, site)
       where ended_at is null""",
)


class CalibrationStore:
    """Calibrations of one node.

    What is written is durable when a method returns.
    """

    def __init__(self, connection: sqlite3.Connection, vault: Vault, lock: RLock) -> None:
        self._connection = connection
        self._vault = vault
        self._lock = lock
