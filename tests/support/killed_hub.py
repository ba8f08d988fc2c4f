"""A hub that dies between a commit and its receipts: ``python -m tests.support.killed_hub DIR N``.

The daemon is the product's own; only its hook behind the commit kills the process, without a
chance to clean up, at the N-th commit group. N = 0 serves until SIGTERM.
"""

import asyncio
import os
import signal
import sys
from pathlib import Path

from hub.app import HubApp
from hub.daemon import Daemon


def main(directory: str, fatal_group: int) -> None:
    groups = 0

    def after_group() -> None:
        nonlocal groups
        groups += 1
        if groups == fatal_group:
            os.kill(os.getpid(), signal.SIGKILL)

    async def serve() -> None:
        daemon = Daemon(parts=parts, say=lambda _text: None, after_group=after_group)
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, daemon.stop.set)
        await daemon.run()

    with HubApp(Path(directory)).opened() as parts:
        asyncio.run(serve())


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
