"""Tokens for what a node is about to send: those it holds, and the rest from both desks.

The order of work, per period:
0. Nothing is asked when every token is held.
1. Each desk says its check value; one that differs from the pinned one is refused: the desk lost
   or changed its key, and its officer has to say why.
2. Persons without a token are asked for, a batch at a time; every batch is kept before the next.
3. A period that a desk has closed, or that has not begun for it, has no tokens: what would need
   them is not sent.
"""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Protocol

from security.errors import DeskRefusedError, LinkAnswerError
from security.exchange.membership import Membership
from security.linking import DeskCard, DeskLine, desk_line, fetch_tokens
from security.progress import ProgressReporter

__all__ = ["DESKS", "FetchReport", "TokenFetcher", "TokenShelf"]

DESKS: Final = 2
"""Desks that hold a half each."""
_CLOSED: Final = frozenset({"destroyed", "period"})


class TokenShelf(Protocol):
    """Keeps tokens and pinned keys; durable when a method returns."""

    def checks(self, period: str) -> dict[str, bytes]:
        """Pinned check values of a period, by desk."""

    def pin(self, period: str, checks: Mapping[str, bytes]) -> None:
        """Pin the check values of a period's desks."""

    def tokens(self, period: str, persons: Sequence[str]) -> dict[str, bytes]:
        """Tokens of some persons, where they are held."""

    def keep(self, period: str, persons: Sequence[str], tokens: Sequence[bytes]) -> None:
        """Keep tokens that were made."""


@dataclass(slots=True, kw_only=True)
class FetchReport:
    """What came of asking."""

    open: list[str] = field(default_factory=list)
    """Periods of which every token is held now."""
    closed: dict[str, str] = field(default_factory=dict)
    """Why other periods have no tokens."""
    asked: int = 0
    """Persons who were asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenFetcher:
    """Sees to it that the shelf holds the tokens of everybody wanted."""

    shelf: TokenShelf
    cards: Sequence[DeskCard]
    """Both desks."""
    membership: Membership
    """The node."""
    now: datetime
    """Present moment, UTC-aware."""
    progress: ProgressReporter

    def fetch(self, wanted: Mapping[str, Collection[str]]) -> FetchReport:
        """Fetch what is missing.

        Args:
            wanted: Persons by period.

        Raises:
            DeskUnreachableError: A desk did not answer; what was made is kept.
            DeskRefusedError: A desk refused; what was made is kept.
            LinkAnswerError: A desk's answer is not believed.
        """
        return asyncio.run(self._fetch(wanted))

    async def _fetch(self, wanted: Mapping[str, Collection[str]]) -> FetchReport:
        report = FetchReport()
        async with AsyncExitStack() as stack:
            lines: list[DeskLine] = []
            for period, persons in sorted(wanted.items()):
                # 0. What is held.
                pinned = self.shelf.checks(period)
                held = self.shelf.tokens(period, sorted(persons))
                missing = sorted(set(persons) - held.keys())
                if missing or len(pinned) < DESKS:
                    lines = lines or [
                        await stack.enter_async_context(desk_line(card, self.membership, self.now))
                        for card in self.cards
                    ]
                    try:
                        await self._ask(lines, period, pinned, missing)
                    except DeskRefusedError as refused:
                        # 3. A closed period.
                        if refused.code not in _CLOSED:
                            raise
                        report.closed[period] = str(refused)
                        continue
                report.asked += len(missing)
                report.open.append(period)
        return report

    async def _ask(
        self,
        lines: Sequence[DeskLine],
        period: str,
        pinned: Mapping[str, bytes],
        missing: Sequence[str],
    ) -> None:
        # 1. The keys.
        said = {line.card.desk: (await line.describe(period)).check for line in lines}
        if not pinned:
            self.shelf.pin(period, said)
        elif dict(pinned) != said:
            changed = ", ".join(
                sorted(desk for desk in {*pinned, *said} if pinned.get(desk) != said.get(desk))
            )
            raise LinkAnswerError(
                f"the key of period {period} at {changed} is another than the one this node has "
                "made tokens under"
            )
        # 2. Batch by batch.
        pairs = [(line, said[line.card.desk]) for line in lines]
        async for batch, tokens in fetch_tokens(pairs, period, missing, self.progress):
            await asyncio.to_thread(self.shelf.keep, period, batch, tokens)
