"""The catalogue (目录): every rule as data, read once, checked as a whole, named by a digest.

Rules:
- Every file is read strictly; a file nobody reads is an error. ``CHANGES.md`` is for
  people and belongs to no digest.
- ``rules/`` and ``knowledge/`` belong to the digest and are read by ``rules.load_rules``, and
  ``supervision/`` by ``supervision.load_supervision``: most callers need neither, and their SQL
  takes longer to check than all the rest.
- The digest is SHA-256 over the sorted names and bytes of all files, each preceded
  by its length. Scores and statements carry it.
- A process has one catalogue: the packaged one, or that of a model pack (模型包) which was
  installed before anybody read. Two in one process would score with two rule books.
- A reference across files (unit, source, record kind, code list, input column) must
  exist, or nothing is loaded.
"""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from scoring_kernel.catalog_object import Catalog
from scoring_kernel.catalog_references import verify_items, verify_register, with_rules
from scoring_kernel.code_lists import parse_code_list
from scoring_kernel.composite.model import parse_composite
from scoring_kernel.errors import CatalogError, CatalogInstalledError
from scoring_kernel.item_files import parse_item
from scoring_kernel.joining import FILE as JOINING
from scoring_kernel.joining import parse_joining
from scoring_kernel.legal_basis import parse_legal_basis
from scoring_kernel.mapping_names import parse_mapping_names
from scoring_kernel.measure_sets import parse_measure_set
from scoring_kernel.model_files import parse_model
from scoring_kernel.model_references import verify_references
from scoring_kernel.qualification_rules import FILE as QUALIFICATION
from scoring_kernel.qualification_rules import parse_qualification
from scoring_kernel.record_kinds import parse_record_kinds
from scoring_kernel.record_layouts import parse_record_layouts
from scoring_kernel.strict_yaml import MAX_BYTES, load_strict
from scoring_kernel.transactions import parse_transactions
from scoring_kernel.units import parse_units

if TYPE_CHECKING:
    from collections.abc import Mapping
    from importlib.resources.abc import Traversable

    from scoring_kernel.information import InformationItem
    from scoring_kernel.model import RatingModel
    from scoring_kernel.yaml_section import Section

CHANGES: Final = "CHANGES.md"
"""The catalogue's own change list, for supervisors."""
MAX_FILES: Final = 600
MAX_FOLDERS: Final = 3
"""Deepest nesting of folders."""

_SINGLE: Final = (
    *(JOINING, "legal_basis.yaml", "mapping_names.yaml", QUALIFICATION),
    *("record_layouts.yaml", "records.yaml", "units.yaml"),
)
_FOLDERS: Final = (
    *("codes", "composites", "information", "interface", "mappings", "measures", "models"),
)
_RULE_FOLDERS: Final = ("knowledge/", "rules/")
_SUPERVISION_FOLDER: Final = "supervision/"
_installed: dict[str, bytes] = {}
"""Files of the pack in force, ``CHANGES.md`` among them; empty while the packaged ones are."""


@cache
def load_catalog() -> Catalog:
    """Load the catalogue of this process; the second call returns the same object.

    Returns:
        The checked catalogue: that of the installed pack, else the packaged one.

    Raises:
        CatalogError: A file breaks a rule.
    """
    return parse_catalog(read_catalog_files())


def install_catalog(contents: Mapping[str, bytes]) -> None:
    """Have this process work with the catalogue of a verified pack, from now to its end.

    Args:
        contents: Bytes by name relative to the catalogue; ``CHANGES.md`` may be among them.

    Raises:
        CatalogInstalledError: A catalogue is in use or was installed before: too late.
    """
    if is_catalog_used():
        raise CatalogInstalledError(
            "a catalogue is in use in this process already: install a pack's before the first "
            "use, and only one; start the program again to change it"
        )
    _installed.update(contents)


def is_catalog_used() -> bool:
    """Whether this process has a catalogue already: one was installed, or was read."""
    return bool(_installed or load_catalog.cache_info().currsize)


