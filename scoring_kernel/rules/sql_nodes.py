"""Which expressions the rules' SQL may use, and of which types.

Rules:
- A node outside of ``ALLOWED`` is refused by the name a reader knows it by.
- What both engines have but understand differently is refused, or allowed only in the form
  in which they agree; see ``sql_subset``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from sqlglot import exp

from scoring_kernel.errors import RuleError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_STATEMENT: Final = (
    *(exp.Select, exp.Union, exp.With, exp.CTE, exp.Subquery, exp.From, exp.Join, exp.Where),
    *(exp.Group, exp.Having, exp.Distinct, exp.Table, exp.TableAlias, exp.Identifier, exp.Column),
    *(exp.Alias, exp.Star, exp.Tuple, exp.Paren),
)
_OPERATORS: Final = (
    *(exp.And, exp.Or, exp.Not, exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Is, exp.In),
    *(exp.Between, exp.Exists, exp.NullSafeEQ, exp.NullSafeNEQ, exp.Like, exp.Add, exp.Sub),
    *(exp.Mul, exp.IntDiv, exp.Mod, exp.Neg, exp.DPipe, exp.Case, exp.If),
)
_VALUES: Final = (
    *(exp.Literal, exp.Boolean, exp.Null, exp.Interval, exp.IntervalSpan, exp.Var, exp.DataType),
    *(exp.DataTypeParam, exp.Cast),
)
_FUNCTIONS: Final = (
    *(exp.Coalesce, exp.Nullif, exp.Abs, exp.Greatest, exp.Least, exp.Sign),
    *(exp.Left, exp.Right, exp.Substring, exp.Length, exp.Lower, exp.Upper, exp.Trim),
    *(exp.StartsWith, exp.RegexpLike, exp.DateDiff, exp.Hour, exp.Minute, exp.Year, exp.Month),
    *(exp.Day, exp.Extract, exp.TsOrDsToDate),
)
_AGGREGATES: Final = (
    *(exp.Count, exp.Sum, exp.Min, exp.Max, exp.LogicalOr, exp.LogicalAnd, exp.Filter),
    *(exp.Window, exp.WindowSpec, exp.Order, exp.Ordered),
    *(exp.RowNumber, exp.Rank, exp.DenseRank, exp.Lag, exp.Lead, exp.FirstValue),
)
ALLOWED: Final = frozenset((*_STATEMENT, *_OPERATORS, *_VALUES, *_FUNCTIONS, *_AGGREGATES))
"""Every node that may stand in a rule's SQL."""

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_CASTS: Final = frozenset(
    (
        *(exp.DType.VARCHAR, exp.DType.TEXT, exp.DType.BIGINT),
        *(exp.DType.INT, exp.DType.INT128, exp.DType.BOOLEAN),
        *(exp.DType.DATE, exp.DType.TIMESTAMP, exp.DType.TIMESTAMPNTZ),
    )
)
_UNITS: Final = frozenset(("DAY", "HOUR", "MINUTE", "SECOND", "MONTH", "YEAR"))
_PARTS: Final = frozenset(("HOUR", "MINUTE", "YEAR", "MONTH", "DAY"))
_TEXTS: Final = frozenset((exp.DType.VARCHAR, exp.DType.TEXT))
_MOMENTS: Final = frozenset((exp.DType.TIMESTAMP, exp.DType.TIMESTAMPNTZ, exp.DType.DATE))


def line_of(node: exp.Expr) -> int:
    """Line of a node in its statement, from 1: its first word's, else what holds it."""
    while not (lines := _lines(node)) and node.parent is not None:
        node = node.parent
    return min(lines, default=1)


def _lines(node: exp.Expr) -> list[int]:
    return [one.meta["line"] for one in node.walk() if "line" in one.meta]


def refuse_nodes(tree: exp.Expr, file: str, line: int) -> None:
    """Refuse what is not in the subset.

    Raises:
        RuleError: The first node that is not, with its line.
    """
    if tree.args.get("order") or tree.args.get("limit") or tree.args.get("offset"):
        raise RuleError(
            file, line, "sql: ORDER BY or LIMIT at the end: remove it, hits have no order"
        )
    for node in tree.walk():
        if problem := _node_problem(node):
            raise RuleError(file, line + line_of(node) - 1, f"sql: {problem}")


def refuse_types(tree: exp.Expr, file: str, line: int) -> None:
    """Refuse arithmetic that the engines do differently, in a tree with types.

    Raises:
        RuleError: The first such expression, with its line.
    """
    for node in tree.walk():
        if problem := _type_problem(node):
            raise RuleError(file, line + line_of(node) - 1, f"sql: {problem}")


def _node_problem(node: exp.Expr) -> str | None:
    if type(node) not in ALLOWED:
        return f"found {name_of(node)}, which is not in the subset of rules"
    check = _CHECKS.get(type(node))
    return None if check is None else check(node)


def _type_problem(node: exp.Expr) -> str | None:
    if isinstance(node, exp.DateDiff):
        return _date_diff(node)
    if isinstance(node, exp.Sub) and {_type(node.left), _type(node.right)} <= _MOMENTS:
        return "two moments are subtracted: use date_diff"
    if isinstance(node, exp.Cast) and _type(node) in _TEXTS:
        inner = node.this
        if isinstance(inner, exp.Add | exp.Sub) and inner.find(exp.Interval):
            return "a moment plus an interval as text differs between engines: CAST to DATE"
    return None


