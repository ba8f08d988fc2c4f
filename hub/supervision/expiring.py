"""What a hub keeps too long of clues and join records goes, day by day.

Numbered as run:

1. In one transaction: join records whose days are over, clues and findings whose years are over,
   and the contents of the envelopes that brought them.
2. The database's log is emptied, so that no copy of them stays in it.
"""

from datetime import datetime

from sqlalchemy import Engine

from hub.domain.clues import shanghai_day
from hub.store import expiry
from hub.store.engine import clear_log, writing
from hub.store.expiry import Expired
from scoring_kernel.joining import Joining
from security.moments import to_ms


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
    with writing(engine) as connection:
        expired = expiry.purge(connection, today, joining.hub_clues.last_over(today))
    # 2. The log.
    clear_log(engine)
    return expired
