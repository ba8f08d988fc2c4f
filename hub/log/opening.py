"""Opening the log of a hub: what stands against it already is known before anything is appended."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Final

from sqlalchemy import Engine

from hub.config import LogSettings
from hub.log.hub_log import HubLog
from hub.log.mode import HubMode
from hub.log.starting import check_published
from hub.store import log as leaf_log
from hub.store.engine import reading
from hub.store.identity import HubIdentity
from security.errors import LogCorruptError

LOG_DIRECTORY: Final = "log"


def open_log(
    settings: LogSettings,
    identity: HubIdentity,
    engine: Engine,
    directory: Path,
    keys: Path,
    *,
    now: Callable[[], datetime],
    writer: bool,
) -> HubLog:
    """Open the log.

    Args:
        settings: Table ``[log]`` of hub.toml.
        identity: The hub.
        engine: Its database.
        directory: State directory.
        keys: Directory of the keys.
        now: Tells the present moment, UTC-aware.
        writer: Whether the caller may write; then the published checkpoint is compared with the
            database, and a contradiction makes the log read-only.

    Returns:
        The log; its engine has the gate.

    Raises:
        HubStoreError: The database failed.
    """
    mode = HubMode(settings.quorum)
    log = HubLog(
        hub=identity.hub,
        engine=leaf_log.guarded(engine, mode),
        root=identity.root,
        anchor=identity.anchor,
        place=settings.tiles or str(directory / LOG_DIRECTORY),
        directory=directory,
        keys=keys,
        mode=mode,
        quorum=settings.quorum,
        now=now,
    )
    if writer:
        try:
            with reading(log.engine) as connection:
                check_published(log, connection, leaf_log.state(connection))
        except LogCorruptError as error:
            mode.freeze(str(error))
        except OSError as error:
            mode.freeze(
                f"the published checkpoint in {log.place} cannot be read "
                f"({error.strerror or type(error).__name__}); mend the place, or log.tiles."
            )
    return log
