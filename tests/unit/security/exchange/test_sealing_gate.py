"""What a gate does not let through is withdrawn from the outbox, and the chain goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import inspect

from security.at_rest import Vault
from security.exchange.engine import open_exchange
from security.exchange.outbox import Outbox
from security.exchange.sealing import SealingContext
from security.headers import parse_header
from tests.support.members import HUB, NODE, NOW_MS, city

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Connection

    from security.envelope import OutgoingEnvelope


class Gate:
    """Lets through what names an agreement."""

    def permits(self, conn: Connection, outgoing: OutgoingEnvelope) -> bool:
        del conn
        return bool(outgoing.agreement)


@pytest.mark.parametrize("closed_first", [1, 3])
def test_what_is_withdrawn_leaves_no_gap(tmp_path: Path, closed_first: int) -> None:
    hub, node = city()
    context = SealingContext(
        sender=NODE, signing_key=node.signing, recipient_key=hub.encryption_key, now_ms=NOW_MS
    )
    outbox = Outbox(Vault.create(tmp_path / "vault.key"), Gate())
    engine = open_exchange(tmp_path / "exchange.db")
    with engine.begin() as conn:
        for agreement in [""] * closed_first + ["bank@1", "", "bank@2"]:
            outbox.append(
                conn,
                recipient=HUB,
                lane=3,
                payload_type="product",
                schema_version=1,
                purpose="credit_loan",
                data_class="grade",
                period="",
                payload=b"x",
                agreement=agreement,
            )
        rows = []
        while made := outbox.seal_ahead(conn, HUB, context, limit=1):
            rows += made
        assert outbox.pending(conn, HUB).queued == 0
    engine.dispose()
    headers = [parse_header(row.message()) for row in rows]
    assert [(header.seq, header.agreement) for header in headers] == [(1, "bank@1"), (2, "bank@2")]


def test_a_database_of_an_earlier_program_gets_the_columns_it_lacks(tmp_path: Path) -> None:
    path = tmp_path / "exchange.db"
    engine = open_exchange(path)
    with engine.begin() as conn:
        conn.exec_driver_sql("ALTER TABLE x_outbox DROP COLUMN agreement")
    engine.dispose()

    again = open_exchange(path)
    with again.begin() as conn:
        names = {column["name"] for column in inspect(conn).get_columns("x_outbox")}
    again.dispose()
    assert "agreement" in names
