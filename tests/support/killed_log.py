"""A hub's log that grows and is published until somebody kills it.

``python -m tests.support.killed_log DIR`` prints the published size after each checkpoint.
"""

import sys
from pathlib import Path

from hub.log.sequencer import publish
from tests.support.hub_city import open_city
from tests.support.hub_logs import append


def main(directory: str) -> None:
    with open_city(Path(directory)) as city:
        while True:
            append(city.parts.log, 37)
            made = publish(city.parts.log)
            sys.stdout.write(f"{made.checkpoint.size}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1])
