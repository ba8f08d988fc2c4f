"""The pack in force (现行模型包): ``current`` names it, and every process begins with it.

Rules:
- ``current`` is replaced whole, so that a start sees the one or the other.
- The file it names is verified by its digest at every start, then becomes the catalogue of the
  process, before anything of another one is read.
- It lives on after the metadata expired for the days of grace that it states itself.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from security.errors import PackError
from security.moments import day_number, shanghai_day, to_ms
from security.private_files import write_private

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime
    from pathlib import Path

    Install = Callable[[str, Callable[[], Mapping[str, bytes]]], bool]

CURRENT: Final = "current"
HELD: Final = "held"
MAX_STATE_BYTES: Final = 1024 * 1024
_DAY_S: Final = 86_400


class Phase(StrEnum):
    """Where a member stands with packs."""

    PACKAGED = "packaged"
    """The packaged catalogue holds: no packs are used."""
    ABSENT = "absent"
    """No verified pack yet: stored, not scored."""
    IN_FORCE = "in_force"
    LAST_GOOD = "last_known_good"
    """The metadata has expired; the pack's grace runs."""
    EXPIRED = "expired"
    """The grace is over, or the pack's last day: stored, not scored."""
    NOT_LOADED = "not_loaded"
    """This process began without the pack in force: stored, not scored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Current:
    """The pack in force."""

    order: int
    """Order of the hub that put it in force; 0 where the hub itself uses it."""
    target: str
    digest: str
    catalog: str
    to_day: int
    grace_days: int
    since: str
    """Moment of the switch, ISO."""

    def phase(self, expires_at_s: int, now: datetime) -> tuple[Phase, int]:
        """Where a member that uses it stands.

        Args:
            expires_at_s: End of the verified metadata, seconds since the epoch.
            now: Present moment, UTC-aware.

        Returns:
            The phase, and days since the metadata expired; 0 while it holds.
        """
        over_s = int(now.timestamp()) - expires_at_s
        days = 0 if over_s <= 0 else -(-over_s // _DAY_S)
        if days > self.grace_days or 0 < self.to_day < day_number(shanghai_day(to_ms(now))):
            return Phase.EXPIRED, days
        return (Phase.LAST_GOOD if days else Phase.IN_FORCE), days


def find_current(directory: Path) -> Current | None:
    """The pack in force; None before the first.

    Args:
        directory: Directory of the packs.

    Raises:
        PackError: The file is damaged.
    """
    path = directory / CURRENT
    if not path.exists():
        return None
    try:
        return Current(**read_state(path))
    except TypeError as error:
        raise damaged(path) from error


def switch(directory: Path, current: Current) -> None:
    """Put a pack in force, for every process that starts from now on."""
    content = json.dumps(asdict(current), indent=1, sort_keys=True).encode()
    write_private(directory / CURRENT, content, replace=True)


def install_current(directory: Path, install: Install) -> None:
    """Work with the pack in force, if there is one.

    Args:
        directory: Directory of the packs.
        install: Makes the catalogue with a digest (hexadecimal) that of the process, given what
            reads the files of its pack; tells whether it is.

    Raises:
        PackError: The pack's file is gone or changed, or another catalogue is in use already.
    """
    current = find_current(directory)
    if current is None:
        return

    def read() -> Mapping[str, bytes]:
        from security.packs.archive import read_archive  # noqa: PLC0415 - only where packs are used
        from security.packs.files import read_pack  # noqa: PLC0415 - the same

        path = directory / HELD / f"{current.digest}.zip"
        return read_archive(read_pack(path, bytes.fromhex(current.digest)))

    if not install(current.catalog, read):
        raise PackError(
            f"{current.target} is in force, and this process works with another catalogue: start "
            "it again"
        )


def read_state(path: Path) -> Any:  # noqa: ANN401 - any JSON value
    """A file of state.

    Raises:
        PackError: It is damaged.
    """
    try:
        with path.open("rb") as file:
            return json.loads(file.read(MAX_STATE_BYTES))
    except (OSError, ValueError, RecursionError) as error:
        raise damaged(path) from error


def damaged(path: Path) -> PackError:
    """What to say of a file of state that cannot be read."""
    return PackError(
        f"{path} is damaged: restore it from a backup, or remove it and fetch packs again"
    )
