"""Statements of members in memory: the port of grading without envelopes and segments."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from scoring_kernel.measures import MonthlyMeasures

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from scoring_kernel import Catalog


class MemoryStatements:
    """Rows by (measure set, institution, month); a later row of a slot replaces the earlier."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._rows: dict[tuple[str, str, int], dict[str, int]] = {}

    def state(
        self, measure_set: str, institution: str, months: Sequence[int], **values: int
    ) -> None:
        """State the same values for some months; measures not named are 0."""
        names = [measure.id for measure in self._catalog.measure_sets[measure_set].measures]
        assert set(values) <= set(names)
        for month in months:
            self._rows[measure_set, institution, month] = {
                name: values.get(name, 0) for name in names
            }

    def clear(self) -> None:
        """Forget everything: no member ever stated anything."""
        self._rows.clear()

    def stated(self, connection: Connection, months: Sequence[int]) -> frozenset[str]:
        """Institutions with a statement for any of the months."""
        assert connection is not None
        return frozenset(institution for _, institution, month in self._rows if month in months)

    def patchy(
        self,
        connection: Connection,
        measure_set: str,
        months: Sequence[int],
        among: tuple[str, str] | None = None,
    ) -> frozenset[str]:
        """No subject: an institution is the only subject of its rows here."""
        assert connection is not None
        assert measure_set in self._catalog.measure_sets
        assert months
        assert among is None or among[0] <= among[1]
        return frozenset()

    def monthly(
        self,
        connection: Connection,
        measure_set: str,
        months: Sequence[int],
        among: tuple[str, str] | None = None,
    ) -> MonthlyMeasures:
        """Rows of one measure set for some months."""
        assert connection is not None
        names = [measure.id for measure in self._catalog.measure_sets[measure_set].measures]
        found = sorted(
            (key[1], key[2], row)
            for key, row in self._rows.items()
            if key[0] == measure_set
            and key[2] in months
            and (among is None or among[0] <= key[1] <= among[1])
        )
        return MonthlyMeasures(
            measure_set=measure_set,
            subjects=np.array([institution for institution, _, _ in found], np.str_),
            months=np.array([month for _, month, _ in found], np.int32),
            columns={
                name: np.array([row[name] for _, _, row in found], np.int64) for name in names
            },
        )
