"""Faces in the demonstration: who stands at the window, and who does not lie in the bed.

0. A threshold is found for the county's first hospital, on people who do not come.
1. Three terminals join the county's node by one-use tokens: two windows and a ward; three people
   are enrolled.
2. One window sees another face than the card's, three times; the other one sees the right face;
   the ward's terminal looks into an empty bed, twice.
3. The till asks about both at the window (3101), and settles; the stay ends.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import httpx
import orjson

from deploy.demo.face_people import Faced, link_pictures, write_empty_bed
from deploy.demo.face_summary import FaceSummary
from deploy.demo.face_visits import FaceVisits
from deploy.demo.members import DemoNode
from deploy.demo.plan import Plan
from deploy.demo.precheck import until_judged
from deploy.demo.processes import Crew, number
from deploy.demo.settings import change_settings
from deploy.demo.together import together
from deploy.errors import DemoError
from deploy.simulation.city import Person, build_city
from edge_devices.simulators.world import FaceFolders, write_pairs

__all__ = ["FaceStep"]

FAR: Final = "0.01"
_PICTURES: Final = 4
"""Of each person, to calibrate with."""
_IMPOSTURES, _BED_CHECKS = 3, 2
_CALL_S: Final = 30.0
_WARNED: Final = "W04"
_RULES: Final = ("M35", "M29")
_SETTINGS: Final = {
    "interface": {"enabled": "true", "port": "0"},
    "edge": {"enabled": "true", "port": "0", "enrolment_port": "0"},
    # Pictures of a few pixels are too small for a model of liveness.
    "faces": {"liveness_required": "false", "retries": "0", "timeout_s": "5"},
}


@dataclass(slots=True, kw_only=True)
class FaceStep:
    """The face step of one demonstration."""

    crew: Crew
    work: Path
    """Directory of the step."""
    faced: Faced
    """Models and people."""
    visits: FaceVisits
    _url: str = ""
    _calibration: dict[str, Any] = field(default_factory=dict)
    _answers: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    _warned: dict[str, dict[str, Any]] = field(default_factory=dict)
    _messages: int = 0

    @classmethod
    def of(cls, crew: Crew, plan: Plan) -> "FaceStep":
        """Prepare the step.

        Args:
            crew: Runs its processes.
            plan: What is demonstrated, with faces.

        Raises:
            DemoError: There are no faces in the plan.
        """
        if plan.faced is None:
            raise DemoError("the plan names no faces")
        city = build_city(institutions=plan.institutions, claims=plan.claims, seed=plan.seed)
        visits = FaceVisits.today(city, _now())
        return cls(crew=crew, work=plan.work / "faces", faced=plan.faced, visits=visits)

    async def calibrate(self) -> None:
        """Find the threshold on people of the first half."""
        self.work.mkdir(parents=True)
        pairs, found = self.work / "pairs.csv", self.work / "calibration.json"
        for person in self.faced.fitted:
            pictures = self.faced.folders.pictures[person][:_PICTURES]
            link_pictures(pictures, self.work / "fitted" / person)
        write_pairs(FaceFolders.read(self.work / "fitted"), self.faced.fitted, pairs)
        self._calibration = await self.crew.ask(
            "device",
            "calibrate",
            str(pairs),
            *("--site", self.visits.institution.code, "--far", FAR, "--out", str(found)),
            *self._seeing(upscaled=True),
        )

    async def serve(self, node: DemoNode) -> None:
        """Start the node's daemon with its interface and its ports for devices.

        Args:
            node: The county's node.
        """
        change_settings(node.directory / "node.toml", _SETTINGS)
        at = ("--dir", str(node.directory))
        served = await self.crew.server(node.directory.name, "node", "serve", *at, ready=node.ready)
        self._url = served.url

    async def verify(self, node: DemoNode) -> None:
        """Join terminals, enrol people, and verify who comes.

        Args:
            node: The county's node, whose daemon runs.
        """
        await self._join(node)
        visits, faced = self.visits, self.faced
        wrong, right = visits.visits
        impostor = link_pictures(faced.shown(faced.impostor), self.work / "impostor")
        person = link_pictures(faced.shown(faced.who[1]), self.work / "right")
        bed = write_empty_bed(self.work / "bed")

        async def at_windows() -> list[list[dict[str, Any]]]:
            await self._enrol(*zip((visits.impersonated, visits.right), faced.who, strict=False))
            return await together(
                self._look("w1", impostor, _IMPOSTURES, visits.impersonated, {"visit": wrong}),
                self._look("w2", person, 1, visits.right, {"visit": right}),
            )

        # Who waits before an empty bed begins first.
        checks, windows = await together(
            self._look("b1", bed, _BED_CHECKS, visits.absent, {"purpose": "bed_check"}),
            at_windows(),
        )
        self._answers = dict(zip(("b1", "w1", "w2"), (checks, *windows), strict=True))

    async def ask_and_settle(self, node: DemoNode) -> None:
        """Ask about both before they are registered; then settle them, and end the stay.

        Args:
            node: The county's node, which has taken everything else in.
        """
        try:
            async with httpx.AsyncClient(
                base_url=self._url, trust_env=False, timeout=_CALL_S
            ) as client:
                for person in (self.visits.impersonated, self.visits.right):
                    answer = await until_judged(client, self._questions_about(person))
                    result = answer.get("output", {}).get("result", [])
                    warnings = [one for one in result if one.get("warn_id") == _WARNED]
                    self._warned[person.number] = warnings[0] if warnings else {}
                    self._messages += bool(result)  # What nobody is warned of is not kept.
        except httpx.HTTPError as error:
            raise DemoError(f"the node at {self._url} does not answer: {error}") from error
        path = self.work / "after.jsonl"
        self._messages += self.visits.settle(_now(), path)
        await self._ingest(node, path)

    def summary(self, hits: Sequence[Mapping[str, Any]]) -> FaceSummary:
        """Sum up what was seen.

        Args:
            hits: Hits of the node's rules, as `yixin node rules show` lists them.
        """
        visits = self.visits
        code = visits.institution.code
        found = {
            rule: [
                one
                for one in hits
                if (one["rule"], one["institution"]) == (rule, code)
                and one["at"] >= visits.first_day
            ]
            for rule in _RULES
        }
        wrong = self._warned[visits.impersonated.number]
        impostures, (right,), checks = (self._answers[name] for name in ("w1", "w2", "b1"))
        return FaceSummary(
            institution=code,
            people_fitted=len(self.faced.fitted),
            threshold_e4=number(self._calibration, "threshold_e4"),
            target_far=FAR,
            mismatches=_count(impostures, "mismatch"),
            best_imposture_e4=max(one["score_e4"] or 0 for one in impostures),
            warning=str(wrong.get("warn_id", "")),
            warning_words=str(wrong.get("vola_cont", "")),
            impostor_hits=len(found["M35"]),
            impostor_fen=sum(one["amount_fen"] for one in found["M35"]),
            right_verdict=str(right["verdict"]),
            right_score_e4=int(right["score_e4"] or 0),
            right_warnings=int(bool(self._warned[visits.right.number])),
            bed_absences=_count(checks, "absent"),
            bed_hits=len(found["M29"]),
            liveness=str(right["liveness"]),
            messages=self._messages,
        )

    async def _join(self, node: DemoNode) -> None:
        """Let terminals and people join the node."""
        code, at = self.visits.institution.code, ("--dir", str(node.directory))
        before = self.work / "before.jsonl"
        self._messages += self.visits.begin(_now(), before)
        places = {"w1": "window", "w2": "window", "b1": "bed"}
        made = (
            (
                *("node", "device", "token", "--institution", code),
                *("--place", place, "--name", name, *at),
            )
            for name, place in places.items()
        )
        calibration = str(self.work / "calibration.json")
        _, *tokens = await self.crew.ask_several(
            ("node", "faces", "calibration", "import", calibration, *at), *made
        )
        for name, one in zip(places, tokens, strict=True):
            self._token(name).touch(mode=0o600)
            self._token(name).write_text(str(one["token"]), encoding="ascii")

        def joined(name: str) -> tuple[str, ...]:
            token, place = str(self._token(name)), str(self.work / name)
            return ("device", "enrol", "--token", token, "--dir", place)

        await together(
            self._ingest(node, before),
            self.crew.ask_several(
                joined("w1"), self._enrolment(self.visits.absent, self.faced.who[-1])
            ),
            self.crew.ask_several(joined("w2"), joined("b1")),
        )

    async def _enrol(self, *people: tuple[Person, str]) -> None:
        await self.crew.ask_several(*(self._enrolment(*one) for one in people))

    def _token(self, name: str) -> Path:
        return self.work / f"{name}.token"

    def _enrolment(self, person: Person, who: str) -> tuple[str, ...]:
        pictures = link_pictures(self.faced.enrolled(who), self.work / "enrolled" / who)
        purposes = (part for purpose in ("visit", "bed_check") for part in ("--purpose", purpose))
        return (
            *("device", "enrol-person", "--dir", str(self.work / "w1"), "--person", person.number),
            *("--consent", f"demo-{person.number[-4:]}", "--operator", "demo", *purposes),
            *("--source", f"folder:{pictures}", *self._seeing(upscaled=True)),
        )

    async def _look(
        self, name: str, pictures: Path, times: int, person: Person, told: Mapping[str, str]
    ) -> list[dict[str, Any]]:
        """Let a terminal verify somebody, so many times; what it told."""
        asks = self.work / f"{name}.jsonl"
        line = orjson.dumps({"person": person.number, **told}) + b"\n"
        asks.write_bytes(line * times)
        is_bed = told.get("purpose") == "bed_check"
        pace = ("--pace", "4") if is_bed else ()
        out = await self.crew.run(
            *("device", "face-terminal", "--dir", str(self.work / name), "--once", "--json"),
            *("--asks", str(asks), "--source", f"folder:{pictures}", *pace),
            *self._seeing(upscaled=not is_bed),
        )
        return [orjson.loads(answer) for answer in out.splitlines()]

    def _seeing(self, *, upscaled: bool) -> tuple[str, ...]:
        """Options of what looks at pictures."""
        options = ("--models", str(self.faced.models))
        if self.faced.upscale == 1:
            return options
        upscale = ("--upscale", str(self.faced.upscale)) if upscaled else ()
        return (*options, "--gate", "size=off", *upscale)

    def _questions_about(self, person: Person) -> Iterator[bytes]:
        while True:
            yield self.visits.question(person, _now())

    async def _ingest(self, node: DemoNode, path: Path) -> None:
        await self.crew.ask("node", "ingest", str(path), "--dir", str(node.directory))


def _count(answers: Sequence[Mapping[str, Any]], verdict: str) -> int:
    return sum(one["verdict"] == verdict for one in answers)


def _now() -> datetime:
    return datetime.now(tz=UTC)
