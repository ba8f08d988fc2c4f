"""A round with the parent hub: each asks the other what it saw, and each cosigns the other's log.

The province is no member of the city and cannot call it; so the city calls for both. Numbered as
done in a round:

1. The parent is told what this hub cosigned of its log; a parent that was put back learns it here.
2. The parent tells what it cosigned of this log; a hub that was put back learns it here.
3. The parent is asked to cosign what was published since, with the leaves it mirrors.
4. This hub fetches the parent's newest checkpoint and leaves, cosigns, and hands the lines back.
"""

import asyncio
import functools
from dataclasses import dataclass
from typing import Final

from hub.log.calls import LogCalls
from hub.log.hub_log import HubLog, Published
from hub.log.witnessing import Answer, Asked, compare, keep_evidence, take_cosignature, witness
from hub.store import log as leaf_log
from hub.store import log_peers
from hub.store.engine import reading, writing
from hub.store.log_peers import Peer, Witnessed
from protos.yixin.v1 import transparency_pb2
from security.errors import CosignatureError, LogRollbackError
from security.merkle import consistency_path_over
from security.tlog.reader import TileReader
from security.tlog.writer import extend_tiles
from security.transparency import Checkpoint, verify_checkpoint

MAX_ENTRIES: Final = 512
"""Leaves of one request to cosign: at most 1 MiB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One round with one witness."""

    log: HubLog
    """This hub's log."""
    peer: Peer
    """The witness."""
    calls: LogCalls
    """Calls it."""

    async def run(self) -> None:
        """Do all four steps.

        Raises:
            HubUnreachableError: The line broke; the next round goes on.
            HubRefusedError: The witness refuses this hub.
            LogRollbackError: One of both logs is not what it was.
            LogCorruptError: What the witness sent does not prove itself.
            HubStoreError: The database failed.
        """
        await self._tell()
        await self._confirm()
        await self._ask()
        await self._witness()

    async def _tell(self) -> None:
        """Tell what was cosigned (step 1)."""
        for held in await asyncio.to_thread(self._held):
            request = transparency_pb2.CosignRequest(note=held.note)
            answer = await self.calls.cosign(request)
            if answer.refusal:
                raise LogRollbackError(
                    f"{self.peer.hub} does not hold the {held.checkpoint.size} leaves of its own "
                    f"log {held.checkpoint.origin} that this hub cosigned; it was told"
                )

    def _held(self) -> list[Witnessed]:
        with reading(self.log.engine) as connection:
            held = log_peers.all_witnessed(connection)
        return [one for one in held if one.hub == self.peer.hub]

    async def _confirm(self) -> None:
        """Hear what was cosigned of this log (step 2)."""
        number = await asyncio.to_thread(self._number)
        for origin in (self.log.origin(number + 1), self.log.origin(number)):
            note = await self.calls.note(origin)
            if note:
                seen = verify_checkpoint(note, self.log.anchor)
                await asyncio.to_thread(compare, self.log, self.peer.hub, seen, note)
        await asyncio.to_thread(self._answered)
        self.log.mode.confirm(self.peer.hub)

    def _number(self) -> int:
        with reading(self.log.engine) as connection:
            return leaf_log.state(connection).number

    def _answered(self) -> None:
        with writing(self.log.engine) as connection:
            log_peers.note_answer(connection, self.peer.hub, self.log.now_ms)

    async def _ask(self) -> None:
        """Have the published log cosigned, piece by piece (step 3)."""
        published = await asyncio.to_thread(self._published)
        if published is None:
            return
        note = await self.calls.note(published.checkpoint.origin)
        size = verify_checkpoint(note, self.log.anchor).size if note else 0
        while size < published.checkpoint.size or not note:
            request, asked = await asyncio.to_thread(self._request, published, size)
            answer = await self.calls.cosign(request)
            if not answer.lines:
                raise CosignatureError(
                    f"{self.peer.hub} did not cosign {asked.size} leaves: "
                    f"{answer.refusal or f'it holds {answer.size}, not {size}'}"
                )
            note = request.note + answer.lines
            if not await asyncio.to_thread(take_cosignature, self.log, self.peer, asked, note):
                raise CosignatureError(
                    f"the lines of {self.peer.hub} are not by the key its trust file names"
                )
            size = asked.size

    def _published(self) -> Published | None:
        return self.log.find_published(self._number())

    def _request(
        self, published: Published, size: int
    ) -> tuple[transparency_pb2.CosignRequest, Checkpoint]:
        """The next piece of the published log, with its proof and leaves."""
        checkpoint, note = published.checkpoint, published.note
        reader = TileReader(self.log.tiles(self._number()), checkpoint)
        if checkpoint.size > size + MAX_ENTRIES:
            root = reader.frontier(size + MAX_ENTRIES).root()
            checkpoint = Checkpoint(origin=checkpoint.origin, size=size + MAX_ENTRIES, root=root)
            note = self.log.sign(checkpoint)
        request = transparency_pb2.CosignRequest(
            old_size=size,
            path=consistency_path_over(reader.subtree, size, checkpoint.size),
            note=note,
            entries=reader.entries(size, checkpoint.size),
        )
        return request, checkpoint

    async def _witness(self) -> None:
        """Cosign the witness's own log (step 4)."""
        note = await self.calls.note("")
        if not note:
            return
        checkpoint = verify_checkpoint(note, self.peer.anchor)
        held = next(
            (
                one
                for one in await asyncio.to_thread(self._held)
                if one.checkpoint.origin == checkpoint.origin
            ),
            None,
        )
        size = held.checkpoint.size if held else 0
        if held is not None and checkpoint.size < size:
            error = LogRollbackError(
                f"{self.peer.hub} shows {checkpoint.size} leaves of its log, {size} were cosigned"
            )
            await asyncio.to_thread(
                functools.partial(keep_evidence, held=held.note, shown=note),
                self.log,
                self.peer.hub,
                checkpoint,
                error,
            )
            raise error
        if held is not None and held.checkpoint == checkpoint:
            return
        path = await self.calls.consistency(size, checkpoint.size)
        at, store = size, self.log.mirror(checkpoint.origin)
        # What lies beyond a cosigned size proves nothing yet, and is written again if need be.
        async for leaves in self.calls.leaves(checkpoint, size):
            at = await asyncio.to_thread(extend_tiles, store, at, leaves)
        asked = Asked(old_size=size, path=path, note=note)
        answer: Answer = await asyncio.to_thread(witness, self.log, self.peer, asked)
        if not answer.lines:
            raise LogRollbackError(f"{checkpoint.origin} was not cosigned: {answer.refusal}")
        request = transparency_pb2.CosignRequest(note=note + answer.lines)
        await self.calls.cosign(request)
