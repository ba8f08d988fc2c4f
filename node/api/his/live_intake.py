"""Calls taken into the store together, one fault of ours never falling on a neighbour.

0. A group shares one batch, one commit.
1. Where the batch fails in an unforeseen way, its lines are taken one by one: what went in is
   known by its msgid, and only the line that makes it fail stays out.
2. A store that fails is told as such: nothing of the group may be answered as kept.
"""

import logging
import sqlite3
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

from node.api.his.own_faults import place_of
from node.codes import CurrentCatalog
from node.errors import StoreError
from node.intake.batch import BatchIntake
from node.intake.field_rules import compile_intake
from node.intake.lines import Line
from node.intake.outcomes import Taken
from node.intake.report import Tally
from node.store import NodeStore
from scoring_kernel import Catalog

__all__ = ["LiveIntake"]

_LOG: Final = logging.getLogger(__name__)


class LiveIntake:
    """Takes groups of lines into a store; called from one thread."""

    def __init__(self, store: NodeStore, catalog: Catalog, now: Callable[[], datetime]) -> None:
        self._store = store
        self._codes = CurrentCatalog(store, catalog)
        self._catalog = catalog
        self._rules = compile_intake(catalog)
        self._now = now

    def take(self, source: str, lines: Sequence[Line]) -> list[Taken | None]:
        """Take lines in; they are durable when this returns.

        Args:
            source: Where they come from, for the quarantine.
            lines: The lines.

        Returns:
            What became of each, in order; None where a fault of this program kept it out.

        Raises:
            StoreError: The store failed; the lines may be sent again.
        """
        try:
            return list(self._take(source, lines))
        except StoreError:
            raise
        except (sqlite3.Error, OSError) as error:
            raise StoreError(
                f"the node's store cannot be read or written ({type(error).__name__}); check the "
                "disk and who else writes there"
            ) from error
        except Exception as error:  # noqa: BLE001  # any fault of ours; its text may quote a record
            _LOG.error("intake of %d lines failed: %s", len(lines), place_of(error))
        if len(lines) == 1:
            return [None]
        return [taken for line in lines for taken in self.take(source, [line])]

    def settle(self) -> None:
        """Move what is staged into segments, where it is much; a failure is met again later."""
        try:
            self._store.flush_if_large()
        except StoreError as error:
            _LOG.error("staged records could not be moved: %s", error)  # it names no record

    def _take(self, source: str, lines: Sequence[Line]) -> list[Taken]:
        catalog = self._codes.get()
        if catalog is not self._catalog:
            self._catalog, self._rules = catalog, compile_intake(catalog)
        intake = BatchIntake(self._store, self._rules, now=self._now())
        return intake.take(source, lines, Tally())
