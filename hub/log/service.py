"""What the daemon keeps doing for its log: publish it, and speak with its witnesses.

Rules: the log is checked before anything else begins; a failed step is said once, and again when
it is over; what goes wrong with the log itself makes it read-only, what goes wrong with a line or
a disk is tried again.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

from hub.config import usable
from hub.errors import HubError
from hub.log.asking import Round
from hub.log.calls import LogCalls
from hub.log.hub_log import HubLog
from hub.log.sequencer import publish
from hub.log.starting import check_state
from hub.store import log_peers
from hub.store.engine import reading, writing
from hub.store.log_peers import Peer
from protos.yixin.v1.transparency_pb2_grpc import TransparencyStub
from security.channels import member_channel
from security.errors import LogCorruptError, SecurityError
from security.exchange.membership import Membership, is_joined, load

ASK_EVERY_S: Final = 5.0
"""Time between two rounds with the parent, seconds."""
ROUND_S: Final = 120.0
"""Longest round, seconds; the next one goes on where it ended."""
_UNPUBLISHED: Final = "The log cannot be published"
_UNASKED: Final = "The witness could not be asked"
_DISAGREED: Final = "This hub and its witness disagree"
_LOG: Final = logging.getLogger(__name__)


@asynccontextmanager
async def keep_log(
    log: HubLog, parent: Path, publish_ms: int, say: Callable[[str], None]
) -> AsyncIterator[None]:
    """Keep a hub's log published and witnessed while the body runs.

    Args:
        log: The hub's log.
        parent: Directory of the membership in the parent hub.
        publish_ms: Longest time between a leaf and its checkpoint, milliseconds.
        say: Speaks to the operator.

    Raises:
        LogCorruptError: The log contradicts itself or what was published; nothing was started.
        ConfigurationError: The tiles cannot be read.
    """
    with usable(Path(log.place)):
        await asyncio.to_thread(check_state, log)
    keeper = _Keeper(log, parent, say)
    stop = asyncio.Event()
    publishing = asyncio.create_task(_repeat(keeper.publish, publish_ms / 1000, stop))
    asking = asyncio.create_task(_repeat(keeper.ask, ASK_EVERY_S, stop))
    try:
        yield
    finally:
        stop.set()
        asking.cancel()
        with suppress(asyncio.CancelledError):
            await asking
        await publishing
        await keeper.publish()


async def _repeat(step: Callable[[], Awaitable[None]], every_s: float, stop: asyncio.Event) -> None:
    """Do a step now and every so often."""
    while not stop.is_set():
        await step()
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), every_s)


class _Keeper:
    """The two steps, with what was said of each."""

    __slots__ = ("_log", "_parent", "_say", "_troubles")

    def __init__(self, log: HubLog, parent: Path, say: Callable[[str], None]) -> None:
        self._log = log
        self._parent = parent
        self._say = say
        self._troubles: dict[str, str] = {}

    async def publish(self) -> None:
        """Publish what was appended."""
        try:
            await asyncio.to_thread(publish, self._log)
        except LogCorruptError as error:
            self._log.mode.freeze(str(error))
            self._tell(_UNPUBLISHED, str(error))
        except (HubError, OSError) as error:
            self._tell(_UNPUBLISHED, str(error))
        else:
            self._over(_UNPUBLISHED)

    async def ask(self) -> None:
        """Speak with the parent, where it is a witness."""
        peer: Peer | None = None
        try:
            if not await asyncio.to_thread(is_joined, self._parent):
                return
            membership = await asyncio.to_thread(load, self._parent)
            peer = await asyncio.to_thread(self._find_peer, membership.hub_id)
            if peer is not None:
                await asyncio.wait_for(self._round(membership, peer), ROUND_S)
        except (SecurityError, HubError, OSError, TimeoutError) as error:
            trouble = str(error) or type(error).__name__
            # Noted first: who reads the line finds it in the status.
            if peer is not None:
                await asyncio.to_thread(self._note_trouble, peer.hub, trouble)
            self._tell(_DISAGREED if isinstance(error, LogCorruptError) else _UNASKED, trouble)
        else:
            self._over(_UNASKED)
            self._over(_DISAGREED)

    async def _round(self, membership: Membership, peer: Peer) -> None:
        async with member_channel(membership, self._log.now()) as channel:
            calls = LogCalls(hub=peer.hub, stub=TransparencyStub(channel))
            await Round(log=self._log, peer=peer, calls=calls).run()

    def _find_peer(self, hub: str) -> Peer | None:
        with reading(self._log.engine) as connection:
            return log_peers.find_peer(connection, hub)

    def _note_trouble(self, hub: str, trouble: str) -> None:
        try:
            with writing(self._log.engine) as connection:
                log_peers.note_trouble(connection, hub, trouble)
        except HubError:
            _LOG.exception("the trouble with %s could not be noted", hub)

    def _tell(self, what: str, why: str) -> None:
        if self._troubles.get(what) != why:
            self._troubles[what] = why
            self._say(f"{what}: {why}")

    def _over(self, what: str) -> None:
        if self._troubles.pop(what, None) is not None:
            self._say(f"Over: {what[0].lower()}{what[1:]}.")
