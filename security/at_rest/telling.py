"""How a key ring and its census are told: the same at a node and at a hub."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from security.at_rest.key_ring import KeyRing

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from security.at_rest.rotation import Census

__all__ = ["told_ring"]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def told_ring(path: Path, census: Census) -> dict[str, Any]:
    """Tell a ring with what stands under each of its epochs.

    Args:
        path: File of the ring.
        census: What stands under which epoch.

    Returns:
        Master key, newest epoch, a row for every epoch, and epochs that the ring has lost.

    Raises:
        KeyFileError: The file is missing, damaged or open to others, or its token is absent.
    """
    ring = KeyRing.load(path)
    held = [one.epoch for one in ring.keys]
    return {
        "master": ring.master.line,
        "newest": ring.newest,
        "rows": [
            {
                "epoch": one.epoch,
                "made_at": _moment(one.made_at_ms),
                "wrapped": census.wrapped.get(one.epoch, {}),
                "sealed": census.sealed.get(one.epoch, {}),
            }
            for one in ring.keys
        ],
        "lost": _lost(census, held),
    }


def _lost(census: Census, held: Sequence[int]) -> list[int]:
    """Epochs that something stands under and the ring does not hold."""
    return sorted((census.wrapped.keys() | census.sealed.keys()) - set(held))


def _moment(at_ms: int) -> str | None:
    if not at_ms:
        return None
    return (_EPOCH + timedelta(milliseconds=at_ms)).isoformat(timespec="seconds")
