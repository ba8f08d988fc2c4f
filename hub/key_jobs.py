"""The jobs over a hub's keys at rest: JSON objects in and out."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

from hub.parts import KEYS, HubParts
from hub.store.engine import reading
from hub.store.identity import VAULT_KEY
from hub.store.sealed_places import sealed_epochs, wrapped_epochs, wrapped_places
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

Result: TypeAlias = dict[str, Any]
Job: TypeAlias = Callable[[Result, ProgressReporter], Result | Awaitable[Result]]
KEY_READERS: Final[frozenset[str]] = frozenset({"keys"})
"""Jobs that change nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyJobs:
    """The jobs over the parts of one hub."""

    parts: HubParts

    def table(self) -> Mapping[str, Job]:
        """Jobs by name."""
        return {
            "keys": self.keys,
            "keys-rotate": self.rotate,
            "keys-destroy": self.destroy,
            "keys-protect": self.protect,
        }

    @property
    def _path(self) -> Path:
        return self.parts.directory / KEYS / VAULT_KEY

    def keys(self, _arguments: Result, _progress: ProgressReporter) -> Result:
        """The ring, and what stands under each of its epochs."""
        return told_ring(self._path, self._census())

    def rotate(self, arguments: Result, progress: ProgressReporter) -> Result:
        """Add an epoch, unless a rotation is only to be ended, and wrap the keys anew."""
        if arguments.get("resume"):
            epoch = KeyRing.load(self._path).newest
        else:
            epoch = add_epoch(self._path, to_ms(self.parts.now()))
        places = wrapped_places(self.parts.engine)
        return {
            "epoch": epoch,
            "wrapped_anew": rewrap(places, self.parts.identity.vault, progress),
        }

    def destroy(self, arguments: Result, _progress: ProgressReporter) -> Result:
        """Destroy the key of an epoch that nothing is left of."""
        epoch = arguments["epoch"]
        destroy_epoch(self._path, epoch, self._census(), to_ms(self.parts.now()))
        return {"epoch": epoch, "status": "destroyed"}

    def protect(self, arguments: Result, _progress: ProgressReporter) -> Result:
        """Put the ring under a key of a PKCS #11 token, or back under its file's mode."""
        master = protect_ring(
            self._path,
            token=arguments.get("token"),
            label=arguments.get("label", ""),
            create=bool(arguments.get("create")),
        )
        return {"master": master}

    def _census(self) -> Census:
        with reading(self.parts.engine) as connection:
            return take_census(list(wrapped_epochs(connection)), list(sealed_epochs(connection)))
