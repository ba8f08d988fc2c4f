"""What a node says of itself in a heartbeat (心跳): records, pack, program, operators' log."""

from importlib import metadata
from typing import Final

from node.store import NodeStore
from security.exchange.heartbeats import Vitals

__all__ = ["node_vitals"]

DISTRIBUTION: Final = "yixin"


def node_vitals(store: NodeStore, pack_digest: bytes) -> Vitals:
    """Read the vitals of a node.

    Args:
        store: The node's store.
        pack_digest: SHA-256 of the catalogue in force.
    """
    try:
        program = metadata.version(DISTRIBUTION)
    except metadata.PackageNotFoundError:
        program = "not installed"
    return Vitals(
        program=program,
        ledger_size=store.ledger_size(),
        pack_digest=pack_digest,
        operator_log=store.desk.log_head(),
    )
