"""What is known of a terminal without disturbing it (终端状态): its files, read beside it."""

from datetime import datetime
from pathlib import Path
from typing import Any, Final

import orjson

from edge_devices.config import DEVICE_KEY, LOCK_FILE, DeviceSettings
from edge_devices.enrolling import load_identity
from edge_devices.face_terminals.health import FILE_NAME as HEALTH_FILE
from edge_devices.face_terminals.queue import FILE_NAME as QUEUE_FILE
from edge_devices.face_terminals.queue import EventQueue
from edge_devices.models import ModelStore
from security.at_rest import Vault
from security.errors import KeyFileError, LockHeldError
from security.operator import writer_lock
from security.private_files import read_private

__all__ = ["status_of"]

_MAX_HEALTH_BYTES: Final = 64 * 1024


def status_of(directory: Path, settings: DeviceSettings, now: datetime) -> dict[str, Any]:
    """What is known of a terminal.

    Args:
        directory: Its directory.
        settings: Its settings.
        now: The moment.

    Raises:
        DeviceConfigurationError: The directory holds no device.
        QueueError: The queue cannot be read.
    """
    identity = load_identity(directory)
    ends = identity.certificate_ends
    models = Path(settings.models) if settings.models else directory / "models"
    health = _health(directory / HEALTH_FILE)
    return {
        "device": str(identity.device),
        "node": settings.node or identity.intake_address,
        "enrolment": identity.enrolment_address,
        "certificate_ends": ends.isoformat(timespec="seconds"),
        "certificate_days_left": (ends - now).days,
        "is_running": _is_running(directory),
        "models": [one.manifest.id for one in ModelStore(models).installed()],
        "queue": _queue(directory),
        "health_at": None if health is None else health.get("at"),
        "health": health,
    }


def _queue(directory: Path) -> dict[str, int] | None:
    path = directory / QUEUE_FILE
    if not path.exists():
        return None
    queue = EventQueue(path, Vault.load(directory / DEVICE_KEY))
    try:
        span = queue.span
    finally:
        queue.close()
    return {"newest": span.newest, "waiting": span.waiting}


def _health(path: Path) -> dict[str, Any] | None:
    try:
        found = orjson.loads(read_private(path, _MAX_HEALTH_BYTES))
    except (KeyFileError, orjson.JSONDecodeError):
        return None
    return found if isinstance(found, dict) else None


def _is_running(directory: Path) -> bool:
    try:
        with writer_lock(directory, LOCK_FILE, "using"):
            return False
    except LockHeldError:
        return True
