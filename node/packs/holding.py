"""What a node holds of packs, in ``packs/`` of its state directory, and where it stands with them.

Rules:
- ``root.json`` is the pinned root: the node was told to use packs. Without it the packaged
  catalogue is used, as it always was.
- ``current`` names the pack in force; it is replaced whole, so that a start sees the one or the
  other. ``state.json`` holds orders, what was checked, and when the metadata ends.
- Without a verified pack a node that pins a root stores and is not scored; with expired metadata
  it goes on with the last good one for the days that pack allows, counted and shown.
- A pack whose file is gone or was changed stops no process: those that work with it go on, those
  that begin meanwhile store and are not scored, and the next turn fetches it again.
"""

import json
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

from security.errors import PackError
from security.packs.checking import Checked
from security.packs.files import read_pack
from security.packs.in_force import (
    CURRENT,
    HELD,
    Current,
    Phase,
    damaged,
    find_current,
    read_state,
    switch,
)
from security.private_files import write_private

__all__ = ["Held", "Holding", "Ordered", "Standing", "holding_of"]

DIRECTORY: Final = "packs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ordered:
    """An order of the hub."""

    version: int
    target: str
    digest: str
    from_day: int
    group: str


@dataclass(slots=True, kw_only=True)
class Held:
    """All that is kept but ``current``."""

    orders: list[Ordered] = field(default_factory=list)
    checked: dict[str, Checked] = field(default_factory=dict)
    """By digest of the pack's file, hexadecimal."""
    said: dict[str, str] = field(default_factory=dict)
    """State reported last, by order."""
    expires_at_s: int = 0
    """End of the verified metadata, seconds since the epoch; 0 before the first."""
    refreshed_at_s: int = 0
    problem: str = ""
    """Why the last turn did not come to its end; empty when it did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where a node stands with packs now."""

    phase: Phase
    pack: str | None
    digest: str | None
    days_expired: int
    """Days since the metadata expired; 0 while it holds."""
    grace_days: int
    problem: str
    """What is wrong, and why the last turn did not come to its end; empty for nothing."""

    @property
    def is_scored(self) -> bool:
        """Whether the node may measure and score."""
        return self.phase not in {Phase.ABSENT, Phase.EXPIRED, Phase.NOT_LOADED}

    @property
    def is_damaged(self) -> bool:
        """Whether what is kept of packs cannot be read."""
        return self.phase is Phase.NOT_LOADED and self.pack is None

    def verify_loaded(self) -> None:
        """Refuse to count with another catalogue than that of the pack in force.

        Raises:
            PackError: This process works with another one.
        """
        if self.phase is Phase.NOT_LOADED:
            self.verify_scored()

    def verify_scored(self) -> None:
        """Refuse to measure and score without a pack that holds.

        Raises:
            PackError: There is none.
        """
        if self.is_scored:
            return
        what = (
            f"{self.pack} ended: its metadata expired {self.days_expired} days ago, "
            f"{self.grace_days} are allowed"
        )
        if self.phase is Phase.ABSENT:
            what = "no verified pack has come yet"
        if self.phase is Phase.NOT_LOADED:
            what = f"this process began without {self.pack or 'the pack in force'}: {self.problem}"
        raise PackError(
            f"not scored: {what}. Records are stored. See yixin node packs status; fetch with "
            "yixin node packs fetch, or --from a USB folder"
        )

    def shown(self) -> dict[str, object]:
        """As JSON."""
        return asdict(self) | {"phase": str(self.phase), "is_scored": self.is_scored}


@dataclass(frozen=True, slots=True)
class Holding:
    """Files of packs of one node."""

    directory: Path
    """``packs/`` of the state directory."""

    @property
    def root_file(self) -> Path:
        """The pinned root."""
        return self.directory / "root.json"

    @property
    def files(self) -> Path:
        """Directory of packs, named by their digests."""
        return self.directory / HELD

    @property
    def client(self) -> Path:
        """Directory of verified metadata."""
        return self.directory / "client"

    def pin(self, root: bytes) -> None:
        """Pin a root; the same again changes nothing.

        Raises:
            PackError: Another root is pinned.
        """
        if self.root_file.exists():
            if self.root_file.read_bytes() != root:
                raise PackError(
                    f"another root of packs is pinned in {self.root_file}; to follow another "
                    "repository remove the directory packs/ of the node"
                )
            return
        self.directory.mkdir(mode=0o700, exist_ok=True)
        write_private(self.root_file, root)

    def load(self) -> Held:
        """All that is kept but ``current``.

        Raises:
            PackError: The file is damaged.
        """
        path = self.directory / "state.json"
        if not path.exists():
            return Held()
        found = read_state(path)
        try:
            return Held(
                orders=[Ordered(**one) for one in found["orders"]],
                checked={
                    digest: Checked(**(one | {"failures": tuple(one["failures"])}))
                    for digest, one in found["checked"].items()
                },
                said=dict(found["said"]),
                expires_at_s=int(found["expires_at_s"]),
                refreshed_at_s=int(found["refreshed_at_s"]),
                problem=str(found["problem"]),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise damaged(path) from error

    def save(self, held: Held) -> None:
        """Keep the state, whole or not at all."""
        self.directory.mkdir(mode=0o700, exist_ok=True)
        content = json.dumps(asdict(held), indent=1, sort_keys=True).encode()
        write_private(self.directory / "state.json", content, replace=True)

    def find_current(self) -> Current | None:
        """The pack in force; None before the first.

        Raises:
            PackError: The file is damaged.
        """
        return find_current(self.directory)

    def sound_current(self) -> Current | None:
        """The pack in force; None before the first, and where the file that names it is damaged."""
        try:
            return self.find_current()
        except PackError:
            return None

    def fault(self, digest: str) -> str:
        """Why the file of a pack cannot be used; empty when it can.

        Args:
            digest: SHA-256 of the file, hexadecimal.
        """
        try:
            read_pack(self.files / f"{digest}.zip", bytes.fromhex(digest))
        except PackError as error:
            return str(error)
        return ""

    def switch(self, current: Current) -> None:
        """Put a pack in force, for every process that starts from now on."""
        switch(self.directory, current)

    def standing(self, now: datetime, catalog: str) -> Standing:
        """Where the node stands.

        Args:
            now: Present moment, UTC-aware.
            catalog: Digest of the catalogue that this process works with, hexadecimal.
        """
        if not (self.root_file.exists() or (self.directory / CURRENT).exists()):
            return _without(Phase.PACKAGED, "")
        try:
            held, current = self.load(), self.find_current()
        except PackError as error:
            return _without(Phase.NOT_LOADED, str(error))
        if current is None:
            return _without(Phase.ABSENT, held.problem)
        phase, days = current.phase(held.expires_at_s, now)
        problem = "; ".join(filter(None, (self.fault(current.digest), held.problem)))
        if current.catalog != catalog:
            phase = Phase.NOT_LOADED
            problem = problem or "it is switched to, and the daemon starts again with it"
        return Standing(
            phase=phase,
            pack=current.target,
            digest=current.digest,
            days_expired=days,
            grace_days=current.grace_days,
            problem=problem,
        )


def _without(phase: Phase, problem: str) -> Standing:
    return Standing(
        phase=phase, pack=None, digest=None, days_expired=0, grace_days=0, problem=problem
    )


def holding_of(directory: Path) -> Holding:
    """The packs of a node.

    Args:
        directory: State directory of the node.
    """
    return Holding(directory / DIRECTORY)