def read_catalog_files() -> dict[str, bytes]:
    """Read the files of this process' catalogue, ``CHANGES.md`` excepted.

    Returns:
        Bytes by name relative to the catalogue, for example ``models/x.yaml``.
    """
    if _installed:
        return {name: _installed[name] for name in sorted(_installed) if name != CHANGES}
    return collect_files(files("scoring_kernel") / "catalog")


def collect_files(folder: Traversable) -> dict[str, bytes]:
    """Read the files of a catalogue's folder, ``CHANGES.md`` excepted.

    A folder that somebody names may hold anything: pipes that never end, links in circles. What
    is read of it is bounded.

    Returns:
        Bytes by name relative to the folder, sorted.

    Raises:
        CatalogError: An entry is neither file nor folder, or there is too much.
    """
    found: dict[str, bytes] = {}
    _collect(folder, "", found)
    return found


def is_rule_file(name: str) -> bool:
    """Whether a file of the catalogue belongs to the rule book.

    >>> is_rule_file("rules/M01.yaml"), is_rule_file("records.yaml")
    (True, False)
    """
    return name.startswith(_RULE_FOLDERS)


def is_supervision_file(name: str) -> bool:
    """Whether a file of the catalogue belongs to measures, indicators and topics of supervision.

    >>> is_supervision_file("supervision/topics/T01.yaml"), is_supervision_file("units.yaml")
    (True, False)
    """
    return name.startswith(_SUPERVISION_FOLDER)


def read_changes() -> str:
    """Read the change list of this process' catalogue; empty text when there is none."""
    if _installed:
        return _installed.get(CHANGES, b"").decode("utf-8", "replace")
    return read_packaged_changes()


def read_packaged_changes() -> str:
    """Read the change list that this program ships with; empty text when there is none."""
    path = files("scoring_kernel") / "catalog" / CHANGES
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def catalog_digest(contents: Mapping[str, bytes]) -> bytes:
    """Digest a catalogue.

    Args:
        contents: Bytes by relative name.

    Returns:
        SHA-256, 32 bytes, independent of the order of the mapping.

    >>> catalog_digest({"a": b"1", "b": b""}) == catalog_digest({"b": b"", "a": b"1"})
    True
    """
    digest = hashlib.sha256()
    for name in sorted(contents):
        for part in (name.encode(), contents[name]):
            digest.update(len(part).to_bytes(8, "big"))
            digest.update(part)
    return digest.digest()


