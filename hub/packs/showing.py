"""Where packs stand (模型包状态): groups, orders, reports, stops, repository, and what grades."""

from hub.domain.members import MemberKind
from hub.packs.serving import place_of
from hub.packs.stopping import stopped
from hub.packs.using import grading_status
from hub.parts import HubParts
from hub.store import packs
from hub.store.engine import reading

__all__ = ["rollout_status"]


def rollout_status(parts: HubParts) -> dict[str, object]:
    """Groups, orders, reports and stops; what the copy of the repository holds, what grades."""
    with reading(parts.engine) as connection:
        held = packs.orders(connection)
        given = []
        for one in held:
            states = packs.states(connection, one.version)
            stop = packs.find_stop(connection, one.digest)
            said = [str(report.state) for report in states.values()]
            given.append(
                {
                    "order": one.version,
                    "pack": one.target,
                    "group": one.group,
                    "from_day": one.from_day,
                    "members": packs.count_ordered(connection, one.version),
                    "passed": sum(report.passed for report in states.values()),
                    "in_force": said.count("in_force"),
                    "refused": said.count("refused"),
                    "stopped": None if stop is None else f"{stop.member}: {stop.reason}",
                }
            )
        return {
            "groups": {name: list(rows) for name, rows in packs.groups(connection).items()},
            "without_group": list(packs.without_group(connection, MemberKind.NODE)),
            "orders": given,
            "stops": stopped(connection),
            "repository": _repository(parts),
            "grading": grading_status(parts),
        }


def _repository(parts: HubParts) -> dict[str, object] | None:
    if not (place_of(parts).client).exists():
        return None
    from security.packs.client import load_release  # noqa: PLC0415 - TUF only where packs are used

    release = load_release(place_of(parts).client)
    return {
        "packs": sorted(release.targets),
        "expires_at": release.expires_at.isoformat(),
        "is_expired": release.expires_at <= parts.now(),
    }
