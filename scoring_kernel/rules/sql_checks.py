"""Checking the SQL of relations and rules: the subset, what it reads, what it returns.

Rules:
- A relation returns exactly the columns it declares; a rule returns ``RESULT_COLUMNS``, each of
  its type.
- A book that is named by the catalogue's change list was checked before, see ``loader``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlglot import exp

from scoring_kernel.errors import RuleError
from scoring_kernel.rules.relations import order
from scoring_kernel.rules.rendering import spans, statement
from scoring_kernel.rules.rule import RESULT_COLUMNS
from scoring_kernel.rules.sql_subset import verified_sql

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scoring_kernel.rules.knowledge import KnowledgeTable
    from scoring_kernel.rules.relations import Relation
    from scoring_kernel.rules.rule import Rule

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
) -> None:
    """Check the SQL of all derived relations.

    Args:
        relations: Relations by name, none in a circle.
        files: File of each, for messages.
        columns: Type words by column of every relation that may be read, see
            ``columns_by_relation``.

    Raises:
        RuleError: SQL is outside of the subset or returns other columns.
    """
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


def verify_rule(
    rule: Rule, columns: Mapping[str, Mapping[str, str]], knowledge: Mapping[str, KnowledgeTable]
) -> None:
    """Check the SQL of one rule; a warning without any is sound.

    Args:
        rule: The rule, all of whose relations and tables are known.
        columns: Type words by column of every relation that may be read.
        knowledge: Knowledge tables by id.

    Raises:
        RuleError: SQL is outside of the subset, or does not return ``RESULT_COLUMNS``.
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
    for name, column in zip(names, tree.selects, strict=True):
        kind = None if column.type is None else column.type.this
        expected = _TYPES.get(name, _TEXT)
        if kind not in expected and kind is not exp.DType.UNKNOWN:
            shown = "nothing" if column.type is None else column.type.sql(dialect="duckdb")
            problem = f"sql: {name} is {shown}, expected {expected[0].value}"
            raise RuleError(file, rule.sql_line, problem)
