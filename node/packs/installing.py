"""The pack in force becomes the catalogue of a process, before anything of it is read.

The daemon, its nightly run and the gateway all begin here: they read the same ``current``.
"""

from pathlib import Path

from node.packs.holding import holding_of
from security.errors import PackError

__all__ = ["install_pack"]


def install_pack(directory: Path) -> None:
    """Work with the pack in force, if there is one.

    Args:
        directory: State directory of the node.

    Raises:
        PackError: The pack's file is gone or changed, or another catalogue is in use already.
    """
    holding = holding_of(directory)
    current = holding.find_current()
    if current is None:
        return
    from scoring_kernel.catalog_loader import (  # noqa: PLC0415  # most nodes need none of it
        install_catalog,
        is_catalog_used,
        load_catalog,
    )
    from scoring_kernel.packs import CATALOG  # noqa: PLC0415  # the same
    from security.packs.archive import read_archive  # noqa: PLC0415  # the same
    from security.packs.files import read_pack  # noqa: PLC0415  # the same

    if is_catalog_used():
        if load_catalog().digest.hex() == current.catalog:
            return
        raise PackError(
            f"{current.target} is in force, and this process works with another catalogue: start "
            "it again"
        )
    content = read_pack(holding.files / f"{current.digest}.zip", bytes.fromhex(current.digest))
    install_catalog(
        {
            name.removeprefix(CATALOG): part
            for name, part in read_archive(content).items()
            if name.startswith(CATALOG)
        }
    )
