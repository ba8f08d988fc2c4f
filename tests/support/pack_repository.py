"""A packs' repository for tests: keys of six holders, releases, and every step of signing."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from security.packs.ceremony import (
    RootKeys,
    release,
    sign_root,
    sign_targets,
    stage_pack,
    stage_root,
)
from security.packs.keys import PublicKey, Role, create_key, load_signer
from security.packs.layout import read_root

if TYPE_CHECKING:
    from pathlib import Path

    from securesystemslib.signer import CryptoSigner

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
HOLDERS = {
    "ada": Role.ROOT,
    "bo": Role.ROOT,
    "cy": Role.ROOT,
    "business": Role.TARGETS,
    "security": Role.TARGETS,
    "desk": Role.ONLINE,
}


class Repository:
    """A repository with its keys, which lie beside it."""

    def __init__(self, place: Path, now: datetime = NOW) -> None:
        self.directory = place / "repository"
        self.now = now
        self.keys = place / "keys"
        self.keys.mkdir(parents=True)
        self.public: dict[str, PublicKey] = {
            name: create_key(self.keys / name, name, role, post_quantum=name == "cy")
            for name, role in HOLDERS.items()
        }
        stage_root(self.directory, self.root_keys(), now)
        sign_root(self.directory, self.signer("ada"))
        sign_root(self.directory, self.signer("cy"))

    def signer(self, name: str) -> CryptoSigner:
        """A private key."""
        return load_signer(self.keys / name)

    def root_keys(self) -> RootKeys:
        """Keys of the root, as they are."""
        return RootKeys(
            root=[self.public[name] for name in ("ada", "bo", "cy")],
            targets=[self.public[name] for name in ("business", "security")],
            online=self.public["desk"],
        )

    @property
    def root(self) -> bytes:
        """The first root."""
        return read_root(self.directory)

    def publish(self, version: str, content: bytes, now: datetime | None = None) -> None:
        """Sign a pack by both, and release it."""
        at = now or self.now
        signer = self.signer("business")
        stage_pack(self.directory, version, content, signer=signer, now=at)
        sign_targets(self.directory, self.signer("security"))
        self.release(at)

    def release(self, now: datetime | None = None) -> None:
        """Sign snapshot and timestamp."""
        release(self.directory, self.signer("desk"), now or self.now)
