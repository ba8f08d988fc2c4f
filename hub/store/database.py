"""The hub's database, opened and brought to the newest schema.

Rules of this module:

- The schema is made and changed by migrations only, in one transaction.
- A database of a newer program is refused, never written to.
"""

from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Engine

from hub.errors import ConfigurationError
from hub.store import (
    agreement_tables,
    clue_tables,
    grading_tables,
    identity_tables,
    log_tables,
    operator_tables,
    pack_tables,
    policy_tables,
    proof_tables,
    tables,
)
from hub.store.engine import open_engine, reading, writing
from hub.store.metadata import metadata

_MIGRATIONS: Final = Path(__file__).parent / "migrations"

__all__ = [
    "agreement_tables",
    "clue_tables",
    "grading_tables",
    "identity_tables",
    "log_tables",
    "metadata",
    "open_database",
    "operator_tables",
    "pack_tables",
    "policy_tables",
    "proof_tables",
    "tables",
]


def open_database(url: str) -> Engine:
    """Open a hub's database and run the migrations it lacks.

    Args:
        url: SQLAlchemy URL.

    Returns:
        The engine.

    Raises:
        ConfigurationError: The URL is unusable, or the database belongs to a newer program.
        HubStoreError: The database cannot be reached or refuses.
    """
    engine = open_engine(url)
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    newest = ScriptDirectory.from_config(config).get_current_head()
    with reading(engine) as connection:
        held = MigrationContext.configure(connection).get_current_revision()
    if held == newest:
        return engine
    with writing(engine) as connection:
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, "head")
        except CommandError as error:
            raise ConfigurationError(
                f"The database has schema {held!r}, which this program does not know (it knows "
                f"up to {newest!r}); install the newer program that wrote it."
            ) from error
    return engine
