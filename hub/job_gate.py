"""The gate before every job: role, signature, four eyes and the operator log.

Rules: a job that writes is noted twice, in transactions of their own: before it begins and with
what came of it. So whoever kills the hub in the middle leaves a beginning without an end. Jobs
that only read are not noted; a refused command is, with its cause, among the refused attempts.
"""

import asyncio
import inspect
import logging
import threading
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from hub.api.authorisation.jobs import roles_of
from hub.api.errors import describe
from hub.errors import HubError, RoleError
from hub.operators import (
    BEGUN,
    Actor,
    Asked,
    OperatorEntry,
    acting_as,
    approve,
    identify,
    note,
    require,
    waits,
)
from hub.parts import HubParts
from hub.store.engine import reading, writing
from hub.store.refusals import RefusedAttempt, add_refusal
from security.errors import BadSignatureError
from security.moments import to_ms
from security.operator.commands import (
    EARLIEST_MS,
    LATEST_MS,
    SignedCommand,
    split_signed,
)
from security.progress import ProgressReporter

__all__ = ["APPROVE", "guarded"]

Result: TypeAlias = dict[str, Any]
Job: TypeAlias = Callable[[Result, ProgressReporter], Result | Awaitable[Result]]
APPROVE: Final = "approve"
"""The job by which a second person runs what a first one asked for."""
_SUBJECTS: Final = ("member", "period", "id", "name")
"""Arguments that name what a job is about; none of them names a person of a record."""
_LOG: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pass:
    """A job that may run."""

    job: str
    arguments: Result
    actor: Actor
    digest: bytes
    asked_by: str = ""


