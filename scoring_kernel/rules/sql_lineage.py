"""Where personal values of records go in the SQL of rules and relations (个人信息的去向).

Rules:
- Personal are the columns that record kinds and relations flag so. Every expression is followed
  to them through aliases, WITH, subqueries, UNION, USING and windows.
- A personal value is handed on whole or not at all: as a column, coalesce, nullif, CASE, min, max,
  lag, lead, first_value, or trimmed of blanks. Anything else made of it is refused wherever it
  stands, so in a condition or a key of a group too: ``left(person, 6)``, ``person || 'x'``,
  ``length``, ``LIKE``, ``CAST(person AS BIGINT)``. Who may cut a value reads it sign by sign.
- The one exception is time: of a personal moment (``born``) year, month, day, DATE, date_diff and
  whole-number arithmetic are an age. An age decides and is never returned.
- Conditions compare whole values: ``=``, ``<>``, IN and IS, with columns, parameters and literals.
  Greater and less than, BETWEEN, min, max and the order of a window take personal texts among
  themselves only: with literals or codes between them, order tells the value. Ages and moments
  compare with everything, as rules on age need.
- Free are counts, also of distinct values, PARTITION BY and GROUP BY, and joins by equality.
- A hit may hold whole values in ``person``, and numbers of staff (``sql_carried.STAFF``) also in
  ``staff``; nothing of them in any other column. A relation flags every column that carries one.
- What is left: a condition tells one bit of a row, and an age can be asked year by year.

Legal basis: 个人信息保护法第六条（最小必要）; see ``RESULT_COLUMNS`` for what a hit holds.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, Never

from sqlglot import exp
from sqlglot.optimizer.scope import Scope, build_scope

from scoring_kernel.errors import RuleError
from scoring_kernel.rules.sql_carried import NOTHING, NULL, Carried, either
from scoring_kernel.rules.sql_joins import sources_of
from scoring_kernel.rules.sql_nodes import ALLOWED, line_of, name_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MOST_SIGNS: Final = 60
"""Most signs of an expression that a message shows."""

_TEXTS: Final = frozenset((exp.DType.VARCHAR, exp.DType.TEXT))
_EQUAL: Final = (exp.EQ, exp.NEQ, exp.NullSafeEQ, exp.NullSafeNEQ, exp.Is, exp.In)
_ORDERED: Final = (exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Between)
_CHOOSING: Final = (exp.Coalesce, exp.Tuple, exp.Distinct, exp.Paren, exp.FirstValue)
_RECKONING: Final = (
    *(exp.Year, exp.Month, exp.Day, exp.Hour, exp.Minute, exp.Extract, exp.DateDiff, exp.Neg),
    *(exp.Add, exp.Sub, exp.Mul, exp.IntDiv, exp.Mod, exp.Abs, exp.TsOrDsToDate),
    *(exp.Greatest, exp.Least),
)


def trace(
    tree: exp.Query, relations: Mapping[str, Mapping[str, Carried]], file: str, line: int
) -> tuple[Carried, ...]:
    """Follow the personal values of one statement.

    Args:
        tree: The statement, its columns qualified, as ``verified_sql`` returns it.
        relations: What columns carry, by relation; one that carries nothing may be left out.
        file: File it stands in, for messages.
        line: Line of its first line there.

    Returns:
        What each column of the result carries, in order.

    Raises:
        RuleError: A personal value is altered, or ordered among values that are not personal.
    """
    root = build_scope(tree)
    if root is None:
        raise RuleError(file, line, "sql: expected one statement that starts with SELECT or WITH")
    tracer = _Tracer(root, relations, file, line)
    try:
        for scope in tracer.scopes.values():
            tracer.visit(scope)
    except RecursionError as error:
        problem = "sql: an expression is nested too deep: split it into WITH parts"
        raise RuleError(file, line, problem) from error
    for column in tree.find_all(exp.Column):
        if id(column) not in tracer.seen:
            tracer.refuse(column, f"found {_shown(column)} where no value is followed: move it")
    return tuple(tracer.outputs(root))


def _shown(node: exp.Expr) -> str:
    return node.sql(dialect="duckdb")[:MOST_SIGNS]


def _is_same(node: exp.Expr, operands: list[Carried]) -> bool:
    """Whether an expression hands on its one operand: trimmed of blanks, or a text as text."""
    if isinstance(node, exp.Cast):
        return node.to.this in _TEXTS and not operands[0].is_moment
    return isinstance(node, exp.Trim) and len(operands) == 1


def _is_reckoning(node: exp.Expr) -> bool:
    """Whether an expression makes times and numbers of moments."""
    return isinstance(node, _RECKONING) or (
        isinstance(node, exp.Cast) and node.to.this not in _TEXTS
    )


def _query_of(scope: Scope) -> exp.Query:
    """The SELECT or UNION of a scope."""
    query = scope.expression
    if not isinstance(query, exp.Query):
        raise TypeError(f"found a scope of {query.key}, expected a query")
    return query


class _Tracer:
    """Follows the values of one statement, scope by scope."""

    def __init__(
        self, root: Scope, relations: Mapping[str, Mapping[str, Carried]], file: str, line: int
    ) -> None:
        self._relations = relations
        self._file = file
        self._line = line
        self._outputs: dict[int, list[Carried]] = {}
        self.scopes = {id(scope.expression): scope for scope in root.traverse()}
        self.seen: set[int] = set()
        self._made = {cte.alias for cte in root.expression.find_all(exp.CTE)}
        self._forms: Mapping[type[exp.Expr], Callable[[exp.Expr, Scope], Carried]] = {
            exp.Column: self._column,
            exp.TableColumn: self._row,
            exp.Alias: lambda node, scope: self._value(node.this, scope),
            exp.Null: lambda _node, _scope: NULL,
            **dict.fromkeys((exp.Select, exp.Union, exp.Subquery), self._subquery),
            exp.Exists: lambda _node, _scope: NOTHING,
            exp.Case: self._case,
            exp.If: self._if,
            exp.Window: self._window,
            exp.Filter: self._filter,
        }

    def refuse(self, node: exp.Expr, problem: str) -> Never:
        """Refuse a node, with its line."""
        raise RuleError(self._file, self._line + line_of(node) - 1, f"sql: {problem}")

    def visit(self, scope: Scope) -> None:
        """Follow everything that a scope says, returned or not."""
        self.outputs(scope)
        select = scope.expression
        if not isinstance(select, exp.Select):
            return
        for join in select.args.get("joins") or ():
            self._condition(join.args.get("on"), scope)
        for key in ("where", "having"):
            if (clause := select.args.get(key)) is not None:
                self._condition(clause.this, scope)
        group = select.args.get("group")
        for node in (*(group.expressions if group else ()), *(select.args.get("windows") or ())):
            self._value(node, scope)

    def outputs(self, scope: Scope) -> list[Carried]:
        """What each column of a scope's result carries, in order."""
        found = self._outputs.get(id(scope.expression))
        if found is None:
            found = self._found(scope)
            self._outputs[id(scope.expression)] = found
        return found

    def _found(self, scope: Scope) -> list[Carried]:
        if parts := scope.set_operation_scopes:
            found = [self.outputs(one) for one in parts]
            if len({len(one) for one in found}) > 1:
                self.refuse(
                    scope.expression, "found UNION of unlike numbers of columns: agree them"
                )
            return [either(both) for both in zip(*found, strict=True)]
        return [self._value(node, scope) for node in _query_of(scope).selects]

    def _condition(self, node: exp.Expr | None, scope: Scope) -> None:
        if node is not None and (found := self._value(node, scope)).origins:
            self.refuse(node, f"found {found.told} as a condition: compare it")

    def _value(self, node: exp.Expr, scope: Scope) -> Carried:
        """What an expression carries; refuses what alters a personal value."""
        form = self._forms.get(type(node))
        if form is not None:
            return form(node, scope)
        if type(node) not in ALLOWED:
            self.refuse(
                node, f"found {name_of(node)}, which cannot be followed: write it otherwise"
            )
        operands = [self._value(child, scope) for child in node.iter_expressions()]
        if isinstance(node, _CHOOSING):
            return either(operands)
        if any(one.origins for one in operands):
            return self._applied(node, operands)
        return NULL if isinstance(node, exp.Cast) and operands[0].is_null else NOTHING

    def _applied(self, node: exp.Expr, operands: list[Carried]) -> Carried:
        """What an operator or function carries, one of whose operands is personal."""
        first, *others = operands
        personal = [one for one in operands if one.origins]
        if isinstance(node, (exp.Count, *_EQUAL)):
            found = NOTHING
        elif isinstance(node, (*_ORDERED, exp.Ordered)):
            self._refuse_order(node, either(operands))
            found = NOTHING
        elif isinstance(node, exp.Max | exp.Min) and not others:
            self._refuse_order(node, first)
            found = first
        elif isinstance(node, exp.Nullif):
            found = first
        elif isinstance(node, exp.Lag | exp.Lead) and not any(one.origins for one in others[:1]):
            found = either((first, *others[1:]))
        elif _is_same(node, operands):
            found = first
        elif _is_reckoning(node) and all(one.is_moment for one in personal):
            found = replace(either(personal), is_age=True)
        else:
            self.refuse(
                node,
                f"found {_shown(node)}, made of {personal[0].told}, which is personal: hand it on "
                "whole, compare it by = or count it",
            )
        return found

    def _refuse_order(self, node: exp.Expr, found: Carried) -> None:
        if found.is_mixed and not found.is_moment:
            self.refuse(
                node,
                f"found {_shown(node)}, which orders {found.told}, a personal value, among others: "
                "compare it by = or IN, or order it by itself",
            )

    def _column(self, node: exp.Expr, scope: Scope) -> Carried:
        self.seen.add(id(node))
        table, name = node.text("table"), node.name
        holder: Scope | None = scope
        # A scope also knows every WITH before it: only what stands in its FROM counts.
        while holder is not None and table not in sources_of(holder.expression):
            holder = holder.parent
        source = None if holder is None else holder.sources.get(table)
        if isinstance(source, exp.Table) and source.name not in self._made:
            found = self._relations.get(source.name, {}).get(name, NOTHING)
        elif isinstance(source, Scope) and name in (names := self._names(source)):
            found = self.outputs(source)[names.index(name)]
        else:
            self.refuse(node, f"found {_shown(node)} of no relation: name its relation")
        return replace(found, shown=node.sql()) if found.origins else found

    def _names(self, source: Scope) -> list[str]:
        query = _query_of(source)
        names = query.named_selects
        if len({*names}) < len(names):
            # An engine gives the second of them a name of its own, which may be that of a third.
            self.refuse(query, "found one name for two columns: name them apart")
        return names

    def _row(self, node: exp.Expr, _scope: Scope) -> Carried:
        self.refuse(node, f"found a whole row of {node.name[:MOST_SIGNS]}: name its columns")

    def _subquery(self, node: exp.Expr, _scope: Scope) -> Carried:
        found = self.scopes.get(id(node.unnest()))
        if found is None:
            self.refuse(node, "found a subquery that cannot be followed: write it as WITH")
        return self.outputs(found)[0]

    def _filter(self, node: exp.Expr, scope: Scope) -> Carried:
        self._condition(node.expression.this, scope)
        return self._value(node.this, scope)

    def _if(self, node: exp.Expr, scope: Scope) -> Carried:
        self._condition(node.this, scope)
        parts = (node.args.get("true"), node.args.get("false"))
        return either(self._value(part, scope) for part in parts if part is not None)

    def _case(self, node: exp.Expr, scope: Scope) -> Carried:
        compared, other = node.this, node.args.get("default")
        found = [NULL if other is None else self._value(other, scope)]
        if compared is not None:
            self._value(compared, scope)
        for branch in node.args["ifs"]:
            if compared is None:
                self._condition(branch.this, scope)
            else:
                self._value(branch.this, scope)
            found.append(self._value(branch.args["true"], scope))
        return either(found)

    def _window(self, node: exp.Expr, scope: Scope) -> Carried:
        order, spec = node.args.get("order"), node.args.get("spec")
        ordered = () if order is None else order.expressions
        for key in (*(node.args.get("partition_by") or ()), *ordered):
            self._value(key, scope)
        bounds = () if spec is None else spec.iter_expressions()
        if any(self._value(child, scope).origins for child in bounds):
            self.refuse(node, "found a frame bounded by a personal value: write a number")
        return self._value(node.this, scope)
