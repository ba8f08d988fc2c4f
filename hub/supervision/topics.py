"""Topics and indicators (专题与指标) of one month, out of what all members stated.

Rules:
- A hub runs the topics whose measure sets travel; of another it says that its sets stay at the
  nodes, and of one without statements that nobody has stated them.
- An institution has an indicator only where its custodian stated every set the indicator reads:
  what was not stated is not 0. Staff merge over the institutions they work at.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import duckdb
import numpy as np
import pyarrow as pa
from sqlalchemy import Connection, select

from hub.errors import HubStoreError
from hub.store import custody
from hub.store.grade_results import of_run
from hub.store.grade_runs import latest_runs
from hub.store.grading_tables import grade_result, grade_run
from hub.store.stated_slots import stated_institutions, stated_months
from hub.store.statements import StatementStore
from scoring_kernel.supervision import (
    IndicatorTable,
    Peers,
    Reason,
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

__all__ = ["HubTopics"]

STAYS: Final = Reason(
    zh="所需的度量含人员、项目或就诊，只在各节点内计算",
    en="its measures name persons, items or visits and stay at the nodes",
)
UNSTATED: Final = Reason(
    zh="没有节点上报过所需的度量（节点运行 yixin node topics run 后随同步上报）",
    en="no node has stated its measures yet: run yixin node topics run, then sync, at the nodes",
)
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
class HubTopics:
    """Topics over one reading transaction of a hub."""

    connection: Connection = field(repr=False)
    statements: StatementStore = field(repr=False)
    supervision: Supervision = field(repr=False)

    def months(self) -> tuple[int, ...]:
        """Months that anybody stated, ascending."""
        return stated_months(self.connection, sorted(self.supervision.stated))

    def absence(self, topic: Topic) -> Reason | None:
        """Why a topic cannot be run here; None where it can."""
        kinds = [self.supervision.indicators[subject] for subject in topic.indicators]
        if not set(topic.sets) <= self.supervision.stated.keys() or not all(
            set(of.subject_sets) <= self.supervision.stated.keys() for of in kinds
        ):
            return STAYS
        return None if topic.grades or self.months() else UNSTATED

    def indicators(self, subject: str, month: int) -> IndicatorTable:
        """All indicators of one kind of subject in a month.

        Raises:
            ParameterNotInForceError: The least number of peers has no value on that day.
        """
        of = self.supervision.indicators[subject]
        months = months_needed(month)
        travelling = sorted(of.sets & self.supervision.stated.keys())
        stated = {name: stated_institutions(self.connection, name, months) for name in travelling}
        monthly = {
            name: {one: self._rows(name, one) for one in stated[name]} for name in travelling
        }
        register = custody.register(self.connection)
        groups = {
            code: f"{row.level}/{row.type}"
            for slots in stated.values()
            for codes in slots.values()
            for code in codes
            for row in register.rows(code)[:1]
        }
        peers = Peers(groups=groups, least=self.supervision.least_peers(last_day(month)))
        return indicators_of(of, self.supervision.sets, monthly, month, peers, stated=stated)

    def run(self, topics: Iterable[Topic], month: int) -> list[TopicResult]:
        """Run topics that can be run here.

        Raises:
            HubStoreError: A topic's SQL fails.
            ParameterNotInForceError: A threshold has no value on the month's last day.
        """
        wanted = tuple(topics)
        subjects = sorted({subject for topic in wanted for subject in topic.indicators})
        tables = {subject: self.indicators(subject, month) for subject in subjects}
        return [self._run(topic, month, tables) for topic in wanted]

    def _run(self, topic: Topic, month: int, tables: Mapping[str, IndicatorTable]) -> TopicResult:
        engine = duckdb.connect(config=dict(_ENGINE))
        try:
            for name in topic.sets:
                engine.register(name, self._set_table(name, topic.months, month))
            if topic.indicators:
                told = indicator_columns([tables[subject] for subject in topic.indicators])
                engine.register(INDICATOR, _relation(INDICATOR_COLUMNS, told.values()))
            if topic.grades:
                engine.register(GRADE, self._grades())
            cursor = engine.execute(topic.sql_of(month))
            rows = [dict(zip(topic.queried, row, strict=True)) for row in cursor.fetchall()]
        except duckdb.Error as error:
            raise HubStoreError(
                f"Topic {topic.id} cannot be run ({type(error).__name__}); check the catalogue."
            ) from error
        finally:
            engine.close()
        return conclude(topic, month, rows)

    def _rows(self, name: str, month: int) -> SetRows:
        """Rows of a set and month, as the kernel folds them; staff without their institution."""
        found = self.statements.monthly(self.connection, name, [month])
        keys = self.supervision.sets[name].keys
        nobody = np.full(len(found.subjects), "", np.str_)
        return SetRows(
            keys={key: found.subjects if key == keys[-1] else nobody for key in keys},
            columns=found.columns,
        )

    def _set_table(self, name: str, months: int, last: int) -> pa.Table:
        wanted = _back(last, months)
        found = self.statements.monthly(self.connection, name, wanted)
        keys = self.supervision.sets[name].keys
        codes = found.subjects.tolist()
        columns: dict[str, pa.Array] = {"month": pa.array(found.months, pa.int32())}
        for key in keys:
            columns[key] = pa.array(codes if key == keys[-1] else [""] * len(codes), pa.string())
        for measure, values in found.columns.items():
            columns[measure] = pa.array(values, pa.int64())
        return pa.table(columns)

    def _grades(self) -> pa.Table:
        periods = self.connection.execute(select(grade_run.c.period).distinct()).scalars().all()
        rows: list[tuple[object, ...]] = []
        for period in sorted(periods):
            for subject_class, run_id in latest_runs(self.connection, period).items():
                query = select(
                    grade_result.c.subject, grade_result.c.grade, grade_result.c.total_centi
                ).where(*of_run(run_id))
                rows += [
                    (period, subject_class, *found) for found in self.connection.execute(query)
                ]
        return _relation(GRADE_COLUMNS, zip(*rows, strict=True))


def _relation(words: Mapping[str, str], columns: Iterable[Sequence[Any]]) -> pa.Table:
    listed = list(columns) or [()] * len(words)
    return pa.table(
        {
            name: pa.array(column, _ARROW[word])
            for (name, word), column in zip(words.items(), listed, strict=True)
        }
    )


def _back(last: int, months: int) -> list[int]:
    """So many months up to one.

    >>> _back(202602, 3)
    [202512, 202601, 202602]
    """
    count = last // 100 * 12 + last % 100 - 1
    return [one // 12 * 100 + one % 12 + 1 for one in range(count - months + 1, count + 1)]
