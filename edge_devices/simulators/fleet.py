"""A fleet of terminals in one process (终端机群模拟), to see how a node bears them.

0. Every terminal joins with its own token, or is joined already.
1. The first one that may enrol does so for the drawn people.
2. All verify people at the same time; some are impostors.
3. It ends when the node holds every event.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from edge_devices.enrolling import enrol, is_enrolled, load_identity
from edge_devices.errors import DeviceConfigurationError, NodeUnreachableError
from edge_devices.face_terminals.events import Purpose
from edge_devices.simulators.terminals import DrawnTerminal
from edge_devices.simulators.world import DrawnFaces
from security.devices import Place, parse_device_id
from security.devices.token import DeviceToken
from security.progress import no_progress

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from edge_devices.enrolling import DeviceIdentity
    from security.progress import ProgressReporter

__all__ = ["FleetOrder", "FleetResult", "join_fleet", "run_fleet"]

DIMENSION: Final = 128
_ENROLS: Final = frozenset((Place.WINDOW, Place.PHARMACY))
_STAGE: Final = "verifying"


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetOrder:
    """What a fleet does."""

    events: int
    """Verifications, over all terminals."""
    persons: int
    """Drawn people."""
    impostors: float
    """Share of verifications at which somebody else stands there, 0 to 1."""
    seed: int
    """Of faces and of who comes."""
    flush_s: float = 60.0
    """Longest wait for the node to hold everything, seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetResult:
    """What came of it."""

    terminals: int
    """Terminals that ran."""
    events: int
    """Events that were made."""
    impostors: int
    """Of these, those at which somebody else stood there."""
    verdicts: Mapping[str, int]
    """What the terminals told, by word; the node judges by itself."""
    refused: int
    """Events that the node will never take; it says why to each terminal."""
    seconds: float
    """From the first verification until the node held the last event."""


async def join_fleet(
    tokens: Sequence[str], directory: Path, now: Callable[[], datetime]
) -> tuple[DeviceIdentity, ...]:
    """Join with tokens that were not used yet; directories are named by place and name.

    Args:
        tokens: One a terminal.
        directory: Where the terminals' directories lie.
        now: The clock, UTC-aware.

    Returns:
        Who they are, in the order of the tokens.

    Raises:
        DeviceConfigurationError: There is no token, or two are for one device.
        TokenError: A token is damaged or expired.
        NodeUnreachableError: The node did not answer.
        JoinRefusedError: The node refused.
    """
    devices = [DeviceToken.decode(token).device for token in tokens]
    if not devices or len(set(devices)) != len(devices):
        raise DeviceConfigurationError(
            f"found {len(devices)} tokens for {len(set(devices))} devices, expected one a device; "
            "make them with `yixin node device token`"
        )
    found = []
    for token, device in zip(tokens, devices, strict=True):
        name = parse_device_id(device)
        place = directory / f"{name.institution}-{name.place}-{name.name}"
        if is_enrolled(place):
            found.append(load_identity(place))
        else:
            found.append(await enrol(place, token, now()))
    return tuple(found)


async def run_fleet(
    identities: Sequence[DeviceIdentity],
    order: FleetOrder,
    *,
    now: Callable[[], datetime],
    steady: Callable[[], datetime],
    say: Callable[[str], None],
    progress: ProgressReporter = no_progress,
) -> FleetResult:
    """Run a fleet.

    Args:
        identities: Its terminals.
        order: What it does.
        now: The clock, UTC-aware.
        steady: A clock that nobody sets, UTC-aware.
        say: Takes a line for the operator.
        progress: Told of the verifications.

    Returns:
        What came of it.

    Raises:
        DeviceConfigurationError: No terminal stands where people are enrolled.
        NodeUnreachableError: The node did not answer, or does not hold all events in time.
        NodeRefusedError: It refused a terminal or an enrolment.
        QueueError: A terminal could not keep an event.
    """
    faces = DrawnFaces(order.persons, DIMENSION, seed=order.seed)
    places = [parse_device_id(one.device).place for one in identities]
    if not _ENROLS.intersection(places):
        raise DeviceConfigurationError(
            "no terminal stands at a window or in a pharmacy, where people are enrolled; add one"
        )
    async with AsyncExitStack() as stack:
        terminals = [
            await stack.enter_async_context(
                DrawnTerminal.opened(
                    identity, faces, now=now, steady=steady, rng=_rng(order, at), say=say
                )
            )
            for at, identity in enumerate(identities)
        ]
        enroller = terminals[min(map(places.index, _ENROLS.intersection(places)))]
        for person in range(order.persons):
            await enroller.enrol(person, now())
        begun = steady()
        done = 0

        def told() -> None:
            nonlocal done
            done += 1
            progress(_STAGE, done, order.events)

        impostors = await asyncio.gather(
            *(
                _work(terminal, place, order, range(at, order.events, len(terminals)), told)
                for at, (terminal, place) in enumerate(zip(terminals, places, strict=True))
            )
        )
        for identity, terminal in zip(identities, terminals, strict=True):
            newest = terminal.queue.span.newest
            if not await terminal.link.wait_for(newest, order.flush_s):
                raise NodeUnreachableError(
                    f"{identity.device}: after {order.flush_s:.0f} s the node holds "
                    f"{terminal.link.uplink.through} of {newest} events; the others wait in the "
                    "queue, run it again"
                )
        seconds = (steady() - begun).total_seconds()
        verdicts = [terminal.verdicts for terminal in terminals]
    return FleetResult(
        terminals=len(terminals),
        events=order.events,
        impostors=sum(impostors),
        refused=sum(terminal.link.refused_events for terminal in terminals),
        verdicts={word: sum(one[word] for one in verdicts) for word in set().union(*verdicts)},
        seconds=seconds,
    )


async def _work(
    terminal: DrawnTerminal,
    place: Place,
    order: FleetOrder,
    part: range,
    told: Callable[[], None],
) -> int:
    """Let one terminal do its part; how many impostors came."""
    rng = _rng(order, part.start, 1)
    purpose = Purpose.BED_CHECK if place is Place.BED else Purpose.VISIT
    impostors = 0
    # Nobody is asked for at two counters at once: every terminal has its own people.
    own = range(part.start % order.persons, order.persons, part.step)
    for _ in part:
        asked = shown = rng.choice(own)
        if order.persons > 1 and rng.random() < order.impostors:
            shown = (asked + rng.randrange(1, order.persons)) % order.persons
            impostors += 1
        await terminal.verify(asked, shown, purpose)
        told()
    return impostors


def _rng(order: FleetOrder, *place: int) -> random.Random:
    drawn = hashlib.sha256(repr((order.seed, *place)).encode()).digest()
    return random.Random(drawn)  # noqa: S311 - who comes to a simulated counter
