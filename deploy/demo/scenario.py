"""The way from a message to a proven grade, in the order of the real world.

0. simulate a city, found both hubs and three nodes
1. hubs serve; the city joins the province, the nodes join the city, each by a one-use token
2. nodes serve, take in two half-years (files of messages, one hospital's last day through its
   gateway, a table through a mapping), mend what they refused, and pre-score institutions and
   pharmacies with what they know themselves
3. nodes send sealed statements
4. the city imports the departments' items, grades all nine classes of subjects and publishes
5. nodes collect their signed grade statements, pre-score again and compare
6. the city pushes to the province every class but the insured persons
7. an auditor verifies both hubs' evidence with nothing but a trust file; a node is backed up
"""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson

from deploy.demo.classes import SUBJECT_CLASS, registered_in, summarise
from deploy.demo.intake import Intake
from deploy.demo.members import DemoHub, DemoNode, hubs_in, node_in
from deploy.demo.processes import Crew, number
from deploy.demo.summary import Findings, Summary
from deploy.errors import DemoError
from deploy.simulation.city import COUNTY_CUSTODIAN
from deploy.simulation.simulate import DEFAULT_PERIODS

_TOKEN: Final = re.compile(r"yixin1\.[A-Za-z0-9_-]+")
_QUARANTINED: Final = (0, 1)
"""Exit codes of a run that went well; 1 says that something was quarantined."""

Report = Callable[[str, int, int], None]
"""Called with a step's name, parts done and parts in all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to demonstrate, and where."""

    work: Path
    """Directory of the demonstration."""
    institutions: int
    """Medical institutions of the simulated city."""
    claims: int
    """Claims over both half-years."""
    seed: int = 1
    """Seed of the city."""

    @property
    def simulation(self) -> Path:
        """Directory of the simulated city."""
        return self.work / "city"

    @property
    def period(self) -> str:
        """Period that is graded."""
        return DEFAULT_PERIODS[-1]


