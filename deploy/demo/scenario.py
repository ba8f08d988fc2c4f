"""The way from a message to a proven grade, in the order of the real world.

0. simulate a city with cases of the supervision rules; found both hubs, two link desks and three
   nodes
1. hubs serve; the city joins the province, the nodes join the city, each by a one-use token
2. nodes serve, take in two half-years (files of messages, one hospital's last day through its
   gateway, a table through a mapping), mend what they refused, and pre-score institutions and
   pharmacies with what they know themselves; terminals verify faces, where models are there; the
   county's node runs the rules
3. nodes send sealed statements, then clues and join records
4. the city imports the departments' items, grades all nine classes of subjects and publishes
5. nodes collect their signed grade statements, pre-score again and compare
6. the city pushes to the province every class but the insured persons, and joins the nodes'
   records
7. an auditor verifies both hubs' evidence with nothing but a trust file; a node is backed up
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import InitVar, dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson

from deploy.demo.classes import SUBJECT_CLASS, basis_of, registered_in, summarise, worst_of
from deploy.demo.desks import LinkDesks
from deploy.demo.faces import FaceStep
from deploy.demo.founding import founding, inviting, joining
from deploy.demo.intake import Intake
from deploy.demo.members import DemoHub, DemoNode, hubs_in, node_in
from deploy.demo.plan import Plan
from deploy.demo.processes import Crew, number
from deploy.demo.sharing import Sharing
from deploy.demo.steps import Report, Steps
from deploy.demo.summary import Findings, Summary
from deploy.demo.supervision import Supervision
from deploy.demo.together import together
from deploy.simulation.city import COUNTY_CUSTODIAN

_QUARANTINED: Final = (0, 1)
"""Exit codes of a run that went well; 1 says that something was quarantined."""
_RECEIPTS_S: Final = 20.0
"""How long a receipt may be on its way before it is missing."""
_POLL_S: Final = 0.5


@dataclass(slots=True, kw_only=True)
class Scenario:
    """One run of the demonstration."""

    plan: Plan
    crew: Crew
    report: InitVar[Report]
    nodes: tuple[DemoNode, ...] = ()
    registered: dict[str, int] = field(default_factory=dict)
    """Subjects of the simulated city by class."""
    steps: Steps = field(init=False)
    intake: Intake = field(init=False)
    supervision: Supervision = field(init=False)
    sharing: Sharing = field(init=False)
    faces: FaceStep | None = field(init=False)

    def __post_init__(self, report: Report) -> None:
        """Prepare the steps, the intake, the desks and what they serve for."""
        self.steps = Steps(report=report)
        self.intake = Intake(crew=self.crew, work=self.plan.work, simulation=self.plan.simulation)
        self.sharing = Sharing(crew=self.crew)
        plan, desks = self.plan, LinkDesks(crew=self.crew, work=self.plan.work)
        self.supervision = Supervision(
            crew=self.crew, simulation=plan.simulation, period=plan.period, desks=desks
        )
        self.faces = FaceStep.of(self.crew, plan) if plan.faced else None

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
        taken_in = asyncio.Event()
        graded, _ = await together(self._take_in_and_grade(city, taken_in), self._find(taken_in))
        compared = await self._each_node("collect grades, pre-score again", self._compare)
        await self._push(city)
        asked = self._hospital.custodian
        await self._share(city, asked)
        verdicts, explanation, _, _ = await together(
            self._audit(city, province),
            self._explain(compared),
            self._back_up(),
            self._join_clues(city),
        )
        *states, city_state, province_state = await self._states(city, province)
        hubs = {"city": city_state, "province": province_state}
        senders = [*states, hubs["city"]]
        sizes = {level: number(state, "log_size") for level, state in hubs.items()}
        classes = summarise(graded, self.registered, hubs["province"], self.plan.period)
        main = classes[SUBJECT_CLASS]
        summary = Summary(
            institutions=self.plan.institutions,
            messages_in=sum(number(one, "messages") for one in states),
            records_stored=sum(sum(one["records"].values()) for one in states),
            quarantined=sum(number(one, "quarantined") for one in states),
            intake=self.intake.summary(states),
            supervision=self.supervision.summary(self.intake.prechecked),
            envelopes_sent=sum(number(one, "envelopes_sent") for one in senders),
            receipts=sum(number(one, "receipts") for one in senders),
            subjects_graded=main.graded,
            grade_distribution=main.told,
            prescore_equal=sum(number(one, "prescore_equal") for one in compared),
            prescore_compared=sum(number(one, "prescore_compared") for one in compared),
            pushed=main.pushed,
            audit=worst_of(verdicts.values()),
            basis=basis_of(graded),
            seconds=round(time.monotonic() - begun, 1),
            classes=classes,
            faces=None if self.faces is None else self.faces.summary(self.supervision.hits),
        )
        return Findings(
            summary=summary,
            explanation=explanation,
            hit=self.supervision.explained,
            log_sizes=sizes,
            asked={asked: self.sharing.shown},
            verdicts=verdicts,
            steps=self.steps.seconds,
        )

    async def _states(self, *hubs: DemoHub) -> list[dict[str, Any]]:
        """Ask every node and hub how it stands, again while a receipt is on its way."""
        begun = time.monotonic()
        while True:
            states = await self.crew.ask_several(
                *(("node", "status", "--dir", str(node.directory)) for node in self.nodes),
                *(("hub", "status", "--dir", str(hub.directory)) for hub in hubs),
            )
            *senders, _ = states
            waits = any(number(one, "envelopes_sent") > number(one, "receipts") for one in senders)
            if not waits or time.monotonic() - begun > _RECEIPTS_S:
                return states
            await asyncio.sleep(_POLL_S)

    async def _each_node(
        self, name: str, act: Callable[[DemoNode], Awaitable[dict[str, Any]]]
    ) -> list[dict[str, Any]]:
        """Let every node do the same thing at the same time."""
        with self.steps.step(name, len(self.nodes)) as ended:

            async def one(node: DemoNode) -> dict[str, Any]:
                answer = await act(node)
                ended()
                return answer

            return await together(*(one(node) for node in self.nodes))

    # Step 0 and the hubs' part of step 1.
    async def _found(self, city: DemoHub, province: DemoHub) -> None:
        plan = self.plan
        with self.steps.step("simulate a city, found hubs and link desks", 5) as ended:

            async def simulated() -> None:
                await self.crew.run(
                    "simulate",
                    *("--institutions", str(plan.institutions), "--claims", str(plan.claims)),
                    *("--seed", str(plan.seed), "--out", str(plan.simulation)),
                    *("--cases", "--stock-table"),
                )
                ended()

            async def served(hub: DemoHub) -> None:
                serve = ("hub", "serve", "--dir", str(hub.directory))
                await self.crew.daemon(f"{hub.level}-hub", *serve, ready=hub.ready)
                ended()

            async def desks_served() -> None:
                await self.supervision.desks.serve()
                ended()

            async def founded() -> None:
                desks = self.supervision.desks.founding(self._trust(city))
                hubs = (one for hub in (city, province) for one in founding(hub, self._trust(hub)))
                await self.crew.ask_several(*hubs, *desks)
                ended()
                await together(served(city), served(province), desks_served())

            async def calibrated() -> None:
                if self.faces is not None:
                    await self.faces.calibrate()

            await together(simulated(), founded(), calibrated())
        manifest = orjson.loads((plan.simulation / "manifest.json").read_bytes())
        self.registered = registered_in(manifest)
        self.nodes = tuple(
            node_in(plan.work, plan.simulation, custodian=one["name"], division=one["division"])
            for one in manifest["custodians"]
        )

    def _trust(self, hub: DemoHub) -> Path:
        """Trust file of a hub, for desks and auditors."""
        return self.plan.work / f"{hub.level}.trust"

    @property
    def _hospital(self) -> DemoNode:
        """Node whose last day comes through its gateway."""
        return self.nodes[0]

    @property
    def _county(self) -> DemoNode:
        """Node of many institutions, where the rules run."""
        return next(one for one in self.nodes if one.custodian == COUNTY_CUSTODIAN)

    # Step 1.
    async def _join(self, city: DemoHub, province: DemoHub) -> None:
        with self.steps.step("join by one-use tokens", 2 + len(self.nodes)) as ended:
            made = (("node", "init", "--dir", str(node.directory)) for node in self.nodes)
            invited = tuple(inviting(city, province, self.nodes))
            answers = await self.crew.ask_several(*invited, *made)
            ended()
            joined = joining(city, self.nodes, answers[: len(invited)])
            await self.crew.ask_several(*joined)
            ended()

            async def served(node: DemoNode) -> None:
                if node is self._hospital:
                    await self.intake.serve(node)
                elif node is self._county and self.faces is not None:
                    await self.faces.serve(node)
                else:
                    at = ("--dir", str(node.directory))
                    name = node.directory.name
                    await self.crew.daemon(name, "node", "serve", *at, ready=node.ready)
                ended()

            await together(*(served(node) for node in self.nodes))

    # Step 2.
    async def _take_in(self, city: DemoHub) -> None:
        intake = self.intake
        files = "take in two half-years"
        with (
            self.steps.step(files, len(self.nodes)) as taken,
            self.steps.step("a day at the till, through the gateway", 1) as passed,
            self.steps.step("mend what was refused, replay", 1) as mended,
            self.steps.step("let two nodes ask the link desks", 1) as known,
            self.steps.step("a table through a mapping, knowledge of the rules", 1) as mapped,
        ):

            async def of(node: DemoNode) -> None:
                await intake.from_files(node, last_day_live=node is self._hospital)
                taken()
                if node is self._hospital:
                    await intake.at_the_till(node)
                    passed()
                    await intake.mend(node)
                    mended()
                if node is self._county:
                    await intake.from_table(node)
                    await self.supervision.know(node)
                    mapped()

            async def admitted() -> None:
                await self.supervision.desks.admit(city, self._hospital, self._county)
                known()

            await together(admitted(), *(of(node) for node in self.nodes))

    async def _take_in_and_grade(self, city: DemoHub, taken_in: asyncio.Event) -> dict[str, Any]:
        await self._take_in(city)
        taken_in.set()
        return await self._state_and_grade(city)

    async def _find(self, taken_in: asyncio.Event) -> None:
        """Verify faces while files are taken in, then let the rules find what there is."""
        if self.faces is not None:
            with self.steps.step("verify faces at two windows and a ward", 2) as ended:
                await self.faces.verify(self._county)
                ended()
                await taken_in.wait()
                await self.faces.ask_and_settle(self._county)
                ended()
        await taken_in.wait()
        await self._find_and_send()

    async def _find_and_send(self) -> None:
        """Run the rules at the county's node; send clues and join records, persons as tokens."""
        with self.steps.step("run the rules, explain a hit", 1) as ended:
            await self.supervision.find(self._county)
            ended()
        with self.steps.step("send clues, by two link desks", 1) as ended:
            await self.supervision.send(self._hospital, self._county)
            ended()

    async def _join_clues(self, city: DemoHub) -> None:
        """Join what the nodes sent."""
        with self.steps.step("join what nodes cannot see alone", 1) as ended:
            await self.supervision.join(city)
            ended()

    async def _state(self, node: DemoNode) -> dict[str, Any]:
        """Pre-score with what the node knows itself, and send its statements."""
        prescored, _ = await self._ask_node(node, "prescore", "sync")
        return prescored

    async def _compare(self, node: DemoNode) -> dict[str, Any]:
        """Collect signed grades, and pre-score again."""
        _, prescored = await self._ask_node(node, "sync", "prescore")
        return prescored

    async def _ask_node(self, node: DemoNode, *commands: str) -> list[dict[str, Any]]:
        at = ("--dir", str(node.directory))
        period = {"prescore": ("--period", self.plan.period)}
        return await self.crew.ask_several(
            *(("node", one, *period.get(one, ()), *at) for one in commands)
        )

    # Step 4.
    async def _state_and_grade(self, city: DemoHub) -> dict[str, Any]:
        await self._each_node("pre-score, send statements", self._state)
        with self.steps.step("import items, grade nine classes, publish", 1) as ended:
            at, period = ("--dir", str(city.directory)), ("--period", self.plan.period)
            _, graded, _ = await self.crew.ask_several(
                ("hub", "import", str(self.plan.simulation / "departments"), *at),
                ("hub", "grade", *period, *at),
                ("hub", "publish", *period, *at),
            )
            ended()
            return graded

    # Step 6.
    async def _push(self, city: DemoHub) -> dict[str, Any]:
        with self.steps.step("push to the province", 1) as ended:
            push = await self._hub(city, "push", "--period", self.plan.period)
            ended()
            return push

    # Step 7.
    async def _audit(self, *hubs: DemoHub) -> dict[str, str]:
        with self.steps.step("audit both hubs", len(hubs)) as ended:

            async def audited(hub: DemoHub) -> str:
                bundle = self.plan.work / f"{hub.level}.evidence.zip"
                await self.crew.run(
                    "audit", "export", "--dir", str(hub.directory), "--out", str(bundle)
                )
                answer = await self.crew.ask(
                    "audit",
                    "verify",
                    str(bundle),
                    "--trust",
                    str(self._trust(hub)),
                    accepted=(0, 1, 2),
                )
                ended()
                return str(answer["verdict"])

            found = await together(*(audited(hub) for hub in hubs))
            return {hub.level: verdict for hub, verdict in zip(hubs, found, strict=True)}

    async def _share(self, city: DemoHub, subject: str) -> None:
        with self.steps.step("answer a question under an agreement", 1) as ended:
            await self.sharing.ask(city, subject, self.plan.period)
            ended()

    async def _back_up(self) -> None:
        """Back the hospital's node up."""
        with self.steps.step("back a node up", 1) as ended:
            await self.intake.back_up(self._hospital)
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
