"""Topics and indicators (专题与指标) of one month, out of the rows that were counted.

Rules:
- A topic's SQL runs in an engine that holds nothing but rows of measure sets, the indicators of
  the month and grades; none of the node's records.
- Persons, visits and trace codes come out masked, by a tag that is the same wherever the node
  shows them; whoever is to see them has it noted before.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import duckdb
import numpy as np
import pyarrow as pa

from node.domain.clue_drafts import MeasureMonths
from node.errors import StoreError
from node.store.month_rows import MonthRows
from scoring_kernel.supervision import (
    IndicatorTable,
    Peers,
    SetRows,
    Topic,
    TopicResult,
    conclude,
    indicators_of,
    months_needed,
)
from scoring_kernel.supervision.loading import Supervision
from scoring_kernel.supervision.sets import last_day
from scoring_kernel.supervision.telling import indicator_columns
from scoring_kernel.supervision.topics import (
    GRADE,
    GRADE_COLUMNS,
    INDICATOR,
    INDICATOR_COLUMNS,
)

__all__ = ["GradeRow", "TopicDesk"]

GradeRow = tuple[str, str, str, str, int]
"""Period, class, subject, grade, hundredths of points."""

_ENGINE: Final = {
    "enable_external_access": "false",
    "autoload_known_extensions": "false",
    "autoinstall_known_extensions": "false",
    "python_enable_replacements": "false",
    "temp_directory": "",
    "lock_configuration": "true",
}
_ARROW: Final = {"string": pa.string(), "int32": pa.int32(), "int64": pa.int64()}


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicDesk:
    """What topics and indicators are made of."""

    kept: MonthRows = field(repr=False)
    supervision: Supervision = field(repr=False)
    peers: Mapping[str, str] = field(repr=False)
    """Group of peers by institution: its level and type in the register."""
    grades: Sequence[GradeRow] = field(repr=False)
    mask: Callable[[str], str] = field(repr=False)
    """Tag of a person, visit or trace code."""

    def indicators(self, subject: str, month: int) -> IndicatorTable:
        """All indicators of one kind of subject in a month.

        Raises:
            ParameterNotInForceError: The least number of peers has no value on that day.
        """
        of = self.supervision.indicators[subject]
        monthly = self._monthly(of.sets, months_needed(month))
        peers = Peers(groups=self.peers, least=self.supervision.least_peers(last_day(month)))
        return indicators_of(of, self.supervision.sets, monthly, month, peers)

    def run(self, topics: Iterable[Topic], month: int) -> list[TopicResult]:
        """Run some topics for a month.

        Raises:
            StoreError: A topic's SQL fails.
            ParameterNotInForceError: A threshold has no value on the month's last day.
        """
        wanted = tuple(topics)
        subjects = sorted({subject for topic in wanted for subject in topic.indicators})
        tables = {subject: self.indicators(subject, month) for subject in subjects}
        engine = duckdb.connect(config=dict(_ENGINE))
        try:
            return [self._run(engine, topic, month, tables) for topic in wanted]
        finally:
            engine.close()

    def rests_on(self, topic: Topic, month: int) -> tuple[MeasureMonths, ...]:
        """What a topic reads of a month, set by set: those of its own first."""
        held = self.kept.inputs()
        windows = {name: _back(month, topic.months) for name in topic.sets}
        needed = frozenset(months_needed(month))
        for subject in topic.indicators:
            for name in sorted(self.supervision.indicators[subject].sets):
                windows[name] = windows.get(name, frozenset()) | needed
        found: list[MeasureMonths] = []
        for name, window in windows.items():
            read = [(one, held[name, one]) for one in sorted(window) if (name, one) in held]
            state = hashlib.sha256()
            for one, inputs in read:
                state.update(one.to_bytes(4, "big") + hashlib.sha256(inputs).digest())
            found.append(
                MeasureMonths(
                    measure_set=name, month=month, months=len(read), digest=state.digest()
                )
            )
        return tuple(found)

    def _run(
        self,
        engine: duckdb.DuckDBPyConnection,
        topic: Topic,
        month: int,
        tables: Mapping[str, IndicatorTable],
    ) -> TopicResult:
        held = {name: self._set_table(name, topic.months, month) for name in topic.sets}
        if topic.indicators:
            columns = indicator_columns([tables[subject] for subject in topic.indicators])
            held[INDICATOR] = _relation(INDICATOR_COLUMNS, columns.values())
        if topic.grades:
            held[GRADE] = _relation(GRADE_COLUMNS, zip(*self.grades, strict=True))
        try:
            for name, table in held.items():
                engine.register(name, table)
            cursor = engine.execute(topic.sql_of(month))
            rows = [dict(zip(topic.queried, row, strict=True)) for row in cursor.fetchall()]
        except duckdb.Error as error:
            raise StoreError(
                f"topic {topic.id} cannot be run ({type(error).__name__}); check the catalogue"
            ) from error
        finally:
            # A topic reads what it names, and nothing of the one before it.
            for name in held:
                engine.unregister(name)
        return conclude(topic, month, rows, self.mask)

    def _set_table(self, name: str, months: int, last: int) -> pa.Table:
        """Rows of a set, of so many months up to one, with the column ``month``."""
        one = self.supervision.sets[name]
        schema = pa.schema(
            [
                ("month", pa.int32()),
                *((key, pa.string()) for key in one.keys),
                *((measure.id, pa.int64()) for measure in one.measures),
            ]
        )
        parts = [schema.empty_table()]
        for held in self.kept.read({name}, _back(last, months)):
            column = pa.array([held.month] * held.rows.num_rows, pa.int32())
            parts.append(held.rows.add_column(0, "month", column).cast(schema))
        return pa.concat_tables(parts)

    def _monthly(
        self, names: Iterable[str], months: Sequence[int]
    ) -> dict[str, dict[int, SetRows]]:
        found: dict[str, dict[int, SetRows]] = {}
        for held in self.kept.read(frozenset(names), frozenset(months)):
            one = self.supervision.sets[held.measure_set]
            rows = SetRows(
                keys={key: _texts(held.rows.column(key)) for key in one.keys},
                columns={
                    measure.id: np.asarray(held.rows.column(measure.id).to_numpy(), np.int64)
                    for measure in one.measures
                },
            )
            found.setdefault(held.measure_set, {})[held.month] = rows
        return found


def _relation(words: Mapping[str, str], columns: Iterable[Sequence[Any]]) -> pa.Table:
    listed = list(columns) or [()] * len(words)
    return pa.table(
        {
            name: pa.array(column, _ARROW[word])
            for (name, word), column in zip(words.items(), listed, strict=True)
        }
    )


def _texts(column: Any) -> Any:  # noqa: ANN401 - pyarrow ships no types
    return np.array(column.to_pylist(), dtype=np.str_)


def _back(last: int, months: int) -> frozenset[int]:
    """So many months up to one.

    >>> sorted(_back(202602, 3))
    [202512, 202601, 202602]
    """
    count = last // 100 * 12 + last % 100 - 1
    return frozenset(one // 12 * 100 + one % 12 + 1 for one in range(count - months + 1, count + 1))
