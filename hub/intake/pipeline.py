"""The intake's pipeline: bounded queue, checking in threads, commit groups, receipts in order.

Rules of this module:

- The queue is bounded in bytes: whoever submits waits, and with it the sender's stream.
- Groups form by themselves: what arrived while the group before was at work is the next group.
- The next group is checked while the one before commits; groups commit one after the other.
- A result is set only after the commit of its group.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from hub.config import IntakeSettings
from hub.errors import HubError, HubStoreError, IntakeBusyError
from hub.intake.checking import Checked, EnvelopeChecker, Submitted
from hub.intake.committing import Committer, Refused, Result
from security.errors import SecurityError
from security.moments import to_ms

_LOG: Final = logging.getLogger(__name__)


class StreamGuard:
    """One Submit stream as the pipeline sees it.

    After the first refusal everything later of the stream is dropped: the protocol ends the
    stream there, and a gap behind it would only be noise in the log.
    """

    __slots__ = ("_verify", "is_over")

    def __init__(self, verify: Callable[[datetime], object]) -> None:
        """Guard a stream.

        Args:
            verify: Judges the caller's certificate at a moment; raises when it is not valid.
        """
        self._verify = verify
        self.is_over = False
        """Whether an envelope of the stream was refused."""

    def fault_at(self, now: datetime) -> SecurityError | HubError | None:
        """Why the caller is not to be trusted now; None when it is."""
        try:
            self._verify(now)
        except (SecurityError, HubError) as error:
            return error
        return None


@dataclass(slots=True, kw_only=True)
class _Ticket:
    guard: StreamGuard
    submitted: Submitted
    size: int
    result: asyncio.Future[Result | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Prepared:
    tickets: list[_Ticket]
    checked: list[Checked]
    now: datetime


@dataclass(slots=True, kw_only=True)
class IntakeCounters:
    """What the intake did since it started."""

    envelopes: int = 0
    groups: int = 0
    refused: int = 0
    largest_group: int = 0


class IntakePipeline:
    """Takes envelopes from any number of streams and answers each with a result."""

    def __init__(
        self,
        *,
        checker: EnvelopeChecker,
        committer: Committer,
        settings: IntakeSettings,
        now: Callable[[], datetime],
        after_group: Callable[[], None] = lambda: None,
    ) -> None:
        """Build a pipeline; ``run`` works it off.

        Args:
            checker: Verifies and opens envelopes.
            committer: Commits groups.
            settings: Bounds of groups, queue and threads.
            now: Tells the present moment, UTC-aware.
            after_group: Called in the committing thread after each commit.
        """
        self._checker = checker
        self._committer = committer
        self._settings = settings
        self._now = now
        self._after_group = after_group
        self._waiting: deque[_Ticket] = deque()
        self._waiting_bytes = 0
        self._closing = False
        # Everything below runs on the event loop's thread, so two events are enough.
        self._arrived = asyncio.Event()
        self._has_room = asyncio.Event()
        self._has_room.set()
        self.counters = IntakeCounters()
        """What was done so far."""

    async def submit(
        self, guard: StreamGuard, submitted: Submitted
    ) -> asyncio.Future[Result | None]:
        """Queue an envelope; waits while the queue is full.

        Returns:
            Its future result: a receipt, a refusal, or None when an earlier envelope
            of the stream was refused. It raises ``HubStoreError`` when the commit failed.

        Raises:
            IntakeBusyError: The hub is shutting down.
        """
        size = submitted.envelope.ByteSize()
        while not self._closing and not self._fits(size):
            self._has_room.clear()
            await self._has_room.wait()
        if self._closing:
            raise IntakeBusyError("The hub is shutting down; try again later.")
        ticket = _Ticket(
            guard=guard,
            submitted=submitted,
            size=size,
            result=asyncio.get_running_loop().create_future(),
        )
        self._waiting.append(ticket)
        self._waiting_bytes += size
        self._arrived.set()
        return ticket.result

    async def run(self) -> None:
        """Work until ``close`` was called and the queue is empty."""
        with (
            ThreadPoolExecutor(self._settings.threads, "hub-check") as checkers,
            ThreadPoolExecutor(1, "hub-commit") as writer,
        ):
            committing: asyncio.Task[None] | None = None
            while tickets := await self._next_group():
                prepared = await self._check(checkers, tickets)
                if prepared is None:
                    continue
                if committing is not None:
                    await committing
                committing = asyncio.create_task(self._commit(writer, prepared))
            if committing is not None:
                await committing

    def close(self) -> None:
        """Take nothing more; ``run`` ends when everything waiting was answered."""
        self._closing = True
        self._arrived.set()
        self._has_room.set()

    def _fits(self, size: int) -> bool:
        """Whether an envelope has room; one always has room in an empty queue."""
        bound = self._settings.queue_mib * 2**20
        return not self._waiting or self._waiting_bytes + size <= bound

    async def _next_group(self) -> list[_Ticket]:
        """The next group; empty when the pipeline is closed and drained."""
        while not self._waiting and not self._closing:
            self._arrived.clear()
            await self._arrived.wait()
        tickets: list[_Ticket] = []
        while self._waiting and len(tickets) < self._settings.group_max:
            ticket = self._waiting.popleft()
            self._waiting_bytes -= ticket.size
            tickets.append(ticket)
        self._has_room.set()
        return tickets

    async def _check(self, checkers: Executor, tickets: list[_Ticket]) -> _Prepared | None:
        now = self._now()
        now_ms = to_ms(now)
        loop = asyncio.get_running_loop()
        submitted = [ticket.submitted for ticket in tickets]
        share = max(8, -(-len(submitted) // self._settings.threads))
        chunks = [submitted[start : start + share] for start in range(0, len(submitted), share)]
        try:
            checked = await asyncio.gather(
                *(
                    loop.run_in_executor(checkers, self._checker.check_all, chunk, now_ms)
                    for chunk in chunks
                )
            )
        except Exception:  # noqa: BLE001 - see the module rules
            _LOG.exception("a group of %d envelopes could not be checked", len(tickets))
            _fail(tickets, HubStoreError("The group could not be checked; try again."))
            return None
        return _Prepared(
            tickets=tickets, checked=[item for chunk in checked for item in chunk], now=now
        )

    async def _commit(self, writer: Executor, prepared: _Prepared) -> None:
        loop = asyncio.get_running_loop()
        try:
            results = await loop.run_in_executor(writer, self._commit_group, prepared)
        except HubError as error:
            _fail(prepared.tickets, error)
        except Exception:  # noqa: BLE001 - the intake outlives a defect of one group
            # A defect must not stop the intake of everybody else: the group is answered with
            # "try again", and the trace is in the log.
            _LOG.exception("a commit group of %d envelopes failed", len(prepared.tickets))
            _fail(prepared.tickets, HubStoreError("The group could not be stored; try again."))
        else:
            for ticket, result in zip(prepared.tickets, results, strict=True):
                if not ticket.result.done():
                    ticket.result.set_result(result)

    def _commit_group(self, prepared: _Prepared) -> list[Result | None]:
        """Commit what is still to be trusted; at most one refusal per stream."""
        now_ms = to_ms(prepared.now)
        results: list[Result | None] = [None] * len(prepared.tickets)
        faults: dict[int, SecurityError | HubError | None] = {}
        trusted: list[int] = []
        for index, ticket in enumerate(prepared.tickets):
            guard = ticket.guard
            if guard.is_over:
                continue
            if id(guard) not in faults:
                faults[id(guard)] = guard.fault_at(prepared.now)
            fault = faults[id(guard)]
            if fault is None:
                trusted.append(index)
            else:
                guard.is_over = True
                results[index] = Refused(error=fault)
        if trusted:
            checked = [prepared.checked[index] for index in trusted]
            for index, result in zip(trusted, self._committer.commit(checked, now_ms), strict=True):
                results[index] = result
        for index, result in enumerate(results):
            if isinstance(result, Refused):
                prepared.tickets[index].guard.is_over = True
                self._committer.log_refusal(prepared.checked[index], result.error, now_ms)
                self.counters.refused += 1
        self.counters.groups += 1
        self.counters.envelopes += len(prepared.tickets)
        self.counters.largest_group = max(self.counters.largest_group, len(prepared.tickets))
        self._after_group()
        return results


def _fail(tickets: Sequence[_Ticket], error: HubError) -> None:
    for ticket in tickets:
        ticket.guard.is_over = True
        if not ticket.result.done():
            ticket.result.set_exception(error)
            # Its stream may be gone already: the error is then nobody's, and not worth a warning.
            ticket.result.exception()
