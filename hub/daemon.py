"""The daemon of a hub: both servers, the intake, the command socket, and an orderly end.

Order of an end: no new streams, streams in work are answered, the queue is committed, the running
job comes to a safe point, the segments are flushed. A kill at any moment loses nothing either.
"""

import asyncio
import gc
import json
import logging
import os
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from hub.api.admission import Admission
from hub.api.enrolment import EnrolmentServicer
from hub.api.errors import describe
from hub.api.exchange import ExchangeServicer
from hub.api.servers import ServerKeys, start_enrolment, start_exchange
from hub.api.transparency import TransparencyServicer
from hub.config import CONTROL_SOCKET
from hub.errors import ConfigurationError, HubError
from hub.exchange import enrolment
from hub.exchange.downlink import Downlink
from hub.exchange.opening import Opening
from hub.exchange.renewing import renew
from hub.intake.checking import EnvelopeChecker
from hub.intake.committing import Committer
from hub.intake.pipeline import IntakePipeline
from hub.jobs import READERS, HubJobs
from hub.packs.serving import place_of, served_root
from hub.packs.using import is_other_in_force
from hub.parts import (
    SERVE_FILE,
    Addresses,
    HubParts,
    find_addresses,
    save_addresses,
)
from hub.services import SERVICES
from hub.store.engine import writing
from hub.store.refusals import RefusedAttempt, add_refusal
from hub.supervision.expiring import expire
from protos.yixin.v1 import enrolment_pb2
from security.errors import SecurityError, UntrustedCertificateError
from security.grpc_serving import RunningServer
from security.local_channel import ControlServer
from security.moments import to_ms
from security.private_files import write_private

