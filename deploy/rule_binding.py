"""Whether DuckDB takes every statement of a rule book: planned over empty relations, in bounds."""

from typing import Final

import duckdb

from node.domain.records import record_schemas
from node.supervision.budget import limited
from node.supervision.knowledge import arrow_table
from scoring_kernel import Catalog
from scoring_kernel.errors import RuleError
from scoring_kernel.rules import RuleBook

__all__ = ["bind"]

_ENGINE: Final = {
    "enable_external_access": "false",
    "autoload_known_extensions": "false",
    "autoinstall_known_extensions": "false",
    "temp_directory": "",
    "python_enable_replacements": "false",
    "memory_limit": "512 MiB",
    "lock_configuration": "true",
}
_SECONDS: Final = 60.0
"""Most time of one statement over no records at all."""


def bind(book: RuleBook, catalog: Catalog) -> int:
    """Let DuckDB plan every statement over empty relations, within bounds: a rule is untrusted.

    Args:
        book: The rule book.
        catalog: Record kinds.

    Returns:
        Number of statements.

    Raises:
        RuleError: One cannot be planned.
    """
    engine = duckdb.connect(config=dict(_ENGINE))
    count = 0
    try:
        for name, schema in record_schemas(catalog.records).items():
            engine.register(name, schema.empty_table())
        for table in book.knowledge.values():
            engine.register(table.id, arrow_table(table, ()))
        for sql in book.prepare():
            _plan(engine, sql, "rules/relations", 0)
        for rule in book.runnable:
            for one in book.statements(rule):
                _plan(engine, f"explain {one.sql}", f"rules/{rule.id}.yaml", rule.sql_line)
                count += 1
    finally:
        engine.close()
    return count


def _plan(engine: duckdb.DuckDBPyConnection, sql: str, file: str, line: int) -> None:
    try:
        with limited(engine, _SECONDS):
            engine.execute(sql).fetchall()
    except (duckdb.InterruptException, duckdb.OutOfMemoryException) as error:
        problem = (
            f"takes more than {_SECONDS:g} s or {_ENGINE['memory_limit']} where there are no "
            "records at all: it makes rows or texts out of nothing; mend it"
        )
        raise RuleError(file, line, problem) from error
    except duckdb.Error as error:
        problem = f"the engine refuses this SQL: {str(error).splitlines()[0]}; mend it"
        raise RuleError(file, line, problem) from error
