"""The desk of the interface: calls that come together share one commit, each gets its answer.

3101 and 3102 are judged and answered at once (``prechecks``); what they were told is taken in
behind them. All others:
0. A call waits until the thread of the intake is free, at most a few milliseconds where it is.
1. What waits by then, up to 256 calls, is taken in together.
2. Each answer says what became of its own message, and is made after the commit.
3. A call whose commit takes too long is told to come again: the msgid makes that safe.
"""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from node.api.his.answering import Answering
from node.api.his.own_faults import place_of
from node.api.his.prechecks import LARGE_BYTES, PreCheck, PreChecks
from node.api.his.screening import Call, Screened, Screening
from node.domain.official_answers import RECEIVED
from node.domain.own_answers import own_answer
from node.errors import StoreError
from node.intake.answers import taken_text
from node.intake.lines import Line
from node.intake.outcomes import Taken

__all__ = ["InterfaceDesk", "LineIntake"]

GROUP_CALLS: Final = 256
KEPT_WAIT_S: Final = 0.5
"""Longest time that what 3101 and 3102 were told waits for others to share its commit."""
MAX_BEHIND: Final = 10_000
"""So many calls that wait, and what 3101 and 3102 were told is not kept."""
GROUP_WAIT_S: Final = 0.002
"""Lets calls that come at the same moment share a commit; the commit itself gathers more."""

_NOT_KEPT: Final = (
    "未收存：节点存储不可用，请用同一msgid重发 / not kept: the store failed; send it again"
)
_OUR_FAULT: Final = (
    "未收存：节点程序错误，请联系运维 / not kept: a fault of this program; report it"
)
_LATE: Final = "尚未确认收存，请用同一msgid重发 / not confirmed in time; send it again"
_CLOSING: Final = "节点正在停止，请稍后用同一msgid重发 / stopping; send it again"

_LOG: Final = logging.getLogger(__name__)


