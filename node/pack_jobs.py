"""The jobs over packs at a node, and the gate: without a pack that holds, nothing is scored."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Protocol, TypeAlias

from node.packs.holding import Held, Standing, holding_of
from node.sync.flow import Link
from scoring_kernel import Catalog
from security.progress import ProgressReporter

__all__ = ["READERS", "NodeParts", "PackJobs", "standing_of", "with_packs"]

Result: TypeAlias = dict[str, Any]
Job: TypeAlias = Callable[[Result, ProgressReporter], Result]
READERS: Final = ("packs-status",)
"""Jobs that change nothing."""
SCORING: Final = ("prescore", "explain")
"""Jobs that need a pack that holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PackJobs:
    """The jobs over packs of one node."""

    directory: Path
    catalog: Catalog
    link: Link | None
    now: Callable[[], datetime]

    def table(self) -> Mapping[str, Job]:
        """Jobs by name."""
        return {
            "packs-turn": self.turn,
            "packs-fetch": self.fetch,
            "packs-status": self.status,
        }

    def told(self, job: Job, *, is_scoring: bool) -> Job:
        """A job whose result says where the node stands; refused, where it scores."""

        def run(arguments: Result, progress: ProgressReporter) -> Result:
            standing = standing_of(self)
            if is_scoring:
                standing.verify_scored()
            return job(arguments, progress) | {"packs": standing.shown()}

        return run

    def turn(self, _arguments: Result, _progress: ProgressReporter) -> Result:
        """Follow the hub's orders, as the daemon does after every synchronisation."""
        return self._turn(None, forced=False)

    def fetch(self, arguments: Result, progress: ProgressReporter) -> Result:
        """Follow them now, by the hub or from a folder."""
        progress("packs", 0, 0, "")
        named = arguments.get("from")
        return self._turn(Path(named) if named else None, forced=True)

    def status(self, _arguments: Result, _progress: ProgressReporter) -> Result:
        """What is in force, ordered and checked."""
        holding = holding_of(self.directory)
        standing = standing_of(self)
        held = Held() if standing.is_damaged else holding.load()
        return {
            "standing": standing.shown(),
            "catalog": self.catalog.digest.hex(),
            "metadata_expires_at": _moment(held.expires_at_s),
            "orders": [
                {
                    "order": one.version,
                    "pack": one.target,
                    "group": one.group,
                    "from_day": one.from_day,
                    "state": held.said.get(str(one.version), "absent"),
                    "failures": list(held.checked[one.digest].failures)
                    if one.digest in held.checked
                    else [],
                }
                for one in held.orders
            ],
        }

    def _turn(self, folder: Path | None, *, forced: bool) -> Result:
        from node.packs.following import PackTurn  # noqa: PLC0415  # most nodes need none of it

        holding = holding_of(self.directory)
        turn = PackTurn(holding=holding, link=self.link, now=self.now())
        report = turn.run(folder, forced=forced)
        current = holding.sound_current()
        is_other = current is not None and current.catalog != self.catalog.digest.hex()
        return asdict(report) | {
            "standing": standing_of(self).shown(),
            "restart": current is not None and is_other and not holding.fault(current.digest),
        }


class NodeParts(Protocol):
    """The parts of a node that these jobs work on."""

    @property
    def directory(self) -> Path:
        """State directory."""

    @property
    def catalog(self) -> Catalog:
        """The catalogue of this process."""

    @property
    def link(self) -> Link | None:
        """Membership and exchange ledger."""

    @property
    def now(self) -> Callable[[], datetime]:
        """The clock."""


def standing_of(parts: NodeParts) -> Standing:
    """Where a node stands with packs; whether it may measure and score."""
    return holding_of(parts.directory).standing(parts.now(), parts.catalog.digest.hex())


def with_packs(parts: NodeParts, jobs: Mapping[str, Job]) -> dict[str, Job]:
    """Other jobs with those over packs: those that score are refused while no pack holds.

    Results of scoring and of the status say where the node stands with packs.
    """
    own = PackJobs(directory=parts.directory, catalog=parts.catalog, link=parts.link, now=parts.now)
    named = {*SCORING, "status"}
    told = {
        name: own.told(job, is_scoring=name in SCORING) if name in named else job
        for name, job in jobs.items()
    }
    return {**told, **own.table()}


def _moment(seconds: int) -> str | None:
    return datetime.fromtimestamp(seconds, UTC).isoformat() if seconds else None
