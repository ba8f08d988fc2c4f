"""Catalogues of earlier gradings: what was graded stays explained with what graded it.

They are opened beside the catalogue of the process and never take its place.
"""

from importlib.resources import files

from hub.packs.repository import catalogs, pack_contents
from hub.parts import HubParts
from scoring_kernel import Catalog
from scoring_kernel.catalog_loader import catalog_digest, collect_files, parse_catalog
from scoring_kernel.packs import open_pack

__all__ = ["find_catalog"]


def find_catalog(parts: HubParts, digest: bytes) -> Catalog | None:
    """A catalogue that this hub holds, in a pack or packaged with the program.

    Args:
        parts: The hub.
        digest: SHA-256 of the catalogue.

    Raises:
        PackError: The pack was changed since it was verified.
        KernelError: It cannot be read any more.
    """
    held = catalogs(parts).get(digest.hex())
    if held is not None:
        return open_pack(pack_contents(parts, held.digest)).catalog
    packaged = collect_files(files("scoring_kernel") / "catalog")
    return parse_catalog(packaged) if catalog_digest(packaged) == digest else None
