"""Loading the rule book from the catalogue's ``rules/`` and ``knowledge/``.

Rules:
- Every file is read strictly; one nobody reads is an error, and so is a broken rule: the book
  loads as a whole or not at all.
- A rule's SQL is untrusted: it is parsed and checked here, and only then handed to an engine.
- One book is not checked again at every start: the packaged one, where the newest entry of the
  change list names its catalogue. ``make check`` has checked it, and whoever can write its files
  can write this program too. See decision 0021.
"""

from __future__ import annotations

from functools import cache
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import TYPE_CHECKING

from scoring_kernel.catalog_loader import (
    catalog_digest,
    collect_files,
    is_rule_file,
    load_catalog,
    read_catalog_files,
    read_changes,
)
from scoring_kernel.change_list import names_catalog
from scoring_kernel.errors import RuleError
from scoring_kernel.rules.book import RuleBook
from scoring_kernel.rules.knowledge import FILE as TABLES
from scoring_kernel.rules.knowledge import parse_knowledge
from scoring_kernel.rules.relations import (
    columns_by_relation,
    order,
    parse_relation,
    refuse_unknown_reads,
)
from scoring_kernel.rules.rule_files import parse_rule
from scoring_kernel.strict_yaml import load_strict

if TYPE_CHECKING:
    from collections.abc import Mapping
    from importlib.resources.abc import Traversable

    from scoring_kernel.catalog_object import Catalog
    from scoring_kernel.rules.rule import Rule
    from scoring_kernel.yaml_section import Section


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
    found = read_catalog_files() if directory is None else collect_files(directory)
    return parse_rules(_of_rules(found), load_catalog() if catalog is None else catalog)


def verify_rules() -> RuleBook:
    """Load the packaged rule book and check its SQL, even where the change list names it.

    Raises:
        CatalogError: A file breaks a rule of its form, with file and line.
        RuleError: A rule, relation or table does, or its SQL.
    """
    return parse_rules(_of_rules(read_catalog_files()), load_catalog())


@cache
def _packaged() -> RuleBook:
    found = read_catalog_files()
    is_checked = names_catalog(read_changes(), catalog_digest(found))
    return parse_rules(_of_rules(found), load_catalog(), is_checked=is_checked)


def parse_rules(
    contents: Mapping[str, bytes], catalog: Catalog, *, is_checked: bool = False
) -> RuleBook:
    """Parse and check a whole rule book.

    Args:
        contents: Bytes by name relative to the catalogue, ``rules/`` and ``knowledge/`` only.
        catalog: Units, sources, record kinds, transactions and code lists.
        is_checked: Whether the SQL of these very bytes was checked against this very catalogue.

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
    columns = columns_by_relation(relations, origins, catalog.records)
    for name, relation in relations.items():
        known = columns.keys() - {name}
        refuse_unknown_reads(relation.reads, known, documents[origins[name]], "relations")
    order(relations, relations, origins)
    rules: dict[str, Rule] = {}
    for file, document in documents.items():
        if file.startswith("rules/relations/"):
            continue
        rule = parse_rule(document, catalog)
        _agree(document, "id", rule.id, file)
        refuse_unknown_reads(rule.relations, columns, document, "relations")
        refuse_unknown_reads(rule.knowledge, knowledge, document, "knowledge")
        rules[rule.id] = rule
    _verify_forms(documents, rules)
    if not is_checked:
        # The parser of SQL is large, and most starts need none.
        from scoring_kernel.rules.sql_checks import verify_relations, verify_rule  # noqa: PLC0415

        carried = verify_relations(relations, origins, columns, catalog.records)
        for rule in rules.values():
            verify_rule(rule, columns, knowledge, carried)
    return RuleBook(
        digest=catalog_digest(contents),
        rules=MappingProxyType(rules),
        relations=MappingProxyType(relations),
        knowledge=MappingProxyType(knowledge),
    )


def _of_rules(found: Mapping[str, bytes]) -> dict[str, bytes]:
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
