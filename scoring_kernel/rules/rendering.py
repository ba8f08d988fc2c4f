"""Placeholders of a rule's SQL become typed literals, and spans become statements.

Rules:
- ``$name`` of a whole number becomes the number, of a list of codes ``('21','22')``.
  A decimal is written ``$name_e6`` and becomes its millionths: no float, no rounding.
- Text in quotes and comments is left as it is. A literal never breaks a line, so the lines
  of the rendered SQL are the lines of the file.
- A hit belongs to the span in which its moment lies, with all its evidence.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from scoring_kernel.errors import RuleError
from scoring_kernel.rules.rule import RESULT_COLUMNS, UNDATED, VIOLATING, Rule, Statement

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from scoring_kernel.rules.rule import ParameterVersion, Value

MICRO: Final = 1_000_000
"""Millionths per unit."""

_PIECE: Final = re.compile(r"'(?:[^']|'')*'|--[^\n]*|\$([A-Za-z_][A-Za-z0-9_]*)|\$")
_CASTS: Final = {"at": "TIMESTAMP", "role": "INTEGER", "amount_fen": "BIGINT"}


def literal_name(name: str, value: Value) -> str:
    """Placeholder, without its dollar sign, of a parameter.

    >>> literal_name("window_days", 15), literal_name("exam_share", Fraction(7, 10))
    ('window_days', 'exam_share_e6')
    """
    return f"{name}_e6" if isinstance(value, Fraction) else name


def literal(value: Value) -> str:
    """Literal of a parameter's value.

    >>> literal(15), literal(Fraction(7, 10)), literal(("21", "22"))
    ('15', '700000', "('21','22')")
    """
    if isinstance(value, tuple):
        return f"({','.join(_quoted(code) for code in value)})"
    return str(int(value * MICRO)) if isinstance(value, Fraction) else str(value)


def render(rule: Rule, file: str, values: Mapping[str, ParameterVersion]) -> str:
    """Put values in the place of placeholders.

    Args:
        rule: The rule; it has SQL.
        file: Its file, for messages.
        values: Every parameter's version.

    Returns:
        SQL with as many lines as the file's.

    Raises:
        RuleError: A placeholder names no parameter, a decimal without ``_e6``, or a
            parameter is never used.
    """
    given = {
        literal_name(name, one.value): literal(one.value)
        for name, one in values.items()
        if one.value is not None
    }
    used: set[str] = set()

    def put(found: re.Match[str]) -> str:
        if not found[0].startswith("$"):
            return found[0]
        name = found[1] or ""
        if name not in given:
            line = rule.sql_line + found.string.count("\n", 0, found.start())
            hint = f"write ${name}_e6, in millionths" if f"{name}_e6" in given else "declare it"
            expected = ", ".join(f"${one}" for one in sorted(given)) or "none"
            problem = f"found the placeholder ${name}, expected one of: {expected}; {hint}"
            raise RuleError(file, line, problem)
        used.add(name)
        return given[name]

    rendered = _PIECE.sub(put, rule.sql or "")
    if unused := sorted(given.keys() - used):
        problem = f"sql: never uses ${unused[0]}: use the parameter or remove it"
        raise RuleError(file, rule.sql_line, problem)
    return rendered


def spans(rule: Rule) -> tuple[tuple[date | None, date | None], ...]:
    """Spans of days in which no parameter of a rule changes and the rule is in force.

    Returns:
        (first day, first day after), None without bound; ascending.
    """
    if not rule.parameters:
        return ((None, None),)
    dated = (one.begins for parameter in rule.parameters.values() for one in parameter.versions)
    days = sorted({*dated})
    ends: tuple[date | None, ...] = (*days[1:], None)
    return tuple(
        (begins, end)
        for begins, end in zip(days, ends, strict=True)
        if rule.find_parameters(begins) is not None
    )


def statement(rule: Rule, file: str, begins: date | None, ends: date | None) -> Statement:
    """Compose the statement of one span.

    Raises:
        RuleError: A placeholder is unknown or a parameter unused.
    """
    values = {} if begins is None else rule.parameters_at(begins)
    bare = render(rule, file, values)
    return Statement(
        rule=rule.id,
        version=UNDATED if begins is None else begins.isoformat(),
        begins=begins,
        ends=ends,
        parameters=values,
        bare=bare,
        sql=_framed(bare, rule.hit, begins, ends),
    )


def _framed(sql: str, hit: tuple[str, ...], begins: date | None, ends: date | None) -> str:
    """Date the hits and keep those of the span."""
    casts = ",\n    ".join(
        # Qualified: ``at`` by itself is a word of DuckDB's grammar.
        f"CAST(found.{name} AS {_CASTS.get(name, 'VARCHAR')}) AS {name}"
        for name in RESULT_COLUMNS
    )
    tests = ["hit_at IS NOT NULL"] if begins is None else [f"hit_at >= {_moment(begins)}"]
    tests += [] if ends is None else [f"hit_at < {_moment(ends)}"]
    return (
        f"SELECT {', '.join(f'dated.{name}' for name in RESULT_COLUMNS)}\n"  # noqa: S608 - SQL of the catalogue
        f"FROM (\n  SELECT\n    {casts},\n"
        f"    min(CASE WHEN role = {VIOLATING} THEN CAST(found.at AS TIMESTAMP) END)"
        f" OVER (PARTITION BY {', '.join(hit)}) AS hit_at\n"
        f"  FROM (\n{sql.rstrip()}\n  ) AS found\n) AS dated\nWHERE {' AND '.join(tests)}"
    )


def _moment(day: date) -> str:
    return f"TIMESTAMP '{day.isoformat()} 00:00:00'"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