class LineIntake(Protocol):
    """Takes lines into the store, in the thread that the desk gives it."""

    def take(self, source: str, lines: Sequence[Line]) -> Sequence[Taken | None]:
        """Take lines in; durable when it returns."""

    def settle(self) -> None:
        """Do what need not be done before the answers leave."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Waiting:
    call: Call
    answer: asyncio.Future[bytes] | None = field(repr=False)
    """None where the call has its answer already."""
    kept: bytes | None = field(default=None, repr=False)
    """What is taken in then."""


class InterfaceDesk:
    """Answers calls; lives on one event loop."""

    def __init__(
        self,
        intake: LineIntake,
        screening: Screening,
        answering: Answering,
        writer: Executor,
        *,
        source: str,
        is_mirror: bool,
        answer_timeout_s: float,
        find_prechecks: Callable[[], PreChecks | None] = lambda: None,
    ) -> None:
        """Take the parts.

        Args:
            intake: Takes lines in.
            screening: Makes lines of calls.
            answering: Makes answers.
            writer: One thread.
            source: Name of this run of the desk, for the quarantine.
            is_mirror: True where calls are copies of what the platform answers.
            answer_timeout_s: Longest wait for a commit, seconds.
            find_prechecks: Gives what judges 3101 and 3102; None while nothing is judged.
        """
        self._find_prechecks = find_prechecks
        self._intake = intake
        self._screening = screening
        self._answering = answering
        self._writer = writer
        self._source = source
        self._is_mirror = is_mirror
        self._answer_timeout_s = answer_timeout_s
        self._waiting: deque[_Waiting] = deque()
        self._news = asyncio.Event()
        self._urgent = asyncio.Event()
        self._number = 0
        self._worker: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to take calls."""
        self._worker = asyncio.create_task(self._work())

    async def stop(self) -> None:
        """Let the running commit end; calls that still wait are told to come again."""
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await worker
        for one in self._waiting:
            self._settle(one, self._answering.failed(_CLOSING, received_at=one.call.received_at))
        kept = [one for one in self._waiting if one.kept is not None]
        self._waiting.clear()
        if kept:
            await asyncio.get_running_loop().run_in_executor(self._writer, self._take, kept)

    async def answer(self, call: Call) -> bytes:
        """Take a call in and answer it; the answer leaves after the commit."""
        if self._worker is None:
            return self._answering.failed(_CLOSING, received_at=call.received_at)
        prechecks = self._find_prechecks()
        if prechecks is not None:
            asked = self._screening.find_judged(call)
            found = None if asked is None else await self._judged(prechecks, *asked)
            if found is not None:
                self._keep(call, found)
                return self._answering.received(
                    found.words, found.output, received_at=call.received_at, msgid=found.msgid
                )
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(call=call, answer=answer))
        self._news.set()
        self._urgent.set()
        try:
            return await asyncio.wait_for(asyncio.shield(answer), self._answer_timeout_s)
        except TimeoutError:
            return self._answering.failed(_LATE, received_at=call.received_at)

    @staticmethod
    async def _judged(
        prechecks: PreChecks, request: Mapping[str, Any], body: bytes
    ) -> PreCheck | None:
        """Judge a call here, unless it is long or another one is being judged."""
        if len(body) <= LARGE_BYTES and not prechecks.is_busy:
            return prechecks.find_answer(request, body)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(None, prechecks.find_answer, request, body)

    def _keep(self, call: Call, found: PreCheck) -> None:
        """Have what was told taken in; dropped, and logged, where the store is far behind."""
        if found.kept is None:
            return
        if len(self._waiting) >= MAX_BEHIND:
            _LOG.error("a warning that was told could not be kept: the store is far behind")
            return
        self._waiting.append(_Waiting(call=call, answer=None, kept=found.kept))
        self._news.set()

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._news.wait()
            if not self._urgent.is_set():
                # Nobody waits for what is kept: it shares a commit with what comes next.
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._urgent.wait(), KEPT_WAIT_S)
            elif len(self._waiting) < GROUP_CALLS:
                await asyncio.sleep(GROUP_WAIT_S)
            size = min(GROUP_CALLS, len(self._waiting))
            group = [self._waiting.popleft() for _ in range(size)]
            if not self._waiting:
                self._news.clear()
            if all(one.answer is None for one in self._waiting):
                self._urgent.clear()
            # A stop waits for the thread: what is being committed gets its answer.
            task = loop.run_in_executor(self._writer, self._take, group)
            try:
                answers = await asyncio.shield(task)
            except asyncio.CancelledError:
                self._hand_out(group, await task)
                raise
            self._hand_out(group, answers)
            loop.run_in_executor(self._writer, self._intake.settle)

    def _hand_out(self, group: Sequence[_Waiting], answers: Sequence[bytes]) -> None:
        for one, answer in zip(group, answers, strict=True):
            self._settle(one, answer)

    @staticmethod
    def _settle(one: _Waiting, answer: bytes) -> None:
        if one.answer is not None and not one.answer.done():
            one.answer.set_result(answer)

    def _take(self, group: Sequence[_Waiting]) -> list[bytes]:
        """Take a group in and make its answers; runs in the thread."""
        calls = [one.call for one in group]
        screened = [self._screened(one) for one in group]
        lines = [one.line for one in screened if one is not None]
        try:
            taken = iter(self._intake.take(self._source, lines) if lines else ())
        except StoreError:
            return [
                self._answering.failed(_NOT_KEPT, received_at=call.received_at) for call in calls
            ]
        return [
            self._answered(call, one, next(taken) if one is not None else None)
            for call, one in zip(calls, screened, strict=True)
        ]

    def _screened(self, one: _Waiting) -> Screened | None:
        self._number += 1
        if one.kept is not None:
            return Screened(line=Line(number=self._number, body=one.kept))
        call = one.call
        try:
            return self._screening.screen(self._number, call)
        except Exception as error:  # noqa: BLE001  # any fault of ours; its text may quote a record
            _LOG.error("a call could not be screened: %s", place_of(error))
            return None

    def _answered(self, call: Call, screened: Screened | None, taken: Taken | None) -> bytes:
        if screened is None or taken is None:
            return self._answering.failed(_OUR_FAULT, received_at=call.received_at)
        infcode, text = taken_text(taken, settles_elsewhere=self._is_mirror)
        if screened.own and infcode == RECEIVED:
            output, words = own_answer(screened.own)
            return self._answering.received(
                words, output, received_at=call.received_at, msgid=taken.msgid
            )
        return self._answering.made(infcode, text, received_at=call.received_at, msgid=taken.msgid)
