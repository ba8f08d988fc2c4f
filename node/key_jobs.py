"""The jobs over a node's keys at rest: JSON objects in and out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from node.config import NODE_KEY
from node.gateway import SPOOL_DIRECTORY
from node.gateway.spool_files import frame_epochs
from node.store import LogEntry, NodeStore
from node.store.sealed_places import sealed_epochs, wrapped_epochs, wrapped_places
from security.at_rest import Vault
from security.at_rest.key_ring import KeyRing
from security.at_rest.rotation import (
    Census,
    add_epoch,
    destroy_epoch,
    protect_ring,
    rewrap,
    take_census,
)
from security.at_rest.telling import told_ring
from security.moments import to_ms
from security.progress import ProgressReporter

__all__ = ["READERS", "KeyJobs"]

Result = dict[str, Any]
READERS: Final = ("keys",)
"""Jobs that change nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyJobs:
    """The jobs over one node's directory."""

    directory: Path
    store: NodeStore
    now: Callable[[], datetime]

    def table(self) -> Mapping[str, Callable[[Result, ProgressReporter], Result]]:
        """Jobs by the name under which the command line and the socket know them."""
        return {
            "keys": self.keys,
            "keys_rotate": self.rotate,
            "keys_destroy": self.destroy,
            "keys_protect": self.protect,
        }

    @property
    def _path(self) -> Path:
        return self.directory / NODE_KEY

    def keys(self, _arguments: Result, _progress: ProgressReporter) -> Result:
        """The ring, and what stands under each of its epochs."""
        return told_ring(self._path, self._census())

    def rotate(self, arguments: Result, progress: ProgressReporter) -> Result:
        """Add an epoch, unless a rotation is only to be ended, and wrap the keys anew."""
        if arguments.get("resume"):
            epoch = KeyRing.load(self._path).newest
        else:
            epoch = add_epoch(self._path, to_ms(self.now()))
        self._note(arguments, "keys_rotate", epoch)
        vault = Vault.load(self._path)
        return {
            "epoch": epoch,
            "wrapped_anew": rewrap(wrapped_places(self.directory), vault, progress),
        }

    def destroy(self, arguments: Result, _progress: ProgressReporter) -> Result:
        """Destroy the key of an epoch that nothing is left of."""
        epoch = arguments["epoch"]
        self._note(arguments, "keys_destroy", epoch)
        destroy_epoch(self._path, epoch, self._census(), to_ms(self.now()))
        return {"epoch": epoch, "status": "destroyed"}

    def protect(self, arguments: Result, _progress: ProgressReporter) -> Result:
        """Put the ring under a key of a PKCS #11 token, or back under its file's mode."""
        self._note(arguments, "keys_protect", KeyRing.load(self._path).newest)
        master = protect_ring(
            self._path,
            token=arguments.get("token"),
            label=arguments.get("label", ""),
            create=bool(arguments.get("create")),
        )
        return {"master": master}

    def _census(self) -> Census:
        spool = ("spool", frame_epochs(self.directory / SPOOL_DIRECTORY))
        return take_census(wrapped_epochs(self.directory), (*sealed_epochs(self.directory), spool))

    def _note(self, arguments: Result, action: str, epoch: int) -> None:
        self.store.desk.note(
            LogEntry(
                at=self.now().isoformat(),
                operator=arguments["operator"],
                action=action,
                subject=f"epoch {epoch}",
            )
        )
