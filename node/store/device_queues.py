"""Table ``device_queue``: how far the queues of devices are held."""

import sqlite3
from typing import Final

from node.errors import DeviceRefusedError
from node.store.device_rows import QueueRow
from security.devices import DeviceId

__all__ = ["MAX_QUEUES", "DeviceQueues"]

MAX_QUEUES: Final = 256
"""Queues of one device: each is a lost disk, so more are a fault or an attack."""


class DeviceQueues:
    """The queues of all devices; inside the caller's lock and transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def find_through(self, device: DeviceId, queue: bytes) -> int | None:
        """The last event that is held or lost; None for a queue that was never announced."""
        row = self._connection.execute(
            "select through from device_queue where device = ? and queue = ?", (device, queue)
        ).fetchone()
        return None if row is None else int(row[0])

    def announce(self, device: DeviceId, queue: bytes, first: int, moment: str) -> int:
        """Note that a queue can give events from ``first`` on.

        Args:
            device: Whose queue.
            queue: Its id, 16 bytes.
            first: The first event that may still come.
            moment: Present moment, ISO 8601.

        Returns:
            Every event up to this one is held here, or lost.

        Raises:
            DeviceRefusedError: The device has begun more queues than a device can.
        """
        through = self.find_through(device, queue)
        if through is None:
            self._begin(device, queue, moment)
            through = 0
        lost = max(0, first - through - 1)
        if lost:
            self._connection.execute(
                "update device_queue set through = through + ?, lost = lost + ?"
                " where device = ? and queue = ?",
                (lost, lost, device, queue),
            )
        return through + lost

    def rows(self, device: DeviceId) -> tuple[QueueRow, ...]:
        """List the queues of a device, the newest first."""
        cursor = self._connection.execute(
            "select queue, through, begun_at, lost from device_queue where device = ?"
            " order by begun_at desc, queue",
            (device,),
        )
        return tuple(
            QueueRow(queue=row[0], through=row[1], begun_at=row[2], lost=row[3]) for row in cursor
        )

    def _begin(self, device: DeviceId, queue: bytes, moment: str) -> None:
        (count,) = self._connection.execute(
            "select count(*) from device_queue where device = ?", (device,)
        ).fetchone()
        if count >= MAX_QUEUES:
            raise DeviceRefusedError(
                f"{device} has begun {count} queues; revoke it and give it another name"
            )
        self._connection.execute(
            "insert into device_queue(device, queue, through, begun_at) values(?, ?, 0, ?)",
            (device, queue, moment),
        )
