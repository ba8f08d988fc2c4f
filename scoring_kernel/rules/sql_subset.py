"""The subset of SQL in which rules and relations are written: what DuckDB and Spark agree on.

Rules:
- One SELECT, with WITH and UNION ALL as needed, over declared relations only; no ``SELECT *``,
  no top-level ORDER BY or LIMIT, no QUALIFY (put ``row_number()`` into a subquery), no recursion,
  no table function, no sampling. What is not in ``sql_nodes.ALLOWED`` is refused.
- Joins: inner, LEFT, RIGHT, FULL, SEMI and ANTI, each with at least one equality between what is
  joined and what stands before it. So is every EXISTS that looks outside of itself.
- Money and counts are whole: no decimal literal, no ``/``, no avg, round or float. ``a // b``
  cuts towards zero in both engines. Where a product may pass 9.2e18, ``CAST(a AS HUGEINT)``
  before multiplying, and ``CAST(… AS BIGINT)`` at the end; round half up as
  ``(2 * a * b + c) // (2 * c)``.
- Days: ``CAST(x AS DATE)``, ``date_diff('day', a, b)`` of two DATEs, ``date_diff('second', a, b)``
  of moments (divide for minutes and hours; the engines count those differently), ``a + INTERVAL
  15 DAY`` with a literal number, ``hour(a)``, ``CAST(CAST(a AS DATE) AS VARCHAR)`` for a key. Two
  moments are never subtracted.
- Texts: ``||``, left, right, substring, length, lower, upper, trim, starts_with, LIKE,
  regexp_matches with a literal pattern. Not concat, which treats nulls differently.
- Aggregates: count, count(DISTINCT), sum, min, max, bool_or, bool_and, with FILTER; windows:
  these and row_number, rank, dense_rank, lag, lead, first_value. No arg_min, any_value or
  median: ties would make hits unstable.
- What the check cannot see: ``a // 0`` and ``a % 0`` are null in DuckDB and an error in Spark, so
  divide by nothing that may be 0, or by ``nullif(b, 0)``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import sqlglot
from sqlglot import exp
from sqlglot.errors import ErrorLevel, ParseError, SqlglotError, TokenError
from sqlglot.optimizer.annotate_types import annotate_types
from sqlglot.optimizer.qualify import qualify

from scoring_kernel.errors import RuleError
from scoring_kernel.rules.sql_joins import refuse_unbounded
from scoring_kernel.rules.sql_nodes import line_of, refuse_nodes, refuse_types

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_NODES: Final = 6_000
"""Most nodes of one statement's tree."""

_PLACE: Final = re.compile(r"\.? Line:? [0-9]+, Col:? [0-9]+\.?")
_TYPES: Final = {
    "string": "VARCHAR",
    "bool": "BOOLEAN",
    "int8": "TINYINT",
    "int32": "INT",
    "int64": "BIGINT",
    "timestamp[s]": "TIMESTAMP",
    "date": "DATE",
}
"""Type word of a relation's column → type of the SQL."""


def sql_schema(columns: Mapping[str, str]) -> dict[str, str]:
    """Types of a relation's columns as the SQL sees them.

    >>> sql_schema({"at": "timestamp[s]"})
    {'at': 'TIMESTAMP'}
    """
    return {name: _TYPES[word] for name, word in columns.items()}


def verified_sql(
    sql: str, *, relations: Mapping[str, Mapping[str, str]], file: str, line: int
) -> exp.Query:
    """Check one statement against the subset.

    Args:
        sql: The statement, placeholders already rendered.
        relations: Type words by column, by relation; only these may be read, and all must be.
        file: File it stands in, for messages.
        line: Line of its first line there.

    Returns:
        The statement with every column qualified and typed.

    Raises:
        RuleError: It is not one SELECT of the subset, reads what is not declared, names an
            unknown column, joins without bounds, or cannot be said in Spark's SQL.
    """
    tree = _parsed(sql, file, line)
    refuse_nodes(tree, file, line)
    _refuse_reads(tree, relations, file, line)
    _refuse_unsayable(tree, file, line)
    schema: dict[str, object] = {name: sql_schema(one) for name, one in relations.items()}
    try:
        qualified = qualify(
            tree,
            dialect="duckdb",
            schema=schema,
            quote_identifiers=False,
            identify=False,
        )
    except SqlglotError as error:
        found = _column_line(tree, str(error))
        raise RuleError(file, line + found - 1, f"sql: {_first_line(error)}") from error
    refuse_unbounded(qualified, file, line)
    typed = annotate_types(qualified, schema=schema, dialect="duckdb")
    refuse_types(typed, file, line)
    return typed


