"""A terminal that verifies drawn people one after the other until somebody kills it.

``python -m tests.support.killed_terminal DIR FIRST`` prints the number of every event that it
answered for, and of whom it was; people are numbered from FIRST on.
"""

from __future__ import annotations

import asyncio
import random
import sys
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from edge_devices.app import steady_now, utc_now
from edge_devices.enrolling import load_identity
from edge_devices.simulators.terminals import DrawnTerminal
from edge_devices.simulators.world import DrawnFaces

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager
    from datetime import datetime

    from edge_devices.enrolling import DeviceIdentity

PERSONS = 400
FACES = DrawnFaces(PERSONS, 8, seed=5)


def opened(
    identity: DeviceIdentity,
    say: Callable[[str], None],
    *,
    now: Callable[[], datetime] = utc_now,
    steady: Callable[[], datetime] = steady_now,
) -> AbstractAsyncContextManager[DrawnTerminal]:
    """A terminal before whose camera the drawn people stand."""
    rng = random.Random(1)  # noqa: S311 - it shortens pauses
    return DrawnTerminal.opened(identity, FACES, now=now, steady=steady, rng=rng, say=say)


async def main(directory: str, first: int) -> None:
    async with opened(load_identity(Path(directory)), complain) as terminal:
        for number in count(first):
            person = number % PERSONS
            await terminal.verify(person, person)
            sys.stdout.write(f"{terminal.queue.span.newest} {person}\n")
            sys.stdout.flush()


def complain(line: str) -> None:
    sys.stderr.write(line + "\n")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
