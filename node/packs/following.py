"""A node's turn at packs: what is ordered is fetched, verified, run, and put in force on its day.

Numbered as applied:

1. Orders that came down are written down; the newest that has passed and whose day has come is
   the one that holds.
2. Metadata is brought up to date, by the hub or from a folder; an order of what the repository
   does not name is not followed.
3. The file of every order that still matters is fetched and verified by its digest; so is that of
   a pack which passed, where it is gone from here or was changed.
4. Its golden vectors are run in a process of their own.
5. ``current`` is replaced; every process that starts from then on works with it.
6. What became of an order is reported once, in the control lane.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from node.packs.checking import check_apart
from node.packs.holding import Held, Holding, Ordered
from node.sync.flow import Link
from protos.yixin.v1 import envelope_pb2, exchange_pb2
from security.encoding import parse_exactly
from security.errors import HubUnreachableError, PackError
from security.moments import day_number, shanghai_day, to_ms
from security.packs.checking import Checked
from security.packs.in_force import Current
from security.packs.layout import is_target

if TYPE_CHECKING:
    from security.packs.client import Release
    from security.packs.fetchers import PackFetcher

__all__ = ["PackTurn", "TurnReport"]

REFRESH_EVERY_S: Final = 3_600
MAX_ORDER_BYTES: Final = 4 * 1024
KEPT_ORDERS: Final = 64
_FORMAT: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnReport:
    """What a turn did."""

    orders: int
    """Orders that came."""
    switched: str | None
    """Pack that was put in force."""
    reports: int
    """Reports queued for the hub."""
    problem: str
    """Why it did not come to its end; empty when it did."""


@dataclass(slots=True, kw_only=True)
class PackTurn:
    """One turn."""

    holding: Holding
    link: Link | None
    now: datetime
    check: Callable[[Path], Checked] = check_apart
    """Runs the vectors of a file."""
    _reports: list[exchange_pb2.PackReport] = field(default_factory=list, init=False)

    def run(self, folder: Path | None = None, *, forced: bool = False) -> TurnReport:
        """Take the turn.

        Args:
            folder: A repository on a stick, in place of the hub's.
            forced: Bring the metadata up to date even if that was done lately.

        Raises:
            PackError: ``folder`` or ``forced`` were given, and something cannot be trusted.
            HubUnreachableError: They were given, and the hub cannot be reached.
        """
        held = self._load()
        came = self._take_orders(held)
        switched = None
        problem = ""
        if self.holding.root_file.exists():
            try:
                self._follow(held, folder, forced=forced or came > 0)
            except (PackError, HubUnreachableError) as error:
                problem = str(error)
                if folder is not None or forced:
                    held.problem = problem
                    self.holding.save(held)
                    raise
            switched = self._switch(held)
        elif held.orders:
            problem = (
                "the hub orders packs, and no root of them is pinned: join again with a new "
                "token, or pin it with yixin node packs trust"
            )
        held.problem = problem
        self._say(held)
        if came or switched or self.holding.directory.exists():
            self.holding.save(held)
        return TurnReport(
            orders=came, switched=switched, reports=len(self._reports), problem=problem
        )

    def _load(self) -> Held:
        """What is kept; begun anew where the file is damaged, with the pack in force as it is."""
        try:
            return self.holding.load()
        except PackError:
            return Held()

    def _take_orders(self, held: Held) -> int:
        """Write orders down (step 1)."""
        if self.link is None:
            return 0
        came = 0
        current = self.holding.sound_current()
        in_force = 0 if current is None else current.order
        with self.link.engine.begin() as connection:
            while entries := self.link.inbox.payloads(connection, "pack_order"):
                for entry in entries:
                    order = _read_order(entry.payload)
                    newest = max((one.version for one in held.orders), default=in_force)
                    if order is not None and order.version > newest:
                        held.orders.append(order)
                        came += 1
                del held.orders[:-KEPT_ORDERS]
                self.holding.directory.mkdir(mode=0o700, exist_ok=True)
                self.holding.save(held)
                self.link.inbox.mark_processed(connection, [entry.inbox_id for entry in entries])
        return came

    def _follow(self, held: Held, folder: Path | None, *, forced: bool) -> None:
        """Fetch, verify and check what is ordered (steps 2 to 4)."""
        due = int(self.now.timestamp()) - held.refreshed_at_s >= REFRESH_EVERY_S
        wanted = [one for one in _relevant(held) if one.digest not in held.checked]
        lost = self._lost(held)
        if not (due or forced or wanted or lost):
            return
        from security.packs.client import fetch, refresh  # noqa: PLC0415  # TUF only where used
        from security.packs.fetchers import FolderFetcher, HubFetcher  # noqa: PLC0415  # the same

        fetcher: PackFetcher
        if folder is not None:
            fetcher = FolderFetcher(folder)
        elif self.link is not None:
            fetcher = HubFetcher(self.link.membership)
        else:
            raise PackError("this node has not joined a hub: name a folder with --from")
        root = self.holding.root_file.read_bytes()
        release = refresh(self.holding.client, root, fetcher, self.now)
        held.expires_at_s = int(release.expires_at.timestamp())
        held.refreshed_at_s = int(self.now.timestamp())
        gone = [digest for digest in lost if not self._fetched_again(digest, release, fetcher)]
        for order in wanted:
            target = release.targets.get(order.target)
            if target is None or target.digest.hex() != order.digest:
                self._report(held, order, "absent")
                raise PackError(
                    f"order {order.version} names {order.target} with a digest that the packs' "
                    "repository does not hold; it is not followed"
                )
            path = fetch(target, fetcher, self.holding.files)
            held.checked[order.digest] = self.check(path)
        if gone:
            raise PackError(
                f"the file of pack {gone[0]} is gone from this node, and the packs' repository "
                "does not hold it any more: let the hub order a pack that it holds"
            )

    def _lost(self, held: Held) -> list[str]:
        """Digests of packs that are in force or passed, and whose file cannot be used."""
        current = self.holding.sound_current()
        passed = {digest for digest, found in held.checked.items() if found.passed}
        needed = passed & {one.digest for one in _relevant(held)}
        if current is not None:
            needed.add(current.digest)
        return sorted(one for one in needed if self.holding.fault(one))

    def _fetched_again(self, digest: str, release: "Release", fetcher: "PackFetcher") -> bool:
        """Fetch the file of a pack that passed before; whether the repository still holds it."""
        from security.packs.client import fetch  # noqa: PLC0415  # TUF only where used

        target = release.find(bytes.fromhex(digest))
        if target is not None:
            fetch(target, fetcher, self.holding.files)
        return target is not None

    def _switch(self, held: Held) -> str | None:
        """Put the newest pack whose day has come in force (step 5)."""
        today = day_number(shanghai_day(to_ms(self.now)))
        current = self.holding.sound_current()
        for order in reversed(held.orders):
            checked = held.checked.get(order.digest)
            if checked is None:
                continue
            if not checked.passed:
                self._report(held, order, "refused")
                continue
            if max(order.from_day, checked.from_day) > today:
                self._report(held, order, "waiting")
                continue
            self._report(held, order, "in_force")
            if current is not None and (current.order, current.catalog) == (
                order.version,
                checked.catalog,
            ):
                return None
            self.holding.switch(
                Current(
                    order=order.version,
                    target=order.target,
                    digest=order.digest,
                    catalog=checked.catalog,
                    to_day=checked.to_day,
                    grace_days=checked.grace_days,
                    since=self.now.isoformat(),
                )
            )
            return order.target
        return None

    def _report(self, held: Held, order: Ordered, state: str) -> None:
        if held.said.get(str(order.version)) == state:
            return
        checked = held.checked.get(order.digest)
        passed = checked is not None and checked.passed
        self._reports.append(
            exchange_pb2.PackReport(
                format=_FORMAT,
                digest=bytes.fromhex(order.digest),
                version=order.version,
                passed=passed,
                vectors=0 if checked is None else checked.vectors,
                failures=() if checked is None or passed else checked.failures,
                state=state,
                at_ms=to_ms(self.now),
            )
        )
        held.said[str(order.version)] = state

    def _say(self, held: Held) -> None:
        """Queue the reports (step 6)."""
        known = {str(one.version) for one in held.orders}
        held.said = {version: state for version, state in held.said.items() if version in known}
        if self.link is None or not self._reports:
            return
        with self.link.engine.begin() as connection:
            for report in self._reports:
                self.link.outbox.append(
                    connection,
                    recipient=self.link.membership.hub_id,
                    lane=envelope_pb2.LANE_CONTROL,
                    payload_type="pack_report",
                    schema_version=1,
                    purpose="operation",
                    data_class="operation",
                    period="",
                    payload=report.SerializeToString(deterministic=True),
                )


def _relevant(held: Held) -> list[Ordered]:
    """Orders that may still hold some day: the newest one that passed, and those after it."""
    found: list[Ordered] = []
    for order in reversed(held.orders):
        found.append(order)
        checked = held.checked.get(order.digest)
        if checked is not None and checked.passed:
            break
    return found[::-1]


def _read_order(payload: bytes) -> Ordered | None:
    """An order of the hub; None for one that no hub of this release gives."""
    try:
        found: Any = parse_exactly(exchange_pb2.PackOrder, payload, MAX_ORDER_BYTES)
        datetime.strptime(str(found.from_day), "%Y%m%d")  # noqa: DTZ007  # a day, no moment
    except ValueError:
        return None
    is_sound = found.format == _FORMAT and is_target(found.target) and len(found.digest) == 32
    if not is_sound or not 0 < found.version < 2**62 or len(found.group) > 40:
        return None
    return Ordered(
        version=found.version,
        target=found.target,
        digest=found.digest.hex(),
        from_day=found.from_day,
        group=found.group,
    )
