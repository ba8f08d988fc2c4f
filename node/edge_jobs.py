"""The jobs over edge devices, faces and presence, JSON objects in and out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final, TypeAlias

from node.device_jobs import READERS as DEVICE_READERS
from node.device_jobs import DeviceJobs
from node.face_jobs import READERS as FACE_READERS
from node.face_jobs import FaceJobs
from node.face_register_jobs import READERS as FACE_REGISTER_READERS
from node.face_register_jobs import FaceRegisterJobs
from node.presence_jobs import READERS as PRESENCE_READERS
from node.presence_jobs import PresenceJobs
from node.store import NodeStore
from scoring_kernel import Catalog
from security.progress import ProgressReporter

__all__ = ["READERS", "EdgeJobs"]

Result: TypeAlias = dict[str, Any]
READERS: Final[tuple[str, ...]] = (
    *(*DEVICE_READERS, *FACE_READERS, *FACE_REGISTER_READERS),
    *PRESENCE_READERS,
)
"""Jobs that change nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeJobs:
    """The jobs over one node."""

    directory: Path
    catalog: Catalog
    store: NodeStore
    now: Callable[[], datetime]

    def table(self) -> Mapping[str, Callable[[Result, ProgressReporter], Result]]:
        """Jobs by the name under which the command line and the socket know them."""
        return {
            **DeviceJobs(directory=self.directory, store=self.store, now=self.now).table(),
            **FaceJobs(directory=self.directory, store=self.store, now=self.now).table(),
            **FaceRegisterJobs(directory=self.directory, store=self.store, now=self.now).table(),
            **PresenceJobs(catalog=self.catalog, store=self.store, now=self.now).table(),
        }
