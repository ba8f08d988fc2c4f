"""Reading one file of ``rules/`` into a rule, before its SQL is checked.

Rules:
- The file's name is the rule's id. Every key is known, every word one of its list.
- A parameter without a first day is refused; days ascend; a value keeps its type from version
  to version: whole number, quoted decimal of at most six places, or a list of codes.
- A monitoring rule has SQL and says which columns make a hit; a warning has triggers, an
  answer, and rules whose live form it uses or SQL of its own.
"""

from __future__ import annotations

import re
from datetime import date
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from scoring_kernel.errors import RuleError
from scoring_kernel.rules.rendering import MICRO
from scoring_kernel.rules.rule import HIT_COLUMNS, ParameterVersion, Rule, RuleParameter
from scoring_kernel.yaml_section import Items, Section

if TYPE_CHECKING:
    from scoring_kernel.catalog_object import Catalog
    from scoring_kernel.rules.rule import Value

MAX_PARAMETERS: Final = 24
MAX_VERSIONS: Final = 64
MAX_CODES: Final = 200

_SETS: Final = ("core", "reserve", "warning")
_CLASSES: Final = ("policy", "management", "medical", "warning")
_PHASES: Final = ("pre", "in", "post")
_VERDICTS: Final = ("violation", "suspicion", "warning")
_SEVERITIES: Final = ("high", "mid", "low")
_ANSWERS: Final = ("warn", "block")
_RULE_ID: Final = r"[MW][0-9]{2}"
_UNIT: Final = r"[a-z][a-z -]{0,39}"
_NAME: Final = r"[a-z][a-z0-9_]{0,39}"
_CODE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._*+-]{0,39}")
_DECIMAL: Final = re.compile(r"-?[0-9]{1,12}\.[0-9]{1,6}")
_KEYS: Final = (
    *("id", "name_zh", "name_en", "set", "class", "phases", "verdict", "severity", "unit"),
    *("parameters", "knowledge", "relations", "exemptions", "amount", "basis", "hit", "sql"),
    *("note", "forms_of", "triggers", "answer"),
)


def parse_rule(document: Section, catalog: Catalog) -> Rule:
    """Read one rule.

    Args:
        document: The file's top mapping.
        catalog: The catalogue: units, sources, transactions and code lists.

    Returns:
        The rule; what its SQL says is not checked yet.

    Raises:
        CatalogError: A key is missing, unknown or of the wrong form.
        RuleError: A parameter is undated or of mixed types, or rule and warning are mixed up.
    """
    document.refuse_unknown(_KEYS)
    has_sql = document.values.get("sql") is not None
    rule = Rule(
        id=document.text("id", pattern=_RULE_ID),
        name_zh=document.text("name_zh", max_chars=60),
        name_en=document.text("name_en", max_chars=120),
        set=document.choice("set", _SETS),
        rule_class=document.choice("class", _CLASSES),
        phases=_words(document, "phases", _PHASES),
        verdict=document.choice("verdict", _VERDICTS),
        severity=document.choice("severity", _SEVERITIES),
        unit=document.text("unit", pattern=_UNIT),
        parameters=_parse_parameters(document, catalog),
        knowledge=_names(document, "knowledge"),
        relations=_names(document, "relations"),
        exemptions=document.texts("exemptions") if "exemptions" in document.values else (),
        amount=document.text("amount", max_chars=200),
        basis=document.choice("basis", catalog.legal_basis),
        hit=_words(document, "hit", HIT_COLUMNS) if has_sql else (),
        sql=document.text("sql") if has_sql else None,
        sql_line=document.line_of("sql") + 1,
        note=document.find_text("note"),
        forms_of=_names(document, "forms_of", r"M[0-9]{2}"),
        triggers=_parse_triggers(document, catalog),
        answer=document.choice("answer", _ANSWERS) if "answer" in document.values else None,
    )
    _verify_whole(document, rule)
    return rule


def _verify_whole(document: Section, rule: Rule) -> None:
    warning = rule.id.startswith("W")
    if warning != (rule.set == "warning"):
        problem = f"set: found {rule.set!r} for {rule.id}: W is for warnings, M for the others"
        raise _error(document, problem, "set")
    if not warning and rule.sql is None:
        raise _error(document, f"rule {rule.id} has no sql: write the SELECT that finds its hits")
    if not warning and (rule.forms_of or rule.triggers or rule.answer):
        problem = "forms_of, triggers and answer are for warnings: remove them"
        raise _error(document, problem)
    if warning and rule.answer is None:
        raise _error(document, "a warning needs answer: warn or block")
    if warning and not rule.triggers:
        raise _error(document, "a warning needs triggers: transactions, each with its scenes")