def to_spark(sql: str) -> str:
    """Say a statement of the subset in Spark's SQL.

    Args:
        sql: The statement in DuckDB's dialect, as verified.

    Returns:
        The same for Spark 4.

    >>> to_spark("SELECT date_diff('day', a, b) AS days FROM t")
    'SELECT DATEDIFF(DAY, a, b) AS days FROM t'
    """
    return _spark(sqlglot.parse_one(sql, read="duckdb"))


def _spark(tree: exp.Expr) -> str:
    for node in tree.find_all(exp.DataType):
        if node.is_type("int128"):
            # Spark's widest whole number.
            node.replace(exp.DataType.build("decimal(38, 0)"))
    return tree.sql(dialect="spark", unsupported_level=ErrorLevel.RAISE, copy=False)


def _parsed(sql: str, file: str, line: int) -> exp.Query:
    try:
        trees = sqlglot.parse(sql, read="duckdb", error_level=ErrorLevel.IMMEDIATE)
    except ParseError as error:
        at = error.errors[0].get("line") if error.errors else None
        problem = f"sql: not one SELECT ({_first_line(error)}): mend the syntax"
        raise RuleError(file, line + (at or 1) - 1, problem) from error
    except (TokenError, RecursionError) as error:
        problem = f"sql: not one SELECT ({_first_line(error)}): mend the syntax"
        raise RuleError(file, line, problem) from error
    found = [tree for tree in trees if tree is not None]
    if len(found) != 1 or not isinstance(found[0], exp.Select | exp.Union):
        raise RuleError(file, line, "sql: expected one statement that starts with SELECT or WITH")
    if sum(1 for _ in found[0].walk()) > MAX_NODES:
        raise RuleError(file, line, f"sql: more than {MAX_NODES} nodes: split it into relations")
    return found[0]


def _refuse_reads(
    tree: exp.Expr, relations: Mapping[str, Mapping[str, str]], file: str, line: int
) -> None:
    named: set[str] = set()
    for cte in tree.find_all(exp.CTE):
        if cte.alias in relations or cte.alias in named:
            problem = f"sql: WITH {cte.alias}: the name is taken: use another"
            raise RuleError(file, line + line_of(cte) - 1, problem)
        named.add(cte.alias)
    read: set[str] = set()
    for table in tree.find_all(exp.Table):
        if table.name in relations and not table.db:
            read.add(table.name)
        elif table.name not in named or table.db:
            expected = ", ".join(sorted(relations))
            problem = f"sql: reads {table.name[:80]!r}, expected declared relations: {expected}"
            raise RuleError(file, line + line_of(table) - 1, problem)
    for column in tree.find_all(exp.Column):
        if column.args.get("db"):
            problem = f"sql: found {column.sql()[:80]}: name a column by its relation alone"
            raise RuleError(file, line + line_of(column) - 1, problem)
    if unread := sorted(relations.keys() - read):
        problem = f"sql: never reads {', '.join(unread)}: read them or take them off the list"
        raise RuleError(file, line, problem)


def _refuse_unsayable(tree: exp.Expr, file: str, line: int) -> None:
    try:
        sqlglot.parse_one(_spark(tree.copy()), read="spark", error_level=ErrorLevel.IMMEDIATE)
    except SqlglotError as error:
        problem = f"sql: cannot be said in Spark's SQL ({_first_line(error)}): write it otherwise"
        raise RuleError(file, line, problem) from error


def _column_line(tree: exp.Expr, message: str) -> int:
    """Line of the column that a message of the optimizer names."""
    for column in tree.find_all(exp.Column):
        if column.name and f" {column.name}" in message.replace("'", " ").replace('"', " "):
            return line_of(column)
    return 1


def _first_line(error: BaseException) -> str:
    # Lines there are counted from the statement's first: ours stands before the message.
    lines = _PLACE.sub("", str(error)).splitlines()
    return lines[0].rstrip(". ")[:200] if lines else type(error).__name__
