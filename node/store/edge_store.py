"""What a node keeps of its edge devices (边缘设备), and of the people they see."""

import sqlite3
from threading import RLock

from node.store.calibrations import CalibrationStore
from node.store.devices import DeviceStore
from node.store.presence import PresenceStore
from node.store.presence_counts import PresenceCounts
from node.store.templates import TemplateStore
from security.at_rest import Vault

__all__ = ["EdgeStore"]


class EdgeStore:
    """The tables of devices, templates, calibrations and presence of one node."""

    def __init__(self, connection: sqlite3.Connection, vault: Vault, lock: RLock) -> None:
        self.devices = DeviceStore(connection, vault, lock)
        self.templates = TemplateStore(connection, vault, lock)
        self.calibrations = CalibrationStore(connection, vault, lock)
        self.presence = PresenceStore(connection, vault, lock)
        self.presence_counts = PresenceCounts(connection, lock)
