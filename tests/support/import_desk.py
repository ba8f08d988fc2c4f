"""The import desk of a test, with everything it stored in view."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from sqlalchemy import select

from hub.departments import import_items
from hub.store.engine import reading
from hub.store.grading_tables import item_import, item_quarantine, item_row
from hub.store.item_rows import load_rows
from tests.support.department_files import HOSPITAL

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sqlalchemy import Engine

    from hub.departments import ImportReport
    from scoring_kernel import Catalog
    from scoring_kernel.item_rows import ItemValue
    from scoring_kernel.tables.mapping import ItemMapping
    from security.at_rest import Vault

NOW: Final = datetime(2026, 7, 10, 2, 0, tzinfo=UTC)


def event(number: str, day: str, institution: str = HOSPITAL, handling: str = "refusal") -> str:
    """A line of item 03."""
    return f"{institution},温州市医保局,{number},{day},{handling},120.50,"


class Desk:
    """The import desk of one test."""

    def __init__(self, engine: Engine, catalog: Catalog, vault: Vault) -> None:
        self.engine, self.catalog, self.vault = engine, catalog, vault

    def take(
        self,
        path: Path,
        *,
        item: str | None = None,
        period: str | None = None,
        now: datetime = NOW,
        mapping: ItemMapping | None = None,
    ) -> ImportReport:
        return import_items(
            self.engine,
            self.catalog,
            path,
            vault=self.vault,
            now=now,
            item=item,
            period=period,
            mapping=mapping,
        )

    def rows(self, number: str) -> list[dict[str, ItemValue]]:
        with reading(self.engine) as connection:
            return list(load_rows(connection, self.vault, self.catalog.items[number]))

    def table(self) -> tuple[Sequence[object], ...]:
        """Everything the import stores."""
        with reading(self.engine) as connection:
            return tuple(
                connection.execute(select(table).order_by(*table.primary_key)).fetchall()
                for table in (item_row, item_quarantine, item_import)
            )