@dataclass(slots=True, kw_only=True)
class Scenario:
    """One run of the demonstration."""

    plan: Plan
    crew: Crew
    report: Report
    steps: dict[str, float] = field(default_factory=dict)
    nodes: tuple[DemoNode, ...] = ()
    registered: dict[str, int] = field(default_factory=dict)
    """Subjects of the simulated city by class."""

    async def run(self) -> Findings:
        """Go the whole way.

        Returns:
            What there is to show.

        Raises:
            DemoError: A command failed.
        """
        begun = time.monotonic()
        city, province = hubs_in(self.plan.work)
        await self._found(city, province)
        await self._join(city, province)
        intake = await self._take_in()
        await self._each_node("send statements", self._sync)
        graded = await self._grade(city)
        await self._each_node("collect grades", self._sync)
        compared = await self._each_node("pre-score again", self._prescore)
        await self._push(city)
        verdicts, explanation, _ = await _together(
            self._audit(city, province), self._explain(compared), self._back_up(intake)
        )
        states = await self._each_node("count", self._status)
        counted = await _together(self._hub(city, "status"), self._hub(province, "status"))
        hubs = {"city": counted[0], "province": counted[1]}
        senders = [*states, hubs["city"]]
        sizes = {level: number(state, "log_size") for level, state in hubs.items()}
        classes = summarise(graded, self.registered, hubs["province"], self.plan.period)
        main = classes[SUBJECT_CLASS]
        summary = Summary(
            institutions=self.plan.institutions,
            messages_in=sum(number(one, "messages") for one in states),
            records_stored=sum(sum(one["records"].values()) for one in states),
            quarantined=sum(number(one, "quarantined") for one in states),
            intake=intake.summary(states),
            envelopes_sent=sum(number(one, "envelopes_sent") for one in senders),
            receipts=sum(number(one, "receipts") for one in senders),
            subjects_graded=main.graded,
            grade_distribution=main.told,
            prescore_equal=sum(number(one, "prescore_equal") for one in compared),
            prescore_compared=sum(number(one, "prescore_compared") for one in compared),
            pushed=main.pushed,
            audit=_worst(verdicts.values()),
            basis=_basis(graded),
            seconds=round(time.monotonic() - begun, 1),
            classes=classes,
        )
        return Findings(
            summary=summary,
            explanation=explanation,
            log_sizes=sizes,
            verdicts=verdicts,
            steps=self.steps,
        )

    @contextmanager
    def _step(self, name: str, parts: int) -> Iterator[Callable[[], None]]:
        """Time a step and report its parts as they end."""
        begun = time.monotonic()
        done = 0
        self.report(name, 0, parts)

        def ended() -> None:
            nonlocal done
            done += 1
            self.report(name, done, parts)

        yield ended
        self.steps[name] = round(time.monotonic() - begun, 2)

    async def _each_node(
        self, name: str, act: Callable[[DemoNode], Awaitable[dict[str, Any]]]
    ) -> list[dict[str, Any]]:
        """Let every node do the same thing at the same time."""
        with self._step(name, len(self.nodes)) as ended:

            async def one(node: DemoNode) -> dict[str, Any]:
                answer = await act(node)
                ended()
                return answer

            return await _together(*(one(node) for node in self.nodes))

    # Step 0 and the hubs' part of step 1.
    async def _found(self, city: DemoHub, province: DemoHub) -> None:
        plan = self.plan
        with self._step("simulate a city, found the hubs", 3) as ended:

            async def simulated() -> None:
                await self.crew.run(
                    "simulate",
                    *("--institutions", str(plan.institutions), "--claims", str(plan.claims)),
                    *("--seed", str(plan.seed), "--out", str(plan.simulation)),
                )
                ended()

            async def founded(hub: DemoHub) -> None:
                place = ("--dir", str(hub.directory))
                await self.crew.run(
                    "hub",
                    "init",
                    *place,
                    *("--level", hub.level, "--division", hub.division, "--name", hub.name),
                )
                await self.crew.daemon(f"{hub.level}-hub", "hub", "serve", *place, ready=hub.ready)
                ended()

            await _together(simulated(), founded(city), founded(province))
        manifest = orjson.loads((plan.simulation / "manifest.json").read_bytes())
        self.registered = registered_in(manifest)
        self.nodes = tuple(
            node_in(plan.work, plan.simulation, custodian=one["name"], division=one["division"])
            for one in manifest["custodians"]
        )

    # Step 1.
    async def _join(self, city: DemoHub, province: DemoHub) -> None:
        with self._step("join by one-use tokens", 1 + len(self.nodes)) as ended:

            async def city_joins() -> None:
                token = await self._token(
                    province, "--kind", "hub", "--division", city.division, "--code", city.level
                )
                await self._hub(city, "join", "--token", token)
                ended()

            async def node_joins(node: DemoNode) -> None:
                token, _ = await _together(
                    self._token(
                        city,
                        *("--kind", "node", "--division", node.division),
                        *("--code", node.custodian, "--institutions", str(node.custody)),
                    ),
                    self._node(node, "init"),
                )
                await self._node(node, "join", "--token", token)
                await self.crew.daemon(
                    node.directory.name,
                    *("node", "serve", "--dir", str(node.directory)),
                    ready=node.ready,
                )
                ended()

            await _together(city_joins(), *(node_joins(node) for node in self.nodes))

    async def _token(self, hub: DemoHub, *arguments: str) -> str:
        out = await self.crew.run("hub", "token", "--dir", str(hub.directory), *arguments)
        found = _TOKEN.search(out)
        if found is None:
            raise DemoError(f"`yixin hub token` printed no token: {out[:200]!r}")
        return found.group()

    # Step 2.
    async def _take_in(self) -> Intake:
        intake = Intake(crew=self.crew, work=self.plan.work, simulation=self.plan.simulation)
        hospital = self.nodes[0]
        files = "take in two half-years"
        with (
            self._step(files, len(self.nodes)) as taken,
            self._step("a day at the till, through the gateway", 1) as passed,
            self._step("mend what was refused, replay", 1) as mended,
            self._step("a table through a mapping", 1) as mapped,
        ):

            async def of(node: DemoNode) -> None:
                await intake.from_files(node, last_day_live=node is hospital)
                taken()
                if node is hospital:
                    await intake.at_the_till(node)
                    passed()
                    await intake.mend(node)
                    mended()
                if node.custodian == COUNTY_CUSTODIAN:
                    await intake.from_table(node)
                    mapped()

            await _together(*(of(node) for node in self.nodes))
        await self._each_node("pre-score", self._prescore)
        return intake

    async def _prescore(self, node: DemoNode) -> dict[str, Any]:
        return await self._node(node, "prescore", "--period", self.plan.period)

    async def _sync(self, node: DemoNode) -> dict[str, Any]:
        return await self._node(node, "sync")

    async def _status(self, node: DemoNode) -> dict[str, Any]:
        return await self._node(node, "status")

    # Step 4.
    async def _grade(self, city: DemoHub) -> dict[str, Any]:
        with self._step("import items, grade nine classes, publish", 3) as ended:
            await self._hub(city, "import", str(self.plan.simulation / "departments"))
            ended()
            graded = await self._hub(city, "grade", "--period", self.plan.period)
            ended()
            await self._hub(city, "publish", "--period", self.plan.period)
            ended()
            return graded

    # Step 6.
    async def _push(self, city: DemoHub) -> dict[str, Any]:
        with self._step("push to the province", 1) as ended:
            push = await self._hub(city, "push", "--period", self.plan.period)
            ended()
            return push

    # Step 7.
    async def _audit(self, *hubs: DemoHub) -> dict[str, str]:
        with self._step("audit both hubs", len(hubs)) as ended:

            async def audited(hub: DemoHub) -> str:
                bundle = self.plan.work / f"{hub.level}.evidence.zip"
                trust = self.plan.work / f"{hub.level}.trust"
                await self._hub(hub, "export-trust", str(trust))
                await self.crew.run(
                    "audit", "export", "--dir", str(hub.directory), "--out", str(bundle)
                )
                answer = await self.crew.ask(
                    "audit", "verify", str(bundle), "--trust", str(trust), accepted=(0, 1, 2)
                )
                ended()
                return str(answer["verdict"])

            found = await _together(*(audited(hub) for hub in hubs))
            return {hub.level: verdict for hub, verdict in zip(hubs, found, strict=True)}

    async def _back_up(self, intake: Intake) -> None:
        """Back the hospital's node up."""
        with self._step("back a node up", 1) as ended:
            await intake.back_up(self.nodes[0])
            ended()

    async def _explain(self, compared: list[dict[str, Any]]) -> dict[str, Any]:
        """Explain the medical institution in the middle of the city's ranking."""
        ranked = sorted(
            (float(one["total"]), place, one["subject"])
            for place, answer in enumerate(compared)
            for one in answer["subjects"]
            if one["subject"].startswith("H")
        )
        _, place, subject = ranked[len(ranked) // 2]
        return await self._node(self.nodes[place], "explain", subject, "--period", self.plan.period)

    async def _hub(self, hub: DemoHub, command: str, *arguments: str) -> dict[str, Any]:
        return await self.crew.ask(
            "hub", command, *arguments, "--dir", str(hub.directory), accepted=_QUARANTINED
        )

    async def _node(
        self, node: DemoNode, command: str, *arguments: str, accepted: tuple[int, ...] = (0,)
    ) -> dict[str, Any]:
        return await self.crew.ask(
            "node", command, *arguments, "--dir", str(node.directory), accepted=accepted
        )


async def _together(*acts: Awaitable[Any]) -> list[Any]:
    """Do several things at the same time; the first failure cancels the others."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_awaited(act)) for act in acts]
    return [task.result() for task in tasks]


async def _awaited(act: Awaitable[Any]) -> Any:  # noqa: ANN401  # Hands through what it waits for.
    return await act


def _basis(graded: dict[str, Any]) -> str:
    """Give the status of the model behind the grades of medical institutions."""
    return next(
        str(one["basis"]) for one in graded["classes"] if one["subject_class"] == SUBJECT_CLASS
    )


def _worst(verdicts: Iterable[str]) -> str:
    """Give ``valid`` where every verdict is, else the first that is not."""
    return next((verdict for verdict in verdicts if verdict != "valid"), "valid")
