"""Two link desks (关联台), and the nodes that ask them: nobody alone names whom a token is of.

0. The provincial hub's member and a department's run one each; both trust the city to name nodes.
1. A node's officer tells its key to both desks, and takes over both desks' cards. The city's
   revocation list is brought to both.
2. Nodes send clues and join records; the city joins what they sent.
"""

import asyncio
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from deploy.demo.members import DemoHub, DemoNode
from deploy.demo.processes import Crew

_QUOTA: Final = 100_000
"""Points a node may ask for in a period."""
_DESKS: Final = (
    ("province-desk", "yixin://330000/hub/province"),
    ("health-desk", "yixin://330300/department/health"),
)


@dataclass(slots=True, kw_only=True)
class LinkDesks:
    """The desks of one demonstration."""

    crew: Crew
    work: Path
    """Directory of the demonstration."""
    found: int = 0
    """Overlapping stays that joining found."""
    overlaps: list[dict[str, Any]] = field(default_factory=list)
    """Those of one institution, each as it is shown."""

    @property
    def _cards(self) -> list[str]:
        return [str(self.work / f"{name}.card") for name, _ in _DESKS]

    def founding(self, trust: Path) -> Iterator[tuple[str, ...]]:
        """Give the commands that make both desks.

        Args:
            trust: The city hub's trust file, which is there when they run.
        """
        for (name, member), card in zip(_DESKS, self._cards, strict=True):
            place = str(self.work / name)
            own = ("--member", member, "--port", str(_free_port()))
            yield ("hub", "desk", "init", place, *own)
            yield ("hub", "desk", "trust", str(trust), "--dir", place)
            yield ("hub", "desk", "card", card, "--dir", place)

    async def serve(self) -> None:
        """Let both desks serve."""
        async with asyncio.TaskGroup() as group:
            for name, _ in _DESKS:
                place = self.work / name
                served = ("hub", "desk", "serve", "--dir", str(place))
                ready = place / "serve.json"
                group.create_task(self.crew.daemon(name, *served, ready=ready))

    async def admit(self, city: DemoHub, *nodes: DemoNode) -> None:
        """Let nodes that joined the city ask both desks, which learn whom the city revoked.

        Args:
            city: The hub that names nodes; it serves.
            nodes: The nodes; they serve.
        """
        asked: list[tuple[str, ...]] = []
        for node in nodes:
            at = ("--dir", str(node.directory))
            asked += [
                ("node", "clues", "key", *at),
                ("node", "clues", "desks", *self._cards, *at),
            ]
        keys = (await self.crew.ask_several(*asked))[::2]
        quota, revoked = ("--quota", str(_QUOTA)), str(self.work / "city.revocations")
        places = [str(self.work / name) for name, _ in _DESKS]
        await self.crew.ask_several(
            ("hub", "export-revocations", revoked, "--dir", str(city.directory)),
            *(("hub", "desk", "revocations", revoked, "--dir", place) for place in places),
            *(
                ("hub", "desk", "allow", one["member"], "--key", one["key"], *quota, "--dir", place)
                for one in keys
                for place in places
            ),
        )

    async def send(self, node: DemoNode) -> dict[str, Any]:
        """Let a node send its clues and join records.

        Args:
            node: The node.

        Returns:
            Answer of ``yixin node clues send``.
        """
        return await self.crew.ask("node", "clues", "send", "--dir", str(node.directory))

    async def join(self, city: DemoHub, institution: str) -> None:
        """Join what nodes sent, and look at the stays that overlap at one institution.

        Args:
            city: The hub that holds neither half of a key.
            institution: Institution of the later stay.
        """
        at = ("--dir", str(city.directory))
        _, listed = await self.crew.ask_several(
            ("hub", "clues", "join", *at), ("hub", "clues", "list", "--source", "J01", *at)
        )
        self.found = len(listed["rows"])
        self.overlaps = await self.crew.ask_several(
            *(
                ("hub", "clues", "show", one["id"], *at)
                for one in listed["rows"]
                if one["institution"] == institution
            )
        )


def _free_port() -> int:
    """Find a port that nobody listens on; a desk's card names its port before it serves."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])
