"""A quarantine desk over a store of messages."""

from node.quarantine.desk import QuarantineDesk
from node.replaying import StoreIntake
from node.store import NodeStore, QuarantineRow
from scoring_kernel import load_catalog
from tests.support import node_messages as m

OPERATOR = "officer"


def desk_of(store: NodeStore) -> QuarantineDesk:
    """Open a desk at the time of the other tests."""
    catalog = load_catalog()
    intake = StoreIntake(store=store, catalog=catalog, now=m.NOW)
    return QuarantineDesk(store, catalog, intake, m.NOW)


def only_row(store: NodeStore) -> QuarantineRow:
    """The one refused line."""
    (row,) = store.quarantine_rows()
    return row
