"""What a hub's daemon keeps running beside its servers: each is entered once, and left in turn."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Final, TypeAlias

from hub.agreements.services import keep_sharing
from hub.heartbeat_service import parent_told
from hub.identity_service import identity_kept
from hub.log.service import keep_log
from hub.packs.service import packs_kept
from hub.parts import HubParts
from hub.policy_service import suite_policy
from hub.sharing_jobs import sharing_room

Say: TypeAlias = Callable[[str], None]
Service: TypeAlias = Callable[[HubParts, Say], AbstractAsyncContextManager[None]]


def transparency_log(parts: HubParts, say: Say) -> AbstractAsyncContextManager[None]:
    """Check the log, then keep it published and witnessed."""
    return keep_log(parts.log, parts.parent_directory, parts.settings.log.publish_ms, say)


def sharing(parts: HubParts, _say: Say) -> AbstractAsyncContextManager[None]:
    """Answer requests for products, and announce the keys of members."""
    return keep_sharing(sharing_room(parts), parts.now)


SERVICES: Final[tuple[Service, ...]] = (
    transparency_log,
    suite_policy,
    identity_kept,
    sharing,
    packs_kept,
    parent_told,
)
"""In the order in which they are started; the last one is stopped first."""