def _parse_parameters(document: Section, catalog: Catalog) -> dict[str, RuleParameter]:
    listed = document.find_section("parameters")
    if listed is None:
        return {}
    if len(listed.values) > MAX_PARAMETERS:
        raise _error(document, f"more than {MAX_PARAMETERS} parameters: remove some", "parameters")
    found: dict[str, RuleParameter] = {}
    for name in listed.values:
        listed.refuse_name_unless(name, _NAME)
        entry = listed.section(name)
        entry.refuse_unknown(("name_zh", "unit", "versions"))
        if "versions" not in entry.values:
            problem = f"parameter {name} is undated: state versions, each with from, value, basis"
            raise _error(entry, problem)
        found[name] = RuleParameter(
            name=name,
            name_zh=entry.text("name_zh", max_chars=60),
            unit=entry.choice("unit", catalog.units),
            versions=_parse_versions(name, entry, catalog),
        )
    return found


def _parse_versions(name: str, entry: Section, catalog: Catalog) -> tuple[ParameterVersion, ...]:
    sections = entry.sections("versions")
    if not 1 <= len(sections) <= MAX_VERSIONS:
        problem = f"parameter {name} is undated: expected 1 to {MAX_VERSIONS} versions"
        raise _error(entry, problem, "versions")
    found: list[ParameterVersion] = []
    types: set[type] = set()
    for section in sections:
        section.refuse_unknown(("from", "value", "basis"))
        if not isinstance(section.values.get("from"), date):
            problem = f"parameter {name} is undated: state from, a day such as 2021-05-01"
            raise _error(section, problem, "from")
        begins = section.day("from")
        if found and begins <= found[-1].begins:
            problem = (
                f"parameter {name}: {begins.isoformat()} does not follow "
                f"{found[-1].begins.isoformat()}: order the versions by day"
            )
            raise _error(section, problem, "from")
        value = _parse_value(name, section)
        types |= set() if value is None else {type(value)}
        if len(types) > 1:
            problem = f"parameter {name}: a value of another type than before: keep one type"
            raise _error(section, problem, "value")
        basis = section.choice("basis", catalog.legal_basis)
        found.append(ParameterVersion(begins=begins, value=value, basis=basis))
    if found[0].value is None:
        raise _error(sections[0], f"parameter {name} begins without a value: state one", "value")
    return tuple(found)


def _parse_value(name: str, section: Section) -> Value | None:
    value = section.values.get("value", False)
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and _DECIMAL.fullmatch(value):
        micro = Fraction(value) * MICRO
        return Fraction(micro.numerator, MICRO)
    if isinstance(value, Items):
        codes = tuple(one for one in value.values if isinstance(one, str) and _CODE.fullmatch(one))
        if 1 <= len({*codes}) == len(value.values) <= MAX_CODES:
            return codes
        problem = f"parameter {name}: expected 1 to {MAX_CODES} quoted codes, none twice"
        raise _error(section, problem, "value")
    problem = (
        f"parameter {name}: expected a whole number, a quoted decimal of at most six places such "
        'as "0.50", a list of quoted codes, or null'
    )
    raise _error(section, problem, "value")


def _parse_triggers(document: Section, catalog: Catalog) -> dict[str, tuple[str, ...]]:
    listed = document.find_section("triggers")
    if listed is None:
        return {}
    scenes = catalog.code_lists["trig_scen"]
    found: dict[str, tuple[str, ...]] = {}
    for infno in listed.values:
        if infno not in catalog.transactions:
            problem = f"triggers: found {infno[:20]!r}, expected a transaction of the interface"
            raise _error(listed, problem, infno)
        found[infno] = listed.texts(infno)
        for code in found[infno]:
            if code not in scenes:
                expected = ", ".join(sorted(scenes, key=int))
                problem = f"triggers: found scene {code[:20]!r}, expected one of {expected}"
                raise _error(listed, problem, infno)
    return found


def _words(document: Section, key: str, allowed: tuple[str, ...]) -> tuple[str, ...]:
    words = document.texts(key)
    if not words or not {*words} <= {*allowed} or len({*words}) < len(words):
        expected = ", ".join(allowed)
        problem = f"{key}: found {', '.join(words)[:80]!r}, expected some of {expected}, each once"
        raise _error(document, problem, key)
    return words


def _names(document: Section, key: str, pattern: str = _NAME) -> tuple[str, ...]:
    names = document.texts(key, pattern=pattern) if key in document.values else ()
    if len({*names}) < len(names):
        raise _error(document, f"{key}: a name stands twice: keep one", key)
    return names


def _error(section: Section, problem: str, key: str | None = None) -> RuleError:
    return RuleError(section.file, section.line_of(key), problem)
