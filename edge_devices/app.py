"""Composition root of a terminal: the one place that builds its parts and reads the clock."""

import asyncio
import random
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from edge_devices import enrolling
from edge_devices.client import NodeClient
from edge_devices.config import DeviceSettings, load_settings
from edge_devices.enrolling import DeviceIdentity, load_identity
from edge_devices.errors import DeviceConfigurationError
from edge_devices.face_terminals import health as healths
from edge_devices.face_terminals.asking import AskLines
from edge_devices.face_terminals.identifying import Identified, Identifying, verify_allowed
from edge_devices.face_terminals.node_link import NodeLink
from edge_devices.face_terminals.person_enrolling import (
    Enrolling,
    enrolment_request,
    greeted,
)
from edge_devices.face_terminals.person_pictures import take_vectors
from edge_devices.face_terminals.program import Terminal, TerminalParts
from edge_devices.face_terminals.sources.driver import SourceDriver
from edge_devices.face_terminals.sources.port import SourceSpec, parse_source
from edge_devices.face_terminals.uplink import Uplink
from edge_devices.face_terminals.verifying import Verifier
from edge_devices.face_terminals.watchdog import RestartPolicy
from edge_devices.opened_device import OpenedDevice, opened_device

__all__ = [
    "Say",
    "enrol",
    "enrol_person",
    "identify",
    "renew",
    "run_terminal",
    "settings_with",
    "utc_now",
]

PICTURES_TIMEOUT_S: Final = 60.0
"""Longest time before the camera, to be enrolled or searched for."""
_ONE_FAILURE: Final = RestartPolicy(restarts=1)

Say = Callable[[str], None]


def utc_now() -> datetime:
    """The clock of the terminal."""
    return datetime.now(tz=UTC)


def steady_now() -> datetime:
    """Moments for waiting only: their differences hold when somebody sets the clock."""
    return datetime.fromtimestamp(time.monotonic(), tz=UTC)


def settings_with(directory: Path, given: dict[str, Any]) -> DeviceSettings:
    """Settings of a directory, with those that a command was given in front.

    Args:
        directory: The terminal's directory.
        given: Keys of the settings; None: not given.

    Raises:
        DeviceConfigurationError: The file or a value is wrong.
    """
    values = {name: value for name, value in given.items() if value is not None}
    return replace(load_settings(directory), **values)


def enrol(directory: Path, token: str) -> DeviceIdentity:
    """Join the node that a token invites to."""
    return asyncio.run(enrolling.enrol(directory, token, utc_now()))


def renew(directory: Path) -> DeviceIdentity:
    """Ask the node for a new certificate."""
    return asyncio.run(enrolling.renew(load_identity(directory), utc_now()))


def run_terminal(
    directory: Path,
    settings: DeviceSettings,
    *,
    asks: Path | None,
    is_once: bool,
    say: Say,
    answer: Callable[[dict[str, Any]], None],
) -> int:
    """Run a terminal until SIGTERM or SIGINT, or once through its asks.

    Args:
        directory: Its directory.
        settings: Its settings.
        asks: File or FIFO of asks; None: standard input.
        is_once: Whether to end with the asks.
        say: Takes a line for the operator.
        answer: Takes an answer for whoever asked.

    Returns:
        How many asks were refused as malformed.
    """
    spec = _source(settings)
    with opened_device(directory, settings) as device:
        return asyncio.run(
            _run(
                device,
                spec,
                AskLines(asks),
                say,
                answer,
                attempts=settings.attempts,
                is_once=is_once,
            )
        )


def enrol_person(directory: Path, settings: DeviceSettings, who: Enrolling, say: Say) -> bytes:
    """Enrol a person from the terminal's source.

    Args:
        directory: The terminal's directory.
        settings: Its settings.
        who: Who, and on what ground.
        say: Takes a line for the operator.

    Returns:
        Id of the template at the node.
    """
    spec = _source(settings)
    with opened_device(directory, settings) as device:
        return asyncio.run(_enrol_person(device, spec, who, say))


