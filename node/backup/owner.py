"""Whose backup a location holds: one location belongs to one node.

A second node in the same place would have its snapshots pruned with the first one's. The mark is
that of the node's key ring, so a restored node goes on with its own location.
"""

from pathlib import Path
from typing import Final

from node.config import NODE_KEY
from node.errors import BackupError
from security.at_rest.key_ring import KeyRing
from security.errors import KeyFileError
from security.private_files import write_private

__all__ = ["claim_location"]

MARK: Final = "node"


def claim_location(home: Path, location: Path) -> None:
    """Make a location this node's, or find that it is.

    Args:
        home: The node's directory.
        location: Directory of the backup; made when it is not there.

    Raises:
        BackupError: It is another node's, holds something else, or cannot be written.
    """
    try:
        mark = KeyRing.load(home / NODE_KEY).mark.encode() + b"\n"
        location.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = location / MARK
        if not path.exists():
            if any(location.iterdir()):
                raise BackupError(
                    f"{location} is not empty and holds no backup of a node; name a new directory"
                )
            write_private(path, mark)
        elif path.read_bytes() != mark:
            raise BackupError(
                f"{location} holds the backup of another node; give every node its own directory"
            )
    except KeyFileError as error:
        raise BackupError(str(error)) from error
    except OSError as error:
        raise BackupError(
            f"the backup location {location} cannot be used ({error.strerror}); name another one"
        ) from error
