"""Packs for tests: the packaged catalogue as a pack, made once a process, and changed copies."""

from __future__ import annotations

import hashlib
import json
from datetime import date
from functools import cache
from typing import TYPE_CHECKING

from deploy.model.packing import build_pack
from scoring_kernel.catalog_loader import catalog_digest
from scoring_kernel.packs import CARD, PackCard, open_pack
from security.packs.archive import read_archive, write_archive
from security.progress import no_progress

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scoring_kernel.packs import Pack

FIRST_DAY = date(2026, 1, 1)
CARD_OF_TESTS = PackCard(
    version="2026.1.1", effective_from=FIRST_DAY, effective_to=None, grace_days=30
)


@cache
def pack_file() -> bytes:
    """The packaged catalogue as a pack."""
    return build_pack(None, CARD_OF_TESTS, no_progress)


@cache
def pack_contents() -> Mapping[str, bytes]:
    """Its files by name."""
    return read_archive(pack_file())


@cache
def pack() -> Pack:
    """It, opened."""
    return open_pack(pack_contents())


def changed(files: Mapping[str, bytes | None], **card: object) -> dict[str, bytes]:
    """Files of the pack with some changed or left out, and a card that names them as they are."""
    contents = {name: one for name, one in pack_contents().items() if name != CARD}
    for name, content in files.items():
        contents.pop(name, None)
        if content is not None:
            contents[name] = content
    document = json.loads(pack_contents()[CARD])
    document["files"] = {
        name: [len(one), hashlib.sha256(one).hexdigest()] for name, one in contents.items()
    }
    contents[CARD] = spelled(document | card)
    return contents


def spelled(document: object) -> bytes:
    """A document as cards and vectors are spelled."""
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def broken_vector() -> bytes:
    """A pack whose vector of the pharmacies states one point too many."""
    name = "golden/scores-designated_retail_pharmacy.json"
    document = json.loads(pack_contents()[name])
    document["alone"]["total_centi"][0] += 1
    return write_archive(changed({name: spelled(document)}, version="2026.1.2"))


def other_version(version: str) -> bytes:
    """The same pack under another version."""
    return write_archive(changed({}, version=version))


def edited_pack(name: str, more: bytes, changes: bytes) -> tuple[bytes, str]:
    """A pack whose catalogue was edited, and the digest of its catalogue.

    Args:
        name: File of the catalogue to which something is added.
        more: What.
        changes: Its change list.
    """
    files = {name: pack_contents()[f"catalog/{name}"] + more, "CHANGES.md": changes}
    catalog = {
        key.removeprefix("catalog/"): one
        for key, one in pack_contents().items()
        if key.startswith("catalog/") and key != "catalog/CHANGES.md"
    } | {key: one for key, one in files.items() if key != "CHANGES.md"}
    digest = catalog_digest(catalog).hex()
    named = {f"catalog/{key}": one for key, one in files.items()}
    return write_archive(changed(named, catalog=digest, version="2026.1.3")), digest
