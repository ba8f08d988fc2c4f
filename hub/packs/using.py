"""The pack a hub grades with (评级用模型包): taken into use as at a node, and who uses another.

Numbered as applied:

1. The pack is one that both officers signed, as this hub's own copy of the repository says.
2. Its golden vectors are run in a process of their own.
3. Its days include today.
4. Its release is a leaf of the log, once.
5. ``current`` is replaced; every process of the hub that starts from then on works with it.

Rules: a hub that never took a pack into use grades with the packaged catalogue. One whose pack
has ended, or whose metadata expired longer ago than the pack's grace, does not grade.
"""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection

from hub.domain.members import MemberStatus
from hub.packs.checking import check_apart
from hub.packs.repository import catalogs, find_pack, release
from hub.packs.serving import place_of
from hub.parts import HubParts
from hub.store import members
from hub.store.engine import reading, writing
from hub.store.heartbeats import SPEAKERS, find_heartbeat
from security.errors import PackError
from security.moments import day_number, shanghai_day, to_ms
from security.packs.checking import Checked
from security.packs.in_force import HELD, Current, Phase, find_current, switch

__all__ = ["grading_status", "is_other_in_force", "use", "verify_graded"]


def use(
    parts: HubParts, version: str | None = None, check: Callable[[Path], Checked] = check_apart
) -> dict[str, object]:
    """Take a pack into use for grading.

    Args:
        parts: The hub.
        version: Version of the pack; the newest when None.
        check: Runs the vectors of a file.

    Returns:
        The pack, and whether the processes that run have to start again.

    Raises:
        PackError: The pack is unknown, did not pass, or its days do not include today.
        HubStoreError: The database failed.
    """
    # 1.
    wanted = find_pack(parts, version)
    place = place_of(parts)
    # 2.
    checked = check(place.directory / HELD / f"{wanted.digest.hex()}.zip")
    if not checked.passed:
        raise PackError(
            f"{wanted.target} is not used, its vectors came out otherwise here: "
            f"{', '.join(checked.failures) or 'none was run'}; publish a mended version"
        )
    # 3.
    now = parts.now()
    today = day_number(shanghai_day(to_ms(now)))
    if checked.from_day > today or 0 < checked.to_day < today:
        raise PackError(
            f"{wanted.target} holds from {checked.from_day} to {checked.to_day or 'further notice'}"
            f", today is {today}: use another version"
        )
    # 4.
    with writing(parts.engine) as connection:
        index = release(connection, parts, wanted, to_ms(now))
    # 5.
    switch(
        place.directory,
        Current(
            order=0,
            target=wanted.target,
            digest=wanted.digest.hex(),
            catalog=checked.catalog,
            to_day=checked.to_day,
            grace_days=checked.grace_days,
            since=now.isoformat(),
        ),
    )
    return {
        "target": wanted.target,
        "digest": wanted.digest.hex(),
        "catalog": checked.catalog,
        "vectors": checked.vectors,
        "log_index": index,
        "restart": is_other_in_force(parts),
    }


def is_other_in_force(parts: HubParts) -> bool:
    """Whether this process works with another catalogue than the one that is in use now.

    Raises:
        PackError: The file that says so is damaged.
    """
    current = find_current(place_of(parts).directory)
    return current is not None and current.catalog != parts.catalog.digest.hex()


def grading_status(parts: HubParts) -> dict[str, object]:
    """Which pack grades, how long it holds, and which members work with another catalogue.

    Raises:
        PackError: A file of the packs is damaged.
        HubStoreError: The database failed.
    """
    current = find_current(place_of(parts).directory)
    phase, days = _standing(parts, current, parts.now())
    named = {digest: one.target for digest, one in catalogs(parts).items()}
    own = parts.catalog.digest.hex()
    with reading(parts.engine) as connection:
        told = _told(connection)
    others = [
        {"member": member, "catalog": digest, "pack": named.get(digest)}
        for member, digest in told.items()
        if digest not in {None, own}
    ]
    return {
        "phase": str(phase),
        "pack": None if current is None else current.target,
        "catalog": own,
        "since": None if current is None else current.since,
        "days_expired": days,
        "grace_days": 0 if current is None else current.grace_days,
        "restart": current is not None and current.catalog != own,
        "others": others,
        "untold": [member for member, digest in told.items() if digest is None],
    }


def verify_graded(parts: HubParts) -> None:
    """Refuse to grade with a pack that does not hold any more, or that another one replaced.

    Raises:
        PackError: It does not.
    """
    current = find_current(place_of(parts).directory)
    if current is None:
        return
    if current.catalog != parts.catalog.digest.hex():
        raise PackError(
            f"{current.target} is in use and this process began with another catalogue: it starts "
            "again by itself within seconds; else restart yixin hub serve"
        )
    phase, days = _standing(parts, current, parts.now())
    if phase is Phase.EXPIRED:
        raise PackError(
            f"not graded: {current.target} ended, or its metadata expired {days} days ago and "
            f"{current.grace_days} are allowed; fetch with yixin hub packs fetch, or take another "
            "into use with yixin hub packs use"
        )


def _standing(parts: HubParts, current: Current | None, now: datetime) -> tuple[Phase, int]:
    if current is None:
        return Phase.PACKAGED, 0
    from security.packs.client import load_release  # noqa: PLC0415 - TUF only where packs are used

    verified = load_release(place_of(parts).client)
    return current.phase(int(verified.expires_at.timestamp()), now)


def _told(connection: Connection) -> dict[str, str | None]:
    """Catalogue that each active node and hub said it works with; None where it said nothing."""
    found: dict[str, str | None] = {}
    for row in members.list_members(connection):
        if row.status is not MemberStatus.ACTIVE or row.kind not in SPEAKERS:
            continue
        heard = find_heartbeat(connection, row.member)
        found[row.member] = None if heard is None else heard.said.pack_digest.hex() or None
    return found
