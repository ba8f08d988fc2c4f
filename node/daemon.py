"""The daemon of a node: takes commands and messages; much it does by the clock.

It synchronises, sends clues, tidies up, and has rules and topics run every night.
"""

import asyncio
import signal
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final

from node.api.errors import describe
from node.clue_jobs import READERS as CLUE_READERS
from node.config import CONTROL_SOCKET, NodeSettings
from node.desk_jobs import READERS as DESK_READERS
from node.edge_jobs import READERS as EDGE_READERS
from node.errors import NodeError
from node.jobs import NodeJobs
from node.night_jobs import last_night
from node.nightly import Nightly, night_kept
from node.operation_jobs import READERS as OPERATION_READERS
from node.pack_jobs import READERS as PACK_READERS
from node.pack_jobs import standing_of
from node.packs.restarting import follow_packs
from node.rule_jobs import READERS as RULE_READERS
from security.channels import ignore_late_events
from security.errors import HubUnreachableError, SecurityError
from security.local_channel import ControlServer

__all__ = ["READERS", "serve"]

READERS: Final = (
    "status",
    "explain",
    "receipts",
    *DESK_READERS,
    *RULE_READERS,
    *CLUE_READERS,
    *OPERATION_READERS,
    *PACK_READERS,
    *EDGE_READERS,
)
"""Jobs that change nothing and do not wait for the writer."""
TIDY_EVERY: Final = timedelta(hours=1)
"""Longer than any command reads: files that were merged away before are needed by none."""
_DAEMON: Final = "node"
"""Who deletes by the clock, in the log of operators."""


async def serve(
    directory: Path,
    jobs: NodeJobs,
    settings: NodeSettings,
    now: Callable[[], datetime],
    say: Callable[[str], None],
) -> bool:
    """Serve until SIGTERM or SIGINT; the running job comes to a safe point first.

    Args:
        directory: State directory; the caller holds its lock.
        jobs: The node's jobs.
        settings: The node's settings.
        now: The clock.
        say: Takes a line for the operator.

    Returns:
        Whether to start again, because another pack is in force.
    """
    from node.edge_serving import devices_served  # noqa: PLC0415  # keeps other commands fast
    from node.serving import interface_served  # noqa: PLC0415

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(ignore_late_events)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    table: dict[str, Any] = dict(jobs.table())
    server = ControlServer(directory / CONTROL_SOCKET, table, describe=describe, readers=READERS)
    await server.start()
    say(f"Node {directory} is serving commands on {directory / CONTROL_SOCKET}")
    tidied, starting = now(), True
    standing, restart = standing_of(jobs), False
    if not standing.is_scored:
        say(f"NOT SCORED ({standing.phase}): {standing.problem or 'see yixin node packs status'}")
    try:
        nightly = Nightly(
            directory,
            settings.supervision,
            server.run,
            partial(last_night, jobs.store),
            now=now,
            say=say,
        )
        async with (
            interface_served(directory, settings, jobs.store, jobs.catalog, now, say=say),
            devices_served(settings, jobs.store, now, say=say),
            night_kept(nightly),
        ):
            while not stop.is_set():
                try:
                    await asyncio.wait_for(stop.wait(), timeout=settings.sync.interval_s)
                except TimeoutError:
                    await _renew(server, jobs, say)
                    if await _sync(server, jobs, say, starting=starting):
                        starting = False
                    await _send_clues(server, jobs, say)
                    if await follow_packs(server, say, was_scored=standing.is_scored):
                        restart = True
                        stop.set()
                    if now() - tidied >= TIDY_EVERY and not nightly.is_running:
                        await asyncio.to_thread(_tidy, jobs, now(), say)
                        tidied = now()
            say("Stopping after the running job.")
    finally:
        await server.stop()
    return restart


def _tidy(jobs: NodeJobs, now: datetime, say: Callable[[str], None]) -> None:
    """Close days, remove files that merging left over and faces whose time is over.

    A failure is said and tried again.
    """
    try:
        jobs.store.record_ledger.close_days(now)
        jobs.store.sweep_merged()
        deleted = jobs.kept_faces().delete(_DAEMON)
        if deleted:
            words = ", ".join(f"{kind} {count}" for kind, count in deleted.items())
            say(f"Deleted, their time being over: {words}.")
    except (NodeError, SecurityError, OSError) as error:
        say(f"Tidying up failed, will try again: {describe(error)[1]}")


async def _send_clues(server: ControlServer, jobs: NodeJobs, say: Callable[[str], None]) -> None:
    """Clues by the clock, when they are due; a desk that is down stops nothing else."""
    if jobs.link is None:
        return
    try:
        report = await server.run("clues_send", {"if_due": True})
    except (HubUnreachableError, NodeError, SecurityError) as error:
        say(f"Clues were not sent, will try again ({describe(error)[0]}): {error}")
    else:
        if report["due"]:
            say(f"Clues: {report['clues']} stand, {report['sent']} envelopes sent.")


async def _renew(server: ControlServer, jobs: NodeJobs, say: Callable[[str], None]) -> None:
    """Certificates past the half of their time; a failure stops nothing while they still hold."""
    if jobs.link is None:
        return
    try:
        report = await server.run("renew", {"if_due": True})
    except (NodeError, SecurityError) as error:
        say(f"Certificates were not renewed, will try again ({describe(error)[0]}): {error}")
    else:
        if report["renewed"]:
            say(f"Certificates renewed: TLS until {report['tls_certificate_ends']}.")


async def _sync(
    server: ControlServer, jobs: NodeJobs, say: Callable[[str], None], *, starting: bool
) -> bool:
    """One synchronisation by the clock; a failure is said and tried again at the next turn."""
    if jobs.link is None:
        return False
    try:
        report = await server.run("sync", {"starting": starting})
    except HubUnreachableError as error:
        say(f"Hub unreachable, will try again: {error}")
    except (NodeError, SecurityError) as error:
        say(f"Synchronisation failed ({describe(error)[0]}): {error}")
    else:
        say(
            f"Synchronised: {report['envelopes_sent']} sent, "
            f"{report['receipts_quarantined']} of them with refused content, "
            f"{report['collected']} collected."
        )
        return True
    return False
