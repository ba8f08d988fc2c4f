"""The daemon's turn at packs, and when it starts again.

A process has one catalogue from its start to its end. So the daemon ends as for a stop: the running
job comes to a safe point, locks are given back, and the same program begins in its place.
"""

from collections.abc import Callable
from typing import Final

from node.api.errors import describe
from node.errors import NodeError
from security.errors import HubUnreachableError, SecurityError
from security.local_channel import ControlServer

__all__ = ["follow_packs"]

TURN: Final = "packs-turn"


async def follow_packs(
    server: ControlServer, say: Callable[[str], None], *, was_scored: bool
) -> bool:
    """Follow the hub's orders; a failure is said and tried again at the next turn.

    Args:
        server: Runs the jobs of the node.
        say: Takes a line for the operator.
        was_scored: Whether a pack held, or none was needed, when this process began.

    Returns:
        Whether to start again: another catalogue is in force than the one this process works
        with, or what it judges live has to begin or to end.
    """
    try:
        report = await server.run(TURN, {})
    except (HubUnreachableError, NodeError, SecurityError, OSError) as error:
        say(f"Packs could not be followed, will try again ({describe(error)[0]}): {error}")
        return False
    if report["problem"]:
        say(f"Packs: {report['problem']}")
    if report["switched"]:
        say(f"Packs: {report['switched']} is in force.")
    if report["restart"]:
        say("Starting again with the pack that is in force.")
    elif report["standing"]["is_scored"] != was_scored:
        say(f"Starting again: packs stand at {report['standing']['phase']}.")
    else:
        return False
    return True
