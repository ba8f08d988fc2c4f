"""The daemon's side of edge devices: both ports, their flows, and one thread for each port.

Rules:
- Flows of devices work on the one store, beside the interface; its lock keeps them apart.
- Enrolment is open to everybody: what strangers ask for waits in a line of its own.
- With port 0 the ports of the last run are taken again where they are free.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import datetime

from node.api.edge.admission import Admission, Worker
from node.api.edge.enrolment import EdgeEnrolmentServicer
from node.api.edge.intake import EdgeFlows, EdgeIntakeServicer
from node.api.edge.refusals import RefusalLog
from node.api.edge.servers import start_enrolment, start_intake
from node.config import NodeSettings
from node.device_enrolment import (
    PORTS_SETTING,
    DeviceEnrolment,
    edge_address,
    edge_hosts,
)
from node.errors import ConfigurationError
from node.presence.enrolling import TemplateDesk
from node.presence.greeting import Reception
from node.presence.receiving import PresenceDesk
from node.store import NodeStore
from security.grpc_serving import RunningServer

__all__ = ["devices_served"]

GRACE_S = 5.0
Start = Callable[[int], Awaitable[RunningServer]]


@asynccontextmanager
async def devices_served(
    settings: NodeSettings,
    store: NodeStore,
    now: Callable[[], datetime],
    *,
    say: Callable[[str], None],
) -> AsyncIterator[None]:
    """Serve edge devices where `[edge] enabled` says so.

    Args:
        settings: The node's settings.
        store: The node's store; this process is its writer.
        now: The clock, UTC-aware.
        say: Tells the operator.

    Yields:
        While it serves.

    Raises:
        ConfigurationError: An address cannot be bound, or is none that devices can go to.
    """
    edge = settings.edge
    if not edge.enabled:
        yield
        return
    edge_address(edge, 1)  # Said before anything listens.
    # What a stranger's bytes do to the decoder is nobody's news; each would be a traceback.
    logging.getLogger("grpc._cython.cygrpc").setLevel(logging.CRITICAL)
    store.edge.devices.sweep_tokens(now())
    authority = store.edge.devices.authority(now(), edge_hosts(edge))
    templates = TemplateDesk(store, settings.faces)
    await asyncio.to_thread(templates.prepare, now())
    flows = EdgeFlows(
        reception=Reception(store=store, settings=settings.faces, transform=templates.transform),
        templates=templates,
        presence=PresenceDesk(store, settings.faces, edge),
    )
    log = RefusalLog(say)
    with (
        ThreadPoolExecutor(1, thread_name_prefix="devices") as flowing,
        ThreadPoolExecutor(1, thread_name_prefix="enrolment") as enrolling,
    ):
        admission = Admission(
            store=store, authority=authority, worker=Worker(flowing), log=log, now=now
        )
        servicer = EdgeIntakeServicer(admission, flows, settings.faces)
        last = _last_ports(store)
        intake = await _bound(
            lambda port: start_intake(servicer, authority, edge.host, port), edge.port, last[0]
        )
        try:
            enrolment = DeviceEnrolment(
                store=store,
                authority=authority,
                intake_address=edge_address(edge, intake.port),
                certificate_days=edge.certificate_days,
            )
            joining = EdgeEnrolmentServicer(enrolment, Worker(enrolling), log, now)
            joins = await _bound(
                lambda port: start_enrolment(joining, authority, edge.host, port),
                edge.enrolment_port,
                last[1],
            )
            try:
                store.set_setting(PORTS_SETTING, f"{intake.port} {joins.port}")
                say(
                    f"Devices deliver at {edge_address(edge, intake.port)} and join at "
                    f"{edge_address(edge, joins.port)}"
                )
                yield
            finally:
                await joins.stop(GRACE_S)
        finally:
            await intake.stop(GRACE_S)
            templates.close()


def _last_ports(store: NodeStore) -> tuple[int, int]:
    """Ports of the last run: intake and enrolment; 0 before the first."""
    intake, _, enrolment = (store.setting(PORTS_SETTING) or "0 0").partition(" ")
    return int(intake), int(enrolment)


async def _bound(start: Start, wanted: int, last: int) -> RunningServer:
    """Listen on the set port, else on that of the last run, else on a free one."""
    if wanted or not last:
        return await start(wanted)
    try:
        return await start(last)
    except ConfigurationError:
        return await start(0)
