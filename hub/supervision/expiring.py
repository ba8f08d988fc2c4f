"""What a hub keeps too long of clues and join records goes, day by day.

Numbered as run:

1. In one transaction: join records whose days are over, clues and findings whose years are over,
   and the contents of the envelopes that brought them; each of these gets a leaf that says so.
   While the log takes no leaf, all of it waits for the next day's run.
2. The database's log is emptied, so that no copy of them stays in it.
"""

import logging
from datetime import datetime
from typing import Final

from sqlalchemy import Engine

from hub.errors import LogReadOnlyError
from hub.store import expiry
from hub.store.engine import clear_log, writing
from hub.store.expiry import Expired
from scoring_kernel.joining import Joining
from security.moments import shanghai_day, to_ms

_LOG: Final = logging.getLogger(__name__)


def expire(engine: Engine, joining: Joining, now: datetime) -> Expired:
    """Delete what is kept too long.

    Args:
        engine: The hub's database.
        joining: Terms of retention.
        now: Present moment, UTC-aware.

    Raises:
        HubStoreError: The database failed; nothing was changed.
    """
    today = shanghai_day(to_ms(now))
    # 1. Rows and envelopes.
    try:
        with writing(engine) as connection:
            last_over = joining.hub_clues.last_over(today)
            expired = expiry.purge(connection, today, last_over, to_ms(now))
    except LogReadOnlyError as error:
        _LOG.warning("nothing expires while the log is read-only: %s", error)
        return Expired(records=0, clues=0, findings=0, envelopes=0)
    # 2. The log.
    clear_log(engine)
    return expired
