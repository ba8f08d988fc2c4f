"""Hits of rules as the relations that measure sets read (``scoring_kernel.supervision``).

Rules: only hits that stand; a hit belongs to the month of its first violating moment, under the
digest of everything it says. Where no rule has ever run there are no relations.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Protocol

import pyarrow as pa

from node.domain.rule_hits import HitBody
from node.store.hits import HitFilter, HitRow
from node.store.rule_runs import RuleRun

__all__ = ["HitKeeper", "MonthHits", "hits_of"]

_MANY: Final = 100_000_000
_TYPES: Final = {"hit_at": pa.timestamp("s"), "amount_fen": pa.int64()}
_LISTS: Final = {
    "rule_hit_visit": ("mdtrt_id", "visits"),
    "rule_hit_staff": ("staff", "staff"),
    "rule_hit_key": ("key", "keys"),
}


class HitKeeper(Protocol):
    """Where hits are kept."""

    def runs(self, limit: int = 1) -> tuple[RuleRun, ...]:
        """List runs, the newest first."""

    def known(self, rule: str) -> dict[bytes, bytes]:
        """Digests of every hit kept of a rule, by id."""

    def hits(
        self, wanted: HitFilter | None = None, *, limit: int = 100, offset: int = 0
    ) -> tuple[HitRow, ...]:
        """List hits, without their bodies."""

    def body(self, hit: bytes) -> HitBody:
        """Open the body of a hit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthHits:
    """Hits by month, and what tells whether they changed."""

    keeper: HitKeeper = field(repr=False)
    rows: Mapping[int, tuple[HitRow, ...]] = field(repr=False)
    digests: Mapping[int, bytes] = field(repr=False)
    """SHA-256 by month."""

    def digest(self, month: int) -> bytes:
        """Digest of a month's hits; empty where there are none."""
        return self.digests.get(month, b"")

    def tables(self, month: int) -> dict[str, pa.Table]:
        """Relations of a month's hits.

        Raises:
            VaultError: A body was changed, or sealed under another key.
        """
        rows = self.rows.get(month, ())
        bodies = [(row.id.hex(), self.keeper.body(row.id)) for row in rows]
        found = {
            "rule_hit": _table(
                {
                    "hit": [row.id.hex() for row in rows],
                    "rule": [row.rule for row in rows],
                    "verdict": [row.verdict for row in rows],
                    "institution": [row.institution for row in rows],
                    "hit_at": [datetime.fromisoformat(row.at) for row in rows],
                    "amount_fen": [row.amount_fen for row in rows],
                }
            )
        }
        for name, (column, listed) in _LISTS.items():
            pairs = [(hit, one) for hit, body in bodies for one in getattr(body, listed)]
            found[name] = _table(
                {"hit": [pair[0] for pair in pairs], column: [pair[1] for pair in pairs]}
            )
        return found


def hits_of(keeper: HitKeeper) -> MonthHits | None:
    """Find the hits that stand; None where no rule has ever run."""
    if not keeper.runs(1):
        return None
    by_month: dict[int, list[HitRow]] = {}
    states: dict[int, list[bytes]] = {}
    known: dict[str, dict[bytes, bytes]] = {}
    for row in keeper.hits(HitFilter(), limit=_MANY):
        if row.rule not in known:
            known[row.rule] = keeper.known(row.rule)
        by_month.setdefault(row.month, []).append(row)
        states.setdefault(row.month, []).append(row.id + known[row.rule][row.id])
    return MonthHits(
        keeper=keeper,
        rows={month: tuple(rows) for month, rows in by_month.items()},
        digests={
            month: hashlib.sha256(b"".join(sorted(one))).digest() for month, one in states.items()
        },
    )


def _table(columns: Mapping[str, list[object]]) -> pa.Table:
    return pa.table(
        {name: pa.array(one, _TYPES.get(name, pa.string())) for name, one in columns.items()}
    )
