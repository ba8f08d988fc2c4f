"""How records come in: files of messages, a day through the gateway, a table through a mapping.

0. Every node takes its files in; one hospital's lack the last day.
1. That day comes call by call, gateway in front, simulated platform behind; both end with it.
   A pre-check (3101) before it goes to the node itself.
2. The hospital's daemon takes the copies in and refuses one, which is mended and replayed.
3. The county's node takes in the stock table of an institution without a stock interface.
"""

import asyncio
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from deploy.demo.intake_summary import IntakeSummary
from deploy.demo.members import DemoNode
from deploy.demo.precheck import precheck
from deploy.demo.processes import Crew, number
from deploy.demo.settings import change_settings
from deploy.demo.till import SPOILT_PATH, TillDay, cut_off, send_all, waiting
from deploy.errors import DemoError

MAPPING: Final = Path(__file__).resolve().parents[1] / "examples" / "stock_table.mapping.yaml"
_ACCEPTED: Final = (0, 1)
"""Exit codes of an intake that went well; 1 says that something was quarantined."""
_DRAINED_S: Final = 60.0
_POLL_S: Final = 0.05


@dataclass(slots=True, kw_only=True)
class Intake:
    """The intake of one demonstration."""

    crew: Crew
    work: Path
    """Directory of the demonstration."""
    simulation: Path
    """Directory of the simulated city."""
    prechecked: dict[str, str] = field(default_factory=dict)
    """What the till was told before a prescription; see ``precheck``."""
    _interface: str = ""
    """Address of the hospital's own interface."""
    _day: TillDay | None = field(default=None, repr=False)
    _unchanged: int = 0
    _refused: list[dict[str, Any]] = field(default_factory=list)
    _mended: list[str] = field(default_factory=list)
    """Corrections after which a refused message went in."""
    _table: dict[str, Any] = field(default_factory=dict)
    _backup: dict[str, Any] = field(default_factory=dict)

    async def serve(self, node: DemoNode) -> None:
        """Start the daemon of the hospital's node with its own interface, for pre-checks.

        Args:
            node: The hospital's node.
        """
        interface = {"enabled": "true", "port": "0"}
        change_settings(node.directory / "node.toml", {"interface": interface})
        at = ("--dir", str(node.directory))
        served = await self.crew.server(node.directory.name, "node", "serve", *at, ready=node.ready)
        self._interface = served.url

    async def from_files(self, node: DemoNode, *, last_day_live: bool) -> None:
        """Take a node's files of messages in.

        Args:
            node: The node.
            last_day_live: Whether the last day comes through the gateway instead.
        """
        files = sorted(node.messages.iterdir())
        if last_day_live:
            *earlier, last = files
            before = self.work / "till" / last.name
            self._day = cut_off(
                last, before=before, till=self.work / "till" / "platform" / last.name
            )
            files = [*earlier, before]
        registers = self.simulation / "registers" / node.custodian
        files += sorted(registers.iterdir())
        await self._node(node, "ingest", *map(str, files), accepted=_ACCEPTED)

    async def from_table(self, node: DemoNode) -> None:
        """Take the stock table in through its mapping.

        Args:
            node: The node of the institution.
        """
        files = map(str, self._tables())
        self._table = await self._node(
            node, "ingest", *files, "--mapping", str(MAPPING), accepted=_ACCEPTED
        )

    def _tables(self) -> list[Path]:
        return sorted((self.simulation / "tables").iterdir())

    async def at_the_till(self, node: DemoNode) -> None:
        """Let the last day pass through the gateway, and wait until its copies are in.

        Args:
            node: The hospital's node, whose daemon runs.

        Raises:
            DemoError: A process failed, or the copies were not taken in in time.
        """
        if self._day is None:
            raise DemoError("no day was kept for the till")
        platform = await self.crew.server(
            "platform", "simulate", "platform", str(self.work / "till" / "platform")
        )
        upstream = {"upstream": f'"{platform.url}"', "port": "0"}
        change_settings(node.directory / "node.toml", {"gateway": upstream})
        gateway = await self.crew.server("gateway", "node", "gateway", "--dir", str(node.directory))
        self.prechecked = await precheck(self._day.calls[-1], self._interface)
        self._unchanged = await send_all(self._day, gateway.url)
        for server in (gateway, platform):
            await self.crew.end(server.pid)
        begun = time.monotonic()
        while any(waiting(node.directory / "spool")):
            if time.monotonic() - begun > _DRAINED_S:
                raise DemoError(f"the daemon of {node.name} does not take the copies in")
            await asyncio.sleep(_POLL_S)

    async def mend(self, node: DemoNode) -> None:
        """Correct what the node refused of that day, and replay it.

        Args:
            node: The hospital's node.
        """
        listed = await self._node(node, "quarantine", "list")
        self._refused = listed["rows"]
        for row in self._refused:
            right = "" if self._day is None else self._day.right
            change = f"{SPOILT_PATH}={right}"
            fixed = await self._node(
                node, "quarantine", "fix", str(row["id"]), "--set", change, accepted=_ACCEPTED
            )
            if fixed["went_in"]:
                self._mended.append(change)

    async def back_up(self, node: DemoNode) -> None:
        """Back a node up while its daemon runs; the command reads back what it wrote.

        Args:
            node: The node.
        """
        passphrase = self.work / "backup.passphrase"
        passphrase.touch(mode=0o600)
        passphrase.write_text(secrets.token_urlsafe(), encoding="ascii")
        self._backup = await self._node(
            node,
            *("backup", "--to", str(self.work / "backup")),
            *("--passphrase-file", str(passphrase)),
        )

    def summary(self, states: Sequence[dict[str, Any]]) -> IntakeSummary:
        """Sum up what came in.

        Args:
            states: Answers of ``yixin node status`` of every node, at the end.

        Returns:
            The numbers.
        """
        if self._day is None:
            raise DemoError("no day was kept for the till")
        records = [state["records"] for state in states]
        gateway = next(state["gateway"] for state in states if state["gateway"] is not None)
        taken = not (gateway["waiting_bytes"] or gateway["damaged_files"])
        return IntakeSummary(
            till_day=self._day.day,
            till_calls=len(self._day.calls),
            till_unchanged=self._unchanged,
            copies_taken=number(gateway, "kept") if taken else 0,
            copies_lost=number(gateway, "lost") + number(gateway, "too_long"),
            refused=len(self._refused),
            refused_reason=str(self._refused[0]["reason"]) if self._refused else "",
            mended=len(self._mended),
            mended_by=" ".join(self._mended),
            table=" ".join(path.name for path in self._tables()),
            table_rows=sum(self._table["records_stored"].values()),
            table_refused=number(self._table, "quarantined"),
            stock_movements=sum(one.get("stock_movement", 0) for one in records),
            trace_codes=sum(one.get("trace_code", 0) for one in records),
            staff_members=sum(one.get("staff_member", 0) for one in records),
            backup_records=number(self._backup, "records"),
            backup_bytes=number(self._backup, "bytes"),
            backup_verified=self._backup["verified"] is True,
        )

    async def _node(
        self, node: DemoNode, *arguments: str, accepted: tuple[int, ...] = (0,)
    ) -> dict[str, Any]:
        return await self.crew.ask(
            "node", *arguments, "--dir", str(node.directory), accepted=accepted
        )
