"""Files that went to the credit office before there were agreements stay in the register."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import text

from hub.store import database, deliveries
from hub.store.database import open_database
from hub.store.engine import reading, writing

_ROW = (
    "INSERT INTO score_export (period, officer, file_name, rows, sha256, exported_at_ms) "
    "VALUES ('2025H2', '王五', 'scores.csv', 7, :sha256, 12)"
)


def test_an_export_of_an_earlier_program_becomes_a_delivery_and_back(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'hub.db'}"
    engine = open_database(url)
    config = Config()
    config.set_main_option("script_location", str(Path(database.__file__).parent / "migrations"))
    with writing(engine) as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0014")
        connection.execute(text(_ROW), {"sha256": bytes(32)})

    upgraded = open_database(url)
    with reading(upgraded) as connection:
        (row,) = deliveries.recent_products(connection, 10)
    assert (row.agreement, row.recipient, row.officer, row.rows, row.period, row.digest) == (
        "personal_credit_score@0",
        "scores.csv",
        "王五",
        7,
        "2025H2",
        bytes(32),
    )
    with writing(upgraded) as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0014")
        kept = connection.execute(text("SELECT file_name, rows FROM score_export")).all()
    assert [tuple(one) for one in kept] == [("scores.csv", 7)]
    engine.dispose()
    upgraded.dispose()
