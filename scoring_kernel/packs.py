"""Model packs (模型包): one catalogue, its compiled models and golden vectors, named and bounded.

Rules:
- A pack says of itself what it is (``pack.json``) and names every file with size and SHA-256:
  a file more, a file less or a changed byte, and nothing of it is used.
- ``pack.json`` has one spelling: sorted names, no spaces. Another one is refused.
- The catalogue is parsed as strictly as the packaged one; its digest and the digest of its
  feature schema (特征模式) must be those the pack states.
- A pack that needs a later kernel, or names a day after its last, is refused with the reason.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from datetime import date
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from scoring_kernel.catalog_loader import (
    CHANGES,
    catalog_digest,
    install_catalog,
    is_catalog_used,
    load_catalog,
    parse_catalog,
)
from scoring_kernel.errors import PackFileError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from scoring_kernel.catalog_object import Catalog

KERNEL_VERSION: Final = 1
"""Grows when formulas, shapes or files gain what earlier kernels cannot read."""
FORMAT: Final = 1
CARD: Final = "pack.json"
CATALOG: Final = "catalog/"
MODELS: Final = "models/"
GOLDEN: Final = "golden/"
MAX_CARD_BYTES: Final = 256 * 1024
MAX_FILES: Final = 1_000
MAX_GRACE_DAYS: Final = 400

_TEXTS: Final = ("version", "catalog", "feature_schema", "effective_from", "effective_to")
_KEYS: Final = frozenset((*_TEXTS, "format", "grace_days", "least_kernel", "files"))
_VERSION: Final = re.compile(r"[0-9]{4}\.[0-9]{1,2}(?:\.[0-9]{1,4})?")
_HEX: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pack:
    """A pack that was opened and checked.

    Attributes:
        version: Version for people, for example ``2026.12.1``.
        effective_from: First day for which it may be used.
        effective_to: Last day; None for further notice.
        grace_days: Days a node may go on with it after the packs' metadata expired.
        catalog: Its catalogue.
        feature_schema: Digest of what it measures and reads, 32 bytes.
        contents: Files of the catalogue by name relative to it, ``CHANGES.md`` among them.
        models: Compiled models by id of the model.
        golden: Golden vectors (黄金向量) by name of their file.
    """

    version: str
    effective_from: date
    effective_to: date | None
    grace_days: int
    catalog: Catalog = field(repr=False)
    feature_schema: bytes
    contents: Mapping[str, bytes] = field(repr=False)
    models: Mapping[str, bytes] = field(repr=False)
    golden: Mapping[str, bytes] = field(repr=False)

    def holds_on(self, day: date) -> bool:
        """Whether the pack may be used on a day."""
        return self.effective_from <= day and (
            self.effective_to is None or day <= self.effective_to
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PackCard:
    """What a new pack says of itself, beside the digests of its files."""

    version: str
    effective_from: date
    effective_to: date | None
    grace_days: int


def open_pack(contents: Mapping[str, bytes]) -> Pack:
    """Open a pack: every file is the one it names, and the catalogue is sound.

    Args:
        contents: Bytes of all files by name, for example ``catalog/units.yaml``.

    Raises:
        PackFileError: The pack is damaged, incomplete, of another format, or for a later kernel.
        CatalogError: A file of its catalogue breaks a rule.
    """
    card = _card(contents)
    _verify_files(contents, card["files"])
    parts = {
        prefix: {
            name.removeprefix(prefix): content
            for name, content in contents.items()
            if name.startswith(prefix)
        }
        for prefix in (CATALOG, MODELS, GOLDEN)
    }
    if sum(map(len, parts.values())) + 1 != len(contents):
        raise PackFileError("pack: holds a file that is of no part: make it with yixin model pack")
    files = {name: content for name, content in parts[CATALOG].items() if name != CHANGES}
    if catalog_digest(files).hex() != card["catalog"]:
        raise PackFileError("pack: its catalogue has another digest than pack.json states")
    catalog = parse_catalog(files)
    schema = feature_schema(catalog)
    if schema.hex() != card["feature_schema"]:
        raise PackFileError("pack: its feature schema has another digest than pack.json states")
    return Pack(
        version=card["version"],
        effective_from=date.fromisoformat(card["effective_from"]),
        effective_to=date.fromisoformat(card["effective_to"]) if card["effective_to"] else None,
        grace_days=card["grace_days"],
        catalog=catalog,
        feature_schema=schema,
        contents=MappingProxyType(parts[CATALOG]),
        models=MappingProxyType(
            {name.removesuffix(".onnx"): content for name, content in parts[MODELS].items()}
        ),
        golden=MappingProxyType(parts[GOLDEN]),
    )


def install_pack(catalog: str, read: Callable[[], Mapping[str, bytes]]) -> bool:
    """Have this process work with the catalogue of a pack that was checked.

    Args:
        catalog: Digest of its catalogue, hexadecimal.
        read: Gives the bytes of all files by name; called where nothing is in use yet.

    Returns:
        Whether it does; not where it works with another catalogue already, or the pack has another.
    """
    if is_catalog_used():
        return load_catalog().digest.hex() == catalog
    files = {
        name.removeprefix(CATALOG): part
        for name, part in read().items()
        if name.startswith(CATALOG)
    }
    if catalog_digest({name: files[name] for name in files if name != CHANGES}).hex() != catalog:
        return False
    install_catalog(files)
    return True


def write_card(card: PackCard, files: Mapping[str, bytes]) -> bytes:
    """Write ``pack.json`` for the files of a pack.

    Args:
        card: What the pack says of itself.
        files: All other files of the pack by name.

    Raises:
        CatalogError: The catalogue among them is not sound.
    """
    named = {
        name.removeprefix(CATALOG): content
        for name, content in files.items()
        if name.startswith(CATALOG) and name != CATALOG + CHANGES
    }
    document = {
        "format": FORMAT,
        "version": card.version,
        "catalog": catalog_digest(named).hex(),
        "feature_schema": feature_schema(parse_catalog(named)).hex(),
        "effective_from": card.effective_from.isoformat(),
        "effective_to": "" if card.effective_to is None else card.effective_to.isoformat(),
        "grace_days": card.grace_days,
        "least_kernel": KERNEL_VERSION,
        "files": {
            name: [len(content), hashlib.sha256(content).hexdigest()]
            for name, content in files.items()
        },
    }
    return _spelled(document)


def feature_schema(catalog: Catalog) -> bytes:
    """Digest of what a catalogue measures and what its models read.

    Two catalogues with the same digest understand each other's statements.

    Returns:
        SHA-256, 32 bytes.
    """
    document = {
        "sets": {
            name: [one.subject, list(one.columns), one.merges]
            for name, one in catalog.measure_sets.items()
        },
        "models": {name: list(one.input_columns) for name, one in catalog.models.items()},
    }
    return hashlib.sha256(_spelled(document)).digest()


def _spelled(document: object) -> bytes:
    return json.dumps(
        document, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
    ).encode()


def _card(contents: Mapping[str, bytes]) -> dict[str, Any]:
    raw = contents.get(CARD, b"")
    if not 0 < len(raw) <= MAX_CARD_BYTES or len(contents) > MAX_FILES:
        raise PackFileError(
            f"pack: found {len(contents)} files and {len(raw)} bytes of {CARD}, expected at most "
            f"{MAX_FILES} and 1 to {MAX_CARD_BYTES}: make it with yixin model pack"
        )
    try:
        found = json.loads(raw)
        is_spelled = _spelled(found) == raw
    except (ValueError, RecursionError) as error:
        raise PackFileError(f"pack: {CARD} cannot be read: fetch the pack again") from error
    if not isinstance(found, dict) or found.keys() != _KEYS or not is_spelled:
        raise PackFileError(f"pack: {CARD} has other keys or another spelling than packs have")
    if found["format"] != FORMAT:
        raise PackFileError(f"pack: format {found['format']!r}, known is {FORMAT}: update yixin")
    _verify_card(found)
    if found["least_kernel"] > KERNEL_VERSION:
        raise PackFileError(
            f"pack {found['version']}: needs kernel {found['least_kernel']}, this is "
            f"{KERNEL_VERSION}: update yixin, then order the pack again"
        )
    return found


def _verify_card(found: Mapping[str, Any]) -> None:
    is_typed = (
        all(isinstance(found[name], str) for name in _TEXTS)
        and all(type(found[name]) is int for name in ("grace_days", "least_kernel"))
        and isinstance(found["files"], dict)
    )
    if not is_typed:
        raise PackFileError(f"pack: a value of {CARD} has another type than packs have")
    try:
        first = date.fromisoformat(found["effective_from"])
        last = date.fromisoformat(found["effective_to"]) if found["effective_to"] else date.max
    except ValueError as error:
        raise PackFileError(f"pack: a day of {CARD} is none, expected yyyy-mm-dd") from error
    faults = {
        "its version is not as 2026.12.1": not _VERSION.fullmatch(found["version"]),
        "its last day is before its first": last < first,
        f"its grace is not 0 to {MAX_GRACE_DAYS} days": not (
            0 <= found["grace_days"] <= MAX_GRACE_DAYS
        ),
        "its least kernel is not 1 or more": found["least_kernel"] < 1,
        "a digest is none": not all(_HEX.fullmatch(found[name]) for name in _TEXTS[1:3]),
    }
    for fault, is_found in faults.items():
        if is_found:
            raise PackFileError(f"pack: {fault}: make it with yixin model pack")


def _verify_files(contents: Mapping[str, bytes], named: Mapping[str, object]) -> None:
    lacking = sorted(named.keys() ^ (contents.keys() - {CARD}))
    if lacking:
        raise PackFileError(f"pack: {lacking[0][:80]!r} is in the pack or in {CARD}, not in both")
    for name, stated in named.items():
        content = contents[name]
        if stated != [len(content), hashlib.sha256(content).hexdigest()]:
            raise PackFileError(f"pack: {name!r} is not the file that {CARD} names")
