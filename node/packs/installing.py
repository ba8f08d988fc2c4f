"""The pack in force becomes the catalogue of a process, before anything of it is read.

The daemon, its nightly run and the gateway all begin here: they read the same ``current``.
"""

from pathlib import Path

from node.packs.holding import holding_of
from security.packs.in_force import CURRENT, install_current

__all__ = ["install_pack"]


def install_pack(directory: Path) -> None:
    """Work with the pack in force, if there is one.

    Args:
        directory: State directory of the node.

    Raises:
        PackError: The pack's file is gone or changed, or another catalogue is in use already.
    """
    packs = holding_of(directory).directory
    if (packs / CURRENT).exists():
        from scoring_kernel.packs import install_pack as install  # noqa: PLC0415  # most need none of it

        install_current(packs, install)
