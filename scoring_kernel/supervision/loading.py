"""Loading the measures, indicators and topics of supervision (``catalog/supervision/``).

Rules:
- Every file is read strictly; one nobody reads is an error: all of it loads, or nothing.
- Every SQL is of the subset of rules: it reads declared relations only, names known columns,
  joins within bounds, can be said in Spark's SQL and returns the declared columns.
- A set has no name of a set of ``measures/``: both are stated under one roof.
- SQL of the packaged files that the change list names was checked before, as that of rules.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from scoring_kernel.catalog_loader import (
    catalog_digest,
    is_rule_file,
    is_supervision_file,
    load_catalog,
    read_catalog_files,
    read_changes,
)
from scoring_kernel.change_list import names_catalog
from scoring_kernel.parameters import parse_parameters
from scoring_kernel.rules import parse_rules
from scoring_kernel.rules.relations import Relation, order, parse_relation
from scoring_kernel.supervision.hit_relations import HIT_RELATIONS
from scoring_kernel.supervision.indicators import SubjectIndicators, parse_indicators
from scoring_kernel.supervision.stated import (
    FOLDER,
    SETTINGS,
    documents_of,
    parse_one,
)
from scoring_kernel.supervision.topics import (
    GRADE,
    GRADE_COLUMNS,
    INDICATOR,
    INDICATOR_COLUMNS,
    Topic,
    parse_topic,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import date

    from scoring_kernel.catalog_object import Catalog
    from scoring_kernel.measure_sets import MeasureSet
    from scoring_kernel.parameters import Parameter
    from scoring_kernel.supervision.sets import SupervisionSet
    from scoring_kernel.yaml_section import Section

_SETTING_NAMES: Final = ("least_peers",)
_CHECKED_MONTH: Final = 202604
"""Month whose literals stand in for all when SQL is checked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Supervision:
    """Measures, indicators and topics of supervision."""

    digest: bytes
    """SHA-256 over the files, 32 bytes."""
    relations: Mapping[str, Relation] = field(repr=False)
    """Derived relations by name: those of the rule book and those of supervision."""
    sets: Mapping[str, SupervisionSet] = field(repr=False)
    """Measure sets by id."""
    indicators: Mapping[str, SubjectIndicators] = field(repr=False)
    """Base indicators by kind of subject."""
    topics: Mapping[str, Topic] = field(repr=False)
    """Topics by id."""
    settings: Mapping[str, Parameter] = field(repr=False)
    """Dated parameters that hold for all indicators."""

    @property
    def stated(self) -> dict[str, MeasureSet]:
        """Sets that nodes state to their hub, as hubs keep them."""
        return {name: one.stated() for name, one in self.sets.items() if one.travels}

    @property
    def indicator_ids(self) -> tuple[str, ...]:
        """Ids of all indicators, in order."""
        listed = (base for one in self.indicators.values() for base in one.bases)
        return tuple(sorted(name for base in listed for name in base.ids.values()))

    def least_peers(self, day: date) -> int:
        """Least number of peers that are compared, on a day.

        Raises:
            ParameterNotInForceError: There is no value on that day.
        """
        return -(-self.settings["least_peers"].at(day) // 1_000_000)

    def prepare(self, names: Iterable[str]) -> tuple[str, ...]:
        """Statements that make the derived relations that some sets read, in order.

        Args:
            names: Ids of sets.
        """
        return tuple(self.relations[one].statement for one in self.derived(names))

    def derived(self, names: Iterable[str]) -> tuple[str, ...]:
        """Derived relations that some sets read, each after what it reads.

        Args:
            names: Ids of sets.
        """
        wanted = (relation for name in names for relation in self.sets[name].relations)
        return order(self.relations, wanted, {})

    def kinds(self, names: Iterable[str]) -> frozenset[str]:
        """Record kinds that some sets read, themselves or through relations.

        Args:
            names: Ids of sets.
        """
        listed = tuple(names)
        read = {relation for name in listed for relation in self.sets[name].relations}
        read |= {one for name in self.derived(listed) for one in self.relations[name].reads}
        return frozenset(read - self.relations.keys() - HIT_RELATIONS.keys())

    def reads_hits(self, name: str) -> bool:
        """Whether a set counts hits of rules."""
        return not HIT_RELATIONS.keys().isdisjoint(self.sets[name].relations)


def load_supervision(catalog: Catalog | None = None) -> Supervision:
    """Load what the packaged catalogue says; the second call returns the same object.

    Args:
        catalog: The packaged catalogue, where the caller has it.

    Raises:
        CatalogError: A file breaks a rule of its form.
        RuleError: SQL is outside of the subset.
    """
    if catalog is None or catalog is load_catalog():
        return _packaged()
    return parse_files(read_catalog_files(), catalog, is_checked=False)


def verify_supervision() -> Supervision:
    """Load the packaged files and check their SQL, even where the change list names them.

    Raises:
        CatalogError: A file breaks a rule of its form.
        RuleError: SQL is outside of the subset.
    """
    return parse_files(read_catalog_files(), load_catalog(), is_checked=False)


@cache
def _packaged() -> Supervision:
    found = read_catalog_files()
    is_checked = names_catalog(read_changes(), catalog_digest(found))
    return parse_files(found, load_catalog(), is_checked=is_checked)


def parse_supervision(
    contents: Mapping[str, bytes],
    catalog: Catalog,
    made: Mapping[str, Relation],
    *,
    is_checked: bool = False,
) -> Supervision:
    """Parse and check all of it.

    Args:
        contents: Bytes by name relative to the catalogue, ``supervision/`` only.
        catalog: Units, sources and record kinds.
        made: Derived relations of the rule book.
        is_checked: Whether the SQL of these very bytes was checked against this very catalogue.

    Raises:
        CatalogError: The first mistake found, with its file and line.
    """
    documents = documents_of(contents)
    columns = _known_columns(catalog, made)
    relations = dict(made)
    for file, document in _part(documents, "relations"):
        relation = parse_relation(document)
        _agree(document, "name", relation.name, file)
        _refuse_unknown(relation.reads, columns, document)
        if not is_checked:
            _verify(relation.sql, relation.reads, columns, tuple(relation.columns), document)
        columns[relation.name] = dict(relation.columns)
        relations[relation.name] = relation
    sets: dict[str, SupervisionSet] = {}
    for file, document in _part(documents, "measures"):
        one = parse_one(document, contents[file], catalog)
        _agree(document, "id", one.id, file)
        _refuse_unknown(one.relations, columns, document)
        if not is_checked:
            _verify(one.sql_of(_CHECKED_MONTH), one.relations, columns, one.columns, document)
        sets[one.id] = one
    indicators = {}
    for file, document in _part(documents, "indicators"):
        of = parse_indicators(document, units=catalog.units, sets=sets)
        _agree(document, "subject", of.subject, file)
        indicators[of.subject] = of
    _refuse_doubles(indicators, documents)
    topics: dict[str, Topic] = {}
    for file, document in _part(documents, "topics"):
        topic = parse_topic(
            document,
            contents[file],
            units=catalog.units,
            legal_basis=catalog.legal_basis,
            sets=sets,
            subjects=indicators,
        )
        _agree(document, "id", topic.id, file)
        if not is_checked:
            _verify_topic(topic, sets, document)
        topics[topic.id] = topic
    settings = documents[SETTINGS]
    settings.refuse_unknown(("parameters",))
    parameters = parse_parameters(
        settings.section("parameters"),
        owner="settings",
        levels=(),
        units=catalog.units,
        legal_basis=catalog.legal_basis,
    )
    if tuple(parameters) != _SETTING_NAMES:
        raise settings.error(f"parameters: expected {', '.join(_SETTING_NAMES)}", "parameters")
    return Supervision(
        digest=catalog_digest(contents),
        relations=MappingProxyType(relations),
        sets=MappingProxyType(sets),
        indicators=MappingProxyType(indicators),
        topics=MappingProxyType(topics),
        settings=MappingProxyType(parameters),
    )


def parse_files(found: Mapping[str, bytes], catalog: Catalog, *, is_checked: bool) -> Supervision:
    """Parse what the files of a whole catalogue say of supervision."""
    own = {name: one for name, one in found.items() if is_supervision_file(name)}
    # Derived relations of the rule book, without its rules: they take long to check.
    apart = {
        name: one
        for name, one in found.items()
        if is_rule_file(name) and (name.count("/") > 1 or "knowledge/" in name)
    }
    made = parse_rules(apart, catalog, is_checked=is_checked).relations
    return parse_supervision(own, catalog, made, is_checked=is_checked)


def _part(documents: Mapping[str, Section], part: str) -> list[tuple[str, Section]]:
    start = f"{FOLDER}/{part}/"
    return [(file, document) for file, document in documents.items() if file.startswith(start)]


def _known_columns(catalog: Catalog, made: Mapping[str, Relation]) -> dict[str, dict[str, str]]:
    """Type words by column of every relation that a set may read."""
    kinds = (kind for kind in catalog.records.values() if kind.stored == "segment")
    found = {kind.id: dict(kind.schema) for kind in kinds}
    found |= {name: dict(one.columns) for name, one in made.items()}
    return found | {name: dict(columns) for name, columns in HIT_RELATIONS.items()}


def _refuse_unknown(
    reads: Iterable[str], columns: Mapping[str, Mapping[str, str]], document: Section
) -> None:
    for name in reads:
        if name not in columns:
            raise document.error(f"relations: found {name!r}, which nobody makes", "relations")


def _verify(
    sql: str,
    reads: Iterable[str],
    columns: Mapping[str, Mapping[str, str]],
    expected: tuple[str, ...],
    document: Section,
) -> None:
    # The parser of SQL is large, and most starts need none.
    from scoring_kernel.rules.sql_subset import verified_sql  # noqa: PLC0415

    line = document.line_of("sql") + 1
    read = {name: columns[name] for name in reads}
    tree = verified_sql(sql, relations=read, file=document.file, line=line)
    if tuple(tree.named_selects) != expected:
        problem = f"sql: returns {', '.join(tree.named_selects)}, expected {', '.join(expected)}"
        raise document.error(problem, "sql")


def _verify_topic(topic: Topic, sets: Mapping[str, SupervisionSet], document: Section) -> None:
    columns: dict[str, Mapping[str, str]] = {
        name: {
            "month": "int32",
            **dict.fromkeys(sets[name].keys, "string"),
            **{measure.id: "int64" for measure in sets[name].measures},
        }
        for name in topic.sets
    }
    if topic.indicators:
        columns[INDICATOR] = INDICATOR_COLUMNS
    if topic.grades:
        columns[GRADE] = GRADE_COLUMNS
    _verify(topic.sql_of(_CHECKED_MONTH), columns, columns, topic.queried, document)


def _agree(document: Section, key: str, found: str, file: str) -> None:
    if found != PurePosixPath(file).stem:
        raise document.error(f"{key} {found!r} in file {file}: make them agree", key)


def _refuse_doubles(
    indicators: Mapping[str, SubjectIndicators], documents: Mapping[str, Section]
) -> None:
    held: set[str] = set()
    for subject, of in indicators.items():
        document = documents[f"{FOLDER}/indicators/{subject}.yaml"]
        for base in of.bases:
            for name in base.ids.values():
                if name in held:
                    raise document.error(f"{base.id}: {name} is taken: number them apart", base.id)
                held.add(name)