EXPIRE_EVERY_S: Final = 900.0
"""Time between two looks at what is kept too long, seconds: a day's end is never far."""
LOOK_EVERY_S: Final = 1.0
"""Time between two looks at which pack is in use, seconds: one small file."""
GRACE_S: Final = 5.0
"""Longest wait for streams that are open when the hub stops, seconds."""
_LOG: Final = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class Daemon:
    """One run of a hub."""

    parts: HubParts
    """What the hub is made of."""
    say: Callable[[str], None]
    """Speaks to the operator."""
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    """Set to end the run."""
    after_group: Callable[[], None] = lambda: None
    """Called in the committing thread after each commit, before its receipts leave."""
    restart: bool = field(default=False, init=False)
    """Whether the run ended because another pack is in use: the program has to begin anew."""
    addresses: Addresses | None = field(default=None, init=False)
    """Ports this run listens on; None before it does."""
    _flusher: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(1, "hub-flush"), init=False, repr=False
    )
    _flushing: threading.Event = field(default_factory=threading.Event, init=False, repr=False)

    async def run(self) -> None:
        """Serve until ``stop`` is set.

        Raises:
            ConfigurationError: An address cannot be bound.
            LocalChannelError: Another daemon listens on the command socket.
        """
        parts = self.parts
        serve_file = parts.directory / SERVE_FILE
        serve_file.unlink(missing_ok=True)
        jobs = HubJobs(parts=parts)
        control = ControlServer(
            parts.directory / CONTROL_SOCKET, jobs.table(), describe=describe, readers=READERS
        )
        pipeline = self._pipeline()
        async with AsyncExitStack() as stack:
            # Catalogue and modules never die: the collector need not look at them again.
            gc.freeze()
            stack.callback(gc.unfreeze)
            stack.callback(self._flusher.shutdown)
            work = asyncio.create_task(pipeline.run())
            stack.push_async_callback(self._drain, pipeline, work)
            await control.start()
            stack.push_async_callback(control.stop)
            expiring = asyncio.create_task(self._expire_daily())
            stack.push_async_callback(self._end, expiring)
            looking = asyncio.create_task(self._follow_pack())
            stack.push_async_callback(self._end, looking)
            for service in SERVICES:
                await stack.enter_async_context(service(parts, self.say))
            stack.callback(serve_file.unlink, missing_ok=True)
            while not self.stop.is_set():
                await self._serve_once(pipeline)

    async def _expire_daily(self) -> None:
        """Delete what is kept too long, now and then; a day that fails is tried again soon."""
        parts = self.parts
        while not self.stop.is_set():
            try:
                expired = await asyncio.to_thread(
                    expire, parts.engine, parts.catalog.joining, parts.now()
                )
            except HubError:
                _LOG.exception("what is kept too long could not be deleted")
            else:
                if not expired.is_empty:
                    self.say(
                        f"Deleted after their retention: {expired.records} join records, "
                        f"{expired.clues} clues, {expired.findings} findings; "
                        f"{expired.envelopes} envelopes emptied."
                    )
            with suppress(TimeoutError):
                await asyncio.wait_for(self.stop.wait(), EXPIRE_EVERY_S)

    async def _follow_pack(self) -> None:
        """End the run when another pack is in use than the one this process works with."""
        while not self.stop.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self.stop.wait(), LOOK_EVERY_S)
            try:
                changed = not self.stop.is_set() and is_other_in_force(self.parts)
            except SecurityError:
                _LOG.exception("the file that names the pack in use cannot be read")
                continue
            if changed:
                self.say("Another pack is in use; starting again with it.")
                self.restart = True
                self.stop.set()

    async def _end(self, task: asyncio.Task[None]) -> None:
        self.stop.set()
        await task

    async def _serve_once(self, pipeline: IntakePipeline) -> None:
        """Serve until the end, or until the server's own certificate must be renewed."""
        parts = self.parts
        now = parts.now()
        certificate, renew_at = parts.identity.server_certificate(
            parts.settings.network.advertised_host, now
        )
        keys = ServerKeys(
            key_pem=parts.identity.tls_key_pem,
            certificate_pem=certificate,
            ca_certificate_pem=parts.identity.ca_certificate_pem,
        )
        exchange, enrol = await self._start(pipeline, keys)
        try:
            self._announce(Addresses(exchange_port=exchange.port, enrolment_port=enrol.port))
            await _wait(self.stop, (renew_at - now).total_seconds())
        finally:
            await asyncio.gather(exchange.stop(GRACE_S), enrol.stop(GRACE_S))

    async def _start(
        self, pipeline: IntakePipeline, keys: ServerKeys
    ) -> tuple[RunningServer, RunningServer]:
        parts = self.parts
        network = parts.settings.network
        known = self.addresses or find_addresses(parts.directory)
        downlink = Downlink(
            engine=parts.engine,
            identity=parts.identity,
            outbox=parts.outbox,
            keyring=parts.keys.keyring,
        )
        admission = Admission(
            engine=parts.engine,
            ca_certificate_pem=parts.identity.ca_certificate_pem,
            confirm=self._confirm,
            now=parts.now,
        )
        transparency = TransparencyServicer(admission=admission, log=parts.log)
        exchange_servicer = ExchangeServicer(
            admission=admission,
            opening=Opening(
                engine=parts.engine,
                identity=parts.identity,
                keys=parts.keys,
                checkpoint=parts.log.newest_note,
            ),
            pipeline=pipeline,
            downlink=downlink,
            packs=place_of(parts).served,
            now=parts.now,
        )
        enrolment_servicer = EnrolmentServicer(
            join=self._join, renew=self._renew, log_refusal=self._log_refusal, now=parts.now
        )

        async def exchange_at(port: int) -> RunningServer:
            return await start_exchange(exchange_servicer, transparency, keys, network.bind, port)

        async def enrolment_at(port: int) -> RunningServer:
            return await start_enrolment(enrolment_servicer, keys, network.bind, port)

        exchange = await _bind(
            exchange_at, network.exchange_port, known.exchange_port if known else 0
        )
        try:
            enrol = await _bind(
                enrolment_at, network.enrolment_port, known.enrolment_port if known else 0
            )
        except ConfigurationError:
            await exchange.stop(0)
            raise
        return exchange, enrol

    def _pipeline(self) -> IntakePipeline:
        parts = self.parts
        return IntakePipeline(
            checker=EnvelopeChecker(
                hub=parts.identity.hub,
                decryption_keys=parts.identity.decryption_keys,
                keyring=parts.keys.keyring,
                measure_sets=parts.stated_sets,
                joining=parts.catalog.joining,
            ),
            committer=Committer(
                parts.engine, parts.identity, parts.statements, parts.catalog.joining
            ),
            settings=parts.settings.intake,
            now=parts.now,
            after_group=self._after_group,
        )

    def _announce(self, addresses: Addresses) -> None:
        parts = self.parts
        self.addresses = addresses
        save_addresses(parts.directory, addresses)
        exchange = parts.address(addresses.exchange_port)
        enrol = parts.address(addresses.enrolment_port)
        content = {
            "pid": os.getpid(),
            "exchange": exchange,
            "enrolment": enrol,
            "control": str(parts.directory / CONTROL_SOCKET),
        }
        write_private(parts.directory / SERVE_FILE, json.dumps(content).encode(), replace=True)
        self.say(f"{parts.identity.hub} serves members on {exchange}, enrolment on {enrol}.")

    async def _drain(self, pipeline: IntakePipeline, work: asyncio.Task[None]) -> None:
        pipeline.close()
        await work

    def _join(
        self, request: enrolment_pb2.JoinRequest, now: datetime
    ) -> enrolment_pb2.JoinResponse:
        parts = self.parts
        response = enrolment.join(
            parts.engine,
            parts.identity,
            request,
            exchange_address=parts.address(parts.addresses().exchange_port),
            settings=parts.settings,
            now=now,
        )
        if not response.HasField("pending"):
            response.pack_root = served_root(parts)
        return response

    def _renew(
        self, request: enrolment_pb2.RenewRequest, now: datetime
    ) -> enrolment_pb2.RenewResponse:
        parts = self.parts
        return renew(parts.engine, parts.identity, request, settings=parts.settings, now=now)

    def _confirm(self, member: str, now_ms: int) -> None:
        enrolment.confirm(self.parts.engine, member, now_ms)

    def handshake_failed(self, reason: str) -> None:
        """Log a TLS handshake that failed before any call began; see ``hub.api.handshakes``."""
        attempt = RefusedAttempt(
            at_ms=to_ms(self.parts.now()),
            peer="unknown caller",
            method="TLS",
            code=UntrustedCertificateError.__name__,
            cause=f"the handshake failed: {reason}",
        )
        try:
            self._log_refusal(attempt)
        except HubError:
            _LOG.exception("a failed handshake could not be logged")

    def _log_refusal(self, attempt: RefusedAttempt) -> None:
        with writing(self.parts.engine) as connection:
            add_refusal(connection, attempt)

    def _after_group(self) -> None:
        self.after_group()
        bound = self.parts.settings.intake.flush_mib * 2**20
        if self.parts.statements.staged_bytes >= bound and not self._flushing.is_set():
            self._flushing.set()
            self._flusher.submit(self._flush)

    def _flush(self) -> None:
        try:
            moved = self.parts.statements.flush(self.parts.engine)
            _LOG.info("moved %d staged envelopes into segments", moved)
        except (HubError, SecurityError, OSError):
            # What is staged stays staged and counts; the next group tries again.
            _LOG.exception("staged rows could not be written into segments")
        finally:
            self._flushing.clear()


async def _bind(
    start: Callable[[int], Awaitable[RunningServer]], wanted: int, last: int
) -> RunningServer:
    """Listen on the set port, else on that of the last run, else on a free one."""
    if wanted or not last:
        return await start(wanted)
    try:
        return await start(last)
    except ConfigurationError:
        _LOG.warning("port %d of the last run is taken; members must join again", last)
        return await start(0)


async def _wait(stop: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stop.wait(), timeout=seconds)
    except TimeoutError:
        return
