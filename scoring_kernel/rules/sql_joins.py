"""Joins must be bounded: an equality between what is joined and what stands before it.

Rules:
- CROSS JOIN, a comma, ASOF, NATURAL and a join by inequality alone are refused: at ten million
  lines they never end.
- An EXISTS that looks at columns outside of itself needs such an equality too; a scalar
  subquery never looks outside.
"""

from __future__ import annotations

from sqlglot import exp

from scoring_kernel.errors import RuleError
from scoring_kernel.rules.sql_nodes import line_of

_MEND = "add an equality between the two sides"


def refuse_unbounded(tree: exp.Expr, file: str, line: int) -> None:
    """Refuse joins without bounds in a statement whose columns are qualified.

    Raises:
        RuleError: The first such join or subquery, with its line.
    """
    for select in tree.find_all(exp.Select):
        sources = sources_of(select)
        before = set(sources[:1])
        for join, name in zip(select.args.get("joins") or (), sources[1:], strict=True):
            problem = _join_problem(join, name, before)
            if problem is not None:
                raise RuleError(file, line + line_of(join) - 1, f"sql: {problem}")
            before.add(name)
        _refuse_hidden(select, file, line)
        _refuse_outward(select, {*sources}, file, line)


def sources_of(query: exp.Expr) -> list[str]:
    """Names in FROM and JOIN of a SELECT, in order; none for any other expression."""
    first = query.args.get("from_")
    if first is None:
        return []
    joined = (join.this.alias_or_name for join in query.args.get("joins") or ())
    return [first.this.alias_or_name, *joined]


def _join_problem(join: exp.Join, name: str, before: set[str]) -> str | None:
    if join.method or join.kind == "CROSS":
        return f"found {' '.join(join.method.split() or ['CROSS'])} JOIN {name}: {_MEND}"
    condition = join.args.get("on")
    if condition is None:
        return f"found {name} joined without a condition: {_MEND}"
    if not any(_ties(part, {name}, before) for part in _conjuncts(condition)):
        return f"found {name} joined without an equality to what stands before it: {_MEND}"
    return None


def _refuse_hidden(select: exp.Select, file: str, line: int) -> None:
    """Refuse columns of what was only semi-joined outside of its condition."""
    hidden = {
        join.this.alias_or_name: join
        for join in select.args.get("joins") or ()
        if join.kind in ("SEMI", "ANTI")
    }
    inside = {id(column) for join in hidden.values() for column in join.find_all(exp.Column)}
    for column in select.find_all(exp.Column):
        own = column.parent_select is select
        if own and column.table in hidden and id(column) not in inside:
            problem = f"{column.sql()} is of a SEMI or ANTI JOIN, which shows no columns"
            raise RuleError(file, line + line_of(column) - 1, f"sql: {problem}: use JOIN")


def _refuse_outward(select: exp.Select, sources: set[str], file: str, line: int) -> None:
    holder = select.parent
    if isinstance(holder, exp.CTE) or select is select.root():
        return
    inner = {name for one in select.find_all(exp.Select) for name in sources_of(one)}
    outer = {column.table for column in select.find_all(exp.Column)} - inner
    if not outer:
        return
    where = select.args.get("where")
    parts = [] if where is None else _conjuncts(where.this)
    if isinstance(holder, exp.Exists) and any(_ties(part, sources, outer) for part in parts):
        return
    problem = f"found a subquery that looks at {', '.join(sorted(outer))} outside: {_MEND}"
    if not isinstance(holder, exp.Exists):
        problem = "found a subquery that looks outside of itself: write a join or EXISTS"
    raise RuleError(file, line + line_of(select) - 1, f"sql: {problem}")


def _conjuncts(condition: exp.Expr) -> list[exp.Expr]:
    whole = condition.unnest()
    if not isinstance(whole, exp.And):
        return [whole]
    return [one for part in whole.flatten() for one in _conjuncts(part)]


def _ties(part: exp.Expr, one: set[str], other: set[str]) -> bool:
    if not isinstance(part, exp.EQ | exp.NullSafeEQ):
        return False
    left, right = _tables(part.left), _tables(part.right)
    return (bool(left) and bool(right)) and (
        (left <= one and right <= other) or (left <= other and right <= one)
    )


def _tables(node: exp.Expr) -> set[str]:
    return {column.table for column in node.find_all(exp.Column)}
