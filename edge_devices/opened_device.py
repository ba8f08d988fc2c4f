"""What lies in a terminal's directory, opened under its lock: keys, models, queue, cache."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from importlib import metadata
from pathlib import Path
from typing import Final

from edge_devices.config import DEVICE_KEY, LOCK_FILE, DeviceSettings
from edge_devices.enrolling import DeviceIdentity, load_identity
from edge_devices.face_terminals import queue as queues
from edge_devices.face_terminals import template_cache as caches
from edge_devices.face_terminals.node_link import Running
from edge_devices.face_terminals.verifying import Examiner
from edge_devices.models import ModelStore, open_pipeline
from security.at_rest import Vault
from security.operator import writer_lock

__all__ = ["OpenedDevice", "opened_device"]

DISTRIBUTION: Final = "yixin"


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedDevice:
    """What a terminal and an enrolment are built from."""

    directory: Path
    """The terminal's directory."""
    identity: DeviceIdentity
    """Who it is, towards its node."""
    examiner: Examiner = field(repr=False)
    """Its models, joined."""
    queue: queues.EventQueue = field(repr=False)
    """Its events."""
    cache: caches.TemplateCache = field(repr=False)
    """Its templates for when the line is down."""

    @property
    def running(self) -> Running:
        """What runs here."""
        return Running(
            model=bytes.fromhex(self.examiner.model),
            pipeline=self.examiner.digest,
            version=_release(),
        )


@contextmanager
def opened_device(directory: Path, settings: DeviceSettings) -> Iterator[OpenedDevice]:
    """Open what lies in a terminal's directory, and close it.

    Args:
        directory: The directory.
        settings: Its settings.

    Raises:
        DeviceConfigurationError: The directory holds no device.
        LockHeldError: A terminal runs on it.
        FaceModelError: A model is missing, damaged or another one.
        FacesNotInstalledError: OpenCV is not installed.
        KeyFileError: A key file is damaged or open to others.
        QueueError: Queue or cache cannot be opened.
    """
    identity = load_identity(directory)
    if settings.node:
        identity = replace(identity, intake_address=settings.node)
    models = Path(settings.models) if settings.models else directory / "models"
    with writer_lock(directory, LOCK_FILE, "using"):
        examiner = open_pipeline(
            ModelStore(models), embedding=settings.embedding or None, gate=settings.gate
        )
        key = directory / DEVICE_KEY
        vault = Vault.load(key) if key.exists() else Vault.create(key)
        queue = queues.EventQueue(directory / queues.FILE_NAME, vault)
        try:
            cache = caches.TemplateCache(directory / caches.FILE_NAME, vault)
            try:
                yield OpenedDevice(
                    directory=directory,
                    identity=identity,
                    examiner=examiner,
                    queue=queue,
                    cache=cache,
                )
            finally:
                cache.close()
        finally:
            queue.close()


def _release() -> str:
    try:
        return metadata.version(DISTRIBUTION)
    except metadata.PackageNotFoundError:
        return "source"  # Run from a working copy.
