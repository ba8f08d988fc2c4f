"""A node that committed and stated a month, the hub it did so to, and who tampers afterwards."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from hub.exchange.spot_file import make_spot_file
from hub.log.sequencer import publish
from node.app import init_node, opened
from node.reports import measure_reports
from node.store import Commit, NodeStore
from node.store.staging import staged_context
from node.sync.checkpoints import state_checkpoints
from node.sync.flow import Link, state_changes
from protos.yixin.v1 import envelope_pb2, exchange_pb2
from security.at_rest import Vault
from security.audit.trust import save_anchor
from security.exchange.engine import open_exchange
from security.exchange.inbox import Inbox
from security.exchange.outbox import Outbox
from tests.support.hub_city import CITY, FIRST, NODE, City, open_city

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from node.jobs import NodeJobs

MONTH = 202610
DAY = datetime(2026, 10, 20, 4, tzinfo=UTC)
BULK = int(envelope_pb2.LANE_BULK)


def settlements(store: NodeStore, numbers: Sequence[int], **changes: Any) -> pa.Table:  # noqa: ANN401 - values of any type
    """Settlements of the hospital, each of 100 yuan and its number in fen, 60 % by the fund."""
    rows = [
        {
            "record_id": f"r{number}",
            "institution": FIRST,
            "month": MONTH,
            "setl_id": f"S{number:06}",
            "mdtrt_id": f"V{number:06}",
            "person": f"33030000000000000000{100_000 + number}",
            "insutype": "310",
            "med_type": "11",
            "inpatient": False,
            "sign": 1,
            "settled_at": datetime(2026, 10, 1 + number % 28, 9),  # noqa: DTZ001 - a wall clock
            "medfee_fen": 10_000 + number,
            "inscp_fen": 8_000,
            "fund_fen": 6_000,
            "account_fen": 0,
            "cash_fen": 4_000 + number,
        }
        | changes
        for number in numbers
    ]
    return pa.Table.from_pylist(rows, schema=store.schemas["settlement"])


@dataclass(slots=True)
class Inspected:
    """A node and its hub."""

    city: City
    directory: Path
    jobs: NodeJobs
    now: datetime = DAY

    @property
    def store(self) -> NodeStore:
        return self.jobs.store

    def keep(self, numbers: Sequence[int], **changes: Any) -> None:  # noqa: ANN401 - values of any type
        """Take settlements in."""
        table = settlements(self.store, numbers, **changes)
        self.store.commit(Commit(records={"settlement": table}))

    def end_day(self) -> None:
        """Close the day, and tell the hub of it and of what changed."""
        self.now += timedelta(days=1)
        self.store.record_ledger.close_days(self.now)
        link = self.jobs.link
        assert link is not None
        for report in measure_reports(self.jobs):
            state_changes(
                link,
                report,
                custody={FIRST},
                ledger_size=self.store.ledger_size(),
                pack_digest=self.jobs.catalog.digest,
            )
        state_checkpoints(link, self.store.record_ledger)
        with link.engine.begin() as connection:
            context = link.membership.sealing_context(self.city.clock.ms)
            sealed = [row.envelope for row in link.outbox.seal_ahead(connection, CITY, context)]
        envelopes = [envelope_pb2.SealedEnvelope.FromString(raw) for raw in sealed]
        for result in self.city.submit(*envelopes, issued={BULK: 1}):
            assert isinstance(result, exchange_pb2.Receipt), result
            assert exchange_pb2.ReceiptBody.FromString(result.body).quarantined_parts == 0

    def spot_file(self, month: int = MONTH) -> bytes:
        """What the hub hands to an inspector."""
        parts = self.city.parts
        publish(parts.log)
        made = make_spot_file(
            parts.engine,
            parts.identity,
            parts.log,
            member=NODE,
            month=month,
            now_ms=self.city.clock.ms,
        )
        return made.content

    def tamper(self, number: int, **changes: Any) -> None:  # noqa: ANN401 - values of any type
        """Change values of a staged settlement at rest, as who holds the node's key can."""
        self._rewrite(lambda row: row | changes if row["setl_id"] == f"S{number:06}" else row)

    def remove(self, number: int) -> None:
        """Take a staged settlement out at rest."""
        self._rewrite(lambda row: None if row["setl_id"] == f"S{number:06}" else row)

    def disown(self, institution: str) -> None:
        """Mark an institution as another's in the node's own register."""
        with sqlite3.connect(self.directory / "node.db") as database:
            database.execute("update institution set is_foreign = 1 where code = ?", [institution])
        database.close()

    def slip_in(self, number: int, like: int) -> None:
        """Put a settlement beside a staged one at rest, under its leaf."""
        added = {"setl_id": f"S{number:06}", "mdtrt_id": "V", "record_id": f"r{number}"}
        self._rewrite(lambda row: [row, row | added] if row["setl_id"] == f"S{like:06}" else row)

    def _rewrite(self, change: Any) -> None:  # noqa: ANN401 - a row to a row, rows or nothing
        vault, staging = self.store._vault, self.store._records.staging  # noqa: SLF001 - who tampers knows everything
        with sqlite3.connect(self.directory / "node.db") as database:
            query = "select id, month, body from staged where kind = 'settlement'"
            for at, month, body in database.execute(query).fetchall():
                table = staging.opened("settlement", month, body)
                rows: list[dict[str, Any]] = []
                for row in table.to_pylist():
                    changed = change(row)
                    rows += changed if isinstance(changed, list) else [changed] if changed else []
                sink = pa.BufferOutputStream()
                with pa.ipc.new_stream(sink, table.schema) as writer:
                    writer.write_table(pa.Table.from_pylist(rows, schema=table.schema))
                sealed = vault.seal(bytes(sink.getvalue()), staged_context("settlement", month))
                database.execute(
                    "update staged set rows = ?, body = ? where id = ?", (len(rows), sealed, at)
                )


@contextmanager
def inspected(directory: Path) -> Iterator[Inspected]:
    """Make a node with a month of 200 settlements that is committed and stated."""
    with open_city(directory / "hub") as city:
        home = init_node(directory / "node", [FIRST])
        membership = city.enrol(directory / "member", NODE, FIRST).membership
        vault = Vault.create(directory / "member" / "vault.key")
        save_anchor(directory / "city.trust", city.parts.identity.anchor)
        with opened(home) as jobs:
            link = Link(
                membership=membership,
                engine=open_exchange(directory / "member" / "exchange.db"),
                outbox=Outbox(vault),
                inbox=Inbox(vault),
            )
            found = Inspected(city, home, replace(jobs, link=link))
            found.store.record_ledger.close_days(DAY)
            found.keep(range(200))
            found.end_day()
            yield found
            link.engine.dispose()
