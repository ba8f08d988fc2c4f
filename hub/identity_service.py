"""What keeps a hub's identity fresh while its daemon runs.

Every hour: the next epoch of its own keys is begun when it is due, the revocation list is signed
anew before its time is over, and this hub's own membership in its parent is renewed at half of its
time. What fails is tried again an hour later: everything is begun long before it is needed. What
waits for a read-only log, such as a revocation list, is made up for as soon as the log opens.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from pathlib import Path
from typing import Final

from hub.background import beside
from hub.errors import HubError
from hub.log.mode import HubMode
from hub.parts import HubParts
from hub.store.certifying import begin_epochs
from hub.store.revocation_lists import refresh_list
from security.errors import JoinPendingError, SecurityError
from security.exchange.membership import is_joined, load
from security.exchange.renew import renew, renewal_due
from security.moments import to_ms

EVERY_S: Final = 3600.0
LOOK_S: Final = 2.0
"""Time between two looks at whether the log opened, seconds."""
_LOG: Final = logging.getLogger(__name__)


def identity_kept(parts: HubParts, say: Callable[[str], None]) -> AbstractAsyncContextManager[None]:
    """Keep the identity of a hub while the body runs."""
    return beside(_keep(parts, say))


async def _keep(parts: HubParts, say: Callable[[str], None]) -> None:
    while True:
        was_open = parts.log.mode.is_writable
        try:
            await asyncio.to_thread(keep_identity, parts, parts.now())
            if await renew_parent(parts.parent_directory, parts.now()):
                say("Renewed this hub's certificates at its parent.")
        except JoinPendingError as error:
            say(str(error))
        except (HubError, SecurityError):
            _LOG.exception("this hub's certificates or revocation list could not be renewed")
        await _rest(parts.log.mode, was_open=was_open)


async def _rest(mode: HubMode, *, was_open: bool) -> None:
    """Wait an hour, or only until the log opens again."""
    for _ in range(int(EVERY_S / LOOK_S)):
        await asyncio.sleep(LOOK_S)
        is_open = mode.is_writable
        if is_open and not was_open:
            return
        was_open = is_open


def keep_identity(parts: HubParts, now: datetime) -> None:
    """Begin the epoch and sign the revocation list that are due.

    Raises:
        HubStoreError: The database failed.
    """
    begin_epochs(parts.engine, parts.identity, parts.settings.suites.names, to_ms(now))
    refresh_list(parts.engine, parts.identity, to_ms(now))


async def renew_parent(directory: Path, now: datetime) -> bool:
    """Renew this hub's membership in its parent when it is due.

    Args:
        directory: Directory of the membership.
        now: Present moment, UTC-aware.

    Returns:
        Whether anything was renewed.

    Raises:
        JoinPendingError: The parent's officer has to approve first.
        HubUnreachableError: The parent did not answer.
        JoinRefusedError: The parent refused, or its answer does not hold.
        MembershipError: The membership is damaged.
    """
    if not is_joined(directory):
        return False
    membership = await asyncio.to_thread(load, directory)
    due = renewal_due(membership, now)
    if not due:
        return False
    await renew(membership, now=now, new_epoch=due.keys)
    return True
