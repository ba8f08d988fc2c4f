"""Codes that a province adds to the national lists (字典扩展): imported once, in force at once.

Rules:
- A national code stays as it is; importing it again is counted and changes nothing.
- A file with one bad row is refused whole: half a list would refuse good messages.
- Who imported which file is noted.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from node.domain.masking import printable
from node.errors import ConfigurationError, IntakeFileError
from node.store import ImportedCode, LogEntry, NodeStore
from scoring_kernel import Catalog
from scoring_kernel.code_extensions import MAX_BYTES, CodeListExtension, parse_code_extensions
from scoring_kernel.errors import CatalogError

__all__ = ["CodesImported", "CurrentCatalog", "extended", "import_codes"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CodesImported:
    """What an import came to."""

    source: str
    """Name of the file."""
    added: Mapping[str, int]
    """Codes kept, by list; those imported before take the new label."""
    national: int
    """Codes of the file that the national lists have already."""
    closed_lists: tuple[str, ...]
    """Lists among them that refuse unknown codes: these codes are accepted now."""


def import_codes(
    store: NodeStore, catalog: Catalog, path: Path, *, operator: str, now: datetime
) -> CodesImported:
    """Take the codes of a file; the next batch of messages is checked with them.

    Args:
        store: Keeps the codes.
        catalog: The national lists, not extended.
        path: The answer of transaction 1901 as JSON, or a CSV with its columns.
        operator: Who imports.
        now: The time, UTC-aware.

    Raises:
        ConfigurationError: Nobody knows who imports.
        IntakeFileError: The file cannot be read, or is not of the form.
        StoreError: The store failed; nothing was kept.
    """
    if not operator:
        raise ConfigurationError("no login name found: name yourself with --operator")
    source = printable(path.name)
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        extensions = parse_code_extensions(content, source)
    except OSError as error:
        raise IntakeFileError(
            f"{source} cannot be read ({error.strerror}); check the file"
        ) from error
    except CatalogError as error:
        raise IntakeFileError(f"{error}; nothing was imported") from error
    at = now.isoformat(timespec="seconds")
    codes = [
        ImportedCode(list=one.list, code=code, label=label, source=source, imported_at=at)
        for one in extensions
        for code, label in one.labels.items()
        if code not in catalog.code_lists.get(one.list, ())
    ]
    added = Counter(code.list for code in codes)
    store.desk.note(
        LogEntry(
            at=at,
            operator=operator,
            action="codes_import",
            subject=source,
            detail=", ".join(f"{name} {count}" for name, count in sorted(added.items())),
        )
    )
    store.desk.put_codes(codes)
    known = catalog.code_lists.keys() - catalog.extensible_lists
    return CodesImported(
        source=source,
        added=dict(sorted(added.items())),
        national=sum(len(one.labels) for one in extensions) - len(codes),
        closed_lists=tuple(sorted(added.keys() & known)),
    )


def extended(store: NodeStore, catalog: Catalog) -> Catalog:
    """Give the catalogue with every imported code; the same object where there are none."""
    labels: dict[str, dict[str, str]] = {}
    for one in store.desk.codes():
        labels.setdefault(one.list, {})[one.code] = one.label
    if not labels:
        return catalog
    return catalog.with_codes(
        CodeListExtension(list=name, labels=codes, source="codes import")
        for name, codes in labels.items()
    )


class CurrentCatalog:
    """The catalogue with the codes of this moment, read again only after an import."""

    def __init__(self, store: NodeStore, catalog: Catalog) -> None:
        self._store = store
        self._national = catalog
        self._mark = ""
        self._current = catalog

    def get(self) -> Catalog:
        """Give the catalogue; the same object until codes are imported."""
        mark = self._store.desk.codes_mark()
        if mark != self._mark:
            self._current = extended(self._store, self._national)
            self._mark = mark
        return self._current
