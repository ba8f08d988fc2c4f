"""What a node holds of packs, in ``packs/`` of its state directory, and where it stands with them.

Rules:
- ``root.json`` is the pinned root: the node was told to use packs. Without it the packaged
  catalogue is used, as it always was.
- ``current`` names the pack in force; it is replaced whole, so that a start sees the one or the
  other. ``state.json`` holds orders, what was checked, and when the metadata ends.
- Without a verified pack a node that pins a root stores and is not scored; with expired metadata
  it goes on with the last good one for the days that pack allows, counted and shown.
"""

import json
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

from security.errors import PackError
from security.packs.checking import Checked
from security.packs.in_force import HELD, Current, Phase, damaged, find_current, read_state, switch
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

    @property
    def is_scored(self) -> bool:
        """Whether the node may measure and score."""
        return self.phase not in {Phase.ABSENT, Phase.EXPIRED}

    def verify_scored(self) -> None:
        """Refuse to measure and score without a pack that holds.

        Raises:
            PackError: There is none.
        """
        if self.is_scored:
            return
        what = (
            "no verified pack has come yet"
            if self.phase is Phase.ABSENT
            else f"{self.pack} ended: its metadata expired {self.days_expired} days ago, "
            f"{self.grace_days} are allowed"
        )
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

    def switch(self, current: Current) -> None:
        """Put a pack in force, for every process that starts from now on."""
        switch(self.directory, current)

    def standing(self, now: datetime) -> Standing:
        """Where the node stands.

        Raises:
            PackError: A file is damaged.
        """
        if not self.root_file.exists():
            return Standing(
                phase=Phase.PACKAGED,
                pack=None,
                digest=None,
                days_expired=0,
                grace_days=0,
                problem="",
            )
        held, current = self.load(), self.find_current()
        if current is None:
            phase, days = Phase.ABSENT, 0
        else:
            phase, days = current.phase(held.expires_at_s, now)
        return Standing(
            phase=phase,
            pack=None if current is None else current.target,
            digest=None if current is None else current.digest,
            days_expired=days,
            grace_days=0 if current is None else current.grace_days,
            problem=held.problem,
        )


def holding_of(directory: Path) -> Holding:
    """The packs of a node.

    Args:
        directory: State directory of the node.
    """
    return Holding(directory / DIRECTORY)
