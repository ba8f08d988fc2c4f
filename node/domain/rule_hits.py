"""Hits (规则命中): what a supervision rule found, the same one however often the rule runs.

Rules:
- a hit's id is a keyed digest of the rule and of the values that make the hit: stable under
  re-runs, and nobody without the node's key can try persons out;
- who and what it is about stands in the body, which is sealed before it is kept;
- the body of a hit that rests on very many records names the first of them, and how many.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import orjson

from node.errors import StoreError

__all__ = [
    "ID_BYTES",
    "MAX_LISTED",
    "Evidence",
    "HitBody",
    "RuleHit",
    "decode_body",
    "encode_body",
    "hit_id",
]

ID_BYTES: Final = 16
MAX_LISTED: Final = 1_000
"""Most persons, visits, staff or records that a body lists, each."""
_NULL: Final = b"\xff"
"""Stands for a value that is not there; no UTF-8 text starts with it."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Evidence:
    """One record that a hit rests on."""

    role: int
    """1: it violates (违规项); 2: it is involved (涉及项)."""
    at: datetime
    """Its moment, wall clock, Asia/Shanghai."""
    kind: str
    """Kind of the record."""
    record_id: str
    amount_fen: int
    """What of it the hit's amount contains."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HitBody:
    """What is personal of a hit, and what it rests on; sealed at rest."""

    persons: tuple[str, ...] = field(repr=False)
    """Insured persons, ascending."""
    visits: tuple[str, ...] = field(repr=False)
    """Visits (mdtrt_id), ascending."""
    staff: tuple[str, ...] = field(repr=False)
    """Codes of staff, ascending."""
    keys: tuple[str, ...] = field(repr=False)
    """What else tells the hit from others: codes of items, trace codes, days."""
    evidence: tuple[Evidence, ...] = field(repr=False)
    """The violating records first, by moment."""
    records: int
    """How many records the hit rests on; ``evidence`` may list fewer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleHit:
    """One hit of one rule."""

    id: bytes
    """``hit_id``."""
    rule: str
    version: str
    """Version of the rule's parameters that holds for ``at``."""
    institution: str
    at: datetime
    """First violating moment, wall clock, Asia/Shanghai."""
    amount_fen: int
    verdict: str
    """violation (违规), suspicion (可疑) or warning (提醒)."""
    body: HitBody = field(repr=False)

    @property
    def month(self) -> int:
        """Month of ``at``, yyyymm."""
        return self.at.year * 100 + self.at.month


def hit_id(secret: bytes, rule: str, values: Sequence[str | None]) -> bytes:
    """Name a hit.

    Args:
        secret: The node's secret.
        rule: Id of the rule.
        values: Values of the columns that make one hit, in the rule's order.

    Returns:
        16 bytes.

    >>> hit_id(b"k", "M01", ["a", "b"]) == hit_id(b"k", "M01", ["ab", ""])
    False
    >>> hit_id(b"k", "M01", [None]) == hit_id(b"k", "M01", [""])
    False
    """
    state = hashlib.blake2b(digest_size=ID_BYTES, key=secret, person=b"yixin/rule_hit")
    for value in (rule, *values):
        encoded = _NULL if value is None else value.encode()
        state.update(len(encoded).to_bytes(4, "big"))
        state.update(encoded)
    return state.digest()


def encode_body(body: HitBody) -> bytes:
    """Write a body as JSON, always the same for the same body."""
    return orjson.dumps(
        {
            "persons": body.persons,
            "visits": body.visits,
            "staff": body.staff,
            "keys": body.keys,
            "records": body.records,
            "evidence": [
                (one.role, one.at.isoformat(), one.kind, one.record_id, one.amount_fen)
                for one in body.evidence
            ],
        }
    )


def decode_body(content: bytes) -> HitBody:
    """Read a body.

    Raises:
        StoreError: It is not of the form.
    """
    try:
        found = orjson.loads(content)
        return HitBody(
            persons=tuple(found["persons"]),
            visits=tuple(found["visits"]),
            staff=tuple(found["staff"]),
            keys=tuple(found["keys"]),
            records=found["records"],
            evidence=tuple(
                Evidence(
                    role=role,
                    at=datetime.fromisoformat(at),
                    kind=kind,
                    record_id=record_id,
                    amount_fen=amount_fen,
                )
                for role, at, kind, record_id, amount_fen in found["evidence"]
            ),
        )
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError) as error:
        raise StoreError(
            "the body of a hit is not of the form this release writes; run the rule again"
        ) from error
