"""One hub and one node as processes, and what each of them holds."""

from dataclasses import dataclass
from pathlib import Path

from deploy.demo.members import DemoHub, DemoNode
from deploy.demo.processes import Crew
from hub.parts import open_parts
from hub.store.engine import reading
from node.app import opened, utc_now
from node.reports import measure_reports
from scoring_kernel import load_catalog
from scoring_kernel.measures import MonthlyMeasures
from tests.e2e.conftest import ask

CATALOG = load_catalog()


@dataclass(slots=True, kw_only=True)
class Town:
    """One hub and one node, as processes."""

    crew: Crew
    hub: DemoHub
    node: DemoNode
    hub_pid: int = 0

    async def serve_hub(self) -> None:
        self.hub.ready.unlink(missing_ok=True)
        self.hub_pid = await self.crew.daemon(
            "hub", "hub", "serve", "--dir", str(self.hub.directory), ready=self.hub.ready
        )

    async def join(self) -> None:
        where = ("--dir", str(self.hub.directory))
        division = ("--division", self.hub.division, "--name", self.hub.name)
        await self.crew.run("hub", "init", *where, "--level", self.hub.level, *division)
        await self.serve_hub()
        invited = await self.crew.ask(
            *("hub", "token", *where, "--approved", "--kind", "node"),
            *("--division", self.node.division),
            *("--code", self.node.custodian, "--institutions", str(self.node.custody)),
        )
        own = ("--dir", str(self.node.directory))
        await self.crew.run("node", "init", *own)
        await self.crew.run("node", "join", "--token", str(invited["token"]), *own)


def rows_of(measures: MonthlyMeasures) -> dict[tuple[str, int], tuple[int, ...]]:
    names = sorted(measures.columns)
    return {
        (str(subject), int(month)): tuple(int(measures.columns[name][row]) for name in names)
        for row, (subject, month) in enumerate(zip(measures.subjects, measures.months, strict=True))
    }


def measured_at_node(directory: Path) -> dict[str, dict[tuple[str, int], tuple[int, ...]]]:
    with opened(directory) as jobs:
        return {report.measure_set: rows_of(report.monthly()) for report in measure_reports(jobs)}


def held_at_hub(directory: Path) -> dict[str, dict[tuple[str, int], tuple[int, ...]]]:
    months = [*range(202501, 202513), *range(202601, 202613)]
    with (
        open_parts(directory, utc_now, writer=True) as parts,
        reading(parts.engine) as connection,
    ):
        return {
            name: rows_of(parts.statements.monthly(connection, name, months))
            for name in CATALOG.measure_sets
        }


def audited(work: Path, hub: DemoHub) -> object:
    """Verdict of the auditor over everything that was exchanged with a hub."""
    where = ("--dir", str(hub.directory))
    bundle, trust = work / "evidence.zip", work / "hub.trust"
    ask("hub", "export-trust", str(trust), *where)
    ask("audit", "export", *where, "--out", str(bundle))
    return ask("audit", "verify", str(bundle), "--trust", str(trust))["verdict"]
