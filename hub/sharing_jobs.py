"""The jobs that share: products, queries and their lists, each a JSON object in and out.

The rooms of sharing are imported when they are asked for, so that other commands start fast.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from hub.errors import ConfigurationError
from hub.listings import moment_text
from hub.operators import acting
from hub.parts import HubParts
from hub.store import deliveries
from hub.store.engine import reading
from scoring_kernel.periods import Period
from security.moments import to_ms
from security.progress import ProgressReporter
from security.sharing.coverage import DIRECTORY, PRODUCT_REFUSAL

if TYPE_CHECKING:
    from hub.agreements.room import SharingRoom
    from hub.exchange.forwarding import Forwarder, Take

Result: TypeAlias = dict[str, Any]
Job: TypeAlias = Callable[[Result, ProgressReporter], Result | Awaitable[Result]]
SHARING_READERS: Final = frozenset({"deliveries", "sharing-queries"})
"""Jobs that change nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SharingJobs:
    """The jobs over the parts of one hub."""

    parts: HubParts

    def table(self) -> Mapping[str, Job]:
        """Jobs by name."""
        return {
            "deliver": self.deliver,
            "deliveries": self.deliveries,
            "query": self.query,
            "sharing-queries": self.queries,
            "sharing-sync": self.sync,
        }

    async def deliver(self, arguments: Result, progress: ProgressReporter) -> Result:
        """Build the product of an agreement for a period and queue it for its recipient."""
        from hub.agreements.delivering import deliver  # noqa: PLC0415 - a room of its own

        parts = self.parts
        made = await asyncio.to_thread(
            deliver,
            sharing_room(self.parts),
            arguments["id"],
            period=Period.parse(arguments["period"]),
            officer=officer_of(arguments),
            correct=bool(arguments.get("correct")),
            again=bool(arguments.get("again")),
            now_ms=to_ms(parts.now()),
        )
        if made.via:
            forwarder = await asyncio.to_thread(self._forwarder)
            await self._exchange(forwarder, progress)
            await asyncio.to_thread(forwarder.wrap, made.recipient)
            await self._exchange(forwarder, progress)
        return asdict(made)

    def deliveries(self, arguments: Result, _progress: ProgressReporter) -> Result:
        """Products that were delivered, newest first."""
        with reading(self.parts.engine) as connection:
            rows = deliveries.recent_products(
                connection, arguments["limit"], arguments.get("id") or None
            )
            total = deliveries.count_products(connection)
        return {
            "total": total,
            "rows": [
                {
                    "at": moment_text(row.made_at_ms),
                    "agreement": row.agreement,
                    "recipient": row.recipient,
                    "period": row.period,
                    "rows": row.rows,
                    "suppressed": row.suppressed,
                    "parts": row.parts,
                    "correction": row.correction,
                    "officer": row.officer,
                    "sha256": row.digest.hex(),
                }
                for row in rows
            ],
        }

    def query(self, arguments: Result, _progress: ProgressReporter) -> Result:
        """Answer one question under an agreement, and log it."""
        from hub.agreements.queries import Question, answer  # noqa: PLC0415 - a room of its own

        question = Question(
            agreement=arguments["agreement"],
            subject=arguments["subject"],
            period=Period.parse(arguments["period"]).name,
            officer=officer_of(arguments),
        )
        found = answer(sharing_room(self.parts), question, to_ms(self.parts.now()))
        return asdict(found)

    def queries(self, arguments: Result, _progress: ProgressReporter) -> Result:
        """Questions and requests, answered and refused, newest first."""
        with reading(self.parts.engine) as connection:
            rows = deliveries.recent_queries(connection, arguments["limit"])
        return {
            "rows": [
                {
                    "at": moment_text(row.asked_at_ms),
                    "agreement": row.agreement,
                    "asker": row.asker,
                    "period": row.period,
                    "refused_by": row.rule,
                    "digest": row.digest.hex(),
                    "leaf": row.log_index,
                }
                for row in rows
            ]
        }

    async def sync(self, _arguments: Result, progress: ProgressReporter) -> Result:
        """Exchange with the parent hub: its directory comes, what waits for it goes."""
        forwarder = await asyncio.to_thread(self._forwarder)
        return {"envelopes": await self._exchange(forwarder, progress)}

    async def _exchange(self, forwarder: "Forwarder", progress: ProgressReporter) -> int:
        from hub.agreements.directories import take_directory  # noqa: PLC0415 - as above
        from hub.agreements.refusing import take_refusal  # noqa: PLC0415 - as above

        refusal = partial(take_refusal, now_ms=to_ms(self.parts.now()))
        takes: dict[str, Take] = {DIRECTORY: take_directory, PRODUCT_REFUSAL: refusal}
        return await forwarder.exchange(takes, progress)

    def _forwarder(self) -> "Forwarder":
        from hub.exchange.forwarding import Forwarder  # noqa: PLC0415 - a room of its own
        from hub.exchange.parent import load_parent  # noqa: PLC0415 - as above

        parts = self.parts
        return Forwarder(
            engine=parts.engine,
            identity=parts.identity,
            outbox=parts.outbox,
            membership=load_parent(parts.parent_directory),
            vault=parts.identity.vault,
            now=parts.now,
        )


def sharing_room(parts: HubParts) -> "SharingRoom":
    """What the flows of sharing work with."""
    from hub.agreements.room import SharingRoom  # noqa: PLC0415 - a room of its own

    return SharingRoom(
        engine=parts.engine,
        identity=parts.identity,
        catalog=parts.catalog,
        outbox=parts.outbox,
        keys=parts.keys,
    )


def officer_of(arguments: Result) -> str:
    """Who does it, for the record: who signed the command, else who is named.

    Raises:
        ConfigurationError: Nobody is named, or not in one line.
    """
    if acting().public_key:
        return acting().name
    name = str(arguments.get("officer") or "")
    if not name.strip() or len(name) > 64 or not name.isprintable():
        raise ConfigurationError(
            "Sharing needs the name of who does it, up to 64 printable signs; name them with "
            "--officer."
        )
    return name
