"""What an operator sees of the log: `yixin hub log status`."""

from typing import Any, Final

from sqlalchemy import Connection

from hub.listings import moment_text
from hub.log.hub_log import HubLog
from hub.store import log as leaf_log
from hub.store import log_peers
from hub.store.engine import reading
from hub.store.log_recovered import count_recovered
from security.errors import LogCorruptError

NO_WITNESS: Final = (
    "No witness is named: a database that was put back to an earlier day would not be noticed by "
    "this hub. Exchange trust files with the parent or a city: yixin hub log witness add FILE."
)


def log_status(log: HubLog) -> dict[str, Any]:
    """The log in figures, its witnesses, the logs it witnesses, and what stands against it.

    Raises:
        HubStoreError: The database failed.
    """
    with reading(log.engine) as connection:
        held = leaf_log.state(connection)
        reason = leaf_log.read_only_reason(connection, held)
        witnesses = _witnesses(log, connection, log.origin(held.number))
        found = log_peers.evidence(connection)
        status: dict[str, Any] = {
            "origin": log.origin(held.number),
            "leaves": held.size,
            "root": held.frontier.root().hex(),
            "published": _published(log, held.number),
            "mode": "read-only" if reason else "read-write",
            "reason": reason,
            "quorum": log.quorum,
            "witnesses": witnesses,
            "witnessed": [
                {
                    "origin": one.checkpoint.origin,
                    "leaves": one.checkpoint.size,
                    "at": moment_text(one.at_ms),
                }
                for one in log_peers.all_witnessed(connection)
            ],
            "envelopes_awaited": count_recovered(connection),
            "evidence": [
                {"at": moment_text(int(row["at_ms"])), "hub": row["hub"], "cause": row["cause"]}
                for row in found
            ],
        }
    warnings = [] if witnesses else [NO_WITNESS]
    if log.quorum > len(witnesses):
        warnings.append(
            f"log.quorum of hub.toml is {log.quorum}, but {len(witnesses)} witnesses are named: "
            "the log will never open."
        )
    return status | {"warnings": warnings}


def _published(log: HubLog, number: int) -> int | str:
    try:
        found = log.find_published(number)
    except (LogCorruptError, OSError) as error:
        return f"damaged: {error}"
    return found.checkpoint.size if found else 0


def _witnesses(log: HubLog, connection: Connection, origin: str) -> list[dict[str, Any]]:
    newest: dict[str, int] = {}
    for cosigned in log_peers.cosignatures(connection, origin):
        newest.setdefault(cosigned.witness, cosigned.checkpoint.size)
    return [
        {
            "hub": peer.hub,
            "cosigned": newest.get(peer.witness.name, 0),
            "answered": moment_text(peer.answered_at_ms) if peer.answered_at_ms else "never",
            "confirmed": peer.hub in log.mode.confirmed,
            "trouble": peer.trouble,
        }
        for peer in log_peers.peers(connection)
    ]
