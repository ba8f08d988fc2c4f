"""Sets of supervision that travel: what a hub needs of them, and no more.

Rules:
- Nothing here checks SQL: a hub runs none of it, and checking takes longer than all the rest.
- Every file of ``supervision/`` is read strictly; one nobody reads is an error.
"""

from __future__ import annotations

from functools import cache
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from scoring_kernel.catalog_loader import is_supervision_file, load_catalog, read_catalog_files
from scoring_kernel.errors import CatalogError
from scoring_kernel.strict_yaml import load_strict
from scoring_kernel.supervision.sets import parse_set

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scoring_kernel.catalog_object import Catalog
    from scoring_kernel.measure_sets import MeasureSet
    from scoring_kernel.supervision.sets import SupervisionSet
    from scoring_kernel.yaml_section import Section

FOLDER: Final = "supervision"
SETTINGS: Final = f"{FOLDER}/settings.yaml"
_PARTS: Final = ("relations", "measures", "indicators", "topics")


@cache
def stated_sets() -> Mapping[str, MeasureSet]:
    """Sets that nodes state to their hub, as hubs keep them, by id.

    Raises:
        CatalogError: A packaged file breaks a rule.
    """
    catalog, contents = load_catalog(), own_files()
    found = {
        PurePosixPath(file).stem: parse_one(load_strict(content, file), content, catalog)
        for file, content in contents.items()
        if file.startswith(f"{FOLDER}/measures/")
    }
    return MappingProxyType({name: one.stated() for name, one in found.items() if one.travels})


def own_files() -> dict[str, bytes]:
    """Read the files of ``supervision/`` of this process' catalogue.

    Returns:
        Bytes by name relative to the catalogue.
    """
    found = read_catalog_files()
    return {name: content for name, content in found.items() if is_supervision_file(name)}


def documents_of(contents: Mapping[str, bytes]) -> dict[str, Section]:
    """Read the files, each as a mapping.

    Raises:
        CatalogError: A file is none that anybody reads, or breaks the form.
    """
    found: dict[str, Section] = {}
    for name in sorted(contents):
        path = PurePosixPath(name)
        folder = path.parts[1] if len(path.parts) == 3 else ""
        if path.suffix != ".yaml" or (name != SETTINGS and folder not in _PARTS):
            raise CatalogError(name, 0, "nobody reads this file: move or remove it")
        found[name] = load_strict(contents[name], name)
    if SETTINGS not in found:
        raise CatalogError(SETTINGS, 0, "the file is missing: add it")
    return found


def parse_one(document: Section, content: bytes, catalog: Catalog) -> SupervisionSet:
    """Read one measure set.

    Raises:
        CatalogError: It breaks the form, or has the id of a set of ``measures/``.
    """
    one = parse_set(document, content, units=catalog.units, legal_basis=catalog.legal_basis)
    if one.id in catalog.measure_sets:
        raise document.error(f"id: {one.id} is a set of measures/: name it otherwise", "id")
    return one
