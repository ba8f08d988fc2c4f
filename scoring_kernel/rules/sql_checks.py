"""Checking the SQL of relations and rules: the subset, what it reads, what it returns.

Rules:
- A relation returns exactly the columns it declares; a rule returns ``RESULT_COLUMNS``, each of
  its type.
- Personal values go where ``sql_lineage`` lets them: whole into ``person``, numbers of staff into
  ``staff`` too, into no other column of a hit; a relation flags the columns that carry them.
- A book that is named by the catalogue's change list was checked before, see ``loader``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlglot import exp

from scoring_kernel.errors import RuleError
from scoring_kernel.rules.relations import order
from scoring_kernel.rules.rendering import spans, statement
from scoring_kernel.rules.rule import RESULT_COLUMNS
from scoring_kernel.rules.sql_carried import carried_by_kinds, flagged
from scoring_kernel.rules.sql_lineage import trace
from scoring_kernel.rules.sql_nodes import line_of
from scoring_kernel.rules.sql_subset import verified_sql

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scoring_kernel.record_kinds import RecordKind
    from scoring_kernel.rules.knowledge import KnowledgeTable
    from scoring_kernel.rules.relations import Relation
    from scoring_kernel.rules.rule import Rule
    from scoring_kernel.rules.sql_carried import Carried

_TEXT: Final = (exp.DType.VARCHAR, exp.DType.TEXT, exp.DType.NULL)
_MOMENT: Final = (exp.DType.TIMESTAMP, exp.DType.TIMESTAMPNTZ)
_WHOLE: Final = (
    *(exp.DType.TINYINT, exp.DType.INT, exp.DType.BIGINT),
    exp.DType.INT128,
)
_TYPES: Final = {"at": _MOMENT, "role": _WHOLE, "amount_fen": _WHOLE}


def verify_relations(
    relations: Mapping[str, Relation],
    files: Mapping[str, str],
    columns: Mapping[str, Mapping[str, str]],
    kinds: Mapping[str, RecordKind],
) -> dict[str, dict[str, Carried]]:
    """Check the SQL of all derived relations.

    Args:
        relations: Relations by name, none in a circle.
        files: File of each, for messages.
        columns: Type words by column of every relation that may be read, see
            ``columns_by_relation``.
        kinds: Record kinds by id.

    Returns:
        Personal values that columns carry, by record kind or relation and column.

    Raises:
        RuleError: SQL is outside of the subset, returns other columns, or a personal value in a
            column that is not flagged.
    """
    carried = carried_by_kinds(kinds.values())
    for name in order(relations, relations, files):
        relation, file = relations[name], files[name]
        reads = {one: columns[one] for one in relation.reads}
        tree = verified_sql(relation.sql, relations=reads, file=file, line=relation.sql_line)
        if tree.named_selects != list(relation.columns):
            problem = (
                f"sql: returns {', '.join(tree.named_selects)}, expected the columns "
                f"{', '.join(relation.columns)}"
            )
            raise RuleError(file, relation.sql_line, problem)
        found = trace(tree, carried, file, relation.sql_line)
        own = dict(zip(relation.columns, found, strict=True))
        for column, one in own.items():
            if one.origins and column not in relation.personal:
                problem = (
                    f"sql: {column} carries {one.told}, which is personal: flag {column} personal "
                    "in columns, or take it out"
                )
                raise RuleError(file, _line(relation.sql_line, tree, column), problem)
        carried[name] = {
            column: (
                own[column]
                if own[column].origins
                else flagged(name, column, relation.columns[column])
            )
            for column in relation.personal
        }
    return carried


def verify_rule(
    rule: Rule,
    columns: Mapping[str, Mapping[str, str]],
    knowledge: Mapping[str, KnowledgeTable],
    carried: Mapping[str, Mapping[str, Carried]],
) -> None:
    """Check the SQL of one rule; a warning without any is sound.

    Args:
        rule: The rule, all of whose relations and tables are known.
        columns: Type words by column of every relation that may be read.
        knowledge: Knowledge tables by id.
        carried: Personal values by relation and column, see ``verify_relations``.

    Raises:
        RuleError: SQL is outside of the subset, does not return ``RESULT_COLUMNS``, or returns a
            personal value in another column than ``person`` and ``staff``.
    """
    if rule.sql is None:
        return
    file = f"rules/{rule.id}.yaml"
    # Spans differ in literals of the same types only: one stands for all.
    found = statement(rule, file, *spans(rule)[0])
    read = {name: columns[name] for name in rule.relations}
    read |= {name: knowledge[name].columns for name in rule.knowledge}
    tree = verified_sql(found.bare, relations=read, file=file, line=rule.sql_line)
    names = tree.named_selects
    if names != list(RESULT_COLUMNS):
        problem = f"sql: returns {', '.join(names)}, expected {', '.join(RESULT_COLUMNS)}"
        raise RuleError(file, rule.sql_line, problem)
    for name, one in zip(names, trace(tree, carried, file, rule.sql_line), strict=True):
        leak = _leak(name, one) if one.origins else None
        if leak is not None:
            raise RuleError(file, _line(rule.sql_line, tree, name), f"sql: {name} {leak}")
    for name, column in zip(names, tree.selects, strict=True):
        kind = None if column.type is None else column.type.this
        expected = _TYPES.get(name, _TEXT)
        if kind not in expected and kind is not exp.DType.UNKNOWN:
            shown = "nothing" if column.type is None else column.type.sql(dialect="duckdb")
            problem = f"sql: {name} is {shown}, expected {expected[0].value}"
            raise RuleError(file, rule.sql_line, problem)


def _leak(name: str, found: Carried) -> str | None:
    """What is wrong with a column of a hit that carries a personal value."""
    if found.is_age:
        return f"is reckoned from {found.told}, which is personal: use it in a condition only"
    if name == "person" or (name == "staff" and found.is_staff):
        return None
    if name == "staff":
        return f"carries {found.told}, which is no number of staff: return it as person or not"
    return f"carries {found.told}, which is personal: compare or count it, return it as person only"


def _line(first: int, tree: exp.Query, column: str) -> int:
    """Line of a column of the result; of a UNION, in its first SELECT."""
    return next(first + line_of(one) - 1 for one in tree.selects if one.alias_or_name == column)
