"""A process that ingests a file, to be killed at any moment: prints ``ready`` as it begins.

Usage: python -m tests.support.ingest_process DIRECTORY FILE BATCH_LINES
"""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import node.intake.ingest
from node.intake import ingest_file
from node.store import NodeStore
from scoring_kernel import load_catalog
from security.at_rest import Vault

KEY: Final = bytes(range(32))
"""Key of a store of tests."""
LATER: Final = datetime(2027, 1, 1, tzinfo=UTC)


def main() -> None:
    """Ingest once."""
    directory, path, batch_lines = sys.argv[1:]
    node.intake.ingest.BATCH_LINES = int(batch_lines)  # type: ignore[misc]
    catalog = load_catalog()
    with NodeStore(Path(directory), Vault(KEY), catalog=catalog) as store:
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        ingest_file(store, catalog, Path(path), now=LATER)


if __name__ == "__main__":
    main()