@dataclass(slots=True, kw_only=True)
class _Gate:
    """Lets jobs of one hub through."""

    parts: HubParts
    jobs: Mapping[str, Job]
    readers: Collection[str]
    _read: dict[bytes, int] = field(default_factory=dict, init=False)
    """Nonces of commands that read, until they are too old; they leave no row behind."""
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def table(self) -> Mapping[str, Job]:
        """The jobs behind the gate, and the one that approves."""
        table = {name: self._behind(name, job) for name, job in self.jobs.items()}
        return {**table, APPROVE: self._approve}

    def _behind(self, name: str, job: Job) -> Job:
        if inspect.iscoroutinefunction(job):

            async def run_async(arguments: Result, progress: ProgressReporter) -> Result:
                let = await asyncio.to_thread(self._enter, name, arguments)
                try:
                    with acting_as(let.actor):
                        result: Result = await job(let.arguments, progress)
                except Exception as error:
                    await asyncio.to_thread(self._leave, let, error)
                    raise
                await asyncio.to_thread(self._leave, let)
                return result

            return run_async

        def run(arguments: Result, progress: ProgressReporter) -> Result | Awaitable[Result]:
            return self._run(self._enter(name, arguments), job, progress)

        return run

    def _run(self, let: _Pass, job: Job, progress: ProgressReporter) -> Result | Awaitable[Result]:
        try:
            with acting_as(let.actor):
                result = job(let.arguments, progress)
        except Exception as error:
            self._leave(let, error)
            raise
        self._leave(let)
        return result

    def _approve(self, arguments: Result, progress: ProgressReporter) -> Result:
        """Run what another person asked for."""
        let = self._enter(APPROVE, arguments)
        job = self.jobs[let.job]

        def run(given: Result, report: ProgressReporter) -> Result | Awaitable[Result]:
            result = job(given, report)
            return asyncio.run(_finish(result)) if inspect.isawaitable(result) else result

        result = self._run(let, run, progress)
        return {"job": let.job, "asked_by": let.asked_by, "result": result}

    def _enter(self, name: str, given: Result) -> _Pass:
        """Let a job through, and note that it begins.

        Raises:
            RoleError: Who asks may not have it run.
            ApprovalNeededError: It waits for a second person.
        """
        signed: SignedCommand | None = None
        try:
            try:
                arguments, signed = split_signed(given)
            except BadSignatureError as error:
                raise RoleError(f"{error}.") from error
            asked = Asked(
                hub=self.parts.identity.hub,
                job=name,
                arguments=arguments,
                roles=roles_of(name),
                signed=signed,
                now_ms=to_ms(self.parts.now()),
            )
            if name in self.readers:
                return self._enter_reading(asked)
            return self._enter_writing(asked)
        except RoleError as error:
            self._note_refusal(name, signed, error)
            raise

    def _enter_reading(self, asked: Asked) -> _Pass:
        with reading(self.parts.engine) as connection:
            actor = identify(connection, asked)
        self._use_once(actor, asked.now_ms)
        return _Pass(job=asked.job, arguments=dict(asked.arguments), actor=actor, digest=b"")

    def _enter_writing(self, asked: Asked) -> _Pass:
        vault = self.parts.identity.vault
        with writing(self.parts.engine) as connection:
            actor = identify(connection, asked)
            self._use_once(actor, asked.now_ms)
            if asked.job == APPROVE:
                through = approve(connection, asked, actor, vault)
                let = _Pass(
                    job=through.job,
                    arguments=dict(through.arguments),
                    actor=actor,
                    digest=through.digest,
                    asked_by=through.asked_by,
                )
                note(connection, self._entry(asked, actor, f"approved for {through.asked_by}"))
                note(connection, self._begun(let, asked.now_ms))
                return let
            waiting = require(connection, asked, actor, vault)
            if waiting is None:
                let = _Pass(
                    job=asked.job,
                    arguments=dict(asked.arguments),
                    actor=actor,
                    digest=asked.digest,
                )
                note(connection, self._begun(let, asked.now_ms))
                return let
        raise waits(waiting)

    def _entry(self, asked: Asked, actor: Actor, outcome: str) -> OperatorEntry:
        return OperatorEntry(
            hub=asked.hub,
            at_ms=asked.now_ms,
            job=asked.job,
            outcome=outcome,
            subject=_subject(asked.arguments),
            arguments_digest=asked.digest,
            actor=actor,
        )

    def _begun(self, let: _Pass, now_ms: int, outcome: str = BEGUN) -> OperatorEntry:
        return OperatorEntry(
            hub=self.parts.identity.hub,
            at_ms=now_ms,
            job=let.job,
            outcome=outcome,
            subject=_subject(let.arguments),
            arguments_digest=let.digest,
            actor=let.actor,
        )

    def _leave(self, let: _Pass, error: Exception | None = None) -> None:
        """Note what came of a job; if that fails the beginning stands alone and is seen."""
        if let.job in self.readers:
            return
        outcome = "done" if error is None else f"failed: {describe(error)[0]}"
        try:
            with writing(self.parts.engine) as connection:
                note(connection, self._begun(let, to_ms(self.parts.now()), outcome))
        except HubError:
            _LOG.exception("the end of job %s could not be noted", let.job)

    def _use_once(self, actor: Actor, now_ms: int) -> None:
        """Refuse a command that this process took before; the log's rows know the others."""
        if not actor.nonce:
            return
        with self._lock:
            late = now_ms - LATEST_MS - EARLIEST_MS
            self._read = {nonce: at_ms for nonce, at_ms in self._read.items() if at_ms > late}
            if actor.nonce in self._read:
                raise RoleError(
                    f"This very command of {actor.name!r} was taken before; sign it anew."
                )
            self._read[actor.nonce] = now_ms

    def _note_refusal(self, job: str, signed: SignedCommand | None, error: RoleError) -> None:
        attempt = RefusedAttempt(
            at_ms=to_ms(self.parts.now()),
            peer="command socket" if signed is None else f"operator {signed.name}",
            method=f"job {job}",
            code=type(error).__name__,
            cause=str(error),
        )
        try:
            with writing(self.parts.engine) as connection:
                add_refusal(connection, attempt)
        except HubError:
            _LOG.exception("a refused command could not be logged")


def guarded(
    jobs: Mapping[str, Job], parts: HubParts, *, readers: Collection[str]
) -> Mapping[str, Job]:
    """Put the gate before all jobs of a hub.

    Args:
        jobs: Jobs by name.
        parts: What the hub is made of.
        readers: Names of the jobs that change nothing.

    Returns:
        The same jobs behind the gate, and ``approve``.
    """
    return _Gate(parts=parts, jobs=jobs, readers=frozenset(readers)).table()


def _subject(arguments: Mapping[str, Any]) -> str:
    for name in _SUBJECTS:
        found = arguments.get(name)
        if isinstance(found, str) and found:
            return found
    return ""


async def _finish(result: Awaitable[Result]) -> Result:
    return await result
