"""Supervision in the demonstration: rules at the county's node, clues joined at the city's hub.

0. Knowledge points and tables go into the county's node; it holds every injected case's records.
1. Its rules run; what they found is compared with what was injected, and one hit is explained.
2. Two nodes send clues and join records, with tokens that two desks make; the city joins them.
"""

import asyncio
import csv
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from deploy.demo.desks import LinkDesks
from deploy.demo.members import DemoHub, DemoNode
from deploy.demo.processes import Crew, number
from deploy.demo.supervision_summary import SupervisionSummary
from deploy.simulation.injected.across_nodes import ACROSS_NODES
from scoring_kernel.periods import Period

_EXPLAINED: Final = "M33"
"""Rule of the hit that is explained: it rests on two stays, so it shows most."""
_LISTED: Final = "10000"


@dataclass(slots=True, kw_only=True)
class Supervision:
    """The supervision of one demonstration."""

    crew: Crew
    simulation: Path
    """Directory of the simulated city."""
    period: str
    """Period of the injected cases; stock is told in full in no other."""
    desks: LinkDesks
    explained: dict[str, Any] = field(default_factory=dict)
    """Answer of ``yixin node rules explain`` for one hit."""
    _points: int = 0
    _run: dict[str, Any] = field(default_factory=dict)
    _shown: dict[str, Any] = field(default_factory=dict)
    _recall: list[dict[str, Any]] = field(default_factory=list)
    _sent: list[dict[str, Any]] = field(default_factory=list)

    async def know(self, node: DemoNode) -> None:
        """Import knowledge points, and the tables that nobody publishes.

        Args:
            node: The county's node.
        """
        tables = sorted((self.simulation / "knowledge").iterdir())
        files = map(str, (self.simulation / "knowledge_points.csv", *tables))
        answer = await self.crew.ask(
            "rules", "import-knowledge", *files, "--dir", str(node.directory)
        )
        self._points = sum(number(one, "bound") for one in answer["files"])

    async def find(self, node: DemoNode) -> None:
        """Run the rules, compare their hits with the truth, explain one.

        Args:
            node: The county's node.
        """
        at = ("--dir", str(node.directory))
        first = ("--from", f"{Period.parse(self.period).first_day:%Y%m}")
        self._run, self._shown = await self.crew.ask_several(
            ("node", "rules", "run", *first, *at),
            ("node", "rules", "show", "--limit", _LISTED, *at),
        )
        hits = [one["id"] for one in self._shown["hits"] if one["rule"] == _EXPLAINED]
        recall, *explained = await self.crew.ask_several(
            ("simulate", "recall", str(self.simulation), str(node.directory)),
            *(("node", "rules", "explain", hit, *at) for hit in hits[:1]),
        )
        self._recall = recall["rules"]
        self.explained = explained[0] if explained else {}

    async def send(self, *nodes: DemoNode) -> None:
        """Let nodes send their clues and join records.

        Args:
            nodes: Those that may ask the desks.
        """
        async with asyncio.TaskGroup() as group:
            sent = [group.create_task(self.desks.send(node)) for node in nodes]
        self._sent = [one.result() for one in sent]

    async def join(self, city: DemoHub) -> None:
        """Let the city join what the nodes sent.

        Args:
            city: The city's hub.
        """
        await self.desks.join(city, self._across()[-1])

    def _across(self) -> list[str]:
        """Institutions of the injected stays that overlap across nodes, in order of time."""
        with (self.simulation / "rule_truth.csv").open(encoding="utf-8", newline="") as file:
            return [
                row["institution"] for row in csv.DictReader(file) if row["note"] == ACROSS_NODES
            ]

    @property
    def hits(self) -> list[dict[str, Any]]:
        """Hits of the county's node."""
        hits: list[dict[str, Any]] = self._shown["hits"]
        return hits

    def summary(self, precheck: Mapping[str, str]) -> SupervisionSummary:
        """Sum up what was found.

        Args:
            precheck: What the till was told, see ``Precheck.told``.
        """
        across = self._across()
        found = [
            one
            for one in self.desks.overlaps
            if [source["institution"] for source in one["detail"]["sources"]] == across
        ]
        return SupervisionSummary(
            knowledge_points=self._points,
            rules=len(self._run["rules"]),
            rules_stopped=len(self._run["stopped"]),
            hits=sum(number(one, "hits") for one in self._shown["totals"]),
            amount_fen=sum(number(one, "amount_fen") for one in self._shown["totals"]),
            cases=sum(number(one, "cases") for one in self._recall),
            cases_found=sum(number(one, "found") for one in self._recall),
            near_misses=sum(number(one, "near_misses") for one in self._recall),
            near_misses_hit=sum(number(one, "near_hits") for one in self._recall),
            clues=sum(number(one, "clues") for one in self._sent),
            stays_sent=sum(one["join_parts"].get("stay", 0) for one in self._sent),
            persons_asked=sum(number(one, "asked") for one in self._sent),
            overlaps=self.desks.found,
            overlap_across=" + ".join(across) if found else "",
            overlap_hours=number(found[0]["detail"]["numbers"], "overlap_hours") if found else 0,
            **precheck,
        )
