"""Two hubs that witness each other, without a network between them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub.log.sequencer import publish
from hub.log.witnessing import Answer, Asked, witness
from hub.store import log_peers
from hub.store.engine import reading, writing
from hub.store.log_peers import Peer
from security.merkle import consistency_path_over
from security.tlog.reader import TileReader

if TYPE_CHECKING:
    from hub.log.hub_log import HubLog


def befriend(one: HubLog, other: HubLog) -> None:
    """Name each hub as a witness of the other."""
    for own, theirs in ((one, other), (other, one)):
        with writing(own.engine) as connection:
            log_peers.add_peer(connection, peer_of(theirs))


def peer_of(log: HubLog) -> Peer:
    """A hub as its trust file names it."""
    return Peer(anchor=log.anchor, witness=log.witness(), added_at_ms=log.now_ms)


def asked_for(log: HubLog, old_size: int = 0, **changes: object) -> Asked:
    """What a hub asks of a witness that holds a size, for all it has published."""
    made = publish(log)
    reader = TileReader(log.tiles(1), made.checkpoint)
    size = made.checkpoint.size
    parts: dict[str, object] = {
        "old_size": old_size,
        "path": consistency_path_over(reader.subtree, min(old_size, size), size),
        "note": made.note,
        "entries": tuple(reader.entries(min(old_size, size), size)),
    }
    return Asked(**(parts | changes))  # type: ignore[arg-type]  # parts of any type


def cosigned(log: HubLog, by: HubLog) -> Answer:
    """Have a log cosigned by a hub; fails the test when it is not."""
    with reading(by.engine) as connection:
        held = log_peers.find_witnessed(connection, log.anchor.log_origin)
    answer = witness(by, peer_of(log), asked_for(log, held.checkpoint.size if held else 0))
    assert answer.lines, answer
    return answer
