"""The jobs of clues at a node, each a JSON object in and a JSON object out."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from node.clue_sending import ClueSending, load_cards, save_cards
from node.errors import NotJoinedError
from node.store import NodeStore
from node.sync.flow import Link
from scoring_kernel import Catalog
from scoring_kernel.supervision.loading import load_supervision
from security.exchange.uplink import sync_up
from security.linking import key_fingerprint
from security.progress import ProgressReporter

__all__ = ["READERS", "STATED", "ClueJobs"]

Result = dict[str, Any]
READERS: Final = ("clues", "clues_key")
"""Jobs that change nothing, and do not wait for the writer."""
EVERY: Final = timedelta(hours=6)
"""Time between two runs by the clock: gathering reads all records of a quarter."""
STATED: Final = "clues_stated"
"""Setting: when clues were stated last, and the ledger's size then; empty where they are due."""
_TURNS: Final = 2
"""A lane that starts a new incarnation has its parts stated again, once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClueJobs:
    """The jobs over the parts of one node."""

    directory: Path
    catalog: Catalog
    store: NodeStore
    link: Link | None
    """Membership and exchange ledger; None before the node joined."""
    now: Callable[[], datetime]

    def table(self) -> Mapping[str, Callable[[Result, ProgressReporter], Result]]:
        """Jobs by the name under which the command line and the socket know them."""
        return {
            "clues": self.listing,
            "clues_send": self.send,
            "clues_desks": self.desks,
            "clues_key": self.key,
        }

    def send(self, arguments: Result, progress: ProgressReporter) -> Result:
        """State clues and join records, and send them; by the clock only when they are due."""
        link = self._joined()
        if arguments.get("if_due") and not self._is_due():
            return {"due": False}
        size = self.store.ledger_size()
        sending = ClueSending(
            directory=self.directory,
            catalog=self.catalog,
            store=self.store,
            link=link,
            now=self.now(),
        )
        result: Result = {"due": True, "sent": 0, "receipts": 0, "receipts_quarantined": 0}
        for _ in range(_TURNS):
            report = sending.state(progress)
            up = asyncio.run(
                sync_up(link.membership, link.engine, link.outbox, now=self.now, progress=progress)
            )
            result["sent"] += up.sent + up.resent
            result["receipts"] += up.receipts
            result["receipts_quarantined"] += up.quarantined
            result |= asdict(report)
            if not up.restarted:
                break
        self.store.set_setting(STATED, f"{self.now().isoformat()} {size}")
        return result

    def listing(self, arguments: Result, _progress: ProgressReporter) -> Result:
        """Clues as they are sent, without persons' names or tokens."""
        sending = ClueSending(
            directory=self.directory,
            catalog=self.catalog,
            store=self.store,
            link=self._joined(),
            now=self.now(),
        )
        drafts, book = sending.drafts()
        wanted = [one for one in drafts if arguments.get("source") in {None, one.source}]
        names = {one.id: one.name_zh for one in book.rules.values()}
        if not names.keys() >= {one.source for one in wanted}:
            topics = load_supervision(self.catalog).topics
            names |= {one.id: one.name_zh for one in topics.values()}
        return {
            "total": len(wanted),
            "rows": [
                {
                    "id": one.id.hex(),
                    "source": one.source,
                    "name_zh": names.get(one.source, ""),
                    "institution": one.institution,
                    "month": one.month,
                    "score": one.score,
                    "verdict": one.verdict,
                    "amount_fen": one.amount_fen,
                    "person": one.person is not None,
                    "staff": len(one.staff),
                    "records": one.evidence_count,
                }
                for one in wanted[: arguments["limit"]]
            ],
        }

    def desks(self, arguments: Result, _progress: ProgressReporter) -> Result:
        """Take over the cards of both desks, or show those held."""
        files = [Path(name) for name in arguments.get("files") or ()]
        cards = save_cards(self.directory, files) if files else load_cards(self.directory)
        return {
            "rows": [
                {"desk": one.desk, "address": one.address, "key": one.fingerprint} for one in cards
            ]
        }

    def key(self, _arguments: Result, _progress: ProgressReporter) -> Result:
        """What a desk's officer enters of this node."""
        membership = self._joined().membership
        return {
            "member": membership.member_id,
            "key": key_fingerprint(membership.tls_certificate_pem),
        }

    def _is_due(self) -> bool:
        """Whether rules were run at night, or records came and the last run is long enough ago."""
        if not load_cards(self.directory):
            return False
        stated = self.store.setting(STATED)
        if not stated:
            return True
        at, _, size = stated.partition(" ")
        is_new = int(size) != self.store.ledger_size()
        return is_new and self.now() - datetime.fromisoformat(at) >= EVERY

    def _joined(self) -> Link:
        if self.link is None:
            raise NotJoinedError(
                "this node has not joined a hub; run: yixin node join --token TOKEN"
            )
        return self.link