def identify(
    directory: Path, settings: DeviceSettings, search: Identifying, say: Say
) -> Identified:
    """Search the node's templates for whoever the terminal's source shows.

    Args:
        directory: The terminal's directory.
        settings: Its settings.
        search: What for.
        say: Takes a line for the operator.
    """
    spec = _source(settings)
    with opened_device(directory, settings) as device:
        return asyncio.run(_identify(device, spec, search, say))


async def _run(
    device: OpenedDevice,
    spec: SourceSpec,
    asks: AskLines,
    say: Say,
    answer: Callable[[dict[str, Any]], None],
    *,
    attempts: int,
    is_once: bool,
) -> int:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    health = healths.Health(device.directory / healths.FILE_NAME)
    policy = _ONE_FAILURE if is_once else None
    # Where one failure ends it all, the failure is told once, as the command's error.
    told = _unsaid if is_once else say
    source = SourceDriver(spec, steady=steady_now, say=told, policy=policy)
    key, running = device.identity.keys.signing, device.running
    async with NodeClient(device.identity, utc_now) as client:
        link = NodeLink(
            client,
            device.queue,
            device.cache,
            Uplink(steady_now(), random.Random()),  # noqa: S311 - it shortens pauses
            key=key,
            running=running,
            now=utc_now,
            steady=steady_now,
            say=say,
            faults=lambda: health.faults,
            memory_mib=lambda: (healths.memory_of("self") or {"peak": 0})["peak"],
        )
        verifier = Verifier(
            device.examiner,
            source,
            link,
            now=utc_now,
            steady=steady_now,
            attempts=attempts,
        )
        terminal = Terminal(
            TerminalParts(
                source=source,
                link=link,
                verifier=verifier,
                queue=device.queue,
                cache=device.cache,
                key=key,
                asks=asks,
                health=health,
            ),
            about={
                "device": str(device.identity.device),
                "release": running.version,
                "model": device.examiner.model,
                "pipeline": device.examiner.digest.hex(),
                "source_name": spec.shown,
            },
            now=utc_now,
            say=say,
            answer=answer,
            is_once=is_once,
        )
        say(f"Terminal {device.identity.device}, source {spec.shown}")
        await terminal.run(stop)
    return terminal.malformed


async def _enrol_person(device: OpenedDevice, spec: SourceSpec, who: Enrolling, say: Say) -> bytes:
    async with _driven(spec) as source, NodeClient(device.identity, utc_now) as client:
        standing = await greeted(client, device.queue, device.running)
        vectors, left_out = await take_vectors(
            source,
            device.examiner,
            threshold_e4=standing.threshold_e4,
            timeout_s=PICTURES_TIMEOUT_S,
        )
        say(f"{len(vectors)} pictures are sent as vectors; {left_out} differed, left out.")
        request = enrolment_request(who, vectors, standing, device.running.model)
        return (await client.enrol(request)).id


async def _identify(
    device: OpenedDevice, spec: SourceSpec, search: Identifying, say: Say
) -> Identified:
    async with NodeClient(device.identity, utc_now) as client:
        standing = await greeted(client, device.queue, device.running)
        verify_allowed(standing)
        async with _driven(spec) as source:
            (vector,), _ = await take_vectors(
                source, device.examiner, threshold_e4=None, timeout_s=PICTURES_TIMEOUT_S
            )
        say("One fit picture was taken; its vector is searched for.")
        request = search.request(vector, standing, device.running.model)
        return search.read(await client.identify(request))


@asynccontextmanager
async def _driven(spec: SourceSpec) -> AsyncIterator[SourceDriver]:
    """A source that is open, until the body ends.

    Raises:
        SourceError: It cannot be opened.
    """
    source = SourceDriver(spec, steady=steady_now, say=_unsaid, policy=_ONE_FAILURE)
    frames = asyncio.ensure_future(source.run())
    try:
        await source.opened()
        yield source
    finally:
        frames.cancel()
        with suppress(asyncio.CancelledError):
            await frames


def _source(settings: DeviceSettings) -> SourceSpec:
    if not settings.source:
        raise DeviceConfigurationError(
            "no source is named: give --source camera, rtsp://…, video:FILE or folder:DIR, or set "
            "source in device.toml"
        )
    return parse_source(settings.source, pace=settings.pace, upscale=settings.upscale)


def _unsaid(_: str) -> None:
    """Say nothing."""
