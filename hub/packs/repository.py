"""Packs of the hub's verified copy: the one that is wanted, its card, and its leaf in the log."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection

from hub.domain.packs import newest
from hub.packs.serving import place_of
from hub.parts import HubParts
from hub.store import log, packs
from protos.yixin.v1 import transparency_pb2
from scoring_kernel.packs import CARD
from security.errors import PackError
from security.packs.in_force import HELD

__all__ = ["Wanted", "catalogs", "find_pack", "pack_contents", "read_card", "release"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A pack of the repository."""

    target: str
    digest: bytes


def find_pack(parts: HubParts, version: str | None) -> Wanted:
    """A pack that both officers signed and whose metadata holds.

    Args:
        parts: The hub.
        version: Its version; the newest when None.

    Raises:
        PackError: The copy does not hold it, or its metadata has expired.
    """
    from security.packs.client import load_release  # noqa: PLC0415 - TUF only where packs are used
    from security.packs.layout import target_name  # noqa: PLC0415 - beside it

    verified = load_release(place_of(parts).client)
    name = newest(list(verified.targets)) if version is None else target_name(version)
    found = None if name is None else verified.targets.get(name)
    if found is None:
        raise PackError(
            f"{name or 'a pack'} is not in the packs' repository: it holds "
            f"{', '.join(sorted(verified.targets)) or 'none'}; run yixin hub packs fetch"
        )
    if verified.expires_at <= parts.now():
        raise PackError(
            f"the packs' metadata expired on {verified.expires_at:%Y-%m-%d}: sign it anew with "
            "yixin model release, then yixin hub packs fetch"
        )
    return Wanted(target=found.name, digest=found.digest)


def pack_contents(parts: HubParts, digest: bytes) -> dict[str, bytes]:
    """Files of a pack that this hub holds, by name.

    Raises:
        PackError: It is not held, or was changed since it was verified.
    """
    from security.packs.archive import read_archive  # noqa: PLC0415 - only where packs are used
    from security.packs.files import read_pack  # noqa: PLC0415 - the same

    path = place_of(parts).directory / HELD / f"{digest.hex()}.zip"
    return read_archive(read_pack(path, digest))


def read_card(parts: HubParts, wanted: Wanted) -> dict[str, str]:
    """What a pack says of itself.

    Raises:
        PackError: It is not held, was changed, or has no card that can be read.
    """
    return _card(pack_contents(parts, wanted.digest), wanted.target)


def catalogs(parts: HubParts) -> dict[str, Wanted]:
    """All packs that this hub holds, by digest of their catalogue, hexadecimal.

    A pack that cannot be read is left out: nothing was graded with it.
    """
    found = {}
    for path in sorted((place_of(parts).directory / HELD).glob("*.zip")):
        try:
            card = _card(pack_contents(parts, bytes.fromhex(path.stem)), path.name)
        except (PackError, ValueError):
            continue
        wanted = Wanted(target=card["target"], digest=bytes.fromhex(path.stem))
        found[card["catalog"]] = wanted
    return found


def release(connection: Connection, parts: HubParts, wanted: Wanted, now_ms: int) -> int:
    """Make a pack's release a leaf of the log, once.

    Returns:
        Index of the leaf.
    """
    index = packs.find_release(connection, wanted.digest)
    if index is None:
        leaf = log.event_leaf(
            transparency_pb2.LOG_KIND_PACK_RELEASE,
            hub=parts.identity.hub,
            digest=wanted.digest,
            word="pack",
            at_ms=now_ms,
        )
        index = log.append_leaves(connection, [leaf])
        packs.add_release(connection, wanted.digest, wanted.target, index, now_ms)
    return index


def _card(contents: Mapping[str, bytes], named: str) -> dict[str, str]:
    from security.packs.layout import target_name  # noqa: PLC0415 - only where packs are used

    try:
        card = json.loads(contents[CARD])
        return {
            "target": target_name(str(card["version"])),
            "feature_schema": str(card["feature_schema"]),
            "catalog": str(card["catalog"]),
        }
    except (KeyError, ValueError, TypeError, RecursionError) as error:
        raise PackError(f"{named} has no card that can be read: publish another pack") from error
