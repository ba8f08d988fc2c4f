"""Loading the rule book from the catalogue's ``rules/`` and ``knowledge/``.

Rules:
- Every file is read strictly; one nobody reads is an error, and so is a broken rule: the book
  loads as a whole or not at all.
- A rule's SQL is untrusted: it is parsed and checked here, and only then handed to an engine.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from sqlglot import exp

from scoring_kernel.catalog_loader import (
    catalog_digest,
    collect_files,
    is_rule_file,
    load_catalog,
)
from scoring_kernel.errors import RuleError
from scoring_kernel.rules.book import RuleBook
from scoring_kernel.rules.knowledge import FILE as TABLES
from scoring_kernel.rules.knowledge import parse_knowledge
from scoring_kernel.rules.relations import (
    parse_relation,
    refuse_unknown_reads,
    verify_relations,
)
from scoring_kernel.rules.rendering import spans, statement
from scoring_kernel.rules.rule import RESULT_COLUMNS
from scoring_kernel.rules.rule_files import parse_rule
from scoring_kernel.rules.sql_subset import verified_sql
from scoring_kernel.strict_yaml import load_strict

if TYPE_CHECKING:
    from collections.abc import Mapping
    from importlib.resources.abc import Traversable

    from scoring_kernel.catalog_object import Catalog
    from scoring_kernel.rules.knowledge import KnowledgeTable
    from scoring_kernel.rules.rule import Rule
    from scoring_kernel.yaml_section import Section

_TEXT: Final = (exp.DType.VARCHAR, exp.DType.TEXT, exp.DType.NULL)
_MOMENT: Final = (exp.DType.TIMESTAMP, exp.DType.TIMESTAMPNTZ)
_WHOLE: Final = (
    *(exp.DType.TINYINT, exp.DType.INT, exp.DType.BIGINT),
    exp.DType.INT128,
)
_TYPES: Final = {"at": _MOMENT, "role": _WHOLE, "amount_fen": _WHOLE}


def load_rules(catalog: Catalog | None = None, directory: Traversable | None = None) -> RuleBook:
    """Load the rule book.

    Args:
        catalog: The catalogue that units, sources and record kinds are from; the packaged one
            when None.
        directory: Folder with ``rules/`` and ``knowledge/``; the packaged catalogue when None.

    Returns:
        The book. The packaged one is read once; the second call returns the same object.

    Raises:
        CatalogError: A file breaks a rule of its form, with file and line.
        RuleError: A rule, relation or table does, or its SQL.
    """
    if directory is None and (catalog is None or catalog is load_catalog()):
        return _packaged()
    folder = files("scoring_kernel") / "catalog" if directory is None else directory
    return parse_rules(_rule_files(folder), load_catalog() if catalog is None else catalog)


@cache
def _packaged() -> RuleBook:
    return parse_rules(_rule_files(files("scoring_kernel") / "catalog"), load_catalog())


def parse_rules(contents: Mapping[str, bytes], catalog: Catalog) -> RuleBook:
    """Parse and check a whole rule book.

    Args:
        contents: Bytes by name relative to the catalogue, ``rules/`` and ``knowledge/`` only.
        catalog: Units, sources, record kinds, transactions and code lists.

    Returns:
        The book.

    Raises:
        CatalogError: The first mistake found, with its file and line.
    """
    documents = _documents(contents)
    tables = documents.pop(TABLES, None)
    if tables is None:
        raise RuleError(TABLES, 0, "the file is missing: add it")
    proposals = {
        PurePosixPath(name).stem: content
        for name, content in contents.items()
        if name.endswith(".csv")
    }
    knowledge = parse_knowledge(tables, proposals)
    relations = {}
    origins = {}
    for file, document in documents.items():
        if file.startswith("rules/relations/"):
            relation = parse_relation(document)
            _agree(document, "name", relation.name, file)
            relations[relation.name], origins[relation.name] = relation, file
    kinds = {kind.id for kind in catalog.records.values() if kind.stored == "segment"}
    for name, relation in relations.items():
        known = (kinds | relations.keys()) - {name}
        refuse_unknown_reads(relation.reads, known, documents[origins[name]], "relations")
    columns = verify_relations(relations, origins, catalog.records)
    rules: dict[str, Rule] = {}
    for file, document in documents.items():
        if file.startswith("rules/relations/"):
            continue
        rule = parse_rule(document, catalog)
        _agree(document, "id", rule.id, file)
        _verify_rule(document, rule, columns, knowledge)
        rules[rule.id] = rule
    _verify_forms(documents, rules)
    return RuleBook(
        digest=catalog_digest(contents),
        rules=MappingProxyType(rules),
        relations=MappingProxyType(relations),
        knowledge=MappingProxyType(knowledge),
    )


def _rule_files(folder: Traversable) -> dict[str, bytes]:
    found = collect_files(folder)
    return {name: content for name, content in found.items() if is_rule_file(name)}


def _documents(contents: Mapping[str, bytes]) -> dict[str, Section]:
    documents: dict[str, Section] = {}
    for name in sorted(contents):
        path = PurePosixPath(name)
        folder = str(path.parent)
        if path.suffix == ".csv" and folder == "knowledge":
            continue
        known = name == TABLES or folder in ("rules", "rules/relations")
        if not known or path.suffix != ".yaml":
            raise RuleError(name, 0, "nobody reads this file: move or remove it")
        documents[name] = load_strict(contents[name], name)
    return documents


def _verify_rule(
    document: Section,
    rule: Rule,
    columns: Mapping[str, Mapping[str, str]],
    knowledge: Mapping[str, KnowledgeTable],
) -> None:
    file = document.file
    refuse_unknown_reads(rule.relations, columns, document, "relations")
    refuse_unknown_reads(rule.knowledge, knowledge, document, "knowledge")
    if rule.sql is None:
        return
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


def _verify_forms(documents: Mapping[str, Section], rules: Mapping[str, Rule]) -> None:
    for rule in rules.values():
        for name in rule.forms_of:
            if name not in rules:
                document = documents[f"rules/{rule.id}.yaml"]
                problem = f"forms_of: found {name}, expected a rule of the book"
                raise RuleError(document.file, document.line_of("forms_of"), problem)


def _agree(document: Section, key: str, found: str, file: str) -> None:
    if found != PurePosixPath(file).stem:
        problem = f"{key} {found!r} in file {PurePosixPath(file).name}: make them agree"
        raise RuleError(file, document.line_of(key), problem)
