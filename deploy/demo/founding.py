"""The commands that found hubs, invite members and let them join, in the order they run.

Several run in one process (``Crew.ask_several``): an interpreter takes longer to start than any of
them to work.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from deploy.demo.members import DemoHub, DemoNode

Command = tuple[str, ...]
"""Arguments after ``yixin``."""


def founding(hub: DemoHub, trust: Path) -> Iterator[Command]:
    """Make a hub and write its trust file.

    Args:
        hub: The hub.
        trust: File for desks and auditors.
    """
    place = ("--dir", str(hub.directory))
    named = ("--level", hub.level, "--division", hub.division, "--name", hub.name)
    yield ("hub", "init", *place, *named)
    yield ("hub", "export-trust", str(trust), *place)


def inviting(city: DemoHub, province: DemoHub, nodes: Sequence[DemoNode]) -> Iterator[Command]:
    """Make a one-use token for the city, then one for each node.

    Args:
        city: Hub that the nodes are to join.
        province: Hub that the city is to join.
        nodes: The nodes.
    """
    own = ("--division", city.division, "--code", city.level)
    place = ("--approved", "--dir")
    yield ("hub", "token", "--kind", "hub", *own, *place, str(province.directory))
    for node in nodes:
        own = ("--division", node.division, "--code", node.custodian)
        custody = ("--institutions", str(node.custody))
        yield ("hub", "token", "--kind", "node", *own, *custody, *place, str(city.directory))


def joining(
    city: DemoHub, nodes: Sequence[DemoNode], answers: Sequence[dict[str, Any]]
) -> Iterator[Command]:
    """Let the city and the nodes join by their tokens.

    Args:
        city: The hub that joins the province.
        nodes: The nodes that join the city.
        answers: What the commands of ``inviting`` answered, in their order.
    """
    rooms = (("hub", city.directory), *(("node", node.directory) for node in nodes))
    for (room, directory), answer in zip(rooms, answers, strict=True):
        yield (room, "join", "--token", str(answer["token"]), "--dir", str(directory))
