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
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from node.domain.shanghai import SHANGHAI
from security.errors import PackError
from security.private_files import write_private

__all__ = [
    "Checked",
    "Current",
    "Held",
    "Holding",
    "Ordered",
    "Phase",
    "Standing",
    "day_number",
    "holding_of",
]

DIRECTORY: Final = "packs"
MAX_STATE_BYTES: Final = 1024 * 1024
_DAY_S: Final = 86_400


class Phase(StrEnum):
    """Where a node stands with packs."""

    PACKAGED = "packaged"
    """No root is pinned: the packaged catalogue holds."""
    ABSENT = "absent"
    """No verified pack yet: stored, not scored."""
    IN_FORCE = "in_force"
    LAST_GOOD = "last_known_good"
    """The metadata has expired; the pack's grace runs."""
    EXPIRED = "expired"
    """The grace is over, or the pack's last day: stored, not scored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ordered:
    """An order of the hub."""

    version: int
    target: str
    digest: str
    from_day: int
    group: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What came of running a pack's golden vectors here."""

    passed: bool
    vectors: int
    failures: tuple[str, ...]
    catalog: str
    """Digest of its catalogue, hexadecimal; empty when it could not be opened."""
    version: str
    from_day: int
    to_day: int
    """0 until further notice."""
    grace_days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Current:
    """The pack in force."""

    order: int
    target: str
    digest: str
    catalog: str
    to_day: int
    grace_days: int
    since: str
    """Moment of the switch, ISO."""


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
    def current_file(self) -> Path:
        """Names the pack in force."""
        return self.directory / "current"

    @property
    def files(self) -> Path:
        """Directory of packs, named by their digests."""
        return self.directory / "held"

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
        found = _read(path)
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
            raise _damaged(path) from error

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
        if not self.current_file.exists():
            return None
        try:
            return Current(**_read(self.current_file))
        except TypeError as error:
            raise _damaged(self.current_file) from error

    def switch(self, current: Current) -> None:
        """Put a pack in force, for every process that starts from now on."""
        content = json.dumps(asdict(current), indent=1, sort_keys=True).encode()
        write_private(self.current_file, content, replace=True)

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
        over_s = int(now.timestamp()) - held.expires_at_s
        days = 0 if over_s <= 0 or current is None else -(-over_s // _DAY_S)
        if current is None:
            phase = Phase.ABSENT
        elif days > current.grace_days or 0 < current.to_day < day_number(now):
            phase = Phase.EXPIRED
        else:
            phase = Phase.LAST_GOOD if days else Phase.IN_FORCE
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


def day_number(now: datetime) -> int:
    """Day in Asia/Shanghai as yyyymmdd.

    >>> day_number(datetime(2026, 11, 30, 17, tzinfo=UTC))
    20261201
    """
    day: date = now.astimezone(SHANGHAI).date()
    return day.year * 10_000 + day.month * 100 + day.day


def _read(path: Path) -> Any:  # noqa: ANN401  # any JSON value
    try:
        with path.open("rb") as file:
            return json.loads(file.read(MAX_STATE_BYTES))
    except (OSError, ValueError, RecursionError) as error:
        raise _damaged(path) from error


def _damaged(path: Path) -> PackError:
    return PackError(
        f"{path} is damaged: restore it from a backup, or remove it and fetch packs again"
    )