def parse_catalog(contents: Mapping[str, bytes]) -> Catalog:
    """Parse and check a whole catalogue.

    Args:
        contents: Bytes by relative name, without ``CHANGES.md``.

    Returns:
        The catalogue.

    Raises:
        CatalogError: The first mistake found, with its file and line.
    """
    documents = _documents(contents)
    units = parse_units(documents["units.yaml"])
    legal_basis = parse_legal_basis(documents["legal_basis.yaml"])
    records = parse_record_kinds(documents["records.yaml"], legal_basis)
    tables = {}
    for name, document in _folder(documents, "codes").items():
        tables[name] = parse_code_list(document)
        _agree(document, "id", tables[name].id, name)
    interface = _folder(documents, "interface")
    listing = interface.pop("transactions", None)
    if listing is None:
        raise CatalogError("interface/transactions.yaml", 0, "the file is missing: add it")
    envelope, transactions = parse_transactions(listing, interface, tables)
    layouts = parse_record_layouts(
        documents["record_layouts.yaml"],
        records=records,
        transactions=transactions,
        envelope=envelope,
    )
    sets = {}
    for name, document in _folder(documents, "measures").items():
        sets[name] = parse_measure_set(document, units=units, relations=records)
        _agree(document, "id", sets[name].id, name)
    rules = parse_qualification(documents[QUALIFICATION], units=units, legal_basis=legal_basis)
    items: dict[str, InformationItem] = {}
    item_documents: dict[str, Section] = {}
    for name, document in _folder(documents, "information").items():
        item = with_rules(parse_item(document, units), rules)
        _agree(document, "number", f"item_{item.number}", name)
        items[item.number], item_documents[item.number] = item, document
    verify_items(item_documents, items)
    columns = {column for one in sets.values() for column in one.input_columns}
    columns |= {column for one in items.values() for column in one.input_columns}
    models: dict[str, RatingModel] = {}
    for document in _folder(documents, "models").values():
        file = document.file
        digest = hashlib.sha256(contents[file]).digest()
        model = parse_model(document, file, units=units, legal_basis=legal_basis, digest=digest)
        verify_references(document, model, models.values(), columns, items)
        verify_register(document, model, items)
        models[model.id] = model
    composites = {}
    for name, document in _folder(documents, "composites").items():
        file = document.file
        digest = hashlib.sha256(contents[file]).digest()
        composites[name] = parse_composite(document, file, legal_basis=legal_basis, digest=digest)
    return Catalog(
        digest=catalog_digest(contents),
        models=MappingProxyType(models),
        composites=MappingProxyType(composites),
        measure_sets=MappingProxyType(sets),
        items=MappingProxyType(items),
        qualification=rules,
        joining=parse_joining(documents[JOINING], units=units, legal_basis=legal_basis),
        records=MappingProxyType(records),
        record_layouts=MappingProxyType(layouts),
        envelope=envelope,
        transactions=MappingProxyType(transactions),
        code_tables=MappingProxyType(tables),
        code_lists=MappingProxyType({name: one.codes for name, one in tables.items()}),
        extensible_lists=frozenset(name for name, one in tables.items() if one.extensible),
        legal_basis=MappingProxyType(dict(legal_basis)),
        units=MappingProxyType(dict(units)),
        mapping_names=MappingProxyType(
            parse_mapping_names(
                documents["mapping_names.yaml"], records, (envelope, *transactions.values())
            )
        ),
        mappings=MappingProxyType(
            {name: contents[one.file] for name, one in _folder(documents, "mappings").items()}
        ),
    )


def _collect(folder: Traversable, prefix: str, found: dict[str, bytes]) -> None:
    if prefix.count("/") > MAX_FOLDERS:
        problem = f"more than {MAX_FOLDERS} folders within each other: remove the folder or link"
        raise CatalogError(prefix, 0, problem)
    for entry in sorted(folder.iterdir(), key=lambda one: one.name):
        name = prefix + entry.name
        if entry.is_dir():
            _collect(entry, f"{name}/", found)
        elif name != CHANGES:
            found[name] = _content(entry, name)
            _refuse_many(found)


def _content(entry: Traversable, name: str) -> bytes:
    if not entry.is_file():
        raise CatalogError(name, 0, "found neither a file nor a folder: remove it")
    with entry.open("rb") as file:
        content: bytes = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        problem = f"found more than {MAX_BYTES} bytes: split the file, or remove it"
        raise CatalogError(name, 0, problem)
    return content


def _refuse_many(contents: Mapping[str, bytes]) -> None:
    if len(contents) > MAX_FILES:
        problem = f"found {len(contents)} files, expected at most {MAX_FILES}: remove some"
        raise CatalogError("catalog", 0, problem)


def _documents(contents: Mapping[str, bytes]) -> dict[str, Section]:
    _refuse_many(contents)
    for name in _SINGLE:
        if name not in contents:
            raise CatalogError(name, 0, "the file is missing: add it")
    documents: dict[str, Section] = {}
    for name in sorted(contents):
        if is_rule_file(name) or is_supervision_file(name):
            continue
        path = PurePosixPath(name)
        known = name in _SINGLE or (len(path.parts) == 2 and path.parts[0] in _FOLDERS)
        if not known or path.suffix != ".yaml":
            raise CatalogError(name, 0, "nobody reads this file: move or remove it")
        documents[name] = load_strict(contents[name], name)
    return documents


def _folder(documents: Mapping[str, Section], folder: str) -> dict[str, Section]:
    return {
        PurePosixPath(name).stem: document
        for name, document in documents.items()
        if name.startswith(f"{folder}/")
    }


def _agree(document: Section, key: str, found: str, name: str) -> None:
    if found != name:
        raise document.error(f"{key} {found!r} in file {name}.yaml: make them agree", key)
