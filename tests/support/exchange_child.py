"""A member in a process of its own, so that a test can kill it: ``exchange_child DIRECTORY``."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from security.exchange.membership import load
from tests.support.exchange_member import open_member


def main() -> None:
    """Synchronise once, with a window so small that many commits happen."""
    directory = Path(sys.argv[1])
    member = open_member(directory, load(directory / "member"))
    asyncio.run(member.sync(window_bytes=8_000))


if __name__ == "__main__":
    main()