def _date_diff(node: exp.DateDiff) -> str | None:
    unit = str(node.args.get("unit") or "DAY").strip("'").upper()
    types = {_type(node.this), _type(node.expression)}
    if unit == "DAY" and types != {exp.DType.DATE}:
        return "date_diff('day', …) of moments differs between engines: CAST both to DATE"
    if unit not in ("DAY", "SECOND"):
        return f"date_diff of {unit.lower()}s differs between engines: divide the seconds"
    return None


def _select(node: exp.Expr) -> str | None:
    for key, name in (("limit", "LIMIT"), ("offset", "OFFSET"), ("qualify", "QUALIFY")):
        if node.args.get(key):
            return f"found {name}: put row_number() into a subquery and filter on it"
    if node.args.get("order"):
        return "found ORDER BY outside of a window: remove it"
    distinct = node.args.get("distinct")
    return "found DISTINCT ON: use row_number()" if distinct and distinct.args.get("on") else None


def _union(node: exp.Expr) -> str | None:
    if node.args.get("by_name") or node.args.get("order") or node.args.get("limit"):
        return "found UNION with ORDER BY, LIMIT or BY NAME: remove it"
    return None if type(node) is exp.Union else f"found {name_of(node)}: use joins"


def _star(node: exp.Expr) -> str | None:
    return None if isinstance(node.parent, exp.Count) else "found *: name the columns"


def _identifier(node: exp.Expr) -> str | None:
    if _NAME.fullmatch(str(node.this)):
        return None
    # Of other signs the engines and the check fold upper and lower case differently.
    return f"found the name {str(node.this)[:40]!r}: write names in ASCII letters, digits and _"


def _literal(node: exp.Expr) -> str | None:
    if node.args.get("is_string") or str(node.this).isdigit():
        return None
    return f"found the number {node.this}: use whole numbers, decimals as $name_e6"


def _interval(node: exp.Expr) -> str | None:
    unit = str(node.args.get("unit") or "").upper()
    count = node.this
    if unit not in _UNITS or not isinstance(count, exp.Literal) or not str(count.this).isdigit():
        return "found an INTERVAL without a literal number and unit: write INTERVAL 15 DAY"
    return None


def _cast(node: exp.Expr) -> str | None:
    target = node.args["to"]
    if not isinstance(target, exp.DataType) or target.this not in _CASTS:
        names = "VARCHAR, BIGINT, INTEGER, HUGEINT, BOOLEAN, DATE, TIMESTAMP"
        return f"found CAST to {target.sql()}, expected one of {names}"
    return None


def _table(node: exp.Expr) -> str | None:
    extra = [key for key, value in node.args.items() if value and key not in ("this", "alias")]
    if not isinstance(node.this, exp.Identifier) or extra:
        return f"reads {node.sql(dialect='duckdb')[:60]}: read declared relations only"
    return None


def _group(node: exp.Expr) -> str | None:
    extra = [key for key, value in node.args.items() if value and key != "expressions"]
    if extra or any(isinstance(one, exp.Literal) for one in node.expressions):
        return "found GROUP BY with ALL, numbers or grouping sets: name the columns"
    return None


def _with(node: exp.Expr) -> str | None:
    return "found WITH RECURSIVE: not in the subset" if node.args.get("recursive") else None


def _cte(node: exp.Expr) -> str | None:
    if node.args.get("materialized") is not None:
        return "found MATERIALIZED, which Spark does not know: remove it"
    return None


def _like(node: exp.Expr) -> str | None:
    pattern = node.args.get("expression")
    if not isinstance(pattern, exp.Literal) or "\\" in str(pattern.this):
        return "found LIKE without a literal pattern, or with a backslash: use starts_with"
    return None


def _in(node: exp.Expr) -> str | None:
    if node.args.get("query") is not None and isinstance(node.parent, exp.Not):
        return "found NOT IN (SELECT …), which nulls make empty: use ANTI JOIN or NOT EXISTS"
    if node.args.get("unnest") is not None or node.args.get("field") is not None:
        return "found IN over a list column: use a relation"
    return None


def _regexp(node: exp.Expr) -> str | None:
    pattern = node.args.get("expression")
    if not isinstance(pattern, exp.Literal) or node.args.get("flag") is not None:
        return "found regexp_matches without a literal pattern, or with options: write the pattern"
    return None


def _extract(node: exp.Expr) -> str | None:
    part = str(node.this).upper()
    return None if part in _PARTS else f"found extract of {part.lower()}: the engines differ"


_CHECKS: Final[Mapping[type[exp.Expr], Callable[[exp.Expr], str | None]]] = {
    exp.Select: _select,
    exp.Union: _union,
    exp.Star: _star,
    exp.Identifier: _identifier,
    exp.Literal: _literal,
    exp.Interval: _interval,
    exp.Cast: _cast,
    exp.Table: _table,
    exp.Group: _group,
    exp.With: _with,
    exp.CTE: _cte,
    exp.Like: _like,
    exp.In: _in,
    exp.RegexpLike: _regexp,
    exp.Extract: _extract,
}


def _type(node: exp.Expr) -> exp.DType | None:
    return node.type.this if node.type is not None else None


def name_of(node: exp.Expr) -> str:
    """The name that a reader knows an expression by, for messages."""
    if isinstance(node, exp.Anonymous):
        return f"the function {str(node.this).lower()[:40]}"
    return f"the function {node.sql_name().lower()}" if isinstance(node, exp.Func) else node.key
