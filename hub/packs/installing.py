"""The pack that a hub uses becomes the catalogue of a process, before anything of it is read.

The composition root begins here, for the daemon and for every command that opens the hub itself.
The desk of links has no hub's directory and none of this.
"""

from pathlib import Path
from typing import Final

from scoring_kernel.packs import install_pack
from security.errors import PackError
from security.packs.in_force import CURRENT, install_current

__all__ = ["DIRECTORY", "install_used"]

DIRECTORY: Final = "packs"
"""Directory of the packs in a hub's state directory."""


def install_used(directory: Path) -> None:
    """Work with the pack that the hub uses, if there is one.

    Args:
        directory: State directory of the hub.

    Raises:
        PackError: The pack's file is gone or changed, or another catalogue is in use already.
    """
    packs = directory / DIRECTORY
    try:
        install_current(packs, install_pack)
    except PackError as error:
        raise PackError(
            f"{error}. Without {packs / CURRENT} the hub begins with the packaged catalogue: "
            "remove it, then run yixin hub packs fetch and yixin hub packs use"
        ) from error
